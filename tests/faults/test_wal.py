#!/usr/bin/python3
"""Checkpoints under load: SQLite files that several processes write stay whole, and their WAL stays small."""
import json
import os
import select
import sqlite3
import subprocess
import unittest

import stage

SECONDS = float(os.environ.get("TIDE_WAL_SECONDS", "2"))
STORM = os.environ.get("TIDE_WAL_STORM", "")
LIMIT = 1 << 20
# Beyond a quarter more a writer makes the checkpoint; what each of the others, in each process, commits before that.
OVERSHOOT = LIMIT // 4 + 8 * 100_000
# Readers that take longer are not waited for (0.1 s for all of them together).
PATIENCE_MS = 80


class Storm:
    def __init__(self, test, file, options):
        self.process = subprocess.Popen([STORM, file, str(SECONDS), options], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        test.addCleanup(self.put_away)
        test.assertEqual(self.process.stdout.readline(), "ready\n")

    def go_on(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def measured(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(self.process.stderr.read())
        return json.loads(line)

    def end(self):
        out, errors = self.process.communicate("\n", timeout=60)
        return self.process.returncode, errors

    def put_away(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()


class Wal(stage.FaultCase):
    def play(self, processes, options):
        """Returns the measurements of each, and the largest size of the WAL."""
        file = os.path.join(self.folder, "shared.db")
        storms = [Storm(self, file, f"sqlite_wal_limit={LIMIT} {options}") for _ in range(processes)]
        for storm in storms:
            storm.go_on()
        largest, is_over = 0, False
        while not is_over:
            largest = max(largest, os.path.getsize(file + "-wal"))
            is_over = select.select([storms[0].process.stdout], [], [], 0.002)[0]
        measured = [storm.measured() for storm in storms]
        for storm in storms:
            self.assertEqual(storm.end(), (0, ""))
        self.assertEqual(os.listdir(self.folder), ["shared.db"])  # the last close leaves no WAL
        self.check_database("shared.db")
        database = sqlite3.connect(file)
        commits = database.execute("SELECT max(id) FROM ledger").fetchone()[0]
        self.assertEqual(database.execute("SELECT sum(balance) FROM account").fetchone()[0], 0)
        database.close()
        print(f"{processes} processes, {options}: {json.dumps(measured)}, WAL at most {largest} bytes")
        self.assertEqual(sum(each["commits"] for each in measured), commits, "a commit was lost")
        for each in measured:
            self.assertEqual((each["busy"], each["errors"], each["wrong"]), (0, 0, 0))
            self.assertGreater(each["reads"], 0)
        self.assertGreater(largest, LIMIT // 2, "there was nothing to keep small")
        longest = max(each["longest_read_ms"] for each in measured)
        if longest < PATIENCE_MS:
            self.assertLessEqual(largest, LIMIT + OVERSHOOT)
        else:  # a thread that is not executed is a reader that does not end
            print(f"the size of the WAL was not checked: a read took {longest} ms, because the machine is busy")

    def test_one_process(self):
        self.play(1, "sqlite_synchronous=normal")

    def test_two_processes(self):
        self.play(2, "sqlite_synchronous=normal")


if __name__ == "__main__":
    unittest.main()
