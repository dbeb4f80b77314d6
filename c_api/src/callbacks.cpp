#include "callbacks.hpp"

#include <pthread.h>

#include <chrono>
#include <exception>
#include <new>

#include "os/clock.hpp"
#include "pool/blocked_signals.hpp"

namespace tide {

thread_local const CallbackScope* CallbackScope::innermost_ = nullptr;

Callbacks::~Callbacks() {
  if (thread_.joinable()) thread_.detach();
}

void Callbacks::call_event(PoolEvent kind, uint64_t conn_id, uint64_t lease_id, const char* text) const {
  const tide_event event{static_cast<uint32_t>(sizeof(tide_event)),
                         static_cast<int32_t>(kind),
                         conn_id,
                         lease_id,
                         pool_name_.c_str(),
                         text};
  const CallbackScope scope(handle_);
  call_(context_, &event);
}

void Callbacks::tell_event(PoolEvent kind, uint64_t conn_id, uint64_t lease_id, const char* text) {
  if (!is_for_thread()) return call_event(kind, conn_id, lease_id, text);
  bool is_taken = false;
  try {
    is_taken = put({[this, kind, conn_id, lease_id, kept = std::string(text)] {
                      call_event(kind, conn_id, lease_id, kept.c_str());
                    },
                    true});
  } catch (const std::bad_alloc&) {
    const std::lock_guard lock(mutex_);
    ++dropped_;
    return;
  }
  if (!is_taken) call_event(kind, conn_id, lease_id, text);
}

void Callbacks::tell_outcome(std::function<void()> call) {
  if (is_for_thread()) {
    try {
      if (put({call, false})) return;
    } catch (const std::bad_alloc&) {
      // No memory: called directly below instead, because an outcome must be reported exactly once.
    }
  }
  const CallbackScope scope(handle_);
  call();
}

void Callbacks::tell_result(std::function<void()> call) {
  if (loop_ != nullptr) {
    const std::lock_guard lock(results_mutex_);
    try {
      if (!is_loop_over_) {
        results_.push_back(call);
        loop_->poke();
        return;
      }
    } catch (const std::bad_alloc&) {
      // No memory: called directly below instead, because a result must be reported exactly once.
    }
  }
  const CallbackScope scope(handle_);
  call();
}

void Callbacks::tell_subscriber(std::function<void()> call) {
  if (loop_ == nullptr) {
    if (put({call, false})) return;
  } else {
    const std::lock_guard lock(results_mutex_);
    if (!is_loop_over_) {
      results_.push_back(std::move(call));
      loop_->poke();
      return;
    }
  }
  const CallbackScope scope(handle_);
  call();
}

void Callbacks::tell_waiting() {
  for (;;) {
    std::function<void()> call;
    {
      const std::lock_guard lock(results_mutex_);
      if (results_.empty()) return;
      call.swap(results_.front());
      results_.pop_front();
    }
    const CallbackScope scope(handle_);
    loop_->call_program(call);
  }
}

void Callbacks::tell_last() {
  {
    const std::lock_guard lock(results_mutex_);
    is_loop_over_ = true;
  }
  tell_waiting();
}

void Callbacks::log(std::string line, Severity severity) {
  const auto write = [this, text = std::move(line), severity] {
    if (log_.write(text, severity)) return;
    const std::lock_guard lock(mutex_);
    ++dropped_;
  };
  if (!put({write, true})) write();
}

bool Callbacks::put(Item item) {
  const std::lock_guard lock(mutex_);
  if (is_ending_ || (!thread_.joinable() && !start_thread())) return false;
  if (item.is_event && events_waiting_ == kEventsMax) {
    ++dropped_;
    return true;
  }
  const bool is_event = item.is_event;
  items_.push_back(std::move(item));
  if (is_event) ++events_waiting_;
  wanted_.notify_one();
  return true;
}

// The mutex must be held.
bool Callbacks::start_thread() {
  const BlockedSignals blocked;
  try {
    // The thread owns a reference: it may outlive the pool if a function of the program does not return.
    thread_ = std::thread([self = shared_from_this()] { self->run(); });
  } catch (const std::exception&) {
    // No thread or no memory available; the next call tries again.
  }
  return thread_.joinable();
}

void Callbacks::run() {
  pthread_setname_np(pthread_self(), "tidepool-calls");
  std::unique_lock lock(mutex_);
  for (;;) {
    wanted_.wait(lock, [this] { return is_ending_ || !items_.empty(); });
    if (items_.empty()) break;
    Item item = std::move(items_.front());
    items_.pop_front();
    if (item.is_event) --events_waiting_;
    lock.unlock();
    {
      const CallbackScope scope(handle_);
      item.call();
    }
    item.call = nullptr;
    lock.lock();
  }
  has_ended_ = true;
  ended_.notify_all();
}

Status Callbacks::ask_credential(std::string& password) {
  const std::lock_guard turn(*asking_turn_);
  {
    const std::lock_guard lock(mutex_);
    if (is_ending_) return Status::error(Code::closed, "the pool is closing");
    ++asking_;
  }
  char text[1024] = {};
  int failed = 0;
  {
    const CallbackScope scope(handle_);
    failed = ask_(ask_context_, text, sizeof text);
  }
  {
    const std::lock_guard lock(mutex_);
    --asking_;
    ended_.notify_all();
  }
  password.assign(text, strnlen(text, sizeof text));
  explicit_bzero(text, sizeof text);
  if (failed == 0) return Status::ok();
  return Status::error(Code::unavailable, "the credential callback returned no password", "",
                       "return 0 and a password; the callback is called again for the next connection");
}

uint64_t Callbacks::take_dropped() {
  const std::lock_guard lock(mutex_);
  if (events_waiting_ == kEventsMax) return 0;
  return std::exchange(dropped_, 0);
}

bool Callbacks::finish(Instant give_up) {
  std::unique_lock lock(mutex_);
  is_ending_ = true;
  wanted_.notify_one();
  while (asking_ != 0 || (thread_.joinable() && !has_ended_)) {
    const Span left = give_up - SystemClock::instance().now();
    if (left <= Span{}) {
      std::erase_if(items_, [](const Item& item) { return item.is_event; });
      events_waiting_ = 0;
      if (thread_.joinable()) thread_.detach();
      return false;
    }
    ended_.wait_for(lock, std::chrono::nanoseconds(left.ns()));
  }
  lock.unlock();
  if (thread_.joinable()) thread_.join();
  return true;
}

}  // namespace tide
