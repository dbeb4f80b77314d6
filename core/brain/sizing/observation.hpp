// Observation: the input of the adaptive sizer, once per tick: sums over the tick, means over the tick, and current
// values.
//
// cleaned() is applied to all input: after it every number is finite, not negative and bounded, whatever a caller
// wrote, so that no formula needs to check again. joined() combines two consecutive ticks: a tick much shorter than a
// second has too few events for a measurement. Threads: a value.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

namespace tide::brain {

struct Observation {
  double now_s = 0;        // the end of the tick, on any clock that does not run backwards
  double dt_s = 0;         // its length
  double arrivals = 0;     // requests received
  double completions = 0;  // leases that ended
  double hold_s = 0;       // ... and the sum of their hold times
  double in_use_avg = 0;   // mean of connections in use
  double demand_avg = 0;   // mean of in use + waiting
  double in_use_max = 0;
  double demand_max = 0;
  double waiting = 0;     // current
  double wait_s = 0;      // sum of the waits of requests that were served or timed out
  double slow = 0;        // of these: waited longer than the objective, or timed out
  double timeouts = 0;    // of these: timed out
  double open = 0;        // connections open or being opened
  double connecting = 0;  // of these: being opened
  double idle = 0;        // of these: idle
  double target = 0;      // current target size
};

inline constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();  // an unknown value
inline constexpr double kTickMin_s = 0.9;      // shorter ticks are gathered until they are this long together
inline constexpr double kTickMax_s = 604'800;  // a longer one counts as a week
inline constexpr double kCountMax = 1e9;

// `value` if it is a number within low..high, else the nearest bound; `low` if it is not a number.
inline double within(double value, double low, double high) {
  if (!(value > low)) return low;
  return value < high ? value : high;
}

// The weight of a tick of dt_s in a running mean in which a tick of one second has the weight `per_second`.
inline double weight(double per_second, double dt_s) {
  return dt_s == 1 ? per_second : 1 - std::pow(1 - per_second, dt_s);
}

Observation cleaned(const Observation& seen, double last_now_s);
Observation joined(const Observation& first, const Observation& second);  // both cleaned

}  // namespace tide::brain
