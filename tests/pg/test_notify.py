#!/usr/bin/python3
"""Alerts of hosted pools: messages of the server log, and notifications in the database that tidepool.database names."""
import json
import re
import sys
import unittest

import cluster
import hosting
import support
from cluster import wait_until

MESSAGE = 'Ein "Lease" f\u00fcr \U0001F418.'
RULE = ("SELECT tidepool.set_alert('loop', 'one_out', 'in_use', '>=', 1, '0', 'critical', NULL, "
        f"'{MESSAGE}', 'Release it.')")


class Notify(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bench = hosting.Hosting(settings="tidepool.database = 'ops'")
        cls.addClassCleanup(cls.bench.__exit__)
        cls.bench.__enter__()
        cls.cluster = cls.bench.cluster
        cls.sql = cls.cluster.sql

    def setUp(self):
        self.sql("CREATE DATABASE ops")
        self.bench.ask("SELECT 1")  # opens the pool
        self.earlier = {int(row[0]) for row in self.sql("SELECT alert_id FROM tidepool.alerts")}

    def tearDown(self):
        self.sql("DROP DATABASE IF EXISTS ops")

    def fire(self, holder):
        """As long as the session holds its lease, or until end()."""
        holder.ask("BEGIN; SELECT tidepool.lease('loop')")
        self.sql(RULE)

    def end(self, holder):
        holder.ask("COMMIT")
        self.sql("SELECT tidepool.drop_alert('loop', 'one_out')")

    def log_has(self, pattern, seconds=20):
        found = wait_until(lambda: re.search(pattern, self.cluster.log_text()), seconds)
        self.assertTrue(found, f"{pattern} in {self.cluster.log_text()[-3000:]}")

    def notes_of(self, session):
        notes = [json.loads(text) for text in re.findall('notification "tidepool_alerts" with payload "(.*)" received',
                                                         session.ask("SELECT 1"))]
        return [note for note in notes if note["alert_id"] not in self.earlier]

    def collect(self, session, notes, n):
        def enough():
            notes.extend(self.notes_of(session))
            return len(notes) >= n
        self.assertTrue(wait_until(enough, 20, 0.2), f"{n} notifications: {notes}")

    def test_listeners_are_notified_and_the_log_is_written(self):
        notes = []
        with self.bench.session("ops") as listener, self.bench.session() as holder:
            listener.ask("LISTEN tidepool_alerts")
            self.fire(holder)
            self.collect(listener, notes, 1)
            first = notes[0]
            self.assertEqual((first["event"], first["pool"], first["rule"], first["severity"], first["state"], first["value"],
                              first["message"], first["advice"], first["resolved_at"]),
                             ("firing", "loop", "one_out", "critical", "firing", 1, MESSAGE, "Release it.", None))
            columns = {row[0] for row in self.sql("SELECT column_name FROM tidepool.help WHERE relation = 'alerts' "
                                                  "AND column_name IS NOT NULL")}
            self.assertEqual(set(first), columns | {"event"})
            self.assertRegex(first["since"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
            self.sql(f"SELECT tidepool.ack({first['alert_id']})")
            self.collect(listener, notes, 2)
            self.assertEqual((notes[1]["event"], notes[1]["acked_by"]), ("acknowledged", "postgres"))
            self.end(holder)
            self.collect(listener, notes, 3)
            self.assertEqual((notes[2]["event"], notes[2]["state"]), ("resolved", "resolved"))
        self.log_has('WARNING:  pool "loop": alert one_out \\(critical\\): Ein "Lease"')
        self.log_has("DETAIL:  in_use is 1, the threshold is 1\\.")
        self.log_has("HINT:  Release it\\.")
        self.log_has('LOG:  pool "loop": alert one_out acknowledged by postgres')
        self.log_has('LOG:  pool "loop": alert one_out resolved after')
        self.assertEqual(len(notes), 3, "each once")
        self.assertNotIn("event=alert_firing", self.cluster.log_text(), "not twice")

    def test_drop_database_works_at_any_time(self):
        with self.bench.session() as holder:
            for _ in range(5):
                self.fire(holder)
                self.sql("DROP DATABASE ops")  # fails after 5 s if there is a connection all the time
                self.sql("CREATE DATABASE ops")
                self.end(holder)

    def test_missing_database_is_logged_and_tried_again(self):
        self.sql("DROP DATABASE ops")
        with self.bench.session() as holder:
            self.fire(holder)
            self.log_has('FATAL:  database "ops" does not exist')
            self.sql("CREATE DATABASE ops")
            with self.bench.session("ops") as listener:
                listener.ask("LISTEN tidepool_alerts")
                self.end(holder)
                notes = []
                self.collect(listener, notes, 1)
                self.assertEqual(notes[-1]["event"], "resolved")
        self.assertTrue(wait_until(lambda: self.cluster.backends("backend_type = 'tidepool notifier'") == 0))

    def test_a_webhook_is_refused(self):
        for option in ("notify_webhook_url", '"webhookUrl"', "notify_webhook_secret"):
            expected = option.strip('"') + '" is not supported by hosted pools(.|\\n)*tidepool.database'
            with self.assertRaisesRegex(cluster.PsqlError, expected) as told:
                self.bench.serve("hooked", **{option: "https://hooks.example/s3cr3t"})
            self.assertNotIn("s3cr3t", str(told.exception).split("LINE")[0])


if __name__ == "__main__":
    support.require_server()
    sys.exit(unittest.main(verbosity=1))
