/* tidepool 0.1: the pools of this host as relations, and the commands to them. */
-- The server runs this with search_path = pg_catalog, pg_temp (the control file's schema), so no name here can resolve
-- to another user's object. The schema is created here, not by the control file, so that DROP EXTENSION drops it.

\echo Use "CREATE EXTENSION tidepool" to load this file. \quit

CREATE SCHEMA tidepool;
COMMENT ON SCHEMA tidepool IS 'Connection pools of this host, shown and controlled; see tidepool.help';

CREATE FUNCTION tidepool.version() RETURNS text
  AS 'MODULE_PATHNAME', 'tidepool_version' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION tidepool.version() IS 'Version of the loaded library.';

-- Relations ---------------------------------------------------------------------------------------------------------
-- For each relation, a function that reads the segments of this host, and a view on it. A scan is a snapshot of each
-- pool; two views in one statement are two snapshots. Arguments of the functions restrict what is read:
-- tidepool.read_leases('app'). Without the privileges of pg_read_all_stats, targets, users, tags and messages are
-- masked.

-- begin of the relations, which generate.py prints from the library's catalogue
CREATE FUNCTION tidepool.read_pools(only_pool text DEFAULT NULL, only_instance text DEFAULT NULL)
  RETURNS TABLE (
    instance_id text, pool text, source text, app text, host text, pid integer, backend text, target text,
    db_user text, state text, size bigint, idle bigint, in_use bigint, connecting bigint, validating bigint,
    waiting bigint, oldest_wait_ms double precision, min_size bigint, max_size bigint, target_size bigint,
    limit_size bigint, size_source text, burst_until timestamptz, utilization double precision, health bigint,
    generation bigint, started_at timestamptz, sampled_at timestamptz, age_ms double precision, version text,
    breaker text, breaker_probe_at timestamptz, pooler text)
  AS 'MODULE_PATHNAME', 'tidepool_read' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.read_pools(text, text) IS
  'The rows of the view pools; arguments narrow them to one pool or instance.';
CREATE VIEW tidepool.pools AS SELECT * FROM tidepool.read_pools();
COMMENT ON VIEW tidepool.pools IS 'One row for each pool of each process.';
COMMENT ON COLUMN tidepool.pools.instance_id IS 'Identifier of the pool''s instance: 32 hexadecimal digits, never reused.';
COMMENT ON COLUMN tidepool.pools.pool IS 'The pool''s name.';
COMMENT ON COLUMN tidepool.pools.source IS 'segment: a pool of an application; hosted: a pool of the PostgreSQL worker.';
COMMENT ON COLUMN tidepool.pools.app IS 'Name of the application that owns the pool.';
COMMENT ON COLUMN tidepool.pools.host IS 'Host the owner runs on.';
COMMENT ON COLUMN tidepool.pools.pid IS 'The owner''s process id.';
COMMENT ON COLUMN tidepool.pools.backend IS 'The kind of database: postgresql, sqlite or custom.';
COMMENT ON COLUMN tidepool.pools.target IS 'The database the pool connects to, without credentials. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.pools.db_user IS 'The user the pool connects as. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.pools.state IS 'starting, running, paused, draining, degraded, emergency or closed; stale if the owner has stopped updating, dead if its process has exited.';
COMMENT ON COLUMN tidepool.pools.size IS 'Open connections: idle + in_use + connecting + validating; without the one for notifications. [connections]';
COMMENT ON COLUMN tidepool.pools.idle IS 'Connections available for leasing. [connections]';
COMMENT ON COLUMN tidepool.pools.in_use IS 'Connections that are leased. [connections]';
COMMENT ON COLUMN tidepool.pools.connecting IS 'Connections being opened. [connections]';
COMMENT ON COLUMN tidepool.pools.validating IS 'Connections being validated or reset. [connections]';
COMMENT ON COLUMN tidepool.pools.waiting IS 'Callers waiting for a connection. [callers]';
COMMENT ON COLUMN tidepool.pools.oldest_wait_ms IS 'How long the first caller in the queue has waited; 0 if the queue is empty. [ms]';
COMMENT ON COLUMN tidepool.pools.min_size IS 'Minimum number of connections. [connections]';
COMMENT ON COLUMN tidepool.pools.max_size IS 'Maximum number of connections, except during a burst. [connections]';
COMMENT ON COLUMN tidepool.pools.target_size IS 'Desired number of connections. Set it to pin the size; set NULL for automatic sizing. [connections]';
COMMENT ON COLUMN tidepool.pools.limit_size IS 'Effective limit: the pool never has more connections. [connections]';
COMMENT ON COLUMN tidepool.pools.size_source IS 'The rule that set the size: config, autoscale, predicted, manual, burst, emergency or budget.';
COMMENT ON COLUMN tidepool.pools.burst_until IS 'When the burst ends; null without a burst.';
COMMENT ON COLUMN tidepool.pools.utilization IS 'in_use / limit_size. [ratio]';
COMMENT ON COLUMN tidepool.pools.health IS 'Health from 0 (worst) to 100 (best); null before the first check.';
COMMENT ON COLUMN tidepool.pools.generation IS 'Incremented by every applied command.';
COMMENT ON COLUMN tidepool.pools.started_at IS 'When the pool was opened.';
COMMENT ON COLUMN tidepool.pools.sampled_at IS 'When this row was read.';
COMMENT ON COLUMN tidepool.pools.age_ms IS 'Time since the owner''s last update; connection counts are always current. [ms]';
COMMENT ON COLUMN tidepool.pools.version IS 'The owner''s version of tidepool.';
COMMENT ON COLUMN tidepool.pools.breaker IS 'Circuit breaker: off, closed, open or half_open; while it is open, requests are refused immediately.';
COMMENT ON COLUMN tidepool.pools.breaker_probe_at IS 'When the next connection attempt is made; null unless the breaker is open.';
COMMENT ON COLUMN tidepool.pools.pooler IS 'Connection pooler between the pool and the server: none, session or transaction; null if unknown.';

CREATE FUNCTION tidepool.read_pool_stats(only_pool text DEFAULT NULL, only_instance text DEFAULT NULL)
  RETURNS TABLE (
    instance_id text, pool text, acquires_total bigint, acquires_waited_total bigint, acquire_timeouts_total bigint,
    acquire_rejected_total bigint, releases_total bigint, connects_total bigint, connect_failures_total bigint,
    closed_idle_total bigint, closed_lifetime_total bigint, closed_uses_total bigint, closed_error_total bigint,
    closed_scale_total bigint, closed_control_total bigint, leases_overdue_total bigint,
    leases_reclaimed_total bigint, validations_total bigint, validation_failures_total bigint, queries_total bigint,
    query_errors_total bigint, transactions_total bigint, retries_total bigint, statement_cache_hits_total bigint,
    statement_cache_misses_total bigint, query_cache_hits_total bigint, query_cache_misses_total bigint,
    scale_up_total bigint, scale_down_total bigint, recoveries_total bigint, wait_ms_total double precision,
    use_ms_total double precision, connect_ms_total double precision, query_ms_total double precision,
    wait_p50_ms double precision, wait_p95_ms double precision, wait_p99_ms double precision,
    wait_max_ms double precision, use_p50_ms double precision, use_p99_ms double precision,
    query_p50_ms double precision, query_p99_ms double precision, size_peak bigint, in_use_peak bigint,
    waiting_peak bigint, memory_bytes bigint, last_error text, last_error_at timestamptz, stats_reset timestamptz,
    waits_over_objective_total bigint, alerts_fired_total bigint, overloads_total bigint, bursts_total bigint,
    efficiency double precision, slow_share double precision, prediction_accuracy double precision, wal_bytes bigint,
    emergencies_total bigint, recovery_attempts_total bigint, health_checks_total bigint,
    health_check_failures_total bigint, query_faults_total bigint, closed_total bigint,
    lived_ms_total double precision, leases_cancelled_total bigint, statement_cache_evictions_total bigint,
    statement_cache_bytes bigint, acquire_cancelled_total bigint, query_cache_entries bigint,
    query_cache_bytes bigint, checkpoints_total bigint, checkpoint_failures_total bigint,
    query_log_lost_total bigint, query_cache_shared_total bigint, query_cache_stale_total bigint,
    query_cache_evictions_total bigint, query_cache_invalidations_total bigint, query_cache_refused_total bigint,
    result_bytes_total bigint, retries_helped_total bigint, notifications_sent_total bigint,
    notification_failures_total bigint, notifications_dropped_total bigint, server_sessions bigint,
    server_sessions_max bigint, notifications_queued bigint, notified_at timestamptz, notification_error text)
  AS 'MODULE_PATHNAME', 'tidepool_read' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.read_pool_stats(text, text) IS
  'The rows of the view pool_stats; arguments narrow them to one pool or instance.';
CREATE VIEW tidepool.pool_stats AS SELECT * FROM tidepool.read_pool_stats();
COMMENT ON VIEW tidepool.pool_stats IS 'One row for each pool: counters, times, percentiles and peaks.';
COMMENT ON COLUMN tidepool.pool_stats.instance_id IS 'Identifier of the pool''s instance: 32 hexadecimal digits, never reused.';
COMMENT ON COLUMN tidepool.pool_stats.pool IS 'The pool''s name.';
COMMENT ON COLUMN tidepool.pool_stats.acquires_total IS 'Leases granted. [leases]';
COMMENT ON COLUMN tidepool.pool_stats.acquires_waited_total IS 'Leases whose callers had to wait. [leases]';
COMMENT ON COLUMN tidepool.pool_stats.acquire_timeouts_total IS 'Requests that timed out. [callers]';
COMMENT ON COLUMN tidepool.pool_stats.acquire_rejected_total IS 'Requests rejected because the queue was full, or because the pool closed or lost its database while they waited. Requests refused immediately, by an open breaker or a closed pool, are not counted. [callers]';
COMMENT ON COLUMN tidepool.pool_stats.releases_total IS 'Leases that ended. [leases]';
COMMENT ON COLUMN tidepool.pool_stats.connects_total IS 'Connections opened. [connections]';
COMMENT ON COLUMN tidepool.pool_stats.connect_failures_total IS 'Failed attempts to open a connection. [connections]';
COMMENT ON COLUMN tidepool.pool_stats.closed_idle_total IS 'Connections closed by idle_timeout. [connections]';
COMMENT ON COLUMN tidepool.pool_stats.closed_lifetime_total IS 'Connections closed by max_lifetime. [connections]';
COMMENT ON COLUMN tidepool.pool_stats.closed_uses_total IS 'Connections closed by max_uses, or because a lease left session state that cannot be reset. [connections]';
COMMENT ON COLUMN tidepool.pool_stats.closed_error_total IS 'Connections that were lost or failed validation. [connections]';
COMMENT ON COLUMN tidepool.pool_stats.closed_scale_total IS 'Connections closed because the pool shrank. [connections]';
COMMENT ON COLUMN tidepool.pool_stats.closed_control_total IS 'Connections closed by a command. [connections]';
COMMENT ON COLUMN tidepool.pool_stats.leases_overdue_total IS 'Leases held longer than lease_timeout. [leases]';
COMMENT ON COLUMN tidepool.pool_stats.leases_reclaimed_total IS 'Leases revoked from their holder. [leases]';
COMMENT ON COLUMN tidepool.pool_stats.validations_total IS 'Validations of idle connections. [connections]';
COMMENT ON COLUMN tidepool.pool_stats.validation_failures_total IS 'Validations that failed. [connections]';
COMMENT ON COLUMN tidepool.pool_stats.queries_total IS 'Queries sent through the pool. [queries]';
COMMENT ON COLUMN tidepool.pool_stats.query_errors_total IS 'Queries that failed. [queries]';
COMMENT ON COLUMN tidepool.pool_stats.transactions_total IS 'Transactions that were begun through the pool and have ended, whatever their outcome; those that a program begins with a statement of its own are not counted. [transactions]';
COMMENT ON COLUMN tidepool.pool_stats.retries_total IS 'Repetitions of transactions and statements (retry_attempts).';
COMMENT ON COLUMN tidepool.pool_stats.statement_cache_hits_total IS 'Queries whose statement was already prepared. [queries]';
COMMENT ON COLUMN tidepool.pool_stats.statement_cache_misses_total IS 'Queries whose statement had to be parsed. [queries]';
COMMENT ON COLUMN tidepool.pool_stats.query_cache_hits_total IS 'Queries answered from the query cache. [queries]';
COMMENT ON COLUMN tidepool.pool_stats.query_cache_misses_total IS 'Queries that asked for the query cache and were executed. [queries]';
COMMENT ON COLUMN tidepool.pool_stats.scale_up_total IS 'Times the pool grew.';
COMMENT ON COLUMN tidepool.pool_stats.scale_down_total IS 'Times the pool shrank.';
COMMENT ON COLUMN tidepool.pool_stats.recoveries_total IS 'Recovery attempts after a failed health check that succeeded.';
COMMENT ON COLUMN tidepool.pool_stats.wait_ms_total IS 'Total time callers waited, including requests that failed. [ms]';
COMMENT ON COLUMN tidepool.pool_stats.use_ms_total IS 'Total time ended leases were held. [ms]';
COMMENT ON COLUMN tidepool.pool_stats.connect_ms_total IS 'Total time spent opening connections. [ms]';
COMMENT ON COLUMN tidepool.pool_stats.query_ms_total IS 'Total time spent in queries. [ms]';
COMMENT ON COLUMN tidepool.pool_stats.wait_p50_ms IS 'Median wait of the last minute. [ms]';
COMMENT ON COLUMN tidepool.pool_stats.wait_p95_ms IS '95th percentile of the waits of the last minute. [ms]';
COMMENT ON COLUMN tidepool.pool_stats.wait_p99_ms IS '99th percentile of the waits of the last minute. [ms]';
COMMENT ON COLUMN tidepool.pool_stats.wait_max_ms IS 'Longest wait of the last minute, rounded up to a bound of pool_histograms. [ms]';
COMMENT ON COLUMN tidepool.pool_stats.use_p50_ms IS 'Median duration of the leases that ended in the last minute. [ms]';
COMMENT ON COLUMN tidepool.pool_stats.use_p99_ms IS '99th percentile of the leases that ended in the last minute. [ms]';
COMMENT ON COLUMN tidepool.pool_stats.query_p50_ms IS 'Median duration of the queries of the last minute. [ms]';
COMMENT ON COLUMN tidepool.pool_stats.query_p99_ms IS '99th percentile of the queries of the last minute. [ms]';
COMMENT ON COLUMN tidepool.pool_stats.size_peak IS 'Open connections, maximum. [connections]';
COMMENT ON COLUMN tidepool.pool_stats.in_use_peak IS 'Leased connections, maximum. [connections]';
COMMENT ON COLUMN tidepool.pool_stats.waiting_peak IS 'Waiting callers, maximum. [callers]';
COMMENT ON COLUMN tidepool.pool_stats.memory_bytes IS 'Memory allocated by the driver''s library in this process (SQLite); null where it is not measured. [bytes]';
COMMENT ON COLUMN tidepool.pool_stats.last_error IS 'Last error of a statement or connection; null if there was none. Not cleared by reset_stats. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.pool_stats.last_error_at IS 'When the last error occurred.';
COMMENT ON COLUMN tidepool.pool_stats.stats_reset IS 'When the statistics were last reset; null if never.';
COMMENT ON COLUMN tidepool.pool_stats.waits_over_objective_total IS 'Leases whose callers had waited longer than wait_objective. [leases]';
COMMENT ON COLUMN tidepool.pool_stats.alerts_fired_total IS 'Alerts that started firing. [alerts]';
COMMENT ON COLUMN tidepool.pool_stats.overloads_total IS 'Times overload was detected: more connections made the database slower.';
COMMENT ON COLUMN tidepool.pool_stats.bursts_total IS 'Bursts started, by command or because callers waited at max_size.';
COMMENT ON COLUMN tidepool.pool_stats.efficiency IS 'Recent time connections were in use / time they were open. [ratio]';
COMMENT ON COLUMN tidepool.pool_stats.slow_share IS 'Recent requests that waited longer than wait_objective / all recent requests. [ratio]';
COMMENT ON COLUMN tidepool.pool_stats.prediction_accuracy IS '1 is a perfect forecast 10 s ahead; null without forecasts. [ratio]';
COMMENT ON COLUMN tidepool.pool_stats.wal_bytes IS 'The size of the database''s write-ahead log (SQLite); null where there is none. [bytes]';
COMMENT ON COLUMN tidepool.pool_stats.emergencies_total IS 'Emergencies: times the pool reduced its size to emergency_max_size.';
COMMENT ON COLUMN tidepool.pool_stats.recovery_attempts_total IS 'Recovery attempts after a failed health check; recoveries_total counts those that succeeded.';
COMMENT ON COLUMN tidepool.pool_stats.health_checks_total IS 'Health evaluations; each runs all checks.';
COMMENT ON COLUMN tidepool.pool_stats.health_check_failures_total IS 'Health evaluations in which a check failed.';
COMMENT ON COLUMN tidepool.pool_stats.query_faults_total IS 'Failed queries that count for health and alerts: without those ended by a constraint, a conflict, RAISE, or the application. [queries]';
COMMENT ON COLUMN tidepool.pool_stats.closed_total IS 'Connections closed, for any reason. [connections]';
COMMENT ON COLUMN tidepool.pool_stats.lived_ms_total IS 'Total lifetime of closed connections; divided by closed_total it is their average lifetime. [ms]';
COMMENT ON COLUMN tidepool.pool_stats.leases_cancelled_total IS 'Overdue leases whose statement was cancelled (lease_timeout_action cancel). [leases]';
COMMENT ON COLUMN tidepool.pool_stats.statement_cache_evictions_total IS 'Prepared statements that were closed because others were used more recently (statement_cache_size). [statements]';
COMMENT ON COLUMN tidepool.pool_stats.statement_cache_bytes IS 'Estimated memory of the prepared statements of all connections. [bytes]';
COMMENT ON COLUMN tidepool.pool_stats.acquire_cancelled_total IS 'Requests that left the queue because their cancel token was tripped. [callers]';
COMMENT ON COLUMN tidepool.pool_stats.query_cache_entries IS 'Results in the query cache. [entries]';
COMMENT ON COLUMN tidepool.pool_stats.query_cache_bytes IS 'Memory of the results in the query cache. [bytes]';
COMMENT ON COLUMN tidepool.pool_stats.checkpoints_total IS 'Checkpoints of the WAL that the pool made (SQLite).';
COMMENT ON COLUMN tidepool.pool_stats.checkpoint_failures_total IS 'Checkpoints that failed, or could not finish because of readers (SQLite).';
COMMENT ON COLUMN tidepool.pool_stats.query_log_lost_total IS 'Queries that are missing in the query log because it was full. [queries]';
COMMENT ON COLUMN tidepool.pool_stats.query_cache_shared_total IS 'Queries that waited for the same query of another caller and got its result. [queries]';
COMMENT ON COLUMN tidepool.pool_stats.query_cache_stale_total IS 'Queries answered with an expired result, while one caller renews it. [queries]';
COMMENT ON COLUMN tidepool.pool_stats.query_cache_evictions_total IS 'Cached results that were removed to make room. [entries]';
COMMENT ON COLUMN tidepool.pool_stats.query_cache_invalidations_total IS 'Cached results that were removed because of a change, a command or a notification. [entries]';
COMMENT ON COLUMN tidepool.pool_stats.query_cache_refused_total IS 'Results that were not cached: too large, or of a volatile statement. [queries]';
COMMENT ON COLUMN tidepool.pool_stats.result_bytes_total IS 'Bytes of the results of queries. [bytes]';
COMMENT ON COLUMN tidepool.pool_stats.retries_helped_total IS 'Transactions and statements that succeeded after a repetition.';
COMMENT ON COLUMN tidepool.pool_stats.notifications_sent_total IS 'Alerts delivered to notify_webhook_url. [notifications]';
COMMENT ON COLUMN tidepool.pool_stats.notification_failures_total IS 'Attempts to deliver to notify_webhook_url that failed; they are repeated.';
COMMENT ON COLUMN tidepool.pool_stats.notifications_dropped_total IS 'Alerts that were not delivered to notify_webhook_url: the queue was full, the receiver refused them, or they became too old. [notifications]';
COMMENT ON COLUMN tidepool.pool_stats.server_sessions IS 'Sessions of all clients at the server (PostgreSQL); null where it is not measured. [sessions]';
COMMENT ON COLUMN tidepool.pool_stats.server_sessions_max IS 'Highest number of sessions that the server accepts from clients (PostgreSQL); null where it is not measured. [sessions]';
COMMENT ON COLUMN tidepool.pool_stats.notifications_queued IS 'Alerts that wait for their delivery to notify_webhook_url. [notifications]';
COMMENT ON COLUMN tidepool.pool_stats.notified_at IS 'When alerts were last delivered to notify_webhook_url; null if never.';
COMMENT ON COLUMN tidepool.pool_stats.notification_error IS 'Last failed delivery to notify_webhook_url; null if there was none. Not cleared by reset_stats. Masked without pg_read_all_stats.';

CREATE FUNCTION tidepool.read_pool_histograms(only_pool text DEFAULT NULL, only_instance text DEFAULT NULL)
  RETURNS TABLE (
    instance_id text, pool text, metric text, le_ms double precision, "count" bigint, sum_ms double precision)
  AS 'MODULE_PATHNAME', 'tidepool_read' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.read_pool_histograms(text, text) IS
  'The rows of the view pool_histograms; arguments narrow them to one pool or instance.';
CREATE VIEW tidepool.pool_histograms AS SELECT * FROM tidepool.read_pool_histograms();
COMMENT ON VIEW tidepool.pool_histograms IS 'Histograms of durations, with the same fixed buckets in every pool.';
COMMENT ON COLUMN tidepool.pool_histograms.instance_id IS 'Identifier of the pool''s instance: 32 hexadecimal digits, never reused.';
COMMENT ON COLUMN tidepool.pool_histograms.pool IS 'The pool''s name.';
COMMENT ON COLUMN tidepool.pool_histograms.metric IS 'The duration: wait, use, connect or query.';
COMMENT ON COLUMN tidepool.pool_histograms.le_ms IS 'Upper bound of the bucket; null is infinity. [ms]';
COMMENT ON COLUMN tidepool.pool_histograms."count" IS 'Number of durations up to le_ms (cumulative).';
COMMENT ON COLUMN tidepool.pool_histograms.sum_ms IS 'Sum of all durations of the histogram; the same in all its rows. [ms]';

CREATE FUNCTION tidepool.read_pool_history(only_pool text DEFAULT NULL, only_instance text DEFAULT NULL)
  RETURNS TABLE (
    instance_id text, pool text, "at" timestamptz, resolution_ms double precision, size bigint,
    in_use_avg double precision, in_use_max bigint, waiting_max bigint, limit_size bigint, acquires bigint,
    timeouts bigint, errors bigint, wait_p99_ms double precision, use_ms double precision,
    predicted_in_use double precision, health bigint, measured_by text, queries bigint, query_errors bigint,
    faults bigint, query_ms double precision, query_p99_ms double precision, connects bigint,
    connect_failures bigint, query_cache_hits bigint, query_cache_misses bigint, result_bytes bigint,
    wait_ms double precision, waited bigint, replica_lag_ms double precision, covers_ms double precision)
  AS 'MODULE_PATHNAME', 'tidepool_read' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.read_pool_history(text, text) IS
  'The rows of the view pool_history; arguments narrow them to one pool or instance.';
CREATE VIEW tidepool.pool_history AS SELECT * FROM tidepool.read_pool_history();
COMMENT ON VIEW tidepool.pool_history IS 'Load and health of each pool by second, minute and hour.';
COMMENT ON COLUMN tidepool.pool_history.instance_id IS 'Identifier of the pool''s instance: 32 hexadecimal digits, never reused.';
COMMENT ON COLUMN tidepool.pool_history.pool IS 'The pool''s name.';
COMMENT ON COLUMN tidepool.pool_history."at" IS 'The end of the interval: of whole minutes and hours the full minute or hour.';
COMMENT ON COLUMN tidepool.pool_history.resolution_ms IS 'The usual length of the interval: a second, a minute or an hour; see covers_ms. [ms]';
COMMENT ON COLUMN tidepool.pool_history.size IS 'Connections at the end of the interval. [connections]';
COMMENT ON COLUMN tidepool.pool_history.in_use_avg IS 'Leased connections, average. [connections]';
COMMENT ON COLUMN tidepool.pool_history.in_use_max IS 'Leased connections, maximum. [connections]';
COMMENT ON COLUMN tidepool.pool_history.waiting_max IS 'Waiting callers, maximum. [callers]';
COMMENT ON COLUMN tidepool.pool_history.limit_size IS 'Effective limit at the end of the interval. [connections]';
COMMENT ON COLUMN tidepool.pool_history.acquires IS 'Leases granted in the interval. [leases]';
COMMENT ON COLUMN tidepool.pool_history.timeouts IS 'Requests that timed out in the interval. [callers]';
COMMENT ON COLUMN tidepool.pool_history.errors IS 'Failed queries and failed connection attempts in the interval.';
COMMENT ON COLUMN tidepool.pool_history.wait_p99_ms IS '99th percentile of the waits; null if no lease was granted. [ms]';
COMMENT ON COLUMN tidepool.pool_history.use_ms IS 'Total time the leases that ended in the interval were held. [ms]';
COMMENT ON COLUMN tidepool.pool_history.predicted_in_use IS 'Leased connections, as forecast; null without a forecast. [connections]';
COMMENT ON COLUMN tidepool.pool_history.health IS 'Health from 0 (worst) to 100 (best); null before the first check.';
COMMENT ON COLUMN tidepool.pool_history.measured_by IS 'The instance that measured it: a pool takes over the history of earlier ones.';
COMMENT ON COLUMN tidepool.pool_history.queries IS 'Queries that ended in the interval. [queries]';
COMMENT ON COLUMN tidepool.pool_history.query_errors IS 'Queries that failed in the interval. [queries]';
COMMENT ON COLUMN tidepool.pool_history.faults IS 'Failed queries that count for health and alerts. [queries]';
COMMENT ON COLUMN tidepool.pool_history.query_ms IS 'Total duration of the queries. [ms]';
COMMENT ON COLUMN tidepool.pool_history.query_p99_ms IS '99th percentile of the durations of queries; null if there was none. [ms]';
COMMENT ON COLUMN tidepool.pool_history.connects IS 'Connections opened in the interval. [connections]';
COMMENT ON COLUMN tidepool.pool_history.connect_failures IS 'Failed connection attempts in the interval.';
COMMENT ON COLUMN tidepool.pool_history.query_cache_hits IS 'Queries answered by the query cache. [queries]';
COMMENT ON COLUMN tidepool.pool_history.query_cache_misses IS 'Queries that the query cache could not answer. [queries]';
COMMENT ON COLUMN tidepool.pool_history.result_bytes IS 'Bytes of the results of queries. [bytes]';
COMMENT ON COLUMN tidepool.pool_history.wait_ms IS 'Total wait of leases, and of requests that failed. [ms]';
COMMENT ON COLUMN tidepool.pool_history.waited IS 'Leases whose callers had to wait. [leases]';
COMMENT ON COLUMN tidepool.pool_history.replica_lag_ms IS 'Highest lag of the replica; null if unknown, or not a replica. [ms]';
COMMENT ON COLUMN tidepool.pool_history.covers_ms IS 'The time that was measured: longer than resolution_ms if the process was held up, shorter at the begin and the end of an instance. Rates are relative to it. [ms]';

CREATE FUNCTION tidepool.read_connections(only_pool text DEFAULT NULL, only_instance text DEFAULT NULL)
  RETURNS TABLE (
    instance_id text, pool text, conn_id bigint, state text, server_pid integer, tag text, created_at timestamptz,
    state_since timestamptz, expires_at timestamptz, uses_total bigint, queries_total bigint, in_transaction boolean,
    last_error text, suspect_leak boolean, statements bigint)
  AS 'MODULE_PATHNAME', 'tidepool_read' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.read_connections(text, text) IS
  'The rows of the view connections; arguments narrow them to one pool or instance.';
CREATE VIEW tidepool.connections AS SELECT * FROM tidepool.read_connections();
COMMENT ON VIEW tidepool.connections IS 'One row for each connection.';
COMMENT ON COLUMN tidepool.connections.instance_id IS 'Identifier of the pool''s instance: 32 hexadecimal digits, never reused.';
COMMENT ON COLUMN tidepool.connections.pool IS 'The pool''s name.';
COMMENT ON COLUMN tidepool.connections.conn_id IS 'Identifier of the connection, never reused in this instance.';
COMMENT ON COLUMN tidepool.connections.state IS 'connecting, idle, in_use, validating or closing; listening: the connection for notifications, which is not counted in pools.size.';
COMMENT ON COLUMN tidepool.connections.server_pid IS 'Process id of the server session; null where the database has none.';
COMMENT ON COLUMN tidepool.connections.tag IS 'Tag of the current lease; of the connection for notifications its number of channels. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.connections.created_at IS 'When the connection was opened.';
COMMENT ON COLUMN tidepool.connections.state_since IS 'When the connection entered this state.';
COMMENT ON COLUMN tidepool.connections.expires_at IS 'When the connection reaches max_lifetime; null is never.';
COMMENT ON COLUMN tidepool.connections.uses_total IS 'Times the connection was leased. [leases]';
COMMENT ON COLUMN tidepool.connections.queries_total IS 'Queries executed on the connection. [queries]';
COMMENT ON COLUMN tidepool.connections.in_transaction IS 'Whether a transaction is open on it.';
COMMENT ON COLUMN tidepool.connections.last_error IS 'Last error of the connection; null if there was none. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.connections.suspect_leak IS 'True if the lease is held longer than leak_threshold.';
COMMENT ON COLUMN tidepool.connections.statements IS 'Prepared statements that the connection keeps (statement_cache_size). [statements]';

CREATE FUNCTION tidepool.read_leases(only_pool text DEFAULT NULL, only_instance text DEFAULT NULL)
  RETURNS TABLE (
    instance_id text, pool text, lease_id bigint, conn_id bigint, tag text, thread_id bigint,
    acquired_at timestamptz, last_used_at timestamptz, age_ms double precision, idle_ms double precision,
    deadline timestamptz, overdue boolean)
  AS 'MODULE_PATHNAME', 'tidepool_read' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.read_leases(text, text) IS
  'The rows of the view leases; arguments narrow them to one pool or instance.';
CREATE VIEW tidepool.leases AS SELECT * FROM tidepool.read_leases();
COMMENT ON VIEW tidepool.leases IS 'One row for each leased connection.';
COMMENT ON COLUMN tidepool.leases.instance_id IS 'Identifier of the pool''s instance: 32 hexadecimal digits, never reused.';
COMMENT ON COLUMN tidepool.leases.pool IS 'The pool''s name.';
COMMENT ON COLUMN tidepool.leases.lease_id IS 'Identifier of the lease, never reused in this instance.';
COMMENT ON COLUMN tidepool.leases.conn_id IS 'The leased connection.';
COMMENT ON COLUMN tidepool.leases.tag IS 'Tag given by the holder. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.leases.thread_id IS 'Thread that acquired the lease (kernel thread id).';
COMMENT ON COLUMN tidepool.leases.acquired_at IS 'When the lease was acquired.';
COMMENT ON COLUMN tidepool.leases.last_used_at IS 'When the lease was last used.';
COMMENT ON COLUMN tidepool.leases.age_ms IS 'How long the lease has been held. [ms]';
COMMENT ON COLUMN tidepool.leases.idle_ms IS 'Time since the lease was last used. [ms]';
COMMENT ON COLUMN tidepool.leases.deadline IS 'When the lease becomes overdue; null is never.';
COMMENT ON COLUMN tidepool.leases.overdue IS 'True if the lease is held longer than lease_timeout.';

CREATE FUNCTION tidepool.read_waiters(only_pool text DEFAULT NULL, only_instance text DEFAULT NULL)
  RETURNS TABLE (
    instance_id text, pool text, ticket bigint, tag text, queued_at timestamptz, waited_ms double precision,
    deadline timestamptz, priority text)
  AS 'MODULE_PATHNAME', 'tidepool_read' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.read_waiters(text, text) IS
  'The rows of the view waiters; arguments narrow them to one pool or instance.';
CREATE VIEW tidepool.waiters AS SELECT * FROM tidepool.read_waiters();
COMMENT ON VIEW tidepool.waiters IS 'One row for each caller that waits for a connection.';
COMMENT ON COLUMN tidepool.waiters.instance_id IS 'Identifier of the pool''s instance: 32 hexadecimal digits, never reused.';
COMMENT ON COLUMN tidepool.waiters.pool IS 'The pool''s name.';
COMMENT ON COLUMN tidepool.waiters.ticket IS 'Number of the request: of one priority, lower ones are served first.';
COMMENT ON COLUMN tidepool.waiters.tag IS 'Tag given by the caller. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.waiters.queued_at IS 'When the request was queued.';
COMMENT ON COLUMN tidepool.waiters.waited_ms IS 'How long the caller has waited. [ms]';
COMMENT ON COLUMN tidepool.waiters.deadline IS 'When the request times out; null is never.';
COMMENT ON COLUMN tidepool.waiters.priority IS 'normal or critical; critical requests are served first, and may take the connections of reserve_size.';

CREATE FUNCTION tidepool.read_events(only_pool text DEFAULT NULL, only_instance text DEFAULT NULL)
  RETURNS TABLE (
    instance_id text, pool text, seq bigint, "at" timestamptz, kind text, severity text, message text, detail jsonb)
  AS 'MODULE_PATHNAME', 'tidepool_read' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.read_events(text, text) IS
  'The rows of the view events; arguments narrow them to one pool or instance.';
CREATE VIEW tidepool.events AS SELECT * FROM tidepool.read_events();
COMMENT ON VIEW tidepool.events IS 'Events of each pool, oldest first.';
COMMENT ON COLUMN tidepool.events.instance_id IS 'Identifier of the pool''s instance: 32 hexadecimal digits, never reused.';
COMMENT ON COLUMN tidepool.events.pool IS 'The pool''s name.';
COMMENT ON COLUMN tidepool.events.seq IS 'Number of the event, from 1; missing numbers have been overwritten.';
COMMENT ON COLUMN tidepool.events."at" IS 'When it happened.';
COMMENT ON COLUMN tidepool.events.kind IS 'Kind of event.';
COMMENT ON COLUMN tidepool.events.severity IS 'info, warning or critical.';
COMMENT ON COLUMN tidepool.events.message IS 'Description of the event. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.events.detail IS 'Figures and names as a JSON object; null if there are none. Masked without pg_read_all_stats.';

CREATE FUNCTION tidepool.read_scaling_events(only_pool text DEFAULT NULL, only_instance text DEFAULT NULL)
  RETURNS TABLE (
    instance_id text, pool text, seq bigint, "at" timestamptz, from_size bigint, to_size bigint, cause text,
    reason text, in_use bigint, waiting bigint, wait_p95_ms double precision, predicted_in_use double precision,
    actor text)
  AS 'MODULE_PATHNAME', 'tidepool_read' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.read_scaling_events(text, text) IS
  'The rows of the view scaling_events; arguments narrow them to one pool or instance.';
CREATE VIEW tidepool.scaling_events AS SELECT * FROM tidepool.read_scaling_events();
COMMENT ON VIEW tidepool.scaling_events IS 'Changes of the target size, with their causes.';
COMMENT ON COLUMN tidepool.scaling_events.instance_id IS 'Identifier of the pool''s instance: 32 hexadecimal digits, never reused.';
COMMENT ON COLUMN tidepool.scaling_events.pool IS 'The pool''s name.';
COMMENT ON COLUMN tidepool.scaling_events.seq IS 'Number of the change, from 1.';
COMMENT ON COLUMN tidepool.scaling_events."at" IS 'When the change was decided.';
COMMENT ON COLUMN tidepool.scaling_events.from_size IS 'Target size before the change. [connections]';
COMMENT ON COLUMN tidepool.scaling_events.to_size IS 'Target size after the change. [connections]';
COMMENT ON COLUMN tidepool.scaling_events.cause IS 'Source of the decision, as in pools.size_source.';
COMMENT ON COLUMN tidepool.scaling_events.reason IS 'Reason for the change. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.scaling_events.in_use IS 'Connections leased at that time. [connections]';
COMMENT ON COLUMN tidepool.scaling_events.waiting IS 'Callers waiting at that time. [callers]';
COMMENT ON COLUMN tidepool.scaling_events.wait_p95_ms IS '95th percentile of the recent waits; null if nobody waited. [ms]';
COMMENT ON COLUMN tidepool.scaling_events.predicted_in_use IS 'Leased connections, as forecast; null without a forecast. [connections]';
COMMENT ON COLUMN tidepool.scaling_events.actor IS 'Who issued the command; null if the pool decided itself. Masked without pg_read_all_stats.';

CREATE FUNCTION tidepool.read_alerts(only_pool text DEFAULT NULL, only_instance text DEFAULT NULL)
  RETURNS TABLE (
    instance_id text, pool text, alert_id bigint, rule text, severity text, state text, metric text,
    "value" double precision, threshold double precision, since timestamptz, last_seen timestamptz,
    occurrences bigint, resolved_at timestamptz, acked_by text, message text, advice text, acked_at timestamptz)
  AS 'MODULE_PATHNAME', 'tidepool_read' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.read_alerts(text, text) IS
  'The rows of the view alerts; arguments narrow them to one pool or instance.';
CREATE VIEW tidepool.alerts AS SELECT * FROM tidepool.read_alerts();
COMMENT ON VIEW tidepool.alerts IS 'Current and past problems of each pool.';
COMMENT ON COLUMN tidepool.alerts.instance_id IS 'Identifier of the pool''s instance: 32 hexadecimal digits, never reused.';
COMMENT ON COLUMN tidepool.alerts.pool IS 'The pool''s name.';
COMMENT ON COLUMN tidepool.alerts.alert_id IS 'Identifier of the alert, never reused.';
COMMENT ON COLUMN tidepool.alerts.rule IS 'The rule that raised it, as in alert_rules.';
COMMENT ON COLUMN tidepool.alerts.severity IS 'info, warning or critical.';
COMMENT ON COLUMN tidepool.alerts.state IS 'pending (the condition holds, but not yet for hold_ms), firing or resolved.';
COMMENT ON COLUMN tidepool.alerts.metric IS 'Metric of the rule.';
COMMENT ON COLUMN tidepool.alerts."value" IS 'Value of the metric when the condition last held, in the unit of the metric.';
COMMENT ON COLUMN tidepool.alerts.threshold IS 'The value the metric was compared with.';
COMMENT ON COLUMN tidepool.alerts.since IS 'When the condition began to hold.';
COMMENT ON COLUMN tidepool.alerts.last_seen IS 'When the condition last held.';
COMMENT ON COLUMN tidepool.alerts.occurrences IS 'Evaluations in which the condition held.';
COMMENT ON COLUMN tidepool.alerts.resolved_at IS 'When the condition ended; null while it holds.';
COMMENT ON COLUMN tidepool.alerts.acked_by IS 'Who acknowledged the alert; null if nobody has. Set it to your name to acknowledge. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.alerts.message IS 'Description of the problem. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.alerts.advice IS 'Recommended action. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.alerts.acked_at IS 'When the alert was acknowledged; null if it was not.';

CREATE FUNCTION tidepool.read_health_checks(only_pool text DEFAULT NULL, only_instance text DEFAULT NULL)
  RETURNS TABLE (
    instance_id text, pool text, check_name text, status text, score double precision, "value" double precision,
    threshold double precision, message text, checked_at timestamptz)
  AS 'MODULE_PATHNAME', 'tidepool_read' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.read_health_checks(text, text) IS
  'The rows of the view health_checks; arguments narrow them to one pool or instance.';
CREATE VIEW tidepool.health_checks AS SELECT * FROM tidepool.read_health_checks();
COMMENT ON VIEW tidepool.health_checks IS 'The latest health check of each kind.';
COMMENT ON COLUMN tidepool.health_checks.instance_id IS 'Identifier of the pool''s instance: 32 hexadecimal digits, never reused.';
COMMENT ON COLUMN tidepool.health_checks.pool IS 'The pool''s name.';
COMMENT ON COLUMN tidepool.health_checks.check_name IS 'connectivity, performance, resources or scaling.';
COMMENT ON COLUMN tidepool.health_checks.status IS 'ok, warning or failed.';
COMMENT ON COLUMN tidepool.health_checks.score IS '0 (worst) to 100 (best).';
COMMENT ON COLUMN tidepool.health_checks."value" IS 'Measured value; null if the check has no single figure.';
COMMENT ON COLUMN tidepool.health_checks.threshold IS 'The value it was compared with.';
COMMENT ON COLUMN tidepool.health_checks.message IS 'Finding of the check. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.health_checks.checked_at IS 'When the check was last made. Checks never made have no row.';

CREATE FUNCTION tidepool.read_forecasts(only_pool text DEFAULT NULL, only_instance text DEFAULT NULL)
  RETURNS TABLE (
    instance_id text, pool text, "at" timestamptz, horizon_ms double precision, model text,
    predicted_in_use double precision, low double precision, high double precision, error_mape double precision,
    selected boolean, error_wape double precision)
  AS 'MODULE_PATHNAME', 'tidepool_read' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.read_forecasts(text, text) IS
  'The rows of the view forecasts; arguments narrow them to one pool or instance.';
CREATE VIEW tidepool.forecasts AS SELECT * FROM tidepool.read_forecasts();
COMMENT ON VIEW tidepool.forecasts IS 'Forecasts of the number of leased connections.';
COMMENT ON COLUMN tidepool.forecasts.instance_id IS 'Identifier of the pool''s instance: 32 hexadecimal digits, never reused.';
COMMENT ON COLUMN tidepool.forecasts.pool IS 'The pool''s name.';
COMMENT ON COLUMN tidepool.forecasts."at" IS 'When the forecast was made.';
COMMENT ON COLUMN tidepool.forecasts.horizon_ms IS 'Time between the forecast and the predicted moment. [ms]';
COMMENT ON COLUMN tidepool.forecasts.model IS 'Forecast model.';
COMMENT ON COLUMN tidepool.forecasts.predicted_in_use IS 'Predicted number of leased connections. [connections]';
COMMENT ON COLUMN tidepool.forecasts.low IS 'Lower bound. [connections]';
COMMENT ON COLUMN tidepool.forecasts.high IS 'Upper bound. [connections]';
COMMENT ON COLUMN tidepool.forecasts.error_mape IS 'Mean absolute percentage error of the model; null if unknown. [ratio]';
COMMENT ON COLUMN tidepool.forecasts.selected IS 'True for the model the pool uses.';
COMMENT ON COLUMN tidepool.forecasts.error_wape IS 'Sum of absolute errors / sum of actual values; null if unknown. [ratio]';

CREATE FUNCTION tidepool.read_alert_rules(only_pool text DEFAULT NULL, only_instance text DEFAULT NULL)
  RETURNS TABLE (
    pool text, rule text, metric text, comparison text, threshold double precision, hold_ms double precision,
    severity text, enabled boolean, message text, advice text, clear_at double precision, built_in boolean,
    instance_id text)
  AS 'MODULE_PATHNAME', 'tidepool_read' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.read_alert_rules(text, text) IS
  'The rows of the view alert_rules; arguments narrow them to one pool or instance.';
CREATE VIEW tidepool.alert_rules AS SELECT * FROM tidepool.read_alert_rules();
COMMENT ON VIEW tidepool.alert_rules IS 'Rules that raise alerts, for each pool.';
COMMENT ON COLUMN tidepool.alert_rules.pool IS 'The pool''s name.';
COMMENT ON COLUMN tidepool.alert_rules.rule IS 'The rule.';
COMMENT ON COLUMN tidepool.alert_rules.metric IS 'Metric of the rule.';
COMMENT ON COLUMN tidepool.alert_rules.comparison IS 'The condition: metric >, >=, < or <= threshold.';
COMMENT ON COLUMN tidepool.alert_rules.threshold IS 'The value the metric is compared with.';
COMMENT ON COLUMN tidepool.alert_rules.hold_ms IS 'How long the condition must hold before the alert fires. [ms]';
COMMENT ON COLUMN tidepool.alert_rules.severity IS 'info, warning or critical.';
COMMENT ON COLUMN tidepool.alert_rules.enabled IS 'True if the rule is evaluated.';
COMMENT ON COLUMN tidepool.alert_rules.message IS 'Message of its alerts; generated when null. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.alert_rules.advice IS 'Recommended action shown with its alerts. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.alert_rules.clear_at IS 'Value at which the condition ends; the distance from the threshold prevents flapping.';
COMMENT ON COLUMN tidepool.alert_rules.built_in IS 'True for an unmodified built-in rule.';
COMMENT ON COLUMN tidepool.alert_rules.instance_id IS 'The instance, as in pools.';

CREATE FUNCTION tidepool.read_settings(only_pool text DEFAULT NULL, only_instance text DEFAULT NULL)
  RETURNS TABLE (
    instance_id text, pool text, "name" text, "value" text, unit text, default_value text, source text, applies text,
    "min" text, "max" text, description text, note text)
  AS 'MODULE_PATHNAME', 'tidepool_read' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.read_settings(text, text) IS
  'The rows of the view settings; arguments narrow them to one pool or instance.';
CREATE VIEW tidepool.settings AS SELECT * FROM tidepool.read_settings();
COMMENT ON VIEW tidepool.settings IS 'Every option of each pool.';
COMMENT ON COLUMN tidepool.settings.instance_id IS 'Identifier of the pool''s instance: 32 hexadecimal digits, never reused.';
COMMENT ON COLUMN tidepool.settings.pool IS 'The pool''s name.';
COMMENT ON COLUMN tidepool.settings."name" IS 'The option.';
COMMENT ON COLUMN tidepool.settings."value" IS 'Current value. Set it to change the option of the running pool.';
COMMENT ON COLUMN tidepool.settings.unit IS 'Unit; null if there is none.';
COMMENT ON COLUMN tidepool.settings.default_value IS 'Default value.';
COMMENT ON COLUMN tidepool.settings.source IS 'Source of the value: default, preset, environment, url, options or manual.';
COMMENT ON COLUMN tidepool.settings.applies IS 'When a change takes effect: now, new_connections or reopen.';
COMMENT ON COLUMN tidepool.settings."min" IS 'Smallest accepted value.';
COMMENT ON COLUMN tidepool.settings."max" IS 'Largest accepted value.';
COMMENT ON COLUMN tidepool.settings.description IS 'Description of the option.';
COMMENT ON COLUMN tidepool.settings.note IS 'Why the option has this value, or why it has no effect; null if there is nothing to note.';

CREATE FUNCTION tidepool.read_commands(only_pool text DEFAULT NULL, only_instance text DEFAULT NULL)
  RETURNS TABLE (
    instance_id text, pool text, command_id bigint, issued_at timestamptz, actor text, verb text, arguments jsonb,
    status text, applied_at timestamptz, generation bigint, message text)
  AS 'MODULE_PATHNAME', 'tidepool_read' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.read_commands(text, text) IS
  'The rows of the view commands; arguments narrow them to one pool or instance.';
CREATE VIEW tidepool.commands AS SELECT * FROM tidepool.read_commands();
COMMENT ON VIEW tidepool.commands IS 'Commands sent to the pools, who issued them, and their results.';
COMMENT ON COLUMN tidepool.commands.instance_id IS 'Identifier of the pool''s instance: 32 hexadecimal digits, never reused.';
COMMENT ON COLUMN tidepool.commands.pool IS 'The pool''s name.';
COMMENT ON COLUMN tidepool.commands.command_id IS 'The command, as the function returned it.';
COMMENT ON COLUMN tidepool.commands.issued_at IS 'When the command was issued.';
COMMENT ON COLUMN tidepool.commands.actor IS 'Who issued the command. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.commands.verb IS 'The command, as received; unknown if it was not readable.';
COMMENT ON COLUMN tidepool.commands.arguments IS 'Arguments as a JSON object, with passwords masked; texts that are too long end in three dots. Arguments that were not an object are shown as text. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.commands.status IS 'queued, applied, refused or expired.';
COMMENT ON COLUMN tidepool.commands.applied_at IS 'When the command was applied or refused; null before that.';
COMMENT ON COLUMN tidepool.commands.generation IS 'Generation of the pool after the command was applied.';
COMMENT ON COLUMN tidepool.commands.message IS 'Result, or reason of the refusal. Masked without pg_read_all_stats.';

CREATE FUNCTION tidepool.read_help(only_pool text DEFAULT NULL, only_instance text DEFAULT NULL)
  RETURNS TABLE (
    relation text, column_name text, type text, unit text, meaning text, privacy text)
  AS 'MODULE_PATHNAME', 'tidepool_read' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.read_help(text, text) IS
  'The rows of the view help; arguments narrow them to one pool or instance.';
CREATE VIEW tidepool.help AS SELECT * FROM tidepool.read_help();
COMMENT ON VIEW tidepool.help IS 'Every relation and column.';
COMMENT ON COLUMN tidepool.help.relation IS 'The relation.';
COMMENT ON COLUMN tidepool.help.column_name IS 'Name of the column; null in the row that describes the relation.';
COMMENT ON COLUMN tidepool.help.type IS 'The column''s type.';
COMMENT ON COLUMN tidepool.help.unit IS 'Unit; null if there is none.';
COMMENT ON COLUMN tidepool.help.meaning IS 'Description.';
COMMENT ON COLUMN tidepool.help.privacy IS 'open, or masked: shown as <insufficient privilege> (JSON: null) to PostgreSQL roles without pg_read_all_stats; null for a relation.';

CREATE FUNCTION tidepool.read_presets(only_pool text DEFAULT NULL, only_instance text DEFAULT NULL)
  RETURNS TABLE (
    preset text, option text, "value" text, document text, note text)
  AS 'MODULE_PATHNAME', 'tidepool_read' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.read_presets(text, text) IS
  'The rows of the view presets; arguments narrow them to one pool or instance.';
CREATE VIEW tidepool.presets AS SELECT * FROM tidepool.read_presets();
COMMENT ON VIEW tidepool.presets IS 'Named sets of option values for the option preset.';
COMMENT ON COLUMN tidepool.presets.preset IS 'Name of the preset.';
COMMENT ON COLUMN tidepool.presets.option IS 'Option set by the preset.';
COMMENT ON COLUMN tidepool.presets."value" IS 'Value of the option, unless another is given.';
COMMENT ON COLUMN tidepool.presets.document IS 'Requirement document that specifies the value; null if there is none.';
COMMENT ON COLUMN tidepool.presets.note IS 'Differences between documents, or why it is set; null if there is nothing to note.';

CREATE FUNCTION tidepool.read_health(only_pool text DEFAULT NULL, only_instance text DEFAULT NULL)
  RETURNS TABLE (
    instance_id text, pool text, healthy boolean, status text, issues jsonb, recommendations jsonb, checks jsonb)
  AS 'MODULE_PATHNAME', 'tidepool_read' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.read_health(text, text) IS
  'The rows of the view health; arguments narrow them to one pool or instance.';
CREATE VIEW tidepool.health AS SELECT * FROM tidepool.read_health();
COMMENT ON VIEW tidepool.health IS 'Overall health of each pool, with problems and recommendations.';
COMMENT ON COLUMN tidepool.health.instance_id IS 'Identifier of the pool''s instance: 32 hexadecimal digits, never reused.';
COMMENT ON COLUMN tidepool.health.pool IS 'The pool''s name.';
COMMENT ON COLUMN tidepool.health.healthy IS 'True if the status is healthy.';
COMMENT ON COLUMN tidepool.health.status IS 'healthy, degraded (requests are served, with problems) or unhealthy.';
COMMENT ON COLUMN tidepool.health.issues IS 'Problems, as a JSON array of texts, most severe first; empty if there are none. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.health.recommendations IS 'Recommended action for each issue, in the same order.';
COMMENT ON COLUMN tidepool.health.checks IS 'Latest health checks by name: status, score, message and checked_at. Masked without pg_read_all_stats.';

CREATE FUNCTION tidepool.read_command_help(only_pool text DEFAULT NULL, only_instance text DEFAULT NULL)
  RETURNS TABLE (
    command text, argument text, type text, required boolean, meaning text)
  AS 'MODULE_PATHNAME', 'tidepool_read' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.read_command_help(text, text) IS
  'The rows of the view command_help; arguments narrow them to one pool or instance.';
CREATE VIEW tidepool.command_help AS SELECT * FROM tidepool.read_command_help();
COMMENT ON VIEW tidepool.command_help IS 'The commands and their arguments.';
COMMENT ON COLUMN tidepool.command_help.command IS 'The command: the name of its function, in SQLite after tidepool_.';
COMMENT ON COLUMN tidepool.command_help.argument IS 'Name of the argument; null in the row that describes the command.';
COMMENT ON COLUMN tidepool.command_help.type IS 'PostgreSQL type of the argument.';
COMMENT ON COLUMN tidepool.command_help.required IS 'True if the argument must be given.';
COMMENT ON COLUMN tidepool.command_help.meaning IS 'Description.';

CREATE FUNCTION tidepool.read_wal(only_pool text DEFAULT NULL, only_instance text DEFAULT NULL)
  RETURNS TABLE (
    instance_id text, pool text, wal_bytes bigint, limit_bytes bigint, frames bigint, frames_checkpointed bigint,
    last_checkpoint text, last_checkpoint_at timestamptz, blocked_ms double precision,
    oldest_reader_ms double precision, oldest_reader_tag text, oldest_reader_lease_id bigint,
    oldest_reader_conn_id bigint, last_error text)
  AS 'MODULE_PATHNAME', 'tidepool_read' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.read_wal(text, text) IS
  'The rows of the view wal; arguments narrow them to one pool or instance.';
CREATE VIEW tidepool.wal AS SELECT * FROM tidepool.read_wal();
COMMENT ON VIEW tidepool.wal IS 'One row for each pool of an SQLite file in WAL mode: its write-ahead log.';
COMMENT ON COLUMN tidepool.wal.instance_id IS 'Identifier of the pool''s instance: 32 hexadecimal digits, never reused.';
COMMENT ON COLUMN tidepool.wal.pool IS 'The pool''s name.';
COMMENT ON COLUMN tidepool.wal.wal_bytes IS 'Size of the file of the write-ahead log. [bytes]';
COMMENT ON COLUMN tidepool.wal.limit_bytes IS 'Size above which the pool truncates it (sqlite_wal_limit); null if there is no limit. [bytes]';
COMMENT ON COLUMN tidepool.wal.frames IS 'Pages in the log at the last commit of this pool. [pages]';
COMMENT ON COLUMN tidepool.wal.frames_checkpointed IS 'Of these, pages that the last checkpoint left in the database file. [pages]';
COMMENT ON COLUMN tidepool.wal.last_checkpoint IS 'Kind of the last checkpoint: passive or truncate; null if there was none.';
COMMENT ON COLUMN tidepool.wal.last_checkpoint_at IS 'When it was made.';
COMMENT ON COLUMN tidepool.wal.blocked_ms IS 'How long readers have kept the log from being copied or truncated; null if they do not. [ms]';
COMMENT ON COLUMN tidepool.wal.oldest_reader_ms IS 'Age of the oldest snapshot that a lease of this pool reads; null if none reads. [ms]';
COMMENT ON COLUMN tidepool.wal.oldest_reader_tag IS 'The tag of that lease. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.wal.oldest_reader_lease_id IS 'That lease.';
COMMENT ON COLUMN tidepool.wal.oldest_reader_conn_id IS 'Its connection.';
COMMENT ON COLUMN tidepool.wal.last_error IS 'Why the last checkpoint failed; null if it did not. Masked without pg_read_all_stats.';

CREATE FUNCTION tidepool.read_slow_queries(only_pool text DEFAULT NULL, only_instance text DEFAULT NULL)
  RETURNS TABLE (
    instance_id text, pool text, seq bigint, "at" timestamptz, tag text, fingerprint text, query text,
    duration_ms double precision, wait_ms double precision, rows bigint, sqlstate text, message text, conn_id bigint,
    bytes bigint)
  AS 'MODULE_PATHNAME', 'tidepool_read' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.read_slow_queries(text, text) IS
  'The rows of the view slow_queries; arguments narrow them to one pool or instance.';
CREATE VIEW tidepool.slow_queries AS SELECT * FROM tidepool.read_slow_queries();
COMMENT ON VIEW tidepool.slow_queries IS 'Statements that took at least slow_query_threshold, oldest first.';
COMMENT ON COLUMN tidepool.slow_queries.instance_id IS 'Identifier of the pool''s instance: 32 hexadecimal digits, never reused.';
COMMENT ON COLUMN tidepool.slow_queries.pool IS 'The pool''s name.';
COMMENT ON COLUMN tidepool.slow_queries.seq IS 'Number of the record, from 1. slow_queries and failed_queries share the numbers; missing ones have been overwritten.';
COMMENT ON COLUMN tidepool.slow_queries."at" IS 'When the statement ended.';
COMMENT ON COLUMN tidepool.slow_queries.tag IS 'Tag of its lease. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.slow_queries.fingerprint IS 'Identifies the statement without its literals, as in queries: 16 hexadecimal digits.';
COMMENT ON COLUMN tidepool.slow_queries.query IS 'The statement: ? for literals and parameters, without comments. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.slow_queries.duration_ms IS 'How long it was executed; of a batch, the whole batch. [ms]';
COMMENT ON COLUMN tidepool.slow_queries.wait_ms IS 'How long its lease was waited for, if it was the first statement of the lease; null for the others. [ms]';
COMMENT ON COLUMN tidepool.slow_queries.rows IS 'Rows returned or changed; null if it failed or they are not known. [rows]';
COMMENT ON COLUMN tidepool.slow_queries.sqlstate IS 'Error code; null if it succeeded, or if the error has none.';
COMMENT ON COLUMN tidepool.slow_queries.message IS 'Error message without the values that it quotes, or a remark; null if there is none. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.slow_queries.conn_id IS 'The connection, as in connections.';
COMMENT ON COLUMN tidepool.slow_queries.bytes IS 'Size of the values of its result; null if it failed or it is not known. [bytes]';

CREATE FUNCTION tidepool.read_failed_queries(only_pool text DEFAULT NULL, only_instance text DEFAULT NULL)
  RETURNS TABLE (
    instance_id text, pool text, seq bigint, "at" timestamptz, tag text, fingerprint text, query text,
    duration_ms double precision, wait_ms double precision, rows bigint, sqlstate text, message text, conn_id bigint,
    bytes bigint)
  AS 'MODULE_PATHNAME', 'tidepool_read' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.read_failed_queries(text, text) IS
  'The rows of the view failed_queries; arguments narrow them to one pool or instance.';
CREATE VIEW tidepool.failed_queries AS SELECT * FROM tidepool.read_failed_queries();
COMMENT ON VIEW tidepool.failed_queries IS 'Statements that failed, oldest first.';
COMMENT ON COLUMN tidepool.failed_queries.instance_id IS 'Identifier of the pool''s instance: 32 hexadecimal digits, never reused.';
COMMENT ON COLUMN tidepool.failed_queries.pool IS 'The pool''s name.';
COMMENT ON COLUMN tidepool.failed_queries.seq IS 'Number of the record, from 1. slow_queries and failed_queries share the numbers; missing ones have been overwritten.';
COMMENT ON COLUMN tidepool.failed_queries."at" IS 'When the statement ended.';
COMMENT ON COLUMN tidepool.failed_queries.tag IS 'Tag of its lease. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.failed_queries.fingerprint IS 'Identifies the statement without its literals, as in queries: 16 hexadecimal digits.';
COMMENT ON COLUMN tidepool.failed_queries.query IS 'The statement: ? for literals and parameters, without comments. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.failed_queries.duration_ms IS 'How long it was executed; of a batch, the whole batch. [ms]';
COMMENT ON COLUMN tidepool.failed_queries.wait_ms IS 'How long its lease was waited for, if it was the first statement of the lease; null for the others. [ms]';
COMMENT ON COLUMN tidepool.failed_queries.rows IS 'Rows returned or changed; null if it failed or they are not known. [rows]';
COMMENT ON COLUMN tidepool.failed_queries.sqlstate IS 'Error code; null if it succeeded, or if the error has none.';
COMMENT ON COLUMN tidepool.failed_queries.message IS 'Error message without the values that it quotes, or a remark; null if there is none. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.failed_queries.conn_id IS 'The connection, as in connections.';
COMMENT ON COLUMN tidepool.failed_queries.bytes IS 'Size of the values of its result; null if it failed or it is not known. [bytes]';

CREATE FUNCTION tidepool.read_queries(only_pool text DEFAULT NULL, only_instance text DEFAULT NULL)
  RETURNS TABLE (
    instance_id text, pool text, fingerprint text, query text, calls bigint, errors bigint,
    total_ms double precision, min_ms double precision, max_ms double precision, p50_ms double precision,
    p99_ms double precision, rows bigint, bytes bigint, wait_ms double precision, first_seen timestamptz,
    last_seen timestamptz, repeats_max bigint, repeated_leases bigint)
  AS 'MODULE_PATHNAME', 'tidepool_read' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.read_queries(text, text) IS
  'The rows of the view queries; arguments narrow them to one pool or instance.';
CREATE VIEW tidepool.queries AS SELECT * FROM tidepool.read_queries();
COMMENT ON VIEW tidepool.queries IS 'Statements by fingerprint, with their figures; those with the highest total_ms first.';
COMMENT ON COLUMN tidepool.queries.instance_id IS 'Identifier of the pool''s instance: 32 hexadecimal digits, never reused.';
COMMENT ON COLUMN tidepool.queries.pool IS 'The pool''s name.';
COMMENT ON COLUMN tidepool.queries.fingerprint IS 'Identifies the statement without its literals: 16 hexadecimal digits, the same in every pool.';
COMMENT ON COLUMN tidepool.queries.query IS 'The statement: ? for literals and parameters, without comments; null if it is not known yet. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.queries.calls IS 'Executions. All figures are since first_seen: the statements with the lowest total_ms are replaced by others when there is no room. [queries]';
COMMENT ON COLUMN tidepool.queries.errors IS 'Executions that failed. [queries]';
COMMENT ON COLUMN tidepool.queries.total_ms IS 'Total duration. [ms]';
COMMENT ON COLUMN tidepool.queries.min_ms IS 'Shortest duration. [ms]';
COMMENT ON COLUMN tidepool.queries.max_ms IS 'Longest duration. [ms]';
COMMENT ON COLUMN tidepool.queries.p50_ms IS 'Median of the duration. [ms]';
COMMENT ON COLUMN tidepool.queries.p99_ms IS '99th percentile of the duration. [ms]';
COMMENT ON COLUMN tidepool.queries.rows IS 'Rows returned or changed, as far as they are known. [rows]';
COMMENT ON COLUMN tidepool.queries.bytes IS 'Size of the values of the results, as far as they are known. [bytes]';
COMMENT ON COLUMN tidepool.queries.wait_ms IS 'Total time waited for leases of which it was the first statement. [ms]';
COMMENT ON COLUMN tidepool.queries.first_seen IS 'When the first of these executions ended.';
COMMENT ON COLUMN tidepool.queries.last_seen IS 'When the last one ended.';
COMMENT ON COLUMN tidepool.queries.repeats_max IS 'Highest number of calls within one lease that executed it; a batch is not counted. [queries]';
COMMENT ON COLUMN tidepool.queries.repeated_leases IS 'Leases that executed it in 100 calls or more. [leases]';

CREATE FUNCTION tidepool.read_targets(only_pool text DEFAULT NULL, only_instance text DEFAULT NULL)
  RETURNS TABLE (
    instance_id text, pool text, pool_group text, role text, target text, serving boolean, lag_ms double precision,
    lsn text, size bigint, in_use bigint, waiting bigint, reads_total bigint, errors_total bigint,
    last_checked_at timestamptz, left_out_since timestamptz, why text)
  AS 'MODULE_PATHNAME', 'tidepool_read' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.read_targets(text, text) IS
  'The rows of the view targets; arguments narrow them to one pool or instance.';
CREATE VIEW tidepool.targets AS SELECT * FROM tidepool.read_targets();
COMMENT ON VIEW tidepool.targets IS 'One row for each pool: its server, and its role among replicas.';
COMMENT ON COLUMN tidepool.targets.instance_id IS 'Identifier of the pool''s instance: 32 hexadecimal digits, never reused.';
COMMENT ON COLUMN tidepool.targets.pool IS 'The pool''s name.';
COMMENT ON COLUMN tidepool.targets.pool_group IS 'Name of the pool that was opened: of a replica that of its primary, else pool itself.';
COMMENT ON COLUMN tidepool.targets.role IS 'Role in the group: single (no replicas), primary or replica.';
COMMENT ON COLUMN tidepool.targets.target IS 'Address of the server, without credentials. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.targets.serving IS 'True if a primary gets writes, or a replica reads. Null if single.';
COMMENT ON COLUMN tidepool.targets.lag_ms IS 'How far the replica is behind the primary, when it was last checked. Null if unknown. [ms]';
COMMENT ON COLUMN tidepool.targets.lsn IS 'Position in the WAL: of a replica replayed, of a primary durable. Null if unknown.';
COMMENT ON COLUMN tidepool.targets.size IS 'Connections, in any state. [connections]';
COMMENT ON COLUMN tidepool.targets.in_use IS 'Connections that are leased. [connections]';
COMMENT ON COLUMN tidepool.targets.waiting IS 'Callers that wait for a connection. [callers]';
COMMENT ON COLUMN tidepool.targets.reads_total IS 'Reads that were sent to this server. Null if single. [leases]';
COMMENT ON COLUMN tidepool.targets.errors_total IS 'Failures for which the replica was left out. Null if not a replica.';
COMMENT ON COLUMN tidepool.targets.last_checked_at IS 'When its role and position were last asked for.';
COMMENT ON COLUMN tidepool.targets.left_out_since IS 'Since when it gets no reads (primary: no writes); null: it does.';
COMMENT ON COLUMN tidepool.targets.why IS 'Why it gets none. Masked without pg_read_all_stats.';

CREATE FUNCTION tidepool.read_insights(only_pool text DEFAULT NULL, only_instance text DEFAULT NULL)
  RETURNS TABLE (
    instance_id text, pool text, severity text, subject text, finding text, evidence text, advice text,
    option_name text, option_value text)
  AS 'MODULE_PATHNAME', 'tidepool_read' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.read_insights(text, text) IS
  'The rows of the view insights; arguments narrow them to one pool or instance.';
CREATE VIEW tidepool.insights AS SELECT * FROM tidepool.read_insights();
COMMENT ON VIEW tidepool.insights IS 'What each pool''s figures suggest to change, most severe first.';
COMMENT ON COLUMN tidepool.insights.instance_id IS 'Identifier of the pool''s instance: 32 hexadecimal digits, never reused.';
COMMENT ON COLUMN tidepool.insights.pool IS 'The pool''s name.';
COMMENT ON COLUMN tidepool.insights.severity IS 'info, warning or critical.';
COMMENT ON COLUMN tidepool.insights.subject IS 'What it is about: size, leases, transactions, tags, connections, statements, query_cache, database, server or alerts.';
COMMENT ON COLUMN tidepool.insights.finding IS 'What was found, in one sentence. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.insights.evidence IS 'The figures from which it follows. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.insights.advice IS 'What to change. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.insights.option_name IS 'The option to change; null if the advice is not about an option.';
COMMENT ON COLUMN tidepool.insights.option_value IS 'The value to set it to; null if there is none to recommend.';

CREATE FUNCTION tidepool.read_tags(only_pool text DEFAULT NULL, only_instance text DEFAULT NULL)
  RETURNS TABLE (
    instance_id text, pool text, tag text, in_use bigint, waiting bigint, samples_total bigint,
    held_ms_total double precision, waited_ms_total double precision, longest_ms double precision,
    last_seen timestamptz)
  AS 'MODULE_PATHNAME', 'tidepool_read' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.read_tags(text, text) IS
  'The rows of the view tags; arguments narrow them to one pool or instance.';
CREATE VIEW tidepool.tags AS SELECT * FROM tidepool.read_tags();
COMMENT ON VIEW tidepool.tags IS 'Who holds and awaits connections, by the tag of the lease, from a sample each second.';
COMMENT ON COLUMN tidepool.tags.instance_id IS 'Identifier of the pool''s instance: 32 hexadecimal digits, never reused.';
COMMENT ON COLUMN tidepool.tags.pool IS 'The pool''s name.';
COMMENT ON COLUMN tidepool.tags.tag IS 'Tag of the leases; null for those without one. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.tags.in_use IS 'Leases with this tag, at the last sample. [leases]';
COMMENT ON COLUMN tidepool.tags.waiting IS 'Callers with this tag that waited, at the last sample; of the first 128 in the queue. [callers]';
COMMENT ON COLUMN tidepool.tags.samples_total IS 'Leases and waiting callers with this tag that were seen by a sample; one sample a second, fewer in pools with thousands of connections. When there is no room, tags with few samples are replaced by others; reset_stats empties the relation.';
COMMENT ON COLUMN tidepool.tags.held_ms_total IS 'Time that leases of this tag were held, estimated from the samples. [ms]';
COMMENT ON COLUMN tidepool.tags.waited_ms_total IS 'Time that callers with this tag waited, estimated from the samples. [ms]';
COMMENT ON COLUMN tidepool.tags.longest_ms IS 'Longest lease that a sample saw. [ms]';
COMMENT ON COLUMN tidepool.tags.last_seen IS 'Last sample that saw this tag.';

CREATE FUNCTION tidepool.read_metrics(only_pool text DEFAULT NULL, only_instance text DEFAULT NULL)
  RETURNS TABLE (
    "name" text, prometheus_name text, instrument text, unit text, attribute text, source text, history text,
    meaning text)
  AS 'MODULE_PATHNAME', 'tidepool_read' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.read_metrics(text, text) IS
  'The rows of the view metrics; arguments narrow them to one pool or instance.';
CREATE VIEW tidepool.metrics AS SELECT * FROM tidepool.read_metrics();
COMMENT ON VIEW tidepool.metrics IS 'What exports report of each pool to monitoring systems.';
COMMENT ON COLUMN tidepool.metrics."name" IS 'Name in OTLP and CSV.';
COMMENT ON COLUMN tidepool.metrics.prometheus_name IS 'Name in the formats of Prometheus and OpenMetrics.';
COMMENT ON COLUMN tidepool.metrics.instrument IS 'counter, up_down_counter, gauge, histogram, state or info.';
COMMENT ON COLUMN tidepool.metrics.unit IS 'Unit in UCUM, such as s, By or {connection}; null if there is none.';
COMMENT ON COLUMN tidepool.metrics.attribute IS 'What tells it from the other values of the name, as attribute=value; null if there is only one.';
COMMENT ON COLUMN tidepool.metrics.source IS 'The relation and column whose value it is; of histograms, the word in the column metric.';
COMMENT ON COLUMN tidepool.metrics.history IS 'The column of pool_history with its values at earlier times; null if there is none.';
COMMENT ON COLUMN tidepool.metrics.meaning IS 'Description.';

CREATE FUNCTION tidepool.read_segments(only_pool text DEFAULT NULL, only_instance text DEFAULT NULL)
  RETURNS TABLE (
    path text, pool text, instance_id text, status text, layout_version bigint, size_bytes bigint, owner text,
    mode text, message text, controllable boolean)
  AS 'MODULE_PATHNAME', 'tidepool_read' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.read_segments(text, text) IS
  'The rows of the view segments; arguments narrow them to one pool or instance.';
CREATE VIEW tidepool.segments AS SELECT * FROM tidepool.read_segments();
COMMENT ON VIEW tidepool.segments IS 'The files of the segment directory, also those that cannot be read.';
COMMENT ON COLUMN tidepool.segments.path IS 'The file. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.segments.pool IS 'Name of its pool; of a file that cannot be read as far as its name tells it.';
COMMENT ON COLUMN tidepool.segments.instance_id IS 'Identifier of the pool''s instance; null if the file''s name has none.';
COMMENT ON COLUMN tidepool.segments.status IS 'live, stale (not updated for 5 s), dead (its owner has exited), unreadable (this user may not read it), damaged, other_version (of another version of tidepool), not_a_segment, or leftover (without its segment).';
COMMENT ON COLUMN tidepool.segments.layout_version IS 'Version of the file''s layout; null if it could not be read.';
COMMENT ON COLUMN tidepool.segments.size_bytes IS 'Size of the file. [bytes]';
COMMENT ON COLUMN tidepool.segments.owner IS 'User to whom the file belongs. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.segments.mode IS 'Permissions of the file, in octal digits such as 0640.';
COMMENT ON COLUMN tidepool.segments.message IS 'Why the file is not read; null if it is. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.segments.controllable IS 'True if this user may send commands to the pool; null if the pool does not run, or its file is not read.';

-- end of the relations

CREATE FUNCTION tidepool.health(pool text) RETURNS SETOF tidepool.health
  LANGUAGE sql STABLE AS 'SELECT * FROM tidepool.read_health($1)';
COMMENT ON FUNCTION tidepool.health(text) IS
  'Health of each instance of this pool, as in the view health; no row if the pool does not exist.';

CREATE FUNCTION tidepool.check_options(options text, OUT kind text, OUT message text, OUT detail text, OUT hint text)
  RETURNS SETOF record AS 'MODULE_PATHNAME', 'tidepool_check_options' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.check_options(text) IS
  'Checks options before a pool is opened with them: returns errors, or else advice and notes.';

-- archive(since, target): copies rows of pool_history into a table, which keeps them for as long as its owner wants. Rows
-- that it has are not copied again, so the function may be called at any time, also by several sessions at once.
--
-- The table is created in the caller's current schema, with the caller's rights. One that exists must have the columns of
-- pool_history and its key; it may have more.
CREATE FUNCTION tidepool.archive(since interval DEFAULT '1 day', target text DEFAULT 'tidepool_history')
  RETURNS bigint LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $archive$
DECLARE
  source CONSTANT regclass := 'tidepool.pool_history';
  row_key CONSTANT text[] := ARRAY['at', 'measured_by', 'resolution_ms'];
  parts text[];
  place text;
  held regclass;
  columns text;
  lacking text;
  copied bigint;
BEGIN
  IF since IS NULL OR target IS NULL THEN
    RAISE null_value_not_allowed USING
      MESSAGE = CASE WHEN since IS NULL THEN 'since must not be null' ELSE 'target must not be null' END,
      HINT = 'since is the age of the oldest rows to be copied, such as ''1 day''; target is the name of a table.';
  END IF;
  IF since < interval '0' THEN
    RAISE invalid_parameter_value USING
      MESSAGE = pg_catalog.format('since must not be negative: "%s"', since),
      HINT = 'It is the age of the oldest rows to be copied, such as ''1 day''.';
  END IF;
  parts := pg_catalog.parse_ident(target)::name[];
  IF pg_catalog.cardinality(parts) > 2 THEN
    RAISE invalid_parameter_value USING
      MESSAGE = pg_catalog.format('invalid name of a table: "%s"', target),
      HINT = 'Use "table" or "schema.table".';
  END IF;
  IF pg_catalog.cardinality(parts) = 1 THEN
    parts := pg_catalog.current_schema()::text || parts;
    IF parts[1] IS NULL THEN
      RAISE invalid_schema_name USING
        MESSAGE = pg_catalog.format('no schema is selected for table "%s"', parts[2]),
        HINT = 'Set search_path, or use "schema.table".';
    END IF;
  END IF;
  place := pg_catalog.format('%I.%I', parts[1], parts[2]);
  -- Calls for the same table wait for each other, so that one creates it.
  PERFORM pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('tidepool.archive'), pg_catalog.hashtext(place));
  held := pg_catalog.to_regclass(place);
  IF held IS NULL THEN
    EXECUTE pg_catalog.format('CREATE TABLE %s (LIKE %s INCLUDING COMMENTS, PRIMARY KEY (measured_by, resolution_ms, "at"))',
                              place, source);
    held := place::regclass;
  END IF;
  IF (SELECT c.relkind NOT IN ('r', 'p') FROM pg_catalog.pg_class AS c WHERE c.oid = held) THEN
    RAISE wrong_object_type USING
      MESSAGE = pg_catalog.format('%s is not a table', place),
      HINT = 'Use the name of a table, or of none that exists.';
  END IF;
  SELECT pg_catalog.string_agg(pg_catalog.quote_ident(s.attname), ', ' ORDER BY s.attnum),
         pg_catalog.string_agg(pg_catalog.format('%I %s', s.attname, pg_catalog.format_type(s.atttypid, s.atttypmod)), ', '
                               ORDER BY s.attnum) FILTER (WHERE t.attname IS NULL)
    INTO columns, lacking
    FROM pg_catalog.pg_attribute AS s
    LEFT JOIN pg_catalog.pg_attribute AS t
      ON t.attrelid = held AND t.attname = s.attname AND t.atttypid = s.atttypid AND NOT t.attisdropped
   WHERE s.attrelid = source AND s.attnum > 0 AND NOT s.attisdropped;
  IF lacking IS NOT NULL THEN
    RAISE datatype_mismatch USING
      MESSAGE = pg_catalog.format('table %s has other columns than tidepool.pool_history', place),
      DETAIL = pg_catalog.format('It lacks: %s.', lacking),
      HINT = 'Add them with ALTER TABLE, or use another table.';
  END IF;
  IF NOT EXISTS (
      SELECT FROM pg_catalog.pg_index AS i
       WHERE i.indrelid = held AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL
         AND i.indexprs IS NULL
         AND row_key = ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute AS a
                              WHERE a.attrelid = held AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])
                              ORDER BY a.attname::text COLLATE "C")) THEN
    RAISE invalid_table_definition USING
      MESSAGE = pg_catalog.format('table %s has no unique key of its rows', place),
      HINT = 'Add UNIQUE (measured_by, resolution_ms, "at"), or use another table.';
  END IF;
  EXECUTE pg_catalog.format(
    'INSERT INTO %s (%s) SELECT %2$s FROM %s WHERE "at" > pg_catalog.clock_timestamp() - $1 AND measured_by IS NOT NULL '
    'ON CONFLICT (measured_by, resolution_ms, "at") DO NOTHING', place, columns, source) USING since;
  GET DIAGNOSTICS copied = ROW_COUNT;
  RETURN copied;
