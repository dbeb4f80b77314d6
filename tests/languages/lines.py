#!/usr/bin/python3
"""Each binding has at most 300 lines of code: lines that are neither blank nor a comment or a documentation string.

A shape of the files is required too: lines of at most 128 columns, and Go as gofmt writes it, where that is installed.
"""
import ast
import os
import pathlib
import re
import shutil
import subprocess
import sys

SOURCE = pathlib.Path(os.environ.get("TIDE_SOURCE") or pathlib.Path(__file__).parents[2])
LINES_MAX, COLUMNS_MAX = 300, 128
BINDINGS = {"python": ("tidepool.py",), "node": ("tidepool.cpp", "index.js"), "go": ("tidepool.go",)}


def without_documentation(text):
    """Python: the text with documentation strings blanked."""
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        first = getattr(node, "body", None) and isinstance(node.body, list) and node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            lines[first.lineno - 1:first.end_lineno] = [""] * (first.end_lineno - first.lineno + 1)
    return "\n".join(lines)


def code_lines(path):
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        text, comment = without_documentation(text), r"\s*#"
    else:
        text, comment = re.sub(r"^/\*.*?\*/$", "", text, flags=re.S | re.M), r"\s*//(?!export)"
    return [line for line in text.splitlines() if line.strip() and not re.match(comment, line)]


def main():
    wrong = []
    for language, names in BINDINGS.items():
        paths = [SOURCE / "languages" / language / name for name in names]
        count = sum(len(code_lines(path)) for path in paths)
        print(f"{language}: {count} lines of code")
        if count > LINES_MAX:
            wrong.append(f"languages/{language}: {count} lines of code; at most {LINES_MAX}")
        for path in paths:
            wrong += [f"{path}:{number}: {len(line)} columns" for number, line in
                      enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if len(line) > COLUMNS_MAX]
    if shutil.which("gofmt"):
        listed = subprocess.run(["gofmt", "-l", SOURCE / "languages" / "go", SOURCE / "tests" / "languages"], text=True,
                                capture_output=True, check=False)
        wrong += [f"{line}: is not formatted; run gofmt -w" for line in (listed.stdout + listed.stderr).splitlines()]
    else:
        print("not checked: gofmt is not installed")
    print("\n".join(wrong) or "ok")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
