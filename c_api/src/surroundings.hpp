// Surroundings: what a pool's options meet in this process besides what is typed.
#pragma once

#include <string>
#include <vector>

#include "policy/environment.hpp"

namespace tide {

// The environment as it is now; `memory_limit` is left out, since measuring it is the engine's.
Environment process_environment();

}  // namespace tide