END $archive$;
COMMENT ON FUNCTION tidepool.archive(interval, text) IS
  'Copies rows of pool_history that are not older than since into a table, which is created if it does not exist, and returns the number of new rows.';

-- Reports. Without the privileges of pg_read_all_stats they have no targets, users, tags and messages, as the views.
-- VOLATILE, because two calls in one statement may read different states.
CREATE FUNCTION tidepool.export(
    format text, pool text DEFAULT NULL, since interval DEFAULT NULL, legacy_names boolean DEFAULT false) RETURNS text
  AS 'MODULE_PATHNAME', 'tidepool_export' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.export(text, text, interval, boolean) IS
  'The state of the pools in a format for other programs, such as json, csv, prometheus, openmetrics or otlp_json. since: with the history of this time, such as ''1 hour''. legacy_names: metrics also under the names of older monitoring.';

CREATE FUNCTION tidepool.health_report(pool text DEFAULT NULL, format text DEFAULT 'text') RETURNS text
  AS 'MODULE_PATHNAME', 'tidepool_health_report' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.health_report(text, text) IS
  'Report on the health of the pools, with problems, alerts, and what to change. format: text or json.';

CREATE FUNCTION tidepool.dashboard(pool text DEFAULT NULL, since interval DEFAULT NULL) RETURNS jsonb
  AS 'MODULE_PATHNAME', 'tidepool_dashboard' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION tidepool.dashboard(text, interval) IS
  'What a dashboard shows of the pools; docs/schema/dashboard.schema.json describes it. since: with the history of this time, such as ''1 hour''.';

