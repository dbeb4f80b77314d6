// The format "health_text": the report on the health of the pools, for people.
#include <algorithm>
#include <cstdio>
#include <string>

#include <nlohmann/json.hpp>

#include "base/units.hpp"
#include "reading/health_verdict.hpp"
#include "render/figures.hpp"
#include "render/formats.hpp"
#include "render/health_report.hpp"
#include "render/text_page.hpp"

namespace tide {
namespace {

constexpr size_t kLabelColumns = 16;
constexpr size_t kWordColumns = 14;  // of severities and states in lists, with their indent
constexpr const char* kNotMeasured = "not measured";
constexpr const char* kHidden = "(not shown to this reader)";
constexpr double kMsMax = 1e12;  // a generation; no owner writes longer durations

std::string ms_text(const Value& value) {
  if (is_null(value)) return kNotMeasured;
  const double ms = std::clamp(number_of(value), 0.0, kMsMax);
  constexpr double kHourMs = 3.6e6, kDayMs = 8.64e7;
  char out[40];
  if (ms >= 2 * kDayMs) {
    std::snprintf(out, sizeof out, "%.0f days", ms / kDayMs);
  } else if (ms >= 2 * kHourMs) {
    std::snprintf(out, sizeof out, "%.1f h", ms / kHourMs);
  } else {
    return describe_span(Span::nanos(static_cast<int64_t>(ms * 1e6)));
  }
  return out;
}

std::string count_text(const Value& value) {
  if (const auto* whole = std::get_if<int64_t>(&value)) return std::to_string(*whole);
  return is_null(value) ? kNotMeasured
                        : std::to_string(static_cast<int64_t>(std::clamp(number_of(value), -1e15, 1e15)));
}
std::string percent_text(const Value& value) {
  if (is_null(value)) return kNotMeasured;
  char out[40];
  std::snprintf(out, sizeof out, "%.3g %%", std::clamp(number_of(value), 0.0, 1e6) * 100);
  return out;
}
std::string time_text(const Value& value) {
  return is_null(value) ? "never" : format_wall_ns(static_cast<int64_t>(number_of(value)) * 1000);
}
std::string count_of(const Value& value, const char* one, const char* many) {
  return count_text(value) + " " + (number_of(value) == 1 ? one : many);
}

// The texts of a JSON array in a column.
std::vector<std::string> texts_of(const Value& value) {
  std::vector<std::string> texts;
  const auto array = nlohmann::json::parse(text_of(value, "[]"), nullptr, false);
  if (!array.is_array()) return texts;
  for (const auto& each : array) texts.push_back(each.is_string() ? each.get<std::string>() : each.dump());
  return texts;
}

// The report on one pool.
class PoolReport {
 public:
  PoolReport(const ReportedPool& pool, const RenderRequest& request, TextPage& page)
      : pool_(pool), request_(request), page_(page) {}

  void write() {
    page_.heading(pool_.pool + (pool_.is_name_unique ? "" : " (" + pool_.instance_id + ")"),
                  word(of("health", "status")));
    field("state", state());
    field("owner", owner());
    field("database", database());
    field("connections", connections());
    field("size", size());
    field("waiting", waiting());
    field("last minute", "wait " + percentiles("wait", {"p50", "p95", "p99", "max"}));
    field("", "use " + percentiles("use", {"p50", "p99"}));
    field("", "query " + percentiles("query", {"p50", "p99"}));
    field("since " + since(), "");
    field("  leases", leases());
    field("  queries", queries());
    field("  connects", connects());
    field("  caches", caches());
    write_problems();
    write_checks();
    write_alerts();
    write_insights();
    write_oldest_leases();
  }

 private:
  const Value& of(std::string_view relation, std::string_view column) const { return pool_.first(relation, column); }
  const Value& now(std::string_view column) const { return of("pools", column); }
  const Value& total(std::string_view column) const { return of("pool_stats", column); }
  Value figure(std::string_view name) const { return figure_of(name, pool_); }
  // A text that may be masked; a masked one is null.
  std::string told(const Value& value, const char* otherwise) const {
    return text_of(value, request_.is_masked ? kHidden : otherwise);
  }
  static std::string word(const Value& value) { return text_of(value, "unknown"); }

