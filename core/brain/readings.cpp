#include "brain/readings.hpp"

#include <algorithm>

namespace tide::brain {
namespace {

double whole(int64_t n) { return static_cast<double>(n); }

double ratio(double part, double whole) { return whole > 0 ? part / whole : Resources::kUnknown; }

struct LeaseCounts {
  int64_t overdue = 0;
  int64_t suspect = 0;
};

LeaseCounts count_leases(const Desk& desk) {
  LeaseCounts n;
  for (const SlotCensus& slot : desk.census().slots) {
    if (slot.phase != Phase::leased) continue;
    n.overdue += desk.dossier(slot).is_overdue ? 1 : 0;
    n.suspect += desk.dossier(slot).is_suspect ? 1 : 0;
  }
  return n;
}

}  // namespace

Readings take_readings(const Desk& desk, const HealthMonitor& health_monitor) {
  const Census& census = desk.census();
  const Counts& counts = desk.counts();
  const Pulse& pulse = desk.ledger().pulse;
  const Beat* statements = pulse.with_statements();
  const LeaseCounts leases = count_leases(desk);
  const Resources& r = census.resources;
  Readings out;
  out[Metric::utilization] = ratio(whole(counts.in_use), whole(std::max<int64_t>(1, desk.bounds().limit)));
  out[Metric::size] = whole(counts.total - counts.closing);
  out[Metric::in_use] = whole(counts.in_use);
  out[Metric::idle] = whole(counts.idle);
  out[Metric::waiting] = whole(census.waiting);
  out[Metric::oldest_wait_ms] =
      census.waiting > 0 ? std::max(0.0, (desk.now() - census.oldest_wait_since).ms_exact()) : 0;
  out[Metric::wait_p95_ms] = census.wait_p95.ms_exact();
  out[Metric::query_ms] = statements != nullptr ? statements->query_s * 1e3 / statements->queries : Resources::kUnknown;
  out[Metric::error_rate] = statements != nullptr ? std::min(1.0, statements->faults / statements->queries) : 0;
  out[Metric::errors_per_hour] = pulse.errors_of_hour();
  out[Metric::timeouts_per_minute] = pulse.minute().timeouts;
  out[Metric::connect_failures_per_minute] = pulse.minute().connect_failures;
  out[Metric::health] = health_monitor.health().score >= 0 ? whole(health_monitor.health().score) : Resources::kUnknown;
  out[Metric::health_failure_rate] = health_monitor.failure_rate(desk.now());
  out[Metric::scaling_reversals_per_minute] = pulse.minute().reversals;
  out[Metric::overdue_leases] = whole(leases.overdue);
  out[Metric::leak_suspects] = whole(leases.suspect);
  out[Metric::breaker_open] = health_monitor.breaker().is_tripped() ? 1 : 0;
  out[Metric::emergency] = health_monitor.emergency().is_on() ? 1 : 0;
  out[Metric::memory_ratio] = ratio(r.memory_bytes, r.memory_limit_bytes);
  out[Metric::descriptors_ratio] = ratio(r.descriptors, r.descriptors_max);
  out[Metric::server_sessions_ratio] = ratio(r.server_sessions, r.server_sessions_max);
  out[Metric::file_missing] = r.is_file_missing ? 1 : 0;
  out[Metric::wal_bytes] = r.wal_bytes;
  out[Metric::wal_blocked_ms] = r.wal_blocked_ms;
  out[Metric::slow_ratio] =
      std::min(1.0, ratio(pulse.minute().slow - pulse.minute().paused_slow, pulse.minute().requests));
  out[Metric::server_full] = desk.ledger().caps.room ? 1 : 0;
  return out;
}

}  // namespace tide::brain
