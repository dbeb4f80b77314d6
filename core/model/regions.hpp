// Regions: the parts of a segment, a row for each. The members of the header, the layout in the file and the checks of
// readers are generated from these rows.
//
// Rows are only appended: their order is the order of the bytes.
#pragma once

#include <cstdint>

namespace tide {

inline constexpr uint32_t kPerSlot = 0;
inline constexpr uint32_t kPerLog = ~uint32_t{0};  // query_log_size

// X(name, Record, count, meaning). The records are structs of segment/format.hpp; `count` is the number of records for
// which an owner of this version reserves space. Several records are indexed, or form a ring. segment/README.md repeats
// the meanings.
// clang-format off
#define TIDE_REGIONS(X) \
  X(vitals, Vitals, 1, "state, sizes and percentiles, at every step of the keeper") \
  X(queue, QueueStats, 1, "the queue of callers") \
  X(totals, KeeperStats, 1, "counters, peaks and last error of the keeper") \
  X(baseline, Baseline, 1, "the counters at the last reset_stats()") \
  X(slots, Slot, kPerSlot, "one per slot, 1 to 20000") \
  X(slot_stats, SlotStats, kPerSlot, "one per slot, same index") \
  X(waiters, Waiter, 128, "the callers in the queue, up to the limit of the region") \
  X(history_1s, HistoryRecord, 3600, "ring, one per second") \
  X(history_1m, HistoryRecord, 1440, "ring, one per minute") \
  X(history_1h, HistoryRecord, 2160, "ring, one an hour") \
  X(journal, JournalRecord, 256, "ring of events") \
  X(scaling, ScalingRecord, 128, "ring of changes of the size") \
  X(commands, CommandRecord, 128, "ring of commands and their answers") \
  X(settings, SettingsBlock, 1, "the options, with notes") \
  X(alerts, AlertRecord, 128, "alerts, unordered") \
  X(alert_rules, AlertRulesBlock, 1, "the alert rules") \
  X(health, HealthBlock, 1, "the latest health checks") \
  X(forecasts, ForecastsBlock, 1, "forecasts, and other numbers of the sizer") \
  X(tallies, Tallies, 1, "counters of the brain") \
  X(cache, CacheStats, 16, "the query cache, in stripes that are added up") \
  X(query_log, QueryRecord, kPerLog, "ring of slow and failed statements; one place if there is no log") \
  X(digests, DigestRecord, 256, "statements by fingerprint, unordered") \
  X(routing, TargetVitals, 1, "the role of the target, and its lag") \
  X(wal, WalVitals, 1, "checkpoints and the oldest reader (SQLite)") \
  X(listener, ListenerVitals, 1, "the connection that listens") \
  X(notify, NotifyStats, 1, "the webhook") \
  X(tags, TagRecord, 64, "what leases of each tag hold, unordered")
// clang-format on

}  // namespace tide
