// AdaptiveSizer as a whole: up at once, down late, on demand, before a periodic load, and the effect of commands.
#include "sizing_rig.hpp"

namespace tide::test {
namespace {

TEST(Sizing, GoesUpAtOnceAndDownAfterWindow) {
  SizerRig rig(roomy());
  rig.seconds(60, 100);
  const int64_t calm = rig.target;
  rig.second(500);
  EXPECT_GT(rig.target, calm);
  EXPECT_EQ(rig.sizer.facts().cause, SizingCause::reactive);
  rig.seconds(10, 500);
  const int64_t high = rig.target;
  EXPECT_GE(high, 21);
  int kept_s = 0;  // no request was slow, so the window becomes shorter meanwhile
  for (; rig.target == high; ++kept_s) rig.second(100);
  EXPECT_GE(kept_s, rig.sizer.facts().window_s);
  rig.seconds(30, 100);
  EXPECT_LT(rig.target, 2 * high / 3);
  EXPECT_EQ(rig.sizer.facts().cause, SizingCause::stabilised);
}

// A recommendation within the window is kept, whatever the load does.
TEST(Sizing, NeverShrinksBelowWindow) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    Rng rng(seed);
    SizerRig rig(roomy());
    std::vector<int64_t> raised;  // targets after a reactive raise
    double level = 100;
    int64_t last_raised = 0;
    double raised_at_s = -1e9;
    for (int i = 0; i < 3000; ++i) {
      if (rng.chance(0.05)) level = 600 * rng.unit();
      const int64_t before = rig.target;
      rig.second(level, 0.040, rng.chance(0.2) ? 3 : 0);
      if (rig.target > before) {
        last_raised = before + 1;  // at least this many were recommended
        raised_at_s = rig.now_s;
      }
      if (rig.now_s - raised_at_s < rig.sizer.facts().window_s)
        ASSERT_GE(rig.target, last_raised) << seed << " at " << i;
    }
  }
}

// Whatever happened before: without requests nothing is kept.
TEST(Sizing, IdlePoolShrinksToMinimum) {
  SizerRig rig(roomy());
  for (int i = 0; i < 300; ++i) rig.second(300, 0.040, 30);
  EXPECT_EQ(rig.sizer.facts().kappa, 1.5);
  rig.seconds(60, 0);
  EXPECT_GT(rig.target, 2);  // on/off is a kind of load
  rig.seconds(1800, 0);
  EXPECT_EQ(rig.target, 2);
}

TEST(Sizing, KeepsSmallSurplus) {
  SizerRig rig(roomy());
  rig.seconds(60, 400);
  const int64_t settled = rig.target;
  for (int i = 0; i < 600; ++i) {
    rig.second(i % 40 < 20 ? 385 : 400, 0.040, 0.008 * 400);
    EXPECT_NEAR(static_cast<double>(rig.target), static_cast<double>(settled), 3);
  }
}

// Opens what the coming releases will not absorb; not what is already being opened.
TEST(Sizing, OpensOnDemandForQueueThatWillNotDrain) {
  SizerRig rig(roomy());
  rig.seconds(60, 250);
  const AdaptiveSizer::Facts& facts = rig.sizer.facts();
  const int64_t n = 10;
  const double tolerance_s = brain::Staffing().tolerance_s(0.010, 0.030, facts.kappa);
  const int64_t absorbed = static_cast<int64_t>(std::floor(static_cast<double>(n) * tolerance_s / facts.hold_s));
  EXPECT_EQ(rig.sizer.demand(rig.now_s, absorbed, n, n, 0, n), n);
  EXPECT_GT(rig.sizer.demand(rig.now_s, absorbed + 2, n, n, 0, n), n);
  EXPECT_EQ(facts.cause, SizingCause::demand);
  EXPECT_EQ(facts.bursts, 1U);
  EXPECT_EQ(rig.sizer.demand(rig.now_s, absorbed + 2, n, n + 9, 9, n + 9), n + 9);
  EXPECT_EQ(rig.sizer.demand(rig.now_s, 1000, n, n, 0, n), 64);
  EXPECT_EQ(rig.sizer.demand(rig.now_s, 0, n, n, 0, n), n);
}

TEST(Sizing, FullPoolGrowsUntilNoCallerWaits) {
  SizerRig rig(roomy());
  for (int i = 0; i < 20; ++i) rig.full_second(static_cast<double>(rig.target), 20, 0.040);
  EXPECT_GE(rig.target, 40);
}

// A load of five seconds each minute, seen three times: the fourth time the connections are already open.
TEST(Sizing, OpensBeforePeriodicLoad) {
  const std::array seasons = {60.0};
  const auto before_storm = [&](PredictionMode mode, SizingCause& cause, double& wanted) {
    SizingSettings settings = roomy();
    settings.prediction = mode;
    SizerRig rig(settings, seasons);
    int64_t highest = 0;
    cause = SizingCause::none;
    wanted = 0;
    for (int i = 1; i <= 1200; ++i) {
      rig.second(i % 60 >= 30 && i % 60 < 35 ? 350 : 20, 0.040, i % 60 == 30 ? 10 : 0);
      if (i > 600 && i % 60 == 29) {
        highest = std::max(highest, rig.target);
        cause = rig.sizer.facts().cause;
        wanted = rig.sizer.facts().predicted_demand;
      }
    }
    return highest;
  };
  SizingCause cause;
  double wanted;
  EXPECT_LE(before_storm(PredictionMode::off, cause, wanted), 10);
  EXPECT_TRUE(std::isnan(wanted));
  EXPECT_GE(before_storm(PredictionMode::auto_, cause, wanted), 14);
  EXPECT_EQ(cause, SizingCause::forecast);
  EXPECT_NEAR(wanted, 14, 1);
  EXPECT_GE(before_storm(PredictionMode::seasonal, cause, wanted), 14);
  EXPECT_LE(before_storm(PredictionMode::linear, cause, wanted), 10);
}

