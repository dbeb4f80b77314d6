// Action: what the brain asks of the keeper. Values; carried out in order, each exactly once.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/instant.hpp"
#include "base/status.hpp"

namespace tide {

// Why a connection ends; one counter each (closed_*_total). `lost` and `failed` count as errors.
enum class CloseReason : uint8_t { none, idle, lifetime, uses, error, scale, control, shutdown };

// Which rule set the effective size; the order is that of precedence, strongest last but for config.
enum class SizeSource : uint8_t { config, autoscale, predicted, manual, burst, emergency, budget };

enum class PoolState : uint8_t { starting, running, paused, draining, degraded, emergency, closed };

enum class Severity : uint8_t { info, warning, critical };

enum class EventKind : uint8_t {
  pool_open,
  pool_closed,
  connect_error,
  connection_lost,
  validation_failed,
  lease_overdue,
  lease_cancelled,
  lease_revoked,
  leak_suspected,
  transaction_ended,
  scale_up,
  scale_down,
  burst_on,
  burst_off,
  pause,
  resume,
  drain,
  recycle,
  setting_changed,
  command_refused,
  acquire_timeout,
  init,
  stats_reset,
  server_notice,
  breaker_open,
  breaker_probe,
  breaker_closed,
  emergency_on,
  emergency_off,
  health_failed,
  health_ok,
  recovery,
  alert_firing,
  alert_resolved,
  alert_acked,
  alert_rule_changed,
  warming,
  overload_on,
  overload_off,
  memory_pressure,
  clock_jump,
  events_dropped,
  server_full_on,
  server_full_off,
};

// What people are told of alerts, whatever its severity.
constexpr bool is_about_alert(EventKind event) {
  return event == EventKind::alert_firing || event == EventKind::alert_resolved;
}

enum class Verb : uint8_t {
  scale,
  burst,
  end_burst,
  set,
  pause,
  resume,
  recycle,
  drain,
  close_connection,
  revoke,
  reset_stats,
  check_health,
  ack,
  set_alert,
  drop_alert,
  evaluate,
};

// The rest of a set_alert order. What is not given stays as it is, or as the built-in rule of this name has it.
struct AlertWish {
  std::string rule;
  std::optional<std::string> metric;
  std::optional<std::string> comparison;  // ">", ">=", "<", "<="
  std::optional<double> threshold;
  std::optional<Span> hold;  // how long before it fires
  std::optional<std::string> severity;
  std::optional<bool> is_enabled;
  std::optional<std::string> message;
  std::optional<std::string> advice;
  std::optional<double> clear_at;  // hysteresis: the value at which it ends
};

// A control, already checked for form (names, types, ranges of single values) by pool/orders.
struct Order {
  uint64_t command_id = 0;
  Verb verb = Verb::scale;
  // scale: target size, -1 = back to automatic; close_connection: conn_id; revoke: lease_id; ack: alert_id
  int64_t number = 0;
  Span span;           // burst: duration (zero = burst_duration); recycle: spread
  std::string option;  // set
  std::string value;   // set
  std::string reason;  // scale: why, for scaling_events
  AlertWish alert;     // set_alert; drop_alert: its rule alone
  std::string actor;   // who, for events and scaling_events
};

struct Verdict {
  enum class Kind : uint8_t { applied, refused, pending };  // pending: an Action::finish_order will follow
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
    finish_order,     // command_id, verdict
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

enum class BreakerState : uint8_t { off, closed, open, half_open };

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
