// Recovery: what the pool tries by itself while a health check fails.
//
//  restart_connections  connectivity or performance failed and connections live: all of them are replaced, over 5 s
//  scale_pool           scaling or resources failed and the limit has room: grow_step more, which no sizer takes back for
//                       kHoldFor (Caps::recovery)
//  reset_metrics        performance or scaling failed: the sizer forgets what it learnt of the load; counters, and what
//                       alerts and checks go by, stay
//
// The strategies of `recovery` take turns, in its order; one that cannot help is passed over. Nothing is tried while the
// breaker is open, and nothing grows while connects fail: there is no database to mend it with.
// An attempt is judged by health checks that were made after it, when they are made: the first that finds no check
// failed says that it helped; the first that is kJudgeAfter later and finds one says that it did not, and the next
// attempt follows after a random time up to 2 s * 2^attempts, at most 60 s (full jitter). After recovery_max_attempts
// it gives up until every check has been well. Each attempt, its outcome and the giving up is one event of kind
// recovery.
// Threads: the keeper's only. Failure: none.
#pragma once

#include <string>
#include <string_view>

#include "brain/desk.hpp"
#include "brain/health/health.hpp"

namespace tide::brain {

class Recovery {
 public:
  static constexpr Span kJudgeAfter = Span::seconds(5);
  static constexpr Span kHoldFor = Span::seconds(60);

  struct Surroundings {
    bool is_held = false;     // an emergency or a shortage of memory: nothing may grow
    bool is_failing = false;  // connects fail
    bool is_tripped = false;  // the breaker is open
  };
  void tick(Desk& desk, const Health& health, const Surroundings& around);
  // Draining: no size is held.
  void skip(Desk& desk) { release(desk); }
  // reset_metrics was tried since the last call.
  bool take_forget() { return std::exchange(wants_forget_, false); }

 private:
  bool try_one(Desk& desk, const Health& health, const Surroundings& around, std::string_view strategy);
  void release(Desk& desk);
  void judge(Desk& desk, const Health& health);
  void tell(Desk& desk, Severity severity, const std::string& text, const char* outcome) const;

  int64_t attempts_ = 0;  // of the present trouble
  std::string strategy_;  // of the attempt under way; empty: none
  std::string trouble_;   // names of the checks that failed when it was begun
  bool has_given_up_ = false;
  bool wants_forget_ = false;
  uint64_t begun_in_round_ = 0;  // of health checks: those after it judge
  Instant judge_at_;
  Instant next_at_;
  Instant held_until_;  // what scale_pool opened
};

}  // namespace tide::brain
