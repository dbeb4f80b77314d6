// What owners leave of their history: whole or not at all, taken once, and nothing else is believed.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "segment/directory.hpp"
#include "segment/history_file.hpp"
#include "segment/history_leftovers.hpp"
#include "unit/support/segment_file.hpp"

namespace tide {
namespace {

namespace fs = std::filesystem;
constexpr int64_t kNowNs = 1'800'000'000'000'000'000;
constexpr int64_t kOneSecondNs = 1'000'000'000;

format::HistoryRecord record_at(int64_t at_wall_ns, uint8_t instance = 1) {
  format::HistoryRecord record{};
  record.at_wall_ns = at_wall_ns;
  record.covers_ms = 1000;
  record.acquires = 7;
  record.instance_id[0] = instance;
  record.wait_p99_ms = record.predicted_in_use = record.query_p99_ms = record.replica_lag_ms = NAN;
  return record;
}

// Seconds until now.
History history_of_seconds(int n, uint8_t instance = 1, int64_t until_ns = kNowNs) {
  History history;
  for (int i = 0; i < n; ++i) history.series(0).push_back(record_at(until_ns - (n - 1 - i) * kOneSecondNs, instance));
  return history;
}

std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary).write(text.data(), static_cast<std::streamsize>(text.size()));
}

class HistoryTest : public testing::Test {
 protected:
  static InstanceId instance(uint8_t n) {
    InstanceId id{};
    id[0] = n;
    return id;
  }
  std::string segment_name(uint8_t n) { return segment_path(folder_.path(), "app", instance_hex(instance(n))); }
  void leave(uint8_t n, const History& history) {
    ASSERT_TRUE(leave_history(segment_name(n), history, {instance(n), "app"}, kNowNs));
  }
  std::vector<std::string> files() {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_.path())) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
  std::string refusal_of(const std::string& bytes) {
    const auto history = history_of(bytes, "app", kNowNs);
    return history ? "" : history.status().message();
  }
  HistoryLeftovers take() { return {folder_.path(), "app", kNowNs}; }

  test::TemporaryFolder folder_;
};

TEST_F(HistoryTest, BytesAreReadBack) {
  History history = history_of_seconds(3);
  history.series(1).push_back(record_at(kNowNs - kOneSecondNs));
  history.series(2).push_back(record_at(kNowNs - 2 * kOneSecondNs));
  const auto found = history_of(bytes_of(history, {instance(1), "app"}, kNowNs), "app", kNowNs);
  ASSERT_TRUE(found.is_ok()) << found.status().message();
  EXPECT_EQ(found->series(0).size(), 3U);
  EXPECT_EQ(found->series(1).size(), 1U);
  ASSERT_EQ(found->series(2).size(), 1U);
  EXPECT_EQ(found->series(0).back().at_wall_ns, kNowNs);
  EXPECT_EQ(found->series(0).back().acquires, 7U);
}

TEST_F(HistoryTest, EveryChangedByteIsDetected) {
  const std::string bytes = bytes_of(history_of_seconds(2), {instance(1), "app"}, kNowNs);
  ASSERT_EQ(refusal_of(bytes), "");
  for (size_t at = 0; at < bytes.size(); at += 3) {
    std::string changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    EXPECT_NE(refusal_of(changed), "") << "byte " << at;
  }
  for (const size_t size : {size_t{0}, size_t{8}, size_t{127}, size_t{128}, bytes.size() - 1}) {
    EXPECT_NE(refusal_of(bytes.substr(0, size)), "") << size << " bytes";
  }
  EXPECT_NE(refusal_of(bytes + "x"), "");
}

TEST_F(HistoryTest, OtherFormatsAreNamed) {
  std::string bytes = bytes_of(history_of_seconds(2), {instance(1), "app"}, kNowNs);
  const uint32_t before = 5;
  std::memcpy(bytes.data() + offsetof(format::HistoryFileHeader, layout_version), &before, sizeof before);
  EXPECT_EQ(refusal_of(bytes), "layout version 5 is not supported");
  EXPECT_EQ(refusal_of(std::string(4096, 'x')), "it is not a history of a pool");
  EXPECT_EQ(refusal_of(bytes_of(history_of_seconds(2), {instance(1), "other"}, kNowNs)),
            "it is the history of pool \"other\"");
}

