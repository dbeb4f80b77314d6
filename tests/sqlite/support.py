"""Shared by the tests of the SQLite extension: a private segment directory, owners, connections and the shell."""
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import unittest

EXTENSION = os.environ["TIDE_EXTENSION"]
LIBRARY = os.environ["TIDE_LIBRARY"]
PYTHON = "/usr/bin/python3"
WAIT_S_MAX = 10


class Owner:
    """Another process with pools; see owner.py."""

    def __init__(self, segments):
        script = pathlib.Path(__file__).with_name("owner.py")
        environment = dict(os.environ, TIDEPOOL_DIR=segments, TIDE_LIBRARY=LIBRARY)
        self.process = subprocess.Popen([PYTHON, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=environment, text=True)

    def ask(self, *command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the owner ended during %r" % (command,))
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def open(self, name="app", options="min_size=2 max_size=10"):
        return self.ask("open", name, options)["instance_id"]

    def lease(self, pool="app", tag=""):
        return self.ask("lease", pool, tag)["lease"]

    def release(self, lease):
        return self.ask("release", lease)["status"]

    def kill(self):
        """Like a crash: nothing is closed."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.end()

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(WAIT_S_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class SegmentCase(unittest.TestCase):
    """Each test has its own segment directory, so it sees no pool of the host or of another test."""

    def setUp(self):
        self.segments = tempfile.mkdtemp(prefix="tidepool-test-", dir="/dev/shm")
        self.addCleanup(shutil.rmtree, self.segments, ignore_errors=True)
        os.environ["TIDEPOOL_DIR"] = self.segments

    def owner(self, segments=None):
        owner = Owner(segments or self.segments)
        self.addCleanup(lambda: owner.process.stdin.closed or owner.end())
        return owner

    def connect(self, database=":memory:", **options):
        """A connection with the extension; transactions begin only where the test begins them."""
        options.setdefault("isolation_level", None)
        db = sqlite3.connect(database, **options)
        self.addCleanup(db.close)
        db.enable_load_extension(True)
        db.load_extension(EXTENSION)
        return db

    def shell(self, *statements, database=":memory:", flags=()):
        """The sqlite3 shell with the extension loaded; returns (output, errors)."""
        script = ".load %s\n" % EXTENSION + "".join(s.rstrip(";") + ";\n" for s in statements)
        done = subprocess.run(["sqlite3", "-batch", *flags, database], input=script, capture_output=True, text=True,
                              timeout=60, check=False)
        return done.stdout, done.stderr

    def one(self, db, sql, *values):
        return db.execute(sql, values).fetchone()[0]

    def commands(self, db):
        """The commands that reached the pools, in order."""
        return db.execute("SELECT verb, status FROM tidepool_commands ORDER BY command_id").fetchall()

    def eventually(self, condition, what="the condition"):
        until = time.monotonic() + WAIT_S_MAX
        while not condition():
            if time.monotonic() > until:
                self.fail("%s did not come true within %d s" % (what, WAIT_S_MAX))
            time.sleep(0.02)

    def refused(self, db, sql, *parts):
        """The statement must fail, and its message must name all the parts."""
        with self.assertRaises(sqlite3.Error) as caught:
            db.execute(sql).fetchall()
        for part in parts:
            self.assertIn(part, str(caught.exception))
        return str(caught.exception)
