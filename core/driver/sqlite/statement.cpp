#include "driver/sqlite/statement.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <deque>
#include <string>
#include <utility>

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

// To be called with the mutex of the connection held: then one call of SQLite that locks it again is enough for a value.
SqlValue value_at(sqlite3_stmt* statement, int column) {
  sqlite3_value* value = sqlite3_column_value(statement, column);
  const int type = sqlite3_value_type(value);
  switch (type) {
    case SQLITE_INTEGER: return SqlValue::of(int64_t{sqlite3_value_int64(value)});
    case SQLITE_FLOAT: return SqlValue::of(sqlite3_value_double(value));
    case SQLITE_NULL: return SqlValue::null();
    default: break;
  }
  // First the pointer, then the length, as SQLite requires: a conversion could move the bytes in between.
  const bool is_blob = type == SQLITE_BLOB;
  const void* bytes = is_blob ? sqlite3_value_blob(value) : static_cast<const void*>(sqlite3_value_text(value));
  const int length = sqlite3_value_bytes(value);
  const std::string_view data = bytes == nullptr
                                    ? std::string_view("")
                                    : std::string_view(static_cast<const char*>(bytes), static_cast<size_t>(length));
  return is_blob ? SqlValue::of_bytes(data) : SqlValue::of_text(data);
}

class CurrentRow final : public RowSource {
 public:
  explicit CurrentRow(sqlite3_stmt* statement) : statement_(statement) {}
  int64_t rows() const override { return 1; }
  SqlValue cell(int64_t, int column) const override { return value_at(statement_, column); }
  bool text(int64_t row, int column, std::string_view& out) const override {
    const SqlValue value = cell(row, column);
    switch (value.kind) {
      case SqlValue::Kind::null: out = {}; return true;
      case SqlValue::Kind::text: out = value.data; return true;
      case SqlValue::Kind::bytes: {  // SQLite does not terminate them
        if (blobs_.size() <= static_cast<size_t>(column)) blobs_.resize(static_cast<size_t>(column) + 1);
        std::string& blob = blobs_[static_cast<size_t>(column)];
        if (blob != value.data) blob = value.data;
        out = blob;
        return true;
      }
      default: return false;
    }
  }

 private:
  sqlite3_stmt* const statement_;
  mutable std::deque<std::string> blobs_;
};

Status too_large(const ResultLimits& limits) {
  return driver_error("54000", SQLITE_TOOBIG,
                      "the result is larger than " + format_bytes(static_cast<int64_t>(limits.bytes_max)), {},
                      "Request less data: use LIMIT, fewer columns, or several statements.");
}

int bind_value(sqlite3_stmt* statement, int place, const SqlValue& value, Values values) {
  // An empty text may have no address, which SQLite would take for NULL.
  const char* data = value.data.data() != nullptr ? value.data.data() : "";
  const auto how = values == Values::copied ? SQLITE_TRANSIENT : SQLITE_STATIC;
  switch (value.kind) {
    case SqlValue::Kind::null: return sqlite3_bind_null(statement, place);
    case SqlValue::Kind::integer:
    case SqlValue::Kind::boolean: return sqlite3_bind_int64(statement, place, value.integer);
    case SqlValue::Kind::real: return sqlite3_bind_double(statement, place, value.real);
    case SqlValue::Kind::text: return sqlite3_bind_text64(statement, place, data, value.data.size(), how, SQLITE_UTF8);
    case SqlValue::Kind::bytes: return sqlite3_bind_blob64(statement, place, data, value.data.size(), how);
  }
  return SQLITE_OK;
}

}  // namespace

int compile(sqlite3* database, std::string_view text, Statement& out, std::string_view& rest, unsigned flags) noexcept {
  sqlite3_stmt* statement = nullptr;
  const char* tail = nullptr;
  const int code = sqlite3_prepare_v3(database, text.data(), static_cast<int>(text.size()), flags, &statement, &tail);
  out.reset(statement);
  rest =
      code == SQLITE_OK && tail != nullptr ? text.substr(static_cast<size_t>(tail - text.data())) : std::string_view();
  return code;
}

Traits traits_of(sqlite3_stmt* statement, const Intent& intent) {
  Traits traits;
  traits.intent = intent;
  const bool is_explain = sqlite3_stmt_isexplain(statement) != 0;
  traits.is_writing =
      sqlite3_stmt_readonly(statement) == 0 && !is_explain && !(intent.is_pragma && intent.is_pragma_question);
  traits.intent.is_rollback = intent.is_rollback && !is_explain;
  const int places = sqlite3_bind_parameter_count(statement);
  bool is_in_order = true;
  for (int place = 1; place <= places; ++place) {
    const int number = number_of(statement, place);
    traits.parameters = std::max(traits.parameters, number);
    is_in_order = is_in_order && number == place;
  }
  for (int place = 1; place <= places && !is_in_order; ++place) {
    traits.numbers.push_back(number_of(statement, place));
  }
  const char* const sql = sqlite3_sql(statement);
  traits.command = first_word(sql != nullptr ? sql : "");
  return traits;
}

