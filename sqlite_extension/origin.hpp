// Origin: does a request come from a statement of this session, or from a database file that somebody sent?
//
// SQLITE_DIRECTONLY keeps triggers, views and defaults of a file away, when SQLite prepares them. It does not keep away
// CHECK constraints (an INSERT or PRAGMA integrity_check evaluates them) nor the statements that modules such as FTS4
// prepare from their arguments in the schema (uncompress=..., content=...). Hence two questions when a call arrives:
//
// O1  A command is given only while a statement runs whose own text names it.
// O2  It is not given while a database that takes part in the transaction names it in its schema: of two calls in one
//     statement nobody can tell which one is the file's. TEMP objects are the session's own.
//
// Reading asks O2 only where some running statement does not name the table: that may be a module's own statement.
// Threads: the connection's. Failure: the reason, as text; what cannot be found out is refused.
#pragma once

#include <sqlite3ext.h>

#include <optional>
#include <string>
#include <string_view>

namespace tide::sqlite {

// Why the function `name` gives no command; nothing: it does.
std::optional<std::string> refuse_command(sqlite3* db, std::string_view name);
// Why the table `name` is not read; nothing: it is.
std::optional<std::string> refuse_reading(sqlite3* db, std::string_view name);

}  // namespace tide::sqlite
