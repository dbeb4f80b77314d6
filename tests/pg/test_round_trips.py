#!/usr/bin/python3
"""Values of all types are returned correctly by a hosted pool, in any style of the remote session: as the server itself
reads them, as dblink does, or with an error that gives the reason."""
import itertools
import os
import random
import sys
import unittest

import hosting
import support
from cluster import PsqlError

ROUNDS = int(os.environ.get("TIDE_ROUNDS", "5"))  # combinations of styles for which all types are tested
SEED = int(os.environ.get("TIDE_SEED", "1"))

DATES = ("2026-02-03", "0099-12-31", "10000-01-02", "0044-03-15 BC", "infinity", "-infinity")
TIMES = ("2026-02-03 04:05:06.789", "2026-07-08 09:10:11", "1880-01-02 03:04:05", "infinity")
SAMPLES = {
    "bool": ("t", "f"), "bytea": (r"\x00ff5c27", r"\x"), "char": ("x",), "name": ("a \"name\"",),
    "int2": ("-32768",), "int4": ("2147483647",), "int8": ("-9223372036854775808",),
    "float4": ("0.1", "1e-45", "NaN", "-Infinity"), "float8": ("0.1", "1.7976931348623157e308", "3e-324", "NaN"),
    "numeric": ("1.10", "-1e-20", "NaN", "123456789012345678901234567890.5"), "money": ("-$1,234.56",),
    "text": ("", "NULL", "a'b\"c\\d,{}()", "3/2/2026", "{\"a\": 1}"), "varchar": (" x ",), "bpchar": ("y  ",),
    "json": ('{"a": [1, null]}',), "jsonb": ('{"a": [1, null]}', '"2026-02-03"'),
    "jsonpath": ("$.\"a\"[*]",), "xml": ("<a b=\"c\">d</a>",), "uuid": ("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",),
    "date": DATES, "timestamp": TIMES, "timestamptz": tuple(f"{time}+00" if time[0] != "i" else time for time in TIMES),
    "time": ("23:59:59.999999", "24:00:00"), "timetz": ("04:05:06+05:30", "23:59:59-11"),
    "interval": ("-1 days +02:03:04", "1 year 2 mons -3 days", "-1 years -2 mons", "-00:00:00.5", "0",
                 "1 mon -1 days +00:00:01", "-1 days -02:03:04"),
    "bit": ("1",), "varbit": ("10110",), "inet": ("::1/64", "10.0.0.1"), "cidr": ("10.1.0.0/16",),
    "macaddr": ("08:00:2b:01:02:03",), "macaddr8": ("08:00:2b:ff:fe:01:02:03",),
    "point": ("(0.1,-2)",), "line": ("{1,2,3}",), "lseg": ("[(0,0),(1,1)]",), "box": ("(1,1),(0,0)",),
    "path": ("((0,0),(1,1))", "[(0,0),(1,1)]"), "polygon": ("((0,0),(1,1),(2,0))",), "circle": ("<(0,0),1.5>",),
    "tsvector": ("'a':1A 'b c'",), "tsquery": ("'a' & !'b'",), "oid": ("4294967295",), "xid": ("17",), "cid": ("3",),
    "xid8": ("18446744073709551615",), "tid": ("(1,2)",), "pg_lsn": ("16/B374D848",),
    "txid_snapshot": ("10:20:10,14,15",), "pg_snapshot": ("10:20:10,14,15",), "int2vector": ("1 2 3",),
    "oidvector": ("1 2",), "refcursor": ("c",), "regclass": ("pg_class", "\"Odd Name\""), "regtype": ("interval",),
    "regproc": ("now",), "regprocedure": ("abs(integer)",), "regoper": ("||/",), "regoperator": ("+(integer,integer)",),
    "regrole": ("postgres",), "regnamespace": ("pg_catalog",), "regcollation": ("\"C\"",), "regconfig": ("simple",),
    "regdictionary": ("simple",), "gtsvector": (), "aclitem": ("postgres=r/postgres",),
    "int4range": ("[1,3)", "empty"), "int8range": ("(,5)",), "numrange": ("(1.1,2.2]",),
    "daterange": ("[2026-02-03,2026-04-05)", "(,infinity)"), "tsrange": ('["2026-02-03 04:05:06","2026-07-08 00:00:00")',),
    "tstzrange": ('["2026-02-03 04:05:06+00","2026-07-08 00:00:00+00")',),
    "int4multirange": ("{[1,3),[5,7)}",), "int8multirange": ("{}",), "nummultirange": ("{(1.1,2.2]}",),
    "datemultirange": ("{[2026-02-03,2026-04-05)}",),
    "tsmultirange": ('{["2026-02-03 04:05:06","2026-07-08 00:00:00")}',),
    "tstzmultirange": ('{["2026-02-03 04:05:06+00",)}',),
}
# Types without input.
UNTYPED = {"gtsvector", "pg_node_tree", "pg_ndistinct", "pg_dependencies", "pg_mcv_list", "pg_brin_bloom_summary",
           "pg_brin_minmax_multi_summary", "pg_ddl_command"}
