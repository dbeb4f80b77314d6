// The policy of another process's pool, from what it publishes.
#pragma once

#include "policy/settings.hpp"
#include "segment/attach.hpp"

namespace tide {

// The options that are known to this version, with the values that it accepts; all others have their defaults.
Policy policy_of(std::span<const format::SettingRecord> settings);

}  // namespace tide
