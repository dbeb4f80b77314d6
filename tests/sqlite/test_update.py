#!/usr/bin/python3
"""Commands by UPDATE: the changes of a transaction are sent to the pools at COMMIT, and only then."""
import json
import sqlite3
import unittest

import support


class UpdateCase(support.SegmentCase):
    def setUp(self):
        super().setUp()
        self.pool_owner = self.owner()
        self.instance_id = self.pool_owner.open("app", "min_size=2 max_size=10")
        self.db = self.connect()

    def value(self, column, pool="app"):
        return self.one(self.db, "SELECT %s FROM tidepool_pools WHERE pool = ?" % column, pool)

    def requests(self):
        """(verb, requested value) of every command, in order."""
        asked = []
        for verb, arguments in self.db.execute("SELECT verb, arguments FROM tidepool_commands ORDER BY command_id"):
            arguments = json.loads(arguments or "{}")
            wanted = arguments.get("target_size")
            if "option" in arguments:
                wanted = (arguments["option"], arguments["value"])
            asked.append((verb, wanted))
        return asked

    def run_all(self, *statements):
        for statement in statements:
            self.db.execute(statement)


class Values(UpdateCase):
    def test_target_size_is_seen_by_the_next_select(self):
        self.db.execute("UPDATE tidepool_pools SET target_size = 8 WHERE pool = 'app'")
        self.assertEqual((self.value("target_size"), self.value("size_source")), (8, "manual"))
        self.assertEqual(self.commands(self.db), [("scale", "applied")])
        self.eventually(lambda: self.value("size") == 8, "eight connections")

    def test_target_size_null_is_automatic_again(self):
        self.run_all("UPDATE tidepool_pools SET target_size = 8", "UPDATE tidepool_pools SET target_size = NULL")
        self.assertEqual(self.requests(), [("scale", 8), ("scale", None)])
        self.assertNotEqual(self.value("size_source"), "manual")

    def test_numbers_of_other_types(self):
        self.run_all("UPDATE tidepool_pools SET target_size = '7'", "UPDATE tidepool_pools SET target_size = 6.0",
                     "UPDATE tidepool_pools SET target_size = target_size + 1")
        self.assertEqual(self.requests(), [("scale", 7), ("scale", 6), ("scale", 7)])

    def test_both_limits_upward_and_downward(self):
        self.db.execute("UPDATE tidepool_pools SET min_size = 20, max_size = 30, target_size = 25")
        self.assertEqual([self.value(c) for c in ("min_size", "max_size", "target_size")], [20, 30, 25])
        self.db.execute("UPDATE tidepool_pools SET max_size = 5, min_size = 3, target_size = 4")
        self.assertEqual([self.value(c) for c in ("min_size", "max_size", "target_size")], [3, 5, 4])
        self.assertEqual({status for (_, status) in self.commands(self.db)}, {"applied"})
        self.assertEqual(self.requests(), [("set", ("max_size", "30")), ("set", ("min_size", "20")), ("scale", 25),
                                         ("set", ("min_size", "3")), ("set", ("max_size", "5")), ("scale", 4)])

    def test_limits_given_one_by_one_in_a_transaction(self):
        self.run_all("BEGIN", "UPDATE tidepool_pools SET min_size = 20",
                     "UPDATE tidepool_settings SET value = 30 WHERE pool = 'app' AND name = 'max_size'", "COMMIT")
        self.assertEqual((self.value("min_size"), self.value("max_size")), (20, 30))

    def test_state(self):
        for state in ("paused", "running"):
            self.db.execute("UPDATE tidepool_pools SET state = ?", (state,))
            self.assertEqual(self.value("state"), state)
        self.db.execute("UPDATE tidepool_pools SET state = 'draining'")
        self.assertEqual([verb for verb, _ in self.requests()], ["pause", "resume", "drain"])

    def test_resuming_and_scaling_at_once(self):
        self.db.execute("UPDATE tidepool_pools SET state = 'draining'")
        self.assertEqual(self.value("state"), "draining")
        self.db.execute("UPDATE tidepool_pools SET target_size = 5, state = 'running'")
        self.assertEqual((self.value("state"), self.value("target_size")), ("running", 5))

    def test_settings(self):
        self.db.execute("UPDATE tidepool_settings SET value = '7s' WHERE pool = 'app' AND name = 'acquire_timeout'")
        self.assertEqual(self.requests(), [("set", ("acquire_timeout", "7s"))])
        self.assertEqual(self.one(self.db, "SELECT value FROM tidepool_settings WHERE name = 'acquire_timeout'"), "7s")

    def test_several_instances_of_one_name_are_each_addressed(self):
        second = self.owner().open("app", "min_size=2 max_size=10")
        self.db.execute("UPDATE tidepool_pools SET target_size = 9 WHERE pool = 'app'")
        self.assertEqual(self.db.execute("SELECT instance_id, target_size FROM tidepool_pools ORDER BY 1").fetchall(),
                         sorted([(self.instance_id, 9), (second, 9)]))
        self.db.execute("UPDATE tidepool_pools SET target_size = 4 WHERE instance_id = ?", (second,))
        self.assertEqual(self.db.execute("SELECT target_size FROM tidepool_pools ORDER BY 1").fetchall(), [(4,), (9,)])

    def test_sizes_from_another_table(self):
        self.run_all("CREATE TABLE plan(name, size)", "INSERT INTO plan VALUES ('app', 6), ('other', 1)",
                     "UPDATE tidepool_pools SET target_size = (SELECT size FROM plan WHERE name = pool)"
                     " WHERE pool IN (SELECT name FROM plan)")
        self.assertEqual((self.value("target_size"), self.requests()), (6, [("scale", 6)]))

    def test_sizes_from_a_join(self):
        self.run_all("CREATE TABLE plan(name, size)", "INSERT INTO plan VALUES ('app', 6), ('other', 1)")
        join = "UPDATE tidepool_pools SET target_size = plan.size FROM plan WHERE plan.name = pool"
        try:
            self.db.execute(join)
        except sqlite3.Error:  # this SQLite does not pass the assigned columns
            self.refused(self.db, join, "UPDATE ... FROM", "SELECT")
            self.assertEqual(self.requests(), [])
        else:
            self.assertEqual((self.value("target_size"), self.requests()), (6, [("scale", 6)]))

    def test_the_actor_is_shown(self):
        self.db.execute("UPDATE tidepool_pools SET target_size = 8")
        self.assertRegex(self.one(self.db, "SELECT actor FROM tidepool_commands"), r"^.+ via sqlite$")

