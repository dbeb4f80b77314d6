// What the formats say of a made pool: values, attributes, times, and what is left out.
#include <nlohmann/json.hpp>

#include "reading/rows.hpp"
#include "unit/render/render_support.hpp"

namespace tide {
namespace {

using nlohmann::json;
using test::lines_with;
using test::SegmentMaker;
using test::value_of;

class ExportTest : public test::RenderTest {
 protected:
  json otlp(const RenderRequest& request) { return json::parse(exported("otlp_json", request)); }
  static json metric_of(const json& request, const std::string& name) {
    for (const json& metric : request["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]) {
      if (metric["name"] == name) return metric;
    }
    return nullptr;
  }
  static std::string attribute_of(const json& attributes, const std::string& name) {
    for (const json& each : attributes) {
      if (each["key"] == name) return each["value"].front().get<std::string>();
    }
    return "none";
  }

  SegmentMaker made_;
};

// The states of db.client.connection.count sum to the size of the pool.
TEST_F(ExportTest, StatesSumToTheSize) {
  const auto file = published(made_);
  const std::string text = exported("prometheus", request());
  double sum = 0;
  for (const char* state : {"idle", "used", "connecting", "validating"})
    sum += value_of(text, {"db_client_connections{", std::string("state=\"") + state + "\""});
  EXPECT_EQ(sum, 5);
  EXPECT_EQ(value_of(text, {"tidepool_size{"}), 5);
  EXPECT_EQ(value_of(text, {"db_client_connections{", "state=\"used\""}), 2);
}

// Milliseconds of the relations are seconds; counts are since the last reset.
TEST_F(ExportTest, ValuesInBaseUnits) {
  const auto file = published(made_);
  const std::string text = exported("prometheus", request());
  EXPECT_EQ(value_of(text, {"tidepool_wait_p99_seconds{"}), 0.0025);
  EXPECT_EQ(value_of(text, {"tidepool_oldest_wait_seconds{"}), 1.5);
  EXPECT_EQ(value_of(text, {"db_client_connection_timeouts_total{"}), 7 - static_cast<double>(Counter::timeouts_total));
  EXPECT_EQ(value_of(text, {"tidepool_errors_total{", "error_type=\"acquire_timeout\""}), 7);
  EXPECT_EQ(value_of(text, {"tidepool_state{", "tidepool_state=\"stale\""}), 1);  // its owner does not run
  EXPECT_EQ(value_of(text, {"tidepool_state{", "tidepool_state=\"paused\""}), 0);
  EXPECT_EQ(
      value_of(text, {"tidepool_build_info{", "version=\"0.1.0\"", "host_name=\"host-1\"", "process_pid=\"4242\""}), 1);
}

// Not measured is not 0: the made pool has no percentiles of queries, and no health.
TEST_F(ExportTest, NullIsLeftOut) {
  const auto file = published(made_);
  const std::string text = exported("prometheus", request());
  EXPECT_TRUE(lines_with(text, {"tidepool_query_p50_seconds"}).empty());
  EXPECT_TRUE(lines_with(text, {"tidepool_health{"}).empty());
  EXPECT_EQ(text.find("NaN"), text.npos);
  EXPECT_TRUE(metric_of(otlp(request()), "tidepool.health").is_null());
  EXPECT_EQ(exported("csv", request()).find("tidepool.health,"), text.npos);
}

// Buckets are cumulative in the text formats, and end with all; the sum is that of the same durations.
TEST_F(ExportTest, Histograms) {
  const auto file = published(made_);
  const std::string text = exported("prometheus", request());
  const std::string name = "db_client_operation_duration_seconds";
  EXPECT_EQ(value_of(text, {name + "_bucket{", "le=\"1e-06\""}), 0);
  EXPECT_EQ(value_of(text, {name + "_bucket{", "le=\"1.6e-05\""}), 300);  // 6 slots, in the bucket up to 16 us
  EXPECT_EQ(value_of(text, {name + "_bucket{", "le=\"+Inf\""}), 300);
  EXPECT_EQ(value_of(text, {name + "_count{"}), 300);
  EXPECT_NEAR(value_of(text, {name + "_sum{"}), 3, 1e-6);
  // Requests that failed after 70 s are in tidepool_wait_seconds_total, but not in the histogram of leases.
  EXPECT_NEAR(value_of(text, {"db_client_connection_wait_time_seconds_sum{"}), 6, 1e-6);
  EXPECT_NEAR(value_of(text, {"tidepool_wait_seconds_total{"}), 76, 1e-6);

  const json point = metric_of(otlp(request()), "db.client.operation.duration")["histogram"]["dataPoints"][0];
  EXPECT_EQ(point["count"], "300");
  EXPECT_EQ(point["bucketCounts"].size(), point["explicitBounds"].size() + 1);
  int64_t total = 0;
  for (const json& count : point["bucketCounts"]) total += std::stoll(count.get<std::string>());
  EXPECT_EQ(total, 300);
}

// The slow query of the made pool took 2 s; of the histogram with durations of that length it is the example.
TEST_F(ExportTest, ExemplarsOfTags) {
  made_.stats(0).query.count[42] = 1;  // 2.1 to 3.1 s
  made_.stats(0).query.count[41] = 1;  // 1.6 to 2.1 s
  const auto file = published(made_);
  std::string text = exported("openmetrics", request());
  const auto with = lines_with(text, {"db_client_operation_duration_seconds_bucket", " # {"});
  ASSERT_EQ(with.size(), 1U);
  EXPECT_NE(with[0].find("tag=\"report\""), with[0].npos);
  EXPECT_NE(with[0].find("} 2 1769903998.123"), with[0].npos) << with[0];
  EXPECT_EQ(exported("prometheus", request()).find(" # {"), text.npos);
  RenderRequest masked = request();
  masked.is_masked = true;
  text = exported("openmetrics", masked);
  EXPECT_EQ(text.find(" # {"), text.npos);
  EXPECT_EQ(text.find("report"), text.npos);
}

TEST_F(ExportTest, TraceOfAnExemplar) {
  made_.stats(0).query.count[41] = 1;
  for (uint64_t n = 0; n < 3; ++n)
    made_.record<format::QueryRecord>(made_.header().query_log, n)
        .tag.assign("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  const auto file = published(made_);
  const auto with = lines_with(exported("openmetrics", request()), {" # {"});
  ASSERT_FALSE(with.empty());
  EXPECT_NE(with[0].find("{trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\",span_id=\"00f067aa0ba902b7\"}"), with[0].npos);
  const json point = metric_of(otlp(request()), "db.client.operation.duration")["histogram"]["dataPoints"][0];
  EXPECT_EQ(point["exemplars"][0]["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
}

// Where the pool connects to, as OpenTelemetry names its parts.
TEST_F(ExportTest, PartsOfTheTarget) {
  struct Case {
    const char *target, *address, *port, *database;
  };
  made_.header().backend = 0;
  for (const Case& each : std::initializer_list<Case>{{"db.example:6432/app", "db.example", "6432", "app"},
                                                      {"db.example:5432/app", "db.example", "none", "app"},
                                                      {"[::1]:5433/app", "::1", "5433", "app"},
                                                      {"/var/run:5433/app", "/var/run", "5433", "app"},
                                                      {"[local]:5432/a:1/b", "none", "none", "a:1/b"},
                                                      {"a:1,b:2/it's", "a:1,b:2", "none", "it's"},
                                                      {"service=prod", "none", "none", "none"},
                                                      {"", "none", "none", "none"},
                                                      {"h:99999999999999999999", "h", "none", "none"}}) {
    made_.header().target.assign(each.target);
    const auto file = published(made_);
    const json point = metric_of(otlp(request()), "tidepool.size")["sum"]["dataPoints"][0];
    EXPECT_EQ(attribute_of(point["attributes"], "server.address"), each.address) << each.target;
    EXPECT_EQ(attribute_of(point["attributes"], "server.port"), each.port) << each.target;
    EXPECT_EQ(attribute_of(point["attributes"], "db.namespace"), each.database) << each.target;
    EXPECT_EQ(attribute_of(point["attributes"], "db.system.name"), "postgresql");
  }
}

TEST_F(ExportTest, MaskedExportsHaveNoTargetUserTagOrMessage) {
  made_.header().target.assign("sqlite:///secret-target");
  made_.header().db_user.assign("secret-user");
  made_.totals().last_error.assign("secret-error");
  made_.slot(1).tag.assign("secret-tag");
  const auto file = published(made_);
  RenderRequest masked = request();
  masked.since_wall_ns = 1;
  for (const char* format : {"json", "csv", "prometheus", "openmetrics", "otlp_json"}) {
    masked.is_masked = false;
    const std::string open = exported(format, masked);
    masked.is_masked = true;
    EXPECT_EQ(exported(format, masked).find("secret"), open.npos) << format;
    if (std::string_view(format) != "csv") EXPECT_NE(open.find("secret-target"), open.npos) << format;
  }
}

// The counters start with the pool, or with the last reset.
TEST_F(ExportTest, StartTimeFollowsReset) {
  made_.totals().stats_reset_wall = 0;
  const auto start = [&] {
    const auto file = published(made_);
    return metric_of(otlp(request()), "tidepool.queries")["sum"]["dataPoints"][0]["startTimeUnixNano"];
  };
  EXPECT_EQ(start(), std::to_string(made_.header().started_wall_ns / 1000 * 1000));
  made_.totals().stats_reset_wall = static_cast<uint64_t>(test::kMadeWallNs - 5'000'000'000);
  EXPECT_EQ(start(), std::to_string(test::kMadeWallNs - 5'000'000'000));
}

TEST_F(ExportTest, Temporality) {
  const auto file = published(made_);
  const json all = otlp(request());
  EXPECT_EQ(metric_of(all, "tidepool.queries")["sum"]["aggregationTemporality"], 2);
  EXPECT_EQ(metric_of(all, "tidepool.queries")["sum"]["isMonotonic"], true);
  EXPECT_EQ(metric_of(all, "db.client.connection.count")["sum"]["isMonotonic"], false);
  EXPECT_EQ(metric_of(all, "tidepool.utilization")["gauge"]["dataPoints"].size(), 1U);
  const json& resource = all["resourceMetrics"][0]["resource"]["attributes"];
  EXPECT_EQ(attribute_of(resource, "service.name"), "shop");
  EXPECT_EQ(attribute_of(resource, "service.instance.id"), made_.instance_hex());
  EXPECT_EQ(attribute_of(resource, "process.pid"), "4242");
}

// The made pool has intervals that end 3, 2 and 1 s before its heartbeat, at every resolution.
TEST_F(ExportTest, HistorySince) {
  const auto file = published(made_);
  RenderRequest since = request();
  since.since_wall_ns = test::kMadeWallNs - 2'500'000'000;
  const json points = metric_of(otlp(since), "tidepool.size")["sum"]["dataPoints"];
  ASSERT_EQ(points.size(), 3U);  // two of the history, each once, and now
  EXPECT_EQ(points[0]["timeUnixNano"], std::to_string(test::kMadeWallNs - 2'000'000'000));
  EXPECT_EQ(points[0]["asInt"], "4");
  EXPECT_EQ(points[2]["asInt"], "5");
  EXPECT_EQ(metric_of(otlp(since), "tidepool.queries")["sum"]["dataPoints"].size(), 1U);
  const std::string csv = exported("csv", since);
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 1 + 2 * 3);
  EXPECT_EQ(json::parse(exported("json", since))["relations"]["pool_history"].size(), 6U);
  EXPECT_FALSE(json::parse(exported("json", request()))["relations"].contains("pool_history"));
}

// Intervals of an earlier instance are older than the start of this one.
TEST_F(ExportTest, HistoryOfAnEarlierInstanceHasNoStart) {
  made_.header().started_wall_ns = test::kMadeWallNs - 1'500'000'000;
  made_.totals().stats_reset_wall = 0;
  const auto file = published(made_);
  RenderRequest since = request();
  since.since_wall_ns = 1;
  const json points = metric_of(otlp(since), "tidepool.size")["sum"]["dataPoints"];
  ASSERT_EQ(points.size(), 4U);
  EXPECT_FALSE(points[0].contains("startTimeUnixNano"));
  EXPECT_TRUE(points[2].contains("startTimeUnixNano"));
}

// A process that has exited has no connections; what it counted remains.
TEST_F(ExportTest, DeadPool) {
  const auto file = published(made_, false);
  const std::string text = exported("prometheus", request());
  EXPECT_TRUE(lines_with(text, {"db_client_connections{"}).empty());
  EXPECT_TRUE(lines_with(text, {"tidepool_size{"}).empty());
  EXPECT_EQ(value_of(text, {"tidepool_state{", "tidepool_state=\"dead\""}), 1);
  EXPECT_EQ(lines_with(text, {"tidepool_queries_total{"}).size(), 1U);
}

TEST_F(ExportTest, InstancesOfOneNameDiffer) {
  SegmentMaker other("app", 2);
  const auto one = published(made_), two = published(other);
  const std::string text = exported("prometheus", request());
  EXPECT_EQ(lines_with(text, {"tidepool_size{", made_.instance_hex()}).size(), 1U);
  EXPECT_EQ(lines_with(text, {"tidepool_size{", other.instance_hex()}).size(), 1U);
  EXPECT_EQ(lines_with(text, {"# TYPE tidepool_size "}).size(), 1U);
}

TEST_F(ExportTest, NoPools) {
  for (const char* format : {"prometheus", "openmetrics", "csv"})
    EXPECT_TRUE(lines_with(exported(format, request()), {"{"}).empty());
  EXPECT_EQ(exported("openmetrics", request()), "# EOF\n");
  EXPECT_EQ(otlp(request())["resourceMetrics"].size(), 0U);
  EXPECT_EQ(json::parse(exported("json", request()))["relations"]["pools"].size(), 0U);
}

TEST_F(ExportTest, FormerAndLegacyNamesOnlyIfAskedFor) {
  const auto file = published(made_);
  const std::string text = exported("prometheus", request());
  EXPECT_EQ(text.find("db_client_connection_max"), text.npos);
  EXPECT_EQ(text.find("database_"), text.npos);
  RenderRequest more = request();
  more.has_connection_max = more.has_legacy_names = true;
  const std::string all = exported("prometheus", more);
  EXPECT_EQ(value_of(all, {"db_client_connection_max{"}), 6);
  EXPECT_EQ(value_of(all, {"PoolTotalCount{"}), 5);
  EXPECT_EQ(value_of(all, {"PoolIdleCount{"}), 1);
  EXPECT_EQ(value_of(all, {"PoolWaitingCount{"}), 2);
  EXPECT_NEAR(value_of(all, {"PoolUtilization{"}), 100.0 * 5 / 6, 1e-9);
  EXPECT_NEAR(value_of(all, {"database_pool_utilization_percent{"}), 100.0 * 2 / 6, 1e-9);
  EXPECT_EQ(value_of(all, {"database_connections_total{"}), value_of(all, {"tidepool_connects_total{"}));
}

// Integers of 64 bits are exact, times are in ISO 8601, null is null.
TEST_F(ExportTest, JsonOfRelations) {
  const auto file = published(made_);
  const json all = json::parse(exported("json", request()));
  EXPECT_EQ(all["at"], "2026-02-01T00:00:00.123000Z");
  const json& pool = all["relations"]["pools"][0];
  EXPECT_EQ(pool["pool"], "app");
  EXPECT_EQ(pool["started_at"], "2026-01-31T22:59:59.123000Z");
  EXPECT_TRUE(pool["health"].is_null());
  EXPECT_TRUE(all["relations"]["leases"][0]["overdue"].is_boolean());
  EXPECT_EQ(all["relations"]["events"][1]["detail"], json({{"n", 4}}));
  std::vector<Row> rows;
  ASSERT_TRUE(read_relation(*find_relation("commands"), request().which, request().wall_now_ns, rows));
  EXPECT_EQ(all["relations"]["commands"][0]["command_id"].get<int64_t>(), std::get<int64_t>(rows[0][2]));
}

TEST_F(ExportTest, CsvQuotesFields) {
  made_.header().pool.assign("a\"b,c\nd");
  const auto file = published(made_);
  const std::string csv = exported("csv", request());
  EXPECT_NE(csv.find(",\"a\"\"b,c\nd\",tidepool.size,"), csv.npos) << csv.substr(0, 400);
  EXPECT_TRUE(csv.starts_with("at,instance_id,pool,metric,attribute,unit,value\r\n"));
}

TEST_F(ExportTest, UnknownPoolNamesPlaceAndPools) {
  const auto file = published(made_);
  RenderRequest wrong = request();
  wrong.which.pool = "ap";
  std::string out;
  const Status status = render("prometheus", wrong, out);
  EXPECT_EQ(status.code, Code::not_found);
  EXPECT_EQ(status.message(), "no pool is called \"ap\"");
  EXPECT_NE(status.detail().find(folder_.path() + ": app."), std::string::npos) << status.detail();
  EXPECT_EQ(status.hint(), "Did you mean \"app\"?");
  wrong.which = {folder_.path(), "", "0123"};
  EXPECT_EQ(render("json", wrong, out).message(), "no pool has the instance_id \"0123\"");
}

TEST_F(ExportTest, UnknownFormatNamesTheNearest) {
  std::string out;
  const Status status = render("promethius", request(), out);
  EXPECT_EQ(status.code, Code::bad_argument);
  EXPECT_EQ(status.hint(), "Did you mean \"prometheus\"?");
  EXPECT_NE(status.detail().find("otlp_json"), std::string::npos);
}

}  // namespace
}  // namespace tide
