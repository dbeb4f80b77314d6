// S3Fifo: which cached result is to be removed when there is no room: three queues in order of arrival.
//
// A new entry goes to the small queue, a tenth of the cache. Who was not used again there leaves, and only its hash is
// remembered in the ghost queue; who was used moves to the main queue, and stays as long as it is used between two rounds.
// An entry whose hash is remembered goes to the main queue at once. So a scan, whose entries are used once, passes through
// the small queue and leaves the main queue alone; LRU would lose everything to it.
//
// Q1  An entry is in at most one queue, and bytes() is the sum of those in a queue.
// Q2  The ghost queue has at most as many hashes as there are entries.
// Threads: one at a time, except for CacheEntry::uses. Failure: none.
#pragma once

#include <cstddef>

#include "service/cache/entry.hpp"
#include "service/cache/ghosts.hpp"

namespace tide {

class S3Fifo {
 public:
  // Bytes that a hash in the ghost queue needs; part of each entry, because of Q2.
  static constexpr size_t kGhostBytes = Ghosts::kBytes;

  void set_limits(size_t entries_max, size_t bytes_max) {
    entries_max_ = entries_max;
    bytes_max_ = bytes_max;
  }
  bool has_room(size_t bytes) const { return entries() + 1 <= entries_max_ && bytes_ + bytes <= bytes_max_; }
  bool is_over() const { return entries() > entries_max_ || bytes_ > bytes_max_; }
  void add(CacheEntry& entry);
  void remove(CacheEntry& entry);
  // The entry to be removed next, which has left its queue; nullptr: there is none.
  CacheEntry* evict();
  // All of them leave, and the ghosts.
  void clear();

  size_t entries() const { return small_.count + main_.count; }
  size_t bytes() const { return bytes_; }

 private:
  struct List {
    CacheEntry* newest = nullptr;
    CacheEntry* oldest = nullptr;
    size_t count = 0;
    size_t bytes = 0;
  };
  List& list_of(const CacheEntry& entry) { return entry.queue == CacheEntry::Queue::small ? small_ : main_; }
  void push(List& list, CacheEntry& entry);
  void pull(List& list, CacheEntry& entry);
  bool is_small_large() const;

  size_t entries_max_ = 0;
  size_t bytes_max_ = 0;
  size_t bytes_ = 0;
  List small_;
  List main_;
  Ghosts ghosts_;
};

}  // namespace tide
