#!/usr/bin/python3
"""Alerts, rules, health and forecasts of made segments in PostgreSQL, and acknowledging alerts in it."""
import importlib.util
import json
import os
import sys
import unittest

import cluster
import support
from cluster import PsqlError

spec = importlib.util.spec_from_file_location("watch", cluster.SOURCE / "tests/sqlite/watch.py")
watch = importlib.util.module_from_spec(spec)
spec.loader.exec_module(watch)


class Watch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bench = support.Bench()
        cls.addClassCleanup(cls.bench.__exit__)
        cls.bench.__enter__()
        cls.instance_id = cls.bench.owner().open("app", "min_size=1 max_size=2 scaling=off")
        cls.bench.extension()
        cls.segment = next(cls.bench.segments.glob(f"*.{cls.instance_id}.segment"))
        cls.number = watch.bits_of(cls.instance_id) | 0xFFFF_FFF0
        watch.plant_alert(cls.segment, watch.alert(cls.number))
        cls.sql("CREATE ROLE tp_operator LOGIN IN ROLE pg_monitor; CREATE ROLE tp_masked LOGIN;"
                "GRANT USAGE ON SCHEMA tidepool TO tp_masked; GRANT SELECT ON tidepool.alerts TO tp_masked;"
                "GRANT EXECUTE ON FUNCTION tidepool.read_alerts TO tp_masked")

    @classmethod
    def sql(cls, text, user="postgres"):
        return cls.bench.cluster.sql(text, user=user)

    def rows(self, text):
        return json.loads(self.sql(f"SELECT coalesce(json_agg(r), '[]') FROM ({text}) AS r")[0][0])

    def acks(self):
        return [(row["actor"], row["arguments"]) for row in
                self.rows("SELECT actor, arguments FROM tidepool.commands WHERE verb = 'ack' ORDER BY command_id")]

    def may_be_refused(self, text, user="postgres"):
        """The pool may know nothing of an alert that was planted; the order is what counts here."""
        try:
            self.sql(text, user)
        except PsqlError as error:
            self.assertIn("55000", str(error))

    def made(self):
        image = watch.Image(self.segment)
        image.become("old")
        bits = watch.bits_of(watch.OLD_INSTANCE)
        image.put_alerts(watch.alert(bits | 9), watch.alert(bits | 4, "broken", 2, 2, "bob", watch.NAN, True),
                         watch.alert(bits | 7, "odd", 99, 99))
        image.put_rules(watch.rule("a", 0.5, 0.25, 1500, 1, 0, 1, 1, "half"), watch.rule("b", is_enabled=0, is_built_in=0))
        image.put_health(watch.check(0, 99.5, 2.0, 5000.0), watch.check(checked=0), watch.check(2, 0.0, message="full"))
        image.put_forecasts(watch.forecast(10, "linear", mape=0.1, is_selected=1), efficiency=0.75)
        path = image.write_to(self.bench.segments)
        self.addCleanup(path.unlink)
        user = cluster.drop_user()
        if user is not None:
            os.chown(path, user.pw_uid, user.pw_gid)
        return bits

    def test_made_rows(self):
        bits = self.made()
        self.assertEqual(
            self.rows("SELECT alert_id, rule, severity, state, value, threshold, resolved_at IS NULL AS lasts, acked_by,"
                      " acked_at - since AS after FROM tidepool.alerts WHERE pool = 'old'"),
            [{"alert_id": bits | 4, "rule": "broken", "severity": "critical", "state": "resolved", "value": None,
              "threshold": 5.0, "lasts": False, "acked_by": "bob", "after": "00:00:59"},
             {"alert_id": bits | 7, "rule": "odd", "severity": "unknown", "state": "unknown", "value": 7.0,
              "threshold": 5.0, "lasts": True, "acked_by": None, "after": None},
             {"alert_id": bits | 9, "rule": "long_queue", "severity": "warning", "state": "firing", "value": 7.0,
              "threshold": 5.0, "lasts": True, "acked_by": None, "after": None}])
        self.assertEqual(
            self.rows("SELECT rule, comparison, threshold, hold_ms, enabled, message, clear_at, built_in, instance_id"
                      " FROM tidepool.read_alert_rules('old')"),
            [{"rule": "a", "comparison": ">=", "threshold": 0.5, "hold_ms": 1500, "enabled": True, "message": "half",
              "clear_at": 0.25, "built_in": True, "instance_id": watch.OLD_INSTANCE.hex()},
             {"rule": "b", "comparison": ">", "threshold": 5, "hold_ms": 0, "enabled": False, "message": None,
              "clear_at": None, "built_in": False, "instance_id": watch.OLD_INSTANCE.hex()}])
        self.assertEqual(self.rows("SELECT check_name, status, score, value FROM tidepool.health_checks WHERE pool = 'old'"),
                         [{"check_name": "connectivity", "status": "ok", "score": 99.5, "value": 2},
                          {"check_name": "resources", "status": "failed", "score": 0, "value": None}])
        self.assertEqual(self.rows("SELECT horizon_ms, model, low, error_mape, selected, error_wape FROM tidepool.forecasts"
                                   " WHERE pool = 'old'"),
                         [{"horizon_ms": 10000, "model": "linear", "low": 3, "error_mape": 0.1, "selected": True,
                           "error_wape": None}])
        self.assertEqual(self.rows("SELECT efficiency, slow_share FROM tidepool.pool_stats WHERE pool = 'old'"),
                         [{"efficiency": 0.75, "slow_share": None}])

    def test_messages_are_masked(self):
        shown = self.sql("SELECT DISTINCT rule, message FROM tidepool.alerts WHERE pool = 'app'", "tp_masked")
        self.assertIn(["long_queue", "<insufficient privilege>"], shown)

    def test_ack_needs_the_right_and_finds_the_pool(self):
        with self.assertRaisesRegex(PsqlError, "42501"):
            self.sql(f"SELECT tidepool.ack({self.number})", "tp_operator")
        before = len(self.acks())
        self.sql("GRANT EXECUTE ON FUNCTION tidepool.ack TO tp_operator")
        try:
            self.may_be_refused(f"SELECT tidepool.ack({self.number})", "tp_operator")
        finally:
            self.sql("REVOKE EXECUTE ON FUNCTION tidepool.ack FROM tp_operator")
        self.assertEqual(self.acks()[before:], [("tp_operator", {"alert_id": self.number})])

    def test_update_of_acked_by(self):
        before = len(self.acks())
        own = f"WHERE alert_id = {self.number}"
        self.sql(f"BEGIN; UPDATE tidepool.alerts SET acked_by = 'a' {own}; ROLLBACK")
        self.assertEqual(self.acks()[before:], [])
        self.may_be_refused(f"UPDATE tidepool.alerts SET acked_by = 'me, \"myself\"' {own}")
        self.assertEqual(self.acks()[before:], [("postgres", {"alert_id": self.number, "by": 'me, "myself"'})])
        for assignment, why in (("acked_by = ''", "acked_by cannot be"), ("state = 'resolved'", "column state"),
                                ("message = 'x'", "UPDATE may set acked_by"), ("acked_by = repeat('x', 63)", "62 bytes")):
            with self.assertRaisesRegex(PsqlError, why):
                self.sql(f"UPDATE tidepool.alerts SET {assignment} {own}")
        with self.assertRaisesRegex(PsqlError, "rows follow"):
            self.sql(f"DELETE FROM tidepool.alerts {own}")
        self.sql("GRANT UPDATE ON tidepool.alerts TO tp_operator")
        try:
            with self.assertRaisesRegex(PsqlError, "42501"):
                self.sql(f"UPDATE tidepool.alerts SET acked_by = 'x' {own}", "tp_operator")
        finally:
            self.sql("REVOKE UPDATE ON tidepool.alerts FROM tp_operator")
        self.assertEqual(len(self.acks()), before + 1)

    def test_an_alert_that_was_acknowledged_cannot_be_taken_back(self):
        number = self.number + 1
        watch.plant_alert(self.segment, watch.alert(number, acked_by="bob"))
        try:
            with self.assertRaisesRegex(PsqlError, "acked_by cannot be NULL"):
                self.sql(f"UPDATE tidepool.alerts SET acked_by = NULL WHERE alert_id = {number}")
        finally:
            watch.plant_alert(self.segment, watch.alert(self.number))


if __name__ == "__main__":
    support.require_server()
    sys.exit(unittest.main(verbosity=1))
