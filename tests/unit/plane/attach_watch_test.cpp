// Alerts, their rules, health and forecasts: read field by field; what is half written, foreign or not there is left
// out.
#include <cmath>

#include "plane/attach.hpp"
#include "unit/support/segment_maker.hpp"

namespace tide {
namespace {

using test::kMadeWallNs;
using test::SegmentFile;
using test::SegmentMaker;
using test::TemporaryFolder;

constexpr int64_t kSecond = 1'000'000'000;

class AttachWatchTest : public testing::Test {
 protected:
  Attachment attach() {
    file_.reset();
    file_ = std::make_unique<SegmentFile>(folder_.path() + "/" + made_.file_name(), made_.bytes(), true);
    auto opened = Attachment::open(file_->path());
    TIDE_ASSERT(opened.is_ok());
    return opened.take();
  }

  TemporaryFolder folder_;
  SegmentMaker made_;
  std::unique_ptr<SegmentFile> file_;
};

TEST_F(AttachWatchTest, AlertsComeInTheOrderOfTheirIds) {
  const std::vector<AlertCopy> alerts = attach().read_alerts();
  ASSERT_EQ(alerts.size(), 2U);
  EXPECT_EQ(alerts[0].alert_id, made_.instance_bits() | 1U);
  EXPECT_EQ(alerts[0].rule, "long_queue");
  EXPECT_EQ(alerts[0].state, 2U);
  EXPECT_EQ(alerts[0].acked_by, "alice");
  EXPECT_EQ(alerts[0].resolved_wall_ns, kMadeWallNs - 20 * kSecond);
  EXPECT_EQ(alerts[0].acked_wall_ns, kMadeWallNs - 25 * kSecond);
  EXPECT_EQ(alerts[1].alert_id, made_.instance_bits() | 2U);
  EXPECT_EQ(alerts[1].metric, "utilization");
  EXPECT_EQ(alerts[1].value, 0.95);
  EXPECT_EQ(alerts[1].threshold, 0.9);
  EXPECT_EQ(alerts[1].severity, 1U);
  EXPECT_EQ(alerts[1].occurrences, 40U);
  EXPECT_EQ(alerts[1].since_wall_ns, kMadeWallNs - 60 * kSecond);
  EXPECT_EQ(alerts[1].last_seen_wall_ns, kMadeWallNs - kSecond);
  EXPECT_EQ(alerts[1].resolved_wall_ns, 0);
  EXPECT_EQ(alerts[1].message, "95 % of the connections are in use");
  EXPECT_EQ(alerts[1].advice, "raise max_size");
}

TEST_F(AttachWatchTest, RulesStandInTheOwnersOrder) {
  const std::vector<AlertRuleCopy> rules = attach().read_alert_rules();
  ASSERT_EQ(rules.size(), 2U);
  EXPECT_EQ(rules[0].rule, "high_utilization");
  EXPECT_EQ(rules[0].metric, "utilization");
  EXPECT_EQ(rules[0].comparison, 1U);
  EXPECT_EQ(rules[0].threshold, 0.9);
  EXPECT_EQ(rules[0].clear_at, 0.8);
  EXPECT_EQ(rules[0].hold_ns, 30 * kSecond);
  EXPECT_TRUE(rules[0].is_enabled && rules[0].is_built_in);
  EXPECT_EQ(rules[0].message, "the pool is nearly used up");
  EXPECT_EQ(rules[1].severity, 2U);
  EXPECT_FALSE(rules[1].is_enabled || rules[1].is_built_in);
}

TEST_F(AttachWatchTest, ChecksThatWereNeverMadeAreNotThere) {
  const std::vector<HealthCopy> checks = attach().read_health();
  ASSERT_EQ(checks.size(), 2U);
  EXPECT_EQ(checks[0].check, 0U);
  EXPECT_EQ(checks[0].score, 100);
  EXPECT_EQ(checks[0].value, 3.5);
  EXPECT_EQ(checks[0].threshold, 5000);
  EXPECT_EQ(checks[1].check, 2U);
  EXPECT_EQ(checks[1].status, 1U);
  EXPECT_TRUE(std::isnan(checks[1].value));
  EXPECT_EQ(checks[1].checked_wall_ns, kMadeWallNs - 6 * kSecond);
  EXPECT_EQ(checks[1].message, "memory is short");
}

TEST_F(AttachWatchTest, ForecastsComeWithTheNumbersOfSizing) {
  const auto copy = attach().read_forecasts();
  ASSERT_TRUE(copy.has_value());
  EXPECT_EQ(copy->efficiency, 0.75);
  EXPECT_EQ(copy->slow_share, 0.004);
  EXPECT_TRUE(std::isnan(copy->prediction_accuracy));
  EXPECT_EQ(copy->demand, 4.25);
  EXPECT_EQ(copy->overloads_total, 2U);
  EXPECT_EQ(copy->bursts_total, 3U);
  ASSERT_EQ(copy->forecasts.size(), 2U);
  EXPECT_EQ(copy->forecasts[0].model, "linear");
  EXPECT_EQ(copy->forecasts[0].horizon_ns, 10 * kSecond);
  EXPECT_EQ(copy->forecasts[0].predicted_in_use, 4.5);
  EXPECT_EQ(copy->forecasts[0].error_mape, 0.125);
  EXPECT_TRUE(copy->forecasts[0].is_selected);
  EXPECT_TRUE(std::isnan(copy->forecasts[1].error_wape));
  EXPECT_FALSE(copy->forecasts[1].is_selected);
}

TEST_F(AttachWatchTest, TalliesComeWithWhatAResetFound) {
  const auto copy = attach().read_tallies();
  ASSERT_TRUE(copy.has_value());
  for (size_t i = 0; i < copy->counters.size(); ++i) {
    EXPECT_EQ(copy->counters[i], 200 + i);
    EXPECT_EQ(copy->baseline[i], 10 * i);
  }
  EXPECT_EQ(copy->baseline_faults, 1U);
  made_.tallies().seq = 3;
  EXPECT_FALSE(attach().read_tallies().has_value());
}

TEST_F(AttachWatchTest, ZerosThatNobodyWroteAreNoMeasurement) {
  made_.forecasts().seq = 0;
  EXPECT_FALSE(attach().read_forecasts().has_value());
}

TEST_F(AttachWatchTest, WhatNeverComesToRestIsLeftOut) {
  made_.alert(0).seq = 3;
  made_.alert_rules().seq = made_.health().seq = made_.forecasts().seq = 5;
  const Attachment segment = attach();
  ASSERT_EQ(segment.read_alerts().size(), 1U);
  EXPECT_EQ(segment.read_alerts()[0].rule, "long_queue");
  EXPECT_TRUE(segment.read_alert_rules().empty());
  EXPECT_TRUE(segment.read_health().empty());
  EXPECT_FALSE(segment.read_forecasts().has_value());
}

TEST_F(AttachWatchTest, CountsBeyondTheRoomAreTheRoom) {
  made_.alert_rules().count = ~uint64_t{0};
  made_.forecasts().count = 33;
  const Attachment segment = attach();
  EXPECT_EQ(segment.read_alert_rules().size(), format::kAlertRulesMax);
  EXPECT_EQ(segment.read_forecasts()->forecasts.size(), format::kForecastsMax);
}

TEST_F(AttachWatchTest, NumbersThatAreNoneAndForeignTextsDoNoHarm) {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  made_.alert(0).alert_id = ~uint64_t{0};
  made_.alert(0).value = kInfinite;
  made_.alert(0).threshold = -kInfinite;
  made_.alert(0).message.length = 65535;
  made_.alert(0).rule.length = 3;
  std::memcpy(made_.alert(0).rule.bytes, "a\xff\x1b", 3);
  made_.alert_rules().record[0].hold_ns = std::numeric_limits<int64_t>::min();
  made_.alert_rules().record[0].threshold = std::numeric_limits<double>::quiet_NaN();
  made_.alert_rules().record[0].clear_at = 1e300;
  made_.health().record[0].score = kInfinite;
  made_.forecasts().record[0].horizon_ns = -1;
  made_.forecasts().record[0].predicted_in_use = -kInfinite;
  made_.forecasts().efficiency = kInfinite;
  made_.vitals().breaker = ~uint64_t{0};
  const Attachment segment = attach();
  const AlertCopy alert = segment.read_alerts()[1];
  EXPECT_EQ(alert.alert_id, kIdMax);
  EXPECT_TRUE(std::isnan(alert.value) && std::isnan(alert.threshold));
  EXPECT_EQ(alert.message.size(), FixedText<192>::kBytesMax);
  EXPECT_EQ(alert.rule, "a??");
  const AlertRuleCopy rule = segment.read_alert_rules()[0];
  EXPECT_EQ(rule.hold_ns, 0);
  EXPECT_TRUE(std::isnan(rule.threshold) && std::isnan(rule.clear_at));
  EXPECT_TRUE(std::isnan(segment.read_health()[0].score));
  const auto forecasts = segment.read_forecasts();
  EXPECT_TRUE(std::isnan(forecasts->efficiency) && std::isnan(forecasts->forecasts[0].predicted_in_use));
  EXPECT_EQ(forecasts->forecasts[0].horizon_ns, 0);
  EXPECT_EQ(segment.read_vitals()->breaker, 255U);
}

TEST_F(AttachWatchTest, AFileThatIsCutGivesNothing) {
  const Attachment segment = attach();
  file_->cut(made_.header().alerts.offset + 100);
  EXPECT_TRUE(segment.read_alerts().empty());
  EXPECT_TRUE(segment.read_alert_rules().empty());
  EXPECT_TRUE(segment.read_health().empty());
  EXPECT_FALSE(segment.read_forecasts().has_value());
}

}  // namespace
}  // namespace tide
