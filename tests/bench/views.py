#!/usr/bin/python3
"""What looking costs in PostgreSQL: tidepool's views, against generate_series and pg_stat_activity in the same run."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from postgres_support import ROUNDS, cluster, median, progress, rows_a_second  # noqa: E402

PLAIN = {
    "generate_series(1, 10000), 13 columns":
        "SELECT i, i, i, i, i, i, i, i, i, i, i, i, i FROM generate_series(1, 10000) AS i",
    "pg_stat_activity": "SELECT * FROM pg_stat_activity",
}


def measure(server, statements, figures):
    for turn in range(ROUNDS):
        for name, sql in statements.items():
            progress(f"round {turn + 1} of {ROUNDS}: {name}")
            figures.setdefault(name, []).append(rows_a_second(server, sql))
    progress("")


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tp-bench-"))
    os.chmod(folder, 0o755)
    segments = folder / "segments"
    segments.mkdir()
    os.chmod(segments, 0o777)
    server = cluster.Cluster("views", stage=cluster.stage(folder / "stage"), preload="tidepool",
                             settings=f"tidepool.dir = '{segments}'")
    try:
        server.create().start()
        server.sql("CREATE EXTENSION tidepool")
        figures = {}
        cluster.readable(cluster.BUILD / "c_api/libtidepool.so.0")  # found beside the program
        program = cluster.readable(cluster.BUILD / "tests/bench/many_pools")
        for pools, connections in ((1, 10), (100, 100)):
            many = subprocess.Popen(
                cluster.as_user([str(program), str(pools), str(connections)]),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ, TIDEPOOL_DIR=str(segments)), text=True)
            if many.stdout.readline() != "ready\n":
                raise RuntimeError("many_pools did not start")
            statements = {f"tidepool.pools, {pools} segments": "SELECT * FROM tidepool.pools WHERE state <> 'dead'"}
            if pools > 1:
                statements |= {"tidepool.connections, 10,000 rows": "SELECT * FROM tidepool.connections", **PLAIN}
            measure(server, statements, figures)
            many.stdin.close()
            many.wait()
            for file in segments.iterdir():
                file.unlink()
        for name, rounds in figures.items():
            rows, runs = rounds[0][0], median([r[1] for r in rounds])
            print(f"{name:42} {rows:6} rows  {1e3 / runs:9.3f} ms  {rows * runs:12.0f} rows/s")
    finally:
        server.destroy()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
