#!/usr/bin/python3
"""Each health check changes to warning, to failed and back to ok by a real cause; the score; check_health in SQL.

usage: test_health.py sqlite|postgresql [CASE...]
"""
import math
import os
import resource
import sys

import stage
from stage import client, is_, said, until, within

CALM = "burst=off scaling=off health_interval=1s recovery='' emergency=off"
LONG = 40  # after the window of 15 s


def half_up(x):
    return math.floor(x + 0.5)


def judged(s, what):
    """The score follows from the scores of the checks, all of one round, by the formula in
    core/brain/health/README.md."""
    def rows():
        return s.rows("SELECT check_name, score, checked_at FROM ~health_checks WHERE pool = :pool")

    for _ in range(100):
        before, health, after = rows(), s.state("health"), rows()
        if before == after:
            c, p, r, t = (dict((name, score) for name, score, _ in after)[name]
                          for name in ("connectivity", "performance", "resources", "scaling"))
            expected = half_up(min(0.35 * c + 0.30 * p + 0.15 * r + 0.20 * t, 10 + 0.9 * min(c, p)))
            is_(abs(health - expected) <= 1, True, f"{what}: health {health} from {(c, p, r, t)}, not {expected}")
            if health == expected:
                return health
    raise AssertionError(f"{what}: the score never matched the checks")


def life(s, check, *steps):
    """Each step is (action, resulting status, required parts of the message)."""
    told = []
    s.turns(check, "ok")
    for act, status, *parts in steps:
        act()
        row = s.turns(check, status, LONG)
        said(row[4], *parts)
        is_(check != "resources" or row[4].startswith(parts[0] if parts else ""), True, f"the fullest comes first: {row[4]}")
        low, high = {"ok": (100, 100), "warning": (50, 99), "failed": (0, 49)}[status]
        within(row[1], low, high, f"score when {status}")
        if s.state() != "paused":
            s.reaches("state", "degraded" if status == "failed" else "running", LONG)
        told.append(f"{status} {row[1]:.0f} (health {judged(s, status)})")
    is_(len(s.events("health_failed", f"{check} failed: %")) >= 1, True, "an event of the failure")
    is_(len(s.events("health_ok", f"{check} %")) >= 1, True, "an event of the end")
    return ", ".join(told)


def connectivity(s):
    """Fewer connections than required, then none. Without its file no session of SQLite is usable."""
    road = s.road()
    if s.database.name == "sqlite":
        s.pool(f"{CALM} breaker=off retry_base=20ms retry_max=300ms min_size=2 max_size=4", road.url)
        s.reaches("size, state", (2, "running"))
        return life(s, "connectivity", (road.block, "failed", "the database file was deleted or replaced"),
                    (road.find, "ok", "2 connections alive"))
    pool = s.pool(f"{CALM} breaker=off retry_base=20ms retry_max=300ms min_size=2 max_size=4", road.url)
    s.reaches("size, state", (2, "running"))
    held = [pool.acquire("keeper")]

    def lose_the_idle():
        idle = "SELECT conn_id FROM ~connections WHERE pool = :pool AND state = 'idle'"
        number = until(lambda: s.value(idle), "the other is not being validated")
        road.block()
        s.order(f"close_connection({number}, :pool)")

    def lose_the_other():
        held.pop().release()
        road.find()  # so that losing it can be repeated
        road.lose(pool)
    return life(s, "connectivity", (lose_the_idle, "warning", "1 connection alive, but connection attempts have failed"),
                (lose_the_other, "failed", "no connection is open, connection attempts have failed for"),
                (road.find, "ok", "2 connections alive"))


def performance_by_faults(s):
    pool = s.pool(f"{CALM} min_size=2 max_size=2")

    def some(share):
        """A fraction of failed statements."""
        for i in range(400):
            s.faulty(pool) if i < 400 * share else pool.query("SELECT 1")
    return life(s, "performance",
                (lambda: some(0.035), "warning", "% of", "statements failed"),
                (lambda: some(0.5), "failed", "statements failed"),
                (lambda: [pool.query("SELECT 1") for _ in range(12000)], "ok", "statements failed"))


def performance_by_slowness(s):
    pool = s.pool(f"{CALM} min_size=2 max_size=2")

    def slow():
        for _ in range(12):
            pool.query(s.database.slow)

    def threshold(factor):
        """In the middle of the range, because the mean changes with every query."""
        response_ms = s.value("SELECT value FROM ~health_checks WHERE pool = :pool AND check_name = 'performance'")
        s.set("health_max_response", f"{max(1000, int(response_ms * factor * 1000))}us")

    def make_them_count():
        s.set("health_max_response", "1ms")  # so that the duration is shown
        slow()
        s.turns("performance", "failed")

    return life(s, "performance",
                (make_them_count, "failed", "on average"),
                (lambda: threshold(1 / 0.75), "warning", "on average"),
                (lambda: s.set("health_max_response", "5s"), "ok", "on average"))


