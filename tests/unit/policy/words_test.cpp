// Options as words: the grammar, and errors that tell the place but never the text.
#include "policy/words.hpp"

#include <gtest/gtest.h>

#include "policy_support.hpp"

namespace tide {
namespace {

using test::contains;
using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs pairs_of(const std::vector<GivenOption>& given) {
  Pairs pairs;
  for (const GivenOption& option : given) pairs.emplace_back(option.name, option.value);
  return pairs;
}

struct Read {
  std::string_view text;
  Pairs pairs;
};
const Read kRead[] = {
    {"", {}},
    {" \t\n , ,", {}},
    {"max_size=20", {{"max_size", "20"}}},
    {"a=1 b=2", {{"a", "1"}, {"b", "2"}}},
    {"a=1,b=2,\nc=3", {{"a", "1"}, {"b", "2"}, {"c", "3"}}},
    {"a = 1 , b= 2", {{"a", "1"}, {"b", "2"}}},
    {"a='x y, z' b=2", {{"a", "x y, z"}, {"b", "2"}}},
    {"a=\"x 'y' z\"", {{"a", "x 'y' z"}}},
    {"a='it''s'", {{"a", "it's"}}},
    {"a='it\\'s'", {{"a", "it's"}}},
    {"a='back\\\\slash'", {{"a", "back\\slash"}}},
    {"a='c:\\temp'", {{"a", "c:\\temp"}}},
    {"a=\"say \"\"hi\"\"\"", {{"a", "say \"hi\""}}},
    {"a='' b=\"\"", {{"a", ""}, {"b", ""}}},
    {"a=", {{"a", ""}}},
    {"a=,b=1", {{"a", ""}, {"b", "1"}}},
    {"a=x=y", {{"a", "x=y"}}},
    {"scaleUp.waitTime=5", {{"scaleUp.waitTime", "5"}}},
    {"a=2'0'", {{"a", "2'0'"}}},
};

TEST(Words, AreRead) {
  for (const Read& row : kRead) {
    const auto given = parse_words(row.text);
    ASSERT_TRUE(given) << row.text << ": " << given.status().message();
    EXPECT_EQ(pairs_of(*given), row.pairs) << row.text;
  }
}

struct Broken {
  std::string_view text;
  std::string_view said;
};
constexpr Broken kBroken[] = {
    {"hunter2", "expected \"=\" after the word at position 1"},
    {"a=1 hunter2", "position 5"},
    {"max_size 20", "option \"max_size\" has no value at position 1"},
    {"=5", "expected the name of an option at position 1"},
    {"a=1 =5", "position 5"},
    {"'a'=1", "expected the name of an option at position 1"},
    {"a='open", "not terminated at position 3"},
    {"a=\"open'", "not terminated at position 3"},
    {"a='open\\'", "not terminated"},
    {"a='x'y", "follows a closing quote at position 6"},
    {"a= b=1", "value is missing at position 4"},
    {"a=1;b=2 -", "expected the name of an option"},
    {"[1]", "expected the name of an option"},
    {"m\xC3\xA4x=1", "expected \"=\" after the word at position 1"},
};

TEST(Words, ErrorsGiveThePosition) {
  for (const Broken& row : kBroken) {
    const auto given = parse_words(row.text);
    ASSERT_FALSE(given) << row.text;
    EXPECT_EQ(given.status().code, Code::bad_option);
    EXPECT_TRUE(contains(given.status().message(), row.said)) << row.text << ": " << given.status().message();
    EXPECT_FALSE(contains(test::whole_text(given.status()), "hunter2"));
    EXPECT_FALSE(given.status().hint().empty()) << row.text;
  }
}

}  // namespace
}  // namespace tide
