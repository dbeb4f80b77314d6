// What may be said of alerts and their rules, and what is told to those who say something else.
#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.hpp"
#include "brain/action.hpp"
#include "plane/format.hpp"
#include "plane/vocabulary.hpp"
#include "unit/plane/order_form_support.hpp"

namespace tide {
namespace {

using test::bad;
using test::contains;
using test::good;
using test::refuses;

// set_alert of the rule "r", with one argument more.
std::string with(std::string_view name, std::string_view value) {
  return R"({"rule": "r", ")" + std::string(name) + "\": " + std::string(value) + "}";
}

constexpr std::string_view kWhole = R"({"rule": "too_slow", "metric": "wait_p95_ms", "comparison": ">=",
    "threshold": 250.5, "for": "90s", "severity": "critical", "enabled": false, "message": "callers wait",
    "advice": "raise max_size", "clear_at": 100})";

TEST(AlertForm, ReadsAWholeRule) {
  const OrderForm form = good("set_alert", kWhole);
  EXPECT_EQ(form.verb, static_cast<uint32_t>(Verb::set_alert));
  EXPECT_EQ(form.alert.rule, "too_slow");
  EXPECT_EQ(form.alert.metric, "wait_p95_ms");
  EXPECT_EQ(form.alert.comparison, ">=");
  EXPECT_EQ(form.alert.threshold, 250.5);
  EXPECT_EQ(form.alert.hold, Span::seconds(90));
  EXPECT_EQ(form.alert.severity, "critical");
  EXPECT_EQ(form.alert.is_enabled, false);
  EXPECT_EQ(form.alert.message, "callers wait");
  EXPECT_EQ(form.alert.advice, "raise max_size");
  EXPECT_EQ(form.alert.clear_at, 100);
}

TEST(AlertForm, WhatIsNotGivenIsNotGiven) {
  const OrderForm form = good("set_alert", R"({"rule": "r", "metric": null, "threshold": null, "for": null,
      "enabled": null, "message": null, "clear_at": null})");
  EXPECT_EQ(form.canonical, R"({"rule":"r"})");
  const AlertForm& alert = form.alert;
  EXPECT_FALSE(alert.metric || alert.comparison || alert.threshold || alert.hold || alert.severity);
  EXPECT_FALSE(alert.is_enabled || alert.message || alert.advice || alert.clear_at);
}

TEST(AlertForm, ZeroAndNothingAreValues) {
  EXPECT_EQ(good("set_alert", with("for", "0")).alert.hold, Span{});
  EXPECT_EQ(good("set_alert", with("for", "1500")).alert.hold, Span::millis(1500));
  EXPECT_EQ(good("set_alert", with("threshold", "0")).alert.threshold, 0);
  EXPECT_EQ(good("set_alert", with("clear_at", "0")).alert.clear_at, 0);
  EXPECT_EQ(good("set_alert", with("message", "\"\"")).alert.message, "");
  EXPECT_EQ(good("set_alert", with("threshold", "123456789012345678")).alert.threshold, 123456789012345678.0);
}

TEST(AlertForm, TheOtherVerbsOfAlerts) {
  EXPECT_EQ(good("drop_alert", R"({"rule": "r_2"})").alert.rule, "r_2");
  EXPECT_EQ(good("ack", R"({"alert_id": 81985529216486895})").number, 81985529216486895);
  EXPECT_EQ(good("ack", R"({"alert_id": 1, "by": "alice"})").by, "alice");
  EXPECT_EQ(good("ack", R"({"alert_id": 1, "by": null})").by, "");
  EXPECT_EQ(good("check_health", "").canonical, "{}");
}

TEST(AlertForm, EveryWordOfTheListsIsTaken) {
  for (const auto& [name, words] : {std::pair{"metric", vocabulary::alert_metrics()},
                                    {"comparison", vocabulary::comparisons()},
                                    {"severity", vocabulary::severities()}}) {
    for (const std::string_view word : words) good("set_alert", with(name, "\"" + std::string(word) + "\""));
    EXPECT_TRUE(contains(bad("set_alert", with(name, "\"\"")).detail, words.back()));
    refuses("set_alert", with(name, "1"));
    refuses("set_alert", with(name, "[]"));
  }
}

