#!/usr/bin/python3
"""Every built-in alert rule: its cause makes it fire, in time, once and with the right value; without the cause it is
resolved.
Those about the file of an SQLite database are in tests/faults/test_database_file.py.

usage: test_alerts.py sqlite|postgresql [CASE...]
"""
import sys
import threading
import time

import stage
from stage import is_, until, within

CALM = "burst=off scaling=off health_interval=1s lease_timeout=1h leak_threshold=1h"
CLEAR_S = 5   # time for which a condition must have ended
LATE_S = 4.0  # one evaluation per second, and a busy machine


def alert(s, rule):
    """(state, value, threshold, severity, occurrences) of the rule's alert, or None; there must never be two."""
    rows = s.rows("SELECT state, value, threshold, severity, occurrences FROM ~alerts "
                  f"WHERE pool = :pool AND rule = '{rule}'")
    is_(len(rows) <= 1, True, f"one alert of {rule}, not {rows}")
    return rows[0] if rows else None


def state_of(s, rule):
    found = alert(s, rule)
    return found[0] if found else None


def rings(s, rule, cause, cure, low, high, hold_s=0.0, calm_s=25):
    """The whole life of an alert whose value must be between low and high when it fires."""
    is_(state_of(s, rule), None, "an alert before its cause")
    began = time.monotonic()
    cause()
    until(lambda: state_of(s, rule) == "firing", f"{rule} fires, it is {alert(s, rule)}", hold_s + LATE_S + 10)
    took = time.monotonic() - began
    within(took, hold_s, hold_s + LATE_S + 6, "seconds until it fires")
    _, value, threshold, severity, occurrences = alert(s, rule)
    within(value, low, high, f"value of {rule}")
    is_(occurrences >= 1, True, "occurrences")
    is_(severity, s.value(f"SELECT severity FROM ~alert_rules WHERE pool = :pool AND rule = '{rule}'"))
    is_(threshold, s.value(f"SELECT threshold FROM ~alert_rules WHERE pool = :pool AND rule = '{rule}'"))
    is_(len(s.events("alert_firing", f"{rule}: %")), 1, "events that it fires")
    is_(s.events("alert_resolved", f"{rule}: %"), [], "events that it is over")
    cured = time.monotonic()
    cure()
    until(lambda: state_of(s, rule) == "resolved", f"{rule} is resolved, it is {alert(s, rule)}", calm_s)
    over = time.monotonic() - cured
    is_((len(s.events("alert_firing", f"{rule}: %")), len(s.events("alert_resolved", f"{rule}: %"))), (1, 1), "events")
    return f"fires after {took:.1f} s with {value:.4g}, resolved {over:.1f} s after"


def hold(pool, n, tag="keeper"):
    return [pool.acquire(tag) for _ in range(n)]


def give_back(leases):
    for lease in leases:
        lease.release()
    leases.clear()


def connection_exhaustion(s):
    pool, held = s.pool(f"{CALM} min_size=4 max_size=4"), []
    return rings(s, "connection_exhaustion", lambda: held.extend(hold(pool, 4)), lambda: give_back(held), 1, 1, 10)


def wait(s, pool, n):
    """Callers that wait, and release their leases immediately."""
    threads = [threading.Thread(target=lambda: pool.acquire("waits", 60000).release()) for _ in range(n)]
    for thread in threads:
        thread.start()
    s.ends.append(lambda: [thread.join(30) for thread in threads])


def wait_time(s):
    pool = s.pool(f"{CALM} min_size=2 max_size=2 alert_wait=500ms")
    until(lambda: s.value("SELECT idle FROM ~pools WHERE pool = :pool") == 2, "connections; opening them is a wait too")
    held = hold(pool, 2)
    s.ends.append(lambda: give_back(held))
    return rings(s, "wait_time", lambda: wait(s, pool, 1), lambda: give_back(held), 500, 500 + LATE_S * 1000, 0.5)


def waiting_count(s):
    pool = s.pool(f"{CALM} min_size=2 max_size=2 alert_waiting=2")
    held = hold(pool, 2)
    s.ends.append(lambda: give_back(held))
    return rings(s, "waiting_count", lambda: wait(s, pool, 4), lambda: give_back(held), 4, 4, 5)


