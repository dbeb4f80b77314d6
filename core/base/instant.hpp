// Time as a value: a length (Span) and a point on the monotonic axis (Instant), both in nanoseconds.
//
// There is intentionally no way to read a clock here: decisions get the time as an argument (see core/README.md).
#pragma once

#include <compare>
#include <cstdint>
#include <limits>

namespace tide {

class Span {
 public:
  constexpr Span() = default;
  static constexpr Span nanos(int64_t n) { return Span(n); }
  static constexpr Span micros(int64_t n) { return Span(n * 1'000); }
  static constexpr Span millis(int64_t n) { return Span(n * 1'000'000); }
  static constexpr Span seconds(int64_t n) { return Span(n * 1'000'000'000); }
  static constexpr Span forever() { return Span(std::numeric_limits<int64_t>::max() / 4); }

  constexpr int64_t ns() const { return ns_; }
  constexpr int64_t ms() const { return ns_ / 1'000'000; }
  constexpr int64_t ms_up() const { return (ns_ + 999'999) / 1'000'000; }  // for a wait that must not end early
  constexpr double ms_exact() const { return static_cast<double>(ns_) / 1e6; }
  constexpr double seconds_exact() const { return static_cast<double>(ns_) / 1e9; }
  constexpr bool is_zero() const { return ns_ == 0; }

  constexpr auto operator<=>(const Span&) const = default;
  constexpr Span operator+(Span o) const { return Span(ns_ + o.ns_); }
  constexpr Span operator-(Span o) const { return Span(ns_ - o.ns_); }
  constexpr Span operator*(int64_t k) const { return Span(ns_ * k); }
  constexpr Span operator/(int64_t k) const { return Span(ns_ / k); }
  constexpr Span scaled(double k) const { return Span(static_cast<int64_t>(static_cast<double>(ns_) * k)); }

 private:
  explicit constexpr Span(int64_t ns) : ns_(ns) {}
  int64_t ns_ = 0;
};

class Instant {
 public:
  constexpr Instant() = default;  // the origin; also "not set" for fields that say so
  static constexpr Instant at_ns(int64_t n) { return Instant(n); }
  static constexpr Instant never() { return Instant(std::numeric_limits<int64_t>::max() / 2); }

  constexpr int64_t ns() const { return ns_; }
  constexpr bool is_set() const { return ns_ != 0; }
  constexpr auto operator<=>(const Instant&) const = default;
  constexpr Instant operator+(Span s) const { return Instant(ns_ + s.ns()); }
  constexpr Instant operator-(Span s) const { return Instant(ns_ - s.ns()); }
  constexpr Span operator-(Instant o) const { return Span::nanos(ns_ - o.ns_); }
  constexpr Instant& operator+=(Span s) {
    ns_ += s.ns();
    return *this;
  }

 private:
  explicit constexpr Instant(int64_t ns) : ns_(ns) {}
  int64_t ns_ = 0;
};

constexpr Instant earliest(Instant a, Instant b) { return a < b ? a : b; }
constexpr Instant latest(Instant a, Instant b) { return a < b ? b : a; }

}  // namespace tide
