// The breaker: when it opens, what is allowed while it is open, and that it always closes.
#include "rig.hpp"

namespace tide::test {
namespace {

Policy breaking() {
  Policy policy = calm();
  policy.health_interval = Span();
  policy.breaker_trip_after = Span::seconds(15);
  policy.retry_max = Span::seconds(2);
  return policy;
}

struct Outage {
  explicit Outage(const Policy& policy) : rig(Rig::Whole{}, policy) {}

  // One step of an outage: every open fails after `took`.
  void step(Span took = Span()) {
    rig.tick();
    remember();
    rig.obey();
    rig.now += took;
    rig.fail_opens(is_permanent);
    rig.tick();
    remember();
    rig.obey();
  }
  void remember() {
    opens += rig.opens();
    if (rig.opens() > 0) opened_at.push_back(rig.now);
    if (const action::Note* note = rig.note(EventKind::breaker_open)) trip_text = note->text;
  }
  void until(BreakerState state, Span at_most = Span::seconds(60)) {
    const Instant end = rig.now + at_most;
    while (rig.outlook.breaker != state && rig.now < end) {
      step();
      rig.now = earliest(rig.outlook.next_wakeup, rig.now + Span::millis(200));
    }
    ASSERT_EQ(rig.outlook.breaker, state);
  }

  Rig rig;
  bool is_permanent = false;
  int opens = 0;
  std::vector<Instant> opened_at;
  std::string trip_text;
};

TEST(Breaker, OpensAfterFailuresForTripAfter) {
  Outage outage(breaking());
  const Instant begun = outage.rig.now;
  outage.until(BreakerState::open);
  const Span took = outage.rig.now - begun;
  EXPECT_GE(took, Span::seconds(15));
  EXPECT_LE(took, Span::millis(15'500));
  EXPECT_NE(outage.trip_text.find("no connections left"), std::string::npos) << outage.trip_text;
  EXPECT_EQ(outage.rig.outlook.state, PoolState::degraded);
}

TEST(Breaker, StaysClosedWhileConnectionLives) {
  Policy policy = breaking();
  policy.min_size = 3;
  Outage outage(policy);
  outage.rig.add(Phase::idle);
  for (int i = 0; i < 300; ++i) {
    outage.step();
    outage.rig.now += Span::millis(200);
    ASSERT_EQ(outage.rig.outlook.breaker, BreakerState::closed);
  }
}

TEST(Breaker, SuccessRestartsTripAfter) {
  Outage outage(breaking());
  for (int i = 0; i < 60; ++i) {  // 12 s
    outage.step();
    outage.rig.now += Span::millis(200);
  }
  outage.rig.brain.connect_succeeded(outage.rig.now);
  for (int i = 0; i < 60; ++i) {
    outage.step();
    outage.rig.now += Span::millis(200);
    ASSERT_EQ(outage.rig.outlook.breaker, BreakerState::closed);
  }
}

TEST(Breaker, ProbesOncePerIntervalAndRefusesWaiters) {
  Outage outage(breaking());
  outage.until(BreakerState::open);
  outage.opened_at.clear();
  outage.opens = 0;
  outage.rig.waiting = 5;
  for (int i = 0; i < 1'000; ++i) {  // 10 s
    outage.step();
    ASSERT_EQ(outage.rig.count<action::RefuseWaiters>(), 1);
    outage.rig.now += Span::millis(10);
  }
  EXPECT_GE(outage.opens, 9);
  EXPECT_LE(outage.opens, 11);
  for (size_t i = 1; i < outage.opened_at.size(); ++i) {
    EXPECT_GE(outage.opened_at[i] - outage.opened_at[i - 1], Span::seconds(1));
  }
}

TEST(Breaker, HangingProbeIsFollowedByPause) {
  Outage outage(breaking());
  outage.until(BreakerState::open);
  outage.opened_at.clear();
  for (int i = 0; i < 200; ++i) {
    outage.step(Span::seconds(5));  // connect_timeout
    outage.rig.now += Span::millis(10);
  }
  for (size_t i = 1; i < outage.opened_at.size(); ++i) {
    EXPECT_GE(outage.opened_at[i] - outage.opened_at[i - 1], Span::millis(5'100));
  }
}

TEST(Breaker, HalfOpenDuringProbeAndClosesOnSuccess) {
  Outage outage(breaking());
  outage.until(BreakerState::open);
  Rig& rig = outage.rig;
  rig.now = latest(rig.outlook.breaker_probe_at, rig.now);
  rig.tick();
  EXPECT_EQ(rig.opens(), 1);
  EXPECT_EQ(rig.outlook.breaker, BreakerState::half_open);
  EXPECT_FALSE(rig.outlook.breaker_probe_at.is_set());
  rig.obey();
  rig.tick();
  EXPECT_EQ(rig.opens(), 0);
  rig.arrive();
  rig.tick();
  EXPECT_EQ(rig.outlook.breaker, BreakerState::closed);
  EXPECT_NE(rig.note(EventKind::breaker_closed), nullptr);
  EXPECT_EQ(rig.opens(), 1);                          // the other one of min_size, without a pause
  EXPECT_EQ(rig.outlook.state, PoolState::starting);  // min_size were never open
}

TEST(Breaker, ProbesWithoutDemand) {
  Policy policy = breaking();
  policy.min_size = 0;
  Outage outage(policy);
  outage.rig.waiting = 1;
  outage.until(BreakerState::open);
  outage.rig.waiting = 0;  // refused
  outage.opens = 0;
  for (int i = 0; i < 30; ++i) {
    outage.step();
    outage.rig.now += Span::millis(100);
  }
  EXPECT_GE(outage.opens, 2);
}

TEST(Breaker, PermanentFailureIsRetriedEveryRetryMax) {
  Policy policy = breaking();
  policy.retry_max = Span::seconds(10);
  Outage outage(policy);
  outage.is_permanent = true;
  outage.until(BreakerState::open);
  outage.opens = 0;
  for (int i = 0; i < 600; ++i) {  // 60 s
    outage.step();
    outage.rig.now += Span::millis(100);
  }
  EXPECT_LE(outage.opens, 7);
  EXPECT_GE(outage.opens, 5);
}

TEST(Breaker, DisablingClosesIt) {
  Outage outage(breaking());
  outage.until(BreakerState::open);
  Policy off = breaking();
  off.breaker = false;
  outage.rig.set(off);
  outage.rig.tick();
  EXPECT_EQ(outage.rig.outlook.breaker, BreakerState::off);
  for (int i = 0; i < 200; ++i) {
    outage.step();
    outage.rig.now += Span::millis(200);
    ASSERT_EQ(outage.rig.outlook.breaker, BreakerState::off);
  }
}

TEST(Breaker, TripAfterZeroOpensAtFirstFailure) {
  Policy policy = breaking();
  policy.breaker_trip_after = Span();
  Outage outage(policy);
  outage.step();
  EXPECT_EQ(outage.rig.outlook.breaker, BreakerState::open);
}

}  // namespace
}  // namespace tide::test
