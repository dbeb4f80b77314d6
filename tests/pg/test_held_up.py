#!/usr/bin/python3
"""A connect that is blocked, by a name lookup or by the program's credential callback, blocks nothing else."""
import contextlib
import ctypes
import os
import sys
import threading
import time

import application
import client
import cluster
import support
from application import assert_soon
from client import is_, refuses
from proxy import Proxy

NAMES = str(cluster.BUILD / "tests/pg/libheld_names.so")  # for LD_PRELOAD
LATE_NAME = 'the name lookup of "held.test" did not complete within connect_timeout'
LATE_CALLBACK = "the credential callback did not return within connect_timeout"


def options(min_size=2, connect_timeout="300ms"):
    return (f"min_size={min_size} max_size=4 burst=off idle_timeout=0 health_interval=0 validation_interval=0 "
            f"connect_timeout={connect_timeout} {application.QUICK_RETRIES}")


@contextlib.contextmanager
def held_name(name="held.test"):
    names = ctypes.CDLL(None)
    names.hold_name(name.encode())
    try:
        yield lambda: names.names_asked() > 0
    finally:
        names.let_names_go()


class Callback:
    """A credential callback that can be blocked."""

    def __init__(self):
        self.may_return, self.inside, self.calls = threading.Event(), 0, 0
        self.may_return.set()

    def __call__(self):
        self.calls += 1
        self.inside += 1
        self.may_return.wait(20)
        self.inside -= 1
        return "high"

    @contextlib.contextmanager
    def held(self):
        self.may_return.clear()
        try:
            yield lambda: self.inside > 0
        finally:
            self.may_return.set()
            assert_soon(lambda: self.inside == 0, "the callback has returned")


def timed(function, *arguments):
    began = time.monotonic()
    result = function(*arguments)
    return result, time.monotonic() - began


def wait_and_look(pool):
    with pool.acquire("third", 5000) as lease:
        return lease.value("SHOW work_mem")


def others_continue(w, pool, hold, late):
    """Resets, commands, sessions and closing the pool while a connect is blocked; `late` is the expected message."""
    assert_soon(lambda: w.row("idle", pool.name) == (2,), "two sessions")
    first, second = pool.acquire(), pool.acquire()
    with hold as is_held:
        second.query("SELECT 1")
        answers = []
        third = threading.Thread(target=lambda: answers.append(wait_and_look(pool)))
        third.start()
        assert_soon(is_held, "a connect is blocked")
        first.query("SET work_mem = '1MB'")  # the keeper has to reset the session
        first.release()
        third.join()
        is_(answers, ["4MB"])
        pool.control("scale", wait_ms=1000, target_size=3)
        assert_soon(lambda: w.segments.value(
            "SELECT count(*) FROM tidepool_events WHERE kind = 'connect_error' AND message = ?", late) > 0, f"told: {late}")
        is_(is_held(), True, "still held up")
        second.release()
        w.pools.remove(pool)
        return timed(pool.close, 1000)[1]


def blocked_name_lookup(w):
    with Proxy(w.server) as door:
        url = door.conninfo().replace("127.0.0.1", "held.test")
        took = others_continue(w, w.pool(url, options()), held_name(), LATE_NAME)
        is_(took < 1.5, True, f"close(1 s) took {took:.2f} s")


def foreign_loop_continues(w):
    with Proxy(w.server) as door, held_name() as is_held:
        pool = w.pool(door.conninfo().replace("127.0.0.1", "held.test"), options(), foreign=True)
        assert_soon(lambda: pool.step() is None and is_held(), "a step starts a connect")
        longest = 0
        while not w.segments.value("SELECT count(*) FROM tidepool_events WHERE message = ?", LATE_NAME):
            longest = max(longest, timed(pool.step)[1])
        is_(is_held() and longest < 0.25, True, f"the longest step took {longest:.2f} s")
        return f"the longest step took {longest * 1000:.1f} ms"


