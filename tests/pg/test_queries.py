#!/usr/bin/python3
"""A view of the extension and an ordinary table with the same rows give the same results, for random queries.

    test_queries.py [SEED [COUNT]]      repeat a seed that failed

The queries are those of tests/sqlite/queries.py. The server compares the two results as multisets of rows.
"""
import os
import random
import subprocess
import sys
import unittest

import cluster
import support

sys.path.insert(0, str(cluster.SOURCE / "tests/sqlite"))
import queries  # noqa: E402  pylint: disable=wrong-import-position

SEED = int(sys.argv.pop(1)) if len(sys.argv) > 1 else int.from_bytes(os.urandom(4), "big")
COUNT = int(sys.argv.pop(1)) if len(sys.argv) > 1 else 1500
LITERALS_MAX = 12
MOVING = {"sampled_at", "age_ms", "idle_ms", "oldest_wait_ms", "waited_ms"}  # as of the time of reading
LIVE = {"backends", "servers"}  # of the server itself, which changes
NO_EQUALITY = {"json", "xml", "point"}


def literal(value, kind):
    return "NULL::" + kind if value is None else "'%s'::%s" % (value.replace("'", "''"), kind)


class Queries(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """Pools whose owner has died: their segments do not change any more."""
        cls.bench = support.Bench()
        cls.addClassCleanup(cls.bench.__exit__)
        cls.bench.__enter__()
        owners = [cls.bench.owner(), cls.bench.owner()]
        for owner, names in zip(owners, (("app", "jobs"), ("app",))):
            for name in names:
                owner.open(name, "min_size=2 max_size=5 scaling=off lease_timeout=1h leak_threshold=1h")
            for i in range(3):
                owner.lease(names[0], "report %d" % i)
        cls.bench.extension()
        cls.bench.cluster.sql("SELECT tidepool.set(instance_id, 'acquire_timeout', '7s') FROM tidepool.pools")
        history = lambda: int(cls.bench.cluster.value("SELECT count(*) FROM tidepool.pool_history")) > 0
        assert cluster.wait_until(history)
        for owner in owners:
            owner.kill()
        dead = lambda: cls.bench.cluster.value("SELECT count(*) FROM tidepool.pools WHERE state = 'dead'") == "3"
        assert cluster.wait_until(dead)
        cls.relations = cls.catalogue()

    @classmethod
    def catalogue(cls):
        """Returns {relation: {column: literals}}, of all columns that do not change and have an equality operator."""
        sql = cls.bench.cluster.sql
        found = {}
        for relation, column, kind in sql(
                "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_class c JOIN pg_attribute a"
                " ON a.attrelid = c.oid WHERE c.relnamespace = 'tidepool'::regnamespace AND c.relkind = 'v'"
                " AND a.attnum > 0 ORDER BY c.relname, a.attnum"):
            if relation not in LIVE and column not in MOVING and kind not in NO_EQUALITY:
                found.setdefault(relation, {})[column] = kind
        relations = {}
        for relation, columns in found.items():
            sql('CREATE TABLE public."copy_%s" AS SELECT * FROM tidepool."%s"' % (relation, relation))
            relations[relation] = {}
            for column, kind in columns.items():
                values = sql('SELECT DISTINCT "%s"::text FROM public."copy_%s"' % (column, relation))
                literals = sorted({literal(row[0], kind) for row in values if row})
                random.Random(SEED).shuffle(literals)
                relations[relation][column] = literals[:LITERALS_MAX] or ["NULL::" + kind]
        return relations

    def run_all(self, statements):
        """One line of output for each statement, in one session."""
        command = [part for part in self.bench.cluster.psql_command() if part != "ON_ERROR_STOP=1" and part != "-v"]
        done = subprocess.run([*command, "-A", "-t"], input="\n".join(statements), text=True, capture_output=True,
                              env=self.bench.cluster.environment(), timeout=240, check=False)
        self.assertEqual(done.stderr, "", "seed %d" % SEED)
        return done.stdout.splitlines()

    def test_views_match_tables(self):
        print("seed %d, %d queries" % (SEED, COUNT), file=sys.stderr)
        asked, statements = [], []
        for number in range(COUNT):
            query = queries.Maker(random.Random("%d/%d" % (SEED, number)), queries.Postgres, self.relations).query()
            view = queries.put(query, lambda name: 'tidepool."%s"' % name)
            copy = queries.put(query, lambda name: 'public."copy_%s"' % name)
            asked.append(view)
            # Neither result may contain rows that the other does not; the number of rows shows that there are some.
            statements.append("WITH a AS MATERIALIZED (SELECT row_to_json(q)::text AS r FROM (%s) AS q),"
                              " b AS MATERIALIZED (SELECT row_to_json(q)::text AS r FROM (%s) AS q)"
                              " SELECT (SELECT count(*) FROM ((TABLE a EXCEPT ALL TABLE b) UNION ALL"
                              " (TABLE b EXCEPT ALL TABLE a)) AS d), (SELECT count(*) FROM b);" % (view, copy))
        answers = self.run_all(statements)
        self.assertEqual(len(answers), COUNT)
        for number, answer in enumerate(answers):
            self.assertEqual(answer.split("|")[0], "0", "query %d of seed %d: %s" % (number, SEED, asked[number]))
        self.assertGreater(sum(not answer.endswith("|0") for answer in answers), COUNT / 3)

    def test_all_rows(self):
        for relation, columns in self.relations.items():
            with self.subTest(relation=relation):
                names = ", ".join(queries.quoted(column) for column in columns)
                self.assertEqual(self.bench.cluster.sql('SELECT %s FROM tidepool."%s"' % (names, relation)),
                                 self.bench.cluster.sql('SELECT %s FROM public."copy_%s"' % (names, relation)))


if __name__ == "__main__":
    unittest.main()
