#!/usr/bin/python3
"""Every column of pools, pool_stats, pool_history and of the query log in a situation in which its value is known.

usage: test_figures.py sqlite|postgresql [CASE...]

A case names the columns that it checks, and fails if it did not check one of them. A column that no case names fails
`every_column_is_checked`.
"""
import ctypes
import functools
import json
import os
import re
import socket
import sqlite3
import sys
import threading
import time

import receiver
import stage
from stage import client, is_, until, within

CALM = "scaling=off burst=off health_interval=0 validation_interval=0 recovery='' emergency=off"
NOTHING = {relation: set() for relation in "pools pool_stats pool_history slow_queries failed_queries queries tags "
                                            "insights".split()}
TOLD = {relation: set() for relation in NOTHING}


def between(low, high):
    return lambda got: got is not None and low <= got <= high


def tells(**columns):
    """Columns of the case: relation="column column ...". The case gets `shows`, which compares values."""
    named = {relation: set(words.split()) for relation, words in columns.items()}
    for relation, words in named.items():
        TOLD[relation] |= words

    def deco(case):
        @functools.wraps(case)
        def played(s):
            looked_at = {relation: set() for relation in named}

            def shows(relation, what="", also="", **expected):
                looked_at[relation] |= set(expected)
                cells = [f"{epoch(s, name)} AS {name}" if is_time(name) else f'"{name}"' for name in expected]
                found = s.rows(f"SELECT {', '.join(cells)} FROM ~{relation} WHERE pool = :pool {also}")
                is_(len(found), 1, f"{what}: rows of {relation}")
                wrong = [f"{name} is {got!r}" + ("" if callable(right) else f", not {right!r}")
                         for (name, right), got in zip(expected.items(), found[0])
                         if not (right(got) if callable(right) else got == right)]
                is_(wrong, [], what)
            said = case(s, shows)
            is_({relation: names - looked_at[relation] for relation, names in named.items()},
                {relation: set() for relation in named}, "columns that were named and not checked")
            return said
        return played
    return deco


def is_time(column):
    return column in ("at", "burst_until", "stats_reset", "first_seen", "last_seen") or column.endswith("_at")


def epoch(s, column):
    """Seconds since 1970."""
    if s.database.name == "sqlite":
        return f"(julianday(\"{column}\") - 2440587.5) * 86400.0"
    return f"CAST(extract(epoch FROM \"{column}\") AS double precision)"


def now():
    return between(time.time() - 2, time.time() + 2)


def every_column_is_checked(s):
    for relation, told in TOLD.items():
        there = {row[0] for row in s.rows(f"SELECT column_name FROM ~help WHERE relation = '{relation}' "
                                          "AND column_name IS NOT NULL")}
        is_((there - told, told - there), (set(), set()), f"columns of {relation}: not checked, not existing")


@tells(pools="instance_id pool source app host pid backend target db_user state size idle in_use connecting validating waiting "
             "oldest_wait_ms min_size max_size target_size limit_size size_source burst_until utilization health generation "
             "started_at sampled_at age_ms version breaker breaker_probe_at pooler")
def current_values(s, shows):
    pool = s.pool(f"min_size=2 max_size=4 {CALM} burst=on fairness_window=0")
    began = now()
    s.reaches("size, idle, state", (2, 2, "running"))
    is_sqlite = s.database.name == "sqlite"
    user = None if is_sqlite else s.value("SELECT user")
    shows("pools", "at rest", instance_id=lambda got: re.fullmatch("[0-9a-f]{32}", str(got)) is not None, pool=s.name,
          source="segment", app="pg-test", host=socket.gethostname(), pid=os.getpid(), backend=s.database.name,
          target=lambda got: (s.name if is_sqlite else "postgres") in got, db_user=user, state="running", size=2, idle=2,
          in_use=0, connecting=0, validating=0, waiting=0, oldest_wait_ms=0, min_size=2, max_size=4, target_size=2,
          limit_size=4, size_source="config", burst_until=None, utilization=0, health=None, generation=0, started_at=began,
          sampled_at=now(), age_ms=between(0, 3000), version=lambda got: got and got[0].isdigit(), breaker="closed",
          breaker_probe_at=None, pooler=lambda got: got is None if is_sqlite else got in (None, "none"))
    held = [pool.acquire() for _ in range(2)]
    shows("pools", "held", size=2, idle=0, in_use=2, utilization=0.5)
    s.order("scale(:pool, 3)")
    s.reaches("size", 3)
    held.append(pool.acquire())
    shows("pools", "scaled", in_use=3, target_size=3, generation=1, size_source="manual")
    s.order("pause(:pool)")
    asked = time.monotonic()
    waiter = threading.Thread(target=lambda: held.append(pool.acquire(timeout_ms=20000)))
    waiter.start()
    s.reaches("waiting, state", (1, "paused"))
    until(lambda: s.state("oldest_wait_ms") > 100, "it waits")
    shows("pools", "waiting", waiting=1, oldest_wait_ms=between(100, (time.monotonic() - asked) * 1000 + 50))
    s.order("burst(:pool, '60s')")
    shows("pools", "burst", burst_until=between(time.time() + 55, time.time() + 61), size_source="burst", limit_size=8)
    s.order("resume(:pool)")
    held[0].release()
    waiter.join(20)
    for lease in held[1:]:
        lease.release()
    s.order("check_health(:pool)")
    shows("pools", "checked", health=100)


