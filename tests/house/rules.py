"""The rules for the source code. Each yields one line per violation: "path:line: what is wrong"."""
import ast
import json
import pathlib
import re
import subprocess
import sys

import tables
import tree

sys.path.insert(0, str(tree.ROOT / "scripts"))
import sources  # noqa: E402  (the script that updates the lists in the meson.build files)


def lines_are_clean():
    for path, text in tree.files().items():
        if text and not text.endswith("\n"):
            yield f"{path}: no line break at the end"
        for number, line in enumerate(text.splitlines(), 1):
            if path.endswith(tables.CODE):
                continue  # checked by clang-format
            if "\t" in line or "\r" in line:
                yield f"{path}:{number}: a tab or carriage return"
            if line != line.rstrip():
                yield f"{path}:{number}: trailing blanks"
            if path.endswith(tables.SCRIPTS) and len(line) > tables.COLUMNS_MAX:
                yield f"{path}:{number}: {len(line)} columns; at most {tables.COLUMNS_MAX}"


def room_of(path):
    """("core", "pool"), ("outside", "c_api/src"), or None if includes are unrestricted."""
    parts = path.split("/")
    if parts[0] == "core" and len(parts) > 2:
        return "core", parts[1]
    for folder in tables.OUTSIDE:
        if path.startswith(folder + "/"):
            return "outside", folder
    return None


def includes_follow_the_dependencies():
    for path in tree.sources():
        place = room_of(path)
        if place is None:
            continue
        kind, room = place
        if kind == "core" and room not in tables.ROOMS:
            yield f"{path}: core/{room} is not in the table of rooms"
            continue
        allowed = (room, *tables.ROOMS[room]) if kind == "core" else tables.OUTSIDE[room]
        for number, header, is_system in tree.includes(path):
            target = header.split("/")[0]
            if is_system or "/" not in header or (room, header) in tables.ROOM_EXCEPTIONS:
                continue
            if target not in allowed:
                yield f"{path}:{number}: {room} must not include {header}"


def exceptions_are_used():
    used = {(room_of(path)[1], header) for path in tree.sources() if room_of(path) is not None
            for _, header, _ in tree.includes(path)}
    for room, header in tables.ROOM_EXCEPTIONS:
        if (room, header) not in used:
            yield f"tests/house/tables.py: no file in {room} includes {header}"


def foreign_headers_are_confined():
    for path in tree.sources():
        for number, header, _ in tree.includes(path):
            for pattern, places in tables.FOREIGN_HEADERS.items():
                if re.fullmatch(pattern, header) and not path.startswith(places):
                    yield f"{path}:{number}: {header} belongs to {' '.join(places)}"


def words_are_confined(subject):
    rule = tables.WORDS[subject]
    for path in tree.sources(*tables.CODE, ".py"):
        if path.startswith(rule["places"]) or path.startswith("tests/house/"):
            continue
        for number, word in tree.lines_with(path, rule["words"]):
            yield f"{path}:{number}: {word} ({subject} belong to {' '.join(rule['places'])})"


def no_forbidden_words():
    forbidden = (*tables.FORBIDDEN, (str(tree.ROOT) + "/", "users have another directory", ()))
    for path, text in tree.files().items():
        for number, line in enumerate(text.splitlines(), 1):
            for word, instead, places in forbidden:
                if word in line and not path.startswith(places or "//"):
                    yield f"{path}:{number}: {word!r}: {instead}"


def public_functions():
    """[(path, line, name, comment above, names of the parameters)]"""
    found = []
    for path, text in tree.files().items():
        if not path.startswith(tables.HEADERS):
            continue
        for match in re.finditer(r"^TIDE_API\b[^;(]*?(tide_\w+)\(([^;]*)\);", text, re.M):
            comment = re.search(r"/\*\*((?:(?!\*/).)*)\*/\s*\Z", text[:match.start()], re.S)
            parameters = re.findall(r"(\w+)(?:\[\d+\])?(?=,|$)", "" if match[2] == "void" else match[2])
            found.append((path, text.count("\n", 0, match.start()) + 1, match[1], comment and comment[1], parameters))
    return found


def functions_are_documented():
    """Comments describe the function and each parameter; tags contain only differences from the conventions in
    base.h."""
    for path, number, name, comment, parameters in public_functions():
        if comment is None:
            yield f"{path}:{number}: {name} has no comment"
            continue
        lines = comment.strip("\n").splitlines()
        if not re.match(r" \* [A-Z]\w+ ", lines[0]):
            yield f"{path}:{number}: the comment of {name} does not begin with a description"
        described = [word for names in re.findall(r"^ \* @param (\w+(?:, \w+)*) +\S", comment, re.M)
                     for word in names.split(", ")]
        for parameter in parameters:
            if parameter not in (*described, "err"):
                yield f"{path}:{number}: {name} does not describe {parameter}"
        for parameter in described:
            if parameter not in parameters or parameter == "err":
                yield f"{path}:{number}: {name} describes {parameter}, which is not a parameter of its own"
        tags = [tag for tag in re.findall(r"^ \* ([A-Z][a-z]+)  +\S", comment, re.M)]
        if tags != [tag for tag in tables.DOC_TAGS if tag in tags]:
            yield f"{path}:{number}: {name} has other tags, or in another order, than {' '.join(tables.DOC_TAGS)}"
        for tag, text in re.findall(r"^ \* ([A-Z][a-z]+)  +(.*)", comment, re.M):
            if text in tables.DOC_CONVENTIONS:
                yield f"{path}:{number}: {name} repeats a convention of base.h: {tag} {text}"


