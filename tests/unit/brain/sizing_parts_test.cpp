// The parts of the adaptive sizer, each against its documented behaviour.
#include "sizing_rig.hpp"

namespace tide::test {
namespace {

using brain::DemandFilter;
using brain::Forecaster;
using brain::KneeGuard;
using brain::SeasonProfile;
using brain::StabilisationWindow;
using brain::Staffing;

TEST(SizingDemand, RisesFasterThanItFalls) {
  DemandFilter demand;
  for (int i = 1; i <= 50; ++i) demand.see(calm_second(i, 100, 0.040, 10));
  EXPECT_NEAR(demand.erlangs(), 4, 0.01);
  EXPECT_NEAR(demand.hold_s(), 0.040, 1e-9);
  demand.see(calm_second(51, 200, 0.040, 10));
  EXPECT_NEAR(demand.erlangs(), 4 + 0.7 * 4, 0.01);
  demand.see(calm_second(52, 50, 0.040, 10));
  EXPECT_NEAR(demand.erlangs(), 6.8 - 4.8 * (1 - std::exp(-0.5)), 0.01);
}

// A full pool hides the demand; the arrivals do not.
TEST(SizingDemand, IsNotLimitedByFullPool) {
  DemandFilter demand;
  for (int i = 1; i <= 30; ++i) {
    Observation seen = calm_second(i, 100, 0.040, 2);
    seen.arrivals = 500;  // 20 erlangs
    seen.in_use_avg = seen.open = 2;
    seen.demand_avg = 6;
    seen.waiting = 4;
    demand.see(seen);
  }
  EXPECT_NEAR(demand.erlangs(), 20, 0.5);
}

TEST(SizingStaffing, LearnsUntilShareIsMet) {
  Staffing staffing;
  const auto learn = [&](double slow, int seconds, bool is_limited = false) {
    Observation seen = calm_second(0, 100, 0.040, 10);
    seen.slow = slow;
    for (int i = 0; i < seconds; ++i) staffing.learn(seen, 0.008, is_limited);
  };
  const double start = staffing.kappa();
  learn(0.8, 100);
  EXPECT_NEAR(staffing.kappa(), start, 1e-6);
  learn(2, 100);
  const double more = staffing.kappa();
  EXPECT_GT(more, start);
  learn(50, 1000, true);  // no more connections are available
  EXPECT_EQ(staffing.kappa(), more);
  learn(50, 1000);
  EXPECT_EQ(staffing.kappa(), Staffing::kKappaMax);
  learn(0, 100'000);
  EXPECT_EQ(staffing.kappa(), 0);
}

// An excess over the share in one hour is compensated in the following hours.
TEST(SizingStaffing, CompensatesExcess) {
  const auto kappa_after = [](double slow) {
    Staffing staffing;
    Observation seen = calm_second(0, 100, 0.040, 10);
    for (int i = 0; i < 300; ++i) {
      seen.slow = slow;
      staffing.learn(seen, 0.008, true);  // no more connections were available
    }
    seen.slow = 0.8;
    for (int i = 0; i < 300; ++i) staffing.learn(seen, 0.008, false);
    return staffing.kappa();
  };
  EXPECT_GT(kappa_after(10), kappa_after(0.8) + 0.05);
}

TEST(SizingStaffing, KappaDeterminesMarginToleranceAndWindow) {
  const Staffing staffing;
  EXPECT_LT(staffing.need(10, 0.2), staffing.need(10, 0.8));
  EXPECT_LT(staffing.window_s(0.2), staffing.window_s(0.8));
  EXPECT_LE(staffing.window_s(100), Staffing::kWindowMax_s);
  EXPECT_GT(staffing.tolerance_s(0.01, 0.03, 0.2), staffing.tolerance_s(0.01, 0.03, 0.8));
  EXPECT_GE(staffing.tolerance_s(0.01, 0.03, 1.5), 0);
  EXPECT_GT(staffing.need(10, 0) - 10, 0);
  EXPECT_GT(staffing.need(40, 0.5) - 40, staffing.need(10, 0.5) - 10);  // the margin grows with the load,
  EXPECT_LT(staffing.need(40, 0.5) / 40, staffing.need(10, 0.5) / 10);  // but more slowly
}

TEST(SizingWindow, IsHighestOfLastSeconds) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Rng rng(seed);
    StabilisationWindow window;
    std::vector<std::pair<double, int64_t>> all;
    double now_s = 0;
    double forgotten_s = -1e9;
    for (int i = 0; i < 2000; ++i) {
      now_s += rng.unit() * 2;
      const int64_t value = static_cast<int64_t>(rng.below(40));
      window.add(now_s, value);
      all.emplace_back(now_s, value);
      forgotten_s = std::max(forgotten_s, now_s - 1 - 100 * rng.unit());
      window.forget_before(forgotten_s);
      int64_t highest = 0;
      for (const auto& [at_s, seen] : all) highest = at_s >= forgotten_s ? std::max(highest, seen) : highest;
      ASSERT_EQ(window.highest(), highest) << "seed " << seed << " at " << i;
    }
  }
}

TEST(SizingWindow, FullWindowKeepsLongerNeverShorter) {
  StabilisationWindow window;
  constexpr int64_t kTop = 10'000;
  for (int i = 0; i < 1000; ++i) window.add(i, kTop - i);
  for (int from = 0; from < 1000; from += 50) {
    window.forget_before(from);
    EXPECT_GE(window.highest(), kTop - from);
  }
  EXPECT_LE(window.highest(), kTop - static_cast<int64_t>(StabilisationWindow::kEntries) + 1);
}

TEST(SizingSeason, UnknownBeforeSeasonHasPassed) {
  SeasonProfile season(100);
  for (int i = 1; i <= 90; ++i) season.see(i, 1, i % 100 < 50 ? 10 : 30);
  EXPECT_TRUE(std::isnan(season.at(95)));
  EXPECT_TRUE(std::isnan(season.mean(85, 99)));
  for (int i = 91; i <= 110; ++i) season.see(i, 1, i % 100 < 50 ? 10 : 30);
  EXPECT_NEAR(season.mean(120, 140), 10, 1e-3);
  EXPECT_NEAR(season.mean(160, 180), 30, 1e-3);
  EXPECT_NEAR(season.peak(130, 160), 30, 1e-3);
}

TEST(SizingSeason, BlendsCyclesAndFillsGaps) {
  SeasonProfile season(100);
  for (int i = 1; i <= 200; ++i) season.see(i, 1, i <= 100 ? 10 : 20);
  EXPECT_NEAR(season.at(30), 14, 1e-3);
  season.see(1'000'200, 1'000'000, 0);
  season.see(1'000'203, 1, 0);
  EXPECT_NEAR(season.at(30), 14 * 0.6, 1e-3);
}

TEST(SizingForecast, ModelNotBetterThanPersistenceIsNeverSelected) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    Rng rng(seed);
    const std::array seasons = {60.0};
    Forecaster forecaster(seasons);
    double level = 100;
    for (int i = 1; i <= 3000; ++i) {
      level = std::max(1.0, level + 10 * (rng.unit() - 0.5));  // a random walk: nothing outperforms persistence by much
      const double season = seed % 2 == 0 && i % 60 < 5 ? 300 : 0;
      forecaster.see(i, 1, level + season, PredictionMode::auto_);
      for (const auto horizon : {Forecaster::near, Forecaster::far}) {
        const int selected = forecaster.selected(horizon);
        if (selected == 0) continue;
        ASSERT_LT(forecaster.wape(horizon, selected), 0.9 * forecaster.wape(horizon, 0))
            << "seed " << seed << " at " << i;
      }
    }
    if (seed % 2 == 0) EXPECT_GE(forecaster.selected(Forecaster::near), 3) << "seed " << seed;
  }
}

