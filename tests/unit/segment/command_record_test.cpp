// What `commands` records of a command: all of it, readable, and without passwords.
#include "segment/command_record.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/rng.hpp"
#include "base/text.hpp"
#include "segment/format.hpp"
#include "unit/support/rounds.hpp"

namespace tide {
namespace {

using Json = nlohmann::json;

constexpr size_t kRoom = decltype(format::CommandRecord::arguments)::kBytesMax;

std::string recorded(std::string_view arguments, size_t room = kRoom) { return recorded_arguments(arguments, room); }

TEST(CommandRecordTest, KeepsVerbAsReceived) {
  for (const char* verb : {"scale", "scael", "no_such_verb", "Drain", "reset-stats"})
    EXPECT_EQ(recorded_verb(verb), verb);
  for (const char* verb : {"", "two words", "scale\n", "password=hunter2", "\xFF\xFE", "scale;drop"}) {
    EXPECT_EQ(recorded_verb(verb), "unknown") << verb;
  }
  EXPECT_EQ(recorded_verb(std::string(31, 'v')), "unknown");
}

// Arguments that fit into a mailbox fit into the record.
TEST(CommandRecordTest, KeepsArgumentsThatFitIntoMailbox) {
  const std::string whole = R"({"advice":")" + std::string(190, 'a') + R"(","message":")" + std::string(190, 'm') +
                            R"(","metric":"waiting","rule":"long_queue","threshold":20})";
  EXPECT_EQ(recorded(whole), whole);
  const std::string fullest = R"({"option":"validation_query","value":")" + std::string(kRoom - 40, 'v') + "\"}";
  ASSERT_EQ(fullest.size(), kRoom);
  EXPECT_EQ(recorded(fullest), fullest);
  EXPECT_EQ(kRoom, decltype(format::MailboxCommand::arguments)::kBytesMax);
  EXPECT_EQ(recorded(""), "{}");
  EXPECT_EQ(recorded(R"( {"target_size" : null} )"), R"({"target_size":null})");
}

TEST(CommandRecordTest, ShortensLongestTextsAndRemainsObject) {
  const std::string ends = std::string("\u00fc") + std::string(400, 'x');
  const std::string text =
      recorded(R"({"advice":")" + ends + R"(","message":")" + ends + R"(","rule":"long_queue"})", 300);
  EXPECT_LE(text.size(), 300u);
  EXPECT_GT(text.size(), 200u) << "no more is removed than needed";
  const Json shown = Json::parse(text);
  EXPECT_EQ(shown.at("rule"), "long_queue");
  for (const char* name : {"advice", "message"}) {
    const auto part = shown.at(name).get<std::string>();
    EXPECT_EQ(part.substr(0, 3), "\u00fcx");
    EXPECT_TRUE(part.ends_with("x...")) << part;
  }
}

TEST(CommandRecordTest, NonObjectBecomesText) {
  EXPECT_EQ(recorded("target_size=3"), R"("target_size=3")");
  EXPECT_EQ(recorded("[1]"), R"("[1]")");
  EXPECT_EQ(Json::parse(recorded("{\"a\":\"\xFF\"}")), "{\"a\":\"?\"}");
  EXPECT_EQ(Json::parse(recorded(R"({"a":"\u0000"})")), R"({"a":"\u0000"})") << "only JSON that databases accept";
}

TEST(CommandRecordTest, MasksPasswords) {
  const std::string_view cases[] = {
      R"({"option":"password","value":"hunter2"})",
      R"({"password":"hunter2"})",
      R"({"deep":[{"api_key":"hunter2"}]})",
      R"({"reason":"for postgresql://me:hunter2@h/db"})",
      R"x({"option":"validation_query","value":"select dblink('password=hunter2')"})x",
      R"(password=hunter2)",
      R"({"password":"hunter2")",
  };
  for (const std::string_view arguments : cases) {
    EXPECT_EQ(recorded(arguments).find("hunter2"), std::string::npos) << recorded(arguments);
    EXPECT_NE(recorded(arguments).find("***"), std::string::npos) << recorded(arguments);
  }
}

TEST(CommandRecordTest, AnyInputBecomesValidJsonThatFits) {
  Rng random(11);
  constexpr std::string_view kPieces[] = {"{",        "}", "\"a\":", "\"", "\\u0000", "\\u0001",
                                          "1e400",    ",", "[",      "]",  "\xFF",    "\u00fc",
                                          "password", ":", "null",   "\n", "\r",      "aaaaaaaaaaaaaaaaaaaaaaaa"};
  for (int i = 0; i < test::rounds(20'000); ++i) {
    std::string text = random.below(2) == 0 ? "{" : "";
    for (uint64_t n = random.below(120); n > 0; --n) text += kPieces[random.below(std::size(kPieces))];
    const size_t room = 200 + random.below(700);
    const std::string shown = recorded(text, room);
    ASSERT_LE(shown.size(), room) << text;
    ASSERT_TRUE(Json::accept(shown)) << text;
    ASSERT_TRUE(is_plain_utf8(shown)) << text;
    ASSERT_EQ(shown.find('\r'), std::string::npos) << "readers would replace it";
  }
}

}  // namespace
}  // namespace tide
