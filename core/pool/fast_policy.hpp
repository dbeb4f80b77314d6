// FastPolicy: what acquire, release, query and the service read of the policy.
//
// Threads: set() the keeper only; the rest any. Readers may see some values of a change before the others.
#pragma once

#include <atomic>
#include <cstdint>

#include "policy/policy.hpp"

namespace tide {

class FastPolicy {
 public:
  // `asks_at_return`: every return does more than put the connection back, whatever the policy.
  FastPolicy(uint64_t pool_key, bool asks_at_return) : pool_key_(pool_key), always_asks_(asks_at_return) {}

  // `is_told`: lease events have a listener.
  void set(const Policy& policy, bool is_told) {
    constexpr auto relaxed = std::memory_order_relaxed;
    key_.store(is_told || policy.reserve_size != 0 ? ~uint64_t{0} : pool_key_, relaxed);
    asks_at_return_.store(policy.uses_limit() != 0 || is_told || always_asks_, relaxed);
    acquire_timeout_ns_.store(policy.acquire_timeout.ns(), relaxed);
    query_timeout_ns_.store(policy.query_timeout.ns(), relaxed);
    probe_after_ns_.store(policy.validation_bypass.ns(), relaxed);
    max_waiting_.store(policy.max_waiting, relaxed);
    max_uses_.store(static_cast<uint64_t>(policy.uses_limit()), relaxed);
    reset_mode_.store(policy.reset_on_release, relaxed);
    retry_attempts_.store(policy.retry_attempts, relaxed);
    retry_base_ns_.store(policy.retry_base.ns(), relaxed);
    retry_max_ns_.store(policy.retry_max.ns(), relaxed);
    commit_check_.store(policy.commit_check, relaxed);
    max_replica_lag_ns_.store(policy.max_replica_lag.ns(), relaxed);
    read_your_writes_.store(policy.read_your_writes, relaxed);
  }

  // The pool's key, or one that no hint has when acquires are reported as events, or slots may be reserved: then acquire
  // does not take the shortest path.
  uint64_t key() const { return key_.load(std::memory_order_relaxed); }
  bool asks_at_return() const { return asks_at_return_.load(std::memory_order_relaxed); }
  Span acquire_timeout() const { return Span::nanos(acquire_timeout_ns_.load(std::memory_order_relaxed)); }
  Span query_timeout() const { return Span::nanos(query_timeout_ns_.load(std::memory_order_relaxed)); }
  int64_t probe_after_ns() const { return probe_after_ns_.load(std::memory_order_relaxed); }
  int64_t max_waiting() const { return max_waiting_.load(std::memory_order_relaxed); }
  uint64_t max_uses() const { return max_uses_.load(std::memory_order_relaxed); }
  ResetMode reset_mode() const { return reset_mode_.load(std::memory_order_relaxed); }
  int64_t retry_attempts() const { return retry_attempts_.load(std::memory_order_relaxed); }
  Span retry_base() const { return Span::nanos(retry_base_ns_.load(std::memory_order_relaxed)); }
  Span retry_max() const { return Span::nanos(retry_max_ns_.load(std::memory_order_relaxed)); }
  bool commit_check() const { return commit_check_.load(std::memory_order_relaxed); }
  Span max_replica_lag() const { return Span::nanos(max_replica_lag_ns_.load(std::memory_order_relaxed)); }
  bool read_your_writes() const { return read_your_writes_.load(std::memory_order_relaxed); }

 private:
  const uint64_t pool_key_;
  const bool always_asks_;
  std::atomic<uint64_t> key_{0};
  std::atomic<bool> asks_at_return_{false};
  std::atomic<int64_t> acquire_timeout_ns_{0};
  std::atomic<int64_t> query_timeout_ns_{0};
  std::atomic<int64_t> probe_after_ns_{0};
  std::atomic<int64_t> max_waiting_{0};
  std::atomic<uint64_t> max_uses_{0};
  std::atomic<ResetMode> reset_mode_{ResetMode::smart};
  std::atomic<int64_t> retry_attempts_{0};
  std::atomic<int64_t> retry_base_ns_{0};
  std::atomic<int64_t> retry_max_ns_{0};
  std::atomic<bool> commit_check_{true};
  std::atomic<int64_t> max_replica_lag_ns_{0};
  std::atomic<bool> read_your_writes_{false};
};

}  // namespace tide
