// Breaker: refuses callers at once while the database is unreachable, instead of letting them queue.
//
//  closed     connects are tried as growth decides; callers queue
//  open       no connection is left, and all connects have failed for breaker_trip_after: callers are refused at once
//  half_open  one connect, the probe, is in progress; callers are still refused
//
// closed -> open       no live connection, and the first of an unbroken series of failures without one is
//                      breaker_trip_after ago
// open -> half_open    breaker_probe_interval after the last probe began (retry_max after a permanent failure)
// half_open -> closed  the probe is connected; half_open -> open: it failed
// any -> closed        a connection is alive after all, or the option is switched off
//
// Invariants: it never opens while a connection is alive; while it is not closed at most one connect is in progress,
// begun at most once per breaker_probe_interval; probing never stops, so an open breaker always ends.
// Threads: the keeper only. Failure: none.
#pragma once

#include "brain/desk.hpp"

namespace tide::brain {

class Breaker {
 public:
  // A connect has finished.
  void succeeded();
  void failed(Instant now, bool is_permanent);

  void tick(Desk& desk);
  // While it is tripped: whether growth may start the probe now.
  bool may_probe(const Desk& desk) const;
  // Growth has started the probe.
  void probe_began(Desk& desk);

  BreakerState state(const Policy& policy) const;
  bool is_tripped() const { return is_tripped_; }
  bool is_failing() const { return failing_since_.is_set(); }
  Instant failing_since() const { return failing_since_; }
  // Unset unless open.
  Instant probe_at() const { return is_tripped_ && !is_probing_ ? probe_at_ : Instant(); }

 private:
  Span probes_apart(const Policy& policy) const;
  void trip(Desk& desk);
  void close(Desk& desk, std::string why);

  Instant failing_since_;  // unset after a success
  Instant alone_since_;    // the first failure without a live connection; unset while one is alive, and after a success
  int64_t failures_ = 0;   // in a row
  bool is_tripped_ = false;
  bool is_probing_ = false;
  bool is_hopeless_ = false;  // the last failure was permanent
  Instant tripped_at_;
  Instant probe_began_at_;
  Instant failed_at_;
  Instant probe_at_;
  int64_t probes_ = 0;  // since it tripped
};

}  // namespace tide::brain
