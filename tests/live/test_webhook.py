#!/usr/bin/python3
"""Alerts that are delivered: what each format sends, what a receiver may do without an alert being lost, and that no secret
appears anywhere.

usage: test_webhook.py sqlite|postgresql [CASE...]
"""
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

import jsonschema

import receiver
import stage
from stage import client, is_, said, until, within

CALM = "init_mode=lazy min_size=1 max_size=2 scaling=off burst=off health_interval=0"
FAST = "notify_webhook_timeout=500ms"
SECRET = "s3cr3t-k3y"

# ---- the formats, as their receivers document them

TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"}
LABELS = {"type": "object", "additionalProperties": {"type": "string", "minLength": 1}, "required": ["alertname"],
          "propertyNames": {"pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$"}}


def exactly(**properties):
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


SCHEMAS = {
    "alertmanager": exactly(
        version={"const": "4"}, groupKey={"type": "string", "minLength": 1}, truncatedAlerts={"type": "integer"},
        status={"enum": ["firing", "resolved"]}, receiver={"type": "string"}, groupLabels=TEXTS, commonLabels=TEXTS,
        commonAnnotations=TEXTS, externalURL={"type": "string"},
        alerts={"type": "array", "minItems": 1, "items": exactly(
            status={"enum": ["firing", "resolved"]}, labels=LABELS, annotations=TEXTS, startsAt=TIME, endsAt=TIME,
            generatorURL={"type": "string"}, fingerprint={"type": "string", "pattern": "^[0-9a-f]{16}$"})}),
    "alertmanager_api": {"type": "array", "minItems": 1, "items": {
        "type": "object", "required": ["labels"], "additionalProperties": False,
        "properties": {"labels": LABELS, "annotations": TEXTS, "startsAt": TIME, "endsAt": TIME,
                       "generatorURL": {"type": "string", "format": "uri"}}}},
    "slack": {"type": "object", "required": ["text", "blocks"], "additionalProperties": False, "properties": {
        "text": {"type": "string", "minLength": 1, "maxLength": 40000},
        "blocks": {"type": "array", "minItems": 1, "maxItems": 50, "items": exactly(
            type={"const": "section"},
            text=exactly(type={"const": "mrkdwn"}, text={"type": "string", "minLength": 1, "maxLength": 3000}))}}},
    "pagerduty": {"type": "object", "required": ["routing_key", "event_action", "dedup_key"], "additionalProperties": False,
                  "properties": {
                      "routing_key": {"type": "string"}, "event_action": {"enum": ["trigger", "acknowledge", "resolve"]},
                      "dedup_key": {"type": "string", "minLength": 1, "maxLength": 255}, "client": {"type": "string"},
                      "payload": {"type": "object", "required": ["summary", "source", "severity"],
                                  "additionalProperties": False,
                                  "properties": {"summary": {"type": "string", "maxLength": 1024},
                                                 "source": {"type": "string", "minLength": 1},
                                                 "severity": {"enum": ["critical", "error", "warning", "info"]},
                                                 "timestamp": TIME, "component": {"type": "string"},
                                                 "group": {"type": "string"}, "class": {"type": "string"},
                                                 "custom_details": {"type": "object"}}}},
                  "if": {"properties": {"event_action": {"const": "trigger"}}}, "then": {"required": ["payload"]}},
}


def listens(s, mood=None, port=0):
    made = receiver.Receiver(mood, port)
    s.ends.append(made.end)
    return made


def raise_alert(s, pool, rule="one_out"):
    """A rule that fires as long as the lease is held; returns the lease."""
    lease = pool.acquire("held")
    s.order(f"set_alert('{pool.name}', '{rule}', 'in_use', '>=', 1, '0', 'critical', NULL, 'A lease is held.', 'Release it.')")
    return lease


def end_alert(s, pool, rule="one_out"):
    s.order(f"drop_alert('{pool.name}', '{rule}')")


def figure(s, column):
    return s.value(f"SELECT {column} FROM ~pool_stats WHERE pool = :pool")


def delivered(to, n, seconds=stage.TIMEOUT_S):
    until(lambda: len(to.deliveries) >= n, f"{n} deliveries", seconds)
    return to.deliveries


