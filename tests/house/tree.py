"""The files to which the rules apply."""
import functools
import pathlib
import re

import tables

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMENT_OR_STRING = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"\((?:.|\n)*?\)"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'', re.S)
PYTHON_OR_SHELL_COMMENT = re.compile(r"(^|\s)#[^\n]*", re.M)


@functools.lru_cache(maxsize=None)
def files():
    """{path relative to the root, with '/': text} of every text file of the repository."""
    found = {}
    for path in sorted(ROOT.rglob("*")):
        relative = path.relative_to(ROOT)
        top = relative.parts[0]
        if top.startswith("build") or top in (".git", ".cache") or "__pycache__" in relative.parts or not path.is_file():
            continue
        if path.suffix in tables.TEXTS or path.name in ("LICENSE", "run") or path.name.startswith(".clang"):
            found[relative.as_posix()] = path.read_text(encoding="utf-8")
    return found


def sources(*suffixes):
    return {path: text for path, text in files().items() if path.endswith(suffixes or tables.CODE)}


def bare(path, text):
    """The text with comments and strings blanked, lines kept; #include lines stay as they are."""
    if path.endswith(tables.SCRIPTS):
        return PYTHON_OR_SHELL_COMMENT.sub(lambda m: m.group(1), text)

    def blank(match):
        line_start = text.rfind("\n", 0, match.start()) + 1
        if re.match(r"\s*#\s*include\b", text[line_start:match.start()]) and match.group().startswith('"'):
            return match.group()
        return "\n" * match.group().count("\n") or " "

    return COMMENT_OR_STRING.sub(blank, text)


@functools.lru_cache(maxsize=None)
def bare_of(path):
    return bare(path, files()[path])


def includes(path):
    """[(line number, header, is it <header>?)]"""
    found = []
    for number, line in enumerate(bare_of(path).splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*(?:<([^>]+)>|"([^"]+)")', line)
        if match:
            found.append((number, match.group(1) or match.group(2), match.group(1) is not None))
    return found


def lines_with(path, pattern):
    """[(line number, what was found)] in code, without comments and strings."""
    return [(number, match.group().strip()) for number, line in enumerate(bare_of(path).splitlines(), 1)
            for match in [re.search(pattern, line)] if match]
