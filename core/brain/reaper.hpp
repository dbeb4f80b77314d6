// Reaper: ends connections that are worn out or not needed, and has the quiet ones checked.
//
// Rules, in this order: replacement ordered (recycle, close_connection); max_uses; lifetime; idle_timeout; validation.
// A leased connection is only marked: it ends when its holder gives it back. Nothing here opens; growth replaces.
// Invariants: idle_timeout never goes below the lowest size of the rule in force, nor below min_idle idle ones, and
// takes the target along so that growth does not open again at once. Lifetimes that end together are spread: no more
// than 1 + open/4 replacements are under way, until one is overdue by a tenth of its life. At most half of the idle
// connections are away for validation, so that callers find one.
// While paused nothing is validated and nothing ends for being idle.
// Threads: the keeper's only.
#pragma once

#include <cstdint>

#include "brain/desk.hpp"

namespace tide::brain {

class Reaper {
 public:
  void tick(Desk& desk);

  // What became of a validation. max_validation_failures in a row condemn the whole generation.
  void validated(bool is_alive, int64_t failures_max);
  // Draining: what failed goes anyway, and what comes after is new.
  void forget_failures() { failures_in_row_ = 0, is_generation_condemned_ = false; }

 private:
  void condemn_generation(Desk& desk);

  int64_t failures_in_row_ = 0;
  bool is_generation_condemned_ = false;  // until the next tick
};

}  // namespace tide::brain
