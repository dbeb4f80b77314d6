#!/usr/bin/python3
"""A database file must not control or read pools, whatever its schema makes SQLite evaluate.

SQLITE_DIRECTONLY covers triggers, views and defaults (test_safety.py). These tests are about the rest: constraints, and
statements that modules prepare from their arguments in the schema.
"""
import os
import sqlite3
import unittest

import support

CONTROLS = ("scale", "burst", "end_burst", "set", "pause", "resume", "recycle", "drain", "close_connection", "revoke",
            "reset_stats", "check_health", "ack", "set_alert", "drop_alert", "evaluate", "wait_applied")


class PlantedCase(support.SegmentCase):
    def setUp(self):
        super().setUp()
        self.pool_owner = self.owner()
        self.pool_owner.open("app", "min_size=2 max_size=10")
        self.file = os.path.join(self.segments, "sent.sqlite")

    def plant(self, *statements):
        """Runs in a session without the extension: the functions have any definition."""
        db = sqlite3.connect(self.file, isolation_level=None)
        for name in CONTROLS:
            db.create_function("tidepool_" + name, -1, lambda *arguments: 1)
        for name in ("pack", "unpack"):
            db.create_function(name, 1, lambda value: value)
        for statement in statements:
            db.execute(statement)
        db.close()

    def spring(self, statement, database=None):
        """Runs in a session that has opened the file and loaded the extension. It does not matter here whether it fails."""
        db = self.connect(database or self.file)
        try:
            db.execute(statement).fetchall()
            message = ""
        except sqlite3.Error as error:
            message = str(error)
        db.close()
        return message

    def nothing_was_asked(self, statement):
        self.assertEqual(self.commands(self.connect()), [], statement)


class Constraints(PlantedCase):
    SPRINGS = ("PRAGMA integrity_check", "PRAGMA quick_check", "PRAGMA integrity_check('g')",
               "SELECT * FROM pragma_integrity_check('g')", "INSERT INTO g(a) VALUES (5)", "REPLACE INTO g(a) VALUES (1)",
               "UPDATE g SET a = a + 1", "INSERT INTO g SELECT 1 FROM g", "DELETE FROM g", "SELECT * FROM g", "ANALYZE",
               "REINDEX", "VACUUM", "ALTER TABLE g ADD COLUMN b CHECK (1)", "CREATE INDEX i ON g(a)", "PRAGMA optimize",
               "ALTER TABLE g RENAME TO h", "ALTER TABLE g RENAME COLUMN a TO c",
               "INSERT INTO g(a) VALUES (1) ON CONFLICT DO UPDATE SET a = a + 1")

    def test_a_check_constraint_cannot_pause_a_pool(self):
        for expression in ("tidepool_pause('app') > 0", "a > 0 AND \"tidepool_pause\"('app') > 0",
                           "[TidePool_Pause] ('app') > 0"):
            if os.path.exists(self.file):
                os.unlink(self.file)
            self.plant("CREATE TABLE g(a CHECK (%s))" % expression, "INSERT INTO g VALUES (1)")
            for statement in self.SPRINGS:
                with self.subTest(expression=expression, statement=statement):
                    self.spring(statement)
                    self.nothing_was_asked(statement)

    def test_the_refusal_names_the_object(self):
        self.plant("CREATE TABLE g(a CHECK (tidepool_pause('app') > 0))")
        message = self.spring("INSERT INTO g VALUES (1)")
        for part in ("tidepool_pause()", "a database file must not control pools", 'table "g"', 'database "main"'):
            self.assertIn(part, message)

    def test_no_command_can_be_called(self):
        for name in CONTROLS:
            if os.path.exists(self.file):
                os.unlink(self.file)
            arguments = {"scale": "'app', 9", "set": "'app', 'max_size', '9'", "close_connection": "1", "revoke": "1",
                         "ack": "1", "set_alert": "'app', 'r', 'waiting'", "drop_alert": "'app', 'long_wait'",
                         "wait_applied": "1, '1d'"}.get(name, "'app'")
            self.plant("CREATE TABLE g(a CHECK (tidepool_%s(%s) > 0))" % (name, arguments))
            with self.subTest(control=name):
                self.assertIn("a database file must not control pools", self.spring("INSERT INTO g VALUES (1)"))
                self.nothing_was_asked(name)

    def test_an_attached_file_cannot_control_pools(self):
        self.plant("CREATE TABLE g(a CHECK (tidepool_pause('app') > 0))", "INSERT INTO g VALUES (1)")
        db = self.connect()
        db.execute("ATTACH ? AS \"o\"\"ther\"", (self.file,))
        self.refused(db, 'INSERT INTO "o""ther".g VALUES (5)', "must not control pools", 'table "g"')
        self.refused(db, 'PRAGMA "o""ther".integrity_check', "must not control pools")
        self.nothing_was_asked("attached")

    def test_naming_the_function_does_not_permit_the_file_to_call_it(self):
        self.plant("CREATE TABLE log(a CHECK (tidepool_pause('jobs') > 0))")
        self.pool_owner.open("jobs")
        db = self.connect(self.file)
        self.refused(db, "INSERT INTO log SELECT tidepool_pause('app')", "table \"log\"", "a statement of its own")
        self.nothing_was_asked("INSERT")
        # Nor does a statement that was begun and not finished.
        begun = db.execute("SELECT tidepool_pause('app') FROM (VALUES (1), (2))")
        begun.fetchone()
        asked = self.commands(self.connect())
        self.refused(db, "INSERT INTO log VALUES (1)", "table \"log\"")
        self.assertEqual(self.commands(self.connect()), asked)
        begun.close()

    def test_an_index_on_the_schema_does_not_hide_the_object(self):
        self.plant("CREATE TABLE g(a CHECK (tidepool_pause('app') > 0))", "CREATE TABLE decoy(type, name, sql)",
                   "CREATE INDEX hide ON decoy(type, name, sql)", "PRAGMA writable_schema = on",
                   "UPDATE sqlite_schema SET tbl_name = 'sqlite_master',"
                   " sql = 'CREATE INDEX hide ON sqlite_master(type, name, sql)' WHERE name = 'hide'")
        self.spring("INSERT INTO g SELECT tidepool_pause('app')")
        self.nothing_was_asked("hidden")

    def test_similar_names_are_allowed(self):
        self.plant("CREATE TABLE tidepool_pause_log(id, note CHECK (note <> 'my_tidepool_pause'))")
        db = self.connect(self.file)
        db.execute("INSERT INTO tidepool_pause_log SELECT tidepool_pause('app'), 'by hand'")
        self.assertEqual(self.commands(db), [("pause", "applied")])


