#!/usr/bin/python3
"""The health of a pool, options checked before they are used, and the presets: in SQL and in C.

usage: test_verdict.py sqlite|postgresql [CASE...]
"""
import ctypes
import json
import sys
import threading

import stage
from stage import client, is_, said, until

CALM = "scaling=off burst=off"


class Health(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint32), ("healthy", ctypes.c_int32), ("status", ctypes.c_char * 16),
                ("issues", ctypes.c_char * 1024), ("recommendations", ctypes.c_char * 1024),
                ("checks", ctypes.c_char * 1536)]


def in_c(pool):
    health = Health(size=ctypes.sizeof(Health))
    client.call(client.library.tide_pool_health, pool.handle, ctypes.byref(health))
    return health


def verdict(s):
    healthy, status, issues, recommendations, checks = s.rows(
        "SELECT healthy, status, issues, recommendations, checks FROM ~health WHERE pool = :pool")[0]
    issues, recommendations = json.loads(issues), json.loads(recommendations)
    is_(healthy, int(status == "healthy"))
    is_(len(issues), len(recommendations), "each issue has advice")
    return status, issues, recommendations, json.loads(checks)


def is_status(s, pool, status):
    until(lambda: verdict(s)[0] == status, status)
    is_(in_c(pool).status.decode(), status, "in C")
    return verdict(s)


def without_a_breaker(s):
    pool = s.pool(f"{CALM} breaker=off min_size=1 max_size=2")
    until(lambda: verdict(s)[3], "the first checks")
    is_(is_status(s, pool, "healthy")[1], [], "a pool without a breaker has no problem because of it")


def healthy(s):
    pool = s.pool(f"{CALM} min_size=1 max_size=2")
    until(lambda: verdict(s)[3], "the first checks")
    status, issues, _, checks = is_status(s, pool, "healthy")
    is_((status, issues), ("healthy", []))
    is_(set(checks), {"connectivity", "performance", "resources", "scaling"})
    is_({check["status"] for check in checks.values()}, {"ok"})
    mine = in_c(pool)
    is_((mine.healthy, mine.issues, mine.recommendations), (1, b"", b""))
    is_(json.loads(mine.checks).keys(), checks.keys())
    is_(s.rows("SELECT status FROM ~health(:pool)"), [("healthy",)], "with the pool as argument")
    is_(s.rows("SELECT status FROM ~health('no_such_pool')"), [])
    if s.database.name == "sqlite":
        one = json.loads(s.value("SELECT ~health(:pool)"))
        is_((one["healthy"], one["status"], one["issues"]), (True, "healthy", []))
        s.error("SELECT ~health('no_such_pool')", 'no pool "no_such_pool"')


def exhausted(s):
    pool = s.pool(f"{CALM} min_size=1 max_size=1")
    lease = pool.acquire("holder")
    is_status(s, pool, "healthy")  # a pool in use is healthy
    waiter = threading.Thread(target=lambda: pool.acquire("waiter", timeout_ms=20000).release())
    waiter.start()
    _, issues, advice, _ = is_status(s, pool, "unhealthy")
    is_(issues[0], "exhausted: all 1 connections are in use and 1 caller waits")
    said(advice[0], "max_size", "leases")
    is_(in_c(pool).healthy, 0)
    said(in_c(pool).issues.decode(), issues[0])
    lease.release()
    waiter.join()
    is_status(s, pool, "healthy")


def many_waiters(s):
    pool = s.pool(f"{CALM} min_size=1 max_size=1")
    lease = pool.acquire("holder")
    waiters = [threading.Thread(target=lambda: pool.acquire("waiter", timeout_ms=20000).release()) for _ in range(11)]
    for waiter in waiters:
        waiter.start()
    until(lambda: any(issue.startswith("11 callers wait, more than 10") for issue in verdict(s)[1]), "eleven")
    lease.release()
    for waiter in waiters:
        waiter.join()


