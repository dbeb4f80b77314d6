// Policy: the validated options of a pool. A value; every member is plain data.
//
// Invariants: every value is within the range of its catalogue entry (policy/settings.hpp), and there are no
// contradictions (min_size <= max_size ...). Only policy/parse.hpp creates and modifies policies.
// Threads: immutable after creation; a live change creates a new Policy.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/instant.hpp"

namespace tide {

enum class LeaseTimeoutAction : uint8_t { report, cancel, reclaim };
enum class InitMode : uint8_t { lazy, eager, fail_fast };
enum class ResetMode : uint8_t { none, rollback, smart, full };
// `auto_` is only an input: a Policy has the preset that was selected for it.
enum class Preset : uint8_t {
  none,
  development,
  staging,
  production,
  test,
  local,
  serverless,
  web,
  high_throughput,
  batch,
  auto_
};
enum class PredictionMode : uint8_t { off, linear, seasonal, auto_ };  // which forecasts the adaptive sizer may use
enum class SqliteJournalMode : uint8_t { wal, delete_, truncate, persist, memory, off };
enum class SqliteSynchronous : uint8_t { off, normal, full, extra, group };
enum class SqliteTempStore : uint8_t { default_, file, memory };
enum class SqliteAccess : uint8_t { read_write, read_only, immutable };
enum class LogLevel : uint8_t { off, alerts, events, debug };  // each includes those before it
enum class LogFormat : uint8_t { key_value, json };
enum class WebhookFormat : uint8_t { alertmanager, alertmanager_api, slack, pagerduty };
enum class Sizing : uint8_t { adaptive, threshold };
enum class Pooler : uint8_t { auto_, none, session, transaction };  // the pooler between the pool and a server

// At most so many connections are open at the same time where max_size is 0.
inline constexpr int64_t kUnpooledMax = 1000;

// The values of `recovery`.
inline constexpr std::string_view kRecoveryStrategies[] = {"restart_connections", "scale_pool", "reset_metrics"};

struct Policy {
  Preset preset = Preset::none;

  // size
  int64_t min_size = 2;
  int64_t max_size = 10;  // 0: no pooling, see is_pooling()
  int64_t min_idle = 0;
  int64_t grow_step = 2;       // number of connections that the threshold sizer adds
  int64_t max_connecting = 4;  // simultaneous connection attempts
  bool burst = true;
  int64_t burst_max_size = 0;  // 0: twice max_size
  Span burst_duration = Span::seconds(60);

  // waiting callers
  Span acquire_timeout = Span::seconds(10);
  int64_t max_waiting = 0;   // 0: no limit
  int64_t reserve_size = 0;  // connections that only critical requests may take
  Span fairness_window = Span::millis(1);

  // life of a connection
  Span connect_timeout = Span::seconds(5);
  bool keepalive = true;
  Span keepalive_idle = Span::seconds(10);
  Span idle_timeout = Span::seconds(600);   // 0: never
  Span max_lifetime = Span::seconds(1800);  // 0: never
  double lifetime_jitter = 0.1;
  int64_t max_uses = 0;          // 0: no limit
  std::string validation_query;  // "": the cheapest round trip
  Span validation_bypass = Span::millis(500);
  Span validation_interval = Span::seconds(30);  // 0: never
  Span validation_timeout = Span::seconds(2);
  int64_t max_validation_failures = 3;
  Span retry_base = Span::millis(200);  // delay after failed attempts to connect or commit: full jitter, doubling ...
  Span retry_max = Span::seconds(10);   // ... up to this
  ResetMode reset_on_release = ResetMode::smart;

  // life of a lease
  Span lease_timeout = Span::seconds(30);  // 0: never overdue
  LeaseTimeoutAction lease_timeout_action = LeaseTimeoutAction::report;
  Span leak_threshold = Span::seconds(10);  // 0: never suspected

  // statements
  Span statement_timeout = Span::seconds(30);            // 0: none
  Span query_timeout = Span::seconds(30);                // 0: none
  Span idle_in_transaction_timeout = Span::seconds(60);  // 0: none
  int64_t statement_cache_size = 128;                    // per connection; 0: off
  int64_t retry_attempts = 3;                            // repetitions of a transaction or statement
  bool commit_check = true;  // whether another connection is asked for the outcome of a COMMIT that was lost

  // the query cache
  bool query_cache = false;
  int64_t query_cache_entries = 1000;
  int64_t query_cache_bytes = int64_t{16} << 20;
  Span query_cache_ttl = Span::seconds(600);
  std::string query_cache_channel;  // PostgreSQL: NOTIFY on it invalidates; "": none

