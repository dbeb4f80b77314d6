// Board: the slots of a segment and every transition of their words.
//
// This is the fast path. A lease ends by one compare-and-swap, end(), before its session is settled or anything is
// counted: a caller that loses the compare-and-swap changes nothing. The winner then owns the slot exclusively until it
// passes it on. What a lease leaves behind (tag, times, counters, histogram) is written only by its holder, into the
// slot's own cache lines.
//
// I2  A slot is in one state; it changes only here, only along the table of segment/slot_word.hpp.
// I3  A lease ends once: by end() or revoke, as decided by the compare-and-swap.
// Threads: transitions from any thread; the keeper's only from the keeper (see slot_word.hpp).
// Failure: a transition that lost its race returns that; nothing was changed.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>

#include "base/instant.hpp"
#include "segment/format.hpp"
#include "segment/rings.hpp"
#include "segment/segment.hpp"
#include "segment/slot_word.hpp"

namespace tide {

// Slots that only some callers may take.
enum class Reserved : uint8_t { excluded, preferred };

class Board {
 public:
  explicit Board(Segment& segment)
      : slots_(segment.slots()),
        stats_(segment.slot_stats()),
        capacity_(segment.capacity()),
        is_reserved_(std::make_unique<std::atomic<bool>[]>(segment.capacity())) {}

  uint32_t capacity() const { return capacity_; }
  // Slots from this index on were never used.
  uint32_t used() const { return used_.load(std::memory_order_relaxed); }
  SlotWord word(uint32_t slot) const { return SlotWord(slots_[slot].word.load(std::memory_order_acquire)); }
  // In the total order of sequentially consistent operations: follows a write of the caller that is visible to all
  // threads.
  SlotWord word_in_order(uint32_t slot) const { return SlotWord(slots_[slot].word.load(std::memory_order_seq_cst)); }
  SlotCounts counts() const;
  bool is_current(LeaseId lease) const { return lease.slot() < capacity_ && word(lease.slot()) == lease.word(); }
  format::Slot& slot(uint32_t index) { return slots_[index]; }
  const format::Slot& slot(uint32_t index) const { return slots_[index]; }
  format::SlotStats& stats(uint32_t index) { return stats_[index]; }

  // Caller: takes `slot` if it is idle. Returns the lease, or none. Full barrier on success.
  LeaseId claim(uint32_t slot) {
    LeaseId lease;
    return try_claim(slot, lease) ? lease : LeaseId{};
  }
  // The same; `out` is set only on success.
  bool try_claim(uint32_t slot, LeaseId& out) {
    format::Cell& word = slots_[slot].word;
    SlotWord seen(word.load(std::memory_order_relaxed));
    if (seen.state() != SlotState::idle) return false;
    const SlotWord mine = seen.leased_next();
    if (!word.compare_exchange_strong(seen.bits, mine.bits, std::memory_order_seq_cst, std::memory_order_relaxed)) {
      return false;
    }
    out = LeaseId(slot, mine.generation());
    return true;
  }
  // Caller: takes the lowest idle slot, so that high ones become idle and can be retired.
  LeaseId claim_lowest(Reserved reserved = Reserved::excluded) {
    bool is_one_returning = false;
    return claim_lowest(reserved, is_one_returning);
  }
  // The same; if there is none, `is_one_returning` tells whether a lease was just being returned.
  LeaseId claim_lowest(Reserved reserved, bool& is_one_returning);
  bool is_one_returning() const;

  // Reserved slots. Set by the keeper at any time: a caller that has claimed a slot and then sees that it is reserved,
  // although it may not take it, returns it; one that does not see it came before.
  bool is_reserved(uint32_t slot) const { return is_reserved_[slot].load(std::memory_order_seq_cst); }
  bool has_reserved() const { return reserved_.load(std::memory_order_relaxed) != 0; }
  // Keeper.
  uint32_t reserved() const { return reserved_.load(std::memory_order_relaxed); }
  void set_reserved(uint32_t slot, bool is_reserved) {
    if (is_reserved_[slot].exchange(is_reserved, std::memory_order_seq_cst) == is_reserved) return;
    reserved_.fetch_add(is_reserved ? 1 : ~uint32_t{0}, std::memory_order_relaxed);
  }

