-- Alerts, their rules, health and forecasts: the views and the commands.
SELECT count(*) FROM tidepool.alerts WHERE pool = 'nobody';
SELECT count(*) FROM tidepool.read_alert_rules('nobody');
SELECT count(*) FROM tidepool.health_checks WHERE pool = 'nobody';
SELECT count(*) FROM tidepool.forecasts WHERE pool = 'nobody';
SELECT breaker IN ('off', 'closed', 'open', 'half_open') AS has_a_word FROM tidepool.pools WHERE pool = 'other';

-- The commands that a call posts, independent of the pool's answer.
CREATE FUNCTION asks(call text, asked text DEFAULT 'other') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  before bigint := COALESCE((SELECT max(command_id) FROM tidepool.commands WHERE pool = asked), 0);
BEGIN
  BEGIN
    EXECUTE 'SELECT tidepool.' || call;
  EXCEPTION WHEN object_not_in_prerequisite_state THEN NULL;
  END;
  RETURN QUERY SELECT concat_ws(' ', verb, arguments) FROM tidepool.commands
                WHERE pool = asked AND command_id > before ORDER BY command_id;
END $$;
SET client_min_messages = warning;

SELECT asks($$check_health('other')$$);
SELECT asks($$set_alert('other', 'too_slow', 'wait_p95_ms', '>=', 250.5, '90s', 'critical', false, 'slow', '', 100)$$);
SELECT asks($$set_alert('other', 'r', enabled => true)$$);
SELECT asks($$set_alert('other', 'r', threshold => 0.1, hold => '500ms', clear_at => 1e-7)$$);
SELECT asks($$set_alert('other', 'r', NULL, NULL, NULL, interval '2 minutes', message => 'it''s "so"')$$);
SELECT asks($$set_alert(pool => 'other', rule => 'r', advice => 'none')$$);
SELECT asks($$set_alert('other', 'r')$$);
SELECT asks($$drop_alert('other', 'r')$$);

-- Arguments that fit into a command are not truncated.
SELECT count(*) FROM asks($$set_alert('other', 'long', 'waiting', '>', 20, '30s', message => repeat('m', 190), advice => repeat('a', 190))$$);
SELECT arguments->>'rule' AS rule, arguments->>'message' = repeat('m', 190) AS message, arguments->>'advice' = repeat('a', 190) AS advice
  FROM tidepool.commands WHERE pool = 'other' ORDER BY command_id DESC LIMIT 1;

-- Without a pool: all pools.
SELECT asks($$set_alert(NULL, 'r', 'waiting')$$);
SELECT asks($$drop_alert(NULL, 'r')$$, 'twin');
SELECT asks($$drop_alert(NULL, 'r')$$, 'app');

-- Refusals. None of these commands is posted.
SELECT max(command_id) AS last FROM tidepool.commands WHERE pool = 'other' \gset
SELECT tidepool.set_alert('other', 'r', 'waitin');
\echo :LAST_ERROR_SQLSTATE
SELECT tidepool.set_alert('other', 'A rule');
SELECT tidepool.set_alert('other', repeat('r', 47));
SELECT tidepool.set_alert('other', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT tidepool.set_alert('otter', 'r');
\echo :LAST_ERROR_SQLSTATE
SELECT tidepool.set_alert('other', 'r', comparison => '=');
SELECT tidepool.set_alert('other', 'r', severity => 'warn');
SELECT tidepool.set_alert('other', 'r', threshold => 'NaN');
SELECT tidepool.set_alert('other', 'r', threshold => 'Infinity');
SELECT tidepool.set_alert('other', 'r', clear_at => '-Infinity');
SELECT tidepool.set_alert('other', 'r', threshold => 1e300);
SELECT tidepool.set_alert('other', 'r', threshold => '1e999');
SELECT tidepool.set_alert('other', 'r', hold => 'soon');
SELECT tidepool.set_alert('other', 'r', NULL, NULL, NULL, interval '-1 s');
SELECT tidepool.set_alert('other', 'r', hold => '25 hours');
SELECT tidepool.set_alert('other', 'r', 'waiting', '>', 5, clear_at => 6);
SELECT tidepool.set_alert('other', 'r', message => repeat('m', 191));
SELECT tidepool.set_alert(NULL, 'r', 'waitin');
\echo :LAST_ERROR_SQLSTATE
SELECT tidepool.drop_alert('other', 'R');
SELECT tidepool.drop_alert('other', NULL);
SELECT tidepool.check_health(NULL);
SELECT tidepool.ack(NULL);
SELECT tidepool.ack(0);
\set VERBOSITY terse
SELECT tidepool.ack(1);
\set VERBOSITY default
\echo :LAST_ERROR_SQLSTATE
UPDATE tidepool.alert_rules SET threshold = 1;
INSERT INTO tidepool.alerts (rule) VALUES ('new');
SELECT max(command_id) = :last AS is_untouched FROM tidepool.commands WHERE pool = 'other';

RESET client_min_messages;
DROP FUNCTION asks;
