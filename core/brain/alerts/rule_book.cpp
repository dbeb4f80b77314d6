#include "brain/alerts/rule_book.hpp"

#include "base/nearest.hpp"
#include "base/text.hpp"
#include "brain/brain.hpp"
#include "model/command.hpp"

namespace tide::brain {
namespace {

Status bad(std::string message, std::string detail, std::string hint = {}) {
  return Status::error(Code::bad_argument, std::move(message), std::move(detail), std::move(hint));
}

// Only of what the command changes: a rule of before is not refused later.
Status check_units(const Command& set_alert, const AlertRule& rule) {
  const bool is_other_metric = set_alert.text("metric").has_value();
  if (is_other_metric || set_alert.number("threshold")) {
    if (Status fits = check_alert_unit(rule.name, "threshold", rule.metric, rule.threshold); !fits) return fits;
  }
  if (!is_other_metric && !set_alert.number("clear_at")) return Status::ok();
  return check_alert_unit(rule.name, "clear_at", rule.metric, rule.clear_at);
}

Status check_ends(const AlertRule& rule) {
  return check_alert_ends(rule.name, rule.comparison, rule.threshold, rule.clear_at);
}

}  // namespace

RuleBook::RuleBook(const Policy& policy)
    : rules_(built_in_rules(policy)), owns_(rules_.size()), built_in_(built_in_rules(policy)) {}

std::optional<size_t> RuleBook::find(std::string_view name) const {
  for (size_t i = 0; i < rules_.size(); ++i) {
    if (rules_[i].name == name) return i;
  }
  return std::nullopt;
}

const AlertRule* RuleBook::built_in(std::string_view name) const {
  for (const AlertRule& rule : built_in_) {
    if (rule.name == name) return &rule;
  }
  return nullptr;
}

Status RuleBook::unknown(std::string_view name) const {
  std::vector<std::string_view> names;
  for (const AlertRule& rule : rules_) names.push_back(rule.name);
  return Status::error(Code::not_found, "there is no alert rule " + in_quotes(name), {}, did_you_mean(name, names));
}

// The words were checked with the command.
Status RuleBook::fill_in(const Command& set_alert, AlertRule& rule, Own& own) const {
  if (const auto metric = set_alert.text("metric")) {
    own.threshold = own.threshold || rule.metric != *member_of<Metric>(*metric);
    rule.metric = *member_of<Metric>(*metric);
  }
  if (const auto comparison = set_alert.text("comparison")) rule.comparison = *member_of<Comparison>(*comparison);
  if (const auto severity = set_alert.text("severity")) rule.severity = *member_of<Severity>(*severity);
  const auto threshold = set_alert.number("threshold");
  const auto clear_at = set_alert.number("clear_at");
  const auto message = set_alert.text("message");
  const auto advice = set_alert.text("advice");
  own.threshold = own.threshold || threshold.has_value();
  own.clear_at = own.clear_at || clear_at.has_value();
  own.message = own.message || message.has_value();
  own.advice = own.advice || advice.has_value();
  rule.threshold = threshold.value_or(rule.threshold);
  rule.clear_at =
      own.clear_at ? clear_at.value_or(rule.clear_at) : default_clear_at(rule.metric, rule.comparison, rule.threshold);
  if (Status fits = check_units(set_alert, rule); !fits) return fits;
  rule.hold = set_alert.span("hold").value_or(rule.hold);
  rule.is_enabled = set_alert.truth("enabled").value_or(rule.is_enabled);
  rule.message = message.value_or(rule.message);
  rule.advice = advice.value_or(rule.advice);
  if (built_in(rule.name) == nullptr && !own.message) rule.message = default_message(rule);
  return check_ends(rule);
}

// A rule is built in if it is what the policy alone would make, whether or not a command set it so.
void RuleBook::settle(AlertRule& rule, Own& own) const {
  rule.is_built_in = true;
  const AlertRule* const model = built_in(rule.name);
  rule.is_built_in = model != nullptr && rule == *model;
  if (rule.is_built_in) own = Own();
}

Result<RuleBook::Entry> RuleBook::set(const Command& set_alert) {
  const std::string name = *set_alert.text("rule");
  const bool has_metric = set_alert.text("metric").has_value();
  const auto place = find(name);
  const AlertRule* const model = built_in(name);
  if (!place && model == nullptr && (!has_metric || !set_alert.number("threshold"))) {
    return bad("alert rule " + in_quotes(name) + " is new, and lacks " + (has_metric ? "a threshold" : "a metric"),
               "a new rule needs metric and threshold", unknown(name).hint());
  }
  if (!place && rules_.size() >= kAlertRulesMax) {
    return Status::error(
        Code::refused,
        "alert rule " + in_quotes(name) + " refused: there are " + std::to_string(rules_.size()) + " rules",
        "at most " + std::to_string(kAlertRulesMax) + " are allowed", "drop a rule that is not needed");
  }
  AlertRule rule;
  Own own;
  if (place) {
    rule = rules_[*place];
    own = owns_[*place];
  } else if (model != nullptr) {
    rule = *model;
  } else {
    rule.name = name;
  }
  if (Status why = fill_in(set_alert, rule, own); !why) return why;
  settle(rule, own);
  if (place) {
    owns_[*place] = own;
    if (rules_[*place] == rule) return Entry{*place, Change::none};
    rules_[*place] = std::move(rule);
  } else {
    rules_.push_back(std::move(rule));
    owns_.push_back(own);
  }
  ++generation_;
  return place ? Entry{*place, Change::changed} : Entry{rules_.size() - 1, Change::added};
}

Result<size_t> RuleBook::drop(std::string_view name) {
  const auto place = find(name);
  if (!place) return unknown(name);
  rules_.erase(rules_.begin() + static_cast<std::ptrdiff_t>(*place));
  owns_.erase(owns_.begin() + static_cast<std::ptrdiff_t>(*place));
  ++generation_;
  return *place;
}

// A built-in rule follows the policy, except in what was set by a command.
bool RuleBook::follow(size_t place) {
  AlertRule rule = rules_[place];
  Own& own = owns_[place];
  const AlertRule* const model = built_in(rule.name);
  if (model == nullptr) return false;
  if (!own.advice) rule.advice = model->advice;
  if (!own.threshold) {
    rule.threshold = model->threshold;
    own.clear_at = own.clear_at && check_ends(rule);
    if (!own.clear_at) rule.clear_at = default_clear_at(rule.metric, rule.comparison, rule.threshold);
  }
  settle(rule, own);
  if (rule == rules_[place]) return false;
  const bool is_changed = rule.threshold != rules_[place].threshold || rule.clear_at != rules_[place].clear_at;
  rules_[place] = std::move(rule);
  ++generation_;
  return is_changed;
}

}  // namespace tide::brain