def unreachable(s):
    road = s.road()
    pool = s.pool(f"{CALM} min_size=1 max_size=2 retry_base=20ms retry_max=100ms breaker_trip_after=300ms", road.url)
    pool.query("SELECT 1")
    road.lose(pool)
    until(lambda: any(issue.startswith("no connection can be opened: ") for issue in verdict(s)[1]), "breaker is open")
    is_(verdict(s)[0], "unhealthy")
    road.find()
    until(lambda: not any(issue.startswith("no connection") for issue in verdict(s)[1]), "it is back")


def commands_do_not_affect_health(s):
    pool = s.pool(f"{CALM} min_size=1 max_size=2")
    is_status(s, pool, "healthy")
    s.rows("SELECT ~wait_applied(~pause(:pool))")
    status, issues, advice, _ = is_status(s, pool, "degraded")
    is_((issues, len(advice)), (["the pool is paused"], 1), status)
    s.rows("SELECT ~wait_applied(~resume(:pool))")
    is_status(s, pool, "healthy")


def finding_a_pool(s):
    pool = s.pool(f"{CALM} min_size=1 max_size=2")
    found = ctypes.c_void_p()
    client.call(client.library.tide_pool_find, s.name.encode(), ctypes.byref(found))
    is_(found.value, pool.handle.value)
    try:
        client.call(client.library.tide_pool_find, b"nobody", ctypes.byref(found))
        raise AssertionError("found")
    except client.Refusal as refusal:
        said(str(refusal), "nobody", s.name)


def checking_options(s):
    def check(options):
        return s.rows(f"SELECT kind, message, hint FROM ~check_options('{options}')")
    rows = check("max_sise=3 min_size=8 max_size=4 idle_timeout=forever")
    is_([kind for kind, _, _ in rows], ["error"] * 3, repr(rows))
    said(" ".join(message for _, message, _ in rows), "max_sise", "forever", "min_size 8 is above max_size 4")
    rows = check("max=1000 min=100 idleTimeoutMillis=1000 connectionTimeoutMillis=100")
    is_([kind for kind, _, _ in rows], ["advice"] * 4, repr(rows))
    is_(check("max_size=20"), [])
    is_(check("scale_up_wait=1s sizing=adaptive")[0][:2],
        ("note", "scale_up_wait 1s: no effect while sizing is adaptive"))


def presets(s):
    rows = {(preset, option): (str(value), document)
            for preset, option, value, document in s.rows("SELECT preset, option, value, document FROM ~presets")}
    is_(rows["production", "max_size"], ("50", "Connection Pooling Configuration"))
    is_(rows["serverless", "max_size"], ("2", "Database Connection Pool Manager"))
    is_({preset for preset, _ in rows}, {"development", "staging", "production", "test", "local", "serverless", "web",
                                         "high_throughput", "batch"})
    s.pool("preset=staging")
    for (preset, option), (value, _) in rows.items():
        if preset == "staging":
            shown = s.rows(f"SELECT value, source FROM ~settings WHERE pool = :pool AND name = '{option}'")[0]
            is_((str(shown[0]), shown[1]), (value, "preset"), option)


def options_without_effect(s):
    s.pool(f"{CALM} sizing=adaptive min_size=1 max_size=2")

    def note(option):
        return s.value(f"SELECT note FROM ~settings WHERE pool = :pool AND name = '{option}'")
    is_(note("scale_up_wait"), "no effect while scaling is off")
    is_(note("max_size"), None)
    number = s.value("SELECT ~set(:pool, 'scale_up_wait', '2s')")
    is_(s.value(f"SELECT ~wait_applied({number})"), 1)
    said(s.value(f"SELECT message FROM ~commands WHERE command_id = {number}"), "scale_up_wait is 2s now",
         "no effect while scaling is off")
    s.set("scaling", "on")
    is_(note("scale_up_wait"), "no effect while sizing is adaptive")
    s.set("sizing", "threshold")
    is_(note("scale_up_wait"), None)


CASES = (healthy, without_a_breaker, exhausted, many_waiters, unreachable, commands_do_not_affect_health, finding_a_pool,
         checking_options, presets, options_without_effect)

if __name__ == "__main__":
    sys.exit(stage.main(CASES))
