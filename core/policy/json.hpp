// Options as a JSON object.
#pragma once

#include <string_view>
#include <vector>

#include "policy/given.hpp"

namespace tide {

inline constexpr size_t kJsonDepthMax = 8;

// Scalars are options. Objects that only group ("poolConfig", "thresholds", ...) are looked through; every other
// object's name goes before its keys ("scaleUp.utilization"), so that "emergencyMode": {"maxConnections": 5} can never
// be taken for the size of the pool. So does a group's before a key that says nothing alone
// ("healthCheckConfig.enabled"). An array of words is one option whose value is a list. null is refused.
// Fails with bad_option; malformed JSON is told by line and column, without its text.
Result<std::vector<GivenOption>> parse_json(std::string_view text);

}  // namespace tide
