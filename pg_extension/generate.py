#!/usr/bin/python3
"""Writes the relations and the verbs of the library's catalogue to the script of the version under development.

    generate.py build/c_api/libtidepool.so            rewrite the parts between the script's begin and end marks
    generate.py --check build/c_api/libtidepool.so    only check whether it is current; exit 1 if not (used by a test)

A released script is never changed: a new version gets a new script and one for the update.
"""
import ctypes
import pathlib
import re
import sys

SCRIPT = pathlib.Path(__file__).with_name("tidepool--0.1.sql")
TO_EVERY_POOL = 1  # tide_verb.sent_to
# functions for readers
REPORTS = ("health(text)", "check_options(text)", "archive(interval, text)", "export(text, text, interval, boolean)",
           "health_report(text, text)", "dashboard(text, interval)")
MASKED = " Masked without pg_read_all_stats."
RESERVED = ("at", "count", "min", "max", "value", "name")


class Column(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("type", ctypes.c_int32), ("is_writable", ctypes.c_int32),
                ("unit", ctypes.c_char_p), ("meaning", ctypes.c_char_p), ("sql_type", ctypes.c_char_p),
                ("key", ctypes.c_char_p), ("is_masked", ctypes.c_int32), ("reserved", ctypes.c_int32)]


class Relation(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("meaning", ctypes.c_char_p), ("ncolumns", ctypes.c_int32),
                ("reserved", ctypes.c_int32), ("columns", ctypes.POINTER(Column))]


class Argument(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("type", ctypes.c_int32), ("is_required", ctypes.c_int32),
                ("is_nullable", ctypes.c_int32), ("reserved", ctypes.c_int32), ("meaning", ctypes.c_char_p),
                ("sql_type", ctypes.c_char_p)]


class Verb(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("sent_to", ctypes.c_int32), ("wait_ms", ctypes.c_int32),
                ("meaning", ctypes.c_char_p), ("narguments", ctypes.c_int32), ("pool_place", ctypes.c_int32),
                ("arguments", ctypes.POINTER(Argument))]


def verbs(library):
    """[(name, meaning, [(parameter, SQL type, is it required?)])]"""
    at = ctypes.CDLL(str(library)).tide_verb_at
    at.restype = ctypes.POINTER(Verb)
    found = []
    while True:
        row = at(len(found))
        if not row:
            return found
        verb = row.contents
        meaning = verb.meaning.decode()
        takes = []
        for argument in verb.arguments[:verb.narguments]:
            name = argument.name.decode()
            takes.append((name, argument.sql_type.decode(), argument.is_required))
            meaning += f" {name}: {argument.meaning.decode()}"
        if verb.pool_place >= 0:
            takes.insert(verb.pool_place, ("pool", "text", verb.pool_place == 0))
        if verb.sent_to == TO_EVERY_POOL:
            meaning += " pool: NULL is every live pool that this user may control."
        elif verb.pool_place > 0:
            meaning += " pool: needed only where several use the number."
        found.append((verb.name.decode(), meaning, takes))


def catalogue(library):
    """[(name, meaning, [(column, SQL type, comment)])]"""
    at = ctypes.CDLL(str(library)).tide_relation_at
    at.restype = ctypes.POINTER(Relation)
    relations = []
    while True:
        found = at(len(relations))
        if not found:
            return relations
        relation = found.contents
        columns = []
        for column in relation.columns[:relation.ncolumns]:
            unit = column.unit.decode()
            columns.append((column.name.decode(), column.sql_type.decode(),
                            column.meaning.decode() + (f" [{unit}]" if unit else "")
                            + (MASKED if column.is_masked else "")))
        relations.append((relation.name.decode(), relation.meaning.decode(), columns))


def literal(text):
    return "'" + text.replace("'", "''") + "'"


def quoted(name):
    return f'"{name}"' if name in RESERVED else name


