#include "shrink.hpp"

#include <cstdio>

namespace tide::sim {
namespace {

// Halves the number of steps while that helps. A failing world need not fail with more steps, but the result does fail.
void shorten(Task& task, const std::string& broken) {
  uint64_t alive = 0;
  while (task.steps - alive > 1) {
    Task half = task;
    half.steps = alive + (task.steps - alive) / 2;
    if (failure_of(half) == broken) {
      task = half;
    } else {
      alive = half.steps;
    }
  }
}

void calm_down(Task& task, const std::string& broken) {
  for (size_t i = 0; i < kKinds; ++i) {
    if (!task.kinds.has(static_cast<Kind>(i))) continue;
    Task calmer = task;
    calmer.kinds.put(static_cast<Kind>(i), false);
    if (failure_of(calmer) == broken) task = calmer;
  }
}

}  // namespace

Task shrink(const Task& task, const std::string& broken) {
  Task smallest = task;
  if (failure_of(smallest) != broken) return task;  // not reproducible
  calm_down(smallest, broken);                      // first, while there are enough steps to fail in another way
  shorten(smallest, broken);
  calm_down(smallest, broken);
  shorten(smallest, broken);
  return smallest;
}

namespace {

// One kind of fault is left, and fewer steps.
bool is_small(const Task& smallest, const Task& task) {
  return smallest.steps < task.steps && smallest.kinds.count() == 1 &&
         (smallest.kinds.has(Kind::down) || smallest.kinds.has(Kind::flapping));
}

}  // namespace

// Not every world can be reduced: each omission changes everything after it. But it must still fail, and one of a few
// must become as small as its cause.
int test_shrinking(const std::string& broken) {
  constexpr uint64_t kSeedsMax = 50;
  Task task;
  task.broken = broken;
  for (task.seed = 1; task.seed <= kSeedsMax; ++task.seed) {
    if (failure_of(task) != broken) continue;
    const Task smallest = shrink(task, broken);
    std::printf("%s: %s\n", broken.c_str(), replay_of(smallest).c_str());
    if (failure_of(smallest) != broken) return std::fprintf(stderr, "the smaller world does not fail\n"), 1;
    if (is_small(smallest, task)) return 0;
  }
  return std::fprintf(stderr, "no world with %s broken could be reduced\n", broken.c_str()), 1;
}

}  // namespace tide::sim
