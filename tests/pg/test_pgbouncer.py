#!/usr/bin/python3
"""Pools through PgBouncer, in session and transaction mode, with default options and with `pooler` set.

One server; each case prints `ok NAME`. Names on the command line select cases.
"""
import os
import sys
import threading
import time

import application
import bouncer
import client
import support
from application import assert_soon
from bouncer import Bouncer
from client import is_, refuses
from cluster import wait_until
from cluster import wait_until
from listening import Ear

QUIET = "burst=off scaling=off health_interval=0"
ONE = f"{QUIET} min_size=1 max_size=1"
MODES = ("session", "transaction")
# State that other clients must never see, and its value in a new session.
CLEAN = (("default_transaction_read_only", "off"), ("search_path", '"$user", public'), ("statement_timeout", "0"),
         ("idle_in_transaction_session_timeout", "0"), ("application_name", "psql"))


def both(options="", **settings):
    """A case for each mode, once detected and once with `pooler` set."""
    def wrap(case):
        def run_all(w):
            for mode in MODES:
                for pooler in ("auto", mode):
                    try:
                        with Bouncer(w.server, mode, **settings) as b:
                            w.server.sql("DROP TABLE IF EXISTS t; CREATE TABLE t (n int)")
                            case(w, b, w.pool(b.conninfo(), f"{options} pooler={pooler}"), is_own=pooler == "session")
                            w.end()
                    except BaseException:
                        print(f"with PgBouncer in {mode} mode and pooler={pooler}:", flush=True)
                        raise
        run_all.__name__ = case.__name__
        return run_all
    return wrap


def unchanged(b, what):
    told = b.sql("; ".join(f"SHOW {name}" for name, _ in CLEAN))
    is_(dict(zip((name for name, _ in CLEAN), told.split("\n"))), dict(CLEAN), what)


def events(w, word):
    return w.segments.value("SELECT count(*) FROM tidepool_events WHERE message LIKE ?", f"%{word}%")


@both()
def acquire_works_immediately(w, b, pool, is_own):
    began = time.monotonic()
    with pool.acquire("first", 2000) as lease:
        is_(lease.value("SELECT 1"), "1")
    is_(time.monotonic() - began < 1.5, True, "the first lease")
    counted = w.segments.rows("SELECT connect_failures_total, acquires_waited_total FROM tidepool_pool_stats s "
                           "JOIN tidepool_pools p USING (instance_id, pool) WHERE p.state NOT IN ('closed', 'dead')")
    is_(counted[0][0], 0, "failed connects")
    pids = w.segments.rows("SELECT server_pid FROM tidepool_connections WHERE state IN ('idle', 'in_use')")
    with pool.acquire() as lease:
        pid = int(lease.value("SELECT pg_backend_pid()"))
    is_([row[0] for row in pids if row[0] is not None] != [], is_own, "server_pid")
    shown = ("session" if is_own else "transaction",)
    assert_soon(lambda: w.row("pooler", "app") == shown, f"pools.pooler is {shown}")
    if is_own:
        assert_soon(lambda: pid in [row[0] for row in w.segments.rows("SELECT server_pid FROM tidepool_connections")],
                    "the server's own process id is shown")


