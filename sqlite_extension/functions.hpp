// The functions tidepool_scale(), tidepool_pause(), ...: commands to a pool that are no UPDATE; tidepool_version(); and what
// is asked with one argument: tidepool_health('app') as a value, and tidepool_check_options('...') as a table.
//
//   SELECT tidepool_health('app') ->> 'status';
//   -- healthy
//   SELECT kind, message FROM tidepool_check_options('max_size=1000 min_size=2000');
//   -- error|min_size 2000 is above max_size 1000
#pragma once

#include <sqlite3ext.h>

namespace tide::sqlite {

// Registers all functions in a connection. Returns a SQLite code; SQLITE_BUSY means that they stand already and a
// statement is running, and that nothing was changed.
int register_functions(sqlite3* db);
void unregister_functions(sqlite3* db);

}  // namespace tide::sqlite
