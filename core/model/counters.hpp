// Counters: what a pool counts from its opening on, a row for each. The cells of the segment, what reset_stats() subtracts,
// the sums of readers and the columns of `pool_stats` follow from these rows.
//
// Each has one writer at a time and only grows; reset_stats() writes its value into the baseline instead of setting it back.
// Threads: any. Failure: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tide {

// X(name, unit, opentelemetry, meaning), grouped by the record that has the cell, since that is who writes it. Times are in
// nanoseconds here and in milliseconds for readers. `opentelemetry` is the name in its semantic conventions, if it has one.
// A counter without a meaning has no column of its own: it is a part of others.
// clang-format off

// QueueStats: written under the mutex of the queue.
#define TIDE_QUEUE_COUNTERS(X) \
  X(timeouts_total, "callers", "db.client.connection.timeouts", "Callers whose time was over before they got a connection.") \
  X(rejected_total, "callers", "", "Callers turned away from the queue: it was full, or the pool closed or lost its database while they waited. Who is refused at once, by an open breaker or a closed pool, is not counted.") \
  X(failed_wait_ns_total, "ns", "", "")

// KeeperStats: written by the keeper.
#define TIDE_KEEPER_COUNTERS(X) \
  X(connects_total, "connections", "", "Connections that were opened.") \
  X(connect_failures_total, "connections", "", "Attempts to open one that failed.") \
  X(closed_idle_total, "connections", "", "Connections closed because they were idle too long.") \
  X(closed_lifetime_total, "connections", "", "Connections closed because they were too old.") \
  X(closed_uses_total, "connections", "", "Connections closed because they had been leased often enough, or a lease left what cannot be undone.") \
  X(closed_error_total, "connections", "", "Connections that were lost or failed their check.") \
  X(closed_scale_total, "connections", "", "Connections closed because the pool shrank.") \
  X(closed_control_total, "connections", "", "Connections closed because somebody asked for it.") \
  X(closed_shutdown_total, "connections", "", "") \
  X(leases_overdue_total, "leases", "", "Leases held longer than the lease timeout.") \
  X(leases_reclaimed_total, "leases", "", "Leases that were taken from their holder.") \
  X(validations_total, "connections", "", "Checks of idle connections.") \
  X(validation_failures_total, "connections", "", "Those of them that failed.") \
  X(scale_up_total, "", "", "How often the pool grew.") \
  X(scale_down_total, "", "", "How often the pool shrank.") \
  X(connect_ns_total, "ns", "", "Time spent opening connections.") \
  X(recoveries_total, "", "", "How often the pool's own attempts to recover from a failed check helped; events tells of all.") \
  X(alerts_fired_total, "alerts", "", "How often an alert began to fire.")

// Slot: written by whoever has the slot, in the line that every lease writes anyway.
#define TIDE_LEASE_COUNTERS(X) \
  X(acquires_total, "leases", "", "Leases that were granted.")

// SlotStats: written by whoever has the slot. What every lease counts comes first, to stand in one line.
#define TIDE_SLOT_COUNTERS(X) \
  X(waited_total, "leases", "", "Those of them that had to wait.") \
  X(releases_total, "leases", "", "Leases that ended.") \
  X(use_ns_total, "ns", "", "Time all ended leases were held.") \
  X(wait_ns_total, "ns", "", "") \
  X(queries_total, "queries", "", "Queries sent through the pool.") \
  X(query_errors_total, "queries", "", "Those of them that failed.") \
  X(query_ns_total, "ns", "", "Time spent in queries.") \
  X(slow_total, "leases", "", "Leases whose callers had waited longer than wait_objective.") \
  X(faults_total, "queries", "", "Failed queries that no healthy application sends, which health and alerts go by: not those that a constraint, a conflict, RAISE or the application itself ended.")

// Tallies: written by the keeper, most of them as the brain counts them.
#define TIDE_TALLY_COUNTERS(X) \
  X(bursts_total, "", "", "How often a burst began, by order or because callers waited at max_size.") \
  X(emergencies_total, "", "", "How often the pool made itself small because of an emergency.") \
  X(recovery_attempts_total, "", "", "The pool's own attempts to recover from a failed check; recoveries_total counts those that helped.") \
  X(health_checks_total, "", "", "How often the pool's health was checked; each time all checks are made.") \
  X(health_check_failures_total, "", "", "Those of them in which a check failed.") \
  X(overloads_total, "", "", "How often more connections did not help any more.") \
  X(lived_ns_total, "ns", "", "How long those were open, all together; divided by closed_total it is their average lifetime.")

#define TIDE_COUNTERS(X) \
  TIDE_QUEUE_COUNTERS(X) TIDE_KEEPER_COUNTERS(X) TIDE_LEASE_COUNTERS(X) TIDE_SLOT_COUNTERS(X) TIDE_TALLY_COUNTERS(X)

#define TIDE_COUNTER_MEMBER(name, unit, opentelemetry, meaning) name,
#define TIDE_COUNTER_ROW(name, unit, opentelemetry, meaning) {#name, unit, opentelemetry, meaning},
#define TIDE_COUNTER_NUMBER(...) +1
// clang-format on

enum class Counter : uint8_t { TIDE_COUNTERS(TIDE_COUNTER_MEMBER) };
inline constexpr size_t kQueueCounters = 0 TIDE_QUEUE_COUNTERS(TIDE_COUNTER_NUMBER);
inline constexpr size_t kKeeperCounters = 0 TIDE_KEEPER_COUNTERS(TIDE_COUNTER_NUMBER);
inline constexpr size_t kSlotCounters = 0 TIDE_SLOT_COUNTERS(TIDE_COUNTER_NUMBER);
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
