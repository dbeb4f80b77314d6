-- Commands by UPDATE: part of the transaction.
CREATE VIEW now_other AS SELECT state, min_size, max_size, target_size, size_source FROM tidepool.pools WHERE pool = 'other';
-- The commands since the last call.
CREATE TABLE seen AS SELECT COALESCE(max(command_id), 0) AS id FROM tidepool.commands WHERE pool = 'other';
CREATE FUNCTION orders() RETURNS SETOF text LANGUAGE sql AS $$
  WITH look AS MATERIALIZED (SELECT * FROM tidepool.commands WHERE pool = 'other'),
       mark AS (UPDATE seen SET id = (SELECT max(command_id) FROM look) RETURNING 1)
  SELECT concat_ws(' ', verb, arguments - 'option', status) FROM look, seen WHERE command_id > seen.id ORDER BY command_id
$$;

UPDATE tidepool.pools SET target_size = 5 WHERE pool = 'other';
SELECT * FROM now_other;
SELECT orders();

-- ROLLBACK discards, COMMIT publishes.
BEGIN;
UPDATE tidepool.pools SET target_size = 2 WHERE pool = 'other';
ROLLBACK;
SELECT orders();
BEGIN;
UPDATE tidepool.pools SET target_size = 2 WHERE pool = 'other';
SELECT target_size FROM now_other;
COMMIT;
SELECT target_size FROM now_other;
SELECT orders();

-- Savepoints; the last of several commands takes effect.
BEGIN;
UPDATE tidepool.pools SET target_size = 3 WHERE pool = 'other';
SAVEPOINT a;
UPDATE tidepool.pools SET target_size = 4 WHERE pool = 'other';
ROLLBACK TO a;
SAVEPOINT b;
UPDATE tidepool.pools SET state = 'paused' WHERE pool = 'other';
RELEASE b;
UPDATE tidepool.pools SET target_size = 6 WHERE pool = 'other';
COMMIT;
SELECT orders();
SELECT * FROM now_other;
DO $$
BEGIN
  UPDATE tidepool.pools SET state = 'running' WHERE pool = 'other';
  BEGIN
    UPDATE tidepool.pools SET target_size = 1 WHERE pool = 'other';
    RAISE EXCEPTION 'not this one';
  EXCEPTION WHEN raise_exception THEN NULL;
  END;
END $$;
SELECT orders();
SELECT * FROM now_other;

-- Both limits, in the order that is valid at every step; NULL enables automatic sizing.
UPDATE tidepool.pools SET min_size = 20, max_size = 30, target_size = NULL WHERE pool = 'other';
SELECT orders();
UPDATE tidepool.pools SET min_size = 1, max_size = 8 WHERE pool = 'other';
SELECT orders();
SELECT min_size, max_size FROM now_other;
UPDATE tidepool.settings SET value = '2min' WHERE pool = 'other' AND name = 'idle_timeout';
UPDATE tidepool.settings SET value = '10min' WHERE pool = 'other' AND name = 'idle_timeout';
SELECT orders();
UPDATE tidepool.settings SET value = CASE name WHEN 'min_size' THEN '9' ELSE '10' END
 WHERE pool = 'other' AND name IN ('min_size', 'max_size');
SELECT orders();
UPDATE tidepool.pools SET min_size = 1, max_size = 8 WHERE pool = 'other';
SELECT orders();

-- Assigning the current value is no command.
UPDATE tidepool.pools SET max_size = max_size WHERE pool = 'other';
SELECT orders();

-- Two pools with the same name are two rows.
UPDATE tidepool.pools SET max_size = 3 WHERE pool = 'twin';
SELECT max_size FROM tidepool.pools WHERE pool = 'twin';

-- Refusals by the statement.
UPDATE tidepool.pools SET size = 3 WHERE pool = 'other';
UPDATE tidepool.pools SET state = 'dead' WHERE pool = 'other';
UPDATE tidepool.pools SET max_size = NULL WHERE pool = 'other';
UPDATE tidepool.pools SET target_size = -2 WHERE pool = 'other';
UPDATE tidepool.settings SET name = 'x' WHERE pool = 'other' AND name = 'max_size';
UPDATE tidepool.settings SET value = NULL WHERE pool = 'other' AND name = 'idle_timeout';
INSERT INTO tidepool.pools (pool) VALUES ('new');
DELETE FROM tidepool.pools WHERE pool = 'other';
UPDATE tidepool.leases SET tag = 'x';
BEGIN READ ONLY;
UPDATE tidepool.pools SET target_size = 3 WHERE pool = 'other';
ROLLBACK;
SELECT orders();

-- Refusals at COMMIT: the transaction is aborted, and later commands are not posted. The details contain instances.
\set VERBOSITY terse
CREATE TABLE witness (what text);
BEGIN;
INSERT INTO witness VALUES ('committed with a contradiction');
UPDATE tidepool.pools SET min_size = 9 WHERE pool = 'other';
COMMIT;
SELECT * FROM witness;
UPDATE tidepool.settings SET value = 'soon' WHERE pool = 'other' AND name = 'idle_timeout';
BEGIN;
INSERT INTO witness VALUES ('committed with a refused value');
UPDATE tidepool.settings SET value = '3' WHERE pool = 'other' AND name = 'burst_max_size';
COMMIT;
SELECT * FROM witness;
SELECT orders();
BEGIN;
UPDATE tidepool.pools SET target_size = 4 WHERE pool = 'other';
UPDATE tidepool.settings SET value = '3' WHERE pool = 'other' AND name = 'burst_max_size';
COMMIT;
SELECT orders();
BEGIN;
UPDATE tidepool.pools SET target_size = 3 WHERE pool = 'other';
PREPARE TRANSACTION 'prepared';
SELECT count(*) FROM pg_prepared_xacts;

SELECT state, min_size, max_size FROM now_other;
DROP TABLE witness, seen;
DROP FUNCTION orders;
DROP VIEW now_other;
