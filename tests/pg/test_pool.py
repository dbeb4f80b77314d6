#!/usr/bin/python3
"""An application's pool of PostgreSQL connections: its guarantees, checked on both sides.

One server, one pool for each case; each case prints `ok NAME`. Names on the command line select cases.
"""
import ctypes
import ctypes.util
import os
import socket
import subprocess
import sys
import threading
import time

import client
import cluster
import support
from client import Pool, is_, refuses
from cluster import wait_until

PQ = ctypes.CDLL(ctypes.util.find_library("pq") or "libpq.so.5")
PQ.PQexec.argtypes, PQ.PQexec.restype = [ctypes.c_void_p, ctypes.c_char_p], ctypes.c_void_p
PQ.PQclear.argtypes = [ctypes.c_void_p]
PQ.PQresultStatus.argtypes = [ctypes.c_void_p]


class World:
    """A server, a segment directory, and pools that end with the case."""

    def __init__(self, server, segments):
        self.server, self.segments, self.pools = server, segments, []

    def pool(self, options="", password=None, url=None, user="postgres", **words):
        pool = Pool(url or self.server.conninfo(user=user, application_name="case", **words), options, password=password)
        self.pools.append(pool)
        return pool

    def end(self):
        """Closes all pools; raises the first error."""
        complaints = []
        while self.pools:
            try:
                self.pools.pop().close()
            except client.Refusal as refusal:
                complaints.append(str(refusal))
        is_(complaints, [], "closing")

    def backends(self):
        return self.server.backends("application_name = 'case'")

    def row(self, columns):
        return tuple(self.segments.rows(f"SELECT {columns} FROM tidepool_pools WHERE state NOT IN ('closed', 'dead')")[0])