def blocked_connect_is_reported(w):
    with Proxy(w.server) as door, held_name():
        pool = w.pool(door.conninfo().replace("127.0.0.1", "held.test"), options())
        told = refuses(pool.acquire, "first", 1000, sqlstate="08001", status="timeout")
        is_(LATE_NAME in told.message and "name server" in told.hint and told.is_retryable, True, str(told))


def blocked_name_among_others(w):
    with Proxy(w.server) as door, held_name() as is_held:
        pool = w.pool(f"host=held.test,quick.test port={door.port} user=postgres dbname=postgres",
                      options(connect_timeout="4s"))
        is_(timed(pool.value, "SELECT 1")[1] < 4, True, "in half the time")
        is_(is_held(), True, "still held up")
        # Later connects do not try the name again during this time.
        took = timed(lambda: assert_soon(lambda: w.row("idle", pool.name) == (2,), "two sessions"))[1]
        lease = pool.acquire()
        other, third = pool.acquire(), timed(pool.acquire, "third", 1500)
        for held in (lease, other, third[0]):
            held.release()
        return f"the second after {took:.1f} s, a third within {third[1]:.1f} s"


def blocked_credential_callback(w):
    w.server.sql("DROP ROLE IF EXISTS carol; CREATE ROLE carol LOGIN PASSWORD 'high'")
    callback = Callback()
    pool = w.pool(w.server.conninfo(user="carol"), options(), password=callback)
    try:
        others_continue(w, pool, callback.held(), LATE_CALLBACK)
    except client.Refusal as told:  # the context of the callback is still in use
        is_((told.status, "has not returned" in told.message), ("timeout", True), str(told))
    else:
        raise AssertionError("closed while the callback is running")


def failed_credential_callback(w):
    pool = w.pool(w.server.conninfo(), options(), password=lambda: None)
    told = refuses(pool.acquire, "first", 1000, sqlstate="08001")
    is_("returned no password" in told.message and told.is_retryable, True, str(told))


def credential_callback_uses_the_pool(w):
    w.server.sql("DROP ROLE IF EXISTS carol; CREATE ROLE carol LOGIN PASSWORD 'high'")
    has_session, seen = threading.Event(), []

    def password():
        if has_session.is_set():
            seen.append(refuses(pool.close, 0, status="bad_argument"))
            with pool.acquire("from the callback", 2000) as lease:  # there is one session, and the keeper continues
                seen.append(lease.value("SELECT 1"))
        return "high"

    pool = w.pool(w.server.conninfo(user="carol"), options(1, "5s"), password=password)
    assert_soon(lambda: w.row("idle", pool.name) == (1,), "a session")
    has_session.set()
    pool.control("scale", wait_ms=5000, target_size=2)
    assert_soon(lambda: w.row("idle", pool.name) == (2,), "another one")
    is_(seen[1], "1")


def cancel_looks_up_no_name(w):
    with Proxy(w.server) as door:
        pool = w.pool(door.conninfo().replace("127.0.0.1", "quick.test"),
                      "min_size=1 max_size=1 burst=off health_interval=0 query_timeout=300ms statement_timeout=0")
        pid = pool.value("SELECT pg_backend_pid()")
        with held_name("quick.test"):
            told, took = timed(refuses, pool.query, "SELECT pg_sleep(20)")
            is_(told.sqlstate, "57014", str(told))
            is_(took < 1, True, f"took {took:.2f} s")
            is_(pool.value("SELECT pg_backend_pid()"), pid, "the session after the cancel")


CASES = (cancel_looks_up_no_name, blocked_name_lookup, foreign_loop_continues, blocked_connect_is_reported,
         blocked_name_among_others, blocked_credential_callback, failed_credential_callback,
         credential_callback_uses_the_pool)

if __name__ == "__main__":
    support.require_server()
    if os.environ.get("LD_PRELOAD") != NAMES:
        os.environ["LD_PRELOAD"] = NAMES
        os.execv(sys.executable, [sys.executable, *sys.argv])
    sys.exit(application.main(CASES))
