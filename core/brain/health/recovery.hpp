// Recovery: what the pool tries automatically while a health check fails.
//
//  restart_connections  connectivity or performance failed and connections live: all of them are replaced, over 5 s
//  scale_pool           scaling or resources failed and the limit has room: grow_step more, which no sizer removes for
//                       kHoldFor (Caps::recovery)
//  reset_metrics        performance or scaling failed: the sizer's load statistics are reset; counters, and the inputs
//                       of alerts and checks, stay
//
// The strategies of `recovery` take turns, in its order; one that cannot help is skipped. Nothing is tried while the
// breaker is open, and nothing grows while connects fail: without a database they cannot help.
// An attempt is judged by health checks made after it: it helped as soon as one finds no check failed; it did not if
// the first one after kJudgeAfter still finds one. Then the next attempt follows after a random time up to 2 s *
// 2^attempts, at most 60 s (full jitter). After recovery_max_attempts the pool gives up until every check has been ok.
// Each attempt, its outcome and giving up is one event of kind recovery.
// Threads: the keeper only. Failure: none.
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
    bool is_held = false;     // an emergency or a shortage of memory: growth is not allowed
    bool is_failing = false;  // connects fail
    bool is_tripped = false;  // the breaker is open
  };
  void tick(Desk& desk, const Health& health, const Surroundings& around);
  // Draining: no size is kept.
  void skip(Desk& desk) { release(desk); }
  // reset_metrics was tried since the last call.
  bool take_forget() { return std::exchange(wants_forget_, false); }

 private:
  bool try_one(Desk& desk, const Health& health, const Surroundings& around, std::string_view strategy);
  void release(Desk& desk);
  void judge(Desk& desk, const Health& health);
  void tell(Desk& desk, Severity severity, const std::string& text, const char* outcome) const;

  int64_t attempts_ = 0;  // during the current problem
  std::string strategy_;  // of the attempt in progress; empty: none
  std::string trouble_;   // names of the failed checks when it began
  bool has_given_up_ = false;
  bool wants_forget_ = false;
  uint64_t begun_in_round_ = 0;  // of health checks: later rounds judge it
  Instant judge_at_;
  Instant next_at_;
  Instant held_until_;  // what scale_pool opened
};

}  // namespace tide::brain
