#include "service/executor.hpp"

#include <pthread.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <new>
#include <system_error>
#include <utility>

#include "os/shortage.hpp"
#include "pool/blocked_signals.hpp"

namespace tide {

Executor::Executor() : state_(std::make_shared<State>()) {}

Executor::~Executor() {
  std::unique_lock lock(state_->mutex);
  state_->is_ending = true;
  state_->changed.notify_all();
  const bool have_all_ended = state_->threads == 0;
  lock.unlock();
  for (std::thread& thread : threads_) have_all_ended ? thread.join() : thread.detach();
}

void Executor::serve(State& state) {
  pthread_setname_np(pthread_self(), "tidepool-call");
  std::unique_lock lock(state.mutex);
  for (;;) {
    if (state.waiting.empty()) {
      if (state.is_ending) break;
      ++state.idle;
      state.changed.wait(lock);
      --state.idle;
      continue;
    }
    std::function<void()> work = std::move(state.waiting.front());
    state.waiting.pop_front();
    lock.unlock();
    work();
    work = nullptr;  // what it owns ends without the mutex
    lock.lock();
  }
  --state.threads;
  state.changed.notify_all();
}

Status Executor::start_thread() {
  int error = 0;
  try {
    const BlockedSignals blocked;
    threads_.reserve(kThreadsMax);
    threads_.emplace_back([state = state_] { serve(*state); });
  } catch (const std::system_error& problem) {
    error = problem.code().value();
  } catch (const std::bad_alloc&) {
    error = ENOMEM;
  }
  if (error != 0) return shortage_status("could not start a thread for asynchronous calls", error);
  ++state_->threads;
  return Status::ok();
}

Status Executor::run(std::function<void()> work) {
  const std::lock_guard lock(state_->mutex);
  if (state_->is_ending) return Status::error(Code::closed, "the pool is closing, no further calls are accepted");
  state_->waiting.push_back(std::move(work));
  // Idle threads that were woken for earlier works count as idle until they run.
  if (state_->idle < state_->waiting.size() && threads_.size() < kThreadsMax) {
    Status started = start_thread();
    if (!started && threads_.empty()) {
      state_->waiting.pop_back();
      return started;
    }
  }
  state_->changed.notify_one();
  return Status::ok();
}

bool Executor::finish(const Clock& clock, Instant give_up) {
  constexpr std::chrono::milliseconds kSlice{20};  // the clock may be another one than that of the wait
  std::unique_lock lock(state_->mutex);
  state_->is_ending = true;
  state_->changed.notify_all();
  while (state_->threads != 0 && clock.now() < give_up) state_->changed.wait_for(lock, kSlice);
  return state_->threads == 0;
}

}  // namespace tide
