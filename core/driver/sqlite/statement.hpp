// Statement: one compiled statement, from parameters to rows.
//
// Threads: the one that has the hands of the session. Failure: result codes; a Status for errors detected by the driver.
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

// The maximum size of a result. A statement that exceeds it fails.
struct ResultLimits {
  size_t bytes_max = size_t{1} << 30;
  int64_t rows_max = 0x7FFFFFFF;
};

// Compiles the first statement of `text`; `rest` is set to what follows it. A text without a statement is not an error.
int compile(sqlite3* database, std::string_view text, Statement& out, std::string_view& rest) noexcept;

// Binds the parameters as text. ?N and $N get the Nth; ? and names get the one at their position.
// The texts must remain valid while the statement runs.
Status bind_parameters(sqlite3_stmt* statement, std::span<const SqlValue> params);

// Steps to the end and collects the rows. `code` is the result code: SQLITE_DONE on success.
Status collect_rows(sqlite3_stmt* statement, const ResultLimits& limits, ResultTable& out, int& code);

// The first word of the statement in capitals, as a substitute for a command tag.
std::string command_of(sqlite3_stmt* statement);

// Executes a statement of the driver; returns only the first value, if requested.
int run_own(sqlite3* database, const char* text, std::string* first_cell = nullptr);

}  // namespace tide::sqlite
