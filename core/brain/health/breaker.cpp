#include "brain/health/breaker.hpp"

#include <algorithm>

#include "base/units.hpp"
#include "brain/wording.hpp"

namespace tide::brain {

void Breaker::succeeded() {
  failing_since_ = alone_since_ = Instant();
  failures_ = 0;
  is_probing_ = false;
  is_hopeless_ = false;
}

void Breaker::failed(Instant now, bool is_permanent) {
  if (!failing_since_.is_set()) failing_since_ = now;
  if (!alone_since_.is_set()) alone_since_ = now;
  ++failures_;
  failed_at_ = now;
  is_hopeless_ = is_permanent;
  is_probing_ = false;
}

BreakerState Breaker::state(const Policy& policy) const {
  if (!policy.breaker) return BreakerState::off;
  if (!is_tripped_) return BreakerState::closed;
  return is_probing_ ? BreakerState::half_open : BreakerState::open;
}

void Breaker::tick(Desk& desk) {
  const Policy& policy = desk.policy();
  if (desk.counts().open() > 0) {
    alone_since_ = Instant();
    failures_ = 0;
  }
  if (is_tripped_) {
    if (!policy.breaker) return close(desk, "the option breaker is off");
    if (desk.counts().open() > 0 || !is_failing()) return close(desk, "a connection is open");
    if (is_probing_) return;
    const Span apart = probes_apart(policy);
    // A probe that took long is followed by a short pause, not at once by the next one.
    probe_at_ = latest(probe_began_at_ + apart, failed_at_ + apart / 10);
    desk.wake_at(latest(probe_at_, desk.now()));
    return;
  }
  if (!policy.breaker || !alone_since_.is_set()) return;
  const Instant due = alone_since_ + policy.breaker_trip_after;
  if (desk.now() < due) return desk.wake_at(due);
  trip(desk);
}

// A wrong password is not corrected within a second.
Span Breaker::probes_apart(const Policy& policy) const {
  return is_hopeless_ ? std::max(policy.breaker_probe_interval, policy.retry_max) : policy.breaker_probe_interval;
}

void Breaker::trip(Desk& desk) {
  is_tripped_ = true;
  is_probing_ = false;
  tripped_at_ = desk.now();
  probe_began_at_ = failed_at_;
  probe_at_ = latest(desk.now(), failed_at_ + probes_apart(desk.policy()));
  probes_ = 0;
  desk.note(EventKind::breaker_open, Severity::critical,
            "breaker open: no connections left, " + counted(failures_, "connect") + " failed within " +
                describe_span(desk.now() - alone_since_) +
                "; requests are refused immediately, one connection attempt every " +
                format_span(desk.policy().breaker_probe_interval),
            "{\"failures\":" + std::to_string(failures_) + "}");
  desk.wake_at(probe_at_);
}

void Breaker::close(Desk& desk, std::string why) {
  is_tripped_ = is_probing_ = false;
  const Span lasted = desk.now() - tripped_at_;
  desk.note(EventKind::breaker_closed, Severity::info, "breaker closed after " + describe_span(lasted) + ": " + why,
            "{\"open_ms\":" + std::to_string(lasted.ms()) + "}");
}

bool Breaker::may_probe(const Desk& desk) const {
  return is_tripped_ && !is_probing_ && desk.now() >= probe_at_ && desk.counts().connecting == 0;
}

void Breaker::probe_began(Desk& desk) {
  if (!is_tripped_) return;
  is_probing_ = true;
  probe_began_at_ = desk.now();
  ++probes_;
  // A long outage must not displace all other events from the journal.
  constexpr int64_t kProbesTold = 10;
  constexpr int64_t kThenEach = 60;
  if (probes_ > kProbesTold && probes_ % kThenEach != 0) return;
  desk.note(EventKind::breaker_probe, Severity::info,
            "breaker half open: probe " + std::to_string(probes_) + ", one connection attempt");
}

}  // namespace tide::brain
