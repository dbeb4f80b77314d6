#!/usr/bin/python3
"""The screen of `tidepool top` in a terminal (tmux), as a person uses it: looks at it, presses keys, and looks again."""
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile

from stage import HOSTILE, MISUSE, NO_POOL, PROGRAM, CommandCase, main

WAIT_S_MAX = 20


class Terminal:
    """A terminal of a given size, in which a shell runs a command line."""

    def __init__(self, line, width=80, height=24, env=None):
        self.folder = tempfile.mkdtemp(prefix="tidepool-tmux-")
        self.socket = os.path.join(self.folder, "socket")
        environment = dict(os.environ, **(env or {}))
        environment.pop("TMUX", None)
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height), "sh", "-c", line,
                  env=environment)

    def tmux(self, *words, env=None):
        done = subprocess.run(["tmux", "-u", "-S", self.socket, *words], capture_output=True, text=True, timeout=WAIT_S_MAX,
                              check=False, env=env)
        return done.stdout

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def type(self, text):
        self.tmux("send-keys", "-l", text)

    def screen(self, with_colours=False):
        return self.tmux("capture-pane", "-p", *(["-e"] if with_colours else []))

    def resize(self, width, height):
        self.tmux("resize-window", "-x", str(width), "-y", str(height))

    def about(self, what):
        return self.tmux("display-message", "-p", "#{%s}" % what).strip()

    def end(self):
        self.tmux("kill-server")
        shutil.rmtree(self.folder, ignore_errors=True)


class TopCase(CommandCase):
    def terminal(self, *words, after="", **options):
        """`after`: what the shell does when the program has ended."""
        line = " ".join(shlex.quote(word) for word in (PROGRAM, "top", *words))
        terminal = Terminal(line + after, **options)
        self.addCleanup(terminal.end)
        return terminal

    def sees(self, terminal, *patterns, without=()):
        """Waits until the screen has all of the patterns, and none of `without`; returns it."""
        seen = [""]

        def is_there():
            seen[0] = terminal.screen()
            flat = " ".join(seen[0].split())  # long messages take two rows
            return all(re.search(p, seen[0]) or re.search(p, flat) for p in patterns) and not any(
                re.search(p, seen[0]) for p in without)

        try:
            self.eventually(is_there)
        except AssertionError:
            self.fail("no %r, or %r, on the screen:\n%s" % (patterns, without, seen[0]))
        return seen[0]

    def pool(self, relation, column, name="shop"):
        """A figure of a pool, as the command shows it to programs."""
        rows = self.run_it(relation, name, "--json").rows
        return rows[0][column] if rows else None

    def owner_of(self, name="shop", options="min_size=2 max_size=10", tags=()):
        owner = self.owner()
        owner.open(name, options)
        for tag in tags:
            owner.lease(name, tag)
        return owner


