// The relation "targets".
#include "unit/reading/reading_support.hpp"

namespace tide {
namespace {

using test::kMs;
using test::kSecond;
using test::us_after_now;

class Targets : public testing::Test {
 protected:
  test::TempDirectory directory;
  std::unique_ptr<Segment> segment = test::make_segment(directory.path());
  test::Table read(const std::string& relation) { return test::Table(relation, {directory.path(), "", ""}); }
  format::TargetVitals& target() { return segment->routing(); }
  static bool is_null(const Value& value) { return std::holds_alternative<std::monostate>(value); }
};

TEST_F(Targets, APoolAloneIsItsOwnGroup) {
  target().group.assign("orders");
  put(target().lag_ns, ~uint64_t{0});
  const test::Table rows = read("targets");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows.at(0, "pool_group"), test::text("orders"));
  EXPECT_EQ(rows.at(0, "role"), test::text("single"));
  EXPECT_EQ(rows.at(0, "target"), test::text("sqlite:/tmp/orders.db"));
  for (const char* column :
       {"serving", "lag_ms", "lsn", "reads_total", "errors_total", "last_checked_at", "left_out_since", "why"}) {
    EXPECT_TRUE(is_null(rows.at(0, column))) << column;
  }
}

TEST_F(Targets, AReplicaThatIsLeftOut) {
  put(target().role, static_cast<uint64_t>(TargetRole::replica));
  put(target().lag_ns, test::bits(1500 * kMs));
  put(target().lsn, 0x16B374D848);
  put(target().reads_total, 7);
  put(target().errors_total, 2);
  put(target().checked_mono, test::bits(test::kNowMono - kSecond));
  put(target().left_out_mono, test::bits(test::kNowMono - 3 * kSecond));
  target().why.assign("it is 1500ms behind");
  test::fill_slot(*segment, 0, SlotState::leased, 9);
  test::fill_slot(*segment, 1, SlotState::idle);
  const test::Table rows = read("targets");
  EXPECT_EQ(rows.at(0, "role"), test::text("replica"));
  EXPECT_EQ(rows.at(0, "serving"), test::integer(0));
  EXPECT_EQ(rows.at(0, "lag_ms"), Value(1500.0));
  EXPECT_EQ(rows.at(0, "lsn"), test::text("16/B374D848"));
  EXPECT_EQ(rows.at(0, "size"), test::integer(2));
  EXPECT_EQ(rows.at(0, "in_use"), test::integer(1));
  EXPECT_EQ(rows.at(0, "waiting"), test::integer(0));
  EXPECT_EQ(rows.at(0, "reads_total"), test::integer(7));
  EXPECT_EQ(rows.at(0, "errors_total"), test::integer(2));
  EXPECT_EQ(rows.at(0, "last_checked_at"), test::integer(us_after_now(-kSecond)));
  EXPECT_EQ(rows.at(0, "left_out_since"), test::integer(us_after_now(-3 * kSecond)));
  EXPECT_EQ(rows.at(0, "why"), test::text("it is 1500ms behind"));
}

TEST_F(Targets, APrimaryHasNoLag) {
  put(target().role, static_cast<uint64_t>(TargetRole::primary));
  put(target().is_serving, 1);
  const test::Table rows = read("targets");
  EXPECT_EQ(rows.at(0, "serving"), test::integer(1));
  EXPECT_TRUE(is_null(rows.at(0, "lag_ms")));
  EXPECT_TRUE(is_null(rows.at(0, "errors_total")));
}

TEST_F(Targets, AHostileRoleIsUnknown) {
  put(target().role, 77);
  const test::Table rows = read("targets");
  EXPECT_EQ(rows.at(0, "role"), test::text("unknown"));
  EXPECT_TRUE(is_null(rows.at(0, "serving")));
}

}  // namespace
}  // namespace tide
