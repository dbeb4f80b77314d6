// HealthMonitor: checks the pool's health, starts recovery, and reduces the pool's size in an emergency.
//
// Checks are made every health_interval, on check_health, in the beat after an error, and each second while a check is
// not ok or an emergency lasts. Every health_interval, and with each check while resources are short, one idle
// connection is surveyed: a round trip that also asks the server how full it is.
// Threads: the keeper only. Failure: none.
#pragma once

#include <array>
#include <cstdint>

#include "brain/health/breaker.hpp"
#include "brain/health/emergency.hpp"
#include "brain/health/health.hpp"
#include "brain/health/pressure.hpp"
#include "brain/health/recovery.hpp"

namespace tide::brain {

class HealthMonitor {
 public:
  Verdict accept_check(const Command& command);
  void tick(Desk& desk, const Beat* beat);
  void skip(Desk& desk);  // instead of tick() while draining

  // A survey or validation was answered.
  void surveyed() { is_surveying_ = false; }

  Breaker& breaker() { return breaker_; }
  const Breaker& breaker() const { return breaker_; }
  const Emergency& emergency() const { return emergency_; }
  const Health& health() const { return health_; }
  const Pressure& pressure() const { return pressure_; }
  // Share of the last rounds, at most a minute old, in which a check failed; NaN before the third round, and if fewer
  // than two are recent.
  double failure_rate(Instant now) const;
  bool take_forget() { return recovery_.take_forget(); }
  bool is_degraded() const { return breaker_.is_tripped() || health_.has(HealthStatus::failed); }

 private:
  static constexpr size_t kChecksAskedMax = 16;
  static constexpr size_t kRoundsKept = 10;
  static constexpr Span kRoundsWithin = Span::seconds(60);
  struct Round {
    Instant at;  // unset: not made yet
    bool has_failed = false;
  };

  bool is_due(const Desk& desk, const Beat* beat) const;
  bool are_connects_failing(const Desk& desk) const;
  void check(Desk& desk);
  bool is_survey_due(const Desk& desk) const;
  bool survey(Desk& desk);
  void answer_checks(Desk& desk);
  void tell_changes(Desk& desk, const std::array<HealthStatus, kChecks>& before);

  Breaker breaker_;
  Emergency emergency_;
  Recovery recovery_;
  Pressure pressure_;
  Health health_;
  Instant checked_at_;
  std::array<Round, kRoundsKept> rounds_{};
  bool is_surveying_ = false;
  Instant surveyed_at_;
  std::array<uint64_t, kChecksAskedMax> asked_{};  // command ids of check_health
  size_t asked_n_ = 0;
  Instant asked_at_;
};

}  // namespace tide::brain
