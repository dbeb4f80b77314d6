// The relations slow_queries, failed_queries and queries.
#include <cstring>

#include "unit/reading/reading_support.hpp"

namespace tide {
namespace {

using test::integer;
using test::kMs;
using test::kSecond;
using test::real;
using test::text;
using test::us_after_now;

class QueryLogRelations : public testing::Test {
 protected:
  test::Table read(const std::string& relation) { return test::Table(relation, {directory.path(), "", ""}); }

  test::TempDirectory directory;
  std::unique_ptr<Segment> segment = test::make_segment(directory.path());
};

TEST_F(QueryLogRelations, SlowAndFailed) {
  auto ring = segment->ring(segment->header().query_log);
  const auto add = [&](bool is_slow, bool is_failed) {
    ring.append([&](format::QueryRecord& record) {
      record.at_wall_ns = test::kNowWall - kSecond;
      record.fingerprint = 0xab;
      record.conn_id = 7;
      record.duration_ns = 1500 * kMs;
      record.wait_ns = is_failed ? -1 : 2 * kMs;
      record.rows = record.bytes = is_failed ? -1 : 3;
      record.is_slow = is_slow ? 1 : 0;
      record.is_failed = is_failed ? 1 : 0;
      std::memcpy(record.sqlstate, is_failed ? "22P02\0\0" : "\0\0\0\0\0\0\0", 8);
      record.tag.assign("report");
      record.message.assign(is_failed ? "invalid input" : "");
      record.query.assign("select ?");
    });
  };
  add(true, false);
  add(false, true);
  add(true, true);
  const test::Table slow = read("slow_queries"), failed = read("failed_queries");
  ASSERT_EQ(slow.size(), 2u);
  EXPECT_EQ(slow.at(0, "seq"), integer(1));
  EXPECT_EQ(slow.at(1, "seq"), integer(3));
  EXPECT_EQ(slow.at(0, "at"), integer(us_after_now(-kSecond)));
  EXPECT_EQ(slow.at(0, "tag"), text("report"));
  EXPECT_EQ(slow.at(0, "fingerprint"), text("00000000000000ab"));
  EXPECT_EQ(slow.at(0, "query"), text("select ?"));
  EXPECT_EQ(slow.at(0, "duration_ms"), real(1500));
  EXPECT_EQ(slow.at(0, "wait_ms"), real(2));
  EXPECT_EQ(slow.at(0, "rows"), integer(3));
  EXPECT_EQ(slow.at(0, "bytes"), integer(3));
  EXPECT_EQ(slow.at(0, "conn_id"), integer(7));
  EXPECT_TRUE(is_null(slow.at(0, "sqlstate")));
  EXPECT_TRUE(is_null(slow.at(0, "message")));
  ASSERT_EQ(failed.size(), 2u);
  EXPECT_EQ(failed.at(0, "seq"), integer(2));
  EXPECT_EQ(failed.at(0, "sqlstate"), text("22P02"));
  EXPECT_EQ(failed.at(0, "message"), text("invalid input"));
  for (const char* column : {"wait_ms", "rows", "bytes"}) EXPECT_TRUE(is_null(failed.at(0, column))) << column;
}

TEST_F(QueryLogRelations, Digests) {
  for (uint32_t i = 0; i < 2; ++i) {
    format::DigestRecord& digest = segment->digests()[i];
    SeqWrite guard(digest.seq);
    put(digest.fingerprint, 0xcd + i);
    put(digest.calls, 4);
    put(digest.errors, 1);
    put(digest.rows, 5);
    put(digest.bytes, 60);
    put(digest.total_ns, test::bits(10 * kMs * (i + 1)));
    put(digest.min_ns, test::bits(kMs));
    put(digest.max_ns, test::bits(4 * kMs));
    put(digest.wait_ns, test::bits(7 * kMs));
    put(digest.first_wall_ns, test::bits(test::kNowWall - 2 * kSecond));
    put(digest.last_wall_ns, test::bits(test::kNowWall - kSecond));
    put(digest.duration.count[histogram_bucket_of_us(2000)], 3);
    put(digest.duration.count[histogram_bucket_of_us(4000)], 1);
    if (i == 1) digest.query.assign("select ?");
  }
  const test::Table rows = read("queries");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows.at(0, "fingerprint"), text("00000000000000ce")) << "the highest total first";
  EXPECT_EQ(rows.at(0, "query"), text("select ?"));
  EXPECT_TRUE(is_null(rows.at(1, "query")));
  EXPECT_EQ(rows.at(0, "calls"), integer(4));
  EXPECT_EQ(rows.at(0, "errors"), integer(1));
  EXPECT_EQ(rows.at(0, "total_ms"), real(20));
  EXPECT_EQ(rows.at(0, "min_ms"), real(1));
  EXPECT_EQ(rows.at(0, "max_ms"), real(4));
  EXPECT_GE(std::get<double>(rows.at(0, "p50_ms")), 1.4);
  EXPECT_LE(std::get<double>(rows.at(0, "p50_ms")), 3.1);
  EXPECT_LE(std::get<double>(rows.at(0, "p99_ms")), 4.0) << "never above the longest";
  EXPECT_EQ(rows.at(0, "rows"), integer(5));
  EXPECT_EQ(rows.at(0, "bytes"), integer(60));
  EXPECT_EQ(rows.at(0, "wait_ms"), real(7));
  EXPECT_EQ(rows.at(0, "first_seen"), integer(us_after_now(-2 * kSecond)));
  EXPECT_EQ(rows.at(0, "last_seen"), integer(us_after_now(-kSecond)));
}

}  // namespace
}  // namespace tide
