// PoolMembers: which members the JSON of a pool has, in reports and for dashboards. Members that are columns of a relation
// have the column's name and meaning; docs/schema describes all of them, and is compared with these tables by a test.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "render/host_reading.hpp"

namespace tide {

using ReportJson = nlohmann::ordered_json;

// Which columns of its relation a member contains.
enum class Chosen : uint8_t { all, descriptions, numbers, counters, percentiles, others };
bool is_chosen(Chosen which, const Column& column);

struct PoolMember {
  std::string_view name;
  std::string_view relation;
  std::string_view meaning;  // one sentence
  Chosen chosen = Chosen::all;
  size_t rows_max = 0;            // 0: an object, the only row; else an array of at most this many
  std::string_view order = {};    // the column by which rows are sorted, the greatest first; "": as they are
  std::string_view only_if = {};  // the column that selects rows ...
  std::string_view is_not = {};   // ... whose value is not this one
  bool is_since = false;          // only rows whose column `at` is not before the request's time, if it has one
};

// Microseconds since 1970 as in the other formats; null outside of the years 1 to 9999.
ReportJson time_json(int64_t micros);
// A value as it is in JSON.
ReportJson json_of(const Value& value, const Column& column);
// The members of a pool, in order, added to `out`.
void add_members(std::span<const PoolMember> members, const ReportedPool& pool, const RenderRequest& request,
                 ReportJson& out);
void add_figures(const ReportedPool& pool, ReportJson& out);
// What both reports begin with: version, time, where pools were looked for, and what to check if there are none.
ReportJson report_head(std::string_view report, int version, const RenderRequest& request, const HostReading& host);
// The relations of the members, each once.
std::vector<std::string_view> relations_of(std::span<const PoolMember> members);

std::span<const PoolMember> dashboard_members();
std::span<const PoolMember> health_members();

}  // namespace tide