class Modules(PlantedCase):
    """FTS4 prepares its own statements, from the arguments in CREATE VIRTUAL TABLE."""

    def setUp(self):
        super().setUp()
        try:
            self.plant("CREATE VIRTUAL TABLE probe USING fts4(x)")
        except sqlite3.OperationalError:
            self.skipTest("this SQLite has no FTS4")

    def test_fts4_functions_cannot_control_pools(self):
        self.plant("CREATE VIRTUAL TABLE g USING fts4(a, compress=pack, uncompress=unpack)",
                   "INSERT INTO g VALUES ('app')", "PRAGMA writable_schema = on",
                   "UPDATE sqlite_schema SET sql = replace(replace(sql, 'uncompress=unpack', 'uncompress=tidepool_pause'),"
                   " 'compress=pack', 'compress=hex') WHERE name = 'g'")
        for statement in ("SELECT * FROM g", "SELECT a FROM g WHERE a = 1", "SELECT * FROM g WHERE g MATCH 'app'",
                          "UPDATE g SET a = 'b'", "DELETE FROM g", "INSERT INTO g(g) VALUES ('rebuild')",
                          "INSERT INTO g(g) VALUES ('integrity-check')", "CREATE TABLE h AS SELECT * FROM g",
                          "PRAGMA integrity_check"):
            with self.subTest(statement=statement):
                self.spring(statement)
                self.nothing_was_asked(statement)

    def test_fts4_content_cannot_read_pools_into_the_file(self):
        self.pool_owner.lease("app", "secret")
        self.plant("CREATE VIRTUAL TABLE g USING fts4(tag, content=tidepool_leases)")
        for statement in ("INSERT INTO g(g) VALUES ('rebuild')", "SELECT tag FROM g"):
            with self.subTest(statement=statement):
                self.assertNotEqual(self.spring(statement), "")
        plain = sqlite3.connect(self.file)
        self.assertEqual(plain.execute("SELECT count(*) FROM g WHERE g MATCH 'secret'").fetchone(), (0,))
        plain.close()

    def test_fts5_content_cannot_read_pools_into_the_file(self):
        self.pool_owner.lease("app", "secret")
        try:
            self.plant("CREATE VIRTUAL TABLE g USING fts5(tag, content=tidepool_leases, content_rowid=rowid)")
        except sqlite3.OperationalError:
            self.skipTest("this SQLite has no FTS5")
        self.assertIn("a database file must not read pools", self.spring("SELECT * FROM g"))
        self.assertNotEqual(self.spring("INSERT INTO g(g) VALUES ('rebuild')"), "")


class OnesOwn(PlantedCase):
    """What a session can still do while such a file is open."""

    def test_a_command_in_a_separate_statement(self):
        self.plant("CREATE TABLE g(a CHECK (tidepool_pause('app') > 0))")
        db = self.connect(self.file)
        db.execute("SELECT tidepool_resume('app')").fetchall()
        db.execute("SELECT tidepool_pause('app')").fetchall()
        self.assertEqual(self.commands(db), [("resume", "applied"), ("pause", "applied")])

    def test_a_command_for_each_row_of_another_statement(self):
        db = self.connect()
        for (pool,) in db.execute("SELECT pool FROM tidepool_pools"):
            db.execute("SELECT tidepool_pause(?)", (pool,)).fetchall()
        self.assertEqual(self.commands(db), [("pause", "applied")])

    def test_a_function_of_the_program_that_reads_and_controls(self):
        db = self.connect()
        db.create_function("careful_pause", 1, lambda pool: db.execute("SELECT tidepool_pause(?)", (pool,)).fetchone()[0])
        db.create_function("pools", 0, lambda: db.execute("SELECT count(*) FROM tidepool_pools").fetchone()[0])
        self.assertEqual(self.one(db, "SELECT pools()"), 1)
        self.one(db, "SELECT careful_pause('app')")
        self.assertEqual(self.commands(db), [("pause", "applied")])

    def test_tables_filled_from_pools(self):
        db = self.connect(self.file)
        db.execute("CREATE TABLE tidepool_pools_log AS SELECT pool, in_use FROM tidepool_pools")
        db.execute("INSERT INTO tidepool_pools_log SELECT pool, in_use FROM tidepool_pools")
        db.execute("CREATE TEMP VIEW mine AS SELECT pool FROM tidepool_pools")
        self.assertEqual(db.execute("SELECT * FROM mine NATURAL JOIN tidepool_pools_log").fetchall(),
                         [("app", 0), ("app", 0)])


if __name__ == "__main__":
    unittest.main()
