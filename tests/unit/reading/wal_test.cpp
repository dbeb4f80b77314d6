// The relation wal: what a segment says about checkpoints and readers, and what it does not.
#include "unit/reading/reading_support.hpp"

namespace tide {
namespace {

using test::integer;
using test::real;
using test::text;

class Wal : public testing::Test {
 protected:
  test::Table read() { return test::Table("wal", {directory.path(), "", ""}); }
  void put_setting(std::string_view name, std::string_view value) {
    format::SettingsBlock& block = segment->settings();
    format::SettingRecord& record = block.record[block.count++];
    record = {};
    record.name.assign(name);
    record.value.assign(value);
  }
  test::TempDirectory directory;
  std::unique_ptr<Segment> segment = test::make_segment(directory.path());
};

TEST_F(Wal, NoRowWithoutAWal) { EXPECT_EQ(read().size(), 0u); }

TEST_F(Wal, NullWhileNothingHasHappened) {
  put(segment->vitals().wal_bytes, 1);
  const test::Table wal = read();
  ASSERT_EQ(wal.size(), 1u);
  EXPECT_EQ(wal.at(0, "wal_bytes"), integer(0));
  EXPECT_EQ(wal.at(0, "frames"), integer(0));
  for (const char* column : {"last_checkpoint", "last_checkpoint_at", "blocked_ms", "oldest_reader_ms",
                             "oldest_reader_tag", "oldest_reader_lease_id", "oldest_reader_conn_id", "last_error"}) {
    EXPECT_TRUE(is_null(wal.at(0, column))) << column;
  }
}

TEST_F(Wal, ShowsCheckpointsAndTheOldestReader) {
  put(segment->vitals().wal_bytes, 4097);
  put_setting("sqlite_wal_limit", "1MB");
  format::WalVitals& wal = segment->wal();
  put(wal.frames, 20);
  put(wal.frames_done, 12);
  put(wal.last_wall_ns, test::bits(test::kNowWall - test::kSecond));
  put(wal.last_kind, static_cast<uint64_t>(CheckpointKind::passive));
  put(wal.blocked_mono, test::bits(test::kNowMono - 3 * test::kSecond));
  put(wal.reader_mono, test::bits(test::kNowMono - 4 * test::kSecond));
  put(wal.reader_lease, 77);
  put(wal.reader_conn_id, 5);
  wal.reader_tag.assign("report");
  wal.last_error.assign("disk I/O error");
  const test::Table row = read();
  EXPECT_EQ(row.at(0, "wal_bytes"), integer(4096));
  EXPECT_EQ(row.at(0, "limit_bytes"), integer(1 << 20));
  EXPECT_EQ(row.at(0, "frames"), integer(20));
  EXPECT_EQ(row.at(0, "frames_checkpointed"), integer(12));
  EXPECT_EQ(row.at(0, "last_checkpoint"), text("passive"));
  EXPECT_EQ(row.at(0, "last_checkpoint_at"), integer(test::us_after_now(-test::kSecond)));
  EXPECT_EQ(row.at(0, "blocked_ms"), real(3000));
  EXPECT_EQ(row.at(0, "oldest_reader_ms"), real(4000));
  EXPECT_EQ(row.at(0, "oldest_reader_tag"), text("report"));
  EXPECT_EQ(row.at(0, "oldest_reader_lease_id"), integer(77));
  EXPECT_EQ(row.at(0, "oldest_reader_conn_id"), integer(5));
  EXPECT_EQ(row.at(0, "last_error"), text("disk I/O error"));
}

TEST_F(Wal, NoLimitIsNull) {
  put(segment->vitals().wal_bytes, 1);
  put_setting("sqlite_wal_limit", "0");
  EXPECT_TRUE(is_null(read().at(0, "limit_bytes")));
}

}  // namespace
}  // namespace tide
