#include "driver/sqlite/statement.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string>

#include "base/sql_scanner.hpp"
#include "base/units.hpp"
#include "driver/sqlite/errors.hpp"

namespace tide::sqlite {
namespace {

// The number of a parameter: its position, unless it is written ?N or $N. SQLite numbers $2 by its position.
int number_of(sqlite3_stmt* statement, int place) {
  const char* name = sqlite3_bind_parameter_name(statement, place);
  if (name == nullptr || (name[0] != '?' && name[0] != '$')) return place;
  int number = 0;
  const char* end = name + std::strlen(name);
  const auto [last, error] = std::from_chars(name + 1, end, number);
  return error == std::errc() && last == end && number > 0 ? number : place;
}

std::string_view cell_bytes(sqlite3_stmt* statement, int column) {
  // First the pointer, then the length, as SQLite requires: a conversion could move the bytes in between.
  const void* bytes = sqlite3_column_type(statement, column) == SQLITE_BLOB
                          ? sqlite3_column_blob(statement, column)
                          : static_cast<const void*>(sqlite3_column_text(statement, column));
  const int length = sqlite3_column_bytes(statement, column);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes), static_cast<size_t>(length)};
}

}  // namespace

int compile(sqlite3* database, std::string_view text, Statement& out, std::string_view& rest) noexcept {
  sqlite3_stmt* statement = nullptr;
  const char* tail = nullptr;
  const int code = sqlite3_prepare_v2(database, text.data(), static_cast<int>(text.size()), &statement, &tail);
  out.reset(statement);
  rest =
      code == SQLITE_OK && tail != nullptr ? text.substr(static_cast<size_t>(tail - text.data())) : std::string_view();
  return code;
}

Status bind_parameters(sqlite3_stmt* statement, std::span<const SqlValue> params) {
  const int places = sqlite3_bind_parameter_count(statement);
  int wanted = 0;
  for (int place = 1; place <= places; ++place) wanted = std::max(wanted, number_of(statement, place));
  if (static_cast<size_t>(wanted) != params.size()) {
    return Status::error(Code::bad_argument,
                         "the statement requires " + std::to_string(wanted) + " parameters, but " +
                             std::to_string(params.size()) + " were given",
                         {}, "Write parameters as ?1, ?2 ... (or $1, $2 ...) and pass one text or NULL for each.");
  }
  for (int place = 1; place <= places; ++place) {
    const SqlValue& value = params[static_cast<size_t>(number_of(statement, place) - 1)];
    const int code = value.is_null() ? sqlite3_bind_null(statement, place)
                                     : sqlite3_bind_text64(statement, place, value.data.data(), value.data.size(),
                                                           SQLITE_STATIC, SQLITE_UTF8);
    if (code != SQLITE_OK) return database_error(sqlite3_db_handle(statement), code);
  }
  return Status::ok();
}

Status collect_rows(sqlite3_stmt* statement, const ResultLimits& limits, ResultTable& out, int& code) {
  code = sqlite3_step(statement);
  // After the first step: a schema changed meanwhile would have changed the columns too.
  const int columns = sqlite3_column_count(statement);
  for (int column = 0; column < columns; ++column) {
    const char* name = sqlite3_column_name(statement, column);
    out.add_column(name != nullptr ? name : "");
  }
  for (int64_t rows = 0; code == SQLITE_ROW; code = sqlite3_step(statement)) {
    if (rows++ >= limits.rows_max) {
      return driver_error("54000", SQLITE_TOOBIG,
                          "the result has more than " + std::to_string(limits.rows_max) + " rows", {},
                          "Request fewer rows: use LIMIT, a more selective WHERE, or several statements.");
    }
    for (int column = 0; column < columns; ++column) {
      if (sqlite3_column_type(statement, column) == SQLITE_NULL) {
        out.add_null();
        continue;
      }
      const std::string_view bytes = cell_bytes(statement, column);
      if (bytes.size() > limits.bytes_max || out.bytes() > limits.bytes_max - bytes.size()) {
        return driver_error("54000", SQLITE_TOOBIG,
                            "the result is larger than " + format_bytes(static_cast<int64_t>(limits.bytes_max)), {},
                            "Request less data: use LIMIT, fewer columns, or several statements.");
      }
      out.add_text(bytes);
    }
  }
  return Status::ok();
}

std::string command_of(sqlite3_stmt* statement) {
  const char* const sql = sqlite3_sql(statement);
  SqlScanner scanner(sql != nullptr ? sql : "", Dialect::sqlite);
  std::string word(scanner.next().text);
  for (char& c : word) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return word;
}

int run_own(sqlite3* database, const char* text, std::string* first_cell) {
  Statement statement;
  std::string_view rest;
  int code = compile(database, text, statement, rest);
  if (code != SQLITE_OK || statement == nullptr) return code;
  code = sqlite3_step(statement.get());
  if (code == SQLITE_ROW && first_cell != nullptr && sqlite3_column_count(statement.get()) > 0) {
    first_cell->assign(cell_bytes(statement.get(), 0));
  }
  while (code == SQLITE_ROW) code = sqlite3_step(statement.get());
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

}  // namespace tide::sqlite
