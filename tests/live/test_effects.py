#!/usr/bin/python3
"""The effects of all options that need a database: a pool with another value behaves differently, whether it was opened
with the value or the option was set before its first connection. A case is named after its option; the other options
are in tests/unit/pool/options_*_test.cpp, and tests/house checks that none is missing.

usage: test_effects.py sqlite|postgresql [OPTION...]
"""
import contextlib
import ctypes
import itertools
import os
import pathlib
import shutil
import sqlite3
import sys
import tempfile
import time

import receiver
import stage
from stage import client, is_, said, until, within

CALM = "init_mode=lazy min_size=1 max_size=2 scaling=off burst=off health_interval=0 alerts=off"

NUMBERS = itertools.count(1)


def pools(s, option, value, options="", url=None):
    """A pool opened with the value, and one whose option is set before it has a connection."""
    def name():
        return f"{s.name}_{next(NUMBERS)}"
    first = s.pool(f"{CALM} {options} {option}={value}", url, name=name())
    found = s.eyes.rows(f"SELECT applies FROM ~settings WHERE name = '{option}' AND pool = '{first.name}'")
    yield first
    if found and found[0][0] != "reopen":  # none: the pool is not published
        told = s.pool(f"{CALM} {options}", url, name=name())
        told.set(option, value)
        yield told


def seen_with(s, option, value, look, options="", url=None):
    """The result of `look`, which must be the same for both pools."""
    seen = []
    for pool in pools(s, option, value, options, url):
        seen.append(look(pool))
        pool.close()
    is_(set(map(str, seen)), {str(seen[0])}, f"{option}={value}, at open and set later")
    return seen[0]


def differ(s, option, look, expected, options=""):
    for value, what in expected.items():
        is_(seen_with(s, option, value, look, options), what, f"{option}={value}")


def is_inert(s, option):
    """The option has no effect on this database, and settings has a note about it."""
    s.pool(CALM)
    said(s.value(f"SELECT note FROM ~settings WHERE pool = :pool AND name = '{option}'"), "no effect on a pool of ")
    return "no effect here, as its note says"


def only(database):
    def of(case):
        def run(s):
            return case(s) if s.database.name == database else is_inert(s, case.__name__)
        run.__name__ = case.__name__
        return run
    return of


def took_s(call):
    began = time.monotonic()
    call()
    return time.monotonic() - began


def fails(call):
    try:
        call()
    except client.Refusal:
        return True
    return False


def folder_of(s):
    folder = tempfile.mkdtemp(prefix="tidepool-effects-")
    s.ends.append(lambda: shutil.rmtree(folder, ignore_errors=True))
    return pathlib.Path(folder)


def stats(s, pool, column):
    return s.eyes.rows(f"SELECT {column} FROM ~pool_stats WHERE pool = '{pool.name}'")[0][0]


# -- a connection's life

def validation_query(s):
    for query, expected in (("SELECT 1", False), ("SELECT * FROM nowhere", True)):
        pool = s.pool(f"{CALM} validation_interval=50ms", name=f"{s.name}_{expected}")
        pool.set("validation_query", query)
        pool.query("SELECT 1")
        until(lambda pool=pool: stats(s, pool, "validations_total") >= 2, "validations")
        is_(stats(s, pool, "validation_failures_total") > 0, expected, query)


def reset_on_release(s):
    def look(pool):
        with pool.acquire() as lease:
            lease.query("CREATE TEMPORARY TABLE trace (x integer)")
        with pool.acquire() as lease:
            return not fails(lambda: lease.query("SELECT * FROM trace"))
    differ(s, "reset_on_release", look, {"none": True, "smart": False, "full": False}, "max_size=1")


# -- a statement's life

def slow(s):
    """A statement that takes about half a second."""
    if s.database.name == "postgresql":
        return "SELECT pg_sleep(0.5)"
    return "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 3000000) SELECT count(*) FROM c"