-- Matching the pid is not enough: the pool may be connected to another server with a process of the same number. So the
-- user must match too, and the start of the backend must match that of the connection (within 10 s, for the connection
-- attempt). A pool behind a pooler does not match, because the pid it knows is assigned by the pooler. Sessions that
-- pg_stat_activity masks for the current user are left out, because their type and start are not visible.
CREATE VIEW tidepool.backends AS
  SELECT a.pid, a.datname, a.usename, a.application_name, a.client_addr, a.backend_start, a.xact_start, a.query_start,
         a.state, a.wait_event_type, a.wait_event, a.query,
         c.pool, c.instance_id, c.app, c.conn_id, c.connection_state, c.tag, l.lease_id, l.age_ms AS lease_age_ms,
         (to_jsonb(a) ->> 'query_id')::bigint AS query_id  -- older servers have no such column
    FROM pg_catalog.pg_stat_activity AS a
    LEFT JOIN (SELECT x.instance_id, x.pool, p.app, p.db_user, x.conn_id, x.state AS connection_state, x.server_pid,
                      x.tag, x.created_at
                 FROM tidepool.read_connections() AS x
                 JOIN tidepool.read_pools() AS p ON p.instance_id = x.instance_id
                WHERE p.backend = 'postgresql' AND p.state NOT IN ('dead', 'closed')) AS c
      ON c.server_pid = a.pid AND COALESCE(NULLIF(c.db_user, ''), a.usename) = a.usename
     AND a.backend_start BETWEEN c.created_at - interval '10 s' AND c.created_at + interval '10 s'
    LEFT JOIN tidepool.read_leases() AS l ON l.instance_id = c.instance_id AND l.conn_id = c.conn_id
   WHERE a.backend_type = 'client backend';
