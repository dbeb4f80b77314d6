// What the keeper makes of checkpoints that readers block: values, an event and an alert.
#include "unit/pool/timed_pool.hpp"

namespace tide {
namespace {

class WalWatch : public test::TimedPool {
 protected:
  void SetUp() override { open(of_size(1)); }
  void run(Span span) {
    for (const Instant end = clock_.now() + span; clock_.now() < end;) pass(Span::millis(250));
  }
  std::vector<std::string> blocked_events() {
    std::vector<std::string> out;
    for (const format::JournalRecord& record : seen().read_journal()) {
      if (record.kind == static_cast<uint32_t>(EventKind::checkpoint_blocked)) out.emplace_back(record.message.view());
    }
    return out;
  }
  bool is_firing() {
    for (const format::AlertRecord& alert : seen().read_alerts()) {
      if (alert.rule.view() == "wal_blocked" && word_of<AlertState>(alert.state) == "firing") return true;
    }
    return false;
  }
  FileFacts facts_;
};

TEST_F(WalWatch, BlockedCheckpointsAreAnEventAfterTenSecondsAndAnAlertAfterThirty) {
  facts_.wal_bytes = 4096;
  facts_.wal.frames = 9;
  facts_.wal.frames_done = 4;
  facts_.wal.failures_total = 1;
  facts_.wal.blocked_since = clock_.now();
  server_.set_file(facts_);
  run(Span::seconds(8));
  EXPECT_TRUE(blocked_events().empty());
  run(Span::seconds(4));
  ASSERT_EQ(blocked_events().size(), 1u);
  EXPECT_NE(blocked_events()[0].find("another process, or a statement on the native handle"), std::string::npos)
      << blocked_events()[0];
  EXPECT_FALSE(is_firing());
  run(Span::seconds(20));
  EXPECT_TRUE(is_firing());
  EXPECT_EQ(blocked_events().size(), 1u);  // once
  const auto wal = seen().read_wal();
  ASSERT_TRUE(wal.has_value());
  EXPECT_EQ(tide::read(wal->frames), 9u);
  EXPECT_EQ(tide::read(wal->frames_done), 4u);
  EXPECT_NE(tide::read(wal->blocked_mono), 0u);
  EXPECT_EQ(tide::read(seen().read_totals()->checkpoint_failures_total), 1u);

  facts_.wal.blocked_since = {};
  server_.set_file(facts_);
  run(Span::seconds(120));
  EXPECT_FALSE(is_firing());
  facts_.wal.blocked_since = clock_.now();
  server_.set_file(facts_);
  run(Span::seconds(12));
  EXPECT_EQ(blocked_events().size(), 2u);
}

TEST_F(WalWatch, NothingIsTakenForKnownWithoutAWal) {
  facts_.wal.blocked_since = clock_.now();
  server_.set_file(facts_);
  run(Span::seconds(40));
  EXPECT_TRUE(blocked_events().empty());
  EXPECT_FALSE(is_firing());
}

}  // namespace
}  // namespace tide
