#!/usr/bin/python3
"""Wrong, huge and malformed input: a refusal names what was wrong, what is accepted and the most similar valid input."""
import os
import signal
import unittest

import api
import stage

MEGABYTE = 1 << 20
GIBBERISH = b"\xff\xfe\xc3\x28\xed\xa0\x80"
QUICK = "min_size=1 init_mode=fail_fast init_timeout=500ms "
NOBODY = 65534

# options, status, what the error must name
OPTIONS = (
    ("max_conections=3", "bad_option", ["max_conections", "max_size", "maxConnections"]),
    ("max_sise=3", "bad_option", ["max_sise", "max_size"]),
    ("utterly_unknown=1", "bad_option", ["utterly_unknown"]),
    ("acquire_timeout=5parsecs", "bad_option", ["acquire_timeout", "5parsecs", "ms", "s"]),
    ("acquire_timeout=-1", "bad_option", ["acquire_timeout", "-1"]),
    ("max_size=ten", "bad_option", ["max_size", "ten", "0", "10000"]),
    ("max_size=-1", "bad_option", ["max_size", "-1", "0", "10000"]),
    ("max_size=0 min_size=1", "bad_option", ["min_size", "max_size", "no pooling"]),
    ("max_size=99999999999999999999999", "bad_option", ["max_size", "10000"]),
    ("max_size=1e400", "bad_option", ["max_size"]),
    ("max_size=", "bad_option", ["max_size"]),
    ("=3", "bad_option", []),
    ("max_size", "bad_option", ["max_size"]),
    ("min_size=9 max_size=3", "bad_option", ["min_size", "9", "max_size", "3"]),
    ("lease_timeout_action=shrug", "bad_option", ["lease_timeout_action", "shrug", "report", "cancel", "reclaim"]),
    ("preset=prodction", "bad_option", ["prodction", "production"]),
    ("burst=perhaps", "bad_option", ["burst", "perhaps"]),
    ("lifetime_jitter=2", "bad_option", ["lifetime_jitter", "2", "0.9"]),
    ("validation_query='never ends", "bad_option", []),
    ('{"max_size": }', "bad_option", []),
    ('{"max_size": 3', "bad_option", []),
    ('{"max_size": [3]}', "bad_option", ["max_size"]),
    ("[" * 100000, "bad_option", []),
    ('{"a":' * 10000, "bad_option", []),
    (b"max_size=" + GIBBERISH, "bad_option", []),
    (b"a" * MEGABYTE, "bad_option", []),
    ("dir=relative/path", "bad_option", ["dir", "relative/path", "absolute"]),
)
# url, status, what the error must name; {folder} is a folder of this test
URLS = (
    ("gopher://host/db", "unsupported", ["gopher", "sqlite"]),
    ("sqlit:///x.db", "unsupported", ["sqlit", "Did you mean", "sqlite"]),
    ("postgresql://127.0.0.1:1/db", "timeout", ["127.0.0.1", "Connection refused"]),
    ("sqlite://", None, []),
    ("sqlite:///{folder}/text.db", None, ["text.db", "not a database"]),
    ("sqlite:///{folder}", None, ["{folder}"]),
    ("sqlite:///{folder}/no/such/folder/x.db", None, ["{folder}/no/such/folder"]),
    (b"sqlite:///" + GIBBERISH, "bad_argument", ["UTF-8"]),
    (b"sqlite:///" + b"a" * MEGABYTE, "bad_argument", ["too long"]),
    ("sqlite:///{folder}/%zz.db", "bad_argument", []),
)
NAMES = ("", ".hidden", "a b", "a/b", "a" * 63, b"a" * MEGABYTE, GIBBERISH, "pääkaupunki", "a\nb")
# verb, arguments, status, what the error must name
CONTROLS = (
    ("scail", None, "bad_argument", ["scail", "scale"]),
    ("", None, "bad_argument", []),
    ("scale", "{", "bad_argument", []),
    ("scale", "[1]", "bad_argument", []),
    ("scale", '{"target_sise": 3}', "bad_argument", ["target_sise", "target_size"]),
    ("scale", '{"target_size": "many"}', "bad_argument", ["target_size"]),
    ("scale", '{"target_size": 99}', "refused", ["99"]),
    ("scale", '{"target_size": 1e300}', None, ["target_size"]),
    ("burst", '{"duration": "5parsecs"}', "bad_argument", ["duration", "5parsecs"]),
    ("set", '{"option": "max_conections", "value": "3"}', "bad_option", ["max_conections", "max_size"]),
    ("set", '{"option": "max_size", "value": "ten"}', None, ["max_size", "ten"]),
    ("set", '{"option": "dir", "value": "/tmp"}', None, ["dir"]),
    ("revoke", '{"lease_id": 99}', "refused", ["99"]),
    ("close_connection", "{}", "bad_argument", ["conn_id"]),
    ("pause", b'{"x": "' + GIBBERISH + b'"}', "bad_argument", []),
    ("scale", b'{"target_size": 3, "reason": "' + b"a" * MEGABYTE + b'"}', "bad_argument", []),
    (b"p" * MEGABYTE, None, "bad_argument", []),
)