COMMENT ON VIEW tidepool.backends IS
  'One row for each session of this server, with the pool of this host, the connection and the lease that use it.';
COMMENT ON COLUMN tidepool.backends.pid IS 'As in pg_stat_activity.';
COMMENT ON COLUMN tidepool.backends.datname IS 'As in pg_stat_activity.';
COMMENT ON COLUMN tidepool.backends.usename IS 'As in pg_stat_activity.';
COMMENT ON COLUMN tidepool.backends.application_name IS 'As in pg_stat_activity.';
COMMENT ON COLUMN tidepool.backends.client_addr IS 'As in pg_stat_activity.';
COMMENT ON COLUMN tidepool.backends.backend_start IS 'As in pg_stat_activity.';
COMMENT ON COLUMN tidepool.backends.xact_start IS 'As in pg_stat_activity.';
COMMENT ON COLUMN tidepool.backends.query_start IS 'As in pg_stat_activity.';
COMMENT ON COLUMN tidepool.backends.state IS 'As in pg_stat_activity.';
COMMENT ON COLUMN tidepool.backends.wait_event_type IS 'As in pg_stat_activity.';
COMMENT ON COLUMN tidepool.backends.wait_event IS 'As in pg_stat_activity.';
COMMENT ON COLUMN tidepool.backends.query IS 'As in pg_stat_activity.';
COMMENT ON COLUMN tidepool.backends.pool IS 'Pool that owns the session; null if no pool of this host is known to own it.';
COMMENT ON COLUMN tidepool.backends.instance_id IS 'The instance, as in pools.';
COMMENT ON COLUMN tidepool.backends.app IS 'The application that owns the pool.';
COMMENT ON COLUMN tidepool.backends.conn_id IS 'The connection, as in connections.';
COMMENT ON COLUMN tidepool.backends.connection_state IS 'The state of the connection, as in connections.';
COMMENT ON COLUMN tidepool.backends.tag IS 'Tag of the current lease. Masked without pg_read_all_stats.';
COMMENT ON COLUMN tidepool.backends.lease_id IS 'The lease, as in leases; null if the connection is not leased.';
COMMENT ON COLUMN tidepool.backends.lease_age_ms IS 'How long the lease has been held, in ms.';
COMMENT ON COLUMN tidepool.backends.query_id IS
  'As in pg_stat_activity, for joins with pg_stat_statements; null without compute_query_id, and before PostgreSQL 14.';

