// KeyTable: the entries by key, chained by a member of theirs: adding one needs no memory of its own, and to find that a key is
// not there takes one access to memory.
//
// An entry is in one table at most. Threads: one at a time. Failure: std::bad_alloc out of add(): then nothing has changed.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "service/cache/entry.hpp"

namespace tide {

class KeyTable {
 public:
  using EntryPtr = std::shared_ptr<CacheEntry>;

  KeyTable() = default;
  ~KeyTable() { clear(); }
  KeyTable(KeyTable&& other) noexcept { swap(other); }
  KeyTable& operator=(KeyTable&& other) noexcept {
    swap(other);
    return *this;
  }

  // nullptr: there is none.
  const EntryPtr& find(const HashedKey& key) const {
    static const EntryPtr none;
    if (buckets_.empty()) return none;
    const EntryPtr* link = &buckets_[key.hash & (buckets_.size() - 1)];
    while (*link != nullptr && (*link)->hashed() != key) link = &(*link)->next_in_bucket;
    return *link;
  }

  // Its key is not there yet.
  void add(EntryPtr entry) {
    if (size_ >= buckets_.size()) grow();
    push(std::move(entry), buckets_);
    ++size_;
  }

  // nullptr: it is not there.
  EntryPtr take(const CacheEntry& entry) {
    if (buckets_.empty()) return nullptr;
    EntryPtr* link = &buckets_[entry.hash & (buckets_.size() - 1)];
    while (*link != nullptr && link->get() != &entry) link = &(*link)->next_in_bucket;
    if (*link == nullptr) return nullptr;
    EntryPtr taken = std::move(*link);
    *link = std::move(taken->next_in_bucket);
    --size_;
    return taken;
  }

  template <typename Visit>  // void(CacheEntry&)
  void for_each(const Visit& visit) const {
    for (const EntryPtr& bucket : buckets_) {
      for (CacheEntry* entry = bucket.get(); entry != nullptr; entry = entry->next_in_bucket.get()) visit(*entry);
    }
  }

  // An entry that somebody still holds must not hold its neighbours.
  void clear() noexcept {
    for (EntryPtr& bucket : buckets_) {
      while (bucket != nullptr) bucket = std::exchange(bucket->next_in_bucket, nullptr);
    }
    buckets_ = {};
    size_ = 0;
  }
  void swap(KeyTable& other) noexcept {
    buckets_.swap(other.buckets_);
    std::swap(size_, other.size_);
  }

 private:
  static constexpr size_t kBucketsMin = 16;

  static void push(EntryPtr entry, std::vector<EntryPtr>& buckets) {
    EntryPtr& bucket = buckets[entry->hash & (buckets.size() - 1)];
    entry->next_in_bucket = std::move(bucket);
    bucket = std::move(entry);
  }

  void grow() {
    std::vector<EntryPtr> larger(buckets_.empty() ? kBucketsMin : 2 * buckets_.size());
    for (EntryPtr& bucket : buckets_) {
      while (bucket != nullptr) {
        EntryPtr entry = std::move(bucket);
        bucket = std::move(entry->next_in_bucket);
        push(std::move(entry), larger);
      }
    }
    buckets_ = std::move(larger);
  }

  std::vector<EntryPtr> buckets_;  // their number is a power of two
  size_t size_ = 0;
};

}  // namespace tide
