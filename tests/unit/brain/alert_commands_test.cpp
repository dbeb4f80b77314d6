// Changes of rules by commands and by the policy; acknowledging; and random input.
#include <algorithm>
#include <map>
#include <set>

#include "alert_rig.hpp"
#include "base/rng.hpp"
#include "unit/support/rounds.hpp"

namespace tide::test {
namespace {

TEST(AlertRules, NewRuleNeedsMetricAndThreshold) {
  AlertRig rig;
  test::AlertWish lacking = wish("slow");
  EXPECT_TRUE(is_refused(rig.set(lacking), Code::bad_argument));
  lacking.metric = "query_ms";
  const Verdict refusal = rig.set(lacking);
  EXPECT_TRUE(is_refused(refusal, Code::bad_argument));
  EXPECT_NE(refusal.why.message().find("lacks a threshold"), std::string::npos);
  EXPECT_EQ(rig.alert_monitor.rules_generation(), 1U);

  ASSERT_TRUE(is_applied(rig.set(wish("slow", "query_ms", 250))));
  EXPECT_EQ(rig.alert_monitor.rules_generation(), 2U);
  const AlertRule& rule = *rig.rule("slow");
  EXPECT_EQ(rule.comparison, Comparison::at_least);
  EXPECT_EQ(rule.clear_at, 225);
  EXPECT_EQ(rule.severity, Severity::warning);
  EXPECT_EQ(rule.message, "query_ms is >= 250");
  EXPECT_TRUE(rule.hold.is_zero() && rule.is_enabled && !rule.is_built_in);
  rig.put(Metric::query_ms, 250);
  rig.tick();
  EXPECT_TRUE(rig.is_firing("slow"));
}

TEST(AlertRules, MistypedNameGetsSuggestion) {
  AlertRig rig;
  EXPECT_NE(rig.set(wish("wait_tine")).why.hint().find("wait_time"), std::string::npos);
  const Verdict drop = rig.drop("breaker_opn");
  EXPECT_TRUE(is_refused(drop, Code::not_found));
  EXPECT_NE(drop.why.hint().find("breaker_open"), std::string::npos);
}

TEST(AlertRules, UnknownWordsAreRefused) {
  AlertRig rig;
  EXPECT_TRUE(is_refused(rig.set(wish("a", "utilisation", 1)), Code::bad_argument));
  test::AlertWish wrong = wish("a", "size", 5);
  wrong.comparison = "==";
  EXPECT_TRUE(is_refused(rig.set(wrong), Code::bad_argument));
  wrong = wish("a", "size", 5);
  wrong.severity = "fatal";
  EXPECT_TRUE(is_refused(rig.set(wrong), Code::bad_argument));
  EXPECT_EQ(rig.rule("a"), nullptr);
}

TEST(AlertRules, ClearAtIsNotBeyondThreshold) {
  AlertRig rig;
  test::AlertWish contradiction = wish("a", "size", 5);
  contradiction.clear_at = 6;
  const Verdict above = rig.set(contradiction);
  EXPECT_TRUE(is_refused(above, Code::bad_argument));
  EXPECT_EQ(above.why.message(), "alert rule \"a\": clear_at 6 is above the threshold 5");
  contradiction.comparison = "<";
  EXPECT_TRUE(is_applied(rig.set(contradiction)));
  test::AlertWish later = wish("a");
  later.threshold = 7;
  EXPECT_EQ(rig.set(later).why.message(), "alert rule \"a\": clear_at 6 is below the threshold 7");
  later.clear_at = 9;
  EXPECT_TRUE(is_applied(rig.set(later)));
  EXPECT_EQ(rig.rule("a")->clear_at, 9);
}

TEST(AlertRules, ThresholdHasTheUnitOfTheRulesMetric) {
  AlertRig rig;
  const double before = rig.rule("connection_exhaustion")->threshold;
  test::AlertWish percent = wish("connection_exhaustion");
  percent.threshold = 90;
  const Verdict refused = rig.set(percent);
  EXPECT_TRUE(is_refused(refused, Code::bad_argument));
  EXPECT_EQ(refused.why.message(),
            "alert rule \"connection_exhaustion\": threshold 90 is above 1, the highest utilization");
  EXPECT_EQ(rig.rule("connection_exhaustion")->threshold, before);
}

TEST(AlertRules, DownwardRuleMustBeAbleToEnd) {
  EXPECT_EQ(brain::default_clear_at(Metric::health, Comparison::below, 50), 55);
  EXPECT_EQ(brain::default_clear_at(Metric::health, Comparison::below, 98), 99);
  EXPECT_EQ(brain::default_clear_at(Metric::utilization, Comparison::at_most, 1), 1);
  EXPECT_EQ(brain::default_clear_at(Metric::idle, Comparison::below, 3), 3);
  AlertRig rig;
  test::AlertWish low = wish("low", "health", 50);
  low.comparison = "<";
  ASSERT_TRUE(is_applied(rig.set(low)));
  rig.put(Metric::health, 49);
  rig.tick();
  ASSERT_TRUE(rig.is_firing("low"));
  rig.put(Metric::health, 54);
  rig.run(Span::seconds(20));
  EXPECT_TRUE(rig.is_firing("low"));
  rig.put(Metric::health, 55);
  rig.run(Span::seconds(6));
  EXPECT_EQ(rig.alert("low")->state, AlertState::resolved);
}

TEST(AlertRules, SetAlertChangesOnlyNamedFields) {
  AlertRig rig;
  test::AlertWish sooner = wish("error_rate");
  sooner.hold = kSecond;
  ASSERT_TRUE(is_applied(rig.set(sooner)));
  const AlertRule& rule = *rig.rule("error_rate");
  EXPECT_EQ(rule.hold, kSecond);
  EXPECT_EQ(rule.threshold, rig.policy.alert_error_rate);
  EXPECT_EQ(rule.comparison, Comparison::above);
  EXPECT_FALSE(rule.is_built_in);
  const uint64_t generation = rig.alert_monitor.rules_generation();
  EXPECT_NE(rig.set(sooner).message.find("already in effect"), std::string::npos);
  EXPECT_EQ(rig.alert_monitor.rules_generation(), generation);
  sooner.hold = Span::seconds(10);
  ASSERT_TRUE(is_applied(rig.set(sooner)));
  EXPECT_TRUE(rig.rule("error_rate")->is_built_in);
}

TEST(AlertRules, DroppedBuiltInRuleIsRestoredWithDefaults) {
  AlertRig rig;
  ASSERT_TRUE(is_applied(rig.drop("wait_time")));
  EXPECT_EQ(rig.rule("wait_time"), nullptr);
  rig.put(Metric::oldest_wait_ms, 1e6);
  rig.run(Span::seconds(10));
  EXPECT_EQ(rig.alert("wait_time"), nullptr);
  EXPECT_EQ(rig.notes.size(), 1U);
  EXPECT_EQ(rig.notes[0].event, EventKind::alert_rule_changed);
  EXPECT_EQ(rig.notes[0].text, "alert rule \"wait_time\" dropped by psql");
  test::AlertWish back = wish("wait_time");
  back.severity = "critical";
  ASSERT_TRUE(is_applied(rig.set(back)));
  EXPECT_EQ(rig.rule("wait_time")->threshold, rig.policy.alert_wait.ms_exact());
  EXPECT_EQ(rig.rule("wait_time")->severity, Severity::critical);
  rig.tick();
  EXPECT_TRUE(rig.is_firing("wait_time"));
}

TEST(AlertRules, ChangeDropAndDisableEndTheAlert) {
  for (int way = 0; way < 4; ++way) {
    SCOPED_TRACE(way);
    AlertRig rig;
    rig.put(Metric::oldest_wait_ms, 6000);
    rig.put(Metric::utilization, 1);
    rig.tick();
    ASSERT_TRUE(rig.is_firing("wait_time"));
    test::AlertWish other = wish("wait_time");
    if (way == 0) other.threshold = 10'000;
    if (way == 1) other.is_enabled = false;
    if (way < 2) ASSERT_TRUE(is_applied(rig.set(other)));
    if (way == 2) ASSERT_TRUE(is_applied(rig.drop("wait_time")));
    if (way == 3) {
      rig.policy.alert_wait = Span::seconds(10);
      rig.alert_monitor.set_policy(rig.policy);
    }
    EXPECT_EQ(rig.alert("wait_time")->state, AlertState::resolved);
    rig.run(Span::seconds(3));
    EXPECT_EQ(rig.count(EventKind::alert_resolved, "wait_time"), 1);
    EXPECT_EQ(rig.count(EventKind::alert_firing, "wait_time"), 1);
    const char* const why[] = {"its rule was changed by psql", "its rule was disabled by psql",
                               "its rule was dropped by psql", "the threshold was changed"};
    const auto told = std::find_if(rig.notes.begin(), rig.notes.end(),
                                   [](const action::Note& note) { return note.event == EventKind::alert_resolved; });
    EXPECT_NE(told->text.find(why[way]), std::string::npos) << told->text;
    // The alert of another rule is unchanged.
    rig.run(Span::seconds(10));
    EXPECT_TRUE(rig.is_firing("connection_exhaustion"));
    EXPECT_EQ(rig.alert("connection_exhaustion")->since, Instant::at_ns(1'000'000'000'000));
  }
}

TEST(AlertRules, PendingAlertOfChangedRuleIsRemoved) {
  AlertRig rig;
  rig.put(Metric::utilization, 1);
  rig.tick();
  ASSERT_EQ(rig.alert("connection_exhaustion")->state, AlertState::pending);
  ASSERT_TRUE(is_applied(rig.drop("connection_exhaustion")));
  EXPECT_EQ(rig.alert("connection_exhaustion"), nullptr);
  rig.tick(kSecond);
  EXPECT_EQ(rig.puts(), 1);
  EXPECT_EQ(rig.count(EventKind::alert_resolved, "connection_exhaustion"), 0);
}

TEST(AlertRules, FollowPolicyUnlessSet) {
  AlertRig rig;
  test::AlertWish mine = wish("waiting_count");
  mine.threshold = 50;
  ASSERT_TRUE(is_applied(rig.set(mine)));
  test::AlertWish text = wish("error_rate");
  text.message = "Orders fail.";
  ASSERT_TRUE(is_applied(rig.set(text)));
  const uint64_t generation = rig.alert_monitor.rules_generation();
  rig.alert_monitor.set_policy(rig.policy);
  EXPECT_EQ(rig.alert_monitor.rules_generation(), generation);
  rig.policy.alert_waiting = 7;
  rig.policy.alert_error_rate = 0.5;
  rig.policy.alert_utilization = 0.5;
  rig.alert_monitor.set_policy(rig.policy);
  EXPECT_GT(rig.alert_monitor.rules_generation(), generation);
  EXPECT_EQ(rig.rule("waiting_count")->threshold, 50);
  EXPECT_EQ(rig.rule("error_rate")->threshold, 0.5);
  EXPECT_EQ(rig.rule("error_rate")->message, "Orders fail.");
  EXPECT_FALSE(rig.rule("error_rate")->is_built_in);
  EXPECT_EQ(rig.rule("connection_exhaustion")->threshold, 0.5);
  EXPECT_EQ(rig.rule("connection_exhaustion")->clear_at, 0.45);
  EXPECT_TRUE(rig.rule("connection_exhaustion")->is_built_in);
  ASSERT_TRUE(is_applied(rig.drop("waiting_count")));
  ASSERT_TRUE(is_applied(rig.set(wish("waiting_count"))));
  EXPECT_EQ(rig.rule("waiting_count")->threshold, 7);
  EXPECT_TRUE(rig.rule("waiting_count")->is_built_in);
}

TEST(AlertRules, AreBounded) {
  AlertRig rig;
  while (rig.alert_monitor.rules().size() < brain::kAlertRulesMax) {
    ASSERT_TRUE(is_applied(rig.set(wish("r" + std::to_string(rig.alert_monitor.rules().size()), "size", 1))));
  }
  const Verdict full = rig.set(wish("one_more", "size", 1));
  EXPECT_TRUE(is_refused(full, Code::refused));
  EXPECT_NE(full.why.detail().find("64"), std::string::npos);
  test::AlertWish known = wish("r63");
  known.threshold = 2;
  EXPECT_TRUE(is_applied(rig.set(known)));
  rig.put(Metric::size, 5);
  rig.tick();
  EXPECT_EQ(rig.alert_monitor.fired_total(), brain::kAlertRulesMax - brain::built_in_rules(Policy()).size());
}

TEST(AlertTable, OldestResolvedIsOverwritten) {
  AlertRig rig;
  rig.put(Metric::emergency, 1);
  for (int i = 0; i < 300; ++i) {
    rig.put(Metric::breaker_open, i % 2);
    rig.tick(kSecond);
  }
  EXPECT_EQ(rig.alert_monitor.fired_total(), 151U);
  std::set<uint64_t> numbers;
  for (size_t place = 0; place < rig.alert_monitor.places(); ++place)
    numbers.insert(rig.alert_monitor.alert(place).number);
  EXPECT_EQ(numbers.size(), AlertMonitor::kPlaces);
  EXPECT_EQ(numbers.count(1), 1U);  // the emergency continues
  EXPECT_EQ(numbers.count(2), 0U);
  EXPECT_EQ(*numbers.rbegin(), 151U);
  EXPECT_TRUE(rig.is_firing("emergency"));
}

TEST(AlertAck, IsKeptAndReported) {
  AlertRig rig;
  rig.put(Metric::breaker_open, 1);
  rig.tick();
  const uint64_t id = uint64_t{0x1234} << 32 | 1;
  EXPECT_TRUE(is_refused(rig.ack(2), Code::not_found));
  EXPECT_TRUE(is_refused(rig.ack(uint64_t{0x1234} << 32), Code::not_found));
  ASSERT_TRUE(is_applied(rig.ack(id)));
  EXPECT_EQ(rig.alert("breaker_open")->acked_by, "ada");
  EXPECT_EQ(rig.alert("breaker_open")->acked_at, rig.now);
  rig.tick(Span::millis(1));
  EXPECT_EQ(rig.puts(), 1);
  EXPECT_EQ(rig.notes.back().event, EventKind::alert_acked);
  EXPECT_EQ(rig.notes.back().text, "alert of rule \"breaker_open\" acknowledged by ada");
  EXPECT_NE(rig.notes.back().text.find(" by ada"), std::string::npos);
  EXPECT_EQ(rig.ack(id, "bob").message, "already acknowledged by ada");
  EXPECT_EQ(rig.alert_monitor.firing(Severity::info), 1);
  rig.put(Metric::breaker_open, 0);
  rig.tick(kSecond);
  EXPECT_TRUE(is_refused(rig.ack(id), Code::refused));
  EXPECT_EQ(rig.alert("breaker_open")->acked_by, "ada");
}

// Ticks of random input. Reported alerts must match the table, and the table the measurements.
TEST(AlertSeeds, KeepTheInvariants) {
  Rng rng(20'260'101);
  AlertRig rig;
  std::map<std::string, int> unresolved;  // firing events minus resolved events
  std::map<std::string, Instant> held_since;
  uint64_t fired = 0;
  const std::string names[] = {"u0", "u1", "u2", "error_rate", "waiting_count", "connection_exhaustion"};
  constexpr int kTicks = kIsSanitized ? 2'500 : 100'000;
  for (int i = 0; i < kTicks; ++i) {
    if (rng.chance(0.01)) {
      test::AlertWish made = wish(names[rng.below(6)], std::string(kWords<Metric>[rng.below(kMetrics)]),
                                  static_cast<double>(rng.below(3)) / 2);
      made.comparison = std::string(word(static_cast<Comparison>(rng.below(4))));
      made.hold = Span::seconds(static_cast<int64_t>(rng.below(20)));
      made.is_enabled = rng.chance(0.9);
      if (rng.chance(0.5)) made.clear_at = static_cast<double>(rng.below(3)) / 2;
      const Verdict verdict = rng.chance(0.7) ? rig.set(made) : rig.drop(made.rule);
      if (is_applied(verdict) && verdict.message.find("already in effect") == std::string::npos)
        held_since.erase(made.rule);
    }
    if (rng.chance(0.001)) {
      rig.policy.alert_utilization = 0.5 + rng.unit() / 2;
      rig.alert_monitor.set_policy(rig.policy);
    }
    if (rng.chance(0.01)) (void)rig.ack(rng.below(fired + 5));
    for (int k = 0; k < 3; ++k) {
      double& value = rig.readings.value[rng.below(kMetrics)];
      value = rng.chance(0.1) ? std::numeric_limits<double>::quiet_NaN() : static_cast<double>(rng.below(5)) / 2;
    }
    rig.notes.clear();
    rig.now += Span::millis(static_cast<int64_t>(rng.below(3000)));
    for (const AlertRule& rule : rig.alert_monitor.rules()) {  // the condition at this evaluation
      if (!rule.is_enabled || !rule.begins_with(rig.readings[rule.metric]))
        held_since.erase(rule.name);
      else
        held_since.try_emplace(rule.name, rig.now);
    }
    rig.tick();
    for (const action::Note& note : rig.notes) {
      const std::string rule = note.text.substr(0, note.text.find(':'));
      if (note.event == EventKind::alert_firing) {
        ++fired;
        ASSERT_EQ(++unresolved[rule], 1);
        ASSERT_TRUE(held_since.count(rule)) << rule;
        ASSERT_GE(rig.now - held_since[rule], rig.rule(rule)->hold) << rule;
      }
      if (note.event == EventKind::alert_resolved) ASSERT_EQ(--unresolved[rule], 0) << note.text;
    }
    std::set<std::string> seen;
    int64_t firing = 0;
    for (size_t place = 0; place < rig.alert_monitor.places(); ++place) {
      const Alert& alert = rig.alert_monitor.alert(place);
      if (alert.number == 0 || alert.state == AlertState::resolved) continue;
      ASSERT_TRUE(seen.insert(alert.rule).second) << "two of " << alert.rule;
      ASSERT_TRUE(rig.rule(alert.rule) && rig.rule(alert.rule)->is_enabled);
      ASSERT_EQ(unresolved[alert.rule], alert.state == AlertState::firing ? 1 : 0);
      ASSERT_GE(alert.occurrences, 1U);
      firing += alert.state == AlertState::firing ? 1 : 0;
    }
    ASSERT_EQ(rig.alert_monitor.firing(Severity::info), firing);
    ASSERT_EQ(rig.alert_monitor.fired_total(), fired);
  }
  EXPECT_GT(fired, static_cast<uint64_t>(kTicks) / 100);
}

}  // namespace
}  // namespace tide::test
