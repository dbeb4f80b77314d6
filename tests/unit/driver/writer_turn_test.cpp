#include "driver/sqlite/writer_turn.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "unit/driver/support.hpp"

namespace tide::test {
namespace {

using sqlite::WriterTurn;
using Outcome = WriterTurn::Outcome;

const std::atomic<bool> kGoOn{false};

void until_waiting(const WriterTurn& turn, size_t waiters) {
  while (turn.waiting() != waiters) std::this_thread::yield();
}

TEST(WriterTurn, TakeAndGive) {
  ManualClock clock;
  WriterTurn turn(clock);
  EXPECT_EQ(turn.holder().session, 0u);
  EXPECT_EQ(turn.take(7, Instant::never(), kGoOn), Outcome::taken);
  EXPECT_EQ(turn.holder().session, 7u);
  EXPECT_EQ(turn.holder().since, clock.now());
  turn.give(7);
  EXPECT_EQ(turn.holder().session, 0u);
}

TEST(WriterTurn, T2HandedOverInOrderOfArrival) {
  RealClock clock;
  WriterTurn turn(clock);
  ASSERT_EQ(turn.take(100, Instant::never(), kGoOn), Outcome::taken);
  std::vector<uint64_t> order;  // written by whoever has the turn
  std::vector<std::thread> threads;
  for (uint64_t i = 1; i <= 16; ++i) {
    threads.emplace_back([&, i] {
      ASSERT_EQ(turn.take(i, Instant::never(), kGoOn), Outcome::taken);
      order.push_back(i);
      turn.give(i);
    });
    until_waiting(turn, i);
  }
  turn.give(100);
  for (std::thread& thread : threads) thread.join();
  ASSERT_EQ(order.size(), 16u);
  for (uint64_t i = 0; i < 16; ++i) EXPECT_EQ(order[i], i + 1);
}

// T2
TEST(WriterTurn, T2AWaiterIsOvertakenWithinTheWindowOnly) {
  ManualClock clock;
  WriterTurn turn(clock, Span::millis(10));
  ASSERT_EQ(turn.take(1, Instant::never(), kGoOn), Outcome::taken);
  std::atomic<bool> is_served{false};
  std::thread waiter([&] {
    ASSERT_EQ(turn.take(2, Instant::never(), kGoOn), Outcome::taken);
    is_served.store(true);
  });
  until_waiting(turn, 1);
  clock.advance(Span::millis(10));
  turn.give(1);
  EXPECT_EQ(turn.holder().session, 2u) << "handed over, although its thread has not run yet";
  EXPECT_EQ(turn.take(3, Instant(), kGoOn), Outcome::timed_out);
  waiter.join();
  EXPECT_TRUE(is_served.load());
  turn.give(2);
}

TEST(WriterTurn, AFreeTurnIsTakenByWhoeverRunsFirst) {
  RealClock clock;
  WriterTurn turn(clock, Span::seconds(3600));
  ASSERT_EQ(turn.take(1, Instant::never(), kGoOn), Outcome::taken);
  std::thread waiter([&] {
    ASSERT_EQ(turn.take(2, Instant::never(), kGoOn), Outcome::taken);
    turn.give(2);
  });
  until_waiting(turn, 1);
  // Either overtakes the waiter, or finds that it has the turn; in the end both had it.
  turn.give(1);
  ASSERT_EQ(turn.take(3, Instant::never(), kGoOn), Outcome::taken);
  turn.give(3);
  waiter.join();
  EXPECT_EQ(turn.holder().session, 0u);
  EXPECT_EQ(turn.waiting(), 0u);
}

// A waiter that was woken for a free turn and gives up at the same time wakes the next one.
TEST(WriterTurn, T3NotLostWhenAWokenWaiterGivesUp) {
  RealClock clock;
  for (int round = 0; round < 300; ++round) {
    WriterTurn turn(clock, Span::seconds(3600));
    ASSERT_EQ(turn.take(1, Instant::never(), kGoOn), Outcome::taken);
    std::atomic<bool> should_stop{false};
    std::thread second([&] {
      if (turn.take(2, Instant::never(), should_stop) == Outcome::taken) turn.give(2);
    });
    until_waiting(turn, 1);
    std::thread third([&] {
      ASSERT_EQ(turn.take(3, Instant::never(), kGoOn), Outcome::taken);
      turn.give(3);
    });
    until_waiting(turn, 2);
    should_stop.store(true);
    turn.give(1);
    turn.nudge(2);
    second.join();
    third.join();
    ASSERT_EQ(turn.holder().session, 0u);
  }
}

TEST(WriterTurn, PastDeadlineDoesNotWait) {
  ManualClock clock;
  WriterTurn turn(clock);
  EXPECT_EQ(turn.take(1, Instant(), kGoOn), Outcome::taken);
  EXPECT_EQ(turn.take(2, Instant(), kGoOn), Outcome::timed_out);
  EXPECT_EQ(turn.waiting(), 0u);
}

TEST(WriterTurn, WaitEndsAtItsDeadline) {
  ManualClock clock;
  WriterTurn turn(clock);
  ASSERT_EQ(turn.take(1, Instant::never(), kGoOn), Outcome::taken);
  const Instant deadline = clock.now() + Span::seconds(3600);
  Outcome outcome = Outcome::taken;
  std::thread waiter([&] { outcome = turn.take(2, deadline, kGoOn); });
  until_waiting(turn, 1);
  turn.nudge(2);  // too early: it goes on waiting
  EXPECT_EQ(turn.waiting(), 1u);
  clock.advance(Span::seconds(3600));
  turn.nudge(2);
  waiter.join();
  EXPECT_EQ(outcome, Outcome::timed_out);
  turn.give(1);
  EXPECT_EQ(turn.holder().session, 0u);
}

TEST(WriterTurn, StoppedWaiterLeavesTheQueue) {
  RealClock clock;
  WriterTurn turn(clock);
  ASSERT_EQ(turn.take(1, Instant::never(), kGoOn), Outcome::taken);
  std::atomic<bool> should_stop{false};
  Outcome stopped = Outcome::taken;
  Outcome served = Outcome::stopped;
  std::thread second([&] { stopped = turn.take(2, Instant::never(), should_stop); });
  until_waiting(turn, 1);
  std::thread third([&] { served = turn.take(3, Instant::never(), kGoOn); });
  until_waiting(turn, 2);
  should_stop.store(true);
  turn.nudge(2);
  second.join();
  EXPECT_EQ(stopped, Outcome::stopped);
  turn.give(1);
  third.join();
  EXPECT_EQ(served, Outcome::taken);
  EXPECT_EQ(turn.holder().session, 3u);
}

// T1 and T3 under a storm of deadlines: the turn is neither doubled nor lost.
class WriterTurnStorm : public ::testing::TestWithParam<int64_t> {};

TEST_P(WriterTurnStorm, T3NotLostAtTheDeadline) {
  RealClock clock;
  WriterTurn turn(clock, Span::nanos(GetParam()));
  std::atomic<int> inside{0};
  std::atomic<int> taken{0};
  std::vector<std::thread> threads;
  for (uint64_t i = 1; i <= 8; ++i) {
    threads.emplace_back([&, i] {
      Rng rng(i);
      for (int k = 0; k < 500; ++k) {
        const Span timeout = Span::nanos(static_cast<int64_t>(rng.below(30'000)));
        if (turn.take(i, clock.now() + timeout, kGoOn) != Outcome::taken) continue;
        EXPECT_EQ(inside.fetch_add(1), 0);
        taken.fetch_add(1);
        inside.fetch_sub(1);
        turn.give(i);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(turn.holder().session, 0u);
  EXPECT_EQ(turn.waiting(), 0u);
  EXPECT_GT(taken.load(), 0);
}

INSTANTIATE_TEST_SUITE_P(Windows, WriterTurnStorm, ::testing::Values(0, 20'000, 1'000'000'000));

}  // namespace
}  // namespace tide::test
