// Rules about how connections come and go.
#include <algorithm>
#include <iterator>

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

constexpr double kTimeEnough = 600;  // seconds that the counters cover: not the start of the program

double closed_total(const PoolReading& reading) {
  double closed = 0;
  for (const Counter each : {Counter::closed_idle_total, Counter::closed_lifetime_total, Counter::closed_uses_total,
                             Counter::closed_error_total, Counter::closed_scale_total, Counter::closed_control_total})
    closed += reading.count(each);
  return closed;
}

std::string_view name_of(Counter counter) { return about(counter).name; }

// ---- connecting takes a large part of the time

constexpr double kConnectsEnough = 100;
constexpr double kConnectShare = 0.3;  // of the time in which connections are opened or leased
constexpr double kReuse = 10;          // leases per connection; with more, connecting is not the problem

// Why most connections ended, and the option that makes them last.
struct Ending {
  Counter counter;
  std::string_view why;
  std::string_view option;
  std::string (*value)(const PoolReading&);  // "": none to recommend
};

// As many connections as were in use in half of the minutes.
std::string usual_size(const PoolReading& reading) {
  std::vector<double> peaks;
  for (const auto& interval : reading.minutes) peaks.push_back(interval.in_use_max);
  if (peaks.empty()) return "";
  std::nth_element(peaks.begin(), peaks.begin() + static_cast<ptrdiff_t>(peaks.size() / 2), peaks.end());
  const double usual = std::min(peaks[peaks.size() / 2], static_cast<double>(reading.policy.max_size));
  return usual > static_cast<double>(reading.policy.min_size) ? whole_text(usual) : "";
}