@tells(pools="breaker breaker_probe_at state", pool_stats="connect_failures_total last_error last_error_at")
def losses(s, shows):
    road = s.road()
    pool = s.pool(f"min_size=1 max_size=2 {CALM} breaker_trip_after=500ms breaker_probe_interval=1s retry_base=100ms "
                  "retry_max=200ms connect_timeout=1s acquire_timeout=300ms", url=road.url)
    s.reaches("size, idle", (1, 1))
    road.lose(pool)
    until(lambda: s.state("breaker") in ("open", "half_open"), "the breaker opens")
    until(lambda: s.rows("SELECT 1 FROM ~pools WHERE pool = :pool AND breaker = 'open' AND breaker_probe_at IS NOT NULL"),
          "a probe is due")
    shows("pools", "lost", breaker=lambda got: got in ("open", "half_open"), state="degraded",
          breaker_probe_at=lambda got: got is None or now()(got))
    failures = len(s.events("connect_error"))
    shows("pool_stats", "lost", connect_failures_total=between(failures, failures + 5), last_error=lambda got: bool(got),
          last_error_at=now())
    road.find()
    s.reaches("breaker, breaker_probe_at", ("closed", None))


COUNTED = ("acquires_total acquires_waited_total acquire_timeouts_total acquire_rejected_total releases_total connects_total "
           "queries_total query_errors_total query_faults_total wait_ms_total use_ms_total connect_ms_total query_ms_total "
           "waits_over_objective_total in_use_peak waiting_peak validations_total health_checks_total bursts_total "
           "scale_up_total scale_down_total transactions_total retries_total statement_cache_hits_total "
           "statement_cache_misses_total statement_cache_evictions_total query_cache_hits_total query_cache_misses_total "
           "query_cache_shared_total query_cache_stale_total query_cache_evictions_total query_cache_invalidations_total "
           "query_cache_refused_total")
CACHE = ("query_cache_hits_total query_cache_misses_total query_cache_shared_total query_cache_stale_total "
         "query_cache_evictions_total query_cache_invalidations_total query_cache_refused_total query_cache_entries "
         "query_cache_bytes")


@tells(pool_stats=f"instance_id pool {COUNTED} size_peak last_error last_error_at stats_reset wait_p50_ms "
                  "wait_p95_ms wait_p99_ms wait_max_ms use_p50_ms use_p99_ms query_p50_ms query_p99_ms memory_bytes wal_bytes "
                  "connect_failures_total leases_overdue_total leases_reclaimed_total leases_cancelled_total "
                  "validation_failures_total",
       pool_history="instance_id pool at resolution_ms")
def counters(s, shows):
    pool = s.pool(f"min_size=3 max_size=3 {CALM} burst=on max_waiting=1 fairness_window=0")
    s.reaches("size, idle", (3, 3))
    began = time.monotonic()
    held = [pool.acquire() for _ in range(3)]
    client.refuses(pool.acquire, "at once", 0, status="timeout")
    got = []
    waiter = threading.Thread(target=lambda: got.append(pool.acquire(timeout_ms=20000)))
    waiter.start()
    s.reaches("waiting", 1)
    client.refuses(pool.acquire, "one too many", 5000, status="queue_full")
    waited_ms = 200
    until(lambda: s.state("oldest_wait_ms") > waited_ms, "it waits")
    held[0].release()
    waiter.join(20)
    most_waited_ms = (time.monotonic() - began) * 1000
    held[1].query(s.database.slow)
    held[1].query(f"CREATE TABLE {s.name} (a INTEGER PRIMARY KEY)")
    held[1].query(f"INSERT INTO {s.name} VALUES (1)")
    client.refuses(held[2].query, s.database.faulty, status="database")
    client.refuses(held[1].query, f"INSERT INTO {s.name} VALUES (1)", status="database")
    shows("pool_stats", "at once", last_error=lambda said: "unique" in said.lower(), last_error_at=now(), query_errors_total=2)
    for lease in (*held[1:], *got):
        lease.release()
    elapsed_ms = (time.monotonic() - began) * 1000
    for _ in range(3):
        s.order("burst(:pool, '60s')")
        s.order("burst(:pool, '60s')")  # extends the current one, and is not counted as another
        s.order("end_burst(:pool)")
    s.order("check_health(:pool)")
    until(lambda: s.value("SELECT query_p99_ms FROM ~pool_stats WHERE pool = :pool") is not None, "a second is over")
    is_sqlite = s.database.name == "sqlite"
    wal_bytes = None
    if is_sqlite:
        wal_bytes = os.path.getsize(f"{s.database.folder}/{s.name}.db-wal")
        within(wal_bytes, 1, 1 << 30, "bytes of the log")
        until(lambda: s.value("SELECT wal_bytes FROM ~pool_stats WHERE pool = :pool") == wal_bytes, "its size is shown")
    longest = between(waited_ms / 1.6, most_waited_ms * 1.6)  # a bucket is half as wide as its upper bound
    shows("pool_stats", "counted", instance_id=s.value("SELECT instance_id FROM ~pools WHERE pool = :pool"), pool=s.name,
          acquires_total=4, acquires_waited_total=1, acquire_timeouts_total=1, acquire_rejected_total=1, releases_total=4,
          connects_total=3, connect_failures_total=0, queries_total=5, query_errors_total=2, query_faults_total=1,
          wait_ms_total=between(waited_ms, most_waited_ms), waits_over_objective_total=1,
          use_ms_total=between(2 * waited_ms, 4 * elapsed_ms), connect_ms_total=between(0.001, 20_000),
          query_ms_total=between(1, elapsed_ms), size_peak=3, in_use_peak=3, waiting_peak=1, bursts_total=3,
          validations_total=1, validation_failures_total=0, health_checks_total=1, scale_up_total=0, scale_down_total=0,
          leases_overdue_total=0, leases_reclaimed_total=0, leases_cancelled_total=0, stats_reset=None,
          transactions_total=0, retries_total=0, statement_cache_hits_total=0, statement_cache_misses_total=5,
          statement_cache_evictions_total=0,
          wait_p50_ms=between(0, 0.001),
          wait_p95_ms=longest, wait_p99_ms=longest, wait_max_ms=longest, use_p50_ms=between(waited_ms / 1.6, elapsed_ms * 1.6),
          use_p99_ms=between(waited_ms / 1.6, elapsed_ms * 1.6), query_p50_ms=between(0, elapsed_ms * 1.6),
          query_p99_ms=between(0, elapsed_ms * 1.6), memory_bytes=between(1, 1 << 40) if is_sqlite else None,
          wal_bytes=wal_bytes, **dict.fromkeys(CACHE.split(), 0))
    s.order("scale(:pool, 3)")
    s.order("reset_stats(:pool)")
    shows("pool_stats", "after the reset", **dict.fromkeys(COUNTED.split(), 0), size_peak=3, stats_reset=now(),
          last_error=lambda said: "unique" in said.lower())
    shows("pool_history", "a second", "AND resolution_ms = 1000 AND at = (SELECT max(at) FROM ~pool_history WHERE pool = :pool "
          "AND resolution_ms = 1000)", instance_id=s.value("SELECT instance_id FROM ~pools WHERE pool = :pool"), pool=s.name,
          at=between(time.time() - 5, time.time() + 2), resolution_ms=1000)