// The checksum is right, so an owner of this user has written them; but none has measured this.
TEST_F(HistoryTest, ImpossibleRecordsAreLeftOut) {
  History history = history_of_seconds(1);
  std::vector<format::HistoryRecord>& rows = history.series(0);
  rows.push_back(record_at(0));
  rows.push_back(record_at(-5));
  rows.push_back(record_at(kNowNs + 86'401 * kOneSecondNs));
  rows.push_back(record_at(kNowNs - 1));
  rows.back().in_use_avg = -1;
  rows.push_back(record_at(kNowNs - 2));
  rows.back().use_ms = INFINITY;
  rows.push_back(record_at(kNowNs - 3));
  rows.back().health = 101;
  rows.push_back(record_at(kNowNs - 4));
  rows.back().covers_ms = 0;
  const auto found = history_of(bytes_of(history, {instance(1), "app"}, kNowNs), "app", kNowNs);
  ASSERT_TRUE(found.is_ok());
  EXPECT_EQ(found->size(), 1U);
}

TEST_F(HistoryTest, SeveralAreMergedByTimeAndTheNewestAreKept) {
  leave(1, history_of_seconds(3000, 1, kNowNs - kOneSecondNs / 2));
  leave(2, history_of_seconds(3000, 2, kNowNs));
  HistoryLeftovers left = take();
  const History::Records& rows = left.history().series(0);
  EXPECT_EQ(left.taken(), 2U);
  ASSERT_EQ(rows.size(), 3600U);
  EXPECT_TRUE(std::is_sorted(rows.begin(), rows.end(),
                             [](const auto& a, const auto& b) { return a.at_wall_ns < b.at_wall_ns; }));
  EXPECT_EQ(rows.back().at_wall_ns, kNowNs);
  EXPECT_EQ(std::count_if(rows.begin(), rows.end(), [](const auto& row) { return row.instance_id[0] == 1; }), 1800);
}

TEST_F(HistoryTest, RecordsThatAreInTwoFilesCountOnce) {
  leave(1, history_of_seconds(10, 1));
  leave(2, history_of_seconds(10, 1));
  EXPECT_EQ(take().history().size(), 10U);
}

TEST_F(HistoryTest, IsTakenOnce) {
  leave(1, history_of_seconds(10));
  HistoryLeftovers first = take();
  EXPECT_EQ(first.history().size(), 10U);
  EXPECT_EQ(take().history().size(), 0U) << "while another owner opens its pool";
  first.remove();
  EXPECT_EQ(take().history().size(), 0U);
  EXPECT_TRUE(files().empty());
}

TEST_F(HistoryTest, OwnerThatFailsLeavesItForTheNext) {
  leave(1, history_of_seconds(10));
  { const HistoryLeftovers failed = take(); }
  EXPECT_EQ(take().history().size(), 10U);
}

TEST_F(HistoryTest, OtherPoolsAndOtherFilesAreLeftAlone) {
  ASSERT_TRUE(leave_history(segment_path(folder_.path(), "other", instance_hex(instance(3))), history_of_seconds(2),
                            {instance(3), "other"}, kNowNs));
  write_text(folder_.path() + "/app.history", "x");
  write_text(folder_.path() + "/app.0123.history", "x");
  const auto before = files();
  HistoryLeftovers left = take();
  EXPECT_EQ(left.taken(), 0U);
  EXPECT_TRUE(left.refusals().empty());
  left.remove();
  EXPECT_EQ(files(), before);
  EXPECT_TRUE(list_segments(folder_.path()).empty()) << "readers do not see them";
}

TEST_F(HistoryTest, HostileFilesAreNamedAndLeftAlone) {
  const auto name = [&](uint8_t n) { return history_path_of(segment_name(n)); };
  leave(1, history_of_seconds(2));
  write_text(name(2), "garbage");
  ASSERT_EQ(::symlink("/etc/passwd", name(3).c_str()), 0);
  ASSERT_EQ(::mkfifo(name(4).c_str(), 0600), 0);
  fs::create_directory(name(5));
  write_text(name(6), "");
  fs::resize_file(name(6), uint64_t{1} << 30);
  write_text(name(7), text_of(name(1)).substr(0, 300));
  HistoryLeftovers left = take();
  EXPECT_EQ(left.history().size(), 2U);
  const char* reasons[] = {"too short", "symbolic link",    "not a regular file",
                           "directory", "1073741824 bytes", "size is wrong"};
  ASSERT_EQ(left.refusals().size(), std::size(reasons));
  for (size_t i = 0; i < std::size(reasons); ++i) {
    EXPECT_NE(left.refusals()[i].find("not taken over: "), std::string::npos);
    std::string said = left.refusals()[i];
    std::transform(said.begin(), said.end(), said.begin(), [](unsigned char c) { return std::tolower(c); });
    EXPECT_NE(said.find(reasons[i]), std::string::npos) << said;
  }
  left.remove();
  EXPECT_EQ(files().size(), 6U);
}

TEST_F(HistoryTest, EmptyHistoryLeavesNoFile) {
  leave(1, History());
  EXPECT_TRUE(files().empty());
}

TEST_F(HistoryTest, FolderThatCannotBeWrittenLeavesNoFile) {
  EXPECT_FALSE(leave_history(segment_path("/proc", "app", instance_hex(instance(1))), history_of_seconds(2),
                             {instance(1), "app"}, kNowNs));
}

class HistoryFileTest : public HistoryTest {
 protected:
  std::string path() { return folder_.path() + "/app.hist"; }
  HistoryFile make(uint8_t n = 1) { return {path(), {instance(n), "app"}}; }
};

TEST_F(HistoryFileTest, IsReplacedAsAWhole) {
  {
    HistoryFile file = make();
    ASSERT_TRUE(file.open(kNowNs).is_ok());
    ASSERT_TRUE(file.save(history_of_seconds(5), kNowNs).is_ok());
    struct stat before {
    }, after{};
    ASSERT_EQ(::stat(path().c_str(), &before), 0);
    ASSERT_TRUE(file.save(history_of_seconds(6), kNowNs).is_ok());
    ASSERT_EQ(::stat(path().c_str(), &after), 0);
    EXPECT_NE(before.st_ino, after.st_ino) << "a reader of the old one still has all of it";
  }
  EXPECT_EQ(files(), std::vector<std::string>{"app.hist"});
  HistoryFile next = make(2);
  const auto found = next.open(kNowNs);
  ASSERT_TRUE(found.is_ok());
  EXPECT_EQ(found->size(), 6U);
}

TEST_F(HistoryFileTest, SecondPoolIsRefusedUntilTheFirstIsClosed) {
  HistoryFile second = make(2);
  {
    HistoryFile first = make(1);
    ASSERT_TRUE(first.open(kNowNs).is_ok());
    EXPECT_NE(second.open(kNowNs).status().message().find("in use by another pool"), std::string::npos);
    ASSERT_TRUE(first.save(history_of_seconds(5, 1), kNowNs).is_ok());
    EXPECT_FALSE(second.save(history_of_seconds(1, 2), kNowNs).is_ok());
  }
  // What the first one has saved is not lost.
  ASSERT_TRUE(second.save(history_of_seconds(3, 2, kNowNs + 9 * kOneSecondNs), kNowNs + 9 * kOneSecondNs).is_ok());
  const auto found = history_of(text_of(path()), "app", kNowNs);
  ASSERT_TRUE(found.is_ok());
  EXPECT_EQ(found->size(), 8U);
}

// As after a crash in the middle of a write, or of the system.
TEST_F(HistoryFileTest, UnfinishedWriteIsReplaced) {
  ASSERT_TRUE(make().save(history_of_seconds(5), kNowNs).is_ok());
  write_text(path() + ".new", text_of(path()).substr(0, 200));
  write_text(path() + ".lock", "");
  HistoryFile file = make(2);
  const auto found = file.open(kNowNs);
  ASSERT_TRUE(found.is_ok());
  EXPECT_EQ(found->size(), 5U);
  ASSERT_TRUE(file.save(history_of_seconds(7), kNowNs).is_ok());
  EXPECT_EQ(history_of(text_of(path()), "app", kNowNs)->size(), 7U);
}

TEST_F(HistoryFileTest, UnreadableContentIsKept) {
  write_text(path(), "notes of somebody");
  HistoryFile file = make();
  EXPECT_NE(file.open(kNowNs).status().message().find("too short"), std::string::npos);
  ASSERT_TRUE(file.save(history_of_seconds(2), kNowNs).is_ok());
  EXPECT_EQ(text_of(path() + ".unreadable"), "notes of somebody");
  EXPECT_EQ(history_of(text_of(path()), "app", kNowNs)->size(), 2U);
}

TEST_F(HistoryFileTest, WhatIsNotAFileOfThisPoolIsNeverReplaced) {
  const std::string others = bytes_of(history_of_seconds(2), {instance(9), "other"}, kNowNs);
  write_text(path(), others);
  HistoryFile file = make();
  EXPECT_NE(file.open(kNowNs).status().message().find("the history of pool \"other\""), std::string::npos);
  EXPECT_FALSE(file.save(history_of_seconds(2), kNowNs).is_ok());
  EXPECT_EQ(text_of(path()), others);
  fs::remove(path());
  fs::create_symlink("/etc/passwd", path());
  EXPECT_NE(file.save(history_of_seconds(2), kNowNs).message().find("symbolic link"), std::string::npos);
  EXPECT_TRUE(fs::is_symlink(path()));
  fs::remove(path());
  ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
  EXPECT_NE(file.save(history_of_seconds(2), kNowNs).message().find("not a regular file"), std::string::npos);
  EXPECT_TRUE(fs::is_fifo(path()));
}

TEST_F(HistoryFileTest, LinkThatAppearsLaterIsNotReplaced) {
  HistoryFile file = make();
  ASSERT_TRUE(file.open(kNowNs).is_ok());
  fs::create_symlink("/etc/passwd", path());
  EXPECT_FALSE(file.save(history_of_seconds(2), kNowNs).is_ok());
  EXPECT_TRUE(fs::is_symlink(path()));
}

TEST_F(HistoryFileTest, FailureNamesTheFileAndChangesNothing) {
  HistoryFile file("/proc/app.hist", {instance(1), "app"});
  const Status failed = file.save(history_of_seconds(2), kNowNs);
  EXPECT_EQ(failed.message().rfind("history_file \"/proc/app.hist\": ", 0), 0U) << failed.message();
}

}  // namespace
}  // namespace tide
