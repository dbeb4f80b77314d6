// Alert: one period in which the condition of a rule holds, from its start to its end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/instant.hpp"
#include "brain/alerts/rule.hpp"

namespace tide::brain {

struct Alert {
  uint64_t number = 0;  // from 1; 0: the entry is free
  std::string rule;
  Metric metric = Metric::utilization;
  Severity severity = Severity::warning;
  AlertState state = AlertState::pending;
  double value = 0;  // last measured
  double threshold = 0;
  Instant since;             // start of the condition
  Instant last_seen;         // last evaluation in which it held
  Instant resolved_at;       // unset: not yet
  Instant acked_at;          // unset: not acknowledged
  uint64_t occurrences = 0;  // evaluations in which the condition held, at most one a second
  std::string acked_by;
  std::string message;
  std::string advice;
};

// Limits of the journal, in bytes.
inline constexpr size_t kEventTextBytesMax = 166;
inline constexpr size_t kEventDetailBytesMax = 190;

// "wait_time: a caller has ... (oldest_wait_ms 5023, threshold 5000)"; a long message is cut, the numbers are not.
std::string firing_text(const Alert& alert);
std::string resolved_text(const Alert& alert, std::string_view why);
// A JSON object of rule, metric, value, threshold, advice; the advice is cut to the available space.
std::string alert_detail(const Alert& alert);

}  // namespace tide::brain
