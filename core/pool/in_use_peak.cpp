#include "pool/in_use_peak.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace tide {
namespace {

template <typename Number>
void raise_to(std::atomic<Number>& highest, Number value) {
  Number seen = highest.load(std::memory_order_seq_cst);
  while (seen < value && !highest.compare_exchange_weak(seen, value, std::memory_order_seq_cst)) {
  }
}

}  // namespace

// No slot has the initial mark. In a pool that counts, slots never get a mark.
InUsePeak::InUsePeak(Board& board, format::Cell& total)
    : mark_(2), board_(board), total_(total), is_counting_(board.capacity() > kScannedMax) {}

// `second_` first: a thread that relies on it makes sure that the total has it, too.
void InUsePeak::raise(uint32_t in_use) {
  raise_to(second_, in_use);
  raise_to(total_, uint64_t{in_use});
}

uint64_t InUsePeak::note(uint32_t slot) {
  if (is_counting_) {
    raise(in_use_.fetch_add(1, std::memory_order_relaxed) + 1);
    return 0;
  }
  const uint64_t bit = uint64_t{1} << (slot % kBits);
  std::atomic<uint64_t>& word = touched_[slot / kBits];
  if ((word.load(std::memory_order_seq_cst) & bit) == 0 && (word.fetch_or(bit, std::memory_order_seq_cst) & bit) == 0) {
    mark_.fetch_add(2, std::memory_order_seq_cst);
  }
  const uint64_t mark = mark_.load(std::memory_order_seq_cst);
  const bool is_beginning = mark % 2 != 0;  // `touched` may be incomplete
  Slots slots;
  uint32_t count = 0;
  for (uint32_t i = 0; i < kWords; ++i) {
    slots[i] = is_beginning ? ~uint64_t{0} : touched_[i].load(std::memory_order_seq_cst);
    count += static_cast<uint32_t>(std::popcount(slots[i]));
  }
  if (count > second_.load(std::memory_order_seq_cst)) raise(scan(slots, count));
  const uint32_t second = second_.load(std::memory_order_seq_cst);
  raise_to(total_, uint64_t{second});
  return !is_beginning && second >= count ? mark : 0;
}

// A lease that has ended keeps its connection until that is settled; readers count it, too.
bool InUsePeak::is_in_use(uint32_t slot, uint64_t& generation) const {
  if (slot >= board_.capacity()) return false;
  const SlotWord word = board_.word_in_order(slot);
  generation = word.generation();
  return word.state() == SlotState::leased || word.state() == SlotState::returning;
}

// How many of the `count` slots are in use; 0 as soon as it cannot exceed the second's peak.
uint32_t InUsePeak::scan(const Slots& slots, uint32_t count) const {
  uint64_t generations[kScannedMax];
  uint8_t used[kScannedMax];
  static_assert(kScannedMax - 1 <= UINT8_MAX);
  uint32_t n = 0;
  for (uint32_t i = 0; i < kWords; ++i) {
    for (uint64_t left = slots[i]; left != 0; left &= left - 1) {
      const uint32_t slot = i * kBits + static_cast<uint32_t>(std::countr_zero(left));
      if (is_in_use(slot, generations[n])) {
        used[n++] = static_cast<uint8_t>(slot);
      } else if (--count <= second_.load(std::memory_order_relaxed)) {
        return 0;
      }
    }
  }
  for (uint32_t i = 0; i < n; ++i) {
    uint64_t generation = 0;
    if (is_in_use(used[i], generation) && generation == generations[i]) continue;
    if (--count <= second_.load(std::memory_order_relaxed)) return 0;
  }
  return count;
}

// Slots in use count as touched, although they were leased before. Until all are, the mark is odd and every lease
// scans.
uint32_t InUsePeak::begin_second(bool is_reset) {
  if (!is_counting_) mark_.fetch_add(1, std::memory_order_seq_cst);
  const uint32_t ended = second_.exchange(0, std::memory_order_seq_cst);
  if (is_reset) {
    total_.store(0, std::memory_order_seq_cst);
  } else {
    raise_to(total_, uint64_t{ended});
  }
  if (is_counting_) {
    raise(in_use_.load(std::memory_order_relaxed));
    return ended;
  }
  for (std::atomic<uint64_t>& word : touched_) word.exchange(0, std::memory_order_seq_cst);
  Slots slots = {};
  uint32_t count = 0;
  for (uint32_t slot = 0; slot < board_.used(); ++slot) {
    uint64_t generation = 0;
    if (!is_in_use(slot, generation)) continue;
    const uint64_t bit = uint64_t{1} << (slot % kBits);
    slots[slot / kBits] |= bit;
    touched_[slot / kBits].fetch_or(bit, std::memory_order_seq_cst);
    ++count;
  }
  if (count != 0) raise(scan(slots, count));
  mark_.fetch_add(1, std::memory_order_seq_cst);
  return ended;
}

uint32_t InUsePeak::take_second() {
  const uint32_t ended = begin_second(false);
  return std::max(ended, std::exchange(kept_, 0));
}

void InUsePeak::reset() { kept_ = std::max(kept_, begin_second(true)); }

}  // namespace tide
