// Emergency: reduces the size of a pool when more load would make a problem worse.
//
// Enters: health below emergency_below twice in a row while a connection is alive, or more than half of the statements
//         (at least 5) failed in two beats in a row. Only faults count: see README.md.
// Does:   caps the size at emergency_max_size, so that nothing grows; drops caches; leases beyond the cap end when they
//         are returned.
// Leaves: health was at least kLeaveFrom (or emergency_below + 10) three rounds in a row without a storm; or the last
//         connection is gone, because from then on the breaker is in charge; or the option is off. Then the cap doubles
//         with each beat until it no longer limits.
// Its own effects (waiting callers, full utilization) cannot prevent its end: connectivity and performance alone can
// give 65 points, so it always ends after the storm.
// Threads: the keeper only. Failure: none.
#pragma once

#include <optional>

#include "brain/desk.hpp"
#include "brain/health/health.hpp"
#include "brain/pulse.hpp"

namespace tide::brain {

class Emergency {
 public:
  static constexpr int64_t kLeaveFrom = 40;

  void saw_beat(const Beat& beat);
  void saw_round(const Health& health, const Policy& policy, bool has_connection);
  // Enters and leaves the emergency.
  void tick(Desk& desk, const Health& health, bool is_tripped);

  bool is_on() const { return is_on_; }
  // The cap, while there is one: also for a while after the end.
  std::optional<int64_t> cap() const { return cap_; }

 private:
  void enter(Desk& desk, const std::string& why);
  void leave(Desk& desk, const std::string& why);

  bool is_on_ = false;
  std::optional<int64_t> cap_;
  int storms_ = 0;  // beats in a row
  int low_ = 0;     // rounds in a row
  int good_ = 0;    // rounds in a row
  int beats_since_cap_ = 0;
  Instant since_;
};

}  // namespace tide::brain