TEST(AlertForm, CanonicalFormMeansTheSame) {
  for (const auto& [verb, arguments] : {std::pair<std::string_view, std::string_view>{"set_alert", kWhole},
                                        {"set_alert", R"({"rule": "r", "for": 90000, "threshold": 0.1})"},
                                        {"drop_alert", R"({"rule": "r"})"},
                                        {"ack", R"({"alert_id": 7, "by": "me \"too\""})"}}) {
    const OrderForm first = good(verb, arguments);
    const OrderForm second = good(verb, first.canonical);
    EXPECT_EQ(first.canonical, second.canonical);
    EXPECT_EQ(first.number, second.number);
    EXPECT_EQ(first.by, second.by);
    EXPECT_EQ(first.alert.rule, second.alert.rule);
    EXPECT_EQ(first.alert.threshold, second.alert.threshold);
    EXPECT_EQ(first.alert.hold, second.alert.hold);
    EXPECT_EQ(first.alert.is_enabled, second.alert.is_enabled);
  }
  EXPECT_EQ(good("set_alert", with("for", "90000")).canonical, R"({"for":"90s","rule":"r"})");
}

TEST(AlertForm, TellsWhatIsMeant) {
  const Status metric = bad("set_alert", with("metric", "\"utilisation\""));
  EXPECT_TRUE(contains(metric.message, "metric is \"utilisation\"")) << metric.message;
  EXPECT_TRUE(contains(metric.hint, "\"utilization\"")) << metric.hint;
  EXPECT_TRUE(contains(metric.detail, "server_sessions_ratio"));
  EXPECT_TRUE(contains(bad("set_alert", with("severity", "\"warnig\"")).hint, "warning"));
  EXPECT_EQ(bad("set_alert", with("comparison", "\"=>\"")).detail, "accepted: >, >=, <, <=");
  EXPECT_TRUE(contains(bad("set_alert", with("treshold", "1")).hint, "threshold"));
  EXPECT_TRUE(contains(bad("set_alert", "{}").message, "rule"));
  EXPECT_TRUE(contains(bad("ack", "{}").message, "alert_id"));
  EXPECT_TRUE(contains(bad("drop_alert", "{}").detail, "a to z"));
}

TEST(AlertForm, RefusesNamesOfRulesThatAreNone) {
  const auto rule = [](const std::string& name) { return R"({"rule": ")" + name + "\"}"; };
  for (const char* name : {"", "High", "a b", "a-b", "a.b", "\\u0000", "a\\u0000", "\xC3\xA9", "'"}) {
    refuses("set_alert", rule(name));
    refuses("drop_alert", rule(name));
  }
  EXPECT_EQ(good("set_alert", rule(std::string(46, 'r'))).alert.rule.size(), kRuleNameBytesMax);
  EXPECT_TRUE(contains(bad("set_alert", rule(std::string(47, 'r'))).detail, "46"));
  refuses("set_alert", R"({"rule": 7})");
  refuses("set_alert", R"({"rule": null})");
}

TEST(AlertForm, RefusesNumbersThatAreNone) {
  for (const char* name : {"threshold", "clear_at"}) {
    for (const char* value :
         {"\"0.9\"", "true", "[]", "1e18", "-1", "-1e-300", "NaN", "Infinity", "18446744073709551615"}) {
      refuses("set_alert", with(name, value));
    }
    EXPECT_TRUE(contains(bad("set_alert", with(name, "1e999")).message, "too large"));
    EXPECT_TRUE(contains(bad("set_alert", with(name, "\"nan\"")).detail, "a number from 0"));
  }
  for (const char* hold : {"-1", "\"-1s\"", "\"soon\"", "1.5", "true", "9223372036854775807", "\"25h\""}) {
    refuses("set_alert", with("for", hold));
  }
  for (const char* enabled : {"0", "1", "\"true\"", "[]"}) refuses("set_alert", with("enabled", enabled));
  for (const char* id : {"0", "-1", "null", "\"7\"", "1.5", "9223372036854775808"}) {
    refuses("ack", std::string(R"({"alert_id": )") + id + "}");
  }
}

