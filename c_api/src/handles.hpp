// Handles: converts the tide_pool * that a program passes in to a Pool, safely.
//
// A handle is not an address but a number: mark, generation, index. It is looked up, never dereferenced, so NULL,
// closed, invented and inherited handles result in a status. The fast path costs one table look-up and one comparison.
//
// Invariants: an index is reused only with a higher generation; a Pool is destroyed only after its entry is cleared and
// no thread is inside (pool/presence.hpp).
// Threads: look-ups from any thread without a lock; open and close under one mutex. Before a fork, every mutex that the
// child needs for its own pools is locked, in this order: making, handles, keepers, registries, drivers, SQLite's.
// Failure: Door returns ok, closed, forked or bad_argument.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include <tidepool/tidepool.h>

#include "callbacks.hpp"
#include "pool/pool.hpp"
#include "pool/thread_keeper.hpp"
#include "service/replicas.hpp"
#include "service/service.hpp"

namespace tide {

class Webhook;

inline constexpr uint32_t kPoolsMax = 1024;  // open at once in one process; a power of two

struct alignas(64) PoolEntry {
  std::atomic<uint64_t> handle{0};  // 0: free
  std::atomic<uint64_t> forked{0};  // the handle the parent had here at the last fork
  std::atomic<bool> is_closing{false};
  std::atomic<bool> is_stepped{false};  // for a foreign loop: step and close exclude each other
  Pool* pool = nullptr;
  Pool* unlisted = nullptr;        // exists without a handle: not yet published, or withdrawn
  bool is_whole = false;           // between the handlers of a fork: the keeper is idle
  bool is_group_whole = false;     // likewise: the probes are
  ThreadKeeper* thread = nullptr;  // nullptr: driven by a foreign loop
  Callbacks* callbacks = nullptr;  // lives as long as the pool
  Webhook* webhook = nullptr;      // of the sink of the pool's alerts; forgotten before that is destroyed
  Service* service = nullptr;      // likewise; ended before the pool is destroyed
  Replicas* replicas = nullptr;    // of a primary; ended before its service
  bool is_replica = false;         // opened and closed with its primary
  uint32_t generation = 0;         // of the last handle issued
  // Protected by the mutex of Handles.
  Pool* any_pool() const { return handle.load(std::memory_order_relaxed) != 0 ? pool : unlisted; }
};

class Handles {
 public:
  static Handles& instance();

  // A handle for a pool that is about to be opened; 0 if all places are in use. Presence keys are derived from it.
  uint64_t reserve();
  void cancel(uint64_t handle);
  // Registers a pool that has no handle yet: a child of fork() must know it. nullptr: unregisters it.
  void note_unlisted(uint64_t handle, Pool* pool);
  struct Made {
    std::unique_ptr<Pool> pool;
    std::unique_ptr<Service> service;
    std::unique_ptr<ThreadKeeper> thread;
    std::unique_ptr<Replicas> replicas;
    bool is_replica = false;
  };
  void publish(uint64_t handle, Made made, Callbacks& callbacks, Webhook* webhook);
  // Accepts any number; for a number that is not a handle, returns an entry with another handle.
  static PoolEntry& entry_of(uint64_t handle) { return entries_[handle % kPoolsMax]; }
  // The error code for a handle that is not open.
  Code reason(uint64_t handle);
  std::vector<tide_pool*> open_handles();

  static uint64_t number_of(const tide_pool* pool) { return reinterpret_cast<uint64_t>(pool); }
  static tide_pool* handle_of(uint64_t number) { return reinterpret_cast<tide_pool*>(number); }
  static bool is_well_formed(uint64_t handle) {
    return handle >> 48 == kMark && (handle & 0xFFFF) < kPoolsMax && (handle >> 16 & 0xFFFF'FFFF) != 0;
  }
  // The part of a handle that fits into a presence key, so that the key is computed by one shift.
  static uint64_t pool_key(uint64_t handle) { return handle & (~uint64_t{0} >> kLeaseSlotBits); }
  // Removes the pool permanently, so that it can no longer be found. Waits until no thread is inside; false: a thread
  // remained.
  bool withdraw(PoolEntry& entry, Span timeout);
  // Its service is about to be destroyed, and no thread is inside.
  void forget_service(PoolEntry& entry);
  // It has finished.
  void forget_webhook(PoolEntry& entry);
  // The group of a withdrawn primary.
  std::unique_ptr<Replicas> take_replicas(PoolEntry& entry);
  // Frees the entry's place.
  void retire(PoolEntry& entry);

 private:
  static constexpr uint64_t kMark = 0x7D1E;  // no address of a program begins with these bits
  Handles();
  static void before_fork();
  static void after_fork_in_parent();
  static void after_fork_in_child();

  friend class ForkPause;
  std::timed_mutex making_;  // taken before mutex_
  bool is_making_held_ = false;
  std::mutex mutex_;
  static constinit std::array<PoolEntry, kPoolsMax> entries_;  // requires no initialisation before look-ups
  std::array<bool, kPoolsMax> is_reserved_{};
};

// While one exists, fork() waits, but only briefly: a child cannot close the descriptors of a pool that is being
// created or destroyed. Must not be held while waiting or calling the program.
class ForkPause {
 public:
  ForkPause() : lock_(Handles::instance().making_) {}

 private:
  const std::lock_guard<std::timed_mutex> lock_;
};

// The right to drive a pool that has no thread.
class StepTurn {
 public:
  explicit StepTurn(PoolEntry& entry) : entry_(entry), is_taken_(!entry.is_stepped.exchange(true)) {}
  ~StepTurn() {
    if (is_taken_) entry_.is_stepped.store(false);
  }
  StepTurn(const StepTurn&) = delete;
  StepTurn& operator=(const StepTurn&) = delete;
  explicit operator bool() const { return is_taken_; }

 private:
  PoolEntry& entry_;
  const bool is_taken_;
};

// Access to the pool of a handle: the pool is not destroyed while the door exists. Inlined on the fast path, however many
// functions have one.
class Door {
 public:
  [[gnu::always_inline]] explicit Door(const tide_pool* pool) : Door(pool, 0) {}
  [[gnu::always_inline]] explicit Door(tide_lease lease)
      : Door(lease.pool, LeaseId(lease.id).is_none() ? 0 : LeaseId(lease.id).slot() + 1) {}
  Pool* operator->() const { return pool_; }
  Pool& operator*() const { return *pool_; }
  explicit operator bool() const { return pool_ != nullptr; }
  Service& service() const { return *Handles::entry_of(handle_).service; }
  // nullptr: the pool is not the primary of a group.
  Replicas* replicas() const { return Handles::entry_of(handle_).replicas; }
  // Why it did not open.
  Code code() const { return Handles::instance().reason(handle_); }

 private:
  [[gnu::always_inline]] Door(const tide_pool* pool, uint32_t slot_plus_one)
      : handle_(Handles::number_of(pool)), visit_(Presence::key_of_pool(Handles::pool_key(handle_)) | slot_plus_one) {
    const PoolEntry& entry = Handles::entry_of(handle_);
    if (entry.handle.load(std::memory_order_acquire) == handle_ && handle_ != 0) [[likely]] {
      pool_ = entry.pool;
      if (pool_ == nullptr) __builtin_unreachable();  // an entry has a pool while it has a handle
    }
  }
  const uint64_t handle_;
  const Visit visit_;
  Pool* pool_ = nullptr;
};

// The error for a door that did not open.
Status no_entry(Code code);

}  // namespace tide
