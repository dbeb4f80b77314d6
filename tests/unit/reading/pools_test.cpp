#include "segment/local_pools.hpp"
#include "unit/reading/reading_support.hpp"

namespace tide {
namespace {

using test::integer;
using test::real;
using test::text;

class Pools : public testing::Test {
 protected:
  test::TempDirectory directory;
  std::unique_ptr<Segment> segment = test::make_segment(directory.path());
  // A copy is not locked: to readers it looks like the file of an owner that was killed.
  test::Table read_dead() {
    const test::TempDirectory other;
    const std::filesystem::path from = segment->path();
    std::filesystem::copy_file(from, other.path() / from.filename());
    return test::Table("pools", {other.path(), "", ""});
  }
  test::Table read(const std::string& pool = "", const std::string& instance_id = "") {
    return test::Table("pools", {directory.path(), pool, instance_id});
  }
};

TEST_F(Pools, ShowsIdentity) {
  const test::Table pools = read();
  ASSERT_EQ(pools.size(), 1u);
  EXPECT_EQ(pools.at(0, "instance_id"), text("2b000000000000000000000000000000"));
  EXPECT_EQ(pools.at(0, "pool"), text("orders"));
  EXPECT_EQ(pools.at(0, "source"), text("segment"));
  EXPECT_EQ(pools.at(0, "app"), text("shop"));
  EXPECT_EQ(pools.at(0, "host"), text("tide1"));
  EXPECT_EQ(pools.at(0, "pid"), integer(::getpid()));
  EXPECT_EQ(pools.at(0, "backend"), text("sqlite"));
  EXPECT_EQ(pools.at(0, "target"), text("sqlite:/tmp/orders.db"));
  EXPECT_TRUE(is_null(pools.at(0, "db_user")));
  EXPECT_EQ(pools.at(0, "state"), text("running"));
  EXPECT_EQ(pools.at(0, "size_source"), text("autoscale"));
  EXPECT_EQ(pools.at(0, "min_size"), integer(2));
  EXPECT_EQ(pools.at(0, "max_size"), integer(8));
  EXPECT_EQ(pools.at(0, "target_size"), integer(4));
  EXPECT_EQ(pools.at(0, "limit_size"), integer(5));
  EXPECT_EQ(pools.at(0, "generation"), integer(7));
  EXPECT_TRUE(is_null(pools.at(0, "burst_until")));
  EXPECT_TRUE(is_null(pools.at(0, "health")));
  EXPECT_EQ(pools.at(0, "started_at"), integer(test::us_after_now(-60 * test::kSecond)));
  EXPECT_EQ(pools.at(0, "sampled_at"), integer(test::us_after_now(0)));
  EXPECT_EQ(pools.at(0, "age_ms"), real(100));
  EXPECT_EQ(pools.at(0, "version"), text("0.1"));
}

TEST_F(Pools, ShowsHostedSource) {
  segment->header().flags = format::kHeaderHosted | 1U << 31;  // and a bit of a future version
  EXPECT_EQ(read().at(0, "source"), text("hosted"));
}

TEST_F(Pools, CountsSlotsByState) {
  test::fill_slot(*segment, 0, SlotState::idle);
  test::fill_slot(*segment, 1, SlotState::leased);
  test::fill_slot(*segment, 2, SlotState::leased);
  test::fill_slot(*segment, 3, SlotState::opening);
  test::fill_slot(*segment, 4, SlotState::held);
  test::fill_slot(*segment, 5, SlotState::soiled);
  test::fill_slot(*segment, 6, SlotState::closing);
  test::fill_slot(*segment, 7, SlotState::revoked);
  const test::Table pools = read();
  EXPECT_EQ(pools.at(0, "size"), integer(6));
  EXPECT_EQ(pools.at(0, "idle"), integer(1));
  EXPECT_EQ(pools.at(0, "in_use"), integer(2));
  EXPECT_EQ(pools.at(0, "connecting"), integer(1));
  EXPECT_EQ(pools.at(0, "validating"), integer(2));
  EXPECT_EQ(pools.at(0, "utilization"), real(0.4));
}

TEST_F(Pools, UtilizationIsNullWithoutLimit) {
  put(segment->vitals().limit_size, 0);
  EXPECT_TRUE(is_null(read().at(0, "utilization")));
}

TEST_F(Pools, ShowsTheQueue) {
  EXPECT_EQ(read().at(0, "waiting"), integer(0));
  EXPECT_EQ(read().at(0, "oldest_wait_ms"), real(0));
  put(segment->queue().waiting, 3);
  put(segment->queue().head_since_mono, test::bits(test::kNowMono - 1500 * test::kMs));
  EXPECT_EQ(read().at(0, "waiting"), integer(3));
  EXPECT_EQ(read().at(0, "oldest_wait_ms"), real(1500));
}

TEST_F(Pools, WaitIsNeverNegative) {
  put(segment->queue().waiting, 1);
  put(segment->queue().head_since_mono, test::bits(test::kNowMono + test::kSecond));
  EXPECT_EQ(read().at(0, "oldest_wait_ms"), real(0));
}

TEST_F(Pools, ShowsBurstAndHealth) {
  put(segment->vitals().burst_until_mono, test::bits(test::kNowMono + 30 * test::kSecond));
  put(segment->vitals().health, 93);
  EXPECT_EQ(read().at(0, "burst_until"), integer(test::us_after_now(30 * test::kSecond)));
  EXPECT_EQ(read().at(0, "health"), integer(93));
}

TEST_F(Pools, ShowsThePooler) {
  EXPECT_TRUE(is_null(read().at(0, "pooler")));
  put(segment->vitals().pooler, 1);
  EXPECT_EQ(read().at(0, "pooler"), text("none"));
  put(segment->vitals().pooler, 3);
  EXPECT_EQ(read().at(0, "pooler"), text("transaction"));
}

TEST_F(Pools, ShowsTheBreaker) {
  EXPECT_EQ(read().at(0, "breaker"), text("off"));
  EXPECT_TRUE(is_null(read().at(0, "breaker_probe_at")));
  put(segment->vitals().breaker, 2);
  put(segment->vitals().breaker_probe_mono, test::bits(test::kNowMono + test::kSecond));
  EXPECT_EQ(read().at(0, "breaker"), text("open"));
  EXPECT_EQ(read().at(0, "breaker_probe_at"), integer(test::us_after_now(test::kSecond)));
  put(segment->vitals().breaker, 3);
  EXPECT_EQ(read().at(0, "breaker"), text("half_open"));
  put(segment->vitals().breaker, ~uint64_t{0});
  EXPECT_EQ(read().at(0, "breaker"), text("unknown"));
}

TEST_F(Pools, IsStaleWithoutHeartbeat) {
  put(segment->vitals().anchor_wall, test::bits(1'577'836'800 * test::kSecond));  // 2020
  EXPECT_EQ(read().at(0, "state"), text("stale"));
}

TEST_F(Pools, IsDeadAfterOwnerExited) {
  test::fill_slot(*segment, 0, SlotState::idle);
  const test::Table pools = read_dead();
  EXPECT_EQ(pools.at(0, "state"), text("dead"));
  EXPECT_EQ(pools.at(0, "idle"), integer(1));
}

TEST_F(Pools, IsClosedByOwner) {
  put(segment->vitals().state, 6);
  EXPECT_EQ(read().at(0, "state"), text("closed"));
  EXPECT_EQ(read_dead().at(0, "state"), text("closed"));
}

// An owner killed while writing leaves an odd sequence number permanently.
TEST_F(Pools, TornVitalsAreNull) {
  put(segment->vitals().seq, 1);
  const test::Table pools = read_dead();
  ASSERT_EQ(pools.size(), 1u);
  EXPECT_EQ(pools.at(0, "state"), text("dead"));
  EXPECT_TRUE(is_null(pools.at(0, "max_size")));
  EXPECT_TRUE(is_null(pools.at(0, "age_ms")));
}

TEST_F(Pools, AreSortedAndFiltered) {
  const auto later = test::make_segment(directory.path(), "orders", 0x4D);
  const auto other = test::make_segment(directory.path(), "billing", 0x7F);
  const test::Table all = read();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all.at(0, "pool"), text("billing"));
  EXPECT_EQ(all.at(1, "instance_id"), text("2b000000000000000000000000000000"));
  EXPECT_EQ(all.at(2, "instance_id"), text("4d000000000000000000000000000000"));
  EXPECT_EQ(read("orders").size(), 2u);
  EXPECT_EQ(read("orders", "4d000000000000000000000000000000").size(), 1u);
  EXPECT_EQ(read("billing", "4d000000000000000000000000000000").size(), 0u);
}

TEST_F(Pools, SkipsNonSegments) {
  const std::string path = directory.path() + "/junk.00000000000000000000000000000000.segment";
  std::FILE* file = std::fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr);
  std::fputs("junk", file);
  std::fclose(file);
  EXPECT_EQ(read().size(), 1u);
}

int local_fd = -1;

TEST_F(Pools, LocalPoolsComeFirst) {
  const auto local = test::make_segment("", "zebra", 0x01);
  local_fd = local->fd();
  static constexpr LocalPools kOwn{[] { return std::vector<LocalPool>{{"", "", -1}, {"", "", local_fd}}; }};
  registered_local_pools.store(&kOwn);
  const test::Table pools = read();
  const test::Table none = read("orders");
  registered_local_pools.store(&kNoLocalPools);
  ASSERT_EQ(pools.size(), 2u);
  EXPECT_EQ(pools.at(0, "pool"), text("zebra"));
  EXPECT_EQ(pools.at(0, "state"), text("running"));
  EXPECT_EQ(none.size(), 1u);
  EXPECT_EQ(read().size(), 1u);
}

}  // namespace
}  // namespace tide
