#!/usr/bin/python3
"""The commands that show something, with no pool, one and a hundred, in pipes and on terminals."""
import json
import os
import re
import signal
import subprocess
import unicodedata

import stage

VIEWS = ("status", "health", "leases", "waiters", "alerts", "insights", "tags", "queries", "history", "events", "settings",
         "commands")
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")  # colours


def width_of(text):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in ESCAPES.sub("", text))


def relations(case):
    return [row["relation"] for row in case.json_of("show")]


class NoPools(stage.CommandCase):
    def test_every_view_says_where_it_looked_and_what_to_set(self):
        for view in VIEWS:
            got = self.run_it(view, code=stage.NO_POOL)
            self.assertEqual(got.out, "")
            for part in ("no pools on this host", self.segments, "TIDEPOOL_DIR", "tidepool doctor"):
                self.assertIn(part, got.err, view)

    def test_json_is_an_empty_array(self):
        for view in VIEWS:
            self.assertEqual(self.json_of(view, code=stage.NO_POOL), [])

    def test_relations_that_need_no_pool(self):
        self.assertIn("pools", relations(self))
        for relation in ("help", "presets", "command_help"):
            self.assertTrue(self.json_of("show", relation))
        self.assertEqual(self.json_of("show", "segments"), [])

    def test_the_directory_can_be_given(self):
        got = self.run_it("status", "--dir", "/nonexistent/place", code=stage.NO_POOL)
        self.assertIn("/nonexistent/place", got.err)

    def test_a_newer_segment_is_not_silence(self):
        path = self.plant_newer()
        got = self.run_it("status", code=stage.NO_POOL)
        for part in (str(path), "other_version", "layout version 99 of a newer tidepool"):
            self.assertIn(part, got.err)


