#!/usr/bin/python3
"""A pool with replicas: a primary and two standbys, which lag, stop, are promoted; and a primary that dies.

usage: test_replicas.py [CASE...]; the cases depend on those before them only by the servers, which the last ones change.
"""
import ctypes
import os
import sys
import time

import client
import cluster
import support
from client import POINTER, TEXT, call, is_, library, refuses

CALM = "min_size=1 max_size=4 scaling=off burst=off health_interval=0 validation_interval=0 recovery='' emergency=off " \
       "retry_base=5ms retry_max=100ms max_replica_lag=400ms log=off"


class QueryOptions(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint32), ("mode", ctypes.c_int32), ("timeout_ms", ctypes.c_int64), ("tag", TEXT),
                ("retry_attempts", ctypes.c_int32), ("placeholders", ctypes.c_int32), ("names", POINTER),
                ("max_rows", ctypes.c_int64), ("max_bytes", ctypes.c_int64), ("callback", POINTER), ("context", POINTER)]


class TxOptions(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint32), ("isolation", ctypes.c_int32), ("read_only", ctypes.c_int32),
                ("deferrable", ctypes.c_int32), ("timeout_ms", ctypes.c_int64), ("tag", TEXT),
                ("retry_attempts", ctypes.c_int32), ("reserved", ctypes.c_int32)]


class Tx(ctypes.Structure):
    _fields_ = [("pool", POINTER), ("id", ctypes.c_uint64)]


SERIALIZABLE = 3
library.tide_pool_query_with.argtypes = [POINTER, TEXT, ctypes.c_int, POINTER, ctypes.POINTER(QueryOptions),
                                         ctypes.POINTER(POINTER), client.ERROR]
library.tide_tx_begin.argtypes = [POINTER, ctypes.POINTER(TxOptions), ctypes.POINTER(Tx), client.ERROR]
library.tide_tx_query.argtypes = [Tx, TEXT, ctypes.c_int, POINTER, ctypes.POINTER(QueryOptions), ctypes.POINTER(POINTER),
                                  client.ERROR]
library.tide_tx_commit.argtypes = [Tx, client.ERROR]
library.tide_rows_next.argtypes = [POINTER, ctypes.POINTER(POINTER), client.ERROR]
library.tide_rows_close.argtypes, library.tide_rows_close.restype = [POINTER], None
library.tide_pool_rows.argtypes = library.tide_pool_query_with.argtypes
WHERE = "SELECT current_setting('cluster_name')"


def reading():
    return QueryOptions(size=ctypes.sizeof(QueryOptions), mode=1, timeout_ms=-1, retry_attempts=-1)


class World:
    def __init__(self):
        self.segments = client.Segments()
        self.primary = cluster.Cluster(name="primary", settings="wal_level = replica\nhot_standby = on\nmax_wal_senders = 8\n"
                                                                "wal_sender_timeout = 5s\ncluster_name = 'primary'")
        self.servers = [self.primary]
        self.pools = []
        self.primary.create().start()
        self.primary.sql("CREATE TABLE t (n int); INSERT INTO t VALUES (0); CREATE TABLE log (n int)")
        self.first = self.standby("first")
        self.second = self.standby("second")

    def standby(self, name):
        primary = self.primary
        settings = primary.settings.replace("'primary'", f"'{name}'") + \
            f"\nprimary_conninfo = 'host={primary.host} port={primary.port} user=postgres'\nwal_retrieve_retry_interval = 100ms"
        made = cluster.Cluster(name=name, folder=primary.folder, settings=settings)
        self.servers.append(made)
        os.makedirs(made.host, exist_ok=True)
        user = cluster.drop_user()
        if user is not None:
            os.chown(made.host, user.pw_uid, user.pw_gid)
        primary.run("pg_basebackup", "-h", primary.host, "-U", "postgres", "-D", made.data, "--checkpoint=fast", "-R")
        made.configure()
        return made.start()

    def pool(self, options="", name="app", url=None, replicas=None, foreign=False):
        replicas = [self.first, self.second] if replicas is None else replicas
        listed = ",".join(r if isinstance(r, str) else r.conninfo() for r in replicas).replace("'", "''")
        given = f" replica_url='{listed}'" if listed else ""
        opened = client.Pool(url or self.primary.conninfo(), f"{CALM} {options}{given}", name=name, foreign=foreign)
        self.pools.append(opened)
        return opened

    def target(self, columns, pool):
        found = self.segments.rows(f"SELECT {columns} FROM tidepool_targets WHERE pool = ?", pool)
        return tuple(found[0]) if found else None

    def serving(self):
        """The targets of the group that serve."""
        return [row[0] for row in self.segments.rows("SELECT pool FROM tidepool_targets WHERE serving = 1 ORDER BY pool")]

    def close_pools(self):
        for pool in self.pools:
            pool.close()
        self.pools = []

    def end(self):
        try:
            self.close_pools()
        finally:
            self.segments.end()
            for server in reversed(self.servers):
                server.destroy()


