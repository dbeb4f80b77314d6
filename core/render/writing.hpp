// Writing: numbers, times and JSON as text, the same in every format and locale.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "reading/value.hpp"

namespace tide {

void append_number(std::string& out, int64_t number);
// The shortest text that is the same number when it is read; it must be finite.
void append_number(std::string& out, double number);
// "" for null, text, and what is not finite.
std::string number_text(const Value& value);

// Microseconds since 1970 in ISO 8601, such as 2026-01-31T23:59:59.123456Z; "" outside of the years 1 to 9999.
std::string iso_time(int64_t micros);

// Writes one JSON value in one line. Calls must form a value: in an object a key before each value.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  JsonWriter& begin_object() { return begin('{'); }
  JsonWriter& end_object() { return end('}'); }
  JsonWriter& begin_array() { return begin('['); }
  JsonWriter& end_array() { return end(']'); }
  JsonWriter& key(std::string_view name);  // one of ours: it is not escaped
  JsonWriter& text(std::string_view text);
  JsonWriter& number(int64_t number);
  JsonWriter& number(double number);  // null if it is not finite
  JsonWriter& truth(bool is_true) { return raw(is_true ? "true" : "false"); }
  JsonWriter& null() { return raw("null"); }
  JsonWriter& json(std::string_view json);  // of another process: as a text if it is no JSON
  JsonWriter& raw(std::string_view json);   // must be a JSON value

 private:
  JsonWriter& begin(char bracket);
  JsonWriter& end(char bracket);
  void separate();

  std::string& out_;
  bool needs_comma_ = false;
};

}  // namespace tide
