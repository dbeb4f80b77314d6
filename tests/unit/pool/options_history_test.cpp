// The next owner of a pool's name has its history: after a close, after a kill, and from a file.
#include <chrono>
#include <filesystem>
#include <fstream>

#include "pool/history_saver.hpp"
#include "segment/directory.hpp"
#include "unit/pool/options_support.hpp"
#include "unit/support/segment_file.hpp"

namespace tide::test {
namespace {

namespace fs = std::filesystem;

class Takeover : public OptionEffect {
 protected:
  void begin(const std::string& options = "") {
    clean();
    furnish_ = [this](PoolSpec& spec) { spec.directory = folder_.path(); };
    open(quiet(options));
  }
  void end() {
    close(Span());
    pool_.reset();
  }
  std::vector<std::string> files() {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_.path())) names.push_back(entry.path());
    return names;
  }
  size_t measured_by_others(int64_t resolution_ms = 1000) {
    size_t n = 0;
    for (const format::HistoryRecord& row : seen().read_history(resolution_ms)) {
      n += std::equal(std::begin(row.instance_id), std::end(row.instance_id), pool_->instance_id().begin()) ? 0 : 1;
    }
    return n;
  }
  std::string told() {
    run(Span::millis(50));
    std::string all;
    for (const Event& event : events(EventKind::history)) all += event.message + "\n";
    return all;
  }

  TemporaryFolder folder_;
};

