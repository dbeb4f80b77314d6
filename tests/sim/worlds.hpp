// Worlds: runs worlds one after the other, each from its seed, and reports the first that fails.
//
// The worlds run in a child process, because a world that fails in the middle of its life cannot be destroyed cleanly,
// and one that crashes ends its process. The parent then reduces the failing one (shrink.hpp).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kinds.hpp"

namespace tide::sim {

struct Task {
  uint64_t seed = 1;
  uint64_t steps = 5000;
  Kinds kinds;
  std::string broken;  // an invariant whose check is broken on purpose
};

struct WorldsSpec {
  std::vector<Task> tasks;
  bool is_shown = false;
  bool is_twice = false;
};

// 0: success.
int run_worlds(const WorldsSpec& spec);

// Runs the world in its own process. Returns the name of the broken invariant, "death" if it crashed, "" if it
// succeeded.
std::string failure_of(const Task& task);

// The command line that repeats it.
std::string replay_of(const Task& task);

}  // namespace tide::sim
