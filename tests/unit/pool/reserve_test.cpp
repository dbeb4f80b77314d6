// reserve_size: connections that only critical requests may take (I11), and the order in which requests are served.
#include <vector>

#include "pool/reserve.hpp"
#include "unit/pool/timed_pool.hpp"

namespace tide::test {
namespace {

class ReserveTest : public TimedPool {
 protected:
  static Policy reserving(int64_t size, int64_t reserve) {
    Policy policy = of_size(size);
    policy.reserve_size = reserve;
    return policy;
  }
  // None: there is no connection for it.
  LeaseId try_acquire(Priority priority) {
    const Visit visit(Presence::key_of_pool(kKey));
    LeaseId lease;
    const Code code = pool_->acquire({"asks", LeaseMode::read_write, Span{}, priority}, lease);
    EXPECT_TRUE(code == Code::ok || code == Code::timeout) << code_name(code);
    return lease;
  }
  // As many as there are.
  std::vector<LeaseId> acquire_all(Priority priority) {
    std::vector<LeaseId> leases;
    for (LeaseId lease = try_acquire(priority); !lease.is_none(); lease = try_acquire(priority)) {
      leases.push_back(lease);
    }
    return leases;
  }
  struct Answer {
    Code code = Code::internal;
    LeaseId lease;
  };
  void ask(Answer& answer, Priority priority, Span timeout = Span::seconds(30)) {
    const Visit visit(Presence::key_of_pool(kKey));
    const AcquireRequest request{"asks", LeaseMode::read_write, timeout, priority};
    EXPECT_EQ(pool_->acquire_async(request,
                                   [&answer](Code code, LeaseId lease, const Status&) {
                                     answer = {code, lease};
                                   }),
              Code::ok);
  }
};

TEST_F(ReserveTest, I11_OnlyCriticalRequestsTakeIt) {
  open(reserving(4, 1));
  std::vector<LeaseId> normal = acquire_all(Priority::normal);
  EXPECT_EQ(normal.size(), 3U);
  std::vector<LeaseId> critical = acquire_all(Priority::critical);
  EXPECT_EQ(critical.size(), 1U);
  // Whoever returns first, the number stays.
  for (int i = 0; i < 20; ++i) {
    release(critical.back());
    critical.pop_back();
    EXPECT_TRUE(try_acquire(Priority::normal).is_none());
    critical = acquire_all(Priority::critical);
    EXPECT_EQ(critical.size(), 1U);
    release(normal.back());
    normal.pop_back();
    normal.push_back(try_acquire(Priority::normal));
    EXPECT_FALSE(normal.back().is_none());
  }
  release(normal);
  release(critical);
}

TEST_F(ReserveTest, CriticalRequestsAreNotConfinedToIt) {
  open(reserving(4, 1));
  const std::vector<LeaseId> critical = acquire_all(Priority::critical);
  EXPECT_EQ(critical.size(), 4U);
  release(critical);
}

// A returned connection of the reserve is not handed to a normal request that waits.
TEST_F(ReserveTest, I11_WaitersDoNotGetIt) {
  open(reserving(2, 1));
  const LeaseId normal = acquire(), critical = try_acquire(Priority::critical);
  Answer waits;
  ask(waits, Priority::normal);
  pass(Span::seconds(5));
  release(critical);
  pass(Span::seconds(5));
  EXPECT_EQ(waits.code, Code::internal) << "it got the reserve";
  const LeaseId again = try_acquire(Priority::critical);
  EXPECT_FALSE(again.is_none()) << "the reserve is not idle";
  release(normal);
  EXPECT_EQ(waits.code, Code::ok);
  release(waits.lease);
  release(again);
}

TEST_F(ReserveTest, CriticalRequestsAreServedFirstInOrderOfTheirArrival) {
  open(of_size(1));
  LeaseId held = acquire();
  Answer normal, first, second;
  ask(normal, Priority::normal);
  ask(first, Priority::critical);
  ask(second, Priority::critical);
  const std::vector<format::Waiter> rows = seen().read_waiters();
  ASSERT_EQ(rows.size(), 3U);
  uint64_t critical = 0;
  for (const format::Waiter& row : rows) critical += row.priority;
  EXPECT_EQ(critical, 2U);
  release(held);
  EXPECT_EQ(first.code, Code::ok);
  EXPECT_EQ(second.code, Code::internal);
  EXPECT_EQ(normal.code, Code::internal);
  release(first.lease);
  EXPECT_EQ(second.code, Code::ok);
  EXPECT_EQ(normal.code, Code::internal);
  release(second.lease);
  EXPECT_EQ(normal.code, Code::ok);
  release(normal.lease);
}

// The reserve need not be open: a critical request opens it.
TEST_F(ReserveTest, IsOpenedForCriticalRequests) {
  Policy policy = reserving(4, 2);
  policy.min_size = 1;
  open(policy);
  std::vector<Answer> normal(8);
  for (Answer& answer : normal) ask(answer, Priority::normal);
  Answer critical;
  ask(critical, Priority::critical);
  turn();
  EXPECT_EQ(critical.code, Code::ok);
  int served = 0;
  for (const Answer& answer : normal) served += answer.code == Code::ok ? 1 : 0;
  EXPECT_EQ(served, 2);
  release(critical.lease);
  turn();
  int later = 0;
  for (const Answer& answer : normal) later += answer.code == Code::ok ? 1 : 0;
  EXPECT_EQ(later, 2) << "the reserve was given away";
  for (size_t i = 0; i < normal.size(); ++i) {  // each release serves another
    for (Answer& answer : normal) {
      if (answer.code == Code::ok && !answer.lease.is_none()) release(std::exchange(answer.lease, LeaseId{}));
    }
  }
}

TEST_F(ReserveTest, FollowsTheOptionAndTheLimit) {
  open(of_size(6));
  std::vector<LeaseId> held = acquire_all(Priority::normal);
  EXPECT_EQ(held.size(), 6U);
  order("set", R"({"option":"reserve_size","value":"2"})");
  turn();
  release(held);
  held = acquire_all(Priority::normal);
  EXPECT_EQ(held.size(), 4U) << "leases from before count until they end";
  Answer waits;
  ask(waits, Priority::normal);
  order("set", R"({"option":"reserve_size","value":"0"})");
  turn();
  EXPECT_EQ(waits.code, Code::ok) << "a waiter was not served by what is no longer reserved";
  release(waits.lease);
  release(held);
}

// A lost connection is replaced, and the reserve is as large as before.
TEST_F(ReserveTest, SurvivesReplacement) {
  open(reserving(4, 2));
  for (int i = 0; i < 5; ++i) {
    order("recycle", "{}");
    turn();
    std::vector<LeaseId> held = acquire_all(Priority::normal);
    EXPECT_EQ(held.size(), 2U);
    std::vector<LeaseId> critical = acquire_all(Priority::critical);
    EXPECT_EQ(critical.size(), 2U);
    release(critical);
    release(held);
  }
}

TEST(Reserve, LeavesOneConnectionToAll) {
  EXPECT_EQ(Reserve::open_to_all(10, 3), 7);
  EXPECT_EQ(Reserve::open_to_all(3, 3), 1);
  EXPECT_EQ(Reserve::open_to_all(2, 5), 1);
  EXPECT_GT(Reserve::open_to_all(2, 0), 1'000'000);
}

}  // namespace
}  // namespace tide::test
