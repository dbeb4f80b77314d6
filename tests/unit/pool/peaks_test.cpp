// A peak is the highest value that occurred, however short, whether or not the keeper was running.
#include "pool/in_use_peak.hpp"
#include "unit/pool/timed_pool.hpp"

namespace tide {
namespace {

class Peaks : public test::TimedPool {
 protected:
  uint64_t in_use_peak() { return seen().read_totals()->in_use_peak; }
};

// A pool whose leases are found by scans, and one that counts them.
class PeaksOf : public Peaks, public testing::WithParamInterface<int64_t> {};
INSTANTIATE_TEST_SUITE_P(Sizes, PeaksOf, testing::Values(6, 100));

TEST_P(PeaksOf, FiveLeasesBetweenTwoTicks) {
  open(of_size(GetParam()));
  const auto leases = acquire(5);
  clock_.pass(Span::millis(1));
  release(leases);
  EXPECT_EQ(in_use_peak(), 5U) << "without a tick";
  pass(Span::seconds(1));
  EXPECT_EQ(last_second().in_use_max, 5U);
  pass(Span::seconds(1));
  EXPECT_EQ(last_second().in_use_max, 0U) << "it was in the previous second";
  EXPECT_EQ(in_use_peak(), 5U);
}

TEST_P(PeaksOf, ConsecutiveLeasesCountAsOne) {
  open(of_size(GetParam()));
  for (int i = 0; i < 2003; ++i) {
    release(acquire());
    if (i % 100 == 0) pass(Span::millis(100));
  }
  EXPECT_EQ(in_use_peak(), 1U);
}

TEST_P(PeaksOf, HeldLeaseCountsInEverySecond) {
  open(of_size(GetParam()));
  const auto held = acquire(2);
  pass(Span::seconds(1));
  pass(Span::seconds(1));
  EXPECT_EQ(last_second().in_use_max, 2U);
  release(acquire());
  EXPECT_EQ(in_use_peak(), 3U);
  pass(Span::seconds(1));
  EXPECT_EQ(last_second().in_use_max, 3U);
  release(held);
  pass(Span::seconds(1));
  EXPECT_EQ(last_second().in_use_max, 2U) << "they were held when the second began";
  pass(Span::seconds(1));
  EXPECT_EQ(last_second().in_use_max, 0U);
}

TEST_P(PeaksOf, ReleasedSlotDoesNotCount) {
  open(of_size(GetParam()));
  const auto held = acquire(4);
  release({held[0], held[1], held[2]});
  const auto more = acquire(2);
  EXPECT_EQ(in_use_peak(), 4U) << "three are in use now";
  const auto most = acquire(2);
  EXPECT_EQ(in_use_peak(), 5U);
  release(held[3]);
  release(more);
  release(most);
}

TEST_P(PeaksOf, ResetStartsWithCurrentUse) {
  open(of_size(GetParam()));
  const auto leases = acquire(5);
  release({leases[1], leases[2], leases[3], leases[4]});
  order("reset_stats");
  EXPECT_EQ(in_use_peak(), 1U);
  EXPECT_EQ(seen().read_totals()->size_peak, static_cast<uint64_t>(GetParam()));
  pass(Span::seconds(1));
  EXPECT_EQ(last_second().in_use_max, 5U) << "history is not reset";
  const auto again = acquire(2);
  EXPECT_EQ(in_use_peak(), 3U);
  release(again);
  release(leases[0]);
}

TEST_P(PeaksOf, LeasesAfterWaitCount) {
  Policy policy = of_size(GetParam());
  policy.max_size = policy.burst_max_size = GetParam();
  open(policy);
  order("pause");
  std::vector<LeaseId> granted;
  for (int i = 0; i < 4; ++i) {
    const Visit visit(Presence::key_of_pool(kKey));
    EXPECT_EQ(pool_->acquire_async({"late", LeaseMode::read_write, Span::seconds(60)},
                                   [&](Code code, LeaseId lease, const Status&) {
                                     if (code == Code::ok) granted.push_back(lease);
                                   }),
              Code::ok);
  }
  EXPECT_EQ(seen().read_queue()->waiting_peak, 4U);
  EXPECT_EQ(in_use_peak(), 0U);
  order("resume");
  ASSERT_EQ(granted.size(), 4U);
  EXPECT_EQ(in_use_peak(), 4U);
  pass(Span::seconds(1));
  EXPECT_EQ(last_second().waiting_max, 4U);
  release(granted);
  pass(Span::seconds(1));
  pass(Span::seconds(1));
  EXPECT_EQ(last_second().waiting_max, 0U);
  EXPECT_EQ(seen().read_queue()->waiting_peak, 4U);
  order("reset_stats");
  EXPECT_EQ(seen().read_queue()->waiting_peak, 0U);
}

TEST_P(PeaksOf, RevokedLeaseIsNotInUse) {
  open(of_size(GetParam()));
  const LeaseId lost = acquire();
  order("revoke", "{\"lease_id\":" + std::to_string(lost.bits) + "}");
  pass(Span::seconds(1));
  order("reset_stats");
  EXPECT_EQ(in_use_peak(), 0U);
  release(acquire());
  EXPECT_EQ(in_use_peak(), 1U);
}

// When the program is notified of a connection, every reader of the pool sees it.
TEST_F(Peaks, OpenConnectionCountsInSizeAtOnce) {
  size_t told = 0;
  EventSink events;
  events.mask = 1U << static_cast<uint32_t>(PoolEvent::connect);
  events.call = [&](PoolEvent, uint64_t conn_id, uint64_t, const char*) {
    ++told;
    size_t found = 0;
    for (const SlotCopy& slot : seen().read_slots()) found += slot.conn_id == conn_id ? 1 : 0;
    EXPECT_EQ(found, 1U);
  };
  open(of_size(3), events);
  EXPECT_EQ(told, 3U);
  EXPECT_EQ(seen().read_totals()->size_peak, 3U);
}

TEST_F(Peaks, SizeOfIntervalIsThatAtItsEnd) {
  Policy policy = of_size(4);
  policy.min_size = 1;
  policy.max_size = 4;
  policy.scaling = true;
  policy.sizing = Sizing::threshold;
  open(policy);
  order("scale", "{\"target_size\":4}");
  turn();
  EXPECT_EQ(last_second().size, 4U);
  order("scale", "{\"target_size\":1}");
  turn();
  EXPECT_EQ(last_second().size, 1U);
  EXPECT_EQ(seen().read_totals()->size_peak, 4U);
}

TEST_F(Peaks, IntervalReportsHoldTimesOfEndedLeases) {
  open(of_size(2));
  pass(Span::seconds(1));
  const LeaseId lease = acquire();
  pass(Span::seconds(1));
  EXPECT_EQ(last_second().use_ms, 0) << "none has ended";
  EXPECT_NEAR(last_second().in_use_avg, 1, 0.01);
  clock_.pass(Span::millis(500));
  release(lease);
  pass(Span::millis(500));
  EXPECT_NEAR(last_second().use_ms, 1500, 0.001);
  EXPECT_NEAR(last_second().in_use_avg, 0.5, 0.01);
}

// Leases of individual slots, in an order that a pool would not choose.
class Marks : public testing::Test {
 protected:
  Marks() : segment_(make()), board_(*segment_), peak_(board_, total_) {
    for (int i = 0; i < 3; ++i) {
      const uint32_t slot = board_.open_lowest();
      EXPECT_TRUE(board_.advance(slot, board_.word(slot), SlotState::idle));
    }
  }
  static std::unique_ptr<Segment> make() {
    SegmentSpec spec;
    spec.pool = "test";
    return Segment::create(spec).take();
  }
  LeaseId begin(uint32_t slot) {
    const LeaseId lease = board_.claim(slot);
    EXPECT_FALSE(lease.is_none());
    if (!peak_.is_known(marks_[slot])) marks_[slot] = peak_.note(slot);
    return lease;
  }
  void end(LeaseId lease) {
    EXPECT_TRUE(board_.end(lease));
    board_.give_back(lease);
  }

