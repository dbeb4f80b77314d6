// Recovery: each strategy where it can help, with a record of every attempt; and what goes when memory is short.
#include "medic_rig.hpp"

namespace tide::test {
namespace {

// Enough faults to fail the check, too few for an emergency.
constexpr Load kIll{.queries = 100, .faults = 20};

std::vector<std::string> outcomes(const MedicRig& rig, const std::string& strategy) {
  std::vector<std::string> out;
  for (const Action& action : rig.told) {
    if (action.kind != Action::Kind::note || action.event != EventKind::recovery) continue;
    if (action.detail.find("\"" + strategy + "\"") == std::string::npos) continue;
    const size_t at = action.detail.find("\"outcome\":\"") + 11;
    out.push_back(action.detail.substr(at, action.detail.find('"', at) - at));
  }
  return out;
}

TEST(Recovery, ReplacesConnectionsWhenPerformanceFailsAndTellsThatItHelped) {
  Policy policy = MedicRig::quick();
  policy.recovery = "restart_connections";
  MedicRig rig(policy);
  const uint64_t before = rig.last_conn_id;
  for (int i = 0; i < 4; ++i) rig.second(kIll);
  EXPECT_EQ(outcomes(rig, "restart_connections"), (std::vector<std::string>{"begun"}));
  for (int i = 0; i < 30; ++i) rig.second({});
  EXPECT_EQ(outcomes(rig, "restart_connections").back(), "success");
  EXPECT_GE(rig.last_conn_id, before + 2);
  for (const SlotCensus& slot : rig.slots) EXPECT_GT(slot.conn_id, before);
}

TEST(Recovery, GivesUpAfterSoManyAttemptsUntilAllIsWell) {
  Policy policy = MedicRig::quick();
  policy.recovery = "restart_connections";
  policy.recovery_max_attempts = 2;
  MedicRig rig(policy);
  for (int i = 0; i < 120; ++i) rig.second(kIll);
  EXPECT_EQ(outcomes(rig, "restart_connections"),
            (std::vector<std::string>{"begun", "failure", "begun", "failure", "given_up"}));
  for (int i = 0; i < 30; ++i) rig.second({});
  rig.told.clear();
  for (int i = 0; i < 5; ++i) rig.second(kIll);
  EXPECT_EQ(outcomes(rig, "restart_connections"), (std::vector<std::string>{"begun"}));
}

TEST(Recovery, GrowsWhenRequestsGetNothing) {
  Policy policy = MedicRig::quick();
  policy.recovery = "scale_pool";
  policy.sizing = Sizing::threshold;
  MedicRig rig(policy);
  const int64_t before = rig.outlook.target_size;
  for (int i = 0; i < 3; ++i) rig.second({.requests = 100, .timeouts = 50});
  EXPECT_EQ(rig.outlook.target_size, before + policy.grow_step);
  EXPECT_EQ(outcomes(rig, "scale_pool").front(), "begun");
}

TEST(Recovery, PassesOverWhatCannotHelp) {
  Policy policy = MedicRig::quick();
  policy.recovery = "scale_pool,restart_connections";
  MedicRig rig(policy);
  for (int i = 0; i < 3; ++i) rig.second(kIll);
  EXPECT_TRUE(outcomes(rig, "scale_pool").empty());
  EXPECT_FALSE(outcomes(rig, "restart_connections").empty());
}

TEST(Recovery, ForgetsWhatWasLearnt) {
  Policy policy = MedicRig::quick();
  policy.recovery = "reset_metrics";
  MedicRig rig(policy);
  for (int i = 0; i < 30; ++i) rig.second({.hold_ms = 500});
  EXPECT_NEAR(rig.brain.sizer().facts().hold_s, 0.5, 0.01);
  const uint64_t queries = rig.traffic.queries_total;
  for (int i = 0; i < 8; ++i) rig.second(kIll);
  ASSERT_FALSE(outcomes(rig, "reset_metrics").empty());
  EXPECT_EQ(outcomes(rig, "reset_metrics").front(), "begun");
  EXPECT_LT(rig.brain.sizer().facts().hold_s, 0.1);
  EXPECT_EQ(rig.traffic.queries_total, queries + 800);
}

TEST(Recovery, EmptyMeansNothing) {
  Policy policy = MedicRig::quick();
  policy.recovery = "";
  MedicRig rig(policy);
  for (int i = 0; i < 60; ++i) rig.second(kIll);
  EXPECT_EQ(rig.times(EventKind::recovery), 0);
}

TEST(Pressure, CachesGoFirstThenIdleConnectionsAboveTheLowest) {
  Policy policy = MedicRig::quick();
  policy.scaling = false;
  MedicRig rig(policy);
  for (int i = 0; i < 6; ++i) rig.add(Phase::idle);
  (void)rig.order(Verb::scale, 8);
  (void)rig.order(Verb::scale, -1);
  rig.second({});
  ASSERT_EQ(rig.slots.size(), 8U);
  rig.resources.memory_limit_bytes = 1e9;
  rig.resources.memory_bytes = 0.95e9;
  rig.tick_after(Span::millis(10));
  EXPECT_EQ(rig.count(Action::Kind::shed_memory), 1);
  EXPECT_EQ(rig.count(Action::Kind::retire), 0);
  ASSERT_NE(rig.note(EventKind::memory_pressure), nullptr);
  EXPECT_EQ(rig.note(EventKind::memory_pressure)->severity, Severity::warning);
  for (int i = 0; i < 4; ++i) rig.second({});
  EXPECT_EQ(rig.slots.size(), 2U);
  EXPECT_EQ(rig.outlook.target_size, 2);
  rig.told.clear();
  rig.resources.memory_bytes = 0.5e9;
  rig.second({});
  EXPECT_EQ(rig.times(EventKind::memory_pressure), 1);
}

TEST(Pressure, DoesNotFlapAtTheEdge) {
  MedicRig rig;
  rig.resources.memory_limit_bytes = 1e9;
  for (int i = 0; i < 50; ++i) {
    rig.resources.memory_bytes = i % 2 == 0 ? 0.905e9 : 0.895e9;
    rig.second({});
  }
  EXPECT_EQ(rig.times(EventKind::memory_pressure), 1);
}

TEST(Pressure, WhoWaitsIsStillServed) {
  MedicRig rig;
  rig.lease_all();
  rig.resources.memory_limit_bytes = 1e9;
  rig.resources.memory_bytes = 0.99e9;
  rig.waiting = 2;
  rig.waiting_since = rig.now;
  for (int i = 0; i < 3; ++i) rig.second({});
  EXPECT_EQ(rig.slots.size(), 4U);
}

}  // namespace
}  // namespace tide::test
