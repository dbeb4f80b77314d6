#!/usr/bin/python3
"""A database that is gone for a while, under load: callers are told at once, one connect a second is tried, all comes back.

usage: test_breaker.py sqlite|postgresql [CASE...]

TIDE_STOP_SECONDS: for how many probes, of one a second, it stays away (6).
"""
import os
import sys
import threading
import time

import stage
from stage import client, is_, said, until, within

PROBES = int(os.environ.get("TIDE_STOP_SECONDS", "6"))
TRIP_S = 2
OPTIONS = (f"min_size=4 max_size=10 burst=off health_interval=1s acquire_timeout=1s breaker_trip_after={TRIP_S}s "
           "retry_base=50ms retry_max=1s")
AT_ONCE_S = 0.05
SLACK_S = 0.5  # this is Python, on a machine that does other things too


class Asking:
    """Callers that ask a pool again and again; what became of each request, and when."""

    def __init__(self, s, pool):
        self.pool, self.lock, self.told = pool, threading.Lock(), []
        self.callers = s.callers(16, self.ask, 0.05)

    def ask(self):
        asked = time.monotonic()
        status, message = "ok", ""
        try:
            self.pool.query("SELECT 1", tag="asks")
        except client.Refusal as refusal:
            status, message = refusal.status, refusal.message
        with self.lock:
            self.told.append((asked, time.monotonic() - asked, status, message))

    def between(self, begin, end):
        with self.lock:
            return [call for call in self.told if begin <= call[0] and call[0] + call[1] <= end]

    def last_failure(self):
        with self.lock:
            return max(asked + took for asked, took, status, _ in self.told if status != "ok")


def judge_the_outage(calls):
    """Everybody was told, at once, and told what there is to know. Returns the longest and the slower ones."""
    is_(len(calls) > 100, True, f"{len(calls)} requests met the open breaker")
    is_({status for _, _, status, _ in calls}, {"unavailable"})
    for _, _, _, message in calls[::20]:
        said(message, "breaker is open", "; last error: ")
        is_("next connection attempt in " in message or "a connection attempt is in progress" in message, True, message)
        is_(len(message.split("last error: ")[1]) > 10, True, f"the last error in {message!r}")
    longest = max(took for _, took, _, _ in calls)
    slow = sum(1 for _, took, _, _ in calls if took > AT_ONCE_S)
    within(longest, 0, SLACK_S, "seconds until a caller was told")
    within(slow / len(calls), 0, 0.01, f"share of those told after more than {AT_ONCE_S} s")
    return longest, slow


def gone_and_back(s):
    road = s.machine()
    pool = s.pool(OPTIONS, road.url)
    until(lambda: s.state("idle") >= 4, "connections")
    asking = Asking(s, pool)
    until(lambda: len(asking.told) > 100, "the load is under way")
    seen = s.watch("SELECT state, breaker, connecting FROM ~pools WHERE pool = :pool")
    lost = time.monotonic()
    road.lose(pool)
    gone = time.monotonic()
    until(lambda: s.state("breaker") in ("open", "half_open"), "the breaker opens", TRIP_S + 10)
    opened = time.monotonic()
    within(opened - lost, TRIP_S, gone - lost + TRIP_S + 3, "seconds until it opens")

    def failures():
        return s.value("SELECT connect_failures_total FROM ~pool_stats WHERE pool = :pool")
    before, counting_since = failures(), time.monotonic()
    until(lambda: failures() - before >= PROBES, "one probe a second", 2 * PROBES)
    probes, counted_s = failures() - before, time.monotonic() - counting_since
    within(probes, counted_s - 2, counted_s + 1, f"probes in {counted_s:.1f} s")
    is_(s.state(), "degraded")
    until(lambda: s.rows("SELECT state FROM ~alerts WHERE pool = :pool AND rule = 'breaker_open'") == [("firing",)], "it tells")
    found = time.monotonic()
    longest, slow = judge_the_outage(asking.between(opened + 0.2, found))
    road.find()
    back = time.monotonic()
    until(lambda: time.monotonic() - asking.last_failure() > 1.5 and s.state("breaker") == "closed", "all callers are well")
    took = asking.last_failure() - back
    within(took, -SLACK_S, 2, "seconds until the last caller was well")
    asking.callers.stop()
    states = {state for state, _, _ in seen}
    is_("degraded" in states and states <= {"starting", "running", "degraded", "emergency"}, True, f"{states}")
    within(max(connecting for _, _, connecting in seen), 0, 4, "connecting at once")
    s.reaches("state, breaker, in_use, waiting", ("running", "closed", 0, 0), 40)
    until(lambda: s.rows("SELECT state FROM ~alerts WHERE pool = :pool AND rule = 'breaker_open'") == [("resolved",)], "over")
    is_([len(s.events(kind)) for kind in ("breaker_open", "breaker_closed")], [1, 1])
    said(s.events("breaker_open")[0], "no connections left", "connects failed within", "one connection attempt every 1s")
    within(len(s.events("breaker_probe")), min(probes, 10), probes + 3, "events of probes")
    sizes = s.rows("SELECT from_size, to_size, reason FROM ~scaling_events WHERE pool = :pool")
    for from_size, to_size, reason in sizes:
        is_(4 <= to_size <= 10 and from_size != to_size and len(reason) > 5, True, f"{from_size} -> {to_size}: {reason}")
    within(len(sizes), 0, 12 + PROBES / 2, "changes of size")
    closed = " + ".join(f"closed_{why}_total" for why in ("idle", "lifetime", "uses", "error", "scale", "control"))
    until(lambda: s.rows(f"SELECT connects_total - ({closed}) FROM ~pool_stats WHERE pool = :pool") ==
          s.rows("SELECT size FROM ~pools WHERE pool = :pool AND connecting = 0"), "every connect is accounted for")
    return (f"open after {opened - lost:.1f} s, {probes} probes in {counted_s:.1f} s, {len(asking.told)} requests, longest "
            f"refusal {longest * 1000:.1f} ms ({slow} over 50 ms), all well {took * 1000:.0f} ms after the return, at most "
            f"{max(c for _, _, c in seen)} connecting, {len(sizes)} changes of size")


def switched_on_and_off_meanwhile(s):
    """Without a breaker callers wait as ever, unless waiting is known to be vain; it takes over when it is switched on."""
    road = s.road()
    pool = s.pool(OPTIONS + " breaker=off breaker_trip_after=500ms acquire_timeout=300ms", road.url)
    until(lambda: s.state("idle") >= 4, "connections")
    is_(s.state("breaker"), "off")
    road.lose(pool)
    s.reaches("size - connecting", 0)
    refusal = client.refuses(pool.acquire, "waits", 300)
    is_("breaker is open" in refusal.message, False, refusal.message)
    s.set("breaker", "on")
    until(lambda: s.state("breaker") in ("open", "half_open"), "the breaker opens")
    refusal = client.refuses(pool.acquire, "is told", 5000, status="unavailable")
    # A server that is away may come back; that a directory is missing is told as it is.
    is_((refusal.is_retryable, "breaker is open" in refusal.message), (s.database.name == "postgresql", True),
        str(refusal))
    s.set("breaker", "off")
    refusal = client.refuses(pool.acquire, "waits again", 100)
    is_("breaker is open" in refusal.message, False, refusal.message)
    road.find()
    until(lambda: s.state("idle") >= 1, "it comes back")


if __name__ == "__main__":
    sys.exit(stage.main((switched_on_and_off_meanwhile,), (gone_and_back,)))
