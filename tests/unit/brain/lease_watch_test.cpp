// Lease watch: each rule reports each lease once.
#include "rig.hpp"

namespace tide::test {
namespace {

Policy watched(LeaseTimeoutAction action) {
  Policy policy = calm();
  policy.lease_timeout = Span::seconds(30);
  policy.leak_threshold = Span::seconds(10);
  policy.lease_timeout_action = action;
  return policy;
}

Rig with_lease(const Policy& policy) {
  Rig rig = Rig::running(policy, 2);
  rig.lease(1);
  rig.tick();
  return rig;
}

TEST(LeaseWatch, WakesInTimeAndReportsOnce) {
  Rig rig = with_lease(watched(LeaseTimeoutAction::report));
  EXPECT_EQ(rig.outlook.next_wakeup, rig.now + Span::seconds(10));
  rig.tick_after(Span::seconds(10));
  ASSERT_NE(rig.find<action::MarkSuspect>(), nullptr);
  EXPECT_EQ(rig.find<action::MarkSuspect>()->lease_id, rig.at(1).lease_id);
  ASSERT_NE(rig.note(EventKind::leak_suspected), nullptr);
  EXPECT_EQ(rig.note(EventKind::leak_suspected)->text,
            "connection 2, leased for 10.0 s, may have been forgotten (leak_threshold 10s)");
  EXPECT_EQ(rig.outlook.next_wakeup, rig.now + Span::seconds(20));
  rig.tick_after(Span::seconds(20));
  ASSERT_NE(rig.find<action::MarkOverdue>(), nullptr);
  EXPECT_EQ(rig.find<action::MarkOverdue>()->lease_id, rig.at(1).lease_id);
  EXPECT_EQ(rig.note(EventKind::lease_overdue)->severity, Severity::warning);
  EXPECT_EQ(rig.outlook.next_wakeup, Instant::never());
  rig.tick_after(Span::seconds(1000));
  EXPECT_TRUE(rig.actions.empty());
}

TEST(LeaseWatch, NewLeaseOfSameConnectionStartsOver) {
  Rig rig = with_lease(watched(LeaseTimeoutAction::report));
  rig.tick_after(Span::seconds(30));
  rig.give_back(1);
  rig.lease(1);
  rig.tick();
  EXPECT_TRUE(rig.actions.empty());
  rig.tick_after(Span::seconds(30));
  EXPECT_EQ(rig.count<action::MarkOverdue>(), 1);
}

TEST(LeaseWatch, CancelInterruptsOnce) {
  Rig rig = with_lease(watched(LeaseTimeoutAction::cancel));
  rig.tick_after(Span::seconds(30));
  EXPECT_EQ(rig.count<action::CancelLease>(), 1);
  EXPECT_NE(rig.note(EventKind::lease_cancelled), nullptr);
  rig.tick_after(Span::seconds(30));
  EXPECT_TRUE(rig.actions.empty());
}

TEST(LeaseWatch, ReclaimRevokesOnce) {
  Rig rig = with_lease(watched(LeaseTimeoutAction::reclaim));
  rig.tick_after(Span::seconds(30));
  EXPECT_EQ(rig.count<action::RevokeLease>(), 1);
  EXPECT_NE(rig.note(EventKind::lease_revoked), nullptr);
  rig.tick_after(Span::seconds(30));  // the keeper has not revoked it yet
  EXPECT_EQ(rig.count<action::RevokeLease>(), 0);
}

TEST(LeaseWatch, ActionSetLaterAppliesToExistingLeases) {
  Rig rig = with_lease(watched(LeaseTimeoutAction::report));
  rig.tick_after(Span::seconds(30));
  rig.set(watched(LeaseTimeoutAction::cancel));
  rig.tick();
  EXPECT_EQ(rig.count<action::MarkOverdue>(), 0);
  EXPECT_EQ(rig.count<action::CancelLease>(), 1);
}

TEST(LeaseWatch, EndsIdleTransactionOncePerOccurrence) {
  Rig rig = with_lease(calm());
  rig.at(1).idle_in_transaction_since = rig.now;
  EXPECT_EQ(rig.tick().next_wakeup, rig.now + Span::seconds(60));
  rig.tick_after(Span::seconds(60));
  const action::EndTransaction* end = rig.find<action::EndTransaction>();
  ASSERT_NE(end, nullptr);
  EXPECT_EQ(end->why, "idle in transaction for 60.0 s (idle_in_transaction_timeout 1min)");
  rig.tick_after(Span::seconds(60));
  EXPECT_TRUE(rig.actions.empty());
  rig.at(1).idle_in_transaction_since = rig.now;
  rig.tick_after(Span::seconds(60));
  EXPECT_EQ(rig.count<action::EndTransaction>(), 1);
}

TEST(LeaseWatch, EndsOldReadSnapshotTogetherWithTransaction) {
  Rig rig = with_lease(calm());
  rig.at(1).idle_in_transaction_since = rig.at(1).reading_since = rig.now;
  rig.tick_after(Span::seconds(60));
  EXPECT_EQ(rig.count<action::EndTransaction>(), 1);
  rig.at(1).reading_since = rig.now;
  rig.at(1).idle_in_transaction_since = Instant();
  rig.tick_after(Span::seconds(60));
  ASSERT_EQ(rig.count<action::EndTransaction>(), 1);
  EXPECT_EQ(rig.find<action::EndTransaction>()->why,
            "read transaction open for 60.0 s (sqlite_max_read_transaction 1min)");
}

TEST(LeaseWatch, ContinuesWhileDraining) {
  Rig rig = with_lease(watched(LeaseTimeoutAction::reclaim));
  (void)rig.order(Verb::drain);
  rig.tick();
  rig.obey();
  rig.tick_after(Span::seconds(30));
  EXPECT_EQ(rig.count<action::RevokeLease>(), 1);
}

}  // namespace
}  // namespace tide::test
