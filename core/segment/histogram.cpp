#include "segment/histogram.hpp"

namespace tide {

static_assert(histogram_bucket_of_us(0) == 0 && histogram_bucket_of_us(1) == 1 && histogram_bucket_of_us(2) == 3);
static_assert(histogram_bucket_of_us(3) == 4 && histogram_bucket_of_us(4) == 5 && histogram_bucket_of_us(6) == 6);

uint64_t histogram_total(const HistogramCounts& counts) {
  uint64_t total = 0;
  for (const uint64_t n : counts) total += n;
  return total;
}

double histogram_quantile_ms(const HistogramCounts& counts, double share) {
  const uint64_t total = histogram_total(counts);
  if (total == 0) return -1.0;
  const double rank = share * static_cast<double>(total);
  double below = 0;
  for (size_t i = 0; i < kHistogramBuckets; ++i) {
    const double here = static_cast<double>(counts[i]);
    if (here > 0 && below + here >= rank) {
      const double low_ns = i == 0 ? 0.0 : static_cast<double>(histogram_bound_ns(i - 1));
      const int64_t bound_ns = histogram_bound_ns(i);
      const double high_ns = bound_ns == 0 ? low_ns : static_cast<double>(bound_ns);
      const double part = here > 0 ? (rank - below) / here : 0.0;
      return (low_ns + (high_ns - low_ns) * part) / 1e6;
    }
    below += here;
  }
  return static_cast<double>(histogram_bound_ns(kHistogramBuckets - 2)) / 1e6;
}

}  // namespace tide
