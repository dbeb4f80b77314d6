// The relation "segments": every file of the directory, also those that no reader of pools shows.
#include <sys/stat.h>

#include <fstream>

#include "os/user.hpp"
#include "segment/directory.hpp"
#include "unit/reading/reading_support.hpp"

namespace tide {
namespace {

constexpr std::string_view kOtherId = "000000000000000000000000000000ff";

class Segments : public testing::Test {
 protected:
  test::TempDirectory directory;
  std::unique_ptr<Segment> segment = test::make_segment(directory.path());

  std::string path_of(const std::string& name) const { return directory.path() + "/" + name; }
  std::string own_path() const { return list_segments(directory.path()).front(); }
  std::string own_id() const {
    const std::string path = own_path();
    return path.substr(path.size() - kSegmentEnding.size() - 32, 32);
  }
  void write(const std::string& name, std::string_view bytes) {
    std::ofstream(path_of(name), std::ios::binary) << bytes;
  }
  std::string bytes() const {
    std::ifstream file(own_path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  test::Table read(const std::string& pool = "") const { return test::Table("segments", {directory.path(), pool, ""}); }
  // The only row about this file.
  std::vector<Value> row_of(const std::string& name) const {
    const test::Table rows = read();
    std::vector<Value> found;
    for (size_t i = 0; i < rows.size(); ++i) {
      if (rows.at(i, "path") != test::text(path_of(name))) continue;
      EXPECT_TRUE(found.empty()) << name;
      for (const char* column : {"pool", "instance_id", "status", "layout_version", "message"})
        found.push_back(rows.at(i, column));
    }
    EXPECT_FALSE(found.empty()) << name;
    found.resize(5);
    return found;
  }
};

TEST_F(Segments, ALivePool) {
  const test::Table rows = read();
  ASSERT_EQ(rows.size(), 1u);
  struct stat info {};
  ASSERT_EQ(::stat(own_path().c_str(), &info), 0);
  EXPECT_EQ(rows.at(0, "path"), test::text(own_path()));
  EXPECT_EQ(rows.at(0, "pool"), test::text("orders"));
  EXPECT_EQ(rows.at(0, "instance_id"), test::text(own_id()));
  EXPECT_EQ(rows.at(0, "status"), test::text("live"));
  EXPECT_EQ(rows.at(0, "layout_version"), test::integer(format::kLayoutVersion));
  EXPECT_EQ(rows.at(0, "size_bytes"), test::integer(info.st_size));
  EXPECT_EQ(rows.at(0, "owner"), test::text(user_name()));
  EXPECT_EQ(rows.at(0, "mode"), test::text("0640"));
  EXPECT_TRUE(is_null(rows.at(0, "message")));
}

TEST_F(Segments, ADeadPoolAndACopy) {
  const std::string copied = bytes();
  write("renamed." + std::string(kOtherId) + ".segment", copied);
  EXPECT_EQ(row_of("renamed." + std::string(kOtherId) + ".segment")[2], test::text("leftover"));
  // The same bytes in a file that nobody holds open.
  const std::string path = own_path();
  segment.reset();
  std::ofstream(path, std::ios::binary) << copied;
  const test::Table rows = read("orders");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows.at(0, "status"), test::text("dead"));
  EXPECT_TRUE(is_null(rows.at(0, "controllable")));
}

TEST_F(Segments, AnOtherVersion) {
  for (const uint32_t version : {format::kLayoutVersion - 1, format::kLayoutVersion + 1}) {
    std::string changed = bytes();
    std::memcpy(changed.data() + offsetof(format::Header, layout_version), &version, sizeof version);
    const std::string name = "other." + std::string(kOtherId) + ".segment";
    write(name, changed);
    const auto row = row_of(name);
    EXPECT_EQ(row[0], test::text("other"));
    EXPECT_EQ(row[1], test::text(std::string(kOtherId)));
    EXPECT_EQ(row[2], test::text("other_version"));
    EXPECT_EQ(row[3], test::integer(version));
    const std::string word = version > format::kLayoutVersion ? "a newer" : "an older";
    EXPECT_NE(std::get<std::string>(row[4]).find(word), std::string::npos);
  }
}

TEST_F(Segments, ADamagedOne) {
  const std::string name = "torn." + std::string(kOtherId) + ".segment";
  write(name, bytes().substr(0, sizeof(format::Header) + 100));
  const auto row = row_of(name);
  EXPECT_EQ(row[2], test::text("damaged"));
  EXPECT_EQ(row[3], test::integer(format::kLayoutVersion));
  EXPECT_EQ(std::get<std::string>(row[4]), "the size in the header differs from the file's size");
}

TEST_F(Segments, WhatIsNoSegment) {
  const std::string name = "strange." + std::string(kOtherId) + ".segment";
  for (const std::string_view content : {"", "TIDE", "a text that is longer than a magic number"}) {
    write(name, content);
    const auto row = row_of(name);
    EXPECT_EQ(row[2], test::text("not_a_segment")) << content;
    EXPECT_TRUE(is_null(row[3]));
  }
  write("notes.txt", "hello");
  EXPECT_EQ(row_of("notes.txt")[2], test::text("not_a_segment"));
  EXPECT_TRUE(is_null(row_of("notes.txt")[0]));
  ASSERT_EQ(::symlink(own_path().c_str(), path_of("link." + std::string(kOtherId) + ".segment").c_str()), 0);
  EXPECT_EQ(row_of("link." + std::string(kOtherId) + ".segment")[4], test::text("a symbolic link"));
  // Opening one must not block.
  ASSERT_EQ(::mkfifo(path_of("fifo." + std::string(kOtherId) + ".segment").c_str(), 0600), 0);
  EXPECT_EQ(row_of("fifo." + std::string(kOtherId) + ".segment")[2], test::text("not_a_segment"));
}

TEST_F(Segments, WhatIsLeft) {
  write("orders." + std::string(kOtherId) + ".mailbox", "");
  write("orders." + std::string(kOtherId) + ".history", "");
  write(".orders.draft", "");
  for (const std::string ending : {".mailbox", ".history"})
    EXPECT_EQ(row_of("orders." + std::string(kOtherId) + ending)[2], test::text("leftover"));
  EXPECT_EQ(row_of(".orders.draft")[2], test::text("leftover"));
  // The mailbox of a segment is part of its pool.
  write("orders." + own_id() + ".mailbox", "");
  EXPECT_EQ(read().size(), 4u);
}

TEST_F(Segments, NamesAreCleaned) {
  write("a\x1b[2J\n." + std::string(kOtherId) + ".segment", "");
  const test::Table rows = read();
  ASSERT_EQ(rows.size(), 2u);
  for (size_t i = 0; i < rows.size(); ++i) {
    for (const char* column : {"path", "pool"})
      EXPECT_EQ(std::get<std::string>(rows.at(i, column)).find_first_of("\x1b\n"), std::string::npos);
  }
}

TEST_F(Segments, AFilter) {
  test::make_segment(directory.path(), "other", 0x3C);
  EXPECT_EQ(read("orders").size(), 1u);
  EXPECT_EQ(test::Table("segments", {directory.path(), "", own_id()}).size(), 1u);
  EXPECT_EQ(test::Table("segments", {"/nonexistent", "", ""}).size(), 0u);
}

}  // namespace
}  // namespace tide
