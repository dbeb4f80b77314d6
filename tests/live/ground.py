"""The databases that the programs of this folder run on, ways to interrupt the connection to them, and access in their
SQL."""
import os
import pathlib
import shutil
import sqlite3
import tempfile

import client
import cluster
import proxy
import support

QUIET = "log=off"


class SqliteEyes:
    def __init__(self):
        self.db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self.db.enable_load_extension(True)
        self.db.load_extension(client.EXTENSION)

    def rows(self, sql):
        return self.db.execute(sql.replace("~", "tidepool_")).fetchall()

    def error(self, sql):
        try:
            self.rows(sql)
        except sqlite3.Error as refusal:
            return str(refusal)
        return None

    def end(self):
        self.db.close()


class PostgresEyes:
    """Executes queries through a private pool, as an application would."""

    def __init__(self, conninfo):
        self.pool = client.Pool(conninfo, "publish=off min_size=1 max_size=2 health_interval=0 " + QUIET, name="eyes")

    @staticmethod
    def native(cell):
        if cell is None:
            return None
        text = cell.decode()
        if text in ("t", "f"):
            return int(text == "t")
        for kind in (int, float):
            try:
                return kind(text)
            except ValueError:
                pass
        return text

    def rows(self, sql):
        return [tuple(map(self.native, row)) for row in self.pool.query(sql.replace("~", "tidepool."))]

    def error(self, sql):
        try:
            self.rows(sql)
        except client.Refusal as refusal:
            return str(refusal)
        return None

    def end(self):
        self.pool.close()


class FileRoad:
    """A database whose folder can be renamed."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.url = f"sqlite://{folder}/app.db"

    def block(self):
        """New connections fail; open ones continue to work."""
        self.folder.rename(str(self.folder) + ".gone")

    def lose(self, pool):
        self.block()
        pool.control("recycle", wait_ms=0, spread="0s")

    def find(self):
        pathlib.Path(str(self.folder) + ".gone").rename(self.folder)

    def end(self):
        pass


class LockedFile:
    """A database that another connection locks exclusively, so that SQLite waits."""
    validation_query = ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
                        "SELECT count(*) FROM n")  # a lock does not invalidate a session; the call ends at its deadline

    def __init__(self, path):
        self.db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.db.execute("PRAGMA journal_mode = delete")
        self.db.execute("CREATE TABLE t (x)")
        waits = f"sqlite://{path}?tidepool.sqlite_busy_timeout=30s&tidepool.sqlite_journal_mode"
        self.url, self.url_of_late = f"{waits}=truncate", f"{waits}=wal"  # which starts by taking a lock

    def hold(self):
        self.db.execute("BEGIN EXCLUSIVE")

    def let_go(self):
        self.db.execute("ROLLBACK")

    def end(self):
        self.db.close()


class NetworkRoad:
    """A network connection to the server that can be interrupted."""

    def __init__(self, server):
        self.proxy = proxy.Proxy(server)
        self.proxy.__enter__()
        self.url = self.proxy.conninfo()

    def block(self):
        self.proxy.mode = "refuse"

    def lose(self, _):
        self.block()
        self.proxy.cut()

    def find(self):
        self.proxy.mode = "pass"

    def end(self):
        self.proxy.__exit__()


class SilentRoad(NetworkRoad):
    """A network connection to the server that accepts everything and forwards nothing."""
    validation_query = ""

    def __init__(self, server):
        super().__init__(server)
        self.url_of_late = self.url

    def hold(self):
        self.proxy.mode = "half_open"

    def let_go(self):
        self.proxy.mode = "pass"
        self.proxy.cut()


class ServerRoad:
    """A separate server, which is really stopped."""

    def __init__(self):
        self.server = cluster.Cluster().create().start()
        self.url = self.server.conninfo(application_name="app")

    def lose(self, _):
        self.server.stop("immediate")

    def find(self):
        self.server.start()

    def end(self):
        self.server.destroy()


class Sqlite:
    name, faulty = "sqlite", "SELECT * FROM missing_table"
    true, false, odd_numbers = "1", "0", ("'nan'", "'inf'", "9e999", "-9e999", "'five'")
    slow = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 100000) SELECT count(*) FROM c"

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tidepool-live-", dir="/dev/shm"))
        (self.folder / "publish").mkdir(mode=0o700)
        os.environ["TIDEPOOL_DIR"] = str(self.folder / "publish")

    def eyes(self):
        return SqliteEyes()

    def road(self, name):
        return FileRoad(self.folder / name)

    machine = road

    def held_up(self, name):
        return LockedFile(f"{self.folder}/{name}.db")

    def url(self, name):
        return f"sqlite://{self.folder}/{name}.db"

    @staticmethod
    def password(_):
        return ""  # does not exist here

    def end(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class Postgres:
    name, faulty, slow = "postgresql", "SELECT * FROM missing_table", "SELECT pg_sleep(0.02)"
    true, false, odd_numbers = "true", "false", ("'nan'", "'inf'", "'-inf'", "'NaN'::float8")

    def __init__(self):
        self.bench = support.Bench(settings="max_connections = 300")
        self.bench.__enter__()
        self.server = self.bench.cluster
        self.bench.extension()
        os.environ["TIDEPOOL_DIR"] = str(self.bench.segments)

    def eyes(self):
        return PostgresEyes(self.server.conninfo())

    def road(self, _):
        return NetworkRoad(self.server)

    @staticmethod
    def machine(_):
        return ServerRoad()

    def held_up(self, _):
        return SilentRoad(self.server)

    def url(self, name):
        return self.server.conninfo(application_name=name)

    @staticmethod
    def password(secret):
        return f" password={secret}"

    def end(self):
        self.bench.__exit__()
