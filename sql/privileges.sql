-- Privileges to read and to issue commands.
CREATE ROLE tp_plain;
CREATE ROLE tp_monitor IN ROLE pg_monitor;
CREATE ROLE tp_masked;
CREATE ROLE tp_operator IN ROLE pg_monitor;
GRANT USAGE ON SCHEMA tidepool TO tp_plain, tp_masked;
GRANT SELECT ON tidepool.leases, tidepool.pools, tidepool.commands, tidepool.scaling_events, tidepool.help TO tp_masked;
GRANT EXECUTE ON FUNCTION tidepool.read_leases, tidepool.read_pools, tidepool.read_commands, tidepool.read_scaling_events,
  tidepool.read_help TO tp_masked;
GRANT EXECUTE ON FUNCTION tidepool.scale TO tp_operator;
-- Each function can be granted by name, without arguments.
DO $$
DECLARE name text;
BEGIN
  FOR name IN SELECT proname FROM pg_proc WHERE pronamespace = 'tidepool'::regnamespace LOOP
    EXECUTE format('GRANT EXECUTE ON FUNCTION tidepool.%I TO tp_plain', name);
    EXECUTE format('REVOKE EXECUTE ON FUNCTION tidepool.%I FROM tp_plain', name);
  END LOOP;
END $$;
GRANT UPDATE ON tidepool.pools TO tp_operator;

SET ROLE tp_plain;
SELECT count(*) FROM tidepool.pools;
SELECT count(*) FROM tidepool.read_pools();
SELECT tidepool.pause('other');

SET ROLE tp_monitor;
SELECT tag FROM tidepool.leases ORDER BY tag COLLATE "C";
SELECT target <> '<insufficient privilege>' AS sees_target FROM tidepool.pools WHERE pool = 'app';
SELECT tidepool.pause('other');
UPDATE tidepool.pools SET target_size = 3 WHERE pool = 'other';

-- Without the privileges of pg_read_all_stats.
SET ROLE tp_masked;
SELECT pool, tag FROM tidepool.leases;
SELECT target FROM tidepool.pools WHERE pool = 'app';
SELECT DISTINCT arguments FROM tidepool.commands;
SELECT DISTINCT reason, actor FROM tidepool.scaling_events WHERE actor IS NOT NULL;
SELECT relation, column_name FROM tidepool.help WHERE privacy = 'masked';

-- One verb is granted, by function and by UPDATE; the others are refused in both ways.
SET ROLE tp_operator;
SELECT tidepool.scale('other', 4) > 0 AS ordered;
SELECT tidepool.set('other', 'max_size', '9');
UPDATE tidepool.pools SET target_size = 3 WHERE pool = 'other';
UPDATE tidepool.pools SET max_size = 9 WHERE pool = 'other';
UPDATE tidepool.pools SET state = 'paused' WHERE pool = 'other';
SELECT verb, status, actor FROM tidepool.commands WHERE pool = 'other' ORDER BY command_id DESC LIMIT 2;
UPDATE tidepool.pools SET target_size = NULL WHERE pool = 'other';

RESET ROLE;
DROP OWNED BY tp_plain, tp_monitor, tp_masked, tp_operator;
DROP ROLE tp_plain, tp_monitor, tp_masked, tp_operator;
