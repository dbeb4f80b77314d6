#!/usr/bin/python3
"""Full disks: a pool without space for its segment reports it and leaves nothing; one without space for its database continues.

Each disk is a separate small tmpfs. Mounting one requires root; otherwise the tests are skipped with a message.
"""
import os
import subprocess
import unittest

import api
import stage


class FullDisk(stage.FaultCase):
    def disk(self, size):
        """A folder with at most `size` bytes of space."""
        path = os.path.join(self.folder, "disk")
        os.mkdir(path)
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=" + size, "tidepool-test", path],
                               capture_output=True, text=True, check=False)
        if mount.returncode != 0:
            reason = "cannot create a small disk: " + (mount.stderr.strip() or "mount failed")
            print("skipped: " + reason)
            self.skipTest(reason)
        # Lazily, so that it is unmounted even if a failed test has left files open on it.
        self.addCleanup(subprocess.run, ["umount", "-l", path], check=True)
        return path

    def fill(self, path):
        """Fills every page."""
        with open(os.path.join(path, "filler"), "wb", buffering=0) as file:
            try:
                while file.write(b"x" * 4096):
                    pass
            except OSError:
                pass
        self.assertEqual(os.statvfs(path).f_bavail, 0)

    def test_no_room_for_the_segment(self):
        disk = self.disk("64k")
        with self.assertRaises(api.Refusal) as caught:
            self.pool("app", options="dir=" + disk)
        why = caught.exception
        print("no room for a segment: %s: %s" % (why.status, why.text))
        self.assertEqual(why.status, "no_memory")
        for part in ("bytes in " + disk, "No space left on device", "publish=off"):
            self.assertIn(part, why.text)
        self.assertEqual(os.listdir(disk), [])

    def test_no_room_for_the_mailbox(self):
        """The smallest disk with space for the segment, found by trying, has no space for the mailbox."""
        disk = self.disk("64k")
        statuses = []
        for kilobytes in range(64, 4096, 16):
            subprocess.run(["mount", "-o", "remount,size=%dk" % kilobytes, disk], check=True)
            try:
                pool = api.Pool("app", "sqlite::memory:", "dir=" + disk)
            except api.Refusal as refusal:
                statuses.append(refusal.text.split(":")[0])
                self.assertEqual(refusal.status, "no_memory", refusal.text)
                self.assertEqual(os.listdir(disk), [], "left behind by: " + refusal.text)
            else:
                pool.close()
                break
        self.assertEqual(os.listdir(disk), [])
        print("refused %d times, opened with %d KiB; at the last: %s" % (len(statuses), kilobytes, statuses[-1]))
        self.assertIn("cannot prepare the mailbox", statuses[-1])

    def test_no_room_for_the_database(self):
        disk = self.disk("1m")
        pool = self.pool("app", "sqlite://%s/app.db" % disk, "max_size=2")
        pool.query("CREATE TABLE t(x)")
        self.fill(disk)
        with self.assertRaises(api.Refusal) as caught:
            for _ in range(100):
                pool.query("INSERT INTO t VALUES (zeroblob(100000))")
        why = caught.exception
        print("no room for a row: %s: %s" % (why.status, why.text))
        self.assertEqual(why.status, "database")
        self.assertIn("full", why.text)
        # The pool continues: it reads, reports the failure, and writes again once there is space.
        pool.query("SELECT count(*) FROM t")
        db = self.connect()
        self.assertEqual(self.one(db, "SELECT state FROM tidepool_pools"), "running")
        self.assertGreaterEqual(self.one(db, "SELECT query_errors_total FROM tidepool_pool_stats"), 1)
        self.eventually(lambda: "full" in (self.one(db, "SELECT last_error FROM tidepool_pool_stats") or ""), "the error")
        os.unlink(os.path.join(disk, "filler"))
        pool.query("INSERT INTO t VALUES (zeroblob(100000))")
        pool.close()


if __name__ == "__main__":
    unittest.main()
