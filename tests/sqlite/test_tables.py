#!/usr/bin/python3
"""Reading: every relation of the catalogue as a table, with the same contents in every process."""
import os
import shutil
import sqlite3
import tempfile
import unittest

import support

ISO_TIME = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z$"


class Catalogue(support.SegmentCase):
    def test_every_relation_can_be_read_and_has_the_columns_that_help_names(self):
        self.owner().open()
        db = self.connect()
        documented = {}
        sql = "SELECT relation, column_name FROM tidepool_help WHERE column_name IS NOT NULL"
        for relation, column in db.execute(sql):
            documented.setdefault(relation, []).append(column)
        modules = {name for (name,) in db.execute("SELECT name FROM pragma_module_list WHERE name LIKE 'tidepool!_%'"
                                                  " ESCAPE '!'")}
        self.assertEqual(modules, {"tidepool_" + relation for relation in documented} | {"tidepool_check_options"})
        for relation, columns in documented.items():
            with self.subTest(relation=relation):
                cursor = db.execute("SELECT * FROM tidepool_" + relation)
                self.assertEqual([c[0] for c in cursor.description], columns)
                cursor.fetchall()
        self.assertIn("pools", documented)
        self.assertIn("commands", documented)

    def test_declared_types_and_the_hidden_column(self):
        db = self.connect()
        declared = {row[1]: (row[2], row[6]) for row in db.execute("PRAGMA table_xinfo(tidepool_pools)")}
        self.assertEqual(declared["pool"], ("TEXT", 0))
        self.assertEqual(declared["in_use"], ("INTEGER", 0))
        self.assertEqual(declared["age_ms"], ("REAL", 0))
        self.assertEqual(declared["started_at"], ("TEXT", 0))
        self.assertEqual(declared["dir"], ("TEXT", 1))

    def test_a_pool_as_a_row(self):
        instance_id = self.owner().open("app", "min_size=3 max_size=7")
        db = self.connect()
        db.row_factory = sqlite3.Row
        self.eventually(lambda: db.execute("SELECT idle FROM tidepool_pools").fetchone()["idle"] == 3, "three idle")
        row = db.execute("SELECT * FROM tidepool_pools").fetchone()
        self.assertEqual(row["instance_id"], instance_id)
        self.assertEqual((row["pool"], row["state"], row["backend"]), ("app", "running", "sqlite"))
        self.assertEqual((row["min_size"], row["max_size"], row["size"], row["in_use"]), (3, 7, 3, 0))
        self.assertIsInstance(row["utilization"], float)
        self.assertRegex(row["started_at"], ISO_TIME)
        self.assertIsNotNone(self.one(db, "SELECT julianday(started_at) FROM tidepool_pools"))

    def test_leases_of_another_process_with_tag_and_age(self):
        owner = self.owner()
        owner.open()
        number = owner.lease("app", "monthly report")
        db = self.connect()
        sql = "SELECT lease_id, tag, age_ms, typeof(overdue) FROM tidepool_leases WHERE pool = 'app'"
        (lease_id, tag, age_ms, overdue), = db.execute(sql).fetchall()
        self.assertEqual((lease_id, tag, overdue), (number, "monthly report", "integer"))
        self.eventually(lambda: db.execute(sql).fetchone()[2] > age_ms, "an older lease")
        self.assertEqual(self.one(db, "SELECT in_use FROM tidepool_pools"), 1)
        owner.release(number)
        self.eventually(lambda: db.execute(sql).fetchall() == [], "the end of the lease")

    def test_a_dead_owner_stays_visible_as_dead(self):
        owner = self.owner()
        owner.open()
        db = self.connect()
        self.assertEqual(self.one(db, "SELECT state FROM tidepool_pools"), "running")
        owner.kill()
        self.eventually(lambda: self.one(db, "SELECT state FROM tidepool_pools") == "dead", "state dead")
        self.refused(db, "SELECT tidepool_scale('app', 5)", "app")
        self.refused(db, "UPDATE tidepool_pools SET target_size = 5", "app")

    def test_an_empty_directory_has_no_rows_but_all_tables(self):
        db = self.connect()
        self.assertEqual(db.execute("SELECT * FROM tidepool_pools").fetchall(), [])
        self.assertGreater(self.one(db, "SELECT count(*) FROM tidepool_help"), 100)

    def test_hostile_files_result_in_no_rows_and_no_error(self):
        self.owner().open()
        def path(number):
            return "%s/hostile.%032x.segment" % (self.segments, number)
        for i, content in enumerate([b"", b"TIDE", b"\xff" * 70000, b"\0" * 4096]):
            with open(path(i), "wb") as file:
                file.write(content)
        os.mkfifo(path(10))
        os.mkdir(path(11))
        os.symlink(path(12), path(12))
        os.symlink("/dev/zero", path(13))
        db = self.connect()
        self.assertEqual(db.execute("SELECT pool FROM tidepool_pools").fetchall(), [("app",)])


