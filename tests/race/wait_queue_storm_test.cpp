// The wait queue with newcomers, sleepers, asynchronous callers, timeouts, gate flips and its keeper: no thread sleeps
// forever (I4), every ticket ends once (I7), no lease is lost between a grant and a timeout (I8).
#include "pool/wait_queue.hpp"

#include <deque>
#include <mutex>

#include "race/storm.hpp"

namespace tide::race {
namespace {

struct Plan {
  uint32_t slots = 2;
  uint32_t callers = 4;
  int cycles = 1500;
  Span window = Span::millis(1);
  double asynchronous = 0;  // share of requests
  bool has_flips = false;
};

class WaitQueueStorm : public ::testing::TestWithParam<Plan> {
 protected:
  struct AsyncTicket : Ticket {
    WaitQueueStorm* storm = nullptr;
  };

  void run() {
    wait_queue_.set_window(plan_.window);
    callers_left_ = plan_.callers;
    storm(plan_.callers + 1, [this](uint32_t me) {
      if (me == plan_.callers) return keep();
      Rng rng(me + 41);
      for (int i = 0; i < plan_.cycles; ++i) {
        request(rng);
        while (finish_one_async(rng)) {
        }
      }
      --callers_left_;
      // Asynchronous requests are served by the remaining threads.
      EXPECT_TRUE(comes_true([&] {
        while (finish_one_async(rng)) {
        }
        return asked_async_.load() == ended_async_.load() && callers_left_.load() == 0;
      }));
    });
  }

  void check() {
    EXPECT_TRUE(deck_.is_all_idle()) << "a lease was lost";
    EXPECT_EQ(wait_queue_.waiting(), 0U);
    EXPECT_EQ(given_up_, 0U) << "a waiter with a long timeout was not served (I4)";
    EXPECT_EQ(deck_.acquires(), taken_ + granted_);
    EXPECT_EQ(deck_.releases(), taken_ + granted_);
    EXPECT_EQ(deck_.generations(), taken_ + granted_);
    EXPECT_EQ(deck_.waited(), granted_);
    const format::QueueStats& stats = deck_.segment->queue();
    EXPECT_EQ(read(stats.waiting), 0U);
    EXPECT_EQ(read(stats.timeouts_total), expired_sync_ + expired_async_);
    EXPECT_EQ(read(stats.rejected_total), 0U);
    uint64_t rows = 0;
    for (uint32_t i = 0; i < deck_.segment->header().waiters.count; ++i)
      rows += read(deck_.segment->waiters()[i].ticket);
    EXPECT_EQ(rows, 0U);
  }

