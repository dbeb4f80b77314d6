// CommitWatch: every commit is noticed, of this process and of another one, in each journal mode.
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "driver/sqlite/commit_watch.hpp"
#include "unit/driver/support.hpp"

namespace tide::test {
namespace {

using sqlite::CommitWatch;
using sqlite::Database;
using sqlite::DatabaseFile;

class CommitWatchTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    path_ = directory_.path() + "/watched.db";
    const bool is_memory = std::string_view(GetParam()) == "in memory";
    file_ = std::make_shared<DatabaseFile>(sqlite::make_target(is_memory ? ":memory:" : path_), clock_);
    open(writer_);
    if (!is_memory) run(("PRAGMA journal_mode=" + std::string(GetParam())).c_str());
    run("PRAGMA synchronous=OFF");
    run("CREATE TABLE t (a)");
    watch_ = std::make_unique<CommitWatch>(file_, clock_);
  }
  void TearDown() override {
    if (watch_ != nullptr) watch_->close();
  }
  void open(Database& out) { ASSERT_TRUE(sqlite::open_database(file_->target(), out).status.is_ok()); }
  void run(const char* text) {
    ASSERT_EQ(sqlite3_exec(writer_.get(), text, nullptr, nullptr, nullptr), SQLITE_OK)
        << text << sqlite3_errmsg(writer_.get());
  }
  ChangeMark marked() {
    ChangeMark mark;
    EXPECT_TRUE(watch_->read(mark));
    return mark;
  }

  TempDir directory_;
  RealClock clock_;
  std::string path_;
  std::shared_ptr<DatabaseFile> file_;
  Database writer_;
  std::unique_ptr<CommitWatch> watch_;
};

class FileCommitWatchTest : public CommitWatchTest {};

TEST_P(CommitWatchTest, EveryCommitIsNoticed) {
  for (int i = 0; i < 50; ++i) {
    const ChangeMark mark = marked();
    EXPECT_TRUE(watch_->is_current(mark));
    EXPECT_EQ(marked(), mark);
    run("INSERT INTO t VALUES (1)");
    EXPECT_FALSE(watch_->is_current(mark));
  }
  const ChangeMark mark = marked();
  run("BEGIN; SELECT * FROM t; COMMIT");
  EXPECT_TRUE(watch_->is_current(mark));
  run("BEGIN IMMEDIATE; DELETE FROM t; ROLLBACK");
  EXPECT_TRUE(watch_->is_current(mark));
  run("CREATE TABLE u (a)");
  EXPECT_FALSE(watch_->is_current(mark));
}

TEST_P(CommitWatchTest, ACommitCountsWhenItIsVisible) {
  const ChangeMark mark = marked();
  run("BEGIN IMMEDIATE; INSERT INTO t VALUES (1)");
  EXPECT_TRUE(watch_->is_current(mark));
  run("COMMIT");
  EXPECT_FALSE(watch_->is_current(mark));
}

TEST_P(FileCommitWatchTest, ACommitOfAnotherProcessIsNoticed) {
  const ChangeMark mark = marked();
  const pid_t child = ::fork();
  if (child == 0) {
    // Only exec: SQLite must not be used after a fork.
    ::execl("/usr/bin/env", "env", "python3", "-c",
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('insert into t values (2)'); c.commit()",
            path_.c_str(), static_cast<char*>(nullptr));
    ::_exit(127);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  EXPECT_FALSE(watch_->is_current(mark));
  EXPECT_TRUE(watch_->is_current(marked()));
}

TEST_P(FileCommitWatchTest, AnotherFileAtThePathIsNotMistaken) {
  const ChangeMark mark = marked();
  run("PRAGMA wal_checkpoint(TRUNCATE)");
  ASSERT_EQ(::rename(path_.c_str(), (path_ + ".old").c_str()), 0);
  watch_->close_if_outdated();
  EXPECT_FALSE(watch_->is_current(mark));
  ASSERT_EQ(::rename((path_ + ".old").c_str(), path_.c_str()), 0);
  EXPECT_TRUE(watch_->is_current(marked()));
  EXPECT_FALSE(watch_->is_current(mark));  // of another handle
}

// Once a commit that began after a mark has returned, the mark is not current; most useful under ThreadSanitizer.
TEST_P(CommitWatchTest, ReadersOfManyThreads) {
  std::atomic<uint64_t> begun{0}, committed{0};
  std::atomic<bool> is_over{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> crew;
  for (int t = 0; t < 4; ++t) {
    crew.emplace_back([&] {
      uint64_t looks = 0;
      while (!is_over.load() || looks == 0) {
        ChangeMark mark;
        if (!watch_->read(mark)) continue;  // it is being written
        ++looks;
        const uint64_t begun_before = begun.load();
        std::this_thread::yield();
        const uint64_t committed_since = committed.load();
        if (watch_->is_current(mark) && committed_since > begun_before) ++wrong;
      }
    });
  }
  for (int i = 0; i < 100; ++i) {
    ++begun;
    while (sqlite3_exec(writer_.get(), "INSERT INTO t VALUES (1)", nullptr, nullptr, nullptr) == SQLITE_BUSY) {
    }
    ++committed;
  }
  is_over = true;
  for (std::thread& thread : crew) thread.join();
  EXPECT_EQ(wrong, 0);
}

INSTANTIATE_TEST_SUITE_P(Modes, CommitWatchTest, ::testing::Values("wal", "delete", "persist", "in memory"),
                         [](const auto& tested) {
                           return std::string(tested.param) == "in memory" ? "memory" : std::string(tested.param);
                         });

INSTANTIATE_TEST_SUITE_P(Modes, FileCommitWatchTest, ::testing::Values("wal", "delete", "persist"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST(CommitWatchModes, AChangeToWalIsFollowed) {
  TempDir directory;
  RealClock clock;
  const auto file = std::make_shared<DatabaseFile>(sqlite::make_target(directory.path() + "/a.db"), clock);
  CommitWatch watch(file, clock);
  Database writer;
  ASSERT_TRUE(sqlite::open_database(file->target(), writer).status.is_ok());
  const auto run = [&](const char* text) {
    EXPECT_EQ(sqlite3_exec(writer.get(), text, nullptr, nullptr, nullptr), SQLITE_OK) << text;
  };
  ChangeMark mark;
  run("CREATE TABLE t (a)");
  ASSERT_TRUE(watch.read(mark));
  run("PRAGMA journal_mode=WAL");
  EXPECT_FALSE(watch.is_current(mark));
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(watch.read(mark));
    EXPECT_TRUE(watch.is_current(mark));
    run("INSERT INTO t VALUES (1)");
    EXPECT_FALSE(watch.is_current(mark));
  }
  watch.close();
}

}  // namespace
}  // namespace tide::test
