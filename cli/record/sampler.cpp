#include "record/sampler.hpp"

#include <tidepool/tidepool.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <unordered_map>
#include <utility>

#include "clock.hpp"
#include "read/reading.hpp"

namespace tide::cli::record {
namespace {

constexpr size_t kHistoryRowsMax = 400'000;  // of all pools in a frame, whose values are limited by kFrameValuesMax

struct Column {
  int number;
  int32_t type;
};

using CursorHandle = std::unique_ptr<tide_cursor, decltype(&tide_cursor_close)>;

CursorHandle open_cursor(const char* relation, const Scope& scope, const std::string& pool) {
  tide_filter filter = TIDE_FILTER_INIT;
  filter.directory = scope.directory.empty() ? nullptr : scope.directory.c_str();
  filter.pool = pool.empty() ? nullptr : pool.c_str();
  filter.instance_id = scope.instance_id.empty() ? nullptr : scope.instance_id.c_str();
  tide_error error = TIDE_ERROR_INIT;
  tide_cursor* cursor = nullptr;
  if (tide_cursor_open(relation, &filter, &cursor, &error) != TIDE_OK) fail_with(error);
  return {cursor, tide_cursor_close};
}

Value value_at(const tide_cursor* cursor, const Column& column) {
  if (tide_cursor_is_null(cursor, column.number) != 0) return {};
  switch (column.type) {
    case TIDE_INT:
    case TIDE_BOOL:
    case TIDE_TIME: return tide_cursor_int(cursor, column.number);
    case TIDE_DOUBLE: return tide_cursor_double(cursor, column.number);
    default: break;
  }
  size_t length = 0;
  const char* text = tide_cursor_text(cursor, column.number, &length);
  return text == nullptr ? Value{} : Value(std::string(text, length));
}

std::vector<Column> columns_of(const tide_relation& relation, std::span<const std::string_view> wanted, Table& table) {
  std::vector<Column> columns;
  for (int i = 0; i < relation.ncolumns; ++i) {
    const tide_column& column = relation.columns[i];
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), column.name) == wanted.end()) continue;
    columns.push_back({i, column.type});
    table.columns.emplace_back(column.name);
  }
  return columns;
}

}  // namespace

Table read_table(const char* relation, const Scope& scope, std::span<const std::string_view> wanted) {
  Table table;
  table.relation = relation;
  const tide_relation* description = relation_at(relation);
  if (description == nullptr) return table;
  const std::vector<Column> columns = columns_of(*description, wanted, table);
  const std::vector<std::string> everything = {""};
  for (const std::string& pool : scope.pools.empty() ? everything : scope.pools) {
    const CursorHandle cursor = open_cursor(relation, scope, pool);
    while (table.rows.size() < kRowsMax && tide_cursor_next(cursor.get()) == 1) {
      std::vector<Value>& row = table.rows.emplace_back();
      for (const Column& column : columns) row.push_back(value_at(cursor.get(), column));
    }
  }
  return table;
}

Table read_history(const Scope& scope, int64_t seconds) {
  static constexpr std::string_view kDrawn[] = {"instance_id", "pool",        "at",         "resolution_ms", "size",
                                                "in_use_max",  "waiting_max", "limit_size", "acquires",      "timeouts",
                                                "errors",      "wait_p99_ms", "health"};
  Table table = read_table("pool_history", scope, kDrawn);
  const size_t at = table.column("at");
  const size_t instance = table.column("instance_id");
  // Up to the last second of each instance, which for a dead owner is that of its death.
  std::unordered_map<std::string, int64_t> last;
  for (size_t i = 0; i < table.rows.size(); ++i) {
    int64_t& newest = last[RowView(table, i).text("instance_id")];
    newest = std::max(newest, RowView(table, i).whole("at").value_or(0));
  }
  std::vector<std::vector<Value>> kept;
  for (size_t i = 0; i < table.rows.size(); ++i) {
    const RowView row(table, i);
    const auto moment = row.whole("at");
    if (row.number("resolution_ms") != 1000.0 || !moment || instance >= table.columns.size()) continue;
    if (*moment <= last[row.text("instance_id")] - seconds * 1'000'000) continue;
    kept.push_back(std::move(table.rows[i]));
  }
  std::stable_sort(kept.begin(), kept.end(), [at](const auto& a, const auto& b) { return a[at] < b[at]; });
  table.rows = std::move(kept);
  return table;
}

Frame empty_frame() {
  Frame frame;
  frame.wall_us = wall_us_now();
  frame.mono_ns = monotonic_ns_now();
  char host[256] = "";
  if (gethostname(host, sizeof host - 1) == 0) frame.host = host;
  return frame;
}

Frame complete_frame(const Scope& scope, int64_t seconds) {
  Frame frame = empty_frame();
  for (const char* relation : kLiveRelations) frame.tables.push_back(read_table(relation, scope));
  for (const char* relation : {"connections", "insights", "events", "scaling_events", "commands", "settings",
                               "health_checks", "slow_queries", "failed_queries", "queries"}) {
    frame.tables.push_back(read_table(relation, scope));
  }
  // Pool by pool, because the history of many pools at once is large.
  Table history{"pool_history", {}, {}};
  const Table& pools = frame.tables.front();
  for (size_t i = 0; i < pools.rows.size() && history.rows.size() < kHistoryRowsMax; ++i) {
    Scope one = scope;
    one.pools.clear();
    one.instance_id = RowView(pools, i).text("instance_id");
    Table part = read_history(one, seconds);
    history.columns = std::move(part.columns);
    std::move(part.rows.begin(), part.rows.end(), std::back_inserter(history.rows));
  }
  if (!history.columns.empty()) frame.tables.push_back(std::move(history));
  return frame;
}

}  // namespace tide::cli::record