def acquire_timeouts(s):
    pool = s.pool(f"{CALM} min_size=2 max_size=2")
    held = hold(pool, 2)
    s.ends.append(lambda: give_back(held))

    def ask_until_timeout():
        stage.client.refuses(pool.acquire, "times out", 50, status="timeout")

    # Timeouts of the last minute expire only after a minute, so the rule is changed instead.
    return rings(s, "acquire_timeouts", ask_until_timeout,
                 lambda: s.order("set_alert(:pool, 'acquire_timeouts', NULL, NULL, 5)"), 1, 1)


def flood(s, pool, n):
    """Enough successful statements to make the failed ones insignificant."""
    for _ in range(n):
        pool.query("SELECT 1")


def error_rate(s):
    pool = s.pool(f"{CALM} min_size=2 max_size=2 emergency=off alert_errors_per_hour=1000000 recovery=''")
    bad = s.callers(1, lambda: s.faulty(pool), 0.2)
    good = s.callers(1, lambda: pool.query("SELECT 1"), 0.2)

    def cure():
        bad.stop()
        good.stop()
        flood(s, pool, 4000)
    return rings(s, "error_rate", lambda: None, cure, 0.3, 1, 7, 40)


def errors_per_hour(s):
    pool = s.pool(f"{CALM} min_size=1 max_size=2 emergency=off alert_errors_per_hour=5 recovery=''")
    return rings(s, "errors_per_hour", lambda: [s.faulty(pool) for _ in range(8)],
                 lambda: s.set("alert_errors_per_hour", 100), 6, 8)


def health_failures(s):
    pool = s.pool(f"{CALM} health_interval=200ms min_size=2 max_size=2 emergency=off recovery=''")
    bad = s.callers(1, lambda: s.faulty(pool), 0.05)

    def cure():
        bad.stop()
        flood(s, pool, 8000)
    return rings(s, "health_failures", lambda: None, cure, 0.2, 1)


def frequent_scaling(s):
    s.pool("burst=off health_interval=0 sizing=threshold min_size=1 max_size=3")

    def swing():
        for _ in range(17):
            for size in (3, 1):
                s.order(f"scale(:pool, {size}, 'up and down')")
    return rings(s, "frequent_scaling", swing, lambda: s.order("set_alert(:pool, 'frequent_scaling', NULL, NULL, 1000)"),
                 31, 33)


def overdue_leases(s):
    pool, held = s.pool(f"{CALM} lease_timeout=500ms min_size=2 max_size=2"), []
    return rings(s, "overdue_leases", lambda: held.extend(hold(pool, 2)), lambda: give_back(held), 1, 2, 0.5)


def leaked_leases(s):
    pool, held = s.pool(f"{CALM} leak_threshold=500ms min_size=2 max_size=2"), []
    return rings(s, "leaked_leases", lambda: held.extend(hold(pool, 2)), lambda: give_back(held), 1, 2, 0.5)


def breaker_open(s):
    road = s.road()
    pool = s.pool(f"{CALM} breaker_trip_after=1s retry_base=50ms retry_max=200ms min_size=2 max_size=2", road.url)
    s.reaches("size, state", (2, "running"))
    return rings(s, "breaker_open", lambda: road.lose(pool), road.find, 1, 1, 1)


def emergency(s):
    pool = s.pool(f"{CALM} min_size=2 max_size=4")
    bad = s.callers(1, lambda: s.faulty(pool), 0.05)

    def cure():
        bad.stop()
        flood(s, pool, 8000)
    return rings(s, "emergency", lambda: None, cure, 1, 1)


def memory_pressure(s):
    s.pool(f"{CALM} min_size=1 max_size=2 health_interval=0")
    s.reaches("state", "running")
    return rings(s, "memory_pressure", lambda: s.set("memory_limit", int(stage.resident_bytes() * 1.1)),
                 lambda: s.set("memory_limit", "100TB"), 0.8, 3, 10)  # other cases start meanwhile


CASES = (connection_exhaustion, wait_time, waiting_count, acquire_timeouts, error_rate, errors_per_hour, health_failures,
         frequent_scaling, overdue_leases, leaked_leases, breaker_open, emergency, memory_pressure)

if __name__ == "__main__":
    sys.exit(stage.main(CASES))
