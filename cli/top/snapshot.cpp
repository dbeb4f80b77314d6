#include "snapshot.hpp"

#include <algorithm>
#include <cmath>

namespace tide::cli::top {
namespace {

// Calls `add` for every row of a relation; for none if the frame has no such relation.
template <typename Add>
void for_each_row(const Frame& frame, std::string_view relation, Add add) {
  const Table* table = frame.table(relation);
  for (size_t i = 0; table != nullptr && i < table->rows.size(); ++i) add(RowView(*table, i));
}

std::optional<double> ms_until(std::optional<int64_t> moment_us, int64_t now_us) {
  if (!moment_us) return std::nullopt;
  return (static_cast<double>(*moment_us) - static_cast<double>(now_us)) / 1000;
}

std::optional<double> ms_since(std::optional<int64_t> moment_us, int64_t now_us) {
  const auto until = ms_until(moment_us, now_us);
  return until ? std::optional(std::max(0.0, -*until)) : std::nullopt;
}

PoolRow pool_of(const RowView& row) {
  PoolRow pool;
  pool.instance_id = row.text("instance_id");
  pool.pool = row.text("pool");
  pool.app = row.text("app");
  pool.host = row.text("host");
  pool.backend = row.text("backend");
  pool.target = row.text("target");
  pool.state = row.text("state");
  pool.size_source = row.text("size_source");
  pool.breaker = row.text("breaker");
  pool.pid = row.whole("pid");
  pool.size = row.whole("size");
  pool.idle = row.whole("idle");
  pool.in_use = row.whole("in_use");
  pool.connecting = row.whole("connecting");
  pool.validating = row.whole("validating");
  pool.waiting = row.whole("waiting");
  pool.min_size = row.whole("min_size");
  pool.max_size = row.whole("max_size");
  pool.target_size = row.whole("target_size");
  pool.limit_size = row.whole("limit_size");
  pool.health = row.whole("health");
  pool.oldest_wait_ms = row.number("oldest_wait_ms");
  pool.utilization = row.number("utilization");
  pool.age_ms = row.number("age_ms");
  pool.wait_p99_ms = row.number("wait_p99_ms");  // of a moment that comes from pool_history
  return pool;
}

LeaseRow lease_of(const RowView& row) {
  return {row.text("instance_id"),
          row.text("pool"),
          row.text("tag"),
          row.whole("lease_id").value_or(0),
          row.whole("conn_id").value_or(0),
          row.whole("thread_id"),
          row.number("age_ms"),
          row.number("idle_ms"),
          row.is_true("overdue")};
}

WaiterRow waiter_of(const RowView& row, int64_t now_us) {
  return {row.text("instance_id"),
          row.text("pool"),
          row.text("tag"),
          row.text("priority"),
          row.whole("ticket").value_or(0),
          row.number("waited_ms"),
          ms_until(row.whole("deadline"), now_us)};
}

AlertRow alert_of(const RowView& row, int64_t now_us) {
  return {row.text("instance_id"),
          row.text("pool"),
          row.text("rule"),
          row.text("severity"),
          row.text("state"),
          row.text("metric"),
          row.text("acked_by"),
          row.text("message"),
          row.text("advice"),
          row.whole("alert_id").value_or(0),
          row.number("value"),
          row.number("threshold"),
          ms_since(row.whole("since"), now_us)};
}

InsightRow insight_of(const RowView& row) {
  return {row.text("instance_id"), row.text("pool"),        row.text("severity"),
          row.text("subject"),     row.text("finding"),     row.text("evidence"),
          row.text("advice"),      row.text("option_name"), row.text("option_value")};
}

TagRow tag_of(const RowView& row, int64_t now_us) {
  return {row.text("instance_id"),       row.text("pool"),         row.text("tag"),
          row.whole("in_use"),           row.whole("waiting"),     row.number("held_ms_total"),
          row.number("waited_ms_total"), row.number("longest_ms"), ms_since(row.whole("last_seen"), now_us)};
}

// The rate of a counter, per second; null where it cannot be told.
std::optional<double> rate(std::optional<int64_t> now, std::optional<int64_t> before, int64_t elapsed_ns) {
  constexpr int64_t kElapsedMin_ns = 90'000'000;  // in less time a rate is a matter of chance
  if (!now || !before || *now < *before || elapsed_ns < kElapsedMin_ns) return std::nullopt;
  return (static_cast<double>(*now) - static_cast<double>(*before)) * 1e9 / static_cast<double>(elapsed_ns);
}

// `hint`: where it probably is, because all relations have the same order of pools.
std::optional<size_t> row_of(const Table* table, const std::string& instance_id, size_t hint) {
  if (table != nullptr && hint < table->rows.size() && RowView(*table, hint).text("instance_id") == instance_id)
    return hint;
  for (size_t i = 0; table != nullptr && i < table->rows.size(); ++i) {
    if (RowView(*table, i).text("instance_id") == instance_id) return i;
  }
  return std::nullopt;
}

void add_stats(PoolRow& pool, size_t place_of_pool, const Frame& frame, const Frame* before) {
  const Table* stats = frame.table("pool_stats");
  const auto place = row_of(stats, pool.instance_id, place_of_pool);
  if (!place) return;
  const RowView row(*stats, *place);
  pool.wait_p50_ms = row.number("wait_p50_ms");
  pool.wait_p99_ms = row.number("wait_p99_ms");
  pool.query_p99_ms = row.number("query_p99_ms");
  const Table* old_stats = before == nullptr ? nullptr : before->table("pool_stats");
  const auto old_place = row_of(old_stats, pool.instance_id, *place);
  if (!old_place) return;
  const RowView old(*old_stats, *old_place);
  const int64_t elapsed_ns = frame.mono_ns - before->mono_ns;
  const auto rate_of = [&](std::string_view counter) {
    return rate(row.whole(counter), old.whole(counter), elapsed_ns);
  };
  pool.acquires_per_s = rate_of("acquires_total");
  pool.queries_per_s = rate_of("queries_total");
  pool.timeouts_per_s = rate_of("acquire_timeouts_total");
  pool.errors_per_s = rate_of("query_errors_total");
}

double or_zero(std::optional<int64_t> number) { return number ? static_cast<double>(*number) : 0; }

}  // namespace

const PoolRow* Snapshot::find_pool(const std::string& instance_id) const {
  const auto found =
      std::find_if(pools.begin(), pools.end(), [&](const PoolRow& pool) { return pool.instance_id == instance_id; });
  return found == pools.end() ? nullptr : &*found;
}

std::vector<EventRow> events_of(const Table& events) {
  std::vector<EventRow> out;
  for (size_t i = 0; i < events.rows.size(); ++i) {
    const RowView row(events, i);
    out.push_back({row.text("instance_id"), row.text("pool"), row.text("kind"), row.text("severity"),
                   row.text("message"), row.whole("seq").value_or(0), row.whole("at").value_or(0)});
  }
  return out;
}

Snapshot make_snapshot(const Frame& frame, const Frame* before) {
  Snapshot out;
  out.wall_us = frame.wall_us;
  out.mono_ns = frame.mono_ns;
  out.host = frame.host;
  const int64_t now_us = frame.wall_us;
  for_each_row(frame, "pools", [&](const RowView& row) {
    out.pools.push_back(pool_of(row));
    add_stats(out.pools.back(), out.pools.size() - 1, frame, before);
  });
  for_each_row(frame, "leases", [&](const RowView& row) { out.leases.push_back(lease_of(row)); });
  for_each_row(frame, "waiters", [&](const RowView& row) { out.waiters.push_back(waiter_of(row, now_us)); });
  for_each_row(frame, "alerts", [&](const RowView& row) { out.alerts.push_back(alert_of(row, now_us)); });
  for_each_row(frame, "insights", [&](const RowView& row) { out.insights.push_back(insight_of(row)); });
  for_each_row(frame, "tags", [&](const RowView& row) { out.tags.push_back(tag_of(row, now_us)); });
  if (const Table* events = frame.table("events")) out.events = events_of(*events);
  return out;
}

void Tracks::add(const Snapshot& snapshot) {
  constexpr int64_t kSecond_ns = 950'000'000;  // a little less, so that a refresh each second is not left out
  if (last_ns_ && snapshot.mono_ns >= *last_ns_ && snapshot.mono_ns - *last_ns_ < kSecond_ns) return;
  last_ns_ = snapshot.mono_ns;
  for (const PoolRow& pool : snapshot.pools) {
    if (!pool.is_alive()) continue;
    std::deque<Sample>& samples = samples_[pool.instance_id];
    samples.push_back({or_zero(pool.in_use), or_zero(pool.waiting), or_zero(pool.limit_size), pool.acquires_per_s});
    if (samples.size() > kSamplesMax) samples.pop_front();
  }
  std::erase_if(samples_, [&](const auto& entry) { return snapshot.find_pool(entry.first) == nullptr; });
  std::erase_if(seeded_, [&](const std::string& instance) { return snapshot.find_pool(instance) == nullptr; });
}

void Tracks::seed(const std::string& instance_id, const Table& history) {
  std::deque<Sample> older;
  for (size_t i = 0; i < history.rows.size(); ++i) {
    const RowView row(history, i);
    if (row.number("resolution_ms") != 1000.0) continue;
    older.push_back({or_zero(row.whole("in_use_max")), or_zero(row.whole("waiting_max")),
                     or_zero(row.whole("limit_size")), row.number("acquires")});
  }
  std::deque<Sample>& samples = samples_[instance_id];
  // The seconds since the first point are in the history, too.
  older.resize(older.size() - std::min(older.size(), samples.size()));
  samples.insert(samples.begin(), older.begin(), older.end());
  while (samples.size() > kSamplesMax) samples.pop_front();
  seeded_.insert(instance_id);
}

void Tracks::fill(Snapshot& snapshot) const {
  for (PoolRow& pool : snapshot.pools) {
    const auto found = samples_.find(pool.instance_id);
    if (found == samples_.end()) continue;
    pool.track.assign(found->second.begin(), found->second.end());
    for (auto newest = found->second.rbegin();
         pool.is_alive() && !pool.acquires_per_s && newest != found->second.rend(); ++newest) {
      if (newest->acquires_per_s) pool.acquires_per_s = newest->acquires_per_s;
    }
  }
}

}  // namespace tide::cli::top
