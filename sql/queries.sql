-- The query log: which statements were slow or failed, and their figures; without literals. The pool "app" is one of
-- another process.
SELECT count(*) FILTER (WHERE query IS NULL OR fingerprint !~ '^[0-9a-f]{16}$') AS unnamed,
       count(*) FILTER (WHERE calls < 1 OR errors > calls OR min_ms > max_ms OR max_ms > total_ms) AS wrong,
       count(*) FILTER (WHERE first_seen > last_seen OR p50_ms > p99_ms OR p99_ms > max_ms) AS unordered
  FROM tidepool.queries;
SELECT count(*) FILTER (WHERE duration_ms < 0 OR at > now()) AS wrong FROM tidepool.slow_queries;
SELECT count(*) FILTER (WHERE message IS NULL OR sqlstate !~ '^[0-9A-Z]{5}$') AS wrong FROM tidepool.failed_queries;
SELECT count(*) AS repeated FROM (
  SELECT 1 FROM tidepool.queries GROUP BY instance_id, fingerprint HAVING count(*) > 1) AS twice;

-- The threshold is changed while the pool is open; the size is not.
SELECT tidepool.wait_applied(tidepool.set('app', 'slow_query_threshold', '200ms'), '10 s');
SELECT name, value, applies FROM tidepool.settings WHERE pool = 'app' AND name IN ('query_log_size', 'slow_query_threshold')
 ORDER BY name COLLATE "C";
SELECT tidepool.wait_applied(tidepool.set('app', 'slow_query_threshold', '1s'), '10 s');

SELECT tidepool.wait_applied(tidepool.clear_logs('app'), '10 s');
SELECT (SELECT count(*) FROM tidepool.slow_queries WHERE pool = 'app') AS slow,
       (SELECT count(*) FROM tidepool.failed_queries WHERE pool = 'app') AS failed,
       (SELECT count(*) FROM tidepool.queries WHERE pool = 'app') AS queries;
SELECT severity, message LIKE 'query logs cleared by %' AS told FROM tidepool.events
 WHERE pool = 'app' AND kind = 'logs_cleared' ORDER BY seq DESC LIMIT 1;
