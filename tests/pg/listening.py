"""Subscriptions of pools for the tests: tide_listen() through ctypes."""
import ctypes
import threading
import time

from client import POINTER, TEXT, call, library
from owner import ERROR

READY, NOTIFICATION, LOST, GAP = 1, 2, 3, 4
WORDS = {READY: "ready", LOST: "lost", GAP: "gap"}


class Handle(ctypes.Structure):
    _fields_ = [("pool", POINTER), ("id", ctypes.c_uint64)]


class Event(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint32), ("kind", ctypes.c_int32), ("subscription", Handle), ("channel", TEXT),
                ("text", TEXT), ("server_pid", ctypes.c_int32), ("reserved", ctypes.c_int32)]


CALLBACK = ctypes.CFUNCTYPE(None, POINTER, ctypes.POINTER(Event))
library.tide_listen.argtypes = [POINTER, TEXT, CALLBACK, POINTER, ctypes.POINTER(Handle), ERROR]
library.tide_unlisten.argtypes = [Handle, ERROR]


class Ear:
    """A subscription, and what it was told: payloads, and the words ready, lost and gap."""

    def __init__(self, pool, channel, on_event=None):
        self.told, self.reasons, self.pids, self.changed = [], [], set(), threading.Condition()
        self.on_event, self.handle = on_event, Handle()

        def told(_, event):
            found = event.contents
            is_notification = found.kind == NOTIFICATION
            text = found.text.decode()
            if self.on_event is not None:
                self.on_event(self, found)
            with self.changed:
                self.told.append(text if is_notification else WORDS[found.kind])
                if is_notification:
                    self.pids.add(found.server_pid)
                if found.kind == LOST:
                    self.reasons.append(text)
                self.changed.notify_all()

        self.keep = CALLBACK(told)
        name = channel if isinstance(channel, bytes) else channel.encode()
        call(library.tide_listen, pool.handle, name, self.keep, None, ctypes.byref(self.handle))

    def wait(self, condition, what, seconds=10):
        """Until `condition` holds for the list of what was told."""
        limit = time.monotonic() + seconds
        with self.changed:
            while not condition(self.told):
                if not self.changed.wait(limit - time.monotonic()):
                    raise AssertionError(f"not within {seconds} s: {what}; told {self.told[-20:]}")

    def wait_for(self, word, count=1, seconds=10):
        self.wait(lambda told: told.count(word) >= count, f"{word} number {count}", seconds)
        return self

    def end(self):
        call(library.tide_unlisten, self.handle)


def listener_pid(server):
    """The process of the server that serves the connection which listens; None: there is none."""
    found = server.sql("SELECT pid FROM pg_stat_activity WHERE application_name LIKE '%(listen)'")
    return int(found[0][0]) if found else None
