"""Common parts of the programs of this folder: pools on a real database, and SQL access to show and control them.

    stage.main(CASES, ALONE)    runs the cases, each with a Stage: those of ALONE one after the other, then all of
                                CASES in parallel; the first word of the command line is the database

Statements are written with a ~ before each name of the product: `~pools` is tidepool_pools in SQLite, tidepool.pools in
PostgreSQL. The pools are in this process; with PostgreSQL it runs as the server's user, because the server reads only
segments of that user.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "pg")]
import client  # noqa: E402
import cluster  # noqa: E402
import ground  # noqa: E402
import support  # noqa: E402

TIMEOUT_S = 20  # for events that should be immediate, on a busy machine
QUIET = ground.QUIET


def until(condition, what, seconds=TIMEOUT_S):
    """Waits for the condition; returns its value."""
    value = cluster.wait_until(condition, seconds)
    if not value:
        raise AssertionError(f"not within {seconds} s: {what}")
    return value


def resident_bytes(pid="self"):
    """The memory of a process, as its pools measure it for memory_limit."""
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def is_(got, expected, what=""):
    client.is_(got, expected, what)


def within(got, low, high, what=""):
    if got is None or not low <= got <= high:
        raise AssertionError(f"{what}: {got!r} instead of {low} to {high}")


def said(text, *parts):
    """The text must contain all parts."""
    for part in parts:
        if part not in text:
            raise AssertionError(f"{part!r} is missing in {text!r}")
    return text


class Callers:
    """Threads that repeat an action, and count the results."""

    def __init__(self, n, work, pause_s=0.0):
        self.work, self.pause_s = work, pause_s
        self.is_over, self.lock = threading.Event(), threading.Lock()
        self.ok, self.failed, self.statuses, self.samples = 0, 0, {}, {}
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(n)]
        for thread in self.threads:
            thread.start()

    def run(self):
        while not self.is_over.is_set():
            try:
                self.work()
                with self.lock:
                    self.ok += 1
            except client.Refusal as refusal:
                with self.lock:
                    self.failed += 1
                    self.statuses[refusal.status] = self.statuses.get(refusal.status, 0) + 1
                    self.samples[refusal.status] = str(refusal)
            if self.pause_s > 0:
                self.is_over.wait(self.pause_s)

    def stop(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join(30)
            if thread.is_alive():
                raise AssertionError("a caller hangs")
        return self


class Owner:
    """Another process with pools, whose standard error is kept; tests/sqlite/owner.py lists its commands."""

    def __init__(self, database):
        self.database = database
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([sys.executable, str(HERE.parent / "sqlite/owner.py")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.log, text=True)

    ask, lease, release = support.Owner.ask, support.Owner.lease, support.Owner.release

    def open(self, name, options, url=None):
        return self.ask("open", name, options, url or self.database.url(name))["instance_id"]

    @staticmethod
    def pool_named(name):
        """Controls a pool of that process, as client.Pool controls one of this process."""
        pool = object.__new__(client.Pool)
        pool.name = name
        return pool

    def errors(self):
        self.log.seek(0)
        return self.log.read()

    def end(self):
        support.Owner.end(self)
        self.log.close()


class Stage:
    """One case: its pool, its SQL access, and what must be closed at its end."""

    def __init__(self, database, name):
        self.database, self.name = database, name
        self.eyes = database.eyes()
        self.ends = []
        self.pools = []

    def pool(self, options="", url=None, name=None):
        """Later options override earlier ones."""
        words = dict(word.split("=", 1) for word in f"{QUIET} {options}".split())
        made = client.Pool(url or self.database.url(name or self.name), " ".join(f"{k}={v}" for k, v in words.items()),
                           name=name or self.name)
        self.pools.append(made)
        return made

    def road(self):
        made = self.database.road(self.name)
        self.ends.append(made.end)
        return made

    def machine(self):
        """A database that can fail completely."""
        made = self.database.machine(self.name)
        self.ends.append(made.end)
        return made

    def held_up(self):
        """A database that can be made not to answer."""
        made = self.database.held_up(self.name)
        self.ends.append(made.end)
        return made

    def watch(self, sql, every_s=0.02):
        """Polls in the background; collects the distinct rows. Ends with the case."""
        seen, is_over, eyes = {}, threading.Event(), self.database.eyes()

        def look():
            while not is_over.wait(every_s):
                for row in eyes.rows(sql.replace(":pool", f"'{self.name}'")):
                    seen.setdefault(row, time.monotonic())
        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        self.ends.append(lambda: (is_over.set(), thread.join(), eyes.end()))
        return seen

    def owner(self):
        made = Owner(self.database)
        self.ends.append(made.end)
        return made

    def callers(self, *arguments):
        made = Callers(*arguments)
        self.ends.append(made.stop)
        return made

    def faulty(self, pool):
        """A statement that fails with an error that counts for health."""
        try:
            pool.query(self.database.faulty)
        except client.Refusal as refusal:
            return refusal
        raise AssertionError("the faulty statement succeeded")

    def rows(self, sql):
        return self.eyes.rows(sql.replace(":pool", f"'{self.name}'"))

    def value(self, sql):
        found = self.rows(sql)
        return found[0][0] if found else None

    def error(self, sql, *parts):
        """The error of a statement that must fail."""
        text = self.eyes.error(sql.replace(":pool", f"'{self.name}'"))
        if text is None:
            raise AssertionError(f"not refused: {sql}")
        return said(text, *parts)

    def order(self, call):
        """A command in SQL; waits for its effect."""
        number = self.value(f"SELECT ~{call}")
        is_(self.value(f"SELECT ~wait_applied({number})"), 1, call)
        return number

    def set(self, option, value):
        return self.order(f"set(:pool, '{option}', '{value}')")

    def state(self, columns="state"):
        found = self.rows(f"SELECT {columns} FROM ~pools WHERE pool = :pool AND state NOT IN ('closed', 'dead')")[0]
        return found if "," in columns else found[0]

    def reaches(self, columns, expected, seconds=TIMEOUT_S):
        """Waits until the pool shows these values; the error contains the last ones."""
        seen = []

        def is_there():
            seen[:] = [self.state(columns)]
            return seen[0] == expected
        try:
            until(is_there, "", seconds)
        except AssertionError:
            raise AssertionError(f"{columns}: {seen[0]} instead of {expected} after {seconds} s") from None

    def check(self, name):
        """(status, score, value, threshold, message) of a health check; Nones before the first."""
        found = self.rows("SELECT status, score, value, threshold, message FROM ~health_checks "
                          f"WHERE pool = :pool AND check_name = '{name}'")
        return found[0] if found else (None,) * 5

    def turns(self, check, status, seconds=TIMEOUT_S):
        """Waits for a status of a health check; returns its row."""
        seen = []

        def has_turned():
            seen[:] = [self.check(check)]
            return seen[0][0] == status
        if not cluster.wait_until(has_turned, seconds):
            raise AssertionError(f"{check} is {seen[0]} after {seconds} s, not {status}")
        return seen[0]

    def events(self, kind, like="%"):
        return [row[0] for row in self.rows("SELECT message FROM ~events WHERE pool = :pool "
                                            f"AND kind = '{kind}' AND message LIKE '{like}' ORDER BY seq")]

    def end(self):
        for end in reversed(self.ends):
            end()
        for pool in self.pools:
            client.library.tide_pool_close(pool.handle, 200, None)
        self.eyes.end()


def play(case, database, failures):
    began = time.monotonic()
    stage = None
    try:
        stage = Stage(database, case.__name__)
        try:
            told = case(stage)
        finally:
            stage.end()
        print(f"ok {case.__name__} ({time.monotonic() - began:.1f} s){': ' + told if told else ''}", flush=True)
    except Exception:  # noqa: BLE001  (all are reported)
        failures.append(case.__name__)
        print(f"not ok {case.__name__} ({time.monotonic() - began:.1f} s)\n{traceback.format_exc()}", flush=True)


def as_the_servers_user():
    """Runs this program again, under the user of the servers, with copies and an installation that only this process
    can create."""
    folder = tempfile.mkdtemp(prefix="tp-", dir="/tmp")
    os.chmod(folder, 0o755)
    try:
        tests, scripts = cluster.readable(HERE.parent), cluster.readable(cluster.SOURCE / "scripts")
        environment = dict(os.environ, TIDE_SOURCE=str(scripts.parent), TIDE_BUILD=str(scripts.parent / "build"),
                           TIDE_LIBRARY=str(cluster.readable(support.LIBRARY)),
                           TIDE_EXTENSION=str(cluster.readable(client.EXTENSION + ".so").with_suffix("")))
        if "TIDE_STAGE" not in os.environ:
            environment["TIDE_STAGE"] = cluster.stage(pathlib.Path(folder, "stage"))
        program = [sys.executable, str(tests / "live" / pathlib.Path(sys.argv[0]).name), *sys.argv[1:]]
        return subprocess.run(cluster.as_user(program), env=environment, check=False, cwd="/").returncode
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main(cases, alone=()):
    """Runs the cases; returns the number of failures. Those `alone` run first, one after the other."""
    kind, *chosen = sys.argv[1:]
    if kind == ground.Postgres.name:
        support.require_server()
        if cluster.drop_user() is not None:
            return as_the_servers_user()
    failures = []
    database = ground.Sqlite() if kind == ground.Sqlite.name else ground.Postgres()
    try:
        def begun(case):
            thread = threading.Thread(target=play, args=(case, database, failures))
            thread.start()
            return thread

        for case in alone:
            if not chosen or case.__name__ in chosen:
                begun(case).join()
        for thread in [begun(case) for case in cases if not chosen or case.__name__ in chosen]:
            thread.join()
    finally:
        database.end()
    return len(failures)
