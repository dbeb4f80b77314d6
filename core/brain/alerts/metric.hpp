// Readings: the current value of each alert metric (model/alert_metrics.hpp); NaN if it was not measured.
#pragma once

#include <array>
#include <limits>

#include "model/alert_metrics.hpp"

namespace tide::brain {

struct Readings {
  Readings() { value.fill(std::numeric_limits<double>::quiet_NaN()); }

  double& operator[](Metric metric) { return value[static_cast<size_t>(metric)]; }
  double operator[](Metric metric) const { return value[static_cast<size_t>(metric)]; }

  std::array<double, kMetrics> value;
};

}  // namespace tide::brain