-- Commands ----------------------------------------------------------------------------------------------------------
-- A command is put into the pool's mailbox and executed at its next tick; the function returns its number, see
-- tidepool.commands. It does not wait for COMMIT, and ROLLBACK does not undo it. A refusal is an error: 22023 for an
-- invalid value, 55000 if the pool refuses or is dead, 42704 if it does not exist. Waits 5 s for the answer; recycle,
-- drain and close_connection wait only half a second: use wait_applied() to wait for completion. `pool` is a name, or
-- an instance_id where several instances have the same name. A command to every pool returns the number of the last
-- one, and a notice reports the number of pools. Only superusers may issue commands until EXECUTE is granted.

-- begin of the commands, which generate.py prints from the library's catalogue
CREATE FUNCTION tidepool.scale(pool text, target_size integer, reason text DEFAULT NULL) RETURNS bigint
  AS 'MODULE_PATHNAME', 'tidepool_command' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.scale(text, integer, text) IS
  'Sets the desired number of connections. target_size: Desired number of connections. reason: Reason, shown in scaling_events.';

CREATE FUNCTION tidepool.burst(pool text, duration interval DEFAULT NULL) RETURNS bigint
  AS 'MODULE_PATHNAME', 'tidepool_command' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.burst(text, interval) IS
  'Temporarily allows more connections than max_size. duration: Maximum duration; default: the option burst_duration.';

