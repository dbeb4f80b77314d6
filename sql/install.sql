-- The script runs, all its objects have comments, and PUBLIC has no privileges.
CREATE EXTENSION tidepool;
SELECT extversion, extrelocatable FROM pg_extension WHERE extname = 'tidepool';
SELECT tidepool.version() ~ '^\d+\.\d+\.\d+$' AS has_version;

-- Objects without a comment.
SELECT c.relname FROM pg_class c
 WHERE c.relnamespace = 'tidepool'::regnamespace AND c.relkind = 'v' AND obj_description(c.oid, 'pg_class') IS NULL;
SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
 WHERE c.relnamespace = 'tidepool'::regnamespace AND c.relkind = 'v' AND a.attnum > 0
   AND col_description(c.oid, a.attnum) IS NULL;
SELECT p.oid::regprocedure FROM pg_proc p
 WHERE p.pronamespace = 'tidepool'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL;

-- Functions and views that PUBLIC may use.
SELECT p.oid::regprocedure FROM pg_proc p, LATERAL aclexplode(COALESCE(p.proacl, acldefault('f', p.proowner))) AS a
 WHERE p.pronamespace = 'tidepool'::regnamespace AND a.grantee = 0;
SELECT c.oid::regclass FROM pg_class c, LATERAL aclexplode(COALESCE(c.relacl, acldefault('r', c.relowner))) AS a
 WHERE c.relnamespace = 'tidepool'::regnamespace AND a.grantee = 0;

-- A library and a script of different versions are an error.
BEGIN;
UPDATE pg_extension SET extversion = '0.0' WHERE extname = 'tidepool';
SELECT tidepool.version() IS NOT NULL AS still_says_its_version;
SELECT pool FROM tidepool.pools;
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
SELECT count(*) > 0 AS works_again FROM tidepool.pools;

-- Every relation of the catalogue has a view.
SELECT DISTINCT relation FROM tidepool.help WHERE to_regclass('tidepool.' || relation) IS NULL;
