#!/usr/bin/python3
"""The web service of the examples: it serves, tells its health, and stops without losing a request.

web_service.py PROGRAM      on SQLite, or on the PostgreSQL that TIDE_TEST_POSTGRESQL names
"""
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

CLIENTS = 12
GONE = (http.client.RemoteDisconnected, ConnectionError)  # before the first byte of an answer


class Service:
    def __init__(self, program, url, folder, shutdown_ms=10000):
        self.process = subprocess.Popen([program, url, "0", str(shutdown_ms)], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env=dict(os.environ, TIDEPOOL_DIR=folder))
        line = self.process.stdout.readline()
        if "listening" not in line:
            raise AssertionError(f"{line!r}: {self.process.communicate(timeout=10)}")
        self.port = int(line.rsplit(":", 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def ask(self, path, method="GET", connection=None):
        """The status and the decoded answer. Raises one of GONE if there is none, and another error if it is incomplete."""
        own = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        own.request(method, path)
        response = own.getresponse()
        body = response.read()
        if connection is None:
            own.close()
        return response.status, json.loads(body)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        output, errors = self.process.communicate(timeout=30)
        return self.process.returncode, output.strip(), errors.strip(), time.monotonic() - began


def expect(is_true, what):
    if not is_true:
        raise AssertionError(what)


def serves(program, url, folder):
    with Service(program, url, folder) as service:
        expect(service.ask("/items")[0] == 200, "items are listed")
        name = 'a "name" with\nä and \\'
        status, _ = service.ask("/items?" + urllib.parse.urlencode({"name": name}), "POST")
        expect(status == 201, f"an item is added: {status}")
        status, items = service.ask("/items")
        expect(status == 200 and name in items, f"it is listed: {items}")
        expect(service.ask("/items", "POST")[0] == 400, "a missing name is refused")
        expect(service.ask("/count?to=1x")[0] == 400, "a bad number is refused")
        expect(service.ask("/count?to=1000") == (200, 1000), "a query with a parameter")
        status, health = service.ask("/health")
        expect(status == 200 and health["status"] == "healthy", f"health: {status} {health}")
        status, pools = service.ask("/pools")
        expect([pool["pool"] for pool in pools] == ["shop"] and pools[0]["state"] == "running", f"pools: {pools}")
        code, output, errors, _ = service.stop()
        expect((code, output, errors) == (0, "stopped", ""), f"stopped: {code} {output} {errors}")


def tells_its_health(program, folder):
    """With its database file gone the checks fail: 503, with the reason."""
    path = os.path.join(folder, "gone.db")
    # Short intervals, so that it is noticed at once.
    url = f"sqlite://{path}?tidepool.health_interval=100ms&tidepool.max_lifetime=100ms&tidepool.breaker_trip_after=0"
    with Service(program, url, folder) as service:
        expect(service.ask("/health")[0] == 200, "healthy at first")
        os.rename(path, path + ".away")
        os.mkdir(path)
        for _ in range(100):
            status, health = service.ask("/health")
            if status == 503:
                break
            time.sleep(0.1)
        expect(status == 503 and health["status"] == "unhealthy" and health["issues"] and health["recommendations"],
               f"unhealthy: {status} {health}")
        status, answer = service.ask("/items")
        expect(status in (500, 503) and answer["error"], f"an error of the pool is an answer: {status} {answer}")
        code, _, errors, _ = service.stop()
        expect(code == 0, f"stopped: {code} {errors}")


class Client(threading.Thread):
    """Adds items and counts until the service is gone."""

    def __init__(self, service, number):
        super().__init__()
        self.service, self.number = service, number
        self.added, self.answers, self.failures = [], 0, []
        self.statuses = set()

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=30)
        i = 0
        while True:
            i += 1
            name = f"{self.number}-{i}"
            is_post = i % 2 == 0
            path = f"/items?name={name}" if is_post else "/count?to=5000"
            try:
                status, _ = self.service.ask(path, "POST" if is_post else "GET", connection)
            except GONE as why:
                if isinstance(why, ConnectionRefusedError):
                    return
                connection.close()  # the next attempt opens another one
                continue
            except Exception as why:  # half an answer
                self.failures.append(repr(why))
                return
            self.answers += 1
            self.statuses.add(status)
            if is_post and status == 201:
                self.added.append(name)


def takes_about(seconds, service):
    """A number that the service counts to in this time."""
    began = time.monotonic()
    service.ask("/count?to=200000")
    return int(200000 * max(seconds / (time.monotonic() - began), 1))


def stops_without_losing_a_request(program, url, folder):
    with Service(program, url, folder, shutdown_ms=20000) as service:
        slow = []
        to = takes_about(1.5, service)

        def ask_slowly():
            slow.append(service.ask(f"/count?to={to}"))

        thread = threading.Thread(target=ask_slowly)
        thread.start()
        while int(service.ask("/pools")[1][0]["in_use"]) == 0:
            time.sleep(0.01)
        clients = [Client(service, n) for n in range(CLIENTS)]
        for client in clients:
            client.start()
        while sum(client.answers for client in clients) < 5 * CLIENTS:
            time.sleep(0.01)
        told = set()

        def watch():
            while "stopping" not in told:
                try:
                    status, health = service.ask("/health")
                except (*GONE, OSError):
                    return
                if status == 503:
                    told.add(health["status"])

        watcher = threading.Thread(target=watch)
        watcher.start()
        code, output, errors, took = service.stop()
        for each in [*clients, thread, watcher]:
            each.join()
    failures = [failure for client in clients for failure in client.failures]
    statuses = set().union(*(client.statuses for client in clients))
    expect((code, output, errors) == (0, "stopped", ""), f"stopped: {code} {output} {errors}")
    expect(took < 20, f"stopped after {took:.1f} s")
    expect(not failures, f"half answers: {failures[:3]}")
    expect(statuses == {200, 201}, f"statuses: {statuses}")
    expect(slow == [(200, to)], f"a request that took longer was completed: {slow}")
    expect("stopping" in told, f"the health while it stops: {told}")
    # What was answered is there, and nothing else is: a request without an answer did nothing.
    with Service(program, url, folder) as service:
        _, items = service.ask("/items?limit=1000000")
        there = [item for item in items if item[0].isdigit()]
        added = [name for client in clients for name in client.added]
        expect(sorted(there) == sorted(added), f"{len(there)} items, {len(added)} were answered")


def ends_what_takes_too_long(program, url, folder):
    with Service(program, url, folder, shutdown_ms=300) as service:
        slow = []
        thread = threading.Thread(target=lambda: slow.append(service.ask("/count?to=2000000000")))
        thread.start()
        time.sleep(0.5)
        code, output, errors, took = service.stop()
        thread.join()
    expect(code == 1 and "before everything" in output, f"stopped: {code} {output} {errors}")
    expect(took < 8, f"stopped after {took:.1f} s")
    expect(slow and slow[0][0] in (500, 503) and slow[0][1]["error"], f"the request was answered: {slow}")


def main(program):
    with tempfile.TemporaryDirectory(prefix="tidepool-web-") as folder:
        conninfo = os.environ.get("TIDE_TEST_POSTGRESQL")
        url = conninfo or f"sqlite://{folder}/shop.db"
        serves(program, url, folder)
        if not conninfo:
            tells_its_health(program, folder)
        stops_without_losing_a_request(program, url, folder)
        ends_what_takes_too_long(program, url, folder)
    print("ok")


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]))
