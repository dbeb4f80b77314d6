#include "brain/steering.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/units.hpp"
#include "brain/wording.hpp"

namespace tide::brain {
namespace {

constexpr double kConnectWeight = 0.2;  // of the newest connect in the running mean
constexpr int kCrowdedBeats = 2;
constexpr int kRoomyBeats = 5;
constexpr Span kPeakKept = Span::seconds(60);  // of the connections in use

double seconds_of(Instant at) { return static_cast<double>(at.ns()) / 1e9; }

SizingSettings settings_of(const Policy& policy, int64_t lowest, int64_t limit, double connect_s) {
  SizingSettings out;
  out.min_size = lowest;
  out.max_size = limit;
  out.connect_s = connect_s;
  out.max_connecting = policy.max_connecting;
  out.objective_s = policy.wait_objective.seconds_exact();
  out.share = policy.wait_objective_share;
  out.prediction = policy.prediction;
  return out;
}

std::string_view cause_text(SizingCause cause) {
  switch (cause) {
    case SizingCause::none: return "no change";
    case SizingCause::reactive: return "load increased";
    case SizingCause::forecast: return "ahead of a forecast";
    case SizingCause::demand: return "callers are waiting";
    case SizingCause::stabilised: return "load has been lower for some time";
    case SizingCause::knee: return "more connections made the database slower";
    case SizingCause::limit: return "the limit";
  }
  return "";
}

}  // namespace

Steering::Steering(const Policy& policy)
    : sizer_(settings_of(policy, policy.min_size, policy.size_limit(), connect_s_), kSeasons_s) {}

void Steering::connected(Span took) {
  const double s = std::max(0.0, took.seconds_exact());
  connect_s_ = std::exchange(has_connected_, true) ? connect_s_ + kConnectWeight * (s - connect_s_) : s;
}

bool Steering::is_steering(const Desk& desk) const {
  const Ledger& ledger = desk.ledger();
  return desk.policy().is_pooling() && desk.policy().scaling && desk.policy().sizing == Sizing::adaptive && !is_held_ &&
         !ledger.controls.is_paused && !ledger.controls.manual_size && ledger.is_started;
}

void Steering::prepare(const Desk& desk, bool is_held) {
  is_held_ = is_held;
  // The rule's limit without the pool's own caps, which could otherwise never be raised again.
  const SizeBounds bounds = precedence_without(desk.ledger(), {&Caps::overload, &Caps::room});
  sizer_.set(settings_of(desk.policy(), bounds.lowest, bounds.limit, connect_s_));
  sizer_.freeze(!is_steering(desk));
  sizer_.burst(desk.ledger().controls.burst_until.has_value());
}

Observation Steering::observe(const Desk& desk) const {
  const Counts& counts = desk.counts();
  Observation seen;
  seen.now_s = seconds_of(desk.now());
  seen.dt_s = sum_.seconds;
  seen.arrivals = sum_.requests;
  seen.completions = sum_.releases;
  seen.hold_s = sum_.ended_s;
  seen.in_use_avg = sum_.use_s / std::max(1e-3, sum_.seconds);
  seen.demand_avg = (sum_.use_s + sum_.wait_s) / std::max(1e-3, sum_.seconds);
  seen.in_use_max = in_use_max_;
  seen.demand_max = demand_max_;
  seen.waiting = static_cast<double>(desk.census().waiting);
  seen.wait_s = sum_.wait_s;
  seen.slow = sum_.slow;
  seen.timeouts = sum_.timeouts;
  seen.open = static_cast<double>(counts.total - counts.closing);
  seen.connecting = static_cast<double>(counts.connecting);
  seen.idle = static_cast<double>(counts.idle);
  seen.target = static_cast<double>(desk.ledger().target);
  return seen;
}

void Steering::tick(Desk& desk, const Beat* beat, bool is_held, bool is_crowded, std::optional<std::string>* why_now) {
  const double in_use = static_cast<double>(desk.counts().in_use);
  in_use_max_ = std::max(in_use_max_, in_use);
  demand_max_ = std::max(demand_max_, in_use + static_cast<double>(desk.census().waiting));
  prepare(desk, is_held);
  desk.ledger().is_steered = is_steering(desk) && desk.ledger().pulse.last().requests > 0;
  if (beat != nullptr) {
    sum_.add(*beat, 1);
    watch_burst(desk, *beat);
  }
  // scaling_interval can make decisions rarer than one per beat, not more frequent.
  const bool is_due =
      beat != nullptr && sum_.seconds + 1e-9 >= std::max(1.0, desk.policy().scaling_interval.seconds_exact());
  const bool is_asked = why_now != nullptr && desk.policy().sizing == Sizing::adaptive && sum_.seconds > 0;
  if (!is_due && !is_asked) return;
  const Observation seen = observe(desk);
  remember_peak(desk.now());
  sum_ = Beat();
  in_use_max_ = demand_max_ = 0;
  const int64_t target = sizer_.tick(seen);
  // The sizer's margin is for a load. Without load, a pool that idle_timeout has reduced stays small.
  const bool is_quiet = seen.arrivals == 0 && seen.waiting == 0 && seen.in_use_avg == 0;
  desk.ledger().wish = is_steering(desk) && !is_quiet ? target : 0;
  if (!is_steering(desk)) {
    desk.ledger().caps.overload.reset();
    return;
  }
  watch_overload(desk, target);
  if (is_asked) *why_now = reason(desk, seen);
  const int64_t min_idle = desk.policy().min_idle;
  const int64_t beside = min_idle > 0 ? min_idle + peak_ : 0;
  const int64_t lowest = std::max(desk.bounds().lowest, std::min(beside, desk.bounds().limit));
  const int64_t to = std::clamp(target, lowest, std::max(lowest, desk.bounds().limit));
  if (to == desk.ledger().target || (to > desk.ledger().target && is_crowded)) return;
  if (is_quiet && to > desk.ledger().target && sizer_.facts().cause != SizingCause::forecast) return;
  const bool is_forecast = sizer_.facts().cause == SizingCause::forecast && to > desk.ledger().target;
  if (is_forecast) {
    desk.note(EventKind::warming, Severity::info,
              "opening " + counted(to - desk.ledger().target, "connection") + " ahead of a forecast of " +
                  short_number(sizer_.facts().predicted_demand) + " in use");
  }
  std::string why = reason(desk, seen);
  if (target < lowest && lowest > desk.bounds().lowest) {
    why = "min_idle " + std::to_string(min_idle) + " beside " + std::to_string(peak_) + " in use; " + why;
  }
  desk.set_target(to, is_forecast ? SizeSource::predicted : SizeSource::autoscale, why,
                  sizer_.facts().predicted_in_use_10);
}

// min_idle is in addition to those in use: a target without them would be raised by each lease and lowered after it.
void Steering::remember_peak(Instant now) {
  const auto peak = static_cast<int64_t>(in_use_max_);
  if (peak < peak_ && now < peak_at_ + kPeakKept) return;
  peak_ = peak;
  peak_at_ = now;
}

std::optional<int64_t> Steering::wanted_for_waiters(Desk& desk) {
  if (!is_steering(desk)) return std::nullopt;
  const Census& census = desk.census();
  if (census.waiting == 0) return 0;
  if (std::isnan(sizer_.facts().hold_s)) return std::nullopt;  // hold times of leases are unknown
  const Span timeout = std::max(desk.policy().wait_objective, Span::nanos(static_cast<int64_t>(connect_s_ * 1e9))) * 2;
  const Instant due = census.oldest_wait_since + timeout;
  if (desk.now() >= due) return std::nullopt;
  desk.wake_at(due);
  const Counts& counts = desk.counts();
  // Callers that will find an idle or returning connection do not queue for long.
  const int64_t ready = counts.idle + counts.held;
  const int64_t queue = std::max<int64_t>(0, static_cast<int64_t>(census.waiting) - ready);
  if (queue == 0) return 0;
  const int64_t open = counts.total - counts.closing;
  const int64_t target =
      sizer_.demand(seconds_of(desk.now()), queue, counts.in_use, open, counts.connecting, desk.ledger().target);
  return target > desk.ledger().target ? target - desk.counts().staying() : 0;
}

void Steering::watch_overload(Desk& desk, int64_t target) {
  std::optional<int64_t>& cap = desk.ledger().caps.overload;
  const bool was_over = cap.has_value();
  const AdaptiveSizer::Facts& facts = sizer_.facts();
  if (facts.is_overloaded) {
    cap = std::max<int64_t>(1, target);
    desk.put_bounds(precedence(desk.ledger()));
  } else {
    cap.reset();
  }
  if (was_over == facts.is_overloaded) return;
  const std::string knee = "knee at " + short_number(facts.knee) + " connections, hold time " +
                           short_number(facts.hold_s * 1e3) + " ms against " + short_number(facts.base_hold_s * 1e3) +
                           " ms";
  desk.note(facts.is_overloaded ? EventKind::overload_on : EventKind::overload_off,
            facts.is_overloaded ? Severity::warning : Severity::info,
            facts.is_overloaded
                ? "overload detected: the database becomes slower with more connections, reducing the size: " + knee
                : "overload ended: " + knee);
}

void Steering::watch_burst(Desk& desk, const Beat& beat) {
  const Policy& policy = desk.policy();
  Controls& controls = desk.ledger().controls;
  if (!controls.burst_until) is_own_burst_ = false;
  // With any sizer, but not with a size fixed by other means.
  const bool is_free = !is_held_ && !controls.is_paused && !controls.manual_size && desk.ledger().is_started;
  const bool may = policy.burst && policy.burst_max_size > policy.size_limit() && policy.is_pooling() && is_free &&
                   !desk.ledger().caps.overload && !desk.ledger().caps.room;
  const bool is_slow = beat.slow > 0 || desk.has_slow_waiter();
  const bool is_crowded = desk.census().waiting > 0 && is_slow && desk.counts().staying() >= desk.bounds().limit;
  crowded_beats_ = is_crowded ? crowded_beats_ + 1 : 0;
  const AdaptiveSizer::Facts& facts = sizer_.facts();
  roomy_beats_ = !is_crowded && facts.demand < 0.8 * static_cast<double>(policy.max_size) ? roomy_beats_ + 1 : 0;
  if (is_own_burst_ && roomy_beats_ >= kRoomyBeats) {
    controls.burst_until.reset();
    is_own_burst_ = false;
    desk.note(EventKind::burst_off, Severity::info, "burst ended: demand is below max_size again");
    return;
  }
  if (!may || controls.burst_until || crowded_beats_ < kCrowdedBeats) return;
  controls.burst_until = desk.now() + policy.burst_duration;
  ++desk.ledger().tallies.bursts;
  is_own_burst_ = true;
  desk.wake_at(*controls.burst_until);
  desk.note(EventKind::burst_on, Severity::warning,
            "burst: callers are waiting at max_size " + std::to_string(policy.max_size) + ", so up to " +
                counted(policy.burst_max_size, "connection") + " for " + format_span(policy.burst_duration));
}

std::string Steering::reason(const Desk& desk, const Observation& seen) const {
  const AdaptiveSizer::Facts& facts = sizer_.facts();
  std::string text(cause_text(facts.cause));
  text += ": demand " + short_number(facts.demand) + ", " + short_number(seen.arrivals / std::max(1e-3, seen.dt_s)) +
          " requests/s";
  if (std::isfinite(facts.hold_s)) text += " of " + short_number(facts.hold_s * 1e3) + " ms";
  text += ", " + short_number(seen.slow) + " of " + short_number(seen.arrivals) + " slow, margin " +
          short_number(facts.kappa);
  if (std::isfinite(facts.knee)) text += ", knee " + short_number(facts.knee);
  if (desk.census().waiting > 0) text += ", " + std::to_string(desk.census().waiting) + " waiting";
  return text;
}

}  // namespace tide::brain
