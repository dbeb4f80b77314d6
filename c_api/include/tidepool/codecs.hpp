/*
 * The types that are converted from and to values of a database. Include <tidepool/tidepool.hpp>.
 *
 *   bool                       boolean; also read from the integers 0 and 1
 *   integers, except char      integer; also read from texts and floating-point numbers that are integers exactly
 *   enums                      as their underlying type
 *   float, double              floating-point number; also read from integers and texts
 *   std::string,               text; other values except bytes are read as the database writes them
 *   std::string_view           (a view is valid as long as the result)
 *   const char*                text, only as a parameter; a null pointer is NULL
 *   std::vector<std::byte>,    bytes
 *   std::span<const std::byte> (a view is valid as long as the result)
 *   std::chrono::sys_time<D>   text, ISO 8601 in UTC with microseconds; read from PostgreSQL's timestamptz, timestamp (taken as
 *                              UTC) and date, with `infinity` as max() and min(), from SQLite's texts, and from integers,
 *                              which are seconds since 1970
 *   std::chrono::year_month_day  text, such as "2026-11-30"; read from dates, and from timestamps in UTC
 *   std::optional<T>           T or NULL
 *   std::nullopt, nullptr      NULL, only as a parameter
 *   tidepool::value            any value, only in results
 *
 * A conversion either is exact or throws a conversion_error; only float and double are rounded.
 */
#pragma once

#include <tidepool/query.h>
#include <tidepool/error.hpp>
#include <tidepool/timestamp.hpp>
#include <tidepool/value.hpp>

#include <charconv>
#include <chrono>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace tidepool {
namespace detail {

template <typename T>
concept encodable = requires(const T& from) {
  codec<T>::encode(from);
};

template <typename T>
concept integer = std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char> && !std::same_as<T, wchar_t> &&
                  !std::same_as<T, char8_t> && !std::same_as<T, char16_t> && !std::same_as<T, char32_t>;

template <typename Number>
bool parse(std::string_view text, Number& out) noexcept {
  const auto [end, why] = std::from_chars(text.data(), text.data() + text.size(), out);
  return why == std::errc() && end == text.data() + text.size();
}

template <typename T>
std::string name_of_integer() {
  std::string name(std::is_signed_v<T> ? "a signed" : "an unsigned");
  return name.append(" integer of ").append(std::to_string(sizeof(T) * 8)).append(" bits");
}

inline std::string_view bytes_of(const tide_value& content) noexcept {
  return content.length == 0 ? std::string_view("") : std::string_view(content.text, content.length);
}

inline tide_value text_value(std::string_view text) noexcept {
  tide_value made = tide_value_text("");
  // A length of 0 would mean up to the NUL byte.
  if (!text.empty()) {
    made.text = text.data();
    made.length = text.size();
  }
  return made;
}

}  // namespace detail

template <>
struct codec<bool> {
  static tide_value encode(bool is_true) noexcept { return tide_value_bool(is_true ? 1 : 0); }
  static bool decode(const value& from) {
    const tide_value& content = from.native();
    if (from.type() != TIDE_BOOL && from.type() != TIDE_INT) from.fail_type("a boolean");
    if (content.integer != 0 && content.integer != 1) from.fail_range("a boolean");
    return content.integer == 1;
  }
};

template <detail::integer T>
struct codec<T> {
  static tide_value encode(T number) {
    if (!std::in_range<int64_t>(number)) {
      throw conversion_error(std::to_string(number) + " is out of range", "22003",
                             "Integers are accepted from -9223372036854775808 to 9223372036854775807.");
    }
    return tide_value_int(static_cast<int64_t>(number));
  }
  static T decode(const value& from) {
    switch (from.type()) {
      case TIDE_INT: break;
      case TIDE_DOUBLE: return from_real(from);
      case TIDE_TEXT: return from_text(from);
      default: from.fail_type("an integer");
    }
    if (!std::in_range<T>(from.native().integer)) from.fail_range(detail::name_of_integer<T>());
    return static_cast<T>(from.native().integer);
  }

