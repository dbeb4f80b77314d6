// Values: the arguments of a command, on their way from SQL to the C API. No state.
#pragma once

#include <sqlite3ext.h>
#include <tidepool/control.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tide::sqlite {

// One argument; it owns its text.
struct Given {
  int32_t type = TIDE_VALUE_NONE;
  int64_t integer = 0;
  double real = 0;
  std::string text = {};

  static Given none() { return {}; }
  static Given null() { return {TIDE_VALUE_NULL}; }
  static Given whole(int64_t number) { return {TIDE_INT, number}; }
  static Given of_text(std::string text) { return {TIDE_TEXT, 0, 0, std::move(text)}; }
};

// Borrowed: valid as long as `given` is.
std::vector<tide_value> values_of(const std::vector<Given>& given);

// What the argument makes of a value that is not NULL; what is accepted is the library's to say. Nothing where the value
// has no text, such as one with a NUL inside.
std::optional<Given> given_by(const tide_argument& argument, sqlite3_value* value);

}  // namespace tide::sqlite
