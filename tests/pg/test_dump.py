#!/usr/bin/python3
"""Dumps keep servers, mappings and privileges; DROP EXTENSION leaves nothing; CREATE EXTENSION works again."""
import sys
import unittest

import cluster
import hosting
import support

# Privileges that were granted, and those after CREATE EXTENSION.
RIGHTS = """
SELECT kind, name, grantee, privilege_type FROM (
  SELECT 'function' AS kind, oid::regprocedure::text AS name, proacl AS acl FROM pg_proc
    WHERE pronamespace = 'tidepool'::regnamespace
  UNION ALL SELECT 'relation', oid::regclass::text, relacl FROM pg_class
    WHERE relnamespace = 'tidepool'::regnamespace AND relkind = 'v'
  UNION ALL SELECT 'schema', nspname, nspacl FROM pg_namespace WHERE nspname = 'tidepool'
  UNION ALL SELECT 'wrapper', fdwname, fdwacl FROM pg_foreign_data_wrapper
  UNION ALL SELECT 'server', srvname, srvacl FROM pg_foreign_server) AS o,
  LATERAL (SELECT a.grantee::regrole::text AS grantee, a.privilege_type FROM aclexplode(o.acl) AS a) AS g
ORDER BY 1, 2, 3, 4"""
SERVERS = """
SELECT srvname, srvowner::regrole, (SELECT string_agg(o, ',' ORDER BY o) FROM unnest(srvoptions) AS o),
  usename, (SELECT string_agg(o, ',' ORDER BY o) FROM unnest(umoptions) AS o)
FROM pg_foreign_server JOIN pg_user_mappings USING (srvname) ORDER BY 1, 4"""
MEMBERS = """
SELECT pg_describe_object(classid, objid, objsubid) FROM pg_depend WHERE deptype = 'e' AND refclassid = 'pg_extension'::regclass
ORDER BY 1"""
LEFT_OVER = """
SELECT 'schema' FROM pg_namespace WHERE nspname LIKE 'tidepool%'
UNION ALL SELECT 'wrapper' FROM pg_foreign_data_wrapper
UNION ALL SELECT 'server' FROM pg_foreign_server
UNION ALL SELECT 'mapping' FROM pg_user_mapping
UNION ALL SELECT 'function ' || proname FROM pg_proc WHERE probin LIKE '%tidepool%'
UNION ALL SELECT 'rights of old' FROM pg_init_privs WHERE privtype = 'e'"""
PASSWORD = r"p''w\d = ,"  # as written in SQL

GIVEN = """
GRANT USAGE ON SCHEMA tidepool TO tp_clerk;
GRANT SELECT ON tidepool.pools, tidepool.servers TO tp_clerk;
GRANT UPDATE (target_size) ON tidepool.pools TO tp_clerk;
GRANT EXECUTE ON FUNCTION tidepool.read_pools, tidepool.read_hosted, tidepool.query, tidepool.scale TO tp_clerk;
GRANT USAGE ON FOREIGN SERVER loop TO tp_clerk;
GRANT USAGE ON FOREIGN DATA WRAPPER tidepool TO tp_clerk WITH GRANT OPTION;
REVOKE SELECT ON tidepool.events FROM pg_monitor;
REVOKE EXECUTE ON FUNCTION tidepool.read_events FROM pg_monitor"""


class Dump(unittest.TestCase):
    def setUp(self):
        self.bench = hosting.Hosting()
        self.addCleanup(self.bench.__exit__)
        self.bench.__enter__()
        self.sql = self.bench.cluster.sql
        self.sql("CREATE ROLE tp_clerk LOGIN")
        self.bench.serve("theirs", user="tp_clerk", mapping=f"user 'postgres', password '{PASSWORD}'")
        self.sql(GIVEN)
        self.sql("ALTER SERVER theirs OWNER TO tp_clerk")

    def run_on(self, server, program, *arguments):
        return server.run(program, "-h", server.host, "-p", server.port, "-U", "postgres", *arguments).stdout

    def look(self, database="postgres", server=None):
        sql = (server or self.bench.cluster).sql
        return {"rights": sql(RIGHTS, database=database), "servers": sql(SERVERS, database=database),
                "members": sql(MEMBERS, database=database)}

    def assert_same(self, one, other):
        for what, rows in one.items():
            with self.subTest(what):
                self.assertEqual(rows, other[what])

    def column_rights(self, database="postgres", server=None):
        return (server or self.bench.cluster).sql(
            "SELECT attname, attacl FROM pg_attribute WHERE attacl IS NOT NULL AND attrelid = 'tidepool.pools'::regclass",
            database=database)

    def test_plain_dump_into_a_new_database(self):
        before = self.look()
        self.assertIn("p'w\\d = ,", str(before["servers"][1][4]).replace("\\\\", "\\"))
        self.assertIn(["server", "loop", "tp_clerk", "USAGE"], before["rights"])
        dump = self.run_on(self.bench.cluster, "pg_dump", "postgres")
        self.sql("CREATE DATABASE restored")
        self.sql(dump, database="restored")
        self.assert_same(before, self.look("restored"))
        self.assertEqual(self.column_rights(), self.column_rights("restored"))
        self.assertEqual(self.sql("SELECT x FROM tidepool.query('loop', 'SELECT 1') AS (x int)", database="restored"),
                         [["1"]])

    def test_custom_dump_with_pg_restore(self):
        before = self.look()
        file = self.bench.private_folder("dump") / "all.dump"
        self.run_on(self.bench.cluster, "pg_dump", "-Fc", "-f", file, "postgres")
        self.run_on(self.bench.cluster, "createdb", "restored")
        self.run_on(self.bench.cluster, "pg_restore", "--exit-on-error", "-d", "restored", file)
        self.assert_same(before, self.look("restored"))

    def test_another_server_with_its_roles(self):
        roles = self.run_on(self.bench.cluster, "pg_dumpall", "-g")
        dump = self.run_on(self.bench.cluster, "pg_dump", "postgres")
        other = cluster.Cluster(name="other", stage=self.bench.stage, folder=self.bench.folder,
                                settings=f"tidepool.dir = '{self.bench.segments}'")
        self.addCleanup(other.destroy)
        other.create().start()
        other.sql("\\set ON_ERROR_STOP 0\n" + roles)  # it already has a postgres
        other.sql(dump)
        self.assert_same(self.look(), self.look(server=other))

    def test_dropping_leaves_nothing(self):
        before = self.sql(MEMBERS)
        with self.assertRaisesRegex(cluster.PsqlError, "2BP01.*cannot drop extension tidepool"):
            self.sql("DROP EXTENSION tidepool")
        self.sql("DROP EXTENSION tidepool CASCADE")
        self.assertEqual(self.sql(LEFT_OVER), [])
        self.sql("DROP ROLE tp_clerk; CREATE EXTENSION tidepool")
        self.assertEqual(self.sql(MEMBERS), before)
        self.assertEqual(self.sql(SERVERS), [])
        self.assertEqual(self.sql("SELECT pool FROM tidepool.pools WHERE source = 'segment'"), [])
        self.bench.serve("loop")
        self.assertEqual(self.bench.ask("SELECT 1"), "1")


if __name__ == "__main__":
    support.require_server()
    sys.exit(unittest.main(verbosity=1))
