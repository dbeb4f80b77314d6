// Growth: demand, its bounds, and the backoff.
#include "rig.hpp"

namespace tide::test {
namespace {

TEST(Growth, OpensAtOnceForEachUnservedCaller) {
  Rig rig = Rig::running(calm(), 2);
  rig.lease_all();
  rig.waiting = 3;
  rig.tick();
  EXPECT_EQ(rig.opens(), 3);
  EXPECT_EQ(rig.outlook.target_size, 5);
  EXPECT_EQ(rig.outlook.size_source, SizeSource::autoscale);
  const action::Scale* scaling = rig.find<action::Scale>();
  ASSERT_NE(scaling, nullptr);
  EXPECT_EQ(rig.count<action::Scale>(), 1);
  EXPECT_EQ(scaling->from_size, 2);
  EXPECT_EQ(scaling->to_size, 5);
  EXPECT_EQ(scaling->cause, SizeSource::autoscale);
  EXPECT_EQ(scaling->reason, "3 callers waiting, 2 of 2 in use");
  EXPECT_NE(rig.note(EventKind::scale_up), nullptr);
  rig.obey();
  rig.tick();
  EXPECT_EQ(rig.opens(), 0);  // those in progress will serve them
}

TEST(Growth, CountsIdleAndHeldAsServing) {
  Rig rig = Rig::running(calm(), 2);
  rig.lease(0);
  rig.add(Phase::held);
  rig.waiting = 2;  // the idle one and the held one
  rig.tick();
  EXPECT_EQ(rig.opens(), 0);
}

TEST(Growth, StaysWithinMaxConnecting) {
  Rig rig = Rig::running(calm(), 2);
  rig.lease_all();
  rig.waiting = 50;
  rig.tick();
  EXPECT_EQ(rig.opens(), 4);
  rig.obey();
  rig.tick();
  EXPECT_EQ(rig.opens(), 0);
  rig.arrive();
  rig.lease_all();
  rig.tick();
  EXPECT_EQ(rig.opens(), 4);
}

// I1: closing connections count too; the server may still have their sessions.
TEST(Growth, NeverGoesBeyondTheLimit) {
  Rig rig = Rig::running(calm(), 7);
  rig.lease_all();
  rig.add(Phase::closing);
  rig.add(Phase::closing);
  rig.waiting = 50;
  rig.tick();
  EXPECT_EQ(rig.opens(), 1);
}

TEST(Growth, OpensUpToTheTargetAfterALoss) {
  Rig rig = Rig::running(calm(), 2);
  rig.remove(1);
  rig.tick();
  EXPECT_EQ(rig.opens(), 1);
  EXPECT_EQ(rig.count<action::Scale>(), 0);
}

TEST(Growth, KeepsMinIdle) {
  Policy policy = calm();
  policy.min_idle = 2;
  Rig rig = Rig::running(policy, 2);
  rig.lease_all();
  rig.tick();
  EXPECT_EQ(rig.opens(), 2);
  EXPECT_EQ(rig.outlook.target_size, 4);
  EXPECT_EQ(rig.find<action::Scale>()->reason, "0 callers waiting, 2 of 2 in use, min_idle 2");
  rig.obey();
  rig.arrive();
  rig.give_back(0);
  rig.give_back(1);
  rig.settle();
  EXPECT_EQ(rig.slots.size(), 4U);  // the target was raised, so nothing flaps
}

TEST(Backoff, WaitsThenProbesThenContinues) {
  Policy policy = calm();
  policy.min_size = 4;
  Rig rig(policy);
  rig.tick();
  EXPECT_EQ(rig.opens(), 4);
  rig.obey();
  rig.fail_opens();
  rig.tick();
  ASSERT_EQ(rig.opens(), 0);
  EXPECT_LE(rig.outlook.next_wakeup, rig.now + policy.retry_base);
  rig.now = rig.outlook.next_wakeup;
  rig.tick();
  EXPECT_EQ(rig.opens(), 1);  // the probe
  rig.obey();
  rig.tick();
  EXPECT_EQ(rig.opens(), 0);
  rig.arrive();
  rig.tick();
  EXPECT_EQ(rig.opens(), 3);
}

// Four opens that fail together are one round: the first wait is within retry_base, not eight times it.
TEST(Backoff, ManyFailuresOfOneRoundCountOnce) {
  Policy policy = calm();
  policy.min_size = 4;
  for (int attempt = 0; attempt < 50; ++attempt) {
    Rig rig(policy);
    rig.brain = Brain(policy, Rig::kCapacity, static_cast<uint64_t>(attempt), rig.now);
    rig.tick();
    rig.obey();
    rig.fail_opens();
    rig.tick();
    EXPECT_LE(rig.outlook.next_wakeup, rig.now + policy.retry_base);
  }
}

TEST(Backoff, DoublesUpToRetryMaxAndNeverGivesUp) {
  Policy policy = calm();
  policy.min_size = 1;
  Rig rig(policy);
  Span longest;
  for (int round = 1; round <= 200; ++round) {
    rig.tick();
    ASSERT_EQ(rig.opens(), 1) << round;
    rig.obey();
    rig.fail_opens();
    const Span ceiling = round >= 7 ? policy.retry_max : policy.retry_base * (int64_t{1} << (round - 1));
    rig.tick();
    if (rig.opens() == 0) {
      EXPECT_LE(rig.outlook.next_wakeup - rig.now, std::max(std::min(ceiling, policy.retry_max), Span::millis(1)));
      longest = std::max(longest, rig.outlook.next_wakeup - rig.now);
    }
    rig.now += policy.retry_max;
    rig.remove(0);
  }
  EXPECT_GT(longest, policy.retry_max.scaled(0.9));
}

TEST(Backoff, PermanentFailureIsRetriedEveryRetryMax) {
  Rig rig{calm()};
  rig.tick();
  rig.obey();
  rig.fail_opens(true);
  rig.tick();
  EXPECT_EQ(rig.opens(), 0);
  EXPECT_EQ(rig.outlook.next_wakeup, rig.now + rig.policy.retry_max);
  rig.tick_after(rig.policy.retry_max - Span::millis(1));
  EXPECT_EQ(rig.opens(), 0);
  rig.tick_after(Span::millis(1));
  EXPECT_EQ(rig.opens(), 1);
}

TEST(Backoff, AShorterRetryMaxTakesEffectAtOnce) {
  Rig rig{calm()};
  rig.tick();
  rig.obey();
  rig.fail_opens(true);
  Policy policy = rig.policy;
  policy.retry_max = Span::millis(300);
  rig.set(policy);
  rig.tick();
  EXPECT_EQ(rig.outlook.next_wakeup, rig.now + Span::millis(300));
}

}  // namespace
}  // namespace tide::test
