#!/usr/bin/python3
"""Checks that all C and C++ files are formatted with clang-format 14.

    format.py          print the files that are not; exit 1 if there are any, 77 if this version is not installed
    format.py --write  format them
"""
import re
import subprocess
import sys

import clang_tools
import tree

FILES_AT_ONCE = 40


def main(arguments):
    is_write = arguments == ["--write"]
    if arguments and not is_write:
        print(__doc__, file=sys.stderr)
        return 2
    program = clang_tools.find("clang-format")
    if program is None:
        print(f"skipped: clang-format {clang_tools.VERSION} is not installed (Debian 12: apt install clang-format)")
        return 77
    paths = sorted(tree.sources())
    bad = []
    for first in range(0, len(paths), FILES_AT_ONCE):
        some = paths[first:first + FILES_AT_ONCE]
        said = subprocess.run([program, "-i" if is_write else "--dry-run", *some], cwd=tree.ROOT, capture_output=True,
                              text=True, check=True).stderr
        bad += re.findall(r"^(\S+?):\d+:\d+: warning: code should be clang-formatted", said, re.M)
    for path in sorted(set(bad)):
        print(f"{path}: is not formatted; run tests/house/format.py --write")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
