// Surroundings: the context in which the options of a pool are checked in this process.
#pragma once

#include "policy/environment.hpp"

namespace tide {

// The current environment; `memory_limit` is not set, because only the engine measures it.
Environment process_environment();

}  // namespace tide
