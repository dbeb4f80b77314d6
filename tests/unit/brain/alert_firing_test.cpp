// When alerts fire, when they end, and what is reported.
#include <cmath>
#include <limits>

#include "alert_rig.hpp"
#include "allocations.hpp"
#include "model/words.hpp"
#include "segment/format.hpp"

namespace tide::test {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(AlertWords, MatchTheSegment) {
  for (const std::string_view name : kWords<Metric>) {
    EXPECT_EQ(about(*member_of<Metric>(name)).meaning.back(), '.') << name;
  }
  EXPECT_FALSE(member_of<Metric>("tide"));
  EXPECT_EQ(brain::kAlertRulesMax, format::kAlertRulesMax);
  EXPECT_EQ(kAlertTextBytesMax, FixedText<192>::kBytesMax);
  EXPECT_EQ(kRuleNameBytesMax, decltype(format::AlertRuleRecord::rule)::kBytesMax);
  EXPECT_EQ(brain::kEventTextBytesMax, decltype(format::JournalRecord::message)::kBytesMax);
  EXPECT_EQ(brain::kEventDetailBytesMax, decltype(format::JournalRecord::detail)::kBytesMax);
}

TEST(AlertWords, FitTheSegment) {
  for (const AlertRule& rule : brain::built_in_rules(Policy())) {
    EXPECT_LE(rule.name.size(), kRuleNameBytesMax);
    EXPECT_LE(rule.message.size(), kAlertTextBytesMax) << rule.name;
    EXPECT_LE(rule.advice.size(), kAlertTextBytesMax) << rule.name;
    EXPECT_EQ(rule.message.back(), '.');
    EXPECT_EQ(rule.advice.back(), '.');
  }
}

// What makes a built-in rule's condition true and false, and the time within which it fires.
struct Cause {
  const char* rule;
  Metric metric;
  double bad;
  double almost;  // does not begin the condition
  double good;
  Span within;
  Severity severity;
  bool is_at_once;  // resolved
};

const Cause kCauses[] = {
    {"connection_exhaustion", Metric::utilization, 0.9, 0.89, 0.8, Span::seconds(10), Severity::warning, false},
    {"wait_time", Metric::oldest_wait_ms, 5000, 4999, 0, Span(), Severity::warning, false},
    {"acquire_timeouts", Metric::timeouts_per_minute, 1, 0, 0, Span(), Severity::warning, false},
    {"error_rate", Metric::error_rate, 0.06, 0.05, 0.01, Span::seconds(10), Severity::warning, false},
    {"errors_per_hour", Metric::errors_per_hour, 11, 10, 9, Span(), Severity::warning, false},
    {"waiting_count", Metric::waiting, 6, 5, 5, Span::seconds(5), Severity::warning, false},
    {"health_failures", Metric::health_failure_rate, 0.25, 0.2, 0.1, Span(), Severity::critical, false},
    {"frequent_scaling", Metric::scaling_reversals_per_minute, 31, 30, 20, Span(), Severity::info, false},
    {"overdue_leases", Metric::overdue_leases, 1, 0, 0, Span(), Severity::warning, false},
    {"leaked_leases", Metric::leak_suspects, 2, 0, 0, Span(), Severity::warning, false},
    {"breaker_open", Metric::breaker_open, 1, 0, 0, Span(), Severity::critical, true},
    {"emergency", Metric::emergency, 1, 0, 0, Span(), Severity::critical, true},
    {"memory_pressure", Metric::memory_ratio, 0.8, 0.79, 0.7, Span::seconds(10), Severity::warning, false},
    {"file_missing", Metric::file_missing, 1, 0, 0, Span(), Severity::critical, true},
    {"server_full", Metric::server_full, 1, 0, 0, Span(), Severity::warning, true},
    {"slow_requests", Metric::slow_ratio, 1.01, 1, 0, Span::seconds(30), Severity::warning, false},
    {"wal_size", Metric::wal_bytes, 67108865, 67108864, 60000000, Span::seconds(30), Severity::warning, false},
    {"wal_blocked", Metric::wal_blocked_ms, 30001, 30000, 0, Span(), Severity::warning, false},
};

TEST(AlertBuiltIn, AllAreTested) {
  const AlertRig rig;
  EXPECT_EQ(rig.alert_monitor.rules().size(), std::size(kCauses));
  for (const Cause& cause : kCauses) {
    ASSERT_NE(rig.rule(cause.rule), nullptr) << cause.rule;
    EXPECT_TRUE(rig.rule(cause.rule)->is_built_in && rig.rule(cause.rule)->is_enabled) << cause.rule;
  }
}

TEST(AlertBuiltIn, EachFiresOnceInTimeAndEnds) {
  for (const Cause& cause : kCauses) {
    SCOPED_TRACE(cause.rule);
    AlertRig rig;
    rig.put(cause.metric, cause.almost);
    rig.run(Span::seconds(30));
    EXPECT_EQ(rig.alert(cause.rule), nullptr);

    rig.put(cause.metric, cause.bad);
    rig.tick();
    const Instant begin = rig.now;
    ASSERT_NE(rig.alert(cause.rule), nullptr);
    if (!cause.within.is_zero()) {
      EXPECT_EQ(rig.alert(cause.rule)->state, AlertState::pending);
      EXPECT_EQ(rig.wakeup, begin + cause.within);
      rig.tick(cause.within - Span::nanos(1));
      EXPECT_EQ(rig.alert(cause.rule)->state, AlertState::pending);
      EXPECT_EQ(rig.count(EventKind::alert_firing, cause.rule), 0);
      rig.tick(Span::nanos(1));
    }
    ASSERT_TRUE(rig.is_firing(cause.rule));
    EXPECT_EQ(rig.puts(), 1);
    rig.run(Span::seconds(60), Span::millis(100));
    const Alert* alert = rig.alert(cause.rule);
    EXPECT_EQ(alert->number, 1U);
    EXPECT_EQ(alert->since, begin);
    EXPECT_EQ(alert->last_seen, rig.now);
    EXPECT_EQ(alert->value, cause.bad);
    EXPECT_EQ(alert->threshold, rig.rule(cause.rule)->threshold);
    EXPECT_EQ(alert->severity, cause.severity);
    EXPECT_EQ(alert->message, rig.rule(cause.rule)->message);
    EXPECT_EQ(rig.alert_monitor.firing(cause.severity), 1);
    EXPECT_EQ(rig.alert_monitor.firing(Severity::critical), cause.severity == Severity::critical ? 1 : 0);
    EXPECT_EQ(rig.count(EventKind::alert_firing, cause.rule), 1);

    rig.put(cause.metric, cause.good);
    rig.tick(kSecond);
    EXPECT_EQ(rig.is_firing(cause.rule), !cause.is_at_once);
    if (!cause.is_at_once) {
      rig.tick(AlertMonitor::kClearFor - Span::nanos(1));
      EXPECT_TRUE(rig.is_firing(cause.rule));
      rig.tick(Span::nanos(1));
    }
    EXPECT_EQ(rig.alert(cause.rule)->state, AlertState::resolved);
    EXPECT_EQ(rig.alert(cause.rule)->resolved_at, rig.now);
    EXPECT_EQ(rig.count(EventKind::alert_resolved, cause.rule), 1);
    EXPECT_EQ(rig.notes.size(), 2U);
    EXPECT_EQ(rig.alert_monitor.firing(Severity::info), 0);
    EXPECT_EQ(rig.alert_monitor.fired_total(), 1U);
  }
}

TEST(AlertMonitor, EventsHaveNumbersAndAdvice) {
  AlertRig rig;
  rig.put(Metric::oldest_wait_ms, 5023.4);
  rig.tick();
  ASSERT_EQ(rig.notes.size(), 1U);
  EXPECT_EQ(rig.notes[0].text,
            "wait_time: A caller has been waiting too long for a connection. (oldest_wait_ms 5023, threshold 5000)");
  EXPECT_EQ(rig.notes[0].severity, Severity::warning);
  EXPECT_EQ(rig.notes[0].detail.rfind("{\"rule\":\"wait_time\",\"metric\":\"oldest_wait_ms\",\"value\":5023,"
                                      "\"threshold\":5000,\"advice\":\"If events shows",
                                      0),
            0U);
  EXPECT_LE(rig.notes[0].detail.size(), brain::kEventDetailBytesMax);
  EXPECT_EQ(rig.notes[0].detail.substr(rig.notes[0].detail.size() - 2), "\"}");
  rig.put(Metric::oldest_wait_ms, 0);
  rig.run(Span::seconds(6));
  ASSERT_EQ(rig.notes.size(), 2U);
  EXPECT_EQ(rig.notes[1].text,
            "wait_time: resolved after 6.0 s, oldest_wait_ms is 0 (oldest_wait_ms 5023, threshold 5000)");
  EXPECT_EQ(rig.notes[1].severity, Severity::info);
}

TEST(AlertBuiltIn, ScalingAdviceNamesEffectiveOptions) {
  Policy policy;
  AlertRig rig(policy);
  const auto advises = [&](const char* option) {
    return rig.rule("frequent_scaling")->advice.find(option) != std::string::npos;
  };
  EXPECT_TRUE(advises("scaling_interval"));
  EXPECT_FALSE(advises("scale_down_cooldown"));
  policy.sizing = Sizing::threshold;
  rig.alert_monitor.set_policy(policy);
  EXPECT_TRUE(advises("scale_down_cooldown"));
  EXPECT_FALSE(advises("scaling_interval"));
  policy.scaling = false;
  rig.alert_monitor.set_policy(policy);
  EXPECT_FALSE(advises("scale_down_cooldown") || advises("scaling_interval"));
  EXPECT_TRUE(advises("idle_timeout"));
  test::AlertWish own;
  own.rule = "frequent_scaling";
  own.advice = "Ask Bob.";
  ASSERT_TRUE(is_applied(rig.set(own)));
  rig.alert_monitor.set_policy(Policy());
  EXPECT_EQ(rig.rule("frequent_scaling")->advice, "Ask Bob.");
}

TEST(AlertBuiltIn, ChangeOfSizingEndsNoAlert) {
  AlertRig rig;
  rig.put(Metric::scaling_reversals_per_minute, 31);
  rig.tick();
  ASSERT_TRUE(rig.is_firing("frequent_scaling"));
  Policy policy;
  policy.sizing = Sizing::threshold;
  rig.alert_monitor.set_policy(policy);
  rig.tick();
  EXPECT_TRUE(rig.is_firing("frequent_scaling"));
}

// For every alert, the detail is JSON, and advice that is cut ends at a word with a mark.
TEST(AlertMonitor, DetailIsJsonWithAdviceCutAtWord) {
  for (const Cause& cause : kCauses) {
    SCOPED_TRACE(cause.rule);
    AlertRig rig;
    rig.put(cause.metric, cause.bad);
    rig.run(Span::seconds(40));
    ASSERT_FALSE(rig.notes.empty());
    const std::string& detail = rig.notes[0].detail;
    const std::string& advice = rig.rule(cause.rule)->advice;
    EXPECT_LE(detail.size(), brain::kEventDetailBytesMax);
    const size_t at = detail.find(",\"advice\":\"");
    ASSERT_NE(at, std::string::npos) << detail;
    ASSERT_TRUE(detail.ends_with("\"}"));
    std::string told = detail.substr(at + 11, detail.size() - at - 13);
    if (told == advice) continue;
    ASSERT_TRUE(told.ends_with("...")) << told;
    told.resize(told.size() - 3);
    EXPECT_EQ(advice.rfind(told, 0), 0U) << told;
    EXPECT_EQ(advice[told.size()], ' ') << "\"" << told << "\" ends within a word";
  }
}

TEST(AlertMonitor, LongTextsKeepTheNumbers) {
  AlertRig rig;
  test::AlertWish longest = wish(std::string(46, 'n'), "waiting", 3);
  std::string umlauts;
  while (umlauts.size() < kAlertTextBytesMax) umlauts += "\u00fc";
  longest.message = umlauts;
  longest.advice = std::string(kAlertTextBytesMax, '"');
  ASSERT_TRUE(is_applied(rig.set(longest)));
  rig.put(Metric::waiting, 4);
  rig.tick();
  const action::Note& note = rig.notes.back();
  EXPECT_LE(note.text.size(), brain::kEventTextBytesMax);
  EXPECT_GE(note.text.size(), brain::kEventTextBytesMax - 1);
  EXPECT_NE(note.text.find("\u00fc... (waiting 4, threshold 3)"), std::string::npos);
  EXPECT_LE(note.detail.size(), brain::kEventDetailBytesMax);
  EXPECT_EQ(note.detail.substr(note.detail.size() - 7), "\\\"...\"}");
}

TEST(AlertMonitor, PendingThatEndsMakesNoEvent) {
  AlertRig rig;
  rig.put(Metric::utilization, 1);
  rig.run(Span::seconds(9));
  EXPECT_EQ(rig.alert("connection_exhaustion")->state, AlertState::pending);
  rig.put(Metric::utilization, 0.89);
  rig.tick(kSecond);
  EXPECT_EQ(rig.alert("connection_exhaustion"), nullptr);
  EXPECT_EQ(rig.puts(), 1);
  EXPECT_TRUE(rig.notes.empty());
  EXPECT_EQ(rig.wakeup, Instant::never());
  rig.put(Metric::utilization, 1);
  rig.run(Span::seconds(10));
  EXPECT_EQ(rig.alert("connection_exhaustion")->state, AlertState::pending);
  rig.tick(kSecond);
  EXPECT_TRUE(rig.is_firing("connection_exhaustion"));
  EXPECT_EQ(rig.alert("connection_exhaustion")->number, 2U);
}

TEST(AlertMonitor, EndsOnlyBelowClearAt) {
  AlertRig rig;
  rig.put(Metric::utilization, 0.95);
  rig.run(Span::seconds(11));
  ASSERT_TRUE(rig.is_firing("connection_exhaustion"));
  rig.put(Metric::utilization, 0.82);  // clear_at is 0.81
  rig.run(Span::seconds(60));
  EXPECT_TRUE(rig.is_firing("connection_exhaustion"));
  EXPECT_EQ(rig.alert("connection_exhaustion")->value, 0.82);
  rig.put(Metric::utilization, 0.8);
  rig.run(Span::seconds(6));
  EXPECT_EQ(rig.alert("connection_exhaustion")->state, AlertState::resolved);
  EXPECT_EQ(rig.alert("connection_exhaustion")->value, 0.82);
}

TEST(AlertMonitor, FlappingFiresOnce) {
  AlertRig rig;
  for (int i = 0; i < 1000; ++i) {
    rig.put(Metric::waiting, i % 2 == 0 ? 20 : 0);
    rig.put(Metric::overdue_leases, i % 4 == 0 ? 1 : 0);
    rig.tick(kSecond);
  }
  EXPECT_EQ(rig.count(EventKind::alert_firing, "overdue_leases"), 1);
  EXPECT_EQ(rig.count(EventKind::alert_resolved, "overdue_leases"), 0);
  EXPECT_EQ(rig.count(EventKind::alert_firing, "waiting_count"), 0);  // never for its whole hold
}

TEST(AlertMonitor, RecurrenceIsNewAlert) {
  AlertRig rig;
  rig.put(Metric::breaker_open, 1);
  rig.tick();
  rig.put(Metric::breaker_open, 0);
  rig.tick(kSecond);
  rig.put(Metric::breaker_open, 1);
  rig.tick(kSecond);
  EXPECT_EQ(rig.alert("breaker_open")->number, 2U);
  EXPECT_EQ(rig.alert_monitor.alert(0).state, AlertState::resolved);
  EXPECT_EQ(rig.alert_monitor.alert(1).state, AlertState::firing);
  EXPECT_EQ(rig.alert_monitor.fired_total(), 2U);
}

TEST(AlertMonitor, PublishesLastingAlertOncePerSecond) {
  AlertRig rig;
  rig.put(Metric::breaker_open, 1);
  rig.tick();
  EXPECT_EQ(rig.wakeup, rig.now + AlertMonitor::kLookInterval);
  int puts = 0;
  for (int i = 0; i < 1000; ++i) {
    rig.tick(Span::millis(10));
    puts += rig.puts();
  }
  EXPECT_EQ(puts, 10);
  EXPECT_EQ(rig.alert("breaker_open")->occurrences, 11U);
}

TEST(AlertMonitor, NotMeasuredBeginsNothing) {
  AlertRig rig;
  rig.run(Span::seconds(100));
  EXPECT_TRUE(rig.notes.empty());
  EXPECT_EQ(rig.wakeup, Instant::never());
  rig.put(Metric::utilization, 1);
  rig.run(Span::seconds(9));
  rig.put(Metric::utilization, kNan);
  rig.tick(kSecond);
  EXPECT_EQ(rig.alert("connection_exhaustion"), nullptr);
  EXPECT_TRUE(rig.notes.empty());
}

TEST(AlertMonitor, NotMeasuredKeepsFiringForAMinute) {
  AlertRig rig;
  rig.put(Metric::memory_ratio, 0.9);
  rig.run(Span::seconds(11));
  ASSERT_TRUE(rig.is_firing("memory_pressure"));
  rig.put(Metric::memory_ratio, kNan);
  rig.run(Span::seconds(59));
  EXPECT_TRUE(rig.is_firing("memory_pressure"));
  rig.put(Metric::memory_ratio, 0.9);  // measured again: a new minute
  rig.tick(Span::millis(500));
  rig.put(Metric::memory_ratio, kNan);
  rig.run(AlertMonitor::kUnmeasuredMax - Span::nanos(1));
  EXPECT_TRUE(rig.is_firing("memory_pressure"));
  rig.tick(Span::nanos(1));
  EXPECT_EQ(rig.alert("memory_pressure")->state, AlertState::resolved);
  EXPECT_NE(rig.notes.back().text.find("not measured for"), std::string::npos) << rig.notes.back().text;
}

TEST(AlertMonitor, InfiniteValuesAreReported) {
  AlertRig rig;
  rig.put(Metric::oldest_wait_ms, std::numeric_limits<double>::infinity());
  rig.tick();
  ASSERT_TRUE(rig.is_firing("wait_time"));
  EXPECT_NE(rig.notes.back().detail.find("\"value\":null"), std::string::npos);
}

TEST(AlertMonitor, QuietTickAllocatesNothing) {
  AlertRig rig;
  for (double& value : rig.readings.value) value = 0;
  rig.readings[Metric::health] = 100;
  rig.put(Metric::utilization, 1);
  rig.tick();  // one is pending
  for (int i = 0; i < 5; ++i) {
    rig.now += Span::millis(100);
    rig.actions.clear();
    brain::Desk desk(rig.ledger, rig.census, rig.now, rig.actions);
    const size_t before = allocations();
    rig.alert_monitor.tick(desk, rig.readings);
    EXPECT_EQ(allocations(), before);
    EXPECT_TRUE(rig.actions.empty());
  }
}

}  // namespace
}  // namespace tide::test
