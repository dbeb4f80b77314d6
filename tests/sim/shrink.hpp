// Shrink: reduces a failing world while it fails in the same way: fewer steps, fewer kinds of faults.
#pragma once

#include <string>

#include "worlds.hpp"

namespace tide::sim {

// `broken` is the failure of `task`, as returned by failure_of().
Task shrink(const Task& task, const std::string& broken);

// Shrinks a world in which the check of `broken` is broken on purpose, and verifies the result. 0: success.
int test_shrinking(const std::string& broken);

}  // namespace tide::sim
