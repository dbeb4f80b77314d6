// Rules about the size of the pool, and about the server that several pools share.
//
// The size that a load needs is computed with Erlang's formula for queues ("Solution of Some Problems in the Theory of
// Probabilities of Significance in Automatic Telephone Exchanges", 1917), as the pool's own sizer aims for it: the
// fewest connections with which at most wait_objective_share of the requests wait longer than wait_objective. The load
// is the average number of connections in use, in the 99th percentile of minutes or hours. Requests that timed out would
// have been in use as well, as long as the others.
#include <algorithm>
#include <cmath>

#include "base/text.hpp"
#include "base/units.hpp"
#include "reading/insights/rules.hpp"
#include "reading/insights/wording.hpp"

namespace tide {
namespace {

using insight::counted;
using insight::duration;
using insight::number;
using insight::percent;
using insight::whole_text;
using Interval = PoolReading::Interval;

constexpr double kDemandShare = 0.99;  // of the intervals
constexpr int64_t kSizeMost = 10'000;  // largest max_size

struct Demand {
  double load = 0;    // connections in use on average
  double held_s = 0;  // by a lease, on average
};

Demand demand_in(const Interval& interval) {
  if (interval.acquires <= 0) return {interval.in_use_avg, 0};
  return {interval.in_use_avg * (1 + interval.timeouts / interval.acquires),
          interval.in_use_avg * interval.length_s / interval.acquires};
}

// The interval with the load that is exceeded in a hundredth of them.
Demand demand_of(const std::vector<Interval>& history) {
  std::vector<Demand> demands;
  for (const Interval& interval : history) demands.push_back(demand_in(interval));
  if (demands.empty()) return {};
  std::sort(demands.begin(), demands.end(), [](const Demand& a, const Demand& b) { return a.load < b.load; });
  const double place = std::ceil(kDemandShare * static_cast<double>(demands.size())) - 1;
  return demands[static_cast<size_t>(std::max(0.0, place))];
}

double size_for(const Demand& demand, const Policy& policy) {
  const double objective_s = policy.wait_objective.seconds_exact();
  double lost = 1;  // share of the requests that would find `n` connections in use if nobody waited
  for (int64_t n = 1; n < kSizeMost; ++n) {
    const double spare = static_cast<double>(n) - demand.load;
    lost = demand.load * lost / (static_cast<double>(n) + demand.load * lost);
    if (spare <= 0) continue;
    const double waiting = lost / (lost + (1 - lost) * spare / static_cast<double>(n));
    const double too_long = demand.held_s > 0 ? waiting * std::exp(-spare * objective_s / demand.held_s) : 0;
    if (too_long <= policy.wait_objective_share) return static_cast<double>(n);
  }
  return static_cast<double>(kSizeMost);
}

double peak_of(const std::vector<Interval>& history) {
  double peak = 0;
  for (const Interval& interval : history) peak = std::max(peak, interval.in_use_max + interval.waiting_max);
  return peak;
}

// The smallest max_size that contradicts no other option.
int64_t least_max_size(const Policy& policy) {
  return std::max<int64_t>({1, policy.min_size, policy.min_idle, policy.reserve_size == 0 ? 0 : policy.reserve_size + 1,
                            policy.health_min_healthy});
}

// Advises to raise max_size to `wanted`. It must not exceed burst_max_size, which is then the option to raise first.
void advise_to_raise(Insight& insight, const PoolReading& reading, double wanted) {
  const int64_t burst = reading.policy.burst_max_size;
  const auto size = static_cast<int64_t>(std::ceil(std::clamp(wanted, 1.0, static_cast<double>(kSizeMost))));
  insight.option_name = burst != 0 && size > burst ? "burst_max_size" : "max_size";
  insight.option_value = std::to_string(size);
  insight.advice = "raise max_size to " + insight.option_value;
  if (burst != 0 && size > burst) insight.advice += ", and before it burst_max_size (" + std::to_string(burst) + ")";
  if (size > reading.capacity)
    insight.advice += " (open the pool again: this instance has room for " + std::to_string(reading.capacity) + ")";
}

bool is_pooling_freely(const PoolReading& reading) {
  return reading.policy.is_pooling() && reading.limit_size >= reading.policy.max_size;
}

// A rate: overload that was detected once may be a coincidence.
constexpr double kOverloadsEnough = 3, kOverloadsPerHour = 0.5;

bool is_past_knee(const PoolReading& reading) {
  const double overloads = reading.count(Counter::overloads_total);
  return overloads >= kOverloadsEnough && reading.per_hour(overloads) >= kOverloadsPerHour;
}

// How many more connections the server accepts, with a tenth for others.
double room_at_server(const PoolReading& reading) {
  if (reading.server_sessions < 0 || reading.server_sessions_max < 0) return PoolReading::kMost;
  return std::max(
      0.0, 0.9 * static_cast<double>(reading.server_sessions_max) - static_cast<double>(reading.server_sessions));
}

// ---- too small

constexpr size_t kMinutesEnough = 10;
constexpr double kRequestsEnough = 60;  // so that their percentile is one
// In which part of the history the pool was saturated: for an hour now and then, or all the time since a minute.
struct Window {
  std::vector<Interval> PoolReading::*history;
  std::string_view unit;
  double requests_enough;  // in an interval
  size_t intervals_enough;
  double saturated_share, saturated_enough;  // of the intervals, and at least so many
};
constexpr Window kWindows[] = {
    {&PoolReading::minutes, "minute", kRequestsEnough, kMinutesEnough, 0.25, 5},
    {&PoolReading::seconds, "second", 1, 30, 0.8, 30},
};
constexpr double kWaitRatio = 2;           // over wait_objective: the pool is allowed to come near it
constexpr double kTimeoutsSerious = 0.01;  // of the requests

struct Saturation {
  double intervals = 0, requests = 0, timeouts = 0, worst_wait_s = 0;
  std::vector<Interval> busy;  // those in which it was saturated
};

bool is_saturated(const Interval& interval, double longest_s) {
  return interval.limit_size > 0 && interval.in_use_max >= interval.limit_size &&
         (interval.wait_p99_s > longest_s || interval.timeouts > 0);
}

Saturation saturation_in(const std::vector<Interval>& history, double least_requests, double longest_s) {
  Saturation out;
  for (const Interval& interval : history) {
    ++out.intervals;
    out.requests += interval.acquires + interval.timeouts;
    out.timeouts += interval.timeouts;
    if (interval.acquires + interval.timeouts < least_requests || !is_saturated(interval, longest_s)) continue;
    out.worst_wait_s = std::max(out.worst_wait_s, interval.wait_p99_s);
    out.busy.push_back(interval);
  }
  return out;
}

void judge_too_small(const PoolReading& reading, Findings& findings) {
  const Policy& policy = reading.policy;
  if (!is_pooling_freely(reading) || is_past_knee(reading)) return;
  const double longest_s = kWaitRatio * policy.wait_objective.seconds_exact();
  const Window* window = nullptr;
  Saturation found;
  for (const Window& each : kWindows) {
    const std::vector<Interval>& history = reading.*each.history;
    found = saturation_in(history, each.requests_enough, longest_s);
    const auto saturated = static_cast<double>(found.busy.size());
    if (history.size() < each.intervals_enough || found.requests < kRequestsEnough) continue;
    if (saturated < each.saturated_enough || saturated < each.saturated_share * found.intervals) continue;
    window = &each;
    break;
  }
  if (window == nullptr) return;
  const Demand demand = demand_of(found.busy);
  const double now = static_cast<double>(policy.max_size);
  double wanted = std::max(size_for(demand, policy), now + 1);
  if (reading.forecast) wanted = std::max(wanted, std::min(reading.forecast->predicted_in_use, 2 * now));
  wanted = std::min({wanted, now + room_at_server(reading), static_cast<double>(kSizeMost)});
  Insight insight{.severity = found.timeouts > 0 && found.timeouts >= kTimeoutsSerious * found.requests
                                  ? Severity::critical
                                  : Severity::warning};
  insight.finding = "the pool is too small: in " + number(static_cast<double>(found.busy.size())) + " of the last " +
                    counted(found.intervals, window->unit) +
                    " all connections were in use and callers waited longer than twice wait_objective (" +
                    format_span(policy.wait_objective) + ")";
  insight.evidence = number(demand.load) + " in use on average in the busiest of them, of at most " + number(now) +
                     "; waits up to " + duration(found.worst_wait_s) + " (p99), " + counted(found.timeouts, "timeout") +
                     " of " + counted(found.requests, "request") + " (pool_history)";
  if (wanted < now + 1) {
    insight.advice =
        "the server has no room for more connections: hold leases for less time, or raise its "
        "max_connections";
  } else {
    advise_to_raise(insight, reading, wanted);
    insight.advice += ", or hold leases for less time";
  }
  findings.add(std::move(insight));
}

// ---- the demand will exceed the limit

constexpr double kForecastError = 0.25;  // a forecast with larger errors is not believed
constexpr double kForecastNear = 0.95;   // of max_size

void judge_forecast(const PoolReading& reading, Findings& findings) {
  const auto& forecast = reading.forecast;
  if (!is_pooling_freely(reading) || !forecast || forecast->error > kForecastError) return;
  if (reading.minutes.size() < kMinutesEnough || is_past_knee(reading)) return;
  const double now = static_cast<double>(reading.policy.max_size);
  // With fewer than 4 connections, the share is less than one connection away from any load.
  if (now < 4 || forecast->predicted_in_use < kForecastNear * now) return;
  const double wanted =
      std::min({size_for({forecast->predicted_in_use, demand_of(reading.minutes).held_s}, reading.policy), 2 * now,
                now + room_at_server(reading), static_cast<double>(kSizeMost)});
  if (wanted < now + 1) return;
  Insight insight{.severity = Severity::info};
  insight.finding = number(forecast->predicted_in_use) + " connections are expected to be in use in " +
                    duration(forecast->horizon_s) + "; max_size is " + number(now);
  insight.evidence = "the selected forecast, with an error of " + percent(forecast->error) + " so far (forecasts)";
  advise_to_raise(insight, reading, wanted);
  insight.advice += " before callers wait, or start a burst";
  findings.add(std::move(insight));
}

// ---- too large, min_size wasted

constexpr size_t kHoursEnough = 24;    // a day with its busy hours
constexpr double kLargeRatio = 3;      // max_size over the highest demand
constexpr double kPeakHeadroom = 1.5;  // over the highest demand that was seen
constexpr double kWasteEnough = 5;     // connections; fewer are not worth a change

void judge_too_large(const PoolReading& reading, Findings& findings) {
  if (!is_pooling_freely(reading) || reading.hours.size() < kHoursEnough) return;
  const double peak = std::max(peak_of(reading.hours), peak_of(reading.minutes));
  const double now = static_cast<double>(reading.policy.max_size);
  const double wanted = std::max({std::ceil(kPeakHeadroom * peak), size_for(demand_of(reading.hours), reading.policy),
                                  2.0, static_cast<double>(least_max_size(reading.policy))});
  if (now < kLargeRatio * peak || now - wanted < kWasteEnough) return;
  Insight insight{.severity = Severity::info};
  insight.finding = "max_size " + number(now) + " is far above the demand: at most " + number(peak) +
                    " connections were in use or waited for in " +
                    counted(static_cast<double>(reading.hours.size()), "hour");
  insight.evidence = number(demand_of(reading.hours).load) +
                     " in use on average in the busiest hours (pool_history, "
                     "resolution_ms 3600000)";
  insight.option_name = "max_size";
  insight.option_value = whole_text(wanted);
  insight.advice = "lower max_size to " + insight.option_value +
                   ", so that a fault of the program cannot occupy the server's connections";
  findings.add(std::move(insight));
}

void judge_min_size(const PoolReading& reading, Findings& findings) {
  if (!reading.policy.is_pooling() || reading.hours.size() < kHoursEnough) return;
  const double peak = std::max(peak_of(reading.hours), peak_of(reading.minutes));
  const double now = static_cast<double>(reading.policy.min_size);
  const double wanted = std::max(1.0, std::ceil(kPeakHeadroom * peak));
  if (now < kLargeRatio * peak || now - wanted < kWasteEnough) return;
  Insight insight{.severity = Severity::info};
  insight.finding = "min_size keeps " + number(now) + " connections open, of which at most " + number(peak) +
                    " were needed at once in " + counted(static_cast<double>(reading.hours.size()), "hour");
  insight.evidence = "highest in_use_max and waiting_max (pool_history, resolution_ms 3600000)";
  insight.option_name = "min_size";
  insight.option_value = whole_text(wanted);
  insight.advice = "lower min_size to " + insight.option_value + "; the pool opens more when they are needed";
  findings.add(std::move(insight));
}

// ---- more connections make the database slower

constexpr double kKneeShare = 0.75;  // of max_size, if the pool has not found a limit itself

void judge_knee(const PoolReading& reading, Findings& findings) {
  const int64_t max_size = reading.policy.max_size;
  if (!reading.policy.is_pooling() || max_size < 2 || !is_past_knee(reading)) return;
  const double overloads = reading.count(Counter::overloads_total);
  const int64_t found = reading.limit_size > 0 && reading.limit_size < max_size
                            ? reading.limit_size
                            : static_cast<int64_t>(kKneeShare * static_cast<double>(max_size));
  const int64_t wanted = std::max(least_max_size(reading.policy), found);
  Insight insight{.severity = Severity::warning};
  insight.finding =
      "the database becomes slower with more connections: overload was detected " + counted(overloads, "time");
  insight.evidence = number(reading.per_hour(overloads)) +
                     " times an hour (pool_stats.overloads_total, events of kind "
                     "overload_on); limit_size is " +
                     std::to_string(reading.limit_size) + ", max_size " + std::to_string(max_size);
  insight.advice = "find the statements that compete (queries), or give the database more resources";
  if (wanted < max_size) {
    insight.option_name = "max_size";
    insight.option_value = std::to_string(wanted);
    insight.advice = "lower max_size to " + insight.option_value + "; " + insight.advice;
  }
  findings.add(std::move(insight));
}

// ---- other pools of the same server

constexpr double kWaitingSeconds = 10;  // of the last minute: not a moment's coincidence
constexpr int64_t kIdleEnough = 2;

void judge_idle_elsewhere(const PoolReading& reading, Findings& findings) {
  if (!is_pooling_freely(reading) || reading.waiting == 0 || reading.in_use < reading.limit_size) return;
  if (is_past_knee(reading)) return;
  double waited = 0;
  for (const Interval& second : reading.seconds) waited += second.waiting_max > 0 ? 1 : 0;
  if (waited < kWaitingSeconds) return;
  const HostPool* idlest = nullptr;
  for (const HostPool& other : reading.others) {
    if (other.target != reading.target || other.waiting > 0) continue;
    if (other.idle < std::max(kIdleEnough, other.in_use)) continue;
    if (idlest == nullptr || other.idle > idlest->idle) idlest = &other;
  }
  if (idlest == nullptr) return;
  const double moved = std::ceil(static_cast<double>(idlest->idle) / 2);
  Insight insight{.severity = Severity::warning};
  insight.finding = counted(static_cast<double>(reading.waiting), "caller") +
                    (reading.waiting == 1 ? " waits" : " wait") + " here while pool " + in_quotes(idlest->pool) +
                    " of the same database has " + std::to_string(idlest->idle) + " idle connections";
  insight.evidence = "callers waited in " + number(waited) + " of the last " +
                     counted(static_cast<double>(reading.seconds.size()), "second") + "; there " +
                     std::to_string(idlest->in_use) + " in use, nobody waits (pools)";
  advise_to_raise(insight, reading, static_cast<double>(reading.policy.max_size) + moved);
  insight.advice += " here and lower it there by " + number(moved) + ", or share one pool";
  findings.add(std::move(insight));
}

constexpr double kServerNear = 0.85, kServerSerious = 0.95;  // of the server's connections

void judge_server(const PoolReading& reading, Findings& findings) {
  if (reading.server_sessions < 0 || reading.server_sessions_max < 1) return;
  const auto most = static_cast<double>(reading.server_sessions_max);
  const double share = static_cast<double>(reading.server_sessions) / most;
  if (share < kServerNear) return;
  const double own = static_cast<double>(reading.policy.size_limit());
  double all = own;
  for (const HostPool& other : reading.others) all += static_cast<double>(other.max_size);
  Insight insight{.severity = share >= kServerSerious ? Severity::critical : Severity::warning};
  insight.finding = "the server has " + std::to_string(reading.server_sessions) + " sessions of at most " +
                    std::to_string(reading.server_sessions_max);
  insight.evidence = "pool_stats.server_sessions; the max_size of this host's pools of this server adds up to " +
                     number(all) + " in " + counted(static_cast<double>(reading.others.size() + 1), "pool");
  const auto least = static_cast<double>(least_max_size(reading.policy));
  // Its part of what would leave a fifth to others.
  const double wanted = std::max(
      least, std::floor(own * std::min(1.0, 0.8 * most / std::max(all, static_cast<double>(reading.server_sessions)))));
  insight.advice = "close what is not needed, raise the server's max_connections, or put a pooler in front of it";
  if (reading.policy.is_pooling() && wanted < own) {
    insight.option_name = "max_size";
    insight.option_value = whole_text(wanted);
    insight.advice = "lower max_size to " + insight.option_value + ", or " + insight.advice;
  }
  findings.add(std::move(insight));
}

// clang-format off
constexpr InsightRule kSizeRules[] = {
    {"size", "pool too small",
     "In a quarter of the minutes of the last hour, and at least in 5, all connections were in use and the 99th percentile "
     "of the waits was above twice wait_objective, or requests timed out. Critical if 1 % of the requests timed out. "
     "Needs 10 minutes of history, or 80 % of the last minute.",
     "The max_size with which at most wait_objective_share of the requests wait longer than wait_objective, according to "
     "Erlang's formula and the load of the busiest of these minutes (connections in use on average, and what timed out); "
     "not more than the server has room for.",
     judge_too_small},
    {"size", "demand forecast",
     "A forecast whose errors are at most 25 % expects 95 % of max_size or more to be in use.",
     "Raise max_size, or start a burst.", judge_forecast},
    {"size", "pool too large",
     "max_size is 3 times the highest demand of the last days, and 5 connections can be saved. Needs 24 hours of "
     "history.",
     "max_size = 1.5 times the highest demand.", judge_too_large},
    {"size", "min_size wasted",
     "min_size is 3 times the highest demand of the last days, and 5 connections can be saved. Needs 24 hours of "
     "history.",
     "min_size = 1.5 times the highest demand.", judge_min_size},
    {"database", "database past its knee",
     "The pool found 3 times or more that the database becomes slower with more connections, at least every other "
     "hour.",
     "max_size = the limit that the pool has found, or three quarters of it.", judge_knee},
    {"size", "waiters here while idle there",
     "Callers wait here, and have in 10 of the last 60 seconds, while another pool of this host and database has idle "
     "connections and no waiters.",
     "Move half of the idle connections: raise max_size here, and lower it there.", judge_idle_elsewhere},
    {"server", "near the server's max_connections",
     "The sessions of all clients are 85 % of what the server accepts; critical from 95 % on (PostgreSQL).",
     "Lower max_size in proportion, raise max_connections, or use a pooler.", judge_server},
};
// clang-format on

}  // namespace

std::span<const InsightRule> size_rules() { return kSizeRules; }

}  // namespace tide
