#!/usr/bin/python3
"""Hosted pools whose server is a PgBouncer."""
import unittest

import bouncer
import hosting
import support
from bouncer import Bouncer
from cluster import PsqlError


class HostedPooler(hosting.Case):
    def setUp(self):
        self.sql("DROP TABLE IF EXISTS t; CREATE TABLE t (a int)")

    def ask(self, server, statement):
        return self.bench.cluster.value(f"SELECT * FROM tidepool.query('{server}', $q${statement}$q$) AS (x text)")

    def execute(self, server, statement):
        return self.bench.cluster.value(f"SELECT tidepool.execute('{server}', $q${statement}$q$)")

    def serve(self, bouncer_, name, pooler):
        self.bench.serve(name, host=bouncer_.folder, port=bouncer.PORT, max_size=2, pooler=pooler)
        self.addCleanup(self.sql, f"DROP SERVER {name} CASCADE")

    def test_through_one_in_session_mode(self):
        with Bouncer(self.bench.cluster, "session", default_pool_size=2) as b:
            self.serve(b, "far", "session")
            self.assertEqual(self.ask("far", "SELECT 1 + 1"), "2")
            self.assertEqual(self.execute("far", "INSERT INTO t VALUES (1), (2)"), "2")
            self.assertEqual(self.ask("far", "SELECT count(*) FROM t"), "2")
            self.assertEqual(self.sql("SELECT pooler FROM tidepool.pools WHERE pool = 'far'"), [["session"]])
            with self.assertRaisesRegex(PsqlError, "22012"):
                self.ask("far", "SELECT 1/0")
            told = str(self.sql("""BEGIN; SELECT tidepool.lease('far') > 0;
              SELECT tidepool.execute('far', 'BEGIN; INSERT INTO t VALUES (7)');
              SELECT 'seen=' || count(*) FROM tidepool.query('far', 'SELECT a FROM t') AS (a int);
              SELECT tidepool.execute('far', 'ROLLBACK'); COMMIT"""))
            self.assertIn("seen=3", told)
            self.assertEqual(self.ask("far", "SELECT count(*) FROM t"), "2")
            for statement in ("SET search_path = evil", "SET ROLE pg_monitor", "SET datestyle = 'SQL, DMY'"):
                self.execute("far", statement)
                self.assertEqual(self.ask("far", "SHOW search_path"), '"$user", public')
                self.assertEqual(self.ask("far", "SELECT current_user"), "postgres")
                self.assertEqual(self.ask("far", "SELECT date '2026-02-03'"), "2026-02-03")

    # In this mode other clients get the session after each transaction, and a hosted pool cannot prevent its callers
    # from leaving state in it: so it is refused immediately, with a hint. This also applies to a detected pooler.
    def test_one_in_transaction_mode_is_refused(self):
        for mode, pooler in (("transaction", "transaction"), ("transaction", "auto"), ("session", "auto")):
            with self.subTest(mode=mode, pooler=pooler), Bouncer(self.bench.cluster, mode) as b:
                self.serve(b, f"far_{mode}_{pooler}", pooler)
                with self.assertRaises(PsqlError) as caught:
                    self.ask(f"far_{mode}_{pooler}", "SELECT 1")
                self.assertIn("cannot be used with this pooler", str(caught.exception))
                self.assertIn("pooler=session", str(caught.exception))


if __name__ == "__main__":
    support.require_server()
    bouncer.require_bouncer()
    unittest.main()
