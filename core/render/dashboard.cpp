// The format "dashboard": what a page shows of each pool. docs/schema/dashboard.schema.json describes every member.
#include "base/json.hpp"
#include "render/formats.hpp"
#include "render/pool_members.hpp"

namespace tide {
namespace {

constexpr int kDashboardVersion = 1;  // a member that is removed, or changes its meaning, makes it 2

constexpr PoolMember kDashboardMembers[] = {
    {"about", "pools", "What the pool is, and its state.", Chosen::descriptions},
    {"gauges", "pools", "Current sizes and numbers.", Chosen::numbers},
    {"counters", "pool_stats", "Counts and times since the statistics were reset.", Chosen::counters},
    {"percentiles", "pool_stats", "Percentiles of the last minute.", Chosen::percentiles},
    {"statistics", "pool_stats", "Peaks, memory, and what else is measured.", Chosen::others},
    {"health", "health", "Overall health, with problems and recommendations."},
    {"leases", "leases", "Leases, the oldest first.", Chosen::all, 50, "age_ms"},
    {"waiters", "waiters", "Waiting callers, the one who has waited longest first.", Chosen::all, 50, "waited_ms"},
    {"tags", "tags", "Tags of leases, those that held connections longest first.", Chosen::all, 20, "held_ms_total"},
    {"alerts", "alerts", "Alerts that are pending or firing, the newest first.", Chosen::all, 50, "since", "state",
     "resolved"},
    {"insights", "insights", "What to change and why, the most severe first.", Chosen::all, 50},
    {"events", "events", "Events, the newest first.", Chosen::all, 50, "seq", {}, {}, true},
    {"scaling_events",
     "scaling_events",
     "Changes of the size, the newest first.",
     Chosen::all,
     20,
     "seq",
     {},
     {},
     true},
    {"forecasts", "forecasts", "Forecasts of the load.", Chosen::all, 50},
    {"slow_queries", "slow_queries", "Slow queries, the newest first.", Chosen::all, 10, "seq"},
    {"failed_queries", "failed_queries", "Failed queries, the newest first.", Chosen::all, 10, "seq"},
};

// Arrays of the same length: element i of each is of the interval that ended at at_ms[i].
ReportJson series_of(const RenderRequest& request, const ReportedPool& pool) {
  const PoolHistory history = read_history(request, pool);
  ReportJson out;
  out["resolution_ms"] = history.resolution_ms;
  ReportJson& times = out["at_ms"] = ReportJson::array();
  for (size_t row = 0; row < history.rows.size(); ++row) {
    times.push_back(static_cast<int64_t>(number_of(history.rows.at(row, "at"))) / 1000);
  }
  for (const Column& column : history.rows.columns()) {
    if (column.name == "resolution_ms" || !is_chosen(Chosen::numbers, column)) continue;
    ReportJson values = ReportJson::array();
    for (size_t row = 0; row < history.rows.size(); ++row) {
      values.push_back(json_of(history.rows.at(row, column.name), column));
    }
    out[std::string(column.name)] = std::move(values);
  }
  return out;
}

ReportJson dashboard_of(const RenderRequest& request, const ReportedPool& pool) {
  ReportJson out;
  out["instance_id"] = pool.instance_id;
  out["pool"] = pool.pool;
  add_members(kDashboardMembers, pool, request, out);
  add_figures(pool, out["figures"]);
  out["series"] = request.since_wall_ns == 0 ? ReportJson(nullptr) : series_of(request, pool);
  return out;
}

}  // namespace

std::span<const PoolMember> dashboard_members() { return kDashboardMembers; }

Status render_dashboard(const RenderRequest& request, std::string& out) {
  HostReading host;
  if (Status read = read_host(request, relations_of(kDashboardMembers), host); !read) return read;
  ReportJson json = report_head("dashboard", kDashboardVersion, request, host);
  json["since"] = request.since_wall_ns == 0 ? ReportJson(nullptr) : time_json(request.since_wall_ns / 1000);
  ReportJson& pools = json["pools"] = ReportJson::array();
  for (const ReportedPool& pool : host.pools) pools.push_back(dashboard_of(request, pool));
  out += json_dump(json);
  return Status::ok();
}

}  // namespace tide
