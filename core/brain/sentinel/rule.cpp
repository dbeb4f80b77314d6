#include "brain/sentinel/rule.hpp"

#include <algorithm>
#include <array>
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
// 0 is no bound.
double wal_limit(const Policy& p) { return p.sqlite_wal_limit != 0 ? static_cast<double>(p.sqlite_wal_limit) : 1e18; }

const BuiltIn kBuiltIn[] = {
    {"connection_exhaustion", Metric::utilization, kAtLeast, [](const Policy& p) { return p.alert_utilization; },
     Span::seconds(10), kWarning, "Nearly all connections that the pool may have are in use.",
     "Look into leases who holds them, and for what. If they are needed raise max_size, or start a burst; else make "
     "the work under a lease shorter."},
    {"wait_time", Metric::oldest_wait_ms, kAtLeast, [](const Policy& p) { return p.alert_wait.ms_exact(); }, Span(),
     kWarning, "A caller has waited long for a connection.",
     "If events of kind connect_error are recent, mend that. Else look into leases who keeps connections away from "
     "waiters; raise max_size, or lower acquire_timeout."},
    {"acquire_timeouts", Metric::timeouts_per_minute, kAbove, none, Span(), kWarning,
     "Callers waited for a connection in vain.",
     "If events of kind connect_error are recent, mend that. Else look into leases who holds the connections: raise "
     "max_size, or hold leases for a shorter time."},
    {"error_rate", Metric::error_rate, kAbove, [](const Policy& p) { return p.alert_error_rate; }, Span::seconds(10),
     kWarning, "Many statements fail.",
     "Look into events and into the database's log for the errors; if connections are at fault, recycle the pool."},
    {"errors_per_hour", Metric::errors_per_hour, kAbove,
     [](const Policy& p) { return static_cast<double>(p.alert_errors_per_hour); }, Span(), kWarning,
     "There were many errors within an hour.",
     "Look into events and into the database's log for what they have in common. Raise alert_errors_per_hour if so "
     "many are usual."},
    {"waiting_count", Metric::waiting, kAbove, [](const Policy& p) { return static_cast<double>(p.alert_waiting); },
     Span::seconds(5), kWarning, "Many callers wait for a connection.",
     "If events of kind connect_error are recent, mend that. Else look into waiters and leases; raise max_size if the "
     "database bears it, or bound the queue with max_waiting."},
    {"health_failures", Metric::health_failure_rate, kAbove,
     [](const Policy& p) { return p.alert_health_failure_rate; }, Span(), kCritical,
     "Many of the recent health checks failed.",
     "Look into health_checks which check failed and why; then at the database itself and the way to it."},
    {"frequent_scaling", Metric::scaling_reversals_per_minute, kAbove, [](const Policy&) { return 30.0; }, Span(),
     Severity::info, "The size goes up and down without rest.", ""},  // see advice_on_scaling()
    {"overdue_leases", Metric::overdue_leases, kAtLeast, one, Span(), kWarning,
     "Leases are out for longer than lease_timeout.",
     "Look into leases who has them; revoke them, or let lease_timeout_action do it. Raise lease_timeout if the work "
     "takes so long."},
    {"leaked_leases", Metric::leak_suspects, kAtLeast, one, Span(), kWarning,
     "Leases are out for so long that they look forgotten.",
     "Look into leases for their tags, find the code that does not release, and revoke them. Raise leak_threshold if "
     "they are meant to be."},
    {"breaker_open", Metric::breaker_open, kAtLeast, one, Span(), kCritical,
     "The database cannot be reached, and callers are refused at once.",
     "Look at the database server and at the network; the events of kind connect_error say what was met. The pool "
     "probes every breaker_probe_interval."},
    {"emergency", Metric::emergency, kAtLeast, one, Span(), kCritical,
     "The pool is in an emergency: its size is held down.",
     "Look into health_checks and events for the cause. It ends by itself; emergency_below and emergency_max_size say "
     "when "
     "and how much."},
    {"memory_pressure", Metric::memory_ratio, kAtLeast, [](const Policy& p) { return p.alert_memory; },
     Span::seconds(10), kWarning, "The process is short of memory.",
     "Lower max_size or sqlite_cache_pages, or give the process more memory; memory_limit says what counts as all."},
    {"file_missing", Metric::file_missing, kAtLeast, one, Span(), kCritical,
     "The database file was deleted or replaced under the pool; statements fail.",
     "Put the file back, without the -wal and -shm files of another: the pool takes it up by itself. The events of "
     "kind "
     "connection_lost say what happened."},
    {"wal_size", Metric::wal_bytes, kAbove, wal_limit, Span::seconds(30), kWarning,
     "The write-ahead log of the database is large; readers that overlap keep it from starting anew.",
     "Look into leases for reads that last, also in other processes. Lower sqlite_max_read_transaction, or raise "
     "sqlite_wal_limit if the disk bears it."},
    {"server_full", Metric::server_full, kAtLeast, one, Span(), kWarning,
     "The server has no room for the connections that the pool may have.",
     "See events of kind connect_error for the limit that was met: of the server, the role or the database, or of file "
     "descriptors. Raise it there, or lower max_size."},
};

// Only options that have an effect: which ones keep connections longer depends on who moves the target.
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
  // Upwards there may be less room: half of what there is, or the condition could never end.
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
