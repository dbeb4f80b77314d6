-- Commands by functions: posted immediately, and the function waits for the answer.
SELECT tidepool.scale('other', 3, 'a test') AS id \gset
SELECT verb, status, arguments, actor FROM tidepool.commands WHERE command_id = :id;
SELECT target_size, size_source FROM tidepool.pools WHERE pool = 'other';
SELECT tidepool.wait_applied(:id);
SELECT tidepool.wait_applied(:id, interval '1 s'), tidepool.wait_applied(:id, '0');
SELECT from_size, to_size, cause, actor FROM tidepool.scaling_events WHERE pool = 'other' ORDER BY seq DESC LIMIT 1;
SELECT tidepool.scale('other', NULL) > 0 AS ordered;
SELECT size_source <> 'manual' AS is_automatic FROM tidepool.pools WHERE pool = 'other';

SELECT tidepool.pause('other') > 0 AS ordered;
SELECT state FROM tidepool.pools WHERE pool = 'other';
SELECT tidepool.resume('other') > 0 AS ordered;
SELECT state FROM tidepool.pools WHERE pool = 'other';

SELECT tidepool.burst('other', '30s') > 0 AS ordered;
SELECT burst_until > now() AS is_bursting FROM tidepool.pools WHERE pool = 'other';
SELECT tidepool.end_burst('other') > 0 AS ordered;
SELECT burst_until FROM tidepool.pools WHERE pool = 'other';
SELECT tidepool.burst('other', interval '90 seconds') > 0 AS ordered;
SELECT tidepool.burst('other', interval '1.0005 s') > 0 AS ordered;
SELECT tidepool.end_burst('other') > 0 AS ordered;
SELECT arguments FROM tidepool.commands WHERE pool = 'other' AND verb = 'burst' ORDER BY command_id;

SELECT tidepool.wait_applied(tidepool.recycle('other', '0'), '10s');
SELECT tidepool.wait_applied(tidepool.recycle('other', interval '0'), '10s');
SELECT coalesce(stats_reset, '-infinity') AS before, connects_total > 0 AS has_counted FROM tidepool.pool_stats
  WHERE pool = 'other' \gset
SELECT :'has_counted' AS has_counted;
SELECT tidepool.reset_stats('other') > 0 AS ordered;
SELECT stats_reset > :'before' AS was_reset, connects_total FROM tidepool.pool_stats WHERE pool = 'other';

-- One connection, by its number and pool. An instance_id is used if a name is ambiguous.
SELECT tidepool.wait_applied(tidepool.close_connection(max(conn_id), 'other'), '10s')
  FROM tidepool.connections WHERE pool = 'other';
SELECT tidepool.wait_applied(tidepool.pause(instance_id)), pool FROM tidepool.pools WHERE pool = 'twin';
SELECT DISTINCT state FROM tidepool.pools WHERE pool = 'twin';
SELECT tidepool.wait_applied(tidepool.resume(instance_id)), pool FROM tidepool.pools WHERE pool = 'twin';

-- A command is not part of the transaction, and may be posted in a read-only one.
BEGIN READ ONLY;
SELECT tidepool.pause('other') > 0 AS ordered;
ROLLBACK;
SELECT state FROM tidepool.pools WHERE pool = 'other';
SELECT tidepool.resume('other') > 0 AS ordered;

-- drain() and resume().
SELECT tidepool.wait_applied(tidepool.drain('other'), '10s');
SELECT state, size FROM tidepool.pools WHERE pool = 'other';
SELECT tidepool.resume('other') > 0 AS ordered;
SELECT state FROM tidepool.pools WHERE pool = 'other';
