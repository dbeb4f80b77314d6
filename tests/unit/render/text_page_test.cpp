#include "render/text_page.hpp"

#include "base/rng.hpp"
#include "base/text.hpp"
#include "unit/render/report_support.hpp"

namespace tide {
namespace {

std::vector<std::string> lines_of(const std::string& page) {
  std::vector<std::string> lines(1);
  for (const char c : page) {
    if (c == '\n') lines.emplace_back();
    if (c != '\n') lines.back() += c;
  }
  return lines;
}

TEST(TextPage, NothingThatATerminalObeysReachesThePage) {
  EXPECT_EQ(one_line("a\x1b[2Jb\x07\x7f"), "a?[2Jb??");
  EXPECT_EQ(one_line("a\xc2\x9b"
                     "2J"),
            "a?2J")
      << "an escape sequence of one character";
  EXPECT_EQ(one_line("\xe2\x80\xae"
                     "gnp.exe"),
            "?gnp.exe")
      << "a change of the direction of writing";
  EXPECT_EQ(one_line("two\nlines\tx"), "two lines x");
  EXPECT_EQ(one_line("\xff\xc3"), "??");
  EXPECT_EQ(one_line("\xc3\xbc \xe6\xbc\xa2"), "\xc3\xbc \xe6\xbc\xa2");
}

TEST(TextPage, NoLineIsWiderThanThePage) {
  Rng rng(7);
  const std::string pieces[] = {"word ", "\xe6\xbc\xa2", "\xc3\xa9", "x", test::kHostile, std::string(200, 'w'), " "};
  for (int round = 0; round < 500; ++round) {
    std::string text;
    for (uint64_t i = rng.below(30); i > 0; --i) text += pieces[rng.below(std::size(pieces))];
    std::string out;
    TextPage page(out);
    page.put("  label", text, 16);
    page.heading(text, "healthy");
    for (const std::string& line : lines_of(out)) {
      ASSERT_TRUE(is_plain_utf8(line));
      if (line.find(one_line(text)) == line.npos) ASSERT_LE(columns_of(line), kPageColumns) << line;
    }
  }
}

TEST(TextPage, LabelMayBeWiderThanThePage) {
  std::string out;
  TextPage(out).put(std::string(100, 'l'), "some text", 4);
  EXPECT_EQ(out, std::string(100, 'l') + "\n    some text\n");
}

TEST(TextPage, WideCharactersCountTwiceAndCombiningOnesNot) {
  EXPECT_EQ(columns_of("ab"), 2U);
  EXPECT_EQ(columns_of("\xe6\xbc\xa2"), 2U);
  EXPECT_EQ(columns_of("e\xcc\x81"), 1U);
}

TEST(TextPage, LongCommandBreaksOnlyBetweenArguments) {
  const std::string sql = "SELECT tidepool.set('" + std::string(62, 'n') + "', 'init_sql', 'SET a, b');";
  std::string out;
  TextPage(out).command(sql, 4);
  std::string joined;
  for (const std::string& line : lines_of(out)) {
    if (!line.empty()) joined += (joined.empty() ? "" : " ") + line.substr(4);
  }
  EXPECT_EQ(joined, sql);
  EXPECT_NE(out.find("'SET a, b');\n"), out.npos) << "a literal is not broken";
  EXPECT_EQ(lines_of(out).size(), 4U);
}

}  // namespace
}  // namespace tide
