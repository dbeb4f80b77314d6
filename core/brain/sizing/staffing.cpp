#include "brain/sizing/staffing.hpp"

#include <algorithm>

namespace tide::brain {
namespace {

constexpr double kMargin = 0.7;
constexpr double kMarginPerKappa = 5.2;
constexpr double kGain = 0.12;
constexpr double kDebt = 1.5;      // how strongly recent slow requests are compensated
constexpr double kDebtLow = 0.55;  // bounds of the aim, in shares
constexpr double kDebtHigh = 1.5;
constexpr double kDebtWeight = 0.0005;
constexpr double kDebtPrior = 1000;  // arrivals assumed to have met the share before the first
constexpr double kArrivalsMin = 5;   // a tick with fewer arrivals counts as one with this many
constexpr double kArrivalWeight = 0.005;
constexpr double kBurstPart = 0.25;  // of a tick's arrivals: minimum divisor for its slow requests
constexpr double kWindow_s = 2;
constexpr double kWindowPerKappa = 2.6;
constexpr double kTimeout = 1.15;
constexpr double kEagerness = 0.8;

}  // namespace

double Staffing::aim(const Observation& seen, double share) {
  if (arrivals_ <= 0) {
    arrivals_ = kDebtPrior;
    slow_ = kDebtPrior * share;
  }
  const double keep = 1 - weight(kDebtWeight, seen.dt_s);
  slow_ = slow_ * keep + seen.slow;
  arrivals_ = arrivals_ * keep + seen.arrivals;
  return within(share * (1 - kDebt * (slow_ / (arrivals_ * share) - 1)), kDebtLow * share, kDebtHigh * share);
}

void Staffing::learn(const Observation& seen, double share, bool is_limited) {
  const double rate = seen.arrivals / seen.dt_s;
  if (arrivals_per_s_ < 0) arrivals_per_s_ = std::max(1.0, rate);
  arrivals_per_s_ += weight(kArrivalWeight, seen.dt_s) * (rate - arrivals_per_s_);
  const double aimed = aim(seen, share);
  if (seen.arrivals <= 0) return;
  const double scale = std::max({kArrivalsMin, arrivals_per_s_ * seen.dt_s, kBurstPart * seen.arrivals});
  const double step = kGain * (seen.slow - aimed * seen.arrivals) / scale;
  if (step > 0 && is_limited) return;
  kappa_ = within(kappa_ + step, 0, kKappaMax);
}

double Staffing::need(double erlangs, double kappa) const {
  const double spread = std::max(erlangs, std::min(0.25, arrivals_per_s_));
  return erlangs + (kMargin + kMarginPerKappa * kappa) * std::sqrt(spread) + 0.5;
}

double Staffing::window_s(double kappa) const {
  return std::min(kWindowMax_s, kWindow_s * std::pow(kWindowPerKappa, kappa));
}

double Staffing::tolerance_s(double objective_s, double connect_s, double kappa) const {
  return std::max(objective_s, connect_s) * std::max(0.0, kTimeout - kEagerness * kappa);
}

}  // namespace tide::brain