TEST(AlertForm, AConditionEndsBeforeItBegins) {
  const auto rule = [](std::string_view sign, int threshold, int clear_at) {
    return R"({"rule": "r", "comparison": ")" + std::string(sign) + R"(", "threshold": )" + std::to_string(threshold) +
           R"(, "clear_at": )" + std::to_string(clear_at) + "}";
  };
  good("set_alert", rule(">", 5, 5));
  good("set_alert", rule("<=", 5, 9));
  EXPECT_EQ(bad("set_alert", rule(">=", 5, 6)).message, "alert rule \"r\": clear_at 6 is above the threshold 5");
  EXPECT_EQ(bad("set_alert", rule("<", 5, 4)).message, "alert rule \"r\": clear_at 4 is below the threshold 5");
}

TEST(AlertForm, RefusesTextsThatDoNotFit) {
  const auto quoted = [](size_t bytes) { return "\"" + std::string(bytes, 'm') + "\""; };
  for (const char* name : {"message", "advice"}) {
    good("set_alert", with(name, quoted(190)));
    EXPECT_TRUE(contains(bad("set_alert", with(name, quoted(191))).detail, "190"));
    refuses("set_alert", with(name, "\"a\\u0000b\""));
    refuses("set_alert", with(name, "7"));
    refuses("set_alert", with(name, "\"\xFF\""));
  }
  good("ack", R"({"alert_id": 1, "by": )" + quoted(62) + "}");
  refuses("ack", R"({"alert_id": 1, "by": )" + quoted(63) + "}");
  refuses("ack", R"({"alert_id": 1, "by": ""})");
}

// The longest rule there is fits into a mailbox; one whose sentences are all escapes is told that it does not.
TEST(AlertForm, TheLongestRuleFitsIntoAMailbox) {
  const auto order = [](const std::string& text) {
    return R"({"rule": ")" + std::string(46, 'r') +
           R"(", "metric": "scaling_reversals_per_minute", "comparison": ">=", "threshold": 1.2345678901234567e-300,
           "clear_at": 1.2345678901234567e-300, "for": "86399999999us", "severity": "critical", "enabled": false,
           "message": ")" +
           text + R"(", "advice": ")" + text + "\"}";
  };
  EXPECT_LE(good("set_alert", order(std::string(190, 'm'))).canonical.size(), FixedText<896>::kBytesMax);
  std::string quotes;
  for (int i = 0; i < 95; ++i) quotes += R"(\")";
  good("set_alert", order(quotes));
  std::string escapes;
  for (int i = 0; i < 190; ++i) escapes += R"(\u0001)";
  EXPECT_TRUE(contains(bad("set_alert", order(escapes)).message, "too long"));
}

TEST(AlertForm, GarbageIsRefusedOrMeansTheSameTwice) {
  Rng random(7);
  const std::string sound(kWhole);
  for (int i = 0; i < 20'000; ++i) {
    std::string text = sound;
    for (uint64_t n = 1 + random.below(4); n > 0; --n) {
      const size_t place = random.below(text.size());
      switch (random.below(3)) {
        case 0: text[place] = static_cast<char>(random.next()); break;
        case 1: text.erase(place, 1 + random.below(8)); break;
        default: text.insert(place, 1, "\"{}[]:,0e-\\"[random.below(11)]); break;
      }
    }
    const auto form = check_order("set_alert", text);
    if (!form) {
      EXPECT_FALSE(form.status().message.empty());
      continue;
    }
    EXPECT_TRUE(!form->alert.threshold || std::isfinite(*form->alert.threshold)) << text;
    EXPECT_LE(form->canonical.size(), FixedText<896>::kBytesMax);
    const auto again = check_order("set_alert", form->canonical);
    ASSERT_TRUE(again.is_ok()) << form->canonical;
    EXPECT_EQ(again->canonical, form->canonical);
  }
}

}  // namespace
}  // namespace tide
