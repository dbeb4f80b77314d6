#!/usr/bin/python3
"""PostgreSQL's views, SQLite's tables and the library's catalogue: the same columns, meanings and values."""
import datetime
import importlib.util
import json
import os
import sqlite3
import subprocess
import sys
import unittest

import cluster
import support

MOVING = {"sampled_at", "age_ms", "idle_ms", "oldest_wait_ms", "waited_ms"}  # they differ between two queries
QUIET = {"pools", "connections", "leases", "waiters", "settings", "commands", "events", "scaling_events", "help",
         "pool_histograms", "pool_stats"}  # not pool_history: a second may end between the two queries
OURS = {"backends", "servers"}  # views that SQLite does not have

spec = importlib.util.spec_from_file_location("generate", cluster.SOURCE / "pg_extension/generate.py")
generate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generate)


def from_sqlite(value, kind):
    if value is None:
        return None
    if kind == "boolean":
        return bool(value)
    if kind == "timestamptz":
        return datetime.datetime.fromisoformat(value.replace("Z", "+00:00")).replace(microsecond=0)
    return json.loads(value) if kind == "jsonb" else value


def from_postgres(value, kind):
    if kind == "timestamptz" and value is not None:
        return datetime.datetime.fromisoformat(value).replace(microsecond=0)
    return value


class Columns(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bench = support.Bench()
        cls.addClassCleanup(cls.bench.__exit__)
        cls.bench.__enter__()
        owner = cls.bench.owner()
        owner.open("app", "min_size=2 max_size=4 scaling=off")
        owner.lease("app", "r\u00e9port \"1\"")
        cls.bench.extension()
        cls.bench.cluster.sql("SELECT tidepool.set('app', 'idle_timeout', '3min')")
        cls.relations = generate.catalogue(support.LIBRARY)
        os.environ["TIDEPOOL_DIR"] = str(cls.bench.segments)
        cls.sqlite = sqlite3.connect(":memory:")
        cls.addClassCleanup(cls.sqlite.close)
        cls.sqlite.enable_load_extension(True)
        cls.sqlite.load_extension(os.environ.get("TIDE_EXTENSION", str(cluster.BUILD / "sqlite_extension/tidepool")))

    def sql(self, text):
        return self.bench.cluster.sql(text)

    def rows_of_postgres(self, name):
        rows = json.loads(self.sql(f"SELECT coalesce(json_agg(r), '[]') FROM tidepool.{name} AS r")[0][0])
        return [row for row in rows if row.get("relation") not in OURS]

    def test_help_describes_postgres_views(self):
        for name in OURS:
            columns = self.sql(f"SELECT attname FROM pg_attribute WHERE attrelid = 'tidepool.{name}'::regclass AND attnum > 0 "
                               "ORDER BY attnum")
            said = self.sql(f"SELECT column_name FROM tidepool.help WHERE relation = '{name}' AND meaning > ''")
            self.assertEqual(said, [[None], *columns])

    def rows_of_sqlite(self, name):
        found = self.sqlite.execute(f"SELECT * FROM tidepool_{name}")
        names = [column[0] for column in found.description]
        return [dict(zip(names, row)) for row in found]

    def test_every_relation_has_its_view(self):
        views = {row[0] for row in self.sql("SELECT viewname FROM pg_views WHERE schemaname = 'tidepool'")}
        names = {name for name, _, _ in self.relations}
        self.assertEqual(names - views, set())
        self.assertEqual(views - names, OURS)

    def test_columns_and_comments_match_the_catalogue(self):
        for name, meaning, columns in self.relations:
            with self.subTest(relation=name):
                said = self.sql("SELECT attname, format_type(atttypid, NULL), col_description(attrelid, attnum) FROM "
                                f"pg_attribute WHERE attrelid = 'tidepool.{name}'::regclass AND attnum > 0 ORDER BY attnum")
                wanted = [[c, k.replace("timestamptz", "timestamp with time zone"), m] for c, k, m in columns]
                self.assertEqual(said, wanted)
                self.assertEqual(self.sql(f"SELECT obj_description('tidepool.{name}'::regclass)"), [[meaning]])

    def test_columns_match_sqlite(self):
        for name, _, columns in self.relations:
            with self.subTest(relation=name):
                found = self.sqlite.execute(f"SELECT * FROM tidepool_{name} LIMIT 0")
                self.assertEqual([c[0] for c in found.description], [column for column, _, _ in columns])

    def test_values_match_sqlite(self):
        for name, _, columns in self.relations:
            if name not in QUIET:
                continue
            with self.subTest(relation=name):
                ours, theirs = self.rows_of_postgres(name), self.rows_of_sqlite(name)
                self.assertEqual(len(ours), len(theirs))
                for mine, other in zip(ours, theirs):
                    for column, kind, _ in columns:
                        if column in MOVING:
                            continue
                        left, right = from_postgres(mine[column], kind), from_sqlite(other[column], kind)
                        if kind == "timestamptz" and left is not None:
                            # Wall-clock times are computed at every query.
                            self.assertLessEqual(abs((left - right).total_seconds()), 1, column)
                        else:
                            self.assertEqual(left, right, f"{name}.{column}")

    def test_script_is_current(self):
        subprocess.run([support.PYTHON, str(cluster.SOURCE / "pg_extension/generate.py"), "--check", support.LIBRARY],
                       check=True)


if __name__ == "__main__":
    support.require_server()
    sys.exit(unittest.main(verbosity=1))
