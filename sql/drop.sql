-- DROP EXTENSION leaves no objects.
DROP EXTENSION tidepool CASCADE;
SELECT nspname FROM pg_namespace WHERE nspname LIKE '%tidepool%';
SELECT proname FROM pg_proc WHERE probin LIKE '%tidepool%' OR proname LIKE '%tidepool%';
SELECT relname FROM pg_class WHERE relname LIKE '%tidepool%';
SELECT fdwname FROM pg_foreign_data_wrapper WHERE fdwname LIKE '%tidepool%';
SELECT classid::regclass, objid FROM pg_depend WHERE refclassid = 'pg_extension'::regclass
   AND refobjid NOT IN (SELECT oid FROM pg_extension);
SELECT rolname FROM pg_roles WHERE rolname LIKE 'tidepool%';
-- The extension can be created again.
CREATE EXTENSION tidepool;
SELECT count(*) > 0 AS works FROM tidepool.pools;
DROP EXTENSION tidepool;
