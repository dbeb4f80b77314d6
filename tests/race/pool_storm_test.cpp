// Whole pools under many callers and commands: every request is answered, nothing is counted twice, nothing leaks.
#include "race/pool_rig.hpp"

namespace tide::race {
namespace {

struct Tally {
  std::atomic<uint64_t> acquired{0}, released{0}, stale{0}, refused{0}, forgotten{0};
};

void one_lease(PoolRig& rig, Tally& tally, Rng& rng) {
  LeaseId lease;
  const bool is_patient = rng.below(4) != 0;
  const Code code =
      rig.acquire(lease, is_patient ? Span::nanos(-1) : Span::micros(static_cast<int64_t>(rng.below(300))));
  if (code != Code::ok) {
    ++tally.refused;
    if (is_patient && code == Code::timeout) ++tally.forgotten;
    return;
  }
  ++tally.acquired;
  switch (rng.below(6)) {
    case 0: break;
    case 1: EXPECT_EQ(rig.query(lease, "set"), Code::ok); break;  // must be reset
    case 2: EXPECT_EQ(rig.query(lease, "begin"), Code::ok); break;
    case 3: std::this_thread::yield(); break;
    default: EXPECT_EQ(rig.query(lease, "one"), Code::ok);
  }
  ++(rig.release(lease) == Code::ok ? tally.released : tally.stale);
  EXPECT_EQ(rig.release(lease), Code::stale_lease) << "I3";
}

TEST(PoolStorm, CommandsUnderLoad) {
  constexpr uint32_t kCallers = 5;
  PoolRig rig(storm_policy());
  Tally tally;
  std::atomic<uint32_t> callers_left{kCallers};
  storm(kCallers + 1, [&](uint32_t me) {
    Rng rng(me + 5);
    if (me == kCallers) {
      while (callers_left.load() != 0) {
        switch (rng.below(5)) {
          case 0: rig.order("scale", "{\"target_size\":" + std::to_string(1 + rng.below(3)) + "}"); break;
          case 1: rig.order("recycle", "{\"spread\":0}"); break;
          case 2: rig.order("burst", "{\"duration\":\"50ms\"}"); break;
          case 3:
            rig.order("set", "{\"option\":\"fairness_window\",\"value\":\"" + std::to_string(rng.below(2)) + "ms\"}");
            break;
          default:
            rig.order("pause");
            linger(Span::micros(static_cast<int64_t>(rng.below(500))));
            rig.order("resume");
        }
        linger(Span::millis(2));
      }
      rig.order("resume");
      return;
    }
    for (int i = 0; i < 500; ++i) one_lease(rig, tally, rng);
    --callers_left;
  });
  rig.close();
  rig.expect_all_gone();
  EXPECT_EQ(tally.forgotten, 0U) << "I4";
  EXPECT_EQ(tally.stale, 0U) << "no lease was revoked";
  EXPECT_EQ(tally.acquired, rig.acquires());
  EXPECT_EQ(tally.released, rig.releases());
  EXPECT_LE(rig.server().sessions_peak(), 6U) << "I1: twice max_size, in a burst";
}

TEST(PoolStorm, EveryCallbackIsCalledOnce) {
  constexpr uint32_t kCallers = 3;
  constexpr int kRequests = 400;
  PoolRig rig(storm_policy());
  std::atomic<uint64_t> asked{0}, answered{0}, granted{0};
  storm(kCallers, [&](uint32_t me) {
    Rng rng(me + 77);
    for (int i = 0; i < kRequests; ++i) {
      if (rng.below(4) == 0) {
        LeaseId lease;
        ASSERT_EQ(rig.acquire(lease), Code::ok);
        EXPECT_EQ(rig.release(lease), Code::ok);
        continue;
      }
      ASSERT_TRUE(comes_true([&] { return asked.load() - answered.load() < 16; }));
      ++asked;
      const Visit visit(Presence::key_of_pool(rig.pool().key()));
      const AcquireRequest request{
          "callback", LeaseMode::read_write,
          rng.below(2) == 0 ? Span::nanos(-1) : Span::micros(1 + static_cast<int64_t>(rng.below(400)))};
      const Code code = rig.pool().acquire_async(request, [&](Code how, LeaseId lease, const Status&) {
        EXPECT_TRUE(how == Code::ok || how == Code::timeout) << code_name(how);
        if (how == Code::ok) {
          ++granted;
          EXPECT_EQ(rig.release(lease), Code::ok);
        }
        ++answered;
      });
      EXPECT_EQ(code, Code::ok);
    }
  });
  EXPECT_TRUE(comes_true([&] { return asked.load() == answered.load(); })) << "I7";
  rig.close();
  rig.expect_all_gone();
}

TEST(PoolStorm, CloseUnderLoad) {
  for (int round = 0; round < 8; ++round) {
    PoolRig rig(storm_policy());
    Tally tally;
    std::atomic<bool> is_closing{false};
    storm(5, [&](uint32_t me) {
      Rng rng(me + 9);
      if (me == 4) {
        comes_true([&] { return tally.acquired.load() > 50; });
        is_closing.store(true);
        rig.close();
        return;
      }
      while (!is_closing.load()) one_lease(rig, tally, rng);
      LeaseId lease;
      comes_true([&] {
        const Code code = rig.acquire(lease, Span::millis(1));
        if (code == Code::ok) rig.release(lease);
        return code == Code::closed;
      });
    });
    rig.expect_all_gone();
    EXPECT_EQ(tally.forgotten, 0U);
    EXPECT_EQ(tally.stale, 0U);
  }
}

// A connection that is retired while leased must be closed although it is never leased again.
TEST(PoolStorm, DrainFinishes) {
  for (int round = 0; round < 25; ++round) {
    PoolRig rig(storm_policy());
    Tally tally;
    std::atomic<bool> is_drained{false};
    storm(4, [&](uint32_t me) {
      Rng rng(me + 3);
      if (me == 3) {
        comes_true([&] { return tally.acquired.load() > 60; });
        rig.order("drain");
        EXPECT_TRUE(comes_true([&] { return rig.server().sessions_now() == 0; }, Span::seconds(8)))
            << "a connection was not closed";
        is_drained.store(true);
        return;
      }
      while (!is_drained.load()) {
        LeaseId lease;
        if (rig.acquire(lease, Span::millis(50)) == Code::ok) {
          ++tally.acquired;
          EXPECT_EQ(rig.release(lease), Code::ok);
        }
      }
    });
    rig.close();
    rig.expect_all_gone();
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace tide::race
