// Action: what the brain asks of the keeper. Values; carried out in order, each exactly once.
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

// What people are told of alerts, whatever its severity.
constexpr bool is_about_alert(EventKind event) {
  return event == EventKind::alert_firing || event == EventKind::alert_resolved;
}

struct Verdict {
  enum class Kind : uint8_t { applied, refused, pending };  // pending: an action::FinishCommand will follow
  Kind kind = Kind::applied;
  Status why;           // of refused
  std::string message;  // of applied: what happened, one short sentence

  static Verdict applied(std::string message) { return {Kind::applied, Status::ok(), std::move(message)}; }
  static Verdict pending(std::string message) { return {Kind::pending, Status::ok(), std::move(message)}; }
  static Verdict refused(Status why) { return {Kind::refused, std::move(why), {}}; }
};

namespace action {

// One connection; the keeper picks the lowest empty slot.
struct Open {};
// Close it now if it is idle, else as soon as it is returned.
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
// Interrupt its running statement.
struct CancelLease {
  uint64_t lease_id;
};
// Take it away; the connection is closed.
struct RevokeLease {
  uint64_t lease_id;
};
// Roll back a transaction its holder sits in.
struct EndTransaction {
  uint64_t lease_id;
  std::string why;
};
// Counts leases_overdue_total; the connection shows it.
struct MarkOverdue {
  uint64_t lease_id;
};
// The connection shows suspect_leak.
struct MarkSuspect {
  uint64_t lease_id;
};
struct Note {
  EventKind event;
  Severity severity;
  std::string text;
  std::string detail = {};  // a JSON object, or ""
  uint64_t lease_id = 0;    // whose tag the keeper adds; 0: none
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
// Caches of idle sessions: a driver's page caches and the like.
struct ShedMemory {};
// Whoever waits is told that nothing can be had: the breaker is open.
struct RefuseWaiters {};
// This place of the alert table has changed.
struct PutAlert {
  size_t place;
};

}  // namespace action

using Action =
    std::variant<action::Open, action::Retire, action::Validate, action::CancelLease, action::RevokeLease,
                 action::EndTransaction, action::MarkOverdue, action::MarkSuspect, action::Note, action::Scale,
                 action::FinishCommand, action::ShedMemory, action::RefuseWaiters, action::PutAlert>;

// What holds after a tick.
struct Outlook {
  PoolState state = PoolState::starting;
  int64_t target_size = 0;  // what the sizer wants now
  int64_t limit_size = 0;   // the effective cap: never more open, opening or closing connections
  SizeSource size_source = SizeSource::config;
  Instant burst_until;      // unset when not bursting
  uint64_t generation = 0;  // bumped by every applied control
  BreakerState breaker = BreakerState::off;
  Instant breaker_probe_at;                                            // unset unless the breaker is open
  double predicted_in_use = std::numeric_limits<double>::quiet_NaN();  // connections in use, 10 s ahead
  bool is_settled = false;  // draining: nothing is open any more; starting: min_size is there
  Instant next_wakeup = Instant::never();
};

}  // namespace tide
