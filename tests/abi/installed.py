#!/usr/bin/python3
"""The installed product: a staged `meson install`, then two programs are built against it with pkg-config only.

installed.py CC...
"""
import os
import pathlib
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ.get("TIDE_SOURCE") or pathlib.Path(__file__).parents[2])
BUILD = pathlib.Path(os.environ.get("TIDE_BUILD") or SOURCE / "build")
PROGRAMS = [SOURCE / "examples" / "hello.c", SOURCE / "tests" / "abi" / "c99_consumer.c"]


def run(*command, **more):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False, **more)
    if done.returncode:
        sys.exit(f"{' '.join(str(c) for c in command)}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def main(compiler):
    with tempfile.TemporaryDirectory(prefix="tidepool-stage-") as stage:
        run("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", stage)
        pc = next(pathlib.Path(stage).rglob("tidepool.pc"), None)
        if pc is None:
            sys.exit("meson install did not install tidepool.pc")
        environment = dict(os.environ, PKG_CONFIG_PATH=str(pc.parent), PKG_CONFIG_SYSROOT_DIR=stage,
                           PKG_CONFIG_ALLOW_SYSTEM_CFLAGS="1", PKG_CONFIG_ALLOW_SYSTEM_LIBS="1")
        flags = run("pkg-config", "--cflags", "--libs", "tidepool", env=environment).split()
        library = next(pathlib.Path(stage).rglob("libtidepool.so.0"), None)
        if library is None:
            sys.exit("meson install did not install libtidepool.so.0")
        for name in sorted(p.name for p in (SOURCE / "c_api" / "include" / "tidepool").glob("*.h*")):
            if not list(pathlib.Path(stage).rglob(f"include/tidepool/{name}")):
                sys.exit(f"meson install did not install tidepool/{name}")
        if not list(pathlib.Path(stage).rglob("sqlite3/tidepool.so")):
            sys.exit("meson install did not install sqlite3/tidepool.so")
        for program in PROGRAMS:
            binary = pathlib.Path(stage, program.stem)
            run(*(compiler or ["gcc"]), "-std=c99", program, "-o", binary, *flags)
            segments = pathlib.Path(stage, "segments")
            segments.mkdir(exist_ok=True)
            print(run(binary, env=dict(os.environ, LD_LIBRARY_PATH=str(library.parent), TIDEPOOL_DIR=str(segments))))
    print("ok")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