@both(f"{QUIET} max_size=2")
def leases_write_and_read(w, b, pool, is_own):
    with pool.acquire() as lease:
        is_(lease.command("INSERT INTO t VALUES (1)"), "INSERT 0 1")
        lease.query("BEGIN; INSERT INTO t VALUES (2)")
        lease.query("COMMIT")
        lease.query("BEGIN")
        lease.query("INSERT INTO t VALUES ($1)", "3")
        lease.query("ROLLBACK")
    with pool.acquire(read=True) as lease:
        is_(lease.value("SELECT string_agg(n::text, ' ' ORDER BY n) FROM t"), "1 2")
        is_(lease.value("SELECT n FROM t WHERE n = $1", "2"), "2")
        is_(lease.value("SELECT 1; SELECT 2 -- the end"), "2")
        for write in ("INSERT INTO t VALUES (4)", "WITH x AS (DELETE FROM t RETURNING n) SELECT n FROM x",
                      "SELECT 1; DELETE FROM t"):
            refuses(lease.query, write, sqlstate="25006")
        refuses(lease.query, "INSERT INTO t VALUES ($1)", "5", sqlstate="25006")
        is_(lease.command("START TRANSACTION ISOLATION LEVEL SERIALIZABLE"), "START TRANSACTION")
        is_(lease.value("SHOW transaction_isolation"), "serializable")
        refuses(lease.query, "DELETE FROM t", sqlstate="25006")
        is_(lease.command("ROLLBACK"), "ROLLBACK")
        refuses(lease.query, "SELECT 1/0", sqlstate="22012")
        is_(lease.command("BEGIN"), "BEGIN")
        is_(lease.value("SELECT count(*) FROM t"), "2")
        is_(lease.command("COMMIT"), "COMMIT")
        for text in ("SELECT 1; COMMIT; DELETE FROM t", "BEGIN; DELETE FROM t; COMMIT"):
            refuses(lease.query, text)
            if is_own:
                lease.query("ROLLBACK")
        is_(lease.value("SELECT count(*) FROM t"), "2", "after all statements")
    with pool.acquire() as lease:
        lease.query("INSERT INTO t VALUES (6)")
    with pool.acquire(read=True) as lease:
        lease.query("BEGIN")  # left open
    is_(pool.value("SELECT count(*) FROM t"), "3")
    is_(b.sql("SELECT count(*) FROM t"), "3")


# PgBouncer uses the last used session: the next client would see remaining state immediately.
@both(f"{ONE}", default_pool_size=2)
def no_session_state_leaks(w, b, pool, is_own):
    for _ in range(3):
        with pool.acquire(read=True) as lease:
            lease.value("SELECT count(*) FROM t")
            unchanged(b, "beside a read lease")
        with pool.acquire() as lease:
            lease.query("INSERT INTO t VALUES (1)")
            unchanged(b, "beside a lease")
    for statement in ("SET search_path = evil", "SET SESSION statement_timeout = 1", "SET application_name = 'evil'",
                      "SET default_transaction_read_only = on", "BEGIN; SET search_path = evil; COMMIT"):
        with pool.acquire() as lease:
            if is_own:
                lease.query(statement)
            else:
                told = refuses(lease.query, statement, sqlstate="0A000")
                is_("pooler=session" in told.hint and "SET LOCAL" in told.hint, True, str(told))
        unchanged(b, f"after {statement}")
        with pool.acquire() as lease:
            is_(lease.value("SHOW search_path"), '"$user", public')
            is_(lease.value("SHOW statement_timeout"), "30s" if is_own else "0", f"statement_timeout after {statement}")
            lease.query("INSERT INTO t VALUES (1)")
    with pool.acquire() as lease:
        lease.query("BEGIN; SET LOCAL search_path = evil")
        is_(lease.value("SHOW search_path"), "evil")
        lease.query("COMMIT")
        is_(lease.value("SHOW search_path"), '"$user", public')
    w.end()
    unchanged(b, "after the pool")


@both(f"{ONE} statement_timeout=300ms query_timeout=10s acquire_timeout=3s")
def statements_time_out(w, b, pool, is_own):
    for read in (False, True):
        with pool.acquire(read=read) as lease:
            began = time.monotonic()
            refuses(lease.query, "SELECT pg_sleep(20)", sqlstate="57014", status="timeout")
            is_(time.monotonic() - began < 2, True, "the statement's end")
        assert_soon(lambda: w.server.backends("state = 'active' AND query LIKE '%pg_sleep(20)%'") == 0, "it is cancelled")
        assert_soon(lambda: application.works(pool), "the pool works")
    unchanged(b, "after the timeouts")