class Screens(TopCase):
    def test_pools_leases_and_their_tags(self):
        self.owner_of(tags=["checkout", "report"])
        terminal = self.terminal("--interval", "200ms")
        screen = self.sees(terminal, r"shop +running .* 2/10", "LAST MINUTE", "lease .*checkout", r"\[1 Pools 1\] +2 Leases 2")
        self.assertLessEqual(max(map(len, screen.splitlines())), 80)
        terminal.keys("2")
        self.sees(terminal, r"\[2 Leases 2\]", r"checkout +shop", r"report +shop")
        terminal.keys("Escape")
        terminal.keys("Enter")
        self.sees(terminal, r"shop: \[1 Pool\]", "in use", "last 60s")
        terminal.keys("Escape")
        self.sees(terminal, r"\[1 Pools 1\]")

    def test_filter_sort_and_help(self):
        owner = self.owner_of("alpha", tags=["one"])
        owner.open("beta", "max_size=3")
        terminal = self.terminal("--interval", "200ms")
        self.sees(terminal, "alpha", "beta")
        terminal.type("/bet")
        self.sees(terminal, "/bet_", "beta", without=["alpha"])
        terminal.keys("Enter")
        self.sees(terminal, "filter: bet")
        terminal.keys("Escape")
        self.sees(terminal, "alpha(.|\n)*beta")
        terminal.type("r")
        self.sees(terminal, "beta(.|\n)*alpha", "POOL▼")
        terminal.type("?")
        self.sees(terminal, "Views", "revoke the marked leases", without=["alpha"])
        terminal.keys("q")  # closes the help only
        self.sees(terminal, "alpha")

    def test_every_size(self):
        self.owner_of(tags=["checkout"])
        terminal = self.terminal("--interval", "200ms", width=20, height=8)
        self.sees(terminal, "shop +1/10")
        for width, height in ((200, 50), (80, 24), (10, 3), (3, 1), (120, 30)):
            terminal.resize(width, height)
        self.sees(terminal, r"shop +running .*1/10", "ACQ/S")

    def test_no_pools_and_the_first_one(self):
        terminal = self.terminal("--interval", "200ms")
        self.sees(terminal, "No pools in " + self.segments, "TIDEPOOL_DIR", "tidepool doctor")
        self.owner_of()
        self.sees(terminal, "shop +running")

    def test_pools_that_cannot_be_shown(self):
        self.plant_newer()
        terminal = self.terminal("shop", "--interval", "200ms")
        self.sees(terminal, "No pool shop in " + self.segments, "1 pool is not shown: tidepool doctor says why")

    def test_a_hundred_pools(self):
        owner = self.owner()
        for i in range(100):
            owner.open("pool%03d" % i, "min_size=0 max_size=2")
        terminal = self.terminal("--interval", "500ms")
        self.sees(terminal, "100 pools", "pool000", without=["pool099"])
        terminal.keys("End")
        self.sees(terminal, "> pool099")

    def test_owner_that_is_killed_while_shown(self):
        owner = self.owner_of(tags=["checkout"])
        terminal = self.terminal("--interval", "200ms")
        self.sees(terminal, "shop +running")
        owner.kill()
        self.sees(terminal, "shop +dead", "lease .*checkout")
        terminal.type("p")
        terminal.type("y")
        self.sees(terminal, "not done: pause shop")

    def test_hostile_names(self):
        self.plant_hostile()
        self.owner_of(tags=[HOSTILE])
        terminal = self.terminal("--interval", "200ms")
        self.sees(terminal, r"> +.\[2J\"q'uo.* dead", "shop +running")
        terminal.keys("End")
        self.sees(terminal, r"lease .*\?\[2J\"q'uo\\te\\n\|=日本")
        terminal.keys("2")
        self.sees(terminal, r"\[2 Leases", r"\?\[2J.*日本 +shop")

    def test_colours_and_their_absence(self):
        self.owner_of(tags=["checkout"])
        terminal = self.terminal()
        self.sees(terminal, "shop +running")
        self.assertRegex(terminal.screen(with_colours=True), "\x1b\\[3[1-7]m")
        plain = self.terminal(env={"NO_COLOR": "1"})
        self.sees(plain, "shop +running")
        self.assertNotRegex(plain.screen(with_colours=True), "\x1b\\[([0-9;]*;)?3[0-7]m")
        self.assertRegex(plain.screen(with_colours=True), "\x1b\\[([0-9;]*;)?7m")  # the cursor is still seen

    def test_ascii_without_utf8(self):
        self.owner_of(tags=["checkout"])
        terminal = self.terminal(env={"LC_ALL": "C"})
        self.assertTrue(self.sees(terminal, "shop +running", "#").isascii())


