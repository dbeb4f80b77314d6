// AdaptiveSizer: how many connections a pool should have, decided by how long its callers wait. One object per pool.
//
// The objective is a share of the requests (0.8 %) that may wait longer than a wait objective (10 ms); the number of
// connections that this requires is learnt, not configured. README.md of core/brain has the complete rule and the
// precedence.
//
//   tick(seen)   about once a second: demand -> need + margin -> forecast -> stabilisation -> knee -> target
//   demand(...)  when a caller queues: raises the target if the queue will not drain before a connection could be open
//
// It grows by its queue and shrinks by its demand. A raise on demand opens what the queue needs plus the square root of
// what is open, so that a sudden load is met in few steps; tick() raises the target only if it is 40 % too small, and
// leaves smaller raises to demand(). It lowers a target that is 25 % too large, to the highest recommendation of a
// short window, and not within 5 s after a raise on demand.
//
// Invariants: the target is within min_size .. max_size, whatever the observations are. Same settings, seasons and
// calls, same targets. demand() never lowers. Nothing is allocated after construction.
// Threads: the keeper only.
// Failure: an observation that is not a number counts as nothing observed; while a clock stands still nothing is learnt
// or decided.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "brain/sizing/demand.hpp"
#include "brain/sizing/forecaster.hpp"
#include "brain/sizing/knee.hpp"
#include "brain/sizing/observation.hpp"
#include "brain/sizing/staffing.hpp"
#include "brain/sizing/window.hpp"
#include "policy/policy.hpp"

namespace tide::brain {

// The seasons of a pool, in seconds: hour, day, week.
inline constexpr std::array<double, 3> kSeasons_s = {3600, 86'400, 604'800};

struct SizingSettings {
  int64_t min_size = 2;
  int64_t max_size = 10;
  double connect_s = 0.030;  // measured time to open a connection
  int64_t max_connecting = 4;
  double objective_s = 0.010;  // requested upper bound of a request's wait
  double share = 0.008;        // of requests that may exceed it
  PredictionMode prediction = PredictionMode::auto_;
};

// Why the last target has its value.
enum class SizingCause : uint8_t { none, reactive, forecast, demand, stabilised, knee, limit };

class AdaptiveSizer {
 public:
  static constexpr int64_t kSizeMax = 10'000;

  AdaptiveSizer(const SizingSettings& settings, std::span<const double> season_s);
  void set(const SizingSettings& settings);  // a live change; learnt state is kept

  int64_t tick(const Observation& seen);  // the target; the current one until about a second has been observed
  // `waiting` includes the caller, `open` includes those being opened.
  int64_t demand(double now_s, int64_t waiting, int64_t in_use, int64_t open, int64_t connecting, int64_t target);

  // Emergency, or a manual size: kappa and the window are kept, nothing is opened on demand and tick() returns the
  // current target; demand, knee and forecasts are still learnt and scored.
  void freeze(bool is_frozen) { is_frozen_ = is_frozen; }
  // A burst by command: kappa acts as 1.5 (its learnt value is kept), nothing is scaled down.
  void burst(bool is_on) { is_bursting_ = is_on; }
  // Resets the learnt state; the profiles of the seasons are kept.
  void forget();

  // Arrivals a second over (0, 10] for 10, over (50, 60] for 60, by the selected model; NaN before the first tick.
  double forecast(int horizon_s) const;

  struct Model {
    const char* name = "";
    double wape_10, wape_60, mape_10, mape_60;  // NaN: unknown
    double forecast_10, forecast_60;            // arrivals a second
    bool is_selected_10, is_selected_60;
  };
  struct Facts {
    double demand = 0;  // erlangs
    double hold_s = kUnknown;
    double kappa = 0;
    double window_s = 0;
    double knee = kUnknown;
    double base_hold_s = kUnknown;
    double cap = 0;
    double predicted_demand = kUnknown;     // erlangs of a forecast that raised the last recommendation
    double predicted_in_use_10 = kUnknown;  // erlangs, and their band: forecast -+ mean absolute error
    double predicted_in_use_60 = kUnknown;
    double low_10 = kUnknown, high_10 = kUnknown, low_60 = kUnknown, high_60 = kUnknown;
    double efficiency = kUnknown;  // time in use over time open, decayed (0.005 a second)
    double slow_share = kUnknown;  // of arrivals, decayed likewise
    bool is_overloaded = false;
    uint64_t bursts = 0;  // raises of the target on demand
    uint64_t overloads = 0;
    uint64_t forecasts_used = 0;  // ticks in which a forecast raised the target
    SizingCause cause = SizingCause::none;
  };
  const Facts& facts() const { return facts_; }
  std::span<const Model> models() const;

 private:
  double kappa() const { return is_bursting_ ? Staffing::kKappaMax : staffing_.kappa(); }
  void learn(const Observation& seen);
  int64_t recommend(const Observation& seen);
  int64_t decide(const Observation& seen, int64_t recommended);
  int64_t clamped(int64_t size) const;
  void note_outcome(const Observation& seen);
  void note_forecasts();

  SizingSettings settings_;
  DemandFilter demand_;
  Staffing staffing_;
  Forecaster forecaster_;
  KneeGuard knee_;
  uint64_t overloads_before_ = 0;  // forget()
  StabilisationWindow window_;
  Observation gathered_;  // ticks that were too short
  double now_s_ = 0;
  double no_shrink_until_s_ = 0;
  bool is_frozen_ = false;
  bool is_bursting_ = false;
  SizingCause wish_ = SizingCause::none;                        // cause of the last recommendation
  double in_use_s_ = 0, open_s_ = 0, slow_ = 0, arrivals_ = 0;  // decayed
  Facts facts_;
  std::array<Model, Forecaster::kModels> models_{};
};

static_assert(sizeof(AdaptiveSizer) <= 16 * 1024, "a pool's sizer with all its seasons");

}  // namespace tide::brain
