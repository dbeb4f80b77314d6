// Arguments of commands on alerts and their rules, and the errors for invalid ones.
#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.hpp"
#include "unit/model/command_support.hpp"
#include "unit/support/rounds.hpp"

namespace tide {
namespace {

using test::bad;
using test::contains;
using test::good;
using test::refuses;

// set_alert of the rule "r", with one additional argument.
std::string with(std::string_view name, std::string_view value) {
  return R"({"rule": "r", ")" + std::string(name) + "\": " + std::string(value) + "}";
}

constexpr std::string_view kWhole = R"({"rule": "too_slow", "metric": "wait_p95_ms", "comparison": ">=",
    "threshold": 250.5, "hold": "90s", "severity": "critical", "enabled": false, "message": "callers wait",
    "advice": "raise max_size", "clear_at": 100})";

TEST(AlertCommand, ReadsCompleteRule) {
  const Command command = good("set_alert", kWhole);
  EXPECT_EQ(command.verb(), Verb::set_alert);
  EXPECT_EQ(command.text("rule"), "too_slow");
  EXPECT_EQ(command.text("metric"), "wait_p95_ms");
  EXPECT_EQ(command.text("comparison"), ">=");
  EXPECT_EQ(command.number("threshold"), 250.5);
  EXPECT_EQ(command.span("hold"), Span::seconds(90));
  EXPECT_EQ(command.text("severity"), "critical");
  EXPECT_EQ(command.truth("enabled"), false);
  EXPECT_EQ(command.text("message"), "callers wait");
  EXPECT_EQ(command.text("advice"), "raise max_size");
  EXPECT_EQ(command.number("clear_at"), 100);
}

TEST(AlertCommand, NullMeansNotGiven) {
  const Command command = good("set_alert", R"({"rule": "r", "metric": null, "threshold": null, "hold": null,
      "enabled": null, "message": null, "clear_at": null})");
  EXPECT_EQ(command.arguments_json(), R"({"rule":"r"})");
}

TEST(AlertCommand, ZeroAndEmptyAreValues) {
  EXPECT_EQ(good("set_alert", with("hold", "0")).span("hold"), Span{});
  EXPECT_EQ(good("set_alert", with("hold", "1500")).span("hold"), Span::millis(1500));
  EXPECT_EQ(good("set_alert", with("threshold", "0")).number("threshold"), 0);
  EXPECT_EQ(good("set_alert", with("clear_at", "0")).number("clear_at"), 0);
  EXPECT_EQ(good("set_alert", with("message", "\"\"")).text("message"), "");
  EXPECT_EQ(good("set_alert", with("threshold", "123456789012345678")).number("threshold"), 123456789012345678.0);
}

TEST(AlertCommand, OtherAlertVerbs) {
  EXPECT_EQ(good("drop_alert", R"({"rule": "r_2"})").text("rule"), "r_2");
  EXPECT_EQ(good("ack", R"({"alert_id": 81985529216486895})").whole("alert_id"), 81985529216486895);
  EXPECT_EQ(good("ack", R"({"alert_id": 1, "by": "alice"})").text("by"), "alice");
  EXPECT_FALSE(good("ack", R"({"alert_id": 1, "by": null})").text("by"));
  EXPECT_EQ(good("check_health", "").arguments_json(), "{}");
}

TEST(AlertCommand, EveryListedWordIsAccepted) {
  for (const auto& [name, words] :
       {std::pair{"metric", kWords<Metric>}, {"comparison", kWords<Comparison>}, {"severity", kWords<Severity>}}) {
    for (const std::string_view word : words) good("set_alert", with(name, "\"" + std::string(word) + "\""));
    EXPECT_TRUE(contains(bad("set_alert", with(name, "\"\"")).detail(), words.back()));
    refuses("set_alert", with(name, "1"));
    refuses("set_alert", with(name, "[]"));
  }
}

TEST(AlertCommand, CanonicalFormIsEquivalent) {
  for (const auto& [verb, arguments] : {std::pair<std::string_view, std::string_view>{"set_alert", kWhole},
                                        {"set_alert", R"({"rule": "r", "hold": 90000, "threshold": 0.1})"},
                                        {"drop_alert", R"({"rule": "r"})"},
                                        {"ack", R"({"alert_id": 7, "by": "me \"too\""})"}}) {
    const Command first = good(verb, arguments);
    const Command second = good(verb, first.arguments_json());
    EXPECT_EQ(first.arguments_json(), second.arguments_json());
  }
  EXPECT_EQ(good("set_alert", with("hold", "90000")).arguments_json(), R"({"rule":"r","hold":"90s"})");
}