  // Caller: records the holder, right after claim or hand-over. `tag` is NUL-terminated and cut to fit.
  [[gnu::always_inline]] void write_holder(LeaseId lease, const char* tag, uint32_t thread_id, Instant now) {
    write_holder(slots_[lease.slot()], lease, tag, thread_id, now);
  }
  [[gnu::always_inline]] static void write_holder(format::Slot& s, LeaseId lease, const char* tag, uint32_t thread_id,
                                                  Instant now) {
    SeqWrite guard(s.seq);
    put(s.acquired_mono, static_cast<uint64_t>(now.ns()));
    put(s.last_used_mono, static_cast<uint64_t>(now.ns()));
    put(s.holder_generation, lease.generation());
    add_to(s.acquires_total);
    s.thread_id.store(thread_id, std::memory_order_relaxed);
    // A tag usually consists of the same few bytes again; the unused bytes of a FixedText are zero.
    if (std::strncmp(s.tag.bytes, tag, FixedText<64>::kBytesMax) != 0) [[unlikely]]
      assign_tag(s.tag, tag);
  }
  // By the thread that ended a lease: counts it.
  [[gnu::always_inline]] void write_use(uint32_t slot, Instant now) { write_use(slots_[slot], stats_[slot], now); }
  [[gnu::always_inline]] static void write_use(format::Slot& s, format::SlotStats& st, Instant now) {
    const int64_t used_ns = now.ns() - static_cast<int64_t>(read(s.acquired_mono));
    const uint64_t use_ns = used_ns > 0 ? static_cast<uint64_t>(used_ns) : 0;
    put(s.last_used_mono, static_cast<uint64_t>(now.ns()));
    SeqWrite guard(st.seq);
    add_to(st.releases_total);
    add_to(st.use_ns_total, use_ns);
    st.use.add_us(use_ns / 1000);
  }
  // The owner of the slot: which prepared statements the connection holds.
  void write_statements(uint32_t slot, uint32_t held, uint64_t bytes) {
    slots_[slot].statements.store(held, std::memory_order_relaxed);
    put(stats_[slot].statement_bytes, bytes);
  }
  // Holder: counts that this lease had to wait.
  void write_wait(uint32_t slot, Span waited, bool is_slow);

  // Caller: ends the lease. True: the caller now owns the slot, settles the session, and then calls one of the three
  // functions below. False: the lease had already ended.
  bool end(LeaseId lease) {
    SlotWord expected = lease.word();
    return slots_[lease.slot()].word.compare_exchange_strong(expected.bits, expected.with(SlotState::returning).bits,
                                                             std::memory_order_seq_cst, std::memory_order_relaxed);
  }
  // After end(): the slot becomes idle again. Full barrier.
  void give_back(LeaseId lease) { pass(lease.slot(), lease.word().with(SlotState::idle)); }
  // The same without a barrier: later reads of this thread may be executed before other threads see the slot idle.
  // Until then they see it as returning.
  void put_back(LeaseId lease) {
    slots_[lease.slot()].word.store(lease.word().with(SlotState::idle).bits, std::memory_order_release);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  // After end(): the keeper must process the connection first.
  void soil(LeaseId lease) { pass(lease.slot(), lease.word().with(SlotState::soiled)); }
  // After end(): begins the next lease immediately.
  LeaseId hand_over(LeaseId lease) {
    const SlotWord next = lease.word().leased_next();
    pass(lease.slot(), next);
    return LeaseId(lease.slot(), next.generation());
  }
  // Keeper: any of its transitions. False: the word was no longer `from`.
  bool advance(uint32_t slot, SlotWord from, SlotState to);
  // Keeper: sets the lowest empty slot to opening; returns capacity() if there is none.
  uint32_t open_lowest();

 private:
  template <typename MayTake>
  LeaseId claim_lowest_of(MayTake&& may_take, bool& is_one_returning);
  [[gnu::cold]] static void assign_tag(FixedText<64>& to, const char* tag);
  void pass(uint32_t slot, SlotWord next) { slots_[slot].word.exchange(next.bits, std::memory_order_seq_cst); }

  format::Slot* slots_;
  format::SlotStats* stats_;
  uint32_t capacity_;
  std::atomic<uint32_t> used_{0};
  uint32_t empty_from_ = 0;  // used by the keeper: no slot below is empty
  std::unique_ptr<std::atomic<bool>[]> is_reserved_;
  std::atomic<uint32_t> reserved_{0};
};

}  // namespace tide
