"""Common parts of the tests of hosted pools: a server that hosts pools, with a foreign server `loop` to itself."""
import subprocess
import threading
import unittest

import support

ASK = "SELECT * FROM tidepool.query('loop', $q${}$q$) AS (x text)"


class Hosting(support.Bench):
    """`loop` has two connections; its mapping is for postgres."""

    def __init__(self, settings="", preload="tidepool", max_size=2):
        super().__init__(preload=preload, settings=settings)
        self.max_size = max_size

    def __enter__(self):
        super().__enter__()
        self.extension()
        self.serve("loop", max_size=self.max_size)
        return self

    def serve(self, name, user="postgres", database="postgres", mapping="user 'postgres'", **options):
        words = dict(host=self.cluster.host, port=self.cluster.port, dbname="postgres")
        words.update(options)
        listed = ", ".join(f"{key} '{value}'" for key, value in words.items())
        self.cluster.sql(f"CREATE SERVER {name} FOREIGN DATA WRAPPER tidepool OPTIONS ({listed});"
                         f"CREATE USER MAPPING FOR {user} SERVER {name} OPTIONS ({mapping})", database=database)

    def ask(self, statement, **more):
        """The result of a remote query: one text."""
        return self.cluster.value(ASK.format(statement), **more)

    def worker(self):
        rows = self.cluster.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'tidepool worker'")
        return int(rows[0][0]) if rows else None

    def remote_backends(self, where="true"):
        return self.cluster.backends(f"application_name = 'tidepool' AND ({where})")

    def session(self, database="postgres"):
        return Session(self.cluster, database=database)


class Case(unittest.TestCase):
    """Tests that share one server."""

    @classmethod
    def setUpClass(cls):
        cls.bench = Hosting()
        cls.addClassCleanup(cls.bench.__exit__)
        cls.bench.__enter__()
        cls.sql = cls.bench.cluster.sql


class Session:
    """A psql that remains connected. Answers end with a marker, to wait for them."""

    def __init__(self, cluster, user="postgres", database="postgres"):
        self.process = subprocess.Popen([*cluster.psql_command(database, user), "-A", "-t", "-v", "ON_ERROR_STOP=0"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        env=cluster.environment())
        self.pid = int(self.ask("SELECT pg_backend_pid()"))

    def send(self, text):
        self.process.stdin.write(text + "\n;\n\\echo =done=\n")
        self.process.stdin.flush()

    def receive(self, seconds=30):
        timer = threading.Timer(seconds, self.process.kill)
        timer.start()
        lines = []
        for line in self.process.stdout:
            if line == "=done=\n":
                break
            lines.append(line)
        timer.cancel()
        return "".join(lines).strip()

    def ask(self, text):
        self.send(text)
        return self.receive()

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.close()
