// Random worlds: what must hold after every tick, and what must recover when all faults are over.
#include "unit/support/rounds.hpp"
#include "world.hpp"

namespace tide::test {
namespace {

constexpr int kSeeds = kIsSanitized ? 12 : 48;
constexpr int kSteps = 6'000;

Policy policy_of(uint64_t seed) {
  Policy policy;
  Rng rng(seed);
  policy.init_mode = rng.chance(0.3) ? InitMode::lazy : InitMode::eager;
  policy.max_connecting = 1 + static_cast<int64_t>(rng.below(5));
  policy.max_lifetime = rng.chance(0.8) ? Span::seconds(120) : Span();
  policy.max_uses = rng.chance(0.3) ? 50 : 0;
  policy.idle_timeout = rng.chance(0.7) ? Span::seconds(30) : Span();
  policy.scale_up_cooldown = Span::seconds(2);
  policy.scale_down_cooldown = Span::seconds(10);
  policy.lease_timeout_action = static_cast<LeaseTimeoutAction>(rng.below(3));
  return policy;
}

TEST(Model, InvariantsHoldAndPoolRecovers) {
  std::array<uint64_t, 11> actions{};  // a world in which an action never occurs proves nothing about it
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world(policy_of(seed), seed);
    for (int i = 0; i < kSteps; ++i) {
      world.step();
      if (::testing::Test::HasFailure()) FAIL() << "step " << i;
    }
    world.calm_down(Span::seconds(3'600));
    if (::testing::Test::HasFailure()) FAIL() << "during recovery";
    const Policy& policy = world.policy();
    EXPECT_EQ(world.outlook().state, PoolState::running);
    EXPECT_EQ(world.pending_orders(), 0U);
    const auto needed = static_cast<size_t>(std::min(std::max(policy.min_size, policy.min_idle), policy.max_size));
    EXPECT_GE(world.size() + 1, needed);  // one may be closing at the end of its lifetime
    if (policy.scaling || !policy.idle_timeout.is_zero()) {
      EXPECT_LE(world.size(), needed + 1);
    }
    if (::testing::Test::HasFailure()) return;
    for (size_t k = 0; k < actions.size(); ++k) actions[k] += world.actions_of(k);
  }
  for (size_t kind = 0; kind < actions.size(); ++kind) EXPECT_GT(actions[kind], uint64_t{kSeeds}) << "kind " << kind;
}

// The same inputs in the same order give the same outputs, byte for byte.
TEST(Model, SameSeedGivesSameOutput) {
  for (uint64_t seed = 100; seed < 104; ++seed) {
    World a(policy_of(seed), seed), b(policy_of(seed), seed);
    for (int i = 0; i < 2'000; ++i) {
      a.step();
      b.step();
    }
    EXPECT_EQ(a.fingerprint(), b.fingerprint()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace tide::test
