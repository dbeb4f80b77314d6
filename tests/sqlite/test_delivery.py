#!/usr/bin/python3
"""A command that cannot reach its pool is an error, whether issued by an UPDATE, a function or a call of the C API."""
import ctypes
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import unittest

import owner
import support

# One for each command that names a pool.
FUNCTIONS = ("tidepool_scale('app', 3)", "tidepool_scale('app', NULL)", "tidepool_burst('app')", "tidepool_end_burst('app')",
             "tidepool_set('app', 'max_size', '9')", "tidepool_pause('app')", "tidepool_resume('app')",
             "tidepool_recycle('app')", "tidepool_drain('app')", "tidepool_close_connection(1, 'app')",
             "tidepool_revoke(1, 'app')", "tidepool_reset_stats('app')", "tidepool_check_health('app')",
             "tidepool_evaluate('app')",
             "tidepool_set_alert('app', 'mine', 'waiting')", "tidepool_drop_alert('app', 'long_wait')",
             "tidepool_set_alert(NULL, 'mine', 'waiting')")
UPDATES = ("UPDATE tidepool_pools SET target_size = 3", "UPDATE tidepool_pools SET target_size = NULL",
           "UPDATE tidepool_pools SET min_size = 3, max_size = 9", "UPDATE tidepool_pools SET state = 'paused'",
           "UPDATE tidepool_pools SET state = 'draining'",
           "UPDATE tidepool_settings SET value = '9s' WHERE name = 'acquire_timeout'")
CALLS = (("scale", '{"target_size": 3}'), ("pause", ""), ("set", '{"option": "max_size", "value": "9"}'))


def attempt(extension, library, segments):
    """Every command once; {command: the error, or "" if it succeeded}. Runs in a separate process."""
    os.environ["TIDEPOOL_DIR"] = segments
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.enable_load_extension(True)
    db.load_extension(extension)
    messages = {}
    for statement in UPDATES + tuple("SELECT " + function for function in FUNCTIONS):
        for transaction in (False, True):
            message = ""
            try:
                if transaction:
                    db.execute("BEGIN")
                db.execute(statement).fetchall()
                if transaction:
                    db.execute("COMMIT")
            except sqlite3.Error as error:
                message = str(error)
                if db.in_transaction:
                    db.execute("ROLLBACK")
            messages[("in a transaction: " if transaction else "") + statement] = message
    c_api = ctypes.CDLL(library)
    text = ctypes.c_char_p
    c_api.tide_control.argtypes = [text, text, text, ctypes.c_int64, ctypes.c_void_p, owner.ERROR]
    c_api.tide_control_check.argtypes = [text, text, text, ctypes.c_void_p, owner.ERROR]
    for verb, arguments in CALLS:
        error = owner.Error(size=ctypes.sizeof(owner.Error))
        status = c_api.tide_control(b"app", verb.encode(), arguments.encode(), 100, None, ctypes.byref(error))
        messages["tide_control: " + verb] = error.message.decode() if status else ""
        status = c_api.tide_control_check(b"app", verb.encode(), arguments.encode(), None, ctypes.byref(error))
        messages["tide_control_check: " + verb] = error.message.decode() if status else ""
    return messages