def until(condition, what, seconds=10):
    got = cluster.wait_until(condition, seconds)
    if not got:
        raise AssertionError(f"not within {seconds} s: {what}")
    return got


def read(pool, sql=WHERE):
    result = POINTER()
    call(library.tide_pool_query_with, pool.handle, sql.encode(), 0, None, ctypes.byref(reading()), ctypes.byref(result))
    return client.rows_of(result)[0][0].decode()


def in_transaction(pool, sql, isolation=0):
    tx, result = Tx(), POINTER()
    options = TxOptions(size=ctypes.sizeof(TxOptions), isolation=isolation, read_only=1, timeout_ms=-1, retry_attempts=-1)
    call(library.tide_tx_begin, pool.handle, ctypes.byref(options), ctypes.byref(tx))
    call(library.tide_tx_query, tx, sql.encode(), 0, None, None, ctypes.byref(result))
    call(library.tide_tx_commit, tx)
    return client.rows_of(result)[0][0].decode()


ALL = ["app", "app.replica1", "app.replica2"]
STANDBYS = {"first", "second"}


def all_serve(w, pools=None):
    until(lambda: w.serving() == (pools or ALL), f"{pools or ALL} serve")


def reads_go_to_standbys(w):
    pool = w.pool()
    all_serve(w)
    is_({read(pool) for _ in range(20)}, STANDBYS, "reads")
    is_(pool.value(WHERE), "primary", "another call")
    is_(in_transaction(pool, WHERE) in STANDBYS, True, "a read-only transaction")
    is_(in_transaction(pool, WHERE, SERIALIZABLE), "primary", "a serializable transaction, which standbys do not have")
    with pool.acquire() as lease:
        is_(lease.value(WHERE), "primary", "a read-write lease")
    held = [pool.acquire(read=True) for _ in range(6)]
    where = [lease.value(WHERE) for lease in held]
    is_((where.count("first"), where.count("second")), (3, 3), "leases go to the least loaded")
    for lease in held:
        lease.release()
    rows, page = POINTER(), POINTER()
    call(library.tide_pool_rows, pool.handle, WHERE.encode(), 0, None, ctypes.byref(reading()), ctypes.byref(rows))
    call(library.tide_rows_next, rows, ctypes.byref(page))
    is_(ctypes.string_at(library.tide_result_text(page, 0, 0)).decode() in STANDBYS, True, "rows that are pulled")
    library.tide_rows_close(rows)
    until(lambda: w.segments.value("SELECT sum(in_use) FROM tidepool_targets") == 0, "no lease is left")
    role, group, total = w.target("role, pool_group, reads_total", "app.replica1")
    is_((role, group, total > 10), ("replica", "app", True), "targets")
    is_(w.target("role, serving, lag_ms, errors_total, why", "app"), ("primary", 1, None, None, None), "targets")
    position = w.target("lsn", "app")[0]
    is_(w.primary.value(f"SELECT '{position}'::pg_lsn <= pg_current_wal_lsn()"), "t", position)


def outcome_of_callback(w):
    pool = w.pool()
    all_serve(w)
    got = []
    called = ctypes.CFUNCTYPE(None, POINTER, ctypes.c_int, client.Lease, client.ERROR)

    def outcome(_, status, lease, __):
        got.append((status, client.Lease(lease.pool, lease.id)))
    keep = called(outcome)
    with_ = client.AcquireOptions(size=ctypes.sizeof(client.AcquireOptions), mode=1, timeout_ms=5000, tag=b"later",
                                  callback=ctypes.cast(keep, POINTER))
    call(library.tide_pool_acquire_with, pool.handle, ctypes.byref(with_), None)
    until(lambda: got, "the callback is called")
    is_(got[0][0], 0, "status")
    with client.Held(got[0][1]) as lease:
        is_(lease.value(WHERE) in STANDBYS, True, "its lease is of a standby")


def no_write_reaches_a_standby(w):
    pool = w.pool()
    all_serve(w)
    with pool.acquire(read=True) as lease:
        is_(lease.value(WHERE) in STANDBYS, True, "a read lease")
        refuses(lease.query, "INSERT INTO log VALUES (1)", sqlstate="25006")
        lease.query("BEGIN")
        refuses(lease.query, "SET TRANSACTION READ WRITE")
        lease.query("ROLLBACK")
    pool.query("INSERT INTO log VALUES (1)")


