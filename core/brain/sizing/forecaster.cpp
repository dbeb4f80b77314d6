#include "brain/sizing/forecaster.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "brain/sizing/observation.hpp"

namespace tide::brain {
namespace {

constexpr float kNothing = std::numeric_limits<float>::quiet_NaN();
constexpr int kPersistence = 0;
constexpr int kMean = 1;
constexpr int kLinear = 2;
constexpr int kSeasonal = 3;  // seasonal_1, level_1, seasonal_2 ...
constexpr int kPersistenceSamples = 5;
constexpr int kActualSamples = 10;
constexpr double kRecent_s = 5;
constexpr double kMeanWeight = 0.01;
constexpr double kMeanTau_s = 20;
constexpr double kLevel = 0.3;
constexpr double kTrend = 0.05;
constexpr double kTrendTau_s = 15;
constexpr double kKeepScore = 0.999;  // of a score, per sample
constexpr double kKeepRecent = 0.96;  // ... of the recent score
constexpr double kDoubt = 1.5;        // over the root of the samples: how much less a score with few samples is trusted
constexpr double kGate = 0.9;         // of persistence's WAPE: upper bound for a model
constexpr double kMapeMin_per_s = 5;  // arrivals: with fewer, percentages are meaningless

}  // namespace

Forecaster::Forecaster(std::span<const double> season_s) {
  for (const double season : season_s) {
    if (seasons_total_ == kSeasonsMax) break;
    if (!std::isfinite(season) || season < SeasonProfile::kSeasonMin_s) continue;
    seasons_[static_cast<size_t>(seasons_total_++)] = SeasonProfile(season);
  }
  forget();
}

void Forecaster::forget() {
  samples_total_ = 0;
  gathered_s_ = gathered_ = mean_ = level_ = trend_ = 0;
  recent_.fill(0);
  for (Pending& pending : near_pending_) pending.fill(kNothing);
  for (Pending& pending : far_pending_) pending.fill(kNothing);
  for (Forecasts& forecasts : latest_) forecasts.fill(kUnknown);
  for (auto& scores : scores_) scores.fill(Score());
  selected_.fill(kPersistence);
}

const char* Forecaster::name(int model) {
  static constexpr const char* kNames[kModels] = {"persistence", "mean",       "linear",  "seasonal_1",
                                                  "level_1",     "seasonal_2", "level_2", "seasonal_3",
                                                  "level_3",     "seasonal_4", "level_4"};
  return kNames[model];
}

double Forecaster::wape(Horizon horizon, int model) const {
  const Score& score = scores_[horizon][static_cast<size_t>(model)];
  return score.actual > 0 ? score.error / score.actual : kUnknown;
}

double Forecaster::mape(Horizon horizon, int model) const {
  const Score& score = scores_[horizon][static_cast<size_t>(model)];
  return score.share_weight > 0 ? score.share / score.share_weight : kUnknown;
}

double Forecaster::mean_error(Horizon horizon, int model) const {
  const Score& score = scores_[horizon][static_cast<size_t>(model)];
  return score.weight > 0 ? score.error / score.weight : kUnknown;
}

double Forecaster::recent(int samples) const {
  const int64_t n = std::min<int64_t>(samples, samples_total_);
  double sum = 0;
  for (int64_t i = 1; i <= n; ++i)
    sum += static_cast<double>(recent_[static_cast<size_t>((samples_total_ - i) % kKept)]);
  return n > 0 ? sum / static_cast<double>(n) : 0;
}

void Forecaster::see(double now_s, double dt_s, double arrivals, PredictionMode mode) {
  for (int i = 0; i < seasons_total_; ++i) seasons_[static_cast<size_t>(i)].see(now_s, dt_s, arrivals / dt_s);
  gathered_s_ += dt_s;
  gathered_ += arrivals;
  if (gathered_s_ < kTickMin_s) return;
  const double rate = gathered_ / gathered_s_;
  const int64_t samples = static_cast<int64_t>(std::min(gathered_s_ - kTickMin_s, 1.0 * kFarSamples)) + 1;
  gathered_s_ = gathered_ = 0;
  for (int64_t i = 0; i < samples; ++i) sample(rate);
  predict(now_s);
  for (const Horizon horizon : {near, far}) selected_[horizon] = best(horizon, mode);
}

void Forecaster::sample(double rate) {
  if (samples_total_ == 0) level_ = mean_ = rate;
  recent_[static_cast<size_t>(samples_total_ % kKept)] = static_cast<float>(rate);
  ++samples_total_;
  const double expected = level_ + trend_;
  const double level = expected + kLevel * (rate - expected);
  trend_ = (1 - kTrend) * trend_ + kTrend * (level - level_);
  level_ = level;
  mean_ += kMeanWeight * (rate - mean_);
  judge(near, near_pending_[static_cast<size_t>(samples_total_ % kNearSamples)]);
  judge(far, far_pending_[static_cast<size_t>(samples_total_ % kFarSamples)]);
}

void Forecaster::judge(Horizon horizon, Pending& due) {
  const double actual = recent(kActualSamples);
  for (size_t model = 0; model < kModels; ++model) {
    if (std::isnan(due[model])) continue;
    const double error = std::abs(static_cast<double>(due[model]) - actual);
    Score& score = scores_[horizon][model];
    score.error = score.error * kKeepScore + error;
    score.actual = score.actual * kKeepScore + actual;
    score.weight = score.weight * kKeepScore + 1;
    score.recent = score.recent * kKeepRecent + error;
    score.recent_persistence =
        score.recent_persistence * kKeepRecent + std::abs(static_cast<double>(due[kPersistence]) - actual);
    if (actual >= kMapeMin_per_s) {
      score.share = score.share * kKeepScore + error / actual;
      score.share_weight = score.share_weight * kKeepScore + 1;
    }
  }
  due.fill(kNothing);
}

void Forecaster::predict(double now_s) {
  latest_[near] = predicted(now_s, 0, 10);
  latest_[far] = predicted(now_s, 50, 60);
  Pending& near_due = near_pending_[static_cast<size_t>(samples_total_ % kNearSamples)];
  Pending& far_due = far_pending_[static_cast<size_t>(samples_total_ % kFarSamples)];
  for (size_t model = 0; model < kModels; ++model) {
    near_due[model] = static_cast<float>(latest_[near][model]);
    far_due[model] = static_cast<float>(latest_[far][model]);
  }
}

Forecaster::Forecasts Forecaster::predicted(double now_s, double from_s, double to_s) const {
  Forecasts out;
  out.fill(kUnknown);
  const double ahead_s = (from_s + to_s) / 2;
  const double last = recent(kPersistenceSamples);
  out[kPersistence] = last;
  out[kMean] = mean_ + (last - mean_) * std::exp(-ahead_s / kMeanTau_s);
  out[kLinear] = std::max(0.0, level_ + trend_ * kTrendTau_s * (1 - std::exp(-ahead_s / kTrendTau_s)));
  for (int i = 0; i < seasons_total_; ++i) {
    const SeasonProfile& season = seasons_[static_cast<size_t>(i)];
    const double factor = level(season, now_s);
    if (std::isnan(factor)) continue;
    const size_t model = static_cast<size_t>(kSeasonal) + 2 * static_cast<size_t>(i);
    out[model] = season.mean(now_s + from_s, now_s + to_s);
    out[model + 1] = out[model] * factor;
  }
  return out;
}

// The current level over the profile's; NaN while the profile does not know the last seconds.
double Forecaster::level(const SeasonProfile& season, double now_s) const {
  const double usual = season.mean(std::max(0.0, now_s - kRecent_s), now_s);
  if (std::isnan(usual)) return usual;
  return within(recent(kPersistenceSamples) / std::max(usual, 1e-6), 0.5, 2);
}

int Forecaster::best(Horizon horizon, PredictionMode mode) const {
  double best_wape = wape(horizon, kPersistence);
  int best_model = kPersistence;
  const double below = kGate * best_wape;
  for (int model = 1; model < models(); ++model) {
    const bool is_seasonal = model >= kSeasonal;
    const bool is_candidate = mode == PredictionMode::auto_ || (mode == PredictionMode::seasonal && is_seasonal) ||
                              (mode == PredictionMode::linear && model == kLinear);
    const double error = wape(horizon, model);
    if (!is_candidate || !(error < below) || !(error < best_wape)) continue;
    if (std::isnan(forecast(horizon, model))) continue;
    const Score& score = scores_[horizon][static_cast<size_t>(model)];
    if (!(error < below * (1 - kDoubt / std::sqrt(score.weight)))) continue;
    if (score.recent > score.recent_persistence) continue;
    best_wape = error;
    best_model = model;
  }
  return best_model;
}

double Forecaster::peak(double now_s, double lead_s) const {
  const int model = selected(near);
  if (model < kSeasonal) return kUnknown;
  const SeasonProfile& season = seasons_[static_cast<size_t>((model - kSeasonal) / 2)];
  const double highest = season.peak(now_s, now_s + lead_s);
  const bool is_levelled = (model - kSeasonal) % 2 == 1;
  return is_levelled ? highest * level(season, now_s) : highest;
}

}  // namespace tide::brain
