#!/usr/bin/python3
"""Exports of pools with unusual names, read by programs that are not ours.

usage: test_exports.py sqlite|postgresql [CASE...]
"""
import pathlib
import random
import sqlite3
import sys
import tempfile
import time

import exports
import judges
from client import Refusal, is_, library
from exports import CONNECTION_MAX, FORMATS, LEGACY_NAMES, MASKED, NAMES, export

LABEL = "db_client_connection_pool_name"


def columns():
    """{relation: [(column, type)]} of the relations with rows of pools; pool_history only with a time."""
    db = sqlite3.connect(":memory:")
    db.enable_load_extension(True)
    db.load_extension(exports.client.EXTENSION)
    found = {}
    for relation, column, kind in db.execute("SELECT relation, column_name, type FROM tidepool_help WHERE type IS NOT NULL"):
        found.setdefault(relation, []).append((column, kind))
    db.close()
    # Those about pools; the relation segments is about files.
    return {relation: each for relation, each in found.items() if ("instance_id", "text") in each and relation != "segments"}


def check_all(**more):
    """Every format is accepted by its readers; returns what they read: {format: ...}."""
    read = {"prometheus": judges.prometheus(export("prometheus", **more)),
            "openmetrics": judges.openmetrics_text(export("openmetrics", **more)),
            "csv": judges.csv_rows(export("csv", **more)), "otlp_json": judges.otlp(export("otlp_json", **more))}
    try:
        is_(judges.check_metrics(export("prometheus", **more)), None, "promtool")
    except judges.Missing as missing:
        print(missing)
    all_columns = columns()
    if not more.get("since_ms"):
        del all_columns["pool_history"]
    read["json"] = judges.relations(export("json", **more), all_columns)
    return read


def labels_of(read, sample):
    return [labels for name, labels, _, _ in read[sample.removesuffix("_total")] if name == sample]


def value_of(read, sample, **wanted):
    found = [value for name, labels, value, _ in read[sample.removesuffix("_total").removesuffix("_count")]
             if name == sample and wanted.items() <= labels.items()]
    is_(len(found), 1, f"samples {sample} {wanted}")
    return found[0]


def names_survive(scene):
    """What users wrote is what every reader reads: applications, databases and tags."""
    read = check_all()
    for text in ("prometheus", "openmetrics"):
        sizes = labels_of(read[text], "tidepool_size")
        is_(sorted(labels["service_name"] for labels in sizes), sorted(NAMES[:3]), text)
        is_(sorted({labels[LABEL] for labels in sizes}), [exports.LONGEST, "shop"], text)
        is_({scene.namespace in labels["db_namespace"] for labels in sizes}, {True}, text)
        is_({labels["db_system_name"] for labels in sizes}, {scene.system}, text)
    tags = {exemplar.labels["tag"] for name, _, _, exemplar in read["openmetrics"]["db_client_operation_duration_seconds"]
            if exemplar and "tag" in exemplar.labels}
    is_(bool(tags) and tags <= set(NAMES), True, f"tags {tags}")
    is_({attributes["service.name"] for attributes, _ in read["otlp_json"]}, set(NAMES[:3]), "OTLP")
    is_({row["pool"] for row in read["csv"]}, {exports.LONGEST, "shop"}, "CSV")
    is_({row["tag"] for row in read["json"]["leases"]}, set(NAMES[:3]), "tags of leases")
    is_({row["tag"] for row in read["json"]["slow_queries"]} - set(NAMES), set(), "tags of statements")


