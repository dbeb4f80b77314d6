// Cancel tokens against grants, timeouts and releases, with critical requests and a reserve: no lease is lost (I8), no request
// sleeps forever (I4), and normal requests never hold the reserve (I11).
#include <memory>
#include <mutex>

#include "pool/cancel_token.hpp"
#include "race/pool_rig.hpp"

namespace tide::race {
namespace {

constexpr int64_t kSize = 4;
constexpr int64_t kReserve = 1;

struct FreeToken {
  void operator()(CancelToken* token) const { token->free(); }
};
using Token = std::unique_ptr<CancelToken, FreeToken>;

class CancelStorm : public ::testing::Test {
 protected:
  static Policy policy() {
    Policy policy = storm_policy();
    policy.min_size = policy.max_size = kSize;
    policy.reserve_size = kReserve;
    policy.scaling = false;
    return policy;
  }

  struct Outcome {
    std::atomic<uint32_t> code{kOpen};
    std::atomic<uint64_t> lease{0};
    static constexpr uint32_t kOpen = ~uint32_t{0};
  };

  void took(LeaseId lease, bool is_critical, Rng& rng) {
    const int64_t held = is_critical ? 0 : ++normal_held_;
    EXPECT_LE(held, kSize - kReserve) << "I11";
    ++granted_;
    for (uint64_t i = rng.below(50); i > 0; --i) std::this_thread::yield();
    if (!is_critical) --normal_held_;
    EXPECT_EQ(rig_.release(lease), Code::ok);
  }

  void request(Rng& rng, CancelToken* token) {
    const bool is_critical = rng.below(8) == 0;
    const Priority priority = is_critical ? Priority::critical : Priority::normal;
    const Span timeout = rng.below(3) == 0 ? Span::nanos(static_cast<int64_t>(rng.below(300'000))) : Span::seconds(40);
    const AcquireRequest request{"storm", LeaseMode::read_write, timeout, priority, token};
    Pool& pool = rig_.pool();
    const Visit visit(Presence::key_of_pool(pool.key()));
    if (rng.below(2) == 0) {
      LeaseId lease;
      const Code code = pool.acquire(request, lease);
      if (code == Code::ok) return took(lease, is_critical, rng);
      return count(code, timeout);
    }
    auto outcome = std::make_shared<Outcome>();
    const Code code = pool.acquire_async(request, [outcome](Code answer, LeaseId lease, const Status&) {
      outcome->lease = lease.bits;
      EXPECT_EQ(outcome->code.exchange(static_cast<uint32_t>(answer)), Outcome::kOpen) << "I7";
    });
    if (code != Code::ok) return count(code, timeout);
    EXPECT_TRUE(comes_true([&] { return outcome->code.load() != Outcome::kOpen; })) << "I4";
    const auto answer = static_cast<Code>(outcome->code.load());
    if (answer == Code::ok) return took(LeaseId(outcome->lease.load()), is_critical, rng);
    count(answer, timeout);
  }
  void count(Code code, Span timeout) {
    if (code == Code::cancelled) ++cancelled_;
    EXPECT_TRUE(code == Code::cancelled || (code == Code::timeout && timeout < Span::seconds(1))) << code_name(code);
  }

  PoolRig rig_{policy()};
  std::atomic<int64_t> normal_held_{0};
  std::atomic<uint64_t> granted_{0};
  std::atomic<uint64_t> cancelled_{0};
};

TEST_F(CancelStorm, NoLeaseIsLost) {
  constexpr uint32_t kCallers = 8;
  constexpr int kRequests = 400;
  std::mutex mutex;
  std::vector<CancelToken*> current(kCallers, nullptr);
  std::atomic<uint32_t> left{kCallers};
  EXPECT_TRUE(comes_true([&] { return read(rig_.segment().totals().connects_total) != 0; }));
  storm(kCallers + 1, [&](uint32_t me) {
    Rng rng(me + 7);
    if (me == kCallers) {
      while (left.load() != 0) {
        {
          const std::lock_guard lock(mutex);
          if (CancelToken* token = current[rng.below(kCallers)]; token != nullptr) token->trip();
        }
        std::this_thread::yield();
      }
      return;
    }
    for (int i = 0; i < kRequests; ++i) {
      const Token token(CancelToken::make());
      {
        const std::lock_guard lock(mutex);
        current[me] = token.get();
      }
      request(rng, token.get());
      const std::lock_guard lock(mutex);
      current[me] = nullptr;
    }
    --left;
  });
  EXPECT_GT(granted_.load(), 0U);
  EXPECT_GT(cancelled_.load(), 0U);
  rig_.close();
  EXPECT_EQ(rig_.acquires(), granted_.load());
  EXPECT_EQ(rig_.releases(), granted_.load());
  rig_.expect_all_gone();
}

// I4: a sleeping request gets a connection that is no longer reserved, although none is returned.
TEST_F(CancelStorm, AWaiterIsServedWhenTheReserveIsGivenUp) {
  std::vector<LeaseId> held(kSize - kReserve);
  for (LeaseId& lease : held) ASSERT_EQ(rig_.acquire(lease), Code::ok);
  LeaseId lease;
  EXPECT_EQ(rig_.acquire(lease, Span::millis(5)), Code::timeout);
  std::atomic<bool> is_served{false};
  std::thread waiter([&] {
    EXPECT_EQ(rig_.acquire(lease), Code::ok);
    is_served = true;
  });
  EXPECT_TRUE(comes_true([&] { return read(rig_.pool().segment().queue().waiting) == 1; }));
  rig_.order("set", R"({"option":"reserve_size","value":"0"})");
  EXPECT_TRUE(comes_true([&] { return is_served.load(); }));
  for (const LeaseId own : held) EXPECT_EQ(rig_.release(own), Code::ok);
  waiter.join();
  EXPECT_EQ(rig_.release(lease), Code::ok);
  rig_.close();
}

// A statement is cancelled whenever the token is tripped: before it is sent, or while it runs. The next one on the lease runs.
TEST_F(CancelStorm, AStatementIsAlwaysCancelled) {
  for (int i = 0; i < 100; ++i) {
    const Token token(CancelToken::make());
    LeaseId lease;
    ASSERT_EQ(rig_.acquire(lease), Code::ok);
    std::thread tripper([&] {
      for (int k = i % 30; k > 0; --k) std::this_thread::yield();
      token->trip();
    });
    {
      const Visit visit(Presence::key_of_slot(rig_.pool().key(), lease.slot()));
      const CallCancel cancel(rig_.pool(), lease, *token);
      if (cancel.may_begin()) {
        ResultTable table;
        const Status status = cancel.told(rig_.pool().query(lease, {"wait", {}, now() + Span::seconds(60)}, table));
        EXPECT_EQ(status.code, Code::cancelled) << status.message();
      }
    }
    EXPECT_EQ(rig_.query(lease, "one"), Code::ok);
    tripper.join();
    EXPECT_EQ(rig_.release(lease), Code::ok);
  }
  rig_.close();
}

}  // namespace
}  // namespace tide::race
