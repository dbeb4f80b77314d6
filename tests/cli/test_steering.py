#!/usr/bin/python3
"""The commands that change pools, confirmations, and answers."""
import signal

import stage


class Steering(stage.CommandCase):
    def setUp(self):
        super().setUp()
        self.pools = self.owner()
        self.instance = self.pools.open("shop", "min_size=2 max_size=8 lease_timeout=0 log=off")

    def pool(self, column):
        return self.json_of("status", "shop")[0][column]

    def test_every_verb_is_a_command(self):
        verbs = {row["command"] for row in self.json_of("show", "command_help")}
        for verb in verbs:
            got = self.run_it("help", verb)
            self.assertIn("usage: tidepool %s" % verb.replace("_", "-"), got.out)
            self.assertIn("Examples:\n  tidepool", got.out)
            self.assertEqual(got.out, self.run_it(verb.replace("_", "-"), "--help").out)

    def test_sizes(self):
        self.assertEqual(self.run_it("scale", "shop", "4", "--reason", "a sale").out.split(":")[0], "applied")
        self.assertEqual(self.pool("target_size"), 4)
        self.assertEqual(self.json_of("show", "scaling_events")[-1]["reason"], "a sale")
        self.run_it("scale", "shop", "auto")
        self.assertIsNone(self.json_of("commands")[-1]["arguments"]["target_size"])
        self.run_it("burst", "shop", "30s")
        self.assertIsNotNone(self.pool("burst_until"))
        self.run_it("end-burst", "shop")
        self.assertIsNone(self.pool("burst_until"))

    def test_what_the_pool_says(self):
        self.assertIn("max_size is 9", self.run_it("set", "shop", "max_size", "9").out)
        self.assertEqual(self.pool("max_size"), 9)
        got = self.run_it("scale", "shop", "300", code=stage.FAILED)
        self.assertIn("300", got.err)
        self.assertEqual(self.json_of("commands")[-1]["status"], "refused")
        self.assertIn("max_size", got.err)

    def test_json(self):
        row = self.json_of("scale", "shop", "3")
        self.assertEqual((row["verb"], row["status"], row["pools"]), ("scale", "applied", 1))
        self.assertEqual(row["command_id"], self.json_of("commands")[-1]["command_id"])
        self.assertEqual(self.json_of("scale", "shop", "300", code=stage.FAILED)["status"], "refused")

    def test_wrong_arguments(self):
        for words, code, parts in (
                (("scale",), stage.MISUSE, ("POOL is missing", "usage: tidepool scale POOL TARGET_SIZE")),
                (("scale", "shop"), stage.MISUSE, ("TARGET_SIZE is missing",)),
                (("scale", "shop", "many"), stage.MISUSE, ('target_size is "many"', "a whole number")),
                (("scale", "shp", "3"), stage.NO_POOL, ('no pool "shp"', '"shop"')),
                (("scale", "shop", "3", "--raeson", "x"), stage.MISUSE, ('no option "--raeson"', '"--reason"')),
                (("scale", "shop", "3", "--timeout", "soon"), stage.MISUSE, ("--timeout", "soon")),
                (("set", "shop", "max_sise", "3"), stage.MISUSE, ('unknown option "max_sise"', '"max_size"')),
                (("burst", "shop", "30 parsecs"), stage.MISUSE, ("30 parsecs",)),
                (("revoke", "12345"), stage.NO_POOL, ("lease_id 12345", "leases")),
                (("ack", "7"), stage.NO_POOL, ("alert 7",)),
                (("paus", "shop"), stage.MISUSE, ('"pause"',))):
            got = self.run_it(*words, code=code)
            self.assertEqual(got.out, "")
            for part in parts:
                self.assertIn(part, got.err, words)
        self.assertEqual(self.json_of("commands"), [])

    def test_leases_and_connections(self):
        lease = self.pools.lease("shop", "report")
        connection = self.json_of("leases")[0]["conn_id"]
        self.run_it("revoke", str(lease))
        self.eventually(lambda: self.json_of("leases") == [], "the lease is gone")
        idle, = [row["conn_id"] for row in self.json_of("show", "connections") if row["conn_id"] != connection][:1]
        self.run_it("close-connection", str(idle), "--pool", "shop")
        self.eventually(lambda: idle not in [row["conn_id"] for row in self.json_of("show", "connections")], "it is closed")

    def test_alerts(self):
        self.run_it("set-alert", "sizeable", "--metric", "size", "--comparison", ">=", "--threshold", "1", "--hold", "0",
                    "--severity", "critical", "--message", "it has connections")
        self.eventually(lambda: any(row["state"] == "firing" for row in self.json_of("alerts")), "it fires")
        alert = [row for row in self.json_of("alerts") if row["rule"] == "sizeable"][0]
        self.assertEqual(self.run_it("check", "shop", code=2).out.split(" - ")[1].split(" |")[0], "shop: it has connections")
        self.run_it("ack", str(alert["alert_id"]), "--by", "alice")
        self.assertEqual(self.json_of("alerts")[0]["acked_by"], "alice")
        self.run_it("check", "shop")
        self.run_it("drop-alert", "sizeable")

    def test_other_verbs(self):
        for words in (("pause", "shop"), ("resume", "shop"), ("recycle", "shop", "1s"), ("reset-stats", "shop"),
                      ("check-health", "shop"), ("evaluate", "shop"), ("annotate", "shop", "release 42"),
                      ("clear_cache", "shop"), ("clear-cache", "shop", "--tag", "users"), ("clear-logs", "shop"),
                      ("drain", "shop")):
            self.run_it(*words)
        self.assertEqual(self.pool("state"), "draining")

    def test_confirmation(self):
        question = ("Continue? [y/N]", "n\n")
        got = self.on_terminal("drain", "shop", types=[question], code=stage.FAILED)
        for part in ('drain "shop"', "closes each connection", "not sent"):
            self.assertIn(part, got.out)
        self.on_terminal("pause", "shop", types=[("Continue?", "\n")], code=stage.FAILED)
        self.assertEqual(self.pool("state"), "running")
        self.on_terminal("pause", "shop", types=[("Continue?", "y\n")])
        self.assertEqual(self.pool("state"), "paused")
        self.assertNotIn("Continue?", self.on_terminal("resume", "shop").out)
        self.assertNotIn("Continue?", self.on_terminal("pause", "shop", "--yes").out)
        self.assertNotIn("Continue?", self.on_terminal("pause", "nope", code=stage.NO_POOL).out)

    def test_several_pools_of_one_name(self):
        other = self.owner().open("shop", "min_size=1 max_size=4 log=off")
        got = self.run_it("scale", "shop", "3", code=stage.MISUSE)
        for part in ("2 pools are named", self.instance, other, "instance_id"):
            self.assertIn(part, got.err)
        self.run_it("scale", "shop", "3", "--instance", other)
        self.run_it("scale", self.instance, "4")
        sizes = {row["instance_id"]: row["target_size"] for row in self.json_of("status")}
        self.assertEqual(sizes, {self.instance: 4, other: 3})
        self.assertEqual(self.json_of("set-alert", "sizeable", "--metric", "size", "--threshold", "1")["pools"], 2)

    def test_an_owner_that_does_not_answer(self):
        self.pools.process.send_signal(signal.SIGSTOP)
        self.addCleanup(self.pools.process.send_signal, signal.SIGCONT)
        got = self.run_it("scale", "shop", "3", "--timeout", "50ms", code=stage.FAILED)
        self.assertIn("has not been answered in time", got.err)
        self.assertEqual(self.run_it("scale", "shop", "4", "--timeout", "0").err, "")
        self.pools.process.send_signal(signal.SIGCONT)
        self.eventually(lambda: self.pool("target_size") == 4, "both are applied")

    def test_a_dead_owner(self):
        self.pools.kill()
        got = self.run_it("scale", "shop", "3", code=stage.FAILED)
        self.assertIn("its process has exited", got.err)

    def test_no_pool_at_all(self):
        self.pools.end()
        got = self.run_it("scale", "shop", "3", code=stage.NO_POOL)
        self.assertIn("no pools on this host", got.err)


if __name__ == "__main__":
    stage.main()
