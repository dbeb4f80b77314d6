#!/usr/bin/python3
"""The history of a pool over the end of its process: killed, at once with others, with full disks, and with history_file."""
import os
import random
import time
import unittest

import api  # noqa: F401
import stage
from test_full_disk import FullDisk

KILLS = int(os.environ.get("TIDE_HISTORY_KILLS", "5"))
ROWS = "FROM tidepool_pool_history WHERE pool = 'app' AND resolution_ms = 1000"
COUNTS = ("acquires timeouts errors queries query_errors faults connects connect_failures result_bytes use_ms query_ms "
          "wait_ms waited covers_ms").split()


class History(stage.FaultCase):
    def setUp(self):
        super().setUp()
        self.db = self.connect()
        self.file = os.path.join(self.folder, "app.history")

    def has_rows(self, n=1):
        self.eventually(lambda: self.one(self.db, "SELECT count(*) " + ROWS + " AND measured_by = instance_id") >= n,
                        "%d seconds" % n)

    def instance(self):
        return self.one(self.db, "SELECT instance_id FROM tidepool_pools WHERE pool = 'app' AND state = 'running'")

    def rows_of(self, instance):
        return self.one(self.db, "SELECT count(*) %s AND measured_by = '%s'" % (ROWS, instance))

    def events(self):
        return [row[0] for row in
                self.db.execute("SELECT message FROM tidepool_events WHERE pool = 'app' AND kind = 'history'")]

    def test_killed_owner(self):
        owner = self.owner()
        owner.open("app")
        owner.release(owner.lease("app"))
        self.has_rows(2)
        first, known = self.instance(), self.one(self.db, "SELECT count(*) " + ROWS)
        owner.process.kill()
        owner.process.wait()
        pool = self.pool("app")
        pool.query("SELECT 1")
        self.assertGreaterEqual(self.rows_of(first), known)
        self.assertEqual(len(self.files()), 2, "the segment and the mailbox of the new owner")
        self.has_rows(2)
        for name in COUNTS:
            low, high = self.db.execute("SELECT min(%s), max(%s) %s" % (name, name, ROWS)).fetchone()
            self.assertTrue(0 <= low <= high < 1e6, "%s is between %s and %s" % (name, low, high))
        self.assertEqual(self.one(self.db, "SELECT sum(acquires) %s AND measured_by = '%s'" % (ROWS, first)), 1)

    def test_two_owners_at_once(self):
        owner = self.owner()
        owner.open("app")
        self.has_rows(2)
        first = self.instance()
        owner.ask("close", "app")
        owners = [self.owner(), self.owner()]
        for each in owners:  # both open it, then both answer
            each.process.stdin.write('["open", "app", "", null]\n')
            each.process.stdin.flush()
        for each in owners:
            self.assertIn("instance_id", each.process.stdout.readline())
        taken = self.db.execute("SELECT instance_id, count(*) %s AND measured_by = '%s' GROUP BY 1" % (ROWS, first)).fetchall()
        self.assertEqual(len(taken), 1, "one of them has it: %s" % taken)
        self.assertGreaterEqual(taken[0][1], 2)
        self.assertEqual([name for name in self.files() if name.endswith(".history")], [])

    def test_file_survives_kills_at_any_moment(self):
        chance = random.Random(4711)
        known = 0
        for number in range(KILLS):
            owner = self.owner()
            owner.open("app", "publish=on history_file=" + self.file)
            self.has_rows(1)
            found = self.one(self.db, "SELECT count(*) " + ROWS)
            self.assertGreaterEqual(found, known, "after kill %d: %s" % (number, self.events()))
            self.assertEqual([text for text in self.events() if "not taken over" in text or "history_file" in text], [])
            known = found
            owner.process.stdin.write('["close", "app"]\n')  # writes the file, and the one in the directory
            owner.process.stdin.flush()
            time.sleep(chance.uniform(0, 0.01))
            owner.process.kill()
            owner.process.wait()
        print("%d kills; %d seconds of history at the last" % (KILLS, known))

    def test_file_after_the_directory_is_lost(self):
        pool = self.pool("app", options="history_file=" + self.file)
        self.has_rows(1)
        first = self.instance()
        pool.close()
        for name in self.files():  # as by a restart of the host
            os.unlink(os.path.join(self.segments, name))
        self.pool("app", options="history_file=" + self.file)
        self.assertGreaterEqual(self.rows_of(first), 1)
        self.assertEqual(sorted(os.listdir(self.folder)), sorted(set(os.listdir(self.folder)) - {"app.history.new"}))

    def test_second_pool_with_the_same_file_is_told(self):
        self.pool("app", options="history_file=" + self.file)
        other = self.pool("other", options="history_file=" + self.file)
        self.eventually(lambda: self.one(self.db, "SELECT count(*) FROM tidepool_events WHERE pool = 'other' AND "
                                         "kind = 'history' AND message LIKE '%in use by another pool'") == 1, "the event")
        other.query("SELECT 1")

    def test_file_in_a_missing_folder(self):
        pool = self.pool("app", options="history_file=%s/none/app" % self.folder)
        self.eventually(lambda: any("No such file" in text for text in self.events()), "the event")
        pool.query("SELECT 1")
        pool.close()


class FullDisks(FullDisk):
    """The disk and its filling are those of the other tests."""
    test_no_room_for_the_segment = test_no_room_for_the_mailbox = test_no_room_for_the_database = None

    def test_no_room_for_the_history(self):
        disk = self.disk("64m")
        os.environ["TIDEPOOL_DIR"] = disk
        words = "history_file=%s/file" % disk
        db = self.connect()
        rows = "FROM tidepool_pool_history WHERE resolution_ms = 1000"
        pool = self.pool("app", options=words)
        self.eventually(lambda: self.one(db, "SELECT count(*) " + rows) >= 1, "a second")
        first = self.one(db, "SELECT max(measured_by) " + rows)
        pool.close()
        self.assertTrue(os.path.exists(disk + "/file"))
        with open(disk + "/file", "rb") as file:
            before = file.read()
        pool = self.pool("app", options=words)
        self.eventually(lambda: self.one(db, "SELECT count(*) %s AND measured_by <> '%s'" % (rows, first)) >= 1, "another")
        second = self.one(db, "SELECT instance_id " + rows)
        self.fill(disk)
        pool.query("SELECT 1")
        pool.close()
        with open(disk + "/file", "rb") as file:
            self.assertEqual(file.read(), before, "the file is as it was")
        os.unlink(disk + "/filler")
        self.pool("app", options=words)
        for instance in (first, second):
            self.assertGreaterEqual(self.one(db, "SELECT count(*) %s AND measured_by = '%s'" % (rows, instance)), 1)
        self.assertFalse(os.path.exists(disk + "/file.new"))


    def test_no_room_for_further_seconds(self):
        disk = self.disk("64m")
        os.environ["TIDEPOOL_DIR"] = disk
        db = self.connect()
        seconds = "SELECT count(*) FROM tidepool_pool_history WHERE resolution_ms = 1000"
        pool = self.pool("app")
        self.fill(disk)
        age = "SELECT (julianday('now') - julianday(started_at)) * 86400 FROM tidepool_pools"
        self.eventually(lambda: self.one(db, age) > 2.5, "2.5 seconds")
        pool.query("SELECT 1")
        self.assertLessEqual(self.one(db, seconds), 18, "of the page that was reserved")
        os.unlink(disk + "/filler")
        before = self.one(db, seconds)
        self.eventually(lambda: self.one(db, seconds) > before, "a second after there is space")


del FullDisk

if __name__ == "__main__":
    unittest.main()