def statement_timeout(s):
    def look(pool):
        with pool.acquire() as lease:
            return fails(lambda: lease.query(slow(s)))
    differ(s, "statement_timeout", look, {"60ms": True, "30s": False}, "query_timeout=0")


def statement_cache_size(s):
    def look(pool):
        with pool.acquire() as lease:
            for number in (1, 1, 2, 2, 3, 3):
                lease.query(f"SELECT {number}")
            return int(s.eyes.rows(f"SELECT statements FROM ~connections WHERE pool = '{pool.name}'")[0][0])
    differ(s, "statement_cache_size", look, {"128": 3, "2": 2, "0": 0}, "max_size=1")


def idle_in_transaction_timeout(s):
    """Of transactions that start together, those with the short limit end, and the others continue."""
    def has_ended(pool):  # either the server ends the session, or the pool ends the transaction
        return s.eyes.rows(f"SELECT 1 FROM ~events WHERE pool = '{pool.name}' "
                           "AND kind IN ('connection_lost', 'transaction_ended')")

    for short, long in zip(pools(s, "idle_in_transaction_timeout", "200ms"), pools(s, "idle_in_transaction_timeout", "30s")):
        begun = [pool.acquire() for pool in (long, short)]
        for lease in begun:
            lease.query("BEGIN")
        until(lambda pool=short: has_ended(pool), "the short one ends")
        is_(fails(lambda lease=begun[1]: lease.query("SELECT 1")), True, "in the ended one")
        begun[0].query("SELECT 1")
        for lease in begun:
            with contextlib.suppress(client.Refusal):
                lease.release()


# -- start and end

def init_timeout(s):
    held_up = s.held_up()
    held_up.hold()

    def took(value):
        return took_s(lambda: fails(lambda: s.pool(f"init_mode=fail_fast min_size=1 max_size=2 init_timeout={value}",
                                                   url=held_up.url_of_late)))
    short, long = took("200ms"), took("1500ms")
    within(short, 0, 1.4, "200ms")
    within(long, 1.4, 10, "1500ms")
    return f"{short:.1f} and {long:.1f} s"


def shutdown_timeout(s):
    def look(pool):
        pool.acquire()
        return took_s(lambda: fails(lambda: pool.close(-1))) > 0.7
    for value, expected in (("50ms", False), ("800ms", True)):
        for pool in pools(s, "shutdown_timeout", value):
            is_(look(pool), expected, value)


# -- log and segment

def log_destination(s):
    folder = folder_of(s)
    for name in ("one", "other"):
        pool = s.pool(f"{CALM} log=events log_destination={folder / name}", name=f"{s.name}_{name}")
        pool.query("SELECT 1")
        until(lambda name=name: (folder / name).exists() and "event=connect" in (folder / name).read_text(), name)
    said((folder / "one").read_text(), "log_destination_one")
    is_("log_destination_one" in (folder / "other").read_text(), False)


def notified(s, options, mood=None, name="", bodies=1):
    """What a receiver was sent when an alert fired."""
    to = receiver.Receiver(mood)
    s.ends.append(to.end)
    pool = s.pool(f"{CALM} alerts=on {options} notify_webhook_url={to.url()}", name=f"{s.name}{name}")
    lease = pool.acquire("held")
    s.order(f"set_alert('{pool.name}', 'one_out', 'in_use', '>=', 1, '0')")
    until(lambda: to.attempts >= bodies, "an attempt")
    return to, pool, lease


def notify_webhook_url(s):
    others = receiver.Receiver()
    s.ends.append(others.end)
    to, pool, lease = notified(s, "")
    is_(to.deliveries[0].json["alerts"][0]["labels"]["pool"], pool.name)
    is_(others.attempts, 0, "only that receiver")
    lease.release()


def notify_webhook_timeout(s):
    began = time.monotonic()
    _, pool, lease = notified(s, "notify_webhook_timeout=300ms", receiver.hanging, bodies=2)
    within(time.monotonic() - began, 0.3, 15, "it gives up, and tries again")
    said(s.value(f"SELECT notification_error FROM ~pool_stats WHERE pool = '{pool.name}'"), "Timeout")
    lease.release()
    to, _, lease = notified(s, "notify_webhook_timeout=1min", receiver.hanging, name="_patient")
    is_(stage.cluster.wait_until(lambda: to.attempts != 1, 1), False, "it still waits")
    lease.release()