constexpr Ending kEndings[] = {
    {Counter::closed_idle_total, "were closed by idle_timeout", "idle_timeout",
     [](const PoolReading& reading) {
       return format_span(
           std::min(std::max(reading.policy.idle_timeout * 4, Span::seconds(600)), Span::seconds(30 * 86'400)));
     }},
    {Counter::closed_scale_total, "were closed because the pool shrank", "min_size", usual_size},
    {Counter::closed_lifetime_total, "were closed by max_lifetime", "max_lifetime",
     [](const PoolReading&) { return std::string("30min"); }},
    {Counter::closed_uses_total, "were closed by max_uses, or because session state could not be reset", "max_uses",
     [](const PoolReading& reading) { return std::string(reading.policy.max_uses == 0 ? "" : "10000"); }},
    {Counter::closed_error_total, "were lost or failed validation", "",
     [](const PoolReading&) { return std::string(); }},
};

void judge_connects(const PoolReading& reading, Findings& findings) {
  const double connects = reading.count(Counter::connects_total), leases = reading.count(Counter::acquires_total);
  if (reading.counted_s < kTimeEnough || connects < kConnectsEnough || leases > kReuse * connects) return;
  const double leased_s = reading.count(Counter::use_ns_total);
  const double connecting_s = reading.count(Counter::connect_ns_total);
  const double share = connecting_s / std::max(connecting_s + leased_s, 1e-9);
  if (share < kConnectShare) return;
  Insight insight{.severity = Severity::warning};
  insight.finding = "opening connections takes " + percent(share) + " of the time that they are used: each serves " +
                    number(leases / connects) + " leases on average";
  insight.evidence = counted(connects, "connect") + " in " + duration(connecting_s) + ", leases took " +
                     duration(leased_s) + " (pool_stats: connects_total, connect_ms_total, use_ms_total)";
  if (!reading.policy.is_pooling()) {
    insight.option_name = "max_size";
    insight.option_value = "10";
    insight.advice = "keep connections: with max_size 0 each lease opens its own";
    return findings.add(std::move(insight));
  }
  const auto ending = std::max_element(std::begin(kEndings), std::end(kEndings), [&](const Ending& a, const Ending& b) {
    return reading.count(a.counter) < reading.count(b.counter);
  });
  insight.evidence += "; " + number(reading.count(ending->counter)) + " " + std::string(ending->why) + " (" +
                      std::string(name_of(ending->counter)) + ")";
  insight.option_value = ending->value(reading);
  if (insight.option_value.empty()) {
    insight.advice = ending->option.empty() ? "find out why connections are lost (events, last_error)"
                                            : "open the pool once for the whole program, not for each task";
  } else {
    insight.option_name = ending->option;
    insight.advice = "let connections last: raise " + insight.option_name + " to " + insight.option_value;
  }
  findings.add(std::move(insight));
}

// ---- lifetime too short

constexpr Span kLifetimeShort = Span::seconds(300);  // nothing that leaks in a session needs less
constexpr double kReplacedEnough = 20;
constexpr double kReplacedShare = 0.5;  // of the closed connections

void judge_lifetime(const PoolReading& reading, Findings& findings) {
  const Span lifetime = reading.policy.max_lifetime;
  const double replaced = reading.count(Counter::closed_lifetime_total), closed = closed_total(reading);
  if (lifetime.is_zero() || lifetime >= kLifetimeShort || reading.counted_s < kTimeEnough) return;
  if (replaced < kReplacedEnough || replaced < kReplacedShare * closed) return;
  Insight insight{.severity = Severity::info};
  insight.finding = "max_lifetime " + format_span(lifetime) + " is short: " + number(reading.per_hour(replaced)) +
                    " connections an hour are replaced because of their age";
  insight.evidence = number(replaced) + " of " + counted(closed, "closed connection") +
                     " (pool_stats: closed_lifetime_total, closed_total); average lifetime " +
                     duration(reading.count(Counter::lived_ns_total) / std::max(closed, 1.0));
  insight.option_name = "max_lifetime";
  insight.option_value = "30min";
  insight.advice = "raise max_lifetime to 30min, unless the network or the server ends connections earlier";
  findings.add(std::move(insight));
}

// ---- validation too frequent

constexpr double kValidationsPerSecond = 1;
constexpr double kValidationFailures = 0.001;  // of the validations; with more they are needed
constexpr Span kValidationInterval = Span::seconds(30);

void judge_validation(const PoolReading& reading, Findings& findings) {
  const Span interval = reading.policy.validation_interval;
  const double validations = reading.count(Counter::validations_total);
  const double failures = reading.count(Counter::validation_failures_total);
  if (interval.is_zero() || interval >= kValidationInterval || reading.counted_s < kTimeEnough) return;
  if (validations < kValidationsPerSecond * reading.counted_s) return;
  if (failures > kValidationFailures * validations) return;
  Insight insight{.severity = Severity::info};
  insight.finding = "idle connections are validated " + number(validations / reading.counted_s) +
                    " times a second, and hardly a validation fails";
  insight.evidence = number(failures) + " of " + counted(validations, "validation") +
                     " failed (pool_stats: validations_total, validation_failures_total); validation_interval " +
                     format_span(interval);
  insight.option_name = "validation_interval";
  insight.option_value = format_span(kValidationInterval);
  insight.advice =
      "raise validation_interval to 30s; connections that were idle are also checked before a lease "
      "(validation_bypass)";
  findings.add(std::move(insight));
}

// ---- alerts that nobody gets

void judge_notifications(const PoolReading& reading, Findings& findings) {
  const double dropped = reading.count(Counter::notifications_dropped_total);
  if (dropped < 1 || reading.policy.notify_webhook_url.empty()) return;
  Insight insight{.severity = Severity::warning};
  insight.finding = counted(dropped, "alert") + " did not reach the receiver of the webhook";
  insight.evidence = number(reading.count(Counter::notifications_sent_total)) + " delivered, " +
                     counted(reading.count(Counter::notification_failures_total), "failed attempt") +
                     " (pool_stats: notifications_dropped_total, notification_failures_total)";
  insight.advice = "check that the receiver can be reached and accepts the format";
  insight.option_name = "notify_webhook_url";
  findings.add(std::move(insight));
}

// clang-format off
constexpr InsightRule kConnectionRules[] = {
    {"connections", "connects dominate",
     "Opening connections takes 30 % or more of the time in which they are opened or leased, and a connection serves at "
     "most 10 leases. Needs 100 connects and 10 minutes.",
     "The option by which most connections were closed: idle_timeout, min_size, max_lifetime or max_uses; max_size "
     "without pooling.",
     judge_connects},
    {"connections", "lifetime too short",
     "max_lifetime is below 5 minutes, and half of the closed connections, at least 20, were closed by it.",
     "max_lifetime=30min.", judge_lifetime},
    {"connections", "validation too frequent",
     "Idle connections are validated once a second or more, validation_interval is below 30 s, and at most one "
     "validation in a thousand fails.",
     "validation_interval=30s.", judge_validation},
    {"alerts", "notifications dropped", "Alerts were not delivered to notify_webhook_url.",
     "Check the receiver, and notify_webhook_url.", judge_notifications},
};
// clang-format on

}  // namespace

std::span<const InsightRule> connection_rules() { return kConnectionRules; }

}  // namespace tide
