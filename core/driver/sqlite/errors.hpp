// SQLite's result codes as a Status: code, SQLSTATE, what to do about it.
//
// The SQLSTATEs are those PostgreSQL uses for the same misfortune, so that a caller tells them apart the same way on
// both databases. native_code is SQLite's extended result code.
// Threads: pure functions; database_error() reads the connection's last error, so the caller must be using it alone.
#pragma once

#include <sqlite3.h>

#include <string>
#include <string_view>

#include "base/status.hpp"

namespace tide::sqlite {

// The five characters for an extended result code; `message` tells apart what SQLite calls just SQLITE_ERROR.
std::string_view sqlstate_of(int extended_code, std::string_view message);

// SQLITE_BUSY and its kin: somebody else's lock, nothing wrong with the session or the statement.
bool is_busy(int result_code) noexcept;
// Opening again cannot help: no database, no permission, damaged.
bool is_hopeless(int result_code) noexcept;

// The connection's last error. `offset_base` is where in the caller's text the failed statement began, or -1 where
// there is no text.
Status database_error(sqlite3* database, int result_code, int64_t offset_base = -1);
// An error the driver itself finds, in the same shape as one of SQLite's.
Status driver_error(std::string_view sqlstate, int native_code, std::string message, std::string detail = {},
                    std::string hint = {});

}  // namespace tide::sqlite