class Input(stage.FaultCase):
    def setUp(self):
        super().setUp()
        self.tried = 0
        with open(os.path.join(self.folder, "text.db"), "w", encoding="utf-8") as file:
            file.write("this is a letter, and no database\n" * 100)

    def tearDown(self):
        print("%s: %d refusals" % (self.id().split(".")[-1], self.tried))
        super().tearDown()

    def refusal(self, action, what, status=None, parts=()):
        shown = repr(what)[:100]
        with self.assertRaises(api.Refusal, msg=shown) as caught:
            action()
        refusal = caught.exception
        self.tried += 1
        if status is not None:
            self.assertEqual(refusal.status, status, "%s: %s" % (shown, refusal.text))
        self.assertNotEqual(refusal.status, "internal", refusal.text)
        self.assertNotEqual(refusal.message, "", shown)
        self.assertNotEqual(refusal.detail + refusal.hint, "", "%s: no detail or hint: %s" % (shown, refusal.text))
        for part in parts:
            self.assertIn(part.format(folder=self.folder), refusal.text, shown)
        return refusal

    def test_options(self):
        for options, status, parts in OPTIONS:
            self.refusal(lambda o=options: self.pool("app", options=o), options, status, parts)
        self.assertEqual(self.files(), [], "a refused pool left files")

    def test_urls(self):
        for url, status, parts in URLS:
            url = url.format(folder=self.folder) if isinstance(url, str) else url
            self.refusal(lambda u=url: self.pool("app", u, QUICK), url, status, parts)
        self.assertEqual(self.files(), [])

    def test_names(self):
        for name in NAMES:
            self.refusal(lambda n=name: self.pool(n, "sqlite::memory:"), name, "bad_argument", ["1 to 62"])
        self.assertEqual(self.files(), [])

    def test_a_lazy_pool_reports_at_first_use(self):
        pool = self.pool("app", "sqlite:///%s/text.db" % self.folder)
        why = self.refusal(lambda: pool.acquire("first", 3000), "a letter", None, ["app"])
        self.assertIn("not a database", why.text)

    def test_controls(self):
        pool = self.pool("app", options="max_size=10")
        for verb, arguments, status, parts in CONTROLS:
            self.refusal(lambda v=verb, a=arguments: api.control("app", v, a), (verb, arguments), status, parts)
        pool.query("SELECT 1")

    def test_unknown_and_ambiguous_pools(self):
        self.pool("alpha")
        self.pool("beta")
        why = self.refusal(lambda: api.control("alfa", "pause"), "alfa", "not_found", ["alfa", "alpha", "beta"])
        self.assertIn('Did you mean "alpha"', why.hint)
        self.owner().open("alpha")
        ids = [row[0] for row in self.connect().execute("SELECT instance_id FROM tidepool_pools WHERE pool = 'alpha'")]
        self.assertEqual(len(ids), 2)
        self.refusal(lambda: api.control("alpha", "pause"), "alpha", "bad_argument", ["2 pools", *ids, "instance_id"])
        api.control(ids[0], "pause")
        for name in (b"x" * MEGABYTE, GIBBERISH):
            self.refusal(lambda n=name: api.control(n, "pause"), name, "not_found", ["alpha"])

    def test_huge_and_invalid_arguments_of_a_lease(self):
        pool = self.pool("app")
        for tag in ("t" * MEGABYTE, GIBBERISH, "", "line\nbreak", "ä" * 100):
            lease = pool.acquire(tag)
            rows = self.connect().execute("SELECT tag FROM tidepool_leases").fetchall()
            self.assertEqual(len(rows), 1)
            self.assertLessEqual(len((rows[0][0] or "").encode()), 62)
            pool.release(lease)
        pool.query("SELECT '" + "x" * MEGABYTE + "'")
        for sql in ("SELECT " + "(" * MEGABYTE, "", "nonsense", GIBBERISH, "SELECT 1;" * 10 + "nonsense", "x" * MEGABYTE):
            try:
                pool.query(sql)
            except api.Refusal as refusal:
                self.tried += 1
                self.assertEqual(refusal.status, "database", refusal.text)
        pool.query("SELECT 1")

    def test_relations(self):
        self.refusal(lambda: api.read_relation(b"poools"), "poools", "not_found", ["poools", "pools", "leases"])
        self.refusal(lambda: api.read_relation(b"x" * MEGABYTE), "long", "not_found", ["leases"])
        self.refusal(lambda: api.read_relation(GIBBERISH), "gibberish", "not_found", ["leases"])

    def test_segment_directories(self):
        def with_directory(path):
            return self.pool("app", options="dir=" + path)
        path = os.path.join(self.folder, "publish")
        with_directory(path).close()
        self.assertEqual(os.listdir(path), [], "a directory that can be created is, and is left empty")
        deep = os.path.join(self.folder, "a", "b")
        self.refusal(lambda: with_directory(deep), deep, "bad_option", [deep, "cannot be created", "parent", "publish=off"])
        file = os.path.join(self.folder, "text.db")
        self.refusal(lambda: with_directory(file), file, "bad_option", [file, "not a directory", "publish=off"])

    def test_directories_without_permission(self):
        """As an unprivileged user, because root may write everywhere."""
        closed = os.path.join(self.folder, "closed")
        os.mkdir(closed, 0o500)
        os.chmod(self.folder, 0o755)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                if os.getuid() == 0:
                    os.setgid(NOBODY)
                    os.setuid(NOBODY)
                os.environ["TIDEPOOL_DIR"] = "/dev/shm/tidepool-%d" % os.getuid()
                self.refusal(lambda: api.Pool("app", "sqlite::memory:", "dir=" + closed), closed, "bad_option",
                             [closed, "cannot be written", "publish=off"])
                self.refusal(lambda: api.Pool("app", "sqlite:///%s/x.db" % closed, QUICK + "publish=off"), closed, None,
                             [closed])
                code = 0
            finally:
                os._exit(code)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)


if __name__ == "__main__":
    signal.alarm(100)  # a call that hangs is also a failure
    unittest.main()
