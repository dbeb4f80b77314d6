// Sizer: the threshold rule. Moves the target by grow_step when utilization or waiting was high, or utilization low,
// for several evaluations in a row.
//
// utilization = in_use_average / target: how much of the size chosen by the sizer is used. (The `pools` relation
// divides by limit_size, which says how close the pool is to its limit; with that the sizer would never scale down.)
// Up:   utilization >= scale_up_utilization or wait_p95 >= scale_up_wait, scale_up_periods times in a row, and
//       scale_up_cooldown after the last step up of this rule. Not beyond max_size, even in a burst.
// Down: utilization <= scale_down_utilization, no caller waiting, scale_down_periods times in a row,
//       and scale_down_cooldown after the last change of the target by any rule. Not below what is in use plus min_idle.
// Evaluations are on a grid of scaling_interval. Grid points are skipped, and no wakeup is requested, while an
// evaluation could change nothing: nothing leased, no caller waiting, target at its lowest, no streak begun. Leases
// that begin without a tick are seen at the next one; with at least one tick per scaling_interval nothing is lost.
// Threads: the keeper only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "brain/desk.hpp"

namespace tide::brain {

class Sizer {
 public:
  explicit Sizer(Instant first_at) : next_at_(first_at) {}
  // `why`: an evaluation was requested for now, and its reasons. It counts as one of those that must agree.
  void tick(Desk& desk, std::optional<std::string>* why = nullptr);

 private:
  bool is_free_to_move(const Desk& desk) const;
  bool is_dormant(const Desk& desk) const;
  void skip_to(Instant now, Span interval);
  void evaluate(Desk& desk);
  std::string reasons(const Desk& desk) const;
  bool step_up(Desk& desk);
  void step_down(Desk& desk);

  Instant next_at_;
  int64_t high_in_row_ = 0;
  int64_t low_in_row_ = 0;
  std::optional<Instant> stepped_up_at_;
  std::string moved_because_;  // in this tick; else empty
  bool was_dormant_ = false;   // at the last tick
};

}  // namespace tide::brain
