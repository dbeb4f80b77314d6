#!/usr/bin/python3
"""tidepool.archive(): each row once, whoever calls it, and with the caller's rights only."""
import sys
import threading
import unittest

import support
from cluster import PsqlError, wait_until

KEY = "measured_by, resolution_ms, at"


class Archive(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bench = support.Bench()
        cls.addClassCleanup(cls.bench.__exit__)
        cls.bench.__enter__()
        cls.owner = cls.bench.owner()
        cls.owner.open("app", "min_size=1 max_size=2 scaling=off")
        cls.bench.extension()
        cls.sql("""CREATE ROLE tp_monitor LOGIN IN ROLE pg_monitor; CREATE SCHEMA AUTHORIZATION tp_monitor;
                   CREATE ROLE tp_plain LOGIN""")
        assert wait_until(lambda: cls.number("SELECT count(*) FROM tidepool.pool_history") > 3, 15)

    @classmethod
    def sql(cls, text, user="postgres"):
        return cls.bench.cluster.sql(text, user=user)

    @classmethod
    def number(cls, text, user="postgres"):
        return int(cls.sql(text, user)[-1][0])

    def test_each_row_once(self):
        first = self.number("SELECT tidepool.archive()")
        again = self.number("SELECT tidepool.archive()")
        self.assertGreater(first, 3)
        self.assertLessEqual(again, 30, "only what was measured in between")
        self.assertEqual(self.number("SELECT count(*) FROM tidepool_history"), first + again)
        same = self.number("SELECT count(*) FROM (SELECT * FROM tidepool_history INTERSECT SELECT * FROM "
                           "tidepool.pool_history) AS same")
        self.assertEqual(same, first + again)

    def test_sessions_at_the_same_time(self):
        copied, failed = [], []

        def call():
            try:
                copied.append(self.number("SELECT tidepool.archive('1 day', 'together')"))
            except PsqlError as error:
                failed.append(str(error))
        threads = [threading.Thread(target=call) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failed, [])
        self.assertEqual(self.number("SELECT count(*) FROM together"), sum(copied))
        self.assertEqual(self.number(f"SELECT count(*) FROM (SELECT DISTINCT {KEY} FROM together) AS x"), sum(copied))

    def test_callers_rights(self):
        self.assertGreater(self.number("SELECT tidepool.archive()", "tp_monitor"), 0)
        self.assertEqual(self.sql("SELECT tableowner, schemaname FROM pg_tables WHERE schemaname = 'tp_monitor'"),
                         [["tp_monitor", "tp_monitor"]])
        for user, target in (("tp_plain", "tidepool_history"), ("tp_monitor", "public.theirs"),
                             ("tp_monitor", "pg_catalog.pg_proc")):
            with self.subTest(user=user, target=target):
                with self.assertRaises(PsqlError) as caught:
                    self.sql(f"SELECT tidepool.archive('1 day', '{target}')", user)
                self.assertRegex(str(caught.exception), "42501|42804")

    def test_name_is_no_statement(self):
        self.sql("CREATE TABLE kept ()")
        self.number("SELECT tidepool.archive('1 day', '\"x (a int); DROP TABLE kept; --\"')")
        self.assertEqual(self.number("SELECT count(*) FROM kept"), 0)
        with self.assertRaises(PsqlError) as caught:
            self.sql("SELECT tidepool.archive('1 day', 'x; DROP TABLE kept')")
        self.assertIn("22023", str(caught.exception))

    def test_rows_of_a_pool_that_was_closed_keep_their_instance(self):
        before = self.bench.owner()
        instance = before.open("again", "min_size=0 max_size=1 scaling=off")
        counted = "SELECT count(*) FROM tidepool.pool_history WHERE pool = 'again' AND resolution_ms = 1000"
        assert wait_until(lambda: self.number(counted) > 1, 15)
        before.ask("close", "again")
        new = before.open("again", "min_size=0 max_size=1 scaling=off")
        self.assertNotEqual(instance, new)
        self.number("SELECT tidepool.archive('1 day', 'twice')")
        rows = self.sql("SELECT DISTINCT instance_id, measured_by FROM twice WHERE pool = 'again' AND "
                        f"measured_by = '{instance}'")
        self.assertEqual(rows, [[new, instance]])
        before.ask("close", "again")
        self.number("SELECT tidepool.archive('1 day', 'twice')")


if __name__ == "__main__":
    support.require_server()
    sys.exit(unittest.main(verbosity=1))
