"""Application pools for the tests: the C API in this process, the load program, and the relations of both in SQL."""
import ctypes
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback

import cluster

os.environ.setdefault("TIDE_LIBRARY", str(cluster.BUILD / "c_api/libtidepool.so"))
EXTENSION = os.environ.get("TIDE_EXTENSION", str(cluster.BUILD / "sqlite_extension/tidepool"))
LOAD = cluster.BUILD / "tests/pg/pg_load"
sys.path.append(str(cluster.SOURCE / "tests/sqlite"))
from owner import ERROR, POINTER, TEXT, Error, Lease, library  # noqa: E402  (the structs are there)

NAMES = ("ok timeout closed queue_full unavailable bad_argument bad_option stale_lease database not_found refused forked "
         "no_memory unsupported internal rolled_back unknown_outcome cancelled").split()
CREDENTIAL = ctypes.CFUNCTYPE(ctypes.c_int, POINTER, ctypes.POINTER(ctypes.c_char), ctypes.c_size_t)
PARAMS = ctypes.POINTER(TEXT)


class OpenOptions(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint32), ("event_mask", ctypes.c_uint32), ("on_event", POINTER),
                ("event_context", POINTER), ("foreign_loop", ctypes.c_int32), ("is_hosted", ctypes.c_int32),
                ("app", TEXT), ("on_credential", CREDENTIAL), ("credential_context", POINTER)]


class AcquireOptions(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint32), ("mode", ctypes.c_int32), ("timeout_ms", ctypes.c_int64), ("tag", TEXT),
                ("callback", POINTER), ("context", POINTER), ("priority", ctypes.c_int32), ("reserved", ctypes.c_int32),
                ("cancel", POINTER)]


library.tide_pool_open_with.argtypes = [TEXT, TEXT, TEXT, ctypes.POINTER(OpenOptions), ctypes.POINTER(POINTER), ERROR]
library.tide_pool_acquire_with.argtypes = [POINTER, ctypes.POINTER(AcquireOptions), ctypes.POINTER(Lease), ERROR]
library.tide_pool_query.argtypes = [POINTER, TEXT, TEXT, ctypes.c_int, PARAMS, ctypes.POINTER(POINTER), ERROR]
library.tide_lease_query.argtypes = [Lease, TEXT, ctypes.c_int, PARAMS, ctypes.POINTER(POINTER), ERROR]
library.tide_cancel_token_new.argtypes = [ctypes.POINTER(POINTER), ERROR]
library.tide_cancel_token_trip.argtypes, library.tide_cancel_token_trip.restype = [POINTER], None
library.tide_cancel_token_free.argtypes, library.tide_cancel_token_free.restype = [POINTER], None
library.tide_pool_step.argtypes = [POINTER, ctypes.POINTER(ctypes.c_int64), ERROR]
library.tide_lease_native.argtypes, library.tide_lease_native.restype = [Lease], POINTER
library.tide_lease_cancel.argtypes = [Lease, ERROR]
library.tide_control.argtypes = [TEXT, TEXT, TEXT, ctypes.c_int64, ctypes.POINTER(ctypes.c_uint64), ERROR]
library.tide_wait_applied.argtypes = [ctypes.c_uint64, ctypes.c_int64, POINTER, ERROR]
library.tide_result_rows.argtypes, library.tide_result_rows.restype = [POINTER], ctypes.c_int64
library.tide_result_columns.argtypes = [POINTER]
library.tide_result_text.argtypes, library.tide_result_text.restype = [POINTER, ctypes.c_int64, ctypes.c_int], POINTER
library.tide_result_length.argtypes = [POINTER, ctypes.c_int64, ctypes.c_int]
library.tide_result_length.restype = ctypes.c_size_t
library.tide_result_command.argtypes, library.tide_result_command.restype = [POINTER], TEXT
library.tide_result_free.argtypes, library.tide_result_free.restype = [POINTER], None


class Refusal(Exception):
    """The error of a call."""

    def __init__(self, error):
        self.status, self.sqlstate = NAMES[error.status], error.sqlstate.decode()
        self.is_retryable = error.retryable != 0
        self.message, self.detail, self.hint = (t.decode("utf-8", "strict") for t in
                                                (error.message, error.detail, error.hint))
        super().__init__(f"{self.status} {self.sqlstate}: {self.message} | {self.detail} | {self.hint}")


def call(function, *arguments):
    error = Error(size=ctypes.sizeof(Error))
    if function(*arguments, ctypes.byref(error)) != 0:
        raise Refusal(error)


def rows_of(result):
    """Rows of bytes, None for NULL."""
    columns = library.tide_result_columns(result)

    def value(row, column):
        text = library.tide_result_text(result, row, column)
        return None if text is None else ctypes.string_at(text, library.tide_result_length(result, row, column))

    rows = [[value(row, column) for column in range(columns)] for row in range(library.tide_result_rows(result))]
    library.tide_result_free(result)
    return rows


def run_on(function, *first, sql, params=()):
    """The result itself, which must be freed."""
    result = POINTER()
    values = (TEXT * max(1, len(params)))(*[p.encode() if isinstance(p, str) else p for p in params])
    call(function, *first, sql.encode(), len(params), values, ctypes.byref(result))
    return result


def ask(function, *first, sql, params=()):
    return rows_of(run_on(function, *first, sql=sql, params=params))


