#!/usr/bin/python3
"""tidepool.backends: the pool, tag and lease of a session of this server, and when they must not be shown."""
import sys
import unittest

import support
from cluster import wait_until


class Backends(unittest.TestCase):
    def setUp(self):
        self.bench = support.Bench()
        self.addCleanup(self.bench.__exit__)
        self.bench.__enter__()
        self.bench.extension()
        self.bench.cluster.sql("CREATE ROLE tp_app LOGIN; CREATE ROLE tp_monitor LOGIN IN ROLE pg_monitor; "
                               "CREATE ROLE tp_plain LOGIN; GRANT USAGE ON SCHEMA tidepool TO tp_plain; "
                               "GRANT SELECT ON tidepool.backends TO tp_plain; GRANT EXECUTE ON FUNCTION "
                               "tidepool.read_pools, tidepool.read_connections, tidepool.read_leases TO tp_plain")
        self.owner = self.bench.owner()
        self.owner.open("app", "min_size=2 max_size=2 scaling=off", self.bench.cluster.conninfo(user="tp_app"))
        self.assertTrue(wait_until(lambda: self.bench.cluster.value(
            "SELECT count(*) FROM tidepool.connections WHERE state = 'idle' AND server_pid IS NOT NULL") == "2"))

    def sql(self, text, user="postgres"):
        return self.bench.cluster.sql(text, user=user)

    def test_sessions_of_a_pool(self):
        self.owner.lease("app", "monthly report")
        rows = self.sql("SELECT usename, pool, tag, connection_state, lease_id IS NOT NULL, lease_age_ms >= 0 "
                        "FROM tidepool.backends WHERE pool IS NOT NULL ORDER BY tag", "tp_monitor")
        self.assertEqual(rows, [["tp_app", "app", "monthly report", "in_use", "t", "t"],
                                ["tp_app", "app", None, "idle", "f", None]])
        # The session of the query itself belongs to no pool.
        self.assertEqual(self.sql("SELECT count(*), count(pool) FROM tidepool.backends WHERE pid = pg_backend_pid()"),
                         [["1", "0"]])

    def test_query_id(self):
        if int(self.sql("SHOW server_version_num")[0][0]) < 140000:
            self.assertEqual(self.sql("SELECT count(query_id) FROM tidepool.backends"), [["0"]])
            return
        self.sql("ALTER SYSTEM SET compute_query_id = on; SELECT pg_reload_conf()")
        self.assertTrue(wait_until(lambda: self.sql(
            "SELECT count(b.query_id) > 0, bool_and(b.query_id IS NOT DISTINCT FROM a.query_id) FROM tidepool.backends b "
            "JOIN pg_stat_activity a USING (pid)") == [["t", "t"]]))

    def test_each_session_once(self):
        self.assertEqual(self.sql("SELECT count(*) = count(DISTINCT pid) FROM tidepool.backends"), [["t"]])

    def test_no_match_without_access_to_activity(self):
        self.owner.lease("app", "secret")
        rows = self.sql("SELECT count(*) > 0, count(pool), count(tag), count(*) FILTER (WHERE usename = 'tp_app') "
                        "FROM tidepool.backends", "tp_plain")
        self.assertEqual(rows, [["t", "0", "0", "0"]])

    def test_dead_pools_have_no_sessions(self):
        self.owner.kill()
        self.assertEqual(self.sql("SELECT count(pool) FROM tidepool.backends"), [["0"]])


if __name__ == "__main__":
    support.require_server()
    sys.exit(unittest.main(verbosity=1))
