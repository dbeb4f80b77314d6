// The relations "alerts", "health_checks", "forecasts" and "alert_rules": each pool's assessment of itself.
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
    {"alert_id", integer, "", "Identifier of the alert, never reused."},
    {"rule", text, "", "The rule that raised it, as in alert_rules.", open},
    {"severity", text, "", "info, warning or critical.", open},
    {"state", text, "", "pending (the condition holds, but not yet for hold_ms), firing or resolved.", open},
    {"metric", text, "", "Metric of the rule.", open},
    {"value", real, "", "Value of the metric when the condition last held, in the unit of the metric."},
    {"threshold", real, "", "The value the metric was compared with."},
    {"since", time, "", "When the condition began to hold."},
    {"last_seen", time, "", "When the condition last held."},
    {"occurrences", integer, "", "Evaluations in which the condition held."},
    {"resolved_at", time, "", "When the condition ended; null while it holds."},
    {"acked_by", text, "", "Who acknowledged the alert; null if nobody has. Set it to your name to acknowledge.",
     masked, kAcknowledge},
    {"message", text, "", "Description of the problem.", masked},
    {"advice", text, "", "Recommended action.", masked},
    {"acked_at", time, "", "When the alert was acknowledged; null if it was not."},
};

constexpr Column kHealthColumns[] = {
    {"check_name", text, "", "connectivity, performance, resources or scaling.", open},
    {"status", text, "", "ok, warning or failed.", open},
    {"score", real, "", "0 (worst) to 100 (best)."},
    {"value", real, "", "Measured value; null if the check has no single figure."},
    {"threshold", real, "", "The value it was compared with."},
    {"message", text, "", "Finding of the check.", masked},
    {"checked_at", time, "", "When the check was last made. Checks never made have no row."},
};

constexpr Column kForecastColumns[] = {
    {"at", time, "", "When the forecast was made."},
    {"horizon_ms", real, "ms", "Time between the forecast and the predicted moment."},
    {"model", text, "", "Forecast model.", open},
    {"predicted_in_use", real, "connections", "Predicted number of leased connections."},
    {"low", real, "connections", "Lower bound."},
    {"high", real, "connections", "Upper bound."},
    {"error_mape", real, "ratio", "Mean absolute percentage error of the model; null if unknown."},
    {"selected", boolean, "", "True for the model the pool uses."},
    {"error_wape", real, "ratio", "Sum of absolute errors / sum of actual values; null if unknown."},
};

constexpr Column kRuleColumns[] = {
    {"pool", text, "", "The pool's name.", open},
    {"rule", text, "", "The rule.", open},
    {"metric", text, "", "Metric of the rule.", open},
    {"comparison", text, "", "The condition: metric >, >=, < or <= threshold.", open},
    {"threshold", real, "", "The value the metric is compared with."},
    {"hold_ms", real, "ms", "How long the condition must hold before the alert fires."},
    {"severity", text, "", "info, warning or critical.", open},
    {"enabled", boolean, "", "True if the rule is evaluated."},
    {"message", text, "", "Message of its alerts; generated when null.", masked},
    {"advice", text, "", "Recommended action shown with its alerts.", masked},
    {"clear_at", real, "", "Value at which the condition ends; the distance from the threshold prevents flapping."},
    {"built_in", boolean, "", "True for an unmodified built-in rule."},
    {"instance_id", text, "", "The instance, as in pools.", open},
};

void add_alerts(const Attachment& segment, int64_t, std::vector<Row>& out) {
  for (const format::AlertRecord& alert : segment.read_alerts()) {
    out.push_back({
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
  for (const auto& [which, check] : checks_made(segment)) {
    out.push_back({
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
  const auto block = segment.read_forecasts();
  if (!block) return;
  for (const format::ForecastRecord& forecast : records_of(*block)) {
    out.push_back({
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
  static constexpr Source kSource{{"alerts", "Current and past problems of each pool.", kAlertColumns}, add_alerts};
  return kSource;
}

const Source& health_checks_source() {
  static constexpr Source kSource{{"health_checks", "The latest health check of each kind.", kHealthColumns},
                                  add_health};
  return kSource;
}

const Source& forecasts_source() {
  static constexpr Source kSource{{"forecasts", "Forecasts of the number of leased connections.", kForecastColumns},
                                  add_forecasts};
  return kSource;
}

const Source& alert_rules_source() {
  static constexpr Source kSource{
      {"alert_rules", "Rules that raise alerts, for each pool.", kRuleColumns}, add_rules, nullptr, true};
  return kSource;
}

}  // namespace tide
