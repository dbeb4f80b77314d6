#!/usr/bin/python3
"""The log: contents, format and destination of each level.

usage: test_log.py sqlite|postgresql [CASE...]
"""
import json
import pathlib
import shutil
import sys
import tempfile

import stage
from stage import client, is_, said, until

CALM = "min_size=1 max_size=2 scaling=off health_interval=0 alerts=off"


def lines_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def file_of(s):
    folder = tempfile.mkdtemp(prefix="tidepool-log-")
    s.ends.append(lambda: shutil.rmtree(folder, ignore_errors=True))
    return pathlib.Path(folder, "pool.log")


def every_lease_at_debug(s):
    path = file_of(s)
    pool = s.pool(f"{CALM} log=debug log_format=json log_destination={path}")
    for n in range(3):
        lease = pool.acquire(f"job {n}")
        lease.query("SELECT 1")
        lease.release()
    refusal = s.faulty(pool)
    pool.close()
    until(lambda: any(line["event"] == "pool_closed" for line in lines_of(path)) or
          any(line["event"] == "remove" for line in lines_of(path)), "the end is logged")
    lines = lines_of(path)
    events = [line["event"] for line in lines]
    is_(events.count("acquire"), 4, "one for each lease, and one for the statement that failed")
    is_(events.count("release"), 4)
    is_([line.get("tag") for line in lines if line["event"] == "acquire"][:3], ["job 0", "job 1", "job 2"])
    is_({line["pool"] for line in lines}, {s.name})
    failed = [line for line in lines if line["event"] == "error"]
    is_(len(failed), 1, repr(lines))
    said(failed[0]["message"], refusal.message)
    removed = [line for line in lines if line["event"] == "remove"]
    is_(len(removed), events.count("connect"), "each opened one was closed")
    is_({line["message"] for line in removed}, {"shutdown"})
    is_(all(a["time"] <= b["time"] for a, b in zip(lines, lines[1:])), True, "in order")


def level_changes(s):
    path = file_of(s)
    pool = s.pool(f"{CALM} log=events log_destination={path}")

    def seen(text):
        return path.exists() and text in path.read_text(encoding="utf-8")
    until(lambda: seen("event=connect"), "the first connection")
    pool.acquire("quiet").release()
    s.set("log", "debug")
    pool.acquire("loud").release()
    until(lambda: seen("tag=loud"), "a lease at debug")
    is_(seen("tag=quiet"), False, "no lease at events")
    s.set("log", "off")
    size = path.stat().st_size
    pool.acquire("silent").release()
    s.set("idle_timeout", "5min")
    is_(path.stat().st_size, size, "nothing when it is off")


def invalid_destinations(s):
    for destination, part in (("/nowhere/at/all.log", "could not write"), ("stdout", "stderr, syslog")):
        try:
            client.Pool(s.database.url(s.name), f"log_destination={destination}", name=s.name)
            raise AssertionError("accepted")
        except client.Refusal as refusal:
            said(str(refusal), "log_destination", destination, part)
    s.pool(f"{CALM} log=alerts log_destination=syslog").close()


CASES = (every_lease_at_debug, level_changes, invalid_destinations)

if __name__ == "__main__":
    sys.exit(stage.main(CASES))
