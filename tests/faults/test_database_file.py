#!/usr/bin/python3
"""The database file of a pool of SQLite connections: complete when the pool is closed, and not written after it was lost."""
import os
import shutil
import sqlite3
import threading
import unittest

import api
import stage

ROWS = 20


class Closed(stage.FaultCase):
    """After tide_pool_close() the file alone is the complete database, as after SQLite's own last close."""

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

    def test_all_idle_sessions_are_closed(self):
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

    def test_closing_a_pool_does_not_recreate_a_missing_file(self):
        pool = self.filled()
        for suffix in ("", "-wal", "-shm"):
            os.unlink(self.path(suffix))
        pool.close()
        self.assertFalse(os.path.exists(self.path()))


class Lost(stage.FaultCase):
    """Deleted, moved or replaced during use: acknowledged rows are found again, all other calls return the reason."""

    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.folder, "app.db")
        self.away = os.path.join(self.folder, "away.db")
        # All connections are open before the file is lost: one that is being opened at that moment finds the new file beside
        # the old WAL, and SQLite removes the WAL when it is closed.
        self.database = self.pool(options="max_size=3 min_size=3 health_interval=1s acquire_timeout=200ms "
                                          "breaker_trip_after=1s notify_log=off")
        self.database.query("CREATE TABLE t (x)")
        self.extension = self.connect()
        self.is_over = self.is_lost = False
        self.kept, self.late, self.refusals = [], [], []
        self.callers = [threading.Thread(target=self.work, args=(n,)) for n in range(4)]
        self.addCleanup(self.stop)
        for caller in self.callers:
            caller.start()
        self.eventually(lambda: len(self.kept) > 20, "the work of the callers")

    def work(self, caller):
        number = 0
        while not self.is_over:
            number += 1
            row = "%d:%d" % (caller, number)
            is_late = self.is_lost  # at the start: a thread may be slow to record a statement that has succeeded
            try:
                self.database.query("INSERT INTO t VALUES ('%s')" % row)
                self.kept.append(row)
                if is_late:
                    self.late.append(row)
            except api.Refusal as refusal:
                self.refusals.append(refusal)

    def stop(self):
        self.is_over = True
        for caller in self.callers:
            caller.join()

    def asked(self, sql):
        return self.extension.execute(sql).fetchone()

    def expect_trouble(self, words):
        """Callers get the error, no file is created, the alert fires, and health is reduced."""
        self.eventually(lambda: any(r.sqlstate == "58030" for r in self.refusals), "an error with the reason")
        first = next(r for r in self.refusals if r.sqlstate == "58030")
        # Callers that wait for a connection get the message about the file; holders of a lease get that of their
        # session.
        self.assertTrue(any(said in first.text for said in (words, "is missing", "was replaced")), first.text)
        self.assertTrue(first.hint)
        self.is_lost = True
        self.eventually(lambda: self.asked("SELECT state FROM tidepool_alerts WHERE rule = 'file_missing'") ==
                        ("firing",), "the alert")
        self.eventually(lambda: self.asked("SELECT health < 50 FROM tidepool_pools") == (1,), "reduced health")
        self.eventually(lambda: any("is missing" in r.text or "was replaced" in r.text or words in r.text
                                    for r in self.refusals if r.status in ("timeout", "unavailable")),
                        "an acquire with the reason")
        self.assertEqual(self.late, [], "rows that were acknowledged after the loss")
        self.is_lost = False

    def expect_recovery(self):
        kept = len(self.kept)
        self.eventually(lambda: len(self.kept) > kept + 10, "the work to go on")
        self.eventually(lambda: self.asked("SELECT count(*) FROM tidepool_alerts WHERE rule = 'file_missing' AND "
                                           "state <> 'resolved'") == (0,), "the end of the alert")
        self.stop()
        self.database.close()

    def rows(self):
        db = sqlite3.connect(self.path)
        self.addCleanup(db.close)
        self.assertEqual(db.execute("PRAGMA integrity_check").fetchone()[0], "ok")
        return {x for (x,) in db.execute("SELECT x FROM t")}

    def test_moved_away_and_back(self):
        os.rename(self.path, self.away)
        self.expect_trouble("was deleted or moved")
        self.assertFalse(os.path.exists(self.path))
        os.rename(self.away, self.path)
        self.expect_recovery()
        self.assertLessEqual(set(self.kept), self.rows())

    def test_deleted_and_restored(self):
        db = sqlite3.connect(self.path)
        db.execute("VACUUM INTO ?", (self.away,))
        db.close()
        for suffix in ("", "-wal", "-shm"):
            os.unlink(self.path + suffix)
        self.expect_trouble("was deleted or moved")
        self.assertFalse(os.path.exists(self.path))
        lost = len(self.kept)
        os.rename(self.away, self.path)
        self.expect_recovery()
        self.assertLessEqual(set(self.kept[lost:]), self.rows())

    def test_replaced_by_rename(self):
        db = sqlite3.connect(self.path)
        db.execute("VACUUM INTO ?", (self.away,))
        db.close()
        os.rename(self.away, self.path)
        self.expect_trouble("was replaced by another file")
        self.eventually(lambda: any("still belongs to the old file" in r.text for r in self.refusals),
                        "an error that names the WAL")
        lost = len(self.kept)
        for suffix in ("-wal", "-shm"):
            os.unlink(self.path + suffix)
        self.expect_recovery()
        self.assertLessEqual(set(self.kept[lost:]), self.rows())

    def test_the_wal_alone_is_deleted(self):
        """Its contents are saved by the sessions that have it open."""
        os.unlink(self.path + "-wal")
        # "Replaced" if a session that was just being opened created a new one. Callers may not be affected.
        self.eventually(lambda: self.asked("SELECT count(*) > 0 FROM tidepool_events WHERE kind = 'connection_lost' "
                                           "AND message LIKE '%-wal was %'") == (1,), "the event")
        self.expect_recovery()
        self.assertLessEqual(set(self.kept), self.rows())


if __name__ == "__main__":
    unittest.main()
