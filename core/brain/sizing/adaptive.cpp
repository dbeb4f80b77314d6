#include "brain/sizing/adaptive.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace tide::brain {
namespace {

constexpr double kDeadband = 0.25;       // of the target: a smaller scale-down is skipped
constexpr double kUpBand = 0.4;          // of the target: a smaller scale-up is left to demand()
constexpr double kDemandRoot = 1;        // factor of the square root of what is open, added by a raise on demand
constexpr double kNoShrink_s = 5;        // after a raise on demand
constexpr double kForecastFactor = 1.3;  // of the forecast load
constexpr double kLeadTicks_s = 2;       // lead of a forecast, in addition to the time to open
constexpr double kLeadConnects = 8;      // connections that may have to be opened one after the other
constexpr double kLeadMax_s = 600;
constexpr double kOutcomeWeight = 0.005;

SizingSettings checked(SizingSettings settings) {
  settings.max_size = std::clamp<int64_t>(settings.max_size, 1, AdaptiveSizer::kSizeMax);
  settings.min_size = std::clamp<int64_t>(settings.min_size, 0, settings.max_size);
  settings.connect_s = within(settings.connect_s, 0, 3600);
  settings.max_connecting = std::clamp<int64_t>(settings.max_connecting, 1, AdaptiveSizer::kSizeMax);
  settings.objective_s = within(settings.objective_s, 1e-6, 3600);
  settings.share = within(settings.share, 0, 1);
  return settings;
}

int64_t whole(double size) { return static_cast<int64_t>(within(std::ceil(size), 0, 1e9)); }

}  // namespace

AdaptiveSizer::AdaptiveSizer(const SizingSettings& settings, std::span<const double> season_s)
    : settings_(checked(settings)), forecaster_(season_s), knee_(settings_.min_size, settings_.max_size) {
  forget();
}

void AdaptiveSizer::set(const SizingSettings& settings) {
  settings_ = checked(settings);
  knee_.set_limits(settings_.min_size, settings_.max_size);
}

void AdaptiveSizer::forget() {
  demand_ = DemandFilter();
  staffing_ = Staffing();
  forecaster_.forget();
  overloads_before_ += knee_.overloads_total();  // a counter is not learnt state, so it is kept
  knee_ = KneeGuard(settings_.min_size, settings_.max_size);
  window_.clear();
  gathered_ = {};
  no_shrink_until_s_ = 0;
  wish_ = SizingCause::none;
  in_use_s_ = open_s_ = slow_ = arrivals_ = 0;
  facts_ = Facts();
  facts_.overloads = overloads_before_;
  facts_.kappa = staffing_.kappa();
  facts_.window_s = staffing_.window_s(staffing_.kappa());
  facts_.cap = static_cast<double>(settings_.max_size);
  note_forecasts();
}

int64_t AdaptiveSizer::clamped(int64_t size) const { return std::clamp(size, settings_.min_size, settings_.max_size); }

int64_t AdaptiveSizer::tick(const Observation& raw) {
  gathered_ = joined(gathered_, cleaned(raw, now_s_));
  now_s_ = gathered_.now_s;
  const int64_t target = whole(gathered_.target);
  if (gathered_.dt_s < kTickMin_s) return clamped(target);
  const Observation seen = std::exchange(gathered_, {});
  learn(seen);
  facts_.predicted_demand = kUnknown;
  const int64_t next = is_frozen_ ? target : decide(seen, recommend(seen));
  note_outcome(seen);
  note_forecasts();
  return clamped(next);
}

void AdaptiveSizer::learn(const Observation& seen) {
  demand_.see(seen);
  forecaster_.see(seen.now_s, seen.dt_s, seen.arrivals, settings_.prediction);
  const bool is_limited = knee_.is_overloaded() || seen.open >= static_cast<double>(knee_.cap());
  if (!is_frozen_ && !is_bursting_) staffing_.learn(seen, settings_.share, is_limited);
  knee_.see(seen);
}

// max(reactive, predicted), below the caps.
int64_t AdaptiveSizer::recommend(const Observation& seen) {
  double wanted = staffing_.need(demand_.erlangs(), kappa());
  wish_ = SizingCause::reactive;
  const double opening_s = settings_.connect_s * (1 + kLeadConnects / static_cast<double>(settings_.max_connecting));
  const double peak = forecaster_.peak(seen.now_s, std::min(kLeadTicks_s + opening_s, kLeadMax_s));
  const double predicted = staffing_.need(kForecastFactor * peak * demand_.hold_s(), kappa());
  if (predicted > wanted) {  // false if it is unknown
    wanted = predicted;
    wish_ = SizingCause::forecast;
    facts_.predicted_demand = peak * demand_.hold_s();
    ++facts_.forecasts_used;
  }
  const int64_t recommended = whole(wanted);
  if (recommended <= knee_.cap()) return recommended;
  wish_ = knee_.cap() < settings_.max_size ? SizingCause::knee : SizingCause::limit;
  return knee_.cap();
}

