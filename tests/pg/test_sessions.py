#!/usr/bin/python3
"""What one lease of a PostgreSQL pool leaves for the next, and what its holder is told.

One server; each case prints `ok NAME`. Names on the command line select cases.
"""
import os
import signal
import sys

import application
import client
from application import assert_soon
from client import is_, refuses

ONE = "min_size=1 max_size=1 burst=off scaling=off validation_interval=0 health_interval=0"
# A statement that leaves session state, a query that shows it, and the result of a new session.
LEFT = (("SET ROLE pg_monitor", "SELECT current_user", "postgres"),
        ("SET search_path = evil", "SHOW search_path", '"$user", public'),
        ("LISTEN ch", "SELECT count(*) FROM pg_listening_channels()", "0"),
        ("PREPARE s AS SELECT 1", "SELECT count(*) FROM pg_prepared_statements WHERE from_sql", "0"),
        ("SET statement_timeout = 1", "SHOW statement_timeout", "0"),
        ("SELECT pg_advisory_lock(7)", "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", "0"))


class Stopped:
    """Stops a backend in the `with` block."""

    def __init__(self, pid):
        self.pid = int(pid)

    def __enter__(self):
        os.kill(self.pid, signal.SIGSTOP)

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGCONT)


def one(w, options=""):
    return w.pool(w.server.conninfo(), f"{ONE} statement_timeout=0 {options}")


def late_statement_affects_no_other(w):
    pool = one(w, "query_timeout=250ms")
    for statement, look, clean in LEFT:
        for is_read_by_its_holder in (False, True):
            with pool.acquire() as lease:
                pid = lease.value("SELECT pg_backend_pid()")
                with Stopped(pid):
                    told = refuses(lease.query, statement, sqlstate="57014", status="timeout")
                is_("A cancel was requested" in told.detail and "unknown" in told.detail, True, str(told))
                if is_read_by_its_holder:
                    assert_soon(lambda: works(lease), "the lease remains usable")
            what = f"after {statement}, read by its holder: {is_read_by_its_holder}"
            with pool.acquire() as lease:
                is_(lease.value(look), clean, what)
                is_(lease.value("SELECT pg_backend_pid()"), pid, f"the session {what}")


def works(lease):
    try:
        return lease.value("SELECT 1") == "1"
    except client.Refusal:
        return False


def cancelled_statement_is_reported(w):
    pool = one(w, "query_timeout=100ms")
    # Whether the server's message arrives in time depends on the machine.
    assert_soon(lambda: refuses(pool.query, "SELECT pg_sleep(20)", sqlstate="57014", status="timeout").detail ==
                "It was cancelled on the server.", "the server's message is passed on")


def late_statement_closes_the_session(w):
    w.server.sql("DROP TABLE IF EXISTS t; CREATE TABLE t (n int)")
    pool = one(w, "validation_timeout=300ms query_timeout=5s")
    with pool.acquire() as lease:
        pid = lease.value("SELECT pg_backend_pid()")
    with pool.acquire(read=True) as lease:
        with Stopped(pid):
            told = refuses(lease.query, "SELECT 1")
        is_(("read-only" in told.message, told.is_retryable), (True, True), str(told))
        refuses(lease.query, "INSERT INTO t VALUES (1)")  # it must not run as if in another lease
        is_(lease.native(), None, "native()")
    pool.query("INSERT INTO t VALUES (2)")
    is_(pool.value("SELECT string_agg(n::text, ' ') FROM t"), "2", "rows")
    with pool.acquire(read=True) as lease:
        refuses(lease.query, "INSERT INTO t VALUES (3)", sqlstate="25006")


def state_left_by_functions_is_reset(w):
    w.server.sql("DROP TABLE IF EXISTS t; CREATE TABLE t (n serial, x int);"
                 "CREATE OR REPLACE FUNCTION mine() RETURNS text LANGUAGE sql AS $$SELECT set_config('a.b', 'left', false)$$")
    pool = one(w)
    pid = pool.value("SELECT pg_backend_pid()")
    look = "SELECT coalesce(current_setting('a.b', true), '')"
    for statement in ("SELECT mine()", "EXPLAIN ANALYZE SELECT mine()", "INSERT INTO t (x) SELECT 1 WHERE mine() = ''"):
        pool.query(statement)
        is_(pool.value(look), "", statement)
    pool.query("UPDATE pg_settings SET setting = '77MB' WHERE name = 'work_mem'")
    is_(pool.value("SHOW work_mem"), "4MB", "after UPDATE pg_settings")
    pool.query("SELECT nextval('t_n_seq')")
    refuses(pool.query, "SELECT lastval()", sqlstate="55000")
    is_(pool.value("SELECT pg_backend_pid()"), pid, "the session")
    pool.query("SELECT setseed(0.5)")
    is_(pool.value("SELECT pg_backend_pid()") == pid, False, "a session whose seed was set is reused")


