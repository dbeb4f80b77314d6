// Observation: what the adaptive sizer is told once per tick: sums over the tick, means over the tick, and what is now.
//
// cleaned() is the room's front door: whatever a caller writes into an Observation, behind it every number is finite,
// not negative and bounded, so that no formula needs to ask again. joined() makes one tick of two that follow each
// other: in a tick much shorter than a second too little happens to tell anything by it. Threads: a value.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

namespace tide::brain {

struct Observation {
  double now_s = 0;        // the end of the tick, on any axis that does not run backwards
  double dt_s = 0;         // its length
  double arrivals = 0;     // requests that came
  double completions = 0;  // leases that ended
  double hold_s = 0;       // ... and the sum of how long they were held
  double in_use_avg = 0;   // mean of connections in use
  double demand_avg = 0;   // mean of in use + waiting
  double in_use_max = 0;
  double demand_max = 0;
  double waiting = 0;     // now
  double wait_s = 0;      // sum of the waits of requests that were served or gave up
  double slow = 0;        // of these: waited longer than the objective, or gave up
  double timeouts = 0;    // of these: gave up
  double open = 0;        // connections that are there or being opened
  double connecting = 0;  // of these: being opened
  double idle = 0;        // of these: idle
  double target = 0;      // how many there should be
};

inline constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();  // a figure that nobody knows yet
inline constexpr double kTickMin_s = 0.9;      // shorter ticks are gathered until they are as long together
inline constexpr double kTickMax_s = 604'800;  // a longer one is taken for a week
inline constexpr double kCountMax = 1e9;

// `value` if it is a number within low..high, else the nearest bound; `low` for what is no number.
inline double within(double value, double low, double high) {
  if (!(value > low)) return low;
  return value < high ? value : high;
}

// The weight of a tick of dt_s in a running mean that gives `per_second` to a tick of one second.
inline double weight(double per_second, double dt_s) {
  return dt_s == 1 ? per_second : 1 - std::pow(1 - per_second, dt_s);
}

Observation cleaned(const Observation& seen, double last_now_s);
Observation joined(const Observation& first, const Observation& second);  // both cleaned

}  // namespace tide::brain
