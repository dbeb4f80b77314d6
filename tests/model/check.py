#!/usr/bin/python3
"""Checks the model of the waiting protocol exhaustively; see README.md.

    check.py [SPIN]    every configuration, then the broken variants, in which the error must be found

Exit code 0: as expected; 1: not; 77: skipped, because spin or a C compiler is missing.
"""
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

MODEL = pathlib.Path(__file__).resolve().parent / "handover.pml"
DEPTH_MAX = 100_000
MEMORY_MB_MAX = 4000  # the largest search needs 2,400
CPU_SECONDS_MAX = 60  # per search; none needs half of it

# name, switches
CONFIGURATIONS = [
    ("two callers", "NC=2 NS=1 ROUNDS=2"),
    ("three callers", "NC=3 NS=1 ROUNDS=1"),
    ("two slots", "NC=3 NS=2 ROUNDS=1"),
    # The head's window can elapse between two releases while another caller is queued behind it.
    ("two slots, two waiters", "NC=4 NS=2 ROUNDS=1 STAGED=1 PATIENT=1"),
    ("callbacks", "NC=2 NS=1 ROUNDS=2 ASYNC=1"),
    ("callbacks and expiry, two slots", "NC=3 NS=2 ROUNDS=1 ASYNC=1"),
    ("keeper and revocation", "NC=2 NS=1 ROUNDS=1 MOVES=2"),
    ("keeper, callbacks, expiry", "NC=2 NS=1 ROUNDS=1 ASYNC=1 MOVES=2"),
    ("revocation, two leases each", "NC=2 NS=1 ROUNDS=2 MOVES=1"),
    ("pause and resume", "NC=2 NS=1 ROUNDS=2 FLIPS=1"),
    ("close", "NC=2 NS=1 ROUNDS=2 CLOSE=1"),
    ("window, two callers", "NC=2 NS=1 ROUNDS=2 CLOCK=1"),
    ("window, three callers", "NC=3 NS=1 ROUNDS=1 CLOCK=1"),
]
# The checker must find the error in each variant.
BROKEN = [
    ("no second check for waiters", "NC=2 NS=1 ROUNDS=2 BREAK_RECHECK=1"),
    ("no barrier for a lease that is being released", "NC=2 NS=1 ROUNDS=2 BREAK_BARRIER=1"),
    ("no barrier for a lease that is being released during a pause", "NC=2 NS=1 ROUNDS=2 FLIPS=1 BREAK_RESUME=1"),
    ("nudge cleared after the scan", "NC=2 NS=1 ROUNDS=2 BREAK_NUDGE_ORDER=1"),
    ("nudge kept by a caller that timed out", "NC=3 NS=1 ROUNDS=1 BREAK_UNLINK=1"),
    ("no scan of the board for the waiter behind a nudged head",
     "NC=4 NS=2 ROUNDS=1 STAGED=1 PATIENT=1 BREAK_HANDOVER=1"),
    ("callbacks only after the caller's own wait", "NC=3 NS=1 ROUNDS=1 ASYNC=1 BREAK_DELIVERY=1"),
    ("newcomers never wait", "NC=2 NS=1 ROUNDS=2 CLOCK=1 BREAK_WINDOW=1"),
]


def explore(spin, compiler, folder, switches, is_broken):
    """The checker's own report."""
    folder.mkdir()
    defines = ["-D" + s for s in switches.split()]
    subprocess.run([spin, "-a", *defines, str(MODEL)], cwd=folder, check=True, capture_output=True)
    # To compile with more optimization takes longer than the search then saves.
    flags = ["-O0" if is_broken else "-Og", "-w", "-DSAFETY", f"-DMEMLIM={MEMORY_MB_MAX}", "-DVECTORSZ=1024"]
    subprocess.run([compiler, *flags, "-o", "pan", "pan.c"], cwd=folder, check=True)
    # Processor time, not elapsed time: a loaded machine must not cause a failure.
    pan = subprocess.run(["./pan", f"-m{DEPTH_MAX}", "-w24"], cwd=folder, capture_output=True, text=True, check=False,
                         preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS_MAX, CPU_SECONDS_MAX)))
    if pan.returncode < 0:
        raise subprocess.CalledProcessError(pan.returncode, "pan", pan.stdout, pan.stderr)
    return pan.stdout + pan.stderr


def number(pattern, report):
    found = re.search(pattern, report)
    return int(found[1]) if found else -1


def check(spin, compiler, folder, name, switches, is_broken):
    began = time.monotonic()
    try:
        report = explore(spin, compiler, folder, switches, is_broken)
    except subprocess.CalledProcessError as error:
        print(f"FAIL  {name} [{switches}]: {error}\n{error.stdout or b''}{error.stderr or b''}")
        return False
    errors = number(r"errors: (\d+)", report)
    states = number(r"(\d+) states, stored", report)
    is_whole = not re.search(r"Search not completed|max search depth too small|out of memory", report)
    is_good = errors > 0 if is_broken else errors == 0 and is_whole
    what = "error found" if errors > 0 else "exhaustive" if is_whole else "NOT exhaustive"
    print(f"{'ok  ' if is_good else 'FAIL'}  {name} [{switches}]: {what}, {states} states, "
          f"{time.monotonic() - began:.1f} s", flush=True)
    if not is_good:
        print("\n".join(line for line in report.splitlines() if line.startswith(("pan:", "error:"))))
        trail = subprocess.run([spin, "-t", "-p", *["-D" + s for s in switches.split()], str(MODEL), "-k",
                                str(folder / "handover.pml.trail")], capture_output=True, text=True, check=False)
        print("\n".join(trail.stdout.splitlines()[-200:]) if errors > 0 else report)
    return is_good


def main():
    spin = sys.argv[1] if len(sys.argv) > 1 else shutil.which("spin")
    compiler = shutil.which(os.environ.get("CC", "gcc").split()[0]) or shutil.which("cc")
    if not spin or not pathlib.Path(spin).exists():
        print("skipped: spin is not installed (Debian: apt install spin)")
        return 77
    if not compiler:
        print("skipped: spin's programs need a C compiler")
        return 77
    with tempfile.TemporaryDirectory(prefix="tidepool-model-") as room:
        results = [check(spin, compiler, pathlib.Path(room) / str(i), name, switches, is_broken)
                   for i, (name, switches, is_broken) in enumerate(
                       [(*c, False) for c in CONFIGURATIONS] + [(*b, True) for b in BROKEN])]
    print(f"{sum(results)} of {len(results)} as expected")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