@both(f"{QUIET} min_size=8 max_size=12 acquire_timeout=20s query_timeout=20s", default_pool_size=12)
def many_threads(w, b, pool, is_own):
    wrong = []

    def work(i):
        try:
            for n in range(20):
                if n % 2 == 0:
                    with pool.acquire(read=True) as lease:
                        is_(lease.value("SELECT $1::int", str(i)), str(i))
                else:
                    with pool.acquire() as lease:
                        lease.query("BEGIN")
                        lease.query("INSERT INTO t VALUES ($1)", str(i))
                        lease.query("COMMIT")
        except Exception as error:  # noqa: BLE001
            wrong.append(str(error))

    if b.mode == "transaction":
        b.order("SET default_pool_size = 3")
    threads = [threading.Thread(target=work, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    is_(wrong, [], "errors")
    is_(w.server.value("SELECT count(*) FROM t"), "160")


@both(f"{QUIET} min_size=2 max_size=4 {application.QUICK_RETRIES} validation_bypass=0", default_pool_size=5,
      server_login_retry=1)
def pooler_restart(w, b, pool, is_own):
    assert_soon(lambda: application.works(pool), "it works")
    b.stop()
    refuses(pool.acquire, "x", 300)
    b.start()
    assert_soon(lambda: application.works(pool), "it works again")
    w.server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' "
                 "AND pid <> pg_backend_pid()")
    assert_soon(lambda: application.works(pool), "it works after its sessions were ended")
    with pool.acquire() as lease:
        lease.query("BEGIN")
        pid = lease.value("SELECT pg_backend_pid()")
        w.server.sql(f"SELECT pg_terminate_backend({pid})")
        is_(refuses(lease.query, "SELECT 1").is_retryable, True, "worth another try")
    assert_soon(lambda: application.works(pool), "it works after a transaction was ended")


@both(f"{QUIET} min_size=2 max_size=2 query_timeout=300ms acquire_timeout=1s {application.QUICK_RETRIES}",
      server_login_retry=1)
def pooler_pause(w, b, pool, is_own):
    assert_soon(lambda: application.works(pool), "it works")
    if b.mode == "session":
        return  # PAUSE would wait for the clients to disconnect
    b.order("PAUSE")
    told = refuses(pool.query, "SELECT 1")
    is_("release leases" in told.hint, False, str(told))
    b.order("RESUME")
    assert_soon(lambda: application.works(pool), "it works again")


def options_of_the_target(w):
    for mode in MODES:
        with Bouncer(w.server, mode) as b:
            given = b.conninfo(options="-c search_path=app,public --work-mem=7MB")
            pool = w.pool(given, f"{ONE} pooler=session")
            for _ in range(2):
                with pool.acquire() as lease:
                    is_((lease.value("SHOW search_path"), lease.value("SHOW work_mem")), ("app,public", "7MB"), mode)
                    lease.query("SET search_path = evil")
                    lease.query("RESET ALL")  # it counts as session state: DISCARD ALL, and the settings again
            w.end()
            for pooler in ("auto", "transaction"):
                pool = w.pool(given, f"{ONE} pooler={pooler} acquire_timeout=2s")
                assert_soon(lambda: "search_path" in refuses(pool.acquire, "x", 50).message, "the reason")
                told = refuses(pool.acquire)
                is_((told.is_retryable, "pooler=session" in told.hint), (False, True), str(told))
                w.end()
            os.environ["PGOPTIONS"] = "-c search_path=app"
            try:
                pool = w.pool(b.conninfo(), f"{ONE} pooler=session")
                is_(pool.value("SHOW search_path"), "app")
                w.end()
            finally:
                del os.environ["PGOPTIONS"]


def pooler_option_is_respected(w):
    with Bouncer(w.server, "session") as b:
        pool = w.pool(b.conninfo(), f"{ONE} pooler=none")
        assert_soon(lambda: refuses(pool.acquire, "x", 50).sqlstate == "08P01", "the refusal is told")
        told = refuses(pool.acquire)
        is_(("startup parameter" in told.message, "pooler" in told.hint, told.is_retryable), (True, True, False), str(told))
        w.end()
    # Options that are accepted and ignored; the process id that PgBouncer assigns reveals it.
    with Bouncer(w.server, "transaction", ignore_startup_parameters="options") as b:
        pool = w.pool(b.conninfo(), ONE)
        refuses(pool.query, "SET search_path = evil", sqlstate="0A000")
        w.end()
    pool = w.pool(w.server.conninfo(), ONE)
    is_(pool.value("SHOW statement_timeout"), "30s", "without a pooler")
    assert_soon(lambda: w.row("pooler", "app") == ("none",), "pools.pooler is none")


# PgBouncer accepts connections nevertheless, so a connect alone proves nothing.
def unavailable_server_is_reported(w):
    def refused():
        told = refuses(pool.query, "SELECT 1")
        return told if "none can be opened" in told.message and "server login" in told.message else None

    with Bouncer(w.server, "transaction", server_login_retry=1) as b:
        options = f"{QUIET} min_size=2 max_size=2 acquire_timeout=300ms query_timeout=2s {application.QUICK_RETRIES}"
        pool = w.pool(b.conninfo(), options)
        assert_soon(lambda: application.works(pool), "it works")
        w.server.stop()
        try:
            told = wait_until(refused)
            is_(("pooler" in told.hint, told.is_retryable), (True, True), str(told))
            connects = w.segments.value("SELECT sum(connects_total) FROM tidepool_pool_stats WHERE pool = 'app'")
            is_(connects < 20, True, f"{connects} connects that did not reach the server")
        finally:
            w.server.start()
        assert_soon(lambda: application.works(pool), "it works again")
        w.end()


@both(options=ONE)
def notifications_need_a_session(w, b, pool, is_own):
    pool.value("SELECT 1")
    if is_own:
        ear = Ear(pool, "Orders").wait_for("ready")
        pool.query("SELECT pg_notify('Orders', 'x')")
        ear.wait_for("x")
        return
    assert_soon(lambda: w.row("pooler", "app") == ("transaction",), "the pooler is detected")
    told = refuses(lambda: Ear(pool, "Orders"))
    is_((told.status, told.sqlstate, "address of the server" in told.hint), ("refused", "0A000", True), str(told))
    # Found only when the connection is opened.
    lazy = w.pool(b.conninfo(), f"{QUIET} init_mode=lazy min_size=0", name="lazy")
    ear = Ear(lazy, "Orders").wait_for("lost")
    is_("pooler in transaction mode" in ear.reasons[0], True, ear.reasons[0])


def refusals_of_the_pooler(w):
    with Bouncer(w.server, "transaction", max_client_conn=3) as b:
        # PgBouncer 1.24 passes on the server's error for a database; 1.18 had its own, as it still has for users.
        for words, hints in (({"dbname": "missing"}, {"08P01": "pooler", "3D000": "correct dbname"}),
                             ({"user": "nobody"}, {"08P01": "pooler"})):
            pool = w.pool(b.conninfo(**words), f"{ONE} acquire_timeout=1s")
            assert_soon(lambda: refuses(pool.acquire, "x", 50).sqlstate in hints, "the refusal is told")
            told = refuses(pool.acquire)
            is_((told.is_retryable, hints[told.sqlstate] in told.hint), (False, True), str(told))
            w.end()
        pool = w.pool(b.conninfo(), f"{QUIET} min_size=3 max_size=3")
        assert_soon(lambda: w.row("size, connecting", "app") == (3, 0), "it is full")
        other = w.pool(b.conninfo(), f"{ONE} acquire_timeout=1s {application.QUICK_RETRIES}", name="other")
        assert_soon(lambda: refuses(other.acquire, "x", 50).sqlstate == "08P01", "the refusal is told")
        told = refuses(other.acquire)
        is_((told.is_retryable, "max_client_conn" in told.message), (True, True), str(told))
        pool.close()
        assert_soon(lambda: application.works(other), "connections are available again", 20)


CASES = (acquire_works_immediately, leases_write_and_read, no_session_state_leaks, statements_time_out, many_threads,
         pooler_restart, pooler_pause, options_of_the_target,
         notifications_need_a_session, pooler_option_is_respected, unavailable_server_is_reported, refusals_of_the_pooler)

if __name__ == "__main__":
    support.require_server()
    bouncer.require_bouncer()
    sys.exit(application.main(CASES))
