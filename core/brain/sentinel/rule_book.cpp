#include "brain/sentinel/rule_book.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/nearest.hpp"
#include "base/units.hpp"
#include "brain/brain.hpp"
#include "policy/text.hpp"

namespace tide::brain {
namespace {

constexpr std::string_view kComparisonNames[] = {">", ">=", "<", "<="};
constexpr std::string_view kSeverityNames[] = {"info", "warning", "critical"};

Status bad(std::string message, std::string detail, std::string hint = {}) {
  return Status::error(Code::bad_argument, std::move(message), std::move(detail), std::move(hint));
}

std::string listed(std::span<const std::string_view> names) {
  std::string out;
  for (const std::string_view name : names) out.append(out.empty() ? "" : ", ").append(name);
  return out;
}

std::string meant(std::string_view typed, std::span<const std::string_view> known) {
  const std::string_view nearest = nearest_name(typed, known);
  return nearest.empty() ? std::string() : "did you mean \"" + std::string(nearest) + "\"?";
}

// All digits that it takes.
std::string exact(double value) {
  char out[32];
  std::snprintf(out, sizeof out, "%.15g", value);
  return out;
}

Status check_name(std::string_view name) {
  const bool has_control =
      std::any_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
  if (!name.empty() && name.size() <= kRuleNameBytesMax && !has_control && is_plain_utf8(name)) return Status::ok();
  return bad("the name of the alert rule, " + in_quotes(name) + ", is not accepted",
             "accepted: 1 to " + std::to_string(kRuleNameBytesMax) + " bytes of UTF-8 text without control characters");
}

Status check_text(const std::string& rule, std::string_view what, const std::optional<std::string>& text) {
  if (!text || (text->size() <= kAlertTextBytesMax && is_plain_utf8(*text))) return Status::ok();
  return bad(std::string(what) + " of alert rule " + in_quotes(rule) + " has " + std::to_string(text->size()) +
                 " bytes, or is not UTF-8 text",
             "accepted: at most " + std::to_string(kAlertTextBytesMax) + " bytes");
}

Status check_number(const std::string& rule, std::string_view what, const std::optional<double>& number) {
  if (!number || (std::isfinite(*number) && *number >= 0)) return Status::ok();
  return bad(std::string(what) + " " + exact(*number) + " of alert rule " + in_quotes(rule) + " is not accepted",
             "accepted: a number that is not negative, as all metrics are");
}

Status check_hold(const std::string& rule, const std::optional<Span>& hold) {
  if (!hold || (*hold >= Span() && *hold <= kAlertHoldMax)) return Status::ok();
  return bad("hold " + format_span(std::max(*hold, Span())) + " of alert rule " + in_quotes(rule) + " is not accepted",
             "accepted: 0 to " + format_span(kAlertHoldMax));
}

Status check_ends(const AlertRule& rule) {
  const bool is_upward = rule.comparison == Comparison::above || rule.comparison == Comparison::at_least;
  if (is_upward ? rule.clear_at <= rule.threshold : rule.clear_at >= rule.threshold) return Status::ok();
  return bad("alert rule " + in_quotes(rule.name) + ": clear_at " + exact(rule.clear_at) + " is " +
                 (is_upward ? "above" : "below") + " the threshold " + exact(rule.threshold),
             std::string("with ") + comparison_name(rule.comparison) + " the condition ends at clear_at, so it must be " +
                 (is_upward ? "at most" : "at least") + " the threshold",
             "give both clear_at and threshold");
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
  return Status::error(Code::not_found, "there is no alert rule " + in_quotes(name), {}, meant(name, names));
}

Status RuleBook::fill_in(const AlertWish& wish, AlertRule& rule, Own& own) const {
  if (Status why = check_number(rule.name, "threshold", wish.threshold); !why) return why;
  if (Status why = check_number(rule.name, "clear_at", wish.clear_at); !why) return why;
  if (Status why = check_hold(rule.name, wish.hold); !why) return why;
  if (Status why = check_text(rule.name, "message", wish.message); !why) return why;
  if (Status why = check_text(rule.name, "advice", wish.advice); !why) return why;
  if (wish.metric) {
    const auto metric = metric_of(*wish.metric);
    if (!metric) {
      return bad("there is no metric " + in_quotes(*wish.metric) + " for alert rule " + in_quotes(rule.name),
                 "accepted: " + listed(metric_names()), meant(*wish.metric, metric_names()));
    }
    own.threshold = own.threshold || rule.metric != *metric;
    rule.metric = *metric;
  }
  if (wish.comparison) {
    const auto comparison = comparison_of(*wish.comparison);
    if (!comparison) {
      return bad("there is no comparison " + in_quotes(*wish.comparison) + " for alert rule " + in_quotes(rule.name),
                 "accepted: " + listed(kComparisonNames));
    }
    rule.comparison = *comparison;
  }
  if (wish.severity) {
    const auto severity = severity_of(*wish.severity);
    if (!severity) {
      return bad("there is no severity " + in_quotes(*wish.severity) + " for alert rule " + in_quotes(rule.name),
                 "accepted: " + listed(kSeverityNames), meant(*wish.severity, kSeverityNames));
    }
    rule.severity = *severity;
  }
  own.threshold = own.threshold || wish.threshold.has_value();
  own.clear_at = own.clear_at || wish.clear_at.has_value();
  own.message = own.message || wish.message.has_value();
  own.advice = own.advice || wish.advice.has_value();
  rule.threshold = wish.threshold.value_or(rule.threshold);
  rule.clear_at = own.clear_at ? wish.clear_at.value_or(rule.clear_at)
                               : default_clear_at(rule.metric, rule.comparison, rule.threshold);
  rule.hold = wish.hold.value_or(rule.hold);
  rule.is_enabled = wish.is_enabled.value_or(rule.is_enabled);
  rule.message = wish.message.value_or(rule.message);
  rule.advice = wish.advice.value_or(rule.advice);
  if (built_in(rule.name) == nullptr && !own.message) rule.message = default_message(rule);
  return check_ends(rule);
}

// Built in is what the policy alone would make, whoever said so.
void RuleBook::settle(AlertRule& rule, Own& own) const {
  rule.is_built_in = true;
  const AlertRule* const model = built_in(rule.name);
  rule.is_built_in = model != nullptr && rule == *model;
  if (rule.is_built_in) own = Own();
}

Result<RuleBook::Entry> RuleBook::set(const AlertWish& wish) {
  if (Status why = check_name(wish.rule); !why) return why;
  const auto place = find(wish.rule);
  const AlertRule* const model = built_in(wish.rule);
  if (!place && model == nullptr && (!wish.metric || !wish.threshold)) {
    return bad("alert rule " + in_quotes(wish.rule) + " is new, and lacks " + (wish.metric ? "a threshold" : "a metric"),
               "a new rule needs metric and threshold", unknown(wish.rule).hint);
  }
  if (!place && rules_.size() >= kAlertRulesMax) {
    return Status::error(Code::refused, "alert rule " + in_quotes(wish.rule) + " refused: there are " +
                         std::to_string(rules_.size()) + " rules", "at most " + std::to_string(kAlertRulesMax) + " can be",
                         "drop one that is not needed");
  }
  AlertRule rule;
  Own own;
  if (place) {
    rule = rules_[*place];
    own = owns_[*place];
  } else if (model != nullptr) {
    rule = *model;
  } else {
    rule.name = wish.rule;
  }
  if (Status why = fill_in(wish, rule, own); !why) return why;
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

// A built-in rule takes over what the policy says now, but for what somebody has set.
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
