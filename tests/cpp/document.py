#!/usr/bin/python3
"""The program of docs/cpp.md: compiled with every compiler that is installed, it prints what the document says.

document.py CXX...                the compiler of the build; further ones are looked for
document.py --of NAME.md CXX...   the program of another document, with this compiler only; on the PostgreSQL of with_server.py
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ.get("TIDE_SOURCE") or pathlib.Path(__file__).parents[2])
LIBRARY = pathlib.Path(os.environ.get("TIDE_LIBRARY") or SOURCE / "build" / "c_api" / "libtidepool.so")
FURTHER = ("g++-14", "clang++-14")


def main(arguments):
    name = "cpp.md"
    if arguments[:1] == ["--of"]:
        name, arguments = arguments[1], arguments[2:]
    text = (SOURCE / "docs" / name).read_text(encoding="utf-8")
    program = re.search(r"^```cpp\n(.*?)^```$", text, re.S | re.M).group(1)
    output = re.search(r"It prints:\n\n```\n(.*?)^```$", text, re.S | re.M).group(1)
    compilers = [arguments or ["g++"]]
    for further in FURTHER if name == "cpp.md" else ():
        if shutil.which(further):
            compilers.append([further])
        else:
            print(f"skipped: {further} is not installed")
    bad = 0
    with tempfile.TemporaryDirectory(prefix="tidepool-cpp-") as folder:
        place = pathlib.Path(folder)
        (place / "program.cpp").write_text(program, encoding="utf-8")
        for compiler in compilers:
            subprocess.run([*compiler, "-std=c++20", "-Wall", "-Wextra", "-Werror", "-I", SOURCE / "c_api" / "include",
                            place / "program.cpp", "-o", place / "program", LIBRARY, f"-Wl,-rpath,{LIBRARY.parent}"],
                           check=True)
            url = f"sqlite://{place}/example.db" if name == "cpp.md" else os.environ["TIDE_TEST_POSTGRESQL"]
            done = subprocess.run([place / "program", url], capture_output=True, text=True, timeout=60,
                                  check=False, env=dict(os.environ, TIDEPOOL_DIR=folder))
            if done.returncode or done.stdout != output:
                bad += 1
                print(f"built with {' '.join(compiler)}: exit {done.returncode}, printed:\n{done.stdout}{done.stderr}")
    print(f"{bad} failed" if bad else "ok")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
