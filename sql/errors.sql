-- A refusal reports the problem and the accepted values, with an appropriate SQLSTATE.
SELECT tidepool.scale('otter', 3);
\echo :LAST_ERROR_SQLSTATE
SELECT tidepool.scale(NULL, 3);
\echo :LAST_ERROR_SQLSTATE
-- Refusals by the pool contain the command's number, which varies.
\set VERBOSITY terse
SELECT tidepool.scale('other', 1000000);
\echo :LAST_ERROR_SQLSTATE
SELECT tidepool.set('other', 'max_size', 'many');
\set VERBOSITY default
SELECT tidepool.set('other', 'max_sise', '5');
\echo :LAST_ERROR_SQLSTATE
SELECT tidepool.burst('other', 'soon');
\echo :LAST_ERROR_SQLSTATE
SELECT tidepool.burst('other', interval '-1 s');
SELECT tidepool.burst('other', interval '1 month');
SELECT tidepool.wait_applied(1, interval '1 year');
SELECT tidepool.wait_applied(1, interval '0.0005 s');
SELECT tidepool.recycle('other', 'a while');
SELECT tidepool.close_connection(99999999);
\echo :LAST_ERROR_SQLSTATE
SELECT tidepool.revoke(0);
SELECT tidepool.revoke(NULL);
\set VERBOSITY terse
SELECT tidepool.wait_applied(1);
\set VERBOSITY default
\echo :LAST_ERROR_SQLSTATE
SELECT tidepool.wait_applied(1, 'soon');
SELECT tidepool.wait_applied(1, '2d');
SELECT tidepool.update();

-- An ambiguous name. The instances vary.
\set VERBOSITY terse
SELECT tidepool.pause('twin');
\set VERBOSITY default

-- A wait can be cancelled.
SET statement_timeout = '200ms';
SELECT tidepool.wait_applied(tidepool.recycle('app', '1h'), '1min');
\echo :LAST_ERROR_SQLSTATE
RESET statement_timeout;
