// The byte layout of a segment, continued: what the pool's watch over itself writes: alerts, their rules,
// health and forecasts. The rules of format.hpp hold here too.
//
// These regions are younger than the rest: in the header of an older owner they are all zero.
#pragma once

#include <cstdint>

#include "base/fixed_text.hpp"
#include "model/commands.hpp"
#include "plane/format_cell.hpp"

namespace tide::format {

// Keeper-written, each behind its own `seq`. alert_id 0: never used. A resolved alert makes room for a new one.
struct AlertRecord {
  Cell seq;
  uint64_t alert_id;          // instance bits, then a number, as command ids
  int64_t since_wall_ns;      // the condition holds since
  int64_t last_seen_wall_ns;  // it was last seen to hold
  int64_t resolved_wall_ns;   // 0: not yet
  int64_t acked_wall_ns;      // 0: nobody has
  uint64_t occurrences;       // how many looks found the condition true
  double value;               // when last seen
  double threshold;
  uint32_t severity;  // Severity
  uint32_t state;     // AlertState
  FixedText<48> rule;
  FixedText<48> metric;
  FixedText<64> acked_by;
  FixedText<192> message;
  FixedText<192> advice;
  uint64_t reserved[2];
};
static_assert(sizeof(AlertRecord) == 640);
static_assert(kAckedByBytesMax == decltype(AlertRecord::acked_by)::kBytesMax);

struct AlertRuleRecord {
  FixedText<48> rule;
  FixedText<48> metric;
  double threshold;
  double clear_at;  // the value at which the condition ends
  int64_t hold_ns;  // the condition must hold this long before it fires
  uint32_t comparison;
  uint32_t severity;
  uint32_t is_enabled;
  uint32_t is_built_in;  // 1: as it came with the pool, 0: somebody set it
  FixedText<192> message;
  FixedText<192> advice;
  uint64_t reserved;
};
static_assert(sizeof(AlertRuleRecord) == 528);
static_assert(kRuleNameBytesMax == decltype(AlertRuleRecord::rule)::kBytesMax);
static_assert(kAlertTextBytesMax == decltype(AlertRuleRecord::message)::kBytesMax);

inline constexpr uint32_t kAlertRulesMax = 64;
struct AlertRulesBlock {
  Cell seq;
  uint64_t count;
  uint64_t reserved[6];
  AlertRuleRecord record[kAlertRulesMax];
};
static_assert(sizeof(AlertRulesBlock) == 64 + 64 * 528);

// NaN: not measured. checked_wall_ns 0: never looked at.
struct HealthRecord {
  uint32_t status;  // HealthStatus
  uint32_t reserved;
  double score;  // 0..100
  double value;
  double threshold;
  int64_t checked_wall_ns;
  FixedText<152> message;
};
static_assert(sizeof(HealthRecord) == 192);

inline constexpr uint32_t kHealthChecks = 4;
struct HealthBlock {
  Cell seq;
  uint64_t reserved[7];
  HealthRecord record[kHealthChecks];  // by HealthCheck
};
static_assert(sizeof(HealthBlock) == 64 + 4 * 192);

struct ForecastRecord {
  int64_t at_wall_ns;  // when it was made
  int64_t horizon_ns;
  double predicted_in_use, low, high;
  double error_mape;  // mean absolute error over actual of this model so far, 0..; NaN: not known
  double error_wape;  // sum of absolute errors over sum of actuals
  uint32_t is_selected;
  uint32_t reserved;
  FixedText<24> model;
  uint64_t reserved2[5];
};
static_assert(sizeof(ForecastRecord) == 128);

inline constexpr uint32_t kForecastsMax = 32;
// The brain's numbers of sizing, beside its forecasts. NaN: not known.
struct ForecastsBlock {
  Cell seq;
  uint64_t count;
  double efficiency;           // time in use over time open, decayed
  double slow_share;           // of the requests, decayed
  double prediction_accuracy;  // 1 - WAPE of the selected forecasts 10 s ahead, at least 0
  double demand;               // connections in use and waited for, filtered
  uint64_t overloads_total;    // times the knee was passed
  uint64_t bursts_total;       // times connections were opened for a queue
  ForecastRecord record[kForecastsMax];
};
static_assert(sizeof(ForecastsBlock) == 64 + 32 * 128);

// What is counted since version 0.1 was out: keeper-written, behind `seq`. What reset_stats() found stands beside it.
inline constexpr uint32_t kTallies = 7;
struct Tallies {
  Cell seq;
  Cell bursts_total;       // begun, by command or because callers waited
  Cell emergencies_total;  // begun
  Cell recovery_attempts_total;
  Cell health_checks_total;          // rounds of the four checks
  Cell health_check_failures_total;  // those in which one of them failed
  Cell overloads_total;              // times the knee was passed
  Cell lived_ns_total;               // of closed connections, from connected to closed
  Cell baseline[kTallies];           // of those, in their order
  Cell baseline_faults;              // the sum of SlotStats.faults_total
};
static_assert(sizeof(Tallies) == 128);

}  // namespace tide::format
