#include "translate.hpp"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstdio>

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
      // 2^53: beyond it a double no longer says which whole number was meant.
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

std::string actor_name() {
  std::array<char, 4096> room{};
  passwd entry{};
  passwd* found = nullptr;
  const uid_t user = geteuid();
  if (getpwuid_r(user, &entry, room.data(), room.size(), &found) == 0 && found != nullptr) {
    return std::string(found->pw_name) + " via sqlite";
  }
  return "uid " + std::to_string(user) + " via sqlite";
}

void set_message(sqlite3_vtab* table, const std::string& text) noexcept {
  sqlite3_free(table->zErrMsg);
  table->zErrMsg = sqlite3_mprintf("%s", text.c_str());
}

}  // namespace tide::sqlite
