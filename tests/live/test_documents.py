#!/usr/bin/python3
"""Configurations of other products: each of documents.py opens a pool, and `settings` shows the resulting values.

usage: test_documents.py sqlite|postgresql [CASE...]
"""
import json
import sys

import documents
import stage
from stage import client, is_, said


def configurations_open_with_their_values(s):
    for title, each in documents.ALL.items():
        pool = client.Pool(s.database.url(s.name), json.dumps(each["options"]), name=s.name)
        rows = s.rows("SELECT name, value, source, note FROM ~settings WHERE pool = :pool")
        shown = {name: (str(value), source) for name, value, source, _ in rows}
        for name, value in each["settings"].items():
            is_(shown[name], (value, "options"), f"{title}: {name}")
        notes = {name: note for name, _, _, note in rows}
        for word in each["words"]:
            is_(bool(notes[word]), True, f"{title}: {word} is listed with a reason")
        is_("T0" in str(rows), False, f"{title}: a web address is a secret")
        pool.close()
    return f"{len(documents.ALL)} configurations"


def address_options(s):
    """host, port and so on instead of a URL; the path of a file for SQLite."""
    url = s.database.url(s.name)
    if s.database.name == "sqlite":
        parts = {"dbPath": url.removeprefix("sqlite://")}
    else:
        words = dict(word.split("=", 1) for word in url.replace("'", "").split())
        parts = {"host": words["host"], "port": words.get("port", "5432"), "database": words["dbname"],
                 "username": words["user"], "password": "unused"}
    pool = client.Pool("", json.dumps({**parts, "max": 3}), name=s.name)
    is_(len(pool.query("SELECT 1")), 1)
    is_("unused" in str(s.rows("SELECT * FROM ~settings")), False, "the password is not shown")
    pool.close()
    for options, part in (({"username": "x"}, "does not specify a database"), ({**parts, "dbPath": "/a", "host": "h"}, "")):
        try:
            client.Pool("", json.dumps(options), name=s.name)
            raise AssertionError(f"accepted: {options}")
        except client.Refusal as refusal:
            said(str(refusal), part)


def switches_off(s):
    pool = s.pool(name=s.name, options="")
    pool.close()
    off = {"healthCheckConfig": {"enabled": False, "intervalMs": 60000, "autoRecovery": {"enabled": False, "strategies": [
        "scale_pool"]}, "emergencyMode": {"enabled": False}},
        "adaptiveSizingConfig": {"enabled": False, "prediction": {"enabled": False, "model": "linear"}},
        "monitoringConfig": {"enabled": False}, "enableLogging": False, "enableStatementPooling": False}
    pool = client.Pool(s.database.url(s.name), json.dumps(off), name=s.name)
    shown = dict(s.rows("SELECT name, value FROM ~settings WHERE pool = :pool"))
    for name, value in (("health_interval", "0"), ("recovery", ""), ("emergency", "off"), ("scaling", "off"),
                        ("prediction", "off"), ("alerts", "off"), ("log", "off"),
                        ("statement_cache_size", "0")):
        is_(str(shown[name]) if shown[name] is not None else "", value, name)
    pool.close()


def invalid_values_are_rejected(s):
    for options, *parts in (
            ({"enableMetrics": False}, "enableMetrics", "publish=off"),
            ({"idleTimeoutMs": 1000, "idleConnectionTimeoutMs": 2000}, "idleTimeoutMs", "idleConnectionTimeoutMs"),
            ({"enableHealthChecks": True, "enableHealthCheck": False}, "enableHealthChecks", "enableHealthCheck"),
            ({"enableHealthChecks": "maybe"}, "enableHealthChecks", "maybe"),
            ({"poolConfig": {"maxConections": 3}}, "poolConfig.maxConections", "max_size")):
        try:
            client.Pool(s.database.url(s.name), json.dumps(options), name=s.name)
            raise AssertionError(f"accepted: {options}")
        except client.Refusal as refusal:
            said(str(refusal), *parts)
    try:
        client.Pool(s.database.url(s.name), '{"enableQueryCash": true}', name=s.name)
        raise AssertionError("accepted")
    except client.Refusal as refusal:
        is_("burst" in str(refusal), False, "no dissimilar suggestion")


CASES = (configurations_open_with_their_values, address_options, switches_off, invalid_values_are_rejected)

if __name__ == "__main__":
    sys.exit(stage.main(CASES))
