// The relation "pool_history": the last minutes by second, hours by minute, days by hour.
#include "reading/cell.hpp"
#include "reading/source.hpp"

namespace tide {
namespace {

using enum ColumnType;
using enum Privacy;

constexpr int64_t kResolutionsMs[] = {1'000, 60'000, 3'600'000};

constexpr Column kHistoryColumns[] = {
    {"at", time, "", "The end of the interval."},
    {"resolution_ms", real, "ms", "The length of the interval: a second, a minute or an hour."},
    {"size", integer, "connections", "Connections at the end of the interval."},
    {"in_use_avg", real, "connections", "Leased connections, average."},
    {"in_use_max", integer, "connections", "Leased connections, maximum."},
    {"waiting_max", integer, "callers", "Waiting callers, maximum."},
    {"limit_size", integer, "connections", "Effective limit at the end of the interval."},
    {"acquires", integer, "leases", "Leases granted in the interval."},
    {"timeouts", integer, "callers", "Requests that timed out in the interval."},
    {"errors", integer, "", "Failed queries and failed connection attempts in the interval."},
    {"wait_p99_ms", real, "ms", "99th percentile of the waits; null if no lease was granted."},
    {"use_ms", real, "ms", "Total time the leases that ended in the interval were held."},
    {"predicted_in_use", real, "connections", "Leased connections, as forecast; null without a forecast."},
    {"health", integer, "", "Health from 0 (worst) to 100 (best); null before the first check."},
};

void add_intervals(const Attachment& segment, int64_t, std::vector<Row>& out) {
  for (const int64_t resolution_ms : kResolutionsMs) {
    for (const format::HistoryRecord& record : segment.read_history(resolution_ms)) {
      out.push_back({
          cell::time(record.at_wall_ns),
          static_cast<double>(resolution_ms),
          cell::count(record.size),
          cell::measured(record.in_use_avg),
          cell::count(record.in_use_max),
          cell::count(record.waiting_max),
          cell::count(record.limit_size),
          cell::count(record.acquires),
          cell::count(record.timeouts),
          cell::count(record.errors),
          cell::measured(record.wait_p99_ms),
          cell::measured(record.use_ms),
          cell::measured(record.predicted_in_use),
          record.health > 100 ? cell::none() : cell::measured(int64_t{record.health}),
      });
    }
  }
}

}  // namespace

const Source& pool_history_source() {
  static constexpr Source kSource{
      {"pool_history", "Load and health of each pool by second, minute and hour.", kHistoryColumns}, add_intervals};
  return kSource;
}

}  // namespace tide
