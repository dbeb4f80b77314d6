#include "policy/catalogue.hpp"

#include <array>

namespace tide {
namespace {

using Names = std::string_view;

// In the order of the enum; "" is none.
constexpr std::array<Names, 11> kPresets = {"",      "development", "staging", "production",      "test",
                                            "local", "serverless",  "web",     "high_throughput", "batch",
                                            "auto"};
constexpr std::array<Names, 4> kLogLevels = {"off", "alerts", "events", "debug"};
constexpr std::array<Names, 2> kLogFormats = {"key_value", "json"};
constexpr std::array<Names, 3> kLeaseTimeoutActions = {"report", "cancel", "reclaim"};
constexpr std::array<Names, 3> kInitModes = {"lazy", "eager", "fail_fast"};
constexpr std::array<Names, 4> kResetModes = {"none", "rollback", "smart", "full"};
constexpr std::array<Names, 6> kJournalModes = {"wal", "delete", "truncate", "persist", "memory", "off"};
constexpr std::array<Names, 4> kSynchronous = {"off", "normal", "full", "extra"};
constexpr std::array<Names, 2> kSizings = {"adaptive", "threshold"};
constexpr std::array<Names, 4> kPoolers = {"auto", "none", "session", "transaction"};
constexpr std::array<Names, 4> kPredictions = {"off", "linear", "seasonal", "auto"};
constexpr std::array<Names, 3> kAccesses = {"read_write", "read_only", "immutable"};
constexpr std::array<Names, 3> kTempStores = {"default", "file", "memory"};

template <auto EnumMember>
ChoiceMember choice(std::span<const std::string_view> names) {
  using Enum = std::remove_reference_t<decltype(std::declval<Policy&>().*EnumMember)>;
  return {names, [](const Policy& policy) { return static_cast<size_t>(policy.*EnumMember); },
          [](Policy& policy, size_t index) { policy.*EnumMember = static_cast<Enum>(index); }};
}

// Bounds are written as people write them; assign_value() reads them back. Why some are lower than 30 days: SQLite and
// PostgreSQL keep their own timeouts as 32-bit milliseconds, which end at 24.8 days.
std::vector<CatalogueRow> make_rows() {
  using P = Policy;
  constexpr Applies now = Applies::now;
  constexpr Applies fresh = Applies::new_connections;
  constexpr Applies reopen = Applies::reopen;
  using Needs = std::vector<Need>;
  const Needs scaled = {{"scaling", "on"}};
  const Needs adaptive = {{"scaling", "on"}, {"sizing", "adaptive"}};
  const Needs threshold = {{"scaling", "on"}, {"sizing", "threshold"}};
  const Needs bursting = {{"burst", "on"}};
  const Needs breaking = {{"breaker", "on"}};
  const Needs recovering = {{"recovery", "", true}};
  const Needs in_emergency = {{"emergency", "on"}};
  const Needs alerting = {{"alerts", "on"}};
  const Needs logging = {{"log", "off", true}};
  const Needs postgresql = {{"backend", "postgresql"}};
  const Needs sqlite = {{"backend", "sqlite"}};
  // A row reads best in two or three lines.
  // clang-format off
  return {
      {"preset", choice<&P::preset>(kPresets), "", "", "", reopen, {"environment"},
       "A named set of values for what is not given otherwise, see the relation presets; auto: as NODE_ENV, APP_ENV or "
       "the platform say; empty: none."},

      // how many
      {"min_size", &P::min_size, "connections", "0", "10000", now, {"minConnections", "min", "poolSize"},
       "The pool never shrinks below this many connections; where it is not given, at most max_size."},
      {"max_size", &P::max_size, "connections", "1", "10000", now, {"maxConnections", "max"},
       "The pool never grows above this many connections, except in a burst."},
      {"min_idle", &P::min_idle, "connections", "0", "10000", now, {},
       "The pool keeps at least this many connections idle while it is below max_size; 0 asks for none."},
      {"grow_step", &P::grow_step, "connections", "1", "1000", now, {"connectionIncrement"},
       "A scale-up of the threshold sizer adds this many connections.", threshold},
      {"max_connecting", &P::max_connecting, "connections", "1", "1000", now, {},
       "At most this many connections are being opened at once."},
      {"burst", &P::burst, "", "", "", now, {"enableBurstMode"},
       "Whether the pool may exceed max_size for a short time: by itself where burst_max_size is given, by command up to twice "
       "max_size."},
      {"burst_max_size", &P::burst_max_size, "connections", "0", "20000", now, {},
       "The size a burst may reach; 0 is twice max_size.", bursting},
      {"burst_duration", &P::burst_duration, "ms", "1ms", "1d", now, {},
       "A burst ends by itself after this long.", bursting},

      // waiting
      {"acquire_timeout", &P::acquire_timeout, "ms", "1ms", "24h", now,
       {"acquireTimeoutMs", "acquireTimeout", "acquireTimeoutMillis"},
       "A caller waits at most this long for a connection."},
      {"max_waiting", &P::max_waiting, "waiters", "0", "1000000", now, {},
       "When this many callers already wait, the next is refused at once; 0 is no bound."},
      {"fairness_window", &P::fairness_window, "ms", "0", "1min", now, {},
       "Once the oldest caller has waited this long, the next free connection is his; 0 serves strictly in order."},

      // a connection's life
      {"connect_timeout", &P::connect_timeout, "ms", "1ms", "1h", fresh,
       {"connectionTimeoutMs", "connectionTimeoutMillis"},
       "Opening a connection may take this long; it may exceed acquire_timeout, since no caller opens one himself."},
      {"keepalive", &P::keepalive, "", "", "", fresh, {"keepAlive"},
       "Whether TCP itself finds out that a server is gone while nothing is sent.", postgresql},
      {"keepalive_idle", &P::keepalive_idle, "ms", "1s", "1h", fresh, {"keepAliveInitialDelayMillis"},
       "TCP asks after this much silence, and gives the server up after twice that.",
       {{"backend", "postgresql"}, {"keepalive", "on"}}},
      {"idle_timeout", &P::idle_timeout, "ms", "0", "30d", now,
       {"idleTimeoutMs", "idleTimeout", "idleTimeoutMillis", "idleConnectionTimeoutMs"},
       "A connection idle for this long is closed while the pool is above min_size; 0 is never."},
      {"max_lifetime", &P::max_lifetime, "ms", "0", "30d", fresh, {"maxLifetimeMs", "maxConnectionAge", "maxLifetime"},
       "A connection is replaced at this age; 0 is never."},
      {"lifetime_jitter", &P::lifetime_jitter, "ratio", "0", "0.9", fresh, {},
       "Each connection's lifetime is shortened by a random part up to this, so that they do not all end together.",
       {{"max_lifetime", "0", true}}},
      {"max_uses", &P::max_uses, "uses", "0", "1000000000", now, {"maxUses"},
       "A connection is replaced after this many leases; 0 is no bound."},
      {"validation_query", TextMember{&P::validation_query, TextRule::any}, "", "", "1000 bytes", now,
       {"validationQuery"}, "The statement that proves a connection alive; empty is the cheapest round trip."},
      {"validation_bypass", &P::validation_bypass, "ms", "0", "30d", now, {},
       "A connection used within this time is handed out unchecked; after longer silence PostgreSQL is asked "
       "before the first statement; 0 always checks."},
      {"validation_interval", &P::validation_interval, "ms", "0", "30d", now, {"validationIntervalMs"},
       "An idle connection is validated this often; 0 is never."},
      {"validation_timeout", &P::validation_timeout, "ms", "1ms", "1h", now, {"healthCheckConfig.timeoutMs", "timeoutMs"},
       "A validation that takes longer has failed."},
      {"max_validation_failures", &P::max_validation_failures, "failures", "1", "1000", now, {"maxValidationFailures"},
       "A failed validation closes its connection; this many in a row, of whichever connections, replace all."},
      {"retry_base", &P::retry_base, "ms", "1ms", "1h", now, {"retryDelayMs"},
       "The first pause after a failed connect is random up to this, and doubles with each failure."},
      {"retry_max", &P::retry_max, "ms", "1ms", "1d", now, {},
       "No pause between failed connects is longer than this."},
      {"reset_on_release", choice<&P::reset_on_release>(kResetModes), "", "", "", now, {},
       "What is undone when a connection is given back; smart misses what triggers, column defaults, views "
       "and operators leave in its session, full does not."},

      // a lease's life
      {"lease_timeout", &P::lease_timeout, "ms", "0", "30d", now, {"leaseTimeout"},
       "A lease older than this is overdue; 0 is never."},
      {"lease_timeout_action", choice<&P::lease_timeout_action>(kLeaseTimeoutActions), "", "", "", now, {},
       "What happens to an overdue lease: only report it, cancel its statement, or reclaim the connection.",
       {{"lease_timeout", "0", true}}},
      {"leak_threshold", &P::leak_threshold, "ms", "0", "30d", now, {},
       "A lease older than this is shown as a suspected leak; 0 is never."},

      // a statement's life
      {"statement_timeout", &P::statement_timeout, "ms", "0", "24d", fresh, {"statementTimeout"},
       "The database ends a statement that runs longer; 0 is no bound."},
      {"query_timeout", &P::query_timeout, "ms", "0", "24d", now, {"queryTimeout"},
       "The pool gives up waiting for a query that takes longer; 0 is no bound."},
      {"idle_in_transaction_timeout", &P::idle_in_transaction_timeout, "ms", "0", "24d", fresh, {},
       "A transaction in which nothing happens for this long is ended; 0 is no bound."},

      // start and end
      {"init_mode", choice<&P::init_mode>(kInitModes), "", "", "", reopen, {},
       "Connect at first use (lazy), at once in the background (eager), or else fail to open (fail_fast)."},
      {"init_timeout", &P::init_timeout, "ms", "1ms", "1h", reopen, {},
       "With fail_fast, opening the pool waits this long for its first connections.", {{"init_mode", "fail_fast"}}},
      {"shutdown_timeout", &P::shutdown_timeout, "ms", "0", "24h", now, {"shutdownTimeout"},
       "Closing waits this long for leases to come back; 0 does not wait."},

      // the size follows the load
      {"scaling", &P::scaling, "", "", "", now, {"enableAutoScaling", "adaptiveSizingConfig.enabled"},
       "Whether a sizer chooses the size; off, connections still open for callers who wait and close after idle_timeout."},
      {"scaling_interval", &P::scaling_interval, "ms", "10ms", "1h", now, {"evaluationIntervalMs"},
       "The size is reconsidered this often.", scaled},
      {"sizing", choice<&P::sizing>(kSizings), "", "", "", now, {},
       "adaptive keeps waits within wait_objective; threshold obeys scale_up_* and scale_down_*.", scaled},
      {"wait_objective", &P::wait_objective, "ms", "1ms", "1min", now, {},
       "The adaptive sizer keeps the pool large enough that few requests wait longer than this.", adaptive},
      {"wait_objective_share", &P::wait_objective_share, "ratio", "0.0001", "0.5", now, {},
       "How few: this share of the requests may wait longer than wait_objective.", adaptive},
      {"prediction", choice<&P::prediction>(kPredictions), "", "", "", now,
       {"prediction.model"},
       "Which forecasts may open connections ahead of the load, once they have beaten persistence.", adaptive},

      // the threshold sizer
      {"scale_up_utilization", &P::scale_up_utilization, "ratio", "0", "1", now,
       {"scaleUpThreshold", "scaleUp.utilization"},
       "At this share of connections in use the pool counts as too small.", threshold},
      {"scale_up_wait", &P::scale_up_wait, "ms", "0", "1h", now, {"scaleUp.waitTime"},
       "When callers wait this long the pool counts as too small; 0 counts every wait.", threshold},
      {"scale_up_periods", &P::scale_up_periods, "periods", "1", "1000", now, {"scaleUp.consecutivePeriods"},
       "The pool grows after being too small for this many intervals in a row.", threshold},
      {"scale_up_cooldown", &P::scale_up_cooldown, "ms", "0", "1d", now, {"scaleUpCooldown"},
       "After growing, the pool does not grow again for this long; 0 is no pause.", threshold},
      {"scale_down_utilization", &P::scale_down_utilization, "ratio", "0", "1", now,
       {"scaleDownThreshold", "scaleDown.utilization"},
       "Below this share of connections in use the pool counts as too large.", threshold},
      {"scale_down_periods", &P::scale_down_periods, "periods", "1", "1000", now, {"scaleDown.consecutivePeriods"},
       "The pool shrinks after being too large for this many intervals in a row.", threshold},
      {"scale_down_cooldown", &P::scale_down_cooldown, "ms", "0", "1d", now, {"scaleDownCooldown"},
       "After a change of size, the pool does not shrink for this long; 0 is no pause.", threshold},

      // when the database is gone
      {"breaker", &P::breaker, "", "", "", now, {"circuitBreaker"},
       "Whether callers are refused at once while no connection is left and none can be made."},
      {"breaker_trip_after", &P::breaker_trip_after, "ms", "0", "1h", now, {},
       "The breaker opens after nothing but failed connects for this long; 0 opens it at the first.", breaking},
      {"breaker_probe_interval", &P::breaker_probe_interval, "ms", "10ms", "1h", now, {},
       "While the breaker is open, one connect is tried this often.", breaking},

      // health
      {"health_interval", &P::health_interval, "ms", "0", "1d", now,
       {"healthCheckIntervalMs", "healthCheckInterval", "healthCheckConfig.intervalMs"},
       "The health checks are made this often, and every second while one of them fails; 0 is never."},
      {"health_max_response", &P::health_max_response, "ms", "1ms", "1h", now, {"maxResponseTime"},
       "The performance check fails when statements take this long on average."},
      {"health_max_error_rate", &P::health_max_error_rate, "ratio", "0", "1", now, {"maxErrorRate"},
       "The performance check fails when more than this share of the statements fails."},
      {"health_min_healthy", &P::health_min_healthy, "connections", "0", "10000", now, {"minHealthyConnections"},
       "The connectivity check warns when fewer connections than this are alive; 0 is min_size."},
      {"health_max_utilization", &P::health_max_utilization, "ratio", "0.01", "1", now, {"maxPoolUtilization"},
       "The resources check warns above this share of the memory, descriptors, server sessions, or, while callers wait, "
       "connections."},
      {"recovery", TextMember{&P::recovery, TextRule::recovery_list}, "", "", "1000 bytes", now,
       {"autoRecovery.strategies"},
       "What the pool tries by itself when a health check fails, in this order; empty is nothing."},
      {"recovery_max_attempts", &P::recovery_max_attempts, "attempts", "1", "100", now,
       {"maxRecoveryAttempts", "recoveryAttempts", "autoRecovery.maxRecoveryAttempts"},
       "The pool tries this often to recover from one trouble.", recovering},
      {"emergency", &P::emergency, "", "", "", now, {"emergencyMode.enabled"},
       "Whether the pool makes itself small when its health is very low or most statements fail."},
      {"emergency_below", &P::emergency_below, "points", "0", "80", now, {"emergencyMode.threshold"},
       "Emergency begins when health is below this twice in a row, and ends when it is well above again.",
       in_emergency},
      {"emergency_max_size", &P::emergency_max_size, "connections", "1", "10000", now, {"emergencyMode.maxConnections"},
       "The size of the pool in an emergency, if max_size is not smaller still.", in_emergency},

      // alerts
      {"alerts", &P::alerts, "", "", "", now, {"monitoringConfig.enabled"},
       "Whether the rules of alert_rules are judged at all; off: alerts that fire are resolved."},
      {"alert_utilization", &P::alert_utilization, "ratio", "0.01", "1", now, {"connectionUtilization"},
       "The rule connection_exhaustion: alert when this share of the limit is in use.", alerting},
      {"alert_wait", &P::alert_wait, "ms", "1ms", "1d", now, {"acquisitionWaitTime", "slowQueryThresholdMs"},
       "The rule wait_time: alert when a caller waits this long.", alerting},
      {"alert_error_rate", &P::alert_error_rate, "ratio", "0", "1", now, {"errorRate"},
       "The rule error_rate: alert when more than this share of the statements fails.", alerting},
      {"alert_errors_per_hour", &P::alert_errors_per_hour, "errors", "0", "1000000000", now, {},
       "The rule errors_per_hour: alert when there are more than this many errors in an hour.", alerting},
      {"alert_waiting", &P::alert_waiting, "callers", "0", "1000000", now, {},
       "The rule waiting_count: alert when more than this many callers wait.", alerting},
      {"alert_health_failure_rate", &P::alert_health_failure_rate, "ratio", "0", "1", now, {"healthFailureRate"},
       "The rule health_failures: alert when more than this share of the recent health checks failed.", alerting},
      {"alert_memory", &P::alert_memory, "ratio", "0.01", "1", now, {},
       "The rule memory_pressure: alert when the process uses this share of memory_limit.", alerting},

      // the log
      {"log", choice<&P::log>(kLogLevels), "", "", "", now, {"notify_log", "enableConsoleLogging"},
       "What is also written as lines: alerts; events, so also connects, closes and errors; debug, so also every lease."},
      {"log_format", choice<&P::log_format>(kLogFormats), "", "", "", now, {},
       "How: key=value words, or one JSON object a line.", logging},
      {"log_destination", TextMember{&P::log_destination, TextRule::log_destination}, "", "", "1000 bytes", reopen, {},
       "Where: stderr (the server's log where a database server hosts the pool), syslog, or a file's absolute path.",
       logging},

      // resources
      {"memory_limit", BytesMember{&P::memory_limit}, "bytes", "0", "1024TB", now, {},
       "Near this much memory idle connections are closed; 0 is the limit of the process's cgroup, else the machine's."},

      // PostgreSQL
      {"pooler", choice<&P::pooler>(kPoolers), "", "", "", fresh, {},
       "The pool_mode of a PgBouncer in front of the server; auto finds out whether there is one, and counts it as "
       "transaction.", postgresql},

      // SQLite
      {"sqlite_access", choice<&P::sqlite_access>(kAccesses), "", "", "", reopen, {},
       "read_only (mode=ro in the URL) opens a file that may only be read; immutable, one that nobody changes.",
       sqlite},
      {"sqlite_journal_mode", choice<&P::sqlite_journal_mode>(kJournalModes), "", "", "", fresh, {},
       "PRAGMA journal_mode of each SQLite connection; wal lets readers and one writer work at once.", sqlite},
      {"sqlite_synchronous", choice<&P::sqlite_synchronous>(kSynchronous), "", "", "", fresh, {},
       "PRAGMA synchronous of each SQLite connection; normal is safe with wal.", sqlite},
      {"sqlite_cache_pages", &P::sqlite_cache_pages, "pages", "10", "1000000", fresh, {},
       "PRAGMA cache_size of each SQLite connection.", sqlite},
      {"sqlite_foreign_keys", &P::sqlite_foreign_keys, "", "", "", fresh, {},
       "Whether SQLite enforces foreign keys.", sqlite},
      {"sqlite_temp_store", choice<&P::sqlite_temp_store>(kTempStores), "", "", "", fresh, {},
       "Where SQLite keeps temporary tables and indexes.", sqlite},
      {"sqlite_busy_timeout", &P::sqlite_busy_timeout, "ms", "0", "24h", fresh, {},
       "SQLite waits this long for a lock another process holds; 0 does not wait.", sqlite},
      {"sqlite_max_read_transaction", &P::sqlite_max_read_transaction, "ms", "0", "30d", now, {},
       "A read transaction older than this is ended, since it keeps the WAL from being truncated; 0 is never.", sqlite},
      {"sqlite_wal_limit", BytesMember{&P::sqlite_wal_limit}, "bytes", "0", "1024TB", now, {},
       "A writer cuts a WAL larger than this off, waiting for readers up to 0.1 s; wal_size alerts; 0 is no bound.",
       sqlite},

      // the segment
      {"plane", &P::plane, "", "", "", reopen, {},
       "Whether the pool's live state is published for other processes to read."},
      {"plane_dir", TextMember{&P::plane_dir, TextRule::absolute_path}, "", "", "1000 bytes", reopen, {},
       "The directory of the published state, an absolute path; empty chooses the usual place.", {{"plane", "on"}}},
  };
  // clang-format on
}

}  // namespace

std::span<const CatalogueRow> catalogue_rows() {
  // Never freed: threads may still ask while the process ends.
  static const auto& rows = *new std::vector<CatalogueRow>(make_rows());
  return rows;
}

}  // namespace tide
