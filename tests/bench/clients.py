#!/usr/bin/python3
"""One table of clients of PostgreSQL: tidepool, and beside it libpqxx, SOCI, node-postgres and psycopg_pool where they are
installed. The same statements on the same server; rounds alternate between the clients."""
import os
import pathlib
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from postgres_support import SOURCE, cluster, progress  # noqa: E402

CLIENTS = {
    "tidepool": ["tidepool"],
    "libpqxx": ["libpqxx"],
    "SOCI": ["soci"],
    "psycopg_pool": ["/usr/bin/python3", "psycopg_client.py"],
    "node-postgres": ["node", "node_postgres.js"],
}
WORKS = {"one": "select 1", "eight": "select 1, 8 at once", "thousand": "1,000 rows"}
ROUNDS = 3
SECONDS = "1.5"


def command(words):
    """The command of a client, or why there is none."""
    if len(words) == 2:
        return [words[0], str(pathlib.Path(__file__).parent / "clients" / words[1])], ""
    program = SOURCE / "build" / "tests" / "bench" / "clients" / words[0]
    return [str(program)], "" if program.exists() else "not built: its library is not installed"


def rate(call, work, environment):
    """Calls per second, or why there is no figure."""
    try:
        done = subprocess.run([*call, work, SECONDS], capture_output=True, text=True, env=environment, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as why:
        return None, str(why)
    if done.returncode != 0:
        return None, (done.stderr.strip().splitlines() or ["failed"])[-1]
    return float(done.stdout), ""


def main():
    with cluster.Cluster("clients") as server:
        server.sql("CREATE UNLOGGED TABLE bench_items (id bigint PRIMARY KEY, name text, value integer)")
        server.sql("INSERT INTO bench_items SELECT i, 'item number ' || i, i % 1000 FROM generate_series(1, 10000) AS i")
        environment = {**os.environ, "PGHOST": str(server.host), "PGPORT": str(server.port), "PGUSER": "postgres",
                       "PGDATABASE": "postgres", "NODE_PATH": os.environ.get("NODE_PATH", "/usr/share/nodejs"),
                       "TIDE_TEST_POSTGRESQL": server.conninfo()}
        found = {name: {work: [] for work in WORKS} for name in CLIENTS}
        missing = {}
        for number in range(ROUNDS):
            for name, words in CLIENTS.items():
                progress(f"round {number + 1} of {ROUNDS}: {name}")
                call, why = command(words)
                for work in WORKS:
                    if why or name in missing:
                        missing.setdefault(name, why)
                        break
                    figure, why = rate(call, work, environment)
                    if figure is not None:
                        found[name][work].append(figure)
        progress("")
        print(f"{'calls per second':<16}" + "".join(f"{text:>22}" for text in WORKS.values()))
        ours = {work: statistics.median(found["tidepool"][work]) for work in WORKS}
        for name, figures in found.items():
            if name in missing:
                print(f"{name:<16}skipped: {missing[name]}")
                continue
            cells = ""
            for work, some in figures.items():
                middle = statistics.median(some) if some else 0
                cells += f"{middle:>12,.0f} ({middle / ours[work]:>6.2f})"
            print(f"{name:<16}{cells}")


main()
