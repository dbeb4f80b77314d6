// Commands on connections and leases: recycle, close_connection, revoke; pending ones and their bound.
#include "rig.hpp"

namespace tide::test {
namespace {

// Lets time pass from wakeup to wakeup and carries out actions; opens finish at once. Collects finished commands.
std::vector<action::FinishCommand> pass(Rig& rig, Span span) {
  std::vector<action::FinishCommand> finished;
  const Instant end = rig.now + span;
  for (;;) {
    rig.tick();
    for (const action::FinishCommand& done : all<action::FinishCommand>(rig.actions)) finished.push_back(done);
    rig.obey();
    rig.arrive();
    if (rig.actions.empty() && rig.outlook.next_wakeup > end) break;
    if (rig.actions.empty()) rig.now = rig.outlook.next_wakeup;
  }
  rig.now = end;
  return finished;
}

TEST(Annotate, IsAnEventWithItsActor) {
  Rig rig;
  Result<Command> command = make_command("annotate", {{"message", std::string("version 4.2 deployed")}});
  ASSERT_TRUE(command);
  command->actor = "alice";
  EXPECT_EQ(rig.brain.accept(*command, rig.census(), rig.now).kind, Verdict::Kind::applied);
  rig.tick();
  ASSERT_NE(rig.note(EventKind::annotation), nullptr);
  EXPECT_EQ(rig.note(EventKind::annotation)->text, "version 4.2 deployed by alice");
}

TEST(Recycle, ReplacesEveryConnectionSpreadEvenly) {
  Policy policy = calm();
  policy.min_size = 10;
  Rig rig = Rig::running(policy, 10);
  const uint64_t last_old = rig.last_conn_id;
  const Verdict verdict = rig.order(Verb::recycle, 0, Span::seconds(100));
  EXPECT_EQ(verdict.kind, Verdict::Kind::pending);
  EXPECT_EQ(verdict.message, "replacing 10 connections over 100s");
  for (uint64_t gone = 1; gone <= 10; ++gone) {  // one in each tenth
    const auto finished = pass(rig, Span::seconds(10));
    const auto left = std::count_if(rig.slots.begin(), rig.slots.end(),
                                    [last_old](const SlotCensus& s) { return s.conn_id <= last_old; });
    EXPECT_EQ(left, static_cast<int64_t>(10 - gone));
    EXPECT_EQ(finished.size(), gone == 10 ? 1U : 0U);
    for (const action::FinishCommand& action : finished) EXPECT_EQ(action.verdict.message, "10 connections replaced");
  }
  EXPECT_EQ(rig.slots.size(), 10U);
}

TEST(Recycle, WaitsForLeasesAndSize) {
  Policy policy = calm();
  policy.max_size = 2;
  Rig rig = Rig::running(policy, 2);
  rig.lease(0);
  (void)rig.order(Verb::recycle);
  EXPECT_TRUE(pass(rig, Span::seconds(1)).empty());
  rig.give_back(0);
  rig.tick();
  EXPECT_EQ(rig.opens(), 1);
  EXPECT_EQ(rig.count<action::FinishCommand>(), 0);  // the size is not restored yet
  rig.obey();
  rig.arrive();
  rig.tick();
  EXPECT_EQ(rig.count<action::FinishCommand>(), 1);
}

TEST(Recycle, OverlappingCommandsMergeAndBothFinish) {
  Policy policy = calm();
  policy.min_size = 4;
  Rig rig = Rig::running(policy, 4);
  (void)rig.order(Verb::recycle, 0, Span::seconds(1000));
  EXPECT_TRUE(pass(rig, Span::seconds(10)).empty());
  (void)rig.order(Verb::recycle);
  const auto finished = pass(rig, Span::seconds(1));
  EXPECT_EQ(finished.size(), 2U);
  EXPECT_EQ(rig.last_conn_id, 8U);  // no connection was replaced twice
}

TEST(Recycle, LaterCommandDoesNotPostponeEarlierOne) {
  Rig rig = Rig::running(calm(), 2);
  (void)rig.order(Verb::recycle, 0, Span::seconds(10));
  (void)rig.order(Verb::recycle, 0, Span::seconds(1000));
  EXPECT_EQ(pass(rig, Span::seconds(10)).size(), 2U);
}

TEST(Recycle, EndsWithADrain) {
  Rig rig = Rig::running(calm(), 2);
  (void)rig.order(Verb::recycle, 0, Span::seconds(1000));
  (void)rig.order(Verb::drain);
  EXPECT_EQ(pass(rig, Span::seconds(1)).size(), 2U);
  EXPECT_TRUE(rig.outlook.is_settled);
}

TEST(Recycle, FinishesAtOnceIfPoolIsEmpty) {
  Rig rig{calm()};
  EXPECT_EQ(rig.order(Verb::recycle).message, "0 connections replaced");
}

TEST(CloseConnection, ClosesOneAndReports) {
  Rig rig = Rig::running(calm(), 2);
  rig.lease(1);
  EXPECT_EQ(rig.order(Verb::close_connection, 99).why.code, Code::not_found);
  EXPECT_EQ(rig.order(Verb::close_connection, 2).message, "will be closed when its lease ends");
  rig.tick();
  EXPECT_EQ(rig.retired(CloseReason::control), 1);
  EXPECT_TRUE(rig.is_retired(1));
  rig.obey();
  EXPECT_TRUE(pass(rig, Span::seconds(5)).empty());
  rig.give_back(1);
  const auto finished = pass(rig, Span::seconds(1));
  ASSERT_EQ(finished.size(), 1U);
  EXPECT_EQ(finished[0].verdict.message, "connection 2 closed");
  EXPECT_EQ(rig.slots.size(), 2U);
}

TEST(CloseConnection, OpeningConnectionIsClosedOnceOpen) {
  Rig rig{calm()};
  rig.tick();
  rig.obey();
  EXPECT_EQ(rig.order(Verb::close_connection, 1).kind, Verdict::Kind::pending);
  rig.tick();
  EXPECT_EQ(rig.count<action::Retire>(), 0);
  rig.arrive();
  rig.tick();
  EXPECT_TRUE(rig.is_retired(0));
}

TEST(Revoke, RevokesLeaseOnce) {
  Rig rig = Rig::running(calm(), 2);
  rig.lease(1);
  const int64_t lease_id = static_cast<int64_t>(rig.at(1).lease_id);
  EXPECT_EQ(rig.order(Verb::revoke, lease_id + 1).why.code, Code::not_found);
  EXPECT_EQ(rig.order(Verb::revoke, lease_id).kind, Verdict::Kind::applied);
  EXPECT_EQ(rig.order(Verb::revoke, lease_id).message, "already revoked");
  rig.tick();
  ASSERT_EQ(rig.count<action::RevokeLease>(), 1);
  EXPECT_EQ(rig.find<action::RevokeLease>()->lease_id, static_cast<uint64_t>(lease_id));
  EXPECT_NE(rig.note(EventKind::lease_revoked), nullptr);
  EXPECT_EQ(rig.outlook.generation, rig.generation + 2);
}

TEST(Pending, IsBoundedAndReusesEntries) {
  Policy policy = calm();
  Rig rig = Rig::running(policy, 2);
  rig.lease_all();
  for (int i = 0; i < 64; ++i) {
    ASSERT_EQ(rig.order(Verb::close_connection, 1 + i % 2).kind, Verdict::Kind::pending);
  }
  for (const Verb verb : {Verb::close_connection, Verb::recycle, Verb::drain}) {
    const Verdict verdict = rig.order(verb, 1);
    EXPECT_EQ(verdict.why.code, Code::refused);
    EXPECT_EQ(verdict.why.message(), "64 commands are still pending");
  }
  EXPECT_EQ(rig.tick().state, PoolState::running);  // the refused drain has no effect
  rig.obey();
  rig.give_back(0);
  rig.give_back(1);
  EXPECT_EQ(pass(rig, Span::seconds(1)).size(), 64U);
  EXPECT_EQ(rig.order(Verb::recycle).kind, Verdict::Kind::pending);
}

}  // namespace
}  // namespace tide::test
