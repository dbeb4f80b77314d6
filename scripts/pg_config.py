#!/usr/bin/python3
"""Finds the newest PostgreSQL whose server headers are installed; prints its pg_config, then what a build needs of it.

usage: pg_config.py [PATH]    one value a line: pg_config, version, includedir-server, pkglibdir, sharedir, bindir
Ends with 1 and a sentence when there is none.
"""
import glob
import os
import re
import subprocess
import sys


def value(program, what):
    return subprocess.run([program, "--" + what], capture_output=True, text=True, check=True).stdout.strip()


def has_headers(program):
    return os.path.exists(os.path.join(value(program, "includedir-server"), "postgres.h"))


def version_of(path):
    return [int(number) for number in re.findall(r"\d+", path)]


def main():
    given = sys.argv[1] if len(sys.argv) > 1 else ""
    candidates = [given] if given else sorted(glob.glob("/usr/lib/postgresql/*/bin/pg_config"), key=version_of)[::-1]
    for program in candidates or ["pg_config"]:
        try:
            if has_headers(program):
                print(program)
                for what in ("version", "includedir-server", "pkglibdir", "sharedir", "bindir"):
                    print(value(program, what))
                return 0
        except (OSError, subprocess.CalledProcessError):
            continue
    print("no PostgreSQL with server headers; on Debian: apt-get install postgresql-server-dev-all", file=sys.stderr)
    return 1


sys.exit(main())
