// What an order may say, and what is told to those who say something else.
#include <gtest/gtest.h>

#include "brain/action.hpp"
#include "plane/format.hpp"
#include "unit/plane/order_form_support.hpp"

namespace tide {
namespace {

using test::bad;
using test::contains;
using test::good;
using test::refuses;

TEST(OrderForm, VerbsStandInTheOrderOfTheBrains) {
  const auto verbs = order_verbs();
  ASSERT_EQ(verbs.size(), 16U);
  const std::pair<Verb, const char*> known[] = {{Verb::scale, "scale"},
                                                {Verb::burst, "burst"},
                                                {Verb::end_burst, "end_burst"},
                                                {Verb::set, "set"},
                                                {Verb::pause, "pause"},
                                                {Verb::resume, "resume"},
                                                {Verb::recycle, "recycle"},
                                                {Verb::drain, "drain"},
                                                {Verb::close_connection, "close_connection"},
                                                {Verb::revoke, "revoke"},
                                                {Verb::reset_stats, "reset_stats"},
                                                {Verb::check_health, "check_health"},
                                                {Verb::ack, "ack"},
                                                {Verb::set_alert, "set_alert"},
                                                {Verb::drop_alert, "drop_alert"},
                                                {Verb::evaluate, "evaluate"}};
  for (const auto& [verb, name] : known) EXPECT_EQ(verbs[static_cast<size_t>(verb)], name);
}

TEST(OrderForm, ReadsTheArgumentsOfEachVerb) {
  EXPECT_EQ(good("scale", R"({"target_size": 8, "reason": "sale"})").number, 8);
  EXPECT_EQ(good("scale", R"({"target_size": 8, "reason": "sale"})").reason, "sale");
  EXPECT_EQ(good("scale", R"({"target_size": null})").number, -1);
  EXPECT_EQ(good("scale", R"({"target_size": 0})").number, 0);
  EXPECT_EQ(good("burst", R"({"duration": "60s"})").span, Span::seconds(60));
  EXPECT_EQ(good("burst", R"({"duration": 1500})").span, Span::millis(1500));
  EXPECT_TRUE(good("burst", "{}").span.is_zero());
  EXPECT_TRUE(good("burst", R"({"duration": null})").span.is_zero());
  EXPECT_EQ(good("recycle", R"({"spread": "10s"})").span, Span::seconds(10));
  EXPECT_TRUE(good("recycle", R"({"spread": 0})").span.is_zero());
  EXPECT_EQ(good("close_connection", R"({"conn_id": 7})").number, 7);
  EXPECT_EQ(good("revoke", R"({"lease_id": 9223372036854775807})").number, INT64_MAX);
  for (const char* verb : {"end_burst", "pause", "resume", "drain", "reset_stats", "check_health", "evaluate"}) {
    EXPECT_EQ(good(verb, "").canonical, "{}");
    EXPECT_EQ(order_verbs()[good(verb, "{}").verb], verb);
  }
}

TEST(OrderForm, TurnsTheValueOfAnOptionIntoText) {
  EXPECT_EQ(good("set", R"({"option": "max_size", "value": "20"})").value, "20");
  EXPECT_EQ(good("set", R"({"option": "max_size", "value": 20})").value, "20");
  EXPECT_EQ(good("set", R"({"option": "burst", "value": false})").value, "false");
  EXPECT_EQ(good("set", R"({"option": "ratio", "value": 0.75})").value, "0.75");
  EXPECT_EQ(good("set", R"({"option": "validation_query", "value": ""})").value, "");
  refuses("set", R"({"option": "max_size", "value": null})");
  refuses("set", R"({"option": "max_size", "value": [1]})");
  refuses("set", R"({"option": "", "value": 1})");
  refuses("set", R"({"option": "a\u0000b", "value": 1})");
}

TEST(OrderForm, CanonicalFormMeansTheSame) {
  const std::pair<const char*, const char*> orders[] = {{"scale", R"( { "reason" : "x" , "target_size" : 3 } )"},
                                                        {"scale", R"({"target_size": null})"},
                                                        {"burst", R"({"duration": 90000})"},
                                                        {"burst", ""},
                                                        {"set", R"({"option": "a", "value": 1.5})"},
                                                        {"recycle", R"({"spread": "0s"})"},
                                                        {"revoke", R"({"lease_id": 12})"}};
  for (const auto& [verb, arguments] : orders) {
    const OrderForm first = good(verb, arguments);
    const OrderForm second = good(verb, first.canonical);
    EXPECT_EQ(first.canonical, second.canonical);
    EXPECT_EQ(first.number, second.number);
    EXPECT_EQ(first.span, second.span);
    EXPECT_EQ(first.value, second.value);
  }
  EXPECT_EQ(good("scale", R"( {"target_size":3, "reason":"x"} )").canonical, R"({"reason":"x","target_size":3})");
}

TEST(OrderForm, TellsWhatIsMeant) {
  const Status verb = bad("scael", "{}");
  EXPECT_TRUE(contains(verb.hint, "scale"));
  EXPECT_TRUE(contains(verb.detail, "reset_stats"));
  EXPECT_TRUE(contains(bad("scale", R"({"targetsize": 3})").hint, "target_size"));
  EXPECT_TRUE(contains(bad("pause", R"({"reason": "x"})").detail, "no arguments"));
  EXPECT_TRUE(contains(bad("scale", "{}").message, "target_size"));
  refuses("", "{}");
}

TEST(OrderForm, RefusesWrongTypesAndRanges) {
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

TEST(OrderForm, RefusesWhatIsNoObject) {
  for (const char* text : {"null", "[]", "3", "\"x\"", "{", "{}x", "{\"target_size\": 1,}", " ", "\xFF"})
    refuses("scale", text);
  EXPECT_TRUE(contains(bad("scale", R"({"target_size": 1, "target_size": 2})").message, "twice"));
  refuses("scale", std::string(4000, '['));
  refuses("scale", "{\"reason\": \"\xC3\x28\", \"target_size\": 1}");
}

TEST(OrderForm, RefusesWhatDoesNotFit) {
  const auto scale = [](size_t bytes) { return R"({"target_size": 1, "reason": ")" + std::string(bytes, 'r') + "\"}"; };
  EXPECT_EQ(good("scale", scale(120)).reason.size(), 120U);
  refuses("scale", scale(121));
  const auto set = [](size_t bytes) { return R"({"option": "o", "value": ")" + std::string(bytes, 'v') + "\"}"; };
  const size_t room = FixedText<896>::kBytesMax - good("set", set(0)).canonical.size();
  EXPECT_EQ(good("set", set(room)).canonical.size(), FixedText<896>::kBytesMax);
  EXPECT_TRUE(contains(bad("set", set(room + 1)).message, "too long"));
  refuses("pause", "{}" + std::string(5000, ' '));
}

TEST(OrderForm, ShowsOnlyAClippedAndCleanPieceOfWhatWasTyped) {
  const Status status = bad(std::string("\n\x01") + std::string(3000, 'x'), "{}");
  EXPECT_LT(status.message.size(), 120U);
  EXPECT_FALSE(contains(status.message, "\n"));
}

}  // namespace
}  // namespace tide
