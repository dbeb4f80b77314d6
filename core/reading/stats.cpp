// The relations "pool_stats" and "pool_histograms": what happened since the pool opened or its statistics were reset.
//
// Nobody adds up while the pool works: each slot counts for itself, and the sums are made here. What reset_stats()
// found is the baseline, read first, so that a reset meanwhile shows the old sums and not a difference below zero.
#include <array>

#include "reading/cell.hpp"
#include "reading/source.hpp"

namespace tide {
namespace {

using enum ColumnType;
using enum Privacy;

constexpr Column kStatsColumns[] = {
    {"instance_id", text, "", "The instance, as in pools.", open},
    {"pool", text, "", "The pool's name.", open},
    {"acquires_total", integer, "leases", "Leases that were granted."},
    {"acquires_waited_total", integer, "leases", "Those of them that had to wait."},
    {"acquire_timeouts_total", integer, "callers", "Callers whose time was over before they got a connection."},
    {"acquire_rejected_total", integer, "callers",
     "Callers turned away from the queue: it was full, or the pool closed or lost its database while they waited. Who "
     "is "
     "refused at once, by an open breaker or a closed pool, is not counted."},
    {"releases_total", integer, "leases", "Leases that ended."},
    {"connects_total", integer, "connections", "Connections that were opened."},
    {"connect_failures_total", integer, "connections", "Attempts to open one that failed."},
    {"closed_idle_total", integer, "connections", "Connections closed because they were idle too long."},
    {"closed_lifetime_total", integer, "connections", "Connections closed because they were too old."},
    {"closed_uses_total", integer, "connections",
     "Connections closed because they had been leased often enough, or a lease left what cannot be undone."},
    {"closed_error_total", integer, "connections", "Connections that were lost or failed their check."},
    {"closed_scale_total", integer, "connections", "Connections closed because the pool shrank."},
    {"closed_control_total", integer, "connections", "Connections closed because somebody asked for it."},
    {"leases_overdue_total", integer, "leases", "Leases held longer than the lease timeout."},
    {"leases_reclaimed_total", integer, "leases", "Leases that were taken from their holder."},
    {"validations_total", integer, "connections", "Checks of idle connections."},
    {"validation_failures_total", integer, "connections", "Those of them that failed."},
    {"queries_total", integer, "queries", "Queries sent through the pool."},
    {"query_errors_total", integer, "queries", "Those of them that failed."},
    {"transactions_total", integer, "transactions", "Transactions that ended; not measured yet."},
    {"retries_total", integer, "queries", "Queries that were sent again; not measured yet."},
    {"statement_cache_hits_total", integer, "queries",
     "Queries whose statement was already prepared; not measured yet."},
    {"statement_cache_misses_total", integer, "queries",
     "Queries whose statement had to be prepared; not measured yet."},
    {"query_cache_hits_total", integer, "queries", "Queries answered from the query cache; not measured yet."},
    {"query_cache_misses_total", integer, "queries", "Queries the query cache had no answer to; not measured yet."},
    {"scale_up_total", integer, "", "How often the pool grew."},
    {"scale_down_total", integer, "", "How often the pool shrank."},
    {"recoveries_total", integer, "",
     "How often the pool's own attempts to recover from a failed check helped; events tells of all."},
    {"wait_ms_total", real, "ms", "Time all callers waited, with those who got nothing."},
    {"use_ms_total", real, "ms", "Time all ended leases were held."},
    {"connect_ms_total", real, "ms", "Time spent opening connections."},
    {"query_ms_total", real, "ms", "Time spent in queries."},
    {"wait_p50_ms", real, "ms", "Half of the waits of the last minute were shorter."},
    {"wait_p95_ms", real, "ms", "95 of 100 waits of the last minute were shorter."},
    {"wait_p99_ms", real, "ms", "99 of 100 waits of the last minute were shorter."},
    {"wait_max_ms", real, "ms", "The longest wait of the last minute, rounded up to a bound of pool_histograms."},
    {"use_p50_ms", real, "ms", "Half of the leases that ended in the last minute were shorter."},
    {"use_p99_ms", real, "ms", "99 of 100 leases that ended in the last minute were shorter."},
    {"query_p50_ms", real, "ms", "Half of the queries of the last minute were shorter."},
    {"query_p99_ms", real, "ms", "99 of 100 queries of the last minute were shorter."},
    {"size_peak", integer, "connections", "The most connections there were at once."},
    {"in_use_peak", integer, "connections", "The most connections that were leased at once."},
    {"waiting_peak", integer, "callers", "The most callers that waited at once."},
    {"memory_bytes", integer, "bytes",
     "What the driver's library has allocated in this process (SQLite); null where it does not count."},
    {"last_error", text, "",
     "The last error of a statement or a connection; null when there was none. reset_stats keeps it.", masked},
    {"last_error_at", time, "", "When that was."},
    {"stats_reset", time, "", "When the statistics were last reset; null when they never were."},
    {"waits_over_objective_total", integer, "leases", "Leases whose callers had waited longer than wait_objective."},
    {"alerts_fired_total", integer, "alerts", "How often an alert began to fire."},
    {"overloads_total", integer, "", "How often more connections did not help any more."},
    {"bursts_total", integer, "", "How often a burst began, by command or because callers waited at max_size."},
    {"efficiency", real, "ratio", "Time connections were in use / time they were open, lately."},
    {"slow_share", real, "ratio", "Requests that waited longer than wait_objective / all requests, lately."},
    {"prediction_accuracy", real, "ratio", "1 is a perfect forecast 10 s ahead; null without forecasts."},
    {"wal_bytes", integer, "bytes", "The size of the database's write-ahead log (SQLite); null where there is none."},
    {"emergencies_total", integer, "", "How often the pool made itself small because of an emergency."},
    {"recovery_attempts_total", integer, "",
     "The pool's own attempts to recover from a failed check; recoveries_total counts those that helped."},
    {"health_checks_total", integer, "", "How often the pool's health was checked; each time all checks are made."},
    {"health_check_failures_total", integer, "", "Those of them in which a check failed."},
    {"query_faults_total", integer, "queries",
     "Failed queries that no healthy application sends, which health and alerts go by: not those that a constraint, a "
     "conflict, RAISE or the application itself ended."},
    {"closed_total", integer, "connections", "Connections that were closed, for whatever reason."},
    {"lived_ms_total", real, "ms",
     "How long those were open, all together; divided by closed_total it is their average lifetime."},
};

constexpr Column kHistogramColumns[] = {
    {"instance_id", text, "", "The instance, as in pools.", open},
    {"pool", text, "", "The pool's name.", open},
    {"metric", text, "", "What was timed: wait, use, connect or query.", open},
    {"le_ms", real, "ms", "Upper bound of the durations counted here; null is infinity."},
    {"count", integer, "", "How many were that short, with all shorter ones."},
};

// Places in KeeperStatsCopy.counters and BaselineCopy.keeper.
enum KeeperPlace : size_t {
  kConnects,
  kConnectFailures,
  kClosedIdle,
  kClosedLifetime,
  kClosedUses,
  kClosedError,
  kClosedScale,
  kClosedControl,
  kClosedShutdown,
  kLeasesOverdue,
  kLeasesReclaimed,
  kValidations,
  kValidationFailures,
  kScaleUp,
  kScaleDown,
  kConnectNs,
};
// Places in SlotStatsCopy.counters; in BaselineCopy.slots one later, behind the acquires.
enum SlotPlace : size_t { kWaited, kReleases, kUseNs, kWaitNs, kQueries, kQueryErrors, kQueryNs, kTransactions };
// Places in TalliesCopy.
enum TallyPlace : size_t {
  kBursts,
  kEmergencies,
  kRecoveryAttempts,
  kHealthChecks,
  kHealthCheckFailures,
  kOverloads,
  kLivedNs,
};
// Places in BaselineCopy.queue.
enum QueuePlace : size_t { kTimeouts, kRejected, kFailedWaitNs };

void add(HistogramCounts& sum, const HistogramCounts& more) {
  for (size_t i = 0; i < sum.size(); ++i) sum[i] += more[i];
}

// All sums of a segment, the baseline already taken off.
struct Sums {
  std::optional<QueueCopy> queue;
  std::optional<KeeperStatsCopy> keeper;
  std::optional<TalliesCopy> tallies;
  BaselineCopy base;
  uint64_t acquires = 0;
  SlotStatsCopy slots;