CREATE FUNCTION tidepool.end_burst(pool text) RETURNS bigint
  AS 'MODULE_PATHNAME', 'tidepool_command' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.end_burst(text) IS
  'Ends a burst early.';

CREATE FUNCTION tidepool.set(pool text, option text, value text) RETURNS bigint
  AS 'MODULE_PATHNAME', 'tidepool_command' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.set(text, text, text) IS
  'Changes an option of a running pool; see the relation settings. option: Name of the option. value: New value.';

CREATE FUNCTION tidepool.pause(pool text) RETURNS bigint
  AS 'MODULE_PATHNAME', 'tidepool_command' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.pause(text) IS
  'Stops granting leases; callers wait until resume.';

CREATE FUNCTION tidepool.resume(pool text) RETURNS bigint
  AS 'MODULE_PATHNAME', 'tidepool_command' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.resume(text) IS
  'Ends a pause or a drain.';

CREATE FUNCTION tidepool.recycle(pool text, spread interval DEFAULT NULL) RETURNS bigint
  AS 'MODULE_PATHNAME', 'tidepool_command' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.recycle(text, interval) IS
  'Replaces all connections; leased ones when they are released. spread: Period over which the connections are replaced; default: immediately.';

CREATE FUNCTION tidepool.drain(pool text) RETURNS bigint
  AS 'MODULE_PATHNAME', 'tidepool_command' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.drain(text) IS
  'Stops granting leases and closes each connection when it is released.';

