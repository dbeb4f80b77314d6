#include "reading/health_verdict.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/units.hpp"
#include "model/words.hpp"
#include "reading/cell.hpp"
#include "reading/counts.hpp"
#include "reading/source.hpp"

namespace tide {
namespace {

using enum ColumnType;
using enum Privacy;
using OrderedJson = nlohmann::ordered_json;

class Judge {
 public:
  void find(Health how_bad, std::string issue, std::string recommendation) {
    found_.push_back({how_bad, std::move(issue), std::move(recommendation)});
  }
  HealthVerdict verdict() {
    std::stable_sort(found_.begin(), found_.end(),
                     [](const Found& a, const Found& b) { return a.how_bad > b.how_bad; });
    HealthVerdict out;
    for (Found& each : found_) {
      out.health = std::max(out.health, each.how_bad);
      out.issues.push_back(std::move(each.issue));
      out.recommendations.push_back(std::move(each.recommendation));
    }
    return out;
  }

 private:
  struct Found {
    Health how_bad;
    std::string issue, recommendation;
  };
  std::vector<Found> found_;
};

std::string callers(uint64_t n) { return std::to_string(n) + (n == 1 ? " caller waits" : " callers wait"); }

void judge_state(std::string_view state, Judge& judge) {
  struct Row {
    std::string_view state;
    Health how_bad;
    const char* issue;
    const char* recommendation;
  };
  static constexpr Row kRows[] = {
      {"closed", Health::unhealthy, "the pool is closed", "open it again where it is needed"},
      {"dead", Health::unhealthy, "the process that owned the pool has ended without closing it",
       "look why it ended, and start it again"},
      {"stale", Health::unhealthy, "the process that owns the pool has not been heard of for seconds",
       "look whether it is stopped, or its machine overloaded"},
      {"starting", Health::degraded, "the pool has not reached min_size yet", "wait, and look at the relation events"},
      {"paused", Health::degraded, "the pool is paused by a command", "resume it when it is to serve again"},
      {"draining", Health::degraded, "the pool is draining by a command, and lets nobody in",
       "resume it when it is to serve again"},
      {"emergency", Health::degraded, "the pool has made itself small in an emergency",
       "look at the relation events for what failed"},
  };
  for (const Row& row : kRows) {
    if (row.state == state) judge.find(row.how_bad, row.issue, row.recommendation);
  }
}

// A pool that lives: whether callers get connections.
void judge_service(const Attachment& segment, const VitalsCopy& vitals, Judge& judge) {
  const bool is_connecting = word_of<BreakerState>(vitals.breaker) == "closed";
  if (!is_connecting) {
    const auto totals = segment.read_totals();
    const std::string why =
        totals && !totals->last_error.empty() ? ": " + clean_text(totals->last_error) : std::string{};
    judge.find(Health::unhealthy, "no connection can be made" + why,
               "see that the database runs and accepts this pool's address, user and password");
  }
  const auto queue = segment.read_queue();
  const uint64_t waiting = queue ? queue->waiting.load(std::memory_order_relaxed) : 0;
  const uint64_t in_use = count_slots(segment.read_slots()).in_use();
  const auto limit = static_cast<uint64_t>(std::max<int64_t>(0, vitals.limit_size));
  if (is_connecting && waiting > 0 && in_use > 0 && in_use >= limit) {
    judge.find(Health::unhealthy,
               "exhausted: all " + std::to_string(in_use) + " connections are in use and " + callers(waiting),
               "release leases sooner (the relation leases tells who holds them), or raise max_size");
  }
  if (waiting > kWaitingMany) {
    judge.find(Health::unhealthy, callers(waiting) + ", more than " + std::to_string(kWaitingMany),
               "raise max_size, or shed load with max_waiting");
  }
}

void judge_check(HealthCheck which, const format::HealthRecord& check, Judge& judge) {
  struct Row {
    std::string_view check;
    Health when_failed;
    const char* recommendation;
  };
  static constexpr Row kRows[] = {
      {"connectivity", Health::unhealthy, "see that the database can be reached, and look at last_error in pool_stats"},
      {"performance", Health::unhealthy, "look for slow or failing statements, and at the load of the database"},
      {"resources", Health::degraded, "give the process more memory or descriptors, or lower max_size"},
      {"scaling", Health::degraded, "look at the relation scaling_events, and raise max_size or min_size"},
  };
  const std::string_view status = word_of<HealthStatus>(check.status);
  const std::string_view name = word(which);
  if (status == "ok") return;
  for (const Row& row : kRows) {
    if (row.check != name) continue;
    judge.find(status == "failed" ? row.when_failed : Health::degraded,
               std::string(name) +
                   (check.message.empty() ? std::string(" ") + std::string(status) : ": " + clean_text(check.message)),
               row.recommendation);
  }
}

constexpr Column kVerdictColumns[] = {
    {"instance_id", text, "", "The instance, as in pools.", open},
    {"pool", text, "", "The pool's name.", open},
    {"healthy", boolean, "", "Whether the status is healthy."},
    {"status", text, "",
     "healthy; degraded: it serves, but not as it should; unhealthy: it does not serve as it should.", open},
    {"issues", json, "", "What is wrong, an array of sentences, the worst first; empty where nothing is.", masked},
    {"recommendations", json, "", "What to do about each issue, in the same order.", open},
    {"checks", json, "", "The latest health checks, by their names: status, score, message and checked_at.", masked},
};

void add_verdict(const Attachment& segment, int64_t, std::vector<Row>& out) {
  const HeaderCopy& h = segment.header();
  const HealthVerdict verdict = health_verdict(segment);
  out.push_back({cell::text(h.instance_id), cell::text(h.pool), cell::truth(verdict.is_healthy()),
                 cell::text(health_word(verdict.health)), cell::text(list_json(verdict.issues)),
                 cell::text(list_json(verdict.recommendations)), cell::text(checks_json(verdict))});
}

OrderedJson checks_of(const HealthVerdict& verdict) {
  OrderedJson checks = OrderedJson::object();
  for (const auto& [which, check] : verdict.checks) {
    OrderedJson& out = checks[std::string(word(which))];
    out["status"] = word_of<HealthStatus>(check.status);
    if (cell::is_measured(check.score)) out["score"] = check.score;
    out["message"] = clean_text(check.message);
    out["checked_at"] = format_wall_ns(check.checked_wall_ns);
  }
  return checks;
}

}  // namespace

std::string_view health_word(Health health) {
  switch (health) {
    case Health::healthy: return "healthy";
    case Health::degraded: return "degraded";
    case Health::unhealthy: return "unhealthy";
  }
  return "unknown";
}

HealthVerdict health_verdict(const Attachment& segment) {
  Judge judge;
  const auto vitals = segment.read_vitals();
  const std::string_view state = state_word(segment.liveness(), vitals);
  judge_state(state, judge);
  const bool is_alive = state != "closed" && state != "dead" && state != "stale";
  auto checks = checks_made(segment);
  if (is_alive && vitals) {
    judge_service(segment, *vitals, judge);
    for (const auto& [which, check] : checks) judge_check(which, check, judge);
  }
  HealthVerdict verdict = judge.verdict();
  verdict.checks = std::move(checks);
  return verdict;
}

std::string list_json(const std::vector<std::string>& texts) { return json_dump(OrderedJson(texts)); }
std::string checks_json(const HealthVerdict& verdict) { return json_dump(checks_of(verdict)); }

std::string verdict_json(const HealthVerdict& verdict) {
  OrderedJson out;
  out["healthy"] = verdict.is_healthy();
  out["status"] = health_word(verdict.health);
  out["issues"] = verdict.issues;
  out["recommendations"] = verdict.recommendations;
  out["checks"] = checks_of(verdict);
  return json_dump(out);
}

const Source& health_source() {
  static constexpr Source kSource{{"health", "One verdict on each pool, with reasons and advice.", kVerdictColumns},
                                  add_verdict};
  return kSource;
}

}  // namespace tide