TEST(Sizing, ShrinksWhenDatabaseIsPastItsKnee) {
  SizerRig rig(roomy());
  Rng rng(3);
  for (int i = 0; i < 120; ++i) rig.second(100 + 300 * rng.unit(), 0.040);
  for (int i = 0; i < 60; ++i) {
    const double n = static_cast<double>(std::min<int64_t>(rig.target, 64));
    rig.full_second(n, 100, 0.040 * (1 + n * n / 300));
  }
  EXPECT_TRUE(rig.sizer.facts().is_overloaded);
  EXPECT_EQ(rig.sizer.facts().cause, SizingCause::knee);
  EXPECT_LT(rig.target, 40);
  EXPECT_EQ(rig.sizer.demand(rig.now_s, 500, rig.target, rig.target, 0, rig.target), rig.target);
  rig.seconds(10, 50);
  EXPECT_FALSE(rig.sizer.facts().is_overloaded);
}

TEST(Sizing, FrozenReturnsGivenTargetAndKeepsScoring) {
  const std::array seasons = {60.0};
  SizerRig rig(roomy(), seasons);
  rig.seconds(120, 100);
  const double kappa = rig.sizer.facts().kappa;
  rig.sizer.freeze(true);
  rig.target = 5;
  for (int i = 0; i < 300; ++i) EXPECT_EQ(rig.second(i % 60 < 5 ? 800 : 100, 0.040, 100), 5);
  EXPECT_EQ(rig.sizer.facts().kappa, kappa);
  EXPECT_EQ(rig.sizer.demand(rig.now_s, 50, 5, 5, 0, 5), 5);
  EXPECT_GT(rig.sizer.models()[3].wape_10, 0);
  EXPECT_GT(rig.sizer.facts().demand, 3);
  rig.sizer.freeze(false);
  EXPECT_GT(rig.second(800), 5);
}

TEST(Sizing, BurstByCommandRaisesAndKeepsLearntState) {
  SizerRig rig(roomy());
  rig.seconds(300, 200);
  const int64_t calm = rig.target;
  const double kappa = rig.sizer.facts().kappa;
  rig.sizer.burst(true);
  rig.seconds(5, 200);
  const int64_t raised = rig.target;
  EXPECT_GT(raised, calm);
  rig.seconds(500, 10);
  EXPECT_EQ(rig.target, raised);
  EXPECT_EQ(rig.sizer.facts().kappa, kappa);
  rig.sizer.burst(false);
  rig.seconds(200, 10);
  EXPECT_LT(rig.target, raised);
}

TEST(Sizing, ForgetKeepsSeasons) {
  const std::array seasons = {60.0};
  SizerRig rig(roomy(), seasons);
  for (int i = 1; i <= 600; ++i) rig.second(i % 60 < 5 ? 350 : 20, 0.040, 2);
  EXPECT_NE(rig.sizer.facts().kappa, 0.5);
  rig.sizer.forget();
  EXPECT_EQ(rig.sizer.facts().kappa, 0.5);
  EXPECT_EQ(rig.sizer.facts().demand, 0);
  EXPECT_TRUE(std::isnan(rig.sizer.forecast(10)));
  EXPECT_TRUE(std::isnan(rig.sizer.models()[3].wape_10));
  for (int i = 601; i <= 630; ++i) rig.second(i % 60 < 5 ? 350 : 20);
  EXPECT_NEAR(rig.sizer.models()[3].forecast_60, 20, 5);  // of a season that has not passed since
}

TEST(Sizing, ReportsModelsAndBands) {
  const std::array seasons = {60.0, 600.0, 15.0, std::nan("")};  // the last two are invalid
  SizerRig rig(roomy(), seasons);
  for (int i = 1; i <= 1300; ++i) rig.second(i % 60 < 5 ? 350 : 20);
  const auto models = rig.sizer.models();
  ASSERT_EQ(models.size(), 7U);
  EXPECT_STREQ(models[0].name, "persistence");
  EXPECT_STREQ(models[3].name, "seasonal_1");
  EXPECT_STREQ(models[6].name, "level_2");
  EXPECT_EQ(std::count_if(models.begin(), models.end(), [](const auto& model) { return model.is_selected_10; }), 1);
  EXPECT_EQ(std::count_if(models.begin(), models.end(), [](const auto& model) { return model.is_selected_60; }), 1);
  const AdaptiveSizer::Facts& facts = rig.sizer.facts();
  EXPECT_LE(facts.low_10, facts.predicted_in_use_10);
  EXPECT_GE(facts.high_10, facts.predicted_in_use_10);
  EXPECT_LE(facts.low_60, facts.high_60);
  EXPECT_GT(facts.efficiency, 0.05);
  EXPECT_LE(facts.efficiency, 1);
  EXPECT_EQ(facts.slow_share, 0);
}

}  // namespace
}  // namespace tide::test
