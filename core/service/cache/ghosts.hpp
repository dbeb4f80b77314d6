// Ghosts: hashes of entries that have left a cache, for a while.
//
// A table of buckets, each a cache line: to note a hash costs one access to memory, and no allocation. In a full bucket the
// oldest is forgotten early, which is rare, because at most half of the table is in use.
// Threads: one at a time. Failure: std::bad_alloc is swallowed: then a hash is not remembered.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

namespace tide {

class Ghosts {
 public:
  static constexpr size_t kBytes = 32;  // for each of `limit`, at most

  // It is remembered until `limit` others have been noted.
  void note(uint64_t hash, size_t limit) noexcept {
    if (limit == 0 || (2 * limit > kWays * buckets_.size() && !grow(limit))) return;
    place({print_of(hash), ++total_}, hash);
  }

  // Whether it is one of the last `limit`; it is forgotten then.
  bool take(uint64_t hash, size_t limit) noexcept {
    if (buckets_.empty()) return false;
    for (Ghost& ghost : bucket_of(hash).ghosts) {
      if (ghost.print != print_of(hash) || ghost.number == 0 || age_of(ghost) >= limit) continue;
      ghost = {};
      return true;
    }
    return false;
  }

  void clear() noexcept { buckets_ = {}; }

 private:
  static constexpr size_t kWays = 8;
  struct Ghost {
    uint32_t print = 0;
    uint32_t number = 0;  // 0: none
  };
  struct alignas(64) Bucket {
    std::array<Ghost, kWays> ghosts;
  };

  static uint32_t print_of(uint64_t hash) { return static_cast<uint32_t>(hash >> 32); }
  // How many were noted after it. After 2^32 of them an old one may seem to be new, which is harmless.
  uint32_t age_of(const Ghost& ghost) const { return total_ - ghost.number; }
  Bucket& bucket_of(uint64_t hash) { return buckets_[hash & (buckets_.size() - 1)]; }

  void place(Ghost added, uint64_t hash) {
    Ghost* oldest = nullptr;
    for (Ghost& ghost : bucket_of(hash).ghosts) {
      if (ghost.number == 0) {
        ghost = added;
        return;
      }
      if (oldest == nullptr || age_of(ghost) > age_of(*oldest)) oldest = &ghost;
    }
    *oldest = added;
  }

  // What is remembered is forgotten: the part of the hash that chooses the bucket is not kept.
  bool grow(size_t limit) noexcept {
    try {
      buckets_ = std::vector<Bucket>(std::bit_ceil((2 * limit + kWays - 1) / kWays));
      return true;
    } catch (const std::bad_alloc&) {
      return false;
    }
  }

  std::vector<Bucket> buckets_;  // their number is a power of two
  uint32_t total_ = 0;
};

}  // namespace tide
