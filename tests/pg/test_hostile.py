#!/usr/bin/python3
"""Malicious files in the segment directory: the valid pools are shown, and the server keeps running."""
import os
import random
import shutil
import sys
import threading
import time
import unittest

import cluster
import support
from cluster import PsqlError

RELATIONS = ("pools", "pool_stats", "pool_histograms", "pool_history", "connections", "leases", "waiters", "events",
             "scaling_events", "alerts", "health_checks", "forecasts", "alert_rules", "settings", "commands", "slow_queries",
             "failed_queries", "queries")
LOOK_S = 3  # how long a file is changed while it is read


class Hostile(unittest.TestCase):
    def setUp(self):
        self.bench = support.Bench()
        self.addCleanup(self.bench.__exit__)
        self.bench.__enter__()
        self.bench.owner().open("good", "min_size=1 max_size=2 scaling=off")
        self.bench.extension()
        self.dice = random.Random(20260131)
        self.good = [path for path in self.bench.segments.iterdir() if path.stat().st_size > 10_000 and
                     path.suffix != ".mailbox"][0]
        self.image = self.good.read_bytes()
        self.first_postmaster = self.bench.cluster.postmaster()

    def place(self, name, instance=None):
        """A file name that readers accept: a pool's name, an instance's 32 digits, and the suffix."""
        return self.bench.segments / f"{name}.{(instance or self.dice.randbytes(16)).hex()}{self.good.suffix}"

    def copy(self):
        """A valid segment of another instance, whose owner is dead."""
        return bytearray(self.image[:24] + self.dice.randbytes(16) + self.image[40:])

    def plant(self, name, content):
        """A file that looks like a segment, with a name that matches its content; otherwise it would be ignored as a
        copy."""
        path = self.place(name, bytes(content[24:40]) if len(content) >= 40 else None)
        path.write_bytes(content)
        self.give(path)
        return path

    def give(self, path):
        user = cluster.drop_user()
        if user is not None:
            os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)

    def look_at_everything(self):
        for relation in RELATIONS:
            self.bench.cluster.sql(f"SELECT * FROM tidepool.{relation}", timeout=60)
        self.bench.cluster.sql("SELECT * FROM tidepool.backends")
        self.assertEqual(self.bench.cluster.value("SELECT count(*) FROM tidepool.pools WHERE pool = 'good' AND "
                                                  "state = 'running'"), "1")

    def assert_no_crash(self):
        self.assertNotIn("terminated by signal", self.bench.cluster.log_text())
        self.assertEqual(self.bench.cluster.postmaster(), self.first_postmaster)

    def test_damaged_files(self):
        for length in (0, 1, 7, 63, 4095, 4096, len(self.image) // 2, len(self.image) - 1):
            self.plant(f"cut{length}", self.image[:length])
        self.plant("random", self.dice.randbytes(200_000))
        for number in range(40):
            # Numbers of the header and of the rows, changed to huge, negative or odd ones.
            image = self.copy()
            for _ in range(3 if number % 2 else 100):
                at = self.dice.randrange(40, 4096 if number % 2 else len(image) - 8) & ~7
                image[at:at + 8] = self.dice.choice((b"\xff" * 8, b"\xff" * 7 + b"\x7f", self.dice.randbytes(8), bytes(8)))
            self.plant("good", bytes(image))
        self.look_at_everything()
        # Some of them must still look like pools; otherwise this test would test nothing.
        self.assertGreater(int(self.bench.cluster.value("SELECT count(*) FROM tidepool.pools")), 1)
        self.assert_no_crash()

    def test_invalid_texts(self):
        image = bytes(self.copy()).replace(b"good", b"\xff\xfe\xc0\x80")
        self.plant("____", image)
        self.look_at_everything()
        self.assertEqual(self.bench.cluster.value("SELECT count(*) FROM tidepool.pools"), "2")
        self.assert_no_crash()

    def test_databases_of_other_encodings(self):
        owner = self.bench.owner()
        owner.open("abroad", "min_size=1 max_size=2")
        owner.lease("abroad", "\u20ac and \u65e5\u672c")
        for encoding, shown in (("LATIN1", "??? and ??????"), ("SQL_ASCII", "\u20ac and \u65e5\u672c"),
                                ("UTF8", "\u20ac and \u65e5\u672c")):
            with self.subTest(encoding=encoding):
                self.bench.cluster.sql(f"CREATE DATABASE {encoding}_db ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
                self.bench.extension(f"{encoding}_db".lower())
                tag = self.bench.cluster.value("SELECT tag FROM tidepool.leases", database=f"{encoding}_db".lower())
                self.assertEqual(tag, shown)
        # Texts from there reach the pool as UTF-8.
        self.bench.cluster.sql("SET client_encoding = 'UTF8'; SELECT tidepool.scale('abroad', 1, 'f\u00fcr mich')",
                               database="latin1_db")
        self.assertEqual(self.bench.cluster.value("SELECT arguments->>'reason' FROM tidepool.commands"), "f\u00fcr mich")
        self.assert_no_crash()

    def test_special_files(self):
        os.mkfifo(self.place("fifo"))
        self.place("folder").mkdir()
        loop = self.place("loop")
        loop.symlink_to(loop)
        self.place("secret").symlink_to("/etc/passwd")
        self.place("zero").symlink_to("/dev/zero")
        for path in self.bench.segments.iterdir():
            if path != self.good:
                self.give(path)
        self.look_at_everything()
        self.assert_no_crash()

    def test_a_file_that_shrinks_while_it_is_read(self):
        image = bytes(self.copy())
        path = self.plant("good", image)
        is_over = threading.Event()

        def shrink_and_grow():
            while not is_over.is_set():
                with open(path, "r+b") as file:
                    file.truncate(self.dice.randrange(len(image)))
                with open(path, "r+b") as file:
                    file.write(image)

        changer = threading.Thread(target=shrink_and_grow)
        changer.start()
        try:
            end = time.monotonic() + LOOK_S
            loop = "".join(f"PERFORM count(*) FROM tidepool.{relation}; " for relation in RELATIONS)
            while time.monotonic() < end:
                self.bench.cluster.sql(f"DO $$ BEGIN FOR i IN 1..50 LOOP {loop} END LOOP; END $$", timeout=60)
        finally:
            is_over.set()
            changer.join()
        path.unlink()
        self.look_at_everything()
        self.assert_no_crash()

    def test_undeliverable_commands_are_errors(self):
        mailbox = next(path for path in self.bench.segments.iterdir() if path.suffix == ".mailbox")
        aside = mailbox.with_suffix(".aside")
        calls = ("SELECT tidepool.scale('good', 2)", "SELECT tidepool.pause('good')", "SELECT tidepool.reset_stats('good')",
                 "SELECT tidepool.set_alert('good', 'mine', 'in_use', '>', 1)",
                 "UPDATE tidepool.pools SET target_size = 2", "UPDATE tidepool.pools SET state = 'paused'",
                 "UPDATE tidepool.settings SET value = '3' WHERE name = 'max_size'")

        def link():
            mailbox.symlink_to(aside)

        for what, spoil in (("permission denied", lambda: shutil.copy(aside, mailbox) and mailbox.chmod(0o400)),
                            ("mailbox is missing", lambda: None), ("is a directory", mailbox.mkdir),
                            ("is a symbolic link", link),
                            ("damaged", lambda: mailbox.write_bytes(b"abc") and self.give(mailbox))):
            mailbox.rename(aside)
            spoil()
            if mailbox.is_file() and not mailbox.is_symlink():
                self.give(mailbox)
            for call in calls:
                with self.subTest(call=call, what=what), self.assertRaisesRegex(PsqlError, f"55000.*{what}"):
                    self.bench.cluster.sql(call)
            if mailbox.is_dir():
                mailbox.rmdir()
            elif os.path.lexists(mailbox):
                mailbox.unlink()
            aside.rename(mailbox)
        self.assertEqual(self.bench.cluster.sql("SELECT tidepool.wait_applied(tidepool.scale('good', 2))"), [["t"]])
        self.assertEqual(self.bench.cluster.sql("SELECT count(*) FROM tidepool.commands"), [["1"]])

    def test_missing_segment_directory(self):
        shutil.rmtree(self.bench.segments)
        self.assertEqual(self.bench.cluster.value("SELECT count(*) FROM tidepool.pools"), "0")
        self.assert_no_crash()


if __name__ == "__main__":
    support.require_server()
    sys.exit(unittest.main(verbosity=1))
