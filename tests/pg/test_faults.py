#!/usr/bin/python3
"""An application under load whose server fails: no call exceeds its deadline, the pool recovers, and connection
attempts are limited.

Each case prints `ok NAME: FIGURES`. Names on the command line select cases. TIDE_FREEZE_SECONDS: how long the server is
frozen (4).
"""
import os
import sys
import time

import application
import client
import support
from application import QUICK_RETRIES, assert_soon, back_after, check, told, works
from client import is_, refuses

FREEZE_S = float(os.environ.get("TIDE_FREEZE_SECONDS", "4"))


def restarts(w, mode):
    load = w.load()
    w.server.stop(mode)
    assert_soon(lambda: load.stats()["errors"], "errors are reported")
    time.sleep(1.0)
    mark = w.mark()
    w.server.start()
    back = time.monotonic()
    took = back_after(load, back)
    time.sleep(0.5)
    attempts = w.lines(mark, "connection received")
    end = check(load)
    if attempts > 60:
        raise AssertionError(f"{attempts} connects after the recovery")
    return f"back {took * 1000:.0f} ms after the server, {attempts} connects there; {told(end)}"


def a_fast_restart(w):
    return restarts(w, "fast")


def an_immediate_restart(w):
    return restarts(w, "immediate")


def a_frozen_server(w):
    load = w.load(acquire_ms=1000, query_ms=1000)
    w.server.freeze()
    try:
        time.sleep(FREEZE_S)
    finally:
        w.server.thaw()
    thawed = time.monotonic()
    took = back_after(load, thawed)
    # A statement that exceeds query_timeout may have been executed, so it is not retryable.
    end = check(load, is_all_retryable=False)
    is_({key for key in end["not_retryable"]} <= {"timeout/57014"}, True, f"{end['not_retryable']} {end['samples']}")
    return f"back {took * 1000:.0f} ms after the thaw; {told(end)}"


