// Pressure: the process is short of memory; unused connections and caches are released first.
//
// On at kOn of the memory limit, or when tasks waited for memory in a tenth of the last 10 s (PSI); off below kOff and
// half of that. While on: caches are dropped at once, a second later idle connections above the lowest size of the rule
// in force that have been idle for kIdle; the target is lowered with them, and only waiting callers make the pool grow.
// Threads: the keeper only. Failure: none; what cannot be measured is no pressure.
#pragma once

#include "brain/desk.hpp"

namespace tide::brain {

class Pressure {
 public:
  static constexpr double kOn = 0.9;
  static constexpr double kOff = 0.85;
  static constexpr double kStallOn = 0.1;

  void tick(Desk& desk);
  bool is_on() const { return is_on_; }

 private:
  void shed(Desk& desk);

  bool is_on_ = false;
  Instant shed_at_;
};

}  // namespace tide::brain
