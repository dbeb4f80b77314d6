// Statement: one compiled statement, from parameters to rows.
//
// Threads: whoever has the session's hands. Failure: by result code; what the driver itself refuses comes as a Status.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/status.hpp"
#include "pool/result_table.hpp"

namespace tide::sqlite {

struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

// How much one result may hold. Past it the statement fails; the process does not.
struct ResultLimits {
  size_t bytes_max = size_t{1} << 30;
  int64_t rows_max = 0x7FFFFFFF;
};

// Compiles the first statement of `text`; `rest` becomes what follows it. No statement (blank or comment) is no error.
int compile(sqlite3* database, std::string_view text, Statement& out, std::string_view& rest) noexcept;

// Binds the parameters as text. ?N and $N take the Nth; a bare ? or a name takes the one at its own place.
// The texts must live as long as the statement runs.
Status bind_parameters(sqlite3_stmt* statement, std::span<const char* const> params);

// Steps to the end and collects the rows. `code` is SQLite's answer: SQLITE_DONE when all went well.
Status collect_rows(sqlite3_stmt* statement, const ResultLimits& limits, ResultTable& out, int& code);

// The statement's first word in capitals: what SQLite has in place of a command tag.
std::string command_of(sqlite3_stmt* statement);

// Runs a statement of the driver's own and forgets its rows, but for the first cell if wanted.
int run_own(sqlite3* database, const char* text, std::string* first_cell = nullptr);

}  // namespace tide::sqlite
