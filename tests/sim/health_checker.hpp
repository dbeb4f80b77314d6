// HealthChecker: checks the pool's health management from outside, after every turn of its keeper.
//
//  states    degraded exactly when a check fails or the breaker is not closed; running and starting otherwise
//  breaker   never tripped while a connection is alive, nor sooner than breaker_trip_after afterwards; then one connect
//            at a time, breaker_probe_interval apart (retry_max if the last failure was permanent); no request is left
//            in the queue
//  caps      the staying connections never exceed the limit; the limit is within the range of the rule in force
//  hands     connects, validations and resets finish
//  health    every score fits its status, and the health of the pool fits the scores
//  ends      an emergency and a tripped breaker end in time once there are no more faults
// Independent of a world: it reads one pool through its segment, so that every mode of the simulator can use it.
// Threads: one. Failure: complaints in the trace.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pool/pool.hpp"
#include "trace.hpp"

namespace tide::sim {

class HealthChecker {
 public:
  explicit HealthChecker(Trace& trace) : trace_(trace) {}

  // From the event sink.
  void told(Pool& pool, PoolEvent event, std::string_view text, Instant now);
  // The keeper has turned; it may have been late by up to `lateness`.
  void turned(Pool& pool, Instant now, Span lateness);
  // There are no faults from now on (unset: there are).
  void expect_ends(Instant since) { well_since_ = since; }

  // New requests must fail with `unavailable`, unless a connection is idle.
  static bool is_refusing(Pool& pool);
  // The failed checks, for a complaint.
  static std::string ills(Pool& pool);
  uint64_t trips() const { return trips_; }
  uint64_t emergencies() const { return emergencies_; }
  uint64_t degradations() const { return degradations_; }
  bool is_emergency() const { return was_emergency_; }
  bool is_tripped() const { return was_tripped_; }
  bool is_well() const { return is_well_; }  // running, and health is at least 90
  uint64_t turns() const { return turns_; }

 private:
  struct View {
    PoolState state = PoolState::starting;
    BreakerState breaker = BreakerState::off;
    int64_t target = 0, limit = 0;
    int64_t staying = 0;  // idle, leased or held, and not to be closed
    int64_t opening = 0;
    uint64_t last_conn_id = 0;
    bool is_tripped() const { return breaker == BreakerState::open || breaker == BreakerState::half_open; }
  };
  static View view(Pool& pool);
  void check_states(Pool& pool, const View& view);
  void check_breaker(Pool& pool, const View& view, Instant now);
  void check_caps(Pool& pool, const View& view);
  void check_hands(Pool& pool, Instant now, Span lateness);
  void check_health(Pool& pool);
  void check_ends(Pool& pool, const View& view, Instant now, Span lateness);

  Trace& trace_;
  bool was_tripped_ = false;
  bool was_emergency_ = false;
  bool was_degraded_ = false;
  bool is_well_ = false;
  bool is_last_failure_permanent_ = false;
  bool has_failed_check_ = false;
  uint64_t last_conn_id_ = 0;
  Instant probe_began_at_;
  uint64_t failures_ = 0;  // of connects
  Instant failed_at_;      // the last of them
  Instant alive_at_;       // when a connection was last alive
  Instant tripped_since_;
  Instant emergency_since_;
  Instant not_draining_since_;
  Instant well_since_;
  Span connect_timeout_max_;  // the highest of all policies so far
  Span validation_timeout_max_;
  uint64_t trips_ = 0;
  uint64_t emergencies_ = 0;
  uint64_t degradations_ = 0;
  uint64_t turns_ = 0;
};

}  // namespace tide::sim
