// Shrink: makes a failing world smaller as long as it fails in the same way: fewer steps, fewer kinds of things that go
// wrong.
#pragma once

#include <string>

#include "worlds.hpp"

namespace tide::sim {

// `broken` is how `task` fails, as failure_of() says.
Task shrink(const Task& task, const std::string& broken);

// Shrinks a world whose check of `broken` is broken on purpose, and looks whether that went well. 0: it did.
int test_shrinking(const std::string& broken);

}  // namespace tide::sim
