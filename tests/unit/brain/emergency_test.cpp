// Emergency: begins with a storm or very low health, ends after it, and never lasts forever.
#include "health_rig.hpp"
#include "unit/support/rounds.hpp"

namespace tide::test {
namespace {

constexpr Load kStorm{.queries = 100, .faults = 80};
constexpr Load kWell{};

TEST(Emergency, BeginsInSecondSecondOfStormAndCapsSize) {
  Policy policy = HealthRig::quick();
  policy.min_size = 8;
  HealthRig rig(policy);
  ASSERT_EQ(rig.slots.size(), 8U);
  rig.second(kStorm);
  EXPECT_NE(rig.outlook.state, PoolState::emergency);
  rig.second(kStorm);
  EXPECT_EQ(rig.outlook.state, PoolState::emergency);
  EXPECT_EQ(rig.outlook.limit_size, 3);
  EXPECT_EQ(rig.outlook.size_source, SizeSource::emergency);
  EXPECT_EQ(rig.slots.size(), 3U);
  EXPECT_EQ(rig.times(EventKind::emergency_on), 1);
  rig.waiting = 20;
  rig.second(kStorm);
  EXPECT_EQ(rig.slots.size(), 3U);  // nothing grows
  EXPECT_GE(all<action::ShedMemory>(rig.told).size(), 1U);
}

TEST(Emergency, EndsAfterStormAndCapIsLiftedGradually) {
  HealthRig rig;
  for (int i = 0; i < 5; ++i) rig.second(kStorm);
  ASSERT_EQ(rig.outlook.state, PoolState::emergency);
  int seconds = 0;
  while (rig.outlook.state == PoolState::emergency && seconds < 60) {
    rig.second(kWell);
    ++seconds;
  }
  EXPECT_GE(seconds, 3);   // three good rounds
  EXPECT_LE(seconds, 20);  // the last 15 s count
  EXPECT_EQ(rig.times(EventKind::emergency_off), 1);
  EXPECT_LE(rig.outlook.limit_size, 6);
  rig.second(kWell);
  rig.second(kWell);
  EXPECT_EQ(rig.outlook.limit_size, 10);
}

TEST(Emergency, OneBadSecondIsNoEmergency) {
  HealthRig rig;
  for (int i = 0; i < 20; ++i) {
    rig.second(i % 3 == 0 ? kStorm : kWell);
    EXPECT_NE(rig.outlook.state, PoolState::emergency);
  }
}

TEST(Emergency, BeginsWithVeryLowHealth) {
  Policy policy = HealthRig::quick();
  policy.health_max_response = Span::millis(10);
  HealthRig rig(policy);
  for (int i = 0; i < 20; ++i) rig.second({.query_ms = 50});
  EXPECT_EQ(rig.outlook.state, PoolState::emergency);
  for (int i = 0; i < 30; ++i) rig.second(kWell);
  EXPECT_EQ(rig.outlook.state, PoolState::running);
}

TEST(Emergency, DisablingEndsItAtOnce) {
  HealthRig rig;
  for (int i = 0; i < 5; ++i) rig.second(kStorm);
  ASSERT_EQ(rig.outlook.state, PoolState::emergency);
  Policy off = HealthRig::quick();
  off.emergency = false;
  rig.set(off);
  rig.tick();
  EXPECT_NE(rig.outlook.state, PoolState::emergency);
  for (int i = 0; i < 20; ++i) {
    rig.second(kStorm);
    EXPECT_NE(rig.outlook.state, PoolState::emergency);
  }
}

TEST(Emergency, EndsWhenBreakerTakesOver) {
  Policy policy = HealthRig::quick();
  policy.breaker_trip_after = Span::seconds(2);
  HealthRig rig(policy);
  for (int i = 0; i < 3; ++i) rig.second(kStorm);
  ASSERT_EQ(rig.outlook.state, PoolState::emergency);
  rig.is_server_up = false;
  rig.slots.clear();
  for (int i = 0; i < 10; ++i) rig.second({.queries = 0, .requests = 0});
  EXPECT_EQ(rig.outlook.state, PoolState::degraded);
  EXPECT_TRUE(rig.outlook.breaker == BreakerState::open || rig.outlook.breaker == BreakerState::half_open);
  rig.is_server_up = true;
  for (int i = 0; i < 20; ++i) rig.second(kWell);
  EXPECT_EQ(rig.outlook.state, PoolState::running);
  EXPECT_EQ(rig.outlook.limit_size, 10);
}

// For every storm and queue: half a minute after the end of the storm the pool is back to normal.
TEST(Emergency, AlwaysEnds) {
  for (uint64_t seed = 1; seed <= uint64_t{rounds(300)}; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(seed);
    Policy policy = HealthRig::quick();
    policy.emergency_below = static_cast<int64_t>(rng.below(81));
    policy.emergency_max_size = 1 + static_cast<int64_t>(rng.below(12));
    policy.health_interval = rng.chance(0.2) ? Span() : Span::seconds(1 + static_cast<int64_t>(rng.below(60)));
    policy.health_max_response = Span::millis(5 + static_cast<int64_t>(rng.below(100)));
    HealthRig rig(policy);
    const int storm = 2 + static_cast<int>(rng.below(60));
    for (int i = 0; i < storm; ++i) {
      rig.waiting = static_cast<uint32_t>(rng.below(30));
      rig.second({.queries = 5 + rng.below(100),
                  .faults = rng.below(100),
                  .query_ms = rng.unit() * 300,
                  .requests = 100,
                  .timeouts = rng.below(100)});
    }
    rig.waiting = 0;
    for (int i = 0; i < 90; ++i) rig.second(kWell);
    EXPECT_EQ(rig.outlook.state, PoolState::running) << brain::health_text(rig.brain.health());
    EXPECT_EQ(rig.outlook.limit_size, 10);
    EXPECT_EQ(rig.times(EventKind::emergency_on), rig.times(EventKind::emergency_off));
  }
}

}  // namespace
}  // namespace tide::test
