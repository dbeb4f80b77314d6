-- Reports: what the relations show, as one text or JSON.
SELECT p ->> 'pool' AS pool, p -> 'gauges' -> 'max_size' AS max_size, p -> 'gauges' -> 'in_use' AS in_use,
       jsonb_array_length(p -> 'leases') AS leases, p -> 'series' AS series
  FROM jsonb_array_elements(tidepool.dashboard() -> 'pools') AS p
 WHERE p -> 'about' ->> 'state' = 'running' ORDER BY p ->> 'pool' COLLATE "C", p ->> 'instance_id';
SELECT l ->> 'tag' AS tag, (l -> 'age_ms')::float8 >= 0 AS has_age
  FROM jsonb_array_elements(tidepool.dashboard('app') -> 'pools' -> 0 -> 'leases') AS l ORDER BY l ->> 'tag' COLLATE "C";
SELECT since, tidepool.dashboard('app', since) -> 'pools' -> 0 -> 'series' -> 'resolution_ms' AS resolution_ms
  FROM unnest(ARRAY['1 hour', '1 day', '10 days']::interval[]) AS since;
SELECT tidepool.dashboard('app') -> 'pools' -> 0 -> 'counters' -> 'acquires_total' =
       to_jsonb((SELECT acquires_total FROM tidepool.pool_stats WHERE pool = 'app')) AS is_that_of_the_relation;
SELECT line FROM regexp_split_to_table(tidepool.health_report('app'), '\n') AS line
 WHERE line ~ '^(  connections|Firing|Oldest|app)';
SELECT tidepool.health_report('app', 'json')::jsonb ->> 'status' = (SELECT status FROM tidepool.health('app')) AS same;
SELECT tidepool.export('health_json', (SELECT instance_id FROM tidepool.pools WHERE pool = 'app'))::jsonb
       -> 'pools' -> 0 ->> 'pool' AS by_instance;
SELECT count(*) FROM jsonb_array_elements(tidepool.dashboard('twin') -> 'pools');

-- Refusals.
SELECT tidepool.export('dashbord');
\echo :LAST_ERROR_SQLSTATE
SELECT tidepool.export(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT tidepool.health_report('app', 'html');
\echo :LAST_ERROR_SQLSTATE
SELECT tidepool.dashboard('app', interval '-1 hour');
\echo :LAST_ERROR_SQLSTATE
SELECT tidepool.dashboard('app', '1 month');
SELECT tidepool.set_alert('app', 'mine', 'utilization', '>', 90);
-- The directory varies, and the list of metrics is long.
\set VERBOSITY terse
SELECT tidepool.set_alert('app', 'mine', 'utilisation', '>', 0.9);
SELECT tidepool.health_report('ap');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
