"""Readers of the formats that are not ours. Each raises an exception, or returns what it read."""
import csv
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys

try:
    import jsonschema
    from prometheus_client import parser
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
except ImportError as missing:
    print(f"skipped: {missing} (packages python3-jsonschema, python3-prometheus-client)")
    sys.exit(77)
try:  # the published messages, where somebody has installed them; Debian has no package of them
    from google.protobuf import json_format
    from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
except ImportError:
    metrics_service_pb2 = None

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = pathlib.Path(os.environ.get("TIDE_SOURCE", HERE.parents[1]))
BUILD = pathlib.Path(os.environ.get("TIDE_BUILD", SOURCE / "build"))


class Missing(Exception):
    """A judge that is not there; the text says why."""


def promtool():
    """The path of promtool: fetched before, installed, or fetched now."""
    fetched = BUILD / "tools" / "promtool"
    if fetched.exists():
        return str(fetched)
    if shutil.which("promtool"):
        return shutil.which("promtool")
    done = subprocess.run(["bash", "-c", '. scripts/lib.sh; fetch_promtool "$1"', "bash", fetched.parent], cwd=SOURCE,
                          capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise Missing("promtool: " + (done.stderr.strip().splitlines() or ["not found"])[-1])
    return str(fetched)


def check_metrics(text):
    """What promtool says of the text; None if it has no objection."""
    done = subprocess.run([promtool(), "check", "metrics"], input=text, capture_output=True, text=True)
    return None if done.returncode == 0 else done.stdout + done.stderr


def families(text, read):
    """{family: [(sample name, labels, value, exemplar)]}; no series may come twice."""
    found, seen = {}, set()
    for family in read(text):
        for sample in family.samples:
            series = (sample.name, *sorted(sample.labels.items()))
            if series in seen:
                raise AssertionError(f"twice: {series}")
            seen.add(series)
            found.setdefault(family.name, []).append((sample.name, sample.labels, sample.value, sample.exemplar))
    return found


def prometheus(text):
    return families(text, parser.text_string_to_metric_families)


def openmetrics_text(text):
    return families(text, openmetrics_families)


def csv_rows(text):
    """Rows as dictionaries; all have the columns of the header."""
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    wrong = [row for row in rows if len(row) != len(rows[0])]
    if wrong or not text.endswith("\r\n"):
        raise AssertionError(f"not the columns of the header: {wrong[:1]}")
    return [dict(zip(rows[0], row)) for row in rows[1:]]


def refuse_constant(name):
    raise AssertionError(f"{name} is no JSON")


def parsed(text):
    def pairs(members):
        if len({name for name, _ in members}) != len(members):
            raise AssertionError("a member comes twice")
        return dict(members)
    return json.loads(text, parse_constant=refuse_constant, object_pairs_hook=pairs)


def otlp(text):
    """The metrics: [(resource attributes, metric)]"""
    found = parsed(text)
    schema = json.loads((HERE / "otlp_metrics.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.Draft7Validator(schema).validate(found)
    if metrics_service_pb2 is not None:
        json_format.Parse(text, metrics_service_pb2.ExportMetricsServiceRequest())
    metrics = []
    for resource in found["resourceMetrics"]:
        attributes = {each["key"]: next(iter(each["value"].values())) for each in resource["resource"]["attributes"]}
        for scope in resource["scopeMetrics"]:
            metrics += [(attributes, metric) for metric in scope["metrics"]]
    for _, metric in metrics:
        for point in metric.get("histogram", {}).get("dataPoints", ()):
            if len(point["bucketCounts"]) != len(point["explicitBounds"]) + 1:
                raise AssertionError("a bound too few or too many")
            if sum(map(int, point["bucketCounts"])) != int(point["count"]):
                raise AssertionError("the buckets do not sum to the count")
            if point["explicitBounds"] != sorted(set(point["explicitBounds"])):
                raise AssertionError("bounds are not in order")
    return metrics


TYPES = {"bigint": {"type": "integer"}, "integer": {"type": "integer"}, "double precision": {"type": "number"},
         "text": {"type": "string"}, "boolean": {"type": "boolean"}, "jsonb": {},
         "timestamptz": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"}}


def relations(text, columns):
    """{relation: rows}; `columns` is {relation: [(column, type in PostgreSQL)]}: all of these, and no others."""
    def table(described):
        members = {name: {"anyOf": [TYPES[kind], {"type": "null"}]} for name, kind in described}
        return {"type": "array", "items": {"type": "object", "properties": members, "required": list(members),
                                           "additionalProperties": False}}
    schema = {"type": "object", "required": ["at", "relations"], "additionalProperties": False, "properties": {
        "at": TYPES["timestamptz"],
        "relations": {"type": "object", "properties": {name: table(each) for name, each in columns.items()},
                      "required": list(columns), "additionalProperties": False}}}
    found = parsed(text)
    jsonschema.Draft7Validator(schema).validate(found)
    return found["relations"]
