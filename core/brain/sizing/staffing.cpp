#include "brain/sizing/staffing.hpp"

#include <algorithm>

namespace tide::brain {
namespace {

constexpr double kMargin = 0.8;
constexpr double kMarginPerKappa = 2.2;
constexpr double kGain = 0.3;
constexpr double kArrivalsMin = 5;  // a tick with fewer arrivals is no better evidence than one with so many
constexpr double kMeanWeight = 0.005;
constexpr double kWindow_s = 8;
constexpr double kWindowPerKappa = 10;

}  // namespace

void Staffing::learn(const Observation& seen, double share, bool is_limited) {
  const double rate = seen.arrivals / seen.dt_s;
  if (arrivals_per_s_ < 0) arrivals_per_s_ = std::max(1.0, rate);
  arrivals_per_s_ += weight(kMeanWeight, seen.dt_s) * (rate - arrivals_per_s_);
  if (seen.arrivals <= 0) return;
  const double scale = std::max({kArrivalsMin, arrivals_per_s_ * seen.dt_s, 0.25 * seen.arrivals});
  const double step = kGain * (seen.slow - share * seen.arrivals) / scale;
  if (step > 0 && is_limited) return;
  kappa_ = within(kappa_ + step, 0, kKappaMax);
}

double Staffing::need(double erlangs, double kappa) const {
  return erlangs + (kMargin + kMarginPerKappa * kappa) * std::sqrt(std::max(erlangs, 0.25)) + 0.5;
}

double Staffing::window_s(double kappa) const {
  return std::min(kWindowMax_s, kWindow_s * std::pow(kWindowPerKappa, kappa));
}

double Staffing::patience_s(double objective_s, double connect_s, double kappa) const {
  return std::max(objective_s, connect_s) * std::max(0.0, 1 - kappa);
}

}  // namespace tide::brain