def a_failed_transaction_is_not_committed(w):
    w.server.sql("DROP TABLE IF EXISTS t; CREATE TABLE t (n int PRIMARY KEY)")
    pool = one(w)
    for commit in ("COMMIT", "END /* of it */", "commit and no chain", "PREPARE TRANSACTION 'p'", "COMMIT WORK AND CHAIN"):
        with pool.acquire() as lease:
            lease.query("BEGIN; INSERT INTO t VALUES (1)")
            refuses(lease.query, "INSERT INTO t VALUES (1)", sqlstate="23505")
            told = refuses(lease.query, commit, sqlstate="25P02", status="database")
            is_((told.message, told.is_retryable), ("the transaction was rolled back", False), str(told))
            is_("began the next" in told.detail, "CHAIN" in commit, str(told))
            is_(lease.value("SELECT count(*) FROM t"), "0", "the session remains usable")
    with pool.acquire() as lease:
        lease.query("BEGIN")
        refuses(lease.query, "SELECT 1 / 0")
        told = refuses(lease.query, "/* ; */ END; INSERT INTO t VALUES (2)", sqlstate="25P02")
        is_("following statements were executed" in told.detail, True, str(told))
        lease.query("BEGIN; SAVEPOINT a")
        refuses(lease.query, "SELECT 1 / 0")
        is_([lease.command(sql) for sql in ("ROLLBACK TO a", "RELEASE a", "INSERT INTO t VALUES (3), (4)", "COMMIT",
                                            "BEGIN", "ROLLBACK", "SELECT n FROM t", "")],
            ["ROLLBACK", "RELEASE", "INSERT 0 2", "COMMIT", "BEGIN", "ROLLBACK", "SELECT 3", ""], "commands")
        lease.query("BEGIN")
        refuses(lease.query, "SELECT 1 / 0")
        is_(lease.command("rollback and no chain; SELECT 1"), "SELECT 1")


def a_transaction_needs_a_lease(w):
    w.server.sql("DROP TABLE IF EXISTS t; CREATE TABLE t (n int)")
    for mode in ("smart", "full", "none"):
        # The start of a prepared statement is later than that of its transaction, by the time between two messages.
        pool = one(w, f"reset_on_release={mode} statement_cache_size=0")
        for text in ("BEGIN", "begin; insert into t values (1)", "BEGIN; INSERT INTO t VALUES (1); COMMIT AND CHAIN"):
            told = refuses(pool.query, text, sqlstate="25001", status="bad_argument")
            is_("tide_pool_acquire" in told.hint, True, str(told))
            is_(pool.value("SELECT now() = statement_timestamp()"), "t", f"in no transaction after {text}, {mode}")
        is_(pool.value("SELECT count(*) FROM t"), "1", "rows")  # of the text that commits
        pool.query("BEGIN; DELETE FROM t; COMMIT")
        w.end()


def terminated_session_affects_no_other(w):
    pool = w.pool(w.server.conninfo(application_name="ten"),
                  "min_size=10 max_size=10 burst=off scaling=off validation_interval=0 health_interval=0")

    def pids():
        return {row[0] for row in w.server.sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'ten'")}

    assert_soon(lambda: len(pids()) == 10, "ten sessions")
    before = pids()
    with pool.acquire() as lease:
        pid = lease.value("SELECT pg_backend_pid()")
        w.server.sql(f"SELECT pg_terminate_backend({pid}, 5000)")
        is_(refuses(lease.query, "SELECT 1", sqlstate="57P01").is_retryable, True)

    def validations():
        return w.segments.value("SELECT max(validations_total) FROM tidepool_pool_stats WHERE pool = 'app'")

    assert_soon(lambda: validations() > 0, "another one is validated")
    assert_soon(lambda: is_(pool.value("SELECT 1"), "1") is None and len(pids()) == 10 and pid not in pids(),
                "it is replaced, without an error for a caller")
    is_(w.segments.rows("SELECT message FROM tidepool_events WHERE pool = 'app' AND kind = 'recycle'"), [], "recycled")
    is_(before - pids(), {pid}, "closed sessions")


CASES = (late_statement_affects_no_other, cancelled_statement_is_reported,
         late_statement_closes_the_session, state_left_by_functions_is_reset,
         a_failed_transaction_is_not_committed, a_transaction_needs_a_lease,
         terminated_session_affects_no_other)

if __name__ == "__main__":
    sys.exit(application.main(CASES))