# What a second of the history counts, against the counters, and the history of the instance before.
@tells(pool_stats="result_bytes_total",
       pool_history="measured_by queries query_errors faults query_ms query_p99_ms connects connect_failures query_cache_hits "
                    "query_cache_misses result_bytes wait_ms waited replica_lag_ms covers_ms")
def complete_history(s, shows):
    pool = s.pool(f"min_size=1 max_size=1 {CALM} query_cache=on")
    s.reaches("size, idle", (1, 1))
    instance = s.value("SELECT instance_id FROM ~pools WHERE pool = :pool")
    lease = pool.acquire()
    got = []
    waiter = threading.Thread(target=lambda: got.append(pool.acquire(timeout_ms=20000)))
    waiter.start()
    s.reaches("waiting", 1)
    until(lambda: s.state("oldest_wait_ms") > 50, "it waits")
    lease.query(s.database.slow)
    client.refuses(lease.query, s.database.faulty, status="database")
    lease.release()
    waiter.join(20)
    got[0].query("SELECT 'abcde'")
    got[0].release()
    for _ in range(3):
        ask_cached(pool, "SELECT 'a'", cache_ttl_ms=60_000, cache_key=b"a")
    counted = ("queries_total, query_errors_total, query_faults_total, connects_total, connect_failures_total, "
               "query_cache_hits_total, query_cache_misses_total, result_bytes_total, acquires_waited_total")
    sums = ("sum(queries), sum(query_errors), sum(faults), sum(connects), sum(connect_failures), sum(query_cache_hits), "
            "sum(query_cache_misses), sum(result_bytes), sum(waited)")
    seconds = "FROM ~pool_history WHERE pool = :pool AND resolution_ms = 1000"
    until(lambda: s.value(f"SELECT sum(queries) {seconds}") == 4, "the last second is over")
    totals = tuple(map(int, s.rows(f"SELECT {counted} FROM ~pool_stats WHERE pool = :pool")[0]))
    is_(tuple(map(int, s.rows(f"SELECT {sums} {seconds}")[0])), totals, "sums of the seconds")
    is_((*totals[:7], totals[8]), (4, 1, 1, 1, 0, 2, 1, 1), "queries, errors, faults, connects, failures, hits, misses, waited")
    shows("pool_stats", "bytes of results", result_bytes_total=between(5, 100))
    for total, column in (("query_ms_total", "query_ms"), ("wait_ms_total", "wait_ms")):
        whole = s.value(f"SELECT {total} FROM ~pool_stats WHERE pool = :pool")
        within(s.value(f"SELECT sum({column}) {seconds}"), whole - 0.1, whole + 0.1, f"{column} of all seconds")
    longest_ms = s.value(f"SELECT max(query_ms) {seconds}")
    shows("pool_history", "with the errors", second_like(s, "query_errors = 1"), measured_by=instance,
          queries=between(1, 4), query_errors=1, faults=1, query_ms=between(0.001, longest_ms),
          query_p99_ms=between(0.0001, longest_ms * 1.6), connect_failures=0, replica_lag_ms=None,
          covers_ms=between(900, 60_000))
    shows("pool_history", "with the wait", second_like(s, "waited = 1"), waited=1, wait_ms=between(30, 60_000))
    shows("pool_history", "with the result", second_like(s, "result_bytes >= 5"), result_bytes=between(5, 100))
    shows("pool_history", "with the hits", second_like(s, "query_cache_hits > 0"), query_cache_hits=between(1, 2))
    shows("pool_history", "with the miss", second_like(s, "query_cache_misses > 0"), query_cache_misses=1)
    shows("pool_history", "with the connect", second_like(s, "connects = 1"), connects=1)


# A critical request, which is the first of the queue, leaves it when its token is tripped.
@tells(pool_stats="acquire_cancelled_total")
def cancelled_requests(s, shows):
    pool = s.pool(f"min_size=1 max_size=1 {CALM}")
    s.reaches("size, idle", (1, 1))
    held = pool.acquire()
    token = ctypes.c_void_p()
    client.call(client.library.tide_cancel_token_new, ctypes.byref(token))
    got = []
    normal = threading.Thread(target=lambda: got.append(pool.acquire("normal", 20000)))
    normal.start()
    s.reaches("waiting", 1)
    refused = []
    critical = threading.Thread(target=lambda: refused.append(client.refuses(
        lambda: pool.acquire("critical", 20000, critical=True, token=token), sqlstate="57014", status="cancelled")))
    critical.start()
    s.reaches("waiting", 2)
    who = s.rows("SELECT priority FROM ~waiters WHERE pool = :pool")
    is_(sorted(row[0] for row in who), ["critical", "normal"], "who waits")
    client.library.tide_cancel_token_trip(token)
    critical.join(20)
    is_(len(refused), 1, "the request is refused")
    client.library.tide_cancel_token_free(token)
    shows("pool_stats", "one left the queue", acquire_cancelled_total=1)
    held.release()
    normal.join(20)
    got[0].release()


