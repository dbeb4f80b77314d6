#!/usr/bin/python3
"""Runs a program with a temporary PostgreSQL: its connection string in TIDE_TEST_POSTGRESQL.

usage: with_server.py [--bouncer] PROGRAM [ARGUMENT...]

  --bouncer    also a PgBouncer in transaction mode: its connection string in TIDE_TEST_PGBOUNCER; skipped (77) if it is not
               installed
"""
import contextlib
import os
import subprocess
import sys

import bouncer
from cluster import Cluster


def main():
    program = sys.argv[1:]
    has_bouncer = program[0] == "--bouncer"
    if has_bouncer:
        del program[0]
        bouncer.require_bouncer()
    with Cluster(settings="max_connections = 120") as cluster, contextlib.ExitStack() as stack:
        os.environ["TIDE_TEST_POSTGRESQL"] = cluster.conninfo()
        if has_bouncer:
            pooler = stack.enter_context(bouncer.Bouncer(cluster, "transaction"))
            os.environ["TIDE_TEST_PGBOUNCER"] = pooler.conninfo()
        done = subprocess.run(program)
        if done.returncode != 0:
            print(cluster.log_text()[-3000:], file=sys.stderr)
        return done.returncode


sys.exit(main())