class Refusals(UpdateCase):
    def test_columns_that_are_measured(self):
        writable = "target_size"
        self.refused(self.db, "UPDATE tidepool_pools SET in_use = 1", "in_use", "cannot be assigned", writable)
        self.refused(self.db, "UPDATE tidepool_pools SET pool = pool", "pool cannot be assigned", writable)
        self.refused(self.db, "UPDATE tidepool_pools SET target_size = 5, idle = 0", "idle")
        self.refused(self.db, "UPDATE tidepool_pools SET dir = '/tmp'", "dir", writable)
        self.refused(self.db, "UPDATE tidepool_pools SET rowid = 5", "rowid", writable)
        self.refused(self.db, "UPDATE tidepool_settings SET name = 'x'", "name", "value")
        self.refused(self.db, "UPDATE tidepool_leases SET tag = 'x'", "tidepool_leases")
        self.assertEqual(self.requests(), [])

    def test_bad_values_fail_with_the_statement(self):
        self.refused(self.db, "UPDATE tidepool_pools SET target_size = 'many'", "target_size", "many")
        self.refused(self.db, "UPDATE tidepool_pools SET target_size = 2.5", "target_size", "2.5")
        self.refused(self.db, "UPDATE tidepool_pools SET target_size = -1", "target_size", "-1")
        self.refused(self.db, "UPDATE tidepool_pools SET min_size = NULL", "min_size")
        self.refused(self.db, "UPDATE tidepool_pools SET state = 'dead'", "state", "paused", "running", "draining")
        self.refused(self.db, "UPDATE tidepool_pools SET state = NULL", "state")
        self.refused(self.db, "UPDATE tidepool_pools SET min_size = 9, max_size = 8", "min_size 9", "max_size 8")
        self.refused(self.db, "UPDATE tidepool_pools SET min_size = 11", "min_size 11", "max_size 10")
        self.refused(self.db, "UPDATE tidepool_settings SET value = NULL WHERE name = 'max_size'", "max_size")
        self.refused(self.db, "UPDATE tidepool_settings SET value = 'x' WHERE name = 'max_size'", "max_size")
        with self.assertRaises(sqlite3.IntegrityError):
            self.db.execute("UPDATE tidepool_pools SET target_size = 'many'")
        self.assertEqual(self.requests(), [])

    def test_insert_and_delete(self):
        self.refused(self.db, "INSERT INTO tidepool_pools(pool) VALUES ('new')", "INSERT is refused", "UPDATE may set")
        self.refused(self.db, "DELETE FROM tidepool_pools", "DELETE is refused", "UPDATE may set")
        self.refused(self.db, "REPLACE INTO tidepool_pools(pool) VALUES ('new')", "INSERT is refused")
        self.refused(self.db, "DELETE FROM tidepool_leases")

    def test_update_or_ignore_skips_the_rows_that_are_refused(self):
        self.pool_owner.open("jobs", "min_size=2 max_size=10")
        self.db.execute("UPDATE OR IGNORE tidepool_pools SET target_size = iif(pool = 'app', 'many', 6)")
        self.assertEqual((self.value("target_size", "jobs"), len(self.requests())), (6, 1))


