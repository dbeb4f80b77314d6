// Table: one relation in one connection, as passed to SQLite's callbacks.
#pragma once

#include <sqlite3ext.h>
#include <tidepool/observe.h>

#include <memory>
#include <string>

#include "write.hpp"

namespace tide::sqlite {

// Flags passed from xBestIndex to xFilter; the arguments come in this order.
enum Pushed : int {
  kByDirectory = 1,
  kByInstance = 2,
  kByPool = 4,
  kDirectoryComesLater = 8,  // `dir` is compared with a table that is read after this one
};

// Which directories the open scans of a connection read. See D3 in tables.cpp.
struct OpenScans {
  int blind = 0;      // kDirectoryComesLater
  int elsewhere = 0;  // of a directory other than the default
};

struct Table : sqlite3_vtab {
  sqlite3* db = nullptr;
  const tide_relation* relation = nullptr;
  std::shared_ptr<Staging> staging;
  std::shared_ptr<OpenScans> scans;
  // Indexes of the columns that are used here; -1 if the relation does not have the column.
  bool is_report = false;
  int instance_id = -1, pool = -1, key = -1;

  // Hidden columns follow all others. `which`, only in health, is its argument: tidepool_health('app').
  int which() const { return is_report ? relation->ncolumns : -1; }
  int directory() const { return relation->ncolumns + (is_report ? 1 : 0); }
  std::string sql_name() const { return std::string("tidepool_") + relation->name; }
};

inline Table& table_of(sqlite3_vtab* table) { return *static_cast<Table*>(table); }

}  // namespace tide::sqlite
