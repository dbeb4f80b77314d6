#!/usr/bin/python3
"""Health reports and the dashboard in SQL: valid against their JSON schemas, safe for a terminal, and with errors that
help.

usage: test_reports.py sqlite|postgresql [CASE...]
"""
import json
import os
import pathlib
import re
import sys

import jsonschema

import stage
from stage import cluster, is_, said, until

SCHEMAS = "TIDE_SCHEMAS"
CALM = "scaling=off burst=off min_size=2 max_size=4"
HOSTILE = 'it\'s "x"\n\x1b[31m\u202e\u6f22\u5b57 \\ $$ '.ljust(50, "\u00e9")[:45]


def valid(report, schema):
    """The report as a Python object, after a check of every member."""
    found = json.loads(report) if isinstance(report, str) else report
    rules = json.loads((pathlib.Path(os.environ[SCHEMAS]) / f"{schema}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(rules)
    jsonschema.Draft7Validator(rules).validate(found)
    return found


def dashboard_of(s, arguments=":pool"):
    return valid(s.value(f"SELECT ~dashboard({arguments})"), "dashboard")


def dashboard(s):
    pool = s.pool(CALM)
    held = pool.acquire(HOSTILE)
    pool.query("SELECT 1")
    found = dashboard_of(s)["pools"]
    is_([p["pool"] for p in found], [s.name])
    is_(found[0]["leases"][0]["tag"].encode("utf-8", "replace")[:8], HOSTILE.encode()[:8])
    is_((found[0]["gauges"]["in_use"], found[0]["series"]), (1, None))
    is_(found[0]["counters"]["queries_total"], 1)
    row = s.rows("SELECT size, limit_size, max_size FROM ~pools WHERE pool = :pool")[0]
    is_(tuple(found[0]["gauges"][name] for name in ("size", "limit_size", "max_size")), row, "as in the relation")
    series = until(lambda: dashboard_of(s, ":pool, '10min'")["pools"][0]["series"]["at_ms"], "the first second")
    is_(series, sorted(series))
    is_(dashboard_of(s, ":pool, '2 d'" if s.database.name == "sqlite" else ":pool, '2 days'")["pools"][0]["series"]
        ["resolution_ms"], 3600000)
    instance = s.value("SELECT instance_id FROM ~pools WHERE pool = :pool AND state <> 'closed'")
    is_(dashboard_of(s, f"'{instance}'")["pools"][0]["pool"], s.name, "by its instance")
    held.release()


def health_report(s):
    pool = s.pool(CALM)
    held = [pool.acquire(HOSTILE) for _ in range(2)]
    s.order("set_alert(:pool, 'mine', 'in_use', '>', 0, NULL, 'critical', NULL, 'It is out.', 'Bring it back.')")
    until(lambda: s.rows("SELECT 1 FROM ~alerts WHERE pool = :pool AND rule = 'mine' AND state = 'firing'"), "the alert")
    text = s.value("SELECT ~health_report(:pool)")
    said(text, s.name, "2 in use", "critical", "mine", "It is out.", "Bring it back.", "it's", "Problems", "Checks",
         "Insights", "Oldest leases")
    is_(re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text), [], "control characters")
    is_([line for line in text.splitlines() if len(line) > 80], [], "wide lines")
    found = valid(s.value("SELECT ~health_report(:pool, 'json')"), "health")
    is_(found["status"], s.value("SELECT status FROM ~health WHERE pool = :pool"))
    is_([alert["rule"] for alert in found["pools"][0]["alerts"]], ["mine"])
    is_(len(found["pools"][0]["oldest_leases"]), 2)
    is_(s.value("SELECT ~export('health_text', :pool)").splitlines()[1:4], text.splitlines()[1:4], "the same as export")
    for lease in held:
        lease.release()


def bad_input(s):
    s.pool(CALM)
    is_sqlite = s.database.name == "sqlite"
    ago = "'-1h'" if is_sqlite else "interval '-1 hour'"
    for call, *parts in (
            ("export('dashbord')", 'no format "dashbord"', "health_text", 'Did you mean "dashboard"?'),
            ("export(NULL)", "format is NULL"),
            ("health_report('bad_inptu')", 'no pool is called "bad_inptu"', "of /", 'Did you mean "bad_input"?'),
            ("health_report(:pool, 'html')", 'format is "html"', "text, json"),
            (f"dashboard(:pool, {ago})", "in the future", "Accepted: how far back from now"),
            (f"export('json', :pool, {ago})", "in the future"),
            ("dashboard('')", None)):
        if parts == [None]:
            is_(len(dashboard_of(s, "''")["pools"]) >= 1, True, "'' is all pools")
        else:
            s.error(f"SELECT ~{call}", *parts)
    if is_sqlite:
        tomorrow = s.value("SELECT datetime('now', '+1 day')")
        s.error(f"SELECT ~dashboard(:pool, '{tomorrow}')", tomorrow, "in the future", "2026-01-31 12:00:00Z")
        s.error("SELECT ~dashboard(:pool, '2026-99-99')", "2026-99-99", "not a time")
        s.error("SELECT ~dashboard(:pool, 'soon')", "soon", "Accepted")
        s.error("SELECT ~export()", "Usage: tidepool_export(format [, pool, since])")
        is_(dashboard_of(s, ":pool, datetime('now', '-1 minute')")["pools"][0]["series"]["resolution_ms"], 1000)
        is_(dashboard_of(s, ":pool, 60000")["pools"][0]["series"]["resolution_ms"], 1000)
    else:
        s.error("SELECT ~dashboard(:pool, '1 month')", "must not contain months")


CASES = (dashboard, health_report, bad_input)

if __name__ == "__main__":
    os.environ.setdefault(SCHEMAS, str(cluster.readable(cluster.SOURCE / "docs" / "schema")))
    sys.exit(stage.main(CASES))
