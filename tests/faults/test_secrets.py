#!/usr/bin/python3
"""A password is passed to the driver only: no file, relation, error text or output ever contains it."""
import ctypes
import os
import subprocess
import sys
import unittest

import api
import stage
import support

SECRET = "s3cr3t-Pa55"
ENCODED = SECRET.replace("-", "%2D")
TRIES = "TIDE_SECRETS_CHILD"

# What a user may type; the result is a refusal or a pool, and neither may show the password.
URLS = (
    "postgresql://user:%s@127.0.0.1:1/db" % SECRET,
    "postgresql://user:%s@127.0.0.1:1/db" % ENCODED,
    "postgres://user@127.0.0.1:1/db?password=%s" % SECRET,
    "postgresql://user:%s/db" % SECRET,              # "@host" forgotten
    "postgrseql://user:%s@host/db" % SECRET,         # the scheme misspelt
    "postgresql://user:%s@host:notaport/db" % SECRET,
    "host=127.0.0.1 port=1 dbname=db user=u password=%s" % SECRET,
    "host=127.0.0.1 password='%s dbname=db" % SECRET,  # unterminated quote
    "host=127.0.0.1 pasword=%s" % SECRET,
    "sqlite:///{folder}/plain.db?password=%s" % SECRET,
    "sqlite:///{folder}/plain.db?tidepool.max_size=3&password=%s" % SECRET,
    "sqlite:///{folder}/missing/plain.db?key=1&password=%s" % SECRET,
    "fake://user:%s@host/db" % SECRET,
    "fake://user:%s@host/db?sslmode=x&password=%s" % (SECRET, SECRET),
    "refusing://user:%s@host/db" % SECRET,
    "refusing://host/db?user=u&password=%s" % SECRET,
)
OPTIONS = ("", "max_size=-1", "password=%s" % SECRET, "db_password=%s max_conections=3" % SECRET,
           '{"password": "%s"}' % SECRET, '{"poolConfig": {"password": "%s", "max": -1}}' % SECRET,
           "url=postgresql://user:%s@host/db" % SECRET)
FAIL_FAST = "min_size=1 init_mode=fail_fast init_timeout=300ms retry_base=10ms retry_max=20ms "


@api.OPEN
def open_fake(_context, _url, _timeout_ms, connection, _message, _bytes):
    connection[0] = 4711
    return 0


@api.OPEN
def open_refusing(_context, url, _timeout_ms, _connection, message, message_bytes):
    """As by some drivers: the error quotes the whole URL."""
    text = b'could not connect to "' + url + b'": authentication failed'
    ctypes.memmove(message, text + b"\0", min(len(text) + 1, message_bytes))
    return 1


@api.CLOSE
def close_nothing(_context, _connection):
    pass


def register(scheme, opener):
    driver = api.Driver(size=ctypes.sizeof(api.Driver), open=opener, close=close_nothing)
    api.call("tide_register_driver", scheme.encode(), ctypes.byref(driver))


class Secrets(stage.FaultCase):
    def setUp(self):
        super().setUp()
        self.looked_at = 0

    def check_text(self, where, text):
        self.looked_at += 1
        text = text if isinstance(text, bytes) else str(text).encode()
        for form in (SECRET, ENCODED, SECRET[:8]):
            self.assertNotIn(form.encode(), text, where)

    def check_plane(self, what):
        for name in self.files():
            self.check_text(name, name)
            with open(os.path.join(self.segments, name), "rb") as file:
                self.check_text("%s of %s" % (name, what), file.read())

    def check_relations(self, what):
        db = self.connect()
        for (table,) in db.execute("SELECT DISTINCT 'tidepool_' || relation FROM tidepool_help").fetchall():
            for row in db.execute("SELECT * FROM " + table):
                self.check_text("%s of %s" % (table, what), repr(row))

    def try_to_open(self, url, options):
        """True if it opened; all messages are checked."""
        what = "%s %s" % (url, options)
        try:
            pool = api.Pool("secret", url, options)
        except api.Refusal as refusal:
            self.check_text("the refusal of " + what, refusal.text)
            return False
        try:
            lease = pool.acquire("secret", 300)
            pool.release(lease)
        except api.Refusal as refusal:
            self.check_text("the timeout of " + what, refusal.text)
        self.check_plane(what)
        self.check_relations(what)
        try:
            api.control("secret", "set", '{"option": "password", "value": "%s"}' % SECRET, 500)
        except api.Refusal as refusal:
            self.check_text("the refused control of " + what, refusal.text)
        self.check_relations(what)
        pool.close()
        return True

    def try_everything(self):
        register("fake", open_fake)
        register("refusing", open_refusing)
        opened = 0
        for url in URLS:
            for options in OPTIONS:
                opened += self.try_to_open(url.format(folder=self.folder), options)
            opened += self.try_to_open(url.format(folder=self.folder), FAIL_FAST)
            # From the environment, as used by a program without a URL.
            os.environ["DATABASE_URL"] = url.format(folder=self.folder)
            opened += self.try_to_open("", "")
            del os.environ["DATABASE_URL"]
        os.environ.update(DB_HOST="127.0.0.1", DB_PORT="1", DB_NAME="db", DB_USERNAME="u", DB_PASSWORD=SECRET)
        opened += self.try_to_open("", "")
        print("secrets: %d texts and files looked at, %d pools opened" % (self.looked_at, opened))
        self.assertGreaterEqual(opened, 8, "too few pools opened for a meaningful test")

    def test_nothing_shows_a_password(self):
        """In a child, whose output is also checked."""
        child = subprocess.run([support.PYTHON, __file__, "Secrets.test_nothing_shows_a_password"],
                               env=dict(os.environ, **{TRIES: "1"}), capture_output=True, timeout=100, check=False)
        shown = child.stdout.decode(errors="replace") + child.stderr.decode(errors="replace")
        self.assertEqual(child.returncode, 0, shown)
        self.check_text("standard output", child.stdout)
        self.check_text("standard error", child.stderr)
        print(child.stdout.decode().strip())

    def test_the_reason_is_kept_without_the_password(self):
        register("refusing2", open_refusing)
        with self.assertRaises(api.Refusal) as caught:
            api.Pool("secret", "refusing2://user:%s@host/db" % SECRET, FAIL_FAST)
        self.assertIn('could not connect to "refusing2://user:***@host/db": authentication failed', caught.exception.text)


if __name__ == "__main__":
    if TRIES in os.environ:
        Secrets.test_nothing_shows_a_password = Secrets.try_everything
    sys.exit(unittest.main())
