#!/usr/bin/python3
"""Hosted pools over TLS: sessions cannot be passed on, so the worker relays their bytes."""
import os
import shutil
import socket
import subprocess
import sys
import unittest

import cluster
import hosting
import support
from cluster import wait_until


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if shutil.which("openssl") is None:
            support.skip("openssl is not installed, which creates the certificate")
        cls.bench = hosting.Hosting()
        cls.addClassCleanup(cls.bench.__exit__)
        cls.bench.__enter__()
        cls.sql = cls.bench.cluster.sql
        cls.target = cluster.Cluster(name="target", folder=cls.bench.folder)
        cls.target.port = free_port()
        cls.target.settings = "listen_addresses = '127.0.0.1'\nssl = on\nssl_cert_file = 'tls.crt'\nssl_key_file = 'tls.key'"
        cls.target.hba = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"
        cls.addClassCleanup(cls.target.destroy)
        cls.target.create()
        certificate, key = cls.target.data / "tls.crt", cls.target.data / "tls.key"
        subprocess.run(["openssl", "req", "-new", "-x509", "-days", "2", "-nodes", "-subj", "/CN=127.0.0.1", "-addext",
                        "subjectAltName=IP:127.0.0.1", "-out", certificate, "-keyout", key], check=True, capture_output=True)
        for file in (certificate, key):
            cls.target.write(file.name, file.read_text())
        shutil.copyfile(certificate, cls.bench.folder / "root.crt")
        os.chmod(cls.bench.folder / "root.crt", 0o644)
        cls.target.start()
        cls.target.sql("SET password_encryption = 'scram-sha-256'; CREATE ROLE bob LOGIN PASSWORD 'secret'")
        cls.bench.serve("safe", mapping="user 'bob', password 'secret'", host="127.0.0.1", port=cls.target.port,
                        sslmode="verify-full", sslrootcert=cls.bench.folder / "root.crt", max_size=2)

    def ask(self, statement):
        return self.bench.cluster.value(f"SELECT * FROM tidepool.query('safe', $q${statement}$q$) AS (x text)")

    def test_the_session_is_encrypted_and_reused(self):
        pids = set()
        for _ in range(6):
            self.assertEqual(self.ask("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"), "t")
            pids.add(self.ask("SELECT pg_backend_pid()"))
        self.assertLessEqual(len(pids), 2)

    def test_large_messages_in_both_directions(self):
        for size in (1, 8191, 65536, 65537, 3_000_000):
            self.assertEqual(self.bench.cluster.value(
                f"SELECT length(x) FROM tidepool.query('safe', 'SELECT $1 || ''x''', repeat('y', {size})) AS (x text)"),
                str(size + 1))
        self.assertEqual(self.sql("SELECT count(*), sum(n) FROM tidepool.query('safe', "
                                  "'SELECT n, repeat(''z'', 50) FROM generate_series(1, 100000) n') AS (n bigint, z text)"),
                         [["100000", "5000050000"]])

    def test_session_remains_usable_after_errors(self):
        before = self.ask("SELECT pg_backend_pid()")
        for _ in range(4):
            with self.assertRaisesRegex(cluster.PsqlError, "22012"):
                self.ask("SELECT 1/0")
        self.assertLessEqual(self.target.backends("application_name = 'tidepool'"), 2)
        self.assertTrue(before)

    def test_interrupt(self):
        with self.bench.session() as session:
            session.send("SELECT tidepool.execute('safe', 'SELECT pg_sleep(30)')")
            busy = lambda: self.target.backends("query = 'SELECT pg_sleep(30)' AND state = 'active'")
            self.assertTrue(wait_until(lambda: busy() == 1))
            self.sql(f"SELECT pg_cancel_backend({session.pid})")
            self.assertTrue(wait_until(lambda: busy() == 0, 3))
        self.assertEqual(self.ask("SELECT 1"), "1")

    def test_lost_session_is_reported(self):
        with self.assertRaisesRegex(cluster.PsqlError, "57P01"):
            self.ask("SELECT pg_terminate_backend(pg_backend_pid())")
        self.assertTrue(wait_until(lambda: self.ask("SELECT 1") == "1"))

    def test_two_at_once(self):
        with self.bench.session() as one, self.bench.session() as two:
            for name, session in (("one", one), ("two", two)):
                session.send("DO $$ DECLARE x text; BEGIN FOR i IN 1..1000 LOOP SELECT a INTO x FROM tidepool.query('safe', "
                             f"'SELECT $1', '{name}' || i) AS (a text); IF x <> '{name}' || i THEN RAISE 'mixed up'; END IF; "
                             "END LOOP; END $$")
            self.assertEqual([one.receive(), two.receive()], ["", ""])


if __name__ == "__main__":
    support.require_server()
    sys.exit(unittest.main(verbosity=1))
