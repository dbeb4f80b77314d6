// Reaper: ends connections that are worn out or not needed, and has the quiet ones checked.
//
// Rules, in this order: replacement ordered (recycle, close_connection); max_uses; lifetime; idle_timeout; validation.
// A leased connection is only marked: it ends when its holder gives it back. Nothing here opens; growth replaces.
// Invariants: idle_timeout never goes below the lowest size of the rule in force (nor, while the adaptive sizer sees a
// load, below its target), nor below min_idle idle ones, and
// takes the target along so that growth does not open again at once. Lifetimes that end together are spread: no more
// than 1 + open/4 replacements are under way, until one is overdue by a tenth of its life. At most half of the idle
// connections are away for validation, so that callers find one.
// A whole generation is replaced, spread over a time, when it will not live long: validations in a row failed, a holder
// met an error that all others will meet (a server that crashed, or takes no writes), or a suspicion was confirmed (one
// was ended by the server, or two were lost within a second). What connections of a condemned generation tell afterwards
// is no news.
// While paused nothing is validated and nothing ends for being idle.
// Threads: the keeper's only.
#pragma once

#include <cstdint>
#include <string>

#include "brain/desk.hpp"
#include "brain/suspicion.hpp"

namespace tide::brain {

class Reaper {
 public:
  void tick(Desk& desk);

  // What became of a validation. max_validation_failures in a row condemn the whole generation.
  void validated(bool is_alive, int64_t failures_max);
  // A connection died by itself.
  void lost(Instant now, uint64_t conn_id);
  // What a holder met, all connections of this age will meet.
  void doomed(Instant now, uint64_t conn_id, const std::string& why);
  // What a holder met, they may meet: one of them is asked.
  void suspect(Instant now, uint64_t conn_id, const std::string& why);
  // Draining: what failed goes anyway, and what comes after is new.
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
  uint64_t condemned_up_to_ = 0;  // conn_id; the last generation that was
  Instant doomed_at_;             // the last time that a holder's error condemned one
  uint64_t lost_conn_id_ = 0;     // the latest loss
  Instant lost_at_;
};

}  // namespace tide::brain