 private:
  static T from_real(const value& from) {
    const double real = from.native().real;
    if (std::trunc(real) != real) from.fail_type("an integer");
    // 2^63 and 2^64 are exact.
    constexpr double kEnd = std::is_signed_v<T> ? 9223372036854775808.0 : 18446744073709551616.0;
    if (real < (std::is_signed_v<T> ? -kEnd : 0.0) || real >= kEnd) from.fail_range(detail::name_of_integer<T>());
    const auto whole = static_cast<std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>>(real);
    if (!std::in_range<T>(whole)) from.fail_range(detail::name_of_integer<T>());
    return static_cast<T>(whole);
  }
  static T from_text(const value& from) {
    const std::string_view text = detail::bytes_of(from.native());
    const char* const end = text.data() + text.size();
    T number{};
    const auto [at, why] = std::from_chars(text.data(), end, number);
    if (why == std::errc::result_out_of_range && at == end) from.fail_range(detail::name_of_integer<T>());
    if (why == std::errc() && at == end) return number;
    int64_t negative = 0;
    if (detail::parse(text, negative)) from.fail_range(detail::name_of_integer<T>());
    from.fail_type("an integer");
  }
};

template <typename T>
requires std::is_enum_v<T>
struct codec<T> {
  static tide_value encode(T word) {
    return codec<std::underlying_type_t<T>>::encode(static_cast<std::underlying_type_t<T>>(word));
  }
  static T decode(const value& from) { return static_cast<T>(codec<std::underlying_type_t<T>>::decode(from)); }
};

// Bytes are no number.
template <>
struct codec<std::byte> {};

template <std::floating_point T>
requires(sizeof(T) <= sizeof(double)) struct codec<T> {
  static tide_value encode(T number) noexcept { return tide_value_double(number); }
  static T decode(const value& from) {
    double real = 0;
    switch (from.type()) {
      case TIDE_DOUBLE: real = from.native().real; break;
      case TIDE_INT: real = static_cast<double>(from.native().integer); break;
      case TIDE_TEXT:
        if (!detail::parse(detail::bytes_of(from.native()), real)) from.fail_type("a floating-point number");
        break;
      default: from.fail_type("a floating-point number");
    }
    if (std::isfinite(real) && std::abs(real) > static_cast<double>(std::numeric_limits<T>::max())) {
      from.fail_range("a floating-point number of 32 bits");
    }
    return static_cast<T>(real);
  }
};

template <>
struct codec<std::string_view> {
  static constexpr bool is_view = true;
  static tide_value encode(std::string_view text) noexcept { return detail::text_value(text); }
  static std::string_view decode(const value& from) {
    if (from.type() == TIDE_BYTES) from.fail_type("a text");
    return from.type() == TIDE_TEXT ? detail::bytes_of(from.native()) : from.text();
  }
};

template <>
struct codec<std::string> {
  static tide_value encode(const std::string& text) noexcept { return detail::text_value(text); }
  static std::string decode(const value& from) { return std::string(codec<std::string_view>::decode(from)); }
};

template <>
struct codec<const char*> {
  static tide_value encode(const char* text) noexcept { return tide_value_text(text); }
};

template <>
struct codec<char*> : codec<const char*> {};

template <>
struct codec<std::span<const std::byte>> {
  static constexpr bool is_view = true;
  static tide_value encode(std::span<const std::byte> bytes) noexcept {
    return tide_value_bytes(bytes.data(), bytes.size());
  }
  static std::span<const std::byte> decode(const value& from) {
    if (from.type() != TIDE_BYTES) from.fail_type("bytes");
    const std::string_view content = detail::bytes_of(from.native());
    return std::as_bytes(std::span(content.data(), content.size()));
  }
};

