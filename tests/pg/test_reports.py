#!/usr/bin/python3
"""Reports in PostgreSQL: of hosted pools, without pools, and in databases of other encodings."""
import json
import sys
import unittest

import jsonschema

import cluster
import hosting
import support

TAG = "ünï 'q' \"x\" 漢"


def valid(text, schema):
    found = json.loads(text)
    rules = json.loads((cluster.SOURCE / "docs" / "schema" / f"{schema}.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(found, rules)
    return found


class Reports(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bench = hosting.Hosting()
        cls.addClassCleanup(cls.bench.__exit__)
        cls.bench.__enter__()
        cls.sql = cls.bench.cluster.sql

    def one(self, call, database="postgres"):
        return self.sql(f"SELECT {call}", database=database)[0][0]

    def dashboard(self, arguments="", database="postgres"):
        return valid(self.one(f"tidepool.dashboard({arguments})::text", database), "dashboard")

    def test_1_without_pools_reports_say_where_they_looked(self):
        self.assertEqual(self.sql("SELECT * FROM tidepool.pools"), [])
        found = self.dashboard()
        self.assertEqual((found["pools"], found["directory"]), ([], str(self.bench.segments)))
        self.assertIn("tidepool.dir", found["hint"])
        told = " ".join(row[0] for row in
                        self.sql("SELECT regexp_split_to_table(tidepool.health_report(), '\\n')") if row[0])
        for part in ("No pools", "tidepool.dir"):
            self.assertIn(part, told)

    def test_hosted_pool(self):
        self.bench.ask("SELECT 1")
        pool = self.dashboard("'loop', '1 hour'")["pools"][0]
        self.assertEqual((pool["about"]["source"], pool["about"]["backend"]), ("hosted", "postgresql"))
        self.assertGreaterEqual(pool["counters"]["queries_total"], 0)
        report = valid(self.one("tidepool.health_report('loop', 'json')"), "health")
        self.assertEqual(report["pools"][0]["pool"], "loop")

    def test_databases_of_other_encodings(self):
        owner = self.bench.owner()
        owner.open("app", "min_size=1 max_size=2 scaling=off")
        owner.lease("app", TAG)
        self.assertEqual(self.dashboard("'app'")["pools"][0]["leases"][0]["tag"], TAG)
        for encoding in ("LATIN1", "SQL_ASCII"):
            name = f"in_{encoding.lower()}"
            self.sql(f"CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
            self.sql("CREATE EXTENSION tidepool", database=name)
            for call in ("tidepool.dashboard('app')::text", "tidepool.health_report('app', 'json')"):
                schema = "dashboard" if "dashboard" in call else "health"
                with self.subTest(encoding=encoding, call=call):
                    self.assertEqual(valid(self.one(call, name), schema)["pools"][0]["pool"], "app")


if __name__ == "__main__":
    support.require_server()
    sys.exit(unittest.main(verbosity=1))
