#include "render/figures.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace tide {
namespace {

constexpr Figure kFigures[] = {
    {"average_wait_ms", "ms", "Mean time to get a connection, also of requests that did not wait.", "wait_ms_total",
     "acquires_total", ""},
    {"waited_ratio", "ratio", "Share of the leases whose callers had to wait.", "acquires_waited_total",
     "acquires_total", ""},
    {"timeout_ratio", "ratio", "Share of the requests for a connection that timed out.", "acquire_timeouts_total",
     "acquires_total", "acquire_timeouts_total"},
    {"average_use_ms", "ms", "Mean time a lease was held.", "use_ms_total", "releases_total", ""},
    {"average_query_ms", "ms", "Mean duration of a query.", "query_ms_total", "queries_total", ""},
    {"query_error_ratio", "ratio", "Share of the queries that failed.", "query_errors_total", "queries_total", ""},
    {"average_connect_ms", "ms", "Mean time to open a connection.", "connect_ms_total", "connects_total", ""},
    {"connect_failure_ratio", "ratio", "Share of the connection attempts that failed.", "connect_failures_total",
     "connects_total", "connect_failures_total"},
    {"query_cache_hit_ratio", "ratio", "Share of the look-ups in the query cache that found a result.",
     "query_cache_hits_total", "query_cache_hits_total", "query_cache_misses_total"},
    {"statement_cache_hit_ratio", "ratio", "Share of the statements that were prepared already.",
     "statement_cache_hits_total", "statement_cache_hits_total", "statement_cache_misses_total"},
};

// Pools of this library have no other characters in their names; a forged segment may.
bool is_usual_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return is_letter(c) || is_digit(c) || c == '_' || c == '.' || c == '-';
  });
}

}  // namespace

std::span<const Figure> figures_catalogue() { return kFigures; }

Value figure_of(const Figure& figure, const ReportedPool& pool) {
  const auto counted = [&](std::string_view column) -> const Value& { return pool.first("pool_stats", column); };
  const Value& more = counted(figure.divisor_too);
  if (is_null(counted(figure.dividend)) || (!figure.divisor_too.empty() && is_null(more))) return std::monostate{};
  const double divisor = number_of(counted(figure.divisor)) + number_of(more);
  if (divisor <= 0) return std::monostate{};
  return number_of(counted(figure.dividend)) / divisor;
}

Value figure_of(std::string_view name, const ReportedPool& pool) {
  for (const Figure& each : kFigures) {
    if (each.name == name) return figure_of(each, pool);
  }
  return std::monostate{};
}

std::string command_of(const ReportedPool& pool, size_t insight, bool is_sqlite) {
  const RowSet& insights = pool.rows("insights");
  const std::string option = text_of(insights.at(insight, "option_name"));
  const Value& value = insights.at(insight, "option_value");
  if (option.empty() || is_null(value)) return "";
  const std::string& which = pool.is_name_unique && is_usual_name(pool.pool) ? pool.pool : pool.instance_id;
  return std::string("SELECT ") + (is_sqlite ? "tidepool_set(" : "tidepool.set(") + sql_quoted(which, '\'') + ", " +
         sql_quoted(option, '\'') + ", " + sql_quoted(text_of(value), '\'') + ");";
}

}  // namespace tide
