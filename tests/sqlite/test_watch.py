#!/usr/bin/python3
"""Alerts, their rules, health and forecasts: how they are shown, and the commands on them."""
import json
import pathlib
import sqlite3
import unittest

import support
import watch


class WatchCase(support.SegmentCase):
    def setUp(self):
        super().setUp()
        self.pool_owner = self.owner()
        self.instance_id = self.pool_owner.open("app", "min_size=1 max_size=4")
        self.db = self.connect()

    def segment(self, instance_id=None):
        return next(pathlib.Path(self.segments).glob(f"*.{instance_id or self.instance_id}.segment"))

    def rows(self, sql, *values):
        return self.db.execute(sql, values).fetchall()

    def requests(self, pool="app"):
        """(verb, arguments) of every command of a pool."""
        sql = "SELECT verb, arguments FROM tidepool_commands WHERE pool = ? ORDER BY command_id"
        return [(verb, json.loads(arguments)) for verb, arguments in self.rows(sql, pool)]

    def command_of(self, call, *values, pool="app"):
        """The command that a call sent, whether or not the pool applied it."""
        before = len(self.requests(pool))
        try:
            self.assertIsInstance(self.one(self.db, "SELECT " + call, *values), int)
        except sqlite3.Error as refusal:
            self.assertEqual(len(self.requests(pool)), before + 1, str(refusal))
        return self.requests(pool)[-1]

    def error(self, call, *parts):
        return self.refused(self.db, "SELECT " + call, *parts)


class Rows(WatchCase):
    def setUp(self):
        super().setUp()
        self.image = watch.Image(self.segment())
        self.image.become("old")
        self.bits = watch.bits_of(watch.OLD_INSTANCE)

    def test_alerts_are_sorted_by_id(self):
        self.image.put_alerts(watch.alert(self.bits | 9), watch.alert(self.bits | 4, "broken", 2, 2, "bob", 9.0, True))
        self.image.write_to(self.segments)
        self.assertEqual(self.rows("SELECT alert_id, rule, severity, state, metric, value, threshold, occurrences,"
                                   " resolved_at IS NULL, acked_by, acked_at IS NULL, message, advice"
                                   " FROM tidepool_alerts WHERE pool = 'old'"),
                         [(self.bits | 4, "broken", "critical", "resolved", "waiting", 9.0, 5.0, 3, 0, "bob", 0,
                           "7 callers wait", "raise max_size"),
                          (self.bits | 9, "long_queue", "warning", "firing", "waiting", 7.0, 5.0, 3, 1, None, 1,
                           "7 callers wait", "raise max_size")])
        since, seen = self.rows("SELECT since, last_seen FROM tidepool_alerts WHERE alert_id = ?", self.bits | 9)[0]
        self.assertLess(since, seen)

    def test_rules(self):
        self.image.put_rules(watch.rule("a", 0.5, 0.25, 1500, 1, 0, 1, 1, "half"), watch.rule("b", is_enabled=0, is_built_in=0))
        self.image.write_to(self.segments)
        self.assertEqual(self.rows("SELECT rule, metric, comparison, threshold, hold_ms, severity, enabled, message, advice,"
                                   " clear_at, built_in FROM tidepool_alert_rules WHERE pool = 'old'"),
                         [("a", "waiting", ">=", 0.5, 1500.0, "info", 1, "half", None, 0.25, 1),
                          ("b", "waiting", ">", 5.0, 0.0, "warning", 0, None, None, None, 0)])

    def test_health_and_forecasts(self):
        self.image.put_health(watch.check(0, 99.5, 2.0, 5000.0), watch.check(checked=0), watch.check(2, 0.0, message="full"))
        self.image.put_forecasts(watch.forecast(10, "linear", mape=0.1, is_selected=1), watch.forecast(60, "seasonal"),
                                 efficiency=0.75)
        self.image.write_to(self.segments)
        self.assertEqual(self.rows("SELECT check_name, status, score, value, threshold, message FROM tidepool_health_checks"
                                   " WHERE pool = 'old'"),
                         [("connectivity", "ok", 99.5, 2.0, 5000.0, None), ("resources", "failed", 0.0, None, None, "full")])
        self.assertEqual(self.rows("SELECT horizon_ms, model, predicted_in_use, low, high, error_mape, selected, error_wape"
                                   " FROM tidepool_forecasts WHERE pool = 'old'"),
                         [(10_000.0, "linear", 4.5, 3.0, 7.0, 0.1, 1, None),
                          (60_000.0, "seasonal", 4.5, 3.0, 7.0, None, 0, None)])
        self.assertEqual(self.rows("SELECT efficiency, slow_share, prediction_accuracy FROM tidepool_pool_stats"
                                   " WHERE pool = 'old'"), [(0.75, None, None)])

    def test_state_of_the_breaker(self):
        self.assertIn(self.one(self.db, "SELECT breaker FROM tidepool_pools WHERE pool = 'app'"),
                      ("off", "closed", "open", "half_open"))


