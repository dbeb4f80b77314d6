// Rings: the owner's side of the overwrite-oldest records in a segment.
//
// Record number i is at place i % count. Its stamp is i + 1, or kStampBusy while it is being written, so that a reader
// can tell a complete record from a torn or overwritten one.
// Several threads may append: an atomic of the owner issues the numbers, and a place belongs to the writer that changed
// its stamp to kStampBusy. A writer that finds its place busy, or a later record there, is a full round behind or ahead
// of another writer. It leaves the place alone and takes a new number. So no record is torn or lost and no writer
// waits, but a number may be missing, as if its record had been overwritten.
// Threads: any. Readers are other processes.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "segment/format.hpp"

namespace tide {

// Single-writer counters.
inline void add_to(format::Cell& cell, uint64_t n = 1) {
  cell.store(cell.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}
inline uint64_t read(const format::Cell& cell) { return cell.load(std::memory_order_relaxed); }
inline void put(format::Cell& cell, uint64_t value) { cell.store(value, std::memory_order_relaxed); }

template <typename Record>
class Ring {
 public:
  Ring(Record* records, uint32_t count) : records_(records), count_(count) {}

  // `fill` writes everything except the stamp. Returns the record's number, from 0.
  template <typename Fill>
  uint64_t append(Fill&& fill) {
    for (;;) {
      const uint64_t number = next_.fetch_add(1, std::memory_order_relaxed);
      const uint64_t before = read(records_[number % count_].stamp);
      if (before <= number && write(number, before, fill)) return number;
    }
  }
  // Rewrites a record that is still in the ring; false if it has been overwritten.
  template <typename Fill>
  bool amend(uint64_t number, Fill&& fill) {
    return write(number, number + 1, fill);
  }
  // Empties every place that is not being written; the numbers continue.
  template <typename Wipe>
  void clear(Wipe&& wipe) {
    for (Record& record : std::span(records_, count_)) {
      uint64_t stamp = read(record.stamp);
      if (stamp == 0 || stamp == format::kStampBusy) continue;
      if (!record.stamp.compare_exchange_strong(stamp, format::kStampBusy, std::memory_order_acquire,
                                                std::memory_order_relaxed)) {
        continue;
      }
      std::atomic_thread_fence(std::memory_order_release);
      wipe(record);
      record.stamp.store(0, std::memory_order_release);
    }
  }
  uint32_t count() const { return count_; }

 private:
  // False: the stamp was no longer `expected`.
  template <typename Fill>
  bool write(uint64_t number, uint64_t expected, Fill&& fill) {
    Record& record = records_[number % count_];
    if (!record.stamp.compare_exchange_strong(expected, format::kStampBusy, std::memory_order_acquire,
                                              std::memory_order_relaxed)) {
      return false;
    }
    std::atomic_thread_fence(std::memory_order_release);
    fill(record);
    record.stamp.store(number + 1, std::memory_order_release);
    return true;
  }

  Record* const records_;
  const uint32_t count_;
  std::atomic<uint64_t> next_{0};
};

// A block protected by a sequence number, which is odd while the block is written. One writer at a time; writes must
// not be nested.
class SeqWrite {
 public:
  explicit SeqWrite(format::Cell& seq) : seq_(seq), odd_(seq.load(std::memory_order_relaxed) | 1) {
    seq_.store(odd_, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
  }
  ~SeqWrite() { seq_.store(odd_ + 1, std::memory_order_release); }
  SeqWrite(const SeqWrite&) = delete;
  SeqWrite& operator=(const SeqWrite&) = delete;

 private:
  format::Cell& seq_;
  const uint64_t odd_;
};

}  // namespace tide