OWN = {
    "dated": ("(2026-02-03,\"2026-02-03 04:05:06+00\",\"-1 days +02:03:04\",\"a, b\",0.5)", "(,,,,)"),
    "colour": ("red", "0x3f"), "birthday": ("2026-02-03",),
}
SCHEMA = """
CREATE EXTENSION dblink;
CREATE TABLE "Odd Name" ();
CREATE TYPE dated AS (day date, at timestamptz, span interval, note text, number float8);
CREATE TYPE colour AS ENUM ('red', '0x3f');
CREATE DOMAIN birthday AS date;
CREATE TABLE samples (type text, literal text);
CREATE FUNCTION sink_of(type text) RETURNS text LANGUAGE sql AS $$SELECT 'sink_' || md5(type)$$;
CREATE TABLE odd (styles text, type text, literal text, way text, truth text, got text, other text);
-- The value over there, written here, in this session's own styles; an error is its text.
CREATE FUNCTION answer(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE got text; state text; told text;
BEGIN
  EXECUTE statement INTO STRICT got;
  RETURN got;
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, told = MESSAGE_TEXT;
  RETURN format('error %s: %s', state, told);
END $$;
CREATE FUNCTION try_all(styles text, wanted text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE one samples; literal text; truth text; got text; other text; way text; tried bigint := 0;
BEGIN
  PERFORM dblink_exec('far', styles);
  FOR one IN SELECT * FROM samples WHERE type = wanted OR wanted = '' LOOP
    literal := format('%L::%s', one.literal, one.type);
    truth := answer(format('SELECT (%s)::text', literal));
    other := answer(format('SELECT v::text FROM dblink(''far'', %L) AS (v %s)', 'SELECT ' || literal, one.type));
    FOREACH way IN ARRAY ARRAY['query', 'query_json', 'execute'] LOOP
      -- An error costs the connection, and so the styles.
      IF got IS NULL OR got LIKE 'error%' THEN
        BEGIN PERFORM tidepool.release('loop'); EXCEPTION WHEN OTHERS THEN NULL; END;
        PERFORM tidepool.lease('loop');
        PERFORM tidepool.execute('loop', styles);
      END IF;
      CASE way
        WHEN 'query' THEN
          got := answer(format('SELECT v::text FROM tidepool.query(''loop'', %L) AS (v %s)', 'SELECT ' || literal,
                               one.type));
        WHEN 'query_json' THEN
          got := answer(format('SELECT (nullif(o %s ''v'', ''null'')::%s)::text FROM tidepool.query_json(''loop'', %L) AS o',
                               CASE WHEN one.type IN ('"json"', '"jsonb"') THEN '->' ELSE '->>' END, one.type,
                               'SELECT ' || literal || ' AS v'));
        ELSE
          got := answer(format('SELECT tidepool.execute(''loop'', %L, %s::text)',
                               format('INSERT INTO %s VALUES ($1)', sink_of(one.type)), literal));
          IF got = '1' THEN
            got := answer(format('SELECT v::text FROM dblink(''plain'', %L) AS (v %s)',
                                 format('WITH gone AS (DELETE FROM %s RETURNING v) SELECT v FROM gone', sink_of(one.type)),
                                 one.type));
          END IF;
      END CASE;
      tried := tried + 1;
      IF got IS DISTINCT FROM truth THEN
        INSERT INTO odd VALUES (styles, one.type, one.literal, way, truth, got, other);
      END IF;
      got := coalesce(got, '');
    END LOOP;
  END LOOP;
  RETURN tried;
END $$;
"""


def styles_of(dates, order, intervals, zone, digits, bytea, encoding):
    return (f"SET datestyle = '{dates}, {order}'; SET intervalstyle = {intervals}; SET timezone = '{zone}'; "
            f"SET extra_float_digits = {digits}; SET bytea_output = {bytea}; SET client_encoding = '{encoding}'")


