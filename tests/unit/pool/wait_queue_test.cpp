// The queue in virtual time, with one thread: every ticket is asynchronous, so no thread sleeps. Concurrency is tested
// in tests/race and tests/model.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "pool/wait_queue.hpp"

namespace tide {
namespace {

struct Caller : Ticket {
  bool is_answered = false;
};

class WaitQueueTest : public testing::Test {
 protected:
  WaitQueueTest()
      : segment_(make()),
        board_(*segment_),
        in_use_peak_(board_, segment_->totals().in_use_peak),
        wait_queue_(board_, in_use_peak_, *segment_) {}

  static std::unique_ptr<Segment> make() {
    SegmentSpec spec;
    spec.pool = "test";
    return Segment::create(spec).take();
  }
  uint32_t seat() {
    const uint32_t slot = board_.open_lowest();
    EXPECT_TRUE(board_.advance(slot, board_.word(slot), SlotState::idle));
    return slot;
  }
  Caller& ask(Instant now, Span timeout = Span::seconds(10), int64_t max_waiting = 0) {
    callers_.push_back(std::make_unique<Caller>());
    Caller& caller = *callers_.back();
    caller.queued_at = now;
    caller.deadline = now + timeout;
    caller.deliver = [](Ticket* ticket) { static_cast<Caller*>(ticket)->is_answered = true; };
    Deliveries out;
    if (!wait_queue_.enqueue(caller, now, max_waiting, out)) caller.is_answered = true;
    return caller;
  }
  bool pass_on(LeaseId lease, Instant now) {
    if (!board_.end(lease)) return false;
    wait_queue_.pass_on(lease, now);
    return true;
  }

