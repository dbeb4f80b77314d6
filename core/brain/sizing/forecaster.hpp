// Forecaster: the expected arrivals per second, by several cheap models, each scored by the actual arrivals.
//
// Two horizons: the mean over the next 10 s, (0, 10], and over the ten seconds a minute ahead, (50, 60]. Models:
//
//   persistence  mean of the last 5 s: the baseline for all others
//   mean         persistence that returns to the slow mean (0.01 a second), time constant 20 s
//   linear       damped trend: level 0.3, trend 0.05, level + trend * 15 (1 - e^(-h/15)) (Holt; damping by Gardner)
//   seasonal_k   the profile of season k
//   level_k      the same times the current level: last 5 s over the profile's value for them, within 1/2 .. 2
//
// Every forecast is scored when its time has come: |forecast - actual|, decayed by 0.999 a second, over the actual,
// decayed likewise, is the model's WAPE. The best model with WAPE < 0.9 (1 - 1.5 / sqrt(samples)) of persistence's is
// *selected*, else persistence: a model must outperform persistence by a tenth, and by more while it has few samples.
// It must also be no worse than persistence recently (errors decayed by 0.96 a second), otherwise the first flash crowd
// would be forecast by a model that was scored in quiet times. Only a selected seasonal model may act (peak()). Time is
// counted in samples of about a second: shorter ticks are gathered, longer ones count as several.
// Threads: the keeper only. Failure: unknown values are NaN; after a minute without ticks pending forecasts are
// dropped.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "brain/sizing/season.hpp"
#include "policy/policy.hpp"

namespace tide::brain {

class Forecaster {
 public:
  static constexpr int kSeasonsMax = 4;
  static constexpr int kModels = 3 + 2 * kSeasonsMax;
  enum Horizon : uint8_t { near = 0, far = 1 };  // (0, 10] and (50, 60]

  explicit Forecaster(std::span<const double> season_s);

  void see(double now_s, double dt_s, double arrivals, PredictionMode mode);
  void forget();  // resets scores and levels; the profiles are kept

  int models() const { return 3 + 2 * seasons_total_; }
  static const char* name(int model);
  int selected(Horizon horizon) const { return selected_[horizon]; }
  double forecast(Horizon horizon, int model) const { return latest_[horizon][static_cast<size_t>(model)]; }
  double wape(Horizon horizon, int model) const;
  double mape(Horizon horizon, int model) const;  // of the windows with at least 5 arrivals a second
  double mean_error(Horizon horizon, int model) const;

  // The highest arrivals per second within the next lead_s by the near horizon's selected model; NaN if that must not
  // act.
  double peak(double now_s, double lead_s) const;

 private:
  static constexpr int kNearSamples = 10;
  static constexpr int kFarSamples = 60;
  static constexpr int kKept = 10;  // samples: the longest mean used
  struct Score {
    double error = 0, actual = 0, weight = 0, share = 0, share_weight = 0;
    double recent = 0, recent_persistence = 0;  // recent errors, at the same samples
  };
  using Forecasts = std::array<double, kModels>;
  using Pending = std::array<float, kModels>;

  void sample(double rate);
  void judge(Horizon horizon, Pending& due);
  void predict(double now_s);
  Forecasts predicted(double now_s, double from_s, double to_s) const;
  int best(Horizon horizon, PredictionMode mode) const;
  double recent(int samples) const;
  double level(const SeasonProfile& season, double now_s) const;

  std::array<SeasonProfile, kSeasonsMax> seasons_;
  int seasons_total_ = 0;
  std::array<float, kKept> recent_;
  int64_t samples_total_ = 0;
  double gathered_s_ = 0;
  double gathered_ = 0;  // arrivals
  double mean_ = 0;
  double level_ = 0;
  double trend_ = 0;
  std::array<Pending, kNearSamples> near_pending_;
  std::array<Pending, kFarSamples> far_pending_;
  std::array<Forecasts, 2> latest_;
  std::array<std::array<Score, kModels>, 2> scores_;
  std::array<int, 2> selected_{};
};

}  // namespace tide::brain
