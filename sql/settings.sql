-- The settings of the server, and those of a pool.
LOAD 'tidepool';
SELECT name, unit, context, vartype, boot_val FROM pg_settings
 WHERE name LIKE 'tidepool.%' AND name <> 'tidepool.dir' ORDER BY name COLLATE "C";
SELECT name, context, boot_val FROM pg_settings WHERE name = 'tidepool.dir';
SET tidepool.dir = '/tmp';
ALTER SYSTEM SET tidepool.dir = 'relative/path';
ALTER SYSTEM SET tidepool.max_hosted_connections = -1;

SELECT name, value, default_value, source, applies FROM tidepool.settings
 WHERE pool = 'other' AND name IN ('max_size', 'min_size', 'scaling', 'idle_timeout') ORDER BY name COLLATE "C";
SELECT tidepool.set('other', 'idle_timeout', '1min') > 0 AS ordered;
SELECT value, source FROM tidepool.settings WHERE pool = 'other' AND name = 'idle_timeout';
SELECT tidepool.set('other', 'idle_timeout', '10min') > 0 AS ordered;
SELECT count(DISTINCT name) = count(*) AS each_once FROM tidepool.settings WHERE pool = 'other';
