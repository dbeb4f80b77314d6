#include "plane/vocabulary.hpp"

namespace tide::vocabulary {
namespace {

constexpr std::string_view kBackends[] = {"postgresql", "sqlite", "custom"};
constexpr std::string_view kPoolStates[] = {"starting", "running",   "paused", "draining",
                                            "degraded", "emergency", "closed"};
constexpr std::string_view kSizeSources[] = {"config", "autoscale", "predicted", "manual",
                                             "burst",  "emergency", "budget"};
constexpr std::string_view kSeverities[] = {"info", "warning", "critical"};
constexpr std::string_view kEventKinds[] = {"pool_open",
                                            "pool_closed",
                                            "connect_error",
                                            "connection_lost",
                                            "validation_failed",
                                            "lease_overdue",
                                            "lease_cancelled",
                                            "lease_revoked",
                                            "leak_suspected",
                                            "transaction_ended",
                                            "scale_up",
                                            "scale_down",
                                            "burst_on",
                                            "burst_off",
                                            "pause",
                                            "resume",
                                            "drain",
                                            "recycle",
                                            "setting_changed",
                                            "command_refused",
                                            "acquire_timeout",
                                            "init",
                                            "stats_reset",
                                            "server_notice",
                                            "breaker_open",
                                            "breaker_probe",
                                            "breaker_closed",
                                            "emergency_on",
                                            "emergency_off",
                                            "health_failed",
                                            "health_ok",
                                            "recovery",
                                            "alert_firing",
                                            "alert_resolved",
                                            "alert_acked",
                                            "alert_rule_changed",
                                            "warming",
                                            "overload_on",
                                            "overload_off",
                                            "memory_pressure",
                                            "clock_jump",
                                            "events_dropped",
                                            "server_full_on",
                                            "server_full_off"};
constexpr std::string_view kVerbs[] = {
    "scale",  "burst",       "end_burst",    "set", "pause",     "resume",     "recycle", "drain", "close_connection",
    "revoke", "reset_stats", "check_health", "ack", "set_alert", "drop_alert", "evaluate"};
constexpr std::string_view kBreakerStates[] = {"off", "closed", "open", "half_open"};
constexpr std::string_view kPoolers[] = {"", "none", "session", "transaction"};
constexpr std::string_view kAlertStates[] = {"pending", "firing", "resolved"};
constexpr std::string_view kComparisons[] = {">", ">=", "<", "<="};
constexpr std::string_view kAlertMetrics[] = {"utilization",
                                              "size",
                                              "in_use",
                                              "idle",
                                              "waiting",
                                              "oldest_wait_ms",
                                              "wait_p95_ms",
                                              "query_ms",
                                              "error_rate",
                                              "errors_per_hour",
                                              "timeouts_per_minute",
                                              "connect_failures_per_minute",
                                              "health",
                                              "health_failure_rate",
                                              "scaling_reversals_per_minute",
                                              "overdue_leases",
                                              "leak_suspects",
                                              "breaker_open",
                                              "emergency",
                                              "memory_ratio",
                                              "descriptors_ratio",
                                              "server_sessions_ratio",
                                              "file_missing",
                                              "wal_bytes",
                                              "server_full"};
constexpr std::string_view kHealthChecks[] = {"connectivity", "performance", "resources", "scaling"};
constexpr std::string_view kHealthStatuses[] = {"ok", "warning", "failed"};
constexpr std::string_view kCommandStatuses[] = {"queued", "applied", "refused", "expired"};

}  // namespace

std::span<const std::string_view> backends() { return kBackends; }
std::span<const std::string_view> pool_states() { return kPoolStates; }
std::span<const std::string_view> size_sources() { return kSizeSources; }
std::span<const std::string_view> severities() { return kSeverities; }
std::span<const std::string_view> event_kinds() { return kEventKinds; }
std::span<const std::string_view> verbs() { return kVerbs; }
std::span<const std::string_view> command_statuses() { return kCommandStatuses; }
std::span<const std::string_view> breaker_states() { return kBreakerStates; }
std::span<const std::string_view> poolers() { return kPoolers; }
std::span<const std::string_view> alert_states() { return kAlertStates; }
std::span<const std::string_view> comparisons() { return kComparisons; }
std::span<const std::string_view> alert_metrics() { return kAlertMetrics; }
std::span<const std::string_view> health_checks() { return kHealthChecks; }
std::span<const std::string_view> health_statuses() { return kHealthStatuses; }

std::string_view word(std::span<const std::string_view> words, uint64_t number) {
  return number < words.size() ? words[number] : std::string_view("unknown");
}

}  // namespace tide::vocabulary