TEST(SizingForecast, ModeRestrictsSelection) {
  const auto selected = [](PredictionMode mode) {
    const std::array seasons = {60.0};
    Forecaster forecaster(seasons);
    for (int i = 1; i <= 1200; ++i) forecaster.see(i, 1, i % 60 < 5 ? 300 : 20, mode);
    return forecaster.selected(Forecaster::near);
  };
  EXPECT_EQ(selected(PredictionMode::off), 0);
  EXPECT_TRUE(selected(PredictionMode::linear) == 0 || selected(PredictionMode::linear) == 2);
  EXPECT_GE(selected(PredictionMode::seasonal), 3);
  EXPECT_GE(selected(PredictionMode::auto_), 3);
}

TEST(SizingForecast, OnlySelectedSeasonalModelMayAct) {
  const auto peak = [](PredictionMode mode) {
    const std::array seasons = {60.0};
    Forecaster forecaster(seasons);
    for (int i = 1; i <= 1259; ++i) forecaster.see(i, 1, i % 60 < 5 ? 300 : 20, mode);  // at 1260 it begins again
    return forecaster.peak(1259, 3);
  };
  EXPECT_TRUE(std::isnan(peak(PredictionMode::off)));
  EXPECT_TRUE(std::isnan(peak(PredictionMode::linear)));
  EXPECT_NEAR(peak(PredictionMode::seasonal), 300, 20);
}

