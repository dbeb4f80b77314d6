// Histogram: counts of durations in fixed log-spaced buckets, with the same bounds everywhere and in all versions, so
// that the histograms of many processes can be added.
//
// Bucket i counts durations below kBoundNs(i): two buckets per octave, 1 us, 1.5 us, 2 us, 3 us, 4 us ... 67.1 s, and a
// last one without a bound. The error of a percentile computed from it is at most half an octave step (a third of its
// value).
// Threads: one writer at a time (the holder of a slot, or the keeper); readers copy and add.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "segment/format_cell.hpp"

namespace tide {

inline constexpr size_t kHistogramBuckets = 54;

// Exclusive upper bound of bucket i in nanoseconds; 0 for the last one, which has none.
constexpr int64_t histogram_bound_ns(size_t i) {
  if (i + 1 >= kHistogramBuckets) return 0;
  const int64_t octave_ns = int64_t{1000} << (i / 2);
  return i % 2 == 0 ? octave_ns : octave_ns + octave_ns / 2;
}

// The bucket of a duration in whole microseconds.
constexpr size_t histogram_bucket_of_us(uint64_t us) {
  if (us == 0) return 0;
  const size_t octave = 63U - static_cast<size_t>(std::countl_zero(us));  // 2^octave <= us
  const size_t is_upper_half = (us << 1 >> octave) & 1U;                  // the bit below the highest
  const size_t bucket = 2 * octave + 1 + is_upper_half;
  return bucket < kHistogramBuckets ? bucket : kHistogramBuckets - 1;
}

using HistogramCounts = std::array<uint64_t, kHistogramBuckets>;

// In a segment: relaxed single-writer cells.
struct HistogramCells {
  format::Cell count[kHistogramBuckets];

  void add_us(uint64_t us) {
    format::Cell& cell = count[histogram_bucket_of_us(us)];
    cell.store(cell.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  void add_to(HistogramCounts& sum) const {
    for (size_t i = 0; i < kHistogramBuckets; ++i) sum[i] += count[i].load(std::memory_order_relaxed);
  }
};

uint64_t histogram_total(const HistogramCounts& counts);
// The `share` quantile (0..1) in milliseconds, interpolated linearly within its bucket; negative if nothing was
// counted.
double histogram_quantile_ms(const HistogramCounts& counts, double share);

}  // namespace tide