def formats_agree(scene):
    """The same number in every format."""
    read = check_all(pool=exports.LONGEST)
    pool = read["json"]["pools"][0]
    stats = read["json"]["pool_stats"][0]
    otlp = {metric["name"]: metric for _, metric in read["otlp_json"]}
    csv = {(row["metric"], row["attribute"]): row["value"] for row in read["csv"]}
    for text in ("prometheus", "openmetrics"):
        is_(value_of(read[text], "tidepool_size"), pool["size"], text)
        is_(value_of(read[text], "tidepool_queries_total"), stats["queries_total"], text)
        is_(value_of(read[text], "tidepool_errors_total", error_type="query"), stats["query_errors_total"], text)
        is_(value_of(read[text], "db_client_operation_duration_seconds_count"), stats["queries_total"], text)
        is_(value_of(read[text], "db_client_connections", db_client_connection_state="used"), 1, text)
    is_(stats["queries_total"], len(NAMES) + 1)
    is_(stats["query_errors_total"], 1)
    is_(otlp["tidepool.queries"]["sum"]["dataPoints"][0]["asInt"], str(stats["queries_total"]))
    is_(otlp["db.client.operation.duration"]["histogram"]["dataPoints"][0]["count"], str(stats["queries_total"]))
    is_(csv["tidepool.queries", ""], str(stats["queries_total"]))
    is_(csv["db.client.connection.count", "db.client.connection.state=used"], "1")


def one_pool_is_chosen(scene):
    ids = {row["instance_id"] for row in judges.csv_rows(export("csv", pool="shop"))}
    is_(len(ids), 2, "instances of one name")
    first = sorted(ids)[0]
    read = judges.prometheus(export("prometheus", pool="shop", instance_id=first))
    is_({labels["service_instance_id"] for labels in labels_of(read, "tidepool_size")}, {first})
    is_(judges.csv_rows(exports.export_simply("csv", exports.LONGEST))[0]["pool"], exports.LONGEST)


def masked_exports_tell_nothing(scene):
    """Neither what users wrote, nor where the pool connects to."""
    for since_ms in (0, -60000):
        for name in FORMATS:
            text = export(name, MASKED, since_ms=since_ms)
            open_text = export(name, since_ms=since_ms)
            for secret in (scene.namespace, NAMES[4], NAMES[7], NAMES[9][3:35]):
                written = secret.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
                is_(any(each in text for each in (secret, written)), False, f"{secret!r} in {name}")
        is_(NAMES[7] in open_text or name != "json", True)
    check = judges.openmetrics_text(export("openmetrics", MASKED))
    is_({"db_namespace", "server_address"} & set().union(*labels_of(check, "tidepool_size")), set())


def history_since(scene):
    def has_seconds():
        text = export("csv", pool=exports.LONGEST, since_ms=-60000)
        return text.count("\r\n") > 2
    is_(exports.client.cluster.wait_until(has_seconds, 20), True, "two seconds of history")
    read = check_all(since_ms=-60000)
    history = read["json"]["pool_history"]
    is_(len(history) > 3, True, f"rows of history: {len(history)}")
    is_(0 < len(read["csv"]) <= len(history), True, "rows of CSV, which was read before")
    points = [metric["sum"]["dataPoints"] for _, metric in read["otlp_json"] if metric["name"] == "tidepool.size"]
    is_(all(len(each) > 1 for each in points), True, "points of tidepool.size")
    for each in points:
        times = [int(point["timeUnixNano"]) for point in each]
        is_(times, sorted(set(times)), "times")
    later = int(time.time() * 1000)
    is_(judges.relations(export("json", since_ms=later), columns())["pool_history"], [])


def bad_input(scene):
    def refused(*parts, status, **more):
        try:
            export(**more)
        except Refusal as refusal:
            is_(refusal.status, status)
            for part in parts:
                is_(part in str(refusal), True, f"{part!r} in {refusal}")
            return
        raise AssertionError(f"accepted: {more}")
    refused('no format "promethius"', "otlp_json", 'Did you mean "prometheus"?', status="bad_argument", format="promethius")
    refused('no pool is called "shoop"', str(scene.segments.folder), "shop", 'Did you mean "shop"?', status="not_found",
            format="csv", pool="shoop")
    refused("no pool is called", "/nonexistent: none", status="not_found", format="json", pool="x", directory="/nonexistent")
    refused("in the future", status="bad_argument", format="csv", since_ms=int(time.time() * 1000) + 3600000)
    refused("flags is 1024", status="bad_argument", format="csv", flags=1024)
    is_(library.tide_export(b"csv", None, 0, None, None, None), 5, "no place for the text")
    is_(library.tide_export(None, None, 0, None, None, None), 5, "no format")


