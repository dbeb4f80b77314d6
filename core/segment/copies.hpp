// Copies: data read from a segment as plain values, where the record itself is not sufficient. Texts are clean; counts
// and indexes are within bounds; enums may have unknown values, and times may be any numbers.
#pragma once

#include <cstdint>
#include <string>

#include "segment/slot_word.hpp"

namespace tide {

struct HeaderCopy {
  std::string instance_id;  // 32 hex digits
  std::string pool, app, host, db_user, version, target;
  uint32_t owner = 0;  // the part of it that the ids of this pool contain (base/owned_id.hpp)
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
  int64_t server_sessions = -1, server_sessions_max = -1;                     // -1: not measured
  double wait_p50_ms = 0, wait_p95_ms = 0, wait_p99_ms = 0, wait_max_ms = 0;  // NaN: not measured
  double use_p50_ms = 0, use_p99_ms = 0, query_p50_ms = 0, query_p99_ms = 0;
  uint32_t breaker = 0;
  int64_t breaker_probe_mono = 0;  // 0: no probe is scheduled
  uint32_t pooler = 0;             // 0: unknown
};

struct SlotCopy {
  uint32_t index = 0;
  SlotWord word;
  bool is_whole = true;  // false: the slot changed too fast to be copied consistently; only word and conn_id are valid
  int64_t acquired_mono = 0, last_used_mono = 0, expires_mono = 0, born_mono = 0, since_mono = 0, validated_mono = 0;
  uint64_t acquires_total = 0, acquires_before = 0, queries_before = 0;
  uint32_t thread_id = 0, flags = 0, server_pid = 0, statements = 0;
  bool is_in_transaction = false;
  uint64_t conn_id = 0;
  std::string tag, last_error;
};

}  // namespace tide