int64_t AdaptiveSizer::decide(const Observation& seen, int64_t recommended) {
  window_.add(seen.now_s, recommended);
  window_.forget_before(seen.now_s - staffing_.window_s(kappa()));
  if (knee_.is_overloaded()) {
    window_.clear();
    window_.add(seen.now_s, knee_.limit());
    facts_.cause = SizingCause::knee;
    return knee_.limit();
  }
  const int64_t target = whole(seen.target);
  if (static_cast<double>(recommended) > (1 + kUpBand) * static_cast<double>(target)) {
    facts_.cause = wish_;
    return recommended;
  }
  if (target > knee_.cap()) {
    facts_.cause = knee_.cap() < settings_.max_size ? SizingCause::knee : SizingCause::limit;
    return knee_.cap();
  }
  const double surplus = static_cast<double>(target - window_.highest());
  if (is_bursting_ || seen.now_s < no_shrink_until_s_) return target;
  if (surplus < std::max(1.0, kDeadband * static_cast<double>(target))) return target;
  if (target > settings_.min_size) facts_.cause = SizingCause::stabilised;
  return window_.highest();
}

int64_t AdaptiveSizer::demand(double now_s, int64_t waiting, int64_t in_use, int64_t open, int64_t connecting,
                              int64_t target) {
  if (is_frozen_ || knee_.is_overloaded()) return clamped(target);
  const double tolerance_s = staffing_.tolerance_s(settings_.objective_s, settings_.connect_s, kappa());
  const double released = static_cast<double>(in_use) * tolerance_s / demand_.hold_s();
  const double wanted = std::ceil(static_cast<double>(waiting) - released) - static_cast<double>(connecting);
  if (!(wanted > 0)) return clamped(target);
  const double spare = kDemandRoot * std::sqrt(static_cast<double>(std::max<int64_t>(open, 0)));
  const int64_t raised = std::min(knee_.cap(), whole(static_cast<double>(open) + wanted + spare));
  if (raised <= target) return clamped(target);
  no_shrink_until_s_ = within(now_s, now_s_, now_s_ + kTickMax_s) + kNoShrink_s;
  ++facts_.bursts;
  facts_.cause = SizingCause::demand;
  return clamped(raised);
}

double AdaptiveSizer::forecast(int horizon_s) const {
  const auto horizon = horizon_s <= 10 ? Forecaster::near : Forecaster::far;
  return forecaster_.forecast(horizon, forecaster_.selected(horizon));
}

std::span<const AdaptiveSizer::Model> AdaptiveSizer::models() const {
  return {models_.data(), static_cast<size_t>(forecaster_.models())};
}

void AdaptiveSizer::note_outcome(const Observation& seen) {
  const double keep = 1 - weight(kOutcomeWeight, seen.dt_s);
  in_use_s_ = in_use_s_ * keep + seen.in_use_avg * seen.dt_s;
  open_s_ = open_s_ * keep + seen.open * seen.dt_s;
  slow_ = slow_ * keep + seen.slow;
  arrivals_ = arrivals_ * keep + seen.arrivals;
  facts_.efficiency = open_s_ > 0 ? std::min(1.0, in_use_s_ / open_s_) : kUnknown;
  facts_.slow_share = arrivals_ > 0 ? std::min(1.0, slow_ / arrivals_) : kUnknown;
  facts_.demand = demand_.erlangs();
  facts_.hold_s = demand_.knows_hold() ? demand_.hold_s() : kUnknown;
  facts_.kappa = staffing_.kappa();
  facts_.window_s = staffing_.window_s(kappa());
  facts_.knee = knee_.knee();
  facts_.base_hold_s = knee_.base_hold_s() > 0 ? knee_.base_hold_s() : kUnknown;
  facts_.cap = static_cast<double>(knee_.cap());
  facts_.is_overloaded = knee_.is_overloaded();
  facts_.overloads = overloads_before_ + knee_.overloads_total();
}

void AdaptiveSizer::note_forecasts() {
  const int near = forecaster_.selected(Forecaster::near);
  const int far = forecaster_.selected(Forecaster::far);
  for (int i = 0; i < forecaster_.models(); ++i) {
    models_[static_cast<size_t>(i)] = {Forecaster::name(i),
                                       forecaster_.wape(Forecaster::near, i),
                                       forecaster_.wape(Forecaster::far, i),
                                       forecaster_.mape(Forecaster::near, i),
                                       forecaster_.mape(Forecaster::far, i),
                                       forecaster_.forecast(Forecaster::near, i),
                                       forecaster_.forecast(Forecaster::far, i),
                                       i == near,
                                       i == far};
  }
  const double hold_s = facts_.hold_s;
  const double band_10 = forecaster_.mean_error(Forecaster::near, near) * hold_s;
  const double band_60 = forecaster_.mean_error(Forecaster::far, far) * hold_s;
  facts_.predicted_in_use_10 = forecast(10) * hold_s;
  facts_.predicted_in_use_60 = forecast(60) * hold_s;
  facts_.low_10 = std::max(0.0, facts_.predicted_in_use_10 - band_10);
  facts_.high_10 = facts_.predicted_in_use_10 + band_10;
  facts_.low_60 = std::max(0.0, facts_.predicted_in_use_60 - band_60);
  facts_.high_60 = facts_.predicted_in_use_60 + band_60;
}

}  // namespace tide::brain
