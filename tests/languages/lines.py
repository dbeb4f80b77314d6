#!/usr/bin/python3
"""Each binding has at most 300 lines, in all its files, as `wc -l` counts them: with comments and blank lines.

A shape of the files is required too: lines of at most 120 columns, and Go as gofmt writes it, where that is installed.
"""
import os
import pathlib
import shutil
import subprocess
import sys

SOURCE = pathlib.Path(os.environ.get("TIDE_SOURCE") or pathlib.Path(__file__).parents[2])
LINES_MAX, COLUMNS_MAX = 300, 120
BINDINGS = {"python": ("tidepool.py",), "node": ("tidepool.cpp", "index.js"), "go": ("tidepool.go",)}


def main():
    wrong = []
    for language, names in BINDINGS.items():
        lines = [(name, number, line) for name in names for number, line in
                 enumerate((SOURCE / "languages" / language / name).read_text(encoding="utf-8").splitlines(), 1)]
        print(f"{language}: {len(lines)} lines")
        if len(lines) > LINES_MAX:
            wrong.append(f"languages/{language}: {len(lines)} lines; at most {LINES_MAX}")
        wrong += [f"languages/{language}/{name}:{number}: {len(line)} columns; at most {COLUMNS_MAX}"
                  for name, number, line in lines if len(line) > COLUMNS_MAX]
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
