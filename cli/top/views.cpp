#include "views.hpp"

#include <fmt/format.h>

#include <cmath>
#include <ctime>

namespace tide::cli::top {
namespace {

constexpr ViewColumn kPoolColumns[] = {
    {"POOL", 8, 1, 1, false},        {"STATE", 9, 0, 3, false},
    {"LOAD", 12, 3, 5, false, true}, {"USED", 7, 0, 2, true, true},
    {"IDLE", 4, 0, 9, true, true},   {"WAIT", 5, 0, 3, true, true},
    {"P99", 6, 0, 4, true, true},    {"UTIL", 4, 0, 8, true, true},
    {"HLTH", 4, 0, 6, true, false},  {"LAST MINUTE", 12, 3, 7, false, true},
    {"ACQ/S", 6, 0, 10, true, true}, {"BEAT", 5, 0, 11, true, true},
    {"APP", 10, 0, 12, false},
};
constexpr ViewColumn kLeaseColumns[] = {
    {"AGE", 6, 0, 1, true, true},  {"TAG", 10, 3, 2, false},        {"POOL", 8, 1, 3, false},
    {"IDLE", 6, 0, 4, true, true}, {"", 7, 0, 5, false, true},      {"LEASE", 12, 0, 7, true, true},
    {"CONN", 6, 0, 8, true, true}, {"THREAD", 8, 0, 9, true, true},
};
constexpr ViewColumn kWaiterColumns[] = {
    {"WAITED", 6, 0, 1, true, true}, {"TAG", 10, 3, 2, false},     {"POOL", 8, 1, 3, false},
    {"LEFT", 6, 0, 4, true},         {"PRIORITY", 8, 0, 5, false}, {"TICKET", 8, 0, 6, true},
};
constexpr ViewColumn kAlertColumns[] = {
    {"SEVERITY", 9, 0, 1, false, true}, {"POOL", 8, 1, 2, false},        {"RULE", 14, 1, 3, false},
    {"STATE", 8, 0, 5, false, true},    {"SINCE", 6, 0, 4, true, true},  {"VALUE", 8, 0, 7, true, true},
    {"ACKED BY", 10, 0, 8, false},      {"WHAT TO DO", 16, 4, 6, false},
};
constexpr ViewColumn kInsightColumns[] = {
    {"SEVERITY", 9, 0, 1, false, true}, {"POOL", 8, 1, 2, false},    {"SUBJECT", 10, 0, 5, false},
    {"FINDING", 20, 4, 3, false},       {"CHANGE", 16, 2, 4, false},
};
constexpr ViewColumn kTagColumns[] = {
    {"TAG", 10, 3, 1, false},         {"IN USE", 6, 0, 2, true, true}, {"WAIT", 5, 0, 3, true, true},
    {"POOL", 8, 1, 4, false},         {"HELD", 7, 0, 5, true, true},   {"WAITED", 7, 0, 6, true, true},
    {"LONGEST", 7, 0, 7, true, true}, {"SEEN", 6, 0, 8, true},
};
constexpr ViewColumn kEventColumns[] = {
    {"TIME", 8, 0, 1, false, true},
    {"POOL", 8, 1, 3, false},
    {"KIND", 12, 0, 4, false},
    {"EVENT", 20, 5, 2, false},
};

constexpr View kAllViews[] = {
    {ViewKind::pools, "Pools", "pools", kPoolColumns, 0, "No pools."},
    {ViewKind::leases, "Leases", "leases", kLeaseColumns, 0, "No connection is leased."},
    {ViewKind::waiters, "Waiters", "waiters", kWaiterColumns, 0, "Nobody waits for a connection."},
    {ViewKind::alerts, "Alerts", "alerts", kAlertColumns, 0, "No alerts."},
    {ViewKind::insights, "Insights", "insights", kInsightColumns, 0, "Nothing to improve was found."},
    {ViewKind::tags, "Tags", "tags", kTagColumns, 1, "No lease has been seen yet."},
    {ViewKind::events, "Events", "events", kEventColumns, 0, "No events."},
};
static_assert(std::size(kAllViews) == kViews);

Field words(std::string text, Style style = Style::plain) {
  std::string key = text;
  return {std::move(text), std::move(key), style};
}
// Sorts by a number; null before all others.
Field figure(std::string text, std::optional<double> number, Style style = Style::plain) {
  return {std::move(text), number && std::isfinite(*number) ? *number : -1e300, style};
}
Field count(std::optional<int64_t> number, Style style = Style::plain) {
  return figure(count_text(number), number ? std::optional(static_cast<double>(*number)) : std::nullopt, style);
}
Field count_or_blank(std::optional<int64_t> number, Style style) {
  return number == 0 ? figure("0", 0.0, Style::dim) : count(number, style);
}
Field duration(std::optional<double> ms, Style style = Style::plain) { return figure(duration_text(ms), ms, style); }

double rank_of_severity(std::string_view severity) {
  return severity == "critical" ? 3 : severity == "warning" ? 2 : severity == "info" ? 1 : 0;
}
Field severity_field(const std::string& severity, bool is_over = false) {
  return figure(severity, rank_of_severity(severity) - (is_over ? 10 : 0),
                is_over ? Style::dim : style_of_severity(severity));
}

Style style_of_load(const PoolRow& pool) {
  if (pool.waiting.value_or(0) > 0) return Style::bad;
  return pool.utilization.value_or(0) >= 0.8 ? Style::warning : Style::plain;
}

Field used(const PoolRow& pool) {
  return figure(count_text(pool.in_use) + "/" + count_text(pool.limit_size),
                pool.in_use ? std::optional(static_cast<double>(*pool.in_use)) : std::nullopt, style_of_load(pool));
}

Field utilization(const PoolRow& pool) {
  const auto ratio = pool.utilization;
  const bool is_known = ratio && std::isfinite(*ratio);
  return figure(is_known ? fmt::format("{:.0f}%", std::min(*ratio * 100, 9999.0)) : "-", ratio, style_of_load(pool));
}

Field health(const PoolRow& pool) {
  const int64_t value = pool.health.value_or(100);
  return count(pool.health, value < 50 ? Style::bad : value < 80 ? Style::warning : Style::plain);
}

// An owner beats several times a second; what matters is that it has stopped.
Field beat(const PoolRow& pool) {
  const Style style = pool.state == "stale" || pool.state == "dead" ? Style::bad : Style::dim;
  return duration(pool.age_ms, style);
}

Line pool_line(const PoolRow& pool) {
  Line line{pool.instance_id, pool.instance_id, pool.pool};
  Field bar = used(pool);
  bar.kind = Field::Kind::bar;
  Field track = figure("", pool.track.empty() ? 0 : pool.track.back().in_use);
  track.kind = Field::Kind::track;
  line.fields = {words(pool.pool, pool.is_alive() ? Style::plain : Style::dim),
                 words(pool.state.empty() ? "-" : pool.state, style_of_state(pool.state)),
                 std::move(bar),
                 used(pool),
                 count(pool.idle),
                 count_or_blank(pool.waiting, Style::bad),
                 duration(pool.wait_p99_ms),
                 utilization(pool),
                 health(pool),
                 std::move(track),
                 figure(rate_text(pool.acquires_per_s), pool.acquires_per_s),
                 beat(pool),
                 words(pool.app, Style::dim)};
  return line;
}

Line lease_line(const LeaseRow& lease) {
  Line line{lease.instance_id + "/" + std::to_string(lease.lease_id), lease.instance_id, lease.pool, lease.lease_id};
  line.label = (lease.tag.empty() ? "no tag" : lease.tag) + " " + duration_text(lease.age_ms);
  const Style style = lease.is_overdue ? Style::bad : Style::plain;
  line.fields = {duration(lease.age_ms, style),
                 lease.tag.empty() ? words("(no tag)", Style::dim) : words(lease.tag, style),
                 words(lease.pool),
                 duration(lease.idle_ms, Style::dim),
                 figure(lease.is_overdue ? "overdue" : "", lease.is_overdue ? 1 : 0, Style::bad),
                 count(lease.lease_id, Style::dim),
                 count(lease.conn_id, Style::dim),
                 count(lease.thread_id, Style::dim)};
  return line;
}

Line waiter_line(const WaiterRow& waiter) {
  Line line{waiter.instance_id + "/" + std::to_string(waiter.ticket), waiter.instance_id, waiter.pool, waiter.ticket};
  const bool is_late = waiter.left_ms && *waiter.left_ms < 1000;
  line.fields = {duration(waiter.waited_ms, Style::bad),
                 waiter.tag.empty() ? words("(no tag)", Style::dim) : words(waiter.tag),
                 words(waiter.pool),
                 duration(waiter.left_ms ? std::optional(std::max(0.0, *waiter.left_ms)) : std::nullopt,
                          is_late ? Style::bad : Style::plain),
                 words(waiter.priority, waiter.priority == "critical" ? Style::warning : Style::dim),
                 count(waiter.ticket, Style::dim)};
  return line;
}

Line alert_line(const AlertRow& alert) {
  Line line{alert.instance_id + "/" + std::to_string(alert.alert_id), alert.instance_id, alert.pool, alert.alert_id};
  line.label = alert.rule;
  const bool is_over = !alert.is_firing();
  const Style style = is_over ? Style::dim : Style::plain;
  line.fields = {severity_field(alert.severity, is_over),
                 words(alert.pool, style),
                 words(alert.rule, style),
                 figure(alert.state,
                        alert.is_firing()          ? 2
                        : alert.state == "pending" ? 1
                                                   : 0,
                        style),
                 duration(alert.age_ms, style),
                 figure(alert.value ? fmt::format("{:.4g}", *alert.value) : "-", alert.value, style),
                 words(alert.acked_by, Style::good),
                 words(alert.advice.empty() ? alert.message : alert.advice, style)};
  return line;
}

Line insight_line(const InsightRow& insight, size_t place) {
  Line line{insight.instance_id + "/" + insight.subject + "/" + std::to_string(place), insight.instance_id,
            insight.pool};
  line.label = insight.finding;
  const std::string change = change_of(insight);
  line.fields = {severity_field(insight.severity), words(insight.pool), words(insight.subject, Style::dim),
                 words(insight.finding), words(change, Style::good)};
  return line;
}

Line tag_line(const TagRow& tag) {
  Line line{tag.instance_id + "/" + tag.tag, tag.instance_id, tag.pool};
  line.fields = {tag.tag.empty() ? words("(no tag)", Style::dim) : words(tag.tag),
                 count(tag.in_use),
                 count_or_blank(tag.waiting, Style::bad),
                 words(tag.pool),
                 duration(tag.held_ms),
                 duration(tag.waited_ms),
                 duration(tag.longest_ms),
                 duration(tag.seen_ms_ago, Style::dim)};
  return line;
}

Line event_line(const EventRow& event) {
  Line line{event.instance_id + "/" + std::to_string(event.seq), event.instance_id, event.pool, event.seq};
  line.fields = {figure(clock_text(event.at_us), static_cast<double>(event.at_us), Style::dim), words(event.pool),
                 words(event.kind, Style::dim),
                 words(event.message, event.severity == "info" ? Style::plain : style_of_severity(event.severity))};
  return line;
}

template <typename Row, typename Make>
void add_lines(const std::vector<Row>& rows, const std::string& instance_id, std::vector<Line>& out, Make make) {
  for (const Row& row : rows) {
    if (instance_id.empty() || row.instance_id == instance_id) out.push_back(make(row));
  }
}

}  // namespace

std::string change_of(const InsightRow& insight) {
  if (insight.option_name.empty()) return insight.advice;
  return insight.option_value.empty() ? insight.option_name : insight.option_name + " = " + insight.option_value;
}

const View& about(ViewKind kind) { return kAllViews[static_cast<size_t>(kind)]; }

std::vector<Line> lines_of(ViewKind kind, const Snapshot& snapshot, const std::string& instance_id) {
  std::vector<Line> out;
  switch (kind) {
    case ViewKind::pools: add_lines(snapshot.pools, instance_id, out, pool_line); break;
    case ViewKind::leases: add_lines(snapshot.leases, instance_id, out, lease_line); break;
    case ViewKind::waiters: add_lines(snapshot.waiters, instance_id, out, waiter_line); break;
    case ViewKind::alerts: add_lines(snapshot.alerts, instance_id, out, alert_line); break;
    case ViewKind::insights:
      add_lines(snapshot.insights, instance_id, out,
                [&out](const InsightRow& row) { return insight_line(row, out.size()); });
      break;
    case ViewKind::tags: add_lines(snapshot.tags, instance_id, out, tag_line); break;
    case ViewKind::events: add_lines(snapshot.events, instance_id, out, event_line); break;
  }
  return out;
}

std::string duration_text(std::optional<double> ms) {
  if (!ms || !std::isfinite(*ms)) return "-";
  const double value = std::max(0.0, *ms);
  if (value < 9.95) return value < 0.05 ? "0ms" : fmt::format("{:.1f}ms", value);
  if (value < 999.5) return fmt::format("{:.0f}ms", value);
  if (value < 59'950) return fmt::format("{:.1f}s", value / 1000);
  const auto seconds = static_cast<int64_t>(std::min(value, 1e15) / 1000 + 0.5);
  if (seconds < 3600) return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
  if (seconds < 86'400) return fmt::format("{}h{:02}m", seconds / 3600, seconds / 60 % 60);
  return seconds < 100 * 86'400 ? fmt::format("{}d{:02}h", seconds / 86'400, seconds / 3600 % 24)
                                : fmt::format("{}d", seconds / 86'400);
}

std::string count_text(std::optional<int64_t> number) { return number ? std::to_string(*number) : "-"; }

std::string rate_text(std::optional<double> per_s) {
  if (!per_s || !std::isfinite(*per_s)) return "-";
  if (*per_s < 9.95) return *per_s < 0.05 ? "0" : fmt::format("{:.1f}", *per_s);
  if (*per_s < 9999.5) return fmt::format("{:.0f}", *per_s);
  return *per_s < 999'950 ? fmt::format("{:.1f}k", *per_s / 1e3) : fmt::format("{:.3g}M", *per_s / 1e6);
}

std::string clock_text(int64_t wall_us) {
  const auto seconds = static_cast<time_t>(wall_us / 1'000'000);
  tm parts{};
  if (localtime_r(&seconds, &parts) == nullptr) return "-";
  return fmt::format("{:02}:{:02}:{:02}", parts.tm_hour, parts.tm_min, parts.tm_sec);
}

Style style_of_state(std::string_view state) {
  if (state == "running") return Style::good;
  if (state == "degraded" || state == "emergency" || state == "stale" || state == "dead") return Style::bad;
  if (state == "paused" || state == "draining" || state == "starting") return Style::warning;
  return Style::dim;
}

Style style_of_severity(std::string_view severity) {
  if (severity == "critical") return Style::bad;
  return severity == "warning" ? Style::warning : Style::plain;
}

}  // namespace tide::cli::top
