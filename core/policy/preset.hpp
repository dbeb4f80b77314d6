// Presets: named sets of option values, from the profiles people already use.
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
  std::string_view document;  // whose number it is; "" where it is this pool's own
  std::string_view note;      // what another document says, or why
};

// Every value is accepted by assign_value(), and the defaults with all of a preset's values pass check_policy().
// `none` and `auto_` have none.
std::span<const PresetValue> preset_values(Preset preset);

// What "auto" is, and why, from the environment: a serverless platform (its variables, or less than 256 MB of memory for
// the process), else what NODE_ENV or APP_ENV name, else none. `memory_limit` is the cgroup's in bytes, 0 where it has none.
struct FoundPreset {
  Preset preset = Preset::none;
  std::string because;  // "VERCEL is set"; "" where nothing was found
};
FoundPreset find_preset(const EnvironmentReader& environment, int64_t memory_limit);

}  // namespace tide
