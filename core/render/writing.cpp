#include "render/writing.hpp"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/text.hpp"

namespace tide {

void append_number(std::string& out, int64_t number) { out += std::to_string(number); }

void append_number(std::string& out, double number) {
  char text[40];
  const auto written = std::to_chars(text, text + sizeof text, number);
  out.append(text, written.ptr);
}

std::string number_text(const Value& value) {
  std::string out;
  if (const auto* integer = std::get_if<int64_t>(&value)) append_number(out, *integer);
  if (const auto* real = std::get_if<double>(&value); real != nullptr && std::isfinite(*real))
    append_number(out, *real);
  return out;
}

std::string iso_time(int64_t micros) {
  constexpr int64_t kPerSecond = 1'000'000;
  int64_t seconds = micros / kPerSecond, rest = micros % kPerSecond;
  if (rest < 0) {
    rest += kPerSecond;
    --seconds;
  }
  const std::time_t time = seconds;
  std::tm parts{};
  if (gmtime_r(&time, &parts) == nullptr) return {};
  const int year = parts.tm_year + 1900;
  if (year < 1 || year > 9999) return {};
  char out[80];
  std::snprintf(out, sizeof out, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", year, parts.tm_mon + 1, parts.tm_mday,
                parts.tm_hour, parts.tm_min, parts.tm_sec, static_cast<int>(rest));
  return out;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  separate();
  out_.append("\"").append(name).append("\":");
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::text(std::string_view text) { return raw(json_text(text)); }

JsonWriter& JsonWriter::number(int64_t number) { return raw(std::to_string(number)); }

JsonWriter& JsonWriter::number(double number) {
  const std::string text = number_text(number);
  return raw(text.empty() ? std::string_view("null") : std::string_view(text));
}

JsonWriter& JsonWriter::json(std::string_view json) { return nlohmann::json::accept(json) ? raw(json) : text(json); }

JsonWriter& JsonWriter::raw(std::string_view json) {
  separate();
  out_ += json;
  needs_comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::begin(char bracket) {
  separate();
  out_ += bracket;
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::end(char bracket) {
  out_ += bracket;
  needs_comma_ = true;
  return *this;
}

void JsonWriter::separate() {
  if (needs_comma_) out_ += ',';
}

}  // namespace tide