def fires_and_ends(s):
    to = listens(s)
    pool = s.pool(f"{CALM} notify_webhook_url={to.url('/hook?x=1')} notify_webhook_secret={SECRET}")
    began = time.time()
    raise_alert(s, pool).release()
    first = delivered(to, 1)[0]
    is_((first.path, first.headers["content-type"]), ("/hook?x=1", "application/json"))
    jsonschema.validate(first.json, SCHEMAS["alertmanager"])
    alert = first.json["alerts"][0]
    is_((first.json["status"], alert["status"], alert["labels"]["alertname"], alert["labels"]["pool"],
         alert["labels"]["severity"], alert["annotations"]["description"]),
        ("firing", "firing", "one_out", s.name, "critical", "Release it."))
    is_((first.is_signed_with(SECRET), first.is_signed_with(SECRET + "x")), (True, False))
    within(int(first.headers["x-tidepool-timestamp"]), began - 2, time.time() + 2, "when it was signed")
    end_alert(s, pool)
    last = delivered(to, 2)[1]
    jsonschema.validate(last.json, SCHEMAS["alertmanager"])
    is_((last.json["status"], last.json["alerts"][0]["fingerprint"]), ("resolved", alert["fingerprint"]))
    until(lambda: figure(s, "notifications_sent_total") == 2, "both are counted")
    is_((figure(s, "notifications_dropped_total"), figure(s, "notifications_queued")), (0, 0))


def each_format(s):
    """Also acknowledged; PagerDuty gets its own event for that."""
    pools = []
    for format in SCHEMAS:
        to = listens(s, receiver.status(202))
        name = f"{s.name}_{format}"
        options = f"notify_webhook_url={to.url()} notify_webhook_format={format} notify_webhook_secret=key"
        pool = s.pool(f"{CALM} {options}", name=name)
        pools.append((format, to, pool, raise_alert(s, pool)))
    for format, to, pool, _ in pools:
        first = delivered(to, 1)[0]
        is_(first.path, {"alertmanager_api": "/api/v2/alerts", "pagerduty": "/v2/enqueue"}.get(format, "/"), format)
        number = s.eyes.rows(f"SELECT alert_id FROM ~alerts WHERE pool = '{pool.name}' AND rule = 'one_out'")[0][0]
        s.order(f"ack({number}, 'olivia')")
        delivered(to, 2)
    for format, to, pool, lease in pools:
        lease.release()
        end_alert(s, pool)
        sent = [each.json for each in delivered(to, 3)]
        for body in sent:
            jsonschema.validate(body, SCHEMAS[format])
        if format == "pagerduty":
            is_([body["event_action"] for body in sent], ["trigger", "acknowledge", "resolve"])
            is_((len({body["dedup_key"] for body in sent}), sent[0]["routing_key"]), (1, "key"))
            is_("x-tidepool-signature" in to.deliveries[0].headers, False, "the routing key signs nothing")
        else:
            said(json.dumps(sent[1]), "olivia")
            is_(to.deliveries[0].is_signed_with("key"), True, format)


def survives(name, mood, said_of_it):
    """A receiver with this mood, and then a good one: the alert is delivered, and leases are served meanwhile."""
    def case(s):
        to = listens(s, mood)
        pool = s.pool(f"{CALM} {FAST} notify_webhook_url={to.url('/path/' + SECRET)}")
        lease = raise_alert(s, pool)
        until(lambda: (figure(s, "notification_failures_total") or 0) >= 1, "it failed")
        error = figure(s, "notification_error")
        said(error, to.url(), said_of_it)
        is_(SECRET in error, False, error)
        is_(len(s.events("webhook_failed")), 1, "one event for the outage")
        began = time.monotonic()
        for _ in range(100):
            pool.acquire("busy").release()
        within(time.monotonic() - began, 0, 2, "a hundred leases")
        to.mood = receiver.status(200)
        count = len(to.deliveries)
        delivered(to, count + 1)
        until(lambda: figure(s, "notifications_sent_total") == 1, "it is counted")
        is_(figure(s, "notifications_dropped_total"), 0)
        until(lambda: s.events("webhook_ok"), "the end of the outage is an event")
        lease.release()
    case.__name__ = f"survives_{name}"
    return case


def unreachable(s):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    pool = s.pool(f"{CALM} {FAST} notify_webhook_url=http://127.0.0.1:{port}/x")
    lease = raise_alert(s, pool)
    until(lambda: (figure(s, "notification_failures_total") or 0) >= 2, "it failed twice")
    lease.release()
    end_alert(s, pool)
    to = listens(s, port=port)
    alerts = delivered(to, 1)[0].json["alerts"]
    is_([alert["status"] for alert in alerts], ["resolved"], "one entry that says when it fired and ended")
    is_(alerts[0]["startsAt"] < alerts[0]["endsAt"], True)
    until(lambda: figure(s, "notifications_sent_total") == 2, "both changes are counted")


def redirects_elsewhere(s):
    other = listens(s)
    to = listens(s, receiver.status(307, f"Location: {other.url('/stolen')}"))
    pool = s.pool(f"{CALM} {FAST} notify_webhook_url={to.url()}")
    lease = raise_alert(s, pool)
    until(lambda: (figure(s, "notification_failures_total") or 0) >= 1, "it counts as a failure")
    said(figure(s, "notification_error"), "307", "redirects are not followed")
    lease.release()
    is_(other.attempts, 0, "nobody else got it")


