#!/usr/bin/python3
"""A hot standby shows and controls pools like its primary, because nothing is stored in tables."""
import sys
import unittest

import cluster
import support


class Standby(unittest.TestCase):
    def setUp(self):
        self.bench = support.Bench(settings="wal_level = replica\nhot_standby = on")
        self.addCleanup(self.bench.__exit__)
        self.bench.__enter__()
        self.bench.owner().open("app", "min_size=1 max_size=4 scaling=off")
        self.bench.extension()
        primary = self.bench.cluster
        self.standby = cluster.Cluster(name="standby", stage=self.bench.stage, folder=self.bench.folder,
                                       settings=primary.settings + f"\nprimary_conninfo = '{self.conninfo()}'")
        self.standby.host = str(self.bench.private_folder("standby.s"))
        primary.run("pg_basebackup", "-h", primary.host, "-U", "postgres", "-D", self.standby.data, "--checkpoint=fast", "-R")
        self.addCleanup(self.standby.destroy)
        self.standby.configure()
        self.standby.start()

    def conninfo(self):
        return f"host={self.bench.cluster.host} port={self.bench.cluster.port} user=postgres"

    def test_views_and_functions_work_there(self):
        self.assertEqual(self.standby.value("SELECT pg_is_in_recovery()"), "t")
        self.assertEqual(self.standby.sql("SELECT pool, state FROM tidepool.pools"), [["app", "running"]])
        self.assertEqual(self.standby.value("SELECT tidepool.wait_applied(tidepool.scale('app', 3))"), "t")
        self.assertEqual(self.bench.cluster.value("SELECT target_size FROM tidepool.pools"), "3")

    def test_update_is_refused(self):
        with self.assertRaisesRegex(cluster.PsqlError, "25006"):
            self.standby.sql("UPDATE tidepool.pools SET target_size = 2")


if __name__ == "__main__":
    support.require_server()
    sys.exit(unittest.main(verbosity=1))
