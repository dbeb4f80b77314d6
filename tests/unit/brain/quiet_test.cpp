// A pool with nothing to do: no action, no allocation, no unnecessary wakeup; and times that never come.
#include <cstdlib>
#include <new>

#include "allocations.hpp"
#include "rig.hpp"
#include "sizing_rig.hpp"

namespace {
size_t allocations_total = 0;
}

[[gnu::noinline]] void* operator new(size_t bytes) {
  ++allocations_total;
  if (void* p = std::malloc(bytes == 0 ? 1 : bytes)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept { std::free(p); }

namespace tide::test {

size_t allocations() { return allocations_total; }

namespace {

TEST(Quiet, TickAllocatesNothing) {
  Policy policy;
  policy.min_size = 10;
  Rig rig = Rig::running(policy, 10);
  rig.settle();
  rig.lease(3);
  const Census census = rig.census();
  for (int i = 0; i < 3; ++i) {
    rig.now += Span::seconds(1);
    const size_t before = allocations_total;
    rig.outlook = rig.brain.tick(rig.now, census, rig.actions);
    const size_t after = allocations_total;
    EXPECT_EQ(after, before);
    EXPECT_TRUE(rig.actions.empty());
  }
}

TEST(Quiet, AtMinSizeWakesOnlyForValidationAndLifetime) {
  Policy policy;
  Rig rig = Rig::running(policy, 2);
  rig.settle();
  EXPECT_EQ(rig.outlook.next_wakeup, rig.now + policy.validation_interval);
  policy.validation_interval = Span();
  rig.set(policy);
  EXPECT_EQ(rig.tick().next_wakeup, Instant::never());
  rig.at(0).expires_at = rig.now + Span::seconds(1700);
  EXPECT_EQ(rig.tick().next_wakeup, rig.now + Span::seconds(1700));
}

TEST(Quiet, IsQuietAgainAfterLoad) {
  Policy policy = calm();
  policy.scaling = true;
  Rig rig = Rig::running(policy, 2);
  rig.lease(0);
  rig.in_use_average = 0.5;
  for (int i = 0; i < 5; ++i) rig.tick_after(policy.scaling_interval);
  rig.give_back(0);
  rig.in_use_average = 0;
  rig.tick_after(policy.scaling_interval);
  EXPECT_EQ(rig.outlook.next_wakeup, Instant::never());
}

TEST(Quiet, BusyPoolWakesForSizer) {
  Policy policy;
  Rig rig = Rig::running(policy, 2);
  rig.lease(0);
  EXPECT_EQ(rig.tick().next_wakeup, rig.now + policy.scaling_interval);
}

TEST(Quiet, InfiniteTimesDoNotOverflow) {
  Policy policy;
  for (Span* span : {&policy.idle_timeout, &policy.max_lifetime, &policy.validation_interval, &policy.retry_base,
                     &policy.retry_max, &policy.lease_timeout, &policy.leak_threshold, &policy.scaling_interval,
                     &policy.idle_in_transaction_timeout, &policy.sqlite_max_read_transaction,
                     &policy.scale_up_cooldown, &policy.scale_down_cooldown, &policy.scale_up_wait}) {
    *span = Span::forever();
  }
  Rig rig = Rig::running(policy, 4);
  rig.lease(0);
  rig.at(0).reading_since = rig.at(0).idle_in_transaction_since = rig.now;
  rig.at(1).expires_at = rig.brain.draw_expiry(rig.now);
  rig.add(Phase::opening);
  rig.fail_opens(true);
  (void)rig.order(Verb::recycle, 0, Span::forever());
  rig.tick();
  const auto expect_nothing_over = [&rig] {
    for (const CloseReason reason : {CloseReason::idle, CloseReason::lifetime}) {
      EXPECT_EQ(rig.retired(reason), 0) << word(reason);
    }
    EXPECT_EQ(rig.validations(), 0);
    EXPECT_EQ(rig.count<action::CancelLease>(), 0);
    EXPECT_EQ(rig.count<action::RevokeLease>(), 0);
    EXPECT_EQ(rig.count<action::EndTransaction>(), 0);
    EXPECT_EQ(rig.count<action::MarkOverdue>(), 0);
    EXPECT_EQ(rig.count<action::MarkSuspect>(), 0);
  };
  expect_nothing_over();
  EXPECT_EQ(rig.retired(CloseReason::control), 0);
  rig.tick_after(Span::seconds(1'000'000'000));  // 31 years; the maximum is 73, minus jitter
  expect_nothing_over();
  for (int i = 0; i < 2; ++i) rig.tick_after(Span::seconds(1'000'000'000));
  for (int i = 0; i < 100; ++i) {
    rig.brain.connect_failed(rig.now, false);
    rig.tick();
    EXPECT_EQ(rig.opens(), 0) << "the next attempt is far away";
  }
}

TEST(Quiet, AdaptiveSizerAllocatesNothing) {
  Rng rng(5);
  SizerRig rig(roomy(), brain::kSeasons_s);
  const size_t before = allocations_total;
  for (int i = 0; i < 5000; ++i) {
    rig.second(200 * rng.unit(), 0.040, rng.chance(0.1) ? 4 : 0);
    rig.target = rig.sizer.demand(rig.now_s, static_cast<int64_t>(rng.below(9)), 3, rig.target, 0, rig.target);
    if (i % 1000 == 999) rig.sizer.forget();
  }
  EXPECT_EQ(allocations_total, before);
}

}  // namespace
}  // namespace tide::test
