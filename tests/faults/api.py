"""The C API in Python, as far as the fault tests need it: with complete errors, and with any bytes as arguments."""
import ctypes
import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "sqlite"))
import owner  # noqa: E402  (the structs are there)

library, Error, Lease = owner.library, owner.Error, owner.Lease
POINTER, TEXT = ctypes.c_void_p, ctypes.c_char_p
NAMES = ("ok timeout closed queue_full unavailable bad_argument bad_option stale_lease database not_found refused forked "
         "no_memory unsupported internal rolled_back unknown_outcome cancelled").split()

OPEN = ctypes.CFUNCTYPE(ctypes.c_int, POINTER, TEXT, ctypes.c_int64, ctypes.POINTER(POINTER), POINTER, ctypes.c_size_t)
CLOSE = ctypes.CFUNCTYPE(None, POINTER, POINTER)


class Driver(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint32), ("reserved", ctypes.c_uint32), ("context", POINTER), ("open", OPEN),
                ("validate", POINTER), ("reset", POINTER), ("close", CLOSE), ("cancel", POINTER)]


library.tide_pool_query.argtypes = [POINTER, TEXT, TEXT, ctypes.c_int, POINTER, POINTER, POINTER]
library.tide_lease_query.argtypes = [Lease, TEXT, ctypes.c_int, POINTER, POINTER, POINTER]
library.tide_control.argtypes = [TEXT, TEXT, TEXT, ctypes.c_int64, POINTER, POINTER]
library.tide_cursor_open.argtypes = [TEXT, POINTER, POINTER, POINTER]
library.tide_lease_native.argtypes, library.tide_lease_native.restype = [Lease], POINTER
library.tide_register_driver.argtypes = [TEXT, POINTER, POINTER]


class Refusal(Exception):
    """The error of a refused call."""

    def __init__(self, error):
        self.status = NAMES[error.status]
        self.sqlstate, self.is_retryable = error.sqlstate.decode(), error.retryable != 0
        self.message, self.detail, self.hint = (t.decode("utf-8", "strict") for t in
                                                (error.message, error.detail, error.hint))
        self.text = " | ".join((self.message, self.detail, self.hint))
        super().__init__(self.status + ": " + self.text)


def call(name, *arguments):
    error = Error(size=ctypes.sizeof(Error))
    if getattr(library, name)(*arguments, ctypes.byref(error)) != 0:
        raise Refusal(error)


def as_bytes(text):
    return text.encode() if isinstance(text, str) else text


class Pool:
    def __init__(self, name, url, options=""):
        self.handle = POINTER()
        call("tide_pool_open", as_bytes(name), as_bytes(url), as_bytes(options), ctypes.byref(self.handle))

    def acquire(self, tag="", timeout_ms=2000):
        lease = Lease()
        call("tide_pool_acquire", self.handle, as_bytes(tag), timeout_ms, ctypes.byref(lease))
        return lease

    def release(self, lease):
        call("tide_lease_release", lease)

    def query(self, sql, tag=""):
        call("tide_pool_query", self.handle, as_bytes(tag), as_bytes(sql), 0, None, None)

    def close(self, timeout_ms=1000):
        call("tide_pool_close", self.handle, timeout_ms)


def native(lease):
    return library.tide_lease_native(lease)


def control(pool, verb, arguments=None, wait_ms=2000):
    call("tide_control", as_bytes(pool), as_bytes(verb), as_bytes(arguments), wait_ms, None)


def read_relation(name):
    """Only opens it: the tests read relations through the extension."""
    cursor = POINTER()
    call("tide_cursor_open", as_bytes(name), None, ctypes.byref(cursor))
    library.tide_cursor_close(cursor)


library.tide_cursor_close.argtypes = [POINTER]
