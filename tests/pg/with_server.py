#!/usr/bin/python3
"""Runs a program with a temporary PostgreSQL: its connection string in TIDE_TEST_POSTGRESQL.

usage: with_server.py PROGRAM [ARGUMENT...]
"""
import os
import subprocess
import sys

from cluster import Cluster


def main():
    with Cluster(settings="max_connections = 120") as cluster:
        os.environ["TIDE_TEST_POSTGRESQL"] = cluster.conninfo()
        done = subprocess.run(sys.argv[1:])
        if done.returncode != 0:
            print(cluster.log_text()[-3000:], file=sys.stderr)
        return done.returncode


sys.exit(main())
