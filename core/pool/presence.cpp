#include "pool/presence.hpp"

#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <mutex>

#if defined(__SANITIZE_THREAD__)
#define TIDE_KNOWS_MEMBARRIER false  // ThreadSanitizer does not know the kernel's barrier
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TIDE_KNOWS_MEMBARRIER false
#endif
#endif
#ifndef TIDE_KNOWS_MEMBARRIER
#define TIDE_KNOWS_MEMBARRIER true
#endif

namespace tide {

constinit Presence::Record Presence::nobody_;
constinit thread_local Presence::Record* Presence::mine_ = &Presence::nobody_;
std::atomic<bool> Presence::needs_fence_{true};

// All records of the process, newest first; grows only.
struct Presence::Roll {
  std::atomic<Presence::Record*> first{nullptr};
  pthread_key_t exit_key{};
  bool has_exit_key = false;  // the process has no key left: records of threads that end are not reused
  std::once_flag once;

  static Roll& instance() {
    static Roll* roll = new Roll();  // never destroyed: threads may end after main
    return *roll;
  }
  void prepare() {
    std::call_once(once, [this] {
      has_exit_key = pthread_key_create(&exit_key, [](void*) { Presence::depart(); }) == 0;
      const bool is_known =
          TIDE_KNOWS_MEMBARRIER && syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
      Presence::needs_fence_.store(!is_known, std::memory_order_seq_cst);
    });
  }
  Presence::Record* take() {
    for (Presence::Record* r = first.load(std::memory_order_acquire); r != nullptr; r = r->next) {
      bool free = false;
      if (r->is_taken.compare_exchange_strong(free, true, std::memory_order_acq_rel)) return r;
    }
    auto* fresh = new Presence::Record();
    fresh->is_taken.store(true, std::memory_order_relaxed);
    fresh->next = first.load(std::memory_order_relaxed);
    while (!first.compare_exchange_weak(fresh->next, fresh, std::memory_order_seq_cst)) {
    }
    return fresh;
  }
  template <typename Match>
  bool any(Match&& match) const {
    for (Presence::Record* r = first.load(std::memory_order_seq_cst); r != nullptr; r = r->next) {
      for (const std::atomic<Presence::Key>& cell : r->keys) {
        if (match(cell.load(std::memory_order_seq_cst))) return true;
      }
    }
    return false;
  }
};

// The first visit of a thread, one too many for its record, or every visit if each needs its own fence.
Presence::Record* Presence::enter_slowly(Key key) {
  Record* record = mine_;
  if (record == &nobody_ || record->top == record->keys + kDepth) record = enroll();
  std::atomic<Key>* const cell = record->top++;
  cell->exchange(key, std::memory_order_seq_cst);
  return record;
}

Presence::Record* Presence::enroll() {
  Roll& roll = Roll::instance();
  roll.prepare();
  Record* fresh = roll.take();
  const bool is_first = mine_ == &nobody_;
  fresh->top = fresh->keys;
  fresh->limit = fresh->keys + (needs_fence_.load(std::memory_order_relaxed) ? 0 : kDepth);
  fresh->outer = is_first ? nullptr : mine_;
  if (is_first && roll.has_exit_key) pthread_setspecific(roll.exit_key, fresh);
  mine_ = fresh;
  return fresh;
}

// Called when the thread ends.
void Presence::depart() {
  for (Record* record = mine_; record != nullptr && record != &nobody_;) {
    Record* const outer = record->outer;
    record->is_taken.store(false, std::memory_order_release);
    record = outer;
  }
  mine_ = &nobody_;
}

void Presence::settle() {
  if (needs_fence_.load(std::memory_order_relaxed)) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
  } else {
    syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
  }
}

bool Presence::needs_fence() {
  Roll::instance().prepare();
  return needs_fence_.load(std::memory_order_relaxed);
}

bool Presence::is_anyone_at(Key key) {
  settle();
  return Roll::instance().any([key](Key k) { return k == key; });
}

bool Presence::is_anyone_in(uint64_t pool_key) {
  settle();
  return Roll::instance().any([pool_key](Key k) { return k != kNobody && k >> kLeaseSlotBits == pool_key; });
}

bool Presence::am_i_in(uint64_t pool_key) {
  for (const Record* record = mine_; record != nullptr; record = record->outer) {
    for (const std::atomic<Key>* cell = record->keys; cell != record->top; ++cell) {
      if (cell->load(std::memory_order_relaxed) >> kLeaseSlotBits == pool_key) return true;
    }
  }
  return false;
}

void Presence::forget_others_after_fork() noexcept {
  for (Record* r = Roll::instance().first.load(std::memory_order_relaxed); r != nullptr; r = r->next) {
    bool is_mine = false;
    for (const Record* own = mine_; own != nullptr; own = own->outer) is_mine = is_mine || own == r;
    if (is_mine) continue;
    for (std::atomic<Key>& cell : r->keys) cell.store(kNobody, std::memory_order_relaxed);
    r->is_taken.store(false, std::memory_order_relaxed);
  }
}

}  // namespace tide
