// The functions tidepool_scale(), tidepool_pause(), ...: commands to pools without UPDATE; tidepool_version(); and
// tidepool_health('app') as a value:
//
//   SELECT tidepool_health('app') ->> 'status';
//   -- healthy
#pragma once

#include <sqlite3ext.h>

namespace tide::sqlite {

// Registers all functions in a connection. Returns a SQLite code; SQLITE_BUSY means that they are already registered
// and a statement is running; then nothing was changed.
int register_functions(sqlite3* db);
void unregister_functions(sqlite3* db);

}  // namespace tide::sqlite
