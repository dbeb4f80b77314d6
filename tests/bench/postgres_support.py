"""What the benchmarks on PostgreSQL share: servers, pgbench, medians."""
import os
import pathlib
import re
import statistics
import subprocess
import sys
import threading
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
os.environ.setdefault("TIDE_SOURCE", str(SOURCE))
os.environ.setdefault("TIDE_BUILD", str(SOURCE / "build"))
sys.path.insert(0, str(SOURCE / "tests/pg"))

import cluster  # noqa: E402  (tests/pg is on the path only now)

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "2"))


def pgbench(server, script, clients, seconds=SECONDS, variables=()):
    """Transactions a second and the average latency in ms of one run of a script."""
    path = server.folder / "script.sql"
    path.write_text(script)
    command = [os.path.join(server.pg["bindir"], "pgbench"), "-n", "-h", server.host, "-p", str(server.port), "-U",
               "postgres", "-f", str(path), "-c", str(clients), "-j", str(min(2, clients)), "-T", str(int(seconds))]
    for name, value in variables:
        command += ["-D", f"{name}={value}"]
    done = subprocess.run([*command, "postgres"], capture_output=True, text=True, env=server.environment())
    tps = re.search(r"tps = ([0-9.]+)", done.stdout)
    failed = re.search(r"number of failed transactions: (\d+)", done.stdout)
    if done.returncode != 0 or tps is None or (failed and failed.group(1) != "0"):
        raise RuntimeError(f"pgbench failed: {done.stdout[-2000:]} {done.stderr[-2000:]}")
    latency = re.search(r"latency average = ([0-9.]+) ms", done.stdout)
    return float(tps.group(1)), float(latency.group(1))


class Counting:
    """The most sessions a server has had while this lasted."""

    def __init__(self, server, where="true"):
        self.server = server
        self.where = where
        self.most = 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        while not self.over.wait(0.3):
            self.most = max(self.most, self.server.backends(self.where))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def median(values):
    return statistics.median(values)


def progress(text):
    if sys.stderr.isatty():
        print("\r\033[K" + text, end="", file=sys.stderr, flush=True)


def rows_a_second(server, sql, seconds=SECONDS):
    """How often a statement runs in one session, the rows sent included."""
    count = int(server.value(f"SELECT count(*) FROM ({sql}) AS counted"))
    tps, _ = pgbench(server, sql + ";\n", 1, seconds)
    return count, tps


def now():
    return time.monotonic()