def order(pool, verb, wait_ms=0, **arguments):
    """Sends a command to a pool of any process; returns the command's number. Does not wait by default."""
    number = ctypes.c_uint64()
    call(library.tide_control, pool.encode(), verb.encode(), json.dumps(arguments).encode(), wait_ms, ctypes.byref(number))
    return number.value


class Pool:
    def __init__(self, url, options="", name="app", password=None, foreign=False):
        """`password`: a function, called at every connect; None fails the connect. `foreign`: call step()."""
        self.name = name
        self.handle = POINTER()
        with_ = OpenOptions(size=ctypes.sizeof(OpenOptions), app=b"pg-test", foreign_loop=1 if foreign else 0)
        if password is not None:
            def credential(_, buffer, size):
                text = password()
                if text is None:
                    return 1
                text = text.encode()[:size - 1] + b"\0"
                ctypes.memmove(buffer, text, len(text))
                return 0
            with_.on_credential = self.keep = CREDENTIAL(credential)
        call(library.tide_pool_open_with, name.encode(), url.encode(), options.encode(), ctypes.byref(with_),
             ctypes.byref(self.handle))

    def acquire(self, tag="", timeout_ms=5000, read=False, critical=False, token=None):
        """`token`: of tide_cancel_token_new()."""
        lease = Lease()
        with_ = AcquireOptions(size=ctypes.sizeof(AcquireOptions), mode=1 if read else 0, timeout_ms=timeout_ms,
                               tag=tag.encode(), priority=1 if critical else 0, cancel=token)
        call(library.tide_pool_acquire_with, self.handle, ctypes.byref(with_), ctypes.byref(lease))
        return Held(lease)

    def query(self, sql, *params, tag=""):
        return ask(library.tide_pool_query, self.handle, tag.encode(), sql=sql, params=params)

    def value(self, sql, *params):
        return self.query(sql, *params)[0][0].decode()

    def control(self, verb, wait_ms=5000, **arguments):
        return order(self.name, verb, wait_ms, **arguments)

    def set(self, option, value):
        return self.control("set", option=option, value=str(value))

    @staticmethod
    def wait_applied(number, wait_ms=5000):
        call(library.tide_wait_applied, number, wait_ms, None)

    def step(self):
        call(library.tide_pool_step, self.handle, None)

    def close(self, timeout_ms=2000):
        call(library.tide_pool_close, self.handle, timeout_ms)


class Held:
    """A lease."""

    def __init__(self, lease):
        self.lease = lease

    def query(self, sql, *params):
        return ask(library.tide_lease_query, self.lease, sql=sql, params=params)

    def value(self, sql, *params):
        return self.query(sql, *params)[0][0].decode()

    def command(self, sql):
        """The command tag of the server."""
        result = run_on(library.tide_lease_query, self.lease, sql=sql)
        said = library.tide_result_command(result).decode()
        library.tide_result_free(result)
        return said

    def native(self):
        return library.tide_lease_native(self.lease)

    def cancel(self):
        call(library.tide_lease_cancel, self.lease)

    def release(self):
        call(library.tide_lease_release, self.lease)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release()


class Segments:
    """A private directory of segments, read through the SQLite extension."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="tidepool-pg-", dir="/dev/shm")
        os.environ["TIDEPOOL_DIR"] = self.folder
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self.db.enable_load_extension(True)
        self.db.load_extension(EXTENSION)
        self.db.row_factory = sqlite3.Row

    def rows(self, sql, *values):
        return self.db.execute(sql, values).fetchall()

    def value(self, sql, *values):
        found = self.db.execute(sql, values).fetchone()
        return None if found is None else found[0]

    def end(self):
        self.db.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Loaded:
    """The running load program: 32 threads on its own pool, named load."""

    def __init__(self, url, options, threads=32, acquire_ms=2000, query_ms=2000):
        self.process = subprocess.Popen([LOAD, url, options, str(threads), str(acquire_ms), str(query_ms)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the load program ended")
        return json.loads(line)

    def say(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.answer()

    def stats(self):
        return self.say("stats")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stop(self):
        """The final counts. Waits for all threads: a call that hangs is detected here."""
        done, _ = self.process.communicate("stop\n", timeout=60)
        return json.loads(done.splitlines()[-1])

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def run(cases, *arguments):
    """Runs the cases, or those named on the command line, with one line each. Returns the number of failures."""
    failed = 0
    for case in cases:
        name = case.__name__
        if len(sys.argv) > 1 and name not in sys.argv[1:]:
            continue
        began = time.monotonic()
        try:
            said = case(*arguments)
            print(f"ok {name} ({time.monotonic() - began:.1f} s){': ' + said if said else ''}", flush=True)
        except Exception:  # noqa: BLE001  (all are reported)
            failed += 1
            print(f"not ok {name}\n{traceback.format_exc()}", flush=True)
    return failed


def is_(got, expected, what=""):
    if got != expected:
        raise AssertionError(f"{what}: {got!r} instead of {expected!r}")


def refuses(function, *arguments, sqlstate=None, status=None):
    try:
        function(*arguments)
    except Refusal as refusal:
        if sqlstate is not None:
            is_(refusal.sqlstate, sqlstate, str(refusal))
        if status is not None:
            is_(refusal.status, status, str(refusal))
        return refusal
    raise AssertionError("was not refused")
