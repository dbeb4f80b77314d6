// check: for monitoring systems (as plugins of Nagios answer), HEALTHCHECK of Docker and exec probes of Kubernetes.
#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "commands.hpp"
#include "line.hpp"
#include "read/reading.hpp"
#include "text/json.hpp"
#include "text/print.hpp"

namespace tide::cli {

namespace {

// Defined by the monitoring systems.
enum Level : int { kOk = 0, kWarning = 1, kCritical = 2, kUnknown = 3 };
constexpr std::string_view kLevelWords[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};
constexpr int kNotReady = 1;

struct Limits {
  double critical;
  double warning;
  bool is_exceeded(double value, Level level) const { return value > (level == kCritical ? critical : warning); }
};
constexpr double kNoLimit = 1e18;

struct Problem {
  Level level;
  std::string text;
};

// A line is one line, and "|" begins the figures.
std::string one_line(const std::string& text) {
  std::string out = visible(text);
  std::replace(out.begin(), out.end(), '|', '/');
  return out;
}

std::string label_of(const std::string& pool, std::string_view what) {
  std::string out = one_line(pool);
  for (char& c : out) {
    if (c == '=' || c == '\'') c = '_';
  }
  return fmt::format("'{} {}'", out, what);
}

std::string figure(double value) { return fmt::format("{:g}", value); }
std::string limit(double value) { return value >= kNoLimit ? "" : figure(value); }

struct Survey {
  Reading pools;
  Reading health;
  Reading alerts;
  std::set<std::string> living;  // names that have a pool whose owner runs

  explicit Survey(const Which& which)
      : pools(read("pools", which)), health(read("health", which)), alerts(read("alerts", which)) {
    for (size_t row = 0; row < pools.rows.size(); ++row) {
      if (!has_ended(row)) living.insert(pools.text(row, "pool"));
    }
  }
  bool has_ended(size_t row) const {
    const std::string state = pools.text(row, "state");
    return state == "dead" || state == "closed";
  }
  // The remains of a former process, beside a running one.
  bool is_remains(size_t row) const { return has_ended(row) && living.contains(pools.text(row, "pool")); }
  std::string verdict(size_t row) const {
    for (size_t i = 0; i < health.rows.size(); ++i) {
      if (health.text(i, "instance_id") == pools.text(row, "instance_id")) return health.text(i, "status");
    }
    return "";
  }
  std::string issues(size_t row) const {
    for (size_t i = 0; i < health.rows.size(); ++i) {
      if (health.text(i, "instance_id") == pools.text(row, "instance_id")) return json_shown(health.text(i, "issues"));
    }
    return "";
  }
};

double ratio_of(const Arguments& arguments, const std::string& name) {
  return arguments.has(name) ? number_of(arguments.text(name), name, 0, 1) : kNoLimit;
}
double count_of(const Arguments& arguments, const std::string& name) {
  return arguments.has(name) ? number_of(arguments.text(name), name, 0, 1e9) : kNoLimit;
}
double ms_of(const Arguments& arguments, const std::string& name) {
  return arguments.has(name) ? static_cast<double>(milliseconds_of(arguments.text(name), name)) : kNoLimit;
}

class Check {
 public:
  Check(const Arguments& arguments, const Common& common)
      : pool_(arguments.text("POOL")),
        which_(which_of(common, pool_)),
        is_json_(common.is_json),
        utilization_{ratio_of(arguments, "--max-utilization"), ratio_of(arguments, "--warn-utilization")},
        waiting_{count_of(arguments, "--max-waiting"), count_of(arguments, "--warn-waiting")},
        wait_ms_{ms_of(arguments, "--max-wait"), ms_of(arguments, "--warn-wait")},
        survey_(which_) {}

  int monitor() {
    if (survey_.pools.rows.empty()) return absent();
    for (size_t row = 0; row < survey_.pools.rows.size(); ++row) {
      if (survey_.is_remains(row)) continue;
      look_at(row);
    }
    look_at_alerts();
    look_at_files();
    return conclude();
  }

  int ready() {
    std::string why;
    size_t ready = 0;
    for (size_t row = 0; row < survey_.pools.rows.size(); ++row) {
      if (survey_.has_ended(row)) continue;
      if (const std::string reason = not_ready(row); !reason.empty()) {
        why = reason;
        break;
      }
      ++ready;
    }
    return probe("ready", why, ready);
  }

  int live() {
    std::string why;
    size_t live = 0;
    for (size_t row = 0; row < survey_.pools.rows.size(); ++row) {
      if (survey_.has_ended(row)) continue;
      if (survey_.pools.text(row, "state") == "stale") {
        why = fmt::format("{} has not updated its state for {:.0f} s", named(row),
                          survey_.pools.cell(row, "age_ms").real / 1000);
        break;
      }
      ++live;
    }
    return probe("live", why, live);
  }

