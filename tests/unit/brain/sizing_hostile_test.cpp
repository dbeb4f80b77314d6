// AdaptiveSizer: for any input its target is a number within the limits; and the same input gives the same decisions.
#include "sizing_rig.hpp"

namespace tide::test {
namespace {

constexpr std::array kSeasons = {60.0, 3600.0, 86'400.0};

SizingSettings hostile_settings(Rng& rng) {
  SizingSettings settings;
  settings.max_size = static_cast<int64_t>(1 + rng.below(rng.chance(0.3) ? 10'000 : 64));
  settings.min_size = static_cast<int64_t>(rng.below(static_cast<uint64_t>(settings.max_size) + 1));
  if (rng.chance(0.2)) settings.min_size = settings.max_size;
  settings.connect_s = hostile_number(rng);
  settings.max_connecting = static_cast<int64_t>(rng.below(10)) - 1;
  settings.objective_s = hostile_number(rng);
  settings.share = hostile_number(rng);
  settings.prediction = static_cast<PredictionMode>(rng.below(4));
  return settings;
}

void expect_sane(const AdaptiveSizer& sizer) {
  const AdaptiveSizer::Facts& facts = sizer.facts();
  EXPECT_TRUE(std::isfinite(facts.demand) && facts.demand >= 0);
  EXPECT_TRUE(facts.kappa >= 0 && facts.kappa <= 1.5);
  EXPECT_TRUE(facts.window_s > 0 && facts.window_s <= 300);
  for (const AdaptiveSizer::Model& model : sizer.models()) {
    EXPECT_FALSE(std::isinf(model.forecast_10) || std::isinf(model.forecast_60)) << model.name;
  }
}

TEST(SizingHostile, TargetStaysWithinLimits) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Rng rng(seed);
    SizingSettings settings = hostile_settings(rng);
    const std::array<double, 6> seasons = {hostile_number(rng), 60, hostile_number(rng), 3600, 17.5, 1e300};
    AdaptiveSizer sizer(settings, std::span(seasons).first(rng.below(7)));
    double now_s = 0;
    for (int i = 0; i < 2000; ++i) {
      Observation seen = hostile_observation(rng);
      now_s += rng.unit() * 2;
      if (rng.chance(0.8)) seen.now_s = now_s;
      if (rng.chance(0.7)) seen.dt_s = 1;
      const int64_t target = sizer.tick(seen);
      ASSERT_GE(target, settings.min_size) << "seed " << seed;
      ASSERT_LE(target, settings.max_size) << "seed " << seed;
      const int64_t n = static_cast<int64_t>(rng.below(20'000)) - 5000;
      const int64_t raised = sizer.demand(hostile_number(rng), n, n / 2, n, -n, target);
      ASSERT_GE(raised, target) << "seed " << seed;
      ASSERT_LE(raised, settings.max_size) << "seed " << seed;
      if (rng.chance(0.01)) sizer.freeze(rng.chance(0.5));
      if (rng.chance(0.01)) sizer.burst(rng.chance(0.5));
      if (rng.chance(0.002)) sizer.forget();
      if (rng.chance(0.005)) sizer.set(settings = hostile_settings(rng));
    }
    expect_sane(sizer);
  }
}

// A stream as a pool would see it, from a seed: any number of arrivals, sometimes a full pool or a long silence.
std::vector<int64_t> targets(uint64_t seed, int seconds) {
  Rng rng(seed);
  SizerRig rig(roomy(), kSeasons);
  std::vector<int64_t> out;
  double level = 100;
  for (int i = 0; i < seconds; ++i) {
    if (rng.chance(0.02)) level = 500 * rng.unit();
    if (rng.chance(0.001)) rig.now_s += 1e5 * rng.unit();
    if (rng.chance(0.05)) {
      rig.full_second(static_cast<double>(rig.target), 30 * rng.unit(), 0.02 + 0.2 * rng.unit());
    } else {
      rig.second(level * (0.8 + 0.4 * rng.unit()), 0.03 + 0.02 * rng.unit(), rng.chance(0.1) ? 2 : 0);
    }
    out.push_back(rig.target);
    rig.target = rig.sizer.demand(rig.now_s, static_cast<int64_t>(rng.below(8)), rig.target, rig.target, 0, rig.target);
    out.push_back(rig.target);
  }
  return out;
}

TEST(SizingHostile, SameStreamGivesSameTargets) {
  for (uint64_t seed = 1; seed <= 5; ++seed) EXPECT_EQ(targets(seed, 4000), targets(seed, 4000));
  EXPECT_NE(targets(1, 4000), targets(2, 4000));
}

TEST(SizingHostile, StoppedClockLearnsNothing) {
  SizerRig rig(roomy(), kSeasons);
  rig.seconds(100, 200);
  const AdaptiveSizer::Facts before = rig.sizer.facts();
  Observation seen = calm_second(rig.now_s, 1000, 1, rig.target);
  seen.dt_s = 0;
  EXPECT_EQ(rig.sizer.tick(seen), rig.target);
  EXPECT_EQ(rig.sizer.facts().demand, before.demand);
  EXPECT_EQ(rig.sizer.facts().kappa, before.kappa);
}

// The pool may be ticked at any rate: the decisions are those of whole seconds.
TEST(SizingHostile, ShortTicksAreGathered) {
  SizerRig whole(roomy(), kSeasons);
  AdaptiveSizer parts(roomy(), kSeasons);
  Rng rng(9);
  int64_t target = 2;
  for (int i = 1; i <= 500; ++i) {
    const double arrivals = 300 * rng.unit();
    whole.second(arrivals);
    for (int k = 1; k <= 4; ++k) {
      Observation seen = calm_second(i - 1 + 0.25 * k, arrivals / 4, 0.040, target);
      seen.dt_s = 0.25;
      seen.in_use_avg = seen.demand_avg = arrivals * 0.040;
      const int64_t next = parts.tick(seen);
      if (k < 4) ASSERT_EQ(next, target);
      target = next;
    }
    ASSERT_EQ(target, whole.target) << "at " << i;
  }
}

TEST(SizingHostile, DayWithoutTicksIsOneTick) {
  SizerRig rig(roomy(), kSeasons);
  rig.seconds(100, 200);
  rig.now_s += 86'399;
  Observation seen = calm_second(rig.now_s + 1, 0, 0, rig.target);
  seen.dt_s = 86'400;
  rig.target = rig.sizer.tick(seen);
  EXPECT_EQ(rig.target, 2);
  EXPECT_NEAR(rig.sizer.facts().demand, 0, 1e-6);
  EXPECT_EQ(rig.sizer.forecast(10), 0);
}

TEST(SizingHostile, LimitsMayBeEqualAndChange) {
  SizingSettings settings = roomy();
  settings.min_size = settings.max_size = 7;
  SizerRig rig(settings);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(rig.second(1000), 7);
  settings.max_size = 100;
  rig.sizer.set(settings);
  rig.seconds(5, 1000);
  EXPECT_GT(rig.target, 40);
  settings.min_size = 3;
  settings.max_size = 9;
  rig.sizer.set(settings);
  EXPECT_EQ(rig.second(1000), 9);
  EXPECT_EQ(rig.sizer.facts().cause, SizingCause::limit);
  EXPECT_EQ(rig.sizer.demand(rig.now_s, 100, 9, 9, 0, 9), 9);
}

}  // namespace
}  // namespace tide::test
