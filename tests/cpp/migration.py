#!/usr/bin/python3
"""docs/migration.md names only what exists: options with their values and defaults, functions, relations, columns, commands.

migration.py libtidepool.so
"""
import ctypes
import os
import pathlib
import re
import sys

SOURCE = pathlib.Path(os.environ.get("TIDE_SOURCE") or pathlib.Path(__file__).parents[2])
DOCUMENT = SOURCE / "docs" / "migration.md"
# Where everything is defined: the headers, the catalogues, and the columns of the relations.
DEFINITIONS = ("c_api/include/tidepool/*", "core/model/*.hpp", "core/policy/*.cpp", "core/reading/*.cpp")


def tables(text):
    """(number of the line, {title: cell}) of each row."""
    titles = None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("|"):
            titles = None
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if titles is None:
            titles = cells
            titles = [title + "'" if title in titles[:at] else title for at, title in enumerate(titles)]
        elif not set(line) <= set("|- "):
            yield number, dict(zip(titles, cells))


def main(library):
    tide = ctypes.CDLL(library)
    text = DOCUMENT.read_text(encoding="utf-8")
    known = "\n".join(path.read_text(encoding="utf-8") for pattern in DEFINITIONS for path in SOURCE.glob(pattern))
    known_words = set(re.findall(r"\w+", known))
    reference = (SOURCE / "docs" / "reference" / "options.md").read_text(encoding="utf-8")
    wrong = []
    rows = 0
    for number, row in tables(text):
        rows += 1
        for span in re.findall(r"`([^`]+)`", row["here"]):
            option, equals, value = span.partition("=")
            if equals and tide.tide_option_check(option.encode(), value.encode(), None, None) != 0:
                wrong.append(f"line {number}: {span} is not accepted")
            wrong += [f"line {number}: {word} does not exist" for word in re.findall(r"[A-Za-z_]\w+", option)
                      if word not in known_words]
        wrong += defaults_that_differ(number, row, reference)
    for word in set(re.findall(r"`(tide\w+)", text)):
        if word not in known_words and word != "tidepool_check_options":
            wrong.append(f"{word} does not exist")
    if rows < 100:
        wrong.append(f"only {rows} rows were found")
    print("\n".join(wrong) or "ok")
    return 1 if wrong else 0


def defaults_that_differ(number, row, reference):
    """The second column "default" is that of the options, in the same order."""
    default = row.get("default'", "")
    options = re.findall(r"`(\w+)`", row["here"])
    if not default or default == "always" or len(default.split(", ")) != len(options):
        return []
    wrong = []
    for option, said in zip(options, default.split(", ")):
        found = re.search(rf"^\| `{option}` \| `([^`]*)`", reference, re.M)
        if not found:
            continue
        accepted = ("none", "0: no limit") if found.group(1) in ("0", "''") else ()
        if said not in (found.group(1), *accepted):
            wrong.append(f"line {number}: the default of {option} is {found.group(1)}, not {said}")
    return wrong


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1])))
