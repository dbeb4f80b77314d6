// The words people read for the closed sets of action.hpp. Lower case; the same in every view, log and format.
#include "brain/brain.hpp"

namespace tide {

const char* size_source_name(SizeSource source) {
  switch (source) {
    case SizeSource::config: return "config";
    case SizeSource::autoscale: return "autoscale";
    case SizeSource::predicted: return "predicted";
    case SizeSource::manual: return "manual";
    case SizeSource::burst: return "burst";
    case SizeSource::emergency: return "emergency";
    case SizeSource::budget: return "budget";
  }
  return "unknown";
}

const char* pool_state_name(PoolState state) {
  switch (state) {
    case PoolState::starting: return "starting";
    case PoolState::running: return "running";
    case PoolState::paused: return "paused";
    case PoolState::draining: return "draining";
    case PoolState::degraded: return "degraded";
    case PoolState::emergency: return "emergency";
    case PoolState::closed: return "closed";
  }
  return "unknown";
}

const char* severity_name(Severity severity) {
  switch (severity) {
    case Severity::info: return "info";
    case Severity::warning: return "warning";
    case Severity::critical: return "critical";
  }
  return "unknown";
}

const char* event_kind_name(EventKind kind) {
  switch (kind) {
    case EventKind::pool_open: return "pool_open";
    case EventKind::pool_closed: return "pool_closed";
    case EventKind::connect_error: return "connect_error";
    case EventKind::connection_lost: return "connection_lost";
    case EventKind::validation_failed: return "validation_failed";
    case EventKind::lease_overdue: return "lease_overdue";
    case EventKind::lease_cancelled: return "lease_cancelled";
    case EventKind::lease_revoked: return "lease_revoked";
    case EventKind::leak_suspected: return "leak_suspected";
    case EventKind::transaction_ended: return "transaction_ended";
    case EventKind::scale_up: return "scale_up";
    case EventKind::scale_down: return "scale_down";
    case EventKind::burst_on: return "burst_on";
    case EventKind::burst_off: return "burst_off";
    case EventKind::pause: return "pause";
    case EventKind::resume: return "resume";
    case EventKind::drain: return "drain";
    case EventKind::recycle: return "recycle";
    case EventKind::setting_changed: return "setting_changed";
    case EventKind::command_refused: return "command_refused";
    case EventKind::acquire_timeout: return "acquire_timeout";
    case EventKind::init: return "init";
    case EventKind::stats_reset: return "stats_reset";
    case EventKind::server_notice: return "server_notice";
    case EventKind::breaker_open: return "breaker_open";
    case EventKind::breaker_probe: return "breaker_probe";
    case EventKind::breaker_closed: return "breaker_closed";
    case EventKind::emergency_on: return "emergency_on";
    case EventKind::emergency_off: return "emergency_off";
    case EventKind::health_failed: return "health_failed";
    case EventKind::health_ok: return "health_ok";
    case EventKind::recovery: return "recovery";
    case EventKind::alert_firing: return "alert_firing";
    case EventKind::alert_resolved: return "alert_resolved";
    case EventKind::alert_acked: return "alert_acked";
    case EventKind::alert_rule_changed: return "alert_rule_changed";
    case EventKind::warming: return "warming";
    case EventKind::overload_on: return "overload_on";
    case EventKind::overload_off: return "overload_off";
    case EventKind::memory_pressure: return "memory_pressure";
    case EventKind::clock_jump: return "clock_jump";
    case EventKind::events_dropped: return "events_dropped";
    case EventKind::server_full_on: return "server_full_on";
    case EventKind::server_full_off: return "server_full_off";
  }
  return "unknown";
}

const char* close_reason_name(CloseReason reason) {
  switch (reason) {
    case CloseReason::none: return "none";
    case CloseReason::idle: return "idle";
    case CloseReason::lifetime: return "lifetime";
    case CloseReason::uses: return "uses";
    case CloseReason::error: return "error";
    case CloseReason::scale: return "scale";
    case CloseReason::control: return "control";
    case CloseReason::shutdown: return "shutdown";
  }
  return "unknown";
}

const char* verb_name(Verb verb) {
  switch (verb) {
    case Verb::scale: return "scale";
    case Verb::burst: return "burst";
    case Verb::end_burst: return "end_burst";
    case Verb::set: return "set";
    case Verb::pause: return "pause";
    case Verb::resume: return "resume";
    case Verb::recycle: return "recycle";
    case Verb::drain: return "drain";
    case Verb::close_connection: return "close_connection";
    case Verb::revoke: return "revoke";
    case Verb::reset_stats: return "reset_stats";
    case Verb::check_health: return "check_health";
    case Verb::ack: return "ack";
    case Verb::set_alert: return "set_alert";
    case Verb::drop_alert: return "drop_alert";
    case Verb::evaluate: return "evaluate";
  }
  return "unknown";
}

}  // namespace tide
