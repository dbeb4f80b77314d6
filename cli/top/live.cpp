#include "live.hpp"

#include <algorithm>
#include <utility>

#include "clock.hpp"
#include "read/reading.hpp"

namespace tide::cli::top {

using namespace record;
namespace {

constexpr int64_t kInsights_ns = 10'000'000'000;  // how old insights may be

Scope scope_of(const Scope& scope, const std::string& instance_id) {
  Scope one = scope;
  if (!instance_id.empty()) {
    one.pools.clear();
    one.instance_id = instance_id;
  }
  return one;
}

}  // namespace

Live::Live(Scope scope) : scope_(std::move(scope)), place_(directory_of(scope_.directory)) {}

void Live::want_events(bool is_wanted, const std::string& instance_id) {
  wants_events_ = is_wanted;
  events_of_ = instance_id;
}

std::shared_ptr<const Snapshot> Live::step() {
  if (!is_refreshing()) return nullptr;
  if (next_relation_ == 0) frame_ = empty_frame();
  frame_.tables.push_back(read_table(kLiveRelations[next_relation_++], scope_));
  return is_refreshing() ? nullptr : finish();
}

std::shared_ptr<const Snapshot> Live::finish() {
  if (wants_events_) frame_.tables.push_back(read_table("events", scope_of(scope_, events_of_)));
  auto snapshot = std::make_shared<Snapshot>(make_snapshot(frame_, has_before_ ? &before_ : nullptr));
  std::erase_if(asides_, [&](const auto& entry) { return snapshot->find_pool(entry.first) == nullptr; });
  for (const PoolRow& pool : snapshot->pools) {
    Frame aside;
    aside.tables.push_back(asides_[pool.instance_id].insights);
    std::vector<InsightRow> insights = make_snapshot(aside, nullptr).insights;
    std::move(insights.begin(), insights.end(), std::back_inserter(snapshot->insights));
  }
  snapshot->place = place_;
  for (const std::string& pool : scope_.pools) snapshot->asked += (snapshot->asked.empty() ? "" : ", ") + pool;
  tracks_.add(*snapshot);
  tracks_.fill(*snapshot);
  before_ = std::move(frame_);
  has_before_ = true;
  return snapshot;
}

bool Live::step_aside(int64_t now_ns, const std::string& selected_instance) {
  const auto is_due = [&](const auto& entry) {
    return !tracks_.is_seeded(entry.first) || now_ns - entry.second.read_ns >= kInsights_ns;
  };
  auto chosen = asides_.find(selected_instance);
  if (chosen == asides_.end() || !is_due(*chosen)) {
    chosen = std::min_element(asides_.begin(), asides_.end(),
                              [](const auto& a, const auto& b) { return a.second.read_ns < b.second.read_ns; });
  }
  if (chosen == asides_.end() || !is_due(*chosen)) return false;
  const Scope one = scope_of(scope_, chosen->first);
  if (!tracks_.is_seeded(chosen->first))
    tracks_.seed(chosen->first, read_history(one, static_cast<int64_t>(Tracks::kSamplesMax)));
  chosen->second.insights = read_table("insights", one);
  chosen->second.read_ns = now_ns;
  return true;
}

}  // namespace tide::cli::top
