#include "base/units.hpp"

#include <array>
#include <cstdio>
#include <ctime>

namespace tide {
namespace {

struct Unit {
  std::string_view name;
  int64_t factor;
};

constexpr std::array<Unit, 7> kSpanUnits = {{{"us", 1'000},
                                             {"ms", 1'000'000},
                                             {"s", 1'000'000'000},
                                             {"min", 60'000'000'000},
                                             {"h", 3'600'000'000'000},
                                             {"d", 86'400'000'000'000},
                                             {"", 1'000'000}}};
constexpr std::array<Unit, 6> kByteUnits = {
    {{"B", 1}, {"kB", 1LL << 10}, {"MB", 1LL << 20}, {"GB", 1LL << 30}, {"TB", 1LL << 40}, {"", 1}}};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::string_view digits_at_front(std::string_view text) {
  size_t n = 0;
  while (n < text.size() && text[n] >= '0' && text[n] <= '9') ++n;
  return text.substr(0, n);
}

// whole.fraction * factor, if the product is a whole number within the limit. Never rounded.
std::optional<int64_t> product(std::string_view whole, std::string_view fraction, int64_t factor) {
  __extension__ using Wide = unsigned __int128;
  constexpr Wide kMost = 9'000'000'000'000'000'000;
  constexpr size_t kFractionDigitsMax = 18;
  Wide sum = 0;
  for (const char digit : whole) {
    sum = sum * 10 + static_cast<Wide>(digit - '0');
    if (sum > kMost) return std::nullopt;
  }
  sum *= static_cast<Wide>(factor);
  while (!fraction.empty() && fraction.back() == '0') fraction.remove_suffix(1);
  if (fraction.size() > kFractionDigitsMax) return std::nullopt;
  Wide part = 0;
  Wide parts = 1;
  for (const char digit : fraction) {
    part = part * 10 + static_cast<Wide>(digit - '0');
    parts *= 10;
  }
  part *= static_cast<Wide>(factor);
  if (part % parts != 0) return std::nullopt;
  sum += part / parts;
  return sum > kMost ? std::nullopt : std::optional(static_cast<int64_t>(sum));
}

// A decimal number (such as "1.5"), optional blanks, a unit of the table.
template <size_t N>
std::optional<int64_t> parse_with_units(std::string_view text, const std::array<Unit, N>& units) {
  text = trimmed(text);
  const std::string_view whole = digits_at_front(text);
  if (whole.empty()) return std::nullopt;
  text.remove_prefix(whole.size());
  std::string_view fraction;
  if (!text.empty() && text.front() == '.') {
    fraction = digits_at_front(text.substr(1));
    if (fraction.empty()) return std::nullopt;
    text.remove_prefix(1 + fraction.size());
  }
  const std::string_view unit = trimmed(text);
  for (const Unit& u : units) {
    if (u.name == unit) return product(whole, fraction, u.factor);
  }
  return std::nullopt;
}

}  // namespace

std::optional<Span> parse_span(std::string_view text) {
  const auto ns = parse_with_units(text, kSpanUnits);
  if (!ns || *ns > Span::forever().ns() || *ns % 1'000 != 0) return std::nullopt;
  return Span::nanos(*ns);
}

std::string format_span(Span span) {
  const int64_t ns = span.ns();
  if (ns == 0) return "0";
  for (const std::string_view name : {"d", "h", "min", "s", "ms", "us"}) {
    for (const Unit& u : kSpanUnits) {
      if (u.name == name && ns % u.factor == 0) return std::to_string(ns / u.factor) + std::string(name);
    }
  }
  return std::to_string((ns + 500) / 1'000) + "us";
}

std::string describe_span(Span span) {
  const double ns = static_cast<double>(span.ns());
  char out[48];
  if (ns < 1e6) {
    std::snprintf(out, sizeof out, "%.0f us", ns / 1e3);
  } else if (ns < 1e9) {
    std::snprintf(out, sizeof out, ns < 1e7 ? "%.1f ms" : "%.0f ms", ns / 1e6);
  } else if (ns < 600e9) {
    std::snprintf(out, sizeof out, "%.1f s", ns / 1e9);
  } else {
    std::snprintf(out, sizeof out, "%.0f min", ns / 60e9);
  }
  return out;
}

std::optional<int64_t> parse_bytes(std::string_view text) { return parse_with_units(text, kByteUnits); }

std::string format_bytes(int64_t bytes) {
  if (bytes == 0) return "0";
  for (const std::string_view name : {"TB", "GB", "MB", "kB"}) {
    for (const Unit& u : kByteUnits) {
      if (u.name == name && bytes % u.factor == 0) return std::to_string(bytes / u.factor) + std::string(name);
    }
  }
  return std::to_string(bytes) + "B";
}

std::string format_wall_ns(int64_t unix_ns) {
  int64_t seconds = unix_ns / 1'000'000'000;
  int64_t rest_ns = unix_ns % 1'000'000'000;
  if (rest_ns < 0) {
    rest_ns += 1'000'000'000;
    --seconds;
  }
  const std::time_t t = static_cast<std::time_t>(seconds);
  std::tm tm{};
  if (gmtime_r(&t, &tm) == nullptr) return "";
  char out[80];
  std::snprintf(out, sizeof out, "%04d-%02d-%02d %02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                tm.tm_hour, tm.tm_min, tm.tm_sec, static_cast<int>(rest_ns / 1'000'000));
  return out;
}

}  // namespace tide
