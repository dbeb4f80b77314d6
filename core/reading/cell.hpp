// Cells: convert the numbers of a segment to values, with one rule each for what counts as not measured.
//
// Threads: any; nothing is kept. Safe with any numbers, also those forged by a hostile owner.
#pragma once

#include <cstdint>
#include <cstdio>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "base/owned_id.hpp"
#include "reading/value.hpp"
#include "segment/attach.hpp"

namespace tide::cell {

// Owners write "never" as the largest number, from which some margin may have been subtracted.
inline constexpr int64_t kNeverMono = std::numeric_limits<int64_t>::max() / 2;

inline Value none() { return std::monostate{}; }
inline Value text(std::string_view text) { return std::string(text); }
inline Value text_or_null(std::string_view text) { return text.empty() ? none() : Value(std::string(text)); }
// For a member of a record; it may contain anything.
template <size_t N>
Value text(const FixedText<N>& foreign) {
  return clean_text(foreign);
}
template <size_t N>
Value text_or_null(const FixedText<N>& foreign) {
  return foreign.empty() ? none() : text(foreign);
}
inline Value integer(int64_t number) { return number; }
inline Value truth(bool is_true) { return int64_t{is_true ? 1 : 0}; }
// No owner writes larger numbers.
inline bool is_measured(double number) { return number > -1e18 && number < 1e18; }
inline Value measured(double number) { return is_measured(number) ? Value(number) : none(); }
// For numbers whose "not measured" is negative.
inline Value measured(int64_t number) { return number < 0 ? none() : Value(number); }
// Ids keep their bits, so that users can pass them back; counters are limited to the largest SQL integer.
inline Value id(uint64_t bits) { return static_cast<int64_t>(bits); }
inline Value owned_id(uint64_t bits) { return id(bits & kIdMax); }  // of a command or an alert
// Of a statement: 16 hexadecimal digits.
inline std::string fingerprint(uint64_t bits) {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(bits));
  return digits;
}
inline Value count(uint64_t number) {
  constexpr auto kMost = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  return static_cast<int64_t>(number < kMost ? number : kMost);
}
inline Value count_or_null(uint64_t number) { return number == 0 ? none() : count(number); }
// Durations are never negative.
inline Value ms(int64_t ns) { return static_cast<double>(ns < 0 ? 0 : ns) / 1e6; }
inline Value ms_total(uint64_t ns) { return static_cast<double>(ns) / 1e6; }
// Wall-clock nanoseconds; 0 means never.
inline Value time(int64_t wall_ns) { return wall_ns == 0 ? none() : Value(wall_ns / 1000); }

inline int64_t signed_of(const format::Cell& cell) {
  return static_cast<int64_t>(cell.load(std::memory_order_relaxed));
}
inline uint64_t minus(uint64_t total, uint64_t base) { return total > base ? total - base : 0; }
inline int64_t plus(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b > 0 ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min();
}
// How long ago, never negative: the two clocks are not read at the same moment.
inline int64_t ns_between(int64_t from, int64_t to) {
  int64_t ns = 0;
  if (to <= from) return 0;
  return __builtin_sub_overflow(to, from, &ns) ? std::numeric_limits<int64_t>::max() : ns;
}

// Moments: times of the owner's monotonic axis, converted with the reader's wall clock. Without vitals there is no
// anchor, and every moment is null; so are moment 0, which no owner uses, and moments that overflow.
class Moments {
 public:
  Moments(const std::optional<VitalsCopy>& vitals, int64_t wall_now_ns) : vitals_(vitals), wall_now_ns_(wall_now_ns) {}

  bool is_known(int64_t mono_ns) const { return wall_of(mono_ns) != 0; }
  Value at(int64_t mono_ns) const { return time(wall_of(mono_ns)); }
  // 0 for an unknown moment; ask is_known() first.
  int64_t ns_since(int64_t mono_ns) const { return is_known(mono_ns) ? ns_between(wall_of(mono_ns), wall_now_ns_) : 0; }
  Value ms_since(int64_t mono_ns) const { return is_known(mono_ns) ? ms(ns_since(mono_ns)) : none(); }

 private:
  int64_t wall_of(int64_t mono_ns) const { return vitals_ && mono_ns != 0 ? wall_of_mono(*vitals_, mono_ns) : 0; }

  const std::optional<VitalsCopy>& vitals_;
  int64_t wall_now_ns_;
};

}  // namespace tide::cell
