#include "health_checker.hpp"

#include <algorithm>
#include <cmath>

#include "pool/keeper.hpp"
#include "segment/rings.hpp"

namespace tide::sim {
namespace {

// Of connects, beats and rounds: the pool checks once a second.
constexpr Span kSecond = Span::seconds(1);
// An emergency is over when health has recovered: health looks back for 15 s, or for a minute if there were almost no
// statements; then three rounds, a second each.
constexpr Span kEmergencyMax = Span::seconds(66);

long long shown(int64_t n) { return n; }

double expected_health(const format::HealthBlock& block) {
  const double c = block.record[0].score;
  const double p = block.record[1].score;
  return std::round(std::min(0.35 * c + 0.30 * p + 0.15 * block.record[2].score + 0.20 * block.record[3].score,
                             10 + 0.9 * std::min(c, p)));
}

bool has_failed(const format::HealthBlock& block) {
  return std::any_of(block.record, block.record + format::kHealthChecks, [](const format::HealthRecord& record) {
    return record.status == static_cast<uint32_t>(HealthStatus::failed);
  });
}

}  // namespace

// Failed statements are reported as well; a connect is counted first.
void HealthChecker::told(Pool& pool, PoolEvent event, std::string_view text, Instant now) {
  const uint64_t failures = read(pool.segment().totals().connect_failures_total);
  if (event != PoolEvent::error || failures == failures_) return;
  failures_ = failures;
  is_last_failure_permanent_ = text.find("password") != std::string_view::npos;
  failed_at_ = now;
}

HealthChecker::View HealthChecker::view(Pool& pool) {
  Segment& segment = pool.segment();
  const format::Vitals& vitals = segment.vitals();
  View view;
  view.state = static_cast<PoolState>(read(vitals.state));
  view.breaker = static_cast<BreakerState>(read(vitals.breaker));
  view.target = static_cast<int64_t>(read(vitals.target_size));
  view.limit = static_cast<int64_t>(read(vitals.limit_size));
  for (uint64_t slot = 0; slot < read(vitals.slots_used); ++slot) {
    const format::Slot& s = segment.slots()[slot];
    const SlotState state = SlotWord(read(s.word)).state();
    view.last_conn_id = std::max(view.last_conn_id, read(s.conn_id));
    if (state == SlotState::opening) ++view.opening;
    const bool is_open = state == SlotState::idle || state == SlotState::leased || state == SlotState::soiled ||
                         state == SlotState::held;
    if (is_open && !format::Retirement::of(s)) ++view.staying;
  }
  return view;
}

bool HealthChecker::is_refusing(Pool& pool) {
  const auto breaker = static_cast<BreakerState>(read(pool.segment().vitals().breaker));
  return breaker == BreakerState::open || breaker == BreakerState::half_open;
}

std::string HealthChecker::ills(Pool& pool) {
  const format::Vitals& vitals = pool.segment().vitals();
  const View seen = view(pool);
  std::string text = "state " + std::to_string(read(vitals.state)) + ", health " +
                     std::to_string(static_cast<int64_t>(read(vitals.health))) + ", " + std::to_string(seen.staying) +
                     " open and " + std::to_string(seen.opening) + " opening, target " + std::to_string(seen.target) +
                     ", limit " + std::to_string(seen.limit) + ", breaker " +
                     std::to_string(static_cast<int>(seen.breaker));
  for (const format::HealthRecord& record : pool.segment().health().record) {
    if (record.status != 0) text += ", " + record.message.str();
  }
  return text;
}

void HealthChecker::turned(Pool& pool, Instant now, Span lateness) {
  ++turns_;
  const View seen = view(pool);
  const bool is_closing = seen.state == PoolState::closed || seen.state == PoolState::draining;
  if (is_closing || !not_draining_since_.is_set()) not_draining_since_ = now;
  check_health(pool);
  check_hands(pool, now, lateness);
  if (!is_closing) {
    check_states(pool, seen);
    check_breaker(pool, seen, now);
    check_caps(pool, seen);
  }
  check_ends(pool, seen, now, lateness);
  const uint64_t health = read(pool.segment().vitals().health);
  is_well_ = seen.state == PoolState::running && (health >= 90 || health == ~uint64_t{0});
  last_conn_id_ = std::max(last_conn_id_, seen.last_conn_id);
}

void HealthChecker::check_states(Pool&, const View& view) {
  const bool is_ill = has_failed_check_ || view.is_tripped();
  if (view.state == PoolState::degraded && !was_degraded_) ++degradations_;
  was_degraded_ = view.state == PoolState::degraded;
  if (view.state == PoolState::degraded && !is_ill) trace_.complain("state", "degraded, but no check fails");
  if ((view.state == PoolState::running || view.state == PoolState::starting) && is_ill) {
    trace_.complain("state", "%s, but %s", view.state == PoolState::running ? "running" : "starting",
                    has_failed_check_ ? "a check fails" : "the breaker is open");
  }
}

void HealthChecker::check_breaker(Pool& pool, const View& view, Instant now) {
  const Policy& policy = pool.keeper().policy();
  if ((view.breaker == BreakerState::off) == policy.breaker) {
    trace_.complain("breaker", "it is %s, the option %s", policy.breaker ? "off" : "there",
                    policy.breaker ? "on" : "off");
  }
  const bool is_tripped = view.is_tripped();
  const auto begun = static_cast<int64_t>(std::max(view.last_conn_id, last_conn_id_) - last_conn_id_);
  if (is_tripped && !was_tripped_) {
    ++trips_;
    tripped_since_ = now;
    probe_began_at_ = failed_at_;
    if (now - alive_at_ < policy.breaker_trip_after) {
      trace_.complain("breaker", "it opens %.3f ms after a connection was alive, expected %.3f ms",
                      (now - alive_at_).ms_exact(), policy.breaker_trip_after.ms_exact());
    }
  }
  if (view.staying > 0) alive_at_ = now;
  if (is_tripped && view.staying > 0) {
    trace_.complain("breaker", "it is open beside %lld live connections", shown(view.staying));
  }
  if (is_tripped && read(pool.segment().queue().waiting) != 0) {
    trace_.complain("breaker", "it is open, and a request waits");
  }
  if (is_tripped && begun > 0) {
    const Span apart = is_last_failure_permanent_ ? std::max(policy.breaker_probe_interval, policy.retry_max)
                                                  : policy.breaker_probe_interval;
    if (view.opening > 1)
      trace_.complain("breaker", "%lld connects in progress, one of them a probe", shown(view.opening));
    if (probe_began_at_.is_set() && now - probe_began_at_ < apart) {
      trace_.complain("breaker", "a probe %.3f ms after the last one, expected %.3f ms",
                      (now - probe_began_at_).ms_exact(), apart.ms_exact());
    }
    probe_began_at_ = now;
  }
  was_tripped_ = is_tripped;
}

void HealthChecker::check_caps(Pool& pool, const View& view) {
  const Policy& policy = pool.keeper().policy();
  if (view.staying > view.limit) {
    trace_.complain("cap", "%lld connections stay, the limit is %lld", shown(view.staying), shown(view.limit));
  }
  if (view.target > view.limit)
    trace_.complain("cap", "target %lld, limit %lld", shown(view.target), shown(view.limit));
  if (view.state == PoolState::emergency && view.limit > policy.emergency_max_size) {
    trace_.complain("cap", "emergency, but the limit is %lld", shown(view.limit));
  }
  const bool is_burst = read(pool.segment().vitals().burst_until_mono) != 0;
  const int64_t most = is_burst ? std::max(policy.size_limit(), policy.burst_limit()) : policy.size_limit();
  if (view.limit > most)
    trace_.complain("cap", "the limit is %lld, the maximum is %lld", shown(view.limit), shown(most));
}

// The keeper's operations on slots finish in time.
void HealthChecker::check_hands(Pool& pool, Instant now, Span lateness) {
  Segment& segment = pool.segment();
  const Policy& policy = pool.keeper().policy();
  connect_timeout_max_ = std::max(connect_timeout_max_, policy.connect_timeout);
  validation_timeout_max_ = std::max(validation_timeout_max_, policy.validation_timeout);
  for (uint64_t slot = 0; slot < read(segment.vitals().slots_used); ++slot) {
    const format::Slot& s = segment.slots()[slot];
    const SlotState state = SlotWord(read(s.word)).state();
    if (state != SlotState::opening && state != SlotState::held) continue;
    const Span age = now - Instant::at_ns(static_cast<int64_t>(read(s.since_mono)));
    const Span most = state == SlotState::opening ? connect_timeout_max_ : validation_timeout_max_;
    if (age > most + kSecond + lateness) {
      trace_.complain("hands", "slot %llu has been in state %d for %.1f s", static_cast<unsigned long long>(slot),
                      static_cast<int>(state), age.seconds_exact());
    }
  }
}

void HealthChecker::check_health(Pool& pool) {
  const format::HealthBlock& block = pool.segment().health();
  const uint64_t health = read(pool.segment().vitals().health);
  has_failed_check_ = has_failed(block);
  if (block.record[0].checked_wall_ns == 0) {
    if (health != ~uint64_t{0})
      trace_.complain("health", "%llu, but never checked", static_cast<unsigned long long>(health));
    return;
  }
  for (const format::HealthRecord& record : block.record) {
    const auto status = static_cast<HealthStatus>(record.status);
    const bool fits = status == HealthStatus::ok        ? record.score == 100
                      : status == HealthStatus::warning ? record.score >= 50 && record.score < 100
                                                        : record.score >= 0 && record.score < 50;
    if (!fits) trace_.complain("health", "status %u with a score of %.1f", record.status, record.score);
  }
  if (static_cast<double>(health) != expected_health(block)) {
    trace_.complain("health", "%lld, but the checks give %.0f", shown(static_cast<int64_t>(health)),
                    expected_health(block));
  }
}

void HealthChecker::check_ends(Pool& pool, const View& view, Instant now, Span lateness) {
  const bool is_emergency = view.state == PoolState::emergency;
  if (is_emergency && !was_emergency_) {
    ++emergencies_;
    emergency_since_ = now;
  }
  was_emergency_ = is_emergency;
  if (!well_since_.is_set()) return;
  const Policy& policy = pool.keeper().policy();
  const Instant since = latest(well_since_, not_draining_since_);
  if (is_emergency && now - since > kEmergencyMax + lateness * 66) {
    trace_.complain("emergency", "it lasts, although there were no faults for %.1f s", (now - since).seconds_exact());
  }
  if (!view.is_tripped() || view.limit == 0) return;
  // A probe in progress when the server comes back may have to finish first.
  const Span apart = is_last_failure_permanent_ ? std::max(policy.breaker_probe_interval, policy.retry_max)
                                                : policy.breaker_probe_interval;
  const Span bound = apart + apart / 10 + policy.connect_timeout + kSecond + lateness * 4;
  // It may open late: connects that began before hang until their timeout.
  const Span late = policy.connect_timeout + policy.breaker_trip_after + kSecond + lateness * 4;
  if (now - latest(since, tripped_since_) > bound || tripped_since_ - since > late) {
    trace_.complain("breaker", "it is open, although the server has been available for %.1f s",
                    (now - since).seconds_exact());
  }
}

}  // namespace tide::sim
