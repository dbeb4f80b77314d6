#!/usr/bin/python3
"""Owners that are killed or stopped: readers see it, databases stay intact, and the next owner starts normally."""
import fcntl
import os
import random
import signal
import struct
import unittest

import stage

KILLS = int(os.environ.get("TIDE_KILLS", "60"))
SEED = int(os.environ.get("TIDE_KILL_SEED", "4711"))
SIZE_MAX = 10
LIFE_S_MAX = 0.15       # of an owner under load
STARTUP_S_MAX = 0.02    # every second owner is killed while it starts
F_OFD_SETLK = 37        # fcntl does not define it before Python 3.13
HEX = "0123456789abcdef" * 2


def hold_lock(file):
    """As by an owner: a write lock of the open file description."""
    fcntl.fcntl(file, F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))


class Kill(stage.FaultCase):
    def owner_under_load(self):
        storm = self.storm(600)
        self.assertEqual(storm.stdout.readline(), "ready\n")
        return storm

    def the_pool(self, db):
        return db.execute("SELECT state, size, in_use, pid, instance_id FROM tidepool_pools").fetchall()

    def test_a_killed_owner_is_shown_as_dead_with_its_last_state(self):
        db = self.connect()
        storm = self.owner_under_load()
        self.eventually(lambda: self.the_pool(db)[0][2] > 0, "a lease")
        storm.kill()
        storm.wait()
        state, size, in_use, pid, _ = self.the_pool(db)[0]
        self.assertEqual((state, pid), ("dead", storm.pid))
        self.assertTrue(0 < in_use <= size <= SIZE_MAX)
        leases = self.one(db, "SELECT count(*) FROM tidepool_leases")
        print("dead: size %d, %d in use, %d leases still shown" % (size, in_use, leases))
        self.refused(db, "SELECT tidepool_pause('storm')", "is dead")

        left = set(self.files())
        successor = self.owner_under_load()
        rows = self.the_pool(db)
        self.assertEqual([(row[0], row[3]) for row in rows], [("running", successor.pid)])
        self.assertEqual(left & set(self.files()), set(), "files of the dead owner remain")
        successor.kill()
        successor.wait()
        self.check_database("storm.db")

    def test_kills_at_random_moments(self):
        chance = random.Random(SEED)
        observer = self.observer(SIZE_MAX)
        during_start = 0
        for number in range(KILLS):
            storm = self.storm(600)
            longest = STARTUP_S_MAX if number % 2 == 0 else LIFE_S_MAX
            try:
                storm.wait(chance.uniform(0, longest))
                self.fail("the owner ended by itself: " + storm.stderr.read())
            except stage.subprocess.TimeoutExpired:
                storm.kill()
            storm.wait()
            during_start += storm.stdout.read() == ""
            errors = storm.stderr.read()
            self.assertEqual(errors, "", "kill %d" % number)
            self.check_database("storm.db")
            self.put_away(storm)
        seen = observer.end()
        left = self.files()
        print("%d kills, %d of them before the pool was open; left before the next owner: %d files; observer: %s" %
              (KILLS, during_start, len(left), seen))
        self.assertEqual(seen["wrong"], 0, seen["violations"])
        self.pool("storm").close()
        self.assertEqual(self.files(), [])

    def test_a_stopped_owner_is_stale_and_comes_back(self):
        db = self.connect()
        owner = self.owner()
        owner.open("app")
        owner.process.send_signal(signal.SIGSTOP)
        self.addCleanup(owner.process.send_signal, signal.SIGCONT)
        self.assertEqual(self.the_pool(db)[0][0], "running", "five seconds have not passed")
        self.eventually(lambda: self.the_pool(db)[0][0] == "stale", "stale")
        print("stale after %.0f ms without a heartbeat" % self.one(db, "SELECT age_ms FROM tidepool_pools"))
        owner.process.send_signal(signal.SIGCONT)
        self.eventually(lambda: self.the_pool(db)[0][0] == "running", "running again")


class Leftovers(stage.FaultCase):
    """Files as left by a kill between two steps of opening or closing, made by the test; see Segment::create()."""

    def make(self, name):
        path = os.path.join(self.segments, name)
        with open(path, "wb") as file:
            file.write(b"\0" * 4096)
        return path

    def test_unlocked_files_are_removed(self):
        self.make("." + HEX + ".new")
        self.make("app." + HEX + ".mailbox")
        self.make("other." + HEX[::-1] + ".mailbox")
        self.pool("app").close()
        self.assertEqual(self.files(), [])

    def test_an_owner_that_is_starting_is_left_alone(self):
        own = ["." + HEX + ".new", "app." + HEX + ".mailbox"]
        with open(self.make(own[0]), "rb+") as unfinished:
            hold_lock(unfinished)
            self.make(own[1])
            self.pool("app").close()
            self.assertEqual(self.files(), own)
        self.pool("app").close()
        self.assertEqual(self.files(), [])

    def test_the_mailbox_of_a_live_owner_stays(self):
        self.owner().open("app")
        before = self.files()
        self.pool("app").close()
        self.assertEqual(self.files(), before)

    def test_files_with_similar_names_stay(self):
        strange = [".hidden.new", ".abc.new", "app." + "x" * 32 + ".mailbox", "notes.mailbox", "notes.txt"]
        for name in strange:
            self.make(name)
        os.symlink("/etc/hostname", os.path.join(self.segments, "." + HEX + ".new"))
        os.mkdir(os.path.join(self.segments, "app." + HEX + ".mailbox"))
        before = self.files()
        self.pool("app").close()
        self.assertEqual(self.files(), before)


if __name__ == "__main__":
    unittest.main()
