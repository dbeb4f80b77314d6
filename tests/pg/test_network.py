#!/usr/bin/python3
"""An application under load on a faulty network, and behind an address that moves. As test_faults.py, through
proxy.py."""
import os
import random
import sys
import threading
import time

import application
import cluster
import support
from application import QUICK_RETRIES, assert_soon, back_after, check, told, works
from client import is_, order, refuses
from proxy import Proxy


def network_resets(w):
    with Proxy(w.server) as proxy:
        load = w.load(proxy.conninfo(application_name="load"))
        for _ in range(5):
            proxy.cut()
            time.sleep(0.2)
        took = back_after(load, time.monotonic())
        proxy.bytes_max = 3000
        time.sleep(1.0)
        proxy.bytes_max = None
        back_after(load, time.monotonic())
        end = check(load)
    return f"back after {took * 1000:.0f} ms; {told(end)}"


def network_delays(w):
    with Proxy(w.server) as proxy:
        load = w.load(proxy.conninfo(application_name="load"))
        proxy.delay_s = 0.1
        time.sleep(1.5)
        proxy.delay_s = 0.0
        end = check(load)
        is_(end["errors"], {}, "errors")
    return told(end)


def network_is_silent(w):
    with Proxy(w.server) as proxy:
        load = w.load(proxy.conninfo(application_name="load"), "validation_timeout=500ms connect_timeout=1s",
                      acquire_ms=1000, query_ms=1000)
        proxy.mode = "half_open"
        time.sleep(3.0)
        proxy.mode = "pass"
        took = back_after(load, time.monotonic(), 4.0)
        end = check(load, is_all_retryable=False)
        is_({key for key in end["not_retryable"]} <= {"timeout/57014"}, True, f"{end['not_retryable']} {end['samples']}")
    return f"back after {took * 1000:.0f} ms; {told(end)}"


def unreachable_server(w):
    said = []
    for mode in ("refuse", "silent"):
        with Proxy(w.server) as proxy:
            load = w.load(proxy.conninfo(application_name="load"), "connect_timeout=1s", acquire_ms=1000, query_ms=1000)
            proxy.mode = mode
            before = proxy.accepted
            proxy.cut()
            time.sleep(3.0)
            attempts = proxy.accepted - before
            proxy.mode = "pass"
            took = back_after(load, time.monotonic(), 3.0)
            end = check(load)
        if attempts > 40:
            raise AssertionError(f"{mode}: {attempts} connects within 3 s")
        said.append(f"{mode}: {attempts} connects in 3 s, back after {took * 1000:.0f} ms, {told(end)}")
    return "; ".join(said)


def server_dies_while_connecting(w):
    with Proxy(w.server) as proxy:
        proxy.bytes_max = 20  # within the answer to the startup message
        pool = w.pool(proxy.conninfo(), f"min_size=2 max_size=4 {QUICK_RETRIES} acquire_timeout=500ms")
        refuses(pool.acquire, "x", 500)
        time.sleep(1.0)
        attempts = proxy.accepted
        proxy.bytes_max = None
        assert_soon(lambda: works(pool), "the pool heals", 5)
        if attempts > 30:
            raise AssertionError(f"{attempts} attempts")
    return f"{attempts} attempts in 1.5 s"


ALONE = ("min_size=1 max_size=1 burst=off scaling=off validation_interval=0 health_interval=0 keepalive_idle=1s")


def timed(function, *arguments, **expected):
    began = time.monotonic()
    refusal = refuses(function, *arguments, **expected)
    return time.monotonic() - began, refusal


def server_acknowledges_without_answer(w):
    """A session that was silent is validated first; a statement that was not sent is retryable."""
    said = []
    for options, limit in (("validation_timeout=400ms", 0.4), ("validation_timeout=1min", 2.0)):
        with Proxy(w.server) as proxy:
            pool = w.pool(proxy.conninfo(), f"{ALONE} validation_bypass=0 query_timeout=30s {options}")
            with pool.acquire() as lease:
                proxy.mode = "half_open"
                took, told_ = timed(lease.query, "SELECT 1", sqlstate="08006")
                is_(("was not sent" in told_.detail, told_.is_retryable), (True, True), str(told_))
                refuses(lease.query, "SELECT 1", sqlstate="08006")  # immediately
            if not limit <= took < limit + 1:
                raise AssertionError(f"reported after {took:.1f} s with {options}")
            said.append(f"{took:.1f}")
            proxy.mode = "pass"
            assert_soon(lambda: works(pool), "another session", 8)
            pool.close()
            w.pools.remove(pool)
    return f"told after {', '.join(said)} s"


def deadline_before_an_answer(w):
    with Proxy(w.server) as proxy:
        pool = w.pool(proxy.conninfo(), f"{ALONE} validation_bypass=0 query_timeout=300ms")
        with pool.acquire() as lease:
            proxy.mode = "half_open"
            refusal = refuses(lease.query, "SELECT 1", sqlstate="57014", status="timeout")
            is_("was not sent" in refusal.detail, True, str(refusal))


