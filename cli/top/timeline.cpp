#include "timeline.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace tide::cli::top {
namespace {

constexpr size_t kEventsMax = 50'000;
constexpr int64_t kDurationMax_ns = 2'000'000'000;

double or_zero(std::optional<int64_t> number) { return number ? static_cast<double>(*number) : 0; }

}  // namespace

Timeline::Timeline(Recording recording, std::string place)
    : recording_(std::move(recording)), place_(std::move(place)) {
  std::set<std::pair<std::string, int64_t>> known;  // events, which several frames may have
  for (size_t i = 0; i < recording_.size(); ++i) {
    const Frame& frame = recording_.frame(i);
    if (i == 0) take_history(frame);
    moments_.push_back({frame.wall_us, frame.mono_ns});
    const Snapshot snapshot = make_snapshot(frame, nullptr);
    take_points(snapshot, moments_.size() - 1);
    for (const EventRow& event : snapshot.events) {
      if (events_.size() < kEventsMax && known.emplace(event.instance_id, event.seq).second) events_.push_back(event);
    }
  }
  std::stable_sort(events_.begin(), events_.end(), [](const auto& a, const auto& b) { return a.at_us < b.at_us; });
}

void Timeline::take_history(const Frame& first) {
  const Table* table = first.table("pool_history");
  if (table == nullptr) return;
  const Snapshot state = make_snapshot(first, nullptr);
  std::map<int64_t, std::vector<PoolRow>> seconds;
  for (size_t i = 0; i < table->rows.size(); ++i) {
    const RowView row(*table, i);
    const int64_t at_us = row.whole("at").value_or(0);
    if (row.number("resolution_ms") != 1000.0 || at_us <= 0 || at_us >= first.wall_us) continue;
    PoolRow pool;
    if (const PoolRow* known = state.find_pool(row.text("instance_id"))) pool = *known;
    pool.instance_id = row.text("instance_id");
    pool.pool = row.text("pool");
    pool.state = "history";
    pool.size = row.whole("size");
    pool.in_use = row.whole("in_use_max");
    pool.waiting = row.whole("waiting_max");
    pool.limit_size = row.whole("limit_size");
    pool.health = row.whole("health");
    pool.wait_p99_ms = row.number("wait_p99_ms");
    pool.acquires_per_s = row.number("acquires");
    pool.timeouts_per_s = row.number("timeouts");
    pool.errors_per_s = row.number("errors");
    pool.idle = pool.connecting = pool.validating = pool.target_size = std::nullopt;
    pool.age_ms = pool.oldest_wait_ms = pool.wait_p50_ms = pool.query_p99_ms = pool.utilization = std::nullopt;
    if (or_zero(pool.limit_size) > 0) pool.utilization = or_zero(pool.in_use) / or_zero(pool.limit_size);
    seconds[at_us / 1'000'000].push_back(std::move(pool));
  }
  for (auto& [second, pools] : seconds) {
    Snapshot snapshot;
    moments_.push_back({second * 1'000'000, first.mono_ns - (first.wall_us - second * 1'000'000) * 1000});
    snapshot.pools = std::move(pools);
    take_points(snapshot, moments_.size() - 1);
    history_.push_back(std::move(snapshot.pools));
  }
}

// At most one a second, so that all sparklines have the same scale.
void Timeline::take_points(const Snapshot& snapshot, size_t moment) {
  constexpr int64_t kSecond_ns = 950'000'000;
  const int64_t now_ns = moments_[moment].mono_ns;
  for (const PoolRow& pool : snapshot.pools) {
    if (!pool.is_alive()) continue;
    const auto [last, is_first] = last_point_ns_.try_emplace(pool.instance_id, now_ns);
    if (!is_first && now_ns >= last->second && now_ns - last->second < kSecond_ns) continue;
    last->second = now_ns;
    points_[pool.instance_id].push_back(
        {moment, {or_zero(pool.in_use), or_zero(pool.waiting), or_zero(pool.limit_size), pool.acquires_per_s}});
  }
}

int64_t Timeline::duration_ns(size_t i) const {
  if (i + 1 >= moments_.size()) return 0;
  return std::clamp<int64_t>(moments_[i + 1].mono_ns - moments_[i].mono_ns, 0, kDurationMax_ns);
}

size_t Timeline::find(int64_t wall_us) const {
  size_t found = 0;
  for (size_t i = 0; i < moments_.size(); ++i) {
    if (moments_[i].wall_us <= wall_us) found = i;
  }
  return found;
}

Snapshot Timeline::of_history(size_t i) const {
  Snapshot snapshot;
  snapshot.wall_us = moments_[i].wall_us;
  snapshot.mono_ns = moments_[i].mono_ns;
  snapshot.pools = history_[i];
  return snapshot;
}

void Timeline::fill(Snapshot& snapshot, size_t moment) const {
  for (PoolRow& pool : snapshot.pools) {
    const auto found = points_.find(pool.instance_id);
    if (found == points_.end()) continue;
    const auto end = std::upper_bound(found->second.begin(), found->second.end(), moment,
                                      [](size_t number, const Point& point) { return number < point.moment; });
    const auto begin = end - std::min<std::ptrdiff_t>(end - found->second.begin(), Tracks::kSamplesMax);
    pool.track.clear();
    std::transform(begin, end, std::back_inserter(pool.track), [](const Point& point) { return point.sample; });
  }
  const auto last = std::upper_bound(events_.begin(), events_.end(), snapshot.wall_us,
                                     [](int64_t time, const EventRow& event) { return time < event.at_us; });
  snapshot.events.assign(events_.begin(), last);
}

const Snapshot& Timeline::at(size_t i) {
  if (i == current_number_) return current_;
  if (i < history_.size()) {
    current_ = of_history(i);
    if (recording_.size() > 0) current_.host = recording_.frame(0).host;
  } else {
    const size_t number = i - history_.size();
    const bool has_before = number > 0;
    const Frame before = has_before ? recording_.frame(number - 1) : Frame{};
    current_ = make_snapshot(recording_.frame(number), has_before ? &before : nullptr);
  }
  current_.place = place_;
  fill(current_, i);
  current_number_ = i;
  return current_;
}

}  // namespace tide::cli::top
