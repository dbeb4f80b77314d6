// Every relation over a directory with one valid and one hostile pool: the valid one is always shown, and the rows of
// the other one are well formed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "reading/rows.hpp"
#include "unit/support/hostile.hpp"

namespace tide {
namespace {

using test::kMutants;

bool fits(const Value& value, const Column& column) {
  if (is_null(value)) return true;
  if (const auto* real = std::get_if<double>(&value)) return column.type == ColumnType::real && std::isfinite(*real);
  const bool is_text = column.type == ColumnType::text || column.type == ColumnType::json;
  if (const auto* shown = std::get_if<std::string>(&value)) {
    return is_text && std::none_of(shown->begin(), shown->end(), [](char c) {
             return static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t';
           });
  }
  return !is_text && column.type != ColumnType::real;
}

int64_t number(const Relation& relation, const Row& row, std::string_view column) {
  for (size_t i = 0; i < row.size(); ++i) {
    if (relation.columns[i].name == column && std::holds_alternative<int64_t>(row[i])) return std::get<int64_t>(row[i]);
  }
  return -1;
}

class HostileRelationsTest : public testing::Test {
 protected:
  // The rows of all pools in the directory, checked for their form.
  std::vector<Row> rows_of(const Relation& relation) {
    std::vector<Row> rows;
    EXPECT_TRUE(read_relation(relation, {folder_.path(), "", ""}, test::kMadeWallNs + 1'000'000'000, rows).is_ok());
    for (const Row& row : rows) {
      EXPECT_EQ(row.size(), relation.columns.size()) << relation.name;
      for (size_t i = 0; i < row.size() && i < relation.columns.size(); ++i) {
        EXPECT_TRUE(fits(row[i], relation.columns[i])) << relation.name << "." << relation.columns[i].name;
      }
    }
    return rows;
  }
  // Those of the valid pool among them.
  std::vector<Row> sound(const Relation& relation, std::vector<Row> rows) {
    const Value id = made_.instance_hex();
    const auto columns = relation.columns;
    const auto found =
        std::find_if(columns.begin(), columns.end(), [](const Column& column) { return column.name == "instance_id"; });
    const auto place = static_cast<size_t>(found - columns.begin());
    std::erase_if(rows, [&](const Row& row) { return place >= row.size() || row[place] != id; });
    return rows;
  }

  test::TemporaryFolder folder_;
  test::SegmentMaker made_;
  test::SegmentFile intact_{folder_.path() + "/" + made_.file_name(), made_.bytes(), true};
  const std::string mutant_path_ = folder_.path() + "/" + test::SegmentMaker("mutant", 2).file_name();
};

TEST_F(HostileRelationsTest, ValidPoolIsShownBesideMutants) {
  std::vector<std::vector<Row>> expected;
  for (const Relation& relation : relations_catalogue()) expected.push_back(sound(relation, rows_of(relation)));
  ASSERT_EQ(expected[0].size(), 1U);  // pools

  test::SegmentFile mutant(mutant_path_, "", true);
  uint64_t shown = 0;
  const auto catalogue = relations_catalogue();
  for (uint64_t seed = 1; seed <= kMutants; ++seed) {
    SCOPED_TRACE(seed);
    mutant.rewrite(test::spoilt_segment(seed));
    // Every mutant is read as pools and one other relation; each relation is read many times.
    for (const size_t index : {size_t{0}, seed % catalogue.size()}) {
      const Relation& relation = catalogue[index];
      std::vector<Row> rows = rows_of(relation);
      if (index == 0) {
        shown += rows.size() > 1 ? 1 : 0;
        for (const Row& row : rows) {
          EXPECT_EQ(number(relation, row, "size"), number(relation, row, "idle") + number(relation, row, "in_use") +
                                                       number(relation, row, "connecting") +
                                                       number(relation, row, "validating"));
        }
      }
      EXPECT_EQ(sound(relation, std::move(rows)), expected[index]) << relation.name;
    }
    if (HasFailure()) break;
  }
  EXPECT_GT(shown, kMutants / 3);
}

TEST_F(HostileRelationsTest, NonFilesAreSkipped) {
  const Relation& pools = *find_relation("pools");
  ASSERT_EQ(::symlink(intact_.path().c_str(), mutant_path_.c_str()), 0);
  EXPECT_EQ(rows_of(pools).size(), 1U);
  ::unlink(mutant_path_.c_str());
  ASSERT_EQ(::mkfifo(mutant_path_.c_str(), 0600), 0);
  EXPECT_EQ(rows_of(pools).size(), 1U);
  ::unlink(mutant_path_.c_str());
  ASSERT_EQ(::mkdir(mutant_path_.c_str(), 0700), 0);
  EXPECT_EQ(rows_of(pools).size(), 1U);
  ::rmdir(mutant_path_.c_str());
  const test::SegmentFile nothing(mutant_path_, "", true);
  EXPECT_EQ(rows_of(pools).size(), 1U);
}

}  // namespace
}  // namespace tide