 private:
  std::string named(size_t row) const { return one_line(survey_.pools.text(row, "pool")); }
  void add(Level level, std::string text) { problems_.push_back({level, std::move(text)}); }

  int absent() {
    try {
      require_pools(which_);
    } catch (const Failure& failure) {
      add(pool_.empty() ? kUnknown : kCritical,
          one_line(failure.message + (failure.detail.empty() ? "" : " (" + failure.detail + ")")));
    }
    return conclude();
  }

  void exceed(const Limits& limits, double value, const std::string& text) {
    for (const Level level : {kCritical, kWarning}) {
      if (limits.is_exceeded(value, level)) return add(level, text);
    }
  }

  void look_at(size_t row) {
    const Reading& pools = survey_.pools;
    const std::string state = pools.text(row, "state");
    const std::string name = named(row);
    const std::string verdict = survey_.verdict(row);
    if (state == "dead" || state == "closed" || state == "stale" || state == "emergency") {
      add(kCritical, fmt::format("{} is {}", name, state));
    } else if (state != "running") {
      add(kWarning, fmt::format("{} is {}", name, state.empty() ? "in an unknown state" : state));
    }
    if (!survey_.has_ended(row) && (verdict == "unhealthy" || verdict == "degraded")) {
      add(verdict == "unhealthy" ? kCritical : kWarning,
          fmt::format("{} is {}: {}", name, verdict, one_line(survey_.issues(row))));
    }
    if (survey_.has_ended(row)) return;
    const double utilization = pools.cell(row, "utilization").real;
    const double waiting = static_cast<double>(pools.cell(row, "waiting").integer);
    const double wait_ms = pools.cell(row, "oldest_wait_ms").real;
    exceed(utilization_, utilization, fmt::format("{} utilization is {:.2f}", name, utilization));
    exceed(waiting_, waiting, fmt::format("{} has {} waiting callers", name, waiting));
    exceed(wait_ms_, wait_ms, fmt::format("{} has a caller that waits for {:.0f} ms", name, wait_ms));
    in_use_ += pools.cell(row, "in_use").integer;
    limit_ += pools.cell(row, "limit_size").integer;
    ++count_;
    const std::string pool = pools.text(row, "pool");
    // Several processes may have pools of one name.
    const std::string label = counts_[pool]++ == 0 ? pool : fmt::format("{} {}", pool, counts_[pool]);
    figures_ +=
        fmt::format(" {}={};{};{};0;1 {}={};;;0;{} {}={};{};{};0", label_of(label, "utilization"), figure(utilization),
                    limit(utilization_.warning), limit(utilization_.critical), label_of(label, "in_use"),
                    pools.cell(row, "in_use").integer, pools.cell(row, "limit_size").integer,
                    label_of(label, "waiting"), figure(waiting), limit(waiting_.warning), limit(waiting_.critical));
  }

  void look_at_alerts() {
    const Reading& alerts = survey_.alerts;
    for (size_t row = 0; row < alerts.rows.size(); ++row) {
      if (alerts.text(row, "state") != "firing" || !survey_.living.contains(alerts.text(row, "pool"))) continue;
      const std::string severity = alerts.text(row, "severity");
      if (severity == "info" || !alerts.cell(row, "acked_by").is_null) continue;
      add(severity == "critical" ? kCritical : kWarning,
          one_line(fmt::format("{}: {}", alerts.text(row, "pool"), alerts.text(row, "message"))));
    }
  }

  void look_at_files() {
    const Reading files = read("segments", {which_.directory, pool_, which_.instance});
    for (size_t row = 0; row < files.rows.size(); ++row) {
      const std::string status = files.text(row, "status");
      if (status == "unreadable" || status == "damaged" || status == "other_version")
        add(kWarning, one_line(fmt::format("{} is {}", files.text(row, "path"), status)));
    }
  }

