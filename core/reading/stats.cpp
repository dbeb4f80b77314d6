// The relations "pool_stats" and "pool_histograms": counts since the pool was opened or its statistics were reset.
#include "reading/stats.hpp"

#include <algorithm>
#include <array>

#include "reading/cell.hpp"
#include "reading/metrics.hpp"
#include "reading/source.hpp"

namespace tide {
namespace {

using enum ColumnType;
using enum Privacy;
using enum Counter;

Value value_of(const Stats& stats, Counter counter) {
  if (!stats.has(counter)) return cell::none();
  return about(counter).is_time() ? cell::ms_total(stats.of(counter)) : cell::count(stats.of(counter));
}

struct StatsColumn {
  Column column;
  Value (*value)(const Stats&) = nullptr;  // nullptr: the value of a counter
  Counter counter = {};
};
constexpr StatsColumn counted(Counter counter, std::string_view name) {
  const CounterInfo& info = about(counter);
  return {info.is_time() ? Column(name, real, "ms", info.meaning) : Column(name, integer, info.unit, info.meaning),
          nullptr, counter};
}
constexpr StatsColumn counted(Counter counter) { return counted(counter, about(counter).name); }

template <double VitalsCopy::*member>
Value vital(const Stats& stats) {
  return stats.vitals ? cell::measured((*stats.vitals).*member) : cell::none();
}
template <double format::ForecastsBlock::*member>
Value sizing(const Stats& stats) {
  return stats.sizing ? cell::measured((*stats.sizing).*member) : cell::none();
}

// A new counter without a row here is appended in the order of its list. It gets a row when a column is added after it, so
// that columns keep their places; times have a row because they are named *_ms_total.
constexpr StatsColumn kStats[] = {
    counted(acquires_total),
    counted(waited_total, "acquires_waited_total"),
    counted(timeouts_total, "acquire_timeouts_total"),
    counted(rejected_total, "acquire_rejected_total"),
    counted(releases_total),
    counted(connects_total),
    counted(connect_failures_total),
    counted(closed_idle_total),
    counted(closed_lifetime_total),
    counted(closed_uses_total),
    counted(closed_error_total),
    counted(closed_scale_total),
    counted(closed_control_total),
    counted(leases_overdue_total),
    counted(leases_reclaimed_total),
    counted(validations_total),
    counted(validation_failures_total),
    counted(queries_total),
    counted(query_errors_total),
    counted(transactions_total),
    counted(retries_total),
    counted(statement_cache_hits_total),
    counted(statement_cache_misses_total),
    counted(query_cache_hits_total),
    counted(query_cache_misses_total),
    counted(scale_up_total),
    counted(scale_down_total),
    counted(recoveries_total),
    {{"wait_ms_total", real, "ms", "Total time callers waited, including requests that failed."},
     [](const Stats& stats) {
       if (!stats.has(wait_ns_total) || !stats.has(failed_wait_ns_total)) return cell::none();
       return cell::ms_total(stats.of(wait_ns_total) + stats.of(failed_wait_ns_total));
     }},
    counted(use_ns_total, "use_ms_total"),
    counted(connect_ns_total, "connect_ms_total"),
    counted(query_ns_total, "query_ms_total"),
    {{"wait_p50_ms", real, "ms", "Median wait of the last minute."}, vital<&VitalsCopy::wait_p50_ms>},
    {{"wait_p95_ms", real, "ms", "95th percentile of the waits of the last minute."}, vital<&VitalsCopy::wait_p95_ms>},
    {{"wait_p99_ms", real, "ms", "99th percentile of the waits of the last minute."}, vital<&VitalsCopy::wait_p99_ms>},
    {{"wait_max_ms", real, "ms", "Longest wait of the last minute, rounded up to a bound of pool_histograms."},
     vital<&VitalsCopy::wait_max_ms>},
    {{"use_p50_ms", real, "ms", "Median duration of the leases that ended in the last minute."},
     vital<&VitalsCopy::use_p50_ms>},
    {{"use_p99_ms", real, "ms", "99th percentile of the leases that ended in the last minute."},
     vital<&VitalsCopy::use_p99_ms>},
    {{"query_p50_ms", real, "ms", "Median duration of the queries of the last minute."},
     vital<&VitalsCopy::query_p50_ms>},
    {{"query_p99_ms", real, "ms", "99th percentile of the queries of the last minute."},
     vital<&VitalsCopy::query_p99_ms>},
    {{"size_peak", integer, "connections", "Open connections, maximum."},
     [](const Stats& stats) { return stats.keeper ? cell::count(stats.keeper->size_peak) : cell::none(); }},
    {{"in_use_peak", integer, "connections", "Leased connections, maximum."},
     [](const Stats& stats) { return stats.keeper ? cell::count(stats.keeper->in_use_peak) : cell::none(); }},
    {{"waiting_peak", integer, "callers", "Waiting callers, maximum."},
     [](const Stats& stats) { return stats.queue ? cell::count(stats.queue->waiting_peak) : cell::none(); }},
    {{"memory_bytes", integer, "bytes",
      "Memory allocated by the driver's library in this process (SQLite); null where it is not measured."},
     [](const Stats& stats) { return stats.vitals ? cell::measured(stats.vitals->memory_bytes) : cell::none(); }},
    {{"last_error", text, "",
      "Last error of a statement or connection; null if there was none. Not cleared by reset_stats.", masked},
     [](const Stats& stats) { return stats.keeper ? cell::text_or_null(stats.keeper->last_error) : cell::none(); }},
    {{"last_error_at", time, "", "When the last error occurred."},
     [](const Stats& stats) {
       return stats.keeper ? cell::time(cell::signed_of(stats.keeper->last_error_wall)) : cell::none();
     }},
    {{"stats_reset", time, "", "When the statistics were last reset; null if never."},
     [](const Stats& stats) {
       return stats.keeper ? cell::time(cell::signed_of(stats.keeper->stats_reset_wall)) : cell::none();
     }},
    counted(slow_total, "waits_over_objective_total"),
    counted(alerts_fired_total),
    counted(overloads_total),
    counted(bursts_total),
    {{"efficiency", real, "ratio", "Recent time connections were in use / time they were open."},
     sizing<&format::ForecastsBlock::efficiency>},
    {{"slow_share", real, "ratio", "Recent requests that waited longer than wait_objective / all recent requests."},
     sizing<&format::ForecastsBlock::slow_share>},
    {{"prediction_accuracy", real, "ratio", "1 is a perfect forecast 10 s ahead; null without forecasts."},
     sizing<&format::ForecastsBlock::prediction_accuracy>},
    {{"wal_bytes", integer, "bytes", "The size of the database's write-ahead log (SQLite); null where there is none."},
     [](const Stats& stats) { return stats.vitals ? cell::measured(stats.vitals->wal_bytes) : cell::none(); }},
    counted(emergencies_total),
    counted(recovery_attempts_total),
    counted(health_checks_total),
    counted(health_check_failures_total),
    counted(faults_total, "query_faults_total"),
    {{"closed_total", integer, "connections", "Connections closed, for any reason."},
     [](const Stats& stats) {
       if (!stats.has(closed_idle_total)) return cell::none();
       uint64_t closed = 0;
       for (const Counter each : {closed_idle_total, closed_lifetime_total, closed_uses_total, closed_error_total,
                                  closed_scale_total, closed_control_total, closed_shutdown_total})
         closed += stats.of(each);
       return cell::count(closed);
     }},
    counted(lived_ns_total, "lived_ms_total"),
    counted(leases_cancelled_total),
    counted(statement_cache_evictions_total),
    {{"statement_cache_bytes", integer, "bytes", "Estimated memory of the prepared statements of all connections."},
     [](const Stats& stats) { return cell::count(stats.statement_bytes); }},
    counted(cancelled_total, "acquire_cancelled_total"),
    {{"query_cache_entries", integer, "entries", "Results in the query cache."},
     [](const Stats& stats) { return cell::count(stats.cache_entries); }},
    {{"query_cache_bytes", integer, "bytes", "Memory of the results in the query cache."},
     [](const Stats& stats) { return cell::count(stats.cache_bytes); }},
    counted(checkpoints_total),
    counted(checkpoint_failures_total),
    counted(query_log_lost_total),
    counted(query_cache_shared_total),
    counted(query_cache_stale_total),
    counted(query_cache_evictions_total),
    counted(query_cache_invalidations_total),
    counted(query_cache_refused_total),
    counted(result_bytes_total),
    counted(retries_helped_total),
    counted(notifications_sent_total),
    counted(notification_failures_total),
    counted(notifications_dropped_total),
    {{"server_sessions", integer, "sessions",
      "Sessions of all clients at the server (PostgreSQL); null where it is not measured."},
     [](const Stats& stats) { return stats.vitals ? cell::measured(stats.vitals->server_sessions) : cell::none(); }},
    {{"server_sessions_max", integer, "sessions",
      "Highest number of sessions that the server accepts from clients (PostgreSQL); null where it is not measured."},
     [](const Stats& stats) {
       return stats.vitals ? cell::measured(stats.vitals->server_sessions_max) : cell::none();
     }},
    {{"notifications_queued", integer, "notifications", "Alerts that wait for their delivery to notify_webhook_url."},
     [](const Stats& stats) { return stats.notify ? cell::count(stats.notify->queued) : cell::none(); }},
    {{"notified_at", time, "", "When alerts were last delivered to notify_webhook_url; null if never."},
     [](const Stats& stats) {
       return stats.notify ? cell::time(cell::signed_of(stats.notify->sent_wall)) : cell::none();
     }},
    {{"notification_error", text, "",
      "Last failed delivery to notify_webhook_url; null if there was none. Not cleared by reset_stats.", masked},
     [](const Stats& stats) { return stats.notify ? cell::text_or_null(stats.notify->last_error) : cell::none(); }},
};

const std::vector<StatsColumn>& stats_columns() {
  static const std::vector<StatsColumn> columns = [] {
    std::vector<StatsColumn> all(std::begin(kStats), std::end(kStats));
    for (size_t i = 0; i < kCounters; ++i) {
      const auto counter = static_cast<Counter>(i);
      const auto is_its_own = [&](const StatsColumn& row) { return row.value == nullptr && row.counter == counter; };
      if (about(counter).meaning.empty()) continue;
      if (std::none_of(std::begin(kStats), std::end(kStats), is_its_own)) all.push_back(counted(counter));
    }
    return all;
  }();
  return columns;
}

constexpr Column kHistogramColumns[] = {
    {"metric", text, "", "The duration: wait, use, connect or query.", open},
    {"le_ms", real, "ms", "Upper bound of the bucket; null is infinity."},
    {"count", integer, "", "Number of durations up to le_ms (cumulative)."},
    {"sum_ms", real, "ms", "Sum of all durations of the histogram; the same in all its rows."},
};

void add_stats(const Attachment& segment, int64_t, std::vector<Row>& out) {
  const Stats stats = read_stats(segment);
  Row row;
  for (const StatsColumn& each : stats_columns()) {
    row.push_back(each.value != nullptr ? each.value(stats) : value_of(stats, each.counter));
  }
  out.push_back(std::move(row));
}

void add_histogram(std::string_view metric, const HistogramCounts& counts, const HistogramCells& base,
                   uint64_t more_in_first, const Value& sum_ms, std::vector<Row>& out) {
  uint64_t cumulative = more_in_first;
  for (size_t i = 0; i < counts.size(); ++i) {
    cumulative += cell::minus(counts[i], base.count[i]);
    const int64_t bound_ns = histogram_bound_ns(i);
    out.push_back(
        {cell::text(metric), bound_ns == 0 ? cell::none() : cell::ms(bound_ns), cell::count(cumulative), sum_ms});
  }
}

void add_histograms(const Attachment& segment, int64_t, std::vector<Row>& out) {
  const Stats stats = read_stats(segment);
  if (!stats.base) return;
  // Callers that did not wait are not in the slots' histograms, to keep the fast path short; they are counted with wait
  // 0.
  const uint64_t served_at_once = cell::minus(stats.of(acquires_total), stats.of(waited_total));
  add_histogram("wait", stats.wait, stats.base->wait, served_at_once, value_of(stats, wait_ns_total), out);
  add_histogram("use", stats.use, stats.base->use, 0, value_of(stats, use_ns_total), out);
  if (stats.keeper) {
    HistogramCounts connect{};
    stats.keeper->connect.add_to(connect);
    add_histogram("connect", connect, stats.base->connect, 0, value_of(stats, connect_ns_total), out);
  }
  add_histogram("query", stats.query, stats.base->query, 0, value_of(stats, query_ns_total), out);
}

}  // namespace

uint64_t Stats::of(Counter counter) const {
  const auto place = static_cast<size_t>(counter);
  return cell::minus(sums[place], base->counter[place]);
}

Stats read_stats(const Attachment& segment) {
  Stats stats{segment.read_baseline(), segment.read_queue(),     segment.read_totals(),
              segment.read_vitals(),   segment.read_forecasts(), segment.read_notify()};
  const auto add = [&stats](const auto& record, size_t first, size_t count) {
    if (record) {
      format::add_counters(stats.sums, *record);
    } else {
      std::fill_n(stats.is_missing.begin() + static_cast<ptrdiff_t>(first), count, true);
    }
  };
  add(stats.queue, 0, kQueueCounters);
  add(stats.keeper, kQueueCounters, kKeeperCounters);
  for (const format::CacheStats& stripe : segment.read_cache()) {
    format::add_counters(stats.sums, stripe);
    stats.cache_entries += stripe.entries;
    stats.cache_bytes += stripe.bytes;
  }
  add(segment.read_tallies(), kCounters - kNotifyCounters - kTallyCounters, kTallyCounters);
  add(stats.notify, kCounters - kNotifyCounters, kNotifyCounters);
  // The counters of the slots before acquires_total: a waited lease was granted earlier, so waited <= acquires holds.
  for (const format::SlotStats& slot : segment.read_slot_stats()) {
    format::add_counters(stats.sums, slot);
    stats.statement_bytes += slot.statement_bytes;
    slot.wait.add_to(stats.wait);
    slot.use.add_to(stats.use);
    slot.query.add_to(stats.query);
  }
  // Also for slots that are not whole: this cell is consistent by itself and only grows; the sum would shrink without
  // it.
  for (const SlotCopy& slot : segment.read_slots())
    stats.sums[static_cast<size_t>(acquires_total)] += slot.acquires_total;
  return stats;
}

std::string_view opentelemetry_name_of(std::string_view pool_stats_column) {
  for (const StatsColumn& each : stats_columns()) {
    if (each.value == nullptr && each.column.name == pool_stats_column) return about(each.counter).opentelemetry;
  }
  return {};
}

const Source& pool_stats_source() {
  static const std::vector<Column> columns = [] {
    std::vector<Column> all;
    for (const StatsColumn& each : stats_columns()) all.push_back(each.column);
    return all;
  }();
  static const Source source{{"pool_stats", "One row for each pool: counters, times, percentiles and peaks.", columns},
                             add_stats};
  return source;
}

const Source& pool_histograms_source() {
  static constexpr Source kSource{
      {"pool_histograms", "Histograms of durations, with the same fixed buckets in every pool.", kHistogramColumns},
      add_histograms};
  return kSource;
}

}  // namespace tide
