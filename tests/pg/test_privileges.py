#!/usr/bin/python3
"""A role that has all privileges but one cannot do what that one allows, even with its own schemas, views and functions
of the same names. Generated from the catalogues: a new verb must have its call listed here."""
import itertools
import subprocess
import sys
import unittest

import hosting
import support

SECRET = "top-secret-tag"
CALLS = {
    "scale": "'app', 2", "burst": "'app', '1 s'", "end_burst": "'app'", "set": "'app', 'max_size', '4'", "pause": "'app'",
    "resume": "'app'", "recycle": "'app', '1 s'", "drain": "'app'", "close_connection": "1, 'app'", "revoke": "{lease}, 'app'",
    "check_health": "'app'", "ack": "{alert}", "set_alert": "'app', 'mine', 'in_use', '>', 1", "drop_alert": "'app', 'mine'",
    "reset_stats": "'app'", "evaluate": "'app'", "annotate": "'app', 'a remark'", "clear_logs": "'app'",
    "clear_cache": "'app'",
}
UPDATES = {
    "scale": ["{schema}.pools SET target_size = 3 WHERE pool = 'app'"],
    "set": ["{schema}.pools SET max_size = 5 WHERE pool = 'app'",
            "{schema}.settings SET value = '7' WHERE pool = 'app' AND name = 'max_size'"],
    "pause": ["{schema}.pools SET state = 'paused' WHERE pool = 'app'"],
    "resume": ["{schema}.pools SET state = 'running' WHERE pool = 'app'"],
    "drain": ["{schema}.pools SET state = 'draining' WHERE pool = 'app'"],
    "ack": ["{schema}.alerts SET acked_by = 'me' WHERE pool = 'app'"],
}
# Ways to call a function. {f} is the function with its arguments, {verb} its name.
DETOURS = """
SELECT {f};
DO $do$ BEGIN PERFORM {f}; END $do$;
PREPARE p AS SELECT {f}; EXECUTE p;
EXPLAIN ANALYZE SELECT {f};
COPY (SELECT {f}) TO STDOUT;
WITH w AS MATERIALIZED (SELECT {f}) SELECT * FROM w;
CREATE VIEW mine.v AS SELECT {f} AS a; SELECT * FROM mine.v;
CREATE TABLE mine.t (a bigint DEFAULT {f}, b int); INSERT INTO mine.t (b) VALUES (1);
CREATE FUNCTION mine.wrapped() RETURNS bigint LANGUAGE sql AS $f$SELECT {f}$f$; SELECT mine.wrapped();
CREATE FUNCTION mine.definer() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $f$SELECT {f}$f$; SELECT mine.definer();
CREATE FUNCTION mine."{verb}"(text) RETURNS bigint LANGUAGE sql AS $f$SELECT {f}$f$; SELECT mine."{verb}"('app');
CREATE FUNCTION mine.trip() RETURNS trigger LANGUAGE plpgsql AS $f$BEGIN PERFORM {f}; RETURN new; END$f$;
CREATE TABLE mine.trips (a int); CREATE TRIGGER t BEFORE INSERT ON mine.trips FOR EACH ROW EXECUTE FUNCTION mine.trip();
INSERT INTO mine.trips VALUES (1);
SET search_path = mine, {schema}, pg_catalog; SELECT {f}; SELECT "{verb}"({arguments}); RESET search_path;
SET ROLE NONE; SELECT {f}; SET SESSION AUTHORIZATION DEFAULT; SELECT {f};
"""
# The same for UPDATE, of the extension's views and of views that imitate them.
LOOKALIKES = """
CREATE VIEW mine.pools AS SELECT * FROM {schema}.pools;
CREATE VIEW mine.settings AS SELECT * FROM {schema}.settings;
CREATE VIEW mine.alerts AS SELECT * FROM {schema}.alerts;
CREATE TRIGGER t INSTEAD OF UPDATE ON mine.pools FOR EACH ROW EXECUTE FUNCTION {schema}.update();
CREATE TRIGGER t INSTEAD OF UPDATE ON mine.settings FOR EACH ROW EXECUTE FUNCTION {schema}.update();
CREATE TRIGGER t INSTEAD OF UPDATE ON mine.alerts FOR EACH ROW EXECUTE FUNCTION {schema}.update();
"""
MEMBERS = "SELECT objid FROM pg_depend WHERE deptype = 'e' AND refobjid = (SELECT oid FROM pg_extension " \
          "WHERE extname = 'tidepool')"


