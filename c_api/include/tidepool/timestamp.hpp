/* Timestamps as text, as PostgreSQL and SQLite write them. Include <tidepool/tidepool.hpp>. */
#pragma once

#include <charconv>
#include <chrono>
#include <cstdint>
#include <ratio>
#include <string>
#include <string_view>
#include <utility>

namespace tidepool::detail {

// Days since 1970-01-01 and dates of the proleptic Gregorian calendar, beyond the years of std::chrono::year, since
// PostgreSQL's timestamps extend to the year 294276. The algorithms are Howard Hinnant's days_from_civil and
// civil_from_days.
struct civil_date {
  int64_t year = 1970;  // 0 is 1 BC
  unsigned month = 1;
  unsigned day = 1;
};

constexpr int64_t days_of(civil_date date) noexcept {
  const int64_t year = date.year - (date.month <= 2 ? 1 : 0);
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const int64_t year_of_era = year - era * 400;
  const int64_t day_of_year = (153 * (int64_t{date.month} + (date.month > 2 ? -3 : 9)) + 2) / 5 + int64_t{date.day} - 1;
  const int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

constexpr civil_date date_of(int64_t days) noexcept {
  days += 719468;
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const int64_t day_of_era = days - era * 146097;
  const int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t shifted = (5 * day_of_year + 2) / 153;
  const auto month = static_cast<unsigned>(shifted + (shifted < 10 ? 3 : -9));
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month,
          static_cast<unsigned>(day_of_year - (153 * shifted + 2) / 5 + 1)};
}

constexpr unsigned days_in_month(int64_t year, unsigned month) noexcept {
  if (month == 2) return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

// A moment: seconds since 1970-01-01 00:00 UTC and what is beyond the second.
struct moment {
  int64_t seconds = 0;
  int64_t nanoseconds = 0;  // 0 to 999999999
  int infinity = 0;         // 1: later, -1: earlier than all others
};

inline constexpr int64_t kSecondsPerDay = 86400;
inline constexpr int64_t kDaysMin = -2440588;   // 4714-11-24 BC: the first day of PostgreSQL's timestamps
inline constexpr int64_t kDaysMax = 106751991;  // 294247-01-10: the last day of microseconds in 64 bits

inline void append_digits(std::string& to, int64_t number, std::size_t width) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  const auto length = static_cast<std::size_t>(end - digits);
  if (length < width) to.append(width - length, '0');
  to.append(digits, length);
}

// "2026-11-30"; the years before 1 are counted as BC, which date_suffix() writes.
inline void append_date(std::string& to, civil_date date) {
  append_digits(to, date.year > 0 ? date.year : 1 - date.year, 4);
  to.push_back('-');
  append_digits(to, date.month, 2);
  to.push_back('-');
  append_digits(to, date.day, 2);
}

inline std::string_view date_suffix(civil_date date) noexcept { return date.year > 0 ? "" : " BC"; }

// ISO 8601 in UTC with microseconds: "2026-11-30 06:31:19.123456+00:00". Both databases read it, and of the years 1 to 9999 the
// order of texts is the order of times.
inline std::string write_moment(const moment& when) {
  if (when.infinity != 0) return when.infinity > 0 ? "infinity" : "-infinity";
  int64_t days = when.seconds / kSecondsPerDay;
  if (when.seconds % kSecondsPerDay < 0) --days;
  const int64_t second = when.seconds - days * kSecondsPerDay;
  const civil_date date = date_of(days);
  std::string text;
  text.reserve(40);
  append_date(text, date);
  text.push_back(' ');
  append_digits(text, second / 3600, 2);
  text.push_back(':');
  append_digits(text, second / 60 % 60, 2);
  text.push_back(':');
  append_digits(text, second % 60, 2);
  text.push_back('.');
  append_digits(text, when.nanoseconds / 1000, 6);
  text += "+00:00";
  text += date_suffix(date);
  return text;
}

// Reads a text from its left end.
class text_reader {
 public:
  explicit text_reader(std::string_view text) noexcept : rest_(text) {}

