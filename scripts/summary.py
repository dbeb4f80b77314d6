#!/usr/bin/python3
"""Lists, selects and counts the tests of Meson, for ./test.sh.

    summary.py --list FOLDER            list the suites and tests of a build directory
    summary.py --select FOLDER NAME...  list the tests selected by names of suites and tests or '*', one per line
    summary.py --count RESULTS          print the summary; RESULTS/folders lists the build directories with results,
                                        RESULTS/stages has lines "passed|failed|skipped WHAT"
"""
import json
import pathlib
import subprocess
import sys
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


def cases_of(folder):
    """[(suite, case, outcome)] of the JUnit file; suites of tests that report cases are named after the test:
    "tidepool.tidepool:unit / unit_pool.WaitQueue"."""
    path = pathlib.Path(folder, "meson-logs", "testlog.junit.xml")
    cases = []
    for suite in ElementTree.parse(path).getroot().iter("testsuite") if path.exists() else ():
        for case in suite.findall("testcase"):
            is_bad = case.find("failure") is not None or case.find("error") is not None
            is_skipped = case.find("skipped") is not None or case.get("result") == "skipped"
            outcome = "failed" if is_bad else "skipped" if is_skipped else "passed"
            cases.append((suite.get("name", ""), case.get("name"), outcome))
    return cases


def outcomes_of(folder):
    """[(what, outcome)]: every case where a test reports its cases, else the test itself."""
    cases = cases_of(folder)
    found = []
    for line in pathlib.Path(folder, "meson-logs", "testlog.json").read_text(encoding="utf-8").splitlines():
        test = json.loads(line)
        prefix = f"tidepool.{test['name']}."
        name = test["name"].split(" / ")[-1]
        own = [(f"{name}: {(suite + '.')[len(prefix):]}{case}", outcome) for suite, case, outcome in cases
               if (suite + ".").startswith(prefix)]
        result = test["result"]
        total = "passed" if result in PASSED else "skipped" if result in SKIPPED else "failed"
        if total == "failed" and not any(outcome == "failed" for _, outcome in own):
            own.append((f"{name} ({result.lower()})", "failed"))  # crashed or timed out: no case has failed
        found += own or [(name, total)]
    return [(f"{folder}: {what}", outcome) for what, outcome in found]


def lines_of(path):
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def count(results):
    outcomes = [outcome for folder in lines_of(results / "folders") for outcome in outcomes_of(folder)]
    for line in lines_of(results / "stages"):
        outcome, what = line.split(" ", 1)
        outcomes.append((what, outcome))
    number = {kind: sum(outcome == kind for _, outcome in outcomes) for kind in ("passed", "failed", "skipped")}
    for what, outcome in outcomes:
        if outcome != "passed":
            print(f"{outcome}: {what}")
    skipped = f", {number['skipped']} skipped" if number["skipped"] else ""
    print(f"{number['passed']} passed, {number['failed']} failed{skipped}")
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