def resources_by_connections(s):
    """Nine of ten are leased, and callers wait because the pool is paused; then all ten are leased, and callers still
    wait."""
    pool = s.pool(f"{CALM} min_size=10 max_size=10 health_max_utilization=0.85")
    s.reaches("size", 10)
    held = [pool.acquire("keeper") for _ in range(9)]
    others = []

    def some_wait():
        s.order("pause(:pool)")
        others.append(s.callers(1, lambda: pool.acquire("waits", 60000).release(), 0.1))

    def all_are_out():
        others.append(s.callers(1, lambda: held.append(pool.acquire("takes", 60000)), 60))
        s.order("resume(:pool)")

    def give_back():
        while held:
            held.pop().release()
    return life(s, "resources", (some_wait, "warning", "connections "),
                (all_are_out, "failed", "connections "), (give_back, "ok"))


def resources_by_memory(s):
    """A separate process, in which nothing else grows."""
    owner = s.owner()
    owner.open(s.name, f"{CALM} min_size=1 max_size=2 {stage.QUIET}")

    readings = []

    def is_settled():
        readings.append(stage.resident_bytes(owner.process.pid))
        return len(readings) > 100 and max(readings[-100:]) < 1.005 * min(readings[-100:])

    def limit(share):
        s.set("memory_limit", int(stage.resident_bytes(owner.process.pid) / share))
    until(is_settled, "the process has its initial size")
    return life(s, "resources", (lambda: limit(0.92), "warning", "memory "), (lambda: limit(1.0), "failed", "memory "),
                (lambda: s.set("memory_limit", "100TB"), "ok"))


def resources_by_descriptors(s):
    owner = s.owner()
    owner.open(s.name, f"{CALM} min_size=1 max_size=2 {stage.QUIET}")
    s.reaches("size, state", (1, "running"))
    process = owner.process.pid
    before = resource.prlimit(process, resource.RLIMIT_NOFILE)

    def limit(share):
        used = len(os.listdir(f"/proc/{process}/fd"))
        resource.prlimit(process, resource.RLIMIT_NOFILE, (int(used / share), before[1]))
    return life(s, "resources", (lambda: limit(0.9), "warning", "descriptors "),
                (lambda: limit(1.0), "failed", "descriptors "),
                (lambda: resource.prlimit(process, resource.RLIMIT_NOFILE, before), "ok"))


def scaling(s):
    """Callers that wait at the limit, then callers that time out."""
    pool = s.pool(f"{CALM} min_size=2 max_size=2 health_max_utilization=1")
    s.reaches("size", 2)
    held = [pool.acquire("keeper") for _ in range(2)]
    waiters = []

    def in_vain():
        for _ in range(3):
            client.refuses(pool.acquire, "times out", 20, status="timeout")

    def give_back():
        for lease in held:
            lease.release()
        waiters[0].stop()
        for _ in range(400):  # so that the timeouts are few, until they are older than 15 s
            pool.query("SELECT 1")
    return life(s, "scaling",
                (lambda: waiters.append(s.callers(2, lambda: pool.acquire("waits", 60000).release(), 0.1)), "warning",
                 "waiting at the limit of 2"),
                (in_vain, "failed", "timed out"),
                (give_back, "warning", "timed out"),
                (lambda: None, "ok", "no request timed out"))


def asked_in_sql(s):
    s.pool("health_interval=0 min_size=2 max_size=2")
    s.reaches("state, size", ("running", 2))
    is_(s.value("SELECT health FROM ~pools WHERE pool = :pool"), None, "no requests yet")
    number = s.order("check_health(:pool)")
    status, message = s.rows(f"SELECT status, message FROM ~commands WHERE command_id = {number}")[0]
    is_(status, "applied")
    said(message, "health 100: connectivity ok, performance ok, resources ok, scaling ok")
    is_(s.state("health"), 100)
    s.set("health_min_healthy", 2)
    number = s.order("check_health(:pool)")
    said(s.value(f"SELECT message FROM ~commands WHERE command_id = {number}"), "health 100: ")


CASES = [connectivity, performance_by_faults, performance_by_slowness, resources_by_connections, resources_by_memory,
         resources_by_descriptors, scaling, asked_in_sql]


def resources_by_sessions(s):
    """Other clients fill a small server."""
    with stage.cluster.Cluster(settings="max_connections = 20\nsuperuser_reserved_connections = 1") as server:
        s.pool(f"{CALM} min_size=2 max_size=2", server.conninfo())
        s.reaches("size", 2)
        others = s.pool("health_interval=0 min_size=0 max_size=20", server.conninfo(), name="others")

        def reach(sessions):
            s.order(f"scale('others', {sessions - 2})")
            until(lambda: s.value("SELECT idle FROM ~pools WHERE pool = 'others'") == sessions - 2, "the others")
        told = life(s, "resources", (lambda: reach(18), "warning", "server sessions "),
                    (lambda: reach(20), "failed", "server sessions "),
                    (lambda: reach(4), "ok"))
        for pool in (s.pools.pop(), s.pools.pop()):
            pool.close()
        is_(others.name, "others")
    return told


if __name__ == "__main__":
    if "postgresql" in sys.argv:
        CASES.append(resources_by_sessions)
    sys.exit(stage.main(CASES))