ALL_STYLES = [styles_of(*style) for style in itertools.product(
    ("ISO", "SQL", "German", "Postgres"), ("DMY", "MDY", "YMD"),
    ("postgres", "postgres_verbose", "sql_standard", "iso_8601"),
    ("UTC", "Asia/Kolkata", "America/New_York", "Europe/London", "Asia/Kathmandu"), ("-15", "0", "3"), ("hex", "escape"),
    ("UTF8", "LATIN1", "WIN1252"))]


class RoundTrips(hosting.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ask = cls.bench.ask
        cls.sql(SCHEMA)
        rows = cls.sql("SELECT t.typname, a.typname IS NOT NULL FROM pg_type t LEFT JOIN pg_type a ON a.oid = t.typarray "
                       "WHERE t.typnamespace = 'pg_catalog'::regnamespace AND t.typtype IN ('b', 'r', 'm') "
                       "AND t.typcategory <> 'A' ORDER BY 1")
        cls.unknown = [name for name, _ in rows if name not in SAMPLES and name not in UNTYPED]
        for name, has_array in rows:
            if name not in UNTYPED and name in SAMPLES:
                cls.add(f'"{name}"', SAMPLES[name], has_array == "t")
        for name, values in OWN.items():
            cls.add(name, values, True)
        cls.sql("SELECT DISTINCT format('CREATE TABLE %s (v %s)', sink_of(type), type) FROM samples \\gexec")
        cls.add('"text"', ("caf\u00e9", "\u20ac 1"), True)

    @classmethod
    def add(cls, name, values, has_array):
        listed = ", ".join(f"($q${name}$q$, $q${value}$q$)" for value in values)
        cls.sql(f"INSERT INTO samples VALUES {listed}, ($q${name}$q$, NULL)")
        if has_array and values:
            array = ", ".join(f"$q${value}$q$::{name}" for value in values)
            cls.sql(f"INSERT INTO samples SELECT $q${name}[]$q$, (ARRAY[NULL, {array}])::text")

    def tearDown(self):
        self.sql("TRUNCATE odd")

    def run_styles(self, styles, wanted=""):
        """Returns the number of tests; `odd` contains those with a wrong result."""
        where = f"host={self.bench.cluster.host} port={self.bench.cluster.port} dbname=postgres user=postgres"
        told = self.sql(f"""BEGIN; SELECT dblink_connect('far', '{where}'), dblink_connect('plain', '{where}'),
          try_all($q${styles}$q$, '{wanted}'); COMMIT""", timeout=120)
        return int(told[-1][-1])

    def assert_odd_ones_are_explained(self):
        told = [f"{way} of {literal}::{kind} under {styles}: {got!r}, not {truth!r} (dblink {other!r})"
                for styles, kind, literal, way, truth, got, other in self.sql("SELECT * FROM odd")
                if not self.is_explained(styles, kind, got or "", other)]
        if told:
            self.fail("\n".join([f"{len(told)} wrong:", *told[:20]]))

    @staticmethod
    def is_explained(styles, kind, got, other):
        if got.startswith("error 42804") and "is ambiguous" in got:
            return not ("'ISO, " in styles and " postgres;" in styles)
        if got.startswith("error 22P05"):  # the remote encoding lacks the character
            return "'UTF8'" not in styles
        # Fewer digits were requested, which rounds the value out of range.
        return "= 3;" not in styles and (got == other or got.startswith("error 22003"))

    def test_every_type_has_a_sample(self):
        self.assertEqual(self.unknown, [])

    def test_all_types_under_styles(self):
        styles = random.Random(SEED).sample(ALL_STYLES, ROUNDS)
        styles.append(styles_of("SQL", "DMY", "sql_standard", "UTC", 3, "hex", "UTF8"))
        tried = sum(self.run_styles(style) for style in styles)
        self.assertGreater(tried, 500 * ROUNDS)
        self.assert_odd_ones_are_explained()


    def test_styles_of_servers_and_roles(self):
        self.sql("CREATE ROLE dmy LOGIN SUPERUSER; ALTER ROLE dmy SET datestyle = 'SQL, DMY'; "
                 "ALTER ROLE dmy SET intervalstyle = sql_standard")
        self.bench.serve("by_option", options="-c datestyle=SQL,DMY -c intervalstyle=sql_standard")
        self.bench.serve("by_role", mapping="user 'dmy'")
        values = "SELECT date '2026-02-03' AS day, interval '-1 days +02:03:04' AS span"
        right = ["2026-02-03", "-1 days +02:03:04"]
        for server in ("by_option", "by_role"):
            self.assertEqual(self.sql(f"SELECT * FROM tidepool.query('{server}', $q${values}$q$) AS (day date, span interval)"),
                             [right])
            self.assertEqual(self.sql(f"SELECT o ->> 'day', o ->> 'span' FROM tidepool.query_json('{server}', "
                                      f"$q${values}$q$) AS o"), [right])

    def test_styles_set_by_the_statement_are_refused(self):
        """The server reports such a setting after the rows, or never."""
        calls = []
        for kind, value in (("date", "date '2026-02-03'"), ("date[]", "ARRAY[date '2026-02-03', 'infinity']"),
                            ("tstzrange", "tstzrange('2026-02-03', NULL)"), ("timestamptz", "timestamptz '2026-02-03 01:02'"),
                            ("interval", "interval '-1 days -02:03:04'"), ("interval", "interval '1 year 2 mons'"),
                            ("dated", "'(2026-02-03,,\"-1 days -02:03:04\",,)'::dated")):
            for style in ("SQL, DMY", "German"):
                for statement in (f"SET datestyle = '{style}'; SET intervalstyle = sql_standard; SELECT {value} AS v",
                                  f"BEGIN; SET LOCAL datestyle = '{style}'; SET LOCAL intervalstyle = sql_standard; "
                                  f"SELECT {value} AS v; COMMIT"):
                    asked = f"tidepool.query('loop', $q${statement}$q$) AS (v {kind})"
                    calls.append((f"SELECT v::text FROM {asked}", value))
                    asked = f"tidepool.query_json('loop', $q${statement}$q$) AS o"
                    calls.append((f"SELECT (o ->> 'v')::{kind}::text FROM {asked}", value))
        told = self.sql(";".join(f"SELECT answer($call${call}$call$), ({value})::text" for call, value in calls))
        told = [line.split("\x1f") for row in told for line in "\x1f".join(row).split("\n")]
        self.assertEqual(len(told), len(calls))
        for (call, _), (got, right) in zip(calls, told):
            self.assertTrue(got == right or got.startswith("error 42804"), f"{call}: {got}")

    def test_rows_in_json_are_refused_where_their_dates_are_ambiguous(self):
        row = "SELECT row(date '2026-02-03', 'x') AS v"
        self.assertEqual(self.sql(f"SELECT o ->> 'v' FROM tidepool.query_json('loop', $q${row}$q$) AS o"),
                         [["(2026-02-03,x)"]])
        with self.assertRaisesRegex(PsqlError, r'(?s)42804.*"\(03/02/2026,x\)" is ambiguous.*SQL, DMY.*'
                                               'HINT:  SET datestyle = ISO'):
            self.sql(f"BEGIN; SELECT tidepool.lease('loop'), tidepool.execute('loop', $q$SET datestyle = 'SQL, DMY'$q$);"
                     f"SELECT tidepool.query_json('loop', $q${row}$q$)")

    def test_a_statement_is_sent_in_the_encoding_it_set(self):
        told = self.sql("""BEGIN; SELECT tidepool.lease('loop') > 0; SELECT tidepool.execute('loop',
          $q$SET client_encoding = 'LATIN1'$q$); SELECT v FROM tidepool.query('loop',
          $q$SELECT length('é') || $1 || 'café'$q$, 'ü') AS (v text); COMMIT""")
        self.assertIn("1ücafé", told[-1][-1])
        with self.assertRaisesRegex(PsqlError, "22P05"):
            self.ask("SET client_encoding = 'LATIN1'; SELECT '€'")

    def test_warnings_keep_their_fields(self):
        raised = """DO $d$ BEGIN RAISE WARNING 'disk nearly full' USING ERRCODE = '53100', HINT = 'look'; END $d$"""
        told = self.sql(f"""SET client_min_messages = warning;
          SELECT tidepool.execute('loop', $q${raised}$q$)""", stderr=True)
        self.assertRegex(told, "WARNING:  53100: disk nearly full")
        raised = raised.replace("WARNING", "NOTICE")
        self.assertNotIn("disk", self.sql(f"""SET client_min_messages = warning;
          SELECT tidepool.execute('loop', $q${raised}$q$)""", stderr=True))


if __name__ == "__main__":
    support.require_server()
    sys.exit(unittest.main(verbosity=1))
