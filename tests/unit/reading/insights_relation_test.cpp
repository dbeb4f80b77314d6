// The relations "insights" and "tags", read from segments: also what needs the other pools of the host.
#include "unit/reading/reading_support.hpp"

namespace tide {
namespace {

using test::integer;
using test::real;
using test::text;

class InsightsRelation : public testing::Test {
 protected:
  test::Table read(const char* relation, const char* pool = "") { return {relation, {directory_.path(), pool, ""}}; }
  void set(Segment& segment, std::string_view option, std::string_view value) {
    format::SettingsBlock& block = segment.settings();
    block.record[block.count].name.assign(option);
    block.record[block.count].value.assign(value);
    ++block.count;
  }
  // All 5 connections are leased, and callers have waited for `seconds` of the last minute.
  void exhaust(Segment& segment, int seconds) {
    for (uint32_t i = 0; i < 5; ++i) test::fill_slot(segment, i, SlotState::leased);
    put(segment.queue().waiting, 2);
    put(segment.queue().head_since_mono, test::bits(test::kNowMono - test::kSecond));
    Ring<format::HistoryRecord> ring = segment.ring(segment.header().history_1s);
    for (int i = seconds; i > 0; --i) {
      ring.append([&](format::HistoryRecord& record) {
        record.at_wall_ns = test::kNowWall - i * test::kSecond;
        record.limit_size = record.in_use_max = 5;
        record.waiting_max = 2;
      });
    }
  }

  test::TempDirectory directory_;
  std::unique_ptr<Segment> busy_ = test::make_segment(directory_.path(), "busy", 1);
  std::unique_ptr<Segment> idle_ = test::make_segment(directory_.path(), "idle", 2);
};

TEST_F(InsightsRelation, WaitersHereWhileIdleThere) {
  for (Segment* segment : {busy_.get(), idle_.get()}) set(*segment, "max_size", "5");
  exhaust(*busy_, 20);
  for (uint32_t i = 0; i < 4; ++i) test::fill_slot(*idle_, i, SlotState::idle);
  // Whether or not the other pool is among those that are read.
  for (const char* pool : {"", "busy"}) {
    const test::Table rows = read("insights", pool);
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_EQ(rows.at(0, "pool"), text("busy"));
    EXPECT_EQ(rows.at(0, "severity"), text("warning"));
    EXPECT_EQ(rows.at(0, "subject"), text("size"));
    EXPECT_EQ(rows.at(0, "option_name"), text("max_size"));
    EXPECT_EQ(rows.at(0, "option_value"), text("7")) << "half of the idle connections";
    EXPECT_NE(std::get<std::string>(rows.at(0, "finding")).find("\"idle\""), std::string::npos);
  }
  EXPECT_EQ(read("insights", "idle").size(), 0U);
  put(idle_->slots()[0].word, SlotWord(SlotState::leased, 1).bits);
  put(idle_->slots()[1].word, SlotWord(SlotState::leased, 1).bits);
  put(idle_->slots()[2].word, SlotWord(SlotState::leased, 1).bits);
  EXPECT_EQ(read("insights").size(), 0U) << "it needs its connections";
}

TEST_F(InsightsRelation, NoneWithoutSettingsOrOfAPausedPool) {
  exhaust(*busy_, 20);
  for (uint32_t i = 0; i < 4; ++i) test::fill_slot(*idle_, i, SlotState::idle);
  EXPECT_EQ(read("insights").size(), 0U) << "its settings cannot be read";
  set(*busy_, "max_size", "5");
  EXPECT_EQ(read("insights").size(), 1U);
  put(busy_->vitals().state, static_cast<uint64_t>(PoolState::paused));
  EXPECT_EQ(read("insights").size(), 0U);
}

TEST_F(InsightsRelation, TagsWithNullForNone) {
  format::TagRecord* const tags = busy_->tags();
  put(tags[3].samples, 7);
  put(tags[3].held_ns_total, test::bits(6 * test::kSecond));
  put(tags[3].waiting_ns_total, test::bits(test::kSecond));
  put(tags[3].longest_ns, test::bits(2 * test::kSecond));
  put(tags[3].in_use, 2);
  put(tags[3].waiting, 1);
  put(tags[3].last_wall_ns, test::bits(test::kNowWall));
  tags[3].tag.assign("report\x01");
  put(tags[5].samples, 8);
  const test::Table rows = read("tags");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows.at(0, "tag"), text("report?")) << "foreign texts are cleaned";
  EXPECT_EQ(rows.at(0, "in_use"), integer(2));
  EXPECT_EQ(rows.at(0, "waiting"), integer(1));
  EXPECT_EQ(rows.at(0, "samples_total"), integer(7));
  EXPECT_EQ(rows.at(0, "held_ms_total"), real(6000));
  EXPECT_EQ(rows.at(0, "waited_ms_total"), real(1000));
  EXPECT_EQ(rows.at(0, "longest_ms"), real(2000));
  EXPECT_EQ(rows.at(0, "last_seen"), integer(test::us_after_now(0)));
  EXPECT_TRUE(is_null(rows.at(1, "tag")));
  EXPECT_TRUE(is_null(rows.at(1, "last_seen")));
}

TEST_F(InsightsRelation, SessionsOfTheServer) {
  EXPECT_TRUE(is_null(read("pool_stats", "busy").at(0, "server_sessions")));
  put(busy_->vitals().server_sessions, 41);
  put(busy_->vitals().server_sessions_max, 98);
  EXPECT_EQ(read("pool_stats", "busy").at(0, "server_sessions"), integer(40));
  EXPECT_EQ(read("pool_stats", "busy").at(0, "server_sessions_max"), integer(97));
}

}  // namespace
}  // namespace tide
