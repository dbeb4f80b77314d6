// Legacy: metrics under the names of older monitoring, for dashboards that still use them. The recording rules in
// docs/monitoring/recording_rules.yml compute the same from the current names.
#pragma once

#include <span>
#include <string_view>

#include "render/samples.hpp"

namespace tide {

struct LegacyMetric {
  std::string_view name;
  bool is_counter;
  std::string_view meaning;                 // one sentence
  Value (*value)(const PoolSamples& pool);  // null: not known
};

std::span<const LegacyMetric> legacy_metrics();

}  // namespace tide
