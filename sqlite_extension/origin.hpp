// Origin: does a call come from a statement of this session, or from an untrusted database file?
//
// SQLITE_DIRECTONLY refuses triggers, views and defaults of a file when SQLite prepares them. It does not refuse CHECK
// constraints (evaluated by INSERT or PRAGMA integrity_check), nor statements that modules such as FTS4 prepare from
// their arguments in the schema (uncompress=..., content=...). Therefore each call is checked by two rules:
//
// O1  A command is issued only while a statement is running whose own text contains the function's name.
// O2  It is refused while the schema of a database in the transaction contains that name, because two calls in one
//     statement cannot be distinguished. TEMP objects belong to the session.
//
// Reading applies O2 only if some running statement does not contain the table's name: that may be a module's
// statement.
// Threads: the connection's. Failure: the reason, as text; calls that cannot be checked are refused.
#pragma once

#include <sqlite3ext.h>

#include <optional>
#include <string>
#include <string_view>

namespace tide::sqlite {

// Why the function `name` is refused; nothing if it is allowed.
std::optional<std::string> refuse_command(sqlite3* db, std::string_view name);
// Why reading the table `name` is refused; nothing if it is allowed.
std::optional<std::string> refuse_reading(sqlite3* db, std::string_view name);

}  // namespace tide::sqlite
