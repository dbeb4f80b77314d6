-- Queries in another database over a hosted pool: rows, JSON, changes, and errors with hints.
\getenv host PGHOST
\getenv port PGPORT
SET lc_messages = 'C';
CREATE SERVER far FOREIGN DATA WRAPPER tidepool OPTIONS (host :'host', port :'port', dbname 'regression');
CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (user 'postgres');

-- rows
SELECT * FROM tidepool.query('far', 'SELECT n, n * 1.5, ''t'' || n FROM generate_series(1, 3) n') AS (n int, half numeric, t text);
SELECT * FROM tidepool.query('far', 'SELECT $1::int + $2::int, $3', '40', '2', NULL) AS (n bigint, nothing text);
SELECT * FROM tidepool.query('far', 'SELECT $1', $$it's "quoted" \ $$) AS (x text);
SELECT count(*), sum(n) FROM tidepool.query('far', 'SELECT generate_series(1, 100000)') AS (n bigint);
SELECT * FROM tidepool.query('far', 'SELECT 1 WHERE false') AS (n int);
SELECT * FROM tidepool.query('far', 'SELECT ''a'', 1; SELECT 2') AS (n int);
SELECT * FROM tidepool.query('far', 'SELECT DATE ''2026-02-01'', INTERVAL ''1 day 2 hours''') AS (d date, i interval);
SELECT * FROM tidepool.query('far', 'SELECT ARRAY[1, NULL], ROW(1, ''b''), ''{"a": 1}''::json') AS (a int[], r text, j jsonb);
SELECT * FROM tidepool.query('far', '') AS (n int);
SELECT p.a, q.b FROM generate_series(1, 2) p(a), LATERAL tidepool.query('far', 'SELECT $1::int * 10', p.a::text) AS q(b int);

-- JSON
SELECT * FROM tidepool.query_json('far', $$SELECT 1::int2 AS i, 2.50 AS n, 1e20::float8 AS f, 'NaN'::float8 AS nan,
  '-Infinity'::numeric AS inf, true AS b, '[1, {"x": null}]'::json AS j, '"s"'::jsonb AS js, NULL::int AS nothing,
  E'a"b\\c\nd' AS t, DATE '2026-02-01' AS d$$);
SELECT * FROM tidepool.query_json('far', 'SELECT n FROM generate_series(1, 2) n');
-- Columns with the same name keep their values.
SELECT * FROM tidepool.query_json('far', 'SELECT 1 AS id, 2 AS id, 3 AS id_2, 4 AS id, 5 AS id_3, NULL AS id, ''a'' AS "?", ''b'' AS "?"');
SELECT * FROM tidepool.query_json('far', 'SELECT * FROM (VALUES (1, ''a'')) a(id, name) JOIN (VALUES (1, ''b'')) b(id, name) USING (id)');

-- changes
SELECT tidepool.execute('far', 'CREATE TABLE far_away (a int PRIMARY KEY)');
SELECT tidepool.execute('far', 'INSERT INTO far_away SELECT generate_series(1, 5)');
SELECT tidepool.execute('far', 'UPDATE far_away SET a = a + 10 WHERE a > $1::int', '3');
SELECT tidepool.execute('far', 'DELETE FROM far_away RETURNING a');
SELECT tidepool.execute('far', 'SELECT 1');
SELECT tidepool.execute('far', 'DO $$ BEGIN RAISE NOTICE ''from afar''; END $$');

-- a transaction needs a lease, and is not committed if one of its statements failed
SELECT tidepool.execute('far', 'BEGIN');
SELECT tidepool.execute('far', 'BEGIN; INSERT INTO far_away VALUES (70)');
SELECT tidepool.execute('far', 'BEGIN; SELECT 1/0');
SELECT tidepool.execute('far', 'BEGIN; INSERT INTO far_away VALUES (71); COMMIT');
BEGIN;
SELECT tidepool.lease('far') > 0 AS leased;
SELECT tidepool.execute('far', 'BEGIN; INSERT INTO far_away VALUES (72)');
SAVEPOINT a;
SELECT tidepool.execute('far', 'SELECT 1/0');
ROLLBACK TO a;
SELECT tidepool.execute('far', '/* of it */ END');
ROLLBACK TO a;
SELECT tidepool.execute('far', 'BEGIN; SAVEPOINT b');
SELECT tidepool.execute('far', 'ROLLBACK TO b; COMMIT');
COMMIT;
SELECT * FROM tidepool.query('far', 'SELECT a FROM far_away WHERE a >= 70') AS (a int);

-- values that do not match the column list
SELECT * FROM tidepool.query('far', 'SELECT ''x''::text, 1') AS (n int, m int);
SELECT * FROM tidepool.query('far', 'SELECT 70000') AS (small smallint);
SELECT * FROM tidepool.query('far', 'SELECT 1, ''b''::text') AS (n int);
SELECT * FROM tidepool.query('far', 'SELECT 1') AS (n int, m int);
SELECT tidepool.query('far', 'SELECT 1');

-- errors of the remote server keep their SQLSTATE
\set SHOW_CONTEXT errors
DO $do$ BEGIN PERFORM tidepool.execute('far', 'SELECT 1/0'); EXCEPTION WHEN division_by_zero THEN RAISE NOTICE 'caught'; END $do$;
SELECT tidepool.execute('far', 'SELEC 1');
SELECT tidepool.execute('far', 'INSERT INTO far_away VALUES (1), (1)');
SELECT tidepool.execute('far', 'SELECT $1::int + $2::int', '1');
SELECT tidepool.execute('far', 'SELECT $1::int', '1', '2');
SELECT tidepool.execute('far', 'SELECT $1::int', 'one');
SELECT tidepool.execute('far', 'SELECT 1; SELECT $1', '1');
SELECT tidepool.execute('far', 'COPY far_away TO STDOUT');
SELECT tidepool.execute('far', 'COPY far_away FROM STDIN');
SELECT tidepool.execute(NULL, 'SELECT 1');
SELECT tidepool.execute('far', NULL);
SET statement_timeout = '200ms';
SELECT tidepool.execute('far', 'SELECT pg_sleep(10)');
RESET statement_timeout;
SELECT tidepool.execute('far', 'SELECT 1');

-- unreachable server
CREATE SERVER dead FOREIGN DATA WRAPPER tidepool OPTIONS (host '/nowhere', port '5', acquire_timeout '1s');
CREATE USER MAPPING FOR CURRENT_USER SERVER dead OPTIONS (user 'postgres', password 'open sesame');
-- the duration of the wait and the state of the connection attempt vary
DO $do$ DECLARE hint text; BEGIN
  PERFORM tidepool.execute('dead', 'SELECT 1');
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
  RAISE NOTICE '% %, hint: %', SQLSTATE, regexp_replace(regexp_replace(SQLERRM, 'within 1\.\d s', 'within 1 s'), 'size [01] of', 'size N of'), hint;
END $do$;

SELECT tidepool.execute('far', 'DROP TABLE far_away');
DROP SERVER far CASCADE;
DROP SERVER dead CASCADE;

-- close the pools, so that other tests do not see them
DO $$ BEGIN
  WHILE EXISTS (SELECT FROM tidepool.pools WHERE source = 'hosted') LOOP
    PERFORM FROM tidepool.read_hosted();
    PERFORM pg_sleep(0.01);
  END LOOP;
END $$;
