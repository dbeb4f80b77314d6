// What leases of each tag hold: exact sums of what samples see, with fewer records than tags.
#include "pool/tag_table.hpp"

#include <random>

#include "unit/pool/timed_pool.hpp"

namespace tide {
namespace {

using format::TagRecord;

class TagTableTest : public testing::Test {
 protected:
  std::vector<TagRecord> records_ = std::vector<TagRecord>(64);
  TagTable table_{records_};

  // The record of a tag; samples 0: there is none.
  TagRecord of(std::string_view tag) const {
    for (const TagRecord& record : records_) {
      if (record.samples != 0 && record.tag.view() == tag) return record;
    }
    return {};
  }
};

TEST_F(TagTableTest, EachSampleCountsTheTimeSinceTheLast) {
  table_.see_lease("report", Span::seconds(7));
  table_.see_lease("report", Span::seconds(3));
  table_.see_waiter("report");
  table_.see_lease("", Span::millis(1));
  table_.finish(Span::seconds(1), 100);
  table_.see_lease("report", Span::seconds(4));
  table_.finish(Span::seconds(2), 200);
  const TagRecord report = of("report");
  EXPECT_EQ(report.samples, 4U);
  EXPECT_EQ(report.held_ns_total, 4'000'000'000U);
  EXPECT_EQ(report.waiting_ns_total, 1'000'000'000U);
  EXPECT_EQ(report.longest_ns, 7'000'000'000U);
  EXPECT_EQ(report.in_use, 1U);
  EXPECT_EQ(report.waiting, 0U);
  EXPECT_EQ(report.last_wall_ns, 200U);
  EXPECT_EQ(of("").held_ns_total, 1'000'000'000U);
  EXPECT_EQ(of("").in_use, 0U) << "it was not seen the last time";
  EXPECT_EQ(of("").last_wall_ns, 100U);
}

TEST_F(TagTableTest, FrequentTagStaysAmongThousands) {
  std::mt19937 random(7);
  uint64_t samples = 0;
  for (int second = 0; second < 300; ++second) {
    for (int i = 0; i < 100; ++i) table_.see_lease("request " + std::to_string(random()), Span::millis(5));
    for (int i = 0; i < 5; ++i, ++samples) table_.see_lease("report", Span::seconds(1));
    table_.finish(Span::seconds(1), second);
  }
  EXPECT_EQ(of("report").samples, samples) << "it has 5 % of the samples and never lost its place";
}

TEST_F(TagTableTest, NewcomersInheritNoFigures) {
  for (int second = 0; second < 10; ++second) {
    for (int i = 0; i < 64; ++i) table_.see_lease(std::to_string(i), Span::seconds(1));
    table_.finish(Span::seconds(1), second);
  }
  table_.see_lease("new", Span::millis(1));
  table_.finish(Span::seconds(1), 11);
  EXPECT_EQ(of("new").samples, 1U);
  EXPECT_EQ(of("new").held_ns_total, 1'000'000'000U);
  EXPECT_EQ(of("new").longest_ns, 1'000'000U);
}

TEST_F(TagTableTest, ClearLeavesNothing) {
  table_.see_lease("report", Span::seconds(1));
  table_.finish(Span::seconds(1), 1);
  table_.clear();
  for (const TagRecord& record : records_) {
    EXPECT_EQ(record.samples, 0U);
    EXPECT_TRUE(record.tag.empty());
  }
  table_.see_lease("report", Span::seconds(1));
  table_.finish(Span::seconds(1), 2);
  EXPECT_EQ(of("report").samples, 1U);
}

class TagSamples : public test::TimedPool {
 protected:
  LeaseId take(const char* tag) {
    const Visit visit(Presence::key_of_pool(kKey));
    LeaseId lease;
    EXPECT_EQ(pool_->acquire({tag, LeaseMode::read_write, Span{}}, lease), Code::ok);
    return lease;
  }
  TagRecord of(std::string_view tag) {
    for (const TagRecord& record : seen().read_tags()) {
      if (record.tag.view() == tag) return record;
    }
    return {};
  }
};

TEST_F(TagSamples, HeldAndAwaitedTimeByTag) {
  open(of_size(2));
  const LeaseId report = take("report"), cart = take("cart");
  LeaseId later;
  {
    const Visit visit(Presence::key_of_pool(kKey));
    EXPECT_EQ(pool_->acquire_async({"search", LeaseMode::read_write, Span::seconds(60)},
                                   [&](Code, LeaseId lease, const Status&) { later = lease; }),
              Code::ok);
  }
  for (int i = 0; i < 50; ++i) pass(Span::millis(200));
  EXPECT_NEAR(static_cast<double>(of("report").held_ns_total) / 1e9, 10, 1.2);
  EXPECT_NEAR(static_cast<double>(of("search").waiting_ns_total) / 1e9, 10, 1.2);
  EXPECT_EQ(of("search").waiting, 1U);
  EXPECT_NEAR(static_cast<double>(of("report").longest_ns) / 1e9, 10, 1.2);
  release(cart);
  ASSERT_FALSE(later.is_none());
  release(later);
  pass(Span::seconds(2));
  EXPECT_EQ(of("search").waiting, 0U);
  EXPECT_EQ(of("cart").in_use, 0U);
  EXPECT_EQ(of("report").in_use, 1U);
  order("reset_stats");
  EXPECT_EQ(seen().read_tags().size(), 0U);
  release(report);
}

}  // namespace
}  // namespace tide
