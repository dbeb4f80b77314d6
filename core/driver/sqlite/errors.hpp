// Result codes of SQLite as a Status: code, SQLSTATE, hint.
//
// The SQLSTATEs are those of PostgreSQL for the same errors, so that a program can handle errors of both databases in the
// same way. native_code is the extended result code of SQLite.
// Threads: pure functions; database_error() reads the last error of the connection, which no other thread may use.
#pragma once

#include <sqlite3.h>

#include <string>
#include <string_view>

#include "base/status.hpp"

namespace tide::sqlite {

// The SQLSTATE for an extended result code; `message` distinguishes the kinds of SQLITE_ERROR.
std::string_view sqlstate_of(int extended_code, std::string_view message);

// SQLITE_BUSY and the like: a lock held by others; session and statement are valid.
bool is_busy(int result_code) noexcept;
// Retrying to open is useless: not a database, no permission, corrupt.
bool is_hopeless(int result_code) noexcept;

// The last error of the connection. `offset_base` is the position of the failed statement in the text of the caller, or -1
// without a text.
Status database_error(sqlite3* database, int result_code, int64_t offset_base = -1);
// An error detected by the driver, in the format of an error of SQLite.
Status driver_error(std::string_view sqlstate, int native_code, std::string message, std::string detail = {},
                    std::string hint = {});

}  // namespace tide::sqlite