TEST(SizingForecast, TicksMayBeShortOrLong) {
  Forecaster shorter({}), longer({});
  for (int i = 1; i <= 4000; ++i) shorter.see(i * 0.25, 0.25, 25, PredictionMode::auto_);
  for (int i = 1; i <= 100; ++i) longer.see(i * 10.0, 10, 1000, PredictionMode::auto_);
  EXPECT_NEAR(shorter.forecast(Forecaster::near, 0), 100, 1e-3);
  EXPECT_NEAR(longer.forecast(Forecaster::near, 0), 100, 1e-3);
  EXPECT_NEAR(shorter.wape(Forecaster::far, 0), 0, 1e-6);
  EXPECT_NEAR(longer.wape(Forecaster::far, 0), 0, 1e-6);
}

// A database with its knee at 20: there the hold time doubles.
double hold_at(double n) { return 0.040 * (1 + n * n / 400); }

Observation crowded(double now_s, double n, double waiting, double hold_s) {
  Observation seen = calm_second(now_s, n / hold_s, hold_s, 64);
  seen.in_use_avg = n;
  seen.open = n;
  seen.waiting = waiting;
  return seen;
}

TEST(SizingKnee, FindsKneeEntersAndLeavesOverload) {
  KneeGuard guard(2, 64);
  Rng rng(1);
  double now_s = 0;
  for (int i = 0; i < 100; ++i) {
    const double n = 2 + 16 * rng.unit();
    guard.see(crowded(++now_s, n, 0, hold_at(n)));
  }
  EXPECT_NEAR(guard.knee(), 20, 4);
  EXPECT_FALSE(guard.is_overloaded());
  int seconds = 0;
  while (!guard.is_overloaded() && seconds < 20) {
    const double n = 30 + rng.unit();
    guard.see(crowded(++now_s, n, 50, hold_at(n)));
    ++seconds;
  }
  EXPECT_TRUE(guard.is_overloaded());
  EXPECT_LE(seconds, 5);
  for (int i = 0; i < 100; ++i) {
    const double n = static_cast<double>(guard.limit());
    guard.see(crowded(++now_s, n, 50, hold_at(n)));
    ASSERT_GE(guard.limit(), 2);
    if (i > 10) ASSERT_LE(guard.limit(), 32) << "at " << i;
  }
  EXPECT_TRUE(guard.is_overloaded());
  for (int i = 0; i < 3; ++i) guard.see(crowded(++now_s, 10, 0, hold_at(10)));
  EXPECT_FALSE(guard.is_overloaded());
  EXPECT_EQ(guard.overloads_total(), 1U);
  const int64_t remembered = guard.cap();
  EXPECT_LT(remembered, 64);
  for (int i = 0; i < 100; ++i) guard.see(crowded(++now_s, 10, 0, hold_at(10)));
  EXPECT_EQ(guard.cap(), remembered);
  for (int i = 0; i < 60; ++i) guard.see(crowded(++now_s, 10, 0, hold_at(10)));
  EXPECT_EQ(guard.cap(), 64);
}

TEST(SizingKnee, HeavierQueriesAreNotOverload) {
  KneeGuard guard(2, 64);
  Rng rng(2);
  double now_s = 0;
  for (int i = 0; i < 200; ++i) {
    const double n = 2 + 12 * rng.unit();
    guard.see(crowded(++now_s, n, 0, 0.040 * (1 + n * n / 2304)));
  }
  for (int i = 0; i < 200; ++i) {
    const double n = 10 + 8 * rng.unit();
    guard.see(crowded(++now_s, n, i % 4 == 0 ? 3 : 0, 0.080 * (1 + n * n / 2304)));
  }
  EXPECT_EQ(guard.overloads_total(), 0U);
}

}  // namespace
}  // namespace tide::test
