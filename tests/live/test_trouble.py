#!/usr/bin/python3
"""A high error rate makes the pool reduce its size until it is over; automatic recovery while a check fails.

usage: test_trouble.py sqlite|postgresql [CASE...]
"""
import json
import sys

import stage
from stage import client, is_, said, until, within

QUICK = "burst=off health_interval=1s"


def until_over(s, pool, good):
    """Successful statements, without pauses, until the window of 15 s contains mostly these."""
    return s.callers(1, lambda: [pool.query(good) for _ in range(50)], 0.01)


def storm(s, faulty):
    pool = s.pool(f"{QUICK} min_size=2 max_size=12 emergency_max_size=3 recovery=''")
    held = [pool.acquire("before") for _ in range(8)]
    s.reaches("state, size, limit_size, size_source", ("running", 8, 12, "autoscale"))
    for lease in held:
        lease.release()
    bad = s.callers(8, lambda: pool.query(faulty), 0.02)
    s.reaches("state, limit_size, size_source", ("emergency", 3, "emergency"))
    until(lambda: s.state("size") <= 3, "it reduces its size")
    sizes = s.watch("SELECT size, limit_size FROM ~pools WHERE pool = :pool AND state = 'emergency'")
    until(lambda: s.rows("SELECT state, value, severity FROM ~alerts WHERE pool = :pool AND rule = 'emergency'") ==
          [("firing", 1, "critical")], "the alert")
    said(s.events("emergency_on")[0], "emergency: ", "at most 3 connections until health has been")
    until(lambda: len(sizes) > 0, "an emergency row is seen")
    s.error("SELECT ~wait_applied(~burst(:pool, '5s'))", "off")  # the option burst is off: nothing raises the limit
    is_(bad.ok, 0)
    bad.stop()
    is_(set(bad.statuses), {"database"}, f"{bad.samples}")
    within(max(size for size, _ in sizes), 0, 3, "size in the emergency")
    good = until_over(s, pool, "SELECT 1")
    s.reaches("state, limit_size", ("running", 12), 40)
    good.stop()
    is_(good.failed, 0, f"{good.samples}")
    said(s.events("emergency_off")[0], "emergency ended after ", "health ")
    is_([len(s.events(kind)) for kind in ("emergency_on", "emergency_off")], [1, 1])
    until(lambda: s.rows("SELECT state FROM ~alerts WHERE pool = :pool AND rule = 'emergency'") == [("resolved",)], "over")
    held = [pool.acquire("after") for _ in range(8)]
    until(lambda: s.state("size") >= 8, "the size comes back")
    for lease in held:
        lease.release()
    return f"{bad.failed} faults, at most {max(size for size, _ in sizes)} connections meanwhile"


def emergency_of_missing_tables(s):
    return storm(s, s.database.faulty)


def recoveries(s):
    """(strategy, outcome) of every attempt, in order."""
    rows = s.rows("SELECT CAST(detail AS text) FROM ~events WHERE pool = :pool AND kind = 'recovery' ORDER BY seq")
    return [(detail["strategy"], detail["outcome"]) for detail in (json.loads(row[0]) for row in rows)]


def total(s):
    return s.value("SELECT recoveries_total FROM ~pool_stats WHERE pool = :pool")


def restart_connections(s):
    pool = s.pool(f"{QUICK} emergency=off recovery=restart_connections recovery_max_attempts=2 min_size=3 max_size=3")
    s.reaches("idle", 3)

    def connections():
        return {row[0] for row in s.rows("SELECT conn_id FROM ~connections WHERE pool = :pool")}
    old = connections()
    bad = s.callers(1, lambda: pool.query(s.database.faulty), 0.05)
    until(lambda: ("restart_connections", "begun") in recoveries(s), "an attempt")
    said(s.events("recovery")[0], "recovery from failed performance, attempt 1 of 2: restart_connections, replacing 3 ")
    is_(total(s), 0, "successes so far")
    bad.stop()
    good = until_over(s, pool, "SELECT 1")
    until(lambda: not old & connections(), "every session is replaced")
    until(lambda: recoveries(s)[-1][1] == "success", "it helped")
    good.stop()
    is_(total(s), 1)
    attempts = recoveries(s)
    is_(attempts, [("restart_connections", "begun"), ("restart_connections", "success")])
    s.reaches("state", "running")


