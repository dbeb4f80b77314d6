// Every field of the byte layout with its offset, so that documents and golden files can be compared with the compiler.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "segment/format.hpp"

namespace tide::test {

struct FormatField {
  std::string name;
  size_t offset;
  size_t bytes;
};

struct FormatStruct {
  std::string name;
  size_t bytes;
  std::vector<FormatField> fields;
};

inline std::vector<FormatStruct> format_structs() {
  using namespace tide::format;
#define FIELD(name) \
  { #name, offsetof(Subject, name), sizeof(Subject::name) }
#define REGION_FIELD(name, Record, count, meaning) FIELD(name),
#define COUNTER_FIELD(name, unit, opentelemetry, meaning) FIELD(name),
#define STRUCT(Type, ...)                                       \
  [] {                                                          \
    using Subject = Type;                                       \
    return FormatStruct{#Type, sizeof(Subject), {__VA_ARGS__}}; \
  }()
  return {
      STRUCT(Region, FIELD(offset), FIELD(count), FIELD(stride)),
      STRUCT(Header, FIELD(magic), FIELD(layout_version), FIELD(header_bytes), FIELD(total_bytes), FIELD(instance_id),
             FIELD(started_wall_ns), FIELD(pid), FIELD(uid), FIELD(backend), FIELD(flags), FIELD(pool), FIELD(app),
             FIELD(host), FIELD(db_user), FIELD(version), FIELD(target), TIDE_REGIONS(REGION_FIELD) FIELD(zero)),
      STRUCT(Vitals, FIELD(seq), FIELD(topology_seq), FIELD(heartbeat_mono), FIELD(anchor_mono), FIELD(anchor_wall),
             FIELD(state), FIELD(min_size), FIELD(max_size), FIELD(target_size), FIELD(limit_size), FIELD(size_source),
             FIELD(burst_until_mono), FIELD(generation), FIELD(health), FIELD(slots_used), FIELD(lease_timeout_ns),
             FIELD(memory_bytes), FIELD(wal_bytes), FIELD(server_sessions), FIELD(server_sessions_max),
             FIELD(wait_p50_ms), FIELD(wait_p95_ms), FIELD(wait_p99_ms), FIELD(wait_max_ms), FIELD(use_p50_ms),
             FIELD(use_p99_ms), FIELD(query_p50_ms), FIELD(query_p99_ms), FIELD(breaker), FIELD(breaker_probe_mono),
             FIELD(pooler), FIELD(reserved)),
      STRUCT(QueueStats, FIELD(seq), FIELD(waiting), FIELD(head_since_mono), FIELD(waiting_peak),
             TIDE_QUEUE_COUNTERS(COUNTER_FIELD) FIELD(reserved)),
      STRUCT(KeeperStats, FIELD(seq), TIDE_KEEPER_COUNTERS(COUNTER_FIELD) FIELD(size_peak), FIELD(in_use_peak),
             FIELD(stats_reset_wall), FIELD(last_error_wall), FIELD(last_error), FIELD(connect), FIELD(reserved)),
      STRUCT(Slot, FIELD(word), FIELD(seq), FIELD(acquired_mono), FIELD(last_used_mono),
             TIDE_LEASE_COUNTERS(COUNTER_FIELD) FIELD(expires_mono), FIELD(thread_id), FIELD(flags),
             FIELD(acquires_before), FIELD(tag), FIELD(conn_id), FIELD(born_mono), FIELD(since_mono),
             FIELD(validated_mono), FIELD(queries_before), FIELD(server_pid), FIELD(is_in_transaction),
             FIELD(holder_generation), FIELD(statements), FIELD(reserved), FIELD(last_error)),
      STRUCT(SlotStats, FIELD(seq), TIDE_SLOT_COUNTERS(COUNTER_FIELD) FIELD(wait), FIELD(use), FIELD(query),
             FIELD(statement_bytes), FIELD(reserved)),
      STRUCT(Tallies, FIELD(seq), TIDE_TALLY_COUNTERS(COUNTER_FIELD) FIELD(reserved)),
      STRUCT(Baseline, FIELD(seq), FIELD(counter), FIELD(wait), FIELD(use), FIELD(query), FIELD(connect),
             FIELD(reserved)),
      STRUCT(Waiter, FIELD(seq), FIELD(ticket), FIELD(queued_mono), FIELD(deadline_mono), FIELD(tag), FIELD(priority),
             FIELD(reserved)),
      STRUCT(CacheStats, TIDE_CACHE_COUNTERS(COUNTER_FIELD) FIELD(entries), FIELD(bytes), FIELD(reserved)),
      STRUCT(QueryRecord, FIELD(stamp), FIELD(at_wall_ns), FIELD(fingerprint), FIELD(conn_id), FIELD(duration_ns),
             FIELD(wait_ns), FIELD(rows), FIELD(bytes), FIELD(is_slow), FIELD(is_failed), FIELD(sqlstate), FIELD(tag),
             FIELD(message), FIELD(query)),
      STRUCT(DigestRecord, FIELD(seq), FIELD(fingerprint), FIELD(calls), FIELD(errors), FIELD(rows), FIELD(bytes),
             FIELD(total_ns), FIELD(min_ns), FIELD(max_ns), FIELD(wait_ns), FIELD(first_wall_ns), FIELD(last_wall_ns),
             FIELD(duration), FIELD(repeats_max), FIELD(repeated_leases), FIELD(query)),
      STRUCT(TargetVitals, FIELD(seq), FIELD(role), FIELD(is_serving), FIELD(lag_ns), FIELD(lsn), FIELD(checked_mono),
             FIELD(reads_total), FIELD(errors_total), FIELD(left_out_mono), FIELD(group), FIELD(why)),
      STRUCT(WalVitals, FIELD(seq), FIELD(frames), FIELD(frames_done), FIELD(last_wall_ns), FIELD(last_kind),
             FIELD(blocked_mono), FIELD(reader_mono), FIELD(reader_lease), FIELD(reader_conn_id), FIELD(reserved),
             FIELD(reader_tag), FIELD(last_error)),
      STRUCT(ListenerVitals, FIELD(seq), FIELD(state), FIELD(conn_id), FIELD(born_mono), FIELD(since_mono),
             FIELD(channels), FIELD(notifications_total), FIELD(gaps_total), FIELD(connects_total), FIELD(server_pid),
             FIELD(last_error)),
      STRUCT(HistoryRecord, FIELD(stamp), FIELD(at_wall_ns), FIELD(size), FIELD(limit_size), FIELD(in_use_max),
             FIELD(waiting_max), FIELD(in_use_avg), FIELD(acquires), FIELD(timeouts), FIELD(errors), FIELD(wait_p99_ms),
             FIELD(use_ms), FIELD(predicted_in_use), FIELD(health), FIELD(covers_ms), FIELD(instance_id),
             FIELD(queries), FIELD(query_errors), FIELD(faults), FIELD(query_ms), FIELD(query_p99_ms), FIELD(connects),
             FIELD(connect_failures), FIELD(query_cache_hits), FIELD(query_cache_misses), FIELD(result_bytes),
             FIELD(wait_ms), FIELD(replica_lag_ms), FIELD(waited), FIELD(reserved2)),
      STRUCT(NotifyStats, FIELD(seq), TIDE_NOTIFY_COUNTERS(COUNTER_FIELD) FIELD(queued), FIELD(sent_wall),
             FIELD(last_error)),
      STRUCT(TagRecord, FIELD(seq), FIELD(samples), FIELD(held_ns_total), FIELD(waiting_ns_total), FIELD(longest_ns),
             FIELD(in_use), FIELD(waiting), FIELD(last_wall_ns), FIELD(tag)),
      STRUCT(JournalRecord, FIELD(stamp), FIELD(at_wall_ns), FIELD(kind), FIELD(severity), FIELD(message),
             FIELD(detail)),
      STRUCT(ScalingRecord, FIELD(stamp), FIELD(at_wall_ns), FIELD(from_size), FIELD(to_size), FIELD(cause),
             FIELD(in_use), FIELD(waiting), FIELD(reserved), FIELD(wait_p95_ms), FIELD(predicted_in_use), FIELD(reason),
             FIELD(actor)),
      STRUCT(AlertRecord, FIELD(seq), FIELD(alert_id), FIELD(since_wall_ns), FIELD(last_seen_wall_ns),
             FIELD(resolved_wall_ns), FIELD(acked_wall_ns), FIELD(occurrences), FIELD(value), FIELD(threshold),
             FIELD(severity), FIELD(state), FIELD(rule), FIELD(metric), FIELD(acked_by), FIELD(message), FIELD(advice),
             FIELD(reserved)),
      STRUCT(AlertRuleRecord, FIELD(rule), FIELD(metric), FIELD(threshold), FIELD(clear_at), FIELD(hold_ns),
             FIELD(comparison), FIELD(severity), FIELD(is_enabled), FIELD(is_built_in), FIELD(message), FIELD(advice),
             FIELD(reserved)),
      STRUCT(AlertRulesBlock, FIELD(seq), FIELD(count), FIELD(reserved), FIELD(record)),
      STRUCT(HealthRecord, FIELD(status), FIELD(reserved), FIELD(score), FIELD(value), FIELD(threshold),
             FIELD(checked_wall_ns), FIELD(message)),
      STRUCT(HealthBlock, FIELD(seq), FIELD(reserved), FIELD(record)),
      STRUCT(ForecastRecord, FIELD(at_wall_ns), FIELD(horizon_ns), FIELD(predicted_in_use), FIELD(low), FIELD(high),
             FIELD(error_mape), FIELD(error_wape), FIELD(is_selected), FIELD(reserved), FIELD(model), FIELD(reserved2)),
      STRUCT(ForecastsBlock, FIELD(seq), FIELD(count), FIELD(efficiency), FIELD(slow_share), FIELD(prediction_accuracy),
             FIELD(demand), FIELD(reserved), FIELD(record)),
      STRUCT(CommandRecord, FIELD(stamp), FIELD(command_id), FIELD(issued_wall_ns), FIELD(applied_wall_ns),
             FIELD(reserved), FIELD(status), FIELD(generation), FIELD(actor), FIELD(verb), FIELD(arguments),
             FIELD(message)),
      STRUCT(SettingRecord, FIELD(name), FIELD(value), FIELD(source), FIELD(is_note)),
      STRUCT(SettingsBlock, FIELD(seq), FIELD(count), FIELD(reserved), FIELD(record)),
      STRUCT(MailboxHeader, FIELD(magic), FIELD(layout_version), FIELD(header_bytes), FIELD(instance_id), FIELD(sent),
             FIELD(reserved)),
      STRUCT(MailboxCommand, FIELD(number), FIELD(issued_wall_ns), FIELD(checksum), FIELD(reserved), FIELD(verb),
             FIELD(actor), FIELD(arguments)),
      STRUCT(HistoryFileHeader, FIELD(magic), FIELD(layout_version), FIELD(header_bytes), FIELD(instance_id),
             FIELD(written_wall_ns), FIELD(checksum), FIELD(record_bytes), FIELD(seconds), FIELD(minutes), FIELD(hours),
             FIELD(pool)),
  };
#undef STRUCT
#undef FIELD
#undef COUNTER_FIELD
#undef REGION_FIELD
}

}  // namespace tide::test
