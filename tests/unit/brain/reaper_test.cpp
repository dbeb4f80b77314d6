// Reaper: idle_timeout, lifetime, max_uses, validation.
#include "rig.hpp"

namespace tide::test {
namespace {

TEST(IdleTimeout, EndsConnectionsAboveMinSizeAndLowersTarget) {
  Policy policy = calm();
  policy.idle_timeout = Span::seconds(600);
  Rig rig = Rig::running(policy, 2);
  rig.lease_all();
  rig.waiting = 3;
  rig.tick();
  rig.obey();
  rig.arrive();
  rig.waiting = 0;
  rig.give_back(0);
  rig.give_back(1);
  EXPECT_EQ(rig.tick().target_size, 5);
  EXPECT_EQ(rig.outlook.next_wakeup, rig.now + Span::seconds(600));
  rig.tick_after(Span::seconds(600));
  EXPECT_EQ(rig.retired(CloseReason::idle), 3);
  EXPECT_TRUE(rig.is_retired(4));
  EXPECT_EQ(rig.outlook.target_size, 2);
  EXPECT_EQ(rig.find<action::Scale>()->reason, "3 connections unused for idle_timeout 10min");
  rig.obey();
  rig.tick();
  EXPECT_TRUE(rig.actions.empty());  // nothing is reopened
  EXPECT_EQ(rig.outlook.next_wakeup, Instant::never());
}

TEST(IdleTimeout, KeepsMinIdle) {
  Policy policy = calm();
  policy.idle_timeout = Span::seconds(5);
  policy.min_size = 0;
  policy.min_idle = 2;
  Rig rig = Rig::running(policy, 6);
  rig.tick_after(Span::seconds(5));
  EXPECT_EQ(rig.retired(CloseReason::idle), 4);
  rig.obey();
  rig.settle();
  EXPECT_EQ(rig.slots.size(), 2U);
}

TEST(Lifetime, IsDrawnOnceWithJitterDownward) {
  Policy policy = calm();
  Rig rig(policy);
  Instant least = Instant::never(), most;
  for (int i = 0; i < 1000; ++i) {
    const Instant expiry = rig.brain.draw_expiry(rig.now);
    least = earliest(least, expiry);
    most = latest(most, expiry);
  }
  EXPECT_GE(least, rig.now + policy.max_lifetime.scaled(0.9));
  EXPECT_LT(least, rig.now + policy.max_lifetime.scaled(0.91));
  EXPECT_LE(most, rig.now + policy.max_lifetime);
  EXPECT_GT(most, rig.now + policy.max_lifetime.scaled(0.99));
  policy.max_lifetime = Span();
  rig.set(policy);
  EXPECT_EQ(rig.brain.draw_expiry(rig.now), Instant::never());
  policy.max_lifetime = Span::forever();
  rig.set(policy);
  EXPECT_GT(rig.brain.draw_expiry(rig.now), rig.now);
}

TEST(Lifetime, ReplacesIdleInAdvanceAndGradually) {
  Policy policy = calm();
  policy.min_size = 8;
  policy.max_size = 16;
  Rig rig = Rig::running(policy, 8);
  rig.lease(0);
  for (SlotCensus& slot : rig.slots) slot.expires_at = rig.now + Span::seconds(1800);
  EXPECT_EQ(rig.tick().next_wakeup, rig.now + Span::seconds(1800));
  rig.tick_after(Span::seconds(1800));
  EXPECT_EQ(rig.retired(CloseReason::lifetime), 1);  // the leased one, which ends when it is returned
  EXPECT_TRUE(rig.is_retired(0));
  EXPECT_EQ(rig.opens(), 3);  // 1 + 8 / 4 replacements at once
  EXPECT_LE(rig.outlook.next_wakeup, rig.now + Span::millis(100));
  rig.obey();
  EXPECT_TRUE(rig.at(0).is_retiring);
  rig.tick();
  EXPECT_EQ(rig.retired(CloseReason::lifetime), 0);  // until their successors are open
  EXPECT_EQ(rig.retired(CloseReason::scale), 0);     // which are no surplus
  rig.arrive();
  rig.tick();
  EXPECT_EQ(rig.retired(CloseReason::lifetime), 2);
  rig.obey();
  rig.tick_after(Span::seconds(181));  // overdue by a tenth of its life
  EXPECT_EQ(rig.retired(CloseReason::lifetime), 5);
}

TEST(Lifetime, EndsAtOnceWithoutRoomForSuccessor) {
  Policy policy = calm();
  policy.min_size = policy.max_size = 4;
  Rig rig = Rig::running(policy, 4);
  for (SlotCensus& slot : rig.slots) slot.expires_at = rig.now + Span::seconds(1800);
  rig.tick_after(Span::seconds(1800));
  EXPECT_EQ(rig.retired(CloseReason::lifetime), 2);  // 1 + 4 / 4
}

TEST(MaxUses, EndsIdleNowAndLeasedOnReturn) {
  Policy policy = calm();
  policy.max_uses = 3;
  Rig rig = Rig::running(policy, 2);
  rig.at(1).uses = 3;
  rig.at(0).uses = 2;
  rig.lease(0);
  rig.tick();
  EXPECT_EQ(rig.retired(CloseReason::uses), 2);
  EXPECT_EQ(rig.opens(), 2);  // their successors
  rig.obey();
  rig.tick();
  EXPECT_TRUE(rig.actions.empty());
}

TEST(Validation, ChecksAtMostHalfOfTheIdleHighestFirst) {
  Policy policy = calm();
  policy.min_size = 8;
  policy.validation_interval = Span::seconds(30);
  Rig rig = Rig::running(policy, 8);
  EXPECT_EQ(rig.tick().next_wakeup, rig.now + Span::seconds(30));
  rig.tick_after(Span::seconds(30));
  EXPECT_EQ(rig.validations(), 4);
  EXPECT_EQ(rig.find<action::Validate>()->slot, 7U);
  rig.obey();
  rig.tick();
  EXPECT_EQ(rig.validations(), 0);  // four are being validated
  rig.checked(true);
  rig.tick();
  EXPECT_EQ(rig.validations(), 4);
}

TEST(Validation, SingleConnectionIsChecked) {
  Policy policy = calm();
  policy.min_size = 1;
  policy.validation_interval = Span::seconds(30);
  Rig rig = Rig::running(policy, 1);
  rig.tick_after(Span::seconds(30));
  EXPECT_EQ(rig.validations(), 1);
}

TEST(Validation, WaitsWhileCallersWait) {
  Policy policy = calm();
  policy.validation_interval = Span::seconds(30);
  Rig rig = Rig::running(policy, 2);
  rig.waiting = 1;
  rig.tick_after(Span::seconds(60));
  EXPECT_EQ(rig.validations(), 0);
}

TEST(Validation, ConsecutiveFailuresReplaceGeneration) {
  Policy policy = calm();
  policy.min_size = 6;
  policy.validation_interval = Span::seconds(30);
  Rig rig = Rig::running(policy, 6);
  const uint64_t last_old = rig.last_conn_id;
  rig.tick_after(Span::seconds(30));
  rig.obey();
  rig.checked(false);  // three in a row
  rig.tick();
  const action::Note* told = rig.note(EventKind::recycle);
  ASSERT_NE(told, nullptr);
  EXPECT_EQ(told->severity, Severity::warning);
  EXPECT_EQ(told->text, "3 validations in a row failed (max_validation_failures): replacing 3 connections over 2s");
  const Instant end = rig.now + Span::seconds(2);
  while (rig.now < end) {
    rig.obey();
    rig.arrive();
    rig.now = std::min(rig.outlook.next_wakeup, end);
    rig.tick();
  }
  EXPECT_EQ(rig.count<action::FinishCommand>(), 0);
  rig.settle();
  for (const SlotCensus& slot : rig.slots) EXPECT_GT(slot.conn_id, last_old);
  EXPECT_EQ(rig.slots.size(), 6U);
}

TEST(Validation, DrainResetsFailures) {
  Rig rig = Rig::running(calm(), 2);
  for (int i = 0; i < 2; ++i) rig.brain.validated(rig.now, false);
  (void)rig.order(Verb::drain);
  rig.tick();
  rig.obey();
  (void)rig.order(Verb::resume);
  rig.settle();
  rig.brain.validated(rig.now, false);
  rig.tick();
  rig.tick_after(Span::seconds(10));
  EXPECT_TRUE(rig.actions.empty());
  EXPECT_EQ(rig.last_conn_id, 4U);
}

TEST(Validation, SuccessResetsFailures) {
  Rig rig = Rig::running(calm(), 2);
  for (int i = 0; i < 20; ++i) {
    rig.brain.validated(rig.now, false);
    rig.brain.validated(rig.now, false);
    rig.brain.validated(rig.now, true);
  }
  rig.tick();
  EXPECT_EQ(rig.note(EventKind::recycle), nullptr);
}

}  // namespace
}  // namespace tide::test
