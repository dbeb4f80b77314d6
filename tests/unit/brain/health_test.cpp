// Each check changes to warning, to failed, and back; and the resulting score.
#include "health_rig.hpp"

namespace tide::test {
namespace {

void expect(const HealthRig& rig, HealthCheck check, HealthStatus status) {
  const brain::Finding& finding = rig.finding(check);
  EXPECT_EQ(finding.status, status) << word(check) << ": " << finding.message;
  const bool is_in_range = status == HealthStatus::ok        ? finding.score == 100
                           : status == HealthStatus::warning ? finding.score >= 50 && finding.score < 100
                                                             : finding.score < 50;
  EXPECT_TRUE(is_in_range) << finding.score;
  EXPECT_FALSE(finding.message.empty());
  EXPECT_EQ(finding.checked_at, rig.now);
}

void expect_formula(const HealthRig& rig) {
  const brain::Health& health = rig.brain.health();
  const double c = health.of(HealthCheck::connectivity).score, p = health.of(HealthCheck::performance).score;
  const double r = health.of(HealthCheck::resources).score, s = health.of(HealthCheck::scaling).score;
  const double mean = 0.35 * c + 0.30 * p + 0.15 * r + 0.20 * s;
  EXPECT_NEAR(static_cast<double>(health.score), std::min(mean, 10 + 0.9 * std::min(c, p)), 0.51);
}

TEST(Health, HealthyPoolScores100) {
  HealthRig rig;
  rig.second({});
  EXPECT_EQ(rig.brain.health().score, 100);
  for (const HealthCheck check :
       {HealthCheck::connectivity, HealthCheck::performance, HealthCheck::resources, HealthCheck::scaling}) {
    expect(rig, check, HealthStatus::ok);
  }
}

TEST(Health, ConnectivityWarnsOnFailedConnectsAndFailsWithoutConnection) {
  Policy policy = HealthRig::quick();
  policy.min_size = 3;
  policy.breaker_trip_after = Span::seconds(600);
  HealthRig rig(policy);
  rig.is_server_up = false;
  rig.remove(0);
  rig.second({});
  rig.second({});
  expect(rig, HealthCheck::connectivity, HealthStatus::warning);
  rig.slots.clear();
  for (int i = 0; i < 3; ++i) rig.second({.queries = 0, .requests = 0});
  expect(rig, HealthCheck::connectivity, HealthStatus::failed);
  EXPECT_EQ(rig.finding(HealthCheck::connectivity).score, 0);
  EXPECT_LE(rig.brain.health().score, 10);
  EXPECT_EQ(rig.outlook.state, PoolState::degraded);
  expect_formula(rig);
  rig.is_server_up = true;
  for (int i = 0; i < 12; ++i) rig.second({});
  expect(rig, HealthCheck::connectivity, HealthStatus::ok);
  EXPECT_EQ(rig.outlook.state, PoolState::running);
  EXPECT_EQ(rig.times(EventKind::health_failed), 1);
  EXPECT_EQ(rig.times(EventKind::health_ok), 1);
}

TEST(Health, MissingFileFailsWithLiveConnections) {
  HealthRig rig;
  rig.second({.queries = 10});
  expect(rig, HealthCheck::connectivity, HealthStatus::ok);
  rig.resources.is_file_missing = true;
  rig.second({.queries = 10});
  expect(rig, HealthCheck::connectivity, HealthStatus::failed);
  EXPECT_NE(rig.finding(HealthCheck::connectivity).message.find("deleted or replaced"), std::string::npos);
  expect_formula(rig);
  rig.resources.is_file_missing = false;
  for (int i = 0; i < 20; ++i) rig.second({.queries = 10});
  expect(rig, HealthCheck::connectivity, HealthStatus::ok);
}

TEST(Health, PerformanceUsesShareOfFaults) {
  HealthRig rig;
  rig.second({.queries = 1'000, .faults = 40});
  expect(rig, HealthCheck::performance, HealthStatus::warning);
  EXPECT_NEAR(rig.finding(HealthCheck::performance).value, 0.04, 1e-9);
  for (int i = 0; i < 20; ++i) rig.second({.queries = 1'000, .faults = 80});
  expect(rig, HealthCheck::performance, HealthStatus::failed);
  expect_formula(rig);
  for (int i = 0; i < 20; ++i) rig.second({.queries = 1'000});
  expect(rig, HealthCheck::performance, HealthStatus::ok);
}

TEST(Health, PerformanceUsesMeanDuration) {
  Policy policy = HealthRig::quick();
  policy.health_max_response = Span::millis(100);
  HealthRig rig(policy);
  for (int i = 0; i < 20; ++i) rig.second({.query_ms = 80});
  expect(rig, HealthCheck::performance, HealthStatus::warning);
  for (int i = 0; i < 20; ++i) rig.second({.query_ms = 150});
  expect(rig, HealthCheck::performance, HealthStatus::failed);
  EXPECT_NEAR(rig.finding(HealthCheck::performance).value, 150, 1);
  for (int i = 0; i < 20; ++i) rig.second({.query_ms = 10});
  expect(rig, HealthCheck::performance, HealthStatus::ok);
}

TEST(Health, TooFewStatementsAreOk) {
  HealthRig rig;
  rig.second({.queries = 2, .faults = 2});
  expect(rig, HealthCheck::performance, HealthStatus::ok);
}

TEST(Health, ResourcesUseHighestUtilization) {
  HealthRig rig;
  rig.resources.descriptors_max = 1'000;
  rig.resources.descriptors = 500;
  rig.resources.server_sessions_max = 100;
  rig.resources.server_sessions = 92;
  rig.second({});
  expect(rig, HealthCheck::resources, HealthStatus::warning);
  EXPECT_NEAR(rig.finding(HealthCheck::resources).value, 0.92, 1e-9);
  rig.resources.descriptors = 990;
  rig.second({});
  expect(rig, HealthCheck::resources, HealthStatus::failed);
  EXPECT_NE(rig.finding(HealthCheck::resources).message.find("descriptors"), std::string::npos);
  rig.resources = Resources();
  rig.second({});
  rig.second({});
  expect(rig, HealthCheck::resources, HealthStatus::ok);
}

TEST(Health, BusyPoolIsUnhealthyOnlyWithWaiters) {
  Policy policy = HealthRig::quick();
  policy.max_size = 2;
  HealthRig rig(policy);
  rig.lease_all();
  const auto busy_second = [&rig](uint64_t slow) { rig.second({.slow = slow, .hold_ms = 20}); };  // 2 in use
  for (int i = 0; i < 6; ++i) busy_second(0);
  expect(rig, HealthCheck::resources, HealthStatus::ok);
  EXPECT_NEAR(rig.finding(HealthCheck::resources).value, 1, 0.01);
  rig.waiting = 3;
  busy_second(10);
  expect(rig, HealthCheck::resources, HealthStatus::failed);
  expect(rig, HealthCheck::scaling, HealthStatus::warning);
  rig.waiting = 0;
  for (int i = 0; i < 6; ++i) rig.second({});
  expect(rig, HealthCheck::resources, HealthStatus::ok);
}

TEST(Health, ScalingUsesTimedOutRequests) {
  HealthRig rig;
  rig.second({.requests = 1'000, .timeouts = 20});
  expect(rig, HealthCheck::scaling, HealthStatus::warning);
  for (int i = 0; i < 15; ++i) rig.second({.requests = 1'000, .timeouts = 100});
  expect(rig, HealthCheck::scaling, HealthStatus::failed);
  expect_formula(rig);
  for (int i = 0; i < 16; ++i) rig.second({});
  expect(rig, HealthCheck::scaling, HealthStatus::ok);
}

TEST(Health, CommandIsAnsweredAfterSurvey) {
  Policy policy = HealthRig::quick();
  policy.health_interval = Span::seconds(3600);
  HealthRig rig(policy);
  const uint64_t rounds = rig.brain.health().rounds;
  EXPECT_EQ(rig.order(Verb::check_health).kind, Verdict::Kind::pending);
  rig.tick();
  EXPECT_EQ(rig.surveys_asked(), 1);
  EXPECT_EQ(rig.count<action::FinishCommand>(), 0);
  rig.obey();
  rig.checked(true);
  rig.tick();
  ASSERT_EQ(rig.count<action::FinishCommand>(), 1);
  EXPECT_NE(rig.find<action::FinishCommand>()->verdict.message.find("health 100"), std::string::npos);
  EXPECT_EQ(rig.brain.health().rounds, rounds + 1);
}

TEST(Health, CommandIsAnsweredWithoutSurveyResult) {
  HealthRig rig;
  (void)rig.order(Verb::check_health);
  rig.tick();
  rig.obey();
  rig.tick_after(Span::seconds(3));
  EXPECT_EQ(rig.count<action::FinishCommand>(), 1);
}

TEST(Health, IntervalZeroMeansNever) {
  Policy policy = HealthRig::quick();
  policy.health_interval = Span();
  HealthRig rig(policy);
  for (int i = 0; i < 50; ++i) rig.second({.faults = 100});
  // But an emergency is checked anyway: otherwise its end would not be noticed.
  EXPECT_EQ(rig.outlook.state, PoolState::emergency);
  for (int i = 0; i < 60; ++i) rig.second({});
  const uint64_t rounds = rig.brain.health().rounds;
  for (int i = 0; i < 50; ++i) rig.second({});
  EXPECT_EQ(rig.brain.health().rounds, rounds);
}

}  // namespace
}  // namespace tide::test
