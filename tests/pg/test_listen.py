#!/usr/bin/python3
"""Notifications across reconnects: what subscriptions of a pool are told, on a real server.

One server; each case prints `ok NAME`. Names on the command line select cases.
"""
import os
import random
import signal
import sys
import threading
import time

import application
import client
from application import assert_soon
from client import is_, library, refuses
from listening import CALLBACK, Ear, Handle, listener_pid
from proxy import Proxy

ONE = "min_size=1 max_size=1 burst=off scaling=off validation_interval=0 health_interval=0"
RECONNECTS = 100


def quick(w, url=None, options="", **more):
    return w.pool(url or w.server.conninfo(), f"{ONE} retry_base=1ms retry_max=5ms {options}", **more)


def notify(pool, channel, text):
    pool.query("SELECT pg_notify($1, $2)", channel, str(text))


def stretches(told):
    """The numbers heard from each ready or gap on; checks the order of the words."""
    out, is_hearing = [], False
    for word in told:
        if word in ("ready", "gap"):
            is_(is_hearing, False, f"{word} while hearing: {told}")
            is_(word == "ready", not out, f"ready first, then gaps: {told}")
            out.append([])
            is_hearing = True
        elif word == "lost":
            is_(is_hearing, True, f"lost twice: {told}")
            is_hearing = False
        else:
            is_(is_hearing, True, f"heard {word} without a connection")
            out[-1].append(int(word))
    return out


def hundred_reconnects(w):
    """Every notification that was sent while connected arrives once and in order, and each gap is told."""
    seed = int(os.environ.get("TIDE_SEED", "0")) or int(time.time())
    rng = random.Random(seed)
    with Proxy(w.server) as proxy:
        pool = quick(w, proxy.conninfo(), name="listens")
        sender = quick(w, name="sends")
        admin = quick(w, name="admin")
        ears = [Ear(pool, "Orders"), Ear(pool, "Orders"), Ear(pool, "other")]
        for ear in ears:
            ear.wait_for("ready")
        number, must = 0, []
        for i in range(RECONNECTS):
            first = number
            is_waiting = rng.random() < 0.5
            for _ in range(rng.randrange(1, 6)):
                notify(sender, "Orders", number)
                notify(sender, "other", number)
                number += 1
            if is_waiting:  # else they race with the loss
                must.append(range(first, number))
                for ear in ears:
                    ear.wait_for(str(number - 1))
            if rng.random() < 0.3:
                proxy.cut()
            else:
                admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE "
                            "'%(listen)'")
            for ear in ears:
                ear.wait_for("gap", i + 1)
        notify(sender, "Orders", number)
        notify(sender, "other", number)
        for ear in ears:
            ear.wait_for(str(number))
        for ear in ears:
            heard = stretches(ear.told)
            is_(len(heard), RECONNECTS + 1, f"stretches (seed {seed})")
            for numbers in heard:
                is_(numbers, list(range(numbers[0], numbers[0] + len(numbers))) if numbers else [], f"seed {seed}")
            everything = [n for numbers in heard for n in numbers]
            is_(everything, sorted(set(everything)), f"once and in order (seed {seed})")
            for numbers in must:
                is_(set(numbers) <= set(everything), True, f"{numbers} arrived (seed {seed})")
        lost = number + 1 - len(everything)
    return f"{number + 1} sent, {lost} of them in gaps, seed {seed}"


def listens_beside_the_pool(w):
    """The connection is none of the pool's, and is there from the first subscription to the last one."""
    pool = quick(w)
    is_(listener_pid(w.server), None, "nobody listens yet")
    with pool.acquire() as lease:  # the only connection
        first = Ear(pool, "a").wait_for("ready")
        second = Ear(pool, "b").wait_for("ready")
        notify_pid = int(lease.value("SELECT pg_backend_pid()"))
        lease.query("SELECT pg_notify('a', 'x'), pg_notify('b', 'y')")
        is_((first.wait_for("x").pids, second.wait_for("y").pids), ({notify_pid}, {notify_pid}), "the sender")
        pid = listener_pid(w.server)
        row = w.segments.rows("SELECT * FROM tidepool_connections WHERE state = 'listening'")
        is_(len(row), 1, "rows that listen")
        is_((row[0]["server_pid"], row[0]["tag"]), (pid, "listen: 2 channels"), "the row")
        is_(row[0]["created_at"] is not None and row[0]["state_since"] is not None and row[0]["queries_total"] is None,
            True, str(tuple(row[0])))
        is_(w.segments.value("SELECT count(DISTINCT conn_id) FROM tidepool_connections"), 2, "numbers of connections")
        is_(w.row("size", "app"), (1,), "connections of the pool")
    first.end()
    assert_soon(lambda: w.segments.value("SELECT tag FROM tidepool_connections WHERE state = 'listening'") ==
                "listen: 1 channel", "one channel is left")
    second.end()
    assert_soon(lambda: listener_pid(w.server) is None, "nobody listens any more")
    is_(w.segments.value("SELECT count(*) FROM tidepool_connections WHERE tag LIKE 'listen%'"), 0, "rows that listen")


