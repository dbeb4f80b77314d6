#!/usr/bin/python3
"""Faults of hosted pools: killed backends, a killed worker, wrong passwords, unreachable hosts, unknown clients."""
import os
import re
import socket
import struct
import subprocess
import sys
import time
import unittest

import cluster
import hosting
import support
from cluster import PsqlError, wait_until

EXECUTE_ONE = "SELECT tidepool.execute('{}', 'SELECT 1')"

# Sends each packet on a separate connection and prints whether it was answered or disconnected.
CLIENT = """
import socket, sys
for packet in sys.argv[2:]:
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.settimeout(5); s.connect(sys.argv[1])
    for part in packet.split(','): s.send(bytes.fromhex(part))
    try: print('answer' if s.recv(65536) else 'sent away')
    except OSError: print('sent away')
"""

# A worker of another build, or a program that imitates one: answers the first packets of a connection with the given
# ones.
IMITATED_WORKER = """
import os, socket, sys
if os.path.exists(sys.argv[1]): os.unlink(sys.argv[1])
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.bind(sys.argv[1]); s.listen(8)
print('ready', flush=True)
while True:
    line, _ = s.accept()
    for answer in sys.argv[2:]:
        line.recv(65536); line.send(bytes.fromhex(answer))
    line.close()
"""


def packet(kind, body=b"", number=1, length=None):
    return struct.pack("<IIQ", kind, 16 + len(body) if length is None else length, number) + body


def text(value):
    return struct.pack("<I", len(value)) + value + b"\0"


