#!/usr/bin/python3
"""Updates the source lists of the meson.build files.

A list maintained by this script follows a comment of the form

    # every: *.cpp sub/*.cpp        all matching files, relative to the directory of the meson.build
    # rest: *.cpp                   matching files that are in no other list of the same meson.build

    sources.py            rewrite the lists (after adding, renaming or removing a file)
    sources.py --check    only report wrong lists; exit 1 if there are any (the house test does this)
"""
import argparse
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIST = re.compile(r"(?P<head># (?P<kind>every|rest): (?P<globs>[^\n]+)\n(?P<open>[^\n]*files\(\n))(?P<body>[^)]*)\)")


def matching(folder, globs):
    return sorted({str(p.relative_to(folder)) for g in globs.split() for p in folder.glob(g) if p.is_file()})


def rewritten(build_file):
    """The text that build_file should have."""
    folder = build_file.parent
    text = build_file.read_text(encoding="utf-8")
    taken = {name for m in LIST.finditer(text) if m["kind"] == "every" for name in matching(folder, m["globs"])}

    def filled(m):
        names = matching(folder, m["globs"])
        if m["kind"] == "rest":
            names = [n for n in names if n not in taken]
        indent = re.match(r" *", m["open"]).group()
        return m["head"] + "".join(f"{indent}  '{n}',\n" for n in names) + indent + ")"

    return text, LIST.sub(filled, text)


def build_files(root=ROOT):
    return [p for p in sorted(root.rglob("meson.build")) if not p.relative_to(root).parts[0].startswith(("build", "."))]


def wrong_lists(root=ROOT):
    """Paths of the meson.build files with wrong lists."""
    return [p for p in build_files(root) for old, new in [rewritten(p)] if old != new]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a list is wrong")
    args = parser.parse_args()
    wrong = wrong_lists()
    for path in wrong:
        if args.check:
            print(f"{path.relative_to(ROOT)}: a source list is not current; run scripts/sources.py")
        else:
            path.write_text(rewritten(path)[1], encoding="utf-8")
            print(f"{path.relative_to(ROOT)}: rewritten")
    return 1 if args.check and wrong else 0


if __name__ == "__main__":
    sys.exit(main())