  uint64_t slot(SlotPlace place) const { return cell::minus(slots.counters[place], base.slots[place + 1]); }
  uint64_t granted() const { return cell::minus(acquires, base.slots[0]); }
  Value slot_count(SlotPlace place) const { return cell::count(slot(place)); }
  Value keeper_count(KeeperPlace place) const {
    return keeper ? cell::count(cell::minus(keeper->counters[place], base.keeper[place])) : cell::none();
  }
  Value slow_count() const { return cell::count(cell::minus(slots.slow_total, base.slow)); }
  Value recoveries() const {
    return keeper ? cell::count(cell::minus(keeper->recoveries_total, base.recoveries)) : cell::none();
  }
  Value alerts_fired() const {
    return keeper ? cell::count(cell::minus(keeper->alerts_fired_total, base.alerts_fired)) : cell::none();
  }
  uint64_t tally(TallyPlace place) const { return cell::minus(tallies->counters[place], tallies->baseline[place]); }
  Value tally_count(TallyPlace place) const { return tallies ? cell::count(tally(place)) : cell::none(); }
  Value faults() const {
    return tallies ? cell::count(cell::minus(slots.faults_total, tallies->baseline_faults)) : cell::none();
  }
  Value closed() const {
    if (!keeper) return cell::none();
    uint64_t n = 0;
    for (size_t i = kClosedIdle; i <= kClosedShutdown; ++i) n += cell::minus(keeper->counters[i], base.keeper[i]);
    return cell::count(n);
  }
  Value queue_count(uint64_t QueueCopy::*member, QueuePlace place) const {
    return queue ? cell::count(cell::minus((*queue).*member, base.queue[place])) : cell::none();
  }
};

// Nothing when the baseline cannot be had: sums of another epoch would be made up.
std::optional<Sums> read_sums(const Attachment& segment) {
  const auto base = segment.read_baseline();
  if (!base) return std::nullopt;
  Sums sums;
  sums.base = *base;
  sums.queue = segment.read_queue();
  sums.keeper = segment.read_totals();
  sums.tallies = segment.read_tallies();
  // The counters of the slots before the acquires: who waited was granted before, so waited <= acquires holds.
  for (const SlotStatsCopy& slot : segment.read_slot_stats()) {
    for (size_t i = 0; i < slot.counters.size(); ++i) sums.slots.counters[i] += slot.counters[i];
    sums.slots.slow_total += slot.slow_total;
    sums.slots.faults_total += slot.faults_total;
    add(sums.slots.wait, slot.wait);
    add(sums.slots.use, slot.use);
    add(sums.slots.query, slot.query);
  }
  // Also of slots that are not whole: this cell stands for itself and only grows, and a sum without it would shrink.
  for (const SlotCopy& slot : segment.read_slots()) sums.acquires += slot.acquires_total;
  return sums;
}

Value wait_total(const Sums& sums) {
  if (!sums.queue) return cell::none();
  const uint64_t failed = cell::minus(sums.queue->failed_wait_ns_total, sums.base.queue[kFailedWaitNs]);
  return cell::ms_total(sums.slot(kWaitNs) + failed);
}

Value connect_total(const Sums& sums) {
  if (!sums.keeper) return cell::none();
  return cell::ms_total(cell::minus(sums.keeper->counters[kConnectNs], sums.base.keeper[kConnectNs]));
}

void add_sums(const Sums& sums, Row& row) {
  const Value counters[] = {
      cell::count(sums.granted()),
      sums.slot_count(kWaited),
      sums.queue_count(&QueueCopy::timeouts_total, kTimeouts),
      sums.queue_count(&QueueCopy::rejected_total, kRejected),
      sums.slot_count(kReleases),
      sums.keeper_count(kConnects),
      sums.keeper_count(kConnectFailures),
      sums.keeper_count(kClosedIdle),
      sums.keeper_count(kClosedLifetime),
      sums.keeper_count(kClosedUses),
      sums.keeper_count(kClosedError),
      sums.keeper_count(kClosedScale),
      sums.keeper_count(kClosedControl),
      sums.keeper_count(kLeasesOverdue),
      sums.keeper_count(kLeasesReclaimed),
      sums.keeper_count(kValidations),
      sums.keeper_count(kValidationFailures),
      sums.slot_count(kQueries),
      sums.slot_count(kQueryErrors),
      cell::none(),  // transactions: their ends are not counted
      cell::none(),  // retries
      cell::none(),  // statement cache hits
      cell::none(),  // statement cache misses
      cell::none(),  // query cache hits
      cell::none(),  // query cache misses
      sums.keeper_count(kScaleUp),
      sums.keeper_count(kScaleDown),
      sums.recoveries(),
      wait_total(sums),
      cell::ms_total(sums.slot(kUseNs)),
      connect_total(sums),
      cell::ms_total(sums.slot(kQueryNs)),
  };
  row.insert(row.end(), std::begin(counters), std::end(counters));
}
constexpr size_t kSumsBegin = 2;
constexpr size_t kSums = 32;

// The brain's own numbers of sizing.
void add_sizing(const std::optional<ForecastsCopy>& sizing, Row& row) {
  for (const auto ratio :
       {&ForecastsCopy::efficiency, &ForecastsCopy::slow_share, &ForecastsCopy::prediction_accuracy}) {
    row.push_back(sizing ? cell::measured((*sizing).*ratio) : cell::none());
  }
}

void add_stats(const Attachment& segment, int64_t, std::vector<Row>& out) {
  const auto sums = read_sums(segment);
  const auto vitals = segment.read_vitals();
  const auto keeper = sums ? sums->keeper : segment.read_totals();
  const auto queue = sums ? sums->queue : segment.read_queue();
  Row row{cell::text(segment.header().instance_id), cell::text(segment.header().pool)};
  row.reserve(std::size(kStatsColumns));
  if (sums) add_sums(*sums, row);
  row.resize(kSumsBegin + kSums);  // without sums they are null
  for (const auto percentile :
       {&VitalsCopy::wait_p50_ms, &VitalsCopy::wait_p95_ms, &VitalsCopy::wait_p99_ms, &VitalsCopy::wait_max_ms,
        &VitalsCopy::use_p50_ms, &VitalsCopy::use_p99_ms, &VitalsCopy::query_p50_ms, &VitalsCopy::query_p99_ms}) {
    row.push_back(vitals ? cell::measured((*vitals).*percentile) : cell::none());
  }
  row.push_back(keeper ? cell::count(keeper->size_peak) : cell::none());
  row.push_back(keeper ? cell::count(keeper->in_use_peak) : cell::none());
  row.push_back(queue ? cell::count(queue->waiting_peak) : cell::none());
  row.push_back(vitals ? cell::measured(vitals->memory_bytes) : cell::none());
  row.push_back(keeper ? cell::text_or_null(keeper->last_error) : cell::none());
  row.push_back(keeper ? cell::time(keeper->last_error_wall) : cell::none());
  row.push_back(keeper ? cell::time(keeper->stats_reset_wall) : cell::none());
  row.push_back(sums ? sums->slow_count() : cell::none());
  row.push_back(sums ? sums->alerts_fired() : cell::none());
  row.push_back(sums ? sums->tally_count(kOverloads) : cell::none());
  row.push_back(sums ? sums->tally_count(kBursts) : cell::none());
  add_sizing(segment.read_forecasts(), row);
  row.push_back(vitals ? cell::measured(vitals->wal_bytes) : cell::none());
  for (const TallyPlace place : {kEmergencies, kRecoveryAttempts, kHealthChecks, kHealthCheckFailures}) {
    row.push_back(sums ? sums->tally_count(place) : cell::none());
  }
  row.push_back(sums ? sums->faults() : cell::none());
  row.push_back(sums ? sums->closed() : cell::none());
  row.push_back(sums && sums->tallies ? cell::ms_total(sums->tally(kLivedNs)) : cell::none());
  out.push_back(std::move(row));
}

void add_histogram(const HeaderCopy& h, std::string_view metric, const HistogramCounts& counts,
                   const HistogramCounts& base, uint64_t more_in_first, std::vector<Row>& out) {
  uint64_t cumulative = more_in_first;
  for (size_t i = 0; i < counts.size(); ++i) {
    cumulative += cell::minus(counts[i], base[i]);
    const int64_t bound_ns = histogram_bound_ns(i);
    out.push_back({cell::text(h.instance_id), cell::text(h.pool), cell::text(metric),
                   bound_ns == 0 ? cell::none() : cell::ms(bound_ns), cell::count(cumulative)});
  }
}

void add_histograms(const Attachment& segment, int64_t, std::vector<Row>& out) {
  const auto sums = read_sums(segment);
  if (!sums) return;
  const HeaderCopy& h = segment.header();
  // Who did not wait is not in the slots' histograms, to keep the fast path short; their wait is 0.
  const uint64_t served_at_once = cell::minus(sums->granted(), sums->slot(kWaited));
  add_histogram(h, "wait", sums->slots.wait, sums->base.wait, served_at_once, out);
  add_histogram(h, "use", sums->slots.use, sums->base.use, 0, out);
  if (sums->keeper) add_histogram(h, "connect", sums->keeper->connect, sums->base.connect, 0, out);
  add_histogram(h, "query", sums->slots.query, sums->base.query, 0, out);
}

}  // namespace

const Source& pool_stats_source() {
  static constexpr Source kSource{
      {"pool_stats", "One row for each pool: counters, times, percentiles and peaks.", kStatsColumns}, add_stats};
  return kSource;
}

const Source& pool_histograms_source() {
  static constexpr Source kSource{
      {"pool_histograms", "How long things took, in fixed buckets that may be added over pools.", kHistogramColumns},
      add_histograms};
  return kSource;
}

}  // namespace tide
