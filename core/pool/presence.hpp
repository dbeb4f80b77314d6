// Presence: which threads are inside a pool's code right now, so that memory can be taken away safely.
//
// A thread that enters writes a key into a record of its own (one plain store) and clears it when it leaves. Whoever
// wants to free something first makes it unreachable, then calls settle(): one process-wide memory barrier
// (membarrier(2)), after which every thread either sees the thing gone or is seen inside. The cost is on the rare side.
// Where the kernel offers no membarrier, entering pays a fence of its own.
//
// A key names a pool instance and, where one is meant, a slot: key = pool_key << kLeaseSlotBits | (slot + 1).
// Threads: any. Records are never freed, only reused by later threads.
#pragma once

#include <atomic>
#include <cstdint>

#include "plane/slot_word.hpp"

namespace tide {

class Presence {
 public:
  using Key = uint64_t;
  static constexpr Key kNobody = 0;
  static constexpr uint32_t kDepthMax = 8;  // visits within callbacks of visits
  static Key key_of_pool(uint64_t pool_key) { return pool_key << kLeaseSlotBits; }
  static Key key_of_slot(uint64_t pool_key, uint32_t slot) { return key_of_pool(pool_key) | (slot + 1); }

  struct Record {
    alignas(128) std::atomic<Key> keys[kDepthMax] = {};
    uint32_t depth = 0;  // of the owning thread alone
    std::atomic<bool> is_taken{false};
    Record* next = nullptr;
  };

  // Everything read after this call is protected by the key until the matching leave(). False: nested too deep.
  static bool enter(Key key) {
    Record* record = mine_ != nullptr ? mine_ : enroll();
    if (record->depth == kDepthMax) return false;
    std::atomic<Key>& cell = record->keys[record->depth++];
    if (needs_fence_.load(std::memory_order_relaxed)) {
      cell.exchange(key, std::memory_order_seq_cst);
    } else {
      cell.store(key, std::memory_order_relaxed);
      std::atomic_signal_fence(std::memory_order_seq_cst);  // the other half is settle()'s membarrier
    }
    return true;
  }
  static void leave() { mine_->keys[--mine_->depth].store(kNobody, std::memory_order_release); }

  // Once something is unreachable: is any thread still inside at this slot, or anywhere in this pool?
  static bool is_anyone_at(Key key_of_slot);
  static bool is_anyone_in(uint64_t pool_key);
  // Is the calling thread inside this pool (in one of its callbacks)?
  static bool am_i_in(uint64_t pool_key);
  // A child has one thread: nobody else is inside.
  static void forget_others_after_fork() noexcept;

 private:
  static Record* enroll();
  static void settle();
  static constinit thread_local Record* mine_ __attribute__((tls_model("initial-exec")));
  static std::atomic<bool> needs_fence_;
  friend struct PresenceRoll;
};

class Visit {
 public:
  explicit Visit(Presence::Key key) : is_inside_(Presence::enter(key)) {}
  ~Visit() {
    if (is_inside_) Presence::leave();
  }
  bool is_inside() const { return is_inside_; }
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;

 private:
  bool is_inside_;
};

}  // namespace tide
