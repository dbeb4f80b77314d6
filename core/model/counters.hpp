// Counters: what a pool counts from its opening on, a row for each. The cells of the segment, what reset_stats()
// subtracts, the sums that readers compute and the columns of `pool_stats` are generated from these rows.
//
// Each has one writer at a time and only grows; reset_stats() copies its value into the baseline instead of setting it
// to 0.
// Threads: any. Failure: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tide {

// X(name, unit, opentelemetry, meaning), grouped by the record that has the cell, because that determines the writer.
// Times are in nanoseconds here and in milliseconds for readers. `opentelemetry` is the name in its semantic
// conventions, if it has one. A counter without a meaning has no column of its own; it is a part of others.
// clang-format off

// QueueStats: written under the mutex of the queue.
#define TIDE_QUEUE_COUNTERS(X) \
  X(timeouts_total, "callers", "db.client.connection.timeouts", "Requests that timed out.") \
  X(rejected_total, "callers", "", "Requests rejected because the queue was full, or because the pool closed or lost its database while they waited. Requests refused immediately, by an open breaker or a closed pool, are not counted.") \
  X(cancelled_total, "callers", "", "Requests that left the queue because their cancel token was tripped.") \
  X(failed_wait_ns_total, "ns", "", "")

// KeeperStats: written by the keeper.
#define TIDE_KEEPER_COUNTERS(X) \
  X(connects_total, "connections", "", "Connections opened.") \
  X(connect_failures_total, "connections", "", "Failed attempts to open a connection.") \
  X(closed_idle_total, "connections", "", "Connections closed by idle_timeout.") \
  X(closed_lifetime_total, "connections", "", "Connections closed by max_lifetime.") \
  X(closed_uses_total, "connections", "", "Connections closed by max_uses, or because a lease left session state that cannot be reset.") \
  X(closed_error_total, "connections", "", "Connections that were lost or failed validation.") \
  X(closed_scale_total, "connections", "", "Connections closed because the pool shrank.") \
  X(closed_control_total, "connections", "", "Connections closed by a command.") \
  X(closed_shutdown_total, "connections", "", "") \
  X(leases_overdue_total, "leases", "", "Leases held longer than lease_timeout.") \
  X(leases_reclaimed_total, "leases", "", "Leases revoked from their holder.") \
  X(validations_total, "connections", "", "Validations of idle connections.") \
  X(validation_failures_total, "connections", "", "Validations that failed.") \
  X(scale_up_total, "", "", "Times the pool grew.") \
  X(scale_down_total, "", "", "Times the pool shrank.") \
  X(connect_ns_total, "ns", "", "Total time spent opening connections.") \
  X(recoveries_total, "", "", "Recovery attempts after a failed health check that succeeded.") \
  X(alerts_fired_total, "alerts", "", "Alerts that started firing.") \
  X(leases_cancelled_total, "leases", "", "Overdue leases whose statement was cancelled (lease_timeout_action cancel).") \
  X(checkpoints_total, "", "", "Checkpoints of the WAL that the pool made (SQLite).") \
  X(checkpoint_failures_total, "", "", "Checkpoints that failed, or could not finish because of readers (SQLite).")

// Slot: written by the owner of the slot, in the line that every lease writes anyway.
#define TIDE_LEASE_COUNTERS(X) \
  X(acquires_total, "leases", "", "Leases granted.")

// SlotStats: written by the owner of the slot. Counters written by every lease come first, to share one cache line.
#define TIDE_SLOT_COUNTERS(X) \
  X(waited_total, "leases", "", "Leases whose callers had to wait.") \
  X(releases_total, "leases", "", "Leases that ended.") \
  X(use_ns_total, "ns", "", "Total time ended leases were held.") \
  X(wait_ns_total, "ns", "", "") \
  X(queries_total, "queries", "", "Queries sent through the pool.") \
  X(query_errors_total, "queries", "", "Queries that failed.") \
  X(query_ns_total, "ns", "", "Total time spent in queries.") \
  X(slow_total, "leases", "", "Leases whose callers had waited longer than wait_objective.") \
  X(faults_total, "queries", "", "Failed queries that count for health and alerts: without those ended by a constraint, a conflict, RAISE, or the application.") \
  X(transactions_total, "transactions", "", "Transactions that were begun through the pool and have ended, whatever their outcome; those that a program begins with a statement of its own are not counted.") \
  X(retries_total, "", "", "Repetitions of transactions and statements (retry_attempts).") \
  X(statement_cache_hits_total, "queries", "", "Queries whose statement was already prepared.") \
  X(statement_cache_misses_total, "queries", "", "Queries whose statement had to be parsed.") \
  X(statement_cache_evictions_total, "statements", "", "Prepared statements that were closed because others were used more recently (statement_cache_size).") \
  X(query_log_lost_total, "queries", "", "Queries that are missing in the query log because it was full.") \
  X(result_bytes_total, "bytes", "", "Bytes of the results of queries.") \
  X(retries_helped_total, "", "", "Transactions and statements that succeeded after a repetition.")