class Faults(unittest.TestCase):
    def hosting(self, **more):
        bench = hosting.Hosting(**more)
        self.addCleanup(bench.__exit__)
        return bench.__enter__()

    def works(self, bench, server="loop"):
        try:
            bench.cluster.sql(EXECUTE_ONE.format(server))
            return True
        except (PsqlError, subprocess.SubprocessError):
            return False

    def test_killed_backend_loses_its_leases(self):
        bench = self.hosting()
        with bench.session() as session:
            session.ask("BEGIN; SELECT tidepool.lease('loop')")
            session.send("SELECT tidepool.execute('loop', 'SELECT pg_sleep(60)')")
            self.assertTrue(wait_until(lambda: bench.remote_backends("state = 'active'") == 1))
            os.kill(session.pid, 9)
        self.assertTrue(wait_until(lambda: self.works(bench), 30))  # the server restarts all its processes
        self.assertEqual(bench.remote_backends("query LIKE '%pg_sleep%'"), 0)

    def test_worker_restarts(self):
        bench = self.hosting()
        with bench.session() as holder, bench.session() as other:
            holder.ask("BEGIN; SELECT tidepool.lease('loop')")
            other.ask(EXECUTE_ONE.format("loop"))
            first = bench.worker()
            bench.cluster.sql(f"SELECT pg_terminate_backend({first})")
            began = time.monotonic()
            self.assertTrue(wait_until(lambda: bench.worker() not in (None, first), 6))
            self.assertLess(time.monotonic() - began, 5)
            self.assertEqual(other.ask(EXECUTE_ONE.format("loop")), "0")  # on a new line, without an error
            self.assertRegex(holder.ask(EXECUTE_ONE.format("loop")), "lease on server \"loop\" is lost|closed the connection")
        self.assertEqual(bench.remote_backends("state <> 'idle'"), 0)

    def test_the_remote_server_ends_a_session(self):
        bench = self.hosting()
        for _ in range(3):
            bench.cluster.sql("SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity "
                              "WHERE application_name = 'tidepool' AND backend_type = 'client backend'")
            self.assertTrue(wait_until(lambda: self.works(bench), 5))
        with bench.session() as session:
            session.ask("BEGIN; SELECT tidepool.lease('loop')")
            self.assertIn("terminating connection",
                          session.ask("SELECT tidepool.execute('loop', 'SELECT pg_terminate_backend(pg_backend_pid())')"))
        self.assertTrue(wait_until(lambda: self.works(bench), 5))

    def test_stopping_the_server_ends_remote_sessions(self):
        bench = self.hosting()
        target = cluster.Cluster(name="target", folder=bench.folder)
        self.addCleanup(target.destroy)
        target.create().start()
        bench.serve("far", host=target.host)
        bench.cluster.sql(EXECUTE_ONE.format("far"))
        self.assertEqual(target.backends("application_name = 'tidepool'"), 1)
        began = time.monotonic()
        bench.cluster.stop("fast", check=True)
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(target.backends("application_name = 'tidepool'"), 0)
        self.assertNotIn("unexpected EOF", target.log_text())

    def test_frozen_server_blocks_no_others(self):
        bench = self.hosting()
        target = cluster.Cluster(name="target", folder=bench.folder)
        self.addCleanup(target.destroy)
        target.create().start()
        bench.serve("far", host=target.host, acquire_timeout="1s")
        bench.cluster.sql(EXECUTE_ONE.format("far"))
        with bench.session() as asker, bench.session() as other:
            asker.ask("SET statement_timeout = '500ms'")
            target.freeze()
            self.assertIn("timeout", asker.ask(EXECUTE_ONE.format("far")))
            bench.cluster.sql("ALTER SERVER far OPTIONS (ADD max_size '3')")
            asker.send(EXECUTE_ONE.format("far"))
            until = time.monotonic() + 9
            slowest = 0
            while time.monotonic() < until:
                began = time.monotonic()
                self.assertEqual(other.ask(EXECUTE_ONE.format("loop")), "0")
                slowest = max(slowest, time.monotonic() - began)
            self.assertLess(slowest, 1)
            target.thaw()
            asker.receive()
        self.assertTrue(wait_until(lambda: self.works(bench, "far"), 10))

    def test_passwords(self):
        hba = "local all bob scram-sha-256\nlocal all all trust\n"
        bench = self.hosting()
        bench.cluster.write("pg_hba.conf", hba)
        bench.cluster.reload()
        bench.cluster.sql("""SET password_encryption = 'scram-sha-256'; CREATE ROLE bob LOGIN PASSWORD 'right';
            CREATE ROLE alice LOGIN; GRANT USAGE ON SCHEMA tidepool TO alice;
            GRANT EXECUTE ON FUNCTION tidepool.execute TO alice""")
        cases = {"wrong": ("user 'bob', password 'wrong'", "28P01.*password authentication failed"),
                 "without": ("user 'bob'", "2F003.*password is required"),
                 "trusted": ("user 'postgres', password 'unused'", "2F003.*password is required"),
                 "good": ("user 'bob', password 'right'", None)}
        for name, (mapping, refused) in cases.items():
            bench.serve(name, user="alice", mapping=mapping)
            with self.subTest(name):
                with self.assertRaisesRegex(PsqlError, "42501.*permission denied for foreign server"):
                    bench.cluster.sql(EXECUTE_ONE.format(name), user="alice")
                bench.cluster.sql(f"GRANT USAGE ON FOREIGN SERVER {name} TO alice")
                if refused is None:
                    bench.cluster.sql(EXECUTE_ONE.format(name), user="alice")
                    continue
                with self.assertRaisesRegex(PsqlError, f"(?s){refused}"):
                    bench.cluster.sql(EXECUTE_ONE.format(name), user="alice")
        bench.cluster.sql("ALTER USER MAPPING FOR alice SERVER wrong OPTIONS (SET password 'right')")
        bench.cluster.sql(EXECUTE_ONE.format("wrong"), user="alice")

    def test_unreachable_host(self):
        bench = self.hosting()
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        listener.listen(8)
        bench.serve("deaf", host="127.0.0.1", port=port, connect_timeout="1", acquire_timeout="30s")
        began = time.monotonic()
        with self.assertRaisesRegex(PsqlError, f"(?s)127.0.0.1.*port {port} did not respond within connect_timeout"):
            bench.cluster.sql(EXECUTE_ONE.format("deaf"))
        self.assertLess(time.monotonic() - began, 2)
        listener.close()
        bench.serve("closed", host="127.0.0.1", port=port, connect_timeout="1500ms", acquire_timeout="30s")
        began = time.monotonic()
        with self.assertRaisesRegex(PsqlError, f"127.0.0.1.*port {port} failed: Connection refused"):
            bench.cluster.sql(EXECUTE_ONE.format("closed"))
        self.assertLess(time.monotonic() - began, 2.5)

    def test_without_preload(self):
        bench = self.hosting(preload="")
        with self.assertRaisesRegex(PsqlError, "(?s)55000.*shared_preload_libraries = 'tidepool'"):
            bench.cluster.sql(EXECUTE_ONE.format("loop"))
        self.assertEqual(bench.cluster.sql("SELECT server, state FROM tidepool.servers"), [["loop", None]])

    def test_unknown_clients(self):
        bench = self.hosting()
        bench.cluster.sql(EXECUTE_ONE.format("loop"))
        wire = (cluster.SOURCE / "pg_extension/common/wire.h").read_text()
        version = int(re.search("#define WIRE_VERSION ([0-9]+)", wire)[1])
        hello = packet(1, struct.pack("<II", 0x54494445, version) + text(b"0.1.0"))
        lease = struct.pack("<IIIQQQ", 1, 2, 3, 1000, 2**64 - 1, 2**64 - 1)
        strange = {"another version": packet(1, struct.pack("<II", 0x54494445, 99) + text(b"0.1.0")),
                   "no hello": packet(5), "a drop without end": packet(6),
                   "a drop of another version": packet(6, struct.pack("<IIIII", 0x54494445, 99, 1, 2, 3)),
                   "no head": b"x", "a lie about the length": packet(1, b"", length=9999),
                   "an unknown kind": hello + b"", "a lease without end": packet(2, lease + struct.pack("<I", 2**32 - 1)),
                   "text without end": packet(2, lease + struct.pack("<I", 3) + b"abcd" * 4),
                   "lease of another client": packet(3, struct.pack("<I", 0), number=7)}
        words = []
        for name, bad in strange.items():
            first = [] if name.startswith(("another version", "no ", "a lie", "a drop")) else [hello]
            if name == "an unknown kind":
                bad = packet(77)
            words.append(",".join(part.hex() for part in [*first, bad]))
        door = str(bench.cluster.data / "pg_stat_tmp/tidepool.sock")
        done = subprocess.run(cluster.as_user([support.PYTHON, "-c", CLIENT, door, *words]), capture_output=True, text=True,
                              check=True)
        self.assertEqual(len(done.stdout.split("\n")), len(strange) + 1)
        first = bench.worker()
        bench.cluster.sql(EXECUTE_ONE.format("loop"))
        self.assertEqual(bench.worker(), first)

    def test_imitated_workers(self):
        bench = self.hosting(preload="")
        welcome, where = packet(101, number=0), bench.cluster.data / "pg_stat_tmp/tidepool.sock"
        cases = {"another build.*worker is version 9.9": [packet(102, text(b"9.9"), number=0)],
                 "no worker hosts pools": [b"nonsense"], "malformed": [welcome, packet(103, b"\1" * 40)],
                 "server \"loop\": no luck": [welcome, packet(104, struct.pack("<I", 3) + text(b"") + text(b"no luck") +
                                                             text(b"") + text(b""))]}
        for told, answers in cases.items():
            with self.subTest(told):
                fake = subprocess.Popen(cluster.as_user([support.PYTHON, "-c", IMITATED_WORKER, str(where),
                                                         *(answer.hex() for answer in answers)]), stdout=subprocess.PIPE)
                fake.stdout.readline()
                with self.assertRaisesRegex(PsqlError, f"(?s){told}"):
                    bench.cluster.sql(EXECUTE_ONE.format("loop"))
                fake.kill()
                fake.wait()
                fake.stdout.close()

    def test_settings_are_reloaded(self):
        bench = self.hosting(settings="tidepool.hosted_idle_timeout = 500")
        bench.cluster.sql(EXECUTE_ONE.format("loop"))
        self.assertEqual(bench.remote_backends(), 1)
        self.assertTrue(wait_until(lambda: bench.remote_backends() == 0, 5))
        bench.cluster.sql("ALTER SYSTEM SET tidepool.worker = off")
        bench.cluster.reload()
        self.assertTrue(wait_until(lambda: not self.works(bench), 5))
        with self.assertRaisesRegex(PsqlError, "tidepool.worker is off"):
            bench.cluster.sql(EXECUTE_ONE.format("loop"))
        bench.cluster.sql("ALTER SYSTEM RESET tidepool.worker")
        bench.cluster.reload()
        self.assertTrue(wait_until(lambda: self.works(bench), 5))

    def test_a_smart_shutdown_does_not_wait_for_pools(self):
        bench = self.hosting()
        bench.cluster.sql(EXECUTE_ONE.format("loop"))
        began = time.monotonic()
        bench.cluster.stop("smart", check=True)
        self.assertLess(time.monotonic() - began, 10)

    def test_waiting_callers_fail_when_the_worker_exits(self):
        bench = self.hosting()
        with bench.session() as waiting:
            waiting.ask("\\set VERBOSITY verbose")
            waiting.send(EXECUTE_ONE.format("loop").replace("SELECT 1", "SELECT pg_sleep(60)"))
            self.assertTrue(wait_until(lambda: bench.remote_backends("query LIKE '%pg_sleep%'") == 1))
            bench.cluster.sql(f"SELECT pg_terminate_backend({bench.worker()})")
            self.assertRegex(waiting.receive(), "ERROR:  57P01: the worker that hosts pools exited|ERROR:  08006")

    def test_unusable_directory_names_the_setting(self):
        bench = self.hosting()
        bench.cluster.sql("ALTER SYSTEM SET tidepool.dir = '/etc/passwd'; SELECT pg_reload_conf()")
        with self.assertRaisesRegex(PsqlError, '(?s)"/etc/passwd": not a directory.*HINT:  Set tidepool.dir to a directory'):
            wait_until(lambda: bench.cluster.sql(EXECUTE_ONE.format("loop")) is None, 5)

    def test_a_draining_pool_refuses(self):
        bench = self.hosting()
        bench.cluster.sql(EXECUTE_ONE.format("loop"))
        bench.cluster.sql("SELECT tidepool.drain('loop')")
        with self.assertRaisesRegex(PsqlError, "(?s)server \"loop\".*drain"):
            bench.cluster.sql(EXECUTE_ONE.format("loop"))
        bench.cluster.sql("SELECT tidepool.resume('loop')")
        self.assertTrue(wait_until(lambda: self.works(bench), 5))

    def test_standby_uses_hosted_pools(self):
        bench = self.hosting(settings="wal_level = replica\nhot_standby = on")
        primary = bench.cluster
        standby = cluster.Cluster(name="standby", stage=bench.stage, folder=bench.folder, preload="tidepool",
                                  settings=primary.settings + "\nprimary_conninfo = "
                                  f"'host={primary.host} port={primary.port} user=postgres'")
        standby.host = str(bench.private_folder("standby.s"))
        primary.run("pg_basebackup", "-h", primary.host, "-U", "postgres", "-D", standby.data, "--checkpoint=fast", "-R")
        self.addCleanup(standby.destroy)
        standby.configure()
        standby.start()
        self.assertEqual(standby.value("SELECT pg_is_in_recovery()"), "t")
        self.assertEqual(standby.value(hosting.ASK.format("SELECT pg_is_in_recovery()")), "f")  # runs on the primary


if __name__ == "__main__":
    support.require_server()
    sys.exit(unittest.main(verbosity=1))