class Steering(TopCase):
    def test_scale_with_a_confirmation(self):
        self.owner_of()
        terminal = self.terminal("--interval", "200ms")
        self.sees(terminal, "shop +running")
        terminal.type("S7\r")
        self.sees(terminal, r"Scale shop from \d+ to 7 connections\? y/N")
        terminal.type("y")
        self.sees(terminal, "done: scale shop to 7 connections", "target 7")
        self.assertEqual(self.pool("status", "target_size"), 7)
        terminal.type("S99\ry")
        self.sees(terminal, r"not done: scale shop to 99 connections: (.|\n)*10")
        terminal.type("+n")
        self.sees(terminal, "cancelled")
        self.assertEqual(self.pool("status", "target_size"), 7)

    def test_revoke_marked_leases(self):
        owner = self.owner_of(options="min_size=1 max_size=1", tags=["leaked"])
        owner.process.stdin.write('["lease", "shop", "patient"]\n')
        owner.process.stdin.flush()
        terminal = self.terminal("--interval", "200ms")
        self.sees(terminal, "waiter .*patient", "3 Waiters 1")
        terminal.type("2 K")
        self.sees(terminal, r"Revoke the lease of shop \(leaked .*y/N")
        terminal.type("y")
        self.sees(terminal, "done: revoke lease", r"patient +shop", without=["leaked"])
        self.assertIn("lease", owner.process.stdout.readline())

    def test_pause_and_resume(self):
        self.owner_of()
        terminal = self.terminal("--interval", "200ms")
        self.sees(terminal, "shop +running")
        terminal.type("p")
        self.sees(terminal, "Pause shop: callers wait")
        terminal.type("y")
        self.sees(terminal, "shop +paused")
        terminal.type("py")
        self.sees(terminal, "shop +running", "done: resume shop")

    def test_burst(self):
        self.owner_of()
        terminal = self.terminal("--interval", "200ms")
        self.sees(terminal, "shop +running")
        terminal.type("b\r")
        self.sees(terminal, "Let shop open more connections than max_size for 60s")
        terminal.type("y")
        self.sees(terminal, "done: burst of shop for 60s")
        self.assertIsNotNone(self.pool("status", "burst_until"))


class Endings(TopCase):
    AFTER = "; echo ended $?; stty -a | grep -o '[-]*icanon\\|[-]*echo '; exec cat"

    def ended(self, terminal):
        self.sees(terminal, "ended 0", r"(?m)^icanon", r"(?m)^echo\b")
        self.assertEqual(terminal.about("alternate_on"), "0")
        self.assertEqual(terminal.about("cursor_flag"), "1")

    def test_quit_and_signals_restore_the_terminal(self):
        self.owner_of()
        for ending in ("q", signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            terminal = self.terminal("--interval", "200ms", after=self.AFTER)
            self.sees(terminal, "shop +running")
            self.assertEqual(terminal.about("alternate_on"), "1")
            if ending == "q":
                terminal.keys("q")
            else:
                shell = terminal.about("pane_pid")
                children = subprocess.run(["pgrep", "-P", shell], capture_output=True, text=True, check=False).stdout.split()
                os.kill(int(children[0]), ending)
            self.ended(terminal)

    def test_a_terminal_without_a_cursor(self):
        self.owner_of()
        terminal = self.terminal(after="; echo ended $?; exec cat", env={"TERM": "dumb"})
        # tmux sets TERM itself; what matters is a type that cannot position.
        terminal.end()
        terminal = Terminal("TERM=dumb %s top; echo ended $?; exec cat" % shlex.quote(PROGRAM))
        self.addCleanup(terminal.end)
        self.sees(terminal, 'the terminal "dumb" cannot show a screen', "--once", "ended 1")


class Pipes(TopCase):
    def test_once(self):
        self.run_it("top", "--once", code=NO_POOL)
        self.owner_of(tags=["checkout"])
        got = self.run_it("top", "--once")
        self.assertRegex(got.out, r"shop +running .*1/10")
        self.assertIn("checkout", got.out)
        self.assertEqual(got.err, "")
        self.assertLessEqual(max(map(len, got.lines)), 80)
        piped = self.run_it("top")
        self.assertIn("shop", piped.out)
        self.assertIn("printed once", piped.err)
        self.assertRegex(self.run_it("top", "--once", env={"COLUMNS": "200"}).out, "ACQ/S")

    def test_bad_options(self):
        for words, part in ((["--interval", "1ms"], "200ms to 60s"), (["--interval", "soon"], "soon"),
                            (["--json"], "status --json")):
            self.assertIn(part, self.run_it("top", *words, code=MISUSE).err)


if __name__ == "__main__":
    main()
