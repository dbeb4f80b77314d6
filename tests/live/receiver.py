"""A receiver of alerts: an HTTP server on 127.0.0.1 that answers as its mood says, and keeps what it was sent."""
import hashlib
import hmac
import json
import socket
import threading
import time


class Delivery:
    def __init__(self, path, headers, body):
        self.path, self.headers, self.body, self.at = path, headers, body, time.time()
        self.json = json.loads(body)

    def is_signed_with(self, secret):
        """As docs/alerts.md describes it."""
        signed = self.headers.get("x-tidepool-timestamp", "").encode() + b"." + self.body
        right = "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        return hmac.compare_digest(right, self.headers.get("x-tidepool-signature", ""))


def status(code, *headers, body=b"ok"):
    """A mood: answers with a status."""
    lines = [f"HTTP/1.1 {code} Said So", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return lambda connection: connection.sendall("\r\n".join(lines).encode() + body)


def hanging(connection):
    connection.recv(1)  # until the client gives up


def closing(_connection):
    pass


def closing_in_the_middle(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nno")


def garbage(connection):
    connection.sendall(b"\x00\xffSSH-2.0-nonsense\r\n\r\n" * 10)


def endless_headers(connection):
    try:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        for _ in range(200_000):
            connection.sendall(b"X-More: " + b"a" * 1000 + b"\r\n")
    except OSError:
        pass


def trickling(connection):
    """A byte now and then: never silent, and never done."""
    try:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            connection.sendall(b"x")
            connection.settimeout(0.05)
            try:
                if not connection.recv(1):
                    break
            except TimeoutError:
                pass
    except OSError:
        pass


def endless_answer(connection):
    """Accepted; what follows is not read to its end. `endless_answer.is_read`: it was."""
    endless_answer.is_read = False
    try:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(10_000):
            connection.sendall(b"x" * 10_000)
        endless_answer.is_read = True
    except OSError:
        pass


class Receiver:
    def __init__(self, mood=None, port=0):
        self.mood = mood or status(200)
        self.deliveries, self.attempts = [], 0
        self.socket = socket.create_server(("127.0.0.1", port))
        self.port = self.socket.getsockname()[1]
        self.is_over = False
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def url(self, path="", user=""):
        return f"http://{user}127.0.0.1:{self.port}{path}"

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            if self.is_over:
                return connection.close()
            threading.Thread(target=self.attend, args=(connection,), daemon=True).start()

    def attend(self, connection):
        with connection:
            connection.settimeout(30)
            try:
                delivery = self.read(connection)
                mood = self.mood
                if mood.__name__ == "<lambda>" or mood is endless_answer:
                    self.deliveries.append(delivery)
                self.attempts += 1
                mood(connection)
            except OSError:
                pass

    @staticmethod
    def read(connection):
        text = b""
        while b"\r\n\r\n" not in text:
            text += connection.recv(65536)
        head, body = text.split(b"\r\n\r\n", 1)
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        while len(body) < int(headers["content-length"]):
            body += connection.recv(65536)
        return Delivery(first.split(" ")[1], headers, body)

    def end(self):
        """Closes the port."""
        self.is_over = True
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(10)