@tells(pool_stats="statement_cache_hits_total statement_cache_misses_total statement_cache_evictions_total "
                  "statement_cache_bytes")
def prepared_statements(s, shows):
    pool = s.pool(f"min_size=1 max_size=1 {CALM} statement_cache_size=2")
    lease = pool.acquire()
    shows("pool_stats", "none yet", statement_cache_hits_total=0, statement_cache_misses_total=0, statement_cache_bytes=0)
    for sql, times in (("SELECT 1 AS a", 3), ("SELECT 2 AS a /* %d */", 2), ("SELECT 3 AS a", 2)):
        for n in range(times):
            lease.query(sql % n if "%" in sql else sql)
    # Each is prepared at its second use; the first of them has to leave for the third.
    shows("pool_stats", "three texts", statement_cache_hits_total=1, statement_cache_misses_total=6,
          statement_cache_evictions_total=1, statement_cache_bytes=between(1, 1 << 20))
    is_(s.value("SELECT statements FROM ~connections WHERE pool = :pool"), 2, "statements that the connection keeps")
    lease.release()


class QueryOptions(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint32), ("mode", ctypes.c_int32), ("timeout_ms", ctypes.c_int64), ("tag", ctypes.c_char_p),
                ("retry_attempts", ctypes.c_int32), ("placeholders", ctypes.c_int32), ("names", ctypes.c_void_p),
                ("max_rows", ctypes.c_int64), ("max_bytes", ctypes.c_int64), ("callback", ctypes.c_void_p),
                ("context", ctypes.c_void_p), ("priority", ctypes.c_int32), ("cache", ctypes.c_int32),
                ("cache_ttl_ms", ctypes.c_int64), ("cache_stale_ms", ctypes.c_int64), ("cache_key", ctypes.c_char_p),
                ("cache_tags", ctypes.c_char_p), ("cancel", ctypes.c_void_p)]


def ask_cached(pool, sql, **terms):
    call = client.library.tide_pool_query_with
    call.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(QueryOptions),
                     ctypes.c_void_p, client.ERROR]
    with_terms = QueryOptions(size=ctypes.sizeof(QueryOptions), timeout_ms=-1, retry_attempts=-1, cache=1, **terms)
    client.call(call, pool.handle, sql.encode(), 0, None, ctypes.byref(with_terms), None)


@tells(pool_stats=CACHE)
def query_cache(s, shows):
    pool = s.pool(f"min_size=2 max_size=2 {CALM} query_cache=on query_cache_entries=2")
    ask = functools.partial(ask_cached, pool)
    shows("pool_stats", "none yet", **dict.fromkeys(CACHE.split(), 0))
    for _ in range(3):
        ask("SELECT 'a'", cache_ttl_ms=60_000, cache_key=b"a")
    shows("pool_stats", "two hits", query_cache_hits_total=2, query_cache_misses_total=1, query_cache_entries=1,
          query_cache_bytes=between(100, 4000), query_cache_shared_total=0)
    ask("SELECT random()")
    shows("pool_stats", "volatile", query_cache_refused_total=1)
    for n in range(3):
        ask(f"SELECT 'b{n}'", cache_ttl_ms=50)
    shows("pool_stats", "no room", query_cache_evictions_total=2, query_cache_entries=2, query_cache_misses_total=4)
    give_up = time.monotonic() + 10
    while s.value("SELECT query_cache_stale_total FROM ~pool_stats WHERE pool = :pool") == 0 and time.monotonic() < give_up:
        ask("SELECT 'b2'", cache_ttl_ms=50, cache_stale_ms=60_000)
    shows("pool_stats", "expired", query_cache_stale_total=between(1, 1000))
    s.order("clear_cache(:pool)")
    shows("pool_stats", "cleared", query_cache_invalidations_total=between(1, 3), query_cache_entries=0, query_cache_bytes=0)


class Transaction(ctypes.Structure):
    _fields_ = [("pool", ctypes.c_void_p), ("id", ctypes.c_uint64)]


BODY = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, Transaction)


@tells(pool_stats="transactions_total retries_total retries_helped_total")
def transactions(s, shows):
    library, call = client.library, client.call
    library.tide_tx_commit.argtypes = library.tide_tx_rollback.argtypes = [Transaction, client.ERROR]
    pool = s.pool(f"min_size=1 max_size=1 {CALM} retry_attempts=2 retry_base=1ms")
    for end in (library.tide_tx_commit, library.tide_tx_rollback, library.tide_tx_commit):
        tx = Transaction()
        call(library.tide_tx_begin, pool.handle, None, ctypes.byref(tx))
        call(end, tx)
    shows("pool_stats", "by handle", transactions_total=3, retries_total=0)
    call(library.tide_pool_transaction, pool.handle, BODY(lambda context, tx: 0), None, None)
    client.refuses(call, library.tide_pool_transaction, pool.handle, BODY(lambda context, tx: 1), None, None,
                   status="rolled_back")
    shows("pool_stats", "with a body", transactions_total=5, retries_total=0, retries_helped_total=0)