def retry_after(s):
    to = listens(s, receiver.status(429, "Retry-After: 3"))
    pool = s.pool(f"{CALM} {FAST} notify_webhook_url={to.url()}")
    lease = raise_alert(s, pool)
    until(lambda: to.attempts == 1, "an attempt")
    began = time.monotonic()
    to.mood = receiver.status(200)
    delivered(to, 2)
    within(time.monotonic() - began, 2.5, 10, "the pause that was asked for")
    lease.release()


def content_refused(s):
    to = listens(s, receiver.status(400))
    pool = s.pool(f"{CALM} {FAST} notify_webhook_url={to.url()}")
    lease = raise_alert(s, pool)
    until(lambda: figure(s, "notifications_dropped_total") == 1, "it is dropped and counted")
    is_((to.attempts, figure(s, "notifications_queued")), (1, 0))
    lease.release()


def endless_answer(s):
    to = listens(s, receiver.endless_answer)
    pool = s.pool(f"{CALM} notify_webhook_url={to.url()}")
    lease = raise_alert(s, pool)
    until(lambda: figure(s, "notifications_sent_total") == 1, "what follows the status is not needed")
    is_(receiver.endless_answer.is_read, False, "a hundred megabytes")
    lease.release()


def closing_tells_the_end(s):
    to = listens(s)
    pool = s.pool(f"{CALM} notify_webhook_url={to.url()}")
    lease = raise_alert(s, pool)
    delivered(to, 1)
    lease.release()
    began = time.monotonic()
    pool.close()
    within(time.monotonic() - began, 0, 1.5, "closing")
    last = delivered(to, 2)[-1].json["alerts"][0]
    is_(last["status"], "resolved")
    said(last["annotations"]["summary"], "the pool was closed")


def closing_does_not_wait_for_a_receiver_that_hangs(s):
    to = listens(s, receiver.hanging)
    pool = s.pool(f"{CALM} notify_webhook_url={to.url()} notify_webhook_timeout=1min")
    lease = raise_alert(s, pool)
    until(lambda: to.attempts == 1, "it hangs")
    lease.release()
    began = time.monotonic()
    pool.close()
    within(time.monotonic() - began, 0, 2.5, "closing")


def with_a_foreign_loop(s):
    to = listens(s)
    pool = client.Pool(s.database.url(s.name), f"{stage.QUIET} {CALM} notify_webhook_url={to.url()}", name=s.name, foreign=True)
    got = []

    def leased():
        pool.step()
        try:
            got.append(pool.acquire("held", 0))
        except client.Refusal:
            pass
        return got
    until(leased, "a connection")
    client.order(s.name, "set_alert", rule="one_out", metric="in_use", comparison=">=", threshold=1, hold=0)

    def told():
        pool.step()
        return to.deliveries
    until(told, "a delivery")
    got[0].release()
    pool.close()


def after_fork(s):
    to = listens(s)
    pool = s.pool(f"{CALM} notify_webhook_url={to.url()}")
    lease = raise_alert(s, pool)
    delivered(to, 1)
    child = os.fork()
    if child == 0:
        os._exit(0)
    is_(os.waitpid(child, 0)[1], 0, "the child")
    lease.release()
    end_alert(s, pool)
    delivered(to, 2)


def secrets_are_not_shown(s):
    to = listens(s, receiver.status(500))
    folder = tempfile.mkdtemp(prefix="tidepool-webhook-")
    log = pathlib.Path(folder, "pool.log")
    url = to.url(f"/{SECRET}?token={SECRET}", user=f"{SECRET}:{SECRET}@")
    pool = s.pool(f"{CALM} {FAST} notify_webhook_url={url} notify_webhook_secret={SECRET} log=debug log_destination={log}")
    lease = raise_alert(s, pool)
    until(lambda: (figure(s, "notification_failures_total") or 0) >= 1, "it failed")
    texts = [s.error(f"SELECT ~set(:pool, '{option}', '{url}')", option, "cannot be changed")
             for option in ("notify_webhook_url", "notify_webhook_secret")]
    for option in ("notify_webhook_url", "webhookUrl", "notify_webhook_secret"):
        try:
            client.order(s.name, "set", 2000, option=option, value=url)
            raise AssertionError("accepted")
        except client.Refusal as refusal:
            texts.append(str(refusal))
    is_(s.rows("SELECT value FROM ~settings WHERE pool = :pool AND name LIKE 'notify_webhook_%' ORDER BY name"),
        [("alertmanager",), ("********",), ("500ms",), (to.url(),)])
    for relation in s.rows("SELECT DISTINCT relation FROM ~help"):
        texts += map(repr, s.rows(f"SELECT * FROM ~{relation[0]}"))
    texts.append(log.read_text(encoding="utf-8"))
    segments = [path for path in pathlib.Path(os.environ["TIDEPOOL_DIR"]).iterdir() if path.name.startswith(s.name + ".")]
    is_(len(segments), 2, "the segment and the mailbox")
    for path in segments:
        is_(SECRET.encode() in path.read_bytes(), False, path.name)
    for text in texts:
        is_(SECRET in text, False, text[:2000])
    is_(to.attempts >= 1, True)
    lease.release()
    stage.shutil.rmtree(folder)