def network_loses_all_packets(w):
    """TCP itself gives up after twice keepalive_idle, whether it is waiting for an acknowledgement or for an answer."""
    said = []
    for words, is_running in (({}, False), ({}, True), (dict(keepalives="0", tcp_user_timeout="0"), False)):
        with Proxy(w.server) as proxy:
            timeout = "4s" if words else "30s"
            pool = w.pool(proxy.conninfo(**words), f"{ALONE} validation_bypass=1h query_timeout={timeout}")
            with pool.acquire() as lease:
                lease.query("SELECT 1")
                if is_running:
                    threading.Timer(0.3, proxy.lose).start()
                else:
                    proxy.lose()
                took, told_ = timed(lease.query, "SELECT pg_sleep(600)")
                if words:
                    is_(told_.sqlstate, "57014", f"the target's TCP options apply: {told_}")
                elif told_.sqlstate != "08006" or took > 4:
                    raise AssertionError(f"after {took:.1f} s: {told_}")
                said.append(f"{took:.1f}")
            pool.close(500)
            w.pools.remove(pool)
    return f"told after {', '.join(said)} s"


def moving_address(w):
    """Sessions on a server that is now a standby refuse writes: the pool moves to the new target of the address."""
    standby = cluster.Cluster(name="standby", folder=w.server.folder,
                              settings=f"primary_conninfo = 'host={w.server.host} port={w.server.port} user=postgres'")
    os.makedirs(standby.host, exist_ok=True)
    os.chmod(standby.host, 0o777)
    w.server.run("pg_basebackup", "-h", w.server.host, "-U", "postgres", "-D", standby.data, "--checkpoint=fast", "-R")
    try:
        standby.configure()
        standby.start()
        w.server.sql("DROP TABLE IF EXISTS t; CREATE TABLE t (n int)")
        with Proxy(standby) as proxy:
            pool = w.pool(proxy.conninfo(), f"min_size=4 max_size=4 burst=off scaling=off {QUICK_RETRIES}")
            reading = w.pool(proxy.conninfo(target_session_attrs="prefer-standby"), "min_size=2 max_size=2", name="reading")
            assert_soon(lambda: w.row("idle", "app") == (4,) and w.row("idle", "reading") == (2,), "sessions there")
            assert_soon(lambda: standby.value("SELECT count(*) FROM pg_class WHERE relname = 't'") == "1", "the table there")
            proxy.lead_to(w.server)
            refuses(reading.query, "INSERT INTO t VALUES (0)", sqlstate="25006")
            refuses(pool.query, "INSERT INTO t VALUES (1)", sqlstate="25006")
            began = time.monotonic()
            assert_soon(lambda: standby.backends("application_name LIKE '%/app'") == 0, "all have left", 5)
            took = time.monotonic() - began
            pool.query("INSERT INTO t VALUES (2)")
            is_(standby.backends("application_name LIKE '%/reading'"), 2, "intended sessions on the standby stay")
    finally:
        standby.owns_folder = False
        standby.destroy()
    return f"gone over within {took:.1f} s"


def random_faults(w):
    """Faults and commands in a random order from TIDE_SEED (1), for TIDE_CHAOS_SECONDS (8)."""
    dice = random.Random(int(os.environ.get("TIDE_SEED", "1")))
    with Proxy(w.server) as proxy:
        load = w.load(proxy.conninfo(application_name="load"), "connect_timeout=1s validation_timeout=500ms "
                      "validation_interval=200ms max_lifetime=2s", acquire_ms=1500, query_ms=1500)

        def during(attribute, value):
            usual = getattr(proxy, attribute)
            setattr(proxy, attribute, value)
            time.sleep(dice.random() * 0.7)
            setattr(proxy, attribute, usual)

        def freeze():
            w.server.freeze()
            time.sleep(dice.random())
            w.server.thaw()

        def pause():
            order("load", "pause")
            time.sleep(dice.random() * 0.3)
            order("load", "resume")

        def signal(function):
            w.server.sql(f"SELECT {function}(pid) FROM pg_stat_activity WHERE application_name = 'load' AND random() < 0.5")

        faults = (proxy.cut, freeze, pause, lambda: w.server.restart("fast"), lambda: w.server.restart("immediate"),
                  lambda: signal("pg_terminate_backend"), lambda: signal("pg_cancel_backend"),
                  lambda: order("load", "set", option="max_size", value=str(dice.randint(4, 10))),
                  lambda: order("load", "recycle", spread="200ms"), lambda: during("mode", "half_open"),
                  lambda: during("delay_s", 0.02), lambda: during("bytes_max", dice.randint(10, 2000)))
        end, n = time.monotonic() + float(os.environ.get("TIDE_CHAOS_SECONDS", "8")), 0
        while time.monotonic() < end:
            dice.choice(faults)()
            time.sleep(dice.random() * 0.3)
            n += 1
        took = back_after(load, time.monotonic(), 6.0)
        end = check(load, is_all_retryable=False)
        is_({key for key in end["not_retryable"]} <= {"timeout/57014", "database/57014"}, True, f"{end['samples']}")
    return f"{n} faults, back after {took * 1000:.0f} ms; {told(end)}"


CASES = (network_resets, network_delays, network_is_silent, unreachable_server,
         server_dies_while_connecting, server_acknowledges_without_answer,
         deadline_before_an_answer, network_loses_all_packets, moving_address, random_faults)

if __name__ == "__main__":
    support.require_server()
    sys.exit(application.main(CASES))
