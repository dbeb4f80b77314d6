#include "brain/sizing/knee.hpp"

#include <algorithm>

namespace tide::brain {
namespace {

constexpr double kKeep = 0.95;    // of the fit, per second
constexpr double kSpread = 0.05;  // minimum variance of n^2 over its mean squared
constexpr double kDrift = 1.02;   // of the knee, per second without spread
constexpr double kKneeMax = 1e6;
constexpr double kSlower = 0.7;    // k0 below this share of the base: not contention
constexpr double kInflated = 2.5;  // hold time over k0 that indicates overload
constexpr double kSaturated = 0.9;
constexpr double kCompletionsMin = 5;  // per tick, to learn from it
constexpr double kCompletionsFull = 50;
constexpr int kHotTicks = 2;
constexpr int kCoolTicks = 3;
constexpr double kMemory_s = 120;

}  // namespace

KneeGuard::KneeGuard(int64_t min_size, int64_t max_size)
    : min_(static_cast<double>(min_size)), max_(static_cast<double>(max_size)), cap_(max_size), knee_(kUnknown) {}

void KneeGuard::set_limits(int64_t min_size, int64_t max_size) {
  const bool was_free = static_cast<double>(cap_) >= max_;
  min_ = static_cast<double>(min_size);
  max_ = static_cast<double>(max_size);
  cap_ = was_free ? max_size : std::clamp(cap_, min_size, max_size);
}

int64_t KneeGuard::limit() const { return static_cast<int64_t>(within(limit_, min_, max_)); }

void KneeGuard::see(const Observation& seen) {
  ++ticks_;
  if (seen.completions > 0) {
    const double hold_s = seen.hold_s / seen.completions;
    if (base_s_ <= 0) base_s_ = calm_s_ = hold_s;
    if (seen.completions >= kCompletionsMin && base_s_ > 0) judge(seen, hold_s);
  }
  if (is_overloaded_ || static_cast<double>(cap_) >= max_) return;
  const bool is_below_knee = seen.waiting > 0 && !(seen.in_use_avg >= 0.9 * knee_);
  if (seen.now_s < cap_until_s_ && !is_below_knee) return;
  cap_ = static_cast<int64_t>(std::min(max_, std::ceil(static_cast<double>(cap_) * 1.1)));  // probe upwards again
}

void KneeGuard::judge(const Observation& seen, double hold_s) {
  if (!is_overloaded_ && seen.waiting == 0)
    base_s_ += weight(ticks_ < 30 ? 0.1 : 0.003, seen.dt_s) * (hold_s - base_s_);
  fit(seen.in_use_avg, hold_s, std::min(1.0, seen.completions / kCompletionsFull), seen.dt_s);
  const bool is_saturated =
      seen.waiting > 0 && seen.in_use_avg >= kSaturated * std::max(1.0, seen.open - seen.connecting);
  const bool is_hot = is_saturated && seen.in_use_avg > knee_ && hold_s > kInflated * calm_s_;
  hot_ticks_ = is_hot ? std::min(hot_ticks_ + 1, kHotTicks) : 0;
  if (!is_overloaded_ && hot_ticks_ >= kHotTicks) {
    is_overloaded_ = true;
    limit_ = seen.in_use_avg;
    cool_ticks_ = 0;
    ++overloads_total_;
  }
  if (is_overloaded_) steer(seen);
}

void KneeGuard::steer(const Observation& seen) {
  cool_ticks_ = seen.waiting > 0 ? 0 : cool_ticks_ + 1;
  if (cool_ticks_ >= kCoolTicks) {
    is_overloaded_ = false;
    cap_ = static_cast<int64_t>(within(std::ceil(1.2 * limit_), std::min(min_ + 4, max_), max_));
    cap_until_s_ = seen.now_s + kMemory_s;
  } else if (seen.in_use_avg > 1.1 * knee_) {
    limit_ = std::max(0.65 * knee_, 0.5 * limit_);
  } else if (seen.waiting > 0) {
    limit_ = std::max(limit_, seen.in_use_avg) + std::max(1.0, 0.05 * limit_);
  }
  limit_ = within(limit_, std::min(min_ + 2, max_), max_);
}

void KneeGuard::fit(double n, double hold_s, double w, double dt_s) {
  const double keep = 1 - weight(1 - kKeep, dt_s);
  const double x = n * n;
  w_ = w_ * keep + w;
  wx_ = wx_ * keep + w * x;
  wxx_ = wxx_ * keep + w * x * x;
  ws_ = ws_ * keep + w * hold_s;
  wxs_ = wxs_ * keep + w * x * hold_s;
  const double spread = w_ * wxx_ - wx_ * wx_;
  if (!(spread > kSpread * wx_ * wx_)) {
    knee_ = std::min(knee_ * kDrift, kKneeMax);  // an unknown knee stays unknown
    return;
  }
  double k2 = (w_ * wxs_ - wx_ * ws_) / spread;
  double k0 = (ws_ - k2 * wx_) / w_;
  if (k0 < kSlower * base_s_) {
    k0 = base_s_;
    k2 = (ws_ / w_ - k0) / (wx_ / w_);
  }
  knee_ = k2 > 0 && k0 > 0 ? std::min(std::sqrt(k0 / k2), kKneeMax) : kUnknown;
  if (k2 > 0 && k0 > 0) calm_s_ = k0;
}

}  // namespace tide::brain
