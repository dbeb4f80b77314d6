// Alerts, their rules, health and forecasts are read field by field; incomplete, foreign or missing records are
// omitted.
#include <cmath>

#include "segment/attach.hpp"
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

TEST_F(AttachWatchTest, AlertsAreSortedById) {
  const std::vector<format::AlertRecord> alerts = attach().read_alerts();
  ASSERT_EQ(alerts.size(), 2U);
  EXPECT_EQ(alerts[0].alert_id, made_.instance_bits() | 1U);
  EXPECT_EQ(alerts[0].rule.view(), "long_queue");
  EXPECT_EQ(alerts[0].state, 2U);
  EXPECT_EQ(alerts[0].acked_by.view(), "alice");
  EXPECT_EQ(alerts[0].resolved_wall_ns, kMadeWallNs - 20 * kSecond);
  EXPECT_EQ(alerts[0].acked_wall_ns, kMadeWallNs - 25 * kSecond);
  EXPECT_EQ(alerts[1].alert_id, made_.instance_bits() | 2U);
  EXPECT_EQ(alerts[1].metric.view(), "utilization");
  EXPECT_EQ(alerts[1].value, 0.95);
  EXPECT_EQ(alerts[1].threshold, 0.9);
  EXPECT_EQ(alerts[1].severity, 1U);
  EXPECT_EQ(alerts[1].occurrences, 40U);
  EXPECT_EQ(alerts[1].since_wall_ns, kMadeWallNs - 60 * kSecond);
  EXPECT_EQ(alerts[1].last_seen_wall_ns, kMadeWallNs - kSecond);
  EXPECT_EQ(alerts[1].resolved_wall_ns, 0);
  EXPECT_EQ(alerts[1].message.view(), "95 % of the connections are in use");
  EXPECT_EQ(alerts[1].advice.view(), "raise max_size");
}

TEST_F(AttachWatchTest, RulesKeepTheOwnersOrder) {
  const auto block = attach().read_alert_rules();
  ASSERT_TRUE(block);
  const auto rules = records_of(*block);
  ASSERT_EQ(rules.size(), 2U);
  EXPECT_EQ(rules[0].rule.view(), "high_utilization");
  EXPECT_EQ(rules[0].metric.view(), "utilization");
  EXPECT_EQ(rules[0].comparison, 1U);
  EXPECT_EQ(rules[0].threshold, 0.9);
  EXPECT_EQ(rules[0].clear_at, 0.8);
  EXPECT_EQ(rules[0].hold_ns, 30 * kSecond);
  EXPECT_TRUE(rules[0].is_enabled && rules[0].is_built_in);
  EXPECT_EQ(rules[0].message.view(), "the pool is nearly used up");
  EXPECT_EQ(rules[1].severity, 2U);
  EXPECT_FALSE(rules[1].is_enabled || rules[1].is_built_in);
}

TEST_F(AttachWatchTest, ChecksAreIndexedByNumber) {
  const auto block = attach().read_health();
  ASSERT_TRUE(block);
  const auto& checks = block->record;
  EXPECT_EQ(checks[0].score, 100);
  EXPECT_EQ(checks[0].value, 3.5);
  EXPECT_EQ(checks[0].threshold, 5000);
  EXPECT_EQ(checks[1].checked_wall_ns, 0);
  EXPECT_EQ(checks[2].status, 1U);
  EXPECT_TRUE(std::isnan(checks[2].value));
  EXPECT_EQ(checks[2].checked_wall_ns, kMadeWallNs - 6 * kSecond);
  EXPECT_EQ(checks[2].message.view(), "memory is short");
}

TEST_F(AttachWatchTest, ForecastsIncludeSizingFigures) {
  const auto copy = attach().read_forecasts();
  ASSERT_TRUE(copy.has_value());
  EXPECT_EQ(copy->efficiency, 0.75);
  EXPECT_EQ(copy->slow_share, 0.004);
  EXPECT_TRUE(std::isnan(copy->prediction_accuracy));
  EXPECT_EQ(copy->demand, 4.25);
  const auto forecasts = records_of(*copy);
  ASSERT_EQ(forecasts.size(), 2U);
  EXPECT_EQ(forecasts[0].model.view(), "linear");
  EXPECT_EQ(forecasts[0].horizon_ns, 10 * kSecond);
  EXPECT_EQ(forecasts[0].predicted_in_use, 4.5);
  EXPECT_EQ(forecasts[0].error_mape, 0.125);
  EXPECT_TRUE(forecasts[0].is_selected);
  EXPECT_TRUE(std::isnan(forecasts[1].error_wape));
  EXPECT_FALSE(forecasts[1].is_selected);
}

TEST_F(AttachWatchTest, UnwrittenBlockIsNotMeasured) {
  made_.forecasts().seq = 0;
  EXPECT_FALSE(attach().read_forecasts().has_value());
}

TEST_F(AttachWatchTest, BlocksBeingWrittenAreOmitted) {
  made_.alert(0).seq = 3;
  made_.alert_rules().seq = made_.health().seq = made_.forecasts().seq = 5;
  const Attachment segment = attach();
  ASSERT_EQ(segment.read_alerts().size(), 1U);
  EXPECT_EQ(segment.read_alerts()[0].rule.view(), "long_queue");
  EXPECT_FALSE(segment.read_alert_rules().has_value());
  EXPECT_FALSE(segment.read_health().has_value());
  EXPECT_FALSE(segment.read_forecasts().has_value());
}

TEST_F(AttachWatchTest, CountsAreLimitedToCapacity) {
  made_.alert_rules().count = ~uint64_t{0};
  made_.forecasts().count = 33;
  const Attachment segment = attach();
  EXPECT_EQ(records_of(*segment.read_alert_rules()).size(), format::kAlertRulesMax);
  EXPECT_EQ(records_of(*segment.read_forecasts()).size(), format::kForecastsMax);
}

TEST_F(AttachWatchTest, TruncatedFileReturnsNothing) {
  const Attachment segment = attach();
  file_->cut(made_.header().alerts.offset + 100);
  EXPECT_TRUE(segment.read_alerts().empty());
  EXPECT_FALSE(segment.read_alert_rules().has_value());
  EXPECT_FALSE(segment.read_health().has_value());
  EXPECT_FALSE(segment.read_forecasts().has_value());
}

}  // namespace
}  // namespace tide
