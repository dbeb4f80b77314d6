// Alerts, their rules, health and forecasts as rows.
#include "unit/reading/reading_support.hpp"
#include "unit/support/segment_maker.hpp"

namespace tide {
namespace {

using test::integer;
using test::kMadeWallNs;
using test::real;
using test::text;

class Watch : public testing::Test {
 protected:
  test::Table read(const std::string& relation) {
    const test::SegmentFile file(folder.path() + "/" + made.file_name(), made.bytes(), true);
    return test::Table(relation, {folder.path(), "", ""});
  }
  static Value moment(int64_t seconds_before) { return integer((kMadeWallNs - seconds_before * test::kSecond) / 1000); }

  const test::TemporaryFolder folder;
  test::SegmentMaker made;
};

TEST_F(Watch, ShowsAlertsSortedById) {
  const test::Table alerts = read("alerts");
  ASSERT_EQ(alerts.size(), 2u);
  EXPECT_EQ(alerts.at(0, "rule"), text("long_queue"));
  EXPECT_EQ(alerts.at(0, "state"), text("resolved"));
  EXPECT_EQ(alerts.at(0, "resolved_at"), moment(20));
  EXPECT_EQ(alerts.at(0, "acked_by"), text("alice"));
  EXPECT_EQ(alerts.at(0, "acked_at"), moment(25));
  EXPECT_TRUE(is_null(alerts.at(0, "advice")));
  EXPECT_EQ(alerts.at(1, "instance_id"), text(made.instance_hex()));
  EXPECT_EQ(alerts.at(1, "pool"), text("app"));
  EXPECT_EQ(alerts.at(1, "alert_id"), integer(static_cast<int64_t>(made.instance_bits() | 2U)));
  EXPECT_EQ(alerts.at(1, "rule"), text("high_utilization"));
  EXPECT_EQ(alerts.at(1, "severity"), text("warning"));
  EXPECT_EQ(alerts.at(1, "state"), text("firing"));
  EXPECT_EQ(alerts.at(1, "metric"), text("utilization"));
  EXPECT_EQ(alerts.at(1, "value"), real(0.95));
  EXPECT_EQ(alerts.at(1, "threshold"), real(0.9));
  EXPECT_EQ(alerts.at(1, "since"), moment(60));
  EXPECT_EQ(alerts.at(1, "last_seen"), moment(1));
  EXPECT_EQ(alerts.at(1, "occurrences"), integer(40));
  EXPECT_TRUE(is_null(alerts.at(1, "resolved_at")));
  EXPECT_TRUE(is_null(alerts.at(1, "acked_by")));
  EXPECT_TRUE(is_null(alerts.at(1, "acked_at")));
  EXPECT_EQ(alerts.at(1, "message"), text("95 % of the connections are in use"));
  EXPECT_EQ(alerts.at(1, "advice"), text("raise max_size"));
}

TEST_F(Watch, ShowsRules) {
  const test::Table rules = read("alert_rules");
  ASSERT_EQ(rules.size(), 2u);
  EXPECT_EQ(rules.at(0, "pool"), text("app"));
  EXPECT_EQ(rules.at(0, "rule"), text("high_utilization"));
  EXPECT_EQ(rules.at(0, "comparison"), text(">="));
  EXPECT_EQ(rules.at(0, "threshold"), real(0.9));
  EXPECT_EQ(rules.at(0, "hold_ms"), real(30'000));
  EXPECT_EQ(rules.at(0, "severity"), text("warning"));
  EXPECT_EQ(rules.at(0, "enabled"), integer(1));
  EXPECT_EQ(rules.at(0, "message"), text("the pool is nearly used up"));
  EXPECT_EQ(rules.at(0, "clear_at"), real(0.8));
  EXPECT_EQ(rules.at(0, "built_in"), integer(1));
  EXPECT_EQ(rules.at(0, "instance_id"), text(made.instance_hex()));
  EXPECT_EQ(rules.at(1, "comparison"), text(">"));
  EXPECT_EQ(rules.at(1, "hold_ms"), real(0));
  EXPECT_EQ(rules.at(1, "enabled"), integer(0));
  EXPECT_EQ(rules.at(1, "built_in"), integer(0));
  EXPECT_TRUE(is_null(rules.at(1, "message")));
}

TEST_F(Watch, ShowsChecksThatWereMade) {
  const test::Table checks = read("health_checks");
  ASSERT_EQ(checks.size(), 2u);
  EXPECT_EQ(checks.at(0, "check_name"), text("connectivity"));
  EXPECT_EQ(checks.at(0, "status"), text("ok"));
  EXPECT_EQ(checks.at(0, "score"), real(100));
  EXPECT_EQ(checks.at(0, "value"), real(3.5));
  EXPECT_EQ(checks.at(0, "threshold"), real(5000));
  EXPECT_TRUE(is_null(checks.at(0, "message")));
  EXPECT_EQ(checks.at(0, "checked_at"), moment(5));
  EXPECT_EQ(checks.at(1, "check_name"), text("resources"));
  EXPECT_EQ(checks.at(1, "status"), text("warning"));
  EXPECT_TRUE(is_null(checks.at(1, "value")));
  EXPECT_EQ(checks.at(1, "message"), text("memory is short"));
}

TEST_F(Watch, ShowsForecasts) {
  const test::Table forecasts = read("forecasts");
  ASSERT_EQ(forecasts.size(), 2u);
  EXPECT_EQ(forecasts.at(0, "at"), moment(1));
  EXPECT_EQ(forecasts.at(0, "horizon_ms"), real(10'000));
  EXPECT_EQ(forecasts.at(0, "model"), text("linear"));
  EXPECT_EQ(forecasts.at(0, "predicted_in_use"), real(4.5));
  EXPECT_EQ(forecasts.at(0, "low"), real(3));
  EXPECT_EQ(forecasts.at(0, "high"), real(7));
  EXPECT_EQ(forecasts.at(0, "error_mape"), real(0.125));
  EXPECT_EQ(forecasts.at(0, "selected"), integer(1));
  EXPECT_EQ(forecasts.at(0, "error_wape"), real(0.25));
  EXPECT_EQ(forecasts.at(1, "selected"), integer(0));
  EXPECT_TRUE(is_null(forecasts.at(1, "error_mape")));
}

TEST_F(Watch, UnknownEnumValuesAreShownAsUnknown) {
  made.alert(0).severity = made.alert(0).state = 99;
  made.alert_rules().record[0].comparison = 99;
  made.health().record[0].status = 99;
  EXPECT_EQ(read("alerts").at(1, "severity"), text("unknown"));
  EXPECT_EQ(read("alerts").at(1, "state"), text("unknown"));
  EXPECT_EQ(read("alert_rules").at(0, "comparison"), text("unknown"));
  EXPECT_EQ(read("health_checks").at(0, "status"), text("unknown"));
}

TEST_F(Watch, InvalidNumbersAndTextsAreHandledSafely) {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  made.alert(0).alert_id = ~uint64_t{0};
  made.alert(0).value = kInfinite;
  made.alert(0).threshold = -kInfinite;
  made.alert(0).message.length = 65535;
  made.alert(0).rule.length = 3;
  std::memcpy(made.alert(0).rule.bytes, "a\xff\x1b", 3);
  made.alert_rules().record[0].hold_ns = std::numeric_limits<int64_t>::min();
  made.alert_rules().record[0].threshold = std::numeric_limits<double>::quiet_NaN();
  made.alert_rules().record[0].clear_at = 1e300;
  made.health().record[0].score = kInfinite;
  made.forecasts().record[0].horizon_ns = -1;
  made.forecasts().record[0].predicted_in_use = -kInfinite;
  made.forecasts().efficiency = kInfinite;
  made.totals().last_error.length = 2;
  std::memcpy(made.totals().last_error.bytes, "\x01\xc3", 2);
  made.record<format::HistoryRecord>(made.header().history_1s, 0).health = 101;
  const test::Table alerts = read("alerts");
  EXPECT_EQ(alerts.at(1, "alert_id"), integer(static_cast<int64_t>(kIdMax)));
  EXPECT_TRUE(is_null(alerts.at(1, "value")) && is_null(alerts.at(1, "threshold")));
  EXPECT_EQ(std::get<std::string>(alerts.at(1, "message")).size(), FixedText<192>::kBytesMax);
  EXPECT_EQ(alerts.at(1, "rule"), text("a??"));
  const test::Table rules = read("alert_rules");
  EXPECT_EQ(rules.at(0, "hold_ms"), real(0));
  EXPECT_TRUE(is_null(rules.at(0, "threshold")) && is_null(rules.at(0, "clear_at")));
  EXPECT_TRUE(is_null(read("health_checks").at(0, "score")));
  const test::Table forecasts = read("forecasts");
  EXPECT_EQ(forecasts.at(0, "horizon_ms"), real(0));
  EXPECT_TRUE(is_null(forecasts.at(0, "predicted_in_use")));
  EXPECT_TRUE(is_null(read("pool_stats").at(0, "efficiency")));
  EXPECT_EQ(read("pool_stats").at(0, "last_error"), text("??"));
  EXPECT_TRUE(is_null(read("pool_history").at(0, "health")));
}

}  // namespace
}  // namespace tide
