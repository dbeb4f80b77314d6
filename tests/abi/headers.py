#!/usr/bin/python3
"""Every public header compiles alone and without a warning, as C99 and as C++11.

headers.py CC... -- CXX...
"""
import os
import pathlib
import subprocess
import sys

INCLUDE = pathlib.Path(os.environ.get("TIDE_SOURCE") or pathlib.Path(__file__).parents[2], "c_api", "include")
STRICT = ["-pedantic-errors", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wundef", "-Werror", "-fsyntax-only"]


def main(arguments):
    split = arguments.index("--") if "--" in arguments else len(arguments)
    compilers = [
        (arguments[:split] or ["gcc"], ["-x", "c", "-std=c99", "-Wc++-compat", "-Wstrict-prototypes"]),
        (arguments[split + 1:] or ["g++"], ["-x", "c++", "-std=c++11"]),
    ]
    bad = 0
    for header in sorted(INCLUDE.glob("tidepool/*.h")):
        for compiler, language in compilers:
            # Twice: tests the include guard too.
            text = f"#include <tidepool/{header.name}>\n" * 2 + "typedef int not_empty;\n"
            run = subprocess.run([*compiler, *language, *STRICT, "-I", str(INCLUDE), "-"], input=text, text=True,
                                 capture_output=True, check=False)
            if run.returncode:
                bad += 1
                print(f"{header.name} does not compile with {' '.join(language[1:3])}:\n{run.stderr}")
    print(f"{bad} failed" if bad else "ok")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
