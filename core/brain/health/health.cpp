#include "brain/health/health.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>

#include "base/units.hpp"
#include "brain/wording.hpp"

namespace tide::brain {
namespace {

constexpr double kWarnFrom = 0.5;             // of the threshold, for rates and durations
constexpr size_t kBusyBeats = 5;              // so that a short peak does not fail the check
constexpr Span kResuming = Span::seconds(5);  // after a drain nothing is open yet, as requested

std::string percent(double ratio) { return short_number(ratio * 100) + " %"; }

HealthStatus status_of(double score) {
  return score >= 100 ? HealthStatus::ok : score >= 50 ? HealthStatus::warning : HealthStatus::failed;
}

// 100 up to half the threshold, falling to 50 just before it, 49 at it, falling to 0 at `worst`.
double grade(double value, double threshold, double worst) {
  if (!std::isfinite(value) || value <= 0) return 100;
  if (value >= worst) return 0;
  if (value >= threshold) return 49 * (worst - value) / (worst - threshold);
  const double x = value / threshold;
  return x <= kWarnFrom ? 100 : 99 - (x - kWarnFrom) / (1 - kWarnFrom) * 49;
}

// The worst value is half of all requests, or twice the threshold if that is more.
double grade_rate(double value, double threshold) { return grade(value, threshold, std::max(0.5, 2 * threshold)); }
double grade_duration(double value, double threshold) { return grade(value, threshold, 3 * threshold); }

// 100 below the threshold, falling to 50 half-way from there to 1, then to 0 at 1.
double grade_share(double value, double threshold) {
  if (!std::isfinite(value) || value < threshold) return 100;
  const double middle = (1 + threshold) / 2;
  if (threshold >= 1) return 0;
  if (value < middle) return 99 - (value - threshold) / (middle - threshold) * 49;
  return std::max(0.0, 49 * (1 - value) / (1 - middle));
}

void put(Finding& finding, double score, double value, double threshold, std::string message) {
  finding.score = std::clamp(std::round(score), 0.0, 100.0);
  finding.status = status_of(finding.score);
  finding.value = value;
  finding.threshold = threshold;
  finding.message = std::move(message);
}

void check_connectivity(const Desk& desk, const HealthFacts& facts, const Pulse& pulse, Finding& out) {
  // Includes the leased ones that will end when they are returned: their holders use them.
  const int64_t alive = desk.counts().alive();
  const int64_t wanted =
      facts.is_wanted ? std::min({desk.policy().healthy_min(), desk.ledger().target, desk.bounds().limit}) : 0;
  const double alive_value = static_cast<double>(alive);
  const double threshold = static_cast<double>(wanted);
  if (desk.census().resources.is_file_missing) {
    return put(out, 0, alive_value, threshold, "the database file was deleted or replaced");
  }
  // An old failure, after which no further connect was needed, is not a current problem.
  const bool is_failing = facts.failing_since.is_set() &&
                          (alive == 0 || desk.counts().connecting > 0 || pulse.quarter().connect_failures > 0);
  if (is_failing) {
    const std::string since = "connection attempts have failed for " + describe_span(desk.now() - facts.failing_since);
    if (alive == 0) {
      return put(out, 0, alive_value, threshold,
                 "no connection is open, " + since + (facts.is_tripped ? "; the breaker is open" : ""));
    }
    return put(out, 50 + 30 * std::min(1.0, alive_value / std::max(1.0, threshold)), alive_value, threshold,
               counted(alive, "connection") + " alive, but " + since);
  }
  if (alive < wanted) {
    const std::optional<Instant> resumed_at = desk.ledger().resumed_at;
    const bool is_coming = desk.counts().opening > 0 || (resumed_at && desk.now() - *resumed_at < kResuming);
    const double score = alive == 0 && !is_coming ? 25 : 50 + 45 * alive_value / std::max(1.0, threshold);
    return put(out, score, alive_value, threshold,
               std::to_string(alive) + " of " + counted(wanted, "connection") + " alive" +
                   (is_coming ? ", opening more" : ""));
  }
  if (pulse.quarter().validation_failures > 0) {
    return put(
        out, 70, alive_value, threshold,
        counted(static_cast<int64_t>(pulse.quarter().validation_failures), "validation") + " failed within 15 s");
  }
  put(out, 100, alive_value, threshold, counted(alive, "connection") + " alive");
}

void check_performance(const Desk& desk, const Pulse& pulse, Finding& out) {
  const Policy& policy = desk.policy();
  const Beat* statements = pulse.with_statements();
  if (statements == nullptr) {
    return put(out, 100, Resources::kUnknown, policy.health_max_error_rate, "too few statements for an assessment");
  }
  const Beat& beat = *statements;
  const double error_rate = beat.faults / beat.queries;
  const double response_ms = beat.query_s * 1e3 / beat.queries;
  const double limit_ms = policy.health_max_response.ms_exact();
  const double by_errors = grade_rate(error_rate, policy.health_max_error_rate);
  const double by_response = grade_duration(response_ms, limit_ms);
  const std::string text = percent(error_rate) + " of " + counted(static_cast<int64_t>(beat.queries), "statement") +
                           " failed, they took " + describe_span(Span::nanos(static_cast<int64_t>(response_ms * 1e6))) +
                           " on average";
  if (by_response < by_errors) return put(out, by_response, response_ms, limit_ms, text);
  put(out, by_errors, error_rate, policy.health_max_error_rate, text);
}

struct Share {
  double value = Resources::kUnknown;  // the value that is graded
  std::string_view what;
  double shown = value;
};

double ratio(double part, double whole) {
  return std::isfinite(part) && std::isfinite(whole) && whole > 0 ? std::max(0.0, part / whole) : Resources::kUnknown;
}

void check_resources(const Desk& desk, const Pulse& pulse, Finding& out) {
  const Resources& r = desk.census().resources;
  const double limit = static_cast<double>(std::max<int64_t>(1, desk.bounds().limit));
  const double threshold = desk.policy().health_max_utilization;
  const Beat recent = pulse.recent(kBusyBeats);
  const double in_use = recent.seconds > 0 ? recent.use_s / recent.seconds / limit : 0;
  // A pool that is just large enough is busy, not unhealthy; one whose callers wait because of a command is at most a
  // warning.
  const bool is_short = desk.census().waiting > 0 || recent.slow > recent.paused_slow;
  const double most = !is_short ? threshold * 0.99 : is_waiting_ordered(desk) ? threshold : in_use;
  // A pool limited by the room of a full server gets a warning, too.
  const double sessions = ratio(r.server_sessions, r.server_sessions_max);
  const bool is_settled = desk.ledger().caps.room && sessions > threshold;
  const Share shares[] = {{std::min(in_use, most), "connections", in_use},
                          {ratio(r.memory_bytes, r.memory_limit_bytes), "memory"},
                          {ratio(r.descriptors, r.descriptors_max), "descriptors"},
                          {is_settled ? threshold : sessions, "server sessions", sessions}};
  Share worst = shares[0];
  for (const Share& share : shares) {
    if (std::isfinite(share.value) && share.value > worst.value) worst = share;
  }
  std::string text = std::string(worst.what) + " " + percent(worst.shown);
  for (const Share& share : shares) {
    if (share.what == worst.what || !std::isfinite(share.value)) continue;
    text.append(", ").append(share.what).append(" ").append(percent(share.shown));
  }
  put(out, grade_share(worst.value, threshold), worst.shown, threshold, text + " in use");
}

void check_scaling(const Desk& desk, const Pulse& pulse, Finding& out) {
  const double threshold = desk.policy().health_max_error_rate;
  const Beat& beat = pulse.quarter();
  // Requests that came while the pool was paused could not succeed.
  const double timeouts = beat.unordered_timeouts();
  const double refused = beat.requests > 0 ? std::min(1.0, timeouts / beat.requests) : 0;
  if (timeouts > 0) {
    // Every request that timed out justifies a warning.
    return put(out, std::min(99.0, grade_rate(refused, threshold)), refused, threshold,
               counted(static_cast<int64_t>(timeouts), "request") + " timed out within 15 s, limit " +
                   std::to_string(desk.bounds().limit));
  }
  const bool is_at_limit = desk.counts().staying() >= desk.bounds().limit;
  const int64_t waiting = desk.census().waiting;
  if (is_at_limit && waiting > 0 && !is_waiting_ordered(desk) && (pulse.last().slow > 0 || desk.has_slow_waiter())) {
    return put(out, 75, refused, threshold,
               counted(waiting, "caller") + " waiting at the limit of " + std::to_string(desk.bounds().limit));
  }
  put(out, 100, refused, threshold, "no request timed out");
}

}  // namespace

bool Health::has(HealthStatus at_least) const {
  return std::any_of(findings.begin(), findings.end(), [&](const Finding& f) { return f.status >= at_least; });
}

void check_health(const Desk& desk, const Pulse& pulse, const HealthFacts& facts, Health& out) {
  const auto at = [&](HealthCheck check) -> Finding& { return out.findings[static_cast<size_t>(check)]; };
  check_connectivity(desk, facts, pulse, at(HealthCheck::connectivity));
  check_performance(desk, pulse, at(HealthCheck::performance));
  check_resources(desk, pulse, at(HealthCheck::resources));
  check_scaling(desk, pulse, at(HealthCheck::scaling));
  for (Finding& finding : out.findings) finding.checked_at = desk.now();
  const double c = at(HealthCheck::connectivity).score;
  const double p = at(HealthCheck::performance).score;
  const double r = at(HealthCheck::resources).score;
  const double s = at(HealthCheck::scaling).score;
  const double weighted = 0.35 * c + 0.30 * p + 0.15 * r + 0.20 * s;
  out.score = static_cast<int64_t>(std::round(std::min(weighted, 10 + 0.9 * std::min(c, p))));
  ++out.rounds;
}

std::string health_text(const Health& health) {
  if (health.score < 0) return "health has not been checked yet";
  std::string text = "health " + std::to_string(health.score);
  for (size_t i = 0; i < kChecks; ++i) {
    const Finding& finding = health.findings[i];
    text += std::string(i == 0 ? ": " : ", ") + std::string(word(static_cast<HealthCheck>(i))) + " " +
            std::string(word(finding.status));
    if (finding.status != HealthStatus::ok) text += " (" + finding.message + ")";
  }
  return text;
}

}  // namespace tide::brain
