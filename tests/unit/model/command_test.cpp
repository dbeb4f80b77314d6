// Arguments of commands, and the errors for invalid ones.
#include <gtest/gtest.h>

#include "unit/model/command_support.hpp"

namespace tide {
namespace {

using test::bad;
using test::contains;
using test::good;
using test::refuses;

TEST(Command, ReadsTheArgumentsOfEachVerb) {
  EXPECT_EQ(good("scale", R"({"target_size": 8, "reason": "sale"})").whole("target_size"), 8);
  EXPECT_EQ(good("scale", R"({"target_size": 8, "reason": "sale"})").text("reason"), "sale");
  EXPECT_TRUE(good("scale", R"({"target_size": null})").is_null("target_size"));
  EXPECT_EQ(good("scale", R"({"target_size": 0})").whole("target_size"), 0);
  EXPECT_EQ(good("burst", R"({"duration": "60s"})").span("duration"), Span::seconds(60));
  EXPECT_EQ(good("burst", R"({"duration": 1500})").span("duration"), Span::millis(1500));
  EXPECT_FALSE(good("burst", "{}").span("duration"));
  EXPECT_FALSE(good("burst", R"({"duration": null})").span("duration"));
  EXPECT_EQ(good("recycle", R"({"spread": "10s"})").span("spread"), Span::seconds(10));
  EXPECT_EQ(good("recycle", R"({"spread": 0})").span("spread"), Span());
  EXPECT_EQ(good("close_connection", R"({"conn_id": 7})").whole("conn_id"), 7);
  EXPECT_EQ(good("revoke", R"({"lease_id": 9223372036854775807})").whole("lease_id"), INT64_MAX);
  for (const char* verb : {"end_burst", "pause", "resume", "drain", "reset_stats", "check_health", "evaluate"}) {
    EXPECT_EQ(good(verb, "").arguments_json(), "{}");
    EXPECT_EQ(good(verb, "{}").name(), verb);
  }
}

TEST(Command, ConvertsOptionValuesToText) {
  EXPECT_EQ(good("set", R"({"option": "max_size", "value": "20"})").text("value"), "20");
  EXPECT_EQ(good("set", R"({"option": "max_size", "value": 20})").text("value"), "20");
  EXPECT_EQ(good("set", R"({"option": "burst", "value": false})").text("value"), "false");
  EXPECT_EQ(good("set", R"({"option": "ratio", "value": 0.75})").text("value"), "0.75");
  EXPECT_EQ(good("set", R"({"option": "validation_query", "value": ""})").text("value"), "");
  refuses("set", R"({"option": "max_size", "value": null})");
  refuses("set", R"({"option": "max_size", "value": [1]})");
  refuses("set", R"({"option": "", "value": 1})");
  refuses("set", R"({"option": "a\u0000b", "value": 1})");
}

TEST(Command, CanonicalFormIsEquivalent) {
  const std::pair<const char*, const char*> commands[] = {{"scale", R"( { "reason" : "x" , "target_size" : 3 } )"},
                                                          {"scale", R"({"target_size": null})"},
                                                          {"burst", R"({"duration": 90000})"},
                                                          {"burst", ""},
                                                          {"set", R"({"option": "a", "value": 1.5})"},
                                                          {"recycle", R"({"spread": "0s"})"},
                                                          {"revoke", R"({"lease_id": 12})"}};
  for (const auto& [verb, arguments] : commands) {
    const Command first = good(verb, arguments);
    const Command second = good(verb, first.arguments_json());
    EXPECT_EQ(first.arguments_json(), second.arguments_json());
  }
  EXPECT_EQ(good("scale", R"( {"target_size":3, "reason":"x"} )").arguments_json(),
            R"({"target_size":3,"reason":"x"})");
}

TEST(Command, SuggestsSimilarNames) {
  const Status verb = bad("scael", "{}");
  EXPECT_TRUE(contains(verb.hint(), "scale"));
  EXPECT_TRUE(contains(verb.detail(), "reset_stats"));
  EXPECT_TRUE(contains(bad("scale", R"({"targetsize": 3})").hint(), "target_size"));
  EXPECT_TRUE(contains(bad("pause", R"({"reason": "x"})").detail(), "no arguments"));
  EXPECT_TRUE(contains(bad("scale", "{}").message(), "target_size"));
  refuses("", "{}");
}

TEST(Command, RefusesWrongTypesAndRanges) {
  for (const char* size : {"-1", "2.5", "\"8\"", "true", "2147483648", "18446744073709551615", "[]", "1e400"}) {
    refuses("scale", std::string(R"({"target_size": )") + size + "}");
  }
  for (const char* duration :
       {"0", "-5", "\"0s\"", "\"-1s\"", "\"soon\"", "\"\"", "1.5", "true", "{}", "9223372036854775807", "\"25h\""}) {
    refuses("burst", std::string(R"({"duration": )") + duration + "}");
  }
  for (const char* id : {"0", "-1", "null", "\"7\"", "9223372036854775808"}) {
    refuses("close_connection", std::string(R"({"conn_id": )") + id + "}");
  }
}

TEST(Command, RefusesNonObjects) {
  for (const char* text : {"null", "[]", "3", "\"x\"", "{", "{}x", "{\"target_size\": 1,}", " ", "\xFF"})
    refuses("scale", text);
  EXPECT_TRUE(contains(bad("scale", R"({"target_size": 1, "target_size": 2})").message(), "specified more than once"));
  refuses("scale", std::string(4000, '['));
  refuses("scale", "{\"reason\": \"\xC3\x28\", \"target_size\": 1}");
}

TEST(Command, RefusesOversizedArguments) {
  const auto scale = [](size_t bytes) { return R"({"target_size": 1, "reason": ")" + std::string(bytes, 'r') + "\"}"; };
  EXPECT_EQ(good("scale", scale(120)).text("reason")->size(), 120U);
  refuses("scale", scale(121));
  const auto set = [](size_t bytes) { return R"({"option": "o", "value": ")" + std::string(bytes, 'v') + "\"}"; };
  const size_t room = kArgumentsBytesMax - good("set", set(0)).arguments_json().size();
  EXPECT_EQ(good("set", set(room)).arguments_json().size(), kArgumentsBytesMax);
  EXPECT_TRUE(contains(bad("set", set(room + 1)).message(), "too long"));
  refuses("pause", "{}" + std::string(5000, ' '));
}

TEST(Command, ClipsAndCleansQuotedInput) {
  const Status status = bad(std::string("\n\x01") + std::string(3000, 'x'), "{}");
  EXPECT_LT(status.message().size(), 120U);
  EXPECT_FALSE(contains(status.message(), "\n"));
}

}  // namespace
}  // namespace tide
