// Start, pause, resume, drain: the states of a pool.
#include "rig.hpp"

namespace tide::test {
namespace {

TEST(Start, EagerOpensMinSizeAndSettles) {
  Policy policy = calm();
  policy.min_size = 6;
  Rig rig(policy);
  EXPECT_EQ(rig.tick().state, PoolState::starting);
  EXPECT_EQ(rig.opens(), 4);  // max_connecting
  EXPECT_FALSE(rig.outlook.is_settled);
  rig.obey();
  rig.arrive();
  EXPECT_EQ(rig.tick().state, PoolState::starting);
  EXPECT_EQ(rig.opens(), 2);
  rig.obey();
  rig.arrive();
  EXPECT_EQ(rig.tick().state, PoolState::running);
  EXPECT_TRUE(rig.outlook.is_settled);
  EXPECT_TRUE(rig.actions.empty());
}

TEST(Start, LazyRunsAtOnceAndOpensForTheFirstCaller) {
  Policy policy = calm();
  policy.init_mode = InitMode::lazy;
  policy.min_idle = 1;
  Rig rig(policy);
  EXPECT_EQ(rig.tick().state, PoolState::running);
  EXPECT_TRUE(rig.outlook.is_settled);
  EXPECT_TRUE(rig.actions.empty());
  rig.waiting = 1;
  rig.tick();
  EXPECT_EQ(rig.opens(), 2);  // min_size applies from now on
}

TEST(Start, MinSizeZeroIsSettledWithoutConnections) {
  Policy policy = calm();
  policy.min_size = 0;
  Rig rig(policy);
  EXPECT_EQ(rig.tick().state, PoolState::running);
  EXPECT_EQ(rig.opens(), 0);
}

TEST(Start, CallersAreServedWhileStarting) {
  Policy policy = calm();
  policy.min_size = 3;
  Rig rig(policy);
  rig.add(Phase::leased);
  rig.add(Phase::idle);
  EXPECT_EQ(rig.tick().state, PoolState::starting);
  rig.obey();
  rig.arrive();
  EXPECT_EQ(rig.tick().state, PoolState::running);
}

TEST(Pause, KeepsConnectionsWithoutActions) {
  Policy policy = calm();
  policy.idle_timeout = Span::seconds(10);
  policy.validation_interval = Span::seconds(5);
  policy.scaling = true;
  Rig rig = Rig::running(policy, 6);
  EXPECT_EQ(rig.order(Verb::pause).kind, Verdict::Kind::applied);
  EXPECT_EQ(rig.tick().state, PoolState::paused);
  ASSERT_NE(rig.note(EventKind::pause), nullptr);
  EXPECT_EQ(rig.note(EventKind::pause)->text, "paused by psql");
  rig.waiting = 40;
  rig.in_use_average = 9;
  rig.tick_after(Span::seconds(3600));
  EXPECT_TRUE(rig.actions.empty());
  EXPECT_EQ(rig.order(Verb::pause).message, "already paused");
}

TEST(Pause, RefillsLostConnections) {
  Rig rig = Rig::running(calm(), 2);
  (void)rig.order(Verb::pause);
  rig.remove(0);
  rig.tick();
  EXPECT_EQ(rig.opens(), 1);
}

TEST(Pause, DoesNotCountAsIdleTime) {
  Policy policy = calm();
  policy.idle_timeout = Span::seconds(10);
  Rig rig = Rig::running(policy, 4);
  (void)rig.order(Verb::pause);
  rig.tick_after(Span::seconds(100));
  (void)rig.order(Verb::resume);
  EXPECT_EQ(rig.tick().state, PoolState::running);
  EXPECT_EQ(rig.retired(CloseReason::idle), 0);
  rig.tick_after(Span::seconds(10));
  EXPECT_EQ(rig.retired(CloseReason::idle), 2);
}

TEST(Resume, ContinuesUnfinishedStart) {
  Rig rig{calm()};
  (void)rig.order(Verb::pause);
  EXPECT_EQ(rig.tick().state, PoolState::paused);
  EXPECT_FALSE(rig.outlook.is_settled);
  (void)rig.order(Verb::resume);
  EXPECT_EQ(rig.tick().state, PoolState::starting);
  EXPECT_EQ(rig.order(Verb::resume).message, "already running");
}

TEST(Drain, ClosesEverythingThenSettles) {
  Rig rig = Rig::running(calm(), 3);
  rig.lease(0);
  rig.add(Phase::opening);
  const Verdict verdict = rig.order(Verb::drain);
  EXPECT_EQ(verdict.kind, Verdict::Kind::pending);
  EXPECT_EQ(rig.tick().state, PoolState::draining);
  EXPECT_EQ(rig.outlook.target_size, 0);
  EXPECT_FALSE(rig.outlook.is_settled);
  EXPECT_EQ(rig.retired(CloseReason::control), 3);  // the fourth is still being opened
  rig.obey();
  rig.arrive();
  rig.tick();
  EXPECT_EQ(rig.retired(CloseReason::control), 1);
  rig.obey();
  rig.waiting = 5;
  EXPECT_FALSE(rig.tick().is_settled);
  EXPECT_EQ(rig.opens(), 0);
  rig.give_back(0);
  EXPECT_TRUE(rig.tick().is_settled);
  const action::FinishCommand* done = rig.find<action::FinishCommand>();
  ASSERT_NE(done, nullptr);
  EXPECT_EQ(done->command_id, rig.last_command_id);
  EXPECT_EQ(done->verdict.kind, Verdict::Kind::applied);
  EXPECT_EQ(done->verdict.message, "drained, 4 connections closed");
  rig.tick_after(Span::seconds(60));
  EXPECT_EQ(rig.outlook.state, PoolState::draining);
  EXPECT_TRUE(rig.actions.empty());
  EXPECT_EQ(rig.order(Verb::drain).message, "already drained");
}

TEST(Drain, ResumeReopensAndRefusesUnfinishedDrain) {
  Rig rig = Rig::running(calm(), 5);
  rig.lease(0);
  (void)rig.order(Verb::drain);
  (void)rig.order(Verb::drain);  // joins the first
  rig.tick();
  rig.obey();
  EXPECT_EQ(rig.order(Verb::resume).kind, Verdict::Kind::applied);
  EXPECT_EQ(rig.tick().state, PoolState::running);
  EXPECT_EQ(rig.count<action::FinishCommand>(), 2);
  EXPECT_EQ(rig.find<action::FinishCommand>()->verdict.why.code, Code::refused);
  EXPECT_EQ(rig.outlook.target_size, 2);
  EXPECT_EQ(rig.opens(), 2);
}

TEST(Drain, RefusesCommandsThatMakeNoSense) {
  Rig rig = Rig::running(calm(), 2);
  (void)rig.order(Verb::drain);
  for (const Verb verb : {Verb::scale, Verb::burst, Verb::pause, Verb::recycle}) {
    const Verdict verdict = rig.order(verb, 4);
    EXPECT_EQ(verdict.kind, Verdict::Kind::refused) << word(verb);
    EXPECT_EQ(verdict.why.code, Code::refused);
    EXPECT_FALSE(verdict.why.hint().empty());
  }
  EXPECT_EQ(rig.order(Verb::end_burst).kind, Verdict::Kind::applied);
}

}  // namespace
}  // namespace tide::test
