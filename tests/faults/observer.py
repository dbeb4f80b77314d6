#!/usr/bin/python3
"""A process that reads the pools of a directory a hundred times a second and checks every row, until its input ends.

    observer.py SIZE_MAX    prints "ready" after the first reading, and at the end one JSON object
"""
import json
import os
import select
import sqlite3
import sys

PERIOD_S = 0.01
KEPT_MAX = 5


class Observer:
    def __init__(self, size_max):
        self.size_max = size_max
        self.db = sqlite3.connect(":memory:")
        self.db.row_factory = sqlite3.Row
        self.db.enable_load_extension(True)
        self.db.load_extension(os.environ["TIDE_EXTENSION"])
        self.seen = {}
        self.counts = {"readings": 0, "pools": 0, "leases": 0, "wrong": 0, "size_peak": 0, "states": {}, "violations": []}

    def wrong(self, what, row):
        self.counts["wrong"] += 1
        if len(self.counts["violations"]) < KEPT_MAX:
            self.counts["violations"].append(what + ": " + str(dict(row)))

    def look(self):
        counts = self.counts
        counts["readings"] += 1
        for row in self.db.execute("SELECT * FROM tidepool_pools"):
            counts["pools"] += 1
            counts["size_peak"] = max(counts["size_peak"], row["size"])
            counts["states"][row["state"]] = counts["states"].get(row["state"], 0) + 1
            if row["size"] != row["idle"] + row["in_use"] + row["connecting"] + row["validating"]:
                self.wrong("size is not the sum", row)
            if row["size"] > self.size_max:
                self.wrong("too many connections", row)
        leases = self.db.execute("SELECT * FROM tidepool_leases").fetchall()
        counts["leases"] += len(leases)
        if len(leases) != len({(row["instance_id"], row["lease_id"]) for row in leases}):
            self.wrong("a lease is listed twice", leases[0])
        for row in self.db.execute("SELECT * FROM tidepool_pool_stats"):
            before = self.seen.get(row["instance_id"])
            if before is not None:
                for name in row.keys():
                    if not name.endswith("_total") or row[name] is None or before[name] is None:
                        continue  # not measured at the first reading
                    if row[name] < before[name]:
                        self.wrong("%s went from %s down to %s" % (name, before[name], row[name]), row)
            self.seen[row["instance_id"]] = row


def main():
    observer = Observer(int(sys.argv[1]))
    observer.look()
    print("ready", flush=True)
    # The input contains nothing: it ends when the test is done.
    while not select.select([sys.stdin], [], [], PERIOD_S)[0]:
        observer.look()
    print(json.dumps(observer.counts))


if __name__ == "__main__":
    main()
