#!/usr/bin/python3
"""The symbols that the shipped files export, and the libraries they need.

symbols.py libtidepool.so sqlite_extension/tidepool.so
"""
import os
import pathlib
import re
import subprocess
import sys

SOURCE = pathlib.Path(os.environ.get("TIDE_SOURCE") or pathlib.Path(__file__).parents[2])
# Every other library needs a reason.
NEEDED_BY_LIBRARY = {"libpq.so.5", "libsqlite3.so.0", "libstdc++.so.6", "libm.so.6", "libgcc_s.so.1", "libc.so.6",
                     "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
NEEDED_BY_EXTENSION = NEEDED_BY_LIBRARY - {"libpq.so.5", "libsqlite3.so.0"}  # a second SQLite in the process corrupts databases


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def defined(library):
    """{name: version node} of the exported symbols."""
    found = {}
    for line in output("nm", "-D", "--defined-only", "--with-symbol-versions", library).splitlines():
        name, _, node = line.split()[-1].partition("@")
        if not re.match(r"TIDE_\d", name):  # the version nodes themselves
            found[name] = node.strip("@")
    return found


def undefined(library):
    return {line.split()[-1].partition("@")[0] for line in output("nm", "-D", "--undefined-only", library).splitlines()}


def needed(library):
    return set(re.findall(r"\(NEEDED\).*\[(.+)\]", output("readelf", "-d", library)))


def map_nodes():
    """{function: node} as listed in tidepool.map."""
    text = (SOURCE / "c_api" / "tidepool.map").read_text(encoding="utf-8")
    return {name: node for node, body in re.findall(r"(TIDE_\d+\.\d+) \{(.*?)\}", text, re.S)
            for name in re.findall(r"\b(tide_\w+);", body)}


def main(library, extension):
    wrong = []
    golden = set((SOURCE / "c_api" / "symbols.golden").read_text(encoding="utf-8").split())
    exported = defined(library)
    wrong += [f"libtidepool.so does not export {name}" for name in sorted(golden - set(exported))]
    wrong += [f"libtidepool.so exports {name}, which is not in c_api/symbols.golden"
              for name in sorted(set(exported) - golden)]
    nodes = map_nodes()
    wrong += [f"{name} is bound to {node or 'no node'}, tidepool.map says {nodes.get(name)}"
              for name, node in sorted(exported.items()) if node != nodes.get(name)]
    wrong += [f"libtidepool.so needs {name}" for name in sorted(needed(library) - NEEDED_BY_LIBRARY)]

    entry = set(defined(extension))
    if entry != {"sqlite3_tidepool_init"}:
        wrong.append(f"the extension exports {sorted(entry)}, not only sqlite3_tidepool_init")
    wrong += [f"the extension needs {name}" for name in sorted(needed(extension) - NEEDED_BY_EXTENSION)]
    wrong += [f"the extension calls {name} directly, not through its host"
              for name in sorted(undefined(extension)) if name.startswith("sqlite3_")]
    print("\n".join(wrong) or "ok")
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
