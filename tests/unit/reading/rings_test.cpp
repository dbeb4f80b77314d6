#include "base/owned_id.hpp"
#include "policy/settings.hpp"
#include "segment/mailbox_sender.hpp"
#include "unit/reading/reading_support.hpp"

namespace tide {
namespace {

using test::integer;
using test::kSecond;
using test::real;
using test::text;
using test::us_after_now;

class Rings : public testing::Test {
 protected:
  test::TempDirectory directory;
  std::unique_ptr<Segment> segment = test::make_segment(directory.path());
  test::Table read(const std::string& relation) { return test::Table(relation, {directory.path(), "", ""}); }
};

TEST_F(Rings, Events) {
  auto journal = segment->ring(segment->header().journal);
  journal.append([](format::JournalRecord& record) {
    record.at_wall_ns = test::kNowWall - 2 * kSecond;
    record.kind = 0;
    record.severity = 0;
    record.message.assign("opened");
  });
  journal.append([](format::JournalRecord& record) {
    record.at_wall_ns = test::kNowWall - kSecond;
    record.kind = 2;
    record.severity = 1;
    record.message.assign("cannot connect");
    record.detail.assign(R"({"attempt":3})");
  });
  const test::Table rows = read("events");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows.at(0, "seq"), integer(1));
  EXPECT_EQ(rows.at(0, "kind"), text("pool_open"));
  EXPECT_EQ(rows.at(0, "severity"), text("info"));
  EXPECT_TRUE(is_null(rows.at(0, "detail")));
  EXPECT_EQ(rows.at(1, "seq"), integer(2));
  EXPECT_EQ(rows.at(1, "at"), integer(us_after_now(-kSecond)));
  EXPECT_EQ(rows.at(1, "kind"), text("connect_error"));
  EXPECT_EQ(rows.at(1, "severity"), text("warning"));
  EXPECT_EQ(rows.at(1, "message"), text("cannot connect"));
  EXPECT_EQ(rows.at(1, "detail"), text(R"({"attempt":3})"));
}

TEST_F(Rings, ScalingEvents) {
  segment->ring(segment->header().scaling).append([](format::ScalingRecord& record) {
    record.at_wall_ns = test::kNowWall;
    record.from_size = 4;
    record.to_size = 6;
    record.cause = 1;
    record.in_use = 4;
    record.waiting = 2;
    record.wait_p95_ms = 12.5;
    record.predicted_in_use = std::numeric_limits<double>::quiet_NaN();
    record.reason.assign("callers wait");
  });
  const test::Table rows = read("scaling_events");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows.at(0, "seq"), integer(1));
  EXPECT_EQ(rows.at(0, "from_size"), integer(4));
  EXPECT_EQ(rows.at(0, "to_size"), integer(6));
  EXPECT_EQ(rows.at(0, "cause"), text("autoscale"));
  EXPECT_EQ(rows.at(0, "reason"), text("callers wait"));
  EXPECT_EQ(rows.at(0, "in_use"), integer(4));
  EXPECT_EQ(rows.at(0, "waiting"), integer(2));
  EXPECT_EQ(rows.at(0, "wait_p95_ms"), real(12.5));
  EXPECT_TRUE(is_null(rows.at(0, "predicted_in_use")));
  EXPECT_TRUE(is_null(rows.at(0, "actor")));
}

TEST_F(Rings, CommandsAnsweredAndQueued) {
  const uint64_t answered = owned_id(0x2B1122 >> 3, 1);
  segment->ring(segment->header().commands).append([&](format::CommandRecord& record) {
    record.command_id = answered;
    record.issued_wall_ns = test::kNowWall - 2 * kSecond;
    record.applied_wall_ns = test::kNowWall - kSecond;
    record.verb.assign("scale");
    record.status = static_cast<uint32_t>(CommandStatus::applied);
    record.generation = 8;
    record.actor.assign("anna");
    record.arguments.assign(R"({"size":6})");
  });
  const auto attached = Attachment::open(segment->path());
  ASSERT_TRUE(attached.is_ok());
  const auto posted = post_command(*attached, "pause", "{}", "ben");
  ASSERT_TRUE(posted.is_ok()) << posted.status().message();

  const test::Table rows = read("commands");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows.at(0, "command_id"), integer(static_cast<int64_t>(answered)));
  EXPECT_EQ(rows.at(0, "issued_at"), integer(us_after_now(-2 * kSecond)));
  EXPECT_EQ(rows.at(0, "actor"), text("anna"));
  EXPECT_EQ(rows.at(0, "verb"), text("scale"));
  EXPECT_EQ(rows.at(0, "arguments"), text(R"({"size":6})"));
  EXPECT_EQ(rows.at(0, "status"), text("applied"));
  EXPECT_EQ(rows.at(0, "applied_at"), integer(us_after_now(-kSecond)));
  EXPECT_EQ(rows.at(0, "generation"), integer(8));
  EXPECT_EQ(rows.at(1, "command_id"), integer(static_cast<int64_t>(*posted)));
  EXPECT_EQ(rows.at(1, "actor"), text("ben"));
  EXPECT_EQ(rows.at(1, "verb"), text("pause"));
  EXPECT_EQ(rows.at(1, "status"), text("queued"));
  EXPECT_TRUE(is_null(rows.at(1, "applied_at")));
  EXPECT_TRUE(is_null(rows.at(1, "generation")));
}

TEST_F(Rings, Settings) {
  format::SettingsBlock& block = segment->settings();
  block.record[0].name.assign("max_size");
  block.record[0].value.assign("12");
  block.record[0].source = static_cast<uint32_t>(SettingSource::url);
  block.record[1].name.assign("of_a_newer_version");
  block.record[1].value.assign("on");
  block.record[1].source = 999;
  block.count = 2;
  const test::Table rows = read("settings");
  ASSERT_EQ(rows.size(), 2u);
  const Setting* max_size = find_setting("max_size");
  ASSERT_NE(max_size, nullptr);
  EXPECT_EQ(rows.at(0, "name"), text("max_size"));
  EXPECT_EQ(rows.at(0, "value"), text("12"));
  EXPECT_EQ(rows.at(0, "unit"), text(max_size->unit));
  EXPECT_EQ(rows.at(0, "default_value"), text(max_size->default_text));
  EXPECT_EQ(rows.at(0, "source"), text("url"));
  EXPECT_EQ(rows.at(0, "applies"), text(applies_name(max_size->applies)));
  EXPECT_EQ(rows.at(0, "min"), text(max_size->min_text));
  EXPECT_EQ(rows.at(0, "description"), text(max_size->description));
  EXPECT_EQ(rows.at(1, "value"), text("on"));
  EXPECT_EQ(rows.at(1, "source"), text("unknown"));
  for (const char* column : {"unit", "default_value", "applies", "min", "max", "description"}) {
    EXPECT_TRUE(is_null(rows.at(1, column))) << column;
  }
}

}  // namespace
}  // namespace tide
