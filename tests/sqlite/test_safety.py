#!/usr/bin/python3
"""What must not control pools: a database file from elsewhere, and a read-only connection."""
import os
import sqlite3
import unittest

import support


class UntrustedFile(support.SegmentCase):
    """The file is made without the extension, and then opened in a session that has loaded it."""

    def setUp(self):
        super().setUp()
        self.owner().open("app", "min_size=2 max_size=10")
        self.file = os.path.join(self.segments, "untrusted.sqlite")
        with sqlite3.connect(self.file) as db:
            db.execute("CREATE TABLE visit(x)")

    def plant(self, sql):
        db = sqlite3.connect(self.file)
        db.execute(sql)
        db.commit()
        db.close()

    def spring(self, sql, *parts):
        db = self.connect(self.file)
        db.execute("PRAGMA trusted_schema = on")
        self.refused(db, sql, *parts)
        self.assertEqual(self.commands(db), [])

    def test_a_trigger_cannot_call_a_command(self):
        self.plant("CREATE TRIGGER t AFTER INSERT ON visit BEGIN SELECT tidepool_scale('app', 9); END")
        self.spring("INSERT INTO visit VALUES (1)", "unsafe use of tidepool_scale")

    def test_a_trigger_cannot_wait(self):
        self.plant("CREATE TRIGGER t AFTER INSERT ON visit BEGIN SELECT tidepool_wait_applied(1, '1d'); END")
        self.spring("INSERT INTO visit VALUES (1)", "unsafe use of tidepool_wait_applied")

    def test_a_trigger_cannot_update(self):
        self.plant("CREATE TRIGGER t AFTER INSERT ON visit BEGIN UPDATE tidepool_pools SET target_size = 9; END")
        self.spring("INSERT INTO visit VALUES (1)", "unsafe use of virtual table")

    def test_a_trigger_cannot_read(self):
        self.plant("CREATE TRIGGER t AFTER INSERT ON visit BEGIN INSERT INTO visit SELECT tag FROM tidepool_leases;"
                   " END")
        self.spring("INSERT INTO visit VALUES (1)", "unsafe use of virtual table")

    def test_a_view_can_neither_control_nor_read(self):
        self.plant("CREATE VIEW friendly AS SELECT tidepool_scale('app', 9)")
        self.plant("CREATE VIEW curious AS SELECT * FROM tidepool_pools")
        self.spring("SELECT * FROM friendly", "unsafe use of tidepool_scale")
        self.spring("SELECT * FROM curious", "unsafe use of virtual table")

    def test_a_default_or_index_cannot_control(self):
        self.plant("CREATE TABLE trap(x DEFAULT (tidepool_scale('app', 9)))")
        self.spring("INSERT INTO trap DEFAULT VALUES", "unsafe use of tidepool_scale")

    def test_a_temporary_view_may_read(self):
        db = self.connect(self.file)
        db.execute("CREATE TEMP VIEW mine AS SELECT pool FROM tidepool_pools")
        self.assertEqual(db.execute("SELECT * FROM mine").fetchall(), [("app",)])


class ReadOnly(support.SegmentCase):
    def setUp(self):
        super().setUp()
        self.owner().open("app", "min_size=2 max_size=10")
        self.file = os.path.join(self.segments, "some.sqlite")
        sqlite3.connect(self.file).execute("CREATE TABLE t(x)").connection.close()

    def test_the_readonly_shell_reads_but_does_not_control(self):
        for database in (self.file, ":memory:"):
            output, errors = self.shell("SELECT pool FROM tidepool_pools", "SELECT tidepool_scale('app', 9)",
                                        "UPDATE tidepool_pools SET target_size = 9", "SELECT tidepool_version() > ''",
                                        "SELECT count(*) FROM tidepool_commands",
                                        database=database, flags=["-readonly"])
            with self.subTest(database=database):
                self.assertEqual(output, "app\n1\n0\n")
                self.assertIn("read-only and cannot control pools", errors)
                self.assertIn("attempt to write a readonly database", errors)

    def test_query_only(self):
        db = self.connect()
        db.execute("PRAGMA query_only = on")
        self.refused(db, "SELECT tidepool_pause('app')", "query_only")
        self.refused(db, "UPDATE tidepool_pools SET target_size = 9", "readonly")
        self.assertEqual(self.commands(db), [])
        db.execute("PRAGMA query_only = off")
        db.execute("SELECT tidepool_pause('app')").fetchall()
        self.assertEqual(self.commands(db), [("pause", "applied")])

    def test_an_authorizer_can_forbid_single_functions(self):
        db = self.connect()
        forbidden = {"tidepool_drain"}
        db.set_authorizer(lambda action, first, name, *rest: sqlite3.SQLITE_DENY
                          if action == sqlite3.SQLITE_FUNCTION and name in forbidden else sqlite3.SQLITE_OK)
        self.refused(db, "SELECT tidepool_drain('app')", "tidepool_drain")
        db.execute("SELECT tidepool_pause('app')").fetchall()
        self.assertEqual(self.commands(db), [("pause", "applied")])


class NothingIsLeftBehind(support.SegmentCase):
    def test_the_tables_cannot_be_created_in_a_file(self):
        db = self.connect()
        self.refused(db, "CREATE VIRTUAL TABLE mine USING tidepool_pools", "tidepool_pools")

    def test_a_database_file_does_not_depend_on_the_extension(self):
        file = os.path.join(self.segments, "mine.sqlite")
        self.owner().open()
        db = self.connect(file)
        db.execute("CREATE TABLE sample AS SELECT pool, in_use FROM tidepool_pools")
        db.close()
        plain = sqlite3.connect(file)
        self.assertEqual(plain.execute("SELECT * FROM sample").fetchall(), [("app", 0)])
        self.assertEqual(plain.execute("SELECT name FROM sqlite_schema").fetchall(), [("sample",)])
        plain.close()


if __name__ == "__main__":
    unittest.main()