def lagging_standby_gets_no_reads(w):
    pool = w.pool()
    all_serve(w)
    w.first.sql("SELECT pg_wal_replay_pause()")
    try:
        pool.query("UPDATE t SET n = n + 1")
        until(lambda: w.serving() == ["app", "app.replica2"], "it is left out")
        is_({read(pool) for _ in range(10)}, {"second"}, "reads")
        lag, why = w.target("lag_ms, why", "app.replica1")
        is_((lag > 400, "max_replica_lag" in why), (True, True), why)
        w.second.sql("SELECT pg_wal_replay_pause()")
        pool.query("UPDATE t SET n = n + 1")
        until(lambda: w.serving() == ["app"], "both are left out")
        is_(read(pool), "primary", "a read that no standby may serve")
        pool.set("max_replica_lag", "0")
        until(lambda: len(w.serving()) == 3, "any lag is accepted")
        pool.set("max_replica_lag", "400ms")
    finally:
        for server in (w.first, w.second):
            server.sql("SELECT pg_wal_replay_resume()")
    all_serve(w)
    kinds = [row[0] for row in w.segments.rows("SELECT kind FROM tidepool_events WHERE pool = 'app' AND kind LIKE 'target%'")]
    is_(set(kinds), {"target_left_out", "target_back"}, "events")


def reads_see_own_writes(w):
    pool = w.pool("read_your_writes=on")
    all_serve(w)
    wrote = int(pool.value("SELECT n FROM t"))
    for _ in range(15):
        wrote += 1
        pool.query("UPDATE t SET n = $1::int", str(wrote))
        is_(int(read(pool, "SELECT n FROM t")), wrote, "a read after a write")
        with pool.acquire() as lease:  # a write that the pool does not see
            wrote += 1
            lease.query("SET synchronous_commit = off")
            lease.query(f"UPDATE t SET n = {wrote}")
            is_(int(read(pool, "SELECT n FROM t")), wrote, "a read beside a lease")
            lease.query("RESET synchronous_commit")
    is_(sum(w.target("reads_total", name)[0] for name in ALL[1:]) > 10, True, "standbys are used")
    pool.set("max_replica_lag", "0")
    try:
        for server in (w.first, w.second):
            server.sql("SELECT pg_wal_replay_pause()")
        pool.query("UPDATE t SET n = $1::int", str(wrote + 1))
        is_(int(read(pool, "SELECT n FROM t")), wrote + 1, "standbys that are behind are not read")
        is_(read(pool), "primary", "from where")
        pool.set("read_your_writes", "off")
        is_(int(read(pool, "SELECT n FROM t")) <= wrote, True, "without the option a standby that is behind is read")
    finally:
        for server in (w.first, w.second):
            server.sql("SELECT pg_wal_replay_resume()")


def stopped_standby_is_left_out_and_tried_again(w):
    pool = w.pool()
    all_serve(w)
    w.second.stop("immediate")
    try:
        for _ in range(40):
            is_(read(pool) in ("first", "second"), True, "reads go on")  # a lost statement is repeated
        until(lambda: w.serving() == ["app", "app.replica1"], "it is left out")
        is_({read(pool) for _ in range(10)}, {"first"}, "reads")
        is_(w.target("left_out_since IS NOT NULL, why IS NOT NULL", "app.replica2"), (1, 1), "targets")
    finally:
        w.second.start()
    all_serve(w)
    until(lambda: "second" in {read(pool) for _ in range(4)}, "it is read again")


def group_is_closed_as_one(w):
    pool = w.pool()
    all_serve(w)
    held = pool.acquire(read=True)
    refuses(lambda: call(library.tide_pool_close, held.lease.pool, 0), status="refused")
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pg-test/app%'"
    is_(int(w.first.value(sessions)) >= 2, True, "a probe and a session of the pool")
    refuses(pool.close, 50, status="timeout")  # the lease is revoked
    w.pools.remove(pool)
    for server in w.servers:
        until(lambda server=server: server.value(sessions) == "0", f"no session remains on {server.name}")
    is_(w.segments.value("SELECT count(*) FROM tidepool_pools"), 0, "segments")
    refuses(held.release, status="closed")
    w.pool()
    all_serve(w)
    call(library.tide_close_all, 2000)
    w.pools = []
    is_(w.segments.value("SELECT count(*) FROM tidepool_pools"), 0, "segments")


def child_process_has_no_part(w):
    pool = w.pool()
    all_serve(w)
    lease = pool.acquire(read=True)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            refuses(lambda: read(pool), status="forked")
            refuses(lambda: lease.value(WHERE), status="forked")
            status = 0
        finally:
            os._exit(status)
    is_(os.waitpid(child, 0)[1], 0, "the child")
    is_(lease.value(WHERE) in STANDBYS, True, "the lease of the parent")
    lease.release()
    time.sleep(0.3)
    is_(w.serving(), ALL, "the probes go on")