  bool at_end() const noexcept { return rest_.empty(); }
  char next() const noexcept { return rest_.empty() ? '\0' : rest_.front(); }
  bool skip(std::string_view text) noexcept {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  // `least` to `most` digits.
  template <typename Number>
  bool digits(std::size_t least, std::size_t most, Number& out) noexcept {
    std::size_t count = 0;
    int64_t number = 0;
    while (count < most && count < rest_.size() && rest_[count] >= '0' && rest_[count] <= '9') {
      number = number * 10 + (rest_[count] - '0');
      ++count;
    }
    if (count < least) return false;
    rest_.remove_prefix(count);
    out = static_cast<Number>(number);
    return true;
  }
  // The digits after a point, as billionths; further ones are dropped.
  bool fraction(int64_t& nanoseconds) noexcept {
    int64_t unit = 100'000'000;
    nanoseconds = 0;
    bool any = false;
    while (next() >= '0' && next() <= '9') {
      nanoseconds += unit * (next() - '0');
      unit /= 10;
      rest_.remove_prefix(1);
      any = true;
    }
    return any;
  }

 private:
  std::string_view rest_;
};

inline bool read_date(text_reader& from, civil_date& out) noexcept {
  return from.digits(4, 6, out.year) && from.skip("-") && from.digits(2, 2, out.month) && from.skip("-") &&
         from.digits(2, 2, out.day) && out.month >= 1 && out.month <= 12;
}

// The suffix BC, the end of the text, and a day that exists.
inline bool end_date(text_reader& from, civil_date& date) noexcept {
  if (from.skip(" BC")) date.year = 1 - date.year;
  return from.at_end() && date.day >= 1 && date.day <= days_in_month(date.year, date.month);
}

// A date, and a time with or without an offset from UTC, as PostgreSQL writes them with DateStyle ISO, and as SQLite's date
// functions write and accept them. Without an offset it is UTC; without a time it is midnight.
inline bool read_moment(std::string_view text, moment& out) noexcept {
  out = {};
  if (text == "infinity" || text == "-infinity") {
    out.infinity = text.front() == '-' ? -1 : 1;
    return true;
  }
  text_reader from(text);
  civil_date date;
  int64_t hour = 0;
  int64_t minute = 0;
  int64_t second = 0;
  int64_t offset = 0;
  if (!read_date(from, date)) return false;
  if (from.skip("T") || (from.next() == ' ' && !from.skip(" BC") && from.skip(" "))) {
    if (!from.digits(2, 2, hour) || !from.skip(":") || !from.digits(2, 2, minute)) return false;
    if (from.skip(":")) {
      if (!from.digits(2, 2, second)) return false;
      if (from.skip(".") && !from.fraction(out.nanoseconds)) return false;
    }
    if (hour > 24 || minute > 59 || second > 60 || (hour == 24 && (minute > 0 || second > 0))) return false;
    if (!from.skip("Z") && (from.next() == '+' || from.next() == '-')) {
      const int64_t sign = from.next() == '-' ? -1 : 1;
      from.skip(sign < 0 ? "-" : "+");
      int64_t hours = 0;
      int64_t minutes = 0;
      int64_t seconds = 0;
      if (!from.digits(2, 2, hours)) return false;
      if (from.skip(":") && !from.digits(2, 2, minutes)) return false;
      if (from.skip(":") && !from.digits(2, 2, seconds)) return false;
      offset = sign * (hours * 3600 + minutes * 60 + seconds);
    }
  } else if (text.ends_with(" BC")) {
    from = text_reader(" BC");
  }
  if (!end_date(from, date)) return false;
  out.seconds = days_of(date) * kSecondsPerDay + hour * 3600 + minute * 60 + second - offset;
  return true;
}

template <typename Duration>
constexpr bool is_finer_than_seconds = std::ratio_less_v<typename Duration::period, std::ratio<1>>;

// False: the moment is out of the range of PostgreSQL.
template <typename Duration>
bool moment_of(std::chrono::sys_time<Duration> when, moment& out) noexcept {
  using namespace std::chrono;
  out = {};
  if (when == sys_time<Duration>::max() || when == sys_time<Duration>::min()) {
    out.infinity = when == sys_time<Duration>::max() ? 1 : -1;
    return true;
  }
  const auto whole = floor<days>(when.time_since_epoch());
  if (whole.count() < kDaysMin || whole.count() >= kDaysMax) return false;
  const auto of_day = when.time_since_epoch() - whole;
  const auto second = floor<seconds>(of_day);
  out.seconds = static_cast<int64_t>(whole.count()) * kSecondsPerDay + second.count();
  out.nanoseconds = floor<nanoseconds>(of_day - second).count();
  return true;
}

// False: the moment is out of the range of the type.
template <typename Duration>
bool to_time_point(const moment& when, std::chrono::sys_time<Duration>& out) noexcept {
  using namespace std::chrono;
  if (when.infinity != 0) {
    out = when.infinity > 0 ? sys_time<Duration>::max() : sys_time<Duration>::min();
    return true;
  }
  if constexpr (is_finer_than_seconds<Duration>) {
    constexpr auto kMax = duration_cast<seconds>(Duration::max());
    if (seconds(when.seconds) >= kMax || seconds(when.seconds) <= -kMax) return false;
    out = sys_time<Duration>(duration_cast<Duration>(seconds(when.seconds)) +
                             duration_cast<Duration>(nanoseconds(when.nanoseconds)));
  } else {
    const auto whole = floor<duration<int64_t, typename Duration::period>>(seconds(when.seconds));
    if (std::cmp_greater_equal(whole.count(), Duration::max().count()) ||
        std::cmp_less_equal(whole.count(), Duration::min().count())) {
      return false;
    }
    out = sys_time<Duration>(Duration(static_cast<typename Duration::rep>(whole.count())));
  }
  return true;
}

}  // namespace tidepool::detail