  void field(const std::string& label, const std::string& text) { page_.put("  " + label, text, kLabelColumns); }
  void section(const std::string& title, bool is_empty) { page_.put(title + (is_empty ? ": none" : ""), "", 0); }
  // An entry of a list, and what to do about it.
  void entry(const std::string& label, const std::string& text) { page_.put("  " + label, text, kWordColumns); }
  void more(const std::string& label, const std::string& text) {
    page_.put(std::string(kWordColumns, ' ') + label, text, kWordColumns + 2);
  }

  std::string state() const {
    std::string out = word(now("state")) + ", health ";
    out += is_null(now("health")) ? kNotMeasured : count_text(now("health")) + " of 100";
    out += ", breaker " + word(now("breaker"));
    const double age_ms = number_of(now("sampled_at")) - number_of(now("started_at"));
    if (!is_null(now("started_at"))) out += ", opened " + ms_text(age_ms / 1000) + " ago";
    return out;
  }
  std::string owner() const {
    return text_of(now("app"), "unnamed program") + ", process " + count_text(now("pid")) + " on " + word(now("host")) +
           ", tidepool " + word(now("version")) + ", last update " + ms_text(now("age_ms")) + " ago";
  }
  std::string database() const {
    const std::string user = told(now("db_user"), "");
    return word(now("backend")) + ", " + told(now("target"), "unknown target") + (user.empty() ? "" : ", user " + user);
  }
  std::string connections() const {
    return count_text(now("size")) + " open: " + count_text(now("in_use")) + " in use, " + count_text(now("idle")) +
           " idle, " + count_text(now("connecting")) + " connecting, " + count_text(now("validating")) + " validating";
  }
  std::string size() const {
    return "limit " + count_text(now("limit_size")) + " by " + word(now("size_source")) + " (min " +
           count_text(now("min_size")) + ", max " + count_text(now("max_size")) + ", target " +
           count_text(now("target_size")) + "); utilization " + percent_text(now("utilization"));
  }
  std::string waiting() const {
    const std::string callers = count_of(now("waiting"), "caller", "callers");
    return number_of(now("waiting")) > 0 ? callers + ", the first for " + ms_text(now("oldest_wait_ms")) : callers;
  }
  std::string percentiles(const std::string& what, std::initializer_list<const char*> which) const {
    std::string out;
    bool is_known = false;
    for (const std::string each : which) {
      const Value& value = total(what + "_" + each + "_ms");
      is_known = is_known || !is_null(value);
      out += (out.empty() ? "" : ", ") + each + " " + ms_text(value);
    }
    return is_known ? out : kNotMeasured;
  }
  std::string since() const {
    return time_text(is_null(total("stats_reset")) ? now("started_at") : total("stats_reset"));
  }
  std::string leases() const {
    return count_text(total("acquires_total")) + ", of which waited " + percent_text(figure("waited_ratio")) +
           "; mean wait " + ms_text(figure("average_wait_ms")) + ", mean use " + ms_text(figure("average_use_ms")) +
           "; " + count_of(total("acquire_timeouts_total"), "request", "requests") + " timed out, " +
           count_text(total("acquire_rejected_total")) + " rejected";
  }
  std::string queries() const {
    const Value failed = figure("query_error_ratio");
    return count_text(total("queries_total")) + ", failed " + count_text(total("query_errors_total")) +
           (is_null(failed) ? "" : " (" + percent_text(failed) + ")") + "; mean " + ms_text(figure("average_query_ms"));
  }
  std::string connects() const {
    return count_text(total("connects_total")) + ", failed " + count_text(total("connect_failures_total")) + "; mean " +
           ms_text(figure("average_connect_ms")) + "; closed " + count_text(total("closed_total"));
  }
  std::string caches() const {
    return "hits of the query cache " + percent_text(figure("query_cache_hit_ratio")) + ", of prepared statements " +
           percent_text(figure("statement_cache_hit_ratio"));
  }

  void write_problems() {
    const std::vector<std::string> issues = texts_of(of("health", "issues"));
    const std::vector<std::string> advice = texts_of(of("health", "recommendations"));
    section("Problems", advice.empty());
    for (size_t i = 0; i < advice.size(); ++i) {
      page_.put("  - ", i < issues.size() ? issues[i] : kHidden, 4);
      page_.put("    recommended:", advice[i], 17);
    }
    if (!is_null(total("last_error")) || !is_null(total("last_error_at"))) {
      page_.put("  last error:", told(total("last_error"), "") + " (" + time_text(total("last_error_at")) + ")", 14);
    }
  }

