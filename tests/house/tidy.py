#!/usr/bin/python3
"""Checks the rules for the source code. The rules are tables (tables.py), checked by rules.py.

    tidy.py          print all violations, one per line; exit 1 if there are any
    tidy.py --tap    for the test runner: one test point per rule
"""
import sys

import rules


def main(arguments):
    is_tap = arguments == ["--tap"]
    if arguments and not is_tap:
        print(__doc__, file=sys.stderr)
        return 2
    if is_tap:
        print(f"1..{len(rules.RULES)}")
    bad = 0
    for number, (name, rule) in enumerate(rules.RULES.items(), 1):
        violations = list(rule())
        bad += len(violations)
        if is_tap:
            print(f"{'not ok' if violations else 'ok'} {number} - {name}")
        for violation in violations:
            print(violation, file=sys.stderr if is_tap else sys.stdout)  # the test runner shows stderr
    if not is_tap:
        print(f"{bad} violations of {len(rules.RULES)} rules")
    return 1 if bad and not is_tap else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