def foreign_loop(w):
    pool = w.pool(foreign=True)
    until(lambda: pool.step() or w.serving() == ALL, "all serve")
    is_(read(pool) in STANDBYS, True, "a read")


def list_of_urls_in_any_order(w):
    def url(server):
        return f"postgresql://postgres@/postgres?host={server.host}".replace("/postgres?host=/", "/postgres?host=%2F")
    w.pool(url=",".join(url(s) for s in (w.first, w.primary)), replicas=[])
    all_serve(w, ["app", "app.replica1"])
    where = [w.target("target", name)[0] for name in ("app", "app.replica1")]
    is_((where[0].startswith(w.primary.host), where[1].startswith(w.first.host)), (True, True), f"roles: {where}")


def bad_input_is_refused(w):
    def refused(part, **arguments):
        refusal = refuses(lambda: w.pool(**arguments), status="bad_option")
        is_(part in str(refusal), True, str(refusal))
    refused("is the same server as the primary", replicas=[w.primary])
    refused("is the same server as target 1", replicas=[w.first, w.first])
    link = w.primary.folder / "link"
    link.symlink_to(w.first.host)
    refused("are the same server", replicas=[w.first, w.first.conninfo().replace(w.first.host, str(link))])
    refused("is not a PostgreSQL server", replicas=["file.db"])
    is_(w.segments.value("SELECT count(*) FROM tidepool_pools"), 0, "nothing remains")
    pool = w.pool(replicas=[w.first.conninfo(password="hunter2"), w.second])
    all_serve(w)
    shown = w.segments.value("SELECT value FROM tidepool_settings WHERE pool = 'app' AND name = 'replica_url'")
    is_(("hunter2" in shown, w.first.host in shown), (False, True), shown)
    everything = str([[tuple(r) for r in w.segments.rows(f"SELECT * FROM tidepool_{name}")]
                      for name in ("pools", "settings", "events", "targets", "commands")])
    is_("hunter2" in everything, False, "the password is nowhere")
    pool.close()
    w.pools.remove(pool)


def primary_dies(w):
    pool = w.pool("read_your_writes=on acquire_timeout=500ms")
    all_serve(w)
    pool.query("UPDATE t SET n = 1000")
    is_(read(pool, "SELECT n FROM t"), "1000", "before")
    w.primary.stop("immediate")
    is_({read(pool) for _ in range(10)} <= STANDBYS, True, "reads go on")
    until(lambda: w.serving() == ["app.replica1", "app.replica2"], "the primary is left out, standbys serve")
    time.sleep(0.5)  # longer than max_replica_lag
    is_(read(pool, "SELECT n FROM t"), "1000", "reads go on")
    refuses(lambda: pool.query("UPDATE t SET n = 1001"))
    w.primary.start()
    all_serve(w)
    until(lambda: not fails(lambda: pool.query("UPDATE t SET n = 1001")), "writes work again")
    is_(read(pool, "SELECT n FROM t"), "1001", "after")


def fails(function):
    try:
        function()
    except client.Refusal:
        return True
    return False


def promoted_standby_is_left_out(w):
    pool = w.pool()
    all_serve(w)
    pool.query("INSERT INTO log VALUES (100)")
    until(lambda: w.second.value("SELECT count(*) FROM log WHERE n = 100") == "1", "it is replicated")
    w.second.sql("SELECT pg_promote()")
    until(lambda: w.serving() == ["app", "app.replica1"], "it is left out")
    is_("promoted" in w.target("why", "app.replica2")[0], True, "why")
    for n in range(101, 121):
        pool.query("INSERT INTO log VALUES ($1::int)", str(n))
        is_(read(pool), "first", "reads")
    is_(w.second.value("SELECT max(n) FROM log"), "100", "no write reached it")
    is_(w.primary.value("SELECT max(n) FROM log"), "120", "all reached the primary")
    refusal = refuses(lambda: w.pool(name="again"), status="bad_option")
    is_("is a primary" in str(refusal) and w.second.host in str(refusal), True, str(refusal))


CASES = (reads_go_to_standbys, outcome_of_callback, no_write_reaches_a_standby, lagging_standby_gets_no_reads,
         reads_see_own_writes, stopped_standby_is_left_out_and_tried_again, group_is_closed_as_one,
         child_process_has_no_part, foreign_loop, list_of_urls_in_any_order, bad_input_is_refused, primary_dies,
         promoted_standby_is_left_out)


def main():
    support.require_server()
    w = World()
    try:
        def guarded(case):
            def played():
                try:
                    return case(w)
                finally:
                    w.close_pools()
            played.__name__ = case.__name__
            return played
        return client.run([guarded(case) for case in CASES])
    finally:
        w.end()


if __name__ == "__main__":
    sys.exit(main())
