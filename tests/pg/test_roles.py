#!/usr/bin/python3
"""Every view and every function of the extension, for every kind of role: what is allowed and what is not.

The objects come from the catalogues, so later additions are covered too: a view or function that is not named below is
expected to be for superusers only.
"""
import sys
import unittest

import support
from cluster import PsqlError

GRANTED = "pause"  # the only verb that tp_operator may use
# for all roles that may read
REPORTS = ("version", "health", "check_options", "archive", "export", "health_report", "dashboard")
READERS = ("tp_monitor", "tp_operator")
ROLES = ("tp_plain", *READERS, "postgres")


class Roles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bench = support.Bench()
        cls.addClassCleanup(cls.bench.__exit__)
        cls.bench.__enter__()
        cls.bench.owner().open("app", "min_size=1 max_size=2 scaling=off")  # an UPDATE to the same value is no command
        cls.bench.extension()
        cls.sql("""CREATE ROLE tp_plain LOGIN; CREATE ROLE tp_monitor LOGIN IN ROLE pg_monitor;
                   CREATE ROLE tp_operator LOGIN IN ROLE pg_monitor;
                   GRANT EXECUTE ON FUNCTION tidepool.pause TO tp_operator;
                   CREATE SCHEMA AUTHORIZATION tp_plain; CREATE SCHEMA AUTHORIZATION tp_monitor;
                   CREATE SCHEMA AUTHORIZATION tp_operator""")
        members = "SELECT objid FROM pg_depend WHERE deptype = 'e' AND refobjid = (SELECT oid FROM pg_extension " \
                  "WHERE extname = 'tidepool')"
        cls.views = [row[0] for row in
                     cls.sql(f"SELECT oid::regclass FROM pg_class WHERE relkind = 'v' AND oid IN ({members})")]
        cls.functions = cls.sql(
            "SELECT proname, oid::regprocedure, array_to_string(ARRAY(SELECT 'NULL::' || t::regtype FROM "
            "unnest(proargtypes) WITH ORDINALITY AS a (t, n) WHERE n <= pronargs - pronargdefaults), ', '), "
            f"provariadic <> 0 OR proisstrict, prorettype::regtype FROM pg_proc WHERE oid IN ({members}) ORDER BY 2")

    @classmethod
    def sql(cls, text, user="postgres"):
        return cls.bench.cluster.sql(text, user=user)

    def is_refused(self, text, user):
        """True if the statement fails because of a missing privilege; other errors do not matter here."""
        try:
            self.sql(text, user)
        except PsqlError as error:
            return "42501" in str(error)
        return False

    def may_read(self, role, view):
        return role == "postgres" or (role in READERS and view.startswith("tidepool."))

    def may_call(self, role, name, returns):
        if role == "postgres":
            return True
        if role not in READERS:
            return False
        return name.startswith("read_") or name in REPORTS or (role == "tp_operator" and name == GRANTED)

    def test_catalogues_are_not_empty(self):
        self.assertGreaterEqual(len(self.views), 17)
        self.assertGreaterEqual(len(self.functions), 34)

    def test_views(self):
        for view in self.views:
            for role in ROLES:
                with self.subTest(view=view, role=role):
                    self.assertEqual(self.is_refused(f"SELECT * FROM {view} LIMIT 1", role), not self.may_read(role, view))

    def test_only_superusers_write(self):
        for view in self.views:
            for role in ROLES[:-1]:
                for privilege in ("INSERT", "UPDATE", "DELETE", "TRUNCATE", "TRIGGER", "REFERENCES"):
                    with self.subTest(view=view, role=role, privilege=privilege):
                        held = self.sql(f"SELECT has_table_privilege('{role}', '{view}', '{privilege}')")
                        self.assertEqual(held, [["f"]])

    def test_functions_by_the_catalogue(self):
        for name, signature, _, _, returns in self.functions:
            for role in ROLES:
                with self.subTest(function=signature, role=role):
                    held = self.sql(f"SELECT has_function_privilege('{role}', '{signature}', 'EXECUTE')")
                    self.assertEqual(held, [["t" if self.may_call(role, name, returns) else "f"]])

    def test_functions_when_called(self):
        for name, signature, arguments, is_special, returns in self.functions:
            # For a call with NULL, a strict function's privilege is not checked.
            if returns in ("trigger", "fdw_handler", "record", "internal") or is_special == "t":
                continue
            for role in ROLES:
                with self.subTest(function=signature, role=role):
                    self.assertEqual(self.is_refused(f"SELECT tidepool.{name}({arguments})", role),
                                     not self.may_call(role, name, returns))

    def test_update_needs_the_verb(self):
        self.sql("GRANT UPDATE ON tidepool.pools, tidepool.settings TO tp_operator, tp_monitor")
        try:
            for role, column, value, may in (
                    ("tp_monitor", "target_size", "2", False), ("tp_monitor", "state", "'paused'", False),
                    ("tp_operator", "target_size", "2", False), ("tp_operator", "max_size", "3", False),
                    ("tp_operator", "state", "'draining'", False), ("tp_operator", "state", "'paused'", True)):
                with self.subTest(role=role, column=column, value=value):
                    refused = self.is_refused(f"UPDATE tidepool.pools SET {column} = {value} WHERE pool = 'app'", role)
                    self.assertEqual(refused, not may)
            self.assertTrue(self.is_refused("UPDATE tidepool.settings SET value = '3' WHERE name = 'max_size'",
                                            "tp_operator"))
            verbs = self.sql("SELECT DISTINCT verb, actor FROM tidepool.commands")
            self.assertEqual(verbs, [["pause", "tp_operator"]])
        finally:
            self.sql("REVOKE UPDATE ON tidepool.pools, tidepool.settings FROM tp_operator, tp_monitor")
            self.sql("SELECT tidepool.resume('app')")

    def test_custom_trigger_issues_no_command(self):
        self.sql("CREATE VIEW pools AS SELECT 1 AS pool", "tp_plain")
        self.assertTrue(self.is_refused("CREATE TRIGGER t INSTEAD OF UPDATE ON pools FOR EACH ROW EXECUTE FUNCTION "
                                        "tidepool.update()", "tp_plain"))


if __name__ == "__main__":
    support.require_server()
    sys.exit(unittest.main(verbosity=1))