  int conclude() {
    constexpr size_t kShownMax = 3;
    // Critical before unknown before warning.
    const auto rank = [](Level level) {
      return level == kCritical ? 3 : level == kUnknown ? 2 : level == kWarning ? 1 : 0;
    };
    std::stable_sort(problems_.begin(), problems_.end(),
                     [&](const Problem& a, const Problem& b) { return rank(a.level) > rank(b.level); });
    const Level level = problems_.empty() ? kOk : problems_.front().level;
    std::string text =
        fmt::format("{} pool{}, {} of {} connections in use", count_, count_ == 1 ? "" : "s", in_use_, limit_);
    if (!problems_.empty()) text.clear();
    for (size_t i = 0; i < std::min(problems_.size(), kShownMax); ++i) text += (i == 0 ? "" : "; ") + problems_[i].text;
    if (problems_.size() > kShownMax) text += fmt::format("; and {} more", problems_.size() - kShownMax);
    if (is_json_) {
      std::string list;
      for (const Problem& problem : problems_) {
        list += fmt::format("{}{{\"level\": {}, \"message\": {}}}", list.empty() ? "" : ", ",
                            json_string(kLevelWords[problem.level]), json_string(problem.text));
      }
      print(fmt::format("{{\"status\": \"{}\", \"exit_code\": {}, \"message\": {}, \"problems\": [{}]}}\n",
                        kLevelWords[level], static_cast<int>(level), json_string(text), list));
    } else {
      print(fmt::format("TIDEPOOL {} - {}{}{}\n", kLevelWords[level], text, figures_.empty() ? "" : " |", figures_));
    }
    return level;
  }

  std::string not_ready(size_t row) const {
    const std::string state = survey_.pools.text(row, "state");
    if (state != "running" && state != "degraded" && state != "emergency") return named(row) + " is " + state;
    if (survey_.verdict(row) == "unhealthy")
      return fmt::format("{} is unhealthy: {}", named(row), one_line(survey_.issues(row)));
    return "";
  }

  int probe(std::string_view word, std::string why, size_t count) {
    if (why.empty() && count == 0) {
      why = pool_.empty() ? "no pool is open" : fmt::format("no pool {} is open", in_quotes(pool_));
    }
    const bool is_so = why.empty();
    if (is_json_) {
      print(fmt::format("{{\"{}\": {}, \"message\": {}}}\n", word, is_so, is_so ? "null" : json_string(why)));
    } else {
      print(is_so ? fmt::format("{}\n", word) : fmt::format("not {}: {}\n", word, why));
    }
    return is_so ? 0 : kNotReady;
  }

  std::string pool_;
  Which which_;
  bool is_json_;
  Limits utilization_, waiting_, wait_ms_;
  Survey survey_;
  std::vector<Problem> problems_;
  std::map<std::string, int> counts_;
  std::string figures_;
  int64_t in_use_ = 0;
  int64_t limit_ = 0;
  int64_t count_ = 0;
};

int run_check(const Arguments& arguments, const Common& common) {
  if (arguments.has("--ready") && arguments.has("--live"))
    throw Failure{kMisuse, "--ready and --live exclude each other"};
  Check check(arguments, common);
  if (arguments.has("--ready")) return check.ready();
  if (arguments.has("--live")) return check.live();
  return check.monitor();
}

}  // namespace

void add_check(Program& program) {
  Command command{"check",
                  "monitor",
                  "Test pools, for monitoring systems and probes.",
                  {{"POOL", "", "Only pools of this name.", false, false, Completes::pool},
                   {"--ready", "", "Only whether requests are served: running, and not unhealthy."},
                   {"--live", "", "Only whether the process updates the pool's state."},
                   {"--max-utilization", "RATIO", "Critical above this share of connections in use, 0 to 1."},
                   {"--warn-utilization", "RATIO", "Warning above this share."},
                   {"--max-waiting", "N", "Critical with more waiting callers."},
                   {"--warn-waiting", "N", "Warning with more waiting callers."},
                   {"--max-wait", "DURATION", "Critical if a caller waits longer."},
                   {"--warn-wait", "DURATION", "Warning if a caller waits longer."}},
                  {{"tidepool check shop --max-utilization 0.9", "plugin of Nagios, Icinga and others"},
                   {"tidepool check --ready shop", "readiness probe of Kubernetes, HEALTHCHECK of Docker"},
                   {"tidepool check --live shop", "liveness probe of Kubernetes"}},
                  run_check};
  command.text =
      "Prints one line. Without --ready and --live it is that of a plugin of Nagios, with figures after \"|\". "
      "Critical are: "
      "a pool that is dead, closed, stale, in emergency mode or unhealthy, a critical alert that nobody has "
      "acknowledged, a "
      "named pool that does not exist. Warnings are: other states than running, a degraded health, other alerts, files "
      "that "
      "cannot be read. Former processes are ignored where a pool of the same name runs. With --ready and --live every "
      "running pool of that name must pass.";
  command.exit_codes =
      "0  OK; with --ready and --live: yes\n"
      "1  WARNING; with --ready and --live: no\n"
      "2  CRITICAL\n"
      "3  UNKNOWN: no pools can be seen, or wrong use";
  command.misuse_exit_code = kUnknown;
  program.add(std::move(command));
}

}  // namespace tide::cli