class Commits(UpdateCase):
    """A change that a pool refuses, or that cannot reach it, fails the statement or the COMMIT; then nothing else is done."""

    def setUp(self):
        super().setUp()
        self.pool_owner.open("jobs", "min_size=2 max_size=10")
        self.db.execute("CREATE TABLE note(x)")

    def fails(self, sql, *parts):
        self.refused(self.db, sql, *parts)
        self.assertEqual(self.requests(), [], sql)
        self.run_all("BEGIN", "INSERT INTO note VALUES (1)")
        try:
            self.db.execute(sql)
        except sqlite3.Error:
            self.db.execute("ROLLBACK")
        else:
            self.refused(self.db, "COMMIT", *parts)
        self.assertFalse(self.db.in_transaction)
        self.assertEqual((self.one(self.db, "SELECT count(*) FROM note"), self.requests()), (0, []), sql)

    def test_values_that_the_option_does_not_accept(self):
        setting = "UPDATE tidepool_settings SET value = '%s' WHERE name = '%s'"
        self.fails(setting % ("soon", "idle_timeout"), "idle_timeout", "soon", "30s")
        self.fails(setting % ("banana", "sizing"), "sizing", "banana", "adaptive", "threshold")
        self.fails(setting % ("2", "wait_objective_share"), "wait_objective_share", "2")
        self.fails(setting % ("eager", "init_mode"), "init_mode", "open")
        self.fails(setting % ("-1", "max_size"), "max_size", "-1")
        self.fails("UPDATE tidepool_pools SET max_size = 9223372036854775807", "max_size", "9223372036854775807")
        self.fails("UPDATE tidepool_pools SET max_size = 4999", "max_size", "4999", "capacity")
        self.fails("UPDATE tidepool_pools SET min_size = 9223372036854775807", "min_size", "9223372036854775807")
        self.fails("UPDATE tidepool_pools SET target_size = 99999", "target_size 99999", "max_size 10", "start a burst")
        self.fails("UPDATE tidepool_pools SET target_size = 1", "target_size 1", "min_size 2")

    def test_a_refused_row_reverts_the_others(self):
        for bad in ("app", "jobs"):
            self.fails("UPDATE tidepool_pools SET target_size = iif(pool = '%s', 11, 5)" % bad, "11", bad)
            self.fails("UPDATE tidepool_settings SET value = iif(pool = '%s', 'soon', '1min')"
                       " WHERE name = 'idle_timeout'" % bad, "soon")

    def test_a_size_allowed_by_a_later_statement(self):
        self.run_all("BEGIN", "UPDATE tidepool_pools SET target_size = 12 WHERE pool = 'app'",
                     "UPDATE tidepool_pools SET max_size = 14 WHERE pool = 'app'", "COMMIT")
        self.assertEqual((self.value("max_size"), self.value("target_size")), (14, 12))

    def test_refusals_that_only_the_pool_can_decide(self):
        self.run_all("UPDATE tidepool_pools SET state = 'draining' WHERE pool = 'app'", "BEGIN",
                     "INSERT INTO note VALUES (1)", "UPDATE tidepool_pools SET target_size = 5")
        self.refused(self.db, "COMMIT", "the pool is draining", "resume")
        self.assertEqual(self.one(self.db, "SELECT count(*) FROM note"), 0)
        setting = "UPDATE tidepool_settings SET value = '%s' WHERE name = '%s' AND pool = 'jobs'"
        self.refused(self.db, setting % (9, "burst_max_size"), "burst_max_size", "max_size 10", 'pool "jobs"')

    def test_a_refusal_names_applied_commands_and_stops_the_others(self):
        self.db.execute("UPDATE tidepool_pools SET state = 'draining' WHERE pool = 'jobs'")
        self.run_all("BEGIN", "UPDATE tidepool_pools SET target_size = 5 WHERE pool = 'app'",
                     "UPDATE tidepool_pools SET target_size = 5 WHERE pool = 'jobs'",
                     "UPDATE tidepool_pools SET state = 'paused' WHERE pool = 'app'")
        message = self.refused(self.db, "COMMIT", "the pool is draining")
        self.assertIn('target_size of pool "app"', message.partition("not reverted:")[2])
        self.assertEqual(sorted(self.commands(self.db)),
                         [("drain", "applied"), ("scale", "applied"), ("scale", "refused")])

    def test_a_commit_that_sqlite_could_not_finish_is_not_posted_twice(self):
        file = "%s/some.sqlite" % self.segments
        db, reader = self.connect(file), sqlite3.connect(file, isolation_level=None)
        db.execute("PRAGMA busy_timeout = 0")
        db.execute("CREATE TABLE note(x)")
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM note").fetchall()
        for statement in ("BEGIN", "INSERT INTO note VALUES (1)",
                          "UPDATE tidepool_pools SET target_size = 5 WHERE pool = 'app'"):
            db.execute(statement)
        self.refused(db, "COMMIT", "locked")
        reader.execute("COMMIT")
        db.execute("COMMIT")
        self.assertEqual((self.requests(), self.one(db, "SELECT count(*) FROM note")), ([("scale", 5)], 1))
        reader.close()


