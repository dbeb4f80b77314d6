// The relation "pool_history": the last hour by second, day by minute, 90 days by hour.
#include "reading/cell.hpp"
#include "reading/source.hpp"
#include "segment/instance_id.hpp"

namespace tide {
namespace {

using enum ColumnType;
using enum Privacy;

constexpr Column kHistoryColumns[] = {
    {"at", time, "", "The end of the interval: of whole minutes and hours the full minute or hour."},
    {"resolution_ms", real, "ms", "The usual length of the interval: a second, a minute or an hour; see covers_ms."},
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
    {"measured_by", text, "", "The instance that measured it: a pool takes over the history of earlier ones.", open},
    {"queries", integer, "queries", "Queries that ended in the interval."},
    {"query_errors", integer, "queries", "Queries that failed in the interval."},
    {"faults", integer, "queries", "Failed queries that count for health and alerts."},
    {"query_ms", real, "ms", "Total duration of the queries."},
    {"query_p99_ms", real, "ms", "99th percentile of the durations of queries; null if there was none."},
    {"connects", integer, "connections", "Connections opened in the interval."},
    {"connect_failures", integer, "", "Failed connection attempts in the interval."},
    {"query_cache_hits", integer, "queries", "Queries answered by the query cache."},
    {"query_cache_misses", integer, "queries", "Queries that the query cache could not answer."},
    {"result_bytes", integer, "bytes", "Bytes of the results of queries."},
    {"wait_ms", real, "ms", "Total wait of leases, and of requests that failed."},
    {"waited", integer, "leases", "Leases whose callers had to wait."},
    {"replica_lag_ms", real, "ms", "Highest lag of the replica; null if unknown, or not a replica."},
    {"covers_ms", real, "ms",
     "The time that was measured: longer than resolution_ms if the process was held up, shorter at the begin and the "
     "end "
     "of an instance. Rates are relative to it."},
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
          instance_hex(record.instance_id),
          cell::count(record.queries),
          cell::count(record.query_errors),
          cell::count(record.faults),
          cell::measured(record.query_ms),
          cell::measured(record.query_p99_ms),
          cell::count(record.connects),
          cell::count(record.connect_failures),
          cell::count(record.query_cache_hits),
          cell::count(record.query_cache_misses),
          cell::count(record.result_bytes),
          cell::measured(record.wait_ms),
          cell::count(record.waited),
          cell::measured(record.replica_lag_ms),
          static_cast<double>(record.covers_ms),
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
