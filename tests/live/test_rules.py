#!/usr/bin/python3
"""Custom and changed rules, refusals, acknowledging, and notifications of alerts.

usage: test_rules.py sqlite|postgresql [CASE...]
"""
import ctypes
import sys

import stage
from stage import client, is_, said, until

CALM = "burst=off scaling=off min_size=2 max_size=2"
SECRET = "s3cr3t-Pa55"


class Event(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint32), ("kind", ctypes.c_int32), ("conn_id", ctypes.c_uint64),
                ("lease_id", ctypes.c_uint64), ("pool", ctypes.c_char_p), ("text", ctypes.c_char_p)]


ON_EVENT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.POINTER(Event))
ALERT = 6


def alerts(s, rule, columns="state"):
    return s.rows(f"SELECT {columns} FROM ~alerts WHERE pool = :pool AND rule = '{rule}' ORDER BY alert_id")


def rule_of(s, rule):
    rows = s.rows("SELECT metric, comparison, threshold, clear_at, hold_ms, severity, enabled, built_in FROM ~alert_rules "
                  f"WHERE pool = :pool AND rule = '{rule}'")
    return rows[0] if rows else None


def custom_rule(s):
    pool = s.pool(CALM)
    held = [pool.acquire("first")]
    s.order("set_alert(:pool, 'one_out', 'in_use', '>=', 1, '500ms', 'critical', NULL, 'A lease is held.', 'Release it.')")
    is_(rule_of(s, "one_out"), ("in_use", ">=", 1, 1, 500, "critical", 1, 0))
    until(lambda: alerts(s, "one_out") == [("firing",)], "it fires")
    is_(alerts(s, "one_out", "metric, value, threshold, severity, message, advice"),
        [("in_use", 1, 1, "critical", "A lease is held.", "Release it.")])
    s.order("drop_alert(:pool, 'one_out')")
    until(lambda: alerts(s, "one_out") == [("resolved",)], "it ends with its rule")
    said(s.events("alert_resolved", "one_out: %")[0], "its rule was dropped by ")
    is_(rule_of(s, "one_out"), None)
    s.error("SELECT ~drop_alert(:pool, 'one_out')", 'there is no alert rule "one_out"')
    held.pop().release()


def a_rule_for_all_pools(s):
    pools = [s.pool(CALM), s.pool(CALM, name="second")]
    s.rows("SELECT ~set_alert(NULL, 'everywhere', 'in_use', '>', 0)")
    held = [pool.acquire("x") for pool in pools]
    until(lambda: s.rows("SELECT pool FROM ~alerts WHERE rule = 'everywhere' AND state = 'firing' ORDER BY pool") ==
          sorted([(s.name,), ("second",)]), "both fire")
    s.rows("SELECT ~drop_alert(NULL, 'everywhere')")
    until(lambda: s.rows("SELECT state FROM ~alerts WHERE rule = 'everywhere'") == [("resolved",)] * 2, "both end")
    is_(s.rows("SELECT count(*) FROM ~alert_rules WHERE rule = 'everywhere'"), [(0,)])
    for lease in held:
        lease.release()


def built_in_rule_changed_and_restored(s):
    pool = s.pool(CALM)
    name = "connection_exhaustion"
    before = rule_of(s, name)
    is_((before[2], before[4], before[7]), (0.9, 10000, 1))
    s.order(f"set_alert(:pool, '{name}', NULL, NULL, 0.5, '0s')")
    is_(rule_of(s, name), ("utilization", ">=", 0.5, 0.45, 0, "warning", 1, 0))
    lease = pool.acquire("half")
    until(lambda: alerts(s, name) == [("firing",)], "half is enough now")
    is_(alerts(s, name, "value"), [(0.5,)])
    s.order(f"set_alert(:pool, '{name}', NULL, NULL, NULL, NULL, NULL, {s.database.false})")
    until(lambda: alerts(s, name) == [("resolved",)], "switched off")
    is_(rule_of(s, name)[6], 0)
    s.order(f"drop_alert(:pool, '{name}')")
    is_(rule_of(s, name), None)
    s.order(f"set_alert(:pool, '{name}', NULL)")
    is_(rule_of(s, name), before, "as built in")
    lease.release()


