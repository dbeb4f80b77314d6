// Brain: every decision of the pool, in virtual time. (memory, census, commands, now) -> actions and outlook.
//
// Pure: no clock, no thread, no I/O, no randomness except the seeded generator passed to it. The same inputs in the
// same order give the same outputs, byte for byte; the simulator and the product run this same object.
//
// Deciders, in this order within a tick (one file each): commands, the pulse, lease_watch, health_monitor; then
// precedence() sets the limit and the range of the target; reaper, sizer or steering; then growth opens and shrink
// retires, the alert monitor evaluates the result, and pending commands finish.
// Precedence of the size, in one place (brain/precedence.*): emergency cap, burst, manual, predicted, adaptive, then
// min_size and max_size.
//
// Invariants (numbers of core/README.md):
//  I1  connections open, opening or closing never exceed limit_size because of an open it requested.
//  I6  burst ends: at burst_until, or at end_burst.
// Threads: the keeper only.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/rng.hpp"
#include "brain/action.hpp"
#include "brain/alerts/alert_monitor.hpp"
#include "brain/census.hpp"
#include "brain/health/health.hpp"
#include "brain/sizing/adaptive.hpp"
#include "policy/policy.hpp"

namespace tide {

namespace brain {
struct Tallies;
}

class Brain {
 public:
  Brain(const Policy& policy, uint32_t capacity, uint64_t seed, Instant now);
  ~Brain();
  Brain(Brain&&) noexcept;
  Brain& operator=(Brain&&) noexcept;

  // A validated policy, in force from now on.
  void set_policy(const Policy& policy, Instant now);

  // One control. Applied: its effect shows in the actions of the next tick(). `set` and `reset_stats` are handled
  // elsewhere.
  Verdict accept(const Command& command, const Census& census, Instant now);

  // The result of an open requested by the brain. Permanent: retrying cannot help (still retried, but only every
  // retry_max, to notice a corrected password or file).
  void connect_succeeded(Instant now, Span took = Span());
  // Crowded: the server is not ready for more, so the target is reduced to the number of open connections.
  void connect_failed(Instant now, bool is_permanent, bool is_crowded = false);
  // In addition: the server refused it because it has no room for more. `why`: the server's message.
  void server_full(const std::string& why);
  // A connection was lost. After two losses within a second, one of the other connections is checked.
  void connection_lost(Instant now, uint64_t conn_id);
  // A holder met an error that all connections of this age will meet.
  void generation_doomed(Instant now, uint64_t conn_id, const std::string& why);
  // A holder met an error that they may meet: one of them is checked.
  void generation_suspected(Instant now, uint64_t conn_id, const std::string& why);
  // The result of a validation.
  void validated(Instant now, bool is_alive);
  // The result of a survey.
  void surveyed(Instant now, bool is_alive);

  // Decides. `actions` is cleared first; its capacity is kept, so that a tick without changes allocates nothing.
  Outlook tick(Instant now, const Census& census, std::vector<Action>& actions);

  // The lifetime of a connection created now: max_lifetime minus its jitter, drawn once; never() without a bound.
  Instant draw_expiry(Instant born);

  // Why limit_size has its value, for error texts: "max_size", "manual scale to 4 by psql", "burst until ...".
  std::string limit_reason() const;

  // -- further state, as of the last tick
  const brain::Health& health() const;
  const brain::AdaptiveSizer& sizer() const;
  const brain::AlertMonitor& alert_monitor() const;
  const brain::Tallies& tallies() const;

 private:
  struct Memory;
  std::unique_ptr<Memory> memory_;
};

}  // namespace tide
