// The functions that return a report on the pools of this host as one text:
//
//   SELECT tidepool_health_report();                       -- for people
//   SELECT tidepool_dashboard('shop', '1h') ->> '$.pools[0].gauges.in_use';
//   SELECT tidepool_export('prometheus');
//
// They read what the tables read, under the same rules (origin.hpp).
#pragma once

#include <sqlite3ext.h>

namespace tide::sqlite {

void run_export(sqlite3_context* context, int count, sqlite3_value** values);
void run_health_report(sqlite3_context* context, int count, sqlite3_value** values);
void run_dashboard(sqlite3_context* context, int count, sqlite3_value** values);

struct Report {
  const char* name;  // without "tidepool_"
  void (*run)(sqlite3_context*, int, sqlite3_value**);
};
inline constexpr Report kReports[] = {
    {"export", run_export}, {"health_report", run_health_report}, {"dashboard", run_dashboard}};

}  // namespace tide::sqlite
