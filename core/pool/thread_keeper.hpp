// ThreadKeeper: a thread that drives a keeper until it is closed.
//
// All signals are blocked in it, so that the application's handlers never run there.
// Threads: start and join from the thread that opens and closes the pool.
// Failure: the constructor throws Shortage if no thread can be created; close() reports whether the thread is stuck in
// a driver.
#pragma once

#include <atomic>
#include <thread>

#include "pool/keeper.hpp"

namespace tide {

class ThreadKeeper {
 public:
  explicit ThreadKeeper(Keeper& keeper);
  ~ThreadKeeper();
  // Asks the keeper to close and waits until it has, at most until `give_up`. False: it is blocked in code outside the
  // pool; the thread continues when that returns, so the keeper and this object must stay alive.
  bool close(Instant deadline, Instant give_up = Instant::never());

 private:
  void run();
  Keeper& keeper_;
  std::atomic<int64_t> close_deadline_ns_{0};
  std::atomic<uint32_t> has_ended_{0};
  std::thread thread_;
};

// Keeper::step() for threads that must continue: without memory it is tried again a little later.
Span step_or_pause(Keeper& keeper) noexcept;
// Sleeps until the keeper's descriptor is readable, at most `span`. For code that drives a keeper manually.
void wait_for_keeper(const Keeper& keeper, Span span);

}  // namespace tide
