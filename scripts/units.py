#!/usr/bin/python3
"""Checks the translation units of a configured build folder with its compiler options; warnings are errors.

    units.py syntax FOLDER   with the compiler of the folder; no code is generated
    units.py tidy FOLDER     with clang-tidy; the checks are in .clang-tidy

Only the product is checked; the C++ interface, which is headers, by tests/cpp/compile.py.

NINJA_JOBS limits the number of parallel checks. Exit code 1: there are findings; 77: clang-tidy 14 is not installed.
"""
import concurrent.futures
import json
import os
import pathlib
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "house"))
import clang_tools  # noqa: E402

PRODUCT = ("core/", "c_api/", "sqlite_extension/", "pg_extension/")


def syntax_command(unit):
    words = shlex.split(unit["command"])
    words = words[1:] if pathlib.PurePath(words[0]).name == "ccache" else words
    for option in ("-o", "-MF", "-MQ"):
        at = words.index(option)
        del words[at:at + 2]
    return [word for word in words if word not in ("-c", "-MD")] + ["-Werror", "-fsyntax-only"]


def main(arguments):
    if len(arguments) != 2 or arguments[0] not in ("syntax", "tidy"):
        print(__doc__, file=sys.stderr)
        return 2
    kind, folder = arguments
    units = json.loads(pathlib.Path(folder, "compile_commands.json").read_text(encoding="utf-8"))
    units = [unit for unit in units if unit["output"].startswith(PRODUCT)]
    if kind == "tidy":
        program = clang_tools.find("clang-tidy")
        if program is None:
            print(f"skipped: clang-tidy {clang_tools.VERSION} is not installed (Debian 12: apt install clang-tidy)")
            return 77
        call = [program, "--quiet", "--extra-arg=-Wno-ignored-optimization-argument", "-p", "."]  # GCC's flags
        commands = [[*call, unit["file"]] for unit in units]
    else:
        commands = [syntax_command(unit) for unit in units]
    jobs = int(os.environ.get("NINJA_JOBS") or os.cpu_count() or 1)
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as workers:
        runs = workers.map(lambda command: subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False),
                           commands)
        for number, (unit, run) in enumerate(zip(units, runs), 1):
            print(f"[{number}/{len(units)}] {unit['file']}", flush=True)
            if run.returncode:
                bad += 1
                print(run.stdout + run.stderr, flush=True)
    print(f"{bad} of {len(units)} with findings")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
