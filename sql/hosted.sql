-- Hosted pools: servers and mappings, privileges, and leases. The server `loop` connects to this cluster.
\getenv host PGHOST
\getenv port PGPORT
SET lc_messages = 'C';

-- options are checked when they are set
CREATE SERVER loop FOREIGN DATA WRAPPER tidepool OPTIONS (host :'host', port :'port', dbname 'regression', max_size '2');
CREATE SERVER bad FOREIGN DATA WRAPPER tidepool OPTIONS (hots 'x');
CREATE SERVER bad FOREIGN DATA WRAPPER tidepool OPTIONS (max_conections '3');
CREATE SERVER bad FOREIGN DATA WRAPPER tidepool OPTIONS (nothing_like_it 'x');
CREATE SERVER bad FOREIGN DATA WRAPPER tidepool OPTIONS (max_size 'many');
CREATE SERVER bad FOREIGN DATA WRAPPER tidepool OPTIONS (max_size '0');
CREATE SERVER bad FOREIGN DATA WRAPPER tidepool OPTIONS (grow_step '0');
CREATE SERVER bad FOREIGN DATA WRAPPER tidepool OPTIONS (idle_timeout '5 parsecs');
CREATE SERVER bad FOREIGN DATA WRAPPER tidepool OPTIONS (min_size '5', max_size '4');
CREATE SERVER bad FOREIGN DATA WRAPPER tidepool OPTIONS (reset_on_release 'none');
CREATE SERVER bad FOREIGN DATA WRAPPER tidepool OPTIONS (client_encoding 'LATIN1');
CREATE SERVER bad FOREIGN DATA WRAPPER tidepool OPTIONS (sqlite_journal_mode 'wal');
CREATE SERVER bad FOREIGN DATA WRAPPER tidepool OPTIONS (password 'secret');
CREATE SERVER bad FOREIGN DATA WRAPPER tidepool OPTIONS (user 'me');
CREATE SERVER fine FOREIGN DATA WRAPPER tidepool
  OPTIONS (host :'host', port :'port', "maxConnections" '3', connect_timeout '5', application_name 'mine', sslmode 'prefer');
DROP SERVER fine;
CREATE USER MAPPING FOR CURRENT_USER SERVER loop OPTIONS (usr 'x');
CREATE USER MAPPING FOR CURRENT_USER SERVER loop OPTIONS (max_size '3');
CREATE USER MAPPING FOR CURRENT_USER SERVER loop OPTIONS (password_required 'maybe');
ALTER FOREIGN DATA WRAPPER tidepool OPTIONS (ADD host 'x');

-- a server without a mapping, then with one
SELECT * FROM tidepool.query('loop', 'SELECT 1') AS (n int);
CREATE USER MAPPING FOR CURRENT_USER SERVER loop OPTIONS (user 'postgres');
SELECT * FROM tidepool.query('loop', 'SELECT 1') AS (n int);
SELECT server, owner, mapping, state, max_size, last_used_at IS NOT NULL AS was_used FROM tidepool.servers;
SELECT source, app, backend, state FROM tidepool.pools WHERE pool = 'loop';

-- servers of other foreign data wrappers
CREATE FOREIGN DATA WRAPPER somebody_else;
CREATE SERVER theirs FOREIGN DATA WRAPPER somebody_else;
SELECT * FROM tidepool.query('theirs', 'SELECT 1') AS (n int);
SELECT * FROM tidepool.query('nowhere', 'SELECT 1') AS (n int);
DROP FOREIGN DATA WRAPPER somebody_else CASCADE;

-- privileges
CREATE ROLE hosted_user;
GRANT USAGE ON SCHEMA tidepool TO hosted_user;
SET ROLE hosted_user;
SELECT tidepool.execute('loop', 'SELECT 1');
SELECT * FROM tidepool.servers;
CREATE SERVER mine FOREIGN DATA WRAPPER tidepool;
RESET ROLE;
GRANT EXECUTE ON FUNCTION tidepool.execute, tidepool.lease, tidepool.release TO hosted_user;
SET ROLE hosted_user;
SELECT tidepool.execute('loop', 'SELECT 1');
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER loop TO hosted_user;
SET ROLE hosted_user;
SELECT tidepool.execute('loop', 'SELECT 1');
CREATE USER MAPPING FOR hosted_user SERVER loop OPTIONS (user 'postgres', password_required 'false');
CREATE USER MAPPING FOR hosted_user SERVER loop OPTIONS (sslkey '/etc/passwd');
CREATE USER MAPPING FOR hosted_user SERVER loop OPTIONS (user 'postgres');
SELECT tidepool.execute('loop', 'SELECT 1');
ALTER USER MAPPING FOR hosted_user SERVER loop OPTIONS (ADD password 'never asked for');
SELECT tidepool.execute('loop', 'SELECT 1');
RESET ROLE;
ALTER USER MAPPING FOR hosted_user SERVER loop OPTIONS (ADD password_required 'false');
SET ROLE hosted_user;
SELECT tidepool.execute('loop', 'SELECT 1');
RESET ROLE;
DROP OWNED BY hosted_user;
DROP ROLE hosted_user;

-- leases
SELECT tidepool.release('loop');
BEGIN;
SELECT tidepool.lease('loop', 'a job') > 0 AS is_leased;
SELECT tag FROM tidepool.leases WHERE pool = 'loop' AND tag = 'a job';
SELECT tidepool.execute('loop', 'BEGIN; CREATE TEMP TABLE mine AS SELECT 7 AS a');
SELECT * FROM tidepool.query('loop', 'SELECT a FROM mine') AS (a int);
SAVEPOINT again;
SELECT tidepool.lease('loop');
ROLLBACK TO again;
SELECT tidepool.execute('loop', 'COMMIT');
SELECT tidepool.release('loop');
SELECT * FROM tidepool.query('loop', 'SELECT to_regclass(''pg_temp.mine'') IS NULL') AS (is_gone bool);
COMMIT;
BEGIN;
SELECT tidepool.lease('loop') > 0 AS is_leased;
COMMIT;
SELECT tidepool.release('loop');
SELECT tidepool.lease(NULL);

-- The old pool of the mapping closes when its connections are closed.
DO $$ BEGIN
  FOR i IN 1 .. 1000 LOOP
    EXIT WHEN (SELECT count(*) FROM tidepool.servers) = 1;
    PERFORM pg_sleep(0.01);
  END LOOP;
END $$;
-- a draining pool accepts no requests
SELECT server, mapping FROM tidepool.servers;
SELECT tidepool.drain(instance_id) > 0 AS is_ordered FROM tidepool.servers WHERE server = 'loop';
SELECT tidepool.execute('loop', 'SELECT 1');
SELECT tidepool.resume(instance_id) > 0 AS is_ordered FROM tidepool.servers WHERE server = 'loop';
SELECT tidepool.execute('loop', 'SELECT 1');

DROP SERVER loop CASCADE;

-- close the pools, so that other tests do not see them
DO $$ BEGIN
  WHILE EXISTS (SELECT FROM tidepool.pools WHERE source = 'hosted') LOOP
    PERFORM FROM tidepool.read_hosted();
    PERFORM pg_sleep(0.01);
  END LOOP;
END $$;
SELECT * FROM tidepool.servers;