def functions_are_exported():
    declared = [name for _, _, name, _, _ in public_functions()]
    mapped = re.findall(r"\b(tide_\w+);", tree.files()[tables.VERSION_MAP])
    golden = tree.files()[tables.SYMBOLS].split()
    for what, names in ((tables.VERSION_MAP, mapped), (tables.SYMBOLS, golden)):
        for name in sorted(set(declared) - set(names)):
            yield f"{what}: lacks {name}"
        for name in sorted(set(names) - set(declared)):
            yield f"{what}: {name} is in no header"
        for name in sorted({n for n in names if names.count(n) > 1}):
            yield f"{what}: {name} is listed twice"


def rooms_have_readmes():
    for folder in tables.EXPLAINED:
        path = f"{folder}/README.md".lstrip("/")
        if not tree.files().get(path, "").strip():
            yield f"{path}: is missing"


def invariants_are_tested():
    numbers = re.findall(r"\bI(\d+)\b", tree.files().get(tables.INVARIANTS, ""))
    if not numbers:
        yield f"{tables.INVARIANTS}: names no invariant"
    tests = "\n".join(text for path, text in tree.files().items() if path.startswith("tests/") and
                      not path.startswith("tests/house/") and not path.endswith(".md"))
    for number in sorted(set(numbers), key=int):
        if not re.search(rf"\bI{number}\b", tests):
            yield f"{tables.INVARIANTS}: no test names I{number}"


def rooms_have_unit_tests():
    for room in tables.UNIT_TESTED:
        if not any(path.startswith(f"tests/unit/{room}/") and path.endswith(".cpp") for path in tree.files()):
            yield f"tests/unit/{room}: has no test"


def options_are_tested():
    """Every option has a test of its effect, named after the option."""
    options = re.findall(r"^      \{\"(\w+)\", ", tree.files()[tables.OPTIONS], re.M)
    unit = [name for path, text in tree.files().items() if path.startswith(tables.OPTIONS_ALIKE)
            for name in re.findall(r"^TEST_F\(OptionEffect, (\w+)\)", text, re.M)]
    live = re.search(r"^CASES = \(([^)]*)\)", tree.files()[tables.OPTIONS_OF_DATABASES], re.M).group(1)
    tested = unit + re.findall(r"\w+", live)
    if len(options) < 50:
        yield f"{tables.OPTIONS}: {len(options)} options found"
    for name in sorted(set(options) - set(tested)):
        yield f"{tables.OPTIONS}: no test of the effect of option {name}"
    for name in sorted(set(tested) - set(options)):
        yield f"{tables.OPTIONS_ALIKE}, {tables.OPTIONS_OF_DATABASES}: {name} is not an option"


def source_lists_are_current():
    for path in sources.wrong_lists(tree.ROOT):
        yield f"{path.relative_to(tree.ROOT)}: a source list is not current; run scripts/sources.py"


def headers_are_guarded():
    for path, text in tree.sources(".hpp").items():
        if not re.search(r"^#pragma once$", text, re.M):
            yield f"{path}: has no #pragma once"
    for path, text in tree.sources(".h").items():
        if path.startswith(tables.HEADERS) and not re.search(r"^#ifndef TIDEPOOL_\w+_H\n#define TIDEPOOL_", text, re.M):
            yield f"{path}: has no guard TIDEPOOL_..._H"


def classes_have_one_friend():
    for path in tree.sources(".hpp"):
        friends = 0
        for number, line in enumerate(tree.bare_of(path).splitlines(), 1):
            if re.match(r"(class|struct) ", line):
                friends = 0
            if re.match(r"\s+friend ", line):
                friends += 1
                if friends > 1:
                    yield f"{path}:{number}: a class has more than one friend"


def scripts_are_valid():
    for path, text in tree.files().items():
        first = text.split("\n", 1)[0]
        try:
            if path.endswith(".py"):
                ast.parse(text)
            elif path.endswith(".json"):
                json.loads(text)
        except (SyntaxError, ValueError) as why:
            yield f"{path}: {why}"
        if path.endswith(".sh") or first.startswith("#!/usr/bin/env bash"):
            run = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=False)
            if run.returncode:
                yield f"{path}: {run.stderr.strip()}"
        is_program = first.startswith("#!")
        if is_program != bool(pathlib.Path(tree.ROOT, path).stat().st_mode & 0o100):
            yield f"{path}: {'starts with #! but is' if is_program else 'has no #! line and yet is'} executable" \
                  .replace("but is executable", "but is not executable")


RULES = {
    "lines are clean": lines_are_clean,
    "includes follow the dependencies": includes_follow_the_dependencies,
    "exceptions are used": exceptions_are_used,
    "foreign headers are confined": foreign_headers_are_confined,
    **{f"{subject} only in their places": (lambda s=subject: words_are_confined(s)) for subject in tables.WORDS},
    "no forbidden words": no_forbidden_words,
    "public functions are documented": functions_are_documented,
    "public functions are exported": functions_are_exported,
    "rooms have a README": rooms_have_readmes,
    "rooms have unit tests": rooms_have_unit_tests,
    "invariants are tested": invariants_are_tested,
    "options are tested": options_are_tested,
    "source lists are current": source_lists_are_current,
    "headers are guarded": headers_are_guarded,
    "classes have at most one friend": classes_have_one_friend,
    "scripts are valid": scripts_are_valid,
}
