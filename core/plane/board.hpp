// Board: the slots of a segment and every transition of their words.
//
// This is the fast path: claim() and give_back() are one compare-and-swap each, and what a lease must leave behind
// (tag, times, counters, histogram) is written by its holder alone into the slot's own lines.
//
// I2  A slot is in one state; it changes only here, only along the table of plane/slot_word.hpp.
// I3  A lease ends once: by give_back, hand_over's next generation, soil or revoke. The compare decides.
// Threads: transitions from any thread; the keeper's ones from the keeper alone (slot_word.hpp says which).
// Failure: a transition that lost its race says so; nothing was changed.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/instant.hpp"
#include "plane/format.hpp"
#include "plane/rings.hpp"
#include "plane/segment.hpp"
#include "plane/slot_word.hpp"

namespace tide {

class Board {
 public:
  explicit Board(Segment& segment)
      : slots_(segment.slots()), stats_(segment.slot_stats()), capacity_(segment.capacity()) {}

  uint32_t capacity() const { return capacity_; }
  // Slots at and above this index were never used.
  uint32_t used() const { return used_.load(std::memory_order_relaxed); }
  SlotWord word(uint32_t slot) const { return SlotWord(slots_[slot].word.load(std::memory_order_acquire)); }
  bool is_current(LeaseId lease) const { return lease.slot() < capacity_ && word(lease.slot()) == lease.word(); }
  format::Slot& slot(uint32_t index) { return slots_[index]; }
  const format::Slot& slot(uint32_t index) const { return slots_[index]; }
  format::SlotStats& stats(uint32_t index) { return stats_[index]; }

  // Caller: take `slot` if it is idle. The lease, or none. Full barrier when it succeeds.
  LeaseId claim(uint32_t slot) {
    SlotWord seen(slots_[slot].word.load(std::memory_order_relaxed));
    if (seen.state() != SlotState::idle) return {};
    const SlotWord mine = seen.leased_next();
    if (!slots_[slot].word.compare_exchange_strong(seen.bits, mine.bits, std::memory_order_seq_cst,
                                                   std::memory_order_relaxed)) {
      return {};
    }
    return LeaseId(slot, mine.generation());
  }
  // Caller: the lowest idle slot, so that high ones fall idle and can be retired.
  LeaseId claim_lowest() {
    const uint32_t n = used();
    for (uint32_t i = 0; i < n; ++i) {
      if (const LeaseId lease = claim(i); !lease.is_none()) return lease;
    }
    return {};
  }
  bool has_idle() const;

  // Caller: write who holds it, right after claim or hand-over. `tag` is cut to fit.
  void write_holder(uint32_t slot, std::string_view tag, uint32_t thread_id, Instant now) {
    format::Slot& s = slots_[slot];
    SeqWrite guard(s.seq);
    put(s.acquired_mono, static_cast<uint64_t>(now.ns()));
    put(s.last_used_mono, static_cast<uint64_t>(now.ns()));
    put(s.holder_generation, SlotWord(s.word.load(std::memory_order_relaxed)).generation());
    add_to(s.acquires_total);
    s.thread_id.store(thread_id, std::memory_order_relaxed);
    copy_tag(s.tag, tag);
  }
  // Caller: count a lease that ends now. Before the transition that ends it. Returns how long it was used.
  uint64_t write_use(uint32_t slot, Instant now) {
    format::Slot& s = slots_[slot];
    const int64_t used_ns = now.ns() - static_cast<int64_t>(read(s.acquired_mono));
    const uint64_t use_ns = used_ns > 0 ? static_cast<uint64_t>(used_ns) : 0;
    put(s.last_used_mono, static_cast<uint64_t>(now.ns()));
    format::SlotStats& st = stats_[slot];
    SeqWrite guard(st.seq);
    add_to(st.releases_total);
    add_to(st.use_ns_total, use_ns);
    st.use.add_us(use_ns / 1000);
    return use_ns;
  }
  // Caller: the lease did not end by this release after all; it was revoked meanwhile.
  void take_back_use(uint32_t slot, uint64_t use_ns);
  // Holder: this lease had to wait.
  void write_wait(uint32_t slot, Span waited, bool is_slow);

  // Caller: end the lease, slot idle again. False: it was revoked meanwhile. Full barrier when it succeeds.
  bool give_back(LeaseId lease) { return move(lease, lease.word().with(SlotState::idle)); }
  // Caller: end the lease, but the keeper must see the connection first.
  bool soil(LeaseId lease) { return move(lease, lease.word().with(SlotState::soiled)); }
  // Caller: end the lease and begin the next one at once. The next lease, or none if it was revoked meanwhile.
  LeaseId hand_over(LeaseId lease) {
    const SlotWord next = lease.word().leased_next();
    return move(lease, next) ? LeaseId(lease.slot(), next.generation()) : LeaseId{};
  }
  // Keeper: any transition of its own. False: the word was not `from` any more.
  bool advance(uint32_t slot, SlotWord from, SlotState to);
  // Keeper: the lowest empty slot becomes opening; capacity() if there is none below `limit`.
  uint32_t open_lowest();

 private:
  // A tag is mostly the same few bytes again; only what changed is written.
  static void copy_tag(FixedText<64>& to, std::string_view tag) {
    if (tag.size() == to.length && is_same(to.bytes, tag.data(), tag.size())) return;
    to.assign(tag);
  }
  // Tags are short: two overlapping words instead of a call.
  static bool is_same(const char* a, const char* b, size_t bytes) {
    const auto differ = [&]<typename Word>(Word) {
      Word a_head, a_tail, b_head, b_tail;
      std::memcpy(&a_head, a, sizeof(Word));
      std::memcpy(&b_head, b, sizeof(Word));
      std::memcpy(&a_tail, a + bytes - sizeof(Word), sizeof(Word));
      std::memcpy(&b_tail, b + bytes - sizeof(Word), sizeof(Word));
      return ((a_head ^ b_head) | (a_tail ^ b_tail)) != 0;
    };
    if (bytes > 16) return std::memcmp(a, b, bytes) == 0;
    if (bytes >= 8) return !differ(uint64_t{});
    if (bytes >= 4) return !differ(uint32_t{});
    for (size_t i = 0; i < bytes; ++i) {
      if (a[i] != b[i]) return false;
    }
    return true;
  }
  bool move(LeaseId lease, SlotWord next) {
    SlotWord expected = lease.word();
    return slots_[lease.slot()].word.compare_exchange_strong(expected.bits, next.bits, std::memory_order_seq_cst,
                                                             std::memory_order_relaxed);
  }

  format::Slot* slots_;
  format::SlotStats* stats_;
  uint32_t capacity_;
  std::atomic<uint32_t> used_{0};
};

}  // namespace tide