class OnePool(stage.CommandCase):
    def setUp(self):
        super().setUp()
        self.pools = self.owner()
        self.pools.open("shop", "min_size=2 max_size=5")
        self.lease = self.pools.lease("shop", "report\x1b[2J")

    def test_every_relation_as_json_has_all_columns(self):
        names = {}
        for row in self.json_of("show", "help"):
            if row["column_name"] is not None:
                names.setdefault(row["relation"], []).append(row["column_name"])
        for relation in relations(self):
            for row in self.json_of("show", relation):
                self.assertEqual(list(row), names[relation])

    def test_every_view_shows_the_pool(self):
        for view in VIEWS:
            got = self.run_it(view, "shop")
            self.assertEqual(got.err, "")
            if got.out:
                self.assertIn("shop", got.out, view)
                self.assertNotIn("\x1b", got.out, view)

    def test_values_have_their_types(self):
        row, = self.json_of("status", "shop")
        self.assertEqual((row["pool"], row["state"], row["in_use"], row["max_size"]), ("shop", "running", 1, 5))
        self.assertEqual((row["utilization"], row["burst_until"]), (0.2, None))
        self.assertRegex(row["started_at"], r"^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertIs(self.json_of("leases")[0]["overdue"], False)
        self.assertIsInstance(self.json_of("health")[0]["checks"], dict)

    def test_columns_order_and_number_of_rows(self):
        for _ in range(3):
            self.pools.lease("shop", "later")
        got = self.run_it("leases", "--columns", "tag,lease_id", "--sort", "lease_id", "--last", "2")
        self.assertEqual([line.split()[0] for line in got.lines], ["tag", "later", "later"])
        ages = [row["age_ms"] for row in self.json_of("leases")]
        self.assertEqual(ages, sorted(ages, reverse=True))

    def test_history_of_a_resolution(self):
        self.eventually(lambda: self.json_of("history", "--resolution", "1s"), "a second of history")
        self.assertEqual({row["resolution_ms"] for row in self.json_of("history", "--resolution", "1s")}, {1000})
        self.assertEqual(self.json_of("history", "shop", "--resolution", "1h"), [])

    def test_rows_since(self):
        self.assertTrue(self.json_of("events", "--since", "1h"))
        self.eventually(lambda: self.json_of("events", "--since", "1ms") == [], "a millisecond without events")

    def test_events_are_followed(self):
        follower = subprocess.Popen([stage.PROGRAM, "events", "--follow", "--interval", "50ms", "--json"],
                                    stdout=subprocess.PIPE, text=True)
        self.addCleanup(follower.stdout.close)
        self.addCleanup(follower.wait)
        self.addCleanup(follower.kill)
        self.assertEqual(json.loads(follower.stdout.readline())["kind"], "pool_open")
        self.run_it("annotate", "shop", "release 42")
        seen = []
        while "release 42" not in "".join(seen):
            seen.append(json.loads(follower.stdout.readline())["message"])
        self.assertEqual(len(seen), len(set(seen)))

    def test_a_command_is_repeated(self):
        got = self.run_it("watch", "--interval", "100ms", "--count", "3", "status", "shop", "--json")
        self.assertEqual(got.out.count('"pool": "shop"'), 3)
        self.run_it("watch", "--count", "3", "nonsense", code=stage.MISUSE)
        self.run_it("watch", "scale", "shop", "3", code=stage.MISUSE)

    def test_a_reader_that_has_seen_enough(self):
        script = "'%s' show settings | head -n 1; echo ${PIPESTATUS[0]}" % stage.PROGRAM
        shell = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=stage.SECONDS_MAX,
                               check=True)
        self.assertEqual(shell.stderr, "")
        self.assertIn(shell.stdout.splitlines()[1], ("0", "141"))  # 141: SIGPIPE

    def test_a_full_disk_is_an_error(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([stage.PROGRAM, "settings"], stdout=full, stderr=subprocess.PIPE, text=True, check=False,
                                  timeout=stage.SECONDS_MAX)
        self.assertEqual(done.returncode, stage.FAILED)
        self.assertIn("cannot write the output", done.stderr)

    def test_a_pipe_gets_everything(self):
        got = self.run_it("show", "settings", env={"COLUMNS": "20"})
        self.assertIn("description", got.lines[0])
        self.assertNotIn("…", got.out)

    def test_terminals_of_any_width(self):
        for columns in (20, 40, 80, 200):
            for words in (("status",), ("events",), ("show", "pools"), ("leases",), ("show", "pool_stats")):
                got = self.on_terminal(*words, columns=columns)
                self.assertIn("shop", got.out)
                for line in got.lines:
                    self.assertLessEqual(width_of(line), columns, (columns, words, line))
        self.assertIn("more columns: --wide)", self.on_terminal("status", columns=80).out)
        self.assertGreater(max(map(width_of, self.on_terminal("status", "--wide", columns=20).lines)), 100)

    def test_colours_only_where_they_are_wanted(self):
        self.assertRegex(self.on_terminal("status").out, "\x1b\\[32mrunning *\x1b\\[0m")
        for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            self.assertNotIn("\x1b", self.on_terminal("status", env=env).out)

    def test_texts_of_users_are_harmless(self):
        for got in (self.run_it("leases"), self.on_terminal("leases", env={"NO_COLOR": "1"})):
            self.assertIn("report", got.out)
            self.assertNotIn("\x1b", got.out)

    def test_names_are_suggested(self):
        for words, code, parts in (
                (("statu",), stage.MISUSE, ('no command "statu"', '"status"')),
                (("status", "--jsn"), stage.MISUSE, ('no option "--jsn"', '"--json"')),
                (("status", "shp"), stage.NO_POOL, ('no pool "shp"', "shop")),
                (("show", "pol_stats"), stage.MISUSE, ('no relation "pol_stats"', '"pool_stats"')),
                (("status", "--columns", "staet"), stage.MISUSE, ('no column "staet" in pools', '"state"')),
                (("history", "--resolution", "1m"), stage.MISUSE, ('--resolution is "1m"', "1s, 1min, 1h")),
                (("events", "--since", "5 parsecs"), stage.MISUSE, ("--since", "5 parsecs", "accepted")),
                (("events", "--since", "-1h"), stage.MISUSE, ("--since", "-1h")),
                (("show", "leases", "--since", "1h"), stage.MISUSE, ("leases has no times",)),
                (("status", "a", "b"), stage.MISUSE, ('unexpected argument "b"',)),
                (("status", "--dir"), stage.MISUSE, ("--dir",)),
                (("queries", "--slow", "--failed"), stage.MISUSE, ("exclude",))):
            got = self.run_it(*words, code=code)
            for part in parts:
                self.assertIn(part, got.err, words)

    def test_an_instance(self):
        instance = self.json_of("status")[0]["instance_id"]
        self.assertEqual(len(self.json_of("status", "--instance", instance)), 1)
        got = self.run_it("status", "--instance", "0" * 32, code=stage.NO_POOL)
        self.assertIn("no instance", got.err)

    def test_a_newer_segment_beside_it(self):
        self.plant_newer()
        got = self.run_it("status")
        self.assertIn("shop", got.out)
        self.assertIn("warning: some pools are not shown", got.err)

    def test_a_dying_owner(self):
        self.pools.kill()
        row, = self.json_of("status")
        self.assertEqual(row["state"], "dead")
        self.assertTrue(self.json_of("events"))
        self.assertIn("dead", self.on_terminal("status", columns=20).out)

    def test_a_stopped_owner(self):
        self.pools.process.send_signal(signal.SIGSTOP)
        self.addCleanup(self.pools.process.send_signal, signal.SIGCONT)
        self.assertEqual(len(self.json_of("leases")), 1)


class ManyPools(stage.CommandCase):
    def test_a_hundred(self):
        # Copies of one segment: a hundred processes would take long.
        template = self.dead_segment("template")
        data = template.read_bytes()
        for i in range(99):
            instance = "%032x" % (i + 1)
            name = ("pool%02d" % i).encode()
            planted = bytearray(data)
            planted[24:40] = bytes.fromhex(instance)
            planted[stage.POOL_AT:stage.POOL_AT + 2 + len(name)] = bytes([len(name), 0]) + name
            with open(os.path.join(self.segments, "%s.%s.segment" % (name.decode(), instance)), "wb") as file:
                file.write(planted)
        self.assertEqual(len(self.json_of("status")), 100)
        got = self.run_it("status", "nope", code=stage.NO_POOL)
        self.assertIn("and 80 more", got.err)
        self.assertEqual(len(self.run_it("status").lines), 101)
        self.assertEqual(len(self.on_terminal("status", columns=20, env={"NO_COLOR": "1"}).lines), 102)

    def test_a_hostile_name(self):
        name = self.plant_hostile()
        self.assertEqual([row["pool"] for row in self.json_of("status")], [self.json_of("events")[0]["pool"]])
        self.assertIn("日本", self.json_of("status")[0]["pool"])
        for got in (self.run_it("status"), self.on_terminal("status", env={"NO_COLOR": "1"}),
                    self.run_it("check", code=2), self.run_it("doctor", code=0)):
            self.assertNotIn("\x1b", got.out)
            self.assertNotIn("\x1b", got.err)
        self.assertEqual(len(self.run_it("status").lines), 2)
        self.assertEqual(len(self.run_it("check", code=2).lines), 1)
        self.assertNotIn("\x1b", self.run_it("status", name, code=stage.NO_POOL).err)


if __name__ == "__main__":
    stage.main()
