#include "render/host_reading.hpp"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "base/text.hpp"
#include "reading/rows.hpp"
#include "segment/directory.hpp"

namespace tide {
namespace {

constexpr int64_t kNsPerHistoryMs = 1'000'000;
constexpr int64_t kHourMs = 3'600'000;

const Value kNullValue = std::monostate{};

size_t column_place(std::span<const Column> columns, std::string_view name) {
  const auto found =
      std::find_if(columns.begin(), columns.end(), [&](const Column& each) { return each.name == name; });
  return static_cast<size_t>(found - columns.begin());
}

void mask_row(std::span<const Column> columns, Row& row) {
  for (size_t i = 0; i < columns.size() && i < row.size(); ++i) {
    if (columns[i].privacy == Privacy::masked) row[i] = std::monostate{};
  }
}

bool is_live_pool(const ReportedPool& pool) {
  const std::string state = text_of(pool.first("pools", "state"));
  return state != "dead" && state != "closed";
}

size_t count_unreadable(const std::string& directory) {
  size_t count = 0;
  for (const std::string& path : list_segments(directory)) count += Attachment::open(path) ? 0 : 1;
  return count;
}

// Adds the rows of a relation to their pools; those of pools that the list does not have are dropped.
Status add_relation(const RenderRequest& request, std::string_view name, HostReading& host) {
  const Relation* const relation = find_relation(name);
  if (relation == nullptr) return Status::error(Code::internal, "there is no relation " + std::string(name));
  std::vector<Row> rows;
  if (Status read = read_relation(*relation, request.which, request.wall_now_ns, rows); !read) return read;
  const size_t instance = column_place(relation->columns, "instance_id");
  const size_t pool = column_place(relation->columns, "pool");
  std::map<std::pair<std::string, std::string>, ReportedPool*> known;
  for (ReportedPool& each : host.pools) {
    known[{each.instance_id, each.pool}] = &each;
    each.relations.try_emplace(relation->name, *relation);
  }
  for (Row& row : rows) {
    const auto found = known.find({text_of(row[instance]), text_of(row[pool])});
    if (found == known.end()) continue;
    if (request.is_masked) mask_row(relation->columns, row);
    found->second->relations.find(relation->name)->second.rows().push_back(std::move(row));
  }
  return Status::ok();
}

Status list_pools(const RenderRequest& request, HostReading& host) {
  std::vector<Row> rows;
  const Relation& pools = *find_relation("pools");
  if (Status read = read_relation(pools, request.which, request.wall_now_ns, rows); !read) return read;
  std::set<std::pair<std::string, std::string>> seen;
  for (Row& row : rows) {
    ReportedPool pool;
    pool.instance_id = text_of(row[column_place(pools.columns, "instance_id")]);
    pool.pool = text_of(row[column_place(pools.columns, "pool")]);
    if (!seen.emplace(pool.instance_id, pool.pool).second) continue;
    if (request.is_masked) mask_row(pools.columns, row);
    pool.relations.try_emplace(pools.name, pools).first->second.rows().push_back(std::move(row));
    host.pools.push_back(std::move(pool));
  }
  return Status::ok();
}

// If only one instance was asked for, the others of its name are not known.
void find_namesakes(bool is_of_instance, HostReading& host) {
  std::map<std::string, int> alive;
  for (const ReportedPool& pool : host.pools) alive[pool.pool] += is_live_pool(pool) ? 1 : 0;
  for (ReportedPool& pool : host.pools) pool.is_name_unique = !is_of_instance && alive[pool.pool] <= 1;
}

}  // namespace

std::span<const Column> RowSet::columns() const {
  return relation_ == nullptr ? std::span<const Column>{} : relation_->columns;
}

const Value& RowSet::at(size_t row, std::string_view column) const {
  const size_t place = column_place(columns(), column);
  return row < rows_.size() && place < rows_[row].size() ? rows_[row][place] : kNullValue;
}

double number_of(const Value& value, double otherwise) {
  if (const auto* whole = std::get_if<int64_t>(&value)) return static_cast<double>(*whole);
  const auto* real = std::get_if<double>(&value);
  return real != nullptr ? *real : otherwise;
}

std::string text_of(const Value& value, std::string_view otherwise) {
  const auto* text = std::get_if<std::string>(&value);
  return text != nullptr ? *text : std::string(otherwise);
}

const RowSet& ReportedPool::rows(std::string_view relation) const {
  static const RowSet kNone;
  const auto found = relations.find(relation);
  return found == relations.end() ? kNone : found->second;
}

std::string HostReading::message() const {
  if (!pools.empty()) return "";
  std::string out = "there are no pools in " + directory + " and none in this process";
  if (unreadable > 0) {
    out += "; " + std::to_string(unreadable) + (unreadable == 1 ? " segment" : " segments") +
           " there cannot be read by this user or this version";
  }
  return out;
}

std::string HostReading::hint() const {
  if (!pools.empty()) return "";
  return "check that a program has a pool open with publish=on, that its directory is this one (option dir or the "
         "environment variable TIDEPOOL_DIR; in PostgreSQL the setting tidepool.dir), and the directory's permissions";
}

Status read_host(const RenderRequest& request, std::span<const std::string_view> relations, HostReading& out) {
  out.directory = clean_text(resolve_directory(request.which.directory), "");
  if (Status listed = list_pools(request, out); !listed) return listed;
  if (out.pools.empty()) {
    out.unreadable = count_unreadable(out.directory);
    return Status::ok();
  }
  find_namesakes(!request.which.instance_id.empty(), out);
  for (const std::string_view name : relations) {
    if (name == "pools") continue;
    if (Status added = add_relation(request, name, out); !added) return added;
  }
  return Status::ok();
}

int64_t history_resolution_ms(const RenderRequest& request) {
  const int64_t range_ms = (request.wall_now_ns - request.since_wall_ns) / kNsPerHistoryMs;
  if (range_ms <= kHourMs) return 1'000;
  return range_ms <= 24 * kHourMs ? 60'000 : kHourMs;
}

PoolHistory read_history(const RenderRequest& request, const ReportedPool& pool) {
  const Relation& relation = *find_relation("pool_history");
  PoolHistory out{history_resolution_ms(request), RowSet(relation)};
  std::vector<Row> rows;
  const FleetFilter only{request.which.directory, pool.pool, pool.instance_id};
  if (!read_relation(relation, only, request.wall_now_ns, rows)) return out;
  const size_t resolution = column_place(relation.columns, "resolution_ms");
  const size_t at = column_place(relation.columns, "at");
  const auto at_us = [&](const Row& row) { return static_cast<int64_t>(number_of(row[at])); };
  for (Row& row : rows) {
    if (number_of(row[resolution]) != static_cast<double>(out.resolution_ms)) continue;
    if (is_null(row[at]) || at_us(row) < request.since_wall_ns / 1000) continue;
    if (request.is_masked) mask_row(relation.columns, row);
    out.rows.rows().push_back(std::move(row));
  }
  std::stable_sort(out.rows.rows().begin(), out.rows.rows().end(),
                   [&](const Row& a, const Row& b) { return at_us(a) < at_us(b); });
  return out;
}

}  // namespace tide
