// Reaper: ends connections that are too old or not needed, and has idle ones validated.
//
// Rules, in this order: replacement by command (recycle, close_connection); max_uses; lifetime; idle_timeout;
// validation.
// A leased connection is only marked: it ends when its holder returns it. Nothing is opened here; growth replaces.
// Invariants: idle_timeout never goes below the lowest size of the rule in force (nor, while the adaptive sizer sees a
// load, below its target), nor below min_idle idle ones, and lowers the target with it so that growth does not reopen
// at once. Lifetimes that end together are spread: no more than 1 + open/4 replacements are in progress, until one is
// overdue by a tenth of its life. At most half of the idle connections are validated at the same time, so that callers
// find one.
// A whole generation is replaced, spread over time, when it is not expected to live long: validations in a row failed,
// a holder met an error that all others will meet (a server that crashed, or is read-only), or a suspicion was
// confirmed (one was ended by the server, or two were lost within a second). Further errors of connections of a
// condemned generation are ignored.
// While paused nothing is validated and nothing ends for being idle.
// Threads: the keeper only.
#pragma once

#include <cstdint>
#include <string>

#include "brain/desk.hpp"
#include "brain/suspicion.hpp"

namespace tide::brain {

class Reaper {
 public:
  void tick(Desk& desk);

  // The result of a validation. max_validation_failures in a row condemn the whole generation.
  void validated(bool is_alive, int64_t failures_max);
  // A connection was lost.
  void lost(Instant now, uint64_t conn_id);
  // A holder met an error that all connections of this age will meet.
  void doomed(Instant now, uint64_t conn_id, const std::string& why);
  // A holder met an error that they may meet: one of them is checked.
  void suspect(Instant now, uint64_t conn_id, const std::string& why);
  // Draining: failed connections are closed anyway, and later ones are new.
  void forget_failures() {
    failures_in_row_ = 0;
    verdict_.clear();
    suspicion_.drop();
  }

 private:
  void condemn_generation(Desk& desk, const std::string& why, uint64_t newest);

  int64_t failures_in_row_ = 0;
  std::string verdict_;  // why the generation is condemned; until the next tick
  Suspicion suspicion_;
  uint64_t condemned_up_to_ = 0;  // conn_id; the last condemned generation
  Instant doomed_at_;             // the last time an error of a holder condemned one
  uint64_t lost_conn_id_ = 0;     // the latest loss
  Instant lost_at_;
};

}  // namespace tide::brain
