"""Common parts of the fault tests: an application under load, servers and pools, and the evaluation of the load."""
import re
import time

import client
import cluster
from client import Loaded, Pool, is_
from cluster import wait_until

SLACK_MS = 500  # two processors, 32 threads, a server and a proxy in Python
QUICK_RETRIES = "retry_base=50ms retry_max=1s"
OPTIONS = f"min_size=4 max_size=10 burst=off max_connecting=4 {QUICK_RETRIES}"
HBA = "local all carol scram-sha-256\nlocal all all trust\nlocal replication all trust\n"


class World:
    def __init__(self, server, segments):
        self.server, self.segments, self.loads, self.pools = server, segments, [], []

    def load(self, url=None, options="", **more):
        load = Loaded(url or self.server.conninfo(application_name="load"), f"{OPTIONS} {options}", **more)
        self.loads.append(load)
        assert_soon(lambda: load.stats()["ok"] > 100, "the load is running")
        load.say("clear")
        return load

    def pool(self, url, options="", **more):
        pool = Pool(url, options, **more)
        self.pools.append(pool)
        return pool

    def end(self):
        for load in self.loads:
            load.kill()
        for pool in self.pools:
            client.library.tide_pool_close(pool.handle, 500, None)
        self.loads, self.pools = [], []

    def mark(self):
        """The current end of the server's log."""
        return len(self.server.log_text())

    def lines(self, mark, pattern):
        return len(re.findall(pattern, self.server.log_text()[mark:]))

    def row(self, columns, pool):
        return tuple(self.segments.rows(f"SELECT {columns} FROM tidepool_pools WHERE pool = ? AND state NOT IN "
                                     "('closed', 'dead')", pool)[0])


def assert_soon(condition, what, seconds=10):
    if not wait_until(condition, seconds):
        raise AssertionError(f"not within {seconds} s: {what}")


def works(pool):
    try:
        return pool.value("SELECT 1") == "1"
    except client.Refusal:
        return False


def back_after(load, since, within_s=2.0):
    """Waits until the load works again: twenty new successes. Returns the time since `since`."""
    first = load.stats()["ok"]
    assert_soon(lambda: load.stats()["ok"] > first + 20, "service is back", 15)
    took = time.monotonic() - since
    if took > within_s:
        raise AssertionError(f"back only after {took:.2f} s")
    return took


def check(load, is_all_retryable=True):
    """Stops the load and checks its results."""
    descriptors = load.descriptors()
    end = load.stop()
    is_(end["wrong"], 0, "wrong answers")
    if end["over_ms"] > SLACK_MS:
        raise AssertionError(f"{end['over_ms']} ms past the deadline in {end['over_what']}")
    if is_all_retryable:
        is_(end["not_retryable"], {}, f"errors that are not retryable: {end['samples']}")
    if end["connecting_max"] > 4 or end["size_max"] > 10:
        raise AssertionError(f"{end['connecting_max']} connecting, {end['size_max']} in all")
    stats, pool = end["pool_stats"], end["pools"]
    closed = sum(value for name, value in stats.items() if name.startswith("closed_") and name != "closed_total")
    is_(stats["closed_total"], closed, "the sum of all reasons")
    is_(stats["connects_total"], closed + pool["size"], f"connects = closed + open, {pool}")
    is_(stats["acquires_total"], stats["releases_total"], "acquires and releases")
    is_((pool["in_use"], pool["waiting"]), (0, 0), "in use and waiting at the end")
    is_(end["closed"], "ok", "closing")
    # Three per connection, one more while it is closed or cancelled, and those of the pool and the program.
    if descriptors > 60:
        raise AssertionError(f"{descriptors} descriptors are open after the fault")
    end["descriptors"] = descriptors
    return end


def told(end):
    return (f"{sum(end['errors'].values())} errors {end['errors']}, longest {end['over_ms']} ms over its deadline, "
            f"gap {end['gap_ms']} ms, {end['pool_stats']['connects_total']} connects, {end['descriptors']} descriptors")


def main(cases):
    """Runs the cases on one server; returns the exit status of a program."""
    segments = client.Segments()
    with cluster.Cluster(settings="log_connections = on", hba=HBA) as server:
        world = World(server, segments)

        def ended(case):
            def run_it(_):
                try:
                    return case(world)
                finally:
                    world.end()
            run_it.__name__ = case.__name__
            return run_it

        failed = client.run([ended(case) for case in cases], world)
    segments.end()
    return 1 if failed else 0
