// Desk: one tick's work place. What is known, what has been asked so far, and when to look again.
//
// Deciders of one tick must not step on each other's toes: whoever retires or opens a connection does it through the
// desk, which keeps the counts as they will be once the actions are carried out.
// Invariants: a connection is retired at most once a tick, and never one that is leaving or still being opened (an
// open cannot be taken back; it is retired as soon as it is there); open() stays within the limit of the bounds (I1).
// Threads: the keeper's only; lives on the stack of Brain::tick().
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

// How soon to look again at something that is due but was held back.
inline constexpr Span kRecheck = Span::millis(100);

// Connections by phase. Those that are retiring count in the last three only.
struct Counts {
  int64_t opening = 0;
  int64_t idle = 0;
  int64_t leased = 0;
  int64_t held = 0;
  int64_t closing = 0;
  int64_t total = 0;       // slots that are not empty: what the limit is about
  int64_t connecting = 0;  // connects under way: what max_connecting is about
  int64_t in_use = 0;      // leases, also those on a connection that will be closed

  int64_t open() const { return idle + leased + held; }
  int64_t alive() const { return total - connecting - closing; }  // also those that are retiring
  int64_t staying() const { return opening + open(); }
};

class Desk {
 public:
  Desk(Ledger& ledger, const Census& census, Instant now, std::vector<Action>& actions);

  Instant now() const { return now_; }
  const Census& census() const { return census_; }
  const Policy& policy() const { return ledger_.policy; }
  // Somebody waits for longer than anybody should, and may do so for long yet: he is in no sum before his wait ends.
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
  // `is_survey`: the server is asked how full it is, too.
  void validate(const SlotCensus& slot, bool is_survey = false);
  // Memory that serves speed only.
  void shed_memory() { put(action::ShedMemory{}); }
  void note(EventKind event, Severity severity, std::string text, std::string detail = {}) {
    put(action::Note{event, severity, std::move(text), std::move(detail)});
  }
  void put(Action&& action) { actions_.push_back(std::move(action)); }

  // The target changes: one scaling action, one note, and the cooldowns know. Nothing if it is the same.
  // `predicted_in_use`: what was forecast when this was decided.
  void set_target(int64_t to, SizeSource cause, const std::string& reason,
                  double predicted_in_use = std::numeric_limits<double>::quiet_NaN());

  void wake_at(Instant when) { wakeup_ = earliest(wakeup_, when); }
  // Never in the past: what is due at this very moment was either done or is worth another look a little later.
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

// The connections of a census, highest slot first: callers take the lowest, so the highest are the least used.
struct HighestFirst {
  std::span<const SlotCensus> slots;
  auto begin() const { return slots.rbegin(); }
  auto end() const { return slots.rend(); }
};

// Whoever waits does so because that was ordered: the pool is paused, or was when he came.
bool is_waiting_ordered(const Desk& desk);

// When `span` after `since` is over; never for a span of zero, which switches a timeout off everywhere.
constexpr Instant due_after(Instant since, Span span) { return span.is_zero() ? Instant::never() : since + span; }

}  // namespace tide::brain