def invalid_rules(s):
    s.pool(CALM)
    rules = s.value("SELECT count(*) FROM ~alert_rules WHERE pool = :pool")
    numbers = s.database.odd_numbers  # NaN, infinities
    for arguments, *parts in (
            *[(f"'r', 'waiting', '>', {number}", "threshold") for number in numbers],
            *[(f"'r', 'waiting', '>', 5, NULL, NULL, NULL, NULL, NULL, {number}", "clear_at") for number in numbers],
            ("'r', 'waiting', '>', 1e300", "threshold"),
            ("'r', 'waiting', '>', -1", "threshold is -1"),
            ("'r', 'wating', '>', 1", "wating", 'Did you mean "waiting"?'),
            ("'r', 'waiting', '=', 1", "comparison"),
            ("'r', 'utilization', '>', 90", "threshold 90 is above 1, the highest utilization", "give 0.9"),
            ("'r', 'health', '<', 5000", "threshold 5000 is above 100", "unit of health is score"),
            ("'connection_exhaustion', NULL, NULL, 90", "threshold 90 is above 1", "give 0.9"),
            ("'r', 'oldest_wait_ms', '>', '5s'", "5s"),
            ("'r', 'waiting', '>', 1, '5 parsecs'", "5 parsecs"),
            ("'r', 'waiting', '>', 1, '-5s'", "hold is", "-5"),
            ("'r', 'waiting', '>', 1, '2d'", "hold is", "1d"),
            ("'r', 'waiting', '>', 1, NULL, 'grave'", "severity", "critical"),
            ("'r', NULL, '>', 1", '"r" is new, and lacks a metric'),
            ("'r', 'waiting'", '"r" is new, and lacks a threshold'),
            ("'r', 'waiting', '>', 5, NULL, NULL, NULL, NULL, NULL, 6", "clear_at 6 is above the threshold 5"),
            ("'r', 'health', '<', 5, NULL, NULL, NULL, NULL, NULL, 4", "clear_at 4 is below the threshold 5"),
            (f"'{'n' * 80}', 'waiting', '>', 1", "rule"),
            (f"'r', 'waiting', '>', 1, NULL, NULL, NULL, '{'m' * 500}'", "message")):
        s.error(f"SELECT ~wait_applied(~set_alert(:pool, {arguments}))", *parts)
    s.error("SELECT ~set_alert('nobody', 'r', 'waiting', '>', 1)", "nobody")
    is_(s.value("SELECT count(*) FROM ~alert_rules WHERE pool = :pool"), rules, "rules")


def acknowledging(s):
    pool = s.pool(CALM)
    lease = pool.acquire("x")
    for rule in ("by_function", "by_update"):
        s.order(f"set_alert(:pool, '{rule}', 'in_use', '>', 0)")
    until(lambda: alerts(s, "by_function") + alerts(s, "by_update") == [("firing",)] * 2, "both fire")
    function, update = (s.value(f"SELECT alert_id FROM ~alerts WHERE pool = :pool AND rule = '{rule}'")
                        for rule in ("by_function", "by_update"))
    s.order(f"ack({function})")
    s.rows(f"UPDATE ~alerts SET acked_by = 'ann' WHERE alert_id = {update}")
    until(lambda: alerts(s, "by_update", "acked_by") == [("ann",)], "the update is applied")
    is_(len(alerts(s, "by_function", "acked_by")[0][0]) > 0, True, "an actor")
    is_(s.value("SELECT count(*) FROM ~alerts WHERE pool = :pool AND acked_at IS NULL"), 0)
    is_(alerts(s, "by_update"), [("firing",)], "acknowledging does not resolve")
    is_(len(s.events("alert_acked")), 2)
    s.error(f"SELECT ~wait_applied(~ack({function + 100}))", "there is no alert")
    lease.release()
    until(lambda: alerts(s, "by_update") == [("resolved",)], "over")
    s.error(f"SELECT ~wait_applied(~ack({update}))", "is already resolved")


