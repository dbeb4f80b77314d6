// The health reports and the dashboard, from segments with known numbers.
#include "render/figures.hpp"
#include "render/host_reading.hpp"
#include "render/text_page.hpp"
#include "unit/render/report_support.hpp"

namespace tide {
namespace {

using test::kHostile;
using test::kNowWall;
using test::kSecond;

bool has(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

class ReportTest : public test::Reports {
 protected:
  std::unique_ptr<Segment> segment = test::make_segment(directory.path());

  // A lease held for three seconds.
  void lease(const std::string& tag, uint32_t index = 0) {
    test::fill_slot(*segment, index, SlotState::leased).tag.assign(tag);
  }
  void history(int64_t resolution_ms, int64_t ago_ns) {
    auto& header = segment->header();
    auto& region = resolution_ms == 1'000    ? header.history_1s
                   : resolution_ms == 60'000 ? header.history_1m
                                             : header.history_1h;
    segment->ring(region).append([&](format::HistoryRecord& record) {
      record.at_wall_ns = kNowWall - ago_ns;
      record.in_use_max = 3;
      record.health = -1;
    });
  }
};

ReportedPool with_insight(const std::string& pool, const std::string& option, const std::string& value) {
  ReportedPool reading;
  reading.instance_id = "2b000000000000000000000000000000";
  reading.pool = pool;
  const Relation& relation = *find_relation("insights");
  Row row(relation.columns.size());
  for (size_t i = 0; i < row.size(); ++i) {
    if (relation.columns[i].name == "option_name" && !option.empty()) row[i] = option;
    if (relation.columns[i].name == "option_value" && !value.empty()) row[i] = value;
  }
  reading.relations.try_emplace("insights", relation).first->second.rows().push_back(row);
  return reading;
}

TEST(ReportCommand, CanBePastedAndNeedsNoEscaping) {
  EXPECT_EQ(command_of(with_insight("shop", "max_size", "20"), 0, false),
            "SELECT tidepool.set('shop', 'max_size', '20');");
  EXPECT_EQ(command_of(with_insight("shop", "max_size", "20"), 0, true),
            "SELECT tidepool_set('shop', 'max_size', '20');");
  EXPECT_EQ(command_of(with_insight("shop", "init_sql", "SET x = 'y'"), 0, false),
            "SELECT tidepool.set('shop', 'init_sql', 'SET x = ''y''');");
  EXPECT_EQ(command_of(with_insight("shop", "", ""), 0, false), "");
  EXPECT_EQ(command_of(with_insight("shop", "max_size", ""), 0, false), "");
}

TEST(ReportCommand, NamesTheInstanceWhereTheNameIsNotEnough) {
  ReportedPool twin = with_insight("shop", "max_size", "20");
  twin.is_name_unique = false;
  const std::string expected = "SELECT tidepool.set('2b000000000000000000000000000000', 'max_size', '20');";
  EXPECT_EQ(command_of(twin, 0, false), expected);
  EXPECT_EQ(command_of(with_insight("x'); DROP TABLE y; --", "max_size", "20"), 0, false), expected);
}

TEST_F(ReportTest, TextNamesWhatPeopleAskFor) {
  lease("monthly report");
  put(segment->vitals().health, 40);
  const std::string text = rendered("health_text");
  for (const char* part :
       {"orders", "running", "health 40 of 100", "1 in use", "limit 5", "monthly report", "3.0 s", "Checks: none",
        "Firing alerts: none", "Insights: none", "process", "sqlite:/tmp/orders.db"}) {
    EXPECT_TRUE(has(text, part)) << part << "\n" << text;
  }
}

TEST_F(ReportTest, TextSaysWhatIsNotMeasured) {
  const std::string text = rendered("health_text");
  EXPECT_TRUE(has(text, "health not measured")) << text;
  EXPECT_TRUE(has(text, "wait not measured"));
  EXPECT_FALSE(has(text, "nan"));
}

TEST_F(ReportTest, TextOfHostileNamesIsSafeAndNarrow) {
  auto other = test::make_segment(directory.path(), std::string(62, 'p'), 0x2C);
  for (uint32_t i = 0; i < 6; ++i) lease(kHostile, i);
  const std::string text = rendered("health_text");
  std::string line;
  for (const char c : text) {
    ASSERT_TRUE(c == '\n' || (c & '\x80') != 0 || (c >= ' ' && c != '\x7f')) << text;
    if (c != '\n') line += c;
    if (c == '\n') {
      EXPECT_LE(columns_of(line), kPageColumns) << line;
      line.clear();
    }
  }
  EXPECT_FALSE(has(text, "\xc2\x9b"));
  EXPECT_FALSE(has(text, "\xe2\x80\xae"));
  EXPECT_TRUE(has(text, "it's"));
}

TEST_F(ReportTest, MaskedReportsHaveNoTextsOfUsers) {
  lease("secret tag");
  segment->ring(segment->header().journal).append([](format::JournalRecord& record) {
    record.at_wall_ns = kNowWall;
    record.message.assign("secret message");
  });
  request.is_masked = true;
  for (const char* format : {"health_text", "health_json", "dashboard"}) {
    const std::string text = rendered(format);
    EXPECT_FALSE(has(text, "secret")) << format;
    EXPECT_FALSE(has(text, "/tmp/orders.db")) << format;
    EXPECT_TRUE(has(text, "orders")) << format;
  }
  EXPECT_TRUE(has(rendered("health_text"), "not shown to this reader"));
  request.is_masked = false;
  EXPECT_TRUE(has(rendered("dashboard"), "secret message"));
}

TEST_F(ReportTest, HealthJsonIsThatOfTheWorstPool) {
  auto other = test::make_segment(directory.path(), "other", 0x2C);
  put(other->vitals().state, 3);                                                      // draining
  for (Segment* each : {segment.get(), other.get()}) put(each->vitals().breaker, 1);  // closed
  const auto report = json("health_json");
  EXPECT_EQ(report["status"], "degraded");
  EXPECT_EQ(report["pools"].size(), 2U);
  EXPECT_EQ(report["pools"][0]["pool"], "orders");
  EXPECT_EQ(report["pools"][0]["healthy"], true);
  EXPECT_EQ(report["pools"][1]["issues"].size(), report["pools"][1]["recommendations"].size());
}

TEST_F(ReportTest, DashboardHasTheOldestLeasesFirst) {
  for (uint32_t i = 0; i < 8; ++i) {
    lease("t" + std::to_string(i), i);
    put(segment->slots()[i].acquired_mono, test::bits(test::kNowMono - (i + 1) * kSecond));
  }
  const auto leases = json("dashboard")["pools"][0]["leases"];
  ASSERT_EQ(leases.size(), 8U);
  EXPECT_EQ(leases[0]["tag"], "t7");
  EXPECT_EQ(leases[0]["age_ms"], 8000.0);
  EXPECT_EQ(leases[7]["tag"], "t0");
}

TEST_F(ReportTest, SeriesHasTheFinestResolutionThatCoversTheRange) {
  history(1'000, 10 * kSecond);
  history(1'000, 5 * kSecond);
  history(60'000, 1800 * kSecond);
  history(3'600'000, 86'400 * kSecond * 3);
  EXPECT_TRUE(json("dashboard")["pools"][0]["series"].is_null()) << "no history was asked for";
  for (const auto& [range_s, resolution_ms, points] : {std::tuple{3600, 1'000, 2},
                                                       {8, 1'000, 1},
                                                       {3601, 60'000, 1},
                                                       {86'400, 60'000, 1},
                                                       {86'401, 3'600'000, 0},
                                                       {300'000, 3'600'000, 1}}) {
    request.since_wall_ns = kNowWall - range_s * kSecond;
    const auto series = json("dashboard")["pools"][0]["series"];
    EXPECT_EQ(series["resolution_ms"], resolution_ms) << range_s;
    for (const auto& [name, values] : series.items()) {
      if (name != "resolution_ms") EXPECT_EQ(values.size(), static_cast<size_t>(points)) << range_s << " " << name;
    }
  }
  request.since_wall_ns = kNowWall - 60 * kSecond;
  const auto series = json("dashboard")["pools"][0]["series"];
  EXPECT_EQ(series["at_ms"][0], kNowWall / 1'000'000 - 10'000);
  EXPECT_EQ(series["at_ms"][1], kNowWall / 1'000'000 - 5'000);
  EXPECT_EQ(series["in_use_max"][0], 3);
  EXPECT_TRUE(series["health"][0].is_null());
}

TEST_F(ReportTest, EventsAreThoseSinceTheTimeAsked) {
  for (const int64_t ago_s : {500, 50}) {
    segment->ring(segment->header().journal).append([&](format::JournalRecord& record) {
      record.at_wall_ns = kNowWall - ago_s * kSecond;
      record.message.assign(std::to_string(ago_s));
    });
  }
  EXPECT_EQ(json("dashboard")["pools"][0]["events"].size(), 2U);
  EXPECT_EQ(json("dashboard")["pools"][0]["events"][0]["message"], "50");
  request.since_wall_ns = kNowWall - 60 * kSecond;
  EXPECT_EQ(json("dashboard")["pools"][0]["events"].size(), 1U);
}

TEST_F(ReportTest, ForgedJsonDoesNotMakeTheReportInvalid) {
  for (const char* detail : {R"({"a":"\u0000"})", "{", "[[[[", R"({"a":1e999})", "\"\xff\"", R"({"fine":1})"}) {
    segment->ring(segment->header().journal).append([&](format::JournalRecord& record) {
      record.at_wall_ns = kNowWall;
      record.detail.assign(detail);
    });
  }
  const std::string text = rendered("dashboard");
  const auto events = nlohmann::ordered_json::parse(text)["pools"][0]["events"];
  ASSERT_EQ(events.size(), 6U);
  EXPECT_EQ(events[0]["detail"]["fine"], 1);
  EXPECT_TRUE(events[5]["detail"].is_string()) << "PostgreSQL stores no NUL";
}

TEST_F(ReportTest, FiguresAreNullWithoutADivisor) {
  auto figures = json("dashboard")["pools"][0]["figures"];
  EXPECT_TRUE(figures["average_wait_ms"].is_null());
  EXPECT_TRUE(figures["query_cache_hit_ratio"].is_null());
  lease("x");
  put(segment->slots()[0].acquires_total, 4);
  put(segment->slot_stats()[0].waited_total, 1);
  figures = json("dashboard")["pools"][0]["figures"];
  EXPECT_EQ(figures["waited_ratio"], 0.25);
}

TEST_F(ReportTest, UnknownPoolNamesTheKnownOnesAndWhereItLooked) {
  request.which.pool = "ordres";
  for (const char* format : {"health_text", "health_json", "dashboard"}) {
    const Status status = refusal(format);
    EXPECT_EQ(status.code, Code::not_found);
    EXPECT_TRUE(has(status.message(), "\"ordres\""));
    EXPECT_TRUE(has(status.detail(), ": orders") && has(status.detail(), directory.path())) << status.detail();
    EXPECT_TRUE(has(status.hint(), "\"orders\"")) << status.hint();
  }
}

class NoPools : public test::Reports {};

TEST_F(NoPools, ReportsSayWhereTheyLookedAndWhatToSet) {
  EXPECT_TRUE(has(rendered("health_text"), "No pools: there are no pools in "));
  EXPECT_TRUE(has(rendered("health_text"), "TIDEPOOL_DIR"));
  for (const char* format : {"health_json", "dashboard"}) {
    const auto report = json(format);
    EXPECT_EQ(report["pools"].size(), 0U);
    EXPECT_EQ(report["directory"], directory.path());
    EXPECT_TRUE(has(report["message"], directory.path()));
    EXPECT_TRUE(has(report["hint"], "TIDEPOOL_DIR"));
  }
  request.which.pool = "orders";
  EXPECT_TRUE(has(refusal("dashboard").detail(), directory.path()));
}

}  // namespace
}  // namespace tide
