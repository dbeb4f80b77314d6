// RecentErrors: why there are no more connections: decides refusals and explains them to callers.
//
// Threads: written by the keeper, read by any.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>

#include "base/instant.hpp"
#include "base/status.hpp"

namespace tide {

class RecentErrors {
 public:
  struct Told {
    std::string limit_reason;  // why limit_size is what it is
    Status connect;            // result of the last connect; ok: it succeeded
  };
  Told told() const {
    const std::lock_guard lock(mutex_);
    return told_;
  }
  // Ok: a request may queue.
  Code refusal(Instant now) const {
    const bool is_hopeless = now.ns() < unreachable_until_ns_.load(std::memory_order_relaxed);
    return is_broken() || is_hopeless ? Code::unavailable : Code::ok;
  }
  // The breaker is open: no request may queue.
  bool is_broken() const { return is_broken_.load(std::memory_order_relaxed); }
  // When the next connect is tried in that case; unset: one is in progress.
  Instant breaker_probe_at() const { return Instant::at_ns(breaker_probe_ns_.load(std::memory_order_relaxed)); }

  void set_limit_reason(std::string reason) {
    const std::lock_guard lock(mutex_);
    told_.limit_reason = std::move(reason);
  }
  void connected() { set_connect(Status::ok(), false); }
  // Whatever the driver says about its error: if the pool considers it permanent, callers should not retry either.
  void connect_failed(Status failure, bool is_permanent) {
    if (is_permanent) failure.is_retryable = false;
    set_connect(std::move(failure), is_permanent);
  }
  // No connection, and retrying cannot help: requests fail at once, until it is time to try again nevertheless.
  void set_unreachable(Instant until) { unreachable_until_ns_.store(until.ns(), std::memory_order_relaxed); }
  void set_breaker(bool is_broken, Instant probe_at) {
    breaker_probe_ns_.store(probe_at.ns(), std::memory_order_relaxed);
    is_broken_.store(is_broken, std::memory_order_relaxed);
  }

 private:
  void set_connect(Status outcome, bool is_permanent) {
    if (!is_permanent) set_unreachable(Instant());  // retrying may help after all
    const std::lock_guard lock(mutex_);
    told_.connect = std::move(outcome);
  }

  std::atomic<bool> is_broken_{false};
  std::atomic<int64_t> breaker_probe_ns_{0};
  std::atomic<int64_t> unreachable_until_ns_{0};
  mutable std::mutex mutex_;  // guards the texts: slow paths only
  Told told_;
};

}  // namespace tide
