#include "brain/pulse.hpp"

#include <algorithm>
#include <numeric>

namespace tide::brain {
namespace {

double since(uint64_t later, uint64_t earlier) { return later > earlier ? static_cast<double>(later - earlier) : 0; }
double since(double later, double earlier) { return later > earlier ? later - earlier : 0; }

// Adding and subtracting floating-point numbers leaves a rounding error.
void settle(double& sum, double change) { sum = std::max(0.0, sum + change); }

}  // namespace

void Beat::add(const Beat& other, double sign) {
  constexpr double Beat::*kAll[] = {
      &Beat::seconds,  &Beat::requests,  &Beat::acquires,        &Beat::releases,         &Beat::slow,
      &Beat::timeouts, &Beat::queries,   &Beat::faults,          &Beat::query_errors,     &Beat::connects,
      &Beat::use_s,    &Beat::ended_s,   &Beat::wait_s,          &Beat::connect_failures, &Beat::validation_failures,
      &Beat::query_s,  &Beat::reversals, &Beat::paused_timeouts, &Beat::paused_slow};
  for (double Beat::*member : kAll) settle(this->*member, sign * other.*member);
}

bool Pulse::tick(Instant now, const Census& census) {
  const Traffic& t = census.traffic;
  if (!taken_at_.is_set()) {
    taken_at_ = now;
    before_ = t;
    acquires_before_ = census.acquires_total;
    timeouts_before_ = census.acquire_timeouts_total;
    return false;
  }
  if (now < taken_at_ + kBeat) return false;
  Beat beat;
  beat.seconds = (now - taken_at_).seconds_exact();
  beat.requests = since(t.requests_total, before_.requests_total);
  beat.acquires = since(census.acquires_total, acquires_before_);
  beat.releases = since(t.releases_total, before_.releases_total);
  beat.slow = since(t.slow_total, before_.slow_total);
  beat.timeouts = since(census.acquire_timeouts_total, timeouts_before_);
  beat.queries = since(t.queries_total, before_.queries_total);
  beat.query_errors = since(t.query_errors_total, before_.query_errors_total);
  beat.faults = since(t.query_faults_total, before_.query_faults_total);
  beat.connects = since(t.connects_total, before_.connects_total);
  beat.connect_failures = since(t.connect_failures_total, before_.connect_failures_total);
  beat.validation_failures = since(t.validation_failures_total, before_.validation_failures_total);
  beat.use_s = since(t.use_seconds, before_.use_seconds);
  beat.ended_s = since(t.ended_seconds, before_.ended_seconds);
  beat.wait_s = since(t.wait_seconds, before_.wait_seconds);
  beat.query_s = since(t.query_seconds, before_.query_seconds);
  if (paused_beats_ > 0) {
    --paused_beats_;
    beat.paused_timeouts = beat.timeouts;
    beat.paused_slow = beat.slow;
  }
  beat.reversals = reversals_;
  reversals_ = 0;
  taken_at_ = now;
  before_ = t;
  acquires_before_ = census.acquires_total;
  timeouts_before_ = census.acquire_timeouts_total;
  push(beat);
  return true;
}

void Pulse::push(const Beat& beat) {
  quarter_.add(ring_[(next_ + kSeconds - kQuarter) % kSeconds], -1);
  minute_.add(ring_[next_], -1);
  ring_[next_] = beat;
  quarter_.add(beat, 1);
  minute_.add(beat, 1);
  next_ = (next_ + 1) % kSeconds;
  ++beats_;
  errors_of_minute_ += beat.errors();
  seconds_of_minute_ += beat.seconds;
  if (seconds_of_minute_ < 60) return;
  errors_by_minute_[minute_next_] = errors_of_minute_;
  minute_next_ = (minute_next_ + 1) % kMinutes;
  errors_of_minute_ = seconds_of_minute_ = 0;
}

Beat Pulse::recent(size_t beats) const {
  Beat sum;
  for (size_t i = 1; i <= std::min(beats, kSeconds); ++i) sum.add(ring_[(next_ + kSeconds - i) % kSeconds], 1);
  return sum;
}

const Beat* Pulse::with_statements() const {
  if (quarter_.queries >= kFewStatements) return &quarter_;
  return minute_.queries >= kFewStatements ? &minute_ : nullptr;
}

double Pulse::errors_of_hour() const {
  return errors_of_minute_ + std::accumulate(errors_by_minute_.begin(), errors_by_minute_.end(), 0.0);
}

void Pulse::target_moved(bool is_up) {
  const int direction = is_up ? 1 : -1;
  if (direction_ == -direction) ++reversals_;
  direction_ = direction;
}

}  // namespace tide::brain