def together(n, function):
    """Runs function(i) in n threads; returns the errors."""
    wrong = []

    def guarded(i):
        try:
            function(i)
        except Exception as error:  # noqa: BLE001
            wrong.append(str(error))

    threads = [threading.Thread(target=guarded, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    return threads, wrong


def set_size(w):
    pool = w.pool("min_size=1 max_size=5 burst=off scaling=off acquire_timeout=20s")
    gate = threading.Event()

    def hold(i):
        with pool.acquire(f"holder-{i}", 20000) as lease:
            lease.value("SELECT 1")
            gate.wait(15)
            lease.value("SELECT 2")

    threads, wrong = together(20, hold)
    is_(wait_until(lambda: w.row("in_use, waiting") == (5, 15)), True, "in_use, waiting")
    is_(w.backends(), 5, "sessions of the server")
    shell = subprocess.run(["sqlite3", "-batch", ":memory:"], text=True, capture_output=True,
                           input=f".load {client.EXTENSION}\nSELECT size, waiting FROM tidepool_pools;\n", check=False)
    is_(shell.stdout.strip(), "5|15", shell.stderr)
    pool.set("max_size", 7)
    began = time.monotonic()
    is_(wait_until(lambda: w.backends() == 7, 2), True, "sessions after max_size=7")
    grown_ms = (time.monotonic() - began) * 1000
    is_(grown_ms < 1000, True, f"grown after {grown_ms:.0f} ms")
    is_(wait_until(lambda: w.row("in_use, waiting") == (7, 13)), True, "in_use, waiting")
    pool.set("max_size", 3)
    is_(w.row("in_use"), (7,), "no lease was lost")
    gate.set()
    for thread in threads:
        thread.join()
    is_(wrong, [], "errors of the holders")
    is_(wait_until(lambda: w.backends() <= 3), True, "sessions after max_size=3")
    is_(w.row("size") <= (3,), True, "size")
    return f"5 -> 7 sessions in {grown_ms:.0f} ms"


def pause_and_resume_lose_no_request(w):
    pool = w.pool("min_size=2 max_size=4")
    pool.control("pause")
    threads, wrong = together(50, lambda i: is_(pool.value("SELECT $1::int", str(i)), str(i)))
    is_(wait_until(lambda: w.row("state, waiting") == ("paused", 50)), True, "state, waiting")
    pool.control("resume")
    for thread in threads:
        thread.join()
    is_(wrong, [], "errors")


def recycle_replaces_all(w):
    pool = w.pool("min_size=4 max_size=4 scaling=off")
    wait_until(lambda: w.row("idle") == (4,))

    def pids():
        return {row[0] for row in w.segments.rows("SELECT server_pid FROM tidepool_connections WHERE state <> 'connecting'")}

    before = pids()
    is_(len(before), 4, "connections")
    stop = threading.Event()

    def work(i):
        while not stop.is_set():
            is_(pool.value("SELECT $1::int", str(i)), str(i))

    threads, wrong = together(8, work)
    held = pool.acquire("holder")
    number = pool.control("recycle", wait_ms=0, spread="200ms")
    refuses(pool.wait_applied, number, 500, status="timeout")  # one of the old ones is still leased
    held.release()
    pool.wait_applied(number)
    after = pids()
    stop.set()
    for thread in threads:
        thread.join()
    is_(before & after, set(), "old sessions after wait_applied")
    is_(wrong, [], "errors")


def application_name_of_sessions(w):
    pool = w.pool("min_size=1", url=w.server.conninfo())
    is_(pool.value("SHOW application_name"), "pg-test/app", "from the pool's app")
    is_(w.pool("min_size=1").value("SHOW application_name"), "case", "from the target")


def credentials_at_every_connect(w):
    w.server.sql("DROP ROLE IF EXISTS carol; CREATE ROLE carol LOGIN PASSWORD 'one'")
    asked = []
    password = ["one"]
    pool = w.pool("min_size=2 max_size=2 scaling=off", user="carol",
                  password=lambda: asked.append(1) or password[0])
    wait_until(lambda: w.row("idle") == (2,))
    is_(len(asked), 2, "asked")
    w.server.sql("ALTER ROLE carol PASSWORD 'two'")
    password[0] = "two"
    pool.control("recycle", spread="0s")
    is_(wait_until(lambda: len(asked) == 4 and w.row("idle") == (2,)), True, f"asked {len(asked)}")
    is_(pool.value("SELECT current_user"), "carol")


def dead_first_host_is_skipped(w):
    url = (f"postgresql://postgres@/postgres?host=127.0.0.1,{w.server.host}&port=1,{w.server.port}"
           "&target_session_attrs=read-write&application_name=case")
    pool = w.pool("min_size=2 max_size=2", url=url)
    is_(pool.value("SELECT pg_is_in_recovery()"), "f")
    is_(wait_until(lambda: w.backends() == 2), True, "sessions")


def timeouts_are_settings_of_the_session(w):
    pool = w.pool("min_size=1 statement_timeout=7s idle_in_transaction_timeout=9s")
    is_((pool.value("SHOW statement_timeout"), pool.value("SHOW idle_in_transaction_session_timeout")), ("7s", "9s"))


def a_read_lease_refuses_writes(w):
    w.server.sql("DROP TABLE IF EXISTS t; CREATE TABLE t (n int)")
    pool = w.pool("min_size=1 max_size=1")
    with pool.acquire(read=True) as lease:
        refuses(lease.query, "INSERT INTO t VALUES (1)", sqlstate="25006")
        is_(lease.value("SELECT count(*) FROM t"), "0")
    with pool.acquire() as lease:
        lease.query("INSERT INTO t VALUES (1)")
    is_(pool.value("SELECT count(*) FROM t"), "1")


def copy_is_refused(w):
    pool = w.pool("min_size=1 max_size=1")
    for sql in ("COPY (SELECT 1) TO STDOUT", "COPY t FROM STDIN"):
        with pool.acquire() as lease:
            is_("tide_lease_native()" in refuses(lease.query, sql, sqlstate="0A000").hint, True, "the hint")
    is_(pool.value("SELECT 1"), "1")


def large_results(w):
    pool = w.pool("min_size=1")
    rows = pool.query("SELECT repeat('x', 1000000) || i FROM generate_series(1, 50) AS i")
    is_([(len(row[0]), row[0][-2:]) for row in rows[8:10]], [(1000001, b"x9"), (1000002, b"10")])
    is_(sum(len(row[0]) for row in rows), 50 * 1000000 + 9 + 41 * 2, "bytes")


def values_are_unchanged(w):
    pool = w.pool("min_size=1")
    text = "Füße, 漢字, \t'\"\\ \U0001F30A" + chr(1)
    is_(pool.query("SELECT $1::text, NULL, '', $2::text, '\\x00ff'::bytea", text, None),
        [[text.encode(), None, b"", None, b"\\x00ff"]])
    is_(refuses(pool.query, "SELECT 1/0", sqlstate="22012").status, "database")


def notices_are_events(w):
    pool = w.pool("min_size=1")
    pool.query("DO $$ BEGIN RAISE WARNING 'the tide is high'; END $$")
    found = wait_until(lambda: w.segments.rows("SELECT message, severity FROM tidepool_events WHERE kind = 'server_notice'"), 3)
    is_([tuple(row) for row in found], [("the tide is high", "warning")])


def native_use_leaves_no_trace(w):
    for mode in ("smart", "full"):
        pool = w.pool(f"min_size=1 max_size=1 burst=off reset_on_release={mode}")
        pid = pool.value("SELECT pg_backend_pid()")
        for statement, look in (
                ("CREATE TEMP TABLE mine (n int)", "SELECT count(*) FROM pg_class WHERE relname = 'mine'"),
                ("SET work_mem = '77MB'", "SELECT count(*) FROM pg_settings WHERE name = 'work_mem' AND setting = '78848'"),
                ("SELECT pg_advisory_lock(42)", "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"),
                ("LISTEN tide", "SELECT count(*) FROM pg_listening_channels()"),
                ("PREPARE mine AS SELECT 1", "SELECT count(*) FROM pg_prepared_statements WHERE from_sql"),
                ("BEGIN ISOLATION LEVEL SERIALIZABLE",
                 "SELECT count(*) FROM pg_settings WHERE name = 'transaction_isolation' AND setting = 'serializable'")):
            for is_native in (True, False):
                with pool.acquire() as lease:
                    if is_native:
                        result = PQ.PQexec(lease.native(), statement.encode())
                        is_(PQ.PQresultStatus(result) in (1, 2), True, statement)
                        PQ.PQclear(result)
                    else:
                        lease.query(statement)
                    is_(lease.value(look), "1", statement)
                is_(pool.value(look), "0", f"after {statement}, native={is_native}, {mode}")
        is_(pool.value("SELECT pg_backend_pid()"), pid, "the session")
        w.end()


def tls_is_used_when_requested(w):
    key, certificate = w.server.data / "server.key", w.server.data / "server.crt"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    for path in (key, certificate):
        w.server.write(path.name, path.read_text())
    w.server.sql("ALTER SYSTEM SET ssl = on")
    w.server.reload()
    wait_until(lambda: w.server.value("SHOW ssl") == "on")
    words = f"host=127.0.0.1 port={w.server.port} dbname=postgres user=postgres application_name=case sslmode="
    pool = w.pool("min_size=2 max_size=2", url=words + "require")
    is_(pool.value("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"), "t")
    rows = pool.query("SELECT repeat('y', 100000) FROM generate_series(1, 100)")
    is_(sum(len(row[0]) for row in rows), 10_000_000, "bytes")
    w.server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'case'")
    is_(wait_until(lambda: w.backends() == 2), True, "replaced")
    is_(pool.value("SELECT 1"), "1")
    w.end()
    refuses(w.pool, "min_size=1 init_mode=fail_fast init_timeout=1s", None, words + "verify-ca sslrootcert=/missing")
    for sslmode in ("require", "prefer"):
        pool = w.pool("min_size=1 max_size=1 burst=off statement_timeout=0 query_timeout=300ms", url=words + sslmode)
        pid = pool.value("SELECT pg_backend_pid()")
        refuses(pool.query, "SELECT pg_sleep(5)", sqlstate="57014", status="timeout")
        is_(pool.value("SELECT pg_backend_pid()"), pid, "the session after a cancel")
        w.end()


def slow_statements_are_stopped(w):
    pool = w.pool("min_size=1 max_size=1 burst=off statement_timeout=300ms query_timeout=2s")
    pid = pool.value("SELECT pg_backend_pid()")
    refuses(pool.query, "SELECT pg_sleep(5)", sqlstate="57014", status="timeout")  # by the server
    is_(pool.value("SELECT pg_backend_pid()"), pid, "the session after it")
    w.end()
    pool = w.pool("min_size=1 max_size=1 burst=off statement_timeout=0 query_timeout=300ms")
    pid = pool.value("SELECT pg_backend_pid()")
    began = time.monotonic()
    refuses(pool.query, "SELECT pg_sleep(5)", sqlstate="57014", status="timeout")  # by the pool
    is_(pool.value("SELECT pg_backend_pid()"), pid, "the session after it")
    took = time.monotonic() - began
    is_(took < 1, True, f"took {took:.2f} s")
    with pool.acquire() as lease:
        pool.set("query_timeout", "10s")
        threading.Timer(0.2, lease.cancel).start()
        refuses(lease.query, "SELECT pg_sleep(5)", sqlstate="57014")  # by another session
        is_(lease.value("SELECT pg_backend_pid()"), pid, "the session after it")
    is_(w.backends(), 1, "sessions")


def idle_transactions_are_ended(w):
    w.server.sql("DROP TABLE IF EXISTS t; CREATE TABLE t (n int)")
    pool = w.pool("min_size=1 max_size=1 burst=off idle_in_transaction_timeout=400ms")
    with pool.acquire() as lease:
        lease.query("BEGIN")
        lease.query("INSERT INTO t VALUES (1)")
        is_(wait_until(lambda: w.server.backends("application_name = 'case' AND state LIKE 'idle in tr%'") == 0), True)
        refuses(lease.query, "INSERT INTO t VALUES (2)", sqlstate="25P03")
    is_(pool.value("SELECT count(*) FROM t"), "0", "rows")


def closing_stops_running_statements(w):
    pool = w.pool("min_size=2 max_size=2")
    threads, wrong = together(2, lambda i: pool.query("SELECT pg_sleep(20)"))
    is_(wait_until(lambda: w.server.backends("application_name = 'case' AND state = 'active'") == 2), True, "statements")
    began = time.monotonic()
    is_(refuses(pool.close, 200).status, "timeout")
    w.pools.remove(pool)
    for thread in threads:
        thread.join()
    is_(wait_until(lambda: w.backends() == 0), True, "sessions after close")
    took = time.monotonic() - began
    is_(took < 2, True, f"took {took:.1f} s")
    is_(len(wrong), 2, f"statements that were told: {wrong}")
    return f"gone after {took:.1f} s"


def forked_child(w):
    pool = w.pool("min_size=3 max_size=3 scaling=off")
    is_(wait_until(lambda: w.row("idle") == (3,)), True, "sessions")
    held = pool.acquire()
    pid = held.value("SELECT pg_backend_pid()")
    child = os.fork()
    if child == 0:
        try:
            refused = refuses(pool.query, "SELECT 1", status="forked") and refuses(held.query, "SELECT 1", status="forked")
            os._exit(0 if refused else 1)
        finally:
            os._exit(2)
    is_(os.waitpid(child, 0)[1], 0, "the child")
    is_(held.value("SELECT pg_backend_pid()"), pid, "the session")
    held.release()
    threads, wrong = together(6, lambda i: is_(pool.value("SELECT $1::int", str(i)), str(i)))
    for thread in threads:
        thread.join()
    is_(wrong, [], "errors")
    is_(w.segments.value("SELECT connects_total FROM tidepool_pool_stats WHERE instance_id = (SELECT instance_id FROM "
                      "tidepool_pools WHERE state NOT IN ('closed', 'dead'))"), 3, "connects")


CASES = (set_size, pause_and_resume_lose_no_request, recycle_replaces_all, application_name_of_sessions,
         credentials_at_every_connect, dead_first_host_is_skipped,
         timeouts_are_settings_of_the_session, a_read_lease_refuses_writes, copy_is_refused, large_results,
         values_are_unchanged, notices_are_events, native_use_leaves_no_trace,
         slow_statements_are_stopped, idle_transactions_are_ended, closing_stops_running_statements,
         forked_child, tls_is_used_when_requested)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def main():
    support.require_server()
    os.environ.pop("PGPASSWORD", None)
    segments = client.Segments()
    hba = "local all carol scram-sha-256\nlocal all all trust\nhost all all 127.0.0.1/32 trust\n"
    server = cluster.Cluster(settings="listen_addresses = '127.0.0.1'", hba=hba)
    server.port = free_port()

    def ended(case):
        def run_it(world):
            try:
                said = case(world)
            except BaseException:
                world.pools, left = [], world.pools
                for pool in left:
                    client.library.tide_pool_close(pool.handle, 0, None)
                raise
            world.end()
            return said
        run_it.__name__ = case.__name__
        return run_it

    with server:
        failed = client.run([ended(case) for case in CASES], World(server, segments))
        if failed:
            print(server.log_text()[-3000:])
    segments.end()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
