#include "brain/alerts/rule.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "brain/brain.hpp"

namespace tide::brain {
namespace {

bool holds(Comparison comparison, double value, double bound) {
  switch (comparison) {
    case Comparison::above: return value > bound;
    case Comparison::at_least: return value >= bound;
    case Comparison::below: return value < bound;
    case Comparison::at_most: break;
  }
  return value <= bound;
}

struct BuiltIn {
  std::string_view name;
  Metric metric;
  Comparison comparison;
  double (*threshold)(const Policy&);
  Span hold;
  Severity severity;
  std::string_view message;
  std::string_view advice;
};

constexpr Comparison kAbove = Comparison::above;
constexpr Comparison kAtLeast = Comparison::at_least;
constexpr Severity kWarning = Severity::warning;
constexpr Severity kCritical = Severity::critical;

double one(const Policy&) { return 1; }
double none(const Policy&) { return 0; }
// 0 means no bound.
double slow_limit(const Policy& p) { return p.alert_slow_ratio != 0 ? p.alert_slow_ratio : 1; }
double wal_limit(const Policy& p) { return p.sqlite_wal_limit != 0 ? static_cast<double>(p.sqlite_wal_limit) : 1e18; }

const BuiltIn kBuiltIn[] = {
    {"connection_exhaustion", Metric::utilization, kAtLeast, [](const Policy& p) { return p.alert_utilization; },
     Span::seconds(10), kWarning, "Nearly all connections are in use.",
     "Check leases for the holders. If they are needed, raise max_size or start a burst; otherwise hold leases for "
     "less "
     "time."},
    {"wait_time", Metric::oldest_wait_ms, kAtLeast, [](const Policy& p) { return p.alert_wait.ms_exact(); }, Span(),
     kWarning, "A caller has been waiting too long for a connection.",
     "If events shows recent connect_error events, fix their cause. Otherwise check leases for the holders; raise "
     "max_size, or lower acquire_timeout."},
    {"acquire_timeouts", Metric::timeouts_per_minute, kAbove, none, Span(), kWarning,
     "Requests for a connection timed out.",
     "If events shows recent connect_error events, fix their cause. Otherwise check leases for the holders; raise "
     "max_size, or hold leases for less time."},
    {"error_rate", Metric::error_rate, kAbove, [](const Policy& p) { return p.alert_error_rate; }, Span::seconds(10),
     kWarning, "Many statements fail.",
     "Check events and the database's log for the errors; if connections are the cause, recycle the pool."},
    {"errors_per_hour", Metric::errors_per_hour, kAbove,
     [](const Policy& p) { return static_cast<double>(p.alert_errors_per_hour); }, Span(), kWarning,
     "Many errors occurred within an hour.",
     "Check events and the database's log for a common cause. Raise alert_errors_per_hour if this many errors are "
     "normal."},
    {"waiting_count", Metric::waiting, kAbove, [](const Policy& p) { return static_cast<double>(p.alert_waiting); },
     Span::seconds(5), kWarning, "Many callers are waiting for a connection.",
     "If events shows recent connect_error events, fix their cause. Otherwise check waiters and leases; raise max_size "
     "if the database can handle it, or limit the queue with max_waiting."},
    {"health_failures", Metric::health_failure_rate, kAbove,
     [](const Policy& p) { return p.alert_health_failure_rate; }, Span(), kCritical,
     "Many of the recent health checks failed.",
     "Check health_checks for the failed check and its reason, then the database and the network."},
    {"frequent_scaling", Metric::scaling_reversals_per_minute, kAbove, [](const Policy&) { return 30.0; }, Span(),
     Severity::info, "The pool's size oscillates.", ""},  // see advice_on_scaling()
    {"overdue_leases", Metric::overdue_leases, kAtLeast, one, Span(), kWarning,
     "Leases are held longer than lease_timeout.",
     "Check leases for the holders; revoke them, or set lease_timeout_action. Raise lease_timeout if the work takes "
     "this long."},
    {"leaked_leases", Metric::leak_suspects, kAtLeast, one, Span(), kWarning,
     "Leases are held longer than leak_threshold and may have leaked.",
     "Check leases for their tags, find the code that does not release them, and revoke them. Raise leak_threshold if "
     "such leases are intended."},
    {"breaker_open", Metric::breaker_open, kAtLeast, one, Span(), kCritical,
     "The database cannot be reached; requests are refused immediately.",
     "Check the database server and the network; see connect_error in events. The pool retries every "
     "breaker_probe_interval."},
    {"emergency", Metric::emergency, kAtLeast, one, Span(), kCritical,
     "The pool is in emergency mode with reduced size.",
     "Check health_checks and events for the cause. The emergency ends automatically; see emergency_below and "
     "emergency_max_size."},
    {"memory_pressure", Metric::memory_ratio, kAtLeast, [](const Policy& p) { return p.alert_memory; },
     Span::seconds(10), kWarning, "The process is near its memory limit.",
     "Lower max_size or sqlite_cache_pages, or give the process more memory; see memory_limit."},
    {"file_missing", Metric::file_missing, kAtLeast, one, Span(), kCritical,
     "The database file was deleted or replaced; statements fail.",
     "Restore the file without the -wal and -shm files of another database; the pool reopens it automatically. See "
     "connection_lost in events."},
    {"wal_size", Metric::wal_bytes, kAbove, wal_limit, Span::seconds(30), kWarning,
     "The write-ahead log is large; overlapping readers prevent it from being reset.",
     "Check wal for the oldest reader, also in other processes. Lower sqlite_max_read_transaction, or raise "
     "sqlite_wal_limit if there is enough disk space."},
    {"wal_blocked", Metric::wal_blocked_ms, kAbove, [](const Policy&) { return 30e3; }, Span(), kWarning,
     "A long read keeps the write-ahead log from being reset.",
     "Check wal for the oldest reader and its tag; if there is none, another process or a statement on the native "
     "handle "
     "is reading. End that read, or lower sqlite_max_read_transaction."},
    {"server_full", Metric::server_full, kAtLeast, one, Span(), kWarning,
     "The server's connection limit is lower than the pool's.",
     "See connect_error in events for the limit that was reached: of the server, the role, the database, or file "
     "descriptors. Raise it, or lower max_size."},
    {"slow_requests", Metric::slow_ratio, kAbove, slow_limit, Span::seconds(30), kWarning,
     "Too many requests wait longer than wait_objective.",
     "Check leases for long holders and scaling_events for limits; raise max_size, or wait_objective if such waits are "
     "acceptable."},
};

// Only options that have an effect: what moves the target determines which ones keep connections longer.
std::string_view advice_on_scaling(const Policy& policy) {
  if (!policy.scaling) {
    return "Check scaling_events for the reasons. Raise min_size, or idle_timeout, so that connections stay.";
  }
  if (policy.sizing == Sizing::adaptive) {
    return "Check scaling_events for the reasons. Raise min_size so that connections stay, or scaling_interval so that "
           "the size changes less often.";
  }
  return "Check scaling_events for the reasons. Raise min_size, or scale_down_cooldown, so that connections stay.";
}

}  // namespace

bool AlertRule::begins_with(double value) const { return holds(comparison, value, threshold); }
bool AlertRule::ends_with(double value) const { return !holds(comparison, value, clear_at); }

double default_clear_at(Metric metric, Comparison comparison, double threshold) {
  const MetricInfo& row = about(metric);
  const double slack = threshold * row.slack;
  if (comparison == Comparison::above || comparison == Comparison::at_least) return threshold - slack;
  // Towards an upper end there may be less room: use half of it, otherwise the condition could never end.
  return threshold + std::max(0.0, std::min(slack, (row.top - threshold) / 2));
}

std::string default_message(const AlertRule& rule) {
  return std::string(about(rule.metric).name) + " is " + std::string(word(rule.comparison)) + " " +
         figure(rule.threshold);
}

std::vector<AlertRule> built_in_rules(const Policy& policy) {
  std::vector<AlertRule> rules;
  rules.reserve(kAlertRulesMax);
  for (const BuiltIn& row : kBuiltIn) {
    AlertRule& rule = rules.emplace_back();
    rule.name = row.name;
    rule.metric = row.metric;
    rule.comparison = row.comparison;
    rule.threshold = row.threshold(policy);
    rule.clear_at = default_clear_at(rule.metric, rule.comparison, rule.threshold);
    rule.hold = row.hold;
    rule.severity = row.severity;
    rule.is_built_in = true;
    rule.message = row.message;
    rule.advice = row.metric == Metric::scaling_reversals_per_minute ? advice_on_scaling(policy) : row.advice;
  }
  return rules;
}

std::string figure(double value) {
  char out[32];
  const bool is_great = std::fabs(value) >= 1000 && std::fabs(value) < 1e15;
  std::snprintf(out, sizeof out, is_great ? "%.0f" : "%.4g", value);
  return out;
}

}  // namespace tide::brain
