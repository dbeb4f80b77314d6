// The functions tidepool_scale(), tidepool_pause(), ...: commands to a pool that are no UPDATE; tidepool_version(); and
// tidepool_health('app') as a value:
//
//   SELECT tidepool_health('app') ->> 'status';
//   -- healthy
#pragma once

#include <sqlite3ext.h>

namespace tide::sqlite {

// Registers all functions in a connection. Returns a SQLite code; SQLITE_BUSY means that they stand already and a
// statement is running, and that nothing was changed.
int register_functions(sqlite3* db);
void unregister_functions(sqlite3* db);

}  // namespace tide::sqlite
