#include "render/pool_members.hpp"

#include <algorithm>
#include <numeric>

#include "render/figures.hpp"
#include "render/writing.hpp"

namespace tide {
namespace {

constexpr int64_t kNsPerTimeUnit = 1'000;

bool is_identity(const Column& column) { return column.name == "instance_id" || column.name == "pool"; }
bool is_numeric(const Column& column) { return column.type == ColumnType::integer || column.type == ColumnType::real; }

bool is_row_wanted(const PoolMember& member, const RowSet& rows, size_t row, int64_t since_us) {
  if (!member.only_if.empty() && text_of(rows.at(row, member.only_if)) == member.is_not) return false;
  return !member.is_since || since_us == 0 || number_of(rows.at(row, "at")) >= static_cast<double>(since_us);
}

// The places of the rows of a member.
std::vector<size_t> rows_of(const PoolMember& member, const RowSet& rows, const RenderRequest& request) {
  std::vector<size_t> places;
  for (size_t row = 0; row < rows.size(); ++row) {
    if (is_row_wanted(member, rows, row, request.since_wall_ns / kNsPerTimeUnit)) places.push_back(row);
  }
  if (!member.order.empty()) {
    std::stable_sort(places.begin(), places.end(), [&](size_t a, size_t b) {
      return number_of(rows.at(a, member.order), -1) > number_of(rows.at(b, member.order), -1);
    });
  }
  if (places.size() > member.rows_max) places.resize(member.rows_max);
  return places;
}

ReportJson row_json(Chosen chosen, const RowSet& rows, size_t row) {
  ReportJson out = ReportJson::object();
  for (const Column& column : rows.columns()) {
    if (is_chosen(chosen, column)) out[std::string(column.name)] = json_of(rows.at(row, column.name), column);
  }
  return out;
}

void add_commands(const ReportedPool& pool, const std::vector<size_t>& places, const RenderRequest& request,
                  ReportJson& insights) {
  for (size_t i = 0; i < places.size(); ++i) {
    const std::string command = command_of(pool, places[i], request.is_for_sqlite);
    insights[i]["command"] = command.empty() ? ReportJson(nullptr) : ReportJson(command);
  }
}

}  // namespace

bool is_chosen(Chosen which, const Column& column) {
  if (is_identity(column)) return false;
  const bool is_counter = column.name.ends_with("_total");
  const bool is_percentile = column.type == ColumnType::real && column.unit == "ms" && !is_counter;
  switch (which) {
    case Chosen::all: return true;
    case Chosen::descriptions: return !is_numeric(column);
    case Chosen::numbers: return is_numeric(column);
    case Chosen::counters: return is_counter;
    case Chosen::percentiles: return is_percentile;
    case Chosen::others: return !is_counter && !is_percentile;
  }
  return false;
}

ReportJson time_json(int64_t micros) {
  const std::string text = iso_time(micros);
  return text.empty() ? ReportJson(nullptr) : ReportJson(text);
}

ReportJson json_of(const Value& value, const Column& column) {
  if (is_null(value)) return nullptr;
  if (const auto* real = std::get_if<double>(&value)) return *real;
  if (const auto* whole = std::get_if<int64_t>(&value)) {
    if (column.type == ColumnType::boolean) return *whole != 0;
    if (column.type == ColumnType::time) return time_json(*whole);
    return *whole;
  }
  const std::string& text = std::get<std::string>(value);
  if (column.type != ColumnType::json) return text;
  // PostgreSQL stores no NUL: one in a forged segment must not make the whole report invalid.
  if (text.find("\\u0000") != text.npos) return text;
  ReportJson parsed = ReportJson::parse(text, nullptr, false);
  return parsed.is_discarded() ? ReportJson(text) : parsed;
}

void add_members(std::span<const PoolMember> members, const ReportedPool& pool, const RenderRequest& request,
                 ReportJson& out) {
  for (const PoolMember& member : members) {
    const RowSet& rows = pool.rows(member.relation);
    ReportJson& to = out[std::string(member.name)];
    if (member.rows_max == 0) {
      to = row_json(member.chosen, rows, 0);
      continue;
    }
    to = ReportJson::array();
    const std::vector<size_t> places = rows_of(member, rows, request);
    for (const size_t place : places) to.push_back(row_json(member.chosen, rows, place));
    if (member.relation == "insights") add_commands(pool, places, request, to);
  }
}

void add_figures(const ReportedPool& pool, ReportJson& out) {
  constexpr Column kReal{"", ColumnType::real, "", ""};
  for (const Figure& each : figures_catalogue()) out[std::string(each.name)] = json_of(figure_of(each, pool), kReal);
}

ReportJson report_head(std::string_view report, int version, const RenderRequest& request, const HostReading& host) {
  const auto or_null = [](const std::string& text) { return text.empty() ? ReportJson(nullptr) : ReportJson(text); };
  ReportJson out;
  out["report"] = report;
  out["version"] = version;
  out["at"] = time_json(request.wall_now_ns / kNsPerTimeUnit);
  out["directory"] = host.directory;
  out["masked"] = request.is_masked;
  out["message"] = or_null(host.message());
  out["hint"] = or_null(host.hint());
  return out;
}

std::vector<std::string_view> relations_of(std::span<const PoolMember> members) {
  std::vector<std::string_view> names;
  for (const PoolMember& member : members) {
    if (std::find(names.begin(), names.end(), member.relation) == names.end()) names.push_back(member.relation);
  }
  return names;
}

}  // namespace tide
