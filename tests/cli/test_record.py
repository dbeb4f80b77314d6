#!/usr/bin/python3
"""The flight recorder: `tidepool record`, also after the owner's death, and `tidepool top --replay`."""
import glob
import json
import os
import signal
import subprocess

from stage import FAILED, MISUSE, NO_POOL, PROGRAM, main
from test_top import TopCase


class RecordCase(TopCase):
    def setUp(self):
        super().setUp()
        self.file = os.path.join(self.segments, "flight.rec")

    def record(self, *words):
        process = subprocess.Popen([PROGRAM, "record", "-o", self.file, *words], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (process.poll() is None and process.kill(), process.communicate()))
        return process

    def replayed(self, *words, **options):
        return self.run_it("top", "--once", "--replay", *(words or [self.file]), **options)


class Recorder(RecordCase):
    def test_records_until_it_is_ended(self):
        owner = self.owner_of()
        process = self.record("--interval", "100ms")
        self.eventually(lambda: os.path.exists(self.file) and os.path.getsize(self.file) > 0, "the recording")
        owner.lease("shop", "late")
        size = os.path.getsize(self.file)
        self.eventually(lambda: os.path.getsize(self.file) > size + 500, "more frames")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        self.assertEqual((process.returncode, err), (0, ""))
        self.assertIn("frames in %s" % self.file, out)
        self.assertIn("late", self.replayed().out)
        self.assertEqual(os.stat(self.file).st_mode & 0o777, 0o640)

    def test_recorder_killed_in_the_middle(self):
        self.owner_of(tags=["checkout"])
        process = self.record("--interval", "100ms")
        self.eventually(lambda: os.path.exists(self.file) and os.path.getsize(self.file) > 20_000, "some frames")
        process.kill()
        process.wait()
        with open(self.file, "r+b") as file:
            file.truncate(os.path.getsize(self.file) - 5)
        got = self.replayed()
        self.assertIn("checkout", got.out)
        self.assertIn("incomplete", got.err)

    def test_the_owner_dies_while_recorded(self):
        owner = self.owner_of(tags=["culprit"])
        process = self.record("--interval", "100ms")
        self.eventually(lambda: os.path.exists(self.file) and os.path.getsize(self.file) > 0, "the recording")
        owner.kill()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        self.assertRegex(self.replayed().out, r"shop +dead(.|\n)*culprit")

    def test_existing_files(self):
        self.owner_of()
        with open(self.file, "w", encoding="utf-8") as file:
            file.write("a letter")
        got = self.run_it("record", "-o", self.file, "--last", code=MISUSE)
        self.assertIn("is not a recording", got.err)
        self.assertIn("is not a recording", self.run_it("record", "-o", self.file, "--for", "1s", code=MISUSE).err)
        with open(self.file, encoding="utf-8") as file:
            self.assertEqual(file.read(), "a letter")
        os.unlink(self.file)
        self.run_it("record", "-o", self.file, "--last")
        got = self.run_it("record", "-o", self.file, "--interval", "100ms", "--for", "100ms", "--json")
        self.assertIn(".old", got.err)
        self.assertGreaterEqual(json.loads(got.out)["frames"], 1)

    def test_bad_options(self):
        for words, part in ((["--interval", "1ms"], "100ms to 1h"), (["--keep", "9d"], "1s to 24h"),
                            (["--last", "--for", "1s"], "--keep")):
            self.assertIn(part, self.run_it("record", "-o", self.file, *words, code=MISUSE).err)
        self.assertIn("cannot create", self.run_it("record", "-o", "/nowhere/a.rec", "--for", "1s", code=FAILED).err)


class LastHour(RecordCase):
    def test_of_a_dead_owner(self):
        owner = self.owner_of(tags=["culprit"])
        history = lambda: self.run_it("show", "pool_history", "--json").rows  # noqa: E731
        self.eventually(lambda: len(history()) > 1, "two seconds of history")
        owner.kill()
        got = self.run_it("record", "--last", "-o", self.file)
        self.assertIn("1 frame", got.out)
        self.assertRegex(self.replayed().out, r"shop +dead(.|\n)*culprit")
        segment, = glob.glob(self.segments + "/shop.*.segment")
        self.assertRegex(self.replayed(segment).out, r"shop +dead(.|\n)*culprit")
        terminal = self.terminal("--replay", segment)
        self.sees(terminal, "shop +dead", "paused")
        terminal.keys("Left")
        self.sees(terminal, "shop +history")
        terminal.type("gend\r")
        self.sees(terminal, "shop +dead", "culprit")
        terminal.type("K")
        self.sees(terminal, "this is a recording")
        terminal.type("gstart\r ]")
        self.sees(terminal, "x2|shop +dead")
        self.sees(terminal, "shop +dead", "paused")  # played to the end
        terminal.keys("7")
        self.sees(terminal, r"\[7 Events\]", "pool_open")

    def test_no_pool(self):
        self.assertIn("nothing to record", self.run_it("record", "--last", "-o", self.file, code=NO_POOL).err)
        self.assertFalse(os.path.exists(self.file))

    def test_files_that_are_no_recordings(self):
        for contents, part in ((b"", "does not begin"), (b"TIDEREC\n\x07\0\0\0\0\0\0\0", "version 7"),
                               (os.urandom(4096), "does not begin")):
            with open(self.file, "wb") as file:
                file.write(contents)
            self.assertIn(part, self.replayed(code=FAILED).err)
        self.assertIn("no recording", self.replayed("/nowhere.rec", code=FAILED).err)
        planted = "%s/shop.%s.segment" % (self.segments, "0" * 32)
        with open(planted, "wb") as file:
            file.write(os.urandom(8192))
        self.assertIn("no pool can be read", self.replayed(planted, code=NO_POOL).err)


if __name__ == "__main__":
    main()
