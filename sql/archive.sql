-- Rows of pool_history in a table that keeps them.
\set SHOW_CONTEXT never
DO $$ BEGIN
  FOR tries IN 1..200 LOOP
    EXIT WHEN EXISTS (SELECT FROM tidepool.pool_history WHERE pool = 'app');
    PERFORM pg_sleep(0.05);  -- the first second is not over
  END LOOP;
END $$;
SELECT count(*) > 0 AS has_history FROM tidepool.pool_history WHERE pool = 'app';
SELECT tidepool.archive('1 hour') > 0 AS has_copied;
SELECT count(*) > 0 AS is_there, bool_and("at" > now() - interval '1 hour') AS is_new FROM tidepool_history;
-- What is there is not copied again.
SELECT tidepool.archive('1 hour') < 10 AS few_more;
SELECT count(*) - count(DISTINCT (measured_by, resolution_ms, "at")) AS twice FROM tidepool_history;
SELECT tidepool.archive('0 s');
-- Any table, in any schema, also with more columns.
CREATE SCHEMA "Old stock";
SELECT tidepool.archive('1 hour', '"Old stock"."pool''s; history"') > 0 AS has_copied;
ALTER TABLE "Old stock"."pool's; history" ADD COLUMN note text;
TRUNCATE "Old stock"."pool's; history";
SELECT tidepool.archive('1 hour', '"Old stock"."pool''s; history"') > 0 AS has_copied;
SELECT obj_description('tidepool.archive'::regproc) IS NOT NULL AS is_described;
-- Refused, before anything is copied.
SELECT tidepool.archive(NULL);
SELECT tidepool.archive('1 day', NULL);
SELECT tidepool.archive('-1 day');
SELECT tidepool.archive('1 day', 'a.b.c');
SELECT tidepool.archive('1 day', 'no_schema.history');
CREATE TABLE mine ("at" timestamptz, size integer);
SELECT tidepool.archive('1 day', 'mine');
CREATE TABLE keyless (LIKE tidepool.pool_history);
SELECT tidepool.archive('1 day', 'keyless');
CREATE VIEW seen AS SELECT * FROM tidepool_history;
SELECT tidepool.archive('1 day', 'seen');
SELECT (SELECT count(*) FROM mine) + (SELECT count(*) FROM keyless) AS copied;
SET search_path = missing;
SELECT tidepool.archive();
RESET search_path;
DROP VIEW seen;
DROP TABLE mine, keyless, tidepool_history;
DROP SCHEMA "Old stock" CASCADE;
