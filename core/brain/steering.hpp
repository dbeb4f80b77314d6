// Steering: runs the adaptive sizer (sizing/) for a pool. Makes its observations from the pulse, applies its answers to
// the target, calls it when callers queue, and reports the reasons.
//
// It steers while sizing is adaptive, scaling is on, and the pool runs. With a manual size, an emergency, or sizing =
// threshold the sizer still learns and forecasts, but has no effect.
// Timeout: the leases that the sizer expects to end do not end in time when they last unusually long. So once the
// oldest caller has waited twice as long as opening takes (and twice wait_objective), every caller counts (demand()).
// Overload: while more connections make the database slower, the sizer's knee is a limit: see precedence.
// Automatic burst: only if burst_max_size is set. Begins when callers wait at the limit for 2 beats in a row; ends
// after burst_duration, or once the demand has been below max_size for 5 beats.
// Threads: the keeper only. Failure: none.
#pragma once

#include <optional>
#include <string>

#include "brain/desk.hpp"
#include "brain/pulse.hpp"
#include "brain/sizing/adaptive.hpp"

namespace tide::brain {

class Steering {
 public:
  explicit Steering(const Policy& policy);

  // The duration of a connect.
  void connected(Span took);
  void forget() { sizer_.forget(); }

  // `beat` is set if one was taken in this tick. `is_held`: an emergency or a shortage of memory holds the size.
  // `is_crowded`: the server is not ready for more, so the target is not raised. `why`: a decision was requested before
  // scaling_interval is over, and its reasons; unset if nothing has been observed since the last one.
  void tick(Desk& desk, const Beat* beat, bool is_held, bool is_crowded, std::optional<std::string>* why = nullptr);
  // Connections that waiting callers need beyond those open and being opened; unset: the sizer does not decide.
  std::optional<int64_t> wanted_for_waiters(Desk& desk);

  const AdaptiveSizer& sizer() const { return sizer_; }

 private:
  bool is_steering(const Desk& desk) const;
  void prepare(const Desk& desk, bool is_held);
  Observation observe(const Desk& desk) const;
  void remember_peak(Instant now);
  void watch_overload(Desk& desk, int64_t target);
  void watch_burst(Desk& desk, const Beat& beat);
  std::string reason(const Desk& desk, const Observation& seen) const;

  double connect_s_ = 0.030;  // kept here because it is passed to the sizer
  bool has_connected_ = false;
  AdaptiveSizer sizer_;
  bool is_held_ = false;
  Beat sum_;  // since the sizer's last tick
  double in_use_max_ = 0, demand_max_ = 0;
  int64_t peak_ = 0;  // of the connections in use, unless older than a minute
  Instant peak_at_;
  int crowded_beats_ = 0, roomy_beats_ = 0;
  bool is_own_burst_ = false;
};

}  // namespace tide::brain