def bad_values(s):
    def refused(options, *parts):
        try:
            client.Pool(s.database.url(s.name), options, name=s.name).close()
        except client.Refusal as refusal:
            is_(SECRET in str(refusal), False, str(refusal))
            return said(str(refusal), *parts)
        raise AssertionError(f"accepted: {options}")
    option = "notify_webhook_url"
    refused(f"{option}=hooks.example/{SECRET}", option, "has no scheme", "http://HOST")
    refused(f"{option}=ftp://hooks.example/{SECRET}", option, "other than http and https")
    refused(f"{option}='http://hooks.example/a {SECRET}'", option, "blank")
    refused(f"{option}=http://hooks.example/{SECRET}{'a' * 1001}", option, "1000 bytes")
    refused(f"{option}=http://:80/{SECRET}", option, "names no host")
    refused(f"{option}=http://h:99999/{SECRET}", option, "port")
    refused("notify_webhook_timeout=0", "notify_webhook_timeout", "100ms")
    refused("notify_webhook_format=alertmanger", "notify_webhook_format", "alertmanager_api", "pagerduty")
    refused(f"{option}=http://h/{SECRET} notify_webhook_format=pagerduty", "notify_webhook_secret", "integration key")
    s.pool(f"{CALM} notify_webhook_secret={SECRET}")
    said(s.value("SELECT note FROM ~settings WHERE pool = :pool AND name = 'notify_webhook_secret'"),
         "no effect while notify_webhook_url is empty")


def refused_in_a_database_server(s):
    with_ = client.OpenOptions(size=client.ctypes.sizeof(client.OpenOptions), app=b"postgresql", foreign_loop=1, is_hosted=1)
    try:
        client.call(client.library.tide_pool_open_with, s.name.encode(), s.database.url(s.name).encode(),
                    f"{CALM} notify_webhook_url=http://h/{SECRET}".encode(), client.ctypes.byref(with_),
                    client.ctypes.byref(client.POINTER()))
    except client.Refusal as refusal:
        is_(SECRET in said(str(refusal), "notify_webhook_url", "not supported by hosted pools", "tidepool_alerts"), False)
        return
    raise AssertionError("accepted")


def without_libcurl(s):
    """Only a pool with a webhook needs it."""
    folder = tempfile.mkdtemp(prefix="tidepool-webhook-")
    pathlib.Path(folder, "libcurl.so.4").write_text("no library", encoding="ascii")
    program = f"""
import sys; sys.path[:0] = {sys.path[:3]!r}
import client
print("loaded" if "libcurl" in open("/proc/self/maps").read() else "not loaded")
client.Pool({s.database.url(s.name)!r}, "log=off", name="without").close()
try:
    client.Pool({s.database.url(s.name)!r}, "log=off notify_webhook_url=http://127.0.0.1:1/x", name="with")
except client.Refusal as refusal:
    print(refusal)
"""
    ran = subprocess.run([sys.executable, "-c", program], env=dict(os.environ, LD_LIBRARY_PATH=folder), text=True,
                         capture_output=True, check=False)
    said(ran.stdout, "not loaded", "unavailable", "libcurl.so.4", "the package libcurl4", "notify_webhook_url empty")
    stage.shutil.rmtree(folder)


CASES = (fires_and_ends, each_format,
         survives("hanging", receiver.hanging, "Timeout was reached"),
         survives("trickling", receiver.trickling, "Timeout was reached"),
         survives("closing", receiver.closing, "Server returned nothing"),
         survives("closing_in_the_middle", receiver.closing_in_the_middle, "Transferred a partial file"),
         survives("garbage", receiver.garbage, "Unsupported protocol"),
         survives("endless_headers", receiver.endless_headers, "Failure when receiving data"),
         survives("status_500", receiver.status(500), "HTTP status 500"),
         survives("status_403", receiver.status(403), "HTTP status 403"),
         unreachable, redirects_elsewhere, retry_after, content_refused, endless_answer, closing_tells_the_end,
         closing_does_not_wait_for_a_receiver_that_hangs, with_a_foreign_loop, secrets_are_not_shown, bad_values,
         refused_in_a_database_server, without_libcurl)
ALONE = (after_fork,)  # a fork in the middle of other cases

if __name__ == "__main__":
    sys.exit(stage.main(CASES, ALONE))
