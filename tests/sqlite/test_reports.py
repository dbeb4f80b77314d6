#!/usr/bin/python3
"""Reports in the sqlite3 shell and in Python: without pools, for several, and what a database file may not do."""
import json
import os
import pathlib
import unittest

import jsonschema
import support

SCHEMAS = pathlib.Path(os.environ["TIDE_SOURCE"], "docs", "schema")


def valid(text, schema):
    found = json.loads(text)
    jsonschema.validate(found, json.loads((SCHEMAS / f"{schema}.schema.json").read_text(encoding="utf-8")))
    return found


class Reports(support.SegmentCase):
    def test_without_pools_reports_say_where_they_looked(self):
        db = self.connect()
        self.assertEqual(db.execute("SELECT * FROM tidepool_pools").fetchall(), [])
        text = self.one(db, "SELECT tidepool_health_report()")
        for part in ("No pools", self.segments, "TIDEPOOL_DIR"):
            self.assertIn(part, text.replace("\n", " "))
        for found in (valid(self.one(db, "SELECT tidepool_dashboard()"), "dashboard"),
                      valid(self.one(db, "SELECT tidepool_health_report(NULL, 'json')"), "health")):
            self.assertEqual((found["pools"], found["directory"]), ([], self.segments))
            self.assertIn("TIDEPOOL_DIR", found["hint"])
        self.refused(db, "SELECT tidepool_dashboard('shop')", 'no pool is called "shop"', self.segments, "TIDEPOOL_DIR")

    def test_a_file_that_cannot_be_read_is_counted(self):
        pathlib.Path(self.segments, "shop.%032x.segment" % 1).write_text("of a newer version")
        text = self.one(self.connect(), "SELECT tidepool_health_report()").replace("\n", " ")
        self.assertIn("1 segment there cannot be read", text)

    def test_report_in_the_shell(self):
        owner = self.owner()
        owner.open("shop")
        owner.open("jobs")
        owner.lease("shop", "checkout")
        out, errors = self.shell("SELECT tidepool_health_report()")
        self.assertEqual(errors, "")
        self.assertIn("2 pools in " + self.segments, out)
        self.assertIn("checkout", out)
        self.assertLess(out.index("\njobs "), out.index("\nshop "))

    def test_dead_pool_is_reported(self):
        owner = self.owner()
        owner.open("shop")
        owner.kill()
        db = self.connect()
        self.assertIn("the owner's process exited", self.one(db, "SELECT tidepool_health_report('shop')"))
        self.assertEqual(valid(self.one(db, "SELECT tidepool_dashboard('shop', '1h')"), "dashboard")["pools"][0]["about"]
                         ["state"], "dead")

    def test_a_database_file_cannot_read_pools(self):
        self.owner().open("shop")
        db = self.connect()
        for call in ("tidepool_export('health_text')", "tidepool_health_report()", "tidepool_dashboard()"):
            db.execute("DROP VIEW IF EXISTS v")
            db.execute(f"CREATE VIEW v AS SELECT {call} AS x")
            self.refused(db, "SELECT * FROM v", "unsafe use of")


if __name__ == "__main__":
    unittest.main()
