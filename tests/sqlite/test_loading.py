#!/usr/bin/python3
"""The extension as a library: loaded and unloaded often, by many connections and threads."""
import os
import shutil
import sqlite3
import threading
import unittest

import support


class Loading(support.SegmentCase):
    def test_load_and_close_a_thousand_times(self):
        self.owner().open()
        file = support.EXTENSION if os.path.exists(support.EXTENSION) else support.EXTENSION + ".so"
        mapped = 0
        for i in range(1000):
            db = sqlite3.connect(":memory:")
            db.enable_load_extension(True)
            db.load_extension(support.EXTENSION)
            self.assertEqual(db.execute("SELECT DISTINCT pool FROM tidepool_settings").fetchall(), [("app",)])
            db.close()
            if i == 100:
                mapped = memory_kb()
        self.assertLess(memory_kb() - mapped, 1500, "memory grows with every load of " + file)
        with open("/proc/self/maps", encoding="utf-8") as maps:
            copies = sum(1 for line in maps if os.path.realpath(file) in line and "r-xp" in line)
        self.assertLessEqual(copies, 1)

    def test_no_descriptor_is_left_open(self):
        self.owner().open()
        db = self.connect()
        work = ("SELECT count(*) FROM tidepool_settings", "UPDATE tidepool_pools SET target_size = 4",
                "SELECT tidepool_scale('app', 5)")
        for statement in work:
            db.execute(statement).fetchall()
        before = len(os.listdir("/proc/self/fd"))
        for statement in work * 5:
            db.execute(statement).fetchall()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_eight_threads_each_with_its_own_connection(self):
        names = ["pool%d" % i for i in range(4)]
        owner = self.owner()
        for name in names:
            owner.open(name, "min_size=2 max_size=10")
        failures = []

        def work(number):
            try:
                for i in range(12):
                    db = sqlite3.connect(":memory:", isolation_level=None)
                    db.enable_load_extension(True)
                    db.load_extension(support.EXTENSION)
                    found = [pool for (pool,) in db.execute("SELECT pool FROM tidepool_pools ORDER BY pool")]
                    if found != names:
                        failures.append(found)
                    if i % 4 == 0:
                        db.execute("UPDATE tidepool_pools SET target_size = ? WHERE pool = ?",
                                   (3 + number % 5, names[number % 4]))
                        db.execute("SELECT tidepool_set(?, 'acquire_timeout', '5s')", (names[number % 4],)).fetchall()
                    db.execute("SELECT * FROM tidepool_connections").fetchall()
                    db.close()
            except Exception as failure:  # reported by the main thread: a test can fail only there
                failures.append(failure)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual({status for (_, status) in self.commands(self.connect())}, {"applied"})

    def test_loading_twice_in_one_connection(self):
        self.owner().open()
        db = self.connect()
        load = "SELECT load_extension('%s')" % support.EXTENSION
        for again in (lambda: db.load_extension(support.EXTENSION), lambda: db.execute(load).fetchall(),
                      lambda: db.execute(load).fetchall()):
            again()
            self.assertEqual(self.one(db, "SELECT pool FROM tidepool_pools"), "app")
        begun = db.execute("SELECT name FROM tidepool_settings")
        begun.fetchone()
        db.execute(load).fetchall()
        self.assertGreater(len(begun.fetchall()), 10)

    def test_loading_again_keeps_staged_changes(self):
        self.owner().open()
        db = self.connect()
        for statement in ("BEGIN", "UPDATE tidepool_pools SET target_size = 5", "SELECT load_extension('%s')" %
                          support.EXTENSION, "UPDATE tidepool_pools SET target_size = 6"):
            db.execute(statement).fetchall()
        db.load_extension(support.EXTENSION)
        db.execute("UPDATE tidepool_pools SET target_size = 7")
        db.execute("COMMIT")
        self.assertEqual(self.one(db, "SELECT target_size FROM tidepool_pools"), 7)
        self.assertEqual(self.commands(db), [("scale", "applied")])

    def test_the_entry_point_follows_the_name_of_the_file(self):
        file = support.EXTENSION if os.path.exists(support.EXTENSION) else support.EXTENSION + ".so"
        copy = os.path.join(self.segments, "libtidepool-0.1.so")
        shutil.copy(file, copy)
        db = sqlite3.connect(":memory:")
        db.enable_load_extension(True)
        db.load_extension(copy)
        self.assertGreater(self.one(db, "SELECT count(*) FROM tidepool_help"), 100)
        db.close()

    def test_closing_a_connection_with_an_open_statement(self):
        self.owner().open()
        for _ in range(20):
            db = sqlite3.connect(":memory:")
            db.enable_load_extension(True)
            db.load_extension(support.EXTENSION)
            cursor = db.execute("SELECT * FROM tidepool_settings")
            cursor.fetchone()
            db.close()


def memory_kb():
    with open("/proc/self/status", encoding="utf-8") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


if __name__ == "__main__":
    unittest.main()
