#!/usr/bin/python3
"""Every option through SQL: refused values with their errors, and changes of a running pool.

usage: test_options.py sqlite|postgresql [CASE...]
"""
import sys

import stage
from stage import is_, said

QUIET = "health_interval=0 scaling=off burst=off min_size=1 max_size=4"


def catalogue(s):
    return s.rows("SELECT name, value, unit, applies, min, max FROM ~settings WHERE pool = :pool ORDER BY name")


def refused(s, option, value, *parts):
    """Refused with a message that contains the option and the value, and nothing has changed."""
    text = s.error(f"SELECT ~wait_applied(~set(:pool, '{option}', '{value}'))", option, *parts)
    is_("must be" in text or "cannot be changed" in text, True, f"what is accepted: {text}")
    return text


def invalid_numbers(s):
    s.pool(QUIET)
    n = 0
    for name, value, unit, applies, low, high in catalogue(s):
        if low in (None, "") or high in (None, "") or high == "1000 bytes":
            continue
        for odd in ("nan", "NaN", "inf", "-1", "-5s", "1e300", "99999999999999999999999", "", "ten", "0x10", "1;2", "--1"):
            refused(s, name, odd, *([odd] if applies != "reopen" else []))
            n += 1
    is_(n > 500, True, f"{n} values tried")
    return f"{n} values refused"


def contradictions(s):
    s.pool(QUIET + " health_min_healthy=2 retry_base=200ms retry_max=10s")
    for option, value, other in (
            ("min_size", 5, "max_size"), ("min_idle", 5, "max_size"), ("max_size", 1, "health_min_healthy"),
            ("burst_max_size", 3, "max_size"), ("retry_base", "20s", "retry_max"), ("retry_max", "100ms", "retry_base"),
            ("scale_down_utilization", 0.9, "scale_up_utilization"),
            ("scale_up_utilization", 0.2, "scale_down_utilization"), ("health_min_healthy", 5, "max_size")):
        s.error(f"SELECT ~wait_applied(~set(:pool, '{option}', '{value}'))", option, other, "Lower", "raise")
    s.error("SELECT ~set(:pool, 'max_sise', 5)" if s.database.name == "sqlite" else "SELECT ~set(:pool, 'max_sise', '5')",
            "max_sise", 'Did you mean "max_size"')


def another(name, value, unit, low, high):
    """A valid value that differs from the current one."""
    if value in ("on", "off") and name != "log":
        return "off" if value == "on" else "on"
    words = {"lease_timeout_action": ("report", "cancel"), "reset_on_release": ("smart", "full"),
             "sizing": ("adaptive", "threshold"), "prediction": ("auto", "linear"), "recovery": ("", "reset_metrics"),
             "validation_query": ("", "SELECT 1"), "log": ("off", "events"), "log_format": ("key_value", "json")}
    if name in words:
        return next(word for word in words[name] if word != value)
    special = {"scale_down_utilization": "0.25", "scale_up_utilization": "0.85", "min_idle": "1", "health_min_healthy": "1",
               "burst_max_size": "12", "min_size": "2", "max_size": "3", "retry_base": "150ms", "retry_max": "9s",
               "memory_limit": "64TB", "sqlite_wal_limit": "7MB", "query_cache_bytes": "7MB", "emergency_below": "21",
               "reserve_size": "1"}
    if name in special:
        return special[name]
    return {"ms": "7s", "ratio": "0.5"}.get(unit, "7")


def live_changes(s):
    """Every option that applies immediately, one after the other: the value is shown, its source is manual, and it can
    be set back."""
    s.pool(QUIET)
    n = 0
    for name, value, unit, applies, low, high in catalogue(s):
        if applies != "now":
            continue
        new = another(name, value, unit, low, high)
        s.set(name, new)
        shown, source = s.rows(f"SELECT value, source FROM ~settings WHERE pool = :pool AND name = '{name}'")[0]
        is_((str(shown), source), (new, "manual"), name)
        s.set(name, value)
        is_(s.value(f"SELECT value FROM ~settings WHERE pool = :pool AND name = '{name}'"), value, name)
        n += 1
    s.set("max_size", 3)
    is_(s.state("max_size, limit_size"), (3, 3))
    s.error("SELECT ~wait_applied(~set(:pool, 'max_size', '4000'))", "max_size 4000", "capacity")
    changes = s.value("SELECT count(*) FROM ~commands WHERE pool = :pool AND verb = 'set' AND status = 'applied'")
    is_(changes > 0, True)
    said(s.events("setting_changed")[-1], "max_size is 3 now, set by ")
    return f"{n} options"


CASES = (invalid_numbers, contradictions, live_changes)

if __name__ == "__main__":
    sys.exit(stage.main(CASES))
