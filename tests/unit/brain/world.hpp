// World: a simple server, keeper and callers, driven randomly from one seed, which check every tick.
//
// The server answers each connect after a random time, with success or failure, and goes down and comes back. Callers
// take idle connections, wait, and return them. The keeper carries out the actions. Commands and live changes of the
// policy are added.
// Checked at every tick, with the numbers of core/README.md:
//  I1  an open never takes open, opening and closing beyond limit_size;
//  I6  a burst is over at burst_until;
//  limits, target and wakeup are in range; nothing is opened while draining, nor more than max_connecting at once, nor
//  more than one at a time after a failure; actions name what exists and are requested once; pending commands finish
//  once; scaling down stops at the target and touches leases only above the limit; callers are not left waiting while
//  there is room and connects are allowed.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <vector>

#include "base/rng.hpp"
#include "brain/brain.hpp"

namespace tide::test {

class World {
 public:
  World(const Policy& policy, uint64_t seed);

  // One random step: time passes, things happen, one tick.
  void step();
  // No more callers, the server is available, controls are reset; time passes from wakeup to wakeup.
  void calm_down(Span span);

  const Policy& policy() const { return policy_; }
  const Outlook& outlook() const { return outlook_; }
  size_t size() const { return slots_.size(); }
  size_t pending_orders() const { return pending_.size(); }
  uint64_t fingerprint() const { return fingerprint_; }
  // By the index of the kind in Action.
  uint64_t actions_of(size_t kind) const { return actions_of_[kind]; }

  static constexpr uint32_t kCapacity = 24;

 private:
  struct Place {
    SlotCensus seen;
    Instant due = Instant::never();  // end of the phase
    bool is_doomed = false;          // opening, held: will fail
    bool has_late_mark = false;      // one per lease
    bool has_suspect_mark = false;
  };

  void pass_time();
  void end_phases();
  void end_open(Place& place);
  void end_hold(Place& place);
  void come_and_go();
  void lease_out(Place& place);
  void order_something();
  void change_policy();
  void take_census(Census& census);
  void tick();
  void check(const Census& census);
  void check_opens(const Census& census);
  void check_shrink();
  void obey();
  void obey(const Action& action);
  void open();
  void obey(const action::Retire& retire);
  Place* find(uint32_t slot, uint64_t conn_id);
  Place* find_lease(uint64_t lease_id);
  void enter(Place& place, Phase phase, Span for_how_long);
  int64_t count(Phase phase) const;
  void remember(const Action& action);
  Span random_span(Span max) { return max.scaled(rng_.unit()); }

  Policy policy_;
  Rng rng_;
  Instant now_ = Instant::at_ns(5'000'000'000);
  Brain brain_;
  std::vector<Place> slots_;  // ordered by slot
  std::vector<SlotCensus> shown_;
  std::vector<Action> actions_;
  Outlook outlook_;
  bool is_calm_ = false;
  bool is_server_down_ = false;
  bool is_failing_ = false;  // a connect failed since the last success
  Instant last_failure_;
  uint32_t waiting_ = 0;
  uint64_t acquires_ = 0;
  uint64_t last_conn_id_ = 0;
  uint64_t last_lease_id_ = 0;
  uint64_t last_command_id_ = 0;
  std::set<uint64_t> pending_;
  uint64_t fingerprint_ = 1469598103934665603ULL;
  std::array<uint64_t, std::variant_size_v<Action>> actions_of_{};
};

}  // namespace tide::test
