#!/usr/bin/python3
"""Commands by SQL functions: each returns the id of its command; a refusal is an error with the reason."""
import os
import shutil
import threading
import unittest

import support


class FunctionCase(support.SegmentCase):
    def setUp(self):
        super().setUp()
        self.pool_owner = self.owner()
        self.instance_id = self.pool_owner.open("app", "min_size=2 max_size=10")
        self.db = self.connect()

    def run_one(self, call, *values):
        """Runs a command; returns its id after the pool has applied it."""
        number = self.one(self.db, "SELECT " + call, *values)
        self.assertIsInstance(number, int)
        self.assertLess(number, 2 ** 53, "a double must hold it")
        self.assertEqual(self.one(self.db, "SELECT tidepool_wait_applied(?, '8s')", number), 1)
        status = self.one(self.db, "SELECT status FROM tidepool_commands WHERE command_id = ?", number)
        self.assertEqual(status, "applied")
        return number

    def pool(self, column):
        return self.one(self.db, "SELECT %s FROM tidepool_pools WHERE instance_id = ?" % column, self.instance_id)

    def error(self, call, *parts):
        return self.refused(self.db, "SELECT " + call, *parts)


class Orders(FunctionCase):
    def test_version(self):
        self.assertRegex(self.one(self.db, "SELECT tidepool_version()"), r"^\d+\.\d+\.\d+")

    def test_scale_takes_effect(self):
        self.run_one("tidepool_scale('app', 6, 'before the sale')")
        self.assertEqual((self.pool("target_size"), self.pool("size_source")), (6, "manual"))
        self.eventually(lambda: self.pool("size") == 6, "six connections")
        self.assertIn("before the sale", self.one(self.db, "SELECT arguments FROM tidepool_commands"))
        self.assertRegex(self.one(self.db, "SELECT actor FROM tidepool_commands"), r"^.+ via sqlite$")
        self.run_one("tidepool_scale('app', NULL)")
        self.assertNotEqual(self.pool("size_source"), "manual")

    def test_scale_for_every_row_of_a_query(self):
        self.pool_owner.open("jobs", "min_size=2 max_size=10")
        self.db.execute("SELECT tidepool_scale(instance_id, 5) FROM tidepool_pools").fetchall()
        self.assertEqual(self.db.execute("SELECT target_size FROM tidepool_pools").fetchall(), [(5,), (5,)])

    def test_a_copy_of_a_segment_is_ignored(self):
        """A copy in the directory, whatever its name, neither hides the pool nor is shown as one."""
        name = "app.%s.segment" % self.instance_id
        for copy in ("aaa.%s.segment" % self.instance_id, "zzz.%s.segment" % self.instance_id,
                     "app.%s.segment" % ("0" * 32), "app.%s.segment" % ("f" * 32)):
            shutil.copy(os.path.join(self.segments, name), os.path.join(self.segments, copy))
        self.run_one("tidepool_scale('app', 3)")
        self.assertEqual(self.db.execute("SELECT pool, state FROM tidepool_pools").fetchall(), [("app", "running")])

    def test_pool_given_by_instance_id(self):
        self.run_one("tidepool_scale(?, 4)", self.instance_id)
        self.assertEqual(self.pool("target_size"), 4)

    def test_burst(self):
        self.run_one("tidepool_burst('app', '30s')")
        self.eventually(lambda: self.pool("burst_until") is not None, "a burst")
        self.run_one("tidepool_end_burst('app')")
        self.eventually(lambda: self.pool("burst_until") is None, "the end of the burst")
        self.run_one("tidepool_burst('app', 2000)")
        self.run_one("tidepool_burst('app')")

    def test_set(self):
        self.run_one("tidepool_set('app', 'max_size', 12)")
        self.assertEqual(self.pool("max_size"), 12)
        self.run_one("tidepool_set('app', 'acquire_timeout', '7s')")
        self.assertEqual(self.one(self.db, "SELECT value FROM tidepool_settings WHERE name = 'acquire_timeout'"), "7s")
        self.run_one("tidepool_set('app', 'validation_query', '')")

    def test_pause_and_resume(self):
        self.run_one("tidepool_pause('app')")
        self.assertEqual(self.pool("state"), "paused")
        self.run_one("tidepool_resume('app')")
        self.assertEqual(self.pool("state"), "running")

    def connections(self):
        return {row[0] for row in self.db.execute("SELECT conn_id FROM tidepool_connections WHERE state = 'idle'")}

    def test_recycle_replaces_every_connection(self):
        self.eventually(lambda: len(self.connections()) == 2, "two connections")
        before = self.connections()
        self.run_one("tidepool_recycle('app', '100ms')")
        self.eventually(lambda: len(self.connections()) == 2 and not self.connections() & before, "new connections")

    def test_close_connection(self):
        self.eventually(lambda: len(self.connections()) == 2, "two connections")
        first = min(self.connections())
        self.run_one("tidepool_close_connection(?)", first)
        self.eventually(lambda: first not in self.connections(), "the end of the connection")
        self.error("tidepool_close_connection(987654)", "987654", "`connections` lists")

    def test_revoke(self):
        lease = self.pool_owner.lease("app", "stuck")
        self.run_one("tidepool_revoke(?)", lease)
        self.assertEqual(self.one(self.db, "SELECT count(*) FROM tidepool_leases"), 0)
        self.assertNotEqual(self.pool_owner.release(lease), 0)
        self.error("tidepool_revoke(987654)", "987654", "`leases` lists")
        self.error("tidepool_revoke(987654, 'app')", "987654")

    def test_drain_is_pending_while_a_connection_is_leased(self):
        lease = self.pool_owner.lease("app", "last one")
        number = self.one(self.db, "SELECT tidepool_drain('app')")
        self.assertEqual(self.pool("state"), "draining")
        self.pool_owner.release(lease)
        self.assertEqual(self.one(self.db, "SELECT tidepool_wait_applied(?, '8s')", number), 1)

    def test_a_long_wait_can_be_interrupted(self):
        lease = self.pool_owner.lease("app")
        number = self.one(self.db, "SELECT tidepool_drain('app')")
        timer = threading.Timer(0.3, self.db.interrupt)
        timer.start()
        self.error("tidepool_wait_applied(%d, '1h')" % number, "interrupted")
        timer.join()
        self.assertEqual(self.one(self.db, "SELECT tidepool_wait_applied(?, 100)", number), 0)
        self.pool_owner.release(lease)

    def test_reset_stats(self):
        self.run_one("tidepool_reset_stats('app')")

    def test_wait_applied(self):
        number = self.run_one("tidepool_scale('app', 5)")
        for timeout in ("'2s'", "'100 ms'", "50", "0", "'0.5min'"):
            self.assertEqual(self.one(self.db, "SELECT tidepool_wait_applied(?, %s)" % timeout, number), 1)
        self.error("tidepool_wait_applied(987654321)", "987654321")
        self.error("tidepool_wait_applied(1, 'soon')", "soon", "30s")
        self.error("tidepool_wait_applied('first')", "command_id", "first")


    def test_durations_are_sent_exactly(self):
        for given, sent in (("'1.5s'", "1500ms"), ("'1500us'", "1500us"), ("1500", "1500ms"), ("'250'", "250ms"),
                            ("2000.0", "2s"), ("1.5", "1500us")):
            self.run_one("tidepool_burst('app', %s)" % given)
            arguments = self.one(self.db, "SELECT arguments FROM tidepool_commands ORDER BY command_id DESC LIMIT 1")
            self.assertEqual(arguments, '{"duration":"%s"}' % sent)


