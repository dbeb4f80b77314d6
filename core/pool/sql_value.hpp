// SqlValue: one value on its way to or from a database: a parameter, or a cell of a result. It points to bytes that
// somebody else owns.
#pragma once

#include <cstdint>
#include <string_view>

namespace tide {

struct SqlValue {
  enum class Kind : uint8_t { null, integer, real, text, boolean, bytes };

  Kind kind = Kind::null;
  union {
    int64_t integer = 0;  // integer; boolean: 0 or 1
    double real;
  };
  std::string_view data;  // text, bytes

  bool is_null() const { return kind == Kind::null; }

  static SqlValue null() { return {}; }
  static SqlValue of(int64_t number) {
    SqlValue value;
    value.kind = Kind::integer;
    value.integer = number;
    return value;
  }
  static SqlValue of(double number) {
    SqlValue value;
    value.kind = Kind::real;
    value.real = number;
    return value;
  }
  static SqlValue of_boolean(bool is_true) {
    SqlValue value;
    value.kind = Kind::boolean;
    value.integer = is_true ? 1 : 0;
    return value;
  }
  static SqlValue of_text(std::string_view text) {
    SqlValue value;
    value.kind = Kind::text;
    value.data = text;
    return value;
  }
  static SqlValue of_bytes(std::string_view bytes) {
    SqlValue value;
    value.kind = Kind::bytes;
    value.data = bytes;
    return value;
  }
  // nullptr: NULL.
  static SqlValue of_text_or_null(const char* text) { return text == nullptr ? null() : of_text(text); }
};

}  // namespace tide