def wrapped(words, indent):
    lines, line = [], indent
    for word in words:
        if len(line) + len(word) + 1 > 118:
            lines.append(line.rstrip())
            line = indent
        line += word + " "
    return "\n".join([*lines, line.rstrip()])


def relation_sql(name, meaning, columns):
    row = [f"{quoted(column)} {kind}," for column, kind, _ in columns]
    row[-1] = row[-1][:-1]
    yield (f"CREATE FUNCTION tidepool.read_{name}(only_pool text DEFAULT NULL, only_instance text DEFAULT NULL)\n"
           f"  RETURNS TABLE (\n{wrapped(row, '    ')})\n"
           f"  AS 'MODULE_PATHNAME', 'tidepool_read' LANGUAGE C VOLATILE PARALLEL RESTRICTED;")
    yield (f"COMMENT ON FUNCTION tidepool.read_{name}(text, text) IS\n"
           f"  {literal('The rows of the view ' + name + '; arguments narrow them to one pool or instance.')};")
    yield f"CREATE VIEW tidepool.{name} AS SELECT * FROM tidepool.read_{name}();"
    yield f"COMMENT ON VIEW tidepool.{name} IS {literal(meaning)};"
    for column, _, comment in columns:
        yield f"COMMENT ON COLUMN tidepool.{name}.{quoted(column)} IS {literal(comment)};"


def verb_sql(name, meaning, takes):
    row = [f"{parameter} {kind}{'' if is_required else ' DEFAULT NULL'}," for parameter, kind, is_required in takes]
    row[-1] = row[-1][:-1]
    kinds = ", ".join(kind for _, kind, _ in takes)
    head = f"CREATE FUNCTION tidepool.{name}({' '.join(row)}) RETURNS bigint"
    if len(head) > 118:
        head = f"CREATE FUNCTION tidepool.{name}(\n{wrapped(row, '    ')}) RETURNS bigint"
    yield (f"{head}\n"
           "  AS 'MODULE_PATHNAME', 'tidepool_command' LANGUAGE C VOLATILE PARALLEL UNSAFE;")
    yield f"COMMENT ON FUNCTION tidepool.{name}({kinds}) IS\n  {literal(meaning)};"


def rights_sql(relations):
    for name, _, _ in relations:
        yield f"GRANT EXECUTE ON FUNCTION tidepool.read_{name}(text, text) TO pg_monitor;"
    for report in REPORTS:
        yield f"GRANT EXECUTE ON FUNCTION tidepool.{report} TO pg_monitor;"
    for name in [*(name for name, _, _ in relations), "backends"]:
        yield f"GRANT SELECT ON tidepool.{name} TO pg_monitor;"


def between(text, subject, lines):
    marks = re.compile(rf"(-- begin of the {subject}[^\n]*\n).*?(-- end of the {subject}\n)", re.S)
    return marks.sub(lambda found: found[1] + "\n".join(lines) + "\n" + found[2], text)


def rewritten(library):
    """(the current script, the generated script)"""
    relations = catalogue(library)
    old = SCRIPT.read_text(encoding="utf-8")
    text = between(old, "relations", [line for relation in relations for line in (*relation_sql(*relation), "")])
    text = between(text, "commands", [line for verb in verbs(library) for line in (*verb_sql(*verb), "")])
    return old, between(text, "readers' rights", rights_sql(relations))


def asked_for(usage):
    """The arguments [--check] LIBRARY: whether to check only, and the library."""
    arguments = sys.argv[1:]
    libraries = [argument for argument in arguments if argument != "--check"]
    if len(libraries) != 1:
        sys.exit(usage)
    return "--check" in arguments, pathlib.Path(libraries[0]).resolve()


def main():
    is_check, library = asked_for(__doc__)
    old, new = rewritten(library)
    if old != new and is_check:
        sys.exit(f"{SCRIPT.name} does not match the catalogue; run pg_extension/generate.py")
    if old != new:
        SCRIPT.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
