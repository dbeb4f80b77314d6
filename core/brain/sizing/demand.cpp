#include "brain/sizing/demand.hpp"

#include <algorithm>

namespace tide::brain {
namespace {

constexpr double kHoldTau_s = 20;
constexpr double kHoldSamples = 20;  // completions in a tick that count as one time step
constexpr double kRise = 0.7;        // weight of a rise, per second
constexpr double kFallTau_s = 2;

}  // namespace

void DemandFilter::see(const Observation& seen) {
  if (seen.completions > 0) {
    const double hold_s = seen.hold_s / seen.completions;
    const double steps = seen.dt_s / kHoldTau_s * std::min(4.0, seen.completions / kHoldSamples);
    hold_s_ = hold_s_ > 0 ? hold_s_ + (1 - std::exp(-steps)) * (hold_s - hold_s_) : hold_s;
  }
  const double offered = seen.arrivals / seen.dt_s * this->hold_s();
  const double x = seen.waiting > 0 ? std::max(seen.demand_avg, offered) : 0.5 * (seen.demand_avg + offered);
  const double w = x > erlangs_ ? weight(kRise, seen.dt_s) : 1 - std::exp(-seen.dt_s / kFallTau_s);
  erlangs_ = std::min(erlangs_ + w * (x - erlangs_), kCountMax);
}

}  // namespace tide::brain
