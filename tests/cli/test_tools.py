#!/usr/bin/python3
"""check, doctor, help, completion and the manual page."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess

import stage

OK, WARNING, CRITICAL, UNKNOWN = range(4)
STARTED_AT = 40, 48  # in the header of a segment
BUILD = pathlib.Path(os.environ["TIDE_BUILD"])
# 'label'=value;warning;critical;minimum;maximum
FIGURE = re.compile(r" '(?:[^'=]+)'=[0-9.]+;[0-9.]*;[0-9.]*;[0-9.]*(?:;[0-9.]*)?")


class Checks(stage.CommandCase):
    def setUp(self):
        super().setUp()
        self.pools = self.owner()
        self.pools.open("shop", "min_size=2 max_size=4 lease_timeout=0")

    def plugin(self, *words, code):
        got = self.run_it("check", *words, code=code)
        line, = got.lines
        status, _, figures = line.partition(" |")
        self.assertTrue(status.startswith("TIDEPOOL " + ("OK", "WARNING", "CRITICAL", "UNKNOWN")[code]), line)
        self.assertEqual(FIGURE.sub("", figures), "", line)
        return line

    def test_figures_of_a_plugin(self):
        line = self.plugin("shop", "--max-utilization", "0.9", code=OK)
        self.assertIn("'shop utilization'=0;;0.9;0;1", line)

    def test_limits(self):
        for _ in range(3):
            self.pools.lease("shop")
        self.assertIn("shop utilization is 0.75", self.plugin("--max-utilization", "0.5", code=CRITICAL))
        self.plugin("--warn-utilization", "0.5", "--max-utilization", "0.8", code=WARNING)
        self.plugin("--warn-utilization", "0.8", code=OK)
        for words in (("--max-utilization", "90"), ("--max-wait", "soon"), ("--max-waiting", "-1"), ("--nope",)):
            self.run_it("check", *words, code=UNKNOWN)

    def test_states(self):
        self.run_it("pause", "shop")
        self.assertIn("shop is paused", self.plugin(code=WARNING))
        self.assertIn("not ready: shop is paused", self.run_it("check", "--ready", "shop", code=1).out)
        self.run_it("check", "--live", "shop")
        self.run_it("resume", "shop")
        self.run_it("check", "--ready", "shop")

    def test_an_owner_that_has_died(self):
        self.pools.kill()
        self.assertIn("shop is dead", self.plugin(code=CRITICAL))
        self.run_it("check", "shop", "--ready", code=1)
        self.run_it("check", "shop", "--live", code=1)
        # Its remains do not matter once a new process runs; the new one removes them when it has the same name.
        self.owner().open("shop", "min_size=1 max_size=2")
        self.plugin(code=OK)

    def test_an_owner_that_hangs(self):
        self.pools.process.send_signal(signal.SIGSTOP)
        self.addCleanup(self.pools.process.send_signal, signal.SIGCONT)
        self.eventually(lambda: self.json_of("status")[0]["state"] == "stale", "it is stale")
        self.assertIn("shop is stale", self.plugin(code=CRITICAL))
        self.assertIn("has not updated its state", self.run_it("check", "--live", "shop", code=1).out)
        self.run_it("check", "--ready", "shop", code=1)

    def test_absence(self):
        self.assertIn('no pool "nope"', self.plugin("nope", code=CRITICAL))
        self.run_it("check", "--ready", "nope", code=1)
        self.pools.end()
        self.assertIn("no pools on this host", self.plugin(code=UNKNOWN))
        self.run_it("check", "--live", code=1)

    def test_json(self):
        row = self.json_of("check", "nope", code=CRITICAL)
        self.assertEqual((row["status"], row["exit_code"], row["problems"][0]["level"]), ("CRITICAL", 2, "CRITICAL"))
        self.assertEqual(self.json_of("check", "--ready", "shop"), {"ready": True, "message": None})

    def test_a_file_that_is_not_read(self):
        self.plant_newer()
        self.assertIn("is other_version", self.plugin(code=WARNING))


class Doctor(stage.CommandCase):
    def findings(self, *words, code):
        got = self.json_of("doctor", *words, code=code)
        self.assertEqual(got["directory"], self.segments)
        # The host may have pools elsewhere.
        found = {row["message"]: row["advice"] for row in got["findings"]
                 if row["severity"] != "ok" and (self.segments in row["message"] or not row["message"].startswith("/"))}
        return got, found

    def advice_on(self, part, found):
        advice = [advice for message, advice in found.items() if part in message]
        self.assertEqual(len(advice), 1, (part, found))
        return advice[0]

    def test_no_pool(self):
        got, found = self.findings(code=stage.NO_POOL)
        self.assertEqual([d["origin"] for d in got["directories"] if d["used"]], ["TIDEPOOL_DIR"])
        self.assertIn("publish=on", self.advice_on("no pools on this host", found))
        text = self.run_it("doctor", code=stage.NO_POOL).out
        self.assertIn("pools are looked for in %s (TIDEPOOL_DIR)" % self.segments, text)

    def test_a_pool_that_is_fine(self):
        self.owner().open("shop")
        got, found = self.findings(code=stage.DONE)
        self.assertEqual((got["pools"], found), (1, {}))
        self.assertIn("1 pool is shown", self.run_it("doctor", "shop").out)

    def test_a_name_with_a_typing_error(self):
        self.owner().open("shop")
        _, found = self.findings("shp", code=stage.NO_POOL)
        self.assertIn('"shop"', self.advice_on('no pool "shp"', found))

    def test_a_pool_in_another_directory(self):
        owner = self.owner(self.segments + "-other")
        self.addCleanup(shutil.rmtree, self.segments + "-other", ignore_errors=True)
        owner.open("shop")
        os.environ["TIDEPOOL_DIR"] = self.segments + "-other"
        got = self.run_it("doctor", "--dir", self.segments, code=stage.NO_POOL)
        self.assertIn("--dir %s-other status" % self.segments, got.out)

    def test_directories_that_cannot_be_used(self):
        got = self.run_it("doctor", "--dir", "/nonexistent/place", code=stage.NO_POOL).out
        self.assertIn("/nonexistent/place does not exist", got)
        file = os.path.join(self.segments, "file")
        pathlib.Path(file).touch()
        self.assertIn("is not a directory", self.run_it("doctor", "--dir", file, code=stage.NO_POOL).out)

    def test_files_of_every_kind(self):
        self.owner().open("shop")
        dead = self.dead_segment("gone")
        newer = self.plant_newer()
        folder = pathlib.Path(self.segments)
        damaged = folder / ("torn.%032x.segment" % 1)
        damaged.write_bytes(dead.read_bytes()[:5000])
        strange = folder / ("strange.%032x.segment" % 2)
        strange.write_bytes(b"hello, world" * 10)
        (folder / ("alone.%032x.mailbox" % 3)).write_bytes(b"")
        (folder / ("kept.%032x.history" % 4)).write_bytes(b"")
        (folder / "link").symlink_to("/etc/passwd")
        statuses = {row["path"].split("/")[-1].split(".")[0]: row for row in self.json_of("show", "segments")}
        self.assertEqual({name: row["status"] for name, row in statuses.items()},
                         {"shop": "live", "gone": "dead", "newer": "other_version", "torn": "damaged",
                          "strange": "not_a_segment", "alone": "leftover", "kept": "leftover", "link": "not_a_segment"})
        self.assertEqual((statuses["newer"]["layout_version"], statuses["shop"]["mode"], statuses["shop"]["controllable"]),
                         (99, "0640", True))
        _, found = self.findings(code=stage.FAILED)
        self.assertIn("removed when the pool is opened again", self.advice_on(str(dead), found))
        self.assertIn("version", self.advice_on(str(newer), found))
        self.assertIn("remove the file", self.advice_on(str(damaged), found))
        self.assertIn("ignored", self.advice_on(str(strange), found))

    def test_a_clock_that_was_set_back(self):
        template = self.dead_segment("template")
        self.plant("later", lambda data: data.__setitem__(slice(*STARTED_AT), (2 ** 62).to_bytes(8, "little")), template)
        self.remove(template)
        _, found = self.findings(code=stage.FAILED)
        self.assertIn("clock", self.advice_on('pool "later" was opened in the future', found))

    def test_rights(self):
        if os.geteuid() != 0:
            print("not tested here, because only root can become another user: files of other users")
            return
        self.owner().open("shop")
        os.chmod(self.segments, 0o755)
        self.assertEqual(self.findings(code=stage.DONE)[0]["pools"], 1)
        as_nobody = {"user": 65534, "group": 65534, "extra_groups": []}
        # The folders above the program may be closed to others.
        copy = pathlib.Path(self.segments, "program")
        copy.mkdir()
        copy.chmod(0o755)
        for path in (stage.PROGRAM, os.environ["TIDE_LIBRARY"]):
            shutil.copy(path, copy)
        library = copy / "libtidepool.so.0"
        (copy / pathlib.Path(os.environ["TIDE_LIBRARY"]).name).rename(library)
        done = subprocess.run([str(copy / "tidepool"), "doctor", "--json"], capture_output=True, text=True, check=False,
                              env=dict(os.environ, LD_LIBRARY_PATH=str(copy)), cwd="/", timeout=stage.SECONDS_MAX, **as_nobody)
        self.assertEqual(done.returncode, stage.NO_POOL, done.stderr)
        found = {row["message"]: row["advice"] for row in json.loads(done.stdout)["findings"]}
        closed = pathlib.Path(self.segments, "closed")
        closed.mkdir(mode=0o700)
        status = subprocess.run([str(copy / "tidepool"), "status", "--dir", str(closed)], capture_output=True, text=True,
                                check=False, env=dict(os.environ, LD_LIBRARY_PATH=str(copy)), cwd="/",
                                timeout=stage.SECONDS_MAX, **as_nobody)
        self.assertIn("which this user may not read", status.stderr)
        self.assertIn("join the group", self.advice_on("cannot be read: Permission denied", found))


class Help(stage.CommandCase):
    def commands(self):
        return [line.split("\t")[0] for line in self.run_it("__complete", "").lines]

    def test_every_command_is_explained(self):
        overview = self.run_it("--help").out
        for command in self.commands():
            self.assertRegex(overview, r"(?m)^  %s\b" % command)
            text = self.run_it("help", command).out
            for part in ("usage: tidepool " + command, "Exit codes:", "Examples:\n"):
                self.assertIn(part, text, command)
        for text in (overview, self.run_it("help").out):
            for part in ("Exit codes:", "TIDEPOOL_DIR", "NO_COLOR"):
                self.assertIn(part, text)

    def test_without_a_command(self):
        got = self.run_it(code=stage.MISUSE)
        self.assertIn("usage:", got.err)
        self.assertIn('"status"', self.run_it("help", "stats", code=stage.MISUSE).err)
        self.assertRegex(self.run_it("--version").out, r"^tidepool \d+\.\d+\.\d+\n$")

    def test_the_manual_page_is_that_of_the_program(self):
        page = self.run_it("__manual").out
        built = BUILD / "cli" / "shell" / "tidepool.1"
        self.assertEqual(built.read_text(encoding="utf-8"), page)
        for command in self.commands():
            self.assertIn(".SS tidepool %s" % command.replace("-", "\\-"), page)

    def test_the_manual_page_is_rendered(self):
        if shutil.which("groff") is None:
            print("not tested here, because groff is not installed: rendering of the manual page")
            return
        done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-Kutf8"], input=self.run_it("__manual").out,
                              capture_output=True, text=True, check=True, timeout=stage.SECONDS_MAX)
        self.assertEqual(done.stderr, "")
        text = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout)
        for part in ("NAME", "EXIT STATUS", "tidepool scale POOL TARGET_SIZE", "--reason VALUE"):
            self.assertIn(part, text)


class Completion(stage.CommandCase):
    def candidates(self, *words):
        return [line.split("\t")[0] for line in self.run_it("__complete", *words).lines]

    def test_what_may_follow(self):
        self.owner().open("shop")
        self.assertIn("status", self.candidates(""))
        self.assertNotIn("__complete", self.candidates(""))
        self.assertEqual(self.candidates("status", ""), ["shop"])
        self.assertEqual(self.candidates("--json", "status", "sh"), ["shop"])
        self.assertIn("--since", self.candidates("events", "--"))
        self.assertIn("--json", self.candidates("-"))
        self.assertIn("pool_stats", self.candidates("show", ""))
        self.assertEqual(self.candidates("show", "leases", ""), ["shop"])
        self.assertIn("max_size", self.candidates("set", "shop", ""))
        self.assertIn("prometheus", self.candidates("export", ""))
        self.assertEqual(self.candidates("history", "--resolution", ""), ["1s", "1min", "1h"])
        self.assertEqual(self.candidates("status", "--dir", ""), [":files"])
        self.assertEqual(self.candidates("export", "json", "-o", ""), [":files"])
        self.assertIn("status", self.candidates("watch", ""))
        self.assertEqual(self.candidates("watch", "status", ""), ["shop"])
        self.assertEqual(self.candidates("completion", ""), ["bash", "zsh", "fish"])
        self.assertEqual(self.candidates("nonsense", ""), [])

    def test_hostile_names_are_not_candidates(self):
        template = self.dead_segment("template")
        for i, name in enumerate(("$(touch /tmp/x)", stage.HOSTILE, "a b", ":files")):
            def change(data, number=i):
                data[24:40] = bytes([0] * 15 + [number + 1])
            planted = self.plant(name, change, template)
            planted.rename(re.sub(r"[0-9a-f]{32}", "%032x" % (i + 1), str(planted)))
        self.remove(template)
        self.assertEqual(sorted(self.candidates("status", "")), ["$(touch /tmp/x)", "a b"])

    def complete_in_bash(self, line):
        script = """
            PATH=%s:$PATH
            source <(tidepool completion bash)
            COMP_LINE=$1 COMP_POINT=${#1}
            read -ra COMP_WORDS <<<"$1"
            [[ $1 != *' ' ]] || COMP_WORDS+=('')
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            _tidepool
            printf '%%s\\n' "${COMPREPLY[@]}"
        """ % os.path.dirname(stage.PROGRAM)
        done = subprocess.run(["bash", "--norc", "-c", script, "bash", line], capture_output=True, text=True, check=True,
                              timeout=stage.SECONDS_MAX)
        self.assertEqual(done.stderr, "")
        return done.stdout.split("\n")[:-1]

    def test_bash(self):
        self.owner().open("shop")
        self.assertEqual(self.complete_in_bash("tidepool stat"), ["status"])
        self.assertEqual(self.complete_in_bash("tidepool scale "), ["shop"])
        self.assertEqual(self.complete_in_bash("tidepool set shop max_si"), ["max_size"])
        self.assertEqual(self.complete_in_bash("tidepool scale shop 3 --rea"), ["--reason"])

    def test_bash_evaluates_no_names(self):
        planted = pathlib.Path(self.segments, "evaluated")
        template = self.dead_segment("template")
        self.plant("$(touch evaluated)", template=template)
        self.remove(template)
        got = self.complete_in_bash("tidepool status ")
        self.assertEqual(got, ["\\$\\(touch\\ evaluated\\)"])
        self.assertFalse(planted.exists() or pathlib.Path("evaluated").exists())

    def test_other_shells(self):
        self.owner().open("shop")
        environment = dict(os.environ, PATH=os.path.dirname(stage.PROGRAM) + ":" + os.environ["PATH"])
        for shell, script in (
                ("zsh", "autoload -U compinit; compinit -u -D; source <(tidepool completion zsh); print ${_comps[tidepool]}"),
                ("fish", "tidepool completion fish | source; complete -C 'tidepool status '")):
            self.assertIn("__complete", self.run_it("completion", shell).out)
            if shutil.which(shell) is None:
                print("not tested here, because it is not installed: completion in " + shell)
                continue
            done = subprocess.run([shell, "-c", script], capture_output=True, text=True, check=True, env=environment,
                                  timeout=stage.SECONDS_MAX)
            self.assertIn({"zsh": "_tidepool", "fish": "shop"}[shell], done.stdout)

    def test_the_installed_scripts_are_those_of_the_program(self):
        for shell, name in (("bash", "tidepool"), ("zsh", "_tidepool"), ("fish", "tidepool.fish")):
            self.assertEqual((BUILD / "cli" / "shell" / name).read_text(encoding="utf-8"), self.run_it("completion", shell).out)


if __name__ == "__main__":
    stage.main()
