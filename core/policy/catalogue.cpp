#include "policy/catalogue.hpp"

#include <array>

namespace tide {
namespace {

using Names = std::string_view;

// In the order of the enum; "" is Preset::none.
constexpr std::array<Names, 11> kPresets = {"",      "development", "staging", "production",      "test",
                                            "local", "serverless",  "web",     "high_throughput", "batch",
                                            "auto"};
constexpr std::array<Names, 4> kLogLevels = {"off", "alerts", "events", "debug"};
constexpr std::array<Names, 2> kLogFormats = {"key_value", "json"};
constexpr std::array<Names, 4> kWebhookFormats = {"alertmanager", "alertmanager_api", "slack", "pagerduty"};
constexpr std::array<Names, 3> kLeaseTimeoutActions = {"report", "cancel", "reclaim"};
constexpr std::array<Names, 3> kInitModes = {"lazy", "eager", "fail_fast"};
constexpr std::array<Names, 4> kResetModes = {"none", "rollback", "smart", "full"};
constexpr std::array<Names, 6> kJournalModes = {"wal", "delete", "truncate", "persist", "memory", "off"};
constexpr std::array<Names, 5> kSynchronous = {"off", "normal", "full", "extra", "group"};
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

// Bounds are written in the format of values; assign_value() parses them. Some are lower than 30 days, because SQLite and
// PostgreSQL store timeouts as 32-bit milliseconds, at most 24.8 days.
std::vector<CatalogueRow> make_rows() {
  using P = Policy;
  constexpr Applies now = Applies::now;
  constexpr Applies fresh = Applies::new_connections;
  constexpr Applies reopen = Applies::reopen;
  using Needs = std::vector<Need>;
  const Need pooling = {"max_size", "0", true};
  const Needs pooled = {pooling};
  const Needs scaled = {pooling, {"scaling", "on"}};
  const Needs adaptive = {pooling, {"scaling", "on"}, {"sizing", "adaptive"}};
  const Needs threshold = {pooling, {"scaling", "on"}, {"sizing", "threshold"}};
  const Needs bursting = {pooling, {"burst", "on"}};
  const Needs breaking = {{"breaker", "on"}};
  const Needs recovering = {{"recovery", "", true}};
  const Needs in_emergency = {{"emergency", "on"}};
  const Needs alerting = {{"alerts", "on"}};
  const Needs caching = {{"query_cache", "on"}};
  const Needs logging = {{"log", "off", true}};
  const Needs notifying = {{"alerts", "on"}, {"notify_webhook_url", "", true}};
  const Needs postgresql = {{"backend", "postgresql"}};
  const Needs sqlite = {{"backend", "sqlite"}};
  const Needs replicated = {{"backend", "postgresql"}, {"replica_url", "", true}};
  // Two or three lines per row.
  // clang-format off
  return {
      {"preset", choice<&P::preset>(kPresets), "", "", "", reopen, {"environment"},
       "Named set of option values, shown in the relation presets. auto selects one from NODE_ENV, APP_ENV or the "
       "platform; empty selects none."},

      // size
      {"min_size", &P::min_size, "connections", "0", "10000", now, {"minConnections", "min", "poolSize"},
       "Minimum number of connections. The default is lowered to max_size if that is smaller."},
      {"max_size", &P::max_size, "connections", "0", "10000", now, {"maxConnections", "max"},
       "Maximum number of connections, except during a burst. 0: no pooling; each lease opens a connection of its own and "
       "closes it, up to 1000 at a time."},
      {"min_idle", &P::min_idle, "connections", "0", "10000", now, {},
       "Minimum number of idle connections while the pool is below max_size."},
      {"grow_step", &P::grow_step, "connections", "1", "1000", now, {"connectionIncrement"},
       "Number of connections that the threshold sizer adds at a time.", threshold},
      {"max_connecting", &P::max_connecting, "connections", "1", "1000", now, {},
       "Maximum number of connections that are opened at the same time."},
      {"burst", &P::burst, "", "", "", now, {"enableBurstMode"},
       "Whether the pool may exceed max_size for a limited time: automatically if burst_max_size is set, otherwise "
       "only on command and up to twice max_size.", pooled},
      {"burst_max_size", &P::burst_max_size, "connections", "0", "20000", now, {},
       "Maximum number of connections during a burst; 0: twice max_size.", bursting},
      {"burst_duration", &P::burst_duration, "ms", "1ms", "1d", now, {},
       "Maximum duration of a burst.", bursting},

      // waiting callers
      {"acquire_timeout", &P::acquire_timeout, "ms", "1ms", "24h", now,
       {"acquireTimeoutMs", "acquireTimeout", "acquireTimeoutMillis"},
       "Maximum time to wait for a connection."},
      {"max_waiting", &P::max_waiting, "waiters", "0", "1000000", now, {},
       "Maximum number of waiting callers; further requests fail at once. 0: no limit."},
      {"reserve_size", &P::reserve_size, "connections", "0", "10000", now, {},
       "Number of connections, of max_size, that only requests of priority critical may take, so that health checks and "
       "admin pages work while others queue."},
      {"fairness_window", &P::fairness_window, "ms", "0", "1min", now, {},
       "When the first caller in the queue has waited this long, the next free connection (for writers of SQLite: the "
       "write lock) goes to it. 0: in order of arrival."},

      // life of a connection
      {"connect_timeout", &P::connect_timeout, "ms", "1ms", "1h", fresh,
       {"connectionTimeoutMs", "connectionTimeoutMillis"},
       "Maximum time to open a connection. It may exceed acquire_timeout, because connections are opened in the "
       "background."},
      {"keepalive", &P::keepalive, "", "", "", fresh, {"keepAlive"},
       "Whether TCP keepalives are sent, so that the loss of a server is noticed on idle connections too.", postgresql},
      {"keepalive_idle", &P::keepalive_idle, "ms", "1s", "1h", fresh, {"keepAliveInitialDelayMillis"},
       "Time without traffic after which a TCP keepalive is sent. The server is considered lost after twice this "
       "time.",
       {{"backend", "postgresql"}, {"keepalive", "on"}}},
      {"idle_timeout", &P::idle_timeout, "ms", "0", "30d", now,
       {"idleTimeoutMs", "idleTimeout", "idleTimeoutMillis", "idleConnectionTimeoutMs"},
       "Idle time after which a connection is closed while the pool is above min_size; 0: never.", pooled},
      {"max_lifetime", &P::max_lifetime, "ms", "0", "30d", fresh, {"maxLifetimeMs", "maxConnectionAge", "maxLifetime"},
       "Age at which a connection is replaced; 0: never."},
      {"lifetime_jitter", &P::lifetime_jitter, "ratio", "0", "0.9", fresh, {},
       "Maximum fraction by which the lifetime of each connection is shortened at random, so that connections do "
       "not all end at the same time.",
       {{"max_lifetime", "0", true}}},
      {"max_uses", &P::max_uses, "uses", "0", "1000000000", now, {"maxUses"},
       "Number of leases after which a connection is replaced; 0: no limit.", pooled},
      {"validation_query", TextMember{&P::validation_query, TextRule::any}, "", "", "1000 bytes", now,
       {"validationQuery"},
       "Statement that checks whether a connection works; empty: the cheapest round trip."},
      {"validation_bypass", &P::validation_bypass, "ms", "0", "30d", now, {},
       "A connection that was used within this time is leased without a check; after a longer time PostgreSQL is "
       "checked before the first statement. 0: always check."},
      {"validation_interval", &P::validation_interval, "ms", "0", "30d", now, {"validationIntervalMs"},
       "Interval at which an idle connection is validated; 0: never.", pooled},
      {"validation_timeout", &P::validation_timeout, "ms", "1ms", "1h", now, {"healthCheckConfig.timeoutMs", "timeoutMs"},
       "Maximum duration of a validation; after it the validation has failed."},
      {"max_validation_failures", &P::max_validation_failures, "failures", "1", "1000", now, {"maxValidationFailures"},
       "Number of consecutive failed validations, of any connections, after which all connections are replaced. "
       "Each failure closes its connection."},
      {"retry_base", &P::retry_base, "ms", "1ms", "1h", now, {"retryDelayMs"},
       "Maximum delay after the first failed connection attempt or transaction (retry_attempts), chosen at random; it "
       "doubles with each further failure."},
      {"retry_max", &P::retry_max, "ms", "1ms", "1d", now, {},
       "Upper limit of the delay between failed connection attempts, and between repetitions (retry_attempts)."},
      {"reset_on_release", choice<&P::reset_on_release>(kResetModes), "", "", "", now, {},
       "What is reset when a connection is returned. smart does not detect session state left by triggers, column "
       "defaults, views and operators; full does."},

      // life of a lease
      {"lease_timeout", &P::lease_timeout, "ms", "0", "30d", now, {"leaseTimeout"},
       "Age at which a lease is overdue; 0: never."},
      {"lease_timeout_action", choice<&P::lease_timeout_action>(kLeaseTimeoutActions), "", "", "", now, {},
       "What happens to an overdue lease: report only reports it, cancel cancels its statement, reclaim takes the "
       "connection back.",
       {{"lease_timeout", "0", true}}},
      {"leak_threshold", &P::leak_threshold, "ms", "0", "30d", now, {},
       "Age at which a lease is marked as a suspected leak; 0: never."},

      // statements
      {"statement_timeout", &P::statement_timeout, "ms", "0", "24d", fresh, {"statementTimeout"},
       "Time after which the database cancels a statement; 0: no limit."},
      {"query_timeout", &P::query_timeout, "ms", "0", "24d", now, {"queryTimeout"},
       "Time after which the pool stops waiting for the result of a query; 0: no limit."},
      {"idle_in_transaction_timeout", &P::idle_in_transaction_timeout, "ms", "0", "24d", fresh, {},
       "Time without a statement after which a transaction is ended; 0: no limit."},
      {"statement_cache_size", &P::statement_cache_size, "statements", "0", "10000", fresh, {},
       "Number of statements that each connection keeps prepared; a statement is prepared at its second use. 0: "
       "off."},
      {"retry_attempts", &P::retry_attempts, "repetitions", "0", "100", now, {"retryAttempts"},
       "Maximum number of repetitions after a serialization failure, a deadlock, or a connection lost before anything "
       "took effect; 0: none."},
      {"commit_check", &P::commit_check, "", "", "", now, {},
       "Whether another connection asks for the outcome of a COMMIT that lost its connection. Costs one more statement "
       "per round trip until the transaction has an id.",
       postgresql},

      // the query cache
      {"query_cache", &P::query_cache, "", "", "", now, {"enableQueryCache"},
       "Whether results are cached for calls that ask for it; off: such calls are executed, and the cache is emptied."},
      {"query_cache_entries", &P::query_cache_entries, "entries", "1", "10000000", now, {"maxCacheSize"},
       "Maximum number of cached results.", caching},
      {"query_cache_bytes", BytesMember{&P::query_cache_bytes}, "bytes", "64kB", "1TB", now, {},
       "Maximum memory of the query cache; a result larger than an eighth of it is not cached.", caching},
      {"query_cache_ttl", &P::query_cache_ttl, "ms", "1ms", "30d", now, {"ttl"},
       "How long a result is cached if the call does not say it.", caching},
      {"query_cache_channel", TextMember{&P::query_cache_channel, TextRule::any}, "", "", "63 bytes", reopen, {},
       "Channel whose notifications (NOTIFY) invalidate cached results: the payload is a key, tag:NAME, or empty for all. "
       "Empty: none.",
       {{"backend", "postgresql"}, {"query_cache", "on"}}},

      // the query log
      {"slow_query_threshold", &P::slow_query_threshold, "ms", "0", "1d", now, {},
       "Duration from which a statement is shown in slow_queries; 0: every statement."},
      {"query_log_size", &P::query_log_size, "records", "0", "16384", reopen, {},
       "Number of slow and failed statements that are kept; 0: no query log."},

      // opening and closing the pool
      {"init_mode", choice<&P::init_mode>(kInitModes), "", "", "", reopen, {},
       "When the first connections are opened: lazy, at the first use; eager, at once in the background; fail_fast, "
       "at once, and opening the pool fails without them."},
      {"init_timeout", &P::init_timeout, "ms", "1ms", "1h", reopen, {},
       "Maximum time to wait for the first connections with init_mode=fail_fast.", {{"init_mode", "fail_fast"}}},
      {"shutdown_timeout", &P::shutdown_timeout, "ms", "0", "24h", now, {"shutdownTimeout"},
       "Maximum time to wait for leases when the pool is closed; 0: do not wait."},

      // automatic size
      {"scaling", &P::scaling, "", "", "", now, {"enableAutoScaling", "adaptiveSizingConfig.enabled"},
       "Whether the size of the pool follows the load. If off, connections are still opened for waiting callers "
       "and closed after idle_timeout.", pooled},
      {"scaling_interval", &P::scaling_interval, "ms", "10ms", "1h", now, {"evaluationIntervalMs"},
       "Interval at which the size is reconsidered.", scaled},
      {"sizing", choice<&P::sizing>(kSizings), "", "", "", now, {},
       "How the size is chosen: adaptive keeps waits within wait_objective, threshold applies scale_up_* and "
       "scale_down_*.", scaled},
      {"wait_objective", &P::wait_objective, "ms", "1ms", "1min", now, {},
       "Maximum wait that the adaptive sizer aims for; wait_objective_share is the fraction of requests that may "
       "wait longer.", adaptive},
      {"wait_objective_share", &P::wait_objective_share, "ratio", "0.0001", "0.5", now, {},
       "Fraction of requests that may wait longer than wait_objective.", adaptive},
      {"prediction", choice<&P::prediction>(kPredictions), "", "", "", now,
       {"prediction.model"},
       "Forecasts that may open connections ahead of the load, when they outperform the no-change forecast.", adaptive},

      // the threshold sizer
      {"scale_up_utilization", &P::scale_up_utilization, "ratio", "0", "1", now,
       {"scaleUpThreshold", "scaleUp.utilization"},
       "Fraction of connections in use at which the pool is too small.", threshold},
      {"scale_up_wait", &P::scale_up_wait, "ms", "0", "1h", now, {"scaleUp.waitTime"},
       "Wait at which the pool is too small; 0: any wait.", threshold},
      {"scale_up_periods", &P::scale_up_periods, "periods", "1", "1000", now, {"scaleUp.consecutivePeriods"},
       "Number of consecutive intervals in which the pool must be too small before it grows.", threshold},
      {"scale_up_cooldown", &P::scale_up_cooldown, "ms", "0", "1d", now, {"scaleUpCooldown"},
       "Minimum time between two increases of the size; 0: none.", threshold},
      {"scale_down_utilization", &P::scale_down_utilization, "ratio", "0", "1", now,
       {"scaleDownThreshold", "scaleDown.utilization"},
       "Fraction of connections in use below which the pool is too large.", threshold},
      {"scale_down_periods", &P::scale_down_periods, "periods", "1", "1000", now, {"scaleDown.consecutivePeriods"},
       "Number of consecutive intervals in which the pool must be too large before it shrinks.", threshold},
      {"scale_down_cooldown", &P::scale_down_cooldown, "ms", "0", "1d", now, {"scaleDownCooldown"},
       "Minimum time between a change of the size and a decrease; 0: none.", threshold},

      // unavailable database
      {"breaker", &P::breaker, "", "", "", now, {"circuitBreaker"},
       "Whether requests fail at once while there is no connection and none can be opened."},
      {"breaker_trip_after", &P::breaker_trip_after, "ms", "0", "1h", now, {},
       "Duration of failed connection attempts, without a success, after which the breaker opens; 0: at the first "
       "failure.", breaking},
      {"breaker_probe_interval", &P::breaker_probe_interval, "ms", "10ms", "1h", now, {},
       "Interval between connection attempts while the breaker is open.", breaking},

      // health
      {"health_interval", &P::health_interval, "ms", "0", "1d", now,
       {"healthCheckIntervalMs", "healthCheckInterval", "healthCheckConfig.intervalMs"},
       "Interval between health checks; while a check fails they run every second. 0: no health checks."},
      {"health_max_response", &P::health_max_response, "ms", "1ms", "1h", now, {"maxResponseTime"},
       "Average statement duration at which the performance check fails."},
      {"health_max_error_rate", &P::health_max_error_rate, "ratio", "0", "1", now, {"maxErrorRate"},
       "Fraction of failed statements above which the performance check fails."},
      {"health_min_healthy", &P::health_min_healthy, "connections", "0", "10000", now, {"minHealthyConnections"},
       "Number of open connections below which the connectivity check warns; 0: min_size."},
      {"health_max_utilization", &P::health_max_utilization, "ratio", "0.01", "1", now, {"maxPoolUtilization"},
       "Fraction in use above which the resources check warns: of memory, of descriptors, of server sessions and, "
       "while callers wait, of connections."},
      {"recovery", TextMember{&P::recovery, TextRule::recovery_list}, "", "", "1000 bytes", now,
       {"autoRecovery.strategies"},
       "What the pool tries when a health check fails, in this order; empty: nothing."},
      {"recovery_max_attempts", &P::recovery_max_attempts, "attempts", "1", "100", now,
       {"maxRecoveryAttempts", "recoveryAttempts", "autoRecovery.maxRecoveryAttempts"},
       "Maximum number of recovery attempts per incident.", recovering},
      {"emergency", &P::emergency, "", "", "", now, {"emergencyMode.enabled"},
       "Whether the pool reduces its size when its health is very low or most statements fail."},
      {"emergency_below", &P::emergency_below, "points", "0", "80", now, {"emergencyMode.threshold"},
       "Health below which an emergency begins, if two consecutive checks find it. The emergency ends when health "
       "is well above this value again.",
       in_emergency},
      {"emergency_max_size", &P::emergency_max_size, "connections", "1", "10000", now, {"emergencyMode.maxConnections"},
       "Maximum number of connections during an emergency; max_size applies if it is smaller.", in_emergency},

      // alerts
      {"alerts", &P::alerts, "", "", "", now, {"monitoringConfig.enabled"},
       "Whether the rules of alert_rules are evaluated. If off, firing alerts are resolved."},
      {"alert_utilization", &P::alert_utilization, "ratio", "0.01", "1", now, {"connectionUtilization"},
       "Threshold of the rule connection_exhaustion: fraction of limit_size in use.", alerting},
      {"alert_wait", &P::alert_wait, "ms", "1ms", "1d", now, {"acquisitionWaitTime", "slowQueryThresholdMs"},
       "Threshold of the rule wait_time: time that a caller waits.", alerting},
      {"alert_error_rate", &P::alert_error_rate, "ratio", "0", "1", now, {"errorRate"},
       "Threshold of the rule error_rate: fraction of failed statements.", alerting},
      {"alert_errors_per_hour", &P::alert_errors_per_hour, "errors", "0", "1000000000", now, {},
       "Threshold of the rule errors_per_hour: number of errors in the last hour.", alerting},
      {"alert_waiting", &P::alert_waiting, "callers", "0", "1000000", now, {},
       "Threshold of the rule waiting_count: number of waiting callers.", alerting},
      {"alert_health_failure_rate", &P::alert_health_failure_rate, "ratio", "0", "1", now, {"healthFailureRate"},
       "Threshold of the rule health_failures: fraction of failed checks among the recent health checks.", alerting},
      {"alert_memory", &P::alert_memory, "ratio", "0.01", "1", now, {},
       "Threshold of the rule memory_pressure: fraction of memory_limit used by the process.", alerting},
      {"alert_slow_ratio", &P::alert_slow_ratio, "ratio", "0", "1", now, {},
       "Threshold of the rule slow_requests: fraction of the requests of the last minute that waited longer than "
       "wait_objective; 0 disables the rule.",
       alerting},

      // the log
      {"log", choice<&P::log>(kLogLevels), "", "", "", now, {"notify_log", "enableConsoleLogging"},
       "What is logged: alerts; events (also connects, closes and errors); debug (also every lease); off: nothing."},
      {"log_format", choice<&P::log_format>(kLogFormats), "", "", "", now, {},
       "Format of the log: key=value words, or one JSON object per line.", logging},
      {"log_destination", TextMember{&P::log_destination, TextRule::log_destination}, "", "", "1000 bytes", reopen, {},
       "Destination of the log: stderr (the server log if a database server hosts the pool), syslog, or the "
       "absolute path of a file.",
       logging},

      // the webhook
      {"notify_webhook_url", TextMember{&P::notify_webhook_url, TextRule::http_url}, "", "", "1000 bytes", reopen, {"webhookUrl"},
       "URL (http or https) to which alerts are sent when they start and end; shown without path, query and user. Empty: "
       "none.", alerting},
      {"notify_webhook_timeout", &P::notify_webhook_timeout, "ms", "100ms", "5min", reopen, {"webhookTimeoutMs"},
       "Maximum duration of one delivery; a failed one is repeated later.", notifying},
      {"notify_webhook_format", choice<&P::notify_webhook_format>(kWebhookFormats), "", "", "", reopen, {},
       "What is sent: the body of Alertmanager's webhook, alerts for Alertmanager's API, a Slack message, or an event of "
       "PagerDuty.", notifying},
      {"notify_webhook_secret", TextMember{&P::notify_webhook_secret, TextRule::secret}, "", "", "1000 bytes", reopen, {},
       "Key with which deliveries are signed (HMAC-SHA256); with pagerduty the routing key. Never shown. Empty: no "
       "signature.", notifying},

      // resources
      {"memory_limit", BytesMember{&P::memory_limit}, "bytes", "0", "1024TB", now, {},
       "Memory limit; idle connections are closed when it is nearly reached. 0: the limit of the process's cgroup, "
       "else the memory of the machine."},

      // PostgreSQL
      {"pooler", choice<&P::pooler>(kPoolers), "", "", "", fresh, {},
       "pool_mode of a PgBouncer in front of the server; auto detects whether there is one, and treats it as "
       "transaction.", postgresql},
      {"replica_url", TextMember{&P::replica_url, TextRule::targets}, "", "", "1000 bytes", reopen, {},
       "Read replicas for read leases and read-only transactions: one or more targets, separated by commas. Empty: none.",
       postgresql},
      {"max_replica_lag", &P::max_replica_lag, "ms", "0", "1d", now, {},
       "A replica that is further behind the primary gets no reads; 0: any lag is accepted.", replicated},
      {"read_your_writes", &P::read_your_writes, "", "", "", now, {},
       "Whether a read waits until its replica has replayed the last commit of this pool.", replicated},

      // SQLite
      {"sqlite_access", choice<&P::sqlite_access>(kAccesses), "", "", "", reopen, {},
       "How the file is opened: read_only (mode=ro in the URL) for a file that must not be written, immutable for "
       "one that no process changes.",
       sqlite},
      {"sqlite_journal_mode", choice<&P::sqlite_journal_mode>(kJournalModes), "", "", "", fresh, {},
       "PRAGMA journal_mode; wal allows readers and one writer at the same time.", sqlite},
      {"sqlite_synchronous", choice<&P::sqlite_synchronous>(kSynchronous), "", "", "", fresh, {},
       "PRAGMA synchronous; normal is safe with wal. group: as full, but with wal sessions share syncs, and see a "
       "commit of another before it is on disk.",
       sqlite},
      {"sqlite_cache_pages", &P::sqlite_cache_pages, "pages", "10", "1000000", fresh, {},
       "PRAGMA cache_size, per connection.", sqlite},
      {"sqlite_foreign_keys", &P::sqlite_foreign_keys, "", "", "", fresh, {},
       "Whether SQLite enforces foreign keys.", sqlite},
      {"sqlite_temp_store", choice<&P::sqlite_temp_store>(kTempStores), "", "", "", fresh, {},
       "Where SQLite stores temporary tables and indexes.", sqlite},
      {"sqlite_busy_timeout", &P::sqlite_busy_timeout, "ms", "0", "24h", fresh, {},
       "Maximum time to wait for a lock held by another process; 0: do not wait.", sqlite},
      {"sqlite_max_read_transaction", &P::sqlite_max_read_transaction, "ms", "0", "30d", now, {},
       "Age at which a read transaction is ended, because it prevents checkpoints from resetting the WAL; 0: "
       "never.", sqlite},
      {"sqlite_wal_limit", BytesMember{&P::sqlite_wal_limit}, "bytes", "0", "1024TB", now, {},
       "Size of the WAL above which the pool truncates it, waiting up to 0.1 s for readers; also the threshold of the rule "
       "wal_size. 0: no limit.",
       sqlite},

      // the segment
      {"publish", &P::publish, "", "", "", reopen, {},
       "Whether the state of the pool is published to other processes."},
      {"dir", TextMember{&P::dir, TextRule::absolute_path}, "", "", "1000 bytes", reopen, {},
       "Directory of the published state, an absolute path; empty: the default directory.", {{"publish", "on"}}},
      {"history_file", TextMember{&P::history_file, TextRule::absolute_path}, "", "", "1000 bytes", reopen, {},
       "File that keeps pool_history over restarts of the host, an absolute path; empty: it is kept while the host runs."},
  };
  // clang-format on
}

}  // namespace

std::span<const CatalogueRow> catalogue_rows() {
  // Never freed, because threads may still use it while the process exits.
  static const auto& rows = *new std::vector<CatalogueRow>(make_rows());
  return rows;
}

}  // namespace tide