Status bind_parameters(sqlite3_stmt* statement, const Traits& traits, std::span<const SqlValue> params, Values values) {
  if (static_cast<size_t>(traits.parameters) != params.size()) {
    return Status::error(Code::bad_argument,
                         "the statement requires " + std::to_string(traits.parameters) + " parameters, but " +
                             std::to_string(params.size()) + " were given",
                         {}, "Write parameters as ?1, ?2 ... (or $1, $2 ...) and pass one value or NULL for each.");
  }
  if (params.empty()) return Status::ok();
  for (size_t number = 1; number <= params.size(); ++number) {
    const SqlValue& value = params[number - 1];
    if (value.kind == SqlValue::Kind::real && std::isnan(value.real)) {
      return Status::error(Code::bad_argument, "parameter " + std::to_string(number) + " is NaN",
                           "SQLite would store NULL instead.", "Pass NULL, or the text 'NaN'.");
    }
  }
  const int places = traits.numbers.empty() ? traits.parameters : static_cast<int>(traits.numbers.size());
  for (int place = 1; place <= places; ++place) {
    const int number = traits.numbers.empty() ? place : traits.numbers[static_cast<size_t>(place - 1)];
    const int code = bind_value(statement, place, params[static_cast<size_t>(number - 1)], values);
    if (code != SQLITE_OK) return database_error(sqlite3_db_handle(statement), code);
  }
  return Status::ok();
}

std::shared_ptr<const ResultColumns> columns_of(sqlite3_stmt* statement) {
  auto columns = std::make_shared<ResultColumns>(static_cast<size_t>(sqlite3_column_count(statement)));
  int number = 0;
  for (ResultColumn& column : *columns) {
    if (const char* name = sqlite3_column_name(statement, number); name != nullptr) column.name = name;
    if (const char* type = sqlite3_column_decltype(statement, number); type != nullptr) column.declared_type = type;
    ++number;
  }
  return columns;
}

bool add_row(sqlite3_stmt* statement, int columns, size_t& bytes_left, ResultTable& out) {
  for (int column = 0; column < columns; ++column) {
    const SqlValue value = value_at(statement, column);
    const size_t bytes = value.data.empty() ? sizeof value.integer : value.data.size();
    if (bytes > bytes_left) return false;
    bytes_left -= bytes;
    switch (value.kind) {
      case SqlValue::Kind::integer: out.add_integer(value.integer); break;
      case SqlValue::Kind::real: out.add_real(value.real); break;
      case SqlValue::Kind::text: out.add_text(value.data); break;
      case SqlValue::Kind::bytes: out.add_bytes(value.data); break;
      default: out.add_null(); break;
    }
  }
  return true;
}

std::unique_ptr<RowSource> current_row(sqlite3_stmt* statement) { return std::make_unique<CurrentRow>(statement); }

Status collect_rows(sqlite3_stmt* statement, const ResultLimits& limits, ResultTable& out, int& code) {
  const int columns = out.columns();
  if (code == SQLITE_ROW) out.expect_row();
  size_t bytes_left = limits.bytes_max;
  for (int64_t rows = 0; code == SQLITE_ROW; code = sqlite3_step(statement)) {
    if (rows++ >= limits.rows_max) {
      return driver_error("54000", SQLITE_TOOBIG,
                          "the result has more than " + std::to_string(limits.rows_max) + " rows", {},
                          "Request fewer rows: use LIMIT, a more selective WHERE, or several statements.");
    }
    if (!add_row(statement, columns, bytes_left, out)) return too_large(limits);
    if (limits.is_first_row_only) return Status::ok();
  }
  return Status::ok();
}

std::string first_word(std::string_view sql) {
  SqlScanner scanner(sql, Dialect::sqlite);
  std::string word(scanner.next().text);
  for (char& c : word) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return word;
}

std::string real_text(double number) {
  char buffer[64];
  sqlite3_snprintf(sizeof buffer, buffer, "%!.15g", number);
  return buffer;
}

int run_own(sqlite3* database, const char* text, std::string* first_cell) {
  Statement statement;
  std::string_view rest;
  int code = compile(database, text, statement, rest);
  if (code != SQLITE_OK || statement == nullptr) return code;
  code = sqlite3_step(statement.get());
  if (code == SQLITE_ROW && first_cell != nullptr && sqlite3_column_count(statement.get()) > 0) {
    const auto* cell = reinterpret_cast<const char*>(sqlite3_column_text(statement.get(), 0));
    first_cell->assign(cell != nullptr ? cell : "");
  }
  while (code == SQLITE_ROW) code = sqlite3_step(statement.get());
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

}  // namespace tide::sqlite