def legacy_names(scene):
    """Under the old names promtool refuses only their style."""
    text = export("prometheus", LEGACY_NAMES | CONNECTION_MAX, pool=exports.LONGEST)
    read = judges.prometheus(text)
    is_(value_of(read, "PoolTotalCount"), value_of(read, "tidepool_size"))
    is_(value_of(read, "database_connections_total"), value_of(read, "tidepool_connects_total"))
    is_(value_of(read, "database_errors_total"), 1)
    is_(value_of(read, "db_client_connection_max"), value_of(read, "db_client_connection_limit"))
    judges.openmetrics_text(export("openmetrics", LEGACY_NAMES | CONNECTION_MAX))
    try:
        objections = (judges.check_metrics(text) or "").strip().splitlines()
    except judges.Missing as missing:
        print(missing)
        return
    is_({line.split()[0] for line in objections} - {"database_response_time_milliseconds", "PoolTotalCount", "PoolIdleCount",
                                                    "PoolWaitingCount", "PoolUtilization"}, set(), "promtool")


def no_pools(scene):
    with tempfile.TemporaryDirectory() as folder:
        for directory in (folder, folder + "/nonexistent"):
            read = check_all(directory=directory)
            is_(read["prometheus"], {})
            is_(read["otlp_json"], [])
            is_({len(rows) for rows in read["json"].values()}, {0})


def dead_and_spoilt_files(scene):
    """Copies of a segment have no owner; their bytes are spoilt one by one, and every reader still accepts the export."""
    source = next(path for path in scene.segments.folder.glob("shop.*.segment"))
    bytes_ = source.read_bytes()
    rng = random.Random(16)
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / source.name
        copy.write_bytes(bytes_)
        read = check_all(directory=folder)
        is_(value_of(read["prometheus"], "tidepool_state", tidepool_state="dead"), 1)
        is_("tidepool_size" in read["prometheus"], False, "a dead pool has no connections")
        is_(value_of(read["prometheus"], "tidepool_queries_total"), len(NAMES) + 1)
        shown = 0
        for _ in range(12):
            spoilt = bytearray(bytes_)
            for _ in range(400):
                at = rng.randrange(4096, len(spoilt) if rng.random() < 0.1 else 200_000)
                spoilt[at:at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", rng.randbytes(4), b'"\n\\\x1b'])
            copy.write_bytes(spoilt)
            shown += len(check_all(directory=folder, since_ms=1)["json"]["pools"])
        is_(shown > 0, True, "spoilt pools are shown")


CASES = [names_survive, formats_agree, one_pool_is_chosen, masked_exports_tell_nothing, history_since, bad_input, legacy_names,
         no_pools, dead_and_spoilt_files]


def hosted(scene):
    """A pool of the worker of a server, under a name of 62 bytes, with a database with quotes."""
    import hosting
    with hosting.Hosting() as bench:
        bench.cluster.sql('CREATE DATABASE "q""u\no te"')
        name = "h" * 62
        bench.serve(name, dbname='q"u\no te')
        bench.cluster.sql(f"SELECT * FROM tidepool.query('{name}', $q$select 'a\n\"b'$q$) AS (x text)")
        read = check_all(directory=bench.segments)
        labels = [each for each in labels_of(read["prometheus"], "tidepool_size") if each[LABEL] == name]
        is_([each["db_namespace"] for each in labels], ['q"u\no te'])
        is_(value_of(read["prometheus"], "tidepool_acquires_total", **{LABEL: name}) > 0, True, "leases")
        is_({row["source"] for row in read["json"]["pools"]}, {"hosted"})


class Scene:
    def __init__(self, database, segments):
        self.segments = segments
        self.system = database
        self.namespace = "漢字" if database == "sqlite" else "größe"


def main():
    database = sys.argv.pop(1)
    with exports.Segments() as segments:
        if database == "sqlite":
            exports.open_sqlite(segments)
            return run(Scene(database, segments), CASES)
        import support
        support.require_server()
        with exports.client.cluster.Cluster() as cluster:
            exports.open_postgresql(segments, cluster)
            failed = run(Scene(database, segments), CASES + [hosted])
            segments.close()  # before the server ends
            return failed


def run(scene, cases):
    def bound(case):
        def played():
            return case(scene)
        played.__name__ = case.__name__
        return played
    return exports.client.run([bound(case) for case in cases])


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
