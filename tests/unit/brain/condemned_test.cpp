// What connections that die tell of the others, and what a full server tells of the size.
#include "rig.hpp"

namespace tide::test {
namespace {

constexpr Span kSpread = Span::seconds(2);

int replaced_within(Rig& rig, Span span) {
  int n = 0;
  const Instant end = rig.now + span;
  rig.tick();
  for (;;) {
    n += rig.retired(CloseReason::control);
    rig.obey();
    rig.arrive();
    if (rig.now >= end) return n;
    rig.now = std::min(rig.outlook.next_wakeup, end);
    rig.tick();
  }
}

Rig six() {
  Policy policy = calm();
  policy.min_size = 6;
  return Rig::running(policy, 6);
}

TEST(Condemned, OneLossSaysNothingOfTheOthers) {
  Rig rig = six();
  rig.brain.connection_lost(rig.now, 1);
  rig.brain.connection_lost(rig.now, 1);  // told twice: by its holder and by the watch
  EXPECT_EQ(replaced_within(rig, kSpread), 0);
  rig.now += Span::seconds(2);
  rig.brain.connection_lost(rig.now, 2);
  EXPECT_EQ(replaced_within(rig, kSpread), 0);
}

TEST(Condemned, TwoLossesWithinASecondReplaceTheGenerationGently) {
  Rig rig = six();
  const uint64_t last_old = rig.last_conn_id;
  rig.brain.connection_lost(rig.now, 1);
  rig.now += Span::millis(900);
  rig.brain.connection_lost(rig.now, 2);
  rig.tick();
  ASSERT_NE(rig.note(EventKind::recycle), nullptr);
  EXPECT_EQ(rig.note(EventKind::recycle)->text, "connections were lost within 1s: replacing 6 connections over 2s");
  EXPECT_LT(rig.retired(CloseReason::control), 3);  // not all at once
  replaced_within(rig, kSpread);
  rig.settle();
  EXPECT_EQ(rig.slots.size(), 6U);
  for (const SlotCensus& slot : rig.slots) EXPECT_GT(slot.conn_id, last_old);
}

TEST(Condemned, WhatTheCondemnedTellIsNoNews) {
  Rig rig = six();
  rig.brain.generation_doomed(rig.now, 1, "the server goes down");
  rig.lease(0);
  replaced_within(rig, kSpread);
  rig.brain.connection_lost(rig.now, 1);
  rig.brain.connection_lost(rig.now, 2);
  rig.brain.generation_doomed(rig.now, 3, "the server goes down");
  EXPECT_EQ(replaced_within(rig, kSpread), 0);
}

TEST(Condemned, ALeaseIsNotTakenAway) {
  Rig rig = six();
  rig.lease(3);
  rig.brain.generation_doomed(rig.now, 1, "read only");
  EXPECT_EQ(replaced_within(rig, kSpread), 6);
  EXPECT_EQ(rig.count(Action::Kind::revoke_lease), 0);
  EXPECT_TRUE(rig.at(3).is_retiring);
  EXPECT_EQ(rig.at(3).phase, Phase::leased);
}

TEST(Condemned, AnErrorThatTheNewGenerationMeetsTooDoesNotGoOnForEver) {
  Rig rig = six();
  rig.brain.generation_doomed(rig.now, 1, "read only");
  EXPECT_EQ(replaced_within(rig, kSpread), 6);
  rig.brain.generation_doomed(rig.now, rig.last_conn_id, "read only");
  EXPECT_EQ(replaced_within(rig, kSpread), 0);
  rig.now += Span::seconds(10);
  rig.brain.generation_doomed(rig.now, rig.last_conn_id, "read only");
  EXPECT_EQ(replaced_within(rig, kSpread), 6);
}

TEST(Crowded, TheTargetComesDownToWhatThereIs) {
  Rig rig = Rig::running(calm(), 8);
  for (uint32_t slot = 5; slot < 8; ++slot) rig.remove(slot);
  rig.tick();
  rig.obey();
  const auto n = std::erase_if(rig.slots, [](const auto& s) { return s.phase == Phase::opening; });
  ASSERT_EQ(n, 3U);
  for (size_t i = 0; i < n; ++i) rig.brain.connect_failed(rig.now, false, true);
  EXPECT_EQ(rig.tick().target_size, 5);
  EXPECT_EQ(rig.opens(), 0);
  EXPECT_EQ(rig.find(Action::Kind::scaling)->text, "the server has no room for more");
  rig.tick_after(rig.policy.retry_max);
  EXPECT_EQ(rig.opens(), 0);  // nobody asks for more
  rig.lease_all();
  rig.waiting = 1;
  rig.tick();
  EXPECT_EQ(rig.opens(), 1);  // somebody does
}

TEST(Crowded, NotBelowTheLowestSize) {
  Rig rig = six();
  rig.remove(5);
  rig.tick();
  rig.obey();
  std::erase_if(rig.slots, [](const auto& s) { return s.phase == Phase::opening; });
  rig.brain.connect_failed(rig.now, false, true);
  EXPECT_EQ(rig.tick().target_size, 6);
}

}  // namespace
}  // namespace tide::test
