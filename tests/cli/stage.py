"""Shared by the tests of the command `tidepool`: runs it in a pipe or on a terminal of a given size, with pools of other
processes, and plants files that pretend to be segments."""
import fcntl
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import unittest

SOURCE = pathlib.Path(os.environ["TIDE_SOURCE"])
sys.path.insert(0, str(SOURCE / "tests" / "sqlite"))
import support  # noqa: E402  (owners of pools, a private directory)

PROGRAM = os.environ["TIDE_CLI"]
DONE, FAILED, MISUSE, NO_POOL = range(4)
SECONDS_MAX = 20
HOSTILE = "\x1b[2J\"q'uo\\te\n|=日本"  # of a pool: all that could harm a terminal, a table, a shell or JSON

# Of the header of a segment: see core/segment/README.md.
VERSION_AT, POOL_AT, TEXT_BYTES = 8, 64, 64


class Done:
    """What a command printed."""

    def __init__(self, code, out, err=""):
        self.code, self.out, self.err = code, out, err

    @property
    def lines(self):
        return self.out.splitlines()

    @property
    def rows(self):
        return json.loads(self.out)


class CommandCase(support.SegmentCase):
    def setUp(self):
        super().setUp()
        for name in ("NO_COLOR", "COLUMNS", "XDG_RUNTIME_DIR"):
            os.environ.pop(name, None)
        os.environ.update(TERM="xterm-256color", LC_ALL="C.UTF-8")

    def run_it(self, *words, code=DONE, env=None, **options):
        done = subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=SECONDS_MAX, check=False,
                              env=dict(os.environ, **(env or {})), **options)
        got = Done(done.returncode, done.stdout, done.stderr)
        self.assertEqual(got.code, code, (words, got.out[-2000:], got.err[-2000:]))
        return got

    def on_terminal(self, *words, columns=80, code=DONE, types=(), env=None):
        """Each of `types` is (what it waits for, what is typed then)."""
        pid, master = pty.fork()
        if pid == 0:
            os.execve(PROGRAM, [PROGRAM, *words], dict(os.environ, **(env or {})))
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        out, awaited = b"", list(types)
        while True:
            ready, _, _ = select.select([master], [], [], SECONDS_MAX)
            if not ready:
                os.kill(pid, signal.SIGKILL)
                self.fail("no output within %d s after %r" % (SECONDS_MAX, out))
            try:
                part = os.read(master, 65536)
            except OSError:  # the program has ended
                part = b""
            if not part:
                break
            out += part
            if awaited and awaited[0][0].encode() in out:
                os.write(master, awaited.pop(0)[1].encode())
        os.close(master)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        got = Done(status, out.decode().replace("\r\n", "\n"))
        self.assertEqual(got.code, code, (words, got.out[-2000:]))
        return got

    def dead_segment(self, pool="gone"):
        """The path of a segment whose owner was killed."""
        owner = self.owner()
        owner.open(pool)
        owner.kill()
        return next(pathlib.Path(self.segments).glob(pool + ".*.segment"))

    def plant(self, pool, change=None, template=None):
        """A segment of a dead owner under another name, with bytes that `change` changes."""
        template = template or self.dead_segment("template")
        data = bytearray(template.read_bytes())
        name = pool.encode()
        data[POOL_AT:POOL_AT + TEXT_BYTES] = struct.pack("<H", len(name)).ljust(2) + name.ljust(TEXT_BYTES - 2, b"\0")
        if change:
            change(data)
        instance = template.name.split(".")[-2]
        plain = b"".join(bytes([c]) if chr(c).isascii() and (chr(c).isalnum() or chr(c) in "_-.") else b"_" for c in name)
        path = pathlib.Path(self.segments, "%s.%s.segment" % (plain.decode(), instance))
        path.write_bytes(data)
        return path

    @staticmethod
    def remove(segment):
        segment.unlink()
        segment.with_suffix(".mailbox").unlink()

    def plant_hostile(self):
        """A dead pool with a hostile name; returns the name."""
        template = self.dead_segment("template")
        self.plant(HOSTILE, template=template)
        self.remove(template)
        return HOSTILE

    def plant_newer(self):
        """A segment of a later version of tidepool; returns its path."""
        template = self.dead_segment("template")
        path = self.plant("newer", lambda data: data.__setitem__(slice(VERSION_AT, VERSION_AT + 4), struct.pack("<I", 99)),
                          template)
        self.remove(template)
        return path

    def json_of(self, *words, code=DONE):
        return self.run_it(*words, "--json", code=code).rows


def main():
    if shutil.which(PROGRAM) is None:
        sys.exit("TIDE_CLI is no program: %s" % PROGRAM)
    unittest.main(verbosity=1)
