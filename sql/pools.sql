-- The pools of another process.
SELECT pool, source, backend, state, min_size, max_size, limit_size, in_use, waiting, size >= min_size AS is_whole
  FROM tidepool.pools ORDER BY pool COLLATE "C", instance_id;
SELECT count(*) AS rows, count(DISTINCT instance_id) AS instances, bool_and(length(instance_id) = 32) AS is_hex,
       bool_and(pid > 0) AS has_pid, bool_and(started_at <= sampled_at) AS is_in_order,
       bool_and(sampled_at BETWEEN now() - interval '1 min' AND now() + interval '1 min') AS is_fresh
  FROM tidepool.pools;
SELECT pool, utilization FROM tidepool.pools WHERE pool = 'app';

-- Arguments of the functions restrict the rows.
SELECT DISTINCT pool FROM tidepool.read_pools('other');
SELECT count(*) FROM tidepool.read_pools(only_instance => (SELECT min(instance_id) FROM tidepool.pools));
SELECT count(*) FROM tidepool.read_pools('nobody');
SELECT count(*) FROM (SELECT tidepool.read_pools()) AS rows;

SELECT acquires_total, releases_total, connect_failures_total, last_error FROM tidepool.pool_stats WHERE pool = 'app';
SELECT metric, count(*) > 5 AS has_buckets, bool_or(le_ms IS NULL) AS has_infinity FROM tidepool.pool_histograms
 WHERE pool = 'app' GROUP BY metric ORDER BY metric COLLATE "C";
SELECT DISTINCT pg_typeof(detail) FROM tidepool.events;
SELECT bool_and(seq > 0) FROM tidepool.events;
SELECT relation, column_name, type, unit FROM tidepool.help WHERE relation = 'waiters';
SELECT count(*) FROM tidepool.waiters;
