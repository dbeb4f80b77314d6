// Alert metrics: the numbers that alert rules can compare, one row for each; brain/readings computes their current
// values.
//
// The names are stored in segments. Threads: any. Failure: none.
#pragma once

#include <cstddef>
#include <limits>

#include "model/words.hpp"

namespace tide {

inline constexpr double kUsualSlack = 0.1;
inline constexpr double kEndless = std::numeric_limits<double>::infinity();

// X(name, unit, slack, top, is_fact, meaning), as MetricInfo says.
// clang-format off
#define TIDE_ALERT_METRICS(X) \
  X(utilization, "ratio", kUsualSlack, 1, false, "Connections in use / limit_size.") \
  X(size, "connections", 0, kEndless, false, "Connections that are open.") \
  X(in_use, "connections", 0, kEndless, false, "Connections that are leased.") \
  X(idle, "connections", 0, kEndless, false, "Connections that are idle.") \
  X(waiting, "callers", 0, kEndless, false, "Callers waiting for a connection.") \
  X(oldest_wait_ms, "ms", kUsualSlack, kEndless, false, "Wait of the first caller in the queue.") \
  X(wait_p95_ms, "ms", kUsualSlack, kEndless, false, "95th percentile of the recent waits.") \
  X(query_ms, "ms", kUsualSlack, kEndless, false, "Mean duration of the recent statements.") \
  X(error_rate, "ratio", kUsualSlack, 1, false, "Share of the recent statements that failed.") \
  X(errors_per_hour, "errors", kUsualSlack, kEndless, false, "Errors within the last hour.") \
  X(timeouts_per_minute, "timeouts", 0, kEndless, false, "Requests that timed out within the last minute.") \
  X(connect_failures_per_minute, "failures", 0, kEndless, false, "Failed connection attempts within the last minute.") \
  X(health, "score", kUsualSlack, 100, false, "Health of the pool, from 0 to 100.") \
  X(health_failure_rate, "ratio", kUsualSlack, 1, false, "Share of the recent health checks that failed.") \
  X(scaling_reversals_per_minute, "reversals", kUsualSlack, kEndless, false, \
    "Reversals of the direction of scaling within the last minute.") \
  X(overdue_leases, "leases", 0, kEndless, false, "Leases held longer than lease_timeout.") \
  X(leak_suspects, "leases", 0, kEndless, false, "Leases held longer than leak_threshold.") \
  X(breaker_open, "0 or 1", 0, 1, true, "The breaker is open: the database cannot be reached.") \
  X(emergency, "0 or 1", 0, 1, true, "The pool is in emergency mode.") \
  X(memory_ratio, "ratio", kUsualSlack, 1, false, "Memory of the process / its limit.") \
  X(descriptors_ratio, "ratio", kUsualSlack, 1, false, "Open file descriptors / the limit of the process.") \
  X(server_sessions_ratio, "ratio", kUsualSlack, 1, false, \
    "Sessions of all clients at the server / its limit.") \
  X(file_missing, "0 or 1", 0, 1, true, "The database file was deleted or replaced under the pool (SQLite).") \
  X(wal_bytes, "bytes", kUsualSlack, kEndless, false, "Size of the write-ahead log (SQLite).") \
  X(server_full, "0 or 1", 0, 1, true, "The server's connection limit is lower than the pool's.") \
  X(slow_ratio, "ratio", kUsualSlack, 1, false, "Requests of the last minute that waited longer than wait_objective / all.") \
  X(wal_blocked_ms, "ms", kUsualSlack, kEndless, false, \
    "Time for which readers have kept the write-ahead log from being reset (SQLite).")

#define TIDE_METRIC_MEMBER(name, unit, slack, top, is_fact, meaning) name,
#define TIDE_METRIC_WORD(name, unit, slack, top, is_fact, meaning) #name,
#define TIDE_METRIC_ROW(name, unit, slack, top, is_fact, meaning) {#name, unit, meaning, slack, top, is_fact},
// clang-format on

enum class Metric : uint8_t { TIDE_ALERT_METRICS(TIDE_METRIC_MEMBER) };
inline constexpr std::string_view kMetricWords[] = {TIDE_ALERT_METRICS(TIDE_METRIC_WORD)};
template <>
inline constexpr std::span<const std::string_view> kWords<Metric> = kMetricWords;
inline constexpr size_t kMetrics = std::size(kMetricWords);

struct MetricInfo {
  std::string_view name;
  std::string_view unit;
  std::string_view meaning;  // one sentence
  // Default distance between threshold and clear_at, as a share of the threshold. 0 for counts.
  double slack;
  double top;    // largest possible value
  bool is_fact;  // 0 or 1, always known: its alert resolves at once, without waiting whether the condition returns
};
inline constexpr MetricInfo kMetricInfos[] = {TIDE_ALERT_METRICS(TIDE_METRIC_ROW)};

constexpr const MetricInfo& about(Metric metric) { return kMetricInfos[static_cast<size_t>(metric)]; }

}  // namespace tide
