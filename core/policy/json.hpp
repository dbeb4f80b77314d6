// Options as a JSON object.
#pragma once

#include <string_view>
#include <vector>

#include "policy/given.hpp"

namespace tide {

inline constexpr size_t kJsonDepthMax = 8;

// Scalars are options. The names of objects that only group ("poolConfig", "thresholds", ...) are ignored; the name of every
// other object becomes a prefix of its keys ("scaleUp.utilization"), so that "emergencyMode": {"maxConnections": 5} does
// not set the size of the pool. The name of a group is also a prefix of keys that are ambiguous without it
// ("healthCheckConfig.enabled"). An array of words is one option whose value is a list. null is an error.
// Fails with bad_option; for malformed JSON with line and column, without quoting the text.
Result<std::vector<GivenOption>> parse_json(std::string_view text);

}  // namespace tide