def event_callback(s):
    heard = []

    def hear(_, event):
        heard.append((event[0].kind, event[0].pool.decode(), event[0].text.decode()))
    with_ = client.OpenOptions(size=ctypes.sizeof(client.OpenOptions), event_mask=1 << ALERT)
    keep = ON_EVENT(hear)
    with_.on_event = ctypes.cast(keep, ctypes.c_void_p)
    handle = client.POINTER()
    url = s.database.url(s.name) + s.database.password(SECRET)
    client.call(client.library.tide_pool_open_with, s.name.encode(), url.encode(), f"{CALM} {stage.QUIET}".encode(),
                ctypes.byref(with_), ctypes.byref(handle))
    try:
        lease = client.Lease()
        client.call(client.library.tide_pool_acquire, handle, b"x", 5000, ctypes.byref(lease))
        s.order("set_alert(:pool, 'mine', 'in_use', '>', 0, NULL, NULL, NULL, 'It is out.')")
        until(lambda: [h for h in heard if h[2].startswith("mine: It is out. (in_use 1, threshold 0)")], "the firing")
        client.call(client.library.tide_lease_release, lease)
        until(lambda: [h for h in heard if h[2].startswith("mine: resolved after ")], "the end")
        is_({(kind, pool) for kind, pool, _ in heard}, {(ALERT, s.name)})
        is_(len([h for h in heard if h[2].startswith("mine: ")]), 2, f"each once: {heard}")
        is_(SECRET in repr(heard), False, "the password")
    finally:
        client.library.tide_pool_close(handle, 500, None)
    del keep


def log_lines(s):
    """With log=alerts one line for the start and one for the end; without it (here by its old name) none; never a
    password."""
    loud, quiet = s.owner(), s.owner()
    road = s.road()
    url = road.url + s.database.password(SECRET)
    loud.open("loud", f"{CALM} retry_base=20ms retry_max=100ms breaker_trip_after=300ms", url)
    quiet.open("quiet", f"{CALM} notify_log=off")
    for owner, name in ((loud, "loud"), (quiet, "quiet")):
        lease = owner.lease(name, "x")
        number = s.value(f"SELECT ~set_alert('{name}', 'mine', 'in_use', '>', 0, NULL, NULL, NULL, 'It is out.')")
        is_(s.value(f"SELECT ~wait_applied({number})"), 1)
        until(lambda pool=name: s.rows(f"SELECT state FROM ~alerts WHERE pool = '{pool}'") == [("firing",)], "it fires")
        owner.release(lease)
    until(lambda: s.rows("SELECT state FROM ~alerts WHERE rule = 'mine' AND pool IN ('loud', 'quiet')") ==
          [("resolved",)] * 2, "both end")
    road.lose(loud.pool_named("loud"))
    until(lambda: "breaker_open: " in loud.errors(), "the breaker's line")
    is_(quiet.errors(), "", "log of the quiet one")
    lines = loud.errors().splitlines()
    is_([line for line in lines if " pool=loud event=alert_" not in line], [], "other lines")
    said(lines[0], "tidepool: time=", " level=", ' event=alert_firing message="mine: It is out. (in_use 1, threshold 0)')
    is_(len([line for line in lines if ' event=alert_resolved message="mine: ' in line]), 1, repr(lines))
    seen = loud.errors()
    for relation in ("alerts", "events", "pools", "pool_stats", "settings", "commands"):
        seen += repr(s.rows(f"SELECT * FROM ~{relation}"))
    is_(SECRET in seen, False, "the password")
    road.find()
    until(lambda: 'event=alert_resolved message="breaker_open: ' in loud.errors(), "the breaker's end")


ALONE = (a_rule_for_all_pools,)
CASES = (custom_rule, built_in_rule_changed_and_restored, invalid_rules, acknowledging,
         event_callback, log_lines)

if __name__ == "__main__":
    sys.exit(stage.main(CASES, ALONE))
