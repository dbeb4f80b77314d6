"""Shared by the fault tests: folders, the storm as an owner under load, and a concurrent observer."""
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import tempfile

import api  # noqa: F401  (shows the way to the support of the sqlite tests)
import support

HERE = pathlib.Path(__file__).resolve().parent
STORM = os.environ.get("TIDE_STORM", "")


class Observer:
    def __init__(self, size_max):
        self.process = subprocess.Popen([support.PYTHON, str(HERE / "observer.py"), str(size_max)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if line != "ready\n":
            raise RuntimeError("the observer said %r" % line)

    def end(self):
        """Returns what it observed."""
        out, _ = self.process.communicate(timeout=30)
        if self.process.returncode != 0:
            raise RuntimeError("the observer ended with %d" % self.process.returncode)
        return json.loads(out)


class FaultCase(support.SegmentCase):
    """A separate directory for segments, as in the sqlite tests, and a folder for databases."""

    def setUp(self):
        super().setUp()
        self.folder = tempfile.mkdtemp(prefix="tidepool-faults-", dir="/dev/shm")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def observer(self, size_max):
        observer = Observer(size_max)
        self.addCleanup(observer.process.kill)
        return observer

    def storm(self, seconds):
        """Starts a hundred threads on a pool of ten; returns the process immediately."""
        process = subprocess.Popen([STORM, self.folder, str(seconds)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True)
        self.addCleanup(self.put_away, process)
        return process

    @staticmethod
    def put_away(process):
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()

    def pool(self, name="app", url=None, options="", close_ms=1000):
        """A pool of this process; `url` defaults to a new database in the folder."""
        pool = api.Pool(name, url if url is not None else "sqlite://%s/%s.db" % (self.folder, name), options)
        self.addCleanup(lambda: api.library.tide_pool_close(pool.handle, close_ms, None))
        return pool

    def files(self):
        return sorted(os.listdir(self.segments))

    def check_database(self, name):
        """Intact, and no lock is held on it."""
        path = os.path.join(self.folder, name)
        if not os.path.exists(path):
            return
        db = sqlite3.connect(path, timeout=0, isolation_level=None)
        self.assertEqual(db.execute("PRAGMA integrity_check").fetchone()[0], "ok")
        db.execute("BEGIN IMMEDIATE")
        db.execute("ROLLBACK")
        db.close()
