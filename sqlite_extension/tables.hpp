// The relations of the catalogue as virtual tables of one connection, and tidepool_check_options('...'):
//
//   SELECT kind, message FROM tidepool_check_options('max_size=1000 min_size=2000');
//   -- error|min_size 2000 is above max_size 1000
#pragma once

#include <sqlite3ext.h>

#include <memory>

#include "write.hpp"

namespace tide::sqlite {

// Registers tidepool_<relation> for every relation of the catalogue, and tidepool_check_options; all share `staging`. Returns a SQLite code.
int register_tables(sqlite3* db, const std::shared_ptr<Staging>& staging);
void unregister_tables(sqlite3* db);

}  // namespace tide::sqlite
