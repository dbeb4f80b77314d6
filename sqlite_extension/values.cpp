#include "values.hpp"

#include <cmath>

SQLITE_EXTENSION_INIT3

namespace tide::sqlite {

std::string explain(const tide_error& error) {
  std::string text = error.message[0] != '\0' ? error.message : tide_status_name(error.status);
  if (error.detail[0] != '\0') text.append("\nDetail: ").append(error.detail);
  if (error.hint[0] != '\0') text.append("\nHint: ").append(error.hint);
  return text;
}

std::optional<std::string> text_of(sqlite3_value* value) {
  if (sqlite3_value_type(value) == SQLITE_NULL) return std::nullopt;
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_value_text(value));
  if (bytes == nullptr) throw std::bad_alloc();
  const auto length = static_cast<size_t>(sqlite3_value_bytes(value));
  std::string text(bytes, length);
  if (text.find('\0') != std::string::npos) return std::nullopt;
  return text;
}

std::optional<int64_t> whole_number(sqlite3_value* value) {
  switch (sqlite3_value_numeric_type(value)) {
    case SQLITE_INTEGER: return sqlite3_value_int64(value);
    case SQLITE_FLOAT: {
      const double number = sqlite3_value_double(value);
      // 2^53: beyond it a double no longer represents all whole numbers.
      if (std::trunc(number) != number || std::fabs(number) > 9007199254740992.0) return std::nullopt;
      return static_cast<int64_t>(number);
    }
    default: return std::nullopt;
  }
}

std::string duration_text(sqlite3_value* value) {
  const bool is_number = sqlite3_value_type(value) != SQLITE_TEXT;
  if (const auto bare = is_number ? whole_number(value) : std::nullopt) return std::to_string(*bare);
  return text_of(value).value_or("");
}

std::optional<Given> given_by(const tide_argument& argument, sqlite3_value* value) {
  // sqlite3_value_numeric_type() converts texts that look like numbers, so call it only if a number is expected.
  switch (argument.type) {
    case TIDE_INT:
      if (const auto whole = whole_number(value)) return Given::whole(*whole);
      break;
    case TIDE_BOOL:
      if (const auto whole = whole_number(value); whole == 0 || whole == 1) return Given{TIDE_BOOL, *whole};
      break;
    case TIDE_DOUBLE:
      switch (sqlite3_value_numeric_type(value)) {
        case SQLITE_INTEGER: return Given::whole(sqlite3_value_int64(value));
        case SQLITE_FLOAT: return Given{TIDE_DOUBLE, 0, sqlite3_value_double(value)};
        default: break;
      }
      break;
    case TIDE_DURATION: return Given::of_text(duration_text(value));
    default: break;
  }
  auto text = text_of(value);
  if (!text) return std::nullopt;
  return Given::of_text(std::move(*text));
}

void set_message(sqlite3_vtab* table, const std::string& text) noexcept {
  sqlite3_free(table->zErrMsg);
  table->zErrMsg = sqlite3_mprintf("%s", text.c_str());
}

}  // namespace tide::sqlite
