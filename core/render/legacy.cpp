#include "render/legacy.hpp"

#include <algorithm>

namespace tide {
namespace {

// The value of the row of this name and, if it has one, this value of its attribute.
Value value_of(const PoolSamples& pool, std::string_view name, std::string_view attribute = {}) {
  const auto all = metrics_catalogue();
  const auto found = std::find_if(all.begin(), all.end(), [&](const ExportMetric& metric) {
    return metric.name == name && metric.value == attribute;
  });
  TIDE_ASSERT(found != all.end());
  return pool.values[static_cast<size_t>(found - all.begin())];
}

Value sum(const Value& a, const Value& b) {
  const auto *one = std::get_if<int64_t>(&a), *other = std::get_if<int64_t>(&b);
  int64_t both = 0;
  if (one == nullptr || other == nullptr || __builtin_add_overflow(*one, *other, &both)) return {};
  return both;
}

Value percent(const Value& part, const Value& whole) {
  const auto *one = std::get_if<int64_t>(&part), *all = std::get_if<int64_t>(&whole);
  if (one == nullptr || all == nullptr || *all <= 0) return {};
  return 100.0 * static_cast<double>(*one) / static_cast<double>(*all);
}

// The mean of all queries.
Value response_ms(const PoolSamples& pool) {
  const Value time_s = value_of(pool, "tidepool.query"), queries = value_of(pool, "tidepool.queries");
  const auto* seconds = std::get_if<double>(&time_s);
  const auto* count = std::get_if<int64_t>(&queries);
  if (seconds == nullptr || count == nullptr || *count <= 0) return {};
  return *seconds * 1000 / static_cast<double>(*count);
}

constexpr LegacyMetric kLegacy[] = {
    {"database_connections_total", true, "Connections opened.",
     [](const PoolSamples& pool) { return value_of(pool, "tidepool.connects"); }},
    {"database_pool_utilization_percent", false, "Leased connections in percent of the limit.",
     [](const PoolSamples& pool) {
       return percent(value_of(pool, "db.client.connection.count", "used"),
                      value_of(pool, "db.client.connection.limit"));
     }},
    {"database_errors_total", true, "Failed queries and failed attempts to open a connection.",
     [](const PoolSamples& pool) {
       return sum(value_of(pool, "tidepool.errors", "query"), value_of(pool, "tidepool.errors", "connect"));
     }},
    {"database_response_time_milliseconds", false, "Mean duration of the queries.", response_ms},
    {"PoolTotalCount", false, "Open connections.",
     [](const PoolSamples& pool) { return value_of(pool, "tidepool.size"); }},
    {"PoolIdleCount", false, "Idle connections.",
     [](const PoolSamples& pool) { return value_of(pool, "db.client.connection.count", "idle"); }},
    {"PoolWaitingCount", false, "Callers waiting for a connection.",
     [](const PoolSamples& pool) { return value_of(pool, "db.client.connection.pending_requests"); }},
    {"PoolUtilization", false, "Open connections in percent of the maximum.",
     [](const PoolSamples& pool) {
       return percent(value_of(pool, "tidepool.size"), value_of(pool, "db.client.connection.idle.max"));
     }},
};

}  // namespace

std::span<const LegacyMetric> legacy_metrics() { return kLegacy; }

}  // namespace tide
