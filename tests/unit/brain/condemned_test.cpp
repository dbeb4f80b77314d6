// Conclusions from lost connections about the others, and from a full server about the size.
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

TEST(Condemned, OneLossIsNoSuspicion) {
  Rig rig = six();
  rig.brain.connection_lost(rig.now, 1);
  rig.brain.connection_lost(rig.now, 1);  // reported twice: by its holder and by the watch
  EXPECT_EQ(replaced_within(rig, kSpread), 0);
  rig.now += Span::seconds(2);
  rig.brain.connection_lost(rig.now, 2);
  EXPECT_EQ(replaced_within(rig, kSpread), 0);
}

// Answers the validation, if any; returns the number of validations.
int answer(Rig& rig, bool is_alive) {
  rig.tick();
  const int asked = rig.validations();
  rig.obey();
  rig.now += Span::millis(1);
  rig.checked(is_alive);
  return asked;
}

TEST(Condemned, TwoLossesWithinASecondAreSuspicion) {
  for (const bool is_alive : {true, false}) {
    Rig rig = six();
    const uint64_t last_old = rig.last_conn_id;
    rig.brain.connection_lost(rig.now, 1);
    rig.now += Span::millis(900);
    rig.brain.connection_lost(rig.now, 2);
    rig.remove(0);
    rig.remove(1);
    EXPECT_EQ(answer(rig, is_alive), 1);
    rig.tick();
    if (is_alive) {
      EXPECT_EQ(rig.note(EventKind::recycle), nullptr);
      EXPECT_EQ(replaced_within(rig, kSpread), 0);
      continue;
    }
    ASSERT_NE(rig.note(EventKind::recycle), nullptr);
    EXPECT_EQ(rig.note(EventKind::recycle)->text,
              "several connections were lost within 1 s: replacing 3 connections over 2s");
    EXPECT_LT(rig.retired(CloseReason::control), 3);  // not all at once
    replaced_within(rig, kSpread);
    rig.settle();
    EXPECT_EQ(rig.slots.size(), 6U);
    for (const SlotCensus& slot : rig.slots) EXPECT_GT(slot.conn_id, last_old);
  }
}

TEST(Condemned, TerminatedSessionCondemnsNothingWhileAnotherLives) {
  Rig rig = six();
  rig.brain.generation_suspected(rig.now, 1, "terminating connection");
  rig.remove(0);
  EXPECT_EQ(answer(rig, true), 1);
  rig.brain.generation_suspected(rig.now, 2, "terminating connection");  // a second loss, and a second validation
  rig.brain.generation_suspected(rig.now, 3, "terminating connection");
  rig.settle();
  EXPECT_EQ(replaced_within(rig, kSpread), 0);
}

TEST(Condemned, TerminatedSessionCondemnsGenerationIfAnotherIsDead) {
  Rig rig = six();
  const uint64_t last_old = rig.last_conn_id;
  rig.brain.generation_suspected(rig.now, 1, "terminating connection");
  rig.remove(0);
  rig.tick();
  rig.obey();
  const uint64_t fresh = rig.add(Phase::idle).conn_id;  // opened meanwhile, so the server is available
  rig.checked(false);
  rig.tick();
  ASSERT_NE(rig.note(EventKind::recycle), nullptr);
  EXPECT_EQ(rig.note(EventKind::recycle)->text, "terminating connection: replacing 4 connections over 2s");
  replaced_within(rig, kSpread);
  EXPECT_TRUE(
      std::any_of(rig.slots.begin(), rig.slots.end(), [&](const SlotCensus& slot) { return slot.conn_id == fresh; }));
  EXPECT_TRUE(std::none_of(rig.slots.begin(), rig.slots.end(),
                           [&](const SlotCensus& slot) { return slot.conn_id <= last_old; }));
}

