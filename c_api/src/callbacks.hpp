// Callbacks: how the program's functions are called, on which thread, and whether a thread is inside one of them.
//
// Calls that the keeper of a pool with its own thread would make (events, outcomes of asynchronous acquires), and those of
// subscriptions, are passed to a callback thread, so that a function that blocks, or waits for a lease, does not stop the keeper. The same holds
// for lines for standard error, which may be a pipe that is not read. The thread is started when it is first needed; if
// it cannot be started, the keeper makes the calls itself. All other threads call directly, including those that open
// connections and need a password.
//
// Results of asynchronous statements are reported by the thread that executed the statement; with a foreign loop by the
// thread that steps or closes the pool.
//
// Invariants: an outcome is reported exactly once; at most kEventsMax events and lines are queued, and further ones are
// dropped and counted; the keeper's calls are made in order.
// Threads: any.
// Failure: none; finish() tells whether a function of the program has not returned.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include <tidepool/tidepool.h>

#include "notify/log_writer.hpp"
#include "pool/keeper.hpp"
#include "pool/pool.hpp"

namespace tide {

// While it exists, the calling thread is inside a function of the program that was called for this pool.
class CallbackScope {
 public:
  explicit CallbackScope(uint64_t handle) : handle_(handle), outer_(innermost_) { innermost_ = this; }
  ~CallbackScope() { innermost_ = outer_; }
  CallbackScope(const CallbackScope&) = delete;
  CallbackScope& operator=(const CallbackScope&) = delete;

  static bool is_inside(uint64_t handle) {
    for (const CallbackScope* scope = innermost_; scope != nullptr; scope = scope->outer_) {
      if (scope->handle_ == handle) return true;
    }
    return false;
  }
  static bool is_inside_any() { return innermost_ != nullptr; }

 private:
  static thread_local const CallbackScope* innermost_;
  const uint64_t handle_;
  const CallbackScope* const outer_;
};

class Callbacks : public std::enable_shared_from_this<Callbacks> {
 public:
  static constexpr size_t kEventsMax = 1024;

  Callbacks(const tide_pool_options& options, uint64_t handle, std::string pool_name, std::string log_destination)
      : log_(std::move(log_destination)),
        call_(options.on_event),
        context_(options.event_context),
        ask_(options.on_credential),
        ask_context_(options.credential_context),
        handle_(handle),
        pool_name_(std::move(pool_name)) {}
  ~Callbacks();

  // From now on another thread makes the keeper's calls. Called once, before the keeper's thread starts.
  void relieve(const Keeper& keeper) { keeper_ = &keeper; }
  void tell_event(PoolEvent kind, uint64_t conn_id, uint64_t lease_id, const char* text);
  void tell_outcome(std::function<void()> call);
  // For a pool without a thread: results wait for the thread that drives `keeper`.
  void serve_loop(Keeper& keeper) { loop_ = &keeper; }
  // The result of an asynchronous statement.
  void tell_result(std::function<void()> call);
  // A call for a subscription: by the callback thread, or with a foreign loop as a result. If it throws, it was not made.
  void tell_subscriber(std::function<void()> call);
  // Reports the results that are waiting, in the thread that drives the keeper.
  void tell_waiting();
  // The same, for the last time: later results are reported by the threads that have them.
  void tell_last();
  // From any thread: standard error may be a pipe that is not read, and no caller may wait for that.
  void log(std::string line, Severity severity);
  // Events and lines dropped since the last call; 0 while events are still being dropped.
  uint64_t take_dropped();
  bool has_credentials() const { return ask_ != nullptr; }
  // Asks the program for the current password; no longer after finish() was called.
  Status ask_credential(std::string& password);
  // For pools that are one to the program: the credential callback is called once at a time for all of them.
  void ask_in_turn_with(const Callbacks& other) { asking_turn_ = other.asking_turn_; }
  // Waits until all calls are made, and ends the thread. False: a function of the program has not returned; then
  // pending outcomes are reported when it does, events are not.
  bool finish(Instant give_up);

 private:
  struct Item {
    std::function<void()> call;
    bool is_event;  // event or line: it may be dropped
  };
  bool is_for_thread() const { return keeper_ != nullptr && keeper_->is_stepped_by_me(); }
  void call_event(PoolEvent kind, uint64_t conn_id, uint64_t lease_id, const char* text) const;
  // False: the caller must make the call itself.
  bool put(Item item);
  bool start_thread();
  void run();

  const LogWriter log_;
  const tide_event_callback call_;
  void* const context_;
  const tide_credential_callback ask_;
  void* const ask_context_;
  const uint64_t handle_;
  const std::string pool_name_;
  const Keeper* keeper_ = nullptr;
  Keeper* loop_ = nullptr;

  std::shared_ptr<std::mutex> asking_turn_ = std::make_shared<std::mutex>();  // held inside the credential callback

  std::mutex results_mutex_;
  std::deque<std::function<void()>> results_;
  bool is_loop_over_ = false;

  std::mutex mutex_;
  std::condition_variable wanted_;
  std::condition_variable ended_;
  std::deque<Item> items_;
  size_t events_waiting_ = 0;
  uint64_t dropped_ = 0;
  size_t asking_ = 0;  // threads inside the credential callback
  bool is_ending_ = false;
  bool has_ended_ = false;
  std::thread thread_;
};

}  // namespace tide