@tells(pool_stats="server_sessions server_sessions_max")
def sessions_of_the_server(s, shows):
    s.pool(f"min_size=1 max_size=1 {CALM}")
    s.reaches("size, idle", (1, 1))
    s.order("check_health(:pool)")
    if s.database.name == "sqlite":
        return shows("pool_stats", "none", server_sessions=None, server_sessions_max=None)
    most = int(s.value("SELECT setting FROM pg_settings WHERE name = 'max_connections'"))
    until(lambda: s.value("SELECT server_sessions FROM ~pool_stats WHERE pool = :pool"), "it is surveyed")
    shows("pool_stats", "of a survey", server_sessions=between(1, most), server_sessions_max=between(most - 10, most))


def second_like(s, condition):
    """A second of the history for which the condition is true."""
    newest = f"SELECT max(at) FROM ~pool_history WHERE pool = :pool AND resolution_ms = 1000 AND {condition}"
    until(lambda: s.value(newest) is not None, f"a second in which {condition}")
    return f"AND resolution_ms = 1000 AND at = ({newest})"


@tells(pool_history="size in_use_avg in_use_max waiting_max limit_size acquires timeouts errors wait_p99_ms use_ms "
                    "predicted_in_use health")
def recorded_history(s, shows):
    pool = s.pool(f"min_size=2 max_size=4 {CALM} prediction=off fairness_window=0")
    s.reaches("size, idle", (2, 2))
    lease = pool.acquire()
    shows("pool_history", "one is held", second_like(s, "acquires = 0 AND in_use_avg > 0.99"), size=2,
          in_use_avg=between(0.99, 1.01), in_use_max=1, waiting_max=0, limit_size=4, acquires=0, timeouts=0, errors=0,
          wait_p99_ms=None, use_ms=0, predicted_in_use=lambda got: got is None or got >= 0, health=None)
    client.refuses(lease.query, s.database.faulty, status="database")
    other = pool.acquire()
    client.refuses(pool.acquire, "times out", 0, status="timeout")
    s.order("pause(:pool)")
    client.refuses(pool.acquire, "times out", 50, status="timeout")
    s.order("resume(:pool)")
    other.release()
    lease.release()
    s.order("check_health(:pool)")
    until(lambda: s.value("SELECT sum(use_ms) FROM ~pool_history WHERE pool = :pool AND resolution_ms = 1000") > 0, "ends")
    used_ms = s.value("SELECT use_ms_total FROM ~pool_stats WHERE pool = :pool")
    told = s.rows("SELECT sum(acquires), sum(timeouts), sum(errors), max(in_use_max), max(waiting_max), "
                  "sum(use_ms) FROM ~pool_history WHERE pool = :pool AND resolution_ms = 1000")[0]
    is_(tuple(map(int, told[:5])), (2, 2, 1, 2, 1), "acquires, timeouts, errors, in_use_max, waiting_max of all seconds")
    within(told[5], used_ms - 0.1, used_ms + 0.1, "use_ms of all seconds")
    shows("pool_history", "at rest", second_like(s, "health = 100 AND in_use_max = 0"), in_use_avg=between(0, 0.001),
          health=100)


@tells(pool_stats="closed_idle_total closed_lifetime_total closed_uses_total closed_error_total closed_scale_total "
                  "closed_control_total closed_total lived_ms_total scale_up_total scale_down_total size_peak "
                  "leases_overdue_total leases_reclaimed_total leases_cancelled_total")
def closed_connections(s, shows):
    pool = s.pool(f"min_size=1 max_size=4 {CALM}")
    began = time.monotonic()
    s.reaches("size, idle", (1, 1))

    def closed(**counts):
        (column, n), = counts.items()
        until(lambda: s.value(f"SELECT {column} FROM ~pool_stats WHERE pool = :pool") == n, f"{column} {n}")
        shows("pool_stats", column, **counts)
    s.order("scale(:pool, 3)")
    s.reaches("idle", 3)
    s.order("scale(:pool, 1)")
    closed(closed_scale_total=2)
    shows("pool_stats", "scaled", scale_up_total=1, scale_down_total=1, size_peak=3)
    s.order("close_connection((SELECT max(conn_id) FROM ~connections WHERE pool = :pool), :pool)")
    closed(closed_control_total=1)
    s.reaches("idle", 1)
    s.set("max_uses", 1)
    pool.acquire().release()
    closed(closed_uses_total=1)
    s.set("max_uses", 0)
    s.reaches("idle", 1)
    client.call(client.library.tide_lease_discard, pool.acquire().lease)
    closed(closed_error_total=1)
    s.reaches("idle", 1)
    s.set("lease_timeout", "200ms")
    s.set("lease_timeout_action", "cancel")
    with pool.acquire():
        until(lambda: s.value("SELECT leases_cancelled_total FROM ~pool_stats WHERE pool = :pool") == 1, "it is cancelled")
    s.set("lease_timeout_action", "reclaim")
    lost = pool.acquire()
    until(lambda: s.value("SELECT leases_reclaimed_total FROM ~pool_stats WHERE pool = :pool") == 1, "it is taken away")
    shows("pool_stats", "reclaimed", leases_overdue_total=2, leases_reclaimed_total=1, leases_cancelled_total=1)
    client.refuses(lost.release, status="stale_lease")
    closed(closed_control_total=2)
    s.set("lease_timeout", "0")
    s.reaches("idle", 1)
    shows("pool_stats", "all", closed_total=6, lived_ms_total=between(200, 6 * (time.monotonic() - began) * 1000),
          closed_idle_total=0, closed_lifetime_total=0)