class Delivery(support.SegmentCase):
    def setUp(self):
        super().setUp()
        self.pool_owner = self.owner()
        self.pool_owner.open("app", "min_size=2 max_size=10")
        self.mailbox, = pathlib.Path(self.segments).glob("*.mailbox")
        self.db = self.connect()

    def attempts(self, *privileges):
        """In another process, started by the command `privileges`, which may not be able to read the build directory."""
        folder = tempfile.mkdtemp(prefix="tidepool-test-")
        self.addCleanup(shutil.rmtree, folder)
        os.chmod(folder, 0o755)
        extension = shutil.copy(support.EXTENSION + ".so", folder)
        library = shutil.copy(support.LIBRARY, folder)
        for module in ("test_delivery.py", "owner.py", "support.py"):
            shutil.copy(pathlib.Path(__file__).with_name(module), folder)
        done = subprocess.run([*privileges, support.PYTHON, os.path.join(folder, "test_delivery.py"), "--attempt",
                               extension, library, self.segments], capture_output=True, text=True, timeout=60, check=False,
                              env=dict(os.environ, TIDE_EXTENSION=extension, TIDE_LIBRARY=library))
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def all_fail(self, messages, *parts):
        for what, message in messages.items():
            with self.subTest(control=what):
                self.assertNotEqual(message, "", "it succeeded")
                for part in parts:
                    self.assertIn(part, message)
        self.assertEqual(self.commands(self.db), [])

    def test_no_permission_for_the_mailbox(self):
        os.chmod(self.segments, 0o755)
        for segment in pathlib.Path(self.segments).glob("*.segment"):
            segment.chmod(0o644)
        privileges = ()
        if os.geteuid() == 0:
            privileges = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        else:
            self.mailbox.chmod(0o400)
        self.all_fail(self.attempts(*privileges), 'pool "app"', "permission denied for its mailbox")

    def test_a_missing_mailbox(self):
        self.mailbox.unlink()
        self.all_fail(self.attempts(), 'pool "app"', "its mailbox is missing")

    def test_a_mailbox_replaced_by_something_else(self):
        aside = self.mailbox.rename(self.segments + "/aside")
        for make, what in ((self.mailbox.mkdir, "a directory"), (lambda: self.mailbox.symlink_to(aside), "a symbolic link"),
                           (lambda: os.mkfifo(self.mailbox), "damaged"), (lambda: self.mailbox.write_bytes(b""), "damaged")):
            make()
            self.all_fail(self.attempts(), 'pool "app"', "its mailbox is " + what)
            self.mailbox.rmdir() if self.mailbox.is_dir() else self.mailbox.unlink()

    def test_a_full_mailbox(self):
        self.pool_owner.process.send_signal(signal.SIGSTOP)
        self.addCleanup(self.pool_owner.process.send_signal, signal.SIGCONT)
        tasks = pathlib.Path(f"/proc/{self.pool_owner.process.pid}/task")
        self.eventually(lambda: all(") T " in (task / "stat").read_text() for task in tasks.iterdir()), "the stop of the owner")
        c_api = ctypes.CDLL(support.LIBRARY)
        for _ in range(64):
            self.assertEqual(c_api.tide_control(b"app", b"resume", None, ctypes.c_int64(0), None, None), 0)
        messages = self.attempts()
        for what, message in messages.items():
            with self.subTest(control=what):
                self.assertIn("its mailbox is full", message)

    def test_a_pool_whose_process_has_ended(self):
        self.pool_owner.kill()
        messages = self.attempts()
        # A dead pool does not belong to "all pools", and no other pool is left.
        everywhere = [what for what in messages if "(NULL, 'mine'" in what]
        for what in everywhere:
            self.assertIn("there is no pool", messages.pop(what))
        self.all_fail(messages, 'pool "app"', "dead")

    def test_acknowledging_an_alert(self):
        self.pool_owner.open("busy", "min_size=1 max_size=1 lease_timeout=50ms leak_threshold=50ms")
        self.pool_owner.lease("busy", "held")
        self.eventually(lambda: self.one(self.db, "SELECT count(*) FROM tidepool_alerts WHERE pool = 'busy'"), "an alert")
        for mailbox in pathlib.Path(self.segments).glob("*.mailbox"):
            mailbox.unlink()
        self.refused(self.db, "UPDATE tidepool_alerts SET acked_by = 'me'", 'pool "busy"', "its mailbox is missing")
        self.refused(self.db, "SELECT tidepool_ack(alert_id) FROM tidepool_alerts", 'pool "busy"', "its mailbox is missing")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--attempt"]:
        print(json.dumps(attempt(*sys.argv[2:])))
    else:
        unittest.main()
