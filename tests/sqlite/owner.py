#!/usr/bin/python3
"""A process that owns pools, which the tests observe and control from another one.

Reads one command a line, as a JSON array, and answers each with one JSON object:
  ["open", "app", "max_size=5"]  -> {"instance_id": "..."}     ["lease", "app", "report"] -> {"lease": 17}
  ["release", 17]                -> {"status": 0}              ["close", "app"]           -> {"status": 0}
A fourth word of "open" is the URL; without it the pool is one of SQLite connections.
Ends, closing its pools, when its input ends.
"""
import ctypes
import json
import os
import sys
import tempfile


class Lease(ctypes.Structure):
    _fields_ = [("pool", ctypes.c_void_p), ("id", ctypes.c_uint64)]


class Error(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint32), ("status", ctypes.c_int32), ("native_code", ctypes.c_int32),
                ("retryable", ctypes.c_int32), ("sqlstate", ctypes.c_char * 8), ("message", ctypes.c_char * 512),
                ("detail", ctypes.c_char * 1024), ("hint", ctypes.c_char * 256)]


library = ctypes.CDLL(os.environ["TIDE_LIBRARY"])
POINTER, TEXT = ctypes.c_void_p, ctypes.c_char_p
ERROR = ctypes.POINTER(Error)
library.tide_pool_open.argtypes = [TEXT, TEXT, TEXT, ctypes.POINTER(POINTER), ERROR]
library.tide_pool_close.argtypes = [POINTER, ctypes.c_int64, ERROR]
library.tide_pool_acquire.argtypes = [POINTER, TEXT, ctypes.c_int64, ctypes.POINTER(Lease), ERROR]
library.tide_lease_release.argtypes = [Lease, ERROR]
library.tide_pool_instance_id.argtypes = [POINTER, TEXT, ERROR]


def call(function, *arguments):
    error = Error(size=ctypes.sizeof(Error))
    status = function(*arguments, ctypes.byref(error))
    if status != 0:
        raise RuntimeError("%s: %d %s %s" % (function.__name__, status, error.message.decode(), error.detail.decode()))
    return status


class Owner:
    def __init__(self, folder):
        self.folder = folder
        self.pools = {}
        self.leases = {}

    def open(self, name, options="", url=None):
        pool = POINTER()
        url = url or "sqlite:///%s/%s.db" % (self.folder, name)
        call(library.tide_pool_open, name.encode(), url.encode(), options.encode(), ctypes.byref(pool))
        self.pools[name] = pool
        instance_id = ctypes.create_string_buffer(33)
        call(library.tide_pool_instance_id, pool, instance_id)
        return {"instance_id": instance_id.value.decode()}

    def lease(self, name, tag=""):
        lease = Lease()
        call(library.tide_pool_acquire, self.pools[name], tag.encode(), 5000, ctypes.byref(lease))
        self.leases[lease.id] = lease
        return {"lease": lease.id}

    def release(self, number):
        # Not an error here: some tests revoke a lease and check what its holder gets.
        return {"status": library.tide_lease_release(self.leases.pop(number), None)}

    def close(self, name):
        return {"status": call(library.tide_pool_close, self.pools.pop(name), 1000)}


def main():
    with tempfile.TemporaryDirectory() as folder:
        owner = Owner(folder)
        verbs = {"open": owner.open, "lease": owner.lease, "release": owner.release, "close": owner.close}
        for line in sys.stdin:
            verb, *arguments = json.loads(line)
            try:
                answer = verbs[verb](*arguments)
            except RuntimeError as failure:
                answer = {"error": str(failure)}
            print(json.dumps(answer), flush=True)
        for pool in owner.pools.values():
            library.tide_pool_close(pool, 0, None)


if __name__ == "__main__":
    main()
