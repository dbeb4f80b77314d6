"""Common parts of the tests of the PostgreSQL extension: a server with the extension, and pools of another process.

    with Bench() as bench:                  -> bench.cluster, bench.segments
        app = bench.owner()
        app.open("app", "max_size=4")
        bench.cluster.sql("SELECT ...")
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

import cluster

PYTHON = "/usr/bin/python3"
LIBRARY = os.environ.get("TIDE_LIBRARY", str(cluster.BUILD / "c_api/libtidepool.so"))
OWNER = cluster.SOURCE / "tests/sqlite/owner.py"
SKIPPED = 77  # meson: skipped


def skip(why):
    print("skipped: " + why)
    sys.exit(SKIPPED)


def require_server():
    try:
        return cluster.pg_values()
    except subprocess.CalledProcessError as missing:
        skip((missing.stderr or "no PostgreSQL").strip())


class Owner:
    """Another process with pools, under the server's user; tests/sqlite/owner.py lists its commands."""

    def __init__(self, segments, folder):
        environment = dict(os.environ, TIDEPOOL_DIR=str(segments), TIDE_LIBRARY=str(cluster.readable(LIBRARY)),
                           TMPDIR=str(folder))
        self.process = subprocess.Popen(cluster.as_user([PYTHON, str(cluster.readable(OWNER))]), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, env=environment, text=True, cwd="/")

    def ask(self, *command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the owner exited during {command!r}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def open(self, name="app", options="", url=None):
        return self.ask("open", name, options, url)["instance_id"]

    def lease(self, pool="app", tag=""):
        return self.ask("lease", pool, tag)["lease"]

    def release(self, lease):
        return self.ask("release", lease)["status"]

    def kill(self):
        """Simulates a crash: nothing is closed."""
        self.process.send_signal(signal.SIGKILL)
        self.end()

    def end(self):
        if not self.process.stdin.closed:
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Bench:
    """A server, a staged installation of the extension, and an empty segment directory for both. TIDE_STAGE: an
    existing staged installation."""

    def __init__(self, preload="", settings=""):
        require_server()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tp-", dir="/tmp"))
        self.segments = self.private_folder("segments")
        self.owners = []
        try:
            self.stage = os.environ.get("TIDE_STAGE") or cluster.stage(self.folder / "stage")
        except subprocess.CalledProcessError:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        self.cluster = cluster.Cluster(stage=self.stage, folder=self.folder, preload=preload,
                                       settings=f"tidepool.dir = '{self.segments}'\n{settings}")

    def private_folder(self, name):
        path = self.folder / name
        path.mkdir(mode=0o700)
        user = cluster.drop_user()
        if user is not None:
            os.chown(path, user.pw_uid, user.pw_gid)
            os.chmod(self.folder, 0o755)
        return path

    def owner(self):
        self.owners.append(Owner(self.segments, self.private_folder(f"owner{len(self.owners)}")))
        return self.owners[-1]

    def has_worker(self):
        return any(pathlib.Path(self.stage).rglob("tidepool_worker.so"))

    def extension(self, database="postgres"):
        self.cluster.sql("CREATE EXTENSION tidepool", database=database)

    def __enter__(self):
        try:
            self.cluster.create().start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for owner in self.owners:
            owner.end()
        self.cluster.destroy()
        shutil.rmtree(self.folder, ignore_errors=True)
