// Recovery: each strategy when it can help, with a record of every attempt; and what is released when memory is short.
#include "health_rig.hpp"

namespace tide::test {
namespace {

// Enough faults to fail the check, too few for an emergency.
constexpr Load kIll{.queries = 100, .faults = 20};

std::vector<std::string> outcomes(const HealthRig& rig, const std::string& strategy) {
  std::vector<std::string> out;
  for (const action::Note& action : all<action::Note>(rig.told)) {
    if (action.event != EventKind::recovery) continue;
    if (action.detail.find("\"" + strategy + "\"") == std::string::npos) continue;
    const size_t at = action.detail.find("\"outcome\":\"") + 11;
    out.push_back(action.detail.substr(at, action.detail.find('"', at) - at));
  }
  return out;
}

TEST(Recovery, ReplacesConnectionsWhenPerformanceFailsAndReportsSuccess) {
  Policy policy = HealthRig::quick();
  policy.recovery = "restart_connections";
  HealthRig rig(policy);
  const uint64_t before = rig.last_conn_id;
  for (int i = 0; i < 4; ++i) rig.second(kIll);
  EXPECT_EQ(outcomes(rig, "restart_connections"), (std::vector<std::string>{"begun"}));
  for (int i = 0; i < 30; ++i) rig.second({});
  EXPECT_EQ(outcomes(rig, "restart_connections").back(), "success");
  EXPECT_GE(rig.last_conn_id, before + 2);
  for (const SlotCensus& slot : rig.slots) EXPECT_GT(slot.conn_id, before);
}

TEST(Recovery, GivesUpAfterMaxAttemptsUntilAllChecksAreOk) {
  Policy policy = HealthRig::quick();
  policy.recovery = "restart_connections";
  policy.recovery_max_attempts = 2;
  HealthRig rig(policy);
  for (int i = 0; i < 120; ++i) rig.second(kIll);
  EXPECT_EQ(outcomes(rig, "restart_connections"),
            (std::vector<std::string>{"begun", "failure", "begun", "failure", "given_up"}));
  for (int i = 0; i < 30; ++i) rig.second({});
  rig.told.clear();
  for (int i = 0; i < 5; ++i) rig.second(kIll);
  EXPECT_EQ(outcomes(rig, "restart_connections"), (std::vector<std::string>{"begun"}));
}

TEST(Recovery, GrowsWhenRequestsTimeOut) {
  Policy policy = HealthRig::quick();
  policy.recovery = "scale_pool";
  policy.sizing = Sizing::threshold;
  HealthRig rig(policy);
  const int64_t before = rig.outlook.target_size;
  for (int i = 0; i < 3; ++i) rig.second({.requests = 100, .timeouts = 50});
  EXPECT_EQ(rig.outlook.target_size, before + policy.grow_step);
  EXPECT_EQ(outcomes(rig, "scale_pool").front(), "begun");
}

TEST(Recovery, SkipsStrategiesThatCannotHelp) {
  Policy policy = HealthRig::quick();
  policy.recovery = "scale_pool,restart_connections";
  HealthRig rig(policy);
  for (int i = 0; i < 3; ++i) rig.second(kIll);
  EXPECT_TRUE(outcomes(rig, "scale_pool").empty());
  EXPECT_FALSE(outcomes(rig, "restart_connections").empty());
}

TEST(Recovery, ResetMetricsResetsLoadStatistics) {
  Policy policy = HealthRig::quick();
  policy.recovery = "reset_metrics";
  HealthRig rig(policy);
  for (int i = 0; i < 30; ++i) rig.second({.hold_ms = 500});
  EXPECT_NEAR(rig.brain.sizer().facts().hold_s, 0.5, 0.01);
  const uint64_t queries = rig.traffic.queries_total;
  for (int i = 0; i < 8; ++i) rig.second(kIll);
  ASSERT_FALSE(outcomes(rig, "reset_metrics").empty());
  EXPECT_EQ(outcomes(rig, "reset_metrics").front(), "begun");
  EXPECT_LT(rig.brain.sizer().facts().hold_s, 0.1);
  EXPECT_EQ(rig.traffic.queries_total, queries + 800);
}

// The latest alert of a rule.
const brain::Alert* alert_of(const HealthRig& rig, const std::string& rule) {
  const brain::AlertMonitor& alert_monitor = rig.brain.alert_monitor();
  const brain::Alert* found = nullptr;
  for (size_t place = 0; place < alert_monitor.places(); ++place) {
    const brain::Alert& alert = alert_monitor.alert(place);
    if (alert.number != 0 && alert.rule == rule && (!found || alert.number > found->number)) found = &alert;
  }
  return found;
}

// 264 faults within 17 s, at rates of 8 and 24 %.
TEST(Recovery, ResetMetricsKeepsInputsOfAlerts) {
  for (const char* recovery : {"", "reset_metrics", "reset_metrics,restart_connections,scale_pool"}) {
    SCOPED_TRACE(recovery);
    Policy policy = HealthRig::quick();
    policy.recovery = recovery;
    policy.recovery_max_attempts = 100;
    HealthRig rig(policy);
    for (int i = 0; i < 17; ++i) rig.second({.queries = 100, .faults = i % 2 == 0 ? 8U : 24U});
    EXPECT_EQ(rig.times(EventKind::recovery) > 0, *recovery != '\0');
    const brain::Alert* rate = alert_of(rig, "error_rate");
    ASSERT_NE(rate, nullptr);
    EXPECT_EQ(rate->state, AlertState::firing);
    const brain::Alert* errors = alert_of(rig, "errors_per_hour");
    ASSERT_NE(errors, nullptr);
    EXPECT_EQ(errors->state, AlertState::firing);
    EXPECT_EQ(errors->value, 264);
  }
}

constexpr Load kRefused{.requests = 100, .timeouts = 50};

// The adaptive sizer sees almost no load, and would close them within seconds.
TEST(Recovery, OpenedConnectionsAreKeptForAWhile) {
  Policy policy = HealthRig::quick();
  policy.recovery = "scale_pool";
  policy.recovery_max_attempts = 1;
  HealthRig rig(policy);
  const int64_t before = rig.outlook.target_size;
  for (int i = 0; i < 10 && outcomes(rig, "scale_pool").empty(); ++i) rig.second(kRefused);
  const int64_t held = rig.outlook.target_size;
  ASSERT_EQ(held, before + policy.grow_step);
  for (int i = 0; i < 58; ++i) {
    rig.second({.requests = 20});
    ASSERT_GE(rig.outlook.target_size, held) << i;
    ASSERT_NE(rig.outlook.size_source, SizeSource::config);
  }
  for (int i = 0; i < 120; ++i) rig.second({.requests = 20});
  EXPECT_LT(rig.outlook.target_size, held);
}

TEST(Recovery, OpenedConnectionsAreNotKeptAgainstCommand) {
  Policy policy = HealthRig::quick();
  policy.recovery = "scale_pool";
  HealthRig rig(policy);
  for (int i = 0; i < 10 && outcomes(rig, "scale_pool").empty(); ++i) rig.second(kRefused);
  ASSERT_GT(rig.outlook.target_size, 2);
  EXPECT_EQ(rig.order(Verb::scale, 2).kind, Verdict::Kind::applied);
  rig.second({});
  EXPECT_EQ(rig.outlook.target_size, 2);
  EXPECT_EQ(rig.outlook.size_source, SizeSource::manual);
}

TEST(Recovery, NoAttemptWhileConnectsFail) {
  Policy policy = HealthRig::quick();
  policy.recovery = "scale_pool,reset_metrics";
  policy.breaker_trip_after = Span::seconds(3);
  HealthRig rig(policy);
  rig.is_server_up = false;
  rig.slots.clear();
  rig.second({});
  for (int i = 0; i < 60; ++i) rig.second(kRefused);
  EXPECT_EQ(rig.outlook.breaker == BreakerState::open || rig.outlook.breaker == BreakerState::half_open, true);
  EXPECT_TRUE(outcomes(rig, "scale_pool").empty());
  bool is_open = false;
  for (const action::Note& action : all<action::Note>(rig.told)) {
    is_open = is_open || action.event == EventKind::breaker_open;
    const bool is_begun = action.event == EventKind::recovery && action.detail.find("begun") != std::string::npos;
    EXPECT_FALSE(is_open && is_begun) << action.text;
  }
  EXPECT_TRUE(is_open);
}

// The result is decided by the next check, at its time: not by what was known when the attempt began.
TEST(Recovery, AttemptIsJudgedByNextHealthCheck) {
  Policy policy = HealthRig::quick();
  policy.recovery = "restart_connections";
  HealthRig rig(policy);
  while (outcomes(rig, "restart_connections").empty()) rig.second(kIll);
  const uint64_t round = rig.brain.health().rounds;
  for (int i = 0; i < 40 && outcomes(rig, "restart_connections").size() == 1; ++i) {
    rig.now += Span::millis(100);
    rig.round();
    if (outcomes(rig, "restart_connections").size() == 1) continue;
    EXPECT_GT(rig.brain.health().rounds, round);
  }
  // Checks that still fail mean nothing before the attempt can have had an effect.
  EXPECT_EQ(outcomes(rig, "restart_connections").size(), 1U);
  for (int i = 0; i < 30; ++i) rig.second({.queries = 2000});
  EXPECT_EQ(outcomes(rig, "restart_connections"), (std::vector<std::string>{"begun", "success"}));
  EXPECT_FALSE(rig.brain.health().has(HealthStatus::failed));
}

TEST(Recovery, EmptyDisablesRecovery) {
  Policy policy = HealthRig::quick();
  policy.recovery = "";
  HealthRig rig(policy);
  for (int i = 0; i < 60; ++i) rig.second(kIll);
  EXPECT_EQ(rig.times(EventKind::recovery), 0);
}

TEST(Pressure, DropsCachesThenIdleConnectionsAboveLowest) {
  Policy policy = HealthRig::quick();
  policy.scaling = false;
  HealthRig rig(policy);
  for (int i = 0; i < 6; ++i) rig.add(Phase::idle);
  (void)rig.order(Verb::scale, 8);
  (void)rig.order(Verb::scale, -1);
  rig.second({});
  ASSERT_EQ(rig.slots.size(), 8U);
  rig.resources.memory_limit_bytes = 1e9;
  rig.resources.memory_bytes = 0.95e9;
  rig.tick_after(Span::millis(10));
  EXPECT_EQ(rig.count<action::ShedMemory>(), 1);
  EXPECT_EQ(rig.count<action::Retire>(), 0);
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

TEST(Pressure, DoesNotFlapAtThreshold) {
  HealthRig rig;
  rig.resources.memory_limit_bytes = 1e9;
  for (int i = 0; i < 50; ++i) {
    rig.resources.memory_bytes = i % 2 == 0 ? 0.905e9 : 0.895e9;
    rig.second({});
  }
  EXPECT_EQ(rig.times(EventKind::memory_pressure), 1);
}

TEST(Pressure, WaitersAreStillServed) {
  HealthRig rig;
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
