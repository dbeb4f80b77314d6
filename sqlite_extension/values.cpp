#include "values.hpp"

#include <tidepool/observe.h>

#include "translate.hpp"

SQLITE_EXTENSION_INIT3

namespace tide::sqlite {

std::vector<tide_value> values_of(const std::vector<Given>& given) {
  std::vector<tide_value> out;
  out.reserve(given.size());
  for (const Given& each : given) out.push_back({each.type, 0, each.integer, each.real, each.text.c_str()});
  return out;
}

std::optional<Given> given_by(const tide_argument& argument, sqlite3_value* value) {
  // Asking for a number makes a text that looks like one into it, so only where one is wanted.
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

}  // namespace tide::sqlite