@tells(pool_stats="closed_idle_total closed_lifetime_total")
def lifetimes(s, shows):
    pool = s.pool(f"min_size=0 max_size=1 {CALM} idle_timeout=1s")
    pool.query("SELECT 1")
    until(lambda: s.value("SELECT closed_idle_total FROM ~pool_stats WHERE pool = :pool"), "it was idle too long")
    s.reaches("size", 0)
    shows("pool_stats", "idle", closed_idle_total=1, closed_lifetime_total=0)
    s.set("idle_timeout", "0")
    s.set("max_lifetime", "1s")
    pool.query("SELECT 1")
    s.set("max_lifetime", "0")  # determined when opened: it still ends, but its successor does not
    until(lambda: s.value("SELECT closed_lifetime_total FROM ~pool_stats WHERE pool = :pool"), "its time is over")
    shows("pool_stats", "old", closed_idle_total=1, closed_lifetime_total=1)


@tells(pool_stats="emergencies_total recovery_attempts_total recoveries_total health_checks_total health_check_failures_total "
                  "alerts_fired_total")
def faults(s, shows):
    pool = s.pool("min_size=2 max_size=4 burst=off health_interval=1s recovery=restart_connections recovery_max_attempts=2 "
                  "emergency=on alert_errors_per_hour=5")
    s.reaches("size, idle", (2, 2))
    storm = s.callers(2, lambda: pool.query(s.database.faulty), 0.02)
    until(lambda: s.events("emergency_on"), "an emergency", 60)
    until(lambda: s.events("recovery"), "an attempt", 60)
    until(lambda: s.events("alert_firing"), "an alert", 60)
    storm.stop()

    def is_told():
        begun = sum(json.loads(detail)["outcome"] == "begun" for (detail,) in s.rows(
            "SELECT CAST(detail AS text) FROM ~events WHERE pool = :pool AND kind = 'recovery'"))
        helped = s.value("SELECT count(*) FROM ~events WHERE pool = :pool AND kind = 'recovery' AND severity = 'info'")
        shows("pool_stats", "trouble", emergencies_total=len(s.events("emergency_on")), recovery_attempts_total=begun,
              recoveries_total=helped, alerts_fired_total=len(s.events("alert_firing")))
        return True
    wrong = []

    def is_settled():  # between two queries there may be one more
        try:
            return is_told()
        except AssertionError as why:
            wrong[:] = [str(why)]
            return False
    if not client.cluster.wait_until(is_settled, 10):
        raise AssertionError(wrong[0])
    checks, failures = s.rows("SELECT health_checks_total, health_check_failures_total FROM ~pool_stats WHERE pool = :pool")[0]
    shows("pool_stats", "checks", health_checks_total=between(checks, checks + 3),
          health_check_failures_total=between(1, checks))
    is_(checks >= failures >= 1, True, f"{failures} of {checks} checks")


@tells(pool_stats="efficiency slow_share prediction_accuracy overloads_total")
def sizing(s, shows):
    pool = s.pool("min_size=2 max_size=2 burst=off health_interval=0")
    s.reaches("size, idle", (2, 2))
    lease = pool.acquire()
    until(lambda: (s.value("SELECT efficiency FROM ~pool_stats WHERE pool = :pool") or 0) > 0.45, "half of it is in use", 60)
    shows("pool_stats", "one of two", efficiency=between(0.45, 0.501), slow_share=lambda got: got in (None, 0),
          prediction_accuracy=lambda got: got is None or 0 <= got <= 1, overloads_total=0)
    lease.release()


@tells(pools="connecting validating", pool_stats="validations_total validation_failures_total")
def connecting_and_validating(s, shows):
    """A connect that gets no answer, and a validation."""
    held_up = s.held_up()
    pool = s.pool(f"min_size=1 max_size=2 {CALM} connect_timeout=20s validation_timeout=1s", url=held_up.url)
    pool.set("validation_query", held_up.validation_query)
    s.reaches("size, idle", (1, 1))
    shows("pools", "before", connecting=0, validating=0)
    held_up.hold()
    s.set("validation_interval", "100ms")
    s.reaches("validating", 1)
    shows("pools", "asked", validating=1, connecting=0, size=1)
    s.set("validation_interval", "0")
    until(lambda: s.value("SELECT validation_failures_total FROM ~pool_stats WHERE pool = :pool"), "no answer came")
    shows("pool_stats", "failed", validations_total=1, validation_failures_total=1)
    is_(len(s.events("validation_failed")), 1)
    late = s.pool(f"min_size=1 max_size=2 {CALM} connect_timeout=20s", url=held_up.url_of_late, name=f"{s.name}_late")
    until(lambda: s.eyes.rows(f"SELECT connecting, validating, size FROM ~pools WHERE pool = '{late.name}'") == [(1, 0, 1)],
          "one is connecting")
    held_up.let_go()
    until(lambda: s.eyes.rows(f"SELECT connecting, idle FROM ~pools WHERE pool = '{late.name}'") == [(0, 1)], "is connected")


WAL = ("wal_bytes limit_bytes frames frames_checkpointed last_checkpoint last_checkpoint_at blocked_ms oldest_reader_ms "
       "oldest_reader_tag oldest_reader_lease_id oldest_reader_conn_id last_error")


