#include "reading/insights/insight.hpp"

#include <algorithm>
#include <utility>

#include "reading/insights/host_pools.hpp"
#include "reading/insights/pool_reading.hpp"
#include "reading/insights/rules.hpp"

namespace tide {

void Findings::begin(std::string_view subject) {
  subject_ = subject;
  added_ = 0;
}

void Findings::add(Insight insight) {
  if (added_++ >= kPerRule) return;
  insight.subject = subject_;
  found_.push_back(std::move(insight));
}

std::vector<Insight> Findings::take() {
  std::stable_sort(found_.begin(), found_.end(),
                   [](const Insight& a, const Insight& b) { return a.severity > b.severity; });
  return std::exchange(found_, {});
}

std::vector<InsightRule> insight_rules() {
  std::vector<InsightRule> all;
  for (const auto rules : {lease_rules(), size_rules(), connection_rules(), statement_rules()})
    all.insert(all.end(), rules.begin(), rules.end());
  return all;
}

std::vector<Insight> insights_of(const PoolReading& reading) {
  Findings findings;
  if (!reading.is_running) return {};
  for (const InsightRule& rule : insight_rules()) {
    findings.begin(rule.subject);
    rule.judge(reading, findings);
  }
  return findings.take();
}

std::vector<Insight> insights_of(const Attachment& segment, HostPools& host, int64_t wall_now_ns) {
  return insights_of(read_pool(segment, host, wall_now_ns));
}

std::vector<PoolInsights> insights_of(const FleetFilter& filter, int64_t wall_now_ns) {
  std::vector<PoolInsights> out;
  HostPools host(filter.directory);
  for_each_segment(filter, [&](Attachment& segment) {
    out.push_back({segment.header().instance_id, segment.header().pool, insights_of(segment, host, wall_now_ns)});
  });
  return out;
}

}  // namespace tide
