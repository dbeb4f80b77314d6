// ThreadKeeper: a thread that drives a keeper until it is closed.
//
// All signals are blocked in it, so that the application's handlers never run there.
// Threads: start and join from the thread that opens and closes the pool.
#pragma once

#include <atomic>
#include <thread>

#include "pool/keeper.hpp"

namespace tide {

class ThreadKeeper {
 public:
  explicit ThreadKeeper(Keeper& keeper);
  ~ThreadKeeper();
  // Ask the keeper to close and wait until it has.
  void close(Instant deadline);
  // In a forked child: the thread does not exist here.
  void abandon_after_fork() noexcept;

 private:
  void run();
  Keeper& keeper_;
  std::atomic<int64_t> close_deadline_ns_{0};
  std::thread thread_;
};

// Sleep until the keeper's descriptor is readable, at most `span`. For whoever drives a keeper by hand.
void wait_for_keeper(const Keeper& keeper, Span span);

}  // namespace tide
