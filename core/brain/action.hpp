// Action: what the brain asks of the keeper. Values; carried out in order, each exactly once.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/instant.hpp"
#include "base/status.hpp"
#include "model/command.hpp"

namespace tide {

// What people are told of alerts, whatever its severity.
constexpr bool is_about_alert(EventKind event) {
  return event == EventKind::alert_firing || event == EventKind::alert_resolved;
}

struct Verdict {
  enum class Kind : uint8_t { applied, refused, pending };  // pending: an Action::finish_command will follow
  Kind kind = Kind::applied;
  Status why;           // of refused
  std::string message;  // of applied: what happened, one short sentence
};

struct Action {
  enum class Kind : uint8_t {
    open,             // one connection; the keeper picks the lowest empty slot
    retire,           // slot, conn_id, reason: close now if idle, else as soon as it is returned
    validate,         // slot, conn_id: only if it is idle now
    cancel_lease,     // slot, lease_id: interrupt its running statement
    revoke_lease,     // slot, lease_id: take it away; the connection is closed
    end_transaction,  // slot, lease_id, text = why: roll back a transaction its holder sits in
    mark_overdue,     // slot, lease_id: counts leases_overdue_total; the connection shows it
    mark_suspect,     // slot, lease_id: shows suspect_leak
    note,             // event, severity, text, detail (JSON object)
    scaling,          // from_size, to_size, cause, text = reason, actor, predicted_in_use: a row of scaling_events
    finish_command,   // command_id, verdict
    survey,           // slot, conn_id: like validate, and ask the server how many sessions it has and may have
    shed_memory,      // caches of idle sessions: a driver's page caches and the like
    refuse_waiters,   // whoever waits is told that nothing can be had: the breaker is open
    put_alert,        // slot = its place in the alert table, which changed
  };
  Kind kind = Kind::note;
  uint32_t slot = 0;
  uint64_t conn_id = 0;
  uint64_t lease_id = 0;
  uint64_t command_id = 0;
  CloseReason reason = CloseReason::none;
  EventKind event = EventKind::init;
  Severity severity = Severity::info;
  int64_t from_size = 0;
  int64_t to_size = 0;
  SizeSource cause = SizeSource::config;
  double predicted_in_use = std::numeric_limits<double>::quiet_NaN();  // of scaling
  std::string text;
  std::string detail;
  std::string actor;
  Verdict verdict;
};

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