def losses_are_events(w):
    pool = quick(w)
    ear = Ear(pool, "a").wait_for("ready")
    w.server.sql(f"SELECT pg_terminate_backend({listener_pid(w.server)})")
    ear.wait_for("gap")
    is_("terminating connection due to administrator command" in ear.reasons[0], True, ear.reasons[0])
    assert_soon(lambda: [tuple(row) for row in w.segments.rows(
        "SELECT kind, severity FROM tidepool_events WHERE kind LIKE 'listen%' ORDER BY at")] ==
        [("listen_ready", "info"), ("listen_lost", "warning"), ("listen_ready", "info")], "the events")


def ready_comes_first(w):
    """However many notifications are sent meanwhile, also to a connection that listens already."""
    pool, sender = quick(w), quick(w, name="sends")
    is_over, sent = threading.Event(), []

    def send():
        while not is_over.is_set():
            notify(sender, "a", len(sent))
            sent.append(None)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        other = Ear(pool, "b").wait_for("ready")
        for _ in range(20):
            ear = Ear(pool, "a")
            ear.wait(lambda told: len(told) > 5, "notifications")
            due = len(sent)
            ear.wait(lambda told: int(told[-1]) >= due, "notifications")  # noqa: B023
            ear.end()
            is_(ear.told[0], "ready", str(ear.told))
            numbers = [int(text) for text in ear.told[1:]]
            is_(numbers, list(range(numbers[0], numbers[0] + len(numbers))), "in order")
        is_(other.told, ["ready"], "another channel")
    finally:
        is_over.set()
        thread.join()


def names_are_exact(w):
    pool = quick(w)
    names = ["Orders", 'with "quotes" and ; semicolons', "ä" * 31, "x" * 63]
    ears = [Ear(pool, name).wait_for("ready") for name in names]
    lower = Ear(pool, "orders").wait_for("ready")
    for name, ear in zip(names, ears):
        notify(pool, name, name.upper())
        ear.wait_for(name.upper())
    is_(lower.told, ["ready"], "another name")


def bad_input_is_refused(w):
    pool = quick(w)

    def listening(pool, name):
        return refuses(lambda: Ear(pool, name))

    told = listening(pool, "x" * 100)
    is_((told.status, "100 bytes" in told.message, "1 to 63 bytes" in told.detail), ("bad_argument", True, True), str(told))
    for name in ("", b"\xff\xfe"):
        told = listening(pool, name)
        is_((told.status, "1 to 63 bytes" in told.detail), ("bad_argument", True), str(told))
    refuses(client.call, library.tide_listen, pool.handle, b"a", CALLBACK(), None, None, status="bad_argument")
    refuses(client.call, library.tide_unlisten, Handle(pool.handle, 77), status="not_found")
    told = listening(w.pool(f"sqlite:///{w.segments.folder}/x.db", name="file"), "a")
    is_((told.status, "PostgreSQL" in told.detail), ("unsupported", True), str(told))
    told = listening(w.pool(w.server.conninfo(), f"{ONE} pooler=transaction", name="pooled"), "a")
    is_((told.status, told.sqlstate, "address of the server" in told.hint), ("refused", "0A000", True), str(told))
    is_(listener_pid(w.server), None, "nothing was opened")


def refused_login_is_told(w):
    w.server.sql("DROP ROLE IF EXISTS carol; CREATE ROLE carol LOGIN PASSWORD 'right'")
    passwords = ["right"]
    pool = quick(w, w.server.conninfo(user="carol"), password=lambda: passwords[0])
    passwords[0] = "wrong"
    ear = Ear(pool, "a").wait_for("lost")
    is_(("password authentication failed" in ear.reasons[0], "wrong" in ear.reasons[0]), (True, False), ear.reasons[0])
    passwords[0] = "right"
    is_(ear.wait_for("ready").told, ["lost", "ready"], "told")
    assert_soon(lambda: [row["kind"] for row in w.segments.rows(
        "SELECT kind FROM tidepool_events WHERE kind LIKE 'listen%' ORDER BY at")] == ["listen_lost", "listen_ready"],
        "the events")


def silent_server_is_given_up(w):
    """Within keepalive_idle + validation_timeout."""
    with Proxy(w.server) as proxy:
        pool = quick(w, proxy.conninfo(), "keepalive_idle=1s validation_timeout=300ms connect_timeout=300ms")
        ear = Ear(pool, "a").wait_for("ready")
        proxy.mode = "half_open"
        began = time.monotonic()
        ear.wait_for("lost")
        took = time.monotonic() - began
        is_(took < 1.3 + 3.0, True, f"lost after {took:.1f} s")
        proxy.mode = "pass"
        ear.wait_for("gap")
    return f"after {took:.2f} s"


