#include "brain/sentinel/metric.hpp"

#include <algorithm>

namespace tide::brain {
namespace {

constexpr double kSlack = 0.1;
constexpr double kEndless = std::numeric_limits<double>::infinity();

// clang-format off: a table
constexpr MetricRow kRows[kMetrics] = {
    {"utilization", "ratio", "Connections in use, as a share of the limit of the size.", kSlack, 1, false},
    {"size", "connections", "Connections that are open.", 0, kEndless, false},
    {"in_use", "connections", "Connections that callers have.", 0, kEndless, false},
    {"idle", "connections", "Connections that may be leased at once.", 0, kEndless, false},
    {"waiting", "callers", "Callers in the queue.", 0, kEndless, false},
    {"oldest_wait_ms", "ms", "How long the caller at the head of the queue has waited.", kSlack, kEndless, false},
    {"wait_p95_ms", "ms", "95 of 100 recent leases were given after at most this wait.", kSlack, kEndless, false},
    {"query_ms", "ms", "Mean duration of the recent statements.", kSlack, kEndless, false},
    {"error_rate", "ratio", "Share of the recent statements that failed.", kSlack, 1, false},
    {"errors_per_hour", "errors", "Errors within the last hour.", kSlack, kEndless, false},
    {"timeouts_per_minute", "timeouts", "Callers that waited in vain within the last minute.", 0, kEndless, false},
    {"connect_failures_per_minute", "failures", "Connects that failed within the last minute.", 0, kEndless, false},
    {"health", "score", "The health of the pool, from 0 to 100.", kSlack, 100, false},
    {"health_failure_rate", "ratio", "Share of the recent health checks that failed.", kSlack, 1, false},
    {"scaling_reversals_per_minute", "reversals", "How often within the last minute the size turned back.", kSlack,
     kEndless, false},
    {"overdue_leases", "leases", "Leases that are out for longer than lease_timeout.", 0, kEndless, false},
    {"leak_suspects", "leases", "Leases that are out for longer than leak_threshold.", 0, kEndless, false},
    {"breaker_open", "0 or 1", "The breaker is open: the database cannot be reached.", 0, 1, true},
    {"emergency", "0 or 1", "The size is held down because the pool is in a bad state.", 0, 1, true},
    {"memory_ratio", "ratio", "Memory of the process, as a share of its limit.", kSlack, 1, false},
    {"descriptors_ratio", "ratio", "Open file descriptors, as a share of what the process may have.", kSlack, 1, false},
    {"server_sessions_ratio", "ratio", "All clients' sessions at the server, as a share of what it may have.", kSlack,
     1, false},
    {"file_missing", "0 or 1", "The database file was deleted or replaced under the pool (SQLite).", 0, 1, true},
    {"wal_bytes", "bytes", "The size of the database's write-ahead log (SQLite).", kSlack, kEndless, false},
    {"server_full", "0 or 1", "The server has no room for the connections that the pool may have.", 0, 1, true},
};
// clang-format on

constexpr auto names_of_rows() {
  std::array<std::string_view, kMetrics> names;
  for (size_t i = 0; i < kMetrics; ++i) names[i] = kRows[i].name;
  return names;
}
constexpr auto kNames = names_of_rows();

static_assert(static_cast<size_t>(Metric::server_full) + 1 == kMetrics);

}  // namespace

const MetricRow& about(Metric metric) { return kRows[static_cast<size_t>(metric)]; }

std::span<const std::string_view> metric_names() { return kNames; }

std::optional<Metric> metric_of(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Metric>(found - kNames.begin());
}

}  // namespace tide::brain
