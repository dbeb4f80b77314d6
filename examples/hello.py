#!/usr/bin/python3
"""hello.c in Python: the C API through ctypes, no build step.

The library is found in TIDE_LIBRARY, else in this checkout's build/, else where the system keeps libraries.
"""
import ctypes
import ctypes.util
import os
import pathlib
import tempfile
from ctypes import POINTER, byref, c_char, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

BUILT = pathlib.Path(__file__).resolve().parent.parent / "build" / "c_api" / "libtidepool.so"


class Lease(ctypes.Structure):
    _fields_ = [("pool", c_void_p), ("id", c_uint64)]


class Error(ctypes.Structure):
    _fields_ = [("size", c_uint32), ("status", c_int32), ("native_code", c_int32), ("retryable", c_int32),
                ("sqlstate", c_char * 8), ("message", c_char * 512), ("detail", c_char * 1024), ("hint", c_char * 256)]


class Filter(ctypes.Structure):
    _fields_ = [("size", c_uint32), ("reserved", c_uint32),
                ("directory", c_char_p), ("pool", c_char_p), ("instance_id", c_char_p)]


class Column(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("type", c_int32), ("is_writable", c_int32),
                ("unit", c_char_p), ("meaning", c_char_p), ("sql_type", c_char_p), ("key", c_char_p),
                ("is_masked", c_int32), ("reserved", c_int32)]


class Relation(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("meaning", c_char_p), ("ncolumns", c_int32), ("reserved", c_int32),
                ("columns", POINTER(Column))]


class TideError(Exception):
    def __init__(self, err):
        super().__init__(err.message.decode())
        self.status = tide.tide_status_name(err.status).decode()


def load():
    path = os.environ.get("TIDE_LIBRARY") or (str(BUILT) if BUILT.exists() else ctypes.util.find_library("tidepool"))
    if not path:
        raise SystemExit("libtidepool.so is not built yet: run ./demo.sh, or: meson setup build && ninja -C build")
    library = ctypes.CDLL(path)
    for name, result, *arguments in (
            ("tide_status_name", c_char_p, c_int32),
            ("tide_pool_open", c_int32, c_char_p, c_char_p, c_char_p, POINTER(c_void_p), POINTER(Error)),
            ("tide_pool_close", c_int32, c_void_p, c_int64, POINTER(Error)),
            ("tide_pool_acquire", c_int32, c_void_p, c_char_p, c_int64, POINTER(Lease), POINTER(Error)),
            ("tide_lease_release", c_int32, Lease, POINTER(Error)),
            ("tide_lease_query", c_int32, Lease, c_char_p, c_int, POINTER(c_char_p), POINTER(c_void_p), POINTER(Error)),
            ("tide_result_rows", c_int64, c_void_p),
            ("tide_result_columns", c_int, c_void_p),
            ("tide_result_text", c_char_p, c_void_p, c_int64, c_int),
            ("tide_result_free", None, c_void_p),
            ("tide_relation_at", POINTER(Relation), c_int),
            ("tide_cursor_open", c_int32, c_char_p, POINTER(Filter), POINTER(c_void_p), POINTER(Error)),
            ("tide_cursor_next", c_int, c_void_p),
            ("tide_cursor_text", c_char_p, c_void_p, c_int, POINTER(c_size_t)),
            ("tide_cursor_close", None, c_void_p)):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


tide = load()


def call(function, *arguments):
    """Calls a function with an error struct as its last argument; raises the error."""
    err = Error(size=ctypes.sizeof(Error))
    if function(*arguments, byref(err)) != 0:
        raise TideError(err)


def query(lease, sql, *params):
    """The rows as tuples of text; None is NULL in SQL."""
    texts = (c_char_p * len(params))(*[None if p is None else str(p).encode() for p in params])
    result = c_void_p()
    call(tide.tide_lease_query, lease, sql.encode(), len(params), texts, byref(result))
    try:
        cell = tide.tide_result_text
        return [tuple(text and text.decode() for text in (cell(result, row, column)
                      for column in range(tide.tide_result_columns(result))))
                for row in range(tide.tide_result_rows(result))]
    finally:
        tide.tide_result_free(result)


def relation(name, pool):
    """The rows of a relation as dictionaries: the pool as other processes on this host see it."""
    index = 0
    while (shape := tide.tide_relation_at(index)) and shape.contents.name.decode() != name:
        index += 1
    names = [shape.contents.columns[c].name.decode() for c in range(shape.contents.ncolumns)]
    cursor = c_void_p()
    call(tide.tide_cursor_open, name.encode(), byref(Filter(size=ctypes.sizeof(Filter), pool=pool.encode())),
         byref(cursor))
    try:
        rows = []
        while tide.tide_cursor_next(cursor):
            texts = [tide.tide_cursor_text(cursor, c, None) for c in range(len(names))]
            rows.append({n: t and t.decode() for n, t in zip(names, texts)})
        return rows
    finally:
        tide.tide_cursor_close(cursor)


def main():
    with tempfile.TemporaryDirectory(prefix="tidepool-hello-") as directory:
        pool = c_void_p()
        url = f"sqlite://{directory}/hello.db"
        call(tide.tide_pool_open, b"hello-py", url.encode(), b"max_size=4", byref(pool))
        try:
            lease = Lease()
            call(tide.tide_pool_acquire, pool, b"hello", 2000, byref(lease))
            try:
                query(lease, "create table tide (name text, height real)")
                query(lease, "insert into tide values ('flood', 4.2)")
                query(lease, "insert into tide values (?1, ?2)", "ebb", None)
                for name, height in query(lease, "select name, height from tide"):
                    print(f"{name} is {height or 'an unknown number of'} m high")
                row = relation("pools", "hello-py")[0]
                print(" ".join(f"{key}={row[key]}" for key in ("pool", "state", "size", "idle", "in_use", "max_size")))
                try:
                    query(lease, "select hight from tide")
                except TideError as e:
                    print(f"as expected: {e}")  # the lease is still valid
            finally:
                call(tide.tide_lease_release, lease)
        finally:
            call(tide.tide_pool_close, pool, -1)


if __name__ == "__main__":
    main()
