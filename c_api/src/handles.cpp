#include "handles.hpp"

#include <pthread.h>

#include <chrono>
#include <new>
#include <utility>

#include "driver/sqlite/open_files.hpp"
#include "drivers.hpp"
#include "notify/webhook.hpp"
#include "os/clock.hpp"
#include "policy/settings.hpp"
#include "pool/futex.hpp"
#include "pool/keeper.hpp"
#include "registry.hpp"

namespace tide {

constinit std::array<PoolEntry, kPoolsMax> Handles::entries_{};

Handles& Handles::instance() {
  static Handles* handles = new Handles();  // never destroyed: late destructors may close pools
  return *handles;
}

Handles::Handles() {
  const Visit enrolled(Presence::kNobody);  // its one-time initialisation must not be interrupted by a fork
  pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

namespace {
// Created while the library is loaded: after a fork during a later creation, the child would have none.
[[maybe_unused]] const Handles& made_early = Handles::instance();
constexpr Span kMakingTimeout = Span::seconds(1);  // in the meantime files are created and removed
constexpr Span kForkTimeout = Span::millis(50);    // for all keepers together; their steps take microseconds
}  // namespace

uint64_t Handles::reserve() {
  const std::lock_guard lock(mutex_);
  for (uint32_t i = 0; i < kPoolsMax; ++i) {
    PoolEntry& entry = entries_[i];
    if (is_reserved_[i] || entry.handle.load(std::memory_order_relaxed) != 0) continue;
    is_reserved_[i] = true;
    ++entry.generation;
    return kMark << 48 | uint64_t{entry.generation} << 16 | i;
  }
  return 0;
}

void Handles::cancel(uint64_t handle) {
  const std::lock_guard lock(mutex_);
  is_reserved_[handle & 0xFFFF] = false;
}

void Handles::note_unlisted(uint64_t handle, Pool* pool) {
  const std::lock_guard lock(mutex_);
  entry_of(handle).unlisted = pool;
}

void Handles::publish(uint64_t handle, Made made, Callbacks& callbacks, Webhook* webhook) {
  const std::lock_guard lock(mutex_);
  PoolEntry& entry = entry_of(handle);
  entry.unlisted = nullptr;
  entry.pool = made.pool.release();
  entry.service = made.service.release();
  entry.thread = made.thread.release();
  entry.replicas = made.replicas.release();
  entry.is_replica = made.is_replica;
  entry.callbacks = &callbacks;
  entry.webhook = webhook;
  entry.is_closing.store(false, std::memory_order_relaxed);
  entry.is_stepped.store(false, std::memory_order_relaxed);
  entry.handle.store(handle, std::memory_order_release);
}

Code Handles::reason(uint64_t handle) {
  if (!is_well_formed(handle)) return Code::bad_argument;
  PoolEntry& entry = entry_of(handle);
  if (entry.forked.load(std::memory_order_acquire) == handle) return Code::forked;
  const std::lock_guard lock(mutex_);
  return (handle >> 16 & 0xFFFF'FFFF) <= entry.generation ? Code::closed : Code::bad_argument;
}

std::vector<tide_pool*> Handles::open_handles() {
  const std::lock_guard lock(mutex_);
  std::vector<tide_pool*> out;
  for (PoolEntry& entry : entries_) {
    if (const uint64_t handle = entry.handle.load(std::memory_order_acquire); handle != 0)
      out.push_back(handle_of(handle));
  }
  return out;
}

bool Handles::withdraw(PoolEntry& entry, Span timeout) {
  const uint64_t key = pool_key(entry.handle.load(std::memory_order_relaxed));
  {
    const std::lock_guard lock(mutex_);
    entry.unlisted = entry.pool;
    entry.handle.store(0, std::memory_order_seq_cst);
  }
  const Instant give_up = SystemClock::instance().now() + timeout;
  // A thread that has already left the pool may still have to make a callback.
  while (Presence::is_anyone_in(key) || entry.pool->callbacks_open() != 0) {
    if (SystemClock::instance().now() >= give_up) return false;
    pause_for(Span::micros(200));
  }
  return true;
}

void Handles::forget_service(PoolEntry& entry) {
  const std::lock_guard lock(mutex_);
  entry.service = nullptr;
}

void Handles::forget_webhook(PoolEntry& entry) {
  const std::lock_guard lock(mutex_);
  entry.webhook = nullptr;
}

std::unique_ptr<Replicas> Handles::take_replicas(PoolEntry& entry) {
  const std::lock_guard lock(mutex_);
  return std::unique_ptr<Replicas>(std::exchange(entry.replicas, nullptr));
}

void Handles::retire(PoolEntry& entry) {
  const std::lock_guard lock(mutex_);
  entry.pool = nullptr;
  entry.unlisted = nullptr;
  entry.thread = nullptr;
  entry.callbacks = nullptr;
  entry.webhook = nullptr;
  entry.service = nullptr;
  entry.replicas = nullptr;
  entry.is_replica = false;
  is_reserved_[static_cast<size_t>(&entry - entries_.data())] = false;
}

void Handles::before_fork() {
  Handles& self = instance();
  self.is_making_held_ = self.making_.try_lock_for(std::chrono::nanoseconds(kMakingTimeout.ns()));
  const Instant give_up = SystemClock::instance().now() + kForkTimeout;
  self.mutex_.lock();
  for (PoolEntry& entry : self.entries_) {
    if (Pool* const pool = entry.any_pool()) entry.is_whole = pool->keeper().hold_for_fork(give_up);
    if (entry.service != nullptr) entry.service->listener().hold_for_fork(give_up);
    if (entry.webhook != nullptr) entry.webhook->hold_for_fork(give_up);
    if (entry.replicas != nullptr) entry.is_group_whole = entry.replicas->hold_for_fork(give_up);
  }
  hold_registries_for_fork();
  hold_drivers_for_fork();
  sqlite::hold_for_fork();
  // Objects that are created at first use are created now, so that no fork happens during their creation.
  (void)settings_catalogue();
  (void)tide_relation_at(0);
}

void Handles::after_fork_in_parent() {
  Handles& self = instance();
  sqlite::release_after_fork(false);
  release_drivers_after_fork();
  release_registries_after_fork(false);
  for (PoolEntry& entry : self.entries_) {
    if (Pool* const pool = entry.any_pool()) pool->keeper().release_after_fork();
    if (entry.service != nullptr) entry.service->listener().release_after_fork();
    if (entry.webhook != nullptr) entry.webhook->release_after_fork();
    if (entry.replicas != nullptr) entry.replicas->release_after_fork();
  }
  self.mutex_.unlock();
  if (self.is_making_held_) self.making_.unlock();
}

// The child has the parent's pools in its memory and their descriptors in its table. It must not use, close or destroy
// them: it closes the descriptors and records which handles belonged to the parent.
void Handles::after_fork_in_child() {
  Handles& self = instance();
  Presence::forget_others_after_fork();
  forget_thread_id_after_fork();
  sqlite::release_after_fork(true);
  release_drivers_after_fork();
  release_registries_after_fork(true);
  for (size_t i = 0; i < self.entries_.size(); ++i) {
    PoolEntry& entry = self.entries_[i];
    const uint64_t handle = entry.handle.load(std::memory_order_relaxed);
    if (entry.service != nullptr) entry.service->listener().abandon_after_fork();
    if (Pool* const pool = entry.any_pool()) pool->abandon_after_fork(entry.is_whole);
    if (entry.webhook != nullptr) entry.webhook->abandon_after_fork();
    if (entry.replicas != nullptr) entry.replicas->abandon_after_fork(entry.is_group_whole);
    if (handle != 0) entry.forked.store(handle, std::memory_order_relaxed);
    entry.handle.store(0, std::memory_order_relaxed);
    entry.pool = nullptr;
    entry.unlisted = nullptr;
    entry.thread = nullptr;
    entry.callbacks = nullptr;
    entry.webhook = nullptr;
    entry.service = nullptr;
    entry.replicas = nullptr;
    entry.is_replica = false;
    entry.is_stepped.store(false, std::memory_order_relaxed);
    entry.is_closing.store(false, std::memory_order_relaxed);
    self.is_reserved_[i] = false;  // also if another thread was opening or closing a pool
  }
  self.mutex_.unlock();
  new (&self.making_) std::timed_mutex;  // it may be locked by a thread that does not exist here
}

Status no_entry(Code code) {
  switch (code) {
    case Code::closed:
      return Status::error(code, "the pool is closed", "", "a handle is invalid after tide_pool_close()");
    case Code::forked:
      return Status::error(code, "the pool was opened before fork() and belongs to the parent process",
                           "its connections must not be used from two processes",
                           "open a new pool in the child process, after fork()");
    default:
      return Status::error(Code::bad_argument, "invalid pool handle", "accepted: a handle returned by tide_pool_open()",
                           "check for NULL and for overwritten memory");
  }
}

}  // namespace tide
