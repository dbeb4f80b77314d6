// JSON: {"at": ..., "relations": {"pools": [{"instance_id": ...}]}}, with every relation that has rows of pools. Names are
// those of the columns. Null is null; times are ISO 8601 in UTC; integers may have 64 bits, and are written exactly.
#include <algorithm>
#include <map>

#include "reading/rows.hpp"
#include "reading/source.hpp"
#include "render/formats.hpp"
#include "render/samples.hpp"
#include "render/writing.hpp"

namespace tide {
namespace {

constexpr std::string_view kHistory = "pool_history";

void write_value(JsonWriter& json, const Value& value, ColumnType type) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    type == ColumnType::json ? json.json(*text) : json.text(*text);
  } else if (const auto* real = std::get_if<double>(&value)) {
    json.number(*real);
  } else if (const auto* integer = std::get_if<int64_t>(&value)) {
    if (type == ColumnType::boolean) {
      json.truth(*integer != 0);
    } else if (type == ColumnType::time) {
      const std::string time = iso_time(*integer);
      time.empty() ? json.null() : json.text(time);
    } else {
      json.number(*integer);
    }
  } else {
    json.null();
  }
}

bool is_before(const Row& row, std::span<const Column> columns, int64_t since_us) {
  const auto at = std::find_if(columns.begin(), columns.end(), [](const Column& one) { return one.name == "at"; });
  const auto* at_us = std::get_if<int64_t>(&row[static_cast<size_t>(at - columns.begin())]);
  return at_us == nullptr || *at_us < since_us;
}

Status write_relation(JsonWriter& json, const Relation& relation, const RenderRequest& request) {
  std::vector<Row> rows;
  if (Status read = read_relation(relation, request.which, request.wall_now_ns, rows); !read) return read;
  json.key(relation.name).begin_array();
  for (const Row& row : rows) {
    if (relation.name == kHistory && is_before(row, relation.columns, request.since_wall_ns / 1000)) continue;
    json.begin_object();
    for (size_t i = 0; i < row.size(); ++i) {
      const Column& column = relation.columns[i];
      if (request.is_masked && column.privacy == Privacy::masked) continue;
      json.key(column.name);
      write_value(json, row[i], column.type);
    }
    json.end_object();
  }
  json.end_array();
  return Status::ok();
}

}  // namespace

Status render_json(const RenderRequest& request, std::string& out) {
  JsonWriter json(out);
  json.begin_object().key("at").text(iso_time(request.wall_now_ns / 1000)).key("relations").begin_object();
  for (const Relation& relation : relations_catalogue()) {
    if (!find_source(relation.name)->has_rows_per_segment()) continue;  // documentation, the same in every export
    if (relation.name == kHistory && request.since_wall_ns == 0) continue;
    if (Status written = write_relation(json, relation, request); !written) return written;
  }
  json.end_object().end_object();
  out += '\n';
  return Status::ok();
}

}  // namespace tide
