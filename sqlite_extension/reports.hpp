// Reports: what is asked with one argument: tidepool_health('app') as a value, and tidepool_check_options('...') as a table.
//
//   SELECT tidepool_health('app') ->> 'status';
//   -- healthy
//   SELECT kind, message FROM tidepool_check_options('max_size=1000 min_size=2000');
//   -- error|min_size 2000 is above max_size 1000
#pragma once

#include <sqlite3ext.h>

namespace tide::sqlite {

// Return a SQLite code.
int register_reports(sqlite3* db);
void unregister_reports(sqlite3* db);

}  // namespace tide::sqlite
