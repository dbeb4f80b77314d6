// The byte layout equals that in core/segment/README.md, and every byte of every struct belongs to a field.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <regex>

#include "unit/support/format_fields.hpp"

namespace tide {
namespace {

std::string readme() {
  const char* source = std::getenv("TIDE_SOURCE");
  std::ifstream file(std::string(source != nullptr ? source : ".") + "/core/segment/README.md");
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(LayoutTest, DocumentListsEveryFieldWithOffsetAndSize) {
  static const std::regex kHeading(R"(### (\w+): (\d+) bytes)");
  static const std::regex kField(R"(\| (\d+) \| (\d+) \| `(\w+)` \|.*)");
  std::vector<test::FormatStruct> documented;
  std::istringstream text(readme());
  for (std::string line; std::getline(text, line);) {
    std::smatch match;
    if (std::regex_match(line, match, kHeading)) {
      documented.push_back({match[1], std::stoul(match[2]), {}});
    } else if (std::regex_match(line, match, kField)) {
      ASSERT_FALSE(documented.empty());
      documented.back().fields.push_back({match[3], std::stoul(match[1]), std::stoul(match[2])});
    }
  }
  const std::vector<test::FormatStruct> compiled = test::format_structs();
  ASSERT_EQ(documented.size(), compiled.size());
  for (size_t i = 0; i < compiled.size(); ++i) {
    EXPECT_EQ(documented[i].name, compiled[i].name);
    EXPECT_EQ(documented[i].bytes, compiled[i].bytes) << compiled[i].name;
    ASSERT_EQ(documented[i].fields.size(), compiled[i].fields.size()) << compiled[i].name;
    for (size_t f = 0; f < compiled[i].fields.size(); ++f) {
      const std::string where = compiled[i].name + "." + compiled[i].fields[f].name;
      EXPECT_EQ(documented[i].fields[f].name, compiled[i].fields[f].name) << where;
      EXPECT_EQ(documented[i].fields[f].offset, compiled[i].fields[f].offset) << where;
      EXPECT_EQ(documented[i].fields[f].bytes, compiled[i].fields[f].bytes) << where;
    }
  }
}

TEST(LayoutTest, DocumentListsEveryRegionWithRecordAndMeaning) {
  const std::string document = readme();
#define TIDE_EXPECT_ROW(name, Record, count, meaning) \
  EXPECT_NE(document.find(" `" #name "` | " #Record ": " meaning " |"), std::string::npos) << #name;
  TIDE_REGIONS(TIDE_EXPECT_ROW)
#undef TIDE_EXPECT_ROW
}

TEST(LayoutTest, FieldsHaveNoGaps) {
  for (const test::FormatStruct& subject : test::format_structs()) {
    size_t end = 0;
    for (const test::FormatField& field : subject.fields) {
      EXPECT_EQ(field.offset, end) << subject.name << "." << field.name;
      end = field.offset + field.bytes;
    }
    EXPECT_EQ(end, subject.bytes) << subject.name;
  }
}

}  // namespace
}  // namespace tide
