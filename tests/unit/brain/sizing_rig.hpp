// Shared by the tests of the adaptive sizer: plausible observations, and hostile ones.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "base/rng.hpp"
#include "brain/sizing/adaptive.hpp"

namespace tide::test {

using brain::AdaptiveSizer;
using brain::Observation;
using brain::SizingCause;
using brain::SizingSettings;

inline SizingSettings roomy() {
  SizingSettings settings;
  settings.max_size = 64;
  return settings;
}

// A second of a pool that serves everything at once, without Poisson-like noise, which would only obscure the result.
inline Observation calm_second(double now_s, double arrivals, double hold_s, int64_t target) {
  Observation seen;
  seen.now_s = now_s;
  seen.dt_s = 1;
  seen.arrivals = seen.completions = arrivals;
  seen.hold_s = arrivals * hold_s;
  seen.in_use_avg = seen.demand_avg = arrivals * hold_s;
  seen.in_use_max = seen.demand_max = std::min(static_cast<double>(target), 2 * seen.in_use_avg);
  seen.open = seen.target = static_cast<double>(target);
  seen.idle = std::max(0.0, seen.open - seen.in_use_avg);
  return seen;
}

// A sizer and the pool it controls, second by second.
struct SizerRig {
  explicit SizerRig(const SizingSettings& settings, std::span<const double> season_s = {})
      : sizer(settings, season_s), target(settings.min_size) {}

  int64_t second(double arrivals, double hold_s = 0.040, double slow = 0) {
    now_s += 1;
    Observation seen = calm_second(now_s, arrivals, hold_s, target);
    seen.slow = slow;
    return target = sizer.tick(seen);
  }
  void seconds(int n, double arrivals) {
    for (int i = 0; i < n; ++i) second(arrivals);
  }
  // A second in which the pool is full and callers wait: the hold time is determined by the database.
  int64_t full_second(double in_use, double waiting, double hold_s) {
    now_s += 1;
    Observation seen = calm_second(now_s, in_use / hold_s, hold_s, target);
    seen.in_use_avg = seen.in_use_max = in_use;
    seen.demand_avg = seen.demand_max = in_use + waiting;
    seen.waiting = waiting;
    seen.open = in_use;
    seen.idle = 0;
    seen.slow = 0.5 * seen.arrivals;
    return target = sizer.tick(seen);
  }

  AdaptiveSizer sizer;
  int64_t target;
  double now_s = 0;
};

inline double hostile_number(Rng& rng) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  static constexpr std::array kNumbers = {
      std::numeric_limits<double>::quiet_NaN(), kInf, -kInf, -1.0, 0.0, 1e-300, 1e300, 86'400.0, 1e9, -1e-9, 1e18,
      std::numeric_limits<double>::denorm_min()};
  if (rng.chance(0.5)) return kNumbers[rng.below(kNumbers.size())];
  return rng.unit() * std::pow(10, static_cast<double>(rng.below(5)));
}

inline Observation hostile_observation(Rng& rng) {
  Observation seen;
  for (double* field : {&seen.now_s, &seen.dt_s, &seen.arrivals, &seen.completions, &seen.hold_s, &seen.in_use_avg,
                        &seen.demand_avg, &seen.in_use_max, &seen.demand_max, &seen.waiting, &seen.wait_s, &seen.slow,
                        &seen.timeouts, &seen.open, &seen.connecting, &seen.idle, &seen.target}) {
    *field = hostile_number(rng);
  }
  return seen;
}

}  // namespace tide::test