template <>
struct codec<std::span<std::byte>> {
  static tide_value encode(std::span<std::byte> bytes) noexcept { return tide_value_bytes(bytes.data(), bytes.size()); }
};

template <>
struct codec<std::vector<std::byte>> {
  static tide_value encode(const std::vector<std::byte>& bytes) noexcept {
    return tide_value_bytes(bytes.data(), bytes.size());
  }
  static std::vector<std::byte> decode(const value& from) {
    const std::span<const std::byte> bytes = codec<std::span<const std::byte>>::decode(from);
    return {bytes.begin(), bytes.end()};
  }
};

template <std::integral Rep, typename Period>
struct codec<std::chrono::sys_time<std::chrono::duration<Rep, Period>>> {
  using time = std::chrono::sys_time<std::chrono::duration<Rep, Period>>;

  static std::string encode(time when) {
    detail::moment moment;
    if (!detail::moment_of(when, moment)) {
      throw conversion_error("the time is out of range", "22008",
                             "Times are accepted from 4714-11-24 BC to 294247-01-09, and time_point::max() and min().");
    }
    return detail::write_moment(moment);
  }
  static time decode(const value& from) {
    detail::moment moment;
    if (from.type() == TIDE_INT) {
      moment.seconds = from.native().integer;
    } else if (from.type() != TIDE_TEXT || !detail::read_moment(detail::bytes_of(from.native()), moment)) {
      from.fail_type("a timestamp such as 2026-11-30 06:31:19+00");
    }
    time when{};
    if (!detail::to_time_point(moment, when)) from.fail_range("this type of time");
    return when;
  }
};

template <>
struct codec<std::chrono::year_month_day> {
  static std::string encode(std::chrono::year_month_day date) {
    if (!date.ok()) throw conversion_error("the date does not exist", "22008");
    const detail::civil_date civil{static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                                   static_cast<unsigned>(date.day())};
    std::string text;
    detail::append_date(text, civil);
    return text.append(detail::date_suffix(civil));
  }
  static std::chrono::year_month_day decode(const value& from) {
    using namespace std::chrono;
    detail::moment moment;
    if (from.type() != TIDE_TEXT || !detail::read_moment(detail::bytes_of(from.native()), moment)) {
      from.fail_type("a date such as 2026-11-30");
    }
    sys_days day{};
    if (moment.infinity != 0 || !detail::to_time_point(moment, day) || day < sys_days(year::min() / 1 / 1) ||
        day > sys_days(year::max() / 12 / 31)) {
      from.fail_range("a date");
    }
    return day;
  }
};

template <typename T>
struct codec<std::optional<T>> {
  static constexpr bool accepts_null = true;
  static constexpr bool is_view = [] {
    if constexpr (requires { codec<T>::is_view; }) return codec<T>::is_view;
    return false;
  }();

  // A tide_value, or what codec<T> makes, to be kept while it is a parameter.
  template <std::same_as<std::optional<T>> Optional>
  requires detail::encodable<T>
  static auto encode(const Optional& some) {
    using encoded = decltype(codec<T>::encode(*some));
    if constexpr (std::same_as<encoded, tide_value>) {
      return some.has_value() ? codec<T>::encode(*some) : tide_value_null();
    } else {
      return some.has_value() ? std::optional<encoded>(codec<T>::encode(*some)) : std::nullopt;
    }
  }
  static std::optional<T> decode(const value& from) requires detail::decodable<T> {
    if (from.is_null()) return std::nullopt;
    return from.as<T>();
  }
};

template <>
struct codec<std::nullopt_t> {
  static tide_value encode(std::nullopt_t) noexcept { return tide_value_null(); }
};

template <>
struct codec<std::nullptr_t> {
  static tide_value encode(std::nullptr_t) noexcept { return tide_value_null(); }
};

template <>
struct codec<value> {
  static constexpr bool accepts_null = true;
  static constexpr bool is_view = true;
  static value decode(const value& from) noexcept { return from; }
};

}  // namespace tidepool
