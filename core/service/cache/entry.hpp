// CacheEntry: one cached result, and its place in the queues of the cache.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.hpp"
#include "pool/change_watch.hpp"
#include "service/cache/frozen_table.hpp"

namespace tide {

// A key with its hash, which is calculated once.
struct HashedKey {
  std::string_view text;
  uint64_t hash = 0;
  bool operator==(const HashedKey& other) const { return hash == other.hash && text == other.text; }
};
struct HashOfKey {
  size_t operator()(const HashedKey& key) const noexcept { return key.hash; }
};

struct CacheEntry {
  // Never changed once it is in the cache.
  std::string key;
  uint64_t hash = 0;
  std::shared_ptr<const FrozenTable> table;
  Instant born;  // when its query began
  Instant fresh_until;
  ChangeMark mark;                  // of the data, if the database is watched
  std::vector<std::string> labels;  // for invalidation: its given key and its tags
  size_t bytes = 0;                 // all that the cache needs for it

  HashedKey hashed() const { return {key, hash}; }

  // Of any thread.
  std::atomic<uint8_t> uses{0};           // since it was last considered for eviction; at most kUsesMax
  std::atomic<int64_t> renewed_at_ns{0};  // the last renewal began

  // Of S3Fifo.
  enum class Queue : uint8_t { none, small, main };
  Queue queue = Queue::none;
  CacheEntry* newer = nullptr;
  CacheEntry* older = nullptr;

  static constexpr uint8_t kUsesMax = 3;
  void use() noexcept {
    const uint8_t seen = uses.load(std::memory_order_relaxed);
    if (seen < kUsesMax)
      uses.store(static_cast<uint8_t>(seen + 1), std::memory_order_relaxed);  // a lost one is harmless
  }
};

}  // namespace tide