def changed_password(w):
    w.server.sql("DROP ROLE IF EXISTS carol; CREATE ROLE carol LOGIN PASSWORD 'one'")
    url = w.server.conninfo(user="carol", password="one")
    pool = w.pool(url, "min_size=2 max_size=4 burst=off scaling=off retry_max=1s acquire_timeout=500ms")
    assert_soon(lambda: w.row("idle", "app") == (2,), "two sessions")
    pid = pool.value("SELECT pg_backend_pid()")
    w.server.sql("ALTER ROLE carol PASSWORD 'two'")
    mark = w.mark()
    first, second = pool.acquire(), pool.acquire()
    refuses(pool.acquire, "third", 300, status="timeout")
    living = {lease.value("SELECT pg_backend_pid()") for lease in (first, second)}
    is_((pid in living, len(living)), (True, 2), "existing sessions remain")
    first.release()
    second.release()
    is_(pool.value("SELECT pg_backend_pid()") in living, True, "and serve the next request")
    refusal = refuses(w.pool, url, "min_size=1 init_mode=fail_fast init_timeout=5s", status="database")
    is_((refusal.sqlstate, refusal.is_retryable), ("28P01", False), str(refusal))
    # No sessions remain: requests fail immediately, not after their timeout.
    pool.control("recycle", wait_ms=0, spread="0s")  # cannot complete before the password is correct again
    assert_soon(lambda: w.row("size", "app") == (0,), "no session")
    began = time.monotonic()
    told_ = []
    while time.monotonic() < began + 3.0:
        at = time.monotonic()
        try:
            pool.acquire("x", 2000).release()
        except client.Refusal as refusal:
            told_.append((refusal.status, time.monotonic() - at))
            time.sleep(0.05)
    attempts = w.lines(mark, "password authentication failed")
    if attempts > 12:
        raise AssertionError(f"{attempts} attempts with a wrong password")
    quick = sum(1 for _, took in told_ if took < 0.2)
    is_(quick > len(told_) // 2, True, f"failed immediately: {quick} of {len(told_)}")
    w.server.sql("ALTER ROLE carol PASSWORD 'one'")
    healed = time.monotonic()
    assert_soon(lambda: works(pool), "the pool heals", 5)
    return f"{attempts} attempts in 3 s, told at once {quick} of {len(told_)}, healed after {time.monotonic() - healed:.1f} s"


def full_server(w):
    w.server.sql("ALTER SYSTEM SET max_connections = 20; ALTER SYSTEM SET superuser_reserved_connections = 3")
    w.server.sql("DROP ROLE IF EXISTS dave; CREATE ROLE dave LOGIN")
    w.server.restart()
    others = [w.pool(w.server.conninfo(user="dave"), "min_size=14 max_size=14", name="others")]
    assert_soon(lambda: w.row("size", "others") == (14,), "the others are connected")
    load = w.load(w.server.conninfo(user="dave", application_name="load"))
    assert_soon(lambda: w.server.backends("application_name = 'load'") == 3, "three are left for the load")
    mark = w.mark()
    time.sleep(3.0)
    attempts = w.lines(mark, "sorry, too many clients|remaining connection slots")
    target = w.row("target_size, size", "load")
    if attempts > 16:
        raise AssertionError(f"{attempts} attempts in 3 s at a full server")
    others[0].close()
    w.pools.remove(others[0])
    began = time.monotonic()
    assert_soon(lambda: w.server.backends("application_name = 'load'") >= 8, "the pool grows when others leave", 15)
    took = time.monotonic() - began
    end = check(load)
    w.server.sql("ALTER SYSTEM RESET max_connections; ALTER SYSTEM RESET superuser_reserved_connections")
    w.server.restart()
    return f"{attempts} attempts in 3 s, target and size meanwhile {target}, grown {took:.1f} s after; {told(end)}"


def dropped_database(w):
    w.server.sql("DROP DATABASE IF EXISTS gone")
    w.server.sql("CREATE DATABASE gone")
    pool = w.pool(w.server.conninfo("gone"), f"min_size=2 max_size=2 {QUICK_RETRIES}")
    is_(works(pool), True)
    w.server.sql("DROP DATABASE gone WITH (FORCE)")
    mark = w.mark()
    assert_soon(lambda: "does not exist" in (w.segments.value(
        "SELECT last_error FROM tidepool_pool_stats WHERE pool = 'app' ORDER BY last_error_at DESC") or ""), "the error")
    refusal = refuses(lambda: [pool.query("SELECT 1") for _ in range(3)], sqlstate="3D000")
    time.sleep(2.0)
    attempts = w.lines(mark, 'database "gone" does not exist')
    if attempts > 8:
        raise AssertionError(f"{attempts} attempts")
    w.server.sql("CREATE DATABASE gone")
    assert_soon(lambda: works(pool), "the pool heals", 5)
    return f"{attempts} attempts in 2 s; told {refusal}"


def terminated_idle_sessions(w):
    pool = w.pool(w.server.conninfo(application_name="idle"), f"min_size=3 max_size=6 burst=off scaling=off {QUICK_RETRIES}")
    held = [pool.acquire() for _ in range(6)]
    for lease in held:
        lease.release()
    assert_soon(lambda: w.row("idle", "app") >= (3,), "idle sessions")
    before = w.server.sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'idle'")
    began = time.monotonic()
    w.server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'idle'")

    def losses():
        # After the first two, one of them may be validated, and the others may be replaced on suspicion.
        return w.segments.value("SELECT count(*) FROM tidepool_events WHERE pool = 'app' AND "
                             "kind IN ('connection_lost', 'validation_failed')")

    def gone():
        return w.segments.value("SELECT closed_total FROM tidepool_pool_stats WHERE pool = 'app'")

    assert_soon(lambda: gone() == len(before), "all are closed")
    known = time.monotonic() - began
    is_(pool.value("SELECT 1"), "1", "the next request")
    assert_soon(lambda: w.row("idle", "app") >= (3,), "replaced")
    is_(2 <= losses() <= len(before), True, f"{losses()} reported of {len(before)}, each once")
    took = time.monotonic() - began
    after = w.server.sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'idle'")
    is_({pid for pid, in before} & {pid for pid, in after}, set(), "old sessions")
    return f"{len(before)} ended, known after {known * 1000:.0f} ms, replaced after {took * 1000:.0f} ms"


CASES = (a_fast_restart, an_immediate_restart, a_frozen_server, changed_password, full_server,
         dropped_database, terminated_idle_sessions)

if __name__ == "__main__":
    support.require_server()
    sys.exit(application.main(CASES))
