#include "shrink.hpp"

#include <cstdio>

namespace tide::sim {
namespace {

// Halves the number of steps as long as that helps. What fails need not fail with more steps, but what is found does.
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
  if (failure_of(smallest) != broken) return task;  // it cannot be had again
  calm_down(smallest, broken);                      // first, while there are steps enough to fail in another way
  shorten(smallest, broken);
  calm_down(smallest, broken);
  shorten(smallest, broken);
  return smallest;
}

int test_shrinking(const std::string& broken) {
  constexpr uint64_t kSeedsMax = 50;
  Task task;
  task.broken = broken;
  while (failure_of(task).empty()) {
    if (++task.seed > kSeedsMax) return std::fprintf(stderr, "no world fails with %s broken\n", broken.c_str()), 1;
  }
  const std::string failure = failure_of(task);
  const Task smallest = shrink(task, failure);
  std::printf("%s: %s\n", failure.c_str(), replay_of(smallest).c_str());
  const bool is_good = failure == broken && failure_of(smallest) == broken && smallest.steps < task.steps &&
                       smallest.kinds.count() == 1 &&
                       (smallest.kinds.has(Kind::down) || smallest.kinds.has(Kind::flapping));
  if (!is_good) std::fprintf(stderr, "it could have been smaller\n");
  return is_good ? 0 : 1;
}

}  // namespace tide::sim
