// The adaptive sizer behind five C functions, so that a simulator in another language can evaluate the product's own
// code.
//
// An observation is 17 doubles in the order of brain::Observation. A null pointer means that no sizer could be created.
#include <array>
#include <cstddef>
#include <new>
#include <span>

#include "brain/sizing/adaptive.hpp"

#define TIDE_FACE extern "C" [[gnu::visibility("default")]]

using tide::brain::AdaptiveSizer;
using tide::brain::Observation;
using tide::brain::SizingSettings;

TIDE_FACE void* tide_sizer_create(int min, int max, double connect_s, int parallel, double objective_s,
                                  const double* season_s, int seasons_total) {
  SizingSettings settings;
  settings.min_size = min;
  settings.max_size = max;
  settings.connect_s = connect_s;
  settings.max_connecting = parallel;
  settings.objective_s = objective_s;
  const size_t n = season_s == nullptr || seasons_total < 0 ? 0 : static_cast<size_t>(seasons_total);
  return new (std::nothrow) AdaptiveSizer(settings, std::span(season_s, n));
}

TIDE_FACE int tide_sizer_tick(void* sizer, const double* obs) {
  Observation seen;
  const std::array<double*, 17> fields = {
      &seen.now_s,      &seen.dt_s,       &seen.arrivals,   &seen.completions, &seen.hold_s, &seen.in_use_avg,
      &seen.demand_avg, &seen.in_use_max, &seen.demand_max, &seen.waiting,     &seen.wait_s, &seen.slow,
      &seen.timeouts,   &seen.open,       &seen.connecting, &seen.idle,        &seen.target};
  for (size_t i = 0; i < fields.size(); ++i) *fields[i] = obs[i];
  return static_cast<int>(static_cast<AdaptiveSizer*>(sizer)->tick(seen));
}

TIDE_FACE int tide_sizer_wait(void* sizer, double now_s, int waiting, int in_use, int open, int connecting,
                              int target) {
  return static_cast<int>(static_cast<AdaptiveSizer*>(sizer)->demand(now_s, waiting, in_use, open, connecting, target));
}

TIDE_FACE double tide_sizer_forecast(void* sizer, int horizon_s) {
  return static_cast<AdaptiveSizer*>(sizer)->forecast(horizon_s);
}

TIDE_FACE void tide_sizer_destroy(void* sizer) { delete static_cast<AdaptiveSizer*>(sizer); }