@tells(pool_stats="checkpoints_total checkpoint_failures_total")
def checkpoints(s, shows):
    pool = s.pool(f"min_size=2 max_size=2 {CALM} sqlite_wal_limit=1MB")

    def wal():
        found = s.rows(f"SELECT {', '.join(WAL.split())} FROM ~wal WHERE pool = :pool")
        return dict(zip(WAL.split(), found[0])) if found else None

    def write():
        for _ in range(20):
            pool.query("INSERT INTO t VALUES (randomblob(100000))")
    is_({row[0] for row in s.rows("SELECT column_name FROM ~help WHERE relation = 'wal' AND column_name IS NOT NULL")},
        set(WAL.split()) | {"instance_id", "pool"}, "columns of wal")
    if s.database.name != "sqlite":
        is_(wal(), None)
        shows("pool_stats", "without a WAL", checkpoints_total=0, checkpoint_failures_total=0)
        return
    version = sqlite3.sqlite_version_info
    is_fixed = version >= (3, 51, 3) or any(version[:2] == fixed[:2] and version >= fixed
                                            for fixed in ((3, 44, 6), (3, 50, 7)))
    note = s.value("SELECT note FROM ~settings WHERE pool = :pool AND name = 'sqlite_journal_mode'")
    is_(note is None or "update to 3.51.3" not in note, is_fixed, note)
    pool.query("CREATE TABLE t (x)")
    write()
    until(lambda: (wal() or {}).get("last_checkpoint") and wal()["frames"] == wal()["frames_checkpointed"], "it is copied")
    seen = wal()
    is_(seen["last_checkpoint"] in ("passive", "truncate"), True, seen)
    is_(abs(s.value(f"SELECT {epoch(s, 'last_checkpoint_at')} FROM ~wal WHERE pool = :pool") - time.time()) < 60, True, seen)
    within(seen["wal_bytes"], 0, 2 << 20, "bytes of the log")
    is_((seen["limit_bytes"], seen["blocked_ms"], seen["oldest_reader_ms"], seen["oldest_reader_lease_id"],
         seen["last_error"]), (1 << 20, None, None, None, None), seen)
    before = s.value("SELECT checkpoint_failures_total FROM ~pool_stats WHERE pool = :pool")
    reader = pool.acquire("report")
    reader.query("BEGIN")
    reader.query("SELECT count(*) FROM t")
    write()
    until(lambda: wal()["blocked_ms"] and wal()["oldest_reader_ms"], "the reader is found")
    seen = wal()
    lease = s.rows("SELECT lease_id, conn_id FROM ~leases WHERE pool = :pool AND tag = 'report'")[0]
    is_((seen["oldest_reader_tag"], seen["oldest_reader_lease_id"], seen["oldest_reader_conn_id"]), ("report", *lease), seen)
    is_(seen["frames"] > seen["frames_checkpointed"], True, seen)
    shows("pool_stats", "blocked", checkpoint_failures_total=between(before + 1, before + 1000),
          checkpoints_total=between(1, 1000))
    reader.query("COMMIT")
    reader.release()
    until(lambda: wal()["blocked_ms"] is None and wal()["oldest_reader_ms"] is None, "it has ended")
    is_(wal()["oldest_reader_tag"], None)


LOGGED = "instance_id pool seq at tag fingerprint query duration_ms wait_ms rows sqlstate message conn_id bytes"


@tells(pool_stats="query_log_lost_total", slow_queries=LOGGED, failed_queries=LOGGED,
       queries="instance_id pool fingerprint query calls errors total_ms min_ms max_ms p50_ms p99_ms rows bytes wait_ms "
               "first_seen last_seen")
def query_log(s, shows):
    pool = s.pool(f"min_size=1 max_size=1 {CALM} slow_query_threshold=1h")
    s.reaches("size, idle", (1, 1))
    first = pool.acquire()
    got = []
    waiter = threading.Thread(target=lambda: got.append(pool.acquire(tag="report", timeout_ms=20000)))
    waiter.start()
    until(lambda: (s.state("oldest_wait_ms") or 0) > 50, "it waits")
    first.release()
    waiter.join(20)
    lease = got[0]
    lease.query("SELECT 'one' AS a, 'secret' AS b /* trace 17 */")
    s.set("slow_query_threshold", "0")
    lease.query("select  'four' as a, 'secret' as b")
    s.set("slow_query_threshold", "1h")
    refusal = client.refuses(lease.query, s.database.faulty, status="database")
    until(lambda: s.value("SELECT CAST(sum(calls) AS bigint) FROM ~queries WHERE pool = :pool") == 3, "they are added up")
    instance = s.value("SELECT instance_id FROM ~pools WHERE pool = :pool")
    print_of = s.value("SELECT fingerprint FROM ~queries WHERE pool = :pool AND calls = 2")
    conn_id = s.value("SELECT conn_id FROM ~connections WHERE pool = :pool")
    shows("slow_queries", "the second", instance_id=instance, pool=s.name, seq=1, at=now(), tag="report",
          fingerprint=print_of, query="select ? as a, ? as b", duration_ms=between(0, 20_000), wait_ms=None, rows=1,
          sqlstate=None, message=None, conn_id=conn_id, bytes=len("four") + len("secret"))
    shows("failed_queries", "the third", instance_id=instance, pool=s.name, seq=2, at=now(), tag="report",
          fingerprint=lambda got: got != print_of and re.fullmatch("[0-9a-f]{16}", got) is not None,
          query="select * from missing_table", duration_ms=between(0, 20_000), wait_ms=None, rows=None,
          sqlstate=refusal.sqlstate or None, message=lambda got: "missing_table" in got, conn_id=conn_id, bytes=None)
    longest = s.value("SELECT total_ms FROM ~queries WHERE pool = :pool AND calls = 2")
    shows("queries", "two of the same", "AND calls = 2", instance_id=instance, pool=s.name, fingerprint=print_of,
          query="select ? as a, ? as b", calls=2, errors=0, total_ms=between(0.0001, 20_000), min_ms=between(0, longest),
          max_ms=between(longest / 2, longest), p50_ms=between(0, longest), p99_ms=between(0, longest), rows=2,
          bytes=len("onesecret") + len("foursecret"), wait_ms=between(50, 20_000), first_seen=now(), last_seen=now())
    shows("queries", "the other", "AND calls = 1", errors=1, rows=0, bytes=0, wait_ms=0)
    shows("pool_stats", "nothing is missing", query_log_lost_total=0)
    lease.release()
    s.order("clear_logs(:pool)")
    for relation in ("slow_queries", "failed_queries", "queries"):
        is_(s.value(f"SELECT count(*) FROM ~{relation} WHERE pool = :pool"), 0, relation)
    is_(len(s.events("logs_cleared")), 1)


