// The adaptive sizer against its bars: synthetic loads, replayed in virtual time beside a pool with everything open and
// an oracle that knows the load in advance, in the same run. ./bench.sh sizing shows the figures.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "replay/sizings.hpp"

namespace {

struct Judged {
  replay::Outcome ours, most, oracle;
  replay::Adaptive::Accuracy near, far;
  double excess() const { return 100 * (ours.slow_share - most.slow_share); }  // points
  double ratio() const { return ours.open_avg / oracle.open_avg; }
};

const replay::Trace& trace_named(const std::string& name) {
  static const std::vector<replay::Trace> kTraces = replay::synthetic_traces();
  return *std::find_if(kTraces.begin(), kTraces.end(), [&](const replay::Trace& trace) { return trace.name == name; });
}

Judged judged(const std::string& name, double length_s, const char* scenario = "std") {
  const replay::Trace& trace = trace_named(name);
  replay::DrawnRequests requests(trace, 7, length_s);
  const replay::Server server = *replay::scenario(scenario, length_s);
  replay::Server open_wide = server;
  open_wide.min_size = server.max_size;
  Judged out;
  replay::Found found;
  replay::FixedSize all(server.max_size);
  out.most = replay::PoolModel(requests, all, open_wide).run(&found);
  replay::Adaptive adaptive(server, trace.season_s());
  out.ours = replay::PoolModel(requests, adaptive, server).run();
  out.near = adaptive.accuracy(10);
  out.far = adaptive.accuracy(60);
  if (std::string(scenario) == "std") out.oracle = replay::oracle(requests, server, found, out.most.slow_share + 0.01);
  return out;
}

// Bars 1 and 3: slow requests within 1.1 points of a pool with everything open, for 1.3 of the oracle's connections.
void expect_lean(const char* name, double length_s) {
  const Judged load = judged(name, length_s);
  EXPECT_LE(load.excess(), 1.1) << name;
  EXPECT_LE(load.ratio(), 1.3) << name;
  EXPECT_LE(load.ours.timeout_share, load.most.timeout_share + 0.001) << name;
  EXPECT_LE(load.near.wape, 1.05 * load.near.persistence) << name;  // bar 6
  EXPECT_LE(load.far.wape, 1.05 * load.far.persistence) << name;
}

TEST(SizingBars, SteadyLoad) { expect_lean("flat", 1200); }
TEST(SizingBars, Steps) { expect_lean("step", 1500); }
TEST(SizingBars, FlashCrowd) { expect_lean("crowd", 4400); }

// Bar 6: a load that repeats each minute is forecast.
TEST(SizingBars, StormsEachMinute) {
  expect_lean("cron", 1800);
  const Judged storms = judged("cron", 3600);
  EXPECT_LE(storms.near.wape, 0.15 * storms.near.persistence);
}

// Bar 6: a week of daily patterns, after two of them.
TEST(SizingBars, Week) {
  const Judged week = judged("week", 2500);
  EXPECT_LE(week.excess(), 1.1);
  EXPECT_LE(week.ratio(), 1.3);
  EXPECT_LE(week.near.wape, 0.5 * week.near.persistence);
  EXPECT_LE(week.far.wape, 0.3 * week.far.persistence);
}

// Bar 7: with six times as much contention between connections, no more connections are opened.
TEST(SizingBars, Brownout) {
  const Judged brownout = judged("flat", 3600, "brownout");
  EXPECT_GT(brownout.most.timeout_share, 0.01);
  EXPECT_LE(brownout.ours.timeout_share, 0.6 * brownout.most.timeout_share);
  EXPECT_LE(brownout.ours.above_knee_share, 0.003);
}

// Bar 8: queries that are twice as heavy are not mistaken for contention.
TEST(SizingBars, HeavierQueries) {
  const Judged heavy = judged("week", 2500, "heavy");
  EXPECT_LE(heavy.ours.timeout_share, heavy.most.timeout_share + 0.001);
}

TEST(SizingBars, TheSameLoadGivesTheSameOutcome) {
  const Judged once = judged("cron", 600);
  const Judged again = judged("cron", 600);
  EXPECT_EQ(once.ours.open_avg, again.ours.open_avg);
  EXPECT_EQ(once.ours.slow_share, again.ours.slow_share);
  EXPECT_EQ(once.ours.resizes_per_h, again.ours.resizes_per_h);
}

}  // namespace
