// Executor: threads for asynchronous calls, which may block.
//
// A thread is started when a work arrives and none is idle, up to a limit; then works wait in the order of their arrival.
// The threads end with finish().
// X1  Every work that was accepted is carried out once.
// Threads: any. Failure: run() says why no thread could be started.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/status.hpp"
#include "os/clock.hpp"

namespace tide {

class Executor {
 public:
  static constexpr size_t kThreadsMax = 16;

  Executor();
  // Threads that are still inside a work continue, and end after it.
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // `work` must not throw.
  Status run(std::function<void()> work);
  // Accepts no more works. False: some have not returned in time.
  bool finish(const Clock& clock, Instant give_up);

 private:
  struct State {  // shared with the threads, which may outlive the executor
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::function<void()>> waiting;
    size_t idle = 0;
    size_t threads = 0;  // that have not ended
    bool is_ending = false;
  };
  static void serve(State& state);
  Status start_thread();

  const std::shared_ptr<State> state_;
  std::vector<std::thread> threads_;  // guarded by the mutex
};

}  // namespace tide
