// Copies: what a reader takes out of a segment, as plain values. Texts are as long as they claim within their room;
// numbers are as the owner wrote them, but for enums, which attach.cpp checks.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "plane/histogram.hpp"
#include "plane/slot_word.hpp"

namespace tide {

struct HeaderCopy {
  std::string instance_id;  // 32 hex digits
  std::string pool, app, host, db_user, version, target;
  uint32_t owner = 0;  // the part of it that this pool's ids carry (base/owned_id.hpp)
  uint32_t pid = 0, uid = 0, backend = 0;
  bool is_hosted = false;
  int64_t started_wall_ns = 0;
  uint32_t slots = 0;
};

struct VitalsCopy {
  int64_t heartbeat_mono = 0, anchor_mono = 0, anchor_wall = 0;
  uint32_t state = 0, size_source = 0;
  int64_t min_size = 0, max_size = 0, target_size = 0, limit_size = 0;
  int64_t burst_until_mono = 0;
  uint64_t generation = 0;
  int64_t health = -1;  // -1: not measured
  uint32_t slots_used = 0;
  int64_t lease_timeout_ns = 0;
  int64_t memory_bytes = -1;                                                  // -1: not measured
  int64_t wal_bytes = -1;                                                     // -1: not measured
  double wait_p50_ms = 0, wait_p95_ms = 0, wait_p99_ms = 0, wait_max_ms = 0;  // NaN: not measured
  double use_p50_ms = 0, use_p99_ms = 0, query_p50_ms = 0, query_p99_ms = 0;
  uint32_t breaker = 0;
  int64_t breaker_probe_mono = 0;  // 0: no probe is due
  uint32_t pooler = 0;             // 0: not known
};

struct QueueCopy {
  uint64_t waiting = 0;
  int64_t head_since_mono = 0;
  uint64_t timeouts_total = 0, rejected_total = 0, waiting_peak = 0, failed_wait_ns_total = 0;
};

struct KeeperStatsCopy {
  std::array<uint64_t, 16> counters{};  // KeeperStats.connects_total .. connect_ns_total, in their order
  uint64_t size_peak = 0, in_use_peak = 0;
  int64_t stats_reset_wall = 0, last_error_wall = 0;
  uint64_t recoveries_total = 0, alerts_fired_total = 0;
  std::string last_error;
  HistogramCounts connect{};
};

struct BaselineCopy {
  std::array<uint64_t, 3> queue{};
  std::array<uint64_t, 16> keeper{};
  std::array<uint64_t, 9> slots{};
  HistogramCounts wait{}, use{}, query{}, connect{};
  uint64_t slow = 0, recoveries = 0, alerts_fired = 0;
};

struct SlotCopy {
  uint32_t index = 0;
  SlotWord word;
  bool is_whole = true;  // false: the slot changed too fast to be copied in one piece; only word and conn_id count
  int64_t acquired_mono = 0, last_used_mono = 0, expires_mono = 0, born_mono = 0, since_mono = 0, validated_mono = 0;
  uint64_t acquires_total = 0, acquires_before = 0, queries_before = 0;
  uint32_t thread_id = 0, flags = 0, server_pid = 0;
  bool is_in_transaction = false;
  uint64_t conn_id = 0;
  std::string tag, last_error;
};

struct SlotStatsCopy {
  std::array<uint64_t, 8> counters{};  // SlotStats.waited_total .. transactions_total, in their order
  uint64_t wait_ns_max = 0;
  HistogramCounts wait{}, use{}, query{};
  uint64_t slow_total = 0, faults_total = 0;
};

struct WaiterCopy {
  uint64_t ticket = 0;
  int64_t queued_mono = 0, deadline_mono = 0;
  std::string tag;
};

struct HistoryCopy {
  int64_t at_wall_ns = 0;
  uint32_t size = 0, limit_size = 0, in_use_max = 0, waiting_max = 0;
  double in_use_avg = 0, wait_p99_ms = 0, use_ms = 0, predicted_in_use = 0;  // NaN: not measured
  uint64_t acquires = 0, timeouts = 0, errors = 0;
  int32_t health = -1;
};

struct JournalCopy {
  uint64_t number = 0;  // from 0
  int64_t at_wall_ns = 0;
  uint32_t kind = 0, severity = 0;
  std::string message, detail;
};

struct ScalingCopy {
  uint64_t number = 0;
  int64_t at_wall_ns = 0;
  uint32_t from_size = 0, to_size = 0, cause = 0, in_use = 0, waiting = 0;
  double wait_p95_ms = 0, predicted_in_use = 0;
  std::string reason, actor;
};

struct CommandCopy {
  uint64_t command_id = 0;
  int64_t issued_wall_ns = 0, applied_wall_ns = 0;
  uint32_t status = 0;
  uint64_t generation = 0;
  std::string actor, verb, arguments, message;
};

struct SettingCopy {
  std::string name, value;
  uint32_t source = 0;
  bool is_note = false;  // on the option of this name, or on a word that is no option
};

struct AlertCopy {
  uint64_t alert_id = 0;
  int64_t since_wall_ns = 0, last_seen_wall_ns = 0;
  int64_t resolved_wall_ns = 0, acked_wall_ns = 0;  // 0: not yet
  uint64_t occurrences = 0;
  double value = 0, threshold = 0;  // NaN: not measured
  uint32_t severity = 0, state = 0;
  std::string rule, metric, acked_by, message, advice;
};

struct AlertRuleCopy {
  std::string rule, metric;
  double threshold = 0, clear_at = 0;
  int64_t hold_ns = 0;
  uint32_t comparison = 0, severity = 0;
  bool is_enabled = false, is_built_in = false;
  std::string message, advice;
};

struct HealthCopy {
  uint32_t check = 0, status = 0;
  double score = 0, value = 0, threshold = 0;  // NaN: not measured
  int64_t checked_wall_ns = 0;
  std::string message;
};

struct ForecastCopy {
  int64_t at_wall_ns = 0, horizon_ns = 0;
  double predicted_in_use = 0, low = 0, high = 0, error_mape = 0, error_wape = 0;  // NaN: not known
  bool is_selected = false;
  std::string model;
};

struct ForecastsCopy {
  double efficiency = 0, slow_share = 0, prediction_accuracy = 0, demand = 0;  // NaN: not known
  uint64_t overloads_total = 0, bursts_total = 0;
  std::vector<ForecastCopy> forecasts;
};

struct TalliesCopy {
  std::array<uint64_t, 7> counters{};  // Tallies.bursts_total .. lived_ns_total, in their order
  std::array<uint64_t, 7> baseline{};
  uint64_t baseline_faults = 0;
};

}  // namespace tide
