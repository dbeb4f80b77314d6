#include "brain/health/emergency.hpp"

#include <algorithm>

#include "base/units.hpp"
#include "brain/wording.hpp"

namespace tide::brain {
namespace {

constexpr double kStormShare = 0.5;
constexpr int kStormBeats = 2;
constexpr int kLowRounds = 2;
constexpr int kGoodRounds = 3;

bool is_storm(const Beat& beat) {
  return beat.queries >= Pulse::kFewStatements && beat.faults > kStormShare * beat.queries;
}

}  // namespace

void Emergency::saw_beat(const Beat& beat) {
  storms_ = is_storm(beat) ? storms_ + 1 : 0;
  ++beats_since_cap_;
}

void Emergency::saw_round(const Health& health, const Policy& policy, bool has_connection) {
  low_ = health.score < policy.emergency_below && has_connection ? low_ + 1 : 0;
  const int64_t leave_from = std::max(kLeaveFrom, policy.emergency_below + 10);
  good_ = health.score >= leave_from && storms_ == 0 ? good_ + 1 : 0;
}

void Emergency::tick(Desk& desk, const Health& health, bool is_tripped) {
  const Policy& policy = desk.policy();
  if (is_on_) {
    if (!policy.emergency) return leave(desk, "the option emergency is off");
    if (is_tripped) return leave(desk, "no connection is left");
    if (good_ >= kGoodRounds) return leave(desk, "health " + std::to_string(health.score));
    cap_ = policy.emergency_max_size;
    return;
  }
  if (cap_ && beats_since_cap_ > 0) {
    beats_since_cap_ = 0;
    cap_ = *cap_ >= desk.ledger().capacity ? std::nullopt : std::optional<int64_t>(*cap_ * 2);
  }
  if (!policy.emergency) return;
  if (storms_ >= kStormBeats) return enter(desk, "more than half of the statements failed");
  if (low_ >= kLowRounds) return enter(desk, "health " + std::to_string(health.score));
}

void Emergency::enter(Desk& desk, const std::string& why) {
  ++desk.ledger().tallies.emergencies;
  is_on_ = true;
  cap_ = desk.policy().emergency_max_size;
  good_ = low_ = 0;
  since_ = desk.now();
  desk.shed_memory();
  desk.note(EventKind::emergency_on, Severity::critical,
            "emergency: " + why + "; at most " + counted(*cap_, "connection") + " until health has been " +
                std::to_string(std::max(kLeaveFrom, desk.policy().emergency_below + 10)) + " for " +
                counted(kGoodRounds, "check"),
            "{\"cap\":" + std::to_string(*cap_) + "}");
}

void Emergency::leave(Desk& desk, const std::string& why) {
  is_on_ = false;
  storms_ = low_ = beats_since_cap_ = 0;
  desk.note(EventKind::emergency_off, Severity::warning,
            "emergency ended after " + describe_span(desk.now() - since_) + ": " + why,
            "{\"lasted_ms\":" + std::to_string((desk.now() - since_).ms()) + "}");
}

}  // namespace tide::brain
