// Steering: the adaptive sizer's answers become the target; opens for queued callers; bursts, manual sizes, overload.
#include "brain/pulse.hpp"
#include "health_rig.hpp"

namespace tide::test {
namespace {

Policy steered() {
  Policy policy = HealthRig::quick();
  policy.health_interval = Span();
  policy.max_size = 32;
  return policy;
}

// Requests per second that hold a connection for 100 ms each: demand = requests / 10.
Load of(uint64_t requests, uint64_t slow = 0) {
  return {.queries = requests, .requests = requests, .slow = slow, .hold_ms = 100};
}

TEST(Steering, TargetFollowsLoadUpAtOnceAndDownLater) {
  HealthRig rig(steered());
  for (int i = 0; i < 10; ++i) rig.second(of(100));
  const int64_t high = rig.outlook.target_size;
  EXPECT_GE(high, 12);  // demand 10 plus a margin
  EXPECT_LE(high, 24);
  EXPECT_EQ(rig.outlook.size_source, SizeSource::autoscale);
  rig.second(of(5));
  EXPECT_EQ(rig.outlook.target_size, high);
  for (int i = 0; i < 120; ++i) rig.second(of(5));
  EXPECT_LE(rig.outlook.target_size, 6);
  EXPECT_GE(rig.outlook.target_size, 2);
}

TEST(Steering, EveryChangeReportsItsNumbers) {
  HealthRig rig(steered());
  for (int i = 0; i < 10; ++i) rig.second(of(100));
  int changes = 0;
  for (const action::Scale& action : all<action::Scale>(rig.told)) {
    ++changes;
    EXPECT_NE(action.from_size, action.to_size);
    EXPECT_NE(action.reason.find("requests/s"), std::string::npos) << action.reason;
  }
  EXPECT_GT(changes, 0);
}

TEST(Steering, OpensForQueueOnlyWhatReleasesWillNotServe) {
  HealthRig rig(steered());
  for (int i = 0; i < 20; ++i) rig.second(of(40));
  rig.lease_all();
  rig.waiting_since = rig.now;
  const auto wanted_for = [&rig](uint32_t waiting) {
    brain::AdaptiveSizer sizer = rig.brain.sizer();  // a copy: nothing is decided
    const int64_t open = static_cast<int64_t>(rig.slots.size());
    return sizer.demand(static_cast<double>(rig.now.ns()) / 1e9, waiting, open, open, 0, open) - open;
  };
  EXPECT_EQ(wanted_for(0), 0);
  EXPECT_LE(wanted_for(1), 6);
  EXPECT_GE(wanted_for(20), wanted_for(1) + 10);
  EXPECT_LT(wanted_for(20), 20 + 6);
  rig.waiting = 20;
  rig.tick();
  EXPECT_EQ(rig.opens(), 4);  // max_connecting
}

TEST(Steering, LongWaitingCallerGetsNewConnection) {
  HealthRig rig(steered());
  // Leases of a millisecond, according to the statistics, so that a queue of one is expected to drain ...
  for (int i = 0; i < 20; ++i) rig.second({.requests = 1'000, .hold_ms = 1});
  rig.lease_all();
  rig.waiting = 1;
  rig.waiting_since = rig.now;
  rig.tick();
  ASSERT_EQ(rig.opens(), 0);
  EXPECT_LE(rig.outlook.next_wakeup, rig.now + Span::millis(100));
  // ... but these do not end.
  rig.now = rig.outlook.next_wakeup;
  for (int i = 0; i < 5 && rig.opens() == 0; ++i) rig.tick_after(Span::millis(50));
  EXPECT_EQ(rig.opens(), 1);
}

TEST(Steering, EveryCallerCountsWithUnknownHoldTime) {
  HealthRig rig(steered());
  rig.lease_all();
  rig.waiting = 3;
  rig.waiting_since = rig.now;
  rig.tick();
  EXPECT_EQ(rig.opens(), 3);
}

TEST(Steering, ManualSizeStaysAndForecastsContinue) {
  HealthRig rig(steered());
  (void)rig.order(Verb::scale, 5);
  for (int i = 0; i < 40; ++i) {
    rig.second(of(200));
    EXPECT_EQ(rig.outlook.target_size, 5);
  }
  EXPECT_EQ(rig.outlook.size_source, SizeSource::manual);
  EXPECT_GT(rig.brain.sizer().facts().predicted_in_use_10, 15);
  (void)rig.order(Verb::scale, -1);
  for (int i = 0; i < 10; ++i) rig.second(of(200));
  EXPECT_GT(rig.outlook.target_size, 18);
}

TEST(Steering, ThresholdAndScalingOffDisableIt) {
  for (const bool is_threshold : {true, false}) {
    Policy policy = steered();
    policy.sizing = is_threshold ? Sizing::threshold : Sizing::adaptive;
    policy.scaling = is_threshold;
    HealthRig rig(policy);
    for (int i = 0; i < 40; ++i) rig.second(of(200));
    EXPECT_EQ(rig.outlook.target_size, 2);
    EXPECT_GT(rig.brain.sizer().facts().demand, 15);
  }
}

TEST(Steering, UnusedPoolShrinksToZero) {
  Policy policy = steered();
  policy.min_size = 0;
  policy.idle_timeout = Span::seconds(30);
  HealthRig rig(policy);
  for (int i = 0; i < 20; ++i) rig.second(of(50));
  ASSERT_GE(rig.slots.size(), 5U);
  for (SlotCensus& slot : rig.slots) slot.last_used = rig.now;
  for (int i = 0; i < 120; ++i) rig.second({.queries = 0, .requests = 0});
  EXPECT_EQ(rig.slots.size(), 0U);
  rig.told.clear();
  for (int i = 0; i < 120; ++i) rig.second({.queries = 0, .requests = 0});
  EXPECT_EQ(rig.slots.size(), 0U);
  EXPECT_TRUE(all<action::Open>(rig.told).empty());
}

TEST(Steering, UnusedPoolStaysAtMinSize) {
  for (const int64_t min_size : {0, 1, 3}) {
    Policy policy = steered();
    policy.min_size = min_size;
    HealthRig rig(policy);
    for (int i = 0; i < 60; ++i) rig.second({.queries = 0, .requests = 0});
    EXPECT_EQ(rig.slots.size(), static_cast<size_t>(min_size));
    EXPECT_EQ(rig.times(EventKind::scale_up) + rig.times(EventKind::scale_down), 0);
  }
}

TEST(Steering, IdleTimeoutKeepsTargetUnderLoad) {
  Policy policy = steered();
  policy.idle_timeout = Span::seconds(10);
  HealthRig rig(policy);
  for (int i = 0; i < 60; ++i) rig.second(of(50));
  rig.told.clear();
  for (int i = 0; i < 60; ++i) rig.second(of(50));  // its connections are idle at every tick
  EXPECT_TRUE(all<action::Open>(rig.told).empty());
  for (const action::Retire& action : all<action::Retire>(rig.told)) EXPECT_NE(action.reason, CloseReason::idle);
}

TEST(Steering, AutomaticBurstNeedsBurstMaxSize) {
  for (const int64_t burst_max : {int64_t{0}, int64_t{12}}) {
    Policy policy = steered();
    policy.max_size = 8;
    policy.burst_max_size = burst_max;
    HealthRig rig(policy);
    rig.waiting = 10;
    rig.waiting_since = rig.now;
    for (int i = 0; i < 6; ++i) {
      rig.lease_all();
      rig.second(of(100, 50));
    }
    EXPECT_EQ(rig.outlook.limit_size, burst_max == 0 ? 8 : 12);
    EXPECT_EQ(rig.outlook.burst_until.is_set(), burst_max != 0);
    rig.waiting = 0;
    for (SlotCensus& slot : rig.slots) rig.put(slot, Phase::idle);
    for (int i = 0; i < 30; ++i) rig.second(of(10));
    EXPECT_EQ(rig.outlook.limit_size, 8);
    EXPECT_LE(rig.slots.size(), 8U);
  }
}

TEST(Pulse, SumsOverItsWindows) {
  brain::Pulse pulse;
  Census census;
  Instant now = Instant::at_ns(1'000'000'000'000);
  EXPECT_FALSE(pulse.tick(now, census));
  for (int i = 0; i < 100; ++i) {
    now += Span::millis(500);
    census.traffic.queries_total += 5;
    census.traffic.query_faults_total += 1;
    EXPECT_EQ(pulse.tick(now, census), i % 2 == 1);
  }
  EXPECT_EQ(pulse.last().queries, 10);
  EXPECT_EQ(pulse.quarter().queries, 150);
  EXPECT_EQ(pulse.minute().queries, 500);
  EXPECT_EQ(pulse.minute().seconds, 50);
  EXPECT_EQ(pulse.errors_of_hour(), 100);
  for (int i = 0; i < 3'700; ++i) pulse.tick(now += Span::seconds(1), census);
  EXPECT_EQ(pulse.minute().queries, 0);
  EXPECT_EQ(pulse.errors_of_hour(), 0);
}

TEST(Pulse, LateBeatIsLongAndDecreasingSumsCountAsZero) {
  brain::Pulse pulse;
  Census census;
  Instant now = Instant::at_ns(1'000'000'000'000);
  census.traffic.queries_total = 1'000;
  pulse.tick(now, census);
  census.traffic.queries_total = 900;
  ASSERT_TRUE(pulse.tick(now += Span::seconds(86'400), census));
  EXPECT_EQ(pulse.last().seconds, 86'400);
  EXPECT_EQ(pulse.last().queries, 0);
}

TEST(Pulse, CountsReversalsOfTarget) {
  brain::Pulse pulse;
  Census census;
  Instant now = Instant::at_ns(1'000'000'000'000);
  pulse.tick(now, census);
  for (const bool is_up : {true, true, false, true, false, false}) pulse.target_moved(is_up);
  pulse.tick(now += Span::seconds(1), census);
  EXPECT_EQ(pulse.minute().reversals, 3);
}

}  // namespace
}  // namespace tide::test
