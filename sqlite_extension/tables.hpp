// The relations of the catalogue as virtual tables of one connection.
#pragma once

#include <sqlite3ext.h>

#include <memory>

#include "write.hpp"

namespace tide::sqlite {

// Registers tidepool_<relation> for every relation of the catalogue; all share `staging`. Returns a SQLite code.
int register_tables(sqlite3* db, const std::shared_ptr<Staging>& staging);
void unregister_tables(sqlite3* db);

}  // namespace tide::sqlite
