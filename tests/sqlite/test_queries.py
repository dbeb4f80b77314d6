#!/usr/bin/python3
"""For any query, a relation and a plain table with the same rows return the same result.

    test_queries.py [SEED [COUNT]]      repeats a failed seed
"""
import os
import random
import sqlite3
import sys
import unittest

import queries
import support

SEED = int(sys.argv.pop(1)) if len(sys.argv) > 1 else int.from_bytes(os.urandom(4), "big")
COUNT = int(sys.argv.pop(1)) if len(sys.argv) > 1 else 2000
LITERALS_MAX = 12
MOVING = {"sampled_at", "age_ms", "idle_ms", "oldest_wait_ms", "waited_ms"}  # as of the time of reading


def literal(value):
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'%s'" % value.replace("'", "''")
    return repr(value)


class Queries(support.SegmentCase):
    def setUp(self):
        """Pools whose owner has exited, so that their contents no longer change."""
        super().setUp()
        owners = []
        for names in (("app", "jobs"), ("app",)):
            owners.append(self.owner())
            for name in names:
                owners[-1].open(name, "min_size=2 max_size=5 scaling=off lease_timeout=1h leak_threshold=1h")
            for i in range(3):
                owners[-1].lease(names[0], "report %d" % i)
        self.settle()
        for owner in owners:
            owner.kill()
        self.db = self.connect()
        # SQLite 3.40 finds nothing in an automatic index of a plain table by `= 'a  ' COLLATE RTRIM`.
        self.db.execute("PRAGMA automatic_index = off")
        self.eventually(lambda: self.one(self.db, "SELECT count(*) FROM tidepool_pools WHERE state = 'dead'") == 3, "death")
        self.relations = self.copy()

    def settle(self):
        db = self.connect()
        for instance_id, in db.execute("SELECT instance_id FROM tidepool_pools WHERE state = 'running'").fetchall():
            db.execute("SELECT tidepool_set(?, 'acquire_timeout', '7s')", (instance_id,)).fetchall()
        self.eventually(lambda: self.one(db, "SELECT count(*) FROM tidepool_pool_history") > 0, "a row of history")
        db.close()

    def everything(self):
        found = {}
        for relation, in self.db.execute("SELECT relation FROM tidepool_help WHERE column_name IS NULL").fetchall():
            cursor = self.db.execute("SELECT *, dir FROM tidepool_" + relation)
            found[relation] = ([column[0] for column in cursor.description], cursor.fetchall())
        return found

    def copy(self):
        """Creates copy_<relation> for each; returns what the generator may use: all columns except ages."""
        first = self.everything()
        age = self.one(self.db, "SELECT min(age_ms) FROM tidepool_pools")
        self.eventually(lambda: self.one(self.db, "SELECT min(age_ms) FROM tidepool_pools") > age + 5, "time")
        second = self.everything()
        relations, moving = {}, set()
        for relation, (columns, rows) in first.items():
            self.assertEqual(len(rows), len(second[relation][1]), relation)
            self.db.execute("CREATE TABLE copy_%s AS SELECT *, dir FROM tidepool_%s" % (relation, relation))
            relations[relation] = {}
            for i, column in enumerate(columns):
                if [row[i] for row in rows] != [row[i] for row in second[relation][1]]:
                    moving.add(column)
                    continue
                values = sorted({literal(row[i]) for row in rows})
                random.Random(SEED).shuffle(values)
                relations[relation][column] = values[:LITERALS_MAX] or ["NULL"]
        self.assertLessEqual(moving, MOVING)
        return relations

    def answer(self, query):
        try:
            return sorted(self.db.execute(query).fetchall(), key=repr)
        except sqlite3.Error as error:
            return str(error).replace("tidepool_", "").replace("copy_", "")

    def test_relations_give_the_same_answers_as_tables(self):
        print("seed %d, %d queries" % (SEED, COUNT), file=sys.stderr)
        answered = errors = 0
        for number in range(COUNT):
            rng = random.Random("%d/%d" % (SEED, number))
            query = queries.Maker(rng, queries.Sqlite, self.relations).query()
            # Sometimes the directory is passed as the argument, except for health, whose argument is the pool.
            form = "tidepool_%%s('%s')" % self.segments if rng.random() < 0.1 else "tidepool_%s"
            asked = queries.put(query, lambda name: (form if name != "health" else "tidepool_%s") % name)
            answer, expected = self.answer(asked), self.answer(queries.put(query, lambda name: "copy_" + name))
            self.assertEqual(answer, expected, "query %d of seed %d: %s" % (number, SEED, asked))
            errors += isinstance(answer, str)
            answered += isinstance(answer, list) and len(answer) > 0
        self.assertEqual(errors, 0)
        # Otherwise an empty relation would pass as well.
        self.assertGreater(answered, COUNT / 3)

    def test_equal_rows(self):
        for relation, columns in self.relations.items():
            with self.subTest(relation=relation):
                names = ", ".join(queries.quoted(column) for column in columns)
                self.assertEqual(self.db.execute("SELECT %s FROM tidepool_%s" % (names, relation)).fetchall(),
                                 self.db.execute("SELECT %s FROM copy_%s" % (names, relation)).fetchall())

    def test_a_plain_table_updated_from_relations(self):
        if sqlite3.sqlite_version_info < (3, 33):
            self.skipTest("this SQLite has no UPDATE ... FROM")
        for number in range(100):
            rng = random.Random("%d/update/%d" % (SEED, number))
            maker = queries.Maker(rng, queries.Sqlite, self.relations)
            relation, alias = maker.relation()
            if "pool" not in self.relations[relation]:
                continue
            condition = maker.condition(relation, alias)
            found = []
            for prefix in ("tidepool_", "copy_"):
                self.db.execute("CREATE TEMP TABLE scratch AS SELECT DISTINCT pool, 0 AS n FROM copy_pools")
                update = ("UPDATE scratch SET n = s.n FROM (SELECT %s.pool, count(*) AS n FROM @%s@ AS %s WHERE %s GROUP BY 1)"
                          " AS s WHERE s.pool = scratch.pool" % (alias, relation, alias, condition))
                self.db.execute(queries.put(update, lambda name: prefix + name))
                found.append(self.db.execute("SELECT * FROM scratch ORDER BY pool").fetchall())
                self.db.execute("DROP TABLE scratch")
            self.assertEqual(found[0], found[1], "update %d of seed %d: %s" % (number, SEED, update))


if __name__ == "__main__":
    unittest.main()
