"""A faulty network: a TCP proxy in front of a server's Unix socket that disturbs connections on request.

    with Proxy(cluster) as proxy:
        proxy.cut()                 every connection is reset
        proxy.mode = "half_open"    nothing is forwarded, connections stay open (new ones too)
        proxy.lose()                packets no longer arrive and are not acknowledged; new connects get no answer
        proxy.mode = "silent"       new connections are accepted and get no answer
        proxy.mode = "refuse"       new connections are closed immediately
        proxy.mode = "pass"
        proxy.delay_s = 0.05        each chunk of an answer is delayed
        proxy.bytes_max = 300       a connection is closed after this many bytes of answers; None: never
"""
import ctypes
import heapq
import selectors
import socket
import struct
import threading
import time

CHUNK = 65536
SO_ATTACH_FILTER = 26


class Link:
    """One connection and its other half."""

    def __init__(self, client, server):
        self.client, self.server = client, server
        self.answered = 0

    def close(self, is_reset):
        for end in (self.client, self.server):
            if end is None:
                continue
            if is_reset:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()


class Proxy:
    def __init__(self, cluster):
        self.lead_to(cluster)
        self.mode, self.delay_s, self.bytes_max = "pass", 0.0, None
        self.accepted = 0
        self.links, self.late, self.orders, self.is_over = {}, [], [], False
        self.selector = selectors.DefaultSelector()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.thread = threading.Thread(target=self.run, daemon=True)

    def conninfo(self, **words):
        given = dict(host="127.0.0.1", port=self.port, dbname="postgres", user="postgres", **words)
        return " ".join(f"{key}={value}" for key, value in given.items())

    def lead_to(self, cluster):
        """Changes the target of new connections, as an address that moves."""
        self.target = f"{cluster.host}/.s.PGSQL.{cluster.port}"

    def cut(self):
        """Resets all connections; returns when that is done."""
        done = threading.Event()
        self.orders.append(done)
        done.wait(5)

    def lose(self):
        """Loses all packets. A socket filter drops them before TCP processes them, and needs no privilege."""
        self.mode = "half_open"
        nothing = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # BPF: ret 0
        program = struct.pack("HL", 1, ctypes.addressof(nothing))
        for end in [self.listener] + [link.client for link in set(self.links.values())]:
            end.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)

    def run(self):
        while not self.is_over:
            for key, _ in self.selector.select(0.01):
                if key.fileobj is self.listener:
                    self.accept()
                elif key.fileobj in self.links:
                    self.forward(key.fileobj)
            while self.late and self.late[0][0] <= time.monotonic():
                _, _, end, data = heapq.heappop(self.late)
                if end in self.links:
                    self.send(end, data)
            while self.orders:
                for link in set(self.links.values()):
                    self.drop(link, True)
                self.orders.pop().set()

    def accept(self):
        try:
            client, _ = self.listener.accept()
        except BlockingIOError:
            return
        self.accepted += 1
        if self.mode == "refuse":
            client.close()
            return
        server = None
        if self.mode == "pass":
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self.target)
            except OSError:
                server.close()
                client.close()
                return
        link = Link(client, server)
        for end in (client, server):
            if end is not None:
                self.links[end] = link
                self.selector.register(end, selectors.EVENT_READ)

    def forward(self, end):
        link = self.links[end]
        if self.mode == "half_open" or link.server is None:
            self.selector.unregister(end)  # unread, as by a machine that has failed
            return
        try:
            data = end.recv(CHUNK)
        except OSError:
            data = b""
        if not data:
            self.drop(link, False)
        elif end is link.server:
            self.answer(link, data)
        else:
            self.send(link.server, data)

    def answer(self, link, data):
        link.answered += len(data)
        if self.bytes_max is not None and link.answered > self.bytes_max:
            self.drop(link, False)
        elif self.delay_s > 0:
            heapq.heappush(self.late, (time.monotonic() + self.delay_s, id(data), link.client, data))
        else:
            self.send(link.client, data)

    def send(self, end, data):
        link = self.links[end]
        try:
            end.sendall(data)
        except OSError:
            self.drop(link, False)

    def drop(self, link, is_reset):
        for end in (link.client, link.server):
            if end is None:
                continue
            self.links.pop(end, None)
            if end in self.selector.get_map():
                self.selector.unregister(end)
        link.close(is_reset)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        self.thread.join()
        for link in set(self.links.values()):
            self.drop(link, True)
        self.selector.close()
        self.listener.close()