@tells(tags="instance_id pool tag in_use waiting samples_total held_ms_total waited_ms_total longest_ms last_seen")
def leases_by_tag(s, shows):
    pool = s.pool(f"min_size=1 max_size=1 {CALM}")
    s.reaches("size, idle", (1, 1))
    lease = pool.acquire(tag="report")
    got = []
    waiter = threading.Thread(target=lambda: got.append(pool.acquire(tag="cart", timeout_ms=20000)))
    waiter.start()
    until(lambda: (s.value("SELECT samples_total FROM ~tags WHERE pool = :pool AND tag = 'cart'") or 0) >= 2, "two samples")
    instance = s.value("SELECT instance_id FROM ~pools WHERE pool = :pool")
    shows("tags", "the holder", "AND tag = 'report'", instance_id=instance, pool=s.name, tag="report", in_use=1, waiting=0,
          samples_total=between(2, 30), held_ms_total=between(2000, 30_000), waited_ms_total=0,
          longest_ms=between(1000, 30_000), last_seen=now())
    shows("tags", "the one that waits", "AND tag = 'cart'", in_use=0, waiting=1, held_ms_total=0,
          waited_ms_total=between(2000, 30_000))
    lease.release()
    waiter.join(20)
    got[0].release()


@tells(insights="instance_id pool severity subject finding evidence advice option_name option_value",
       queries="repeats_max repeated_leases")
def what_to_change(s, shows):
    pool = s.pool(f"min_size=2 max_size=4 {CALM} leak_threshold=1s query_timeout=1s statement_timeout=1s "
                  "slow_query_threshold=1h")
    for _ in range(3):
        lease = pool.acquire(tag="orders")
        for number in range(100):
            lease.query(f"SELECT {number} AS a")
        lease.release()
    until(lambda: s.value("SELECT max(repeated_leases) FROM ~queries WHERE pool = :pool") == 3, "they are added up")
    shows("queries", "of three leases", "AND calls = 300", repeats_max=100, repeated_leases=3)
    instance = s.value("SELECT instance_id FROM ~pools WHERE pool = :pool")
    shows("insights", "N+1", instance_id=instance, pool=s.name, severity="warning", subject="statements",
          finding=lambda got: "100 times" in got and "select ? as a" in got, evidence=lambda got: "3 leases" in got,
          advice=lambda got: bool(got), option_name=None, option_value=None)
    s.order("clear_logs(:pool)")
    is_(s.value("SELECT count(*) FROM ~insights WHERE pool = :pool"), 0, "without the log")
    lost = pool.acquire(tag="import")
    until(lambda: s.value("SELECT count(*) FROM ~insights WHERE pool = :pool") == 1, "a lease seems to be lost")
    shows("insights", "a leak", subject="leases", finding=lambda got: '"import"' in got, option_name="lease_timeout_action",
          option_value="reclaim")
    s.set("lease_timeout_action", "reclaim")
    shows("insights", "as advised", option_name=None, option_value=None)
    lost.release()
    is_(s.value("SELECT count(*) FROM ~insights WHERE pool = :pool"), 0, "it was given back")


@tells(pool_stats="notifications_sent_total notification_failures_total notifications_dropped_total notifications_queued "
                  "notified_at notification_error")
def notifications(s, shows):
    to = receiver.Receiver(receiver.status(500))
    s.ends.append(to.end)
    pool = s.pool(f"min_size=1 max_size=2 {CALM} notify_webhook_url={to.url('/key')}")
    shows("pool_stats", "at rest", notifications_sent_total=0, notification_failures_total=0, notifications_dropped_total=0,
          notifications_queued=0, notified_at=None, notification_error=None)

    def fire(rule):
        s.order(f"set_alert(:pool, '{rule}', 'size', '>=', 1, '0')")
        until(lambda: s.value("SELECT count(*) FROM ~alerts WHERE pool = :pool AND state = 'firing' "
                              f"AND rule = '{rule}'"), rule)
    fire("one")
    until(lambda: s.value("SELECT notification_failures_total FROM ~pool_stats WHERE pool = :pool"), "it failed")
    shows("pool_stats", "failed", notification_failures_total=between(1, 5), notifications_queued=1, notified_at=None,
          notification_error=f"{to.url()}: HTTP status 500")
    to.mood = receiver.status(200)
    until(lambda: s.value("SELECT notified_at FROM ~pool_stats WHERE pool = :pool"), "it is delivered")
    shows("pool_stats", "delivered", notifications_sent_total=1, notifications_queued=0, notified_at=now())
    to.mood = receiver.status(400)
    fire("two")
    until(lambda: s.value("SELECT notifications_dropped_total FROM ~pool_stats WHERE pool = :pool"), "it is refused")
    shows("pool_stats", "refused", notifications_dropped_total=1, notifications_sent_total=1, notifications_queued=0)
    s.order("reset_stats(:pool)")
    shows("pool_stats", "after the reset", notifications_sent_total=0, notification_failures_total=0,
          notifications_dropped_total=0)
    pool.close()


CASES = (every_column_is_checked, current_values, connecting_and_validating, losses, counters, cancelled_requests,
         prepared_statements, query_cache, transactions, recorded_history, complete_history, closed_connections, lifetimes,
         faults, sizing, checkpoints, query_log, leases_by_tag, what_to_change, sessions_of_the_server, notifications)

if __name__ == "__main__":
    sys.exit(stage.main(CASES))
