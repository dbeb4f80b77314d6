// Handles: from what a program passes in as tide_pool * to a Pool, safely.
//
// A handle is not an address but a number: mark, generation, index. It is looked up, never followed, so NULL, closed,
// invented and inherited handles get a status. The fast path pays one table look-up and one comparison.
//
// Invariants: an index is reused only with a higher generation; a Pool is destroyed only after its entry is cleared and
// nobody is inside (pool/presence.hpp).
// Threads: look-ups from any thread without a lock; open and close under one mutex. At a fork every mutex that a child
// needs for pools of its own is taken first, in this order: making, handles, keepers, drivers, SQLite's.
// Failure: Door says ok, closed, forked or bad_argument.
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

namespace tide {

inline constexpr uint32_t kPoolsMax = 1024;  // open at once in one process; a power of two

struct alignas(64) PoolEntry {
  std::atomic<uint64_t> handle{0};  // 0: free
  std::atomic<uint64_t> forked{0};  // the handle the parent had here at the last fork
  std::atomic<bool> is_closing{false};
  std::atomic<bool> is_stepped{false};  // of a foreign loop: step and close exclude each other
  Pool* pool = nullptr;
  Pool* unlisted = nullptr;        // exists without a handle: not published yet, or withdrawn
  bool is_whole = false;           // between the handlers of a fork: the keeper is at rest
  ThreadKeeper* thread = nullptr;  // nullptr: driven by a foreign loop
  Callbacks* callbacks = nullptr;  // lives as long as the pool
  uint32_t generation = 0;         // of the last handle given out
  // Under the mutex of Handles.
  Pool* any_pool() const { return handle.load(std::memory_order_relaxed) != 0 ? pool : unlisted; }
};

class Handles {
 public:
  static Handles& instance();

  // A number for a pool that is about to be opened; 0 when all places are taken. Presence keys come from it.
  uint64_t reserve();
  void cancel(uint64_t handle);
  // The pool exists, though nobody can find it by its handle: a child of fork() must know of it. nullptr: not any more.
  void note_unlisted(uint64_t handle, Pool* pool);
  void publish(uint64_t handle, std::unique_ptr<Pool> pool, std::unique_ptr<ThreadKeeper> thread, Callbacks& callbacks);
  // Of any number: an entry with another handle, if it is none of ours.
  static PoolEntry& entry_of(uint64_t handle) { return entries_[handle % kPoolsMax]; }
  // What a handle that is not open deserves.
  Code reason(uint64_t handle);
  std::vector<tide_pool*> open_handles();

  static uint64_t number_of(const tide_pool* pool) { return reinterpret_cast<uint64_t>(pool); }
  static tide_pool* handle_of(uint64_t number) { return reinterpret_cast<tide_pool*>(number); }
  static bool is_well_formed(uint64_t handle) {
    return handle >> 48 == kMark && (handle & 0xFFFF) < kPoolsMax && (handle >> 16 & 0xFFFF'FFFF) != 0;
  }
  // What of a handle fits into a presence key, so that the key is one shift.
  static uint64_t pool_key(uint64_t handle) { return handle & (~uint64_t{0} >> kLeaseSlotBits); }
  // Take the pool out for good: nobody finds it afterwards. Waits until nobody is inside; false: somebody stayed.
  bool withdraw(PoolEntry& entry, Span timeout);
  // Make the entry's place free again.
  void retire(PoolEntry& entry);

 private:
  static constexpr uint64_t kMark = 0x7D1E;  // no address of a program begins like that
  Handles();
  static void before_fork();
  static void after_fork_in_parent();
  static void after_fork_in_child();

  friend class ForkPause;
  std::timed_mutex making_;  // taken before mutex_
  bool is_making_held_ = false;
  std::mutex mutex_;
  static constinit std::array<PoolEntry, kPoolsMax> entries_;  // needs no initialisation to be looked at
  std::array<bool, kPoolsMax> is_reserved_{};
};

// While one lives, fork() waits, though not for long: a child cannot close the descriptors of a pool that is half made or
// half taken apart. Not for code that waits or calls the program.
class ForkPause {
 public:
  ForkPause() : lock_(Handles::instance().making_) {}

 private:
  const std::lock_guard<std::timed_mutex> lock_;
};

// The right to drive a pool without a thread of its own.
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

// A visit of the pool behind a handle: as long as the door stands open, the pool stays.
class Door {
 public:
  explicit Door(const tide_pool* pool) : Door(pool, 0) {}
  explicit Door(tide_lease lease) : Door(lease.pool, LeaseId(lease.id).is_none() ? 0 : LeaseId(lease.id).slot() + 1) {}
  Pool* operator->() const { return pool_; }
  Pool& operator*() const { return *pool_; }
  explicit operator bool() const { return pool_ != nullptr; }
  // Why it did not open.
  Code code() const { return Handles::instance().reason(handle_); }

 private:
  Door(const tide_pool* pool, uint32_t slot_plus_one)
      : handle_(Handles::number_of(pool)), visit_(Presence::key_of_pool(Handles::pool_key(handle_)) | slot_plus_one) {
    const PoolEntry& entry = Handles::entry_of(handle_);
    if (entry.handle.load(std::memory_order_acquire) == handle_ && handle_ != 0) [[likely]] {
      pool_ = entry.pool;
      if (pool_ == nullptr) __builtin_unreachable();  // an entry has its pool as long as it has a handle
    }
  }
  const uint64_t handle_;
  const Visit visit_;
  Pool* pool_ = nullptr;
};

// The error for a door that did not open.
Status no_entry(Code code);

}  // namespace tide