def giving_up(s):
    pool = s.pool(f"{QUICK} emergency=off recovery=reset_metrics recovery_max_attempts=1 min_size=1 max_size=2")
    bad = s.callers(1, lambda: pool.query(s.database.faulty), 0.05)
    until(lambda: recoveries(s)[-1:] == [("reset_metrics", "given_up")], "it gives up", 40)
    is_(recoveries(s), [("reset_metrics", "begun"), ("reset_metrics", "failure"), ("reset_metrics", "given_up")])
    said(s.events("recovery")[0], "load statistics reset")
    said(s.events("recovery")[-1], "recovery given up after 1 attempt: performance failed")
    is_(total(s), 0)
    bad.stop()
    errors = s.value("SELECT query_errors_total FROM ~pool_stats WHERE pool = :pool")
    within(errors, bad.failed - 1, bad.failed + 1, "errors: counters stay")
    # After a recovery it may try again.
    good = until_over(s, pool, "SELECT 1")
    s.reaches("state, health", ("running", 100), 40)
    good.stop()


def scale_pool(s):
    pool = s.pool(f"{QUICK} recovery=scale_pool sizing=threshold scale_up_utilization=1 scale_up_periods=1000 "
                  "scale_down_utilization=0 grow_step=3 min_size=2 max_size=2")
    s.reaches("idle", 2)
    held = [pool.acquire("keeper") for _ in range(2)]
    for _ in range(5):
        client.refuses(pool.acquire, "times out", 20, status="timeout")
    s.reaches("state", "degraded")
    is_(recoveries(s), [], "no connection is available")
    s.set("max_size", 9)
    until(lambda: recoveries(s)[:1] == [("scale_pool", "begun")], "an attempt")
    s.reaches("size, target_size", (5, 5))
    said(s.events("recovery")[0], "scale_pool, target 2 -> 5")
    from_size, to_size, reason = s.rows("SELECT from_size, to_size, reason FROM ~scaling_events WHERE pool = :pool "
                                        "ORDER BY seq DESC LIMIT 1")[0]
    is_((from_size, to_size), (2, 5))
    said(reason, "recovery from a failed check: ", "scaling")
    for lease in held:
        lease.release()
    for _ in range(2000):
        pool.query("SELECT 1")
    until(lambda: total(s) == 1, "it helped", 30)


def no_growth_for_recovery_with_low_memory(s):
    """A pool with low memory must not try to recover by opening more connections."""
    s.pool(f"{QUICK} recovery=scale_pool sizing=threshold min_size=2 max_size=9")
    s.reaches("idle", 2)
    s.set("memory_limit", stage.resident_bytes() // 2)
    until(lambda: s.check("resources")[0] == "failed" and len(s.events("memory_pressure")) == 1, "memory is low")
    rounds = {s.check("resources")[1:]}
    until(lambda: rounds.add(s.rows("SELECT checked_at FROM ~health_checks WHERE pool = :pool LIMIT 1")[0]) or
          len(rounds) > 4, "three more checks")
    is_((recoveries(s), s.state("size, target_size")), ([], (2, 2)))
    s.set("memory_limit", "100TB")
    s.reaches("state", "running")


CASES = [emergency_of_missing_tables, restart_connections, giving_up, scale_pool, no_growth_for_recovery_with_low_memory]


def emergency_of_system_errors(s):
    """Errors after which the session is closed."""
    client.ask(client.library.tide_pool_query, s.eyes.pool.handle, b"", sql="""
      CREATE FUNCTION storm() RETURNS int LANGUAGE plpgsql AS
      $$BEGIN RAISE EXCEPTION 'the disk is gone' USING ERRCODE = '58000'; END$$""")
    return storm(s, "SELECT storm()")


if __name__ == "__main__":
    if "postgresql" in sys.argv:
        CASES.append(emergency_of_system_errors)
    sys.exit(stage.main(CASES))
