// KneeGuard: keeps the pool from exceeding the concurrency beyond which more connections reduce the database's
// throughput.
//
// The knee is estimated from hold time S against connections in use n, by decayed least squares (0.95 a second) of
//   S = k0 + k2 n^2,  n* = sqrt(k0 / k2)
// which is where n / S(n), the throughput, is highest (the Universal Scalability Law of Gunther without its linear
// term). It counts if the n^2 of the window are spread (variance over mean squared > 0.05); without spread n* drifts
// upwards by 2 % a second. If k0 fell below 0.7 of the hold time known without contention, the whole database became
// slower, which looks like contention; then that hold time is used as k0.
//
// Overload begins after 2 ticks in a row with callers waiting, 90 % in use, n > n* and hold times above 2.5 k0 (at the
// knee they are 2 k0). During overload a limit applies: above 1.1 n* it is reduced to max(0.65 n*, half of it), else it
// grows by 5 % (at least 1) while callers wait. The saw-tooth is wide intentionally: the fit needs the spread it
// produces. Overload ends after 3 ticks without waiters; 1.2 limit stays as a cap for 120 s, then grows by 10 % a tick,
// and at once when callers wait far below the knee.
//
// Invariants: min <= cap() <= max; limit() within the same.
// Threads: the keeper only. Failure: without completions nothing is learnt and nothing changes.
#pragma once

#include <cstdint>

#include "brain/sizing/observation.hpp"

namespace tide::brain {

class KneeGuard {
 public:
  KneeGuard(int64_t min_size, int64_t max_size);
  void set_limits(int64_t min_size, int64_t max_size);
  void see(const Observation& seen);

  bool is_overloaded() const { return is_overloaded_; }
  int64_t limit() const;                 // the size while overloaded
  int64_t cap() const { return cap_; }   // the largest size otherwise
  double knee() const { return knee_; }  // NaN: unknown
  double base_hold_s() const { return base_s_; }
  uint64_t overloads_total() const { return overloads_total_; }

 private:
  void fit(double n, double hold_s, double weight, double dt_s);
  void judge(const Observation& seen, double hold_s);
  void steer(const Observation& seen);

  double min_, max_;
  int64_t cap_;
  double cap_until_s_ = 0;
  // decayed sums of w, w x, w x^2, w S, w x S with x = n^2
  double w_ = 0, wx_ = 0, wxx_ = 0, ws_ = 0, wxs_ = 0;
  double knee_;
  double calm_s_ = 0;  // k0
  double base_s_ = 0;  // hold time without contention; 0: unknown
  int64_t ticks_ = 0;
  bool is_overloaded_ = false;
  int hot_ticks_ = 0;
  int cool_ticks_ = 0;
  double limit_ = 0;
  uint64_t overloads_total_ = 0;
};

}  // namespace tide::brain
