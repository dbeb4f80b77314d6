#include "brain/sizing/observation.hpp"

#include <algorithm>

namespace tide::brain {

Observation cleaned(const Observation& seen, double last_now_s) {
  constexpr double kNowMax_s = 1e11;
  Observation out;
  out.now_s = within(seen.now_s, last_now_s, std::max(last_now_s, kNowMax_s));
  out.dt_s = within(seen.dt_s, 0, kTickMax_s);
  out.arrivals = within(seen.arrivals, 0, kCountMax);
  out.completions = within(seen.completions, 0, kCountMax);
  if (out.completions < 1) out.completions = 0;  // less than one lease has no mean hold time
  out.hold_s = within(seen.hold_s, 0, kCountMax);
  out.in_use_avg = within(seen.in_use_avg, 0, kCountMax);
  out.demand_avg = within(seen.demand_avg, out.in_use_avg, kCountMax);
  out.in_use_max = within(seen.in_use_max, 0, kCountMax);
  out.demand_max = within(seen.demand_max, 0, kCountMax);
  out.waiting = within(seen.waiting, 0, kCountMax);
  out.wait_s = within(seen.wait_s, 0, kCountMax);
  out.slow = within(seen.slow, 0, kCountMax);
  out.timeouts = within(seen.timeouts, 0, kCountMax);
  out.open = within(seen.open, 0, kCountMax);
  out.connecting = within(seen.connecting, 0, out.open);
  out.idle = within(seen.idle, 0, out.open);
  out.target = within(seen.target, 0, kCountMax);
  return out;
}

Observation joined(const Observation& first, const Observation& second) {
  Observation out = second;  // current values
  const auto sum = [](double a, double b) { return std::min(a + b, kCountMax); };
  out.dt_s = std::min(first.dt_s + second.dt_s, kTickMax_s);
  out.arrivals = sum(first.arrivals, second.arrivals);
  out.completions = sum(first.completions, second.completions);
  out.hold_s = sum(first.hold_s, second.hold_s);
  out.wait_s = sum(first.wait_s, second.wait_s);
  out.slow = sum(first.slow, second.slow);
  out.timeouts = sum(first.timeouts, second.timeouts);
  out.in_use_max = std::max(first.in_use_max, second.in_use_max);
  out.demand_max = std::max(first.demand_max, second.demand_max);
  const double part = first.dt_s + second.dt_s > 0 ? first.dt_s / (first.dt_s + second.dt_s) : 0;
  out.in_use_avg = part * first.in_use_avg + (1 - part) * second.in_use_avg;
  out.demand_avg = part * first.demand_avg + (1 - part) * second.demand_avg;
  return out;
}

}  // namespace tide::brain
