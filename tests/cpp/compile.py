#!/usr/bin/python3
"""The C++ interface compiles with every compiler that is installed, warnings are errors; and what it must refuse does not
compile, with a message that says why.

compile.py CXX...       the compiler of the build; further ones are looked for
"""
import os
import pathlib
import shutil
import subprocess
import sys

SOURCE = pathlib.Path(os.environ.get("TIDE_SOURCE") or pathlib.Path(__file__).parents[2])
INCLUDE = SOURCE / "c_api" / "include"
STRICT = ["-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wundef", "-Wnon-virtual-dtor",
          "-Woverloaded-virtual", "-Werror", "-I", str(INCLUDE), "-x", "c++"]
COMPILERS = ("g++-12", "g++-14", "clang++-14")  # those that the interface promises
STANDARDS = ("c++20", "c++2b")  # the second is C++23 of compilers that had it before its end

# What does not compile: code in a function, and a part of the message.
REFUSED = {
    "a view of a freed result": ('pool.query_first<std::string_view>("select 1");', "the result of query_first() is freed"),
    "a type without a codec": ('pool.query<int*>("select 1");', "a row is read as types that have a tidepool::codec<T>"),
    "a parameter without a codec": ('pool.query("select $1", &pool);', "no tidepool::codec<T> with encode()"),
    "names for some parameters": ('pool.query("select :a, $2", tidepool::arg("a", 1), 2);',
                                  "either all parameters have a name, or none has"),
    "a character as a number": ("pool.query(\"select $1\", 'x');", "no tidepool::codec<T> with encode()"),
    "too many members": ('struct S { int a[17]; }; pool.query<S>("select 1");', "error"),
    "a copy of a pool": ("tidepool::pool copy(pool);", "deleted function"),
    "a reference out of a transaction": ("int n = 0; pool.transact([&](tidepool::transaction&) -> int& { return n; });",
                                         "transact() returns values"),
}


def run(compiler, standard, text):
    return subprocess.run([*compiler, f"-std={standard}", *STRICT, "-"], input=text, text=True, capture_output=True,
                          check=False)


def knows(compiler, standard):
    return run(compiler, standard, "").returncode == 0


def main(arguments):
    compilers = [arguments] if arguments else []
    for name in COMPILERS:
        if shutil.which(name):
            compilers.append([name])
        else:
            print(f"skipped: {name} is not installed")
    bad = 0

    def fail(what, compiler, output=""):
        nonlocal bad
        bad += 1
        print(f"{what} with {' '.join(compiler)}:\n{output}")

    headers = sorted(INCLUDE.glob("tidepool/*.hpp"))
    everything = (SOURCE / "tests" / "cpp" / "everything.cpp").read_text(encoding="utf-8")
    for compiler in compilers:
        for standard in STANDARDS:
            if not knows(compiler, standard):
                print(f"skipped: {' '.join(compiler)} has no {standard}")
                continue
            done = run(compiler, standard, everything)
            if done.returncode:
                fail(f"everything.cpp does not compile as {standard}", compiler, done.stderr)
    for header in headers:
        done = run(compilers[0], "c++20", f"#include <tidepool/{header.name}>\n")
        if done.returncode:
            fail(f"{header.name} alone does not compile", compilers[0], done.stderr)
    for what, (code, message) in REFUSED.items():
        text = f"#include <tidepool/tidepool.hpp>\nvoid f(tidepool::pool& pool) {{ {code} }}\n"
        done = run(compilers[0], "c++20", text)
        if done.returncode == 0:
            fail(f"{what}: compiles", compilers[0])
        elif message not in done.stderr:
            fail(f"{what}: the message lacks {message!r}", compilers[0], done.stderr)
    print(f"{bad} failed" if bad else "ok")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
