// TagTable: what leases of each tag hold, from a sample of the leases and of the waiting callers each second.
//
// Nothing is counted where leases are taken. Each lease that a sample sees counts for the whole time since the last
// sample, so totals are estimates, which are right on average however short the leases are.
// When all records are in use, a new tag takes the place of the one with the lowest rank and inherits its rank: the
// samples that may have been lost before it had a place. So a tag with more than 1/records of all samples has a place,
// however many others there are. All figures that are shown are those since the entry.
// Bounded: a pool with more than kSlotsPerSecond slots is sampled less often, in proportion.
// Threads: the keeper only. Readers are other processes.
// Failure: none. A lease that is being taken or returned is not seen; of the callers, those with a row in the segment.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/instant.hpp"
#include "segment/attach.hpp"
#include "segment/format.hpp"

namespace tide {

class TagTable {
 public:
  static constexpr uint32_t kSlotsPerSecond = 2048;

  explicit TagTable(std::span<format::TagRecord> records);

  // Takes a sample if it is due.
  void step(int segment_fd, uint32_t slots_used, Instant now, int64_t wall_now_ns);
  void clear();

  // A sample in its parts.
  void see_lease(std::string_view tag, Span held);
  void see_waiter(std::string_view tag);
  // `elapsed`: since the last sample.
  void finish(Span elapsed, int64_t wall_now_ns);

 private:
  static constexpr size_t kTags = 64;
  struct Standing {
    FixedText<64> tag;
    uint64_t rank = 0;  // samples, and what was inherited
    uint64_t samples = 0, held_ns = 0, waiting_ns = 0, longest_ns = 0;
    uint64_t in_use = 0, waiting = 0;  // of the current sample
    int64_t last_wall_ns = 0;
  };

  void look(const Attachment& segment, Instant now);
  Standing& standing_of(std::string_view tag);
  void show(size_t place);

  const std::span<format::TagRecord> records_;
  size_t used_ = 0;
  std::array<uint64_t, kTags> hashes_{};  // of the tags, apart from the rest because every lease is looked up here
  std::array<Standing, kTags> standings_;
  Instant sampled_at_;
};

}  // namespace tide
