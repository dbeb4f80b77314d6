// Rings: the owner's side of the overwrite-oldest records in a segment.
//
// Record number i stands at place i % count; its stamp is 0 while it is being written and i + 1 afterwards, so a reader
// knows a whole record from a torn or overwritten one.
// Threads: one writer (the keeper). Readers are other processes.
#pragma once

#include <atomic>
#include <cstdint>

#include "plane/format.hpp"

namespace tide {

template <typename Record>
class Ring {
 public:
  Ring() = default;
  Ring(Record* records, uint32_t count) : records_(records), count_(count) {}

  // `fill` writes everything but the stamp. Returns the record's number, from 0.
  template <typename Fill>
  uint64_t append(Fill&& fill) {
    Record& record = records_[next_ % count_];
    write(record, next_ + 1, fill);
    return next_++;
  }
  // Write a record that is still in the ring again; false if it has been overwritten.
  template <typename Fill>
  bool amend(uint64_t number, Fill&& fill) {
    if (number >= next_ || next_ - number > count_) return false;
    write(records_[number % count_], number + 1, fill);
    return true;
  }
  uint64_t next() const { return next_; }
  uint32_t count() const { return count_; }

 private:
  template <typename Fill>
  static void write(Record& record, uint64_t stamp, Fill&& fill) {
    record.stamp.store(0, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    fill(record);
    record.stamp.store(stamp, std::memory_order_release);
  }

  Record* records_ = nullptr;
  uint32_t count_ = 0;
  uint64_t next_ = 0;
};

// A block behind a sequence number: odd while it is written. One writer at a time; begin and end in any nesting-free
// order leave it even.
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

// Single-writer counters.
inline void add_to(format::Cell& cell, uint64_t n = 1) {
  cell.store(cell.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}
inline uint64_t read(const format::Cell& cell) { return cell.load(std::memory_order_relaxed); }
inline void put(format::Cell& cell, uint64_t value) { cell.store(value, std::memory_order_relaxed); }

}  // namespace tide
