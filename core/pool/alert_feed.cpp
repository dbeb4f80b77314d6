#include "pool/alert_feed.hpp"

namespace tide {
namespace {

AlertChange change_of(const brain::Alert& alert, uint64_t alert_id, int64_t wall_ahead_ns) {
  const auto wall_of = [wall_ahead_ns](Instant at) { return at.is_set() ? at.ns() + wall_ahead_ns : 0; };
  AlertChange change;
  change.alert_id = alert_id;
  change.severity = alert.severity;
  change.rule = alert.rule;
  change.metric = about(alert.metric).name;
  change.value = alert.value;
  change.threshold = alert.threshold;
  change.since_wall_ns = wall_of(alert.since);
  change.acked_wall_ns = wall_of(alert.acked_at);
  change.resolved_wall_ns = wall_of(alert.resolved_at);
  change.acked_by = alert.acked_by;
  change.message = alert.message;
  change.advice = alert.advice;
  return change;
}

}  // namespace

void AlertFeed::look(const brain::Alert& alert, size_t place, uint64_t alert_id, int64_t wall_ahead_ns) {
  if (!sink_ || place >= told_.size()) return;
  Told& told = told_[place];
  if (told.number != alert.number) {
    told = Told();
    told.number = alert.number;
  }
  if (alert.number == 0 || alert.state == AlertState::pending) return;
  const auto tell = [&](bool& is_told, AlertStep step) {
    if (is_told) return;
    is_told = true;
    AlertChange change = change_of(alert, alert_id, wall_ahead_ns);
    change.step = step;
    if (step != AlertStep::resolved) change.resolved_wall_ns = 0;
    sink_(std::move(change));
  };
  tell(told.has_fired, AlertStep::fired);
  if (alert.acked_at.is_set()) tell(told.is_acked, AlertStep::acknowledged);
  if (alert.state == AlertState::resolved) tell(told.is_resolved, AlertStep::resolved);
}

}  // namespace tide
