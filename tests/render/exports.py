"""tide_export of the library, and pools with unusual names to export."""
import ctypes
import os
import pathlib
import shutil
import sqlite3
import sys
import tempfile

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "pg")]
import client  # noqa: E402
from client import ERROR, POINTER, TEXT, call, library  # noqa: E402

MASKED, LEGACY_NAMES, CONNECTION_MAX = 1, 2, 4
FORMATS = ("json", "csv", "prometheus", "openmetrics", "otlp_json")
# Each is valid UTF-8 without NUL, and at most 62 bytes. None has a closing brace: the reader of OpenMetrics, unlike Prometheus,
# takes it for the end of the labels of an exemplar, also in quotes.
NAMES = ('say "hi"', "two\nlines", "back\\slash\\n", "it's, a; list", "größe 漢字 🌊", "=1+1", '{x="1" 2\n# EOF', "x" * 62,
         '"' * 62, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
LONGEST = "p" * 62  # of a pool
QUIET = "log=off min_size=1 max_size=3 slow_query_threshold=1us health_interval=0 scaling=off"


class Options(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint32), ("flags", ctypes.c_uint32), ("directory", TEXT), ("pool", TEXT),
                ("instance_id", TEXT), ("since_ms", ctypes.c_int64)]


OUT = ctypes.POINTER(POINTER)
LENGTH = ctypes.POINTER(ctypes.c_size_t)
library.tide_export.argtypes = [TEXT, TEXT, ctypes.c_int64, OUT, LENGTH, ERROR]
library.tide_export_with.argtypes = [TEXT, ctypes.POINTER(Options), OUT, LENGTH, ERROR]
library.tide_free.argtypes, library.tide_free.restype = [POINTER], None


def taken(text, length):
    """The text, which is freed."""
    found = ctypes.string_at(text, length.value)
    has_nul = ctypes.string_at(text, length.value + 1)[-1] == 0
    library.tide_free(text)
    if not has_nul or b"\0" in found:
        raise AssertionError("the text does not end with its only NUL")
    return found.decode("utf-8", "strict")


def export(format, flags=0, directory=None, pool=None, instance_id=None, since_ms=0):
    """Fails with client.Refusal."""
    def encoded(text):
        return None if text is None else str(text).encode()
    options = Options(ctypes.sizeof(Options), flags, encoded(directory), encoded(pool), encoded(instance_id), since_ms)
    text, length = POINTER(), ctypes.c_size_t()
    call(library.tide_export_with, format.encode(), ctypes.byref(options), ctypes.byref(text), ctypes.byref(length))
    return taken(text, length)


def export_simply(format, pool=None, since_ms=0):
    text, length = POINTER(), ctypes.c_size_t()
    call(library.tide_export, format.encode(), None if pool is None else pool.encode(), since_ms, ctypes.byref(text),
         ctypes.byref(length))
    return taken(text, length)


class Pool:
    """With a name of its application."""

    def __init__(self, name, url, app, options=QUIET):
        self.handle, self.held = POINTER(), None
        with_ = client.OpenOptions(size=ctypes.sizeof(client.OpenOptions), app=app.encode())
        call(library.tide_pool_open_with, name.encode(), url.encode(), options.encode(), ctypes.byref(with_),
             ctypes.byref(self.handle))

    query, acquire, close = client.Pool.query, client.Pool.acquire, client.Pool.close


class Segments:
    """An empty directory of segments, also the default one."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tidepool-render-"))
        os.environ["TIDEPOOL_DIR"] = str(self.folder)
        self.pools = []

    def open(self, *arguments):
        self.pools.append(Pool(*arguments))
        return self.pools[-1]

    def close(self):
        """All pools, and the leases that they hold."""
        while self.pools:
            pool = self.pools.pop()
            if pool.held:
                pool.held.release()
            pool.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def use(pool, fails="select * from nowhere"):
    """Statements with every name as a tag, one of which fails."""
    for tag in NAMES:
        pool.query("select 1", tag=tag)
    try:
        pool.query(fails, tag=NAMES[0])
    except client.Refusal:
        return
    raise AssertionError("the statement should have failed")


def open_sqlite(segments):
    """Two pools, one of them opened twice; database and application have unusual names. A lease is held."""
    folder = segments.folder / 'a "data"\nbase, 漢字 \\'
    folder.mkdir()
    for number, name in enumerate(("shop", "shop", LONGEST)):
        file = folder / f"{number}.db"
        sqlite3.connect(file).close()
        pool = segments.open(name, f"sqlite://{percent(file)}", NAMES[number])
        use(pool)
        pool.held = pool.acquire(tag=NAMES[number])


def percent(path):
    return "".join(c if c.isalnum() and c.isascii() or c in "/._-" else "".join(f"%{b:02X}" for b in c.encode())
                   for c in str(path))


def open_postgresql(segments, cluster):
    database = 'da"ta\nbase, größe'
    cluster.sql('CREATE DATABASE "' + database.replace('"', '""') + '"')
    for number, name in enumerate(("shop", "shop", LONGEST)):
        url = f"postgresql://postgres@{percent(cluster.host).replace('/', '%2F')}:{cluster.port}/{percent(database)}"
        pool = segments.open(name, url, NAMES[number])
        use(pool)
        pool.held = pool.acquire(tag=NAMES[number])
