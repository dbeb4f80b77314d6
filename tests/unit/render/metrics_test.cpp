// The catalogue of metrics: names, units and sources.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "reading/metrics.hpp"
#include "reading/source.hpp"

namespace tide {
namespace {

bool has_column(std::string_view relation, std::string_view name) {
  const Relation* found = find_relation(relation);
  if (found == nullptr) return false;
  return std::any_of(found->columns.begin(), found->columns.end(), [&](const Column& one) { return one.name == name; });
}

const ExportMetric* metric_of(std::string_view column) {
  for (const ExportMetric& metric : metrics_catalogue()) {
    if (metric.column == column) return &metric;
  }
  return nullptr;
}

TEST(Metrics, SourcesExist) {
  for (const ExportMetric& metric : metrics_catalogue()) {
    if (metric.instrument == Instrument::histogram) {
      EXPECT_TRUE(has_column(metric.relation, "metric")) << metric.name;
    } else {
      EXPECT_TRUE(has_column(metric.relation, metric.column)) << metric.name;
    }
    EXPECT_TRUE(metric.history.empty() || has_column("pool_history", metric.history)) << metric.name;
    EXPECT_TRUE(metric.meaning.ends_with('.')) << metric.name;
  }
}

TEST(Metrics, EveryNumberOfPoolsAndPoolStatsIsAMetric) {
  std::set<std::string_view> reported;
  for (const ExportMetric& metric : metrics_catalogue()) reported.insert(metric.column);
  for (const std::string_view relation : {"pools", "pool_stats"}) {
    for (const Column& column : find_relation(relation)->columns) {
      const bool is_number =
          column.type == ColumnType::integer || column.type == ColumnType::int4 || column.type == ColumnType::real;
      if (is_number && column.name != "pid") EXPECT_TRUE(reported.contains(column.name)) << column.name;
    }
  }
}

TEST(Metrics, NamesOfOpenTelemetry) {
  std::set<std::string> names;
  for (const ExportMetric& metric : metrics_catalogue()) {
    if (!metric.name.starts_with("tidepool.")) names.insert(metric.name + " " + metric.unit);
  }
  const std::set<std::string> expected{"db.client.connection.count {connection}",
                                       "db.client.connection.idle.max {connection}",
                                       "db.client.connection.idle.min {connection}",
                                       "db.client.connection.limit {connection}",
                                       "db.client.connection.max {connection}",
                                       "db.client.connection.pending_requests {request}",
                                       "db.client.connection.timeouts {timeout}",
                                       "db.client.connection.create_time s",
                                       "db.client.connection.wait_time s",
                                       "db.client.connection.use_time s",
                                       "db.client.operation.duration s"};
  EXPECT_EQ(names, expected);
}

TEST(Metrics, UnitsAreBaseUnitsAndPartOfPrometheusNames) {
  const auto expect = [](std::string_view column, std::string_view name, std::string_view prometheus_name,
                         std::string_view unit, Instrument instrument) {
    const ExportMetric* metric = metric_of(column);
    ASSERT_NE(metric, nullptr) << column;
    EXPECT_EQ(metric->name, name);
    EXPECT_EQ(metric->prometheus_name, prometheus_name);
    EXPECT_EQ(metric->unit, unit);
    EXPECT_EQ(metric->instrument, instrument);
  };
  expect("wait_ms_total", "tidepool.wait", "tidepool_wait_seconds_total", "s", Instrument::counter);
  expect("wait_p99_ms", "tidepool.wait_p99", "tidepool_wait_p99_seconds", "s", Instrument::gauge);
  expect("memory_bytes", "tidepool.memory", "tidepool_memory_bytes", "By", Instrument::gauge);
  expect("result_bytes_total", "tidepool.result", "tidepool_result_bytes_total", "By", Instrument::counter);
  expect("utilization", "tidepool.utilization", "tidepool_utilization_ratio", "1", Instrument::gauge);
  expect("queries_total", "tidepool.queries", "tidepool_queries_total", "{query}", Instrument::counter);
  expect("idle", "db.client.connection.count", "db_client_connections", "{connection}", Instrument::up_down_counter);
  EXPECT_EQ(metric_of("wait_ms_total")->divisor, 1000);
}

// Prometheus refuses a family whose samples are not together, and a series that comes twice.
TEST(Metrics, RowsOfOneNameAreTogetherAndDiffer) {
  std::set<std::string> series, families;
  std::map<std::string, std::string> names;
  std::string_view last;
  for (const ExportMetric& metric : metrics_catalogue()) {
    EXPECT_TRUE(series.insert(metric.name + "|" + std::string(metric.value)).second) << metric.name;
    if (metric.name != last) EXPECT_TRUE(families.insert(metric.name).second) << metric.name;
    last = metric.name;
    const auto [found, is_new] = names.emplace(metric.prometheus_name, metric.name);
    EXPECT_EQ(found->second, metric.name) << metric.prometheus_name;
  }
}

TEST(Metrics, RelationShowsTheCatalogue) {
  std::vector<Row> rows;
  metrics_source().add_fixed_rows(rows);
  ASSERT_EQ(rows.size(), metrics_catalogue().size());
  EXPECT_EQ(rows[0][0], Value("db.client.connection.count"));
  EXPECT_EQ(rows[0][4], Value("db.client.connection.state=idle"));
  EXPECT_EQ(rows[0][5], Value("pools.idle"));
}

}  // namespace
}  // namespace tide