def notify_webhook_format(s):
    for format, path, part in (("alertmanager", "/", "groupKey"), ("alertmanager_api", "/api/v2/alerts", "startsAt"),
                               ("slack", "/", "blocks"), ("pagerduty", "/v2/enqueue", "dedup_key")):
        to, _, lease = notified(s, f"notify_webhook_format={format} notify_webhook_secret=key", name=f"_{format}")
        body = to.deliveries[0].json
        is_((to.deliveries[0].path, part in (body[0] if isinstance(body, list) else body)), (path, True), format)
        lease.release()


def notify_webhook_secret(s):
    to, _, lease = notified(s, "notify_webhook_secret=key")
    is_((to.deliveries[0].is_signed_with("key"), to.deliveries[0].is_signed_with("other")), (True, False))
    lease.release()
    to, _, lease = notified(s, "", name="_plain")
    is_("x-tidepool-signature" in to.deliveries[0].headers, False)
    lease.release()


def is_seen(s, pool):
    return len(s.eyes.rows(f"SELECT 1 FROM ~pools WHERE pool = '{pool.name}'"))


def publish(s):
    differ(s, "publish", lambda pool: is_seen(s, pool), {"on": 1, "off": 0})


def dir(s):
    folder = folder_of(s)
    folder.chmod(0o700)
    pool = s.pool(f"{CALM} dir={folder}")
    is_(is_seen(s, pool), 0, "in the default directory")
    is_(len(list(folder.iterdir())) > 0, True, "in its own directory")


# -- PostgreSQL

def connection_option(pool, word):
    """The parameters of libpq's connection."""
    class Option(ctypes.Structure):
        _fields_ = [(n, ctypes.c_char_p) for n in ("keyword", "envvar", "compiled", "val", "label", "dispchar")] + [
            ("dispsize", ctypes.c_int)]
    libpq = ctypes.CDLL("libpq.so.5")
    libpq.PQconninfo.argtypes, libpq.PQconninfo.restype = [ctypes.c_void_p], ctypes.POINTER(Option)
    with pool.acquire() as lease:
        options, n = libpq.PQconninfo(lease.native()), 0
        while options[n].keyword is not None:
            if options[n].keyword.decode() == word:
                return options[n].val.decode()
            n += 1
    raise AssertionError(word)


@only("postgresql")
def keepalive(s):
    differ(s, "keepalive", lambda pool: connection_option(pool, "keepalives"), {"on": "1", "off": "0"})


@only("postgresql")
def keepalive_idle(s):
    differ(s, "keepalive_idle", lambda pool: connection_option(pool, "keepalives_idle"), {"7s": "7", "40s": "40"})


@only("postgresql")
def pooler(s):
    def look(pool):
        with pool.acquire() as lease:
            return fails(lambda: lease.query("LISTEN news"))
    differ(s, "pooler", look, {"none": False, "session": False, "transaction": True})


# -- SQLite

def pragma(name):
    def look(pool):
        return pool.value(f"PRAGMA {name}")
    return look


@only("sqlite")
def sqlite_access(s):
    s.pool(CALM, name=s.name).query("CREATE TABLE t (x)")
    for value, expected in (("read_write", False), ("read_only", True), ("immutable", True)):
        pool = s.pool(f"{CALM} sqlite_access={value}", url=s.database.url(s.name), name=f"{s.name}_{value}")
        is_(fails(lambda pool=pool: pool.query("INSERT INTO t VALUES (1)")), expected, value)


@only("sqlite")
def sqlite_journal_mode(s):
    differ(s, "sqlite_journal_mode", pragma("journal_mode"), {"wal": "wal", "truncate": "truncate", "delete": "delete"})


