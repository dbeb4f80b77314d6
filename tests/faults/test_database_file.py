#!/usr/bin/python3
"""The database file of a pool of SQLite connections: whole when the pool is closed, whatever was done before."""
import os
import shutil
import sqlite3
import unittest

import api
import stage

ROWS = 20


class Closed(stage.FaultCase):
    """After tide_pool_close() the file alone is the database, as after SQLite's own last close."""

    def filled(self, options=""):
        pool = api.Pool("app", "sqlite://" + self.path(), options)
        pool.query("CREATE TABLE t (x)")
        for _ in range(ROWS):
            pool.query("INSERT INTO t VALUES (zeroblob(50000))")
        self.assertGreater(os.path.getsize(self.path("-wal")), 0)
        return pool

    def path(self, suffix=""):
        return os.path.join(self.folder, "app.db" + suffix)

    def wal_bytes(self):
        try:
            return os.path.getsize(self.path("-wal"))
        except FileNotFoundError:
            return 0

    def expect_whole(self, may_keep_an_empty_wal=False):
        if may_keep_an_empty_wal:
            self.assertEqual(os.path.getsize(self.path("-wal")), 0)
        else:
            self.assertFalse(os.path.exists(self.path("-wal")))
        copy = os.path.join(self.folder, "copy.db")
        shutil.copy(self.path(), copy)
        db = sqlite3.connect(copy)
        self.assertEqual(db.execute("SELECT count(*) FROM t").fetchone()[0], ROWS)
        db.close()

    def test_the_pool_is_closed(self):
        for number, options in enumerate(("max_size=1 min_size=1", "max_size=4 min_size=4", "max_size=1 min_size=0")):
            with self.subTest(options):
                self.filled(options).close()
                self.expect_whole()
                os.unlink(self.path())

    def test_every_session_ends_by_itself(self):
        pool = self.filled("max_size=3 min_size=0 idle_timeout=1s")
        self.eventually(lambda: not os.path.exists(self.path("-wal")), "the close of the idle sessions")
        self.expect_whole()
        pool.close()
        self.expect_whole()

    def test_sessions_are_discarded_and_recycled(self):
        pool = self.filled("max_size=1 min_size=0")
        api.call("tide_lease_discard", pool.acquire())
        self.eventually(lambda: self.wal_bytes() == 0, "the checkpoint of the discarded session")
        pool.query("DELETE FROM t WHERE 0")
        api.control("app", "recycle")
        pool.close()
        self.expect_whole()

    def test_a_holder_keeps_its_handle_beyond_the_close(self):
        for options in ("max_size=1", "max_size=3 min_size=3"):
            with self.subTest(options):
                pool = self.filled(options)
                lease = pool.acquire()
                self.assertIsNotNone(api.native(lease))
                with self.assertRaises(api.Refusal) as caught:
                    pool.close(0)
                self.assertEqual(caught.exception.status, "timeout")
                self.expect_whole(may_keep_an_empty_wal=True)
                for suffix in ("", "-wal", "-shm"):
                    os.unlink(self.path(suffix))


if __name__ == "__main__":
    unittest.main()
