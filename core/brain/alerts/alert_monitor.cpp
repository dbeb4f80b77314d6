#include "brain/alerts/alert_monitor.hpp"

#include <algorithm>
#include <cmath>

#include "base/assert.hpp"
#include "base/fixed_text.hpp"
#include "base/owned_id.hpp"
#include "base/text.hpp"
#include "base/units.hpp"
#include "brain/wording.hpp"

namespace tide::brain {
namespace {

constexpr size_t kActorBytesMax = 62;

auto putting_on(Desk& desk) {
  return [&desk](Action&& action) { desk.put(std::move(action)); };
}

}  // namespace

AlertMonitor::AlertMonitor(const Policy& policy)
    : is_on_(policy.alerts), book_(policy), watches_(book_.rules().size()), alerts_(kPlaces) {
  watches_.reserve(kAlertRulesMax);
}

void AlertMonitor::set_policy(const Policy& policy) {
  is_on_ = policy.alerts;
  for (size_t i = 0; !is_on_ && i < watches_.size(); ++i) end_because(i, seen_at_, "the option alerts is off");
  book_.set_policy(policy, [this](size_t rule) { end_because(rule, seen_at_, "the threshold was changed"); });
}

void AlertMonitor::tick(Desk& desk, const Readings& readings) {
  seen_at_ = desk.now();
  for (Action& action : backlog_) desk.put(std::move(action));
  backlog_.clear();
  const std::span<const AlertRule> rules = book_.rules();
  for (size_t i = 0; is_on_ && i < rules.size(); ++i) {
    if (rules[i].is_enabled) look(desk, rules[i], watches_[i], readings[rules[i].metric]);
  }
}

void AlertMonitor::look(Desk& desk, const AlertRule& rule, Watch& watch, double value) {
  if (watch.place == kNowhere) {
    if (rule.begins_with(value)) begin(desk, rule, watch, value);
  } else if (alerts_[watch.place].state == AlertState::pending) {
    wait_out_hold(desk, rule, watch, value);
  } else {
    wait_for_end(desk, rule, watch, value);
  }
}

void AlertMonitor::begin(Desk& desk, const AlertRule& rule, Watch& watch, double value) {
  watch = Watch();
  watch.place = room();
  Alert& alert = alerts_[watch.place];
  alert = Alert();
  alert.number = ++last_number_;
  alert.rule = rule.name;
  alert.metric = rule.metric;
  alert.severity = rule.severity;
  alert.threshold = rule.threshold;
  alert.since = desk.now();
  alert.message = rule.message;
  alert.advice = rule.advice;
  see(watch, value, desk.now());
  if (rule.hold.is_zero()) return fire(desk, watch);
  tell(desk, watch);
  desk.wake_at(alert.since + rule.hold);
}

// The condition is true: records that.
void AlertMonitor::see(Watch& watch, double value, Instant now) {
  Alert& alert = alerts_[watch.place];
  alert.value = value;
  alert.last_seen = watch.measured_at = now;
  watch.clear_since = Instant();
  if (alert.occurrences > 0 && now < watch.counted_at + kLookInterval) return;
  ++alert.occurrences;
  watch.counted_at = now;
}

void AlertMonitor::wait_out_hold(Desk& desk, const AlertRule& rule, Watch& watch, double value) {
  if (!rule.begins_with(value)) return end(watch, desk.now(), {}, putting_on(desk));
  see(watch, value, desk.now());
  const Instant due = alerts_[watch.place].since + rule.hold;
  if (desk.now() >= due) return fire(desk, watch);
  if (desk.now() >= watch.told_at + kLookInterval) tell(desk, watch);
  desk.wake_at(due);
}

void AlertMonitor::fire(Desk& desk, Watch& watch) {
  Alert& alert = alerts_[watch.place];
  alert.state = AlertState::firing;
  ++fired_total_;
  desk.note(EventKind::alert_firing, alert.severity, firing_text(alert), alert_detail(alert));
  tell(desk, watch);
  desk.wake_at(desk.now() + kLookInterval);
}

void AlertMonitor::wait_for_end(Desk& desk, const AlertRule& rule, Watch& watch, double value) {
  const Instant now = desk.now();
  if (std::isnan(value)) {
    if (now >= watch.measured_at + kUnmeasuredMax) {
      return end(watch, now, "not measured for " + describe_span(now - watch.measured_at), putting_on(desk));
    }
  } else if (rule.ends_with(value)) {
    watch.measured_at = now;
    if (!watch.clear_since.is_set()) watch.clear_since = now;
    if (about(rule.metric).is_fact || now >= watch.clear_since + kClearFor) {
      return end(watch, now, std::string(about(rule.metric).name) + " is " + figure(value), putting_on(desk));
    }
    desk.wake_at(watch.clear_since + kClearFor);
  } else {
    see(watch, value, now);
    if (now >= watch.told_at + kLookInterval) tell(desk, watch);
  }
  desk.wake_at(now + kLookInterval);
}

template <typename Out>
void AlertMonitor::end(Watch& watch, Instant now, const std::string& why, Out&& out) {
  Alert& alert = alerts_[watch.place];
  if (alert.state == AlertState::firing) {
    alert.state = AlertState::resolved;
    alert.resolved_at = now;
    out(action::Note{EventKind::alert_resolved, Severity::info, resolved_text(alert, why), alert_detail(alert)});
  } else {
    alert = Alert();
  }
  out(action::PutAlert{watch.place});
  watch = Watch();
}

void AlertMonitor::end_because(size_t rule, Instant now, const std::string& why) {
  if (watches_[rule].place == kNowhere) return;
  end(watches_[rule], now, why, [this](Action&& action) { backlog_.push_back(std::move(action)); });
}

void AlertMonitor::tell(Desk& desk, Watch& watch) {
  watch.told_at = desk.now();
  desk.put(action::PutAlert{watch.place});
}

// A free entry, else that of the alert that was resolved first.
size_t AlertMonitor::room() const {
  size_t best = kNowhere;
  for (size_t place = 0; place < kPlaces; ++place) {
    const Alert& alert = alerts_[place];
    if (alert.number == 0) return place;
    if (alert.state != AlertState::resolved) continue;
    if (best == kNowhere || alert.resolved_at < alerts_[best].resolved_at) best = place;
  }
  static_assert(kPlaces > kAlertRulesMax);
  TIDE_ASSERT(best != kNowhere);  // at most one alert of a rule is unresolved
  return best;
}

int64_t AlertMonitor::firing(Severity at_least) const {
  return std::count_if(alerts_.begin(), alerts_.end(), [at_least](const Alert& alert) {
    return alert.number != 0 && alert.state == AlertState::firing && alert.severity >= at_least;
  });
}

void AlertMonitor::note(const Command& command, EventKind event, std::string text) {
  backlog_.push_back(action::Note{event, Severity::info, std::move(text) + by(command.actor)});
}

Verdict AlertMonitor::set_alert(const Command& command, Instant now) {
  Result<RuleBook::Entry> entry = book_.set(command);
  if (!entry) return Verdict::refused(entry.take_status());
  const AlertRule& rule = book_.rules()[entry->place];
  const std::string what = "alert rule " + in_quotes(rule.name);
  if (entry->change == RuleBook::Change::none) return Verdict::applied(what + " is already in effect");
  if (entry->change == RuleBook::Change::added) watches_.emplace_back();
  const std::string now_is = ": " + default_message(rule) + (rule.is_enabled ? "" : ", disabled");
  const std::string done = entry->change == RuleBook::Change::added ? " set" : " changed";
  end_because(entry->place, now,
              (rule.is_enabled ? "its rule was changed" : "its rule was disabled") + by(command.actor));
  note(command, EventKind::alert_rule_changed, what + done + now_is);
  return Verdict::applied(what + done + now_is);
}

Verdict AlertMonitor::drop_alert(const Command& command, Instant now) {
  const std::string rule_name = *command.text("rule");
  const auto place = book_.find(rule_name);
  if (place) end_because(*place, now, "its rule was dropped" + by(command.actor));
  Result<size_t> dropped = book_.drop(rule_name);
  if (!dropped) return Verdict::refused(dropped.take_status());
  watches_.erase(watches_.begin() + static_cast<std::ptrdiff_t>(*dropped));
  const std::string what = "alert rule " + in_quotes(rule_name) + " dropped";
  note(command, EventKind::alert_rule_changed, what);
  return Verdict::applied(what);
}

Verdict AlertMonitor::ack(const Command& command, Instant now) {
  const uint32_t number = number_of(static_cast<uint64_t>(*command.whole("alert_id")));
  const auto found = std::find_if(alerts_.begin(), alerts_.end(), [number](const Alert& alert) {
    return alert.number != 0 && number_of(alert.number) == number;
  });
  const std::string id = std::to_string(*command.whole("alert_id"));
  if (found == alerts_.end()) {
    return Verdict::refused(Status::error(Code::not_found, "there is no alert " + id,
                                          "it may have been overwritten by newer alerts",
                                          "the alerts relation lists them"));
  }
  if (found->state == AlertState::resolved) {
    return Verdict::refused(Status::error(Code::refused,
                                          "alert " + id + " of rule " + in_quotes(found->rule) + " is already resolved",
                                          "only pending and firing alerts can be acknowledged"));
  }
  if (found->acked_at.is_set()) return Verdict::applied("already acknowledged" + by(found->acked_by));
  found->acked_at = now;
  found->acked_by = utf8_prefix(command.actor, kActorBytesMax);
  backlog_.push_back(action::PutAlert{static_cast<size_t>(found - alerts_.begin())});
  note(command, EventKind::alert_acked, "alert of rule " + in_quotes(found->rule) + " acknowledged");
  return Verdict::applied("alert of rule " + in_quotes(found->rule) + " acknowledged");
}

}  // namespace tide::brain