  std::unique_ptr<Segment> segment_;
  Board board_;
  InUsePeak in_use_peak_;
  WaitQueue wait_queue_;
  std::vector<std::unique_ptr<Caller>> callers_;
  Instant now_ = Instant::at_ns(1'000'000'000);
};

TEST_F(WaitQueueTest, ServesInOrderOfArrival) {
  seat();
  const LeaseId held = board_.claim_lowest();
  Caller& first = ask(now_);
  Caller& second = ask(now_ + Span::micros(1));
  EXPECT_TRUE(pass_on(held, now_ + Span::micros(2)));
  EXPECT_TRUE(first.is_answered);
  EXPECT_FALSE(second.is_answered);
  EXPECT_EQ(first.lease.generation(), held.generation() + 1) << "a new lease, not the old one";
  EXPECT_TRUE(pass_on(first.lease, now_ + Span::micros(3)));
  EXPECT_TRUE(second.is_answered);
}

TEST_F(WaitQueueTest, I4_NoWaiterWhileConnectionIsIdle) {
  seat();
  Caller& caller = ask(now_);
  EXPECT_TRUE(caller.is_answered) << "a queued caller checks the board again";
  EXPECT_EQ(wait_queue_.waiting(), 0U);
}

TEST_F(WaitQueueTest, I4_NextWaiterGetsConnectionOfNudgedHead) {
  wait_queue_.set_window(Span::millis(1));
  seat();
  seat();
  const LeaseId first = board_.claim_lowest();
  const LeaseId second = board_.claim_lowest();
  Ticket head, behind;  // of sleeping threads
  for (Ticket* ticket : {&head, &behind}) {
    Deliveries out;
    ticket->queued_at = now_;
    ASSERT_TRUE(wait_queue_.enqueue(*ticket, now_, 0, out));
  }
  // The head's window elapses between the two: the first goes to the board, the second to the head directly.
  EXPECT_TRUE(pass_on(first, now_ + Span::micros(999)));
  EXPECT_EQ(head.signal, Ticket::kNudged);
  EXPECT_TRUE(pass_on(second, now_ + Span::micros(1001)));
  EXPECT_EQ(head.signal, Ticket::kGranted);
  EXPECT_EQ(behind.signal, Ticket::kGranted) << "it sleeps beside an idle connection";
}

TEST_F(WaitQueueTest, DeliveriesDoNotNest) {
  seat();
  const LeaseId held = board_.claim_lowest();
  struct GivesBack : Ticket {
    std::function<void(LeaseId)> give_back;
    int* depth = nullptr;
    int* deepest = nullptr;
  };
  constexpr int kCallers = 1000;
  int depth = 0, deepest = 0;
  std::vector<std::unique_ptr<GivesBack>> all;
  for (int i = 0; i < kCallers; ++i) {
    all.push_back(std::make_unique<GivesBack>());
    GivesBack& caller = *all.back();
    caller.queued_at = now_;
    caller.give_back = [this](LeaseId lease) { EXPECT_TRUE(pass_on(lease, now_)); };
    caller.depth = &depth;
    caller.deepest = &deepest;
    caller.deliver = [](Ticket* ticket) {
      auto& self = *static_cast<GivesBack*>(ticket);
      *self.deepest = std::max(*self.deepest, ++*self.depth);
      self.give_back(self.lease);
      --*self.depth;
    };
    Deliveries out;
    ASSERT_TRUE(wait_queue_.enqueue(caller, now_, 0, out));
  }
  EXPECT_TRUE(pass_on(held, now_));
  EXPECT_EQ(deepest, 1);
  for (const auto& caller : all) EXPECT_EQ(caller->signal, Ticket::kGranted);
  EXPECT_EQ(wait_queue_.waiting(), 0U);
  EXPECT_FALSE(board_.claim_lowest().is_none());
}

TEST_F(WaitQueueTest, I9_NoOvertakingAfterFairnessWindow) {
  wait_queue_.set_window(Span::millis(1));
  seat();
  (void)board_.claim_lowest();
  ask(now_);
  EXPECT_TRUE(wait_queue_.may_overtake(now_ + Span::micros(999)));
  EXPECT_FALSE(wait_queue_.may_overtake(now_ + Span::millis(1)));
  wait_queue_.set_window(Span{});
  EXPECT_FALSE(wait_queue_.may_overtake(now_)) << "0 means strict order";
}

TEST_F(WaitQueueTest, I7_ExpiredTicketIsDeliveredOnceAndNotGranted) {
  seat();
  const LeaseId held = board_.claim_lowest();
  Caller& hasty = ask(now_, Span::millis(5));
  Caller& patient = ask(now_, Span::seconds(5));
  Deliveries out;
  EXPECT_EQ(wait_queue_.expire(now_ + Span::millis(5), out), patient.deadline);
  out.run();
  EXPECT_TRUE(hasty.is_answered);
  EXPECT_EQ(hasty.refusal, Code::timeout);
  EXPECT_TRUE(hasty.lease.is_none());
  EXPECT_TRUE(pass_on(held, now_ + Span::millis(6)));
  EXPECT_TRUE(patient.is_answered);
  EXPECT_FALSE(patient.lease.is_none());
  EXPECT_EQ(read(segment_->queue().timeouts_total), 1U);
}

TEST_F(WaitQueueTest, FullQueueRefusesAtOnce) {
  seat();
  (void)board_.claim_lowest();
  ask(now_, Span::seconds(1), 1);
  EXPECT_EQ(ask(now_, Span::seconds(1), 1).refusal, Code::queue_full);
  EXPECT_EQ(read(segment_->queue().rejected_total), 1U);
}

TEST_F(WaitQueueTest, PauseKeepsQueueAndResumeServesIt) {
  seat();
  Deliveries out;
  wait_queue_.set_gate(Gate::paused, now_, out);
  Caller& caller = ask(now_);
  EXPECT_FALSE(caller.is_answered);
  wait_queue_.set_gate(Gate::running, now_, out);
  out.run();
  EXPECT_TRUE(caller.is_answered);
  EXPECT_FALSE(caller.lease.is_none());
}

TEST_F(WaitQueueTest, CloseRefusesWaitersAndNewRequests) {
  seat();
  (void)board_.claim_lowest();
  Caller& waiting = ask(now_);
  Deliveries out;
  wait_queue_.set_gate(Gate::closed, now_, out);
  out.run();
  EXPECT_EQ(waiting.refusal, Code::closed);
  EXPECT_EQ(ask(now_).refusal, Code::closed);
}

TEST_F(WaitQueueTest, I3_RevokedLeaseIsNotHandedOver) {
  seat();
  const LeaseId held = board_.claim_lowest();
  Caller& caller = ask(now_);
  ASSERT_TRUE(board_.advance(held.slot(), held.word(), SlotState::revoked));
  EXPECT_FALSE(pass_on(held, now_ + Span::millis(2)));
  EXPECT_FALSE(caller.is_answered);
}

}  // namespace
}  // namespace tide
