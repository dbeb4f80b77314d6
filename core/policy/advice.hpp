// Advice: what is accepted, but rarely meant.
#pragma once

#include <vector>

#include "policy/parse.hpp"

namespace tide {

// Of options that somebody gave: values that are known to be bad, then those that have no effect; and the other pools'
// words. `has_target`: parsed.target is known.
std::vector<Finding> advise(const ParsedOptions& parsed, bool has_target);

std::string_view backend_name(Backend backend);  // as in the relation pools

}  // namespace tide
