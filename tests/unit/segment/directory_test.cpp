// The location of segments, and the names of their files.
#include "segment/directory.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

namespace tide {
namespace {

constexpr const char* kHex = "0123456789abcdef0123456789abcdef";

class DirectoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "tide_directory_XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    path_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(path_); }
  void touch(const std::string& name) { std::ofstream(path_ + "/" + name).put('x'); }

  std::string path_;
};

std::string resolved(std::string_view wanted, std::map<std::string, std::string> environment) {
  return resolve_directory(wanted, [&](const char* name) -> const char* {
    const auto found = environment.find(name);
    return found == environment.end() ? nullptr : found->second.c_str();
  });
}

TEST_F(DirectoryTest, FirstApplicableIsUsed) {
  EXPECT_EQ(resolved("/wanted", {{"TIDEPOOL_DIR", "/variable"}}), "/wanted");
  EXPECT_EQ(resolved("", {{"TIDEPOOL_DIR", "/variable"}, {"XDG_RUNTIME_DIR", path_}}), "/variable");
  if (std::filesystem::is_directory("/run/tidepool")) {
    EXPECT_EQ(resolved("", {{"XDG_RUNTIME_DIR", path_}}), "/run/tidepool");
    return;
  }
  EXPECT_EQ(resolved("", {{"TIDEPOOL_DIR", ""}, {"XDG_RUNTIME_DIR", path_}}), path_ + "/tidepool");
  const std::string last = "/dev/shm/tidepool-" + std::to_string(::getuid());
  EXPECT_EQ(resolved("", {}), last);
  EXPECT_EQ(resolved("", {{"XDG_RUNTIME_DIR", path_ + "/missing"}}), last);
  EXPECT_EQ(resolved("", {{"XDG_RUNTIME_DIR", "relative"}}), last);
}

TEST_F(DirectoryTest, IsCreatedWithoutParents) {
  EXPECT_TRUE(ensure_directory(path_ + "/new").is_ok());
  EXPECT_TRUE(ensure_directory(path_ + "/new").is_ok());
  struct stat info {};
  ASSERT_EQ(::stat((path_ + "/new").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07U, 0U);
  EXPECT_EQ(ensure_directory(path_ + "/no/parent").code, Code::bad_option);
}

TEST_F(DirectoryTest, NonDirectoriesAreRefused) {
  touch("file");
  for (const std::string& path : {std::string{}, std::string("relative"), path_ + "/file"}) {
    const Status status = ensure_directory(path);
    EXPECT_EQ(status.code, Code::bad_option) << path;
    EXPECT_FALSE(status.hint().empty());
  }
}

TEST_F(DirectoryTest, FileNamesContainOnlySafeCharacters) {
  EXPECT_EQ(segment_path("/d", "app-1.x", kHex), std::string("/d/app-1.x.") + kHex + ".segment");
  EXPECT_EQ(segment_path("/d", "../a b/\xC3\xA4", kHex), std::string("/d/_.._a_b___.") + kHex + ".segment");
  EXPECT_EQ(segment_path("/d", "", kHex), std::string("/d/_.") + kHex + ".segment");
  EXPECT_EQ(mailbox_path_of(segment_path("/d", "app", kHex)), std::string("/d/app.") + kHex + ".mailbox");
}

TEST_F(DirectoryTest, ListsOnlySegmentNames) {
  EXPECT_TRUE(list_segments(path_).empty());
  EXPECT_TRUE(list_segments(path_ + "/missing").empty());
  const std::string hex = kHex;
  touch("b." + hex + ".segment");
  touch("a." + hex + ".segment");
  touch("a." + hex + ".mailbox");
  touch("." + hex + ".segment");
  touch(".a." + hex + ".segment");
  touch("a.0123.segment");
  touch("a." + std::string(32, 'g') + ".segment");
  touch(hex + ".segment");
  touch("notes.txt");
  const std::vector<std::string> expected = {path_ + "/a." + hex + ".segment", path_ + "/b." + hex + ".segment"};
  EXPECT_EQ(list_segments(path_), expected);
}

TEST_F(DirectoryTest, ListsNamesMadeBySegmentPath) {
  for (const char* pool : {"app", "a.b", "x y", "-"}) {
    const std::string path = segment_path(path_, pool, kHex);
    std::ofstream(path).put('x');
    const auto paths = list_segments(path_);
    EXPECT_NE(std::find(paths.begin(), paths.end(), path), paths.end()) << pool;
  }
}

}  // namespace
}  // namespace tide