class Orders(WatchCase):
    def test_check_health(self):
        self.assertEqual(self.command_of("tidepool_check_health('app')"), ("check_health", {}))

    def test_evaluate(self):
        self.assertEqual(self.command_of("tidepool_evaluate('app')"), ("evaluate", {}))

    def test_every_argument_of_a_rule_reaches_the_pool(self):
        call = "tidepool_set_alert('app', 'r_1', 'waiting', '>=', 5, '90s', 'critical', 0, 'they wait', '', 2.5)"
        self.assertEqual(self.command_of(call), ("set_alert", {
            "rule": "r_1", "metric": "waiting", "comparison": ">=", "threshold": 5, "hold": "90s", "severity": "critical",
            "enabled": False, "message": "they wait", "advice": "", "clear_at": 2.5}))
        self.assertEqual(self.command_of("tidepool_drop_alert('app', 'r_1')"), ("drop_alert", {"rule": "r_1"}))

    def test_null_means_not_given(self):
        self.assertEqual(self.command_of("tidepool_set_alert('app', 'r', NULL)"), ("set_alert", {"rule": "r"}))
        self.assertEqual(self.command_of("tidepool_set_alert('app', 'r', NULL, NULL, 0.1, NULL, NULL, 1)"),
                         ("set_alert", {"rule": "r", "threshold": 0.1, "enabled": True}))
        self.assertEqual(self.command_of("tidepool_set_alert(?, 'r', 'waiting', NULL, '7', 1500)", self.instance_id),
                         ("set_alert", {"rule": "r", "metric": "waiting", "threshold": 7, "hold": "1500ms"}))

    def test_a_rule_for_all_pools(self):
        other = self.owner()
        other.open("jobs")
        for call, verb in (("tidepool_set_alert(NULL, 'r', 'waiting')", "set_alert"),
                           ("tidepool_drop_alert(NULL, 'r')", "drop_alert")):
            self.assertEqual(self.command_of(call)[0], verb)
            self.assertEqual([name for name, _ in self.requests("jobs")][-1], verb)
        self.assertEqual(len(self.requests("jobs")), 2)
        # A dead pool is skipped; an argument that is wrong for one pool is wrong for all.
        other.kill()
        self.eventually(lambda: self.one(self.db, "SELECT state FROM tidepool_pools WHERE pool = 'jobs'") == "dead")
        self.command_of("tidepool_drop_alert(NULL, 'r')")
        self.assertEqual(len(self.requests("jobs")), 2)
        self.error("tidepool_set_alert(NULL, 'r', 'wait')", "metric", "waiting")

    def test_without_a_pool(self):
        self.pool_owner.ask("close", "app")
        self.error("tidepool_set_alert(NULL, 'r', 'waiting')", "no pool that this user may control")
        self.error("tidepool_set_alert('app', 'r', 'waiting')", '"app"')

    def test_ack_finds_the_pool_by_alert_id(self):
        number = watch.bits_of(self.instance_id) | 0xFFFF_FFF0
        self.owner().open("jobs")
        self.error("tidepool_ack(%d)" % ((0x7D << 56) | 1), "no pool has an alert", "alerts")
        watch.plant_alert(self.segment(), watch.alert(number))
        self.assertEqual(self.command_of("tidepool_ack(?)", number), ("ack", {"alert_id": number}))
        self.assertEqual(self.requests("jobs"), [])
        self.pool_owner.kill()
        self.eventually(lambda: self.one(self.db, "SELECT state FROM tidepool_pools WHERE pool = 'app'") == "dead")
        self.error("tidepool_ack(%d)" % number, "dead", '"app"')

    def test_wrong_calls(self):
        usage = "Usage: tidepool_set_alert(pool, rule [, metric, comparison, threshold, hold, severity, enabled, message," \
                " advice, clear_at])"
        self.error("tidepool_set_alert('app')", usage)
        self.error("tidepool_set_alert('app'" + ", NULL" * 11 + ")", "wrong number of arguments", usage)
        self.error("tidepool_set_alert('app', NULL, 'waiting')", "rule is NULL")
        self.error("tidepool_set_alert('app', 'A rule', 'waiting')", "rule", "a to z")
        self.error("tidepool_set_alert('', 'r', 'waiting')", "pool")
        self.error("tidepool_set_alert('app', 'r', 'waitin')", "metric", "waitin", 'Did you mean "waiting"?')
        self.error("tidepool_set_alert('app', 'r', 'waiting', '=')", "comparison", ">=")
        self.error("tidepool_set_alert('app', 'r', 'waiting', '>', 'many')", "threshold", "many")
        self.error("tidepool_set_alert('app', 'r', 'waiting', '>', 9e999)", "threshold", "Inf")
        self.error("tidepool_set_alert('app', 'r', 'waiting', '>', 1e300)", "threshold", "1e18")
        self.error("tidepool_set_alert('app', 'r', 'waiting', '>', 5, 'soon')", "hold", "soon", "30s")
        self.error("tidepool_set_alert('app', 'r', 'waiting', '>', 5, -1)", "hold", "-1")
        self.error("tidepool_set_alert('app', 'r', 'waiting', '>', 5, 0, 'warn')", "severity", "warning")
        self.error("tidepool_set_alert('app', 'r', 'waiting', '>', 5, 0, 'info', 2)", "enabled", "0 or 1")
        self.error("tidepool_set_alert('app', 'r', NULL, NULL, NULL, NULL, NULL, NULL, printf('%191c', 'x'))", "message", "190")
        self.error("tidepool_set_alert('app', 'r', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'x')", "clear_at")
        self.error("tidepool_drop_alert('app', NULL)", "rule is NULL")
        self.error("tidepool_drop_alert('app')", "Usage: tidepool_drop_alert(pool, rule)")
        self.error("tidepool_ack(NULL)", "alert_id is NULL")
        self.error("tidepool_ack('first')", "alert_id", "first")
        self.error("tidepool_ack(0)", "alert_id")
        self.error("tidepool_ack(-1)", "alert_id")
        self.error("tidepool_check_health()", "Usage: tidepool_check_health(pool)")
        self.error("tidepool_check_health(NULL)", "pool is NULL")
        self.assertEqual(self.requests(), [])
        self.error("tidepool_set_alert('app', 'r')", 'alert rule "r" is new, and lacks a metric')

    def test_long_rules_are_applied_and_shown_completely(self):
        long = "x" * 190
        call = "tidepool_set_alert('app', 'r', NULL, NULL, NULL, NULL, NULL, NULL, ?, ?)"
        self.assertEqual(self.command_of(call, long, long), ("set_alert", {"rule": "r", "message": long, "advice": long}))


