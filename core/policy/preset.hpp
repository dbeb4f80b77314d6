// Presets: named sets of option values, from the profiles of existing pools.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "policy/environment.hpp"
#include "policy/policy.hpp"

namespace tide {

struct PresetValue {
  std::string_view option;
  std::string_view value;
  std::string_view document;  // where the value comes from; "": this pool
  std::string_view note;      // the value in another document, or the reason
};

// Every value is valid for assign_value(), and the defaults with all values of a preset pass check_policy().
// `none` and `auto_` have no values.
std::span<const PresetValue> preset_values(Preset preset);

// Selects the preset for "auto": serverless if a variable of a serverless platform is set or the process has less than
// 256 MB of memory, else the one named by NODE_ENV or APP_ENV, else none. `memory_limit`: of the cgroup in bytes, 0: none.
struct FoundPreset {
  Preset preset = Preset::none;
  std::string because;  // "VERCEL is set"; "" if nothing was found
};
FoundPreset find_preset(const EnvironmentReader& environment, int64_t memory_limit);

}  // namespace tide
