// Advice: values that are valid, but rarely useful.
#pragma once

#include <vector>

#include "policy/parse.hpp"

namespace tide {

// Reports, for options that were given: values that are rarely useful, then options without an effect and words of other
// pools. `has_target`: parsed.target is known.
std::vector<Finding> advise(const ParsedOptions& parsed, bool has_target);

std::string_view backend_name(Backend backend);  // as in the relation pools

}  // namespace tide