class Refusals(FunctionCase):
    def test_refusals_of_the_pool(self):
        self.error("tidepool_scale('app', 99)", "tidepool_scale", "99")
        self.error("tidepool_scale('app', -1)", "-1")
        self.error("tidepool_set('app', 'max_sise', '5')", "max_sise", "max_size")
        self.error("tidepool_set('app', 'max_size', 'many')", "max_size", "many")
        self.assertEqual(self.pool("target_size"), 2)

    def test_an_unknown_pool_lists_the_known_ones(self):
        self.pool_owner.open("jobs")
        self.error("tidepool_scale('ap', 5)", '"ap"', "app", "jobs")
        self.error("tidepool_pause('nobody')", '"nobody"', "app", "jobs")

    def test_an_ambiguous_name_lists_the_instances(self):
        second = self.owner().open("app")
        self.error("tidepool_scale('app', 5)", "app", self.instance_id, second)
        self.run_one("tidepool_scale(?, 5)", second)
        self.assertEqual(self.pool("target_size"), 2)

    def test_an_ambiguous_lease_lists_the_instances(self):
        other = self.owner()
        second = other.open("jobs")
        lease = self.pool_owner.lease("app")
        if other.lease("jobs") != lease:
            self.skipTest("lease numbers of two pools never coincide")
        self.error("tidepool_revoke(%d)" % lease, str(lease), self.instance_id, second, "app", "jobs")
        self.run_one("tidepool_revoke(?, 'jobs')", lease)
        self.assertEqual(self.db.execute("SELECT pool FROM tidepool_leases").fetchall(), [("app",)])

    def test_null_arguments(self):
        self.error("tidepool_scale(NULL, 5)", "pool is NULL", "Usage: tidepool_scale(pool, target_size [, reason])")
        self.run_one("tidepool_scale('app', 5, NULL)")  # optional arguments may be NULL
        self.run_one("tidepool_burst('app', NULL)")
        self.error("tidepool_set('app', NULL, 1)", "option is NULL")
        self.error("tidepool_set('app', 'max_size', NULL)", "value is NULL")
        self.error("tidepool_revoke(NULL)", "lease_id is NULL")
        self.error("tidepool_wait_applied(NULL)", "command_id is NULL")

    def test_wrong_number_of_arguments_shows_usage(self):
        self.error("tidepool_scale('app')", "Usage: tidepool_scale(pool, target_size [, reason])")
        self.error("tidepool_pause()", "Usage: tidepool_pause(pool)")
        self.error("tidepool_set('app', 'max_size')", "Usage: tidepool_set(pool, option, value)")
        self.error("tidepool_drain('app', 1)", "Usage: tidepool_drain(pool)")
        self.error("tidepool_wait_applied()", "Usage: tidepool_wait_applied(command_id [, timeout])")
        self.error("tidepool_version(1)", "tidepool_version")

    def test_bad_values(self):
        self.error("tidepool_scale('app', 'many')", "target_size", "many")
        self.error("tidepool_scale('app', 2.5)", "2.5")
        self.error("tidepool_scale('', 2)", "pool")
        self.error("tidepool_scale(char(97, 0, 98), 2)", "pool")
        self.error("tidepool_burst('app', 'a while')", "duration", "a while", "30s")
        self.error("tidepool_burst('app', -5)", "duration", "-5")
        self.error("tidepool_burst('app', '0.5us')", "duration", "0.5us")
        self.error("tidepool_wait_applied(1, '1500us')", "finer than a millisecond")
        self.error("tidepool_recycle('app', '10 parsecs')", "spread", "10 parsecs")
        self.error("tidepool_close_connection('first')", "conn_id", "first")
        self.assertEqual(self.commands(self.db), [])

    def test_text_reaches_the_pool_unchanged(self):
        reason = 'the "big" one \\ 10:00\n\u00fc'
        self.run_one("tidepool_scale('app', 5, ?)", reason)
        arguments = self.one(self.db, "SELECT arguments FROM tidepool_commands")
        self.assertEqual(self.one(self.db, "SELECT json_extract(?, '$.reason')", arguments), reason)


if __name__ == "__main__":
    unittest.main()