class Filters(support.SegmentCase):
    """Passing equality conditions to the reader must never change a result."""

    def setUp(self):
        super().setUp()
        owner = self.owner()
        self.ids = {name: owner.open(name) for name in ("app", "jobs", "7")}
        self.db = self.connect()

    def pools(self, condition, *values):
        sql = "SELECT pool FROM tidepool_pools WHERE %s ORDER BY pool" % condition
        return [pool for (pool,) in self.db.execute(sql, values)]

    def test_equality(self):
        self.assertEqual(self.pools("pool = 'app'"), ["app"])
        self.assertEqual(self.pools("instance_id = ?", self.ids["jobs"]), ["jobs"])
        self.assertEqual(self.pools("pool = 'app' AND instance_id = ?", self.ids["jobs"]), [])
        self.assertEqual(self.pools("pool = 'nobody'"), [])
        self.assertEqual(self.pools("pool = 'ap'"), [])

    def test_values_that_are_not_text(self):
        self.assertEqual(self.pools("pool = NULL"), [])
        self.assertEqual(self.pools("pool = ?", None), [])
        self.assertEqual(self.pools("instance_id = NULL AND pool = 'app'"), [])
        self.assertEqual(self.pools("pool = ''"), [])
        self.assertEqual(self.pools("pool = 7"), ["7"])
        self.assertEqual(self.pools("pool = CAST('7.0' AS NUMERIC)"), ["7"])
        self.assertEqual(self.pools("pool = x'617070'"), [])
        self.assertEqual(self.pools("pool = ?", "app\0x"), [])
        self.assertEqual(self.pools("pool IS NULL"), [])

    def test_collations_sets_and_alternatives(self):
        self.assertEqual(self.pools("pool = 'APP' COLLATE NOCASE"), ["app"])
        self.assertEqual(self.pools("pool IN ('app', 'jobs', NULL)"), ["app", "jobs"])
        self.assertEqual(self.pools("pool = 'app' OR instance_id = ?", self.ids["jobs"]), ["app", "jobs"])
        self.assertEqual(self.pools("pool = 'app' OR instance_id = ?", self.ids["app"]), ["app"])
        self.assertEqual(self.pools("pool > 'app'"), ["jobs"])
        self.assertEqual(self.pools("pool <> 'app' AND pool <> '7'"), ["jobs"])

    def test_or_returns_every_row_once(self):
        sql = "SELECT count(*), count(DISTINCT pool || name) FROM tidepool_settings WHERE %s"
        everything = self.db.execute(sql % "pool IN ('app', 'jobs')").fetchone()
        either = self.db.execute(sql % "pool = 'app' OR instance_id = '%s'" % self.ids["jobs"]).fetchone()
        self.assertEqual(either, everything)
        self.assertEqual(either[0], either[1])

    def test_equality_reads_one_pool_only(self):
        plan = self.db.execute("EXPLAIN QUERY PLAN SELECT * FROM tidepool_leases WHERE pool = 'app'").fetchone()[3]
        self.assertIn("INDEX 4:", plan)

    def test_join(self):
        sql = ("SELECT p.pool, count(c.conn_id) FROM tidepool_pools p JOIN tidepool_connections c USING (instance_id)"
               " GROUP BY p.pool ORDER BY p.pool")
        self.eventually(lambda: self.db.execute(sql).fetchall() == [("7", 2), ("app", 2), ("jobs", 2)], "the join")

    def test_another_directory(self):
        other = tempfile.mkdtemp(prefix="tidepool-test-", dir="/dev/shm")
        self.addCleanup(shutil.rmtree, other, ignore_errors=True)
        self.owner(other).open("elsewhere")
        every = "SELECT pool FROM tidepool_pools"
        self.assertEqual(self.db.execute("SELECT pool, dir FROM tidepool_pools(?)", (other,)).fetchall(),
                         [("elsewhere", other)])
        self.assertEqual(self.db.execute(every + " WHERE dir = ?", (other,)).fetchall(), [("elsewhere",)])
        self.assertEqual(self.db.execute(every + " WHERE dir = ? AND pool = 'app'", (other,)).fetchall(), [])
        self.assertEqual(len(self.db.execute(every + " WHERE dir IN (?, ?)", (other, self.segments)).fetchall()), 4)
        self.assertEqual(self.db.execute("SELECT p.pool FROM (SELECT ? AS at) AS d, tidepool_pools(d.at) AS p",
                                         (other,)).fetchall(), [("elsewhere",)])
        self.assertEqual(self.db.execute(every + " WHERE dir = NULL").fetchall(), [])
        self.assertEqual(self.db.execute("SELECT * FROM tidepool_pools('/nonexistent')").fetchall(), [])
        self.db.execute("UPDATE tidepool_pools SET target_size = 4 WHERE dir = ?", (other,))
        self.assertEqual(self.one(self.db, "SELECT target_size FROM tidepool_pools(?)", other), 4)


