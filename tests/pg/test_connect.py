#!/usr/bin/python3
"""Connecting: errors of callers while no connection can be opened."""
import socket
import sys

import application
import client
import support
from client import is_, refuses
from cluster import wait_until
from proxy import Proxy


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def refusal_contains_the_connect_error(w):
    w.server.sql("CREATE ROLE carol LOGIN PASSWORD 'high'; CREATE ROLE dave LOGIN; CREATE ROLE erin LOGIN CONNECTION LIMIT 0;")
    w.server.sql("CREATE DATABASE private")
    w.server.sql("REVOKE CONNECT ON DATABASE private FROM PUBLIC")
    silent = Proxy(w.server)
    silent.mode = "silent"
    table = (  # target, SQLSTATE, is it retryable, part of the message, part of the hint
        (f"host=127.0.0.1 port={free_port()} user=postgres", "08001", True, "Connection refused", "the server is running"),
        (w.server.conninfo().replace(w.server.host, "/nonexistent"), "08001", True, "No such file", "the server is running"),
        (silent.conninfo(), "08001", True, "did not respond within connect_timeout", "reachable"),
        (w.server.conninfo(user="carol", password="low"), "28P01", False, "password authentication", "password"),
        (w.server.conninfo(user="carol"), "28P01", False, "no password supplied", "Specify a password"),
        (w.server.conninfo(user="nobody"), "28000", False, "does not exist", "Check the user name"),
        (w.server.conninfo(database="missing"), "3D000", False, "does not exist", "correct dbname"),
        (w.server.conninfo(database="private", user="dave"), "42501", False, "permission denied", "GRANT CONNECT"),
        (w.server.conninfo(user="erin"), "53300", True, "too many connections", "max_connections"),
        (w.server.conninfo(sslmode="maybe"), "08001", True, "sslmode", "Correct the connection string"),
        ("sqlite:///nonexistent/app.db", "58P01", False, "no such directory: /nonexistent", "Create the directory"),
        ("sqlite:///tmp", "58P01", False, "is a directory", "Specify a file in it"),
        ("sqlite:///etc/hostname", "XX001", False, "not a database", "another kind of file"),
    )
    with silent:
        for target, sqlstate, is_retryable, message, hint in table:
            pool = w.pool(target, f"max_size=3 connect_timeout=200ms acquire_timeout=100ms {application.QUICK_RETRIES}")
            wait_until(lambda: refuses(pool.acquire, "x", 50).sqlstate == sqlstate)  # the first connect may be in progress
            for ask in (lambda: pool.acquire("x", 100), lambda: pool.acquire("x", 0), lambda: pool.query("SELECT 1")):
                told = refuses(ask, sqlstate=sqlstate)
                is_(told.is_retryable, is_retryable, str(told))
                is_((message in told.message, hint in told.hint), (True, True), str(told))
                is_("raise max_size" in told.hint or "after that" in told.hint, False, str(told))
            w.end()


def a_role_at_its_limit(w):
    """CONNECTION LIMIT 2, min_size 4: the pool runs with two, reports it, does not oscillate, and grows when the limit
    is raised."""
    w.server.sql("CREATE ROLE frank LOGIN CONNECTION LIMIT 2")
    pool = w.pool(w.server.conninfo(user="frank"), f"min_size=4 max_size=6 {application.QUICK_RETRIES} recovery=''",
                  name="limited")
    of_pool = "SELECT {} FROM tidepool_{} WHERE pool = 'limited'"

    def rows(columns, relation, more=""):
        return [tuple(row) for row in w.segments.rows(of_pool.format(columns, relation) + more)]
    wait_until(lambda: rows("state, size, target_size, limit_size", "pools") == [("running", 2, 2, 2)])
    is_(rows("state, size, target_size, limit_size", "pools"), [("running", 2, 2, 2)])
    told = rows("message", "events", " AND kind = 'server_full_on'")
    is_(len(told), 1)
    is_("room for 2 connections and no more" in told[0][0], True, told)
    is_('too many connections for role "frank"' in told[0][0], True, told)
    wait_until(lambda: rows("state", "alerts", " AND rule = 'server_full'") == [("firing",)])
    is_(rows("state", "alerts", " AND rule = 'server_full'"), [("firing",)])
    moves = rows("count(*)", "scaling_events")
    held = [pool.acquire("holder", 1000) for _ in range(2)]
    for _ in range(30):
        told = refuses(lambda: pool.acquire("late", 50), status="timeout")
        is_("room for 2 connections" in told.message and "CONNECTION LIMIT" in told.hint, True, str(told))
    is_(rows("count(*)", "scaling_events"), moves, "it does not oscillate")
    w.server.sql("ALTER ROLE frank CONNECTION LIMIT 5")
    wait_until(lambda: rows("size", "pools") >= [(4,)])
    w.server.sql("ALTER ROLE frank CONNECTION LIMIT -1")
    held += [pool.acquire("more", 5000) for _ in range(4)]
    wait_until(lambda: rows("limit_size", "pools") == [(6,)])
    is_(rows("limit_size", "pools"), [(6,)])
    wait_until(lambda: rows("message", "events", " AND kind = 'server_full_off'"))
    is_(len(rows("message", "events", " AND kind = 'server_full_off'")), 1)
    for lease in held:
        lease.release()
    w.end()


CASES = (refusal_contains_the_connect_error, a_role_at_its_limit)

if __name__ == "__main__":
    support.require_server()
    sys.exit(application.main(CASES))