 private:
  // As Pool::acquire does it, without a connection behind the slot.
  void request(Rng& rng) {
    const Instant asked = now();
    if (wait_queue_.gate() == Gate::running && wait_queue_.may_overtake(asked)) {
      if (const LeaseId lease = deck_.board.claim_lowest(); !lease.is_none()) {
        deck_.board.write_holder(lease, "newcomer", 1, asked);
        ++taken_;
        return use(lease, rng);
      }
    }
    const bool is_patient = rng.below(3) == 0;
    const Span timeout = is_patient ? Span::seconds(40) : Span::nanos(static_cast<int64_t>(rng.below(300'000)));
    if (rng.chance(plan_.asynchronous)) {
      if (asked_async_.load() - ended_async_.load() < 32) request_async(asked, timeout);
      return;
    }
    Ticket ticket;
    ticket.queued_at = asked;
    ticket.deadline = asked + timeout;
    ticket.tag = "sleeper";
    Deliveries deliveries;
    ASSERT_TRUE(wait_queue_.enqueue(ticket, asked, 0, deliveries));
    deliveries.run();
    if (wait_queue_.wait(
            ticket, [] { return now(); }, deliveries)) {
      ++granted_;
      deliveries.run();
      return use(ticket.lease, rng);
    }
    EXPECT_EQ(ticket.refusal, Code::timeout);
    ++expired_sync_;
    if (is_patient) ++given_up_;
  }

  void request_async(Instant asked, Span timeout) {
    auto* ticket = new AsyncTicket();
    ticket->storm = this;
    ticket->queued_at = asked;
    ticket->deadline = asked + timeout;
    ticket->tag = "callback";
    ticket->deliver = [](Ticket* t) {
      auto* self = static_cast<AsyncTicket*>(t);
      const std::lock_guard lock(self->storm->delivered_mutex_);
      self->storm->delivered_.emplace_back(self);
    };
    ++asked_async_;
    Deliveries deliveries;
    ASSERT_TRUE(wait_queue_.enqueue(*ticket, asked, 0, deliveries));
  }

  bool finish_one_async(Rng& rng) {
    std::unique_ptr<AsyncTicket> ticket;
    {
      const std::lock_guard lock(delivered_mutex_);
      if (delivered_.empty()) return false;
      ticket = std::move(delivered_.front());
      delivered_.pop_front();
    }
    if (ticket->signal.load(std::memory_order_acquire) == Ticket::kGranted) {
      ++granted_;
      use(ticket->lease, rng);
    } else {
      EXPECT_EQ(ticket->refusal, Code::timeout);
      ++expired_async_;
      if (ticket->deadline - ticket->queued_at > Span::seconds(1)) ++given_up_;
    }
    ++ended_async_;
    return true;
  }

  void use(LeaseId lease, Rng& rng) {
    uint64_t& desk = desks_[lease.slot()];  // ThreadSanitizer reports two owners
    ++desk;
    if (const uint64_t dice = rng.below(8); dice == 0) {
      linger(Span::micros(50));
    } else if (dice < 3) {
      std::this_thread::yield();
    }
    const Instant end = now();
    EXPECT_TRUE(deck_.board.end(lease));
    deck_.board.write_use(lease.slot(), end);
    wait_queue_.pass_on(lease, end);
  }

  // The keeper's operations on the queue: expiry, validation of an idle connection, pause and resume.
  void keep() {
    Rng rng(7);
    while (callers_left_.load() != 0 || asked_async_.load() != ended_async_.load()) {
      Deliveries deliveries;
      wait_queue_.expire(now(), deliveries);
      deliveries.run();
      // All callers may be asleep behind leases that were granted to asynchronous requests.
      while (finish_one_async(rng)) {
      }
      const auto slot = static_cast<uint32_t>(rng.below(plan_.slots));
      const SlotWord seen = deck_.board.word(slot);
      if (seen.state() == SlotState::idle && deck_.board.advance(slot, seen, SlotState::held)) {
        std::this_thread::yield();
        EXPECT_TRUE(deck_.board.advance(slot, seen.with(SlotState::held), SlotState::idle));
        if (wait_queue_.has_waiters()) wait_queue_.serve(now(), deliveries);
      }
      if (plan_.has_flips && rng.below(8) == 0) {
        wait_queue_.set_gate(Gate::paused, now(), deliveries);
        linger(Span::micros(static_cast<int64_t>(rng.below(100))));
        wait_queue_.set_gate(Gate::running, now(), deliveries);
      }
      deliveries.run();
      // Rarely, so that it does not hide missed wake-ups.
      linger(Span::micros(static_cast<int64_t>(200 + rng.below(400))));
    }
  }

  const Plan plan_ = GetParam();
  Deck deck_{plan_.slots};
  InUsePeak in_use_peak_{deck_.board, deck_.segment->totals().in_use_peak};
  WaitQueue wait_queue_{deck_.board, in_use_peak_, *deck_.segment};
  uint64_t desks_[8] = {};
  std::mutex delivered_mutex_;
  std::deque<std::unique_ptr<AsyncTicket>> delivered_;
  std::atomic<uint32_t> callers_left_{0};
  std::atomic<uint64_t> taken_{0}, granted_{0}, expired_sync_{0}, expired_async_{0}, given_up_{0};
  std::atomic<uint64_t> asked_async_{0}, ended_async_{0};
};

TEST_P(WaitQueueStorm, EveryTicketEndsAndNoLeaseIsLost) {
  run();
  check();
}

INSTANTIATE_TEST_SUITE_P(Sleepers, WaitQueueStorm,
                         ::testing::Values(Plan{.slots = 1}, Plan{.slots = 2},
                                           Plan{.slots = 1, .window = Span::nanos(0)},
                                           Plan{.slots = 2, .callers = 6, .window = Span::nanos(0)}));
INSTANTIATE_TEST_SUITE_P(Callbacks, WaitQueueStorm,
                         ::testing::Values(Plan{.slots = 1, .asynchronous = 0.5},
                                           Plan{.slots = 2, .window = Span::nanos(0), .asynchronous = 1.0}));
INSTANTIATE_TEST_SUITE_P(Flips, WaitQueueStorm,
                         ::testing::Values(Plan{.slots = 1, .has_flips = true},
                                           Plan{.slots = 2, .asynchronous = 0.3, .has_flips = true}));

// More sleepers than the wake list holds: each must be awake long before its own deadline.
TEST(WaitQueueClose, EverySleeperGetsResult) {
  constexpr uint32_t kSleepers = 64;
  for (const Gate news : {Gate::closed, Gate::running}) {
    for (int round = 0; round < 4; ++round) {
      Deck deck(kSleepers, kSleepers);
      InUsePeak in_use_peak(deck.board, deck.segment->totals().in_use_peak);
      WaitQueue wait_queue(deck.board, in_use_peak, *deck.segment);
      Deliveries deliveries;
      wait_queue.set_gate(Gate::paused, now(), deliveries);
      std::atomic<uint32_t> told{0};
      storm(kSleepers + 1, [&](uint32_t me) {
        Deliveries mine;
        if (me == kSleepers) {
          ASSERT_TRUE(comes_true([&] { return wait_queue.waiting() == kSleepers; }));
          linger(Span::millis(5));  // they fall asleep
          wait_queue.set_gate(news, now(), mine);
          EXPECT_TRUE(comes_true([&] { return told == kSleepers; }, Span::seconds(20)));
          return;
        }
        Ticket ticket;
        ticket.queued_at = now();
        ticket.deadline = ticket.queued_at + Span::seconds(40);
        ASSERT_TRUE(wait_queue.enqueue(ticket, ticket.queued_at, 0, mine));
        const bool is_granted = wait_queue.wait(
            ticket, [] { return now(); }, mine);
        EXPECT_EQ(is_granted, news == Gate::running);
        ++told;
      });
    }
  }
}

TEST(WaitQueueClose, CloseRefusesEveryCallerOnce) {
  for (uint64_t round = 0; round < 30; ++round) {
    Deck deck(1);
    InUsePeak in_use_peak(deck.board, deck.segment->totals().in_use_peak);
    WaitQueue wait_queue(deck.board, in_use_peak, *deck.segment);
    const LeaseId held = deck.board.claim_lowest();
    std::atomic<uint32_t> refused{0};
    storm(5, [&](uint32_t me) {
      Deliveries deliveries;
      if (me == 4) {
        comes_true([&] { return wait_queue.waiting() > round % 4; });
        wait_queue.set_gate(Gate::closed, now(), deliveries);
        return;
      }
      Ticket ticket;
      ticket.queued_at = now();
      ticket.deadline = ticket.queued_at + Span::seconds(40);
      const bool is_queued = wait_queue.enqueue(ticket, ticket.queued_at, 0, deliveries);
      if (is_queued)
        EXPECT_FALSE(wait_queue.wait(
            ticket, [] { return now(); }, deliveries));
      EXPECT_EQ(ticket.refusal, Code::closed);
      ++refused;
    });
    EXPECT_EQ(refused, 4U);
    EXPECT_EQ(read(deck.segment->queue().rejected_total), 4U);
    EXPECT_EQ(wait_queue.waiting(), 0U);
    EXPECT_TRUE(deck.board.end(held));
    wait_queue.pass_on(held, now());
  }
}

}  // namespace
}  // namespace tide::race
