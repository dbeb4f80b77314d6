// Sizer: the threshold rule, its streaks, cooldowns and bounds.
#include "rig.hpp"

namespace tide::test {
namespace {

Policy sized() {
  Policy policy = calm();
  policy.scaling = true;
  return policy;
}

constexpr Span kPeriod = Span::seconds(1);

TEST(Sizer, GoesUpAfterTwoHighPeriods) {
  Rig rig = Rig::running(sized(), 2);
  rig.lease_all();
  rig.in_use_average = 1.7;
  rig.tick_after(kPeriod);
  EXPECT_EQ(rig.outlook.target_size, 2);
  rig.tick_after(kPeriod);
  EXPECT_EQ(rig.outlook.target_size, 4);
  EXPECT_EQ(rig.opens(), 2);
  const action::Scale* scaling = rig.find<action::Scale>();
  ASSERT_NE(scaling, nullptr);
  EXPECT_EQ(scaling->reason,
            "utilization 0.85 (scale_up_utilization 0.8) for 2 evaluations: 1.7 of 2 in use, 0 waiting, "
            "wait p95 0 us");
  EXPECT_NE(rig.note(EventKind::scale_up), nullptr);
}

TEST(Sizer, OneLowPeriodBreaksStreak) {
  Rig rig = Rig::running(sized(), 2);
  rig.lease_all();
  for (int i = 0; i < 10; ++i) {
    rig.in_use_average = i % 2 == 0 ? 2 : 1;
    rig.tick_after(kPeriod);
  }
  EXPECT_EQ(rig.outlook.target_size, 2);
}

TEST(Sizer, LongWaitsCountAsHigh) {
  Rig rig = Rig::running(sized(), 2);
  rig.lease(0);
  rig.wait_p95 = Span::seconds(1);
  rig.tick_after(kPeriod);
  rig.tick_after(kPeriod);
  EXPECT_EQ(rig.outlook.target_size, 4);
}

TEST(Sizer, ScaleUpWaitsForCooldown) {
  Rig rig = Rig::running(sized(), 2);
  rig.lease_all();
  rig.in_use_average = 10;
  std::vector<int64_t> raised_at_s;
  const Instant begin = rig.now;
  for (int64_t last = 2; rig.now < begin + Span::seconds(200);) {
    rig.tick_after(kPeriod);
    rig.obey();
    rig.arrive();
    if (rig.outlook.target_size > last) raised_at_s.push_back((rig.now - begin).ms() / 1000);
    last = rig.outlook.target_size;
  }
  EXPECT_EQ(raised_at_s, (std::vector<int64_t>{2, 62, 122, 182}));
  EXPECT_EQ(rig.outlook.target_size, 10);
}

TEST(Sizer, EachStepNeedsNewStreak) {
  Policy policy = sized();
  policy.scale_up_cooldown = Span();
  Rig rig = Rig::running(policy, 2);
  rig.lease_all();
  rig.in_use_average = 10;
  for (const int64_t target : {2, 4, 4, 6, 6, 8}) EXPECT_EQ(rig.tick_after(kPeriod).target_size, target);
}

TEST(Sizer, DoesNotGoDownWhileCallersWait) {
  Policy policy = sized();
  policy.scale_down_cooldown = Span();
  Rig rig = Rig::running(policy, 6);
  rig.waiting = 1;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(rig.tick_after(kPeriod).target_size, 6);
  rig.waiting = 0;
  for (const int64_t target : {6, 6, 4, 4, 4, 2, 2, 2, 2}) {
    EXPECT_EQ(rig.tick_after(kPeriod).target_size, target);
    rig.obey();
  }
}

TEST(Sizer, DoesNotUseBurstRange) {
  Policy policy = sized();
  policy.scale_up_cooldown = Span();
  Rig rig = Rig::running(policy, 10);
  (void)rig.order(Verb::burst);
  rig.lease_all();
  rig.in_use_average = 10;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(rig.tick_after(kPeriod).target_size, 10);
}

TEST(Sizer, GoesDownAfterThreeLowPeriodsAndCooldown) {
  Rig rig = Rig::running(sized(), 2);
  rig.lease_all();
  rig.waiting = 6;
  rig.tick();  // demand raises the target to 8
  rig.obey();
  rig.arrive();
  rig.tick();
  rig.obey();
  rig.arrive();
  rig.waiting = 0;
  rig.give_back(0);
  rig.give_back(1);
  EXPECT_EQ(rig.tick().target_size, 8);
  const Instant begin = rig.now;
  std::vector<int64_t> lowered_at_s;
  for (int64_t last = 8; rig.now < begin + Span::seconds(1000);) {
    rig.tick_after(kPeriod);
    if (rig.outlook.target_size < last) {
      EXPECT_EQ(rig.retired(CloseReason::scale), 2);
      lowered_at_s.push_back((rig.now - begin).ms() / 1000);
    }
    last = rig.outlook.target_size;
    rig.obey();
  }
  EXPECT_EQ(lowered_at_s, (std::vector<int64_t>{300, 600, 900}));
  EXPECT_EQ(rig.outlook.target_size, 2);
  EXPECT_EQ(rig.slots.size(), 2U);
  EXPECT_EQ(rig.outlook.size_source, SizeSource::config);
}

TEST(Sizer, RetiresHighestIdleSlotsAndNoLease) {
  Policy policy = sized();
  policy.scale_down_cooldown = Span();
  Rig rig = Rig::running(policy, 2);
  rig.lease_all();
  rig.waiting = 4;
  rig.tick();
  rig.obey();
  rig.arrive();
  rig.waiting = 0;
  rig.give_back(0);
  rig.give_back(1);
  rig.lease(5);
  rig.in_use_average = 1;
  for (int i = 0; i < 3; ++i) rig.tick_after(kPeriod);
  EXPECT_EQ(rig.outlook.target_size, 4);
  EXPECT_TRUE(rig.is_retired(4));
  EXPECT_TRUE(rig.is_retired(3));
  EXPECT_FALSE(rig.is_retired(5));
}

TEST(Sizer, StaysBelowMaxSize) {
  Policy policy = sized();
  policy.scale_up_cooldown = Span();
  policy.grow_step = 7;
  Rig rig = Rig::running(policy, 2);
  rig.lease_all();
  rig.in_use_average = 30;
  for (int i = 0; i < 20; ++i) rig.tick_after(kPeriod);
  EXPECT_EQ(rig.outlook.target_size, 10);
}

TEST(Sizer, ManualSizeAndScalingOffDisableIt) {
  Policy policy = sized();
  Rig rig = Rig::running(policy, 2);
  (void)rig.order(Verb::scale, 3);
  rig.in_use_average = 30;
  for (int i = 0; i < 9; ++i) rig.tick_after(kPeriod);
  EXPECT_EQ(rig.outlook.target_size, 3);
  (void)rig.order(Verb::scale, -1);
  policy.scaling = false;
  rig.set(policy);
  for (int i = 0; i < 9; ++i) rig.tick_after(kPeriod);
  EXPECT_EQ(rig.outlook.target_size, 3);
}

TEST(Sizer, KeepsMinIdleWhenGoingDown) {
  Policy policy = sized();
  policy.min_idle = 3;
  policy.scale_down_cooldown = Span();
  Rig rig = Rig::running(policy, 2);
  rig.settle();
  EXPECT_EQ(rig.outlook.target_size, 3);
  for (int i = 0; i < 20; ++i) {
    rig.tick_after(kPeriod);
    EXPECT_EQ(rig.opens(), 0);
    EXPECT_EQ(rig.outlook.target_size, 3);
  }
}

// The decisions must not depend on whether the pool was woken for evaluations that can change nothing.
TEST(Sizer, SkippedEvaluationsChangeNothing) {
  Rig ticked = Rig::running(sized(), 2);
  Rig slept = Rig::running(sized(), 2);
  EXPECT_EQ(slept.outlook.next_wakeup, Instant::never());
  for (int i = 0; i < 40; ++i) ticked.tick_after(Span::millis(250));
  slept.now = ticked.now;
  for (Rig* rig : {&ticked, &slept}) {
    rig->now += Span::millis(700);
    rig->lease_all();
    rig->in_use_average = 2;
  }
  for (int i = 0; i < 40; ++i) {
    ticked.tick_after(Span::millis(100));
    slept.tick_after(Span::millis(100));
    EXPECT_EQ(ticked.outlook.target_size, slept.outlook.target_size) << i;
    EXPECT_EQ(ticked.outlook.next_wakeup, slept.outlook.next_wakeup) << i;
  }
  EXPECT_EQ(slept.outlook.target_size, 4);
}

}  // namespace
}  // namespace tide::test
