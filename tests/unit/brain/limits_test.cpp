// Limits: manual size, burst, live changes, and what happens to the surplus.
#include "rig.hpp"

namespace tide::test {
namespace {

TEST(Manual, PinsTargetAndLimit) {
  Rig rig = Rig::running(calm(), 2);
  const Verdict verdict = rig.order(Verb::scale, 5, {}, "rehearsal");
  EXPECT_EQ(verdict.kind, Verdict::Kind::applied);
  rig.tick();
  EXPECT_EQ(rig.outlook.target_size, 5);
  EXPECT_EQ(rig.outlook.limit_size, 5);
  EXPECT_EQ(rig.outlook.size_source, SizeSource::manual);
  EXPECT_EQ(rig.opens(), 3);
  const action::Scale* scaling = rig.find<action::Scale>();
  ASSERT_NE(scaling, nullptr);
  EXPECT_EQ(scaling->cause, SizeSource::manual);
  EXPECT_EQ(scaling->reason, "rehearsal");
  EXPECT_EQ(scaling->actor, "psql");
  EXPECT_EQ(rig.brain.limit_reason(), "manual scale to 5 by psql");
  rig.obey();
  rig.arrive();
  rig.lease_all();
  rig.waiting = 9;
  rig.tick();
  EXPECT_EQ(rig.opens(), 0);
  (void)rig.order(Verb::scale, -1);
  rig.tick();
  EXPECT_EQ(rig.outlook.limit_size, 10);
  EXPECT_EQ(rig.opens(), 4);
  EXPECT_EQ(rig.brain.limit_reason(), "max_size 10");
}

TEST(Manual, IsRefusedOutsideRange) {
  Rig rig = Rig::running(calm(), 2);
  for (const int64_t size : {int64_t{0}, int64_t{1}, int64_t{11}}) {
    const Verdict verdict = rig.order(Verb::scale, size);
    EXPECT_EQ(verdict.kind, Verdict::Kind::refused);
    EXPECT_EQ(verdict.why.code, Code::refused);
    EXPECT_NE(verdict.why.message().find(std::to_string(size)), std::string::npos);
    EXPECT_EQ(verdict.why.detail(), "accepted: 2 to 10, or null for automatic");
    EXPECT_FALSE(verdict.why.hint().empty());
  }
  EXPECT_EQ(rig.tick().generation, rig.generation);
  EXPECT_TRUE(rig.actions.empty());
  EXPECT_EQ(rig.order(Verb::scale, -1).message, "automatic sizing was already enabled");
}

TEST(Manual, IsDroppedOnlyByLimitsThatExcludeIt) {
  Policy policy = calm();
  Rig rig = Rig::running(policy, 2);
  (void)rig.order(Verb::scale, 6);
  rig.settle();
  policy.max_size = 7;
  rig.set(policy);
  EXPECT_EQ(rig.tick().limit_size, 6);
  policy.max_size = 5;
  rig.set(policy);
  EXPECT_EQ(rig.tick().limit_size, 5);
  EXPECT_EQ(rig.outlook.target_size, 5);
  EXPECT_EQ(rig.outlook.size_source, SizeSource::autoscale);
  ASSERT_NE(rig.note(EventKind::setting_changed), nullptr);
  EXPECT_EQ(rig.note(EventKind::setting_changed)->text,
            "manual size 6 by psql dropped: outside min_size 2 and max_size 5");
  EXPECT_EQ(rig.retired(CloseReason::scale), 1);
}

// A shrink takes effect on release, even while callers wait; never more than the surplus.
TEST(Shrink, MarksLeasedOnlyForSurplusOverLimit) {
  Rig rig = Rig::running(calm(), 2);
  (void)rig.order(Verb::scale, 8);
  rig.settle();
  for (uint32_t slot = 0; slot < 7; ++slot) rig.lease(slot);
  rig.waiting = 3;
  (void)rig.order(Verb::scale, 4);
  rig.tick();
  EXPECT_EQ(rig.retired(CloseReason::scale), 4);
  EXPECT_TRUE(rig.is_retired(7));  // the idle one first, then the highest leases
  EXPECT_TRUE(rig.is_retired(6) && rig.is_retired(5) && rig.is_retired(4));
  rig.obey();
  rig.tick();
  EXPECT_TRUE(rig.actions.empty());
  rig.give_back(6);
  rig.tick();
  EXPECT_TRUE(rig.actions.empty());
  EXPECT_EQ(rig.opens(), 0);
}

TEST(Shrink, RetiresOpeningBeforeLeased) {
  Rig rig = Rig::running(calm(), 6);
  rig.lease_all();
  rig.waiting = 2;
  rig.tick();
  rig.obey();  // 6 leased, 2 opening
  (void)rig.order(Verb::scale, 5);
  rig.tick();
  EXPECT_EQ(rig.retired(CloseReason::scale), 1);
  rig.obey();
  rig.arrive();
  rig.tick();
  EXPECT_EQ(rig.retired(CloseReason::scale), 2);
  EXPECT_TRUE(rig.is_retired(6) && rig.is_retired(7));
}

TEST(Shrink, RetiresHeldBeforeLeased) {
  Rig rig = Rig::running(calm(), 4);
  rig.lease_all();
  rig.put(rig.at(0), Phase::held);
  (void)rig.order(Verb::scale, 3);
  rig.tick();
  EXPECT_EQ(rig.retired(CloseReason::scale), 1);
  EXPECT_TRUE(rig.is_retired(0));
}

TEST(Shrink, AboveTargetKeepsLeasesAndMinIdle) {
  Policy policy = calm();
  policy.min_idle = 1;
  Rig rig = Rig::running(policy, 2);
  rig.lease_all();
  rig.add(Phase::idle);
  rig.tick();
  EXPECT_TRUE(rig.actions.empty());
  rig.add(Phase::idle);
  rig.waiting = 1;
  rig.tick();
  EXPECT_EQ(rig.count<action::Retire>(), 0);
  rig.waiting = 0;
  rig.tick();
  EXPECT_EQ(rig.retired(CloseReason::scale), 1);
  EXPECT_TRUE(rig.is_retired(3));
  rig.tick();  // not carried out, so it is requested again
  EXPECT_TRUE(rig.is_retired(3));
}

TEST(Shrink, KeepsConnectionBeingValidated) {
  Policy policy = calm();
  policy.validation_interval = Span::seconds(30);
  Rig rig = Rig::running(policy, 2);
  rig.add(Phase::idle);
  rig.tick_after(Span::seconds(30));
  EXPECT_EQ(rig.find<action::Validate>()->slot, 2U);
  EXPECT_EQ(rig.retired(CloseReason::scale), 1);
  EXPECT_TRUE(rig.is_retired(1));
}

TEST(Burst, RaisesLimitForItsDuration) {
  Rig rig = Rig::running(calm(), 10);
  rig.lease_all();
  rig.waiting = 30;
  rig.tick();
  EXPECT_EQ(rig.opens(), 0);
  EXPECT_EQ(rig.order(Verb::burst, 0, Span::seconds(20)).message, "up to 20 connections for 20s");
  rig.tick();
  EXPECT_EQ(rig.outlook.limit_size, 20);
  EXPECT_EQ(rig.outlook.size_source, SizeSource::burst);
  EXPECT_EQ(rig.outlook.burst_until, rig.now + Span::seconds(20));
  EXPECT_NE(rig.note(EventKind::burst_on), nullptr);
  EXPECT_EQ(rig.opens(), 4);
  EXPECT_EQ(rig.brain.limit_reason(), "burst to 20 for another 20.0 s");
  for (int i = 0; i < 3; ++i) {
    rig.obey();
    rig.arrive();
    rig.lease_all();
    rig.tick();
  }
  EXPECT_EQ(rig.slots.size(), 20U);
  EXPECT_EQ(rig.outlook.next_wakeup, rig.outlook.burst_until);
  rig.now = rig.outlook.burst_until;  // I6
  rig.tick();
  EXPECT_NE(rig.note(EventKind::burst_off), nullptr);
  EXPECT_FALSE(rig.outlook.burst_until.is_set());
  EXPECT_EQ(rig.outlook.limit_size, 10);
  EXPECT_EQ(rig.outlook.target_size, 10);
  EXPECT_EQ(rig.retired(CloseReason::scale), 10);
}

TEST(Burst, OverridesManualUntilItEnds) {
  Rig rig = Rig::running(calm(), 2);
  (void)rig.order(Verb::scale, 4);
  (void)rig.order(Verb::burst);
  rig.tick();
  EXPECT_EQ(rig.outlook.size_source, SizeSource::burst);
  EXPECT_EQ(rig.outlook.limit_size, 20);
  EXPECT_EQ(rig.outlook.target_size, 4);
  rig.settle();
  rig.lease_all();
  rig.waiting = 2;
  rig.settle();
  EXPECT_EQ(rig.outlook.target_size, 6);
  rig.waiting = 0;
  EXPECT_EQ(rig.order(Verb::end_burst).message, "burst ended, the limit is manual scale to 4 by psql");
  rig.tick();
  EXPECT_EQ(rig.outlook.size_source, SizeSource::manual);
  EXPECT_EQ(rig.outlook.target_size, 4);
  EXPECT_EQ(rig.retired(CloseReason::scale), 2);
  EXPECT_EQ(rig.order(Verb::end_burst).message, "no burst was active");
}

TEST(Burst, ProlongingResetsItsEnd) {
  Rig rig = Rig::running(calm(), 2);
  (void)rig.order(Verb::burst, 0, Span::seconds(60));
  rig.tick_after(Span::seconds(10));
  (void)rig.order(Verb::burst, 0, Span::seconds(5));
  EXPECT_EQ(rig.tick().burst_until, rig.now + Span::seconds(5));
}

TEST(Burst, IsRefusedWhenOff) {
  Policy policy = calm();
  Rig rig = Rig::running(policy, 2);
  policy.burst = false;
  rig.set(policy);
  EXPECT_EQ(rig.order(Verb::burst).why.code, Code::refused);
}

TEST(Burst, EndsWhenOptionIsDisabled) {
  Policy policy = calm();
  Rig rig = Rig::running(policy, 2);
  (void)rig.order(Verb::burst);
  rig.tick();
  policy.burst = false;
  rig.set(policy);
  rig.tick();
  EXPECT_EQ(rig.outlook.limit_size, 10);
  EXPECT_NE(rig.note(EventKind::burst_off), nullptr);
}

TEST(Limits, NoRuleExceedsSlots) {
  Policy policy = calm();
  policy.max_size = 100;
  Rig rig(policy, 8);
  EXPECT_EQ(rig.tick().limit_size, 8);
  EXPECT_EQ(rig.brain.limit_reason(), "the 8 slots of this pool");
  EXPECT_EQ(rig.order(Verb::scale, 9).why.detail(), "accepted: 2 to 8, or null for automatic");
  (void)rig.order(Verb::burst);
  EXPECT_EQ(rig.tick().limit_size, 8);
}

TEST(Limits, LiveChangeMovesTarget) {
  Policy policy = calm();
  Rig rig = Rig::running(policy, 2);
  policy.min_size = 5;
  rig.set(policy);
  rig.tick();
  EXPECT_EQ(rig.outlook.target_size, 5);
  EXPECT_EQ(rig.find<action::Scale>()->reason, "min_size is 5");
  EXPECT_EQ(rig.find<action::Scale>()->cause, SizeSource::config);
  EXPECT_EQ(rig.opens(), 3);
  EXPECT_EQ(rig.outlook.generation, rig.generation + 1);
}

}  // namespace
}  // namespace tide::test
