#!/usr/bin/python3
"""The programs of documents: each consists of the C++ blocks of its document, and prints what that says.

document.py CXX...      the compiler of the build; docs/cpp.md is compiled with further ones, too, if they are installed

On SQLite those of docs/cpp.md and docs/patterns.md; with TIDE_TEST_POSTGRESQL, on that server, those of docs/patterns.md and
docs/listening.md.
"""
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ.get("TIDE_SOURCE") or pathlib.Path(__file__).parents[2])
LIBRARY = pathlib.Path(os.environ.get("TIDE_LIBRARY") or SOURCE / "build" / "c_api" / "libtidepool.so")
FURTHER = ("g++-14", "clang++-14")


def further_compilers():
    for name in FURTHER:
        if shutil.which(name):
            yield [name]
        else:
            print(f"skipped: {name} is not installed")


def flags(what, package):
    return shlex.split(subprocess.run(["pkg-config", what, package], check=True, capture_output=True, text=True).stdout)


def is_right(document, compiler, place, url):
    text = (SOURCE / "docs" / document).read_text(encoding="utf-8")
    blocks = re.findall(r"^```cpp\n(.*?)^```$", text, re.S | re.M)
    output = re.search(r"It prints:\n\n```\n(.*?)^```$", text, re.S | re.M).group(1)
    program = "\n".join(blocks)
    (place / "program.cpp").write_text(program, encoding="utf-8")
    uses_libpq = "libpq-fe.h" in program
    subprocess.run([*compiler, "-std=c++20", "-Wall", "-Wextra", "-Werror", "-I", SOURCE / "c_api" / "include",
                    *(flags("--cflags", "libpq") if uses_libpq else []), place / "program.cpp", "-o", place / "program",
                    LIBRARY, f"-Wl,-rpath,{LIBRARY.parent}", *(flags("--libs", "libpq") if uses_libpq else [])],
                   check=True)
    done = subprocess.run([place / "program", url], capture_output=True, text=True, timeout=60, check=False,
                          env=dict(os.environ, TIDEPOOL_DIR=str(place)))
    if done.returncode or done.stdout != output:
        print(f"{document}, built with {' '.join(compiler)}: exit {done.returncode}, printed:\n{done.stdout}{done.stderr}")
        return False
    return True


def main(arguments):
    first = arguments or ["g++"]
    server = os.environ.get("TIDE_TEST_POSTGRESQL")
    with tempfile.TemporaryDirectory(prefix="tidepool-cpp-") as folder:
        place = pathlib.Path(folder)
        if server:
            results = [is_right(name, first, place, server) for name in ("patterns.md", "listening.md")]
        else:
            url = f"sqlite://{place}/example.db"
            results = [is_right("cpp.md", compiler, place, url) for compiler in [first, *further_compilers()]]
            results.append(is_right("patterns.md", first, place, url))
    bad = results.count(False)
    print(f"{bad} failed" if bad else "ok")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
