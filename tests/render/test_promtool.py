#!/usr/bin/python3
"""The rules of docs/monitoring, and an export, with promtool. Skipped where promtool is not there and cannot be fetched."""
import re
import subprocess
import sys

import exports
import judges
from client import is_

RULES = judges.SOURCE / "docs" / "monitoring"


def promtool(*arguments):
    done = subprocess.run([judges.promtool(), *map(str, arguments)], capture_output=True, text=True)
    is_(done.returncode, 0, done.stdout + done.stderr)


def rules_are_valid():
    promtool("check", "rules", *sorted(RULES.glob("*_rules.yml")))


def rules_give_the_expected_values():
    promtool("test", "rules", judges.HERE / "rules_test.yml")


def exports_are_accepted():
    with exports.Segments() as segments:
        is_(judges.check_metrics(exports.export("prometheus")), None, "no pools")
        exports.open_sqlite(segments)
        is_(judges.check_metrics(exports.export("prometheus", exports.CONNECTION_MAX)), None)
        found = judges.check_metrics("a_pool_total{} 1\na_pool_total{} 1\n")
        is_(found is None, False, "promtool accepts everything")


def rules_use_what_is_exported():
    """Each metric of a rule is exported, and the recorded names are those of the option for legacy names."""
    with exports.Segments() as segments:
        exports.open_sqlite(segments)
        text = exports.export("prometheus")
        current = set(re.findall(r"^# TYPE (\S+)", text, re.M))
        legacy = set(re.findall(r"^# TYPE (\S+)", exports.export("prometheus", exports.LEGACY_NAMES), re.M)) - current
        labels = set(re.findall(r"[{,](\w+)=\"", text))
    recording = (RULES / "recording_rules.yml").read_text()
    is_(set(re.findall(r"record: (\w+)", recording)), legacy | {"db_client_connection_count"}, "recorded names")
    for file in RULES.glob("*_rules.yml"):
        without_comments = re.sub(r"#.*", "", file.read_text())
        for expression in re.findall(r"expr: (?:>-\n)?((?:.|\n\s{10,})*)", without_comments):
            used = set(re.findall(r"\b((?:tidepool|db_client)_\w+)(?=[{\[ )]|$)", expression, re.M))
            is_(used - current - labels, set(), f"metrics of {file.name}: {expression}")


def main():
    try:
        print(judges.promtool())
    except judges.Missing as missing:
        print(f"skipped: {missing}")
        return 77
    return 1 if exports.client.run([rules_are_valid, rules_give_the_expected_values, exports_are_accepted,
                                    rules_use_what_is_exported]) else 0


if __name__ == "__main__":
    sys.exit(main())
