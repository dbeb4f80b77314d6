#!/usr/bin/python3
"""Lists, selects and counts the tests of Meson, for ./test.sh.

    summary.py --list FOLDER            list the suites and tests of a build directory
    summary.py --select FOLDER NAME...  list the tests selected by names of suites and tests or '*', one per line
    summary.py --count RESULTS          print the summary; RESULTS/folders lists the build directories with results,
                                        RESULTS/stages has lines "passed|failed|skipped WHAT"
"""
import collections
import json
import pathlib
import subprocess
import sys
import typing
import xml.etree.ElementTree as ElementTree

# Results in testlog.json.
PASSED = {"OK", "EXPECTEDFAIL"}
SKIPPED = {"SKIP"}


def tests_of(folder):
    """[(name, [suite, ...])] of a configured build folder."""
    out = subprocess.run(["meson", "introspect", "--tests", folder], check=True, capture_output=True, text=True).stdout
    return [(t["name"], [s.split(":")[-1] for s in t["suite"]]) for t in json.loads(out)]


def list_tests(folder):
    suites = {}
    for name, owners in tests_of(folder):
        suites.setdefault(owners[0], []).append(name)
    suites["long (not without all)"] = [name for name, owners in tests_of(folder) if "long" in owners]
    for suite, names in suites.items():
        print(f"{suite}: {' '.join(names)}")
    return 0


def select(folder, wanted):
    tests = tests_of(folder)
    chosen = []
    for want in wanted:
        found = [name for name, suites in tests if want in ("*", name) or want in suites]
        if not found:
            known = sorted({name for name, _ in tests} | {s for _, suites in tests for s in suites})
            print(f"no test or suite {want!r} in {folder}; known names: {' '.join(known)}", file=sys.stderr)
            return 2
        chosen += [name for name in found if name not in chosen]
    print("\n".join(chosen))
    return 0


def short(folder):
    print("\n".join(name for name, suites in tests_of(folder) if "long" not in suites))
    return 0


class Outcome(typing.NamedTuple):
    kind: str  # passed, failed, skipped
    test: str
    case: str = ""
    reason: str = ""


def cases_of(folder):
    """[(suite, Outcome)] of the JUnit file; suites of tests that report cases are named after the test:
    "tidepool.tidepool:unit / unit_pool.WaitQueue"."""
    path = pathlib.Path(folder, "meson-logs", "testlog.junit.xml")
    cases = []
    for suite in ElementTree.parse(path).getroot().iter("testsuite") if path.exists() else ():
        for case in suite.findall("testcase"):
            skipped = case.find("skipped")
            is_bad = case.find("failure") is not None or case.find("error") is not None
            is_skipped = skipped is not None or case.get("result") == "skipped"
            kind = "failed" if is_bad else "skipped" if is_skipped else "passed"
            # GoogleTest: "file:line\nreason\n"
            reason = (skipped.get("message") or "").strip().split("\n")[-1] if skipped is not None else ""
            cases.append((suite.get("name", ""), Outcome(kind, "", case.get("name"), reason)))
    return cases


def reason_in(output):
    """Why a test without cases says it was skipped."""
    said = [line for line in (output or "").splitlines() if "skipped" in line]
    return said[-1].split("skipped", 1)[1].lstrip(": ") if said else ""


def outcomes_of(folder):
    """Every case where a test reports its cases, else the test itself."""
    cases = cases_of(folder)
    found = []
    for line in pathlib.Path(folder, "meson-logs", "testlog.json").read_text(encoding="utf-8").splitlines():
        test = json.loads(line)
        prefix = f"tidepool.{test['name']}."
        name = f"{folder}: {test['name'].split(' / ')[-1]}"
        own = [outcome._replace(test=name, case=(suite + ".")[len(prefix):] + outcome.case)
               for suite, outcome in cases if (suite + ".").startswith(prefix)]
        result = test["result"]
        kind = "passed" if result in PASSED else "skipped" if result in SKIPPED else "failed"
        if kind == "failed" and not any(outcome.kind == "failed" for outcome in own):
            own.append(Outcome("failed", name, reason=result.lower()))  # crashed or timed out: no case has failed
        found += own or [Outcome(kind, name, reason=reason_in(test.get("stdout")) if kind == "skipped" else "")]
    return found


def lines_of(path):
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def count(results):
    """Prints what was skipped and why, and last what has failed."""
    outcomes = [outcome for folder in lines_of(results / "folders") for outcome in outcomes_of(folder)]
    outcomes += [Outcome(*line.split(" ", 1)) for line in lines_of(results / "stages")]
    number = collections.Counter(outcome.kind for outcome in outcomes)
    skipped = collections.Counter((o.test, o.reason, o.case != "") for o in outcomes if o.kind == "skipped")
    for (test, reason, has_cases), cases in skipped.items():
        print(f"skipped: {test}{f', cases: {cases}' if has_cases else ''}{': ' + reason if reason else ''}")
    for o in outcomes:
        if o.kind == "failed":
            print(f"failed: {': '.join(filter(None, (o.test, o.case, o.reason)))}")
    print(f"{number['passed']} passed, {number['failed']} failed"
          + (f", {number['skipped']} skipped" if number["skipped"] else ""))
    return 1 if number["failed"] or not number["passed"] else 0


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "--list":
        return list_tests(arguments[1])
    if len(arguments) == 2 and arguments[0] == "--short":
        return short(arguments[1])
    if len(arguments) > 2 and arguments[0] == "--select":
        return select(arguments[1], arguments[2:])
    if len(arguments) == 2 and arguments[0] == "--count":
        return count(pathlib.Path(arguments[1]))
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
