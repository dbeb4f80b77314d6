#include "segment/board.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace tide {

template <typename MayTake>
LeaseId Board::claim_lowest_of(MayTake&& may_take, bool& is_one_returning) {
  const uint32_t n = used();
  is_one_returning = false;
  for (uint32_t i = 0; i < n; ++i) {
    if (!may_take(i)) continue;
    SlotWord seen(slots_[i].word.load(std::memory_order_acquire));
    // A caller that loses the race for an idle slot tries it again: the slot may already be on its way back.
    while (seen.state() == SlotState::idle) {
      if (const LeaseId lease = claim(i); !lease.is_none()) return lease;
      seen = word(i);
    }
    is_one_returning = is_one_returning || seen.state() == SlotState::returning;
  }
  return {};
}

LeaseId Board::claim_lowest(Reserved reserved, bool& is_one_returning) {
  const auto is_any = [](uint32_t) { return true; };
  if (!has_reserved()) [[likely]]
    return claim_lowest_of(is_any, is_one_returning);
  if (reserved == Reserved::excluded)
    return claim_lowest_of([this](uint32_t slot) { return !is_reserved(slot); }, is_one_returning);
  const LeaseId lease = claim_lowest_of([this](uint32_t slot) { return is_reserved(slot); }, is_one_returning);
  return lease.is_none() ? claim_lowest_of(is_any, is_one_returning) : lease;
}

SlotCounts Board::counts() const {
  SlotCounts counts;
  for (uint32_t i = 0; i < used(); ++i) counts.add(word(i).state());
  return counts;
}

bool Board::is_one_returning() const {
  const uint32_t n = used();
  for (uint32_t i = 0; i < n; ++i) {
    if (word(i).state() == SlotState::returning) return true;
  }
  return false;
}

void Board::assign_tag(FixedText<64>& to, const char* tag) { to.assign(FixedText<64>::prefix_of(tag)); }

void Board::write_wait(uint32_t slot, Span waited, bool is_slow) {
  const uint64_t ns = waited.ns() > 0 ? static_cast<uint64_t>(waited.ns()) : 0;
  format::SlotStats& st = stats_[slot];
  SeqWrite guard(st.seq);
  add_to(st.waited_total);
  add_to(st.wait_ns_total, ns);
  st.wait.add_us(ns / 1000);
  if (is_slow) add_to(st.slow_total);
}

bool Board::advance(uint32_t slot, SlotWord from, SlotState to) {
  TIDE_ASSERT(is_allowed(from.state(), to, SlotActor::keeper));
  if (!slots_[slot].word.compare_exchange_strong(from.bits, from.with(to).bits, std::memory_order_seq_cst,
                                                 std::memory_order_relaxed)) {
    return false;
  }
  if (to == SlotState::empty) empty_from_ = std::min(empty_from_, slot);
  return true;
}

uint32_t Board::open_lowest() {
  for (uint32_t i = empty_from_; i < capacity_; ++i) {
    const SlotWord seen = word(i);
    if (seen.state() != SlotState::empty) continue;
    const bool is_done = advance(i, seen, SlotState::opening);
    TIDE_ASSERT(is_done);
    empty_from_ = i + 1;
    if (i >= used()) used_.store(i + 1, std::memory_order_release);
    return i;
  }
  empty_from_ = capacity_;
  return capacity_;
}

}  // namespace tide
