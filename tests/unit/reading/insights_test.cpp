// Every rule of the insights, with a reading that just triggers it and one next to it that does not. The values that are
// recommended are accepted by the options, and docs/insights.md says what the rules say of themselves.
#include "reading/insights/insight.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "reading/insights/rules.hpp"

namespace tide {
namespace {

using enum Counter;

double& count(PoolReading& reading, Counter counter) { return reading.counters[static_cast<size_t>(counter)]; }

PoolReading::Interval calm() {
  return {.limit_size = 10, .in_use_avg = 3, .in_use_max = 7, .waiting_max = 0, .acquires = 6000, .wait_p99_s = 0.0002};
}

// A pool in production under an ordinary load, two days old.
PoolReading healthy() {
  PoolReading reading;
  reading.pool = "shop";
  reading.instance_id = std::string(32, '1');
  reading.target = "db1:5432/shop";
  reading.backend = Backend::postgresql;
  reading.is_running = true;
  reading.capacity = 64;
  reading.limit_size = 10;
  reading.server_sessions = 40;
  reading.server_sessions_max = 100;
  reading.open = 6;
  reading.in_use = 3;
  reading.idle = 3;
  reading.use_p50_s = 0.02;
  reading.counted_s = 7200;
  count(reading, acquires_total) = 720'000;
  count(reading, connects_total) = 20;
  count(reading, connect_ns_total) = 0.2;
  count(reading, queries_total) = 1'000'000;
  count(reading, query_ns_total) = 10'000;
  count(reading, use_ns_total) = 20'000;
  count(reading, closed_lifetime_total) = 8;
  count(reading, validations_total) = 500;
  count(reading, retries_total) = 30;
  count(reading, statement_cache_hits_total) = 900'000;
  count(reading, statement_cache_misses_total) = 500;
  reading.statements = 90;
  reading.leases = {{"cart", 0.01, 0.001, true, false}, {"report", 12, 0.5, false, true}, {"", 0.02, 0, false, false}};
  reading.tags = {
      {"cart", 9000, 9000, 30, 0.4, 2, 0}, {"report", 6000, 6000, 10, 0.8, 1, 0}, {"", 4000, 4000, 0, 0.2, 0, 0}};
  reading.seconds.assign(60, calm());
  reading.minutes.assign(60, calm());
  reading.hours.assign(48, calm());
  reading.forecast = PoolReading::Forecast{4, 600, 0.1};
  return reading;
}

struct Case {
  const char* rule;
  void (*trigger)(PoolReading&);
  void (*calm)(PoolReading&);  // applied after `trigger`: the case next to it
  Severity severity;
  const char* option = "";
  const char* value = "";
};

void saturate(PoolReading& reading, int minutes) {
  for (int i = 0; i < minutes; ++i)
    reading.minutes[static_cast<size_t>(i)] = {
        .limit_size = 10, .in_use_avg = 9, .in_use_max = 10, .waiting_max = 20, .acquires = 6000, .wait_p99_s = 0.05};
}

const Case kCases[] = {
    {"leak suspect",
     [](PoolReading& r) {
       r.leases.push_back({"import", 45, 31, false, true});
     },
     [](PoolReading& r) { r.leases.back().idle_s = 29; },  // it may execute a statement: query_timeout is 30s
     Severity::warning, "lease_timeout_action", "reclaim"},
    {"leak suspect",
     [](PoolReading& r) {
       r.leases.push_back({"import", 45, 31, false, true});
     },
     [](PoolReading& r) { r.leases.back().is_suspect = false; },  // leak_threshold is longer
     Severity::warning, "lease_timeout_action", "reclaim"},
    {"leak suspect",
     [](PoolReading& r) {
       r.policy.lease_timeout = {};
       for (int i = 0; i < 5; ++i) r.leases.push_back({"import", 45, 31, false, true});
     },
     [](PoolReading& r) { r.leases.clear(); }, Severity::critical, "lease_timeout", "1min"},
    {"leak suspect",
     [](PoolReading& r) {
       r.policy.lease_timeout_action = LeaseTimeoutAction::reclaim;
       r.waiting = 1;
       r.leases.push_back({"import", 45, 31, false, true});
     },
     [](PoolReading& r) { r.leases.back().is_suspect = false; }, Severity::critical},
    {"idle in transaction",
     [](PoolReading& r) {
       r.leases.push_back({"checkout", 40, 31, true, false});
     },
     [](PoolReading& r) { r.leases.back().is_in_transaction = false; }, Severity::warning,
     "idle_in_transaction_timeout", "30s"},
    {"idle in transaction",
     [](PoolReading& r) {
       r.leases.push_back({"checkout", 40, 31, true, true});
     },
     [](PoolReading& r) { r.leases.back().idle_s = 29; }, Severity::warning, "idle_in_transaction_timeout", "30s"},
    {"starving tag",
     [](PoolReading& r) {
       r.tags = {{"report", 5000, 5000, 0, 3, 8, 0}, {"cart", 900, 500, 400, 0.1, 1, 0}};
     },
     [](PoolReading& r) { r.tags[1].waited_s = 40; }, Severity::warning, "reserve_size", "2"},
    {"starving tag",
     [](PoolReading& r) {
       r.tags = {{"report", 5000, 5000, 0, 3, 8, 0}, {"cart", 900, 500, 400, 0.1, 1, 0}};
     },
     [](PoolReading& r) { r.tags[0].seen_ago_s = 601; }, Severity::warning, "reserve_size", "2"},
    {"slow tag",
     [](PoolReading& r) {
       r.tags = {{"report", 5000, 5000, 0, 6, 3, 0}, {"cart", 9000, 7000, 800, 0.1, 1, 0}};
     },
     [](PoolReading& r) { r.tags[0].longest_s = 4.9; }, Severity::info, "slow_query_threshold", "200ms"},
    {"slow tag",
     [](PoolReading& r) {
       r.tags = {{"report", 5000, 5000, 0, 6, 3, 0}, {"cart", 9000, 7000, 800, 0.1, 1, 0}};
     },
     [](PoolReading& r) { r.use_p50_s = 0.2; }, Severity::info, "slow_query_threshold", "200ms"},
    {"pool too small", [](PoolReading& r) { saturate(r, 15); }, [](PoolReading& r) { r.minutes[0] = calm(); },
     Severity::warning, "max_size", "17"},
    {"pool too small", [](PoolReading& r) { saturate(r, 15); },
     [](PoolReading& r) {  // the callers wait for something else, such as the write lock of SQLite
       for (auto& minute : r.minutes) minute.in_use_max = 9;
     },
     Severity::warning, "max_size", "17"},
    {"pool too small",
     [](PoolReading& r) {
       saturate(r, 30);
       for (size_t i = 0; i < 30; ++i) r.minutes[i].timeouts = 600;
     },
     [](PoolReading& r) { r.minutes.resize(9); },  // too little history
     Severity::critical, "max_size", "18"},
    {"pool too small",
     [](PoolReading& r) {
       saturate(r, 15);
       r.server_sessions = 84;
       r.server_sessions_max = 100;
     },
     [](PoolReading& r) { r.limit_size = 6; },  // the pool limits itself, for example in an emergency
     Severity::warning, "max_size", "16"},
    {"pool too small",
     [](PoolReading& r) {  // all the time since a minute: nobody waits ten minutes to be told
       r.minutes.resize(1);
       r.seconds.assign(
           60,
           {.limit_size = 10, .in_use_avg = 9, .in_use_max = 10, .acquires = 100, .wait_p99_s = 0.05, .length_s = 1});
     },
     [](PoolReading& r) {
       for (size_t i = 0; i < 13; ++i) r.seconds[i].wait_p99_s = 0.019;
     },
     Severity::warning, "max_size", "17"},
    {"demand forecast",
     [](PoolReading& r) {
       r.forecast = PoolReading::Forecast{9.5, 600, 0.25};
     },
     [](PoolReading& r) { r.forecast->predicted_in_use = 9.4; }, Severity::info, "max_size", "16"},
    {"demand forecast",
     [](PoolReading& r) {
       r.forecast = PoolReading::Forecast{9.5, 600, 0.25};
     },
     [](PoolReading& r) { r.forecast->error = 0.3; }, Severity::info, "max_size", "16"},
    {"pool too large", [](PoolReading& r) { r.policy.max_size = r.limit_size = 22; },
     [](PoolReading& r) { r.hours[5].in_use_max = 8; }, Severity::info, "max_size", "11"},
    {"pool too large", [](PoolReading& r) { r.policy.max_size = r.limit_size = 22; },
     [](PoolReading& r) { r.hours.resize(23); }, Severity::info, "max_size", "11"},
    {"min_size wasted",
     [](PoolReading& r) {
       r.policy.max_size = r.limit_size = 12;
       r.policy.min_size = 10;
       for (auto* history : {&r.minutes, &r.hours})
         for (auto& each : *history) each.in_use_max = 3, each.in_use_avg = 1;
     },
     [](PoolReading& r) { r.hours[7].in_use_max = 4; }, Severity::info, "min_size", "5"},
    {"database past its knee", [](PoolReading& r) { count(r, overloads_total) = 3; },
     [](PoolReading& r) { r.counted_s = 7 * 3600; },  // not every other hour
     Severity::warning, "max_size", "7"},
    {"database past its knee",
     [](PoolReading& r) {
       count(r, overloads_total) = 3;
       r.limit_size = 4;
     },
     [](PoolReading& r) { count(r, overloads_total) = 2; }, Severity::warning, "max_size", "4"},
    {"waiters here while idle there",
     [](PoolReading& r) {
       r.in_use = 10;
       r.waiting = 3;
       for (size_t i = 0; i < 10; ++i) r.seconds[i].waiting_max = 2;
       r.others = {{"2", "admin", "db1:5432/shop", 0, 1, 8, 0, 10}};
     },
     [](PoolReading& r) { r.seconds[0].waiting_max = 0; }, Severity::warning, "max_size", "14"},
    {"waiters here while idle there",
     [](PoolReading& r) {
       r.in_use = 10;
       r.waiting = 3;
       for (size_t i = 0; i < 10; ++i) r.seconds[i].waiting_max = 2;
       r.others = {{"2", "admin", "db1:5432/shop", 0, 1, 8, 0, 10}};
     },
     [](PoolReading& r) { r.others[0].target = "db1:5432/other"; }, Severity::warning, "max_size", "14"},
    {"near the server's max_connections",
     [](PoolReading& r) {
       r.server_sessions = 85;
       r.others = {{"2", "admin", "db1:5432/other", 0, 1, 8, 0, 90}};
     },
     [](PoolReading& r) { r.server_sessions = 84; }, Severity::warning, "max_size", "8"},
    {"near the server's max_connections", [](PoolReading& r) { r.server_sessions = 95; },
     [](PoolReading& r) { r.server_sessions = -1; }, Severity::critical, "max_size", "8"},
    {"connects dominate",
     [](PoolReading& r) {
       count(r, connects_total) = 100'000;
       count(r, connect_ns_total) = 10'000;
       count(r, closed_idle_total) = 99'000;
       r.policy.idle_timeout = Span::seconds(30);
     },
     [](PoolReading& r) { count(r, connect_ns_total) = 8000; }, Severity::warning, "idle_timeout", "10min"},
    {"connects dominate",
     [](PoolReading& r) {
       count(r, connects_total) = 100'000;
       count(r, connect_ns_total) = 10'000;
       count(r, closed_scale_total) = 99'000;
     },
     [](PoolReading& r) { r.counted_s = 599; }, Severity::warning, "min_size", "7"},
    {"connects dominate",
     [](PoolReading& r) {
       r.policy.max_size = r.policy.min_size = 0;
       r.limit_size = 1000;
       count(r, connects_total) = 720'000;
       count(r, connect_ns_total) = 10'000;
     },
     [](PoolReading& r) { count(r, use_ns_total) = 40'000; }, Severity::warning, "max_size", "10"},
    {"lifetime too short",
     [](PoolReading& r) {
       r.policy.max_lifetime = Span::seconds(60);
       count(r, closed_lifetime_total) = 900;
     },
     [](PoolReading& r) { r.policy.max_lifetime = Span::seconds(300); }, Severity::info, "max_lifetime", "30min"},
    {"lifetime too short",
     [](PoolReading& r) {
       r.policy.max_lifetime = Span::seconds(60);
       count(r, closed_lifetime_total) = 900;
     },
     [](PoolReading& r) { count(r, closed_idle_total) = 901; }, Severity::info, "max_lifetime", "30min"},
    {"validation too frequent",
     [](PoolReading& r) {
       r.policy.validation_interval = Span::seconds(1);
       count(r, validations_total) = 20'000;
     },
     [](PoolReading& r) { count(r, validation_failures_total) = 21; }, Severity::info, "validation_interval", "30s"},
    {"notifications dropped",
     [](PoolReading& r) {
       r.policy.notify_webhook_url = "https://alerts.example.com/hook";
       count(r, notifications_dropped_total) = 2;
     },
     [](PoolReading& r) { count(r, notifications_dropped_total) = 0; }, Severity::warning, "notify_webhook_url"},
    {"N+1 queries",
     [](PoolReading& r) {
       r.repeated = {{"SELECT * FROM items WHERE order_id = ?", "00000000000000ff", 5000, 4, 199, 3}};
     },
     [](PoolReading& r) { r.repeated[0].repeated_leases = 2; }, Severity::warning},
    {"N+1 queries",
     [](PoolReading& r) {
       r.repeated = {{"SELECT * FROM items WHERE order_id = ?", "00000000000000ff", 200, 4, 200, 1}};
     },
     [](PoolReading& r) { r.repeated[0].repeats_max = 199; }, Severity::warning},
    {"query cache does not pay",
     [](PoolReading& r) {
       r.policy.query_cache = true;
       count(r, query_cache_misses_total) = 1000;
       count(r, query_cache_hits_total) = 52;
     },
     [](PoolReading& r) { count(r, query_cache_hits_total) = 53; }, Severity::info, "query_cache", "off"},
    {"query cache does not pay",
     [](PoolReading& r) {
       r.policy.query_cache = true;
       count(r, query_cache_misses_total) = 1000;
       count(r, query_cache_evictions_total) = 500;
     },
     [](PoolReading& r) { count(r, query_cache_misses_total) = 999; }, Severity::info, "query_cache_entries", "4000"},
    {"statement cache thrashes",
     [](PoolReading& r) {
       count(r, statement_cache_misses_total) = 500'000;
       count(r, statement_cache_evictions_total) = 250'000;
     },
     [](PoolReading& r) { count(r, statement_cache_hits_total) = 2'100'000; }, Severity::info, "statement_cache_size",
     "256"},
    {"statement cache thrashes",
     [](PoolReading& r) {
       r.statements = 5;
       count(r, statement_cache_misses_total) = 500'000;
       count(r, statement_cache_evictions_total) = 250'000;
     },
     [](PoolReading& r) { r.policy.statement_cache_size = 0; }, Severity::info},
    {"retries that never help",
     [](PoolReading& r) {
       count(r, retries_total) = 50;
       count(r, retries_helped_total) = 2;
     },
     [](PoolReading& r) { count(r, retries_helped_total) = 3; }, Severity::warning, "retry_attempts", "1"},
    {"retries that never help", [](PoolReading& r) { count(r, retries_total) = 50; },
     [](PoolReading& r) { count(r, retries_total) = 49; }, Severity::warning, "retry_attempts", "0"},
};

// At the least evidence, and just below it: one change each.
struct Bound {
  const char* rule;
  void (*least)(PoolReading&);
  std::vector<void (*)(PoolReading&)> below;
};

const Bound kBounds[] = {
    {"connects dominate",
     [](PoolReading& r) {
       r.counted_s = 600;
       r.policy.idle_timeout = Span::seconds(30);
       count(r, validations_total) = count(r, acquires_total) = 0;
       count(r, connects_total) = 100;
       count(r, acquires_total) = 990;
       count(r, connect_ns_total) = 30;
       count(r, use_ns_total) = 69.9;
       count(r, closed_idle_total) = 99;
     },
     {[](PoolReading& r) { r.counted_s = 599; }, [](PoolReading& r) { count(r, connects_total) = 99; },
      [](PoolReading& r) { count(r, acquires_total) = 1001; }, [](PoolReading& r) { count(r, use_ns_total) = 71; }}},
    {"lifetime too short",
     [](PoolReading& r) {
       r.counted_s = 600;
       r.policy.max_lifetime = Span::seconds(299);
       count(r, closed_lifetime_total) = 20;
       count(r, closed_error_total) = 20;
     },
     {[](PoolReading& r) { r.counted_s = 599; }, [](PoolReading& r) { count(r, closed_lifetime_total) = 19; },
      [](PoolReading& r) { count(r, closed_error_total) = 21; }}},
    {"validation too frequent",
     [](PoolReading& r) {
       r.counted_s = 1000;
       r.policy.validation_interval = Span::seconds(29);
       count(r, validations_total) = 1000;
       count(r, validation_failures_total) = 1;
     },
     {[](PoolReading& r) { count(r, validations_total) = 999, count(r, validation_failures_total) = 0; },
      [](PoolReading& r) { count(r, validation_failures_total) = 2; },
      [](PoolReading& r) { r.policy.validation_interval = Span::seconds(30); }}},
    {"starving tag",
     [](PoolReading& r) {
       r.tags = {{"report", 60, 900, 0, 3, 8, 600}, {"cart", 900, 600, 60, 0.1, 1, 0}};
     },
     {[](PoolReading& r) { r.tags[0].samples = 59; }, [](PoolReading& r) { r.tags[0].held_s = 895; },
      [](PoolReading& r) { r.tags[0].seen_ago_s = 601; }, [](PoolReading& r) { r.tags[1].waited_s = 59; },
      [](PoolReading& r) { r.tags[1].held_s = 600, r.tags[1].waited_s = 59.9; }}},
    {"starving tag",
     [](PoolReading& r) {
       r.tags = {{"report", 60, 9000, 0, 3, 8, 600}, {"cart", 900, 1000, 100, 0.1, 1, 0}};
     },
     {[](PoolReading& r) { r.tags[1].waited_s = 99; }}},
    {"slow tag",
     [](PoolReading& r) {
       r.use_p50_s = 0.1;
       r.tags = {{"report", 60, 500, 0, 5, 3, 600}, {"cart", 900, 1500, 150, 0.1, 1, 0}};
     },
     {[](PoolReading& r) { r.tags[0].samples = 59; }, [](PoolReading& r) { r.tags[0].held_s = 499; },
      [](PoolReading& r) { r.tags[0].longest_s = 4.99; }, [](PoolReading& r) { r.use_p50_s = 0.101; },
      [](PoolReading& r) { r.tags[1].waited_s = 149; }}},
    {"slow tag",
     [](PoolReading& r) {
       r.tags = {{"report", 60, 60, 0, 6, 3, 600}, {"cart", 90, 90, 10, 0.1, 1, 0}};
     },
     {[](PoolReading& r) { r.tags[1].waited_s = 9.9; }}},
    {"pool too small",
     [](PoolReading& r) {
       saturate(r, 5);
       r.minutes.resize(10);
       for (size_t i = 0; i < 5; ++i) r.minutes[i].acquires = 60, r.minutes[i].wait_p99_s = 0.021;
     },
     {[](PoolReading& r) { r.minutes[0].acquires = 59; }, [](PoolReading& r) { r.minutes[0].wait_p99_s = 0.02; },
      [](PoolReading& r) { r.minutes.resize(9); }, [](PoolReading& r) { r.minutes[0].in_use_max = 9; }}},
    {"pool too large",
     [](PoolReading& r) {
       for (auto* history : {&r.minutes, &r.hours})
         for (auto& each : *history) each.in_use_max = 3, each.in_use_avg = 1;
       r.hours.resize(24);
     },
     {[](PoolReading& r) { r.hours.resize(23); }, [](PoolReading& r) { r.policy.max_size = r.limit_size = 9; },
      [](PoolReading& r) { r.hours[3].waiting_max = 1; }}},
    {"waiters here while idle there",
     [](PoolReading& r) {
       r.in_use = 10;
       r.waiting = 1;
       for (size_t i = 0; i < 10; ++i) r.seconds[i].waiting_max = 1;
       r.others = {{"2", "admin", "db1:5432/shop", 0, 2, 2, 0, 10}};
     },
     {[](PoolReading& r) { r.others[0].idle = 1, r.others[0].in_use = 0; },
      [](PoolReading& r) { r.others[0].in_use = 3; }, [](PoolReading& r) { r.others[0].waiting = 1; },
      [](PoolReading& r) { r.in_use = 9; }, [](PoolReading& r) { r.waiting = 0; }}},
    {"statement cache thrashes",
     [](PoolReading& r) {
       count(r, statement_cache_evictions_total) = 1000;
       count(r, statement_cache_misses_total) = 2000;
       count(r, statement_cache_hits_total) = 7999;
     },
     {[](PoolReading& r) { count(r, statement_cache_evictions_total) = 999; },
      [](PoolReading& r) { count(r, statement_cache_misses_total) = 2001; },
      [](PoolReading& r) { count(r, statement_cache_hits_total) = 8001; }}},
};

std::string told(const std::vector<Insight>& insights) {
  std::string out;
  for (const Insight& each : insights) out += each.finding + " | " + each.evidence + " | " + each.advice + "\n";
  return out;
}

const InsightRule& rule_named(std::string_view name) {
  static const std::vector<InsightRule> rules = insight_rules();
  const auto found =
      std::find_if(rules.begin(), rules.end(), [&](const InsightRule& rule) { return rule.name == name; });
  EXPECT_NE(found, rules.end()) << name;
  return *found;
}

// Whether the option takes the value, on its own and together with the others.
void expect_accepted(const PoolReading& reading, const Insight& insight) {
  const Setting* const setting = find_setting(insight.option_name);
  ASSERT_NE(setting, nullptr) << insight.option_name;
  if (insight.option_value.empty()) return;
  Policy policy = reading.policy;
  EXPECT_NE(format_value(policy, *setting), insight.option_value) << "no change";
  EXPECT_TRUE(assign_value(policy, *setting, insight.option_value).is_ok()) << insight.option_value;
  EXPECT_TRUE(check_policy(policy).is_ok()) << check_policy(policy).message();
}

TEST(Insights, NoneForHealthyPool) {
  const PoolReading reading = healthy();
  EXPECT_EQ(told(insights_of(reading)), "");
}

TEST(Insights, NoneForNewPool) {
  PoolReading reading;
  reading.is_running = true;
  EXPECT_EQ(told(insights_of(reading)), "");
}

TEST(Insights, EachCaseAndTheOneNextToIt) {
  for (const Case& each : kCases) {
    SCOPED_TRACE(std::string(each.rule) + " " + each.option + " " + each.value);
    const InsightRule& rule = rule_named(each.rule);
    PoolReading reading = healthy();
    each.trigger(reading);
    const std::vector<Insight> found = insights_of(reading);
    ASSERT_EQ(found.size(), 1U) << told(found);
    EXPECT_EQ(found[0].subject, rule.subject);
    EXPECT_EQ(found[0].severity, each.severity);
    EXPECT_EQ(found[0].option_name, each.option) << told(found);
    EXPECT_EQ(found[0].option_value, each.value) << told(found);
    EXPECT_NE(found[0].evidence, "");
    EXPECT_NE(found[0].advice, "");
    if (!found[0].option_name.empty()) expect_accepted(reading, found[0]);
    Findings alone;
    alone.begin(rule.subject);
    rule.judge(reading, alone);
    EXPECT_EQ(told(alone.take()), told(found)) << "found by another rule";
    each.calm(reading);
    EXPECT_EQ(told(insights_of(reading)), "");
  }
}

TEST(Insights, NothingBelowTheLeastEvidence) {
  for (const Bound& each : kBounds) {
    PoolReading least = healthy();
    each.least(least);
    const std::vector<Insight> found = insights_of(least);
    ASSERT_EQ(found.size(), 1U) << each.rule << ": " << told(found);
    EXPECT_EQ(found[0].subject, rule_named(each.rule).subject);
    for (size_t i = 0; i < each.below.size(); ++i) {
      PoolReading reading = least;
      each.below[i](reading);
      EXPECT_EQ(told(insights_of(reading)), "") << each.rule << ", " << i;
    }
  }
}

TEST(Insights, EveryRuleHasACase) {
  std::set<std::string_view> tested;
  for (const Case& each : kCases) tested.insert(each.rule);
  for (const InsightRule& rule : insight_rules()) EXPECT_TRUE(tested.contains(rule.name)) << rule.name;
}

TEST(Insights, FindingsAreSentencesWithFigures) {
  for (const Case& each : kCases) {
    PoolReading reading = healthy();
    each.trigger(reading);
    for (const Insight& insight : insights_of(reading)) {
      for (const std::string& text : {insight.finding, insight.evidence, insight.advice}) {
        EXPECT_FALSE(text.ends_with('.')) << text;
        EXPECT_FALSE(text.empty() || text.front() == ' ') << text;
      }
      EXPECT_NE((insight.finding + insight.evidence).find_first_of("0123456789"), std::string::npos) << insight.finding;
    }
  }
}

TEST(Insights, MostSevereFirst) {
  PoolReading reading = healthy();
  reading.server_sessions = 96;                     // critical
  count(reading, retries_total) = 60;               // warning
  reading.policy.max_lifetime = Span::seconds(60);  // info
  count(reading, closed_lifetime_total) = 900;
  const std::vector<Insight> found = insights_of(reading);
  ASSERT_EQ(found.size(), 3U) << told(found);
  EXPECT_EQ(found[0].severity, Severity::critical);
  EXPECT_EQ(found[1].severity, Severity::warning);
  EXPECT_EQ(found[2].severity, Severity::info);
}

TEST(Insights, CriticalIfOneRequestInAHundredTimesOut) {
  PoolReading reading = healthy();
  saturate(reading, 60);
  for (auto& minute : reading.minutes) minute.acquires = 5940, minute.timeouts = 60;
  ASSERT_EQ(insights_of(reading).size(), 1U);
  EXPECT_EQ(insights_of(reading)[0].severity, Severity::critical);
  reading.minutes[0].timeouts = 59;
  EXPECT_EQ(insights_of(reading)[0].severity, Severity::warning);
}

TEST(Insights, AHundredTagsDoNotHideTheRest) {
  PoolReading reading = healthy();
  for (int i = 0; i < 100; ++i) reading.leases.push_back({"job " + std::to_string(i), 45, 31, true, true});
  count(reading, retries_total) = 60;
  EXPECT_EQ(insights_of(reading).size(), Findings::kPerRule + 1);
}

TEST(Insights, ForeignTextsCannotForgeLines) {
  PoolReading reading = healthy();
  reading.leases.push_back({"a\nb\x1b[2J password=secret", 45, 31, true, false});
  const std::vector<Insight> found = insights_of(reading);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].finding.find_first_of("\n\x1b"), std::string::npos) << found[0].finding;
  EXPECT_EQ(found[0].finding.find("secret"), std::string::npos) << found[0].finding;
}

TEST(Insights, NoneWhileNotRunning) {
  for (const Case& each : kCases) {
    PoolReading reading = healthy();
    each.trigger(reading);
    reading.is_running = false;
    EXPECT_TRUE(insights_of(reading).empty()) << each.rule;
  }
}

TEST(Insights, NoAdviceToGrowPastTheKneeOrTheServer) {
  PoolReading reading = healthy();
  saturate(reading, 60);
  count(reading, overloads_total) = 5;
  std::vector<Insight> found = insights_of(reading);
  ASSERT_EQ(found.size(), 1U) << told(found);
  EXPECT_EQ(found[0].option_value, "7");
  count(reading, overloads_total) = 0;
  reading.server_sessions = 92;
  found = insights_of(reading);
  ASSERT_EQ(found.size(), 2U) << told(found);
  for (const Insight& each : found)
    EXPECT_TRUE(each.option_name != "max_size" || each.option_value == "8") << told(found);
}

TEST(Insights, RaisesBurstMaxSizeBeforeMaxSize) {
  PoolReading reading = healthy();
  saturate(reading, 60);
  reading.policy.burst_max_size = 12;
  const std::vector<Insight> found = insights_of(reading);
  ASSERT_EQ(found.size(), 1U) << told(found);
  EXPECT_EQ(found[0].option_name, "burst_max_size");
  expect_accepted(reading, found[0]);
}

// Numbers that no pool writes are limited when a segment is read; rules calculate with all of these.
TEST(Insights, ExtremeNumbers) {
  for (const Case& each : kCases) {
    for (const double extreme : {0.0, 1e-9, PoolReading::kMost}) {
      PoolReading reading = healthy();
      each.trigger(reading);
      for (double& counter : reading.counters) counter = extreme;
      for (auto* history : {&reading.seconds, &reading.minutes, &reading.hours})
        for (auto& interval : *history) interval = {extreme, extreme, extreme, extreme, extreme, extreme, extreme};
      for (auto& tag : reading.tags) tag = {tag.tag, extreme, extreme, extreme, extreme, extreme, 0};
      for (auto& lease : reading.leases) lease.held_s = lease.idle_s = extreme;
      reading.counted_s = reading.use_p50_s = extreme;
      reading.server_sessions = reading.server_sessions_max = static_cast<int64_t>(extreme);
      reading.waiting = reading.in_use = static_cast<int64_t>(extreme);
      for (const Insight& insight : insights_of(reading)) {
        EXPECT_EQ(insight.finding.find("nan"), std::string::npos) << insight.finding;
        EXPECT_EQ(insight.finding.find("inf"), std::string::npos) << insight.finding;
        if (!insight.option_name.empty()) expect_accepted(reading, insight);
      }
    }
  }
}

// ---- the documentation

std::string document() {
  std::ostringstream out;
  out << "# Insights\n\n"
         "`SELECT * FROM tidepool.insights` (SQLite: `tidepool_insights`) says what the figures of each pool suggest "
         "to\n"
         "change: the finding, the figures it follows from and where they are, and one change. Where that is an "
         "option,\n"
         "`option_name` and `option_value` can be passed to `set`. A pool that works well has no rows, and a new one "
         "has\n"
         "none until there is enough evidence. Counters are those since the pool was opened or `reset_stats`: reset "
         "them\n"
         "after a change to see its effect. All of this is computed by whoever reads; it costs the pool nothing.\n\n"
         "This page is generated from the rules (`core/reading/insights`).\n";
  for (const InsightRule& rule : insight_rules()) {
    out << "\n## " << rule.name << "\nSubject `" << rule.subject << "`. " << rule.meaning
        << "\n\nAdvice: " << rule.advice << "\n";
  }
  return out.str();
}

// TIDE_WRITE_DOCS=1 writes it.
TEST(Insights, DocumentIsCurrent) {
  const char* const source = std::getenv("TIDE_SOURCE");
  ASSERT_NE(source, nullptr) << "TIDE_SOURCE must name the folder of the sources";
  const std::string path = std::string(source) + "/docs/insights.md";
  if (std::getenv("TIDE_WRITE_DOCS") != nullptr) std::ofstream(path) << document();
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), document()) << "run this test with TIDE_WRITE_DOCS=1";
}

}  // namespace
}  // namespace tide