TEST_F(Takeover, AfterAClose) {
  begin();
  run(Span::seconds(100));
  const auto before = seen().read_history(1000);
  end();
  ASSERT_EQ(files().size(), 1U);
  EXPECT_TRUE(files()[0].ends_with(".history")) << files()[0];
  begin();
  const auto after = seen().read_history(1000);
  ASSERT_GE(after.size(), before.size());
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(after[i].at_wall_ns, before[i].at_wall_ns);
    EXPECT_TRUE(std::equal(std::begin(after[i].instance_id), std::end(after[i].instance_id), before[i].instance_id));
  }
  EXPECT_NE(told().find("of the history of earlier instances were taken over"), std::string::npos);
  EXPECT_EQ(list_histories(folder_.path()).size(), 0U);
  // Its own records follow, and both are left for the next one.
  run(Span::seconds(10));
  EXPECT_EQ(measured_by_others(), after.size());
  EXPECT_GE(measured_by_others(60'000), 2U) << "also of the minute that had not ended";
  EXPECT_EQ(measured_by_others(3'600'000), 1U);
  end();
  begin();
  EXPECT_GE(measured_by_others(), after.size() + 9);
}

TEST_F(Takeover, AfterAKill) {
  begin();
  run(Span::seconds(30));
  const std::string segment = pool_->segment().path(), copy = segment + ".kept";
  fs::copy_file(segment, copy);
  end();
  for (const std::string& path : list_histories(folder_.path())) fs::remove(path);
  fs::rename(copy, segment);  // a segment without an owner
  begin();
  EXPECT_GE(measured_by_others(), 29U);
  EXPECT_FALSE(fs::exists(segment));
}

TEST_F(Takeover, SegmentOfTheFormatBeforeIsNamed) {
  begin();
  run(Span::seconds(5));
  const std::string segment = pool_->segment().path(), copy = segment + ".kept";
  fs::copy_file(segment, copy);
  end();
  for (const std::string& path : list_histories(folder_.path())) fs::remove(path);
  std::fstream file(copy, std::ios::in | std::ios::out | std::ios::binary);
  const uint32_t before = 5;
  file.seekp(offsetof(format::Header, layout_version)).write(reinterpret_cast<const char*>(&before), sizeof before);
  file.close();
  fs::rename(copy, segment);
  begin();
  EXPECT_EQ(measured_by_others(), 0U);
  EXPECT_NE(told().find("unsupported layout version 5"), std::string::npos) << told();
}

TEST_F(Takeover, LivePoolKeepsItsOwn) {
  begin();
  run(Span::seconds(5));
  std::unique_ptr<Pool> first = std::move(pool_);
  furnish_ = [this](PoolSpec& spec) {
    spec.directory = folder_.path();
    spec.pool_key = kKey + 1;
  };
  open(quiet(""));
  run(Span::seconds(3));
  EXPECT_EQ(measured_by_others(), 0U);
  end();
  pool_ = std::move(first);
}

TEST_F(Takeover, PoolOfLessThanASecondLeavesNothing) {
  begin();
  run(Span::millis(300));
  end();
  EXPECT_TRUE(files().empty());
}

TEST_F(Takeover, WhatNobodyTookIsRemovedAfterADay) {
  begin();
  run(Span::seconds(5));
  end();
  const std::string left = files().at(0), other = folder_.path() + "/other" + left.substr(left.rfind("/test") + 5);
  fs::rename(left, other);
  const int64_t now_ns = wall_ns_now();
  remove_dead_segments(folder_.path(), "app", now_ns);
  EXPECT_TRUE(fs::exists(other));
  remove_dead_segments(folder_.path(), "app", now_ns + 86'401'000'000'000);
  EXPECT_FALSE(fs::exists(other));
}

// A pool whose file cannot be read or is in use works, and says so.
TEST_F(Takeover, FileInUseIsTold) {
  HistoryFile taken(folder_.path() + "/file", {{}, "test"});
  ASSERT_TRUE(taken.open(1).is_ok());
  begin("history_file=" + folder_.path() + "/file");
  EXPECT_NE(told().find("it is in use by another pool"), std::string::npos);
  ask(Span{});
  EXPECT_EQ(leases_.size(), 1U);
}

class Saver : public Takeover {
 protected:
  std::string path() { return folder_.path() + "/file"; }
  // While the saver works on its thread.
  template <class Condition>
  bool comes_true(Condition condition) {
    for (int i = 0; i < 5000 && !condition(); ++i) pause_for(Span::millis(1));
    return condition();
  }
};

TEST_F(Saver, WritesNowAndThenAndReportsFailuresOnce) {
  begin();
  run(Span::seconds(5));
  std::mutex mutex;
  std::vector<std::string> notes;
  const std::string folder = folder_.path() + "/later";
  HistorySaver saver(
      std::make_shared<HistoryFile>(folder + "/file", HistoryOwner{pool_->instance_id(), "test"}),
      pool_->segment().fd(), clock_,
      [&](Severity, const std::string& text) {
        const std::lock_guard lock(mutex);
        notes.push_back(text);
      },
      Span::millis(5));
  const auto told = [&] {
    const std::lock_guard lock(mutex);
    return notes;
  };
  ASSERT_TRUE(comes_true([&] { return !told().empty(); }));
  pause_for(Span::millis(50));
  EXPECT_EQ(told().size(), 1U) << "not each time";
  fs::create_directory(folder);
  ASSERT_TRUE(comes_true([&] { return told().size() == 2; }));
  EXPECT_EQ(told()[1], "the history is saved again");
  EXPECT_TRUE(fs::exists(folder + "/file"));
  EXPECT_TRUE(saver.finish(Span::seconds(10)));
}

}  // namespace

TEST_F(OptionEffect, history_file) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/file";
  // How many records of an earlier pool are there, after one has lived for 20 s?
  const auto look = [&] {
    const size_t found = seen().read_history(1000).size();
    run(Span::seconds(20));
    pool_->start_saving();
    EXPECT_TRUE(pool_->finish_saving(Span::seconds(10)));
    return found > 10;
  };
  EXPECT_FALSE(with("", "", look));
  EXPECT_FALSE(fs::exists(path));
  EXPECT_FALSE(with(path, "", look));
  EXPECT_TRUE(fs::exists(path));
  EXPECT_TRUE(with(path, "publish=off", look));
  EXPECT_FALSE(with("", "", look));
}

}  // namespace tide::test
