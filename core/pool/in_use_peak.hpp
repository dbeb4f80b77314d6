// InUsePeak: the most connections that were in use at once, exact, at the price of one load and compare a lease.
//
// A counter that every lease writes would cost more than the lease. Instead: a scan of the board finds how many slots are
// in use, and hardly any lease needs one. `touched` are the slots leased in this second, `second` the highest number
// found in it. While that equals their count no scan can find more, so the slots that saw it carry the mark of that
// moment (Seat::peak_mark), and a lease of a slot with the current mark is done. The first lease of a further slot
// changes the mark, and every slot looks once more. Each second begins anew, with what is in use then.
//
// Never too high: a scan counts what was in use, for the same lease, in both of two passes, hence between them.
// Never too low: of those who hold a lease at one moment, the last one to claim it either scans, or carries a mark; then
// whoever was not touched when that mark was given changes it after that claim, and scans, and sees all of them. (Both
// sides write, then read: all of these are sequentially consistent.)
// A pool of more slots than a scan should look at counts instead: its leases are long compared with an atomic addition.
// Threads: note() and ended() any; take_second() and reset() the keeper's.
// Failure: none.
#pragma once

#include <atomic>
#include <cstdint>

#include "segment/board.hpp"

namespace tide {

class alignas(64) InUsePeak {
 public:
  static constexpr uint32_t kScannedMax = 256;

  // `total` is where readers find the peak since the pool opened or reset().
  InUsePeak(Board& board, format::Cell& total);

  // A lease of a slot with this mark cannot be a new peak. To be asked after the claim.
  bool is_known(uint64_t mark) const { return mark_.load(std::memory_order_seq_cst) == mark; }
  // Of a lease that was just claimed or handed over and that nobody can end yet. The slot's mark from now on.
  [[gnu::cold]] uint64_t note(uint32_t slot);
  // Leases are counted, so ended() must be called for each, before its slot can be leased again.
  bool is_counting() const { return is_counting_; }
  void ended() {
    if (is_counting_) in_use_.fetch_sub(1, std::memory_order_relaxed);
  }

  // The peak since the last call; what is in use now begins the next second.
  uint32_t take_second();
  // The total begins anew, with what is in use now.
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
  alignas(64) std::atomic<uint32_t> in_use_{0};  // of a pool that counts
  uint32_t kept_ = 0;                            // of the second in which reset() was called
};

}  // namespace tide
