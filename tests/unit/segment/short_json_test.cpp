// Texts and JSON that do not fit into a record: JSON remains JSON, texts end at a word, and the cut is marked.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/fixed_text.hpp"
#include "segment/short_json.hpp"

namespace tide {
namespace {

using OrderedJson = nlohmann::ordered_json;

TEST(Shortened, EndsAtWordWithMark) {
  EXPECT_EQ(shortened("raise max_size, or order a burst", 100), "raise max_size, or order a burst");
  EXPECT_EQ(shortened("raise max_size, or order a burst", 31), "raise max_size, or order a...");
  EXPECT_EQ(shortened("raise max_size, or order a burst", 29), "raise max_size, or order a...");
  EXPECT_EQ(shortened("raise max_size, or order a burst", 28), "raise max_size, or order...");
}

TEST(Shortened, CutsLongWordBetweenCharacters) {
  std::string umlauts;
  for (int i = 0; i < 50; ++i) umlauts += "\u00fc";
  for (size_t room = 3; room < 100; ++room) {
    const std::string kept = shortened(umlauts, room);
    EXPECT_LE(kept.size(), room);
    EXPECT_GE(kept.size() + 1, room);
    EXPECT_EQ((kept.size() - 3) % 2, 0U);
    EXPECT_TRUE(kept.ends_with("..."));
  }
}

TEST(Shortened, FixedTextIsShortened) {
  FixedText<32> text;
  text.assign_shortened("as much as there is room for, and a mark");
  EXPECT_EQ(text.view(), "as much as there is room...");
}

TEST(ShortJson, KeepsObjectThatFits) {
  EXPECT_EQ(shortened_object("{ \"a\": 1 }", 10), "{ \"a\": 1 }");
  EXPECT_EQ(shortened_object("", 10), "");
}

TEST(ShortJson, CutsLongestTextsAndKeepsOtherMembers) {
  OrderedJson given = {{"strategy", std::string(1000, 'x')}, {"attempt", 3}, {"note", "short"}, {"outcome", "failure"}};
  const std::string kept = shortened_object(given.dump(), 120);
  EXPECT_LE(kept.size(), 120U);
  const OrderedJson read = OrderedJson::parse(kept);
  EXPECT_EQ(read["attempt"], 3);
  EXPECT_EQ(read["note"], "short");
  EXPECT_EQ(read["outcome"], "failure");
  EXPECT_TRUE(read["strategy"].get<std::string>().ends_with("xxx..."));
}

TEST(ShortJson, AnySizeReturnsObjectOrNothing) {
  const OrderedJson given = {{"message", "say \"\u00fc\" and \\ and \n to \u65e5\u672c all of them, twice over"},
                             {"advice", std::string(300, '"')},
                             {"n", 1e300},
                             {"list", {1, 2, 3}}};
  for (size_t room = 0; room < given.dump().size(); ++room) {
    const std::string kept = shortened_object(given.dump(), room);
    EXPECT_LE(kept.size(), room);
    EXPECT_EQ(kept.empty(), room < 2) << room;
    EXPECT_TRUE(kept.empty() || OrderedJson::parse(kept).is_object()) << kept;
  }
}

TEST(ShortJson, NonObjectIsOmitted) {
  EXPECT_EQ(shortened_object(std::string(50, '{'), 10), "");
  EXPECT_EQ(shortened_object("[1,2,3,4,5,6]", 10), "");
}

}  // namespace
}  // namespace tide
