"""Segments with alerts, rules, health and forecasts that a real pool would not produce on demand.

The bytes are those of core/segment/README.md, written by hand: tests of readers should not share a writer's
mistakes.
"""
import pathlib
import struct
import time

HEADER_POOL, HEADER_INSTANCE = 64, 24
ALERTS, ALERT_RULES, HEALTH, FORECASTS = 1120, 1136, 1152, 1168  # regions, in the header
SECOND = 1_000_000_000
NAN = float("nan")
OLD_INSTANCE = bytes([0x7E] + [0xAB] * 15)


def text(value, room):
    data = value.encode()
    return struct.pack("<H", len(data)) + data.ljust(room - 2, b"\0")


def region(image, at):
    """(offset, count, stride)"""
    return struct.unpack_from("<QII", image, at)


def bits_of(instance):
    """The upper half of the ids that this instance issues; 16 bytes, or 32 hex digits."""
    data = bytes.fromhex(instance) if isinstance(instance, str) else instance
    return int.from_bytes(data[:3], "big") >> 3 << 32


def alert(alert_id, rule="long_queue", severity=1, state=1, acked_by="", value=7.0, resolved=False, now=None):
    now = now or int(time.time()) * SECOND
    return struct.pack("<QQqqqqQddII", 2, alert_id, now - 60 * SECOND, now - SECOND, now if resolved else 0,
                       now - SECOND if acked_by else 0, 3, value, 5.0, severity, state) + \
        text(rule, 48) + text("waiting", 48) + text(acked_by, 64) + text("7 callers wait", 192) + \
        text("raise max_size", 192) + bytes(16)


def rule(name, threshold=5.0, clear_at=NAN, hold_ms=0, comparison=0, severity=1, is_enabled=1, is_built_in=1, message=""):
    return text(name, 48) + text("waiting", 48) + \
        struct.pack("<ddqIIII", threshold, clear_at, hold_ms * 1_000_000, comparison, severity, is_enabled, is_built_in) + \
        text(message, 192) + text("", 192) + bytes(8)


def check(status=0, score=100.0, value=NAN, threshold=NAN, message="", checked=None):
    checked = int(time.time()) * SECOND if checked is None else checked
    return struct.pack("<IIdddq", status, 0, score, value, threshold, checked) + text(message, 152)


def forecast(horizon_s, model, predicted=4.5, mape=NAN, wape=NAN, is_selected=0):
    return struct.pack("<qqdddddII", int(time.time()) * SECOND, horizon_s * SECOND, predicted, 3.0, 7.0, mape, wape,
                       is_selected, 0) + text(model, 24) + bytes(40)


class Image:
    """The bytes of a segment, which tests can change."""

    def __init__(self, path):
        self.bytes = bytearray(pathlib.Path(path).read_bytes())

    def put(self, at, data):
        self.bytes[at:at + len(data)] = data

    def become(self, pool, instance=OLD_INSTANCE):
        self.put(HEADER_POOL, text(pool, 64))
        self.put(HEADER_INSTANCE, instance)
        self.name = f"{pool}.{instance.hex()}.segment"

    def put_alerts(self, *alerts):
        offset, count, stride = region(self.bytes, ALERTS)
        self.put(offset, b"".join(alerts).ljust(count * stride, b"\0"))

    def put_rules(self, *rules):
        offset, _, _ = region(self.bytes, ALERT_RULES)
        self.put(offset, struct.pack("<QQ", 2, len(rules)) + bytes(48) + b"".join(rules))

    def put_health(self, *checks):
        offset, _, stride = region(self.bytes, HEALTH)
        self.put(offset, (struct.pack("<Q", 2) + bytes(56) + b"".join(checks)).ljust(stride, b"\0"))

    def put_forecasts(self, *forecasts, efficiency=NAN, slow_share=NAN, accuracy=NAN):
        offset, _, _ = region(self.bytes, FORECASTS)
        self.put(offset, struct.pack("<QQddddQQ", 2, len(forecasts), efficiency, slow_share, accuracy, NAN, 0, 0) +
                 b"".join(forecasts))

    def write_to(self, segments):
        path = pathlib.Path(segments) / self.name
        path.write_bytes(self.bytes)
        return path


def plant_alert(path, record):
    """An alert in the last place of a live pool's table, where its owner writes last."""
    with open(path, "r+b") as file:
        offset, count, stride = region(file.read(4096), ALERTS)
        file.seek(offset + (count - 1) * stride)
        file.write(record)
