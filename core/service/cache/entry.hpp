// CacheEntry: a result on its way into the cache, and in it: its flight, and its place in the queues.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
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

// The members that are needed to find, move and remove an entry come first: in a cache larger than that of the processor each
// line of memory costs a part of what a miss may cost.
struct CacheEntry {
  HashedKey hashed() const { return {key, hash}; }
  uint64_t hash = 0;

  // Of KeyTable.
  std::shared_ptr<CacheEntry> next_in_bucket;

  // Of S3Fifo.
  enum class Queue : uint8_t { none, small, main };
  CacheEntry* newer = nullptr;
  CacheEntry* older = nullptr;
  size_t bytes = 0;  // all that the cache needs for it; set when its flight ends
  Queue queue = Queue::none;

  // Of any thread.
  static constexpr uint8_t kUsesMax = 3;
  void use() noexcept {
    const uint8_t seen = uses.load(std::memory_order_relaxed);
    if (seen < kUsesMax)
      uses.store(static_cast<uint8_t>(seen + 1), std::memory_order_relaxed);  // a lost one is harmless
  }
  std::atomic<uint8_t> uses{0};           // since it was last considered for eviction; at most kUsesMax
  std::atomic<int64_t> renewed_at_ns{0};  // the last renewal began

  // The flight: one caller executes the query, and others may wait for it.
  enum class State : uint32_t {
    flying,
    landed,  // `table` is the result
    failed,  // the leader has an error
    alone    // the result cannot be shared: everyone executes the query
  };
  // Waits in real time, at most for `span`.
  State wait_for(Span span) noexcept;
  void end(State state) noexcept;
  std::atomic<uint32_t> state_word{0};  // a State, and whether somebody waits
  bool has_previous = true;             // there may be an entry with its key; protected by the mutex of the cache

  // Set when the flight begins.
  std::string key;
  Instant born;                     // when its query began
  std::vector<std::string> labels;  // for invalidation: its given key and its tags
  ChangeMark mark;                  // of the data, if the database is watched
  // Set when the flight ends.
  Instant fresh_until;
  FrozenTable table;
};

}  // namespace tide
