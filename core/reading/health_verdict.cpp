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
      {"closed", Health::unhealthy, "the pool is closed", "open it again if it is needed"},
      {"dead", Health::unhealthy, "the owner's process exited without closing the pool",
       "find out why it exited, and restart it"},
      {"stale", Health::unhealthy, "the owner's process has not updated the pool's state for seconds",
       "check whether it is stopped, or the machine overloaded"},
      {"starting", Health::degraded, "the pool has not reached min_size yet", "wait, and check the relation events"},
      {"paused", Health::degraded, "the pool is paused", "resume it to accept requests again"},
      {"draining", Health::degraded, "the pool is draining and does not accept requests",
       "resume it to accept requests again"},
      {"emergency", Health::degraded, "the pool is in emergency mode with reduced size",
       "check the relation events for the failures"},
  };
  for (const Row& row : kRows) {
    if (row.state == state) judge.find(row.how_bad, row.issue, row.recommendation);
  }
}

// Whether callers of a live pool get connections.
void judge_service(const Attachment& segment, const VitalsCopy& vitals, Judge& judge) {
  const std::string_view breaker = word_of<BreakerState>(vitals.breaker);
  const bool is_connecting = breaker == "closed" || breaker == "off";
  if (!is_connecting) {
    const auto totals = segment.read_totals();
    const std::string why =
        totals && !totals->last_error.empty() ? ": " + clean_text(totals->last_error) : std::string{};
    judge.find(Health::unhealthy, "no connection can be opened" + why,
               "check that the database is running and accepts this pool's address, user and password");
  }
  const auto queue = segment.read_queue();
  const uint64_t waiting = queue ? queue->waiting.load(std::memory_order_relaxed) : 0;
  const uint64_t in_use = count_slots(segment.read_slots()).in_use();
  const auto limit = static_cast<uint64_t>(std::max<int64_t>(0, vitals.limit_size));
  if (is_connecting && waiting > 0 && in_use > 0 && in_use >= limit) {
    judge.find(Health::unhealthy,
               "exhausted: all " + std::to_string(in_use) + " connections are in use and " + callers(waiting),
               "release leases sooner (see the relation leases for the holders), or raise max_size");
  }
  if (waiting > kWaitingMany) {
    judge.find(Health::unhealthy, callers(waiting) + ", more than " + std::to_string(kWaitingMany),
               "raise max_size, or limit the queue with max_waiting");
  }
}

void judge_check(HealthCheck which, const format::HealthRecord& check, Judge& judge) {
  struct Row {
    std::string_view check;
    Health when_failed;
    const char* recommendation;
  };
  static constexpr Row kRows[] = {
      {"connectivity", Health::unhealthy, "check that the database can be reached; see last_error in pool_stats"},
      {"performance", Health::unhealthy, "check for slow or failing statements and the load of the database"},
      {"resources", Health::degraded, "give the process more memory or descriptors, or lower max_size"},
      {"scaling", Health::degraded, "check the relation scaling_events, and raise max_size or min_size"},
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
    {"healthy", boolean, "", "True if the status is healthy."},
    {"status", text, "", "healthy, degraded (requests are served, with problems) or unhealthy.", open},
    {"issues", json, "", "Problems, as a JSON array of texts, most severe first; empty if there are none.", masked},
    {"recommendations", json, "", "Recommended action for each issue, in the same order.", open},
    {"checks", json, "", "Latest health checks by name: status, score, message and checked_at.", masked},
};

void add_verdict(const Attachment& segment, int64_t, std::vector<Row>& out) {
  const HealthVerdict verdict = health_verdict(segment);
  out.push_back({cell::truth(verdict.is_healthy()), cell::text(health_word(verdict.health)),
                 cell::text(list_json(verdict.issues)), cell::text(list_json(verdict.recommendations)),
                 cell::text(checks_json(verdict))});
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
  static constexpr Source kSource{
      {"health", "Overall health of each pool, with problems and recommendations.", kVerdictColumns}, add_verdict};
  return kSource;
}

}  // namespace tide