class Privileges(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bench = hosting.Hosting()
        cls.addClassCleanup(cls.bench.__exit__)
        cls.bench.__enter__()
        cls.sql = cls.bench.cluster.sql
        owner = cls.bench.owner()
        owner.open("app", "min_size=1 max_size=4 scaling=off")
        cls.lease = owner.lease("app", SECRET)
        cls.verbs = [row[0] for row in cls.sql(
            f"SELECT proname FROM pg_proc WHERE oid IN ({MEMBERS}) AND prorettype = 'bigint'::regtype AND proname !~ "
            "'^(read_|query|execute|lease|archive)' ORDER BY 1")]
        cls.sql("SELECT tidepool.set_alert('app', 'mine', 'in_use', '>', 0)")
        cls.alert = support.cluster.wait_until(cls.alert_of_app, 10)

    @classmethod
    def alert_of_app(cls):
        rows = cls.sql("SELECT alert_id FROM tidepool.alerts WHERE pool = 'app' AND rule = 'mine'")
        return rows and rows[0][0]

    def run_as(self, role, script):
        """Executes each statement separately, even if others fail."""
        done = subprocess.run([*self.bench.cluster.psql_command(user=role), "-v", "ON_ERROR_STOP=0"], input=script, text=True,
                              capture_output=True, env=self.bench.cluster.environment(), timeout=60)
        return done.stdout + "\n".join(line for line in done.stderr.split("\n") if not line.startswith("LINE"))

    def make_role(self, name, verb):
        self.sql(f"CREATE ROLE {name} LOGIN IN ROLE pg_monitor; GRANT CREATE ON DATABASE postgres TO {name};"
                 f"CREATE SCHEMA mine_{name} AUTHORIZATION {name}; GRANT USAGE ON SCHEMA tidepool TO {name};"
                 f"GRANT ALL ON ALL TABLES IN SCHEMA tidepool TO {name};"
                 f"GRANT ALL ON ALL FUNCTIONS IN SCHEMA tidepool TO {name}")
        if verb is not None:
            self.sql(f"REVOKE ALL ON FUNCTION tidepool.\"{verb}\" FROM {name}")

    def script(self, role, verb, schema="tidepool"):
        arguments = CALLS[verb].format(alert=self.alert, lease=self.lease)
        mine = f"mine_{role}"
        script = DETOURS.format(f=f"{schema}.\"{verb}\"({arguments})", verb=verb, arguments=arguments, schema=schema)
        script += LOOKALIKES.format(schema=schema)
        for update in UPDATES.get(verb, []):
            script += "".join(f"UPDATE {update.format(schema=where)};\n" for where in (schema, "mine"))
        return script.replace("mine.", f"{mine}.").replace("= mine,", f"= {mine},")

    def given(self, role, verb):
        return int(self.sql(f"SELECT count(*) FROM tidepool.commands WHERE actor = '{role}' AND verb = '{verb}'")[0][0])

    def test_every_verb_is_tried(self):
        self.assertGreaterEqual(len(self.verbs), 15)
        self.assertEqual([verb for verb in self.verbs if verb not in CALLS and verb != "wait_applied"], [])

    def test_no_command_without_the_privilege(self):
        for verb in self.verbs:
            if verb == "wait_applied":
                continue
            with self.subTest(verb=verb):
                role = f"all_but_{verb}"
                self.make_role(role, verb)
                told = self.run_as(role, self.script(role, verb))
                self.assertIn("permission denied", told)
                self.assertEqual(self.given(role, verb), 0, told)
                # The calls of this test are valid: with the privilege they succeed.
                self.sql(f"GRANT EXECUTE ON FUNCTION tidepool.\"{verb}\" TO {role}")
                arguments = CALLS[verb].format(alert=self.alert, lease=self.lease)
                told = self.run_as(role, f"SELECT tidepool.\"{verb}\"({arguments});")
                self.assertTrue(self.given(role, verb) > 0 or "there is no alert" in told, told)
        self.sql("SELECT tidepool.resume('app')")

    def test_own_schema_gives_no_privilege(self):
        self.make_role("squatter", "set")
        self.sql("GRANT EXECUTE ON FUNCTION tidepool.scale TO squatter; ALTER SCHEMA tidepool RENAME TO moved")
        try:
            arguments = CALLS["set"]
            self.run_as("squatter", f"""CREATE SCHEMA tidepool;
                CREATE FUNCTION tidepool.set(text, text, text) RETURNS bigint LANGUAGE sql AS 'SELECT 1';
                SELECT tidepool.set({arguments});
                CREATE VIEW tidepool.pools AS SELECT * FROM moved.pools;
                CREATE TRIGGER t INSTEAD OF UPDATE ON tidepool.pools FOR EACH ROW EXECUTE FUNCTION moved.update();
                UPDATE tidepool.pools SET max_size = 5; UPDATE moved.pools SET max_size = 5;"""
                + self.script("squatter", "set", "moved"))
            self.sql("SELECT moved.wait_applied(moved.scale('app', 2)); UPDATE moved.pools SET max_size = 6")
            self.run_as("squatter", "DROP SCHEMA tidepool CASCADE")
        finally:
            self.sql("ALTER SCHEMA moved RENAME TO tidepool")
        self.assertEqual(self.given("squatter", "set"), 0)
        self.assertEqual((self.given("postgres", "scale") > 0, self.given("postgres", "set") > 0), (True, True))

    def test_masked_columns_stay_masked(self):
        self.make_role("curious", "pause")
        self.sql("REVOKE pg_monitor FROM curious")
        views = [row[0] for row in self.sql(f"SELECT relname FROM pg_class WHERE relkind = 'v' AND oid IN ({MEMBERS})")]
        readers = [row[0] for row in self.sql(f"SELECT proname FROM pg_proc WHERE oid IN ({MEMBERS}) AND "
                                              "proname LIKE 'read\\_%' AND pronargs = 2")]
        self.assertGreater(len(readers), 10)
        seen = 0
        for what in [*(f"tidepool.{view}" for view in views), *(f"tidepool.{reader}()" for reader in readers)]:
            for query in (f"SELECT to_jsonb(x) FROM {what} x",
                          f"SELECT x::text FROM {what} x WHERE x::text LIKE '%{SECRET[:-1]}%'",
                          f"SELECT string_agg(x::text, '') OVER () FROM {what} x"):
                seen += SECRET in self.run_as("postgres", query)
                self.assertNotIn(SECRET, self.run_as("curious", query), query)
        self.assertGreater(seen, 6)
        told = self.run_as("curious", f"SELECT count(*) FROM tidepool.leases WHERE tag = '{SECRET[:-1]}g'; CREATE FUNCTION "
                           "mine_curious.leak(text) RETURNS bool LANGUAGE plpgsql COST 0.0000001 AS $f$BEGIN RAISE NOTICE '%', "
                           "$1; RETURN true; END$f$; SELECT count(*) FROM tidepool.leases WHERE mine_curious.leak(tag)")
        self.assertNotIn(SECRET, told)
        self.assertNotRegex(told, "ERROR")

    def test_reports_are_masked_as_the_views(self):
        self.make_role("listener", "pause")
        self.sql("REVOKE pg_monitor FROM listener; CREATE ROLE outsider LOGIN")
        formats = self.run_as("postgres", "SELECT tidepool.export('none');").split("formats: ")[1].split("\n")[0].split(", ")
        self.assertGreater(len(formats), 5)
        calls = [*(f"tidepool.export('{name}')" for name in formats), "tidepool.health_report()",
                 "tidepool.health_report(NULL, 'json')", "tidepool.dashboard()", "tidepool.dashboard('app', '1 hour')"]
        seen = 0
        for call in calls:
            seen += SECRET in self.run_as("postgres", f"SELECT {call};")
            self.assertNotIn(SECRET, self.run_as("listener", f"SELECT {call};"), call)
            self.assertIn("permission denied", self.run_as("outsider", f"SELECT {call};"))
        self.assertGreaterEqual(seen, 4)
        targets = self.sql("SELECT target FROM tidepool.pools WHERE pool = 'app'")[0][0]
        for call in ("tidepool.health_report()", "tidepool.dashboard()"):
            self.assertIn(targets, self.run_as("postgres", f"SELECT {call};").replace("\n                ", ""))
            self.assertNotIn(targets, self.run_as("listener", f"SELECT {call};"))
            self.assertIn("app", self.run_as("listener", f"SELECT {call};"))

    def test_each_column_is_open_or_masked_as_help_says(self):
        self.make_role("reader", "pause")
        self.sql("REVOKE pg_monitor FROM reader")
        self.sql(f"SELECT tidepool.scale('app', 2, '{SECRET}');"
                 f"SELECT tidepool.set_alert('app', 'noted', 'size', '>=', 0, '0 s', message => '{SECRET}', "
                 f"advice => '{SECRET}')")
        noted = "FROM tidepool.alerts WHERE rule = 'noted' AND state = 'firing'"
        support.cluster.wait_until(lambda: self.sql(f"SELECT alert_id {noted}"), 10)
        self.sql(f"UPDATE tidepool.alerts SET acked_by = '{SECRET}' WHERE alert_id = (SELECT alert_id {noted})")
        marks = {}
        for relation, column, kind, privacy in self.sql(
                "SELECT relation, column_name, type, privacy FROM tidepool.help WHERE column_name IS NOT NULL"):
            marks.setdefault(relation, []).append((column, kind, privacy))
        full = set()
        for relation, columns in marks.items():
            cells = ", ".join(f'"{column}"::text' for column, _, _ in columns)
            ours = list(zip(*self.sql(f"SELECT {cells} FROM tidepool.{relation}")))
            theirs = list(zip(*self.sql(f"SELECT {cells} FROM tidepool.{relation}", user="reader")))
            for place, (column, kind, privacy) in enumerate(columns):
                there_is = {value for value in (ours[place] if ours else []) if value is not None}
                shown = {value for value in (theirs[place] if theirs else []) if value is not None}
                full |= {f"{relation}.{column}"} if there_is else set()
                with self.subTest(column=f"{relation}.{column}"):
                    if privacy == "masked":
                        self.assertEqual(shown, {"<insufficient privilege>"} if there_is and kind == "text" else set())
                        continue
                    self.assertEqual(privacy, "open")
                    self.assertNotIn("<insufficient privilege>", shown)
                    if relation != "backends":  # joined by masked columns
                        self.assertEqual(bool(shown), bool(there_is))
        self.assertLessEqual({"pools.target", "leases.tag", "connections.tag", "events.message", "scaling_events.reason",
                              "scaling_events.actor", "alerts.acked_by", "alerts.message", "alerts.advice",
                              "alert_rules.message", "alert_rules.advice", "commands.actor", "commands.arguments",
                              "commands.message"}, full)

    def test_hosted_pool_requires_all_privileges(self):
        self.bench.cluster.write("pg_hba.conf", "local all bob scram-sha-256\nlocal all all trust\n")
        self.bench.cluster.reload()
        self.sql("SET password_encryption = 'scram-sha-256'; CREATE ROLE bob LOGIN PASSWORD 'right'")
        self.bench.serve("far", user="bob")
        rights = ("schema", "function", "server", "mapping", "password")
        for number, held in enumerate(itertools.product((False, True), repeat=len(rights))):
            has = dict(zip(rights, held))
            if has["password"] and not has["mapping"]:
                continue
            role = f"guest{number}"
            self.sql(f"CREATE ROLE {role} LOGIN")
            if has["schema"]:
                self.sql(f"GRANT USAGE ON SCHEMA tidepool TO {role}")
            if has["function"]:
                self.sql("GRANT EXECUTE ON FUNCTION tidepool.query, tidepool.query_json, tidepool.execute, tidepool.lease, "
                         f"tidepool.release TO {role}")
            if has["server"]:
                self.sql(f"GRANT USAGE ON FOREIGN SERVER far TO {role}")
            if has["mapping"]:
                password = ", password 'right'" if has["password"] else ""
                self.sql(f"CREATE USER MAPPING FOR {role} SERVER far OPTIONS (user 'bob'{password})")
            for call in ("* FROM tidepool.query('far', 'SELECT 424242') AS (v int)",
                         "tidepool.query_json('far', 'SELECT 424242 AS v')",
                         "424241 + tidepool.execute('far', 'CREATE TEMP TABLE t AS SELECT 1') + 1",
                         "424242 FROM tidepool.lease('far') AS l WHERE l > 0"):
                with self.subTest(call=call, **has):
                    told = self.run_as(role, f"SELECT {call};")
                    self.assertEqual("424242" in told, all(held), told)


if __name__ == "__main__":
    support.require_server()
    sys.exit(unittest.main(verbosity=1))