class Transactions(UpdateCase):
    def test_commit_publishes_one_command(self):
        self.run_all("BEGIN", "UPDATE tidepool_pools SET target_size = 5")
        self.assertEqual(self.requests(), [])
        self.run_all("UPDATE tidepool_pools SET target_size = 6", "COMMIT")
        self.assertEqual(self.requests(), [("scale", 6)])

    def test_rollback_leaves_no_trace(self):
        self.run_all("BEGIN", "UPDATE tidepool_pools SET target_size = 5",
                     "UPDATE tidepool_settings SET value = '1s' WHERE name = 'acquire_timeout'", "ROLLBACK")
        self.assertEqual(self.requests(), [])
        self.run_all("BEGIN", "UPDATE tidepool_pools SET max_size = 12", "COMMIT")
        self.assertEqual(self.requests(), [("set", ("max_size", "12"))])

    def test_closing_the_connection_in_a_transaction_is_a_rollback(self):
        other = self.connect()
        other.execute("BEGIN")
        other.execute("UPDATE tidepool_pools SET target_size = 5")
        other.close()
        self.assertEqual(self.requests(), [])

    def test_rollback_to_a_savepoint(self):
        self.run_all("BEGIN", "UPDATE tidepool_pools SET target_size = 5", "SAVEPOINT a",
                     "UPDATE tidepool_pools SET target_size = 6, max_size = 12",
                     "UPDATE tidepool_settings SET value = '1s' WHERE name = 'acquire_timeout'", "ROLLBACK TO a",
                     "UPDATE tidepool_pools SET min_size = 3", "RELEASE a", "COMMIT")
        self.assertEqual(self.requests(), [("set", ("min_size", "3")), ("scale", 5)])

    def test_a_table_first_used_inside_savepoints(self):
        # The table is not notified of savepoint a, and of b only until its release.
        self.run_all("SAVEPOINT a", "SAVEPOINT b", "UPDATE tidepool_pools SET target_size = 5", "RELEASE b",
                     "ROLLBACK TO a", "UPDATE tidepool_pools SET target_size = 6", "RELEASE a")
        self.assertEqual(self.requests(), [("scale", 6)])

    def test_rollback_to_the_same_savepoint_twice(self):
        self.run_all("BEGIN", "UPDATE tidepool_pools SET min_size = 3", "SAVEPOINT a",
                     "UPDATE tidepool_pools SET target_size = 5", "ROLLBACK TO a",
                     "UPDATE tidepool_pools SET target_size = 6", "SAVEPOINT b",
                     "UPDATE tidepool_pools SET target_size = 7", "ROLLBACK TO a", "COMMIT")
        self.assertEqual(self.requests(), [("set", ("min_size", "3"))])

    def test_a_statement_that_fails_half_way_stages_nothing(self):
        self.pool_owner.open("jobs", "min_size=2 max_size=10")
        for fine, bad in (("app", "jobs"), ("jobs", "app")):
            self.run_all("BEGIN", "UPDATE tidepool_pools SET max_size = 11 WHERE pool = 'app'")
            self.refused(self.db, "UPDATE tidepool_pools SET target_size = iif(pool = '%s', 5, 'many')" % fine, "many")
            self.db.execute("COMMIT")
            self.assertEqual(self.requests(), [("set", ("max_size", "11"))] * len(self.requests()), bad)
        self.assertEqual(len(self.requests()), 2)

    def test_a_pool_that_dies_before_the_commit_fails_the_commit(self):
        self.db.execute("CREATE TABLE note(x)")
        self.run_all("BEGIN", "INSERT INTO note VALUES (1)", "UPDATE tidepool_pools SET target_size = 5")
        self.pool_owner.kill()
        self.eventually(lambda: self.value("state") == "dead", "state dead")
        self.refused(self.db, "COMMIT", "app")
        if self.db.in_transaction:
            self.db.execute("ROLLBACK")
        self.assertEqual(self.one(self.db, "SELECT count(*) FROM note"), 0)

    def test_commits_together_with_ordinary_tables(self):
        self.run_all("CREATE TABLE note(x)", "BEGIN", "INSERT INTO note VALUES (1)",
                     "UPDATE tidepool_pools SET target_size = 5", "ROLLBACK")
        self.assertEqual((self.one(self.db, "SELECT count(*) FROM note"), self.requests()), (0, []))
        self.run_all("BEGIN", "INSERT INTO note VALUES (1)", "UPDATE tidepool_pools SET target_size = 5", "COMMIT")
        self.assertEqual((self.one(self.db, "SELECT count(*) FROM note"), self.requests()), (1, [("scale", 5)]))


if __name__ == "__main__":
    unittest.main()
