// Presence: which threads are inside a pool's code right now, so that memory can be freed safely.
//
// A thread that enters writes a key into a record of its own (one plain store) and clears it when it leaves. To free
// something, a thread first makes it unreachable, then calls settle(): one process-wide memory barrier (membarrier(2)),
// after which every other thread either sees that it is gone or is seen inside. Only the rare operation pays. If the
// kernel has no membarrier, each entry executes a fence.
//
// A key names a pool instance and, if one is meant, a slot: key = pool_key << kLeaseSlotBits | (slot + 1).
// A thread that nests its visits deeper than a record allows takes another record, and keeps it.
// Threads: any. Records are never freed, only reused by later threads.
#pragma once

#include <atomic>
#include <cstdint>

#include "segment/slot_word.hpp"

namespace tide {

class Presence {
 public:
  using Key = uint64_t;
  static constexpr Key kNobody = 0;
  static constexpr uint32_t kDepth = 8;  // nested visits (within callbacks of visits) that one record holds
  static Key key_of_pool(uint64_t pool_key) { return pool_key << kLeaseSlotBits; }
  static Key key_of_slot(uint64_t pool_key, uint32_t slot) { return key_of_pool(pool_key) | (slot + 1); }

  struct Record {
    alignas(128) std::atomic<Key> keys[kDepth] = {};
    // Used only by the owning thread.
    std::atomic<Key>* top = keys;    // where the next key goes
    std::atomic<Key>* limit = keys;  // from here on enter() takes the slow path
    Record* outer = nullptr;         // the full record that this one continues
    std::atomic<bool> is_taken{false};
    Record* next = nullptr;
  };

  // Everything read after this call is protected by the key until leave() of the record returns, at any depth.
  static Record* enter(Key key) {
    Record* record = mine_;
    std::atomic<Key>* const cell = record->top;
    if (cell >= record->limit) [[unlikely]]
      return enter_slowly(key);
    record->top = cell + 1;
    cell->store(key, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);  // pairs with settle()'s membarrier
    return record;
  }
  static void leave(Record* record) {
    std::atomic<Key>* const cell = record->top - 1;
    record->top = cell;
    cell->store(kNobody, std::memory_order_release);
  }

  // This thread's earlier writes are visible to all threads, and theirs to this one: a full barrier in every thread of
  // the process, which costs them nothing until it is requested (some microseconds for the caller).
  static void settle();
  // The kernel cannot do that: settle() is a barrier of the calling thread only, and the other side needs its own.
  static bool needs_fence();

  // After something became unreachable: is any thread still inside at this slot, or anywhere in this pool?
  static bool is_anyone_at(Key key_of_slot);
  static bool is_anyone_in(uint64_t pool_key);
  // Is the calling thread inside this pool (in one of its callbacks)?
  static bool am_i_in(uint64_t pool_key);
  // A child has one thread: no other is inside.
  static void forget_others_after_fork() noexcept;

 private:
  struct Roll;

  static Record* enter_slowly(Key key);
  static Record* enroll();
  static void depart();
  static Record nobody_;  // for threads that never entered: full from the start
  static constinit thread_local Record* mine_ __attribute__((tls_model("initial-exec")));
  static std::atomic<bool> needs_fence_;
};

class Visit {
 public:
  explicit Visit(Presence::Key key) : record_(Presence::enter(key)) {}
  ~Visit() { Presence::leave(record_); }
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;

 private:
  Presence::Record* const record_;
};

}  // namespace tide