CREATE FUNCTION tidepool.close_connection(conn_id bigint, pool text DEFAULT NULL) RETURNS bigint
  AS 'MODULE_PATHNAME', 'tidepool_command' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.close_connection(bigint, text) IS
  'Closes a connection when it is not leased. conn_id: Identifier of the connection, as in connections. pool: needed only where several use the number.';

CREATE FUNCTION tidepool.revoke(lease_id bigint, pool text DEFAULT NULL) RETURNS bigint
  AS 'MODULE_PATHNAME', 'tidepool_command' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.revoke(bigint, text) IS
  'Revokes a lease and closes its connection. lease_id: Identifier of the lease, as in leases. pool: needed only where several use the number.';

CREATE FUNCTION tidepool.reset_stats(pool text) RETURNS bigint
  AS 'MODULE_PATHNAME', 'tidepool_command' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.reset_stats(text) IS
  'Resets the counters and peaks of pool_stats.';

CREATE FUNCTION tidepool.check_health(pool text) RETURNS bigint
  AS 'MODULE_PATHNAME', 'tidepool_command' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.check_health(text) IS
  'Runs all health checks now; see health_checks.';

CREATE FUNCTION tidepool.ack(alert_id bigint, by text DEFAULT NULL) RETURNS bigint
  AS 'MODULE_PATHNAME', 'tidepool_command' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.ack(bigint, text) IS
  'Acknowledges an alert. alert_id: Identifier of the alert, as in alerts. by: Who acknowledges; default: the user issuing the command.';

CREATE FUNCTION tidepool.set_alert(
    pool text, rule text, metric text DEFAULT NULL, comparison text DEFAULT NULL,
    threshold double precision DEFAULT NULL, hold interval DEFAULT NULL, severity text DEFAULT NULL,
    enabled boolean DEFAULT NULL, message text DEFAULT NULL, advice text DEFAULT NULL,
    clear_at double precision DEFAULT NULL) RETURNS bigint
  AS 'MODULE_PATHNAME', 'tidepool_command' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.set_alert(text, text, text, text, double precision, interval, text, boolean, text, text, double precision) IS
  'Creates or changes an alert rule; arguments not given keep their values. rule: Name of the rule. metric: Metric of the rule. comparison: Comparison of the metric with the threshold. threshold: Value at which the condition begins. hold: How long the condition must hold before the alert fires. severity: Severity of the alert. enabled: Whether the rule is evaluated. message: Message of the alert. advice: Recommended action. clear_at: Value at which the condition ends. pool: NULL is every live pool that this user may control.';

CREATE FUNCTION tidepool.drop_alert(pool text, rule text) RETURNS bigint
  AS 'MODULE_PATHNAME', 'tidepool_command' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.drop_alert(text, text) IS
  'Drops an alert rule; set_alert restores a dropped built-in rule with its defaults. rule: Name of the rule. pool: NULL is every live pool that this user may control.';

CREATE FUNCTION tidepool.evaluate(pool text) RETURNS bigint
  AS 'MODULE_PATHNAME', 'tidepool_command' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.evaluate(text) IS
  'Evaluates the size now instead of at the next scaling_interval; the result is in commands.';

CREATE FUNCTION tidepool.annotate(pool text, message text) RETURNS bigint
  AS 'MODULE_PATHNAME', 'tidepool_command' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.annotate(text, text) IS
  'Writes a remark into events, for example about a deployment. message: The remark.';

CREATE FUNCTION tidepool.clear_cache(pool text, key text DEFAULT NULL, tag text DEFAULT NULL) RETURNS bigint
  AS 'MODULE_PATHNAME', 'tidepool_command' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.clear_cache(text, text, text) IS
  'Removes results from the query cache; without arguments all. key: Only the result with this key. tag: Only results with this tag.';