  std::unique_ptr<Segment> segment_;
  Board board_;
  format::Cell total_{0};
  InUsePeak peak_;
  uint64_t marks_[3] = {};
};

TEST_F(Marks, NewSlotMakesEverySlotScanAgain) {
  end(begin(0));
  EXPECT_TRUE(peak_.is_known(marks_[0])) << "a single lease cannot exceed one";
  const LeaseId held = begin(1);
  EXPECT_EQ(total_.load(), 1U);
  const LeaseId both = begin(0);
  EXPECT_EQ(total_.load(), 2U);
  EXPECT_TRUE(peak_.is_known(marks_[0]));
  EXPECT_EQ(peak_.take_second(), 2U);
  end(both);
  end(held);
}

TEST_F(Marks, EndedLeaseIsInUseUntilConnectionIsFree) {
  const LeaseId first = begin(0);
  ASSERT_TRUE(board_.end(first));
  const LeaseId second = begin(1);
  EXPECT_EQ(total_.load(), 2U) << "as in the relation pools";
  board_.give_back(first);
  end(second);
}

TEST_F(Marks, SecondStartsWithCurrentUse) {
  const LeaseId held = begin(2);
  EXPECT_EQ(peak_.take_second(), 1U);
  EXPECT_FALSE(peak_.is_known(marks_[2])) << "marks are valid for one second only";
  const LeaseId other = begin(0);
  EXPECT_EQ(peak_.take_second(), 2U);
  end(held);
  end(other);
  EXPECT_EQ(peak_.take_second(), 2U);
  EXPECT_EQ(peak_.take_second(), 0U);
  EXPECT_EQ(total_.load(), 2U);
}

}  // namespace
}  // namespace tide