  void write_checks() {
    const RowSet& checks = pool_.rows("health_checks");
    section("Checks", checks.size() == 0);
    for (size_t i = 0; i < checks.size(); ++i) {
      const Value& score = checks.at(i, "score");
      entry(word(checks.at(i, "status")), word(checks.at(i, "check_name")) + ": " + told(checks.at(i, "message"), "") +
                                              (is_null(score) ? "" : " (score " + count_text(score) + ")"));
    }
  }

  void write_alerts() {
    const RowSet& alerts = pool_.rows("alerts");
    bool is_first = true;
    for (size_t i = 0; i < alerts.size(); ++i) {
      if (text_of(alerts.at(i, "state")) != "firing") continue;
      if (is_first) section("Firing alerts", false);
      is_first = false;
      const Value since = ms_before_now(alerts.at(i, "since"));
      entry(word(alerts.at(i, "severity")),
            word(alerts.at(i, "rule")) + ", since " + ms_text(since) + ": " + told(alerts.at(i, "message"), ""));
      more("recommended: ", told(alerts.at(i, "advice"), "none"));
    }
    if (is_first) section("Firing alerts", true);
  }

  void write_insights() {
    const RowSet& insights = pool_.rows("insights");
    section("Insights", insights.size() == 0);
    for (size_t i = 0; i < insights.size(); ++i) {
      entry(word(insights.at(i, "severity")),
            word(insights.at(i, "subject")) + ": " + told(insights.at(i, "finding"), ""));
      more("evidence: ", told(insights.at(i, "evidence"), "none"));
      more("change: ", told(insights.at(i, "advice"), "none"));
      const std::string command = command_of(pool_, i, request_.is_for_sqlite);
      if (!command.empty()) page_.command(command, kWordColumns);
    }
  }

  void write_oldest_leases() {
    const RowSet& leases = pool_.rows("leases");
    section("Oldest leases", leases.size() == 0);
    std::vector<size_t> order(leases.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return number_of(leases.at(a, "age_ms"), -1) > number_of(leases.at(b, "age_ms"), -1);
    });
    if (order.size() > kOldestLeases) order.resize(kOldestLeases);
    for (const size_t i : order) {
      entry(ms_text(leases.at(i, "age_ms")), told(leases.at(i, "tag"), "(no tag)") + ", lease " +
                                                 count_text(leases.at(i, "lease_id")) + ", connection " +
                                                 count_text(leases.at(i, "conn_id")) +
                                                 (number_of(leases.at(i, "overdue")) != 0 ? ", overdue" : ""));
    }
  }

  Value ms_before_now(const Value& time) const {
    if (is_null(time)) return time;
    return std::max(0.0, static_cast<double>(request_.wall_now_ns) / 1e6 - number_of(time) / 1e3);
  }

  const ReportedPool& pool_;
  const RenderRequest& request_;
  TextPage& page_;
};

// "1 unhealthy, 2 healthy"
std::string summary_of(const HostReading& host) {
  std::string out;
  for (const Health each : {Health::unhealthy, Health::degraded, Health::healthy}) {
    const auto count = std::count_if(host.pools.begin(), host.pools.end(), [&](const ReportedPool& pool) {
      return severity_of(pool) == static_cast<int>(each);
    });
    if (count > 0) out += (out.empty() ? "" : ", ") + std::to_string(count) + " " + std::string(health_word(each));
  }
  return out;
}

constexpr std::string_view kTextRelations[] = {"pools",  "pool_stats", "health", "health_checks",
                                               "alerts", "insights",   "leases"};

}  // namespace

Status render_health_text(const RenderRequest& request, std::string& out) {
  HostReading host;
  if (Status read = read_host(request, kTextRelations, host); !read) return read;
  TextPage page(out);
  page.put("Health report of " + format_wall_ns(request.wall_now_ns));
  if (host.pools.empty()) {
    page.put("No pools:", host.message() + ".", 0);
    page.put("Hint:", host.hint() + ".", 0);
    return Status::ok();
  }
  page.put(std::to_string(host.pools.size()) + (host.pools.size() == 1 ? " pool" : " pools") + " in " + host.directory +
           " and in this process: " + summary_of(host));
  for (const ReportedPool& pool : host.pools) {
    page.blank();
    PoolReport(pool, request, page).write();
  }
  return Status::ok();
}

}  // namespace tide
