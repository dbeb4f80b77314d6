// QueryDigests: the statements of a pool by fingerprint, with sums, in the segment.
//
// When all records are in use, a new fingerprint takes the place of the one with the lowest rank and inherits its rank:
// the time that may have been spent on it before it had a place. So a fingerprint with more than 1/records of the total
// time has a place, however many others there are. All figures that are shown are those since the entry.
// Threads: the keeper only. Readers are other processes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "segment/format.hpp"

namespace tide {

// A lease that executes the same statement this often, each time in a call of its own, would be faster with a join or a
// batch ("N+1 queries"): with a round trip of 0.2 ms a hundred of them are 20 ms.
inline constexpr uint32_t kRepeatsMany = 100;

// Executions of a statement, one or several of equal duration.
struct QuerySample {
  uint64_t fingerprint = 0;
  int64_t took_ns = 0;   // of all
  int64_t wait_ns = -1;  // -1: not measured
  int64_t rows = -1;     // of all; -1: unknown
  int64_t bytes = -1;    // of all; -1: unknown
  uint32_t calls = 1;
  uint32_t errors = 0;
  uint32_t repeats = 0;  // calls of its lease so far that executed it; 0: of a batch
};

class QueryDigests {
 public:
  explicit QueryDigests(std::span<format::DigestRecord> records);

  // `text` is the normal form; nullptr: not known yet.
  void add(const QuerySample& sample, int64_t at_wall_ns, const std::string* text);
  bool has(uint64_t fingerprint) const { return by_fingerprint_.contains(fingerprint); }
  void clear();

 private:
  struct Standing {
    uint64_t rank_ns = 0;  // total time, and what was inherited
    bool has_text = false;
  };

  size_t place_for(uint64_t fingerprint);
  size_t lowest() const;

  const std::span<format::DigestRecord> records_;
  std::vector<Standing> standings_;  // of the records in use
  std::unordered_map<uint64_t, size_t> by_fingerprint_;
};

}  // namespace tide
