#!/usr/bin/python3
"""Forgotten leases, limits that move under load, memory that runs short, and what the pool expects.

usage: test_sizes.py sqlite|postgresql [CASE...]
"""
import json
import os
import pathlib
import random
import re
import sys
import time

import stage
from stage import client, is_, said, until, within

SEED = int(os.environ.get("TIDE_SIZES_SEED", "11"))


def forgotten_leases(s):
    """One caller in ten never releases: he is named in time, and the others are served all the same."""
    leak_s = 1.0
    pool = s.pool(f"min_size=4 max_size=10 burst=off leak_threshold={leak_s:.0f}s lease_timeout=2s "
                  "lease_timeout_action=reclaim acquire_timeout=10s")
    kept = []

    def forget():
        kept.append(pool.acquire("forgetful"))

    def work():
        with pool.acquire("diligent") as lease:
            lease.query("SELECT 1")
    forgetful = s.callers(1, forget, 0.4)
    diligent = s.callers(9, work, 0.01)
    until(lambda: s.rows("SELECT 1 FROM ~connections AS c JOIN ~leases AS l ON l.conn_id = c.conn_id AND l.pool = c.pool "
                         "WHERE c.pool = :pool AND c.suspect_leak AND l.tag = 'forgetful'"), "he is named")
    until(lambda: s.value("SELECT leases_reclaimed_total FROM ~pool_stats WHERE pool = :pool") >= 8, "leases are reclaimed")
    forgetful.stop()
    until(lambda: s.value("SELECT count(*) FROM ~leases WHERE pool = :pool AND tag = 'forgetful'") == 0, "all are back")
    diligent.stop()
    is_((diligent.failed, forgetful.failed), (0, 0), f"{diligent.samples} {forgetful.samples}")
    for lease in kept:
        client.refuses(lease.release, status="stale_lease")
    events = s.rows("SELECT message, CAST(detail AS text) FROM ~events WHERE pool = :pool AND kind = 'leak_suspected'")
    is_(len(events), len(kept), "suspects")
    ages = []
    for message, detail in events:
        said(message, '"forgetful": connection ', "may have been forgotten (leak_threshold 1s)")
        ages.append(json.loads(detail)["age_ms"] / 1000)
    # A tenth is what the product adds; the rest is the processor's.
    within(min(ages), leak_s, 1.1 * leak_s + 0.2, "seconds until somebody was named")
    within(sorted(ages)[len(ages) // 2], leak_s, 1.1 * leak_s + 0.2, "seconds until half were named")
    is_(s.value("SELECT acquire_timeouts_total FROM ~pool_stats WHERE pool = :pool"), 0)
    is_(s.value("SELECT leases_reclaimed_total FROM ~pool_stats WHERE pool = :pool"), len(kept))
    return f"{len(kept)} forgotten, named after {max(ages):.2f} s at most; {diligent.ok} other leases"


def a_limit_that_moves(s):
    """10, 200, 3 and 50 at random, under load."""
    dice = random.Random(SEED)
    pool = s.pool("min_size=1 max_size=200 burst=off acquire_timeout=20s health_interval=0")
    callers = s.callers(24, lambda: pool.query("SELECT 1"), 0.002)
    highest = 0
    for step in range(16):
        limit = (10, 200, 3, 50)[step] if step < 4 else dice.choice((10, 200, 3, 50))
        s.set("max_size", limit)
        if limit >= 50:  # more than the load alone would take
            s.order(f"scale(:pool, {min(limit, 60)})")
            until(lambda: s.state("size") >= min(limit, 60), f"it grows to {min(limit, 60)}")
        until(lambda: s.state("size") <= limit, f"not more than {limit}")
        before = callers.ok
        until(lambda: callers.ok >= before + 200, "everybody is served")
        for size, connecting, shown in s.rows("SELECT size, connecting, max_size FROM ~pools WHERE pool = :pool"):
            highest = max(highest, size)
            is_((size <= limit, shown), (True, limit), f"size {size}, {connecting} connecting, at a limit of {limit}")
    callers.stop()
    is_(callers.failed, 0, f"{callers.samples}")
    s.reaches("in_use, waiting", (0, 0))
    is_(s.rows("SELECT acquire_timeouts_total, acquire_rejected_total FROM ~pool_stats WHERE pool = :pool"), [(0, 0)])
    within(s.value("SELECT size_peak FROM ~pool_stats WHERE pool = :pool"), 50, 200)
    return f"seed {SEED}, {callers.ok} requests, none lost, up to {highest} connections"


def shed_and_grow(s, owner, press, relieve):
    """Memory gets short and is back to normal; 8 connections are open before, 2 are the least."""
    def use(n):
        for lease in [owner.lease(s.name, "x") for _ in range(n)]:
            owner.release(lease)
    s.order("set_alert(:pool, 'memory_pressure', NULL, NULL, NULL, '0s')")
    use(8)
    s.reaches("size", 8)
    press()
    until(lambda: s.events("memory_pressure"), "it is told")
    said(s.events("memory_pressure")[0], "memory usage high, ", "MB used", "idle connections above the minimum size")
    s.reaches("size, target_size", (2, 2))
    alert = "SELECT state FROM ~alerts WHERE pool = :pool AND rule = 'memory_pressure'"
    until(lambda: s.rows(alert) == [("firing",)], "the alert")
    use(4)  # whoever comes is served
    said(s.rows("SELECT reason FROM ~scaling_events WHERE pool = :pool AND to_size = 2 ORDER BY seq")[0][0],
         "memory usage high: ", "idle connection")
    relieve()
    until(lambda: len(s.events("memory_pressure")) == 2, "its end is told")
    said(s.events("memory_pressure")[1], "memory usage back to normal")
    until(lambda: s.rows(alert) == [("resolved",)], "the alert's end")
    use(8)
    s.reaches("size", 8)


SPACIOUS = f"min_size=2 max_size=10 sizing=threshold burst=off recovery='' health_interval=1s {stage.QUIET}"


def memory_by_its_limit(s):
    owner = s.owner()
    owner.open(s.name, SPACIOUS)

    def press():
        s.set("memory_limit", int(stage.resident_bytes(owner.process.pid) / 0.95))
    shed_and_grow(s, owner, press, lambda: s.set("memory_limit", "100TB"))


def memory_by_a_cgroup(s):
    """The real thing, where we may make one: cgroups of version 2, and root."""
    root = pathlib.Path("/sys/fs/cgroup")
    controllers = root / "cgroup.subtree_control"
    if not controllers.exists() or not os.access(controllers, os.W_OK):
        return f"skipped: no cgroups of version 2 below {root}, or not ours to change"
    owner = s.owner()
    group = root / f"tidepool-{os.getpid()}"
    try:
        if "memory" not in controllers.read_text().split():
            controllers.write_text("+memory")
        group.mkdir()
        (group / "memory.max").write_text(str(1 << 40))
        (group / "cgroup.procs").write_text(str(owner.process.pid))
    except OSError as why:
        return f"skipped: {why}"
    try:
        owner.open(s.name, SPACIOUS)
        s.reaches("state", "running")

        def press():
            (group / "memory.max").write_text(str(int(int((group / "memory.current").read_text()) / 0.93)))
        shed_and_grow(s, owner, press, lambda: (group / "memory.max").write_text(str(1 << 40)))
    finally:
        (root / "cgroup.procs").write_text(str(owner.process.pid))
        group.rmdir()
    return None


def forecasts(s):
    """Both horizons, one chosen model each, errors as soon as there is something to compare with."""
    pool = s.pool("min_size=1 max_size=8 burst=off health_interval=1s")
    callers = s.callers(4, lambda: pool.query(s.database.slow), 0.03)
    began = time.monotonic()

    def chosen():
        return s.rows("SELECT horizon_ms, model, predicted_in_use, low, high, error_wape FROM ~forecasts "
                      f"WHERE pool = :pool AND selected = {s.database.true} ORDER BY horizon_ms")
    until(lambda: [row[0] for row in chosen()] == [10000, 60000], "both horizons")
    until(lambda: chosen()[0][5] is not None, "the error of the near one", 60)
    known_s = time.monotonic() - began
    for _ in range(20):
        rows = chosen()
        is_([row[0] for row in rows], [10000, 60000], "one chosen model a horizon")
    _, _, predicted, low, high, error = rows[0]
    is_(low <= predicted <= high and error >= 0, True, f"{rows[0]}")
    within(predicted, 0.05, 8, "what is expected of four callers")
    until(lambda: s.value("SELECT count(predicted_in_use) FROM ~pool_history WHERE pool = :pool AND resolution_ms = 1000") > 2,
          "history knows what was expected")
    callers.stop()
    is_(callers.failed, 0, f"{callers.samples}")
    until(lambda: s.value("SELECT efficiency FROM ~pool_stats WHERE pool = :pool") is not None, "how well it did")
    reasons = s.rows("SELECT from_size, to_size, cause, reason FROM ~scaling_events WHERE pool = :pool")
    is_(len(reasons) > 0, True, "it was resized")
    for from_size, to_size, cause, reason in reasons:
        is_(re.search(r"\d", reason) is not None and "nan" not in reason, True, f"{from_size} -> {to_size}, {cause}: {reason}")
    return f"error {error:.2f} known after {known_s:.0f} s, {len(reasons)} changes of size"


ALONE = (forgotten_leases, a_limit_that_moves)
CASES = (memory_by_its_limit, memory_by_a_cgroup, forecasts)

if __name__ == "__main__":
    sys.exit(stage.main(CASES, ALONE))