CREATE FUNCTION tidepool.clear_logs(pool text) RETURNS bigint
  AS 'MODULE_PATHNAME', 'tidepool_command' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.clear_logs(text) IS
  'Empties slow_queries, failed_queries and queries.';

-- end of the commands

CREATE FUNCTION tidepool.wait_applied(command_id bigint, timeout interval DEFAULT '5s') RETURNS boolean
  AS 'MODULE_PATHNAME', 'tidepool_wait_applied' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.wait_applied(bigint, interval) IS
  'Waits until a command is applied: true, or false after the timeout. A refused command is an error.';

-- UPDATE ------------------------------------------------------------------------------------------------------------
-- Part of the transaction: published at COMMIT, discarded by ROLLBACK. Requires UPDATE on the view and EXECUTE on the
-- function of the corresponding verb: scale, set, pause, resume, drain or ack. Assigning the current value is no
-- command.

CREATE FUNCTION tidepool.update() RETURNS trigger
  AS 'MODULE_PATHNAME', 'tidepool_update' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.update() IS 'Converts UPDATE of pools, settings and alerts to commands, posted at COMMIT.';

CREATE TRIGGER steer INSTEAD OF INSERT OR UPDATE OR DELETE ON tidepool.pools
  FOR EACH ROW EXECUTE FUNCTION tidepool.update();
COMMENT ON TRIGGER steer ON tidepool.pools IS 'target_size, min_size, max_size and state can be set.';

CREATE TRIGGER steer INSTEAD OF INSERT OR UPDATE OR DELETE ON tidepool.settings
  FOR EACH ROW EXECUTE FUNCTION tidepool.update();
COMMENT ON TRIGGER steer ON tidepool.settings IS 'value can be set.';

CREATE TRIGGER steer INSTEAD OF INSERT OR UPDATE OR DELETE ON tidepool.alerts
  FOR EACH ROW EXECUTE FUNCTION tidepool.update();
COMMENT ON TRIGGER steer ON tidepool.alerts IS 'acked_by can be set.';

-- Privileges --------------------------------------------------------------------------------------------------------
-- Functions in a view are checked against the calling user, so readers need both privileges.

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA tidepool FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA tidepool FROM PUBLIC;
GRANT USAGE ON SCHEMA tidepool TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.version() TO pg_monitor;
-- begin of the readers' rights, which generate.py prints
GRANT EXECUTE ON FUNCTION tidepool.read_pools(text, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.read_pool_stats(text, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.read_pool_histograms(text, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.read_pool_history(text, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.read_connections(text, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.read_leases(text, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.read_waiters(text, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.read_events(text, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.read_scaling_events(text, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.read_alerts(text, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.read_health_checks(text, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.read_forecasts(text, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.read_alert_rules(text, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.read_settings(text, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.read_commands(text, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.read_help(text, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.read_presets(text, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.read_health(text, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.read_command_help(text, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.read_wal(text, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.read_slow_queries(text, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.read_failed_queries(text, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.read_queries(text, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.read_targets(text, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.read_insights(text, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.read_tags(text, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.read_metrics(text, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.read_segments(text, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.health(text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.check_options(text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.archive(interval, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.export(text, text, interval, boolean) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.health_report(text, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION tidepool.dashboard(text, interval) TO pg_monitor;
GRANT SELECT ON tidepool.pools TO pg_monitor;
GRANT SELECT ON tidepool.pool_stats TO pg_monitor;
GRANT SELECT ON tidepool.pool_histograms TO pg_monitor;
GRANT SELECT ON tidepool.pool_history TO pg_monitor;
GRANT SELECT ON tidepool.connections TO pg_monitor;
GRANT SELECT ON tidepool.leases TO pg_monitor;
GRANT SELECT ON tidepool.waiters TO pg_monitor;
GRANT SELECT ON tidepool.events TO pg_monitor;
GRANT SELECT ON tidepool.scaling_events TO pg_monitor;
GRANT SELECT ON tidepool.alerts TO pg_monitor;
GRANT SELECT ON tidepool.health_checks TO pg_monitor;
GRANT SELECT ON tidepool.forecasts TO pg_monitor;
GRANT SELECT ON tidepool.alert_rules TO pg_monitor;
GRANT SELECT ON tidepool.settings TO pg_monitor;
GRANT SELECT ON tidepool.commands TO pg_monitor;
GRANT SELECT ON tidepool.help TO pg_monitor;
GRANT SELECT ON tidepool.presets TO pg_monitor;
GRANT SELECT ON tidepool.health TO pg_monitor;
GRANT SELECT ON tidepool.command_help TO pg_monitor;
GRANT SELECT ON tidepool.wal TO pg_monitor;
GRANT SELECT ON tidepool.slow_queries TO pg_monitor;
GRANT SELECT ON tidepool.failed_queries TO pg_monitor;
GRANT SELECT ON tidepool.queries TO pg_monitor;
GRANT SELECT ON tidepool.targets TO pg_monitor;
GRANT SELECT ON tidepool.insights TO pg_monitor;
GRANT SELECT ON tidepool.tags TO pg_monitor;
GRANT SELECT ON tidepool.metrics TO pg_monitor;
GRANT SELECT ON tidepool.segments TO pg_monitor;
GRANT SELECT ON tidepool.backends TO pg_monitor;
-- end of the readers' rights

-- Hosted pools: a foreign server of the wrapper tidepool is a pool that the worker hosts for all backends. Its options
-- are the connection parameters and the pool's settings; its user mappings define the remote users.
--
-- Using a server requires USAGE on it, and EXECUTE on the functions below, which is not granted by default.

CREATE FUNCTION tidepool.validator(text[], oid) RETURNS void
  AS '$libdir/tidepool_query', 'tide_sql_validator' LANGUAGE c STRICT;
COMMENT ON FUNCTION tidepool.validator(text[], oid) IS
  'Checks the options of servers and user mappings when they are set.';

CREATE FOREIGN DATA WRAPPER tidepool VALIDATOR tidepool.validator;
COMMENT ON FOREIGN DATA WRAPPER tidepool IS
  'Connection pools to other databases, hosted by this server. Supports servers and user mappings, but no foreign tables.';

-- query(server, sql, params ...): runs a statement on the other database and returns its rows. The column list defines
-- the types: SELECT * FROM tidepool.query('orders', 'SELECT 1, $1', 'a') AS (n int, t text). Of several statements
-- (only without parameters) the rows of the last one are returned. Leases a connection for this statement, unless
-- tidepool.lease() holds one. Fails with the other server's own SQLSTATE and message. Requires EXECUTE, and USAGE on
-- the server; for non-superusers also a password in the mapping. Volatile, parallel unsafe.
CREATE FUNCTION tidepool.query(server text, sql text, VARIADIC params text[] DEFAULT '{}') RETURNS SETOF record
  AS '$libdir/tidepool_query', 'tide_sql_query' LANGUAGE c VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.query(text, text, text[]) IS
  'Runs a statement on another database, over a hosted pool, and returns its rows; the column list defines their types.';

-- query_json(server, sql, params ...): the same with one JSON object for each row, so that no column list is needed.
CREATE FUNCTION tidepool.query_json(server text, sql text, VARIADIC params text[] DEFAULT '{}') RETURNS SETOF jsonb
  AS '$libdir/tidepool_query', 'tide_sql_query_json' LANGUAGE c VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.query_json(text, text, text[]) IS
  'Runs a statement on another database, over a hosted pool, and returns its rows as JSON objects; keeps numbers and booleans.';

-- execute(server, sql, params ...): runs a statement on the other database and returns the number of changed rows; 0
-- for other statements. Not part of the local transaction: a local ROLLBACK does not undo it.
CREATE FUNCTION tidepool.execute(server text, sql text, VARIADIC params text[] DEFAULT '{}') RETURNS bigint
  AS '$libdir/tidepool_query', 'tide_sql_execute' LANGUAGE c VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.execute(text, text, text[]) IS
  'Runs a statement on another database, over a hosted pool, and returns the number of changed rows.';

-- lease(server, tag): keeps one connection for several statements, such as BEGIN ... COMMIT on the remote server. Ends
-- with release(), with the transaction, or when the subtransaction that acquired it is rolled back. A transaction that
-- is still open on the remote server is rolled back then.
CREATE FUNCTION tidepool.lease(server text, tag text DEFAULT NULL) RETURNS bigint
  AS '$libdir/tidepool_query', 'tide_sql_lease' LANGUAGE c VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.lease(text, text) IS
  'Keeps one connection of a hosted pool for the following statements, until release() or the end of the transaction.';

CREATE FUNCTION tidepool.release(server text) RETURNS void
  AS '$libdir/tidepool_query', 'tide_sql_release' LANGUAGE c VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.release(text) IS 'Ends the lease that lease() acquired.';

CREATE FUNCTION tidepool.read_hosted(OUT server oid, OUT mapping oid, OUT instance_id text, OUT is_closing boolean,
                                     OUT last_used_at timestamptz) RETURNS SETOF record
  AS '$libdir/tidepool_query', 'tide_sql_read_hosted' LANGUAGE c VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.read_hosted() IS 'Pools that the worker hosts for this database; see tidepool.servers.';

-- servers: the hosted pools of this database, one row for each server and user mapping; without a pool until it is
-- used. The pool of a dropped server is shown until it has closed.
CREATE VIEW tidepool.servers AS
  SELECT coalesce(s.server, p.pool) AS server, s.owner, s.mapping, h.instance_id,
         CASE WHEN h.is_closing THEN 'draining' ELSE p.state END AS state, p.size, p.idle, p.in_use, p.waiting, p.max_size,
         h.last_used_at
  FROM (SELECT s.oid, m.umid, s.srvname::text AS server, pg_get_userbyid(s.srvowner)::text AS owner,
               CASE WHEN m.umid IS NULL THEN NULL WHEN m.umuser = 0 THEN 'public' ELSE m.usename::text END AS mapping
        FROM pg_foreign_server s
        JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw AND w.fdwvalidator = 'tidepool.validator(text[], oid)'::regprocedure
        LEFT JOIN pg_user_mappings m ON m.srvid = s.oid) s
  FULL JOIN tidepool.read_hosted() h ON h.server = s.oid AND h.mapping = s.umid
  LEFT JOIN tidepool.pools p ON p.instance_id = h.instance_id;
COMMENT ON VIEW tidepool.servers IS 'Hosted pools of this database: servers, their user mappings, and the state of their pools.';
COMMENT ON COLUMN tidepool.servers.server IS 'Name of the foreign server and of its pools; for a dropped server, name of the pool that is still closing.';
COMMENT ON COLUMN tidepool.servers.owner IS 'Owner of the server; null if it was dropped.';
COMMENT ON COLUMN tidepool.servers.mapping IS 'User of the mapping, or public.';
COMMENT ON COLUMN tidepool.servers.instance_id IS 'The pool of this mapping, as in tidepool.pools; null if none is open.';
COMMENT ON COLUMN tidepool.servers.state IS 'State of the pool, as in tidepool.pools; draining if it closes when its leases are returned.';
COMMENT ON COLUMN tidepool.servers.size IS 'Connections of the pool.';
COMMENT ON COLUMN tidepool.servers.idle IS 'Idle connections.';
COMMENT ON COLUMN tidepool.servers.in_use IS 'Connections leased by sessions of this server.';
COMMENT ON COLUMN tidepool.servers.waiting IS 'Statements waiting for a connection.';
COMMENT ON COLUMN tidepool.servers.max_size IS 'Maximum number of connections of the pool.';
COMMENT ON COLUMN tidepool.servers.last_used_at IS 'When a connection was last requested or returned.';

-- Views that are not in the library's catalogue are described by their comments.
CREATE OR REPLACE VIEW tidepool.help AS
  SELECT * FROM tidepool.read_help()
  UNION ALL
  SELECT * FROM (
    SELECT v.relation, a.attname::text COLLATE "default", format_type(a.atttypid, NULL), NULL,
           d.description COLLATE "default",
           CASE WHEN a.attname IS NULL THEN NULL
                WHEN d.description LIKE '%Masked without pg_read_all_stats.' THEN 'masked' ELSE 'open' END
      FROM (VALUES ('backends', 'tidepool.backends'::regclass), ('servers', 'tidepool.servers')) AS v (relation, oid)
      JOIN pg_description AS d ON d.objoid = v.oid AND d.classoid = 'pg_class'::regclass
      LEFT JOIN pg_attribute AS a ON a.attrelid = v.oid AND a.attnum = d.objsubid AND d.objsubid > 0
     ORDER BY v.relation, d.objsubid) AS more;

REVOKE ALL ON FUNCTION tidepool.validator(text[], oid), tidepool.query(text, text, text[]),
  tidepool.query_json(text, text, text[]), tidepool.execute(text, text, text[]), tidepool.lease(text, text),
  tidepool.release(text), tidepool.read_hosted() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tidepool.read_hosted() TO pg_monitor;
GRANT SELECT ON tidepool.servers TO pg_monitor;
