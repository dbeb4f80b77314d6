// Stats: the counters of a pool since it was opened or its statistics were reset.
//
// The pool computes no sums: each slot has its own counters, and the sums are computed here. The baseline, which
// reset_stats() writes, is read first, so that a concurrent reset shows the old sums and not a negative difference.
// Threads: any; a value. Failure: none; see has().
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "segment/attach.hpp"

namespace tide {

struct Stats {
  std::optional<format::Baseline> base;
  std::optional<format::QueueStats> queue;
  std::optional<format::KeeperStats> keeper;
  std::optional<VitalsCopy> vitals;
  std::optional<format::ForecastsBlock> sizing;
  std::optional<format::NotifyStats> notify;
  format::CounterSums sums{};
  std::array<bool, kCounters> is_missing{};  // its record could not be read consistently
  HistogramCounts wait{}, use{}, query{};
  uint64_t statement_bytes = 0;
  uint64_t cache_entries = 0;
  uint64_t cache_bytes = 0;

  // Without the baseline there is no value: sums that include an earlier period would be wrong.
  bool has(Counter counter) const { return base && !is_missing[static_cast<size_t>(counter)]; }
  // Since the last reset.
  uint64_t of(Counter counter) const;
};

Stats read_stats(const Attachment& segment);

}  // namespace tide
