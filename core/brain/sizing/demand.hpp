// DemandFilter: how many connections the callers would keep busy if there were enough, in erlangs.
//
//   S  <- running mean of the hold time, time constant 20 s, faster with more samples (up to four times)
//   x   = max(L, lambda * S) if a caller waits at the tick's end, else their mean
//         L: mean of in use + waiting; lambda: arrivals a second; lambda * S is Little's law (L = lambda W) and, unlike
//         L, is not limited by a pool that is too small
//   f  <- f + w (x - f), w = 0.7 a second when rising, 1 - e^(-dt/2) when falling: up faster than down
//
// Threads: the keeper only.
#pragma once

#include "brain/sizing/observation.hpp"

namespace tide::brain {

class DemandFilter {
 public:
  void see(const Observation& seen);
  double erlangs() const { return erlangs_; }
  bool knows_hold() const { return hold_s_ > 0; }
  double hold_s() const { return hold_s_ > 0 ? hold_s_ : kHoldGuess_s; }  // until a lease has ended: a guess

 private:
  static constexpr double kHoldGuess_s = 0.010;

  double erlangs_ = 0;
  double hold_s_ = 0;  // 0: unknown
};

}  // namespace tide::brain
