// Result codes of SQLite as a Status: code, SQLSTATE, hint.
//
// The SQLSTATEs are those of PostgreSQL for the same errors, so that a program can handle errors of both databases in the
// same way. native_code is the extended result code of SQLite. Tables and columns of constraints are in its messages only.
// Threads: pure functions; database_error() reads the last error of the connection, which no other thread may use.
#pragma once

#include <sqlite3.h>

#include <string>
#include <string_view>

#include "base/status.hpp"
#include "statement/placeholders.hpp"

namespace tide::sqlite {

// The SQLSTATE for an extended result code; `message` distinguishes the kinds of SQLITE_ERROR.
std::string_view sqlstate_of(int extended_code, std::string_view message);

// SQLITE_BUSY and the like: a lock held by others; session and statement are valid.
bool is_busy(int result_code) noexcept;
// Retrying to open is useless: not a database, no permission, corrupt.
bool is_hopeless(int result_code) noexcept;

// Where a compiled statement stands in the text of the caller.
struct TextPlace {
  std::string_view given;
  const StatementText* translated = nullptr;  // nullptr: `given` was compiled
  size_t offset = 0;                          // of the statement in the compiled text
};

// The last error of the connection, with the position in the text of the caller, if SQLite tells it.
Status database_error(sqlite3* database, int result_code, const TextPlace* text = nullptr);
// An error detected by the driver, in the format of an error of SQLite.
Status driver_error(std::string_view sqlstate, int native_code, std::string message, std::string detail = {},
                    std::string hint = {});

}  // namespace tide::sqlite
