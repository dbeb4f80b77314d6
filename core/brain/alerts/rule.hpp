// Alert rule: a condition on one metric, and the message and advice shown when it holds.
//
// Hysteresis: the condition begins at `threshold` and ends at `clear_at`, which is equal or less severe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/instant.hpp"
#include "brain/action.hpp"
#include "brain/alerts/metric.hpp"
#include "policy/policy.hpp"

namespace tide::brain {

inline constexpr size_t kAlertRulesMax = 64;

struct AlertRule {
  std::string name;
  Metric metric = Metric::utilization;
  Comparison comparison = Comparison::at_least;
  double threshold = 0;
  double clear_at = 0;
  Span hold;  // the condition must hold this long before the alert fires
  Severity severity = Severity::warning;
  bool is_enabled = true;
  bool is_built_in = false;  // unmodified
  std::string message;       // what it means, one sentence
  std::string advice;        // what to do

  // False for NaN.
  bool begins_with(double value) const;
  // Whether a condition that held has ended; the value must not be NaN.
  bool ends_with(double value) const;

  bool operator==(const AlertRule&) const = default;
};

// The default of clear_at.
double default_clear_at(Metric metric, Comparison comparison, double threshold);
// "query_ms is > 250".
std::string default_message(const AlertRule& rule);

// The built-in rules of a pool.
std::vector<AlertRule> built_in_rules(const Policy& policy);

// A number for display: four digits, or all digits of a larger whole number.
std::string figure(double value);

}  // namespace tide::brain
