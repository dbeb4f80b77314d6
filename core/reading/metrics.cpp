// The catalogue of metrics, and the relation "metrics", which shows it.
#include "reading/metrics.hpp"

#include <algorithm>
#include <vector>

#include "base/text.hpp"
#include "reading/cell.hpp"
#include "reading/source.hpp"

namespace tide {
namespace {

using enum ColumnType;
using enum Privacy;
using enum Instrument;

constexpr std::string_view kStateAttribute = "db.client.connection.state";

struct NamedMetric {
  std::string_view name;
  Instrument instrument;
  std::string_view unit;
  std::string_view meaning;
  std::string_view relation;
  std::string_view column;
  std::string_view attribute = {};
  std::string_view value = {};
  std::string_view history = {};
  bool is_former_name = false;
};

// clang-format off
constexpr NamedMetric kNamed[] = {
    // The states add up to pools.size.
    {"db.client.connection.count", up_down_counter, "{connection}", "Connections, by state.", "pools", "idle", kStateAttribute, "idle"},
    {"db.client.connection.count", up_down_counter, "{connection}", "Connections, by state.", "pools", "in_use", kStateAttribute, "used", "in_use_avg"},
    {"db.client.connection.count", up_down_counter, "{connection}", "Connections, by state.", "pools", "connecting", kStateAttribute, "connecting"},
    {"db.client.connection.count", up_down_counter, "{connection}", "Connections, by state.", "pools", "validating", kStateAttribute, "validating"},
    {"db.client.connection.idle.max", up_down_counter, "{connection}", "Maximum number of connections, except during a burst; all of them may be idle.", "pools", "max_size"},
    {"db.client.connection.idle.min", up_down_counter, "{connection}", "Minimum number of connections.", "pools", "min_size"},
    {"db.client.connection.limit", up_down_counter, "{connection}", "Effective limit: the pool never has more connections.", "pools", "limit_size", {}, {}, "limit_size"},
    {"db.client.connection.max", up_down_counter, "{connection}", "Former name of db.client.connection.limit; only if asked for.", "pools", "limit_size", {}, {}, "limit_size", true},
    {"db.client.connection.pending_requests", up_down_counter, "{request}", "Callers waiting for a connection.", "pools", "waiting", {}, {}, "waiting_max"},
    {"db.client.connection.create_time", histogram, "s", "Time to open a connection.", "pool_histograms", "connect"},
    {"db.client.connection.wait_time", histogram, "s", "Time callers waited until they got a connection; 0 if one was idle.", "pool_histograms", "wait"},
    {"db.client.connection.use_time", histogram, "s", "Time from the lease of a connection until its return.", "pool_histograms", "use"},
    {"db.client.operation.duration", histogram, "s", "Duration of queries.", "pool_histograms", "query"},

    {"tidepool.errors", counter, "{error}", "Failures, by kind.", "pool_stats", "acquire_timeouts_total", "error.type", "acquire_timeout"},
    {"tidepool.errors", counter, "{error}", "Failures, by kind.", "pool_stats", "acquire_rejected_total", "error.type", "acquire_rejected"},
    {"tidepool.errors", counter, "{error}", "Failures, by kind.", "pool_stats", "connect_failures_total", "error.type", "connect"},
    {"tidepool.errors", counter, "{error}", "Failures, by kind.", "pool_stats", "validation_failures_total", "error.type", "validation"},
    {"tidepool.errors", counter, "{error}", "Failures, by kind.", "pool_stats", "query_errors_total", "error.type", "query"},
    {"tidepool.state", state, "", "State of the pool: 1 for the current one, 0 for the others.", "pools", "state"},
    {"tidepool.breaker", state, "", "State of the circuit breaker: 1 for the current one, 0 for the others.", "pools", "breaker"},
    {"tidepool.build_info", info, "", "Version of tidepool in the owner of the pool; always 1.", "pools", "version", "version"},
    {"tidepool.size", up_down_counter, "{connection}", "Open connections, in any state.", "pools", "size", {}, {}, "size"},
    {"tidepool.health", gauge, "", "Health from 0 (worst) to 100 (best).", "pools", "health", {}, {}, "health"},
    {"tidepool.target.lag", gauge, "s", "How far the replica is behind the primary.", "targets", "lag_ms"},
    {"tidepool.target.reads", counter, "{lease}", "Reads that were sent to this server of a group.", "targets", "reads_total"},
    {"tidepool.target.errors", counter, "{error}", "Failures for which the replica was left out.", "targets", "errors_total"},
};
// clang-format on

struct Conversion {
  std::string unit;
  double divisor = 1;
};

// "connections" -> "{connection}", "queries" -> "{query}"
Conversion converted(std::string_view unit) {
  if (unit == "ms") return {"s", 1000};
  if (unit == "bytes") return {"By"};
  if (unit == "ratio") return {"1"};
  if (unit.empty()) return {};
  std::string one(unit);
  if (one.ends_with("ies")) {
    one.replace(one.size() - 3, 3, "y");
  } else if (one.ends_with('s')) {
    one.pop_back();
  }
  return {"{" + one + "}"};
}

bool strip(std::string& text, std::string_view ending) {
  if (!text.ends_with(ending)) return false;
  text.resize(text.size() - ending.size());
  return true;
}

// Prometheus keeps _count for histograms, and units are whole words at the end.
std::string prometheus_name_of(const ExportMetric& metric) {
  std::string name = metric.name;
  std::replace(name.begin(), name.end(), '.', '_');
  if (metric.instrument != histogram && strip(name, "_count")) name += 's';
  const auto end_with = [&name](std::string_view ending) {
    if (!name.ends_with(ending)) name += ending;
  };
  if (metric.unit == "s") end_with("_seconds");
  if (metric.unit == "By") end_with("_bytes");
  if (metric.unit == "1" && metric.instrument == gauge) end_with("_ratio");
  if (metric.instrument == counter) end_with("_total");
  return name;
}

const Column& source_column(std::string_view relation, std::string_view column) {
  const auto columns = find_source(relation)->relation.columns;
  const auto found =
      std::find_if(columns.begin(), columns.end(), [&](const Column& one) { return one.name == column; });
  TIDE_ASSERT(found != columns.end());
  return *found;
}

ExportMetric made_of(const NamedMetric& row) {
  ExportMetric metric;
  metric.name = row.name;
  metric.instrument = row.instrument;
  metric.unit = row.unit;
  metric.meaning = row.meaning;
  metric.relation = row.relation;
  metric.column = row.column;
  metric.attribute = row.instrument == state ? row.name : row.attribute;
  metric.value = row.value;
  metric.history = row.history;
  metric.is_former_name = row.is_former_name;
  if (row.instrument != histogram) metric.divisor = converted(source_column(row.relation, row.column).unit).divisor;
  return metric;
}

ExportMetric derived_from(std::string_view relation, const Column& column) {
  ExportMetric metric;
  const bool is_counter = column.name.ends_with("_total");
  metric.instrument = is_counter ? counter : column.unit == "connections" ? up_down_counter : gauge;
  metric.meaning = column.meaning;
  metric.relation = relation;
  metric.column = column.name;
  const Conversion conversion = converted(column.unit);
  metric.unit = conversion.unit;
  metric.divisor = conversion.divisor;
  metric.name = opentelemetry_name_of(column.name);
  if (!metric.name.empty()) {
    metric.unit = converted(metric.name.substr(metric.name.rfind('.') + 1)).unit;
    return metric;
  }
  metric.name = "tidepool." + std::string(column.name);
  strip(metric.name, "_total");
  for (const std::string_view unit : {"_ms", "_bytes"}) strip(metric.name, unit);
  return metric;
}

bool is_number(const Column& column) { return column.type == integer || column.type == int4 || column.type == real; }

bool is_named(std::string_view relation, std::string_view column) {
  return std::any_of(std::begin(kNamed), std::end(kNamed),
                     [&](const NamedMetric& row) { return row.relation == relation && row.column == column; });
}

std::vector<ExportMetric> made_catalogue() {
  std::vector<ExportMetric> all;
  for (const NamedMetric& row : kNamed) all.push_back(made_of(row));
  for (const std::string_view relation : {"pools", "pool_stats"}) {
    for (const Column& column : find_source(relation)->relation.columns) {
      if (!is_number(column) || column.name == "pid") continue;  // the process is an attribute
      if (is_named(relation, column.name) && opentelemetry_name_of(column.name).empty()) continue;
      all.push_back(derived_from(relation, column));
    }
  }
  for (ExportMetric& metric : all) metric.prometheus_name = prometheus_name_of(metric);
  return all;
}

constexpr Column kMetricColumns[] = {
    {"name", text, "", "Name in OTLP and CSV.", open},
    {"prometheus_name", text, "", "Name in the formats of Prometheus and OpenMetrics.", open},
    {"instrument", text, "", "counter, up_down_counter, gauge, histogram, state or info.", open},
    {"unit", text, "", "Unit in UCUM, such as s, By or {connection}; null if there is none.", open},
    {"attribute", text, "",
     "What tells it from the other values of the name, as attribute=value; null if there is only one.", open},
    {"source", text, "", "The relation and column whose value it is; of histograms, the word in the column metric.",
     open},
    {"history", text, "", "The column of pool_history with its values at earlier times; null if there is none.", open},
    {"meaning", text, "", "Description.", open},
};

std::string attribute_of(const ExportMetric& metric) {
  if (metric.attribute.empty()) return {};
  const std::string_view value = metric.value.empty() ? std::string_view("...") : metric.value;
  return std::string(metric.attribute) + "=" + std::string(value);
}

void add_metrics(std::vector<Row>& out) {
  for (const ExportMetric& metric : metrics_catalogue()) {
    out.push_back({cell::text(metric.name), cell::text(metric.prometheus_name), cell::text(word(metric.instrument)),
                   cell::text_or_null(metric.unit), cell::text_or_null(attribute_of(metric)),
                   cell::text(std::string(metric.relation) + "." + std::string(metric.column)),
                   cell::text_or_null(metric.history), cell::text(metric.meaning)});
  }
}

}  // namespace

std::span<const ExportMetric> metrics_catalogue() {
  static const std::vector<ExportMetric> all = made_catalogue();
  return all;
}

std::span<const std::string_view> state_words(const ExportMetric& metric) {
  static const std::vector<std::string_view> pool_states = [] {
    std::vector<std::string_view> all(kWords<PoolState>.begin(), kWords<PoolState>.end());
    all.insert(all.end(), {"stale", "dead", "unknown"});
    return all;
  }();
  static const std::vector<std::string_view> breaker_states = [] {
    std::vector<std::string_view> all(kWords<BreakerState>.begin(), kWords<BreakerState>.end());
    all.push_back("unknown");
    return all;
  }();
  if (metric.instrument != state) return {};
  return metric.column == "state" ? pool_states : breaker_states;
}

const Source& metrics_source() {
  static constexpr Source kSource{
      {"metrics", "What exports report of each pool to monitoring systems.", kMetricColumns}, nullptr, add_metrics};
  return kSource;
}

}  // namespace tide