class Updates(WatchCase):
    """The alerts are made by the test, so the pool refuses the commands; they are recorded all the same."""

    def setUp(self):
        super().setUp()
        self.number = watch.bits_of(self.instance_id) | 0xFFFF_FFF0
        watch.plant_alert(self.segment(), watch.alert(self.number))

    def test_acked_by_sends_a_command(self):
        self.refused(self.db, "UPDATE tidepool_alerts SET acked_by = 'me, \"myself\"' WHERE alert_id = %d" % self.number,
                     "there is no alert %d" % self.number)
        self.assertEqual(self.requests(), [("ack", {"alert_id": self.number, "by": 'me, "myself"'})])

    def test_two_alerts_send_two_commands(self):
        image = watch.Image(self.segment())
        offset, count, stride = watch.region(image.bytes, watch.ALERTS)
        with open(self.segment(), "r+b") as file:
            file.seek(offset + (count - 2) * stride)
            file.write(watch.alert(self.number + 1, "other"))
        for rule, number in (("long_queue", self.number), ("other", self.number + 1)):
            self.refused(self.db, "UPDATE tidepool_alerts SET acked_by = rule WHERE rule = '%s'" % rule,
                         "there is no alert %d" % number)
            self.assertEqual(self.requests()[-1], ("ack", {"alert_id": number, "by": rule}))

    def test_is_part_of_the_transaction(self):
        self.db.execute("BEGIN")
        self.db.execute("UPDATE tidepool_alerts SET acked_by = 'a'")
        self.db.execute("ROLLBACK")
        self.assertEqual(self.requests(), [])
        for statement in ("BEGIN", "UPDATE tidepool_alerts SET acked_by = 'a'", "SAVEPOINT s",
                          "UPDATE tidepool_alerts SET acked_by = 'b'", "ROLLBACK TO s"):
            self.db.execute(statement)
        self.refused(self.db, "COMMIT", "there is no alert %d" % self.number)
        self.assertEqual(self.requests(), [("ack", {"alert_id": self.number, "by": "a"})])

    def test_nothing_else_can_be_assigned(self):
        self.refused(self.db, "UPDATE tidepool_alerts SET acked_by = NULL", "acked_by cannot be NULL", "not empty")
        self.refused(self.db, "UPDATE tidepool_alerts SET acked_by = ''", "acked_by")
        self.refused(self.db, "UPDATE tidepool_alerts SET acked_by = printf('%63c', 'x')", "62")
        self.refused(self.db, "UPDATE tidepool_alerts SET state = 'resolved'", "state cannot be assigned", "acked_by")
        self.refused(self.db, "UPDATE tidepool_alert_rules SET threshold = 1", "tidepool_alert_rules")
        self.refused(self.db, "DELETE FROM tidepool_alerts", "DELETE is refused", "acked_by")
        self.refused(self.db, "INSERT INTO tidepool_alerts(rule) VALUES ('x')", "INSERT is refused")
        self.assertEqual(self.requests(), [])


if __name__ == "__main__":
    unittest.main()