def calls_may_use_the_pool(w):
    """Also end their own subscription, but not close their pool."""
    pool = quick(w)
    seen = []

    def on_event(ear, event):
        if event.kind != 2:
            return
        seen.append(pool.value("SELECT 'read in the call'"))
        seen.append(refuses(pool.close).status)
        client.call(library.tide_unlisten, event.subscription)

    ear = Ear(pool, "a", on_event).wait_for("ready")
    other = Ear(pool, "a").wait_for("ready")
    notify(pool, "a", "1")
    notify(pool, "a", "2")
    other.wait_for("2")
    ear.wait_for("1")
    is_(seen, ["read in the call", "bad_argument"], "in the call")
    is_(ear.told, ["ready", "1"], "nothing after the end")
    refuses(ear.end, status="not_found")


def pool_closes_during_a_call(w):
    pool = quick(w)
    entered, may_return = threading.Event(), threading.Event()

    def on_event(*_):
        entered.set()
        may_return.wait(10)

    ear = Ear(pool, "a", on_event)
    is_(entered.wait(10), True, "called")
    for i in range(20):
        notify(pool, "a", i)
    threading.Timer(0.2, may_return.set).start()
    pool.close()
    is_(ear.told, ["ready"], "what was told when the pool was closed")
    refuses(ear.end, status="closed")
    refuses(lambda: Ear(pool, "a"), status="closed")
    assert_soon(lambda: listener_pid(w.server) is None, "nobody listens any more")


def steps_of_a_foreign_loop_call(w):
    pool = quick(w, foreign=True)
    threads = set()
    ear = Ear(pool, "a", lambda *_: threads.add(threading.get_ident()))
    sender = quick(w, name="sends")
    time.sleep(0.2)
    is_(ear.told, [], "told without a step")
    limit = time.monotonic() + 10
    is_sent = False
    while "x" not in ear.told and time.monotonic() < limit:
        pool.step()
        time.sleep(0.005)
        if "ready" in ear.told and not is_sent:
            notify(sender, "a", "x")
            is_sent = True
    is_(ear.told, ["ready", "x"], "told")
    is_(threads, {threading.get_ident()}, "the thread that steps")
    notify(sender, "a", "y")
    time.sleep(0.1)
    ear.end()
    pool.step()
    is_(ear.told, ["ready", "x"], "after the end")


def child_leaves_the_connection_alone(w):
    pool = quick(w)
    ear = Ear(pool, "a").wait_for("ready")
    pid = listener_pid(w.server)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            links = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
                     if os.path.islink(f"/proc/self/fd/{fd}")]
            is_([link for link in links if link.startswith("socket:")], [], "sockets in the child")
            refuses(ear.end, status="forked")
            refuses(lambda: Ear(pool, "b"), status="forked")
            own = client.Pool(w.server.conninfo(), ONE, name="child")
            mine = Ear(own, "a").wait_for("ready")
            notify(own, "a", "from the child")
            mine.wait_for("from the child")
            own.close()
            is_(ear.told, ["ready"], "nothing of the parent's is told in the child")
            status = 0
        except BaseException as problem:  # noqa: BLE001  (the child must not return)
            print(problem, flush=True)
        os._exit(status)
    is_(os.waitpid(child, 0)[1], 0, "exit of the child")
    ear.wait_for("from the child")
    notify(pool, "a", "x")
    is_(ear.wait_for("x").told, ["ready", "from the child", "x"], "told")
    is_(listener_pid(w.server), pid, "the same session")


def slow_program_loses_nothing(w):
    """The server keeps what the program has no time for."""
    pool = quick(w)
    may_go_on = threading.Event()
    ear = Ear(pool, "a", lambda *_: may_go_on.wait(20))
    assert_soon(lambda: listener_pid(w.server) is not None, "somebody listens")
    assert_soon(lambda: w.segments.value("SELECT count(*) FROM tidepool_connections WHERE state = 'listening'") == 1,
                "LISTEN has taken effect")
    for first in range(0, 12_000, 4_000):
        pool.query("SELECT pg_notify('a', i::text) FROM generate_series($1::int, $2::int) i", str(first), str(first + 3999))
    may_go_on.set()
    ear.wait_for("11999")
    is_(ear.told, ["ready"] + [str(i) for i in range(12_000)], "told")


if __name__ == "__main__":
    signal.alarm(120)
    sys.exit(application.main([
        hundred_reconnects, listens_beside_the_pool, losses_are_events, ready_comes_first, names_are_exact,
        bad_input_is_refused, refused_login_is_told, silent_server_is_given_up, calls_may_use_the_pool,
        pool_closes_during_a_call, steps_of_a_foreign_loop_call, child_leaves_the_connection_alone,
        slow_program_loses_nothing]))
