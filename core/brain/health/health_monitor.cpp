#include "brain/health/health_monitor.hpp"

#include <algorithm>

#include "base/units.hpp"
#include "brain/wording.hpp"

namespace tide::brain {
namespace {

constexpr Span kLookAgain = Span::seconds(1);      // while a check is not ok
constexpr Span kSurveyTimeout = Span::seconds(3);  // how long a command waits for the server's answer

}  // namespace

Verdict HealthMonitor::accept_check(const Command& command) {
  if (asked_n_ == kChecksAskedMax) {
    return Verdict::refused(
        Status::error(Code::refused, std::to_string(kChecksAskedMax) + " health checks are already in progress",
                      "at most " + std::to_string(kChecksAskedMax) + " are allowed", "wait for their answers"));
  }
  if (asked_n_ == 0) asked_at_ = Instant();
  asked_[asked_n_++] = command.id;
  return Verdict::pending("checking");
}

bool HealthMonitor::is_due(const Desk& desk, const Beat* beat) const {
  const Instant now = desk.now();
  const Span interval = desk.policy().health_interval;
  // A check that failed must be repeated until it is ok again, whatever the interval.
  const bool is_urgent = emergency_.is_on() || health_.has(HealthStatus::warning);
  const Span soon = interval.is_zero() ? kLookAgain : std::min(kLookAgain, interval);
  if (is_urgent) return !checked_at_.is_set() || now >= checked_at_ + soon;
  if (interval.is_zero()) return false;
  if (!checked_at_.is_set()) return desk.ledger().is_started;
  if (now >= checked_at_ + interval) return true;
  if (now < checked_at_ + soon) return false;
  return breaker_.is_failing() || desk.census().resources.is_file_missing || (beat != nullptr && beat->is_troubled());
}

void HealthMonitor::tick(Desk& desk, const Beat* beat) {
  if (beat != nullptr) emergency_.saw_beat(*beat);
  breaker_.tick(desk);
  pressure_.tick(desk);
  if (asked_n_ > 0 && !asked_at_.is_set()) {
    asked_at_ = desk.now();
    surveyed_at_ = Instant();
    survey(desk);
  }
  const bool is_answerable = asked_n_ > 0 && (!is_surveying_ || desk.now() >= asked_at_ + kSurveyTimeout);
  if (is_due(desk, beat) || is_answerable) check(desk);
  if (is_answerable) answer_checks(desk);
  if (asked_n_ > 0) desk.wake_at(asked_at_ + kSurveyTimeout);
  emergency_.tick(desk, health_, breaker_.is_tripped());
  desk.ledger().caps.emergency = emergency_.cap();
  recovery_.tick(desk, health_,
                 {emergency_.is_on() || pressure_.is_on(), are_connects_failing(desk), breaker_.is_tripped()});
  const Policy& policy = desk.policy();
  if (checked_at_.is_set() && (health_.has(HealthStatus::warning) || emergency_.is_on())) {
    desk.wake_at(checked_at_ + kLookAgain);
  } else if (checked_at_.is_set() && !policy.health_interval.is_zero()) {
    desk.wake_at(checked_at_ + policy.health_interval);
  }
  if (emergency_.cap() && !emergency_.is_on()) desk.wake_at(desk.now() + kLookAgain);
}

void HealthMonitor::skip(Desk& desk) {
  if (asked_n_ > 0) answer_checks(desk);
  is_surveying_ = false;
  recovery_.skip(desk);
}

// An old failure, after which no further connect was needed, is not a current problem.
bool HealthMonitor::are_connects_failing(const Desk& desk) const {
  return breaker_.is_failing() && (desk.counts().open() == 0 || desk.ledger().pulse.quarter().connect_failures > 0);
}

void HealthMonitor::check(Desk& desk) {
  std::array<HealthStatus, kChecks> before{};
  for (size_t i = 0; i < kChecks; ++i) before[i] = health_.findings[i].status;
  Ledger& ledger = desk.ledger();
  check_health(desk, ledger.pulse, {breaker_.failing_since(), breaker_.is_tripped(), ledger.is_awake}, health_);
  checked_at_ = desk.now();
  ++ledger.tallies.health_checks;
  ledger.tallies.health_check_failures += health_.has(HealthStatus::failed) ? 1 : 0;
  rounds_[health_.rounds % kRoundsKept] = {desk.now(), health_.has(HealthStatus::failed)};
  emergency_.saw_round(health_, desk.policy(), desk.counts().open() > 0);
  tell_changes(desk, before);
  if (is_survey_due(desk)) survey(desk);
}

// Based on the time of the last survey, not of the last check: while a check is not ok they are made each second.
bool HealthMonitor::is_survey_due(const Desk& desk) const {
  if (health_.of(HealthCheck::resources).status != HealthStatus::ok) return true;  // it may be over
  const Span interval = desk.policy().health_interval;
  return !interval.is_zero() && (!surveyed_at_.is_set() || desk.now() >= surveyed_at_ + interval);
}

// Surveys one idle connection, the least used, and only if no caller waits for it.
bool HealthMonitor::survey(Desk& desk) {
  const Ledger& ledger = desk.ledger();
  if (is_surveying_ || ledger.controls.is_paused || desk.census().waiting > 0) return false;
  for (const SlotCensus& slot : HighestFirst{desk.census().slots}) {
    if (!desk.is_staying(slot, Phase::idle)) continue;
    desk.validate(slot, true);
    is_surveying_ = true;
    surveyed_at_ = desk.now();
    return true;
  }
  return false;
}

void HealthMonitor::answer_checks(Desk& desk) {
  for (size_t i = 0; i < asked_n_; ++i) {
    desk.put(action::FinishCommand{asked_[i], Verdict::applied(health_text(health_))});
  }
  asked_n_ = 0;
}

void HealthMonitor::tell_changes(Desk& desk, const std::array<HealthStatus, kChecks>& before) {
  for (size_t i = 0; i < kChecks; ++i) {
    const Finding& now = health_.findings[i];
    const HealthStatus was = before[i];
    if (now.status == was) continue;
    const bool is_worse = now.status > was;
    // A warning that comes and goes is shown in health_checks; only failures, and their end, are events.
    if (std::max(now.status, was) != HealthStatus::failed) continue;
    desk.note(is_worse ? EventKind::health_failed : EventKind::health_ok, is_worse ? Severity::warning : Severity::info,
              std::string(word(static_cast<HealthCheck>(i))) + " " + std::string(word(now.status)) + ": " + now.message,
              "{\"check\":\"" + std::string(word(static_cast<HealthCheck>(i))) + "\",\"score\":" +
                  std::to_string(static_cast<int>(now.score)) + ",\"health\":" + std::to_string(health_.score) + "}");
  }
}

// Rounds are made each second during a problem and rarely otherwise: without the age limit the rate would stay high
// long after the problem has ended.
double HealthMonitor::failure_rate(Instant now) const {
  int64_t recent = 0, failed = 0;
  for (const Round& round : rounds_) {
    if (!round.at.is_set() || now - round.at > kRoundsWithin) continue;
    ++recent;
    failed += round.has_failed ? 1 : 0;
  }
  if (health_.rounds < 3 || recent < 2) return Resources::kUnknown;
  return static_cast<double>(failed) / static_cast<double>(recent);
}

}  // namespace tide::brain
