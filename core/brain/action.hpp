// Action: what the brain asks the keeper to do. Values; carried out in order, each exactly once.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <variant>

#include "base/instant.hpp"
#include "base/status.hpp"
#include "model/command.hpp"

namespace tide {

// An event of an alert, whatever the alert's severity.
constexpr bool is_about_alert(EventKind event) {
  return event == EventKind::alert_firing || event == EventKind::alert_resolved;
}

struct Verdict {
  enum class Kind : uint8_t { applied, refused, pending };  // pending: an action::FinishCommand will follow
  Kind kind = Kind::applied;
  Status why;           // for refused
  std::string message;  // for applied: what happened, one short sentence

  static Verdict applied(std::string message) { return {Kind::applied, Status::ok(), std::move(message)}; }
  static Verdict pending(std::string message) { return {Kind::pending, Status::ok(), std::move(message)}; }
  static Verdict refused(Status why) { return {Kind::refused, std::move(why), {}}; }
};

namespace action {

// One connection; the keeper picks the lowest empty slot.
struct Open {};
// Closes it now if it is idle, else as soon as it is returned.
struct Retire {
  uint32_t slot;
  uint64_t conn_id;
  CloseReason reason;
};
// Only if it is idle now. A survey also asks the server how many sessions it has and may have.
struct Validate {
  uint32_t slot;
  uint64_t conn_id;
  bool is_survey;
};
// Interrupts its running statement.
struct CancelLease {
  uint64_t lease_id;
};
// Revokes the lease; the connection is closed.
struct RevokeLease {
  uint64_t lease_id;
};
// Rolls back a transaction in which the holder is idle.
struct EndTransaction {
  uint64_t lease_id;
  std::string why;
};
// Counts leases_overdue_total; shown in the connection's row.
struct MarkOverdue {
  uint64_t lease_id;
};
// The connection's row shows suspect_leak.
struct MarkSuspect {
  uint64_t lease_id;
};
struct Note {
  EventKind event;
  Severity severity;
  std::string text;
  std::string detail = {};  // a JSON object, or ""
  uint64_t lease_id = 0;    // the keeper adds its tag; 0: none
};
// A row of scaling_events.
struct Scale {
  int64_t from_size;
  int64_t to_size;
  SizeSource cause;
  std::string reason;
  std::string actor = {};
  double predicted_in_use = std::numeric_limits<double>::quiet_NaN();
};
struct FinishCommand {
  uint64_t command_id;
  Verdict verdict;
};
// Drops caches of idle sessions: a driver's page caches and similar.
struct ShedMemory {};
// Refuses all waiting callers: the breaker is open.
struct RefuseWaiters {};
// This entry of the alert table has changed.
struct PutAlert {
  size_t place;
};

}  // namespace action

using Action =
    std::variant<action::Open, action::Retire, action::Validate, action::CancelLease, action::RevokeLease,
                 action::EndTransaction, action::MarkOverdue, action::MarkSuspect, action::Note, action::Scale,
                 action::FinishCommand, action::ShedMemory, action::RefuseWaiters, action::PutAlert>;

// The state after a tick.
struct Outlook {
  PoolState state = PoolState::starting;
  int64_t target_size = 0;  // the size chosen by the sizer
  int64_t limit_size = 0;   // the effective cap: never more open, opening or closing connections
  SizeSource size_source = SizeSource::config;
  Instant burst_until;      // unset outside a burst
  uint64_t generation = 0;  // incremented by every applied control
  BreakerState breaker = BreakerState::off;
  Instant breaker_probe_at;                                            // set only while the breaker is open
  double predicted_in_use = std::numeric_limits<double>::quiet_NaN();  // connections in use, forecast for 10 s ahead
  bool is_settled = false;  // draining: nothing is open any more; starting: min_size are open
  Instant next_wakeup = Instant::never();
};

}  // namespace tide
