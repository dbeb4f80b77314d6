// The relations "alerts", "health_checks", "forecasts" and "alert_rules": what each pool makes of itself.
#include "model/words.hpp"
#include "reading/cell.hpp"
#include "reading/counts.hpp"
#include "reading/source.hpp"

namespace tide {
namespace {

using enum ColumnType;
using enum Privacy;

constexpr Setter kAcknowledge[] = {{Verb::ack, "by", "alert_id", "alert_id"}};

constexpr Column kAlertColumns[] = {
    {"instance_id", text, "", "The instance, as in pools.", open},
    {"pool", text, "", "The pool's name.", open},
    {"alert_id", integer, "", "The alert; never used again."},
    {"rule", text, "", "The rule that raised it, as in alert_rules.", open},
    {"severity", text, "", "info, warning or critical.", open},
    {"state", text, "", "pending while the condition has not held long enough, firing, or resolved.", open},
    {"metric", text, "", "What the rule looks at.", open},
    {"value", real, "", "The metric when the condition was last seen to hold; its name tells the unit."},
    {"threshold", real, "", "The value the metric was compared with."},
    {"since", time, "", "Since when the condition holds, or held."},
    {"last_seen", time, "", "When it was last seen to hold."},
    {"occurrences", integer, "", "How many looks found that it held."},
    {"resolved_at", time, "", "When it ended; null while it lasts."},
    {"acked_by", text, "", "Who has seen it; null when nobody has. Set it to your name to acknowledge the alert.",
     masked, kAcknowledge},
    {"message", text, "", "What is wrong, as a sentence.", masked},
    {"advice", text, "", "What may help.", masked},
    {"acked_at", time, "", "When somebody acknowledged it; null when nobody has."},
};

constexpr Column kHealthColumns[] = {
    {"instance_id", text, "", "The instance, as in pools.", open},
    {"pool", text, "", "The pool's name.", open},
    {"check_name", text, "", "connectivity, performance, resources or scaling.", open},
    {"status", text, "", "ok, warning or failed.", open},
    {"score", real, "", "0 (worst) to 100 (best)."},
    {"value", real, "", "What was measured; null when the check has no one number."},
    {"threshold", real, "", "The value it was compared with."},
    {"message", text, "", "What was found, as a sentence.", masked},
    {"checked_at", time, "", "When the check was made. One that was never made has no row."},
};

constexpr Column kForecastColumns[] = {
    {"instance_id", text, "", "The instance, as in pools.", open},
    {"pool", text, "", "The pool's name.", open},
    {"at", time, "", "When the forecast was made."},
    {"horizon_ms", real, "ms", "How far ahead it looks."},
    {"model", text, "", "The model that made it.", open},
    {"predicted_in_use", real, "connections", "How many connections will be leased."},
    {"low", real, "connections", "It will hardly be fewer."},
    {"high", real, "connections", "It will hardly be more."},
    {"error_mape", real, "ratio", "How far this model has been off: the mean of error / actual; null when not known."},
    {"selected", boolean, "", "Whether this model is the one the pool goes by."},
    {"error_wape", real, "ratio", "The sum of all errors / the sum of what came; null when not known."},
};

constexpr Column kRuleColumns[] = {
    {"pool", text, "", "The pool's name.", open},
    {"rule", text, "", "The rule.", open},
    {"metric", text, "", "What it looks at.", open},
    {"comparison", text, "", "The condition: metric >, >=, < or <= threshold.", open},
    {"threshold", real, "", "The value the metric is compared with."},
    {"hold_ms", real, "ms", "How long the condition holds before the alert fires."},
    {"severity", text, "", "info, warning or critical.", open},
    {"enabled", boolean, "", "Whether the rule is looked at."},
    {"message", text, "", "What its alerts say; null: a sentence made of the numbers.", masked},
    {"advice", text, "", "What its alerts advise.", masked},
    {"clear_at", real, "", "The value at which the condition ends, so that alerts do not flicker."},
    {"built_in", boolean, "", "Whether it is as it came with the pool; false when somebody set it."},
    {"instance_id", text, "", "The instance, as in pools.", open},
};

void add_alerts(const Attachment& segment, int64_t, std::vector<Row>& out) {
  const HeaderCopy& h = segment.header();
  for (const format::AlertRecord& alert : segment.read_alerts()) {
    out.push_back({
        cell::text(h.instance_id),
        cell::text(h.pool),
        cell::owned_id(alert.alert_id),
        cell::text(alert.rule),
        cell::text(word_of<Severity>(alert.severity)),
        cell::text(word_of<AlertState>(alert.state)),
        cell::text_or_null(alert.metric),
        cell::measured(alert.value),
        cell::measured(alert.threshold),
        cell::time(alert.since_wall_ns),
        cell::time(alert.last_seen_wall_ns),
        cell::count(alert.occurrences),
        cell::time(alert.resolved_wall_ns),
        cell::text_or_null(alert.acked_by),
        cell::text_or_null(alert.message),
        cell::text_or_null(alert.advice),
        cell::time(alert.acked_wall_ns),
    });
  }
}

void add_health(const Attachment& segment, int64_t, std::vector<Row>& out) {
  const HeaderCopy& h = segment.header();
  for (const auto& [which, check] : checks_made(segment)) {
    out.push_back({
        cell::text(h.instance_id),
        cell::text(h.pool),
        cell::text(word(which)),
        cell::text(word_of<HealthStatus>(check.status)),
        cell::measured(check.score),
        cell::measured(check.value),
        cell::measured(check.threshold),
        cell::text_or_null(check.message),
        cell::time(check.checked_wall_ns),
    });
  }
}

void add_forecasts(const Attachment& segment, int64_t, std::vector<Row>& out) {
  const HeaderCopy& h = segment.header();
  const auto block = segment.read_forecasts();
  if (!block) return;
  for (const format::ForecastRecord& forecast : records_of(*block)) {
    out.push_back({
        cell::text(h.instance_id),
        cell::text(h.pool),
        cell::time(forecast.at_wall_ns),
        cell::ms(forecast.horizon_ns),
        cell::text_or_null(forecast.model),
        cell::measured(forecast.predicted_in_use),
        cell::measured(forecast.low),
        cell::measured(forecast.high),
        cell::measured(forecast.error_mape),
        cell::truth(forecast.is_selected != 0),
        cell::measured(forecast.error_wape),
    });
  }
}

void add_rules(const Attachment& segment, int64_t, std::vector<Row>& out) {
  const HeaderCopy& h = segment.header();
  const auto block = segment.read_alert_rules();
  if (!block) return;
  for (const format::AlertRuleRecord& rule : records_of(*block)) {
    out.push_back({
        cell::text(h.pool),
        cell::text(rule.rule),
        cell::text_or_null(rule.metric),
        cell::text(word_of<Comparison>(rule.comparison)),
        cell::measured(rule.threshold),
        cell::ms(rule.hold_ns),
        cell::text(word_of<Severity>(rule.severity)),
        cell::truth(rule.is_enabled != 0),
        cell::text_or_null(rule.message),
        cell::text_or_null(rule.advice),
        cell::measured(rule.clear_at),
        cell::truth(rule.is_built_in != 0),
        cell::text(h.instance_id),
    });
  }
}

}  // namespace

const Source& alerts_source() {
  static constexpr Source kSource{{"alerts", "What is, or was, wrong with each pool.", kAlertColumns}, add_alerts};
  return kSource;
}

const Source& health_checks_source() {
  static constexpr Source kSource{{"health_checks", "The latest health check of each kind.", kHealthColumns},
                                  add_health};
  return kSource;
}

const Source& forecasts_source() {
  static constexpr Source kSource{{"forecasts", "How many leases each pool expects.", kForecastColumns}, add_forecasts};
  return kSource;
}

const Source& alert_rules_source() {
  static constexpr Source kSource{{"alert_rules", "When each pool raises an alert.", kRuleColumns}, add_rules};
  return kSource;
}

}  // namespace tide