// Tallies: written by the keeper, most of them as counted by the brain.
#define TIDE_TALLY_COUNTERS(X) \
  X(bursts_total, "", "", "Bursts started, by command or because callers waited at max_size.") \
  X(emergencies_total, "", "", "Emergencies: times the pool reduced its size to emergency_max_size.") \
  X(recovery_attempts_total, "", "", "Recovery attempts after a failed health check; recoveries_total counts those that succeeded.") \
  X(health_checks_total, "", "", "Health evaluations; each runs all checks.") \
  X(health_check_failures_total, "", "", "Health evaluations in which a check failed.") \
  X(overloads_total, "", "", "Times overload was detected: more connections made the database slower.") \
  X(lived_ns_total, "ns", "", "Total lifetime of closed connections; divided by closed_total it is their average lifetime.")

// CacheStats: added to by every thread that uses the query cache.
#define TIDE_CACHE_COUNTERS(X) \
  X(query_cache_hits_total, "queries", "", "Queries answered from the query cache.") \
  X(query_cache_misses_total, "queries", "", "Queries that asked for the query cache and were executed.") \
  X(query_cache_shared_total, "queries", "", "Queries that waited for the same query of another caller and got its result.") \
  X(query_cache_stale_total, "queries", "", "Queries answered with an expired result, while one caller renews it.") \
  X(query_cache_evictions_total, "entries", "", "Cached results that were removed to make room.") \
  X(query_cache_invalidations_total, "entries", "", "Cached results that were removed because of a change, a command or a notification.") \
  X(query_cache_refused_total, "queries", "", "Results that were not cached: too large, or of a volatile statement.")

// NotifyStats: written by the webhook.
#define TIDE_NOTIFY_COUNTERS(X) \
  X(notifications_sent_total, "notifications", "", "Alerts delivered to notify_webhook_url.") \
  X(notification_failures_total, "", "", "Attempts to deliver to notify_webhook_url that failed; they are repeated.") \
  X(notifications_dropped_total, "notifications", "", "Alerts that were not delivered to notify_webhook_url: the queue was full, the receiver refused them, or they became too old.")

#define TIDE_COUNTERS(X) \
  TIDE_QUEUE_COUNTERS(X) TIDE_KEEPER_COUNTERS(X) TIDE_LEASE_COUNTERS(X) TIDE_SLOT_COUNTERS(X) TIDE_CACHE_COUNTERS(X) \
  TIDE_TALLY_COUNTERS(X) TIDE_NOTIFY_COUNTERS(X)

#define TIDE_COUNTER_MEMBER(name, unit, opentelemetry, meaning) name,
#define TIDE_COUNTER_ROW(name, unit, opentelemetry, meaning) {#name, unit, opentelemetry, meaning},
#define TIDE_COUNTER_NUMBER(...) +1
// clang-format on

enum class Counter : uint8_t { TIDE_COUNTERS(TIDE_COUNTER_MEMBER) };
inline constexpr size_t kQueueCounters = 0 TIDE_QUEUE_COUNTERS(TIDE_COUNTER_NUMBER);
inline constexpr size_t kKeeperCounters = 0 TIDE_KEEPER_COUNTERS(TIDE_COUNTER_NUMBER);
inline constexpr size_t kSlotCounters = 0 TIDE_SLOT_COUNTERS(TIDE_COUNTER_NUMBER);
inline constexpr size_t kCacheCounters = 0 TIDE_CACHE_COUNTERS(TIDE_COUNTER_NUMBER);
inline constexpr size_t kNotifyCounters = 0 TIDE_NOTIFY_COUNTERS(TIDE_COUNTER_NUMBER);
inline constexpr size_t kTallyCounters = 0 TIDE_TALLY_COUNTERS(TIDE_COUNTER_NUMBER);

struct CounterInfo {
  std::string_view name;
  std::string_view unit;
  std::string_view opentelemetry;
  std::string_view meaning;  // one sentence

  constexpr bool is_time() const { return unit == "ns"; }
};
inline constexpr CounterInfo kCounterInfos[] = {TIDE_COUNTERS(TIDE_COUNTER_ROW)};
inline constexpr size_t kCounters = std::size(kCounterInfos);

constexpr const CounterInfo& about(Counter counter) { return kCounterInfos[static_cast<size_t>(counter)]; }

}  // namespace tide