@only("sqlite")
def sqlite_synchronous(s):
    def look(pool):
        """The setting of SQLite, and how often the WAL is open for use: a pool that syncs it has opened it too."""
        wal = s.database.url(pool.name).removeprefix("sqlite://") + "-wal"
        pool.query("CREATE TABLE t (x)")
        count = 0
        for link in pathlib.Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                flags = pathlib.Path("/proc/self/fdinfo", link.name).read_text().split("flags:", 1)[1].split()[0]
                count += str(link.readlink()) == wal and not int(flags, 8) & os.O_PATH
        return pool.value("PRAGMA synchronous"), count
    differ(s, "sqlite_synchronous", look,
           {"off": ("0", 1), "normal": ("1", 1), "full": ("2", 1), "extra": ("3", 1), "group": ("1", 2)}, "max_size=1")


@only("sqlite")
def sqlite_cache_pages(s):
    differ(s, "sqlite_cache_pages", pragma("cache_size"), {"500": "500", "7000": "7000"})


@only("sqlite")
def sqlite_foreign_keys(s):
    def look(pool):
        pool.query("CREATE TABLE p (id INTEGER PRIMARY KEY)")
        pool.query("CREATE TABLE c (p REFERENCES p)")
        return fails(lambda: pool.query("INSERT INTO c VALUES (5)"))
    differ(s, "sqlite_foreign_keys", look, {"on": True, "off": False})


@only("sqlite")
def sqlite_temp_store(s):
    differ(s, "sqlite_temp_store", pragma("temp_store"), {"default": "0", "file": "1", "memory": "2"})


@only("sqlite")
def sqlite_busy_timeout(s):
    def look(pool):
        pool.query("CREATE TABLE t (x)")
        other = sqlite3.connect(s.database.url(pool.name).removeprefix("sqlite://"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        waited = took_s(lambda: fails(lambda: pool.query("INSERT INTO t VALUES (1)")))
        other.execute("ROLLBACK")
        other.close()
        return waited > 0.6
    differ(s, "sqlite_busy_timeout", look, {"50ms": False, "700ms": True})


@only("sqlite")
def sqlite_max_read_transaction(s):
    short, long = (next(pools(s, "sqlite_max_read_transaction", value)) for value in ("200ms", "30s"))
    readers = []
    for pool in (long, short):
        pool.query("CREATE TABLE t (x)")
        readers.append(pool.acquire())
        readers[-1].query("BEGIN")
        readers[-1].query("SELECT * FROM t")
    until(lambda: s.eyes.rows(f"SELECT 1 FROM ~events WHERE pool = '{short.name}' AND kind = 'transaction_ended'"), "it ends")
    is_(fails(lambda: readers[1].query("SELECT * FROM t")), True, "200ms")
    readers[0].query("SELECT * FROM t")
    for reader in readers:
        reader.release()


@only("sqlite")
def sqlite_wal_limit(s):
    def look(pool):
        file = pathlib.Path(s.database.url(pool.name).removeprefix("sqlite://") + "-wal")
        pool.query("CREATE TABLE t (x)")
        pool.query("INSERT INTO t VALUES (randomblob(4000000))")
        return client.cluster.wait_until(lambda: file.stat().st_size < 2_000_000, 2)
    differ(s, "sqlite_wal_limit", look, {"1MB": True, "1GB": False}, "max_size=1")


CASES = (validation_query, reset_on_release, statement_timeout, statement_cache_size, idle_in_transaction_timeout,
         init_timeout, shutdown_timeout, log_destination, notify_webhook_url, notify_webhook_timeout,
         notify_webhook_format, notify_webhook_secret, publish, dir, keepalive, keepalive_idle, pooler, sqlite_access,
         sqlite_journal_mode, sqlite_synchronous, sqlite_cache_pages, sqlite_foreign_keys, sqlite_temp_store,
         sqlite_busy_timeout, sqlite_max_read_transaction, sqlite_wal_limit)

if __name__ == "__main__":
    sys.exit(stage.main(CASES))
