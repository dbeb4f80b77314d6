// Statement: one compiled statement, from parameters to rows.
//
// Threads: the one that has the hands of the session. Failure: result codes; a Status for errors detected by the driver.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.hpp"
#include "driver/sqlite/inspector.hpp"
#include "pool/result_table.hpp"

namespace tide::sqlite {

struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

// Holds the mutex of the connection, which every call of SQLite takes anyway: taking it again is much cheaper.
class DatabaseLock {
 public:
  explicit DatabaseLock(sqlite3* database) : mutex_(sqlite3_db_mutex(database)) { sqlite3_mutex_enter(mutex_); }
  ~DatabaseLock() { sqlite3_mutex_leave(mutex_); }
  DatabaseLock(const DatabaseLock&) = delete;
  DatabaseLock& operator=(const DatabaseLock&) = delete;

 private:
  sqlite3_mutex* const mutex_;
};

// The maximum size of a result. A statement that exceeds it fails.
struct ResultLimits {
  size_t bytes_max = size_t{1} << 30;
  int64_t rows_max = 0x7FFFFFFF;
  bool is_first_row_only = false;  // the statement is left at the first row
};

// What is known of a compiled statement.
struct Traits {
  Intent intent;
  bool is_writing = false;
  int parameters = 0;        // how many values it needs
  std::vector<int> numbers;  // of the value for each parameter; empty: 1, 2, 3 ...
  std::string command;       // the first word in capitals, as a substitute for a command tag
};

// Whether the values must remain valid while the statement runs, or are copied.
enum class Values : uint8_t { remain, copied };

// Compiles the first statement of `text`; `rest` is set to what follows it. A text without a statement is not an error.
// `flags`: SQLITE_PREPARE_...
int compile(sqlite3* database, std::string_view text, Statement& out, std::string_view& rest,
            unsigned flags = 0) noexcept;

// To be called directly after compile(); `intent` is what the inspector saw meanwhile.
Traits traits_of(sqlite3_stmt* statement, const Intent& intent);

// Binds each value by its type; boolean as 0 or 1. ?N and $N get the Nth; ? and names get the one at their position.
Status bind_parameters(sqlite3_stmt* statement, const Traits& traits, std::span<const SqlValue> params, Values values);

// To be called after the first step: a schema changed meanwhile would have changed the columns too.
std::shared_ptr<const ResultColumns> columns_of(sqlite3_stmt* statement);
// Copies the current row; with a DatabaseLock. False if its values have more than `bytes_left`, which is reduced by them.
bool add_row(sqlite3_stmt* statement, int columns, size_t& bytes_left, ResultTable& out);
// The columns of the current row, as long as the statement is at it; to be read with a DatabaseLock.
std::unique_ptr<RowSource> current_row(sqlite3_stmt* statement);

// Steps to the end and collects the rows; after the first step, with a DatabaseLock. `code` is the result code:
// SQLITE_DONE on success, SQLITE_ROW if rows were left.
Status collect_rows(sqlite3_stmt* statement, const ResultLimits& limits, ResultTable& out, int& code);

// A real number as SQLite converts it to text.
std::string real_text(double number);

// In capitals; empty if there is none.
std::string first_word(std::string_view sql);

// Executes a statement of the driver; returns only the first value, if requested.
int run_own(sqlite3* database, const char* text, std::string* first_cell = nullptr);

}  // namespace tide::sqlite