class Directories(support.SegmentCase):
    """The hidden column dir: the directory that is read, and that a row comes from."""

    def setUp(self):
        super().setUp()
        self.other = tempfile.mkdtemp(prefix="tidepool-test-", dir="/dev/shm")
        self.addCleanup(shutil.rmtree, self.other, ignore_errors=True)
        owner = self.owner()
        for name in ("app", "jobs"):
            owner.open(name)
        self.owner(self.other).open("elsewhere")
        self.db = self.connect()

    def rows(self, rest, columns="pool"):
        places = {"o": self.other, "p": self.segments}
        found = self.db.execute("SELECT %s FROM tidepool_pools AS a %s" % (columns, rest), places)
        return sorted(found.fetchall())

    def test_value_is_the_directory_that_was_read(self):
        both = [("app",), ("jobs",)]
        self.assertEqual(self.rows("", "pool, dir"), [("app", self.segments), ("jobs", self.segments)])
        self.assertEqual(self.rows("WHERE dir = :o", "pool, dir"), [("elsewhere", self.other)])
        self.assertEqual(self.rows("WHERE dir = :p", "pool"), both)
        self.assertEqual(self.rows("WHERE dir IS NULL"), [])
        self.assertEqual(self.rows("WHERE dir = '' OR dir IS NULL"), [])
        self.assertEqual(self.rows("WHERE dir IS NOT NULL"), both)
        self.assertEqual(self.one(self.db, "SELECT DISTINCT dir FROM tidepool_help"), self.segments)

    def test_equality_selects_the_directory(self):
        self.assertEqual(self.rows("WHERE dir IS :o"), [("elsewhere",)])
        self.assertEqual(self.rows("WHERE dir IN (:o, :p)"), [("app",), ("elsewhere",), ("jobs",)])
        self.assertEqual(self.rows("WHERE dir = :o AND dir LIKE '%'"), [("elsewhere",)])
        self.assertEqual(self.rows("WHERE dir = :o AND dir = :p"), [])
        self.assertEqual(self.rows("WHERE dir = :o AND (pool = 'elsewhere' OR pool = 'app')"), [("elsewhere",)])

    def test_other_conditions_compare_the_current_directory(self):
        both = [("app",), ("jobs",)]
        self.assertEqual(self.rows("WHERE dir LIKE '/dev/shm/%'"), both)
        self.assertEqual(self.rows("WHERE dir LIKE :o"), [])
        self.assertEqual(self.rows("WHERE dir GLOB :p"), both)
        self.assertEqual(self.rows("WHERE dir <> :o"), both)
        self.assertEqual(self.rows("WHERE dir = upper(:p) COLLATE NOCASE"), both)
        self.assertEqual(self.rows("WHERE dir = :o OR pool = 'app'"), [("app",)])
        self.assertEqual(self.rows("WHERE dir = :p OR pool = 'app'"), both)
        self.assertEqual(self.rows("WHERE (dir = :o AND pool = 'elsewhere') OR (dir = :p AND pool = 'jobs')"), [("jobs",)])
        self.assertEqual(self.rows("WHERE instance_id = 'x' OR dir = :o OR pool = 'jobs'"), [("jobs",)])
        self.assertEqual(self.rows("WHERE NOT dir = :o AND (dir = :o OR pool = 'app')"), [("app",)])

    def test_joins_by_directory(self):
        both = [("app",), ("jobs",)]
        self.assertEqual(len(self.rows("JOIN tidepool_pools AS b ON a.dir = b.dir", "a.pool, b.pool")), 4)
        self.assertEqual(self.rows("JOIN tidepool_pools AS b USING (dir, pool)"), both)
        self.assertEqual(self.rows("LEFT JOIN tidepool_pools AS b ON a.dir = b.dir AND a.pool = b.pool",
                                   "b.pool"), both)
        for given in ("a.dir = :o", "b.dir = :o"):
            self.assertEqual(self.rows("JOIN tidepool_settings AS b ON a.dir = b.dir WHERE b.name = 'sizing' AND " + given,
                                       "a.pool"), [("elsewhere",)], given)
        self.assertEqual(self.rows("JOIN tidepool_pools AS b ON a.dir = b.dir WHERE b.dir IN (:o, 'nowhere')", "a.pool"),
                         [("elsewhere",)])
        # CROSS JOIN fixes the order, and the left table has no known directory yet.
        self.assertEqual(len(self.rows("CROSS JOIN tidepool_pools AS b ON a.dir = b.dir", "b.pool")), 4)
        self.assertEqual(self.rows("WHERE EXISTS (SELECT 1 FROM tidepool_settings AS b WHERE b.dir = a.dir)"), both)
        self.assertEqual(self.db.execute("SELECT p.pool FROM (SELECT ? AS at) AS d, tidepool_pools AS p WHERE p.dir = d.at",
                                         (self.other,)).fetchall(), [("elsewhere",)])

    def test_undecidable_directory_is_an_error(self):
        joined = "SELECT a.pool FROM tidepool_pools AS a JOIN tidepool_pools AS b ON a.dir = b.dir"
        self.assertEqual(len(self.db.execute(joined).fetchall()), 4)
        message = self.refused(self.db, joined + " JOIN tidepool_pools AS c WHERE c.dir = '%s'" % self.other,
                               "tidepool_pools", "Hint", "dir = '...'")
        self.assertIn(self.other, message)
        # The error has no lasting effect.
        self.assertEqual(self.rows("WHERE dir = :o"), [("elsewhere",)])

    def test_an_update_reaches_the_directory_of_its_row(self):
        self.db.execute("UPDATE tidepool_pools SET target_size = 4 WHERE dir LIKE '/dev/shm/%' AND pool = 'app'")
        self.db.execute("UPDATE tidepool_pools SET target_size = 5 WHERE dir IS ?", (self.other,))
        self.assertEqual(self.rows("", "pool, target_size = 4"), [("app", 1), ("jobs", 0)])
        self.assertEqual(self.rows("WHERE dir = :o", "target_size"), [(5,)])
        # One command, however the row was found.
        for statement in ("BEGIN", "UPDATE tidepool_pools SET target_size = 6 WHERE pool = 'app'",
                          "UPDATE tidepool_pools SET target_size = 7 WHERE pool = 'app' AND dir = '%s'" % self.segments,
                          "COMMIT"):
            self.db.execute(statement)
        self.assertEqual(self.one(self.db, "SELECT count(*) FROM tidepool_commands WHERE pool = 'app'"), 2)


class Shell(support.SegmentCase):
    def test_the_sqlite3_shell_reads_and_controls(self):
        self.owner().open()
        output, errors = self.shell("SELECT pool, state FROM tidepool_pools",
                                    "UPDATE tidepool_pools SET target_size = 5 WHERE pool = 'app'",
                                    "SELECT target_size FROM tidepool_pools")
        self.assertEqual((output, errors), ("app|running\n5\n", ""))


if __name__ == "__main__":
    unittest.main()