  // the query log
  Span slow_query_threshold = Span::seconds(1);  // 0: every statement is slow
  int64_t query_log_size = 256;                  // records; 0: no log

  // opening and closing the pool
  InitMode init_mode = InitMode::eager;
  Span init_timeout = Span::seconds(30);
  Span shutdown_timeout = Span::seconds(15);

  // automatic size
  bool scaling = true;
  Span scaling_interval = Span::seconds(1);
  Sizing sizing = Sizing::adaptive;
  Span wait_objective = Span::millis(10);
  double wait_objective_share = 0.008;  // fraction of requests that may wait longer
  PredictionMode prediction = PredictionMode::auto_;

  // the threshold sizer
  double scale_up_utilization = 0.8;
  Span scale_up_wait = Span::seconds(1);
  int64_t scale_up_periods = 2;
  Span scale_up_cooldown = Span::seconds(60);
  double scale_down_utilization = 0.3;
  int64_t scale_down_periods = 3;
  Span scale_down_cooldown = Span::seconds(300);

  // unavailable database
  bool breaker = true;
  Span breaker_trip_after = Span::seconds(15);
  Span breaker_probe_interval = Span::seconds(1);

  // health, recovery, emergency
  Span health_interval = Span::seconds(30);  // 0: never
  Span health_max_response = Span::seconds(5);
  double health_max_error_rate = 0.05;
  int64_t health_min_healthy = 0;  // 0: min_size
  double health_max_utilization = 0.9;
  std::string recovery = "restart_connections,scale_pool";  // a list of kRecoveryStrategies
  int64_t recovery_max_attempts = 3;                        // per incident
  bool emergency = true;
  int64_t emergency_below = 20;  // health
  int64_t emergency_max_size = 3;

  // alerts: the thresholds of the built-in rules
  double alert_utilization = 0.9;
  Span alert_wait = Span::seconds(5);
  double alert_error_rate = 0.05;
  int64_t alert_errors_per_hour = 10;
  int64_t alert_waiting = 5;
  double alert_health_failure_rate = 0.2;
  bool alerts = true;  // whether rules are evaluated
  double alert_memory = 0.8;
  double alert_slow_ratio = 0;  // 0: no limit

  // the log
  LogLevel log = LogLevel::alerts;
  LogFormat log_format = LogFormat::key_value;
  std::string log_destination = "stderr";  // or "syslog", or the absolute path of a file

  // the webhook
  std::string notify_webhook_url;  // "": none
  Span notify_webhook_timeout = Span::seconds(5);
  WebhookFormat notify_webhook_format = WebhookFormat::alertmanager;
  std::string notify_webhook_secret;  // key of the signature, or routing key (PagerDuty)

  // resources
  int64_t memory_limit = 0;  // bytes; 0: limit of the cgroup, else memory of the machine

  // PostgreSQL
  Pooler pooler = Pooler::auto_;
  std::string replica_url;                   // targets separated by ','; "": no replicas
  Span max_replica_lag = Span::seconds(10);  // 0: any
  bool read_your_writes = false;

  // SQLite
  SqliteAccess sqlite_access = SqliteAccess::read_write;
  SqliteJournalMode sqlite_journal_mode = SqliteJournalMode::wal;
  SqliteSynchronous sqlite_synchronous = SqliteSynchronous::normal;
  int64_t sqlite_cache_pages = 1000;
  bool sqlite_foreign_keys = true;
  SqliteTempStore sqlite_temp_store = SqliteTempStore::memory;
  Span sqlite_busy_timeout = Span::seconds(5);
  Span sqlite_max_read_transaction = Span::seconds(60);  // 0: no limit
  int64_t sqlite_wal_limit = int64_t{64} << 20;          // bytes; 0: no bound

  // the segment
  bool publish = true;
  std::string dir;           // "": see segment/directory.hpp
  std::string history_file;  // an absolute path; "": the history ends with the host

  int64_t healthy_min() const { return health_min_healthy != 0 ? health_min_healthy : min_size; }
  int64_t burst_limit() const { return burst_max_size != 0 ? burst_max_size : 2 * size_limit(); }
  // Without pooling each lease has a connection of its own: opened for it, and closed when it ends.
  bool is_pooling() const { return max_size != 0; }
  int64_t size_limit() const { return is_pooling() ? max_size : kUnpooledMax; }
  int64_t uses_limit() const { return is_pooling() ? max_uses : 1; }
};

}  // namespace tide
