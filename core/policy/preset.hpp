// Presets: named sets of option values, from the profiles people already use.
#pragma once

#include <span>
#include <string_view>

#include "policy/policy.hpp"

namespace tide {

struct PresetValue {
  std::string_view option;
  std::string_view value;
};

// Every value is accepted by assign_value(), and the defaults with all of a preset's values pass check_policy().
// `production` has none: it is the defaults, so that naming no preset and naming that one are the same.
std::span<const PresetValue> preset_values(Preset preset);

}  // namespace tide
