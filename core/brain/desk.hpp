// Desk: the working state of one tick: what is known, what has been requested so far, and when the next tick is needed.
//
// Deciders of one tick must not conflict: they retire and open connections through the desk only, which keeps the
// counts as they will be once the actions are carried out.
// Invariants: a connection is retired at most once a tick, and never one that is leaving or still being opened (an open
// cannot be cancelled; it is retired as soon as it is finished); open() stays within the limit of the bounds (I1).
// Threads: the keeper only; lives on the stack of Brain::tick().
// Failure: none promised; breaking an invariant aborts.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "brain/action.hpp"
#include "brain/census.hpp"
#include "brain/ledger.hpp"
#include "brain/precedence.hpp"

namespace tide::brain {

// When to check again something that is due but was postponed.
inline constexpr Span kRecheck = Span::millis(100);

// Connections by phase. Those that are retiring count only in the last three.
struct Counts {
  int64_t opening = 0;
  int64_t idle = 0;
  int64_t leased = 0;
  int64_t held = 0;
  int64_t closing = 0;
  int64_t total = 0;       // slots that are not empty: bounded by the limit
  int64_t connecting = 0;  // connects in progress: bounded by max_connecting
  int64_t in_use = 0;      // leases, also those on a connection that will be closed

  int64_t open() const { return idle + leased + held; }
  int64_t alive() const { return total - connecting - closing; }  // including those that are retiring
  int64_t staying() const { return opening + open(); }
};

class Desk {
 public:
  Desk(Ledger& ledger, const Census& census, Instant now, std::vector<Action>& actions);

  Instant now() const { return now_; }
  const Census& census() const { return census_; }
  const Policy& policy() const { return ledger_.policy; }
  // A caller has waited longer than wait_objective and still waits: its wait is in no sum before it ends.
  bool has_slow_waiter() const;
  Ledger& ledger() const { return ledger_; }
  Dossier& dossier(const SlotCensus& slot) const { return ledger_.dossiers.of(slot); }
  const Counts& counts() const { return counts_; }
  const SizeBounds& bounds() const { return bounds_; }
  void put_bounds(const SizeBounds& bounds) { bounds_ = bounds; }

  // As it will be when the actions so far are carried out.
  bool is_leaving(const SlotCensus& slot) const;
  bool is_staying(const SlotCensus& slot, Phase phase) const;

  void open();
  void retire(const SlotCensus& slot, CloseReason reason);
  // `is_survey`: the server is also asked how full it is.
  void validate(const SlotCensus& slot, bool is_survey = false);
  // Drops memory that only serves speed.
  void shed_memory() { put(action::ShedMemory{}); }
  void note(EventKind event, Severity severity, std::string text, std::string detail = {}) {
    put(action::Note{event, severity, std::move(text), std::move(detail)});
  }
  void put(Action&& action) { actions_.push_back(std::move(action)); }

  // Changes the target: one scaling action, one note, and the start of the cooldowns. Nothing if it is the same.
  // `predicted_in_use`: the forecast at the time of this decision.
  void set_target(int64_t to, SizeSource cause, const std::string& reason,
                  double predicted_in_use = std::numeric_limits<double>::quiet_NaN());

  void wake_at(Instant when) { wakeup_ = earliest(wakeup_, when); }
  // Never in the past: what is due now was either done or must be checked again a little later.
  Instant next_wakeup() const;

 private:
  int64_t& count_of(Phase phase);

  Ledger& ledger_;
  const Census& census_;
  const Instant now_;
  std::vector<Action>& actions_;
  Counts counts_;
  SizeBounds bounds_;
  Instant wakeup_ = Instant::never();
};

// The connections of a census, highest slot first: callers take the lowest, so the highest are used least.
struct HighestFirst {
  std::span<const SlotCensus> slots;
  auto begin() const { return slots.rbegin(); }
  auto end() const { return slots.rend(); }
};

// Callers wait because of a command: the pool is paused, or was when they came.
bool is_waiting_ordered(const Desk& desk);

// The time `span` after `since`; never for a span of zero, which disables any timeout.
constexpr Instant due_after(Instant since, Span span) { return span.is_zero() ? Instant::never() : since + span; }

}  // namespace tide::brain
