// HistoryWriter: the rings of pool_history, by second, minute and hour.
//
// What is recorded are differences of sums that never decrease, so that the records of a ring add up to the counters.
// Minutes and hours end at the full minute and hour of the wall clock, so that those of several instances can be
// compared; the first and the last one of an instance are shorter. A record says how much time it covers: more than its
// resolution if the keeper was late, less if the wall clock was changed or the host was suspended.
//
// The records of one instance and resolution have different times, whatever the wall clock does.
// Threads: the keeper only; take_over() before its first step.
// Failure: a record for which the segment directory has no space is left out; rings overwrite their oldest records.
#pragma once

#include <array>
#include <cstdint>

#include "base/instant.hpp"
#include "segment/history_bytes.hpp"
#include "segment/rings.hpp"
#include "segment/segment.hpp"

namespace tide {

// The counts of an interval, by their members of format::HistoryRecord.
// clang-format off
#define TIDE_HISTORY_COUNTS(X) \
  X(acquires) X(timeouts) X(errors) X(queries) X(query_errors) X(faults) X(connects) X(connect_failures) \
  X(query_cache_hits) X(query_cache_misses) X(result_bytes) X(waited)
// clang-format on
// The same for durations, which are recorded in milliseconds as `name_ms`.
#define TIDE_HISTORY_TIMES(X) X(use) X(query) X(wait)

// Sums since the pool was opened, or within an interval.
struct HistorySums {
#define TIDE_SUM(name) uint64_t name = 0;
  TIDE_HISTORY_COUNTS(TIDE_SUM)
#undef TIDE_SUM
#define TIDE_SUM(name) uint64_t name##_ns = 0;
  TIDE_HISTORY_TIMES(TIDE_SUM)
#undef TIDE_SUM
  HistogramCounts waits{}, uses{}, durations{};  // of leases, of leases, of queries

  HistorySums since(const HistorySums& earlier) const;
  void add(const HistorySums& more);
};

struct HistoryInterval {
  HistorySums sums;
  Span covers;
  double in_use_seconds = 0;
  uint32_t in_use_max = 0, waiting_max = 0;
  double predicted_sum = 0;  // forecasts of connections in use
  uint32_t predicted_count = 0;
  double replica_lag_ms = -1;  // highest; negative: not measured

  void add(const HistoryInterval& more);
};

// At its end.
struct HistoryEnd {
  int64_t wall_ns = 0;
  uint32_t size = 0, limit_size = 0;
  int32_t health = -1;
};

class HistoryWriter {
 public:
  explicit HistoryWriter(Segment& segment);

  // The records of earlier instances; what was measured so far is kept.
  void take_over(const History& history);
  void add(const HistoryInterval& second, const HistoryEnd& end);
  // The pool closes: the minute and the hour end now.
  void finish(const HistoryEnd& end);

 private:
  // One resolution.
  struct Series {
    Series(Segment& segment, const format::RegionOf<format::HistoryRecord>& region, int64_t resolution_ms)
        : first(segment.first_of(region)), ring(segment.ring(region)), resolution_ns(resolution_ms * 1'000'000) {}
    int64_t number_of(int64_t wall_ns) const { return wall_ns / resolution_ns; }
    int64_t unused_time(int64_t wall_ns);

    format::HistoryRecord* const first;
    Ring<format::HistoryRecord> ring;
    uint32_t reserved = 0;  // records whose pages are reserved
    const int64_t resolution_ns;
    HistoryInterval sum;     // of the interval that has not ended
    int64_t number = 0;      // of that interval, since 1970
    int64_t last_ms = 0;     // time of the last record
    int64_t times_back = 0;  // how often the wall clock was behind the last record
  };
  bool has_room(Series& series);
  void write(Series& series, const HistoryInterval& interval, int64_t at_wall_ns, const HistoryEnd& end);
  void roll(Series& series, const HistoryInterval& second, const HistoryEnd& end);

  Segment& segment_;
  Series seconds_, minutes_, hours_;
};

}  // namespace tide