TEST(AlertCommand, RefusesThresholdInAnotherUnit) {
  const Status percent = bad("set_alert", R"({"rule": "r", "metric": "utilization", "threshold": 90})");
  EXPECT_EQ(percent.message(), "alert rule \"r\": threshold 90 is above 1, the highest utilization");
  EXPECT_EQ(percent.hint(), "for 90 % give 0.9");
  EXPECT_TRUE(contains(percent.detail(), "ratio"));
  const Status end = bad("set_alert", R"({"rule": "r", "metric": "health", "comparison": "<", "clear_at": 101})");
  EXPECT_TRUE(contains(end.message(), "clear_at 101 is above 100")) << end.message();
  for (const auto& [metric, typed, hint] : {std::tuple{"oldest_wait_ms", "5s", ": 5000"},
                                            {"wal_bytes", "16MB", ": 16777216"},
                                            {"error_rate", "5%", ": 90 % is 0.9"},
                                            {"waiting", "5s", "is callers"}}) {
    const Status unit =
        bad("set_alert", R"({"rule": "r", "metric": ")" + std::string(metric) + R"(", "threshold": ")" + typed + "\"}");
    EXPECT_TRUE(contains(unit.message(), typed)) << unit.message();
    EXPECT_TRUE(contains(unit.hint(), hint)) << unit.hint();
  }
  EXPECT_TRUE(contains(bad("set_alert", with("threshold", "\"5s\"")).hint(), "the unit of the metric"));
  good("set_alert", R"({"rule": "r", "metric": "utilization", "threshold": 1, "clear_at": 1})");
  good("set_alert", R"({"rule": "r", "metric": "oldest_wait_ms", "threshold": 5000000})");
}

TEST(AlertCommand, SuggestsSimilarNames) {
  const Status metric = bad("set_alert", with("metric", "\"utilisation\""));
  EXPECT_TRUE(contains(metric.message(), "metric is \"utilisation\"")) << metric.message();
  EXPECT_TRUE(contains(metric.hint(), "\"utilization\"")) << metric.hint();
  EXPECT_TRUE(contains(metric.detail(), "server_sessions_ratio"));
  EXPECT_TRUE(contains(bad("set_alert", with("severity", "\"warnig\"")).hint(), "warning"));
  EXPECT_EQ(bad("set_alert", with("comparison", "\"=>\"")).detail(), "accepted: >, >=, <, <=");
  EXPECT_TRUE(contains(bad("set_alert", with("treshold", "1")).hint(), "threshold"));
  EXPECT_TRUE(contains(bad("set_alert", "{}").message(), "rule"));
  EXPECT_TRUE(contains(bad("ack", "{}").message(), "alert_id"));
  EXPECT_TRUE(contains(bad("drop_alert", "{}").detail(), "a to z"));
}

TEST(AlertCommand, RefusesInvalidRuleNames) {
  const auto rule = [](const std::string& name) { return R"({"rule": ")" + name + "\"}"; };
  for (const char* name : {"", "High", "a b", "a-b", "a.b", "\\u0000", "a\\u0000", "\xC3\xA9", "'"}) {
    refuses("set_alert", rule(name));
    refuses("drop_alert", rule(name));
  }
  EXPECT_EQ(good("set_alert", rule(std::string(46, 'r'))).text("rule")->size(), kRuleNameBytesMax);
  EXPECT_TRUE(contains(bad("set_alert", rule(std::string(47, 'r'))).detail(), "46"));
  refuses("set_alert", R"({"rule": 7})");
  refuses("set_alert", R"({"rule": null})");
}

TEST(AlertCommand, RefusesInvalidNumbers) {
  for (const char* name : {"threshold", "clear_at"}) {
    for (const char* value :
         {"\"0.9\"", "true", "[]", "1e18", "-1", "-1e-300", "NaN", "Infinity", "18446744073709551615"}) {
      refuses("set_alert", with(name, value));
    }
    EXPECT_TRUE(contains(bad("set_alert", with(name, "1e999")).message(), "too large"));
    EXPECT_TRUE(contains(bad("set_alert", with(name, "\"nan\"")).detail(), "a number from 0"));
  }
  for (const char* hold : {"-1", "\"-1s\"", "\"soon\"", "1.5", "true", "9223372036854775807", "\"25h\""}) {
    refuses("set_alert", with("hold", hold));
  }
  for (const char* enabled : {"0", "1", "\"true\"", "[]"}) refuses("set_alert", with("enabled", enabled));
  for (const char* id : {"0", "-1", "null", "\"7\"", "1.5", "9223372036854775808"}) {
    refuses("ack", std::string(R"({"alert_id": )") + id + "}");
  }
}

