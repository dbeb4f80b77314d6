// Whether a file is still in its place.
#include "driver/sqlite/file_mark.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <utime.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "os/clock.hpp"

namespace tide::sqlite {
namespace {

class FileMarkTest : public ::testing::Test {
 protected:
  FileMarkTest() {
    std::string path = ::testing::TempDir() + "tidepool-mark-XXXXXX";
    folder_ = std::filesystem::canonical(mkdtemp(path.data()));
    file_ = folder_ / "app.db";
    std::ofstream(file_) << "old";
  }
  ~FileMarkTest() override { std::filesystem::remove_all(folder_); }

  std::shared_ptr<FileMark> mark(const std::string& path) const {
    struct stat found {};
    EXPECT_EQ(stat(path.c_str(), &found), 0);
    return FileMark::of(path, {found.st_dev, found.st_ino});
  }
  // A mark of a file whose last change is old enough to be trusted.
  std::shared_ptr<FileMark> trusted() const {
    const std::shared_ptr<FileMark> made = mark(file_);
    for (int i = 0; !made->is_unchanged() && i < 10'000; ++i) {
      made->trust(made->changed_at());
      pause_for(Span::millis(1));
    }
    EXPECT_TRUE(made->is_unchanged());
    return made;
  }

  std::filesystem::path folder_, file_;
};

// K1
TEST_F(FileMarkTest, K1EveryWayToLoseAFileIsNoticed) {
  const auto other = folder_ / "other.db";
  {
    const auto made = trusted();
    std::filesystem::rename(file_, other);
    EXPECT_FALSE(made->is_unchanged()) << "moved away";
    std::filesystem::rename(other, file_);
    EXPECT_FALSE(made->is_unchanged()) << "the path has to be checked again";
  }
  {
    const auto made = trusted();
    std::ofstream(other) << "new";
    std::filesystem::rename(other, file_);
    EXPECT_FALSE(made->is_unchanged()) << "replaced";
  }
  {
    const auto made = trusted();
    std::filesystem::remove(file_);
    EXPECT_FALSE(made->is_unchanged()) << "deleted";
    made->trust(made->changed_at());
    EXPECT_FALSE(made->is_unchanged()) << "still deleted";
  }
}

TEST_F(FileMarkTest, AWrittenFileIsCheckedAgain) {
  const auto made = trusted();
  std::ofstream(file_, std::ios::app) << "more";
  EXPECT_FALSE(made->is_unchanged());
}

// K2
TEST_F(FileMarkTest, K2AFreshChangeIsNotTrusted) {
  const auto made = mark(file_);
  ASSERT_EQ(utime(file_.c_str(), nullptr), 0);
  made->trust(made->changed_at());
  EXPECT_FALSE(made->is_unchanged());
}

TEST_F(FileMarkTest, ThereIsNoneBehindASymbolicLink) {
  const auto link = folder_ / "current.db";
  std::filesystem::create_symlink(file_, link);
  EXPECT_EQ(mark(link), nullptr);
  EXPECT_EQ(FileMark::of(file_, {}), nullptr) << "another file than the one that was opened";
}

}  // namespace
}  // namespace tide::sqlite
