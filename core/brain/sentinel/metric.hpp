// Metric: what an alert rule can look at. One number each; NaN where nothing has measured it.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>

namespace tide::brain {

// The numbers travel in segments as words of plane/vocabulary's alert_metrics(); append only.
enum class Metric : uint8_t {
  utilization,
  size,
  in_use,
  idle,
  waiting,
  oldest_wait_ms,
  wait_p95_ms,
  query_ms,
  error_rate,
  errors_per_hour,
  timeouts_per_minute,
  connect_failures_per_minute,
  health,
  health_failure_rate,
  scaling_reversals_per_minute,
  overdue_leases,
  leak_suspects,
  breaker_open,
  emergency,
  memory_ratio,
  descriptors_ratio,
  server_sessions_ratio,
  file_missing,
  wal_bytes,
  server_full,
};
inline constexpr size_t kMetrics = 25;

struct MetricRow {
  std::string_view name;
  std::string_view unit;
  std::string_view meaning;  // one sentence
  // How far behind the threshold a rule's condition ends when nobody says: this share of the threshold. Counts: 0.
  double slack;
  double top;    // it cannot be greater
  bool is_fact;  // 0 or 1, known at every moment: its alert need not wait whether it comes back
};

const MetricRow& about(Metric metric);
// In the order of the enum.
std::span<const std::string_view> metric_names();
std::optional<Metric> metric_of(std::string_view name);

struct Readings {
  Readings() { value.fill(std::numeric_limits<double>::quiet_NaN()); }

  double& operator[](Metric metric) { return value[static_cast<size_t>(metric)]; }
  double operator[](Metric metric) const { return value[static_cast<size_t>(metric)]; }

  std::array<double, kMetrics> value;
};

}  // namespace tide::brain