TEST(Condemned, ProofOfLifeEndsSuspicionWithoutValidation) {
  Rig rig = six();
  rig.lease_all();
  rig.brain.generation_suspected(rig.now, 1, "terminating connection");
  rig.tick();
  EXPECT_EQ(rig.validations(), 0);  // all are leased
  EXPECT_LE(rig.outlook.next_wakeup - rig.now, Span::seconds(1));
  rig.now += Span::millis(10);
  rig.give_back(3);
  rig.tick();
  EXPECT_EQ(rig.validations(), 0);
  EXPECT_EQ(replaced_within(rig, kSpread), 0);
}

TEST(Condemned, UndecidedSuspicionEnds) {
  Rig rig = six();
  rig.lease_all();
  rig.brain.generation_suspected(rig.now, 1, "terminating connection");
  rig.tick();
  rig.tick_after(Span::seconds(10));
  for (SlotCensus& slot : rig.slots) slot.phase = Phase::idle;
  rig.tick();
  EXPECT_EQ(rig.validations(), 0);
}

TEST(Condemned, NoValidationWhileDraining) {
  Rig rig = six();
  rig.brain.generation_suspected(rig.now, 1, "terminating connection");
  (void)rig.order(Verb::drain);
  rig.tick();
  EXPECT_EQ(rig.validations(), 0);
}

TEST(Condemned, ErrorsOfCondemnedGenerationAreIgnored) {
  Rig rig = six();
  rig.brain.generation_doomed(rig.now, 1, "the server goes down");
  rig.lease(0);
  replaced_within(rig, kSpread);
  rig.brain.connection_lost(rig.now, 1);
  rig.brain.connection_lost(rig.now, 2);
  rig.brain.generation_doomed(rig.now, 3, "the server goes down");
  rig.brain.generation_suspected(rig.now, 4, "terminating connection");
  EXPECT_EQ(replaced_within(rig, kSpread), 0);
}

TEST(Condemned, LeaseIsNotRevoked) {
  Rig rig = six();
  rig.lease(3);
  rig.brain.generation_doomed(rig.now, 1, "read only");
  EXPECT_EQ(replaced_within(rig, kSpread), 6);
  EXPECT_EQ(rig.count<action::RevokeLease>(), 0);
  EXPECT_TRUE(rig.at(3).is_retiring);
  EXPECT_EQ(rig.at(3).phase, Phase::leased);
}

TEST(Condemned, RepeatedErrorDoesNotCondemnForever) {
  Rig rig = six();
  rig.brain.generation_doomed(rig.now, 1, "read only");
  EXPECT_EQ(replaced_within(rig, kSpread), 6);
  rig.brain.generation_doomed(rig.now, rig.last_conn_id, "read only");
  EXPECT_EQ(replaced_within(rig, kSpread), 0);
  rig.now += Span::seconds(10);
  rig.brain.generation_doomed(rig.now, rig.last_conn_id, "read only");
  EXPECT_EQ(replaced_within(rig, kSpread), 6);
}

TEST(Crowded, TargetIsReducedToOpenConnections) {
  Rig rig = Rig::running(calm(), 8);
  for (uint32_t slot = 5; slot < 8; ++slot) rig.remove(slot);
  rig.tick();
  rig.obey();
  const auto n = std::erase_if(rig.slots, [](const auto& s) { return s.phase == Phase::opening; });
  ASSERT_EQ(n, 3U);
  for (size_t i = 0; i < n; ++i) rig.brain.connect_failed(rig.now, false, true);
  EXPECT_EQ(rig.tick().target_size, 5);
  EXPECT_EQ(rig.opens(), 0);
  EXPECT_EQ(rig.find<action::Scale>()->reason, "the server accepts no more connections at present");
  rig.tick_after(rig.policy.retry_max);
  EXPECT_EQ(rig.opens(), 0);  // no demand
  rig.lease_all();
  rig.waiting = 1;
  rig.tick();
  EXPECT_EQ(rig.opens(), 1);  // demand
}

TEST(Crowded, NotBelowLowestSize) {
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
