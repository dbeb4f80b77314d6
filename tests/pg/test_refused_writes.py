#!/usr/bin/python3
"""Refused writes: if the server is read-only, its sessions are replaced; if read-only was requested, none is
replaced."""
import sys

import application
import support
from application import QUICK_RETRIES, assert_soon
from client import is_, refuses

QUIET = "min_size=2 max_size=2 burst=off scaling=off validation_interval=0 health_interval=0"
WRITE = "INSERT INTO t VALUES (1)"


def pids(w):
    return {pid for pid, in w.server.sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'writer'")}


def writer(w, options="", **words):
    w.server.sql("DROP TABLE IF EXISTS t; CREATE TABLE t (n int)")
    pool = w.pool(w.server.conninfo(application_name="writer", **words), f"{QUIET} {QUICK_RETRIES} {options}")
    assert_soon(lambda: w.row("idle", "app") == (2,), "sessions there")
    return pool


def replaced(w):
    return w.segments.value("SELECT count(*) FROM tidepool_events WHERE pool = 'app' AND kind = 'recycle'")


def nothing_is_replaced(w, pool, what):
    pool.set("max_waiting", "7")  # executed in a step of the keeper after the one that took the lease back
    assert_soon(lambda: w.row("idle", "app") == (2,), "all are released")
    pool.set("max_waiting", "0")
    is_(replaced(w), 0, what)


class ReadOnly:
    """A server made read-only by an operator."""

    def __init__(self, server, by):
        self.server = server
        self.on, self.off = {"server": ("ALTER SYSTEM SET default_transaction_read_only = on",
                                        "ALTER SYSTEM RESET default_transaction_read_only"),
                             "database": ("ALTER DATABASE postgres SET default_transaction_read_only = on",
                                          "ALTER DATABASE postgres RESET default_transaction_read_only"),
                             "role": ("ALTER ROLE rita SET default_transaction_read_only = on",
                                      "ALTER ROLE rita RESET default_transaction_read_only")}[by]

    def say(self, sql, value):
        self.server.sql(f"SET default_transaction_read_only = off; {sql}")
        self.server.sql("SELECT pg_reload_conf()")
        if "SYSTEM" in sql:
            assert_soon(lambda: self.server.value("SHOW default_transaction_read_only") == value, "the setting is read")

    def __enter__(self):
        self.say(self.on, "on")

    def __exit__(self, *_):
        self.say(self.off, "off")


def server_becomes_read_only(w):
    for reset, end in (("smart", ""), ("smart", "ROLLBACK"), ("full", ""), ("rollback", "ROLLBACK"), ("none", "")):
        pool = writer(w, f"reset_on_release={reset}")
        before = pids(w)
        with ReadOnly(w.server, "server"), pool.acquire() as lease:
            if end:
                lease.query("BEGIN")
            refuses(lease.query, WRITE, sqlstate="25006")
            if end:
                lease.query(end)
        assert_soon(lambda: len(pids(w)) == 2 and not pids(w) & before, f"{reset}: all sessions are replaced")
        is_(replaced(w), 1, "orders to replace")
        told = w.segments.value("SELECT message FROM tidepool_events WHERE pool = 'app' AND kind = 'recycle'")
        is_("default_transaction_read_only" in told, True, told)
        pool.query(WRITE)
        pool.close()
        w.pools.remove(pool)


def database_temporarily_read_only(w):
    with ReadOnly(w.server, "database"):
        w.server.sql("SET default_transaction_read_only = off; DROP TABLE IF EXISTS t; CREATE TABLE t (n int)")
        pool = w.pool(w.server.conninfo(application_name="writer"), f"{QUIET} {QUICK_RETRIES}")
        assert_soon(lambda: w.row("idle", "app") == (2,), "sessions there")
        before = pids(w)
        pool.query("SELECT 1")
    refuses(pool.query, WRITE, sqlstate="25006")
    assert_soon(lambda: len(pids(w)) == 2 and not pids(w) & before, "all sessions are replaced")
    pool.query(WRITE)


def read_only_set_by_the_holder(w):
    wishes = ("BEGIN READ ONLY", "BEGIN; SET TRANSACTION READ ONLY", "SET default_transaction_read_only = on",
              "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "BEGIN; SET LOCAL transaction_read_only = on",
              "SELECT set_config('default_transaction_read_only', 'on', false)")
    for reset in ("smart", "full", "rollback", "none"):
        pool = writer(w, f"reset_on_release={reset}")
        for wish in wishes:
            with pool.acquire() as lease:
                lease.query(wish)
                refuses(lease.query, WRITE, sqlstate="25006")
                if reset in ("rollback", "none"):
                    lease.query("ROLLBACK; RESET ALL")  # otherwise this mode leaves it to the next lease
        with pool.acquire(read=True) as lease:
            refuses(lease.query, WRITE, sqlstate="25006")
        nothing_is_replaced(w, pool, f"{reset}: orders to replace")
        pool.query(WRITE)
        pool.close()
        w.pools.remove(pool)


def read_only_left_by_a_holder(w):
    pool = writer(w, "reset_on_release=none")
    with pool.acquire() as lease:
        lease.query("SET default_transaction_read_only = on")
        refuses(lease.query, WRITE, sqlstate="25006")
    nothing_is_replaced(w, pool, "orders to replace")


def read_only_by_target_or_role(w):
    w.server.sql("DROP ROLE IF EXISTS rita; CREATE ROLE rita LOGIN SUPERUSER")
    with ReadOnly(w.server, "role"):
        pool = writer(w, user="rita")
        refuses(pool.query, WRITE, sqlstate="25006")
        nothing_is_replaced(w, pool, "a reading role")
        pool.close()
        w.pools.remove(pool)
    w.server.sql("DROP TABLE IF EXISTS t; CREATE TABLE t (n int)")
    pool = w.pool(w.server.conninfo(application_name="writer") + " options='-c default_transaction_read_only=on'", QUIET)
    assert_soon(lambda: w.row("idle", "app") == (2,), "sessions there")
    refuses(pool.query, WRITE, sqlstate="25006")
    nothing_is_replaced(w, pool, "options of the target")


CASES = (server_becomes_read_only, database_temporarily_read_only,
         read_only_set_by_the_holder, read_only_left_by_a_holder,
         read_only_by_target_or_role)

if __name__ == "__main__":
    support.require_server()
    sys.exit(application.main(CASES))
