// The format "health_json". docs/schema/health.schema.json describes every member.
#include <algorithm>

#include "base/json.hpp"
#include "reading/health_verdict.hpp"
#include "render/figures.hpp"
#include "render/formats.hpp"
#include "render/health_report.hpp"
#include "render/pool_members.hpp"

namespace tide {
namespace {

constexpr int kHealthVersion = 1;  // as that of the dashboard

constexpr PoolMember kHealthMembers[] = {
    {"about", "pools", "What the pool is, and its state.", Chosen::descriptions},
    {"gauges", "pools", "Current sizes and numbers.", Chosen::numbers},
    {"counters", "pool_stats", "Counts and times since the statistics were reset.", Chosen::counters},
    {"percentiles", "pool_stats", "Percentiles of the last minute.", Chosen::percentiles},
    {"alerts", "alerts", "Alerts that are pending or firing, the newest first.", Chosen::all, 50, "since", "state",
     "resolved"},
    {"insights", "insights", "What to change and why, the most severe first.", Chosen::all, 50},
    {"oldest_leases", "leases", "Leases, the oldest first.", Chosen::all, kOldestLeases, "age_ms"},
};

// With the members that tidepool_health() and tide_pool_health() have.
ReportJson health_of(const RenderRequest& request, const ReportedPool& pool) {
  ReportJson out;
  out["instance_id"] = pool.instance_id;
  out["pool"] = pool.pool;
  const RowSet& health = pool.rows("health");
  for (const Column& column : health.columns()) {
    if (is_chosen(Chosen::all, column)) out[std::string(column.name)] = json_of(health.at(0, column.name), column);
  }
  add_members(kHealthMembers, pool, request, out);
  add_figures(pool, out["figures"]);
  return out;
}

}  // namespace

std::span<const PoolMember> health_members() { return kHealthMembers; }

int severity_of(const ReportedPool& pool) {
  const std::string status = text_of(pool.first("health", "status"));
  for (const Health each : {Health::healthy, Health::degraded}) {
    if (health_word(each) == status) return static_cast<int>(each);
  }
  return static_cast<int>(Health::unhealthy);
}

std::string_view worst_status(const HostReading& host) {
  int worst = 0;
  for (const ReportedPool& pool : host.pools) worst = std::max(worst, severity_of(pool));
  return health_word(static_cast<Health>(worst));
}

Status render_health_json(const RenderRequest& request, std::string& out) {
  std::vector<std::string_view> relations = relations_of(kHealthMembers);
  relations.push_back("health");
  HostReading host;
  if (Status read = read_host(request, relations, host); !read) return read;
  ReportJson json = report_head("health", kHealthVersion, request, host);
  json["status"] = host.pools.empty() ? ReportJson(nullptr) : ReportJson(worst_status(host));
  ReportJson& pools = json["pools"] = ReportJson::array();
  for (const ReportedPool& pool : host.pools) pools.push_back(health_of(request, pool));
  out += json_dump(json);
  return Status::ok();
}

}  // namespace tide
