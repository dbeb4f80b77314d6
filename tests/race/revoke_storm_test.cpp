// Leases that are revoked while their holders use and release them: stale_lease, never a crash, and exact counts (I3).
#include "race/pool_rig.hpp"

namespace tide::race {
namespace {

constexpr uint32_t kHolders = 4;

Policy revoking(Span lease_timeout) {
  Policy policy = storm_policy();
  policy.lease_timeout = lease_timeout;
  policy.lease_timeout_action = LeaseTimeoutAction::reclaim;
  policy.leak_threshold = Span();
  return policy;
}

TEST(RevokeStorm, LateHoldersGetStaleLease) {
  PoolRig rig(revoking(Span::millis(4)));
  std::atomic<uint64_t> acquired{0}, released{0}, stale{0};
  storm(kHolders, [&](uint32_t me) {
    Rng rng(me + 21);
    for (int i = 0; i < 120; ++i) {
      LeaseId lease;
      const Code code = rig.acquire(lease);
      ASSERT_EQ(code, Code::ok) << code_name(code);
      ++acquired;
      // In time, around the deadline, or certainly too late; with or without a query.
      const Instant until = now() + Span::micros(static_cast<int64_t>(rng.below(3) * (3500 + rng.below(1500))));
      do {
        if (rng.below(2) == 0) {
          const Code asked = rig.query(lease, rng.below(2) == 0 ? "one" : "set");
          ASSERT_TRUE(asked == Code::ok || asked == Code::stale_lease || asked == Code::database) << code_name(asked);
        }
        std::this_thread::yield();
      } while (now() < until);
      const Code end = rig.release(lease);
      ASSERT_TRUE(end == Code::ok || end == Code::stale_lease) << code_name(end);
      ++(end == Code::ok ? released : stale);
    }
  });
  rig.close();
  rig.expect_all_gone();
  EXPECT_GT(stale, 0U);
  EXPECT_EQ(acquired, rig.acquires());
  EXPECT_EQ(stale, rig.reclaimed()) << "revoke and release: exactly one wins";
  EXPECT_EQ(rig.acquires(), rig.releases() + rig.reclaimed());
}

// However long a connection was idle before, and however slow the acquiring thread was.
TEST(RevokeStorm, NoLeaseIsRevokedEarly) {
  const Span timeout = Span::millis(60);
  Policy policy = revoking(timeout);
  policy.min_size = policy.max_size = 1;
  PoolRig rig(policy);
  std::atomic<uint64_t> premature{0};
  std::atomic<uint32_t> callers_left{1};
  storm(2, [&](uint32_t me) {
    if (me == 1) {  // keeps the keeper busy
      while (callers_left.load() != 0) rig.pool().keeper().poke();
      return;
    }
    for (int i = 0; i < 40; ++i) {
      linger(timeout + Span::millis(1));
      for (int k = 0; k < 3; ++k) {
        const Instant asked = now();
        LeaseId lease;
        if (rig.acquire(lease) != Code::ok) continue;
        linger(Span::millis(1));
        const bool is_stale = rig.release(lease) == Code::stale_lease;
        if (is_stale && now() - asked < timeout) ++premature;
      }
    }
    --callers_left;
  });
  rig.close();
  rig.expect_all_gone();
  EXPECT_EQ(premature, 0U) << "a lease was judged by the age of the previous one";
}

}  // namespace
}  // namespace tide::race
