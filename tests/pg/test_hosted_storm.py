#!/usr/bin/python3
"""64 sessions query over a pool of 8 while some are cancelled, terminated or time out.

Each result belongs to its query, no session state of others is visible, and there are never more than 8 remote
sessions. TIDE_STORM_CALLS: total number of calls (10,000); TIDE_STORM_SEED: seed.
"""
import os
import random
import subprocess
import sys
import threading
import time
import unittest

import hosting
import support
from cluster import wait_until

CALLS = int(os.environ.get("TIDE_STORM_CALLS", "10000"))
SEED = int(os.environ.get("TIDE_STORM_SEED", "1"))
SESSIONS = 64
SIZE = 8
SECONDS_MAX = 60 + CALLS / 500

ANSWER = "SELECT 'answer', '{0}', x FROM tidepool.query('loop', $$SELECT $1 || current_setting('work_mem') || " \
         "coalesce(to_regclass('pg_temp.left_over')::text, '')$$, '{0}') AS (x text);"
KINDS = {
    "plain": ANSWER,
    "slow": "SELECT 'answer', '{0}', x FROM tidepool.query('loop', 'SELECT $1 || ''4MB'' FROM pg_sleep(0.005)', '{0}') "
            "AS (x text);",
    "wide": "SELECT 'answer', '{0}', max(x) FROM tidepool.query('loop', 'SELECT $1 || ''4MB'' FROM generate_series(1, 2000)', "
            "'{0}') AS (x text);",
    "error": "SELECT tidepool.execute('loop', 'SELECT 1/0 -- {0}');",
    "misfit": "SELECT * FROM tidepool.query('loop', 'SELECT ''{0}'' FROM generate_series(1, 500)') AS (x int);",
    "mess": "SELECT tidepool.execute('loop', 'SET work_mem = ''9MB''; CREATE TEMP TABLE left_over (a int)');",
    "open": "SELECT tidepool.execute('loop', 'BEGIN; SET LOCAL work_mem = ''8MB''');",
    "timeout": "SET statement_timeout = 3; SELECT tidepool.execute('loop', 'SELECT pg_sleep(1)'); RESET statement_timeout;",
    "lease": "BEGIN; SELECT FROM tidepool.lease('loop', '{0}'); " + ANSWER + " COMMIT;",
}
WEIGHTS = {"plain": 70, "slow": 5, "wide": 3, "error": 4, "misfit": 3, "mess": 5, "open": 3, "timeout": 2, "lease": 5}


class Asker(threading.Thread):
    """One session after the other, until all its queries have run."""

    def __init__(self, cluster, number, calls):
        super().__init__()
        self.cluster, self.number = cluster, number
        chance = random.Random(SEED * 1000 + number)
        self.kinds = chance.choices(list(WEIGHTS), list(WEIGHTS.values()), k=calls)
        self.answers, self.wrong, self.errors = 0, [], 0

    def run(self):
        done = 0
        while done < len(self.kinds):
            script = "".join(f"{KINDS[kind].format(f's{self.number}q{i}_')}\n\\echo done {i}\n"
                             for i, kind in enumerate(self.kinds) if i >= done)
            run = subprocess.run([*self.cluster.psql_command(), "-A", "-t", "-v", "ON_ERROR_STOP=0"], input=script, text=True,
                                 capture_output=True, env=self.cluster.environment(), check=False)
            self.errors += run.stderr.count("ERROR:") + run.stderr.count("FATAL:")
            before = done
            for line in run.stdout.split("\n"):
                if line.startswith("answer|"):
                    self.check(line)
                elif line.startswith("done "):
                    done = int(line[5:]) + 1
            if done == before:
                done += 1  # this call ended the session

    def check(self, line):
        _, question, answer = line.split("|")
        self.answers += 1
        if answer != question + "4MB":
            self.wrong.append(line)


class Storm(unittest.TestCase):
    def test_answers_belong_to_their_questions(self):
        bench = hosting.Hosting(settings="max_connections = 120", max_size=SIZE)
        self.addCleanup(bench.__exit__)
        bench.__enter__()
        bench.cluster.sql("SELECT tidepool.execute('loop', 'SELECT 1')")
        worker = bench.worker()
        askers = [Asker(bench.cluster, n, CALLS // SESSIONS + (n < CALLS % SESSIONS)) for n in range(SESSIONS)]
        began = time.monotonic()
        for asker in askers:
            asker.start()
        most, disturbed = self.disturb(bench, askers, began + SECONDS_MAX)
        seconds = time.monotonic() - began
        for asker in askers:
            asker.join(1)
        hung = [asker.number for asker in askers if asker.is_alive()]
        wrong = [line for asker in askers for line in asker.wrong]
        answers, errors = sum(a.answers for a in askers), sum(a.errors for a in askers)
        print(f"{CALLS} calls, {answers} answers, {errors} errors, {disturbed} sessions cancelled or ended, "
              f"at most {most} remote sessions, {seconds:.1f} s, seed {SEED}", file=sys.stderr)
        self.assertEqual(hung, [])
        self.assertEqual(wrong, [])
        self.assertLessEqual(most, SIZE)
        self.assertGreater(answers, CALLS * 0.6)
        self.assertEqual(bench.worker(), worker)
        self.assertNotRegex(bench.cluster.log_text(), "PANIC|signal 1?[0-9]:|was terminated by signal")
        idle = lambda: bench.cluster.sql("SELECT in_use, waiting FROM tidepool.pools WHERE pool = 'loop'") == [["0", "0"]]
        self.assertTrue(wait_until(idle))

    def disturb(self, bench, askers, until):
        """Until all are done: cancels or terminates one of the sessions, and counts the remote ones."""
        chance = random.Random(SEED)
        most = disturbed = 0
        with bench.session() as watcher:
            while any(asker.is_alive() for asker in askers) and time.monotonic() < until:
                verb = chance.choice(["cancel", "cancel", "terminate"])
                counted = watcher.ask("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tidepool' "
                                      "AND backend_type = 'client backend'")
                most = max(most, int(counted or 0))
                hit = watcher.ask(f"SELECT pg_{verb}_backend(pid) FROM pg_stat_activity WHERE application_name = 'psql' "
                                  f"AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1")
                disturbed += hit == "t"
                time.sleep(0.03)
        return most, disturbed


if __name__ == "__main__":
    support.require_server()
    sys.exit(unittest.main(verbosity=1))
