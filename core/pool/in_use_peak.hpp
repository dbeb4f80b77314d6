// InUsePeak: the highest number of connections in use at once, exact, at the cost of one load and compare per lease.
//
// A counter that every lease writes would cost more than the lease. Instead, a scan of the board finds how many slots
// are in use, and few leases need one. `touched` are the slots leased in this second, `second` the highest number found
// in it. While that equals their count no scan can find more, so the slots that saw it carry the mark of that moment
// (Seat::peak_mark), and a lease of a slot with the current mark is finished. The first lease of a further slot changes
// the mark, and every slot checks once more. Each second starts with the connections in use at its beginning.
//
// Never too high: a scan counts what was in use, for the same lease, in both of two passes, hence between them.
// Never too low: of the leases held at one moment, the last one claimed either scans or carries a mark. If it carries
// one, a slot that was not touched when that mark was given changes the mark after that claim, scans, and sees all of
// them. (Both sides write, then read: all of these are sequentially consistent.)
// A pool with more slots than a scan should visit uses a counter instead: its leases are long compared with an atomic
// addition.
// Threads: note() and ended() any; take_second() and reset() the keeper only.
// Failure: none.
#pragma once

#include <atomic>
#include <cstdint>

#include "segment/board.hpp"

namespace tide {

class alignas(64) InUsePeak {
 public:
  static constexpr uint32_t kScannedMax = 256;

  // `total` is where readers find the peak since the pool opened or since reset().
  InUsePeak(Board& board, format::Cell& total);

  // A lease of a slot with this mark cannot be a new peak. Must be called after the claim.
  bool is_known(uint64_t mark) const { return mark_.load(std::memory_order_seq_cst) == mark; }
  // For a lease that was just claimed or handed over and that no thread can end yet. Returns the slot's new mark.
  [[gnu::cold]] uint64_t note(uint32_t slot);
  // Leases are counted, so ended() must be called for each, before its slot can be leased again.
  bool is_counting() const { return is_counting_; }
  void ended() {
    if (is_counting_) in_use_.fetch_sub(1, std::memory_order_relaxed);
  }

  // The peak since the last call; the next second starts with what is in use now.
  uint32_t take_second();
  // Restarts the total with what is in use now.
  void reset();

 private:
  static constexpr uint32_t kBits = 64;
  static constexpr uint32_t kWords = kScannedMax / kBits;
  using Slots = uint64_t[kWords];

  uint32_t begin_second(bool is_reset);
  bool is_in_use(uint32_t slot, uint64_t& generation) const;
  uint32_t scan(const Slots& slots, uint32_t count) const;
  void raise(uint32_t in_use);

  std::atomic<uint64_t> mark_;  // odd: a second is about to begin, and no slot gets a mark
  std::atomic<uint64_t> touched_[kWords] = {};
  Board& board_;
  format::Cell& total_;
  std::atomic<uint32_t> second_{0};
  const bool is_counting_;
  alignas(64) std::atomic<uint32_t> in_use_{0};  // used where leases are counted
  uint32_t kept_ = 0;                            // peak of the second in which reset() was called
};

}  // namespace tide
