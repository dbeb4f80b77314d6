// Recovery: what the pool tries by itself while a health check fails.
//
//  restart_connections  connectivity or performance failed and connections live: all of them are replaced, over 5 s
//  scale_pool           scaling or resources failed and the limit has room: grow_step more
//  reset_metrics        performance or scaling failed: what was learnt of the load is forgotten; counters stay
//
// The strategies of `recovery` take turns, in its order; one that cannot help is passed over. An attempt is judged after
// kJudgeAfter: no check fails any more, or the next attempt follows after a random time up to 2 s * 2^attempts, at most
// 60 s (full jitter). After recovery_max_attempts it gives up until every check has been well. Each attempt, its
// outcome and the giving up is one event of kind recovery.
// Threads: the keeper's only. Failure: none.
#pragma once

#include <string>
#include <string_view>

#include "brain/desk.hpp"
#include "brain/medic/health.hpp"

namespace tide::brain {

class Recovery {
 public:
  static constexpr Span kJudgeAfter = Span::seconds(5);

  void tick(Desk& desk, const Health& health, bool is_held);
  // reset_metrics was tried since the last call.
  bool take_forget() { return std::exchange(wants_forget_, false); }

 private:
  bool try_one(Desk& desk, const Health& health, bool is_held, std::string_view strategy);
  void judge(Desk& desk, const Health& health);
  void tell(Desk& desk, Severity severity, const std::string& text, const char* outcome) const;

  int64_t attempts_ = 0;  // of the present trouble
  std::string strategy_;  // of the attempt under way; empty: none
  std::string trouble_;   // names of the checks that failed when it was begun
  bool has_given_up_ = false;
  bool wants_forget_ = false;
  Instant judge_at_;
  Instant next_at_;
};

}  // namespace tide::brain