TEST(AlertCommand, RefusesClearAtBeyondThreshold) {
  const auto rule = [](std::string_view sign, int threshold, int clear_at) {
    return R"({"rule": "r", "comparison": ")" + std::string(sign) + R"(", "threshold": )" + std::to_string(threshold) +
           R"(, "clear_at": )" + std::to_string(clear_at) + "}";
  };
  good("set_alert", rule(">", 5, 5));
  good("set_alert", rule("<=", 5, 9));
  EXPECT_EQ(bad("set_alert", rule(">=", 5, 6)).message(), "alert rule \"r\": clear_at 6 is above the threshold 5");
  EXPECT_EQ(bad("set_alert", rule("<", 5, 4)).message(), "alert rule \"r\": clear_at 4 is below the threshold 5");
}

TEST(AlertCommand, RefusesOversizedTexts) {
  const auto quoted = [](size_t bytes) { return "\"" + std::string(bytes, 'm') + "\""; };
  for (const char* name : {"message", "advice"}) {
    good("set_alert", with(name, quoted(190)));
    EXPECT_TRUE(contains(bad("set_alert", with(name, quoted(191))).detail(), "190"));
    refuses("set_alert", with(name, "\"a\\u0000b\""));
    refuses("set_alert", with(name, "7"));
    refuses("set_alert", with(name, "\"\xFF\""));
  }
  good("ack", R"({"alert_id": 1, "by": )" + quoted(62) + "}");
  refuses("ack", R"({"alert_id": 1, "by": )" + quoted(63) + "}");
  refuses("ack", R"({"alert_id": 1, "by": ""})");
}

// The longest possible rule fits into a mailbox; one whose texts consist of escaped characters is refused as too long.
TEST(AlertCommand, LongestRuleFitsIntoMailbox) {
  const auto command = [](const std::string& text) {
    return R"({"rule": ")" + std::string(46, 'r') +
           R"(", "metric": "scaling_reversals_per_minute", "comparison": ">=", "threshold": 1.2345678901234567e-300,
           "clear_at": 1.2345678901234567e-300, "hold": "86399999999us", "severity": "critical", "enabled": false,
           "message": ")" +
           text + R"(", "advice": ")" + text + "\"}";
  };
  EXPECT_LE(good("set_alert", command(std::string(190, 'm'))).arguments_json().size(), kArgumentsBytesMax);
  std::string quotes;
  for (int i = 0; i < 95; ++i) quotes += R"(\")";
  good("set_alert", command(quotes));
  std::string escapes;
  for (int i = 0; i < 190; ++i) escapes += R"(\u0001)";
  EXPECT_TRUE(contains(bad("set_alert", command(escapes)).message(), "too long"));
}

TEST(AlertCommand, GarbageIsRefusedOrRoundTrips) {
  Rng random(7);
  const std::string sound(kWhole);
  for (int i = 0; i < test::rounds(20'000); ++i) {
    std::string text = sound;
    for (uint64_t n = 1 + random.below(4); n > 0; --n) {
      const size_t place = random.below(text.size());
      switch (random.below(3)) {
        case 0: text[place] = static_cast<char>(random.next()); break;
        case 1: text.erase(place, 1 + random.below(8)); break;
        default: text.insert(place, 1, "\"{}[]:,0e-\\"[random.below(11)]); break;
      }
    }
    const auto command = parse_command("set_alert", text);
    if (!command) {
      EXPECT_FALSE(command.status().message().empty());
      continue;
    }
    EXPECT_TRUE(!command->number("threshold") || std::isfinite(*command->number("threshold"))) << text;
    EXPECT_LE(command->arguments_json().size(), kArgumentsBytesMax);
    const auto again = parse_command("set_alert", command->arguments_json());
    ASSERT_TRUE(again.is_ok()) << command->arguments_json();
    EXPECT_EQ(again->arguments_json(), command->arguments_json());
  }
}

}  // namespace
}  // namespace tide
