#!/usr/bin/python3
"""Runs sql/*.sql with pg_regress on a temporary server, with the pools they require.

    regress.py [TEST...]          default: all, install first and drop last
    regress.py --accept [TEST...]  replace the expected output; check the differences before committing
"""
import os
import pathlib
import shutil
import subprocess
import sys

import cluster
import support

FIRST, LAST = ["install", "settings", "pools", "leases"], ["drop"]


def all_tests():
    names = sorted(path.stem for path in (cluster.SOURCE / "sql").glob("*.sql"))
    between = [name for name in names if name not in FIRST + LAST]
    return [name for name in FIRST + between + LAST if name in names]


def open_pools(bench):
    """The pools for sql/. Automatic scaling is off, so that the results are stable."""
    first, second = bench.owner(), bench.owner()
    first.open("app", "min_size=2 max_size=4 scaling=off leak_threshold=1h lease_timeout=1h")
    first.open("other", "min_size=1 max_size=8 scaling=off")
    first.lease("app", "report")
    first.lease("app", "checkout")
    for owner in (first, second):
        owner.open("twin", "min_size=0 max_size=2 scaling=off")


def run(bench, tests, accept):
    open_pools(bench)
    for test in tests:
        expected = cluster.SOURCE / "expected" / f"{test}.out"
        if accept and not expected.exists():
            expected.touch()  # otherwise pg_regress stops at the first one
    pg = cluster.pg_values()
    program = pathlib.Path(pg["pkglibdir"], "pgxs/src/test/regress/pg_regress")
    if not program.exists():
        support.skip(f"no {program}; on Debian it is part of postgresql-server-dev")
    results = bench.private_folder("out")
    sources = cluster.readable(cluster.SOURCE / "sql").parent
    cluster.readable(cluster.SOURCE / "expected")
    bench.cluster.run("createdb", "-h", bench.cluster.host, "-p", bench.cluster.port, "-U", "postgres", "regression")
    done = subprocess.run(
        cluster.as_user([str(program), f"--inputdir={sources}", f"--outputdir={results}",
                         f"--bindir={pg['bindir']}", f"--host={bench.cluster.host}", f"--port={bench.cluster.port}",
                         "--user=postgres", "--dbname=regression", "--use-existing", *tests]),
        env=dict(bench.cluster.environment(), PGTZ="UTC"), cwd=results, text=True, check=False)
    if accept:
        for test in tests:
            shutil.copyfile(results / "results" / f"{test}.out", cluster.SOURCE / "expected" / f"{test}.out")
        return 0
    if done.returncode != 0:
        differences = results / "regression.diffs"
        print(differences.read_text() if differences.exists() else bench.cluster.log_text()[-4000:])
    return done.returncode


def main():
    arguments = sys.argv[1:]
    accept = "--accept" in arguments
    tests = [argument for argument in arguments if argument != "--accept"] or all_tests()
    os.umask(0o022)
    bench = support.Bench()
    if bench.has_worker():
        bench.cluster.preload = "tidepool"
    with bench:
        return run(bench, tests, accept)


if __name__ == "__main__":
    sys.exit(main())
