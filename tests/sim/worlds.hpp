// Worlds: runs worlds one after the other, each from its seed, and tells of the first that fails.
//
// The worlds live in a child process, since one that is broken in the middle of its life cannot be taken down in order,
// and one that dies takes its process along. The parent then makes the failing one smaller (shrink.hpp).
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

// 0: all went well.
int run_worlds(const WorldsSpec& spec);

// Lives the world in a process of its own. The name of the invariant that was broken, "death" if it died; "" if it
// lived.
std::string failure_of(const Task& task);

// What is to be typed to see it again.
std::string replay_of(const Task& task);

}  // namespace tide::sim
