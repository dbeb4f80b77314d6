#!/usr/bin/python3
"""Hosted pools: session state of one caller is not visible to others, and the worker behaves as a process of the server
should."""
import re
import sys
import time
import unittest

import cluster
import hosting
import support
from cluster import PsqlError, wait_until


class Hosted(hosting.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ask = cls.bench.ask

    def test_worker_in_pg_stat_activity(self):
        self.assertEqual(self.sql("SELECT datname, application_name FROM pg_stat_activity "
                                  "WHERE backend_type = 'tidepool worker'"), [[None, "tidepool"]])

    def test_a_pool_is_shown_as_hosted(self):
        self.ask("SELECT 1")
        self.assertEqual(self.sql("SELECT source, app, backend FROM tidepool.pools WHERE pool = 'loop'"),
                         [["hosted", "postgresql", "postgresql"]])
        self.assertEqual(self.sql("SELECT server, mapping, state, max_size FROM tidepool.servers WHERE server = 'loop'"),
                         [["loop", "postgres", "running", "2"]])

    def test_connections_are_used_again(self):
        pids = {self.ask("SELECT pg_backend_pid()") for _ in range(10)}
        self.assertLessEqual(len(pids), 2)

    def test_session_state_is_not_shared(self):
        leave = """SET work_mem = '3MB'; SET client_encoding = 'LATIN1'; CREATE TEMP TABLE left_over (a int);
                   PREPARE left_over AS SELECT 1; SELECT pg_advisory_lock(42); LISTEN left_over; SET ROLE pg_monitor;
                   DECLARE left_over CURSOR WITH HOLD FOR SELECT 1"""
        look = """SELECT concat_ws(',', current_setting('work_mem'), current_setting('client_encoding'), current_user,
                  to_regclass('pg_temp.left_over'), (SELECT count(*) FROM pg_prepared_statements WHERE from_sql),
                  (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), (SELECT count(*) FROM pg_cursors WHERE
                  name = 'left_over'), (SELECT count(*) FROM pg_listening_channels()))"""
        fresh = self.ask(look)
        for _ in range(4):
            self.sql(f"SELECT tidepool.execute('loop', $q${leave}$q$)")
        for _ in range(4):
            self.assertEqual(self.ask(look), fresh)

    def test_lasting_state_closes_the_connection(self):
        for statement in ("SELECT setseed(0.5)", "LOAD 'plpgsql'"):
            told = str(self.sql(f"""BEGIN; SELECT tidepool.lease('loop') > 0;
              SELECT 'pid=' || pid FROM tidepool.query('loop', 'SELECT pg_backend_pid()') AS (pid int);
              SELECT tidepool.execute('loop', $q${statement}$q$); COMMIT"""))
            left = re.search("pid=([0-9]+)", told)[1]
            self.assertEqual(wait_until(lambda: self.bench.remote_backends(f"pid = {left}") == 0), True, statement)

    def test_an_open_transaction_is_rolled_back(self):
        self.sql("SELECT tidepool.execute('loop', 'CREATE TABLE IF NOT EXISTS kept (a int)')")
        with self.assertRaisesRegex(PsqlError, "25001.*a transaction open"):
            self.sql("SELECT tidepool.execute('loop', 'BEGIN; INSERT INTO kept VALUES (1)')")
        self.assertEqual(self.ask("SELECT count(*) FROM kept"), "0")
        self.assertEqual(wait_until(lambda: self.bench.remote_backends("state LIKE '%in transaction%'") == 0), True)

    def test_a_lease_holds_one_connection(self):
        told = self.sql("""BEGIN; SELECT tidepool.lease('loop', 'my job') > 0;
          SELECT tidepool.execute('loop', 'BEGIN; CREATE TEMP TABLE mine AS SELECT 7 AS a');
          SELECT a FROM tidepool.query('loop', 'SELECT a FROM mine') AS (a int);
          SELECT tag FROM tidepool.leases WHERE pool = 'loop';
          SELECT tidepool.execute('loop', 'COMMIT'); SELECT tidepool.release('loop'); COMMIT""")
        self.assertEqual(told, [["t\n0\n7\nmy job\n0"]])

    def test_a_lease_ends_with_its_transaction(self):
        for end in ("COMMIT", "ROLLBACK"):
            self.sql(f"BEGIN; SELECT tidepool.lease('loop'); {end}")
            self.assertTrue(wait_until(lambda: self.sql("SELECT in_use FROM tidepool.pools WHERE pool = 'loop'") == [["0"]]))

    def test_a_lease_ends_with_the_savepoint_that_took_it(self):
        with self.assertRaisesRegex(PsqlError, "holds no lease"):
            self.sql("BEGIN; SAVEPOINT s; SELECT tidepool.lease('loop'); ROLLBACK TO s; SELECT tidepool.release('loop')")
        self.sql("BEGIN; SAVEPOINT s; SELECT tidepool.lease('loop'); RELEASE s; SELECT tidepool.release('loop'); COMMIT")

    def test_an_error_inside_a_lease_leaves_it_usable(self):
        self.sql("""DO $$ BEGIN
          PERFORM tidepool.lease('loop');
          BEGIN PERFORM tidepool.execute('loop', 'SELECT 1/0'); EXCEPTION WHEN division_by_zero THEN NULL; END;
          PERFORM tidepool.execute('loop', 'SELECT 1');
          BEGIN PERFORM * FROM tidepool.query('loop', 'SELECT ''x''') AS (a int);
          EXCEPTION WHEN invalid_text_representation THEN NULL; END;
          BEGIN PERFORM tidepool.execute('loop', 'SELECT 1'); RAISE 'not lost';
          EXCEPTION WHEN connection_does_not_exist THEN NULL; END;
        END $$""")

    def test_interrupts_reach_the_remote_server(self):
        for interrupt in ("timeout", "cancel", "terminate"):
            with self.subTest(interrupt), self.bench.session() as session:
                if interrupt == "timeout":
                    session.ask("SET statement_timeout = 300")
                session.send("SELECT tidepool.execute('loop', 'SELECT pg_sleep(30)')")
                busy = lambda: self.bench.remote_backends("query = 'SELECT pg_sleep(30)' AND state = 'active'")
                self.assertTrue(wait_until(lambda: busy() == 1, 2))
                if interrupt != "timeout":
                    self.sql(f"SELECT pg_{interrupt}_backend({session.pid})")
                self.assertTrue(wait_until(lambda: busy() == 0, 3), interrupt)

    def test_waiting_caller_can_be_cancelled(self):
        with self.bench.session() as one, self.bench.session() as two, self.bench.session() as three:
            for session in (one, two):
                session.ask("BEGIN; SELECT tidepool.lease('loop')")
            three.ask("SET statement_timeout = 300")
            self.assertIn("statement timeout", three.ask("SELECT tidepool.execute('loop', 'SELECT 1')"))
            one.ask("COMMIT")
            self.assertEqual(three.ask("SELECT tidepool.execute('loop', 'SELECT 1')"), "0")
        self.assertTrue(wait_until(lambda: self.sql("SELECT in_use, waiting FROM tidepool.pools WHERE pool = 'loop'") ==
                                   [["0", "0"]]))

    def test_timeout_names_the_holders(self):
        self.bench.serve("small", max_size=1, acquire_timeout="200ms")
        with self.bench.session() as one:
            one.ask("BEGIN; SELECT tidepool.lease('small', 'the greedy one')")
            with self.assertRaisesRegex(PsqlError, "(?s)55P03.*server \"small\".*the greedy one"):
                self.sql("SELECT tidepool.execute('small', 'SELECT 1')")

    def test_altered_server_gets_a_new_pool(self):
        self.bench.serve("moving")
        self.sql("SELECT tidepool.execute('moving', 'SELECT 1')")
        before = self.sql("SELECT instance_id FROM tidepool.servers WHERE server = 'moving'")
        self.sql("ALTER SERVER moving OPTIONS (ADD max_size '3', ADD application_name 'moved')")
        self.assertEqual(self.sql("SELECT * FROM tidepool.query('moving', 'SHOW application_name') AS (x text)"), [["moved"]])
        after = self.sql("SELECT instance_id, max_size FROM tidepool.servers WHERE server = 'moving' AND state = 'running'")
        self.assertNotEqual(before[0][0], after[0][0])
        self.assertEqual(after[0][1], "3")
        self.assertTrue(wait_until(lambda: len(self.sql("SELECT FROM tidepool.pools WHERE pool = 'moving' AND "
                                                        "state NOT IN ('closed', 'dead')")) <= 1))

    def test_dropped_server_closes_its_pool(self):
        self.bench.serve("short_lived", application_name="short_lived")
        self.sql("SELECT tidepool.execute('short_lived', 'SELECT 1')")
        self.assertEqual(self.bench.cluster.backends("application_name = 'short_lived'"), 1)
        self.sql("BEGIN; SAVEPOINT s; DROP SERVER short_lived CASCADE; ROLLBACK TO s; COMMIT")
        self.sql("BEGIN; DROP SERVER short_lived CASCADE; ROLLBACK")
        self.assertFalse(wait_until(lambda: self.bench.cluster.backends("application_name = 'short_lived'") == 0, 0.5))
        for drop in ("DROP USER MAPPING FOR postgres SERVER short_lived", "DROP SERVER short_lived CASCADE"):
            self.sql("SELECT tidepool.execute('short_lived', 'SELECT 1')")
            self.sql(drop)
            self.assertTrue(wait_until(lambda: self.bench.cluster.backends("application_name = 'short_lived'") == 0), drop)
            if "MAPPING" in drop:
                self.sql("CREATE USER MAPPING FOR postgres SERVER short_lived OPTIONS (user 'postgres')")

    def test_dropped_database_closes_its_pools(self):
        self.sql("CREATE DATABASE short_lived")
        self.bench.extension("short_lived")
        self.bench.serve("inside", database="short_lived", application_name="inside")
        self.sql("SELECT tidepool.execute('inside', 'SELECT 1')", database="short_lived")
        self.assertEqual(self.bench.cluster.backends("application_name = 'inside'"), 1)
        self.assertTrue(wait_until(lambda: self.works("DROP DATABASE short_lived")))
        self.assertTrue(wait_until(lambda: self.bench.cluster.backends("application_name = 'inside'") == 0))

    def test_unused_pools_make_room(self):
        # Up to 10 connections each, of 100 in total, minus those of other tests; none is refused, and the pool that was
        # used least recently closes.
        opened = 0
        is_closed = False
        while not is_closed and opened < 40:
            self.bench.serve(f"spare{opened}", application_name=f"spare{opened}")
            self.sql(f"SELECT tidepool.execute('spare{opened}', 'SELECT 1')")
            opened += 1
            is_closed = self.sql("SELECT state IS NULL FROM tidepool.servers WHERE server = 'spare0'") == [["t"]]
        self.assertTrue(is_closed, f"the first of {opened} pools is still open")
        self.assertEqual(self.sql("SELECT sum(max_size) <= 100 FROM tidepool.servers WHERE state IS NOT NULL"), [["t"]])
        for number in range(opened):
            self.sql(f"DROP SERVER spare{number} CASCADE")

    def test_drained_pool_frees_its_budget(self):
        self.bench.serve("drained", max_size=90)
        self.sql("SELECT tidepool.execute('drained', 'SELECT 1')")
        self.sql("SELECT tidepool.wait_applied(tidepool.drain('drained'))")
        self.assertTrue(wait_until(lambda: self.sql("SELECT size FROM tidepool.pools WHERE pool = 'drained'") == [["0"]]))
        self.bench.serve("heir", max_size=90)
        with self.bench.session() as holder:
            holder.ask("BEGIN; SELECT tidepool.lease('heir')")
            given = int(self.bench.cluster.value("SELECT max_size FROM tidepool.servers WHERE server = 'heir'"))
            self.assertGreater(given, 50)
            self.assertEqual(self.sql("SELECT state FROM tidepool.servers WHERE server = 'drained'"), [["draining"]])
            # After resume it gets what is left.
            self.sql("SELECT tidepool.wait_applied(tidepool.resume('drained'))")
            self.assertTrue(wait_until(lambda: int(self.bench.cluster.value(
                "SELECT coalesce(sum(max_size), 0) FROM tidepool.servers WHERE state <> 'draining'")) <= 100))
            self.assertTrue(wait_until(lambda: self.works("SELECT tidepool.execute('drained', 'SELECT 1')")))
        for server in ("drained", "heir"):
            self.sql(f"DROP SERVER {server} CASCADE")

    def test_execute_counts_changes(self):
        self.sql("SELECT tidepool.execute('loop', 'CREATE TABLE counted (a int)')")
        path = self.bench.cluster.folder / "pg" / "counted.txt"
        for statement, count in (("INSERT INTO counted SELECT generate_series(1, 5)", 5),
                                 ("UPDATE counted SET a = a + 1 WHERE a > 3", 2), ("SELECT * FROM counted", 0),
                                 ("BEGIN; DECLARE c CURSOR FOR SELECT * FROM counted; FETCH 3 FROM c", 0),
                                 (f"COPY counted TO '{path}'", 0), (f"COPY counted FROM '{path}'", 5),
                                 ("CREATE TABLE counted_too AS SELECT * FROM counted", 0), ("DELETE FROM counted", 10)):
            told = self.sql(f"BEGIN; SELECT tidepool.lease('loop'); SELECT tidepool.execute('loop', $q${statement}$q$);"
                            "SELECT tidepool.execute('loop', 'COMMIT'); COMMIT")
            self.assertEqual(told[0][0].split("\n")[1], str(count), statement)

    def test_the_budget_of_connections_is_kept(self):
        # A recently used pool stays if another requests more than is left, and closes if another would get nothing.
        self.assertTrue(wait_until(lambda: self.bench.cluster.value(
            "SELECT count(*) FROM tidepool.servers "
            "WHERE server <> 'loop' AND last_used_at > clock_timestamp() - interval '2s'") == "0"))
        self.bench.serve("greedy", max_size=1000)
        self.bench.serve("late")
        with self.bench.session() as one, self.bench.session() as other:
            one.ask("BEGIN; SELECT tidepool.lease('loop')")
            other.ask("BEGIN; SELECT tidepool.lease('greedy')")
            given = int(self.bench.cluster.value("SELECT max_size FROM tidepool.servers WHERE server = 'greedy'"))
            self.assertLess(given, 100)
            with self.assertRaisesRegex(PsqlError, "(?s)53300.*no connections are left.*DETAIL:  In use:.* greedy [0-9]+"):
                self.sql("SELECT tidepool.execute('late', 'SELECT 1')")
        self.sql("DROP SERVER greedy CASCADE")
        self.assertTrue(wait_until(lambda: self.works("SELECT tidepool.execute('late', 'SELECT 1')")))

    def works(self, statement):
        try:
            self.sql(statement)
            return True
        except PsqlError:
            return False

    def test_databases_dropped_under_load(self):
        with self.bench.session() as session:
            session.send("DO $$ BEGIN FOR i IN 1..8000 LOOP PERFORM tidepool.execute('loop', 'SELECT 1'); END LOOP; END $$")
            for statement, database in (("CREATE DATABASE other STRATEGY wal_log", "postgres"),
                                        ("CREATE EXTENSION tidepool", "other"), ("DROP EXTENSION tidepool", "other"),
                                        ("CREATE TABLE bulk AS SELECT generate_series(1, 10000) AS x", "other"),
                                        ("VACUUM FULL bulk", "other"), ("VACUUM FULL pg_foreign_server", "postgres"),
                                        ("ALTER SYSTEM SET log_min_messages = 'warning'", "postgres"),
                                        ("SELECT pg_reload_conf()", "postgres"), ("DROP DATABASE other", "postgres")):
                began = time.monotonic()
                self.bench.cluster.sql(statement, database=database)
                self.assertLess(time.monotonic() - began, 2, statement)
            session.receive()

    def test_servers_survive_a_dump(self):
        self.bench.serve("dumped", max_size=3, mapping="user 'postgres', password 'p''w\\d'")
        dump = self.bench.cluster.run("pg_dump", "-h", self.bench.cluster.host, "-U", "postgres", "postgres").stdout
        self.assertNotIn("tidepool.query", dump)
        self.sql("CREATE DATABASE restored")
        self.sql("CREATE ROLE tp_dummy" if "tp_dummy" in dump else "SELECT 1")
        self.sql(dump, database="restored")
        look = "SELECT ARRAY(SELECT unnest(srvoptions) ORDER BY 1), ARRAY(SELECT unnest(umoptions) ORDER BY 1) " \
               "FROM pg_foreign_server s JOIN pg_user_mapping ON umserver = s.oid WHERE srvname = 'dumped'"
        self.assertEqual(self.sql(look, database="restored"), self.sql(look))
        self.assertEqual(self.sql("SELECT tidepool.execute('dumped', 'SELECT 1')", database="restored"), [["0"]])
        self.sql("DROP DATABASE restored WITH (FORCE)")

    def test_nothing_secret_is_shown(self):
        self.bench.serve("secretive", mapping="user 'postgres', password 'open sesame'", host="127.0.0.1", port=1,
                         connect_timeout="1s", acquire_timeout="2s")
        with self.assertRaises(PsqlError) as told:
            self.sql("SELECT tidepool.execute('secretive', 'SELECT 1')")
        self.assertNotIn("sesame", str(told.exception))
        for relation in ("servers", "pools", "events", "settings"):
            self.assertNotIn("sesame", str(self.sql(f"SELECT * FROM tidepool.{relation}")))
        log = [line for line in self.bench.cluster.log_text().split("\n") if "CREATE USER MAPPING" not in line]
        self.assertNotIn("sesame", "\n".join(log))


if __name__ == "__main__":
    support.require_server()
    sys.exit(unittest.main(verbosity=1))
