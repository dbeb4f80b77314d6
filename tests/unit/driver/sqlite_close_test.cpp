// Closing: the last session of a file leaves no WAL, as SQLite itself does, whatever its holders did before.
#include <sys/wait.h>

#include <atomic>
#include <thread>
#include <vector>

#include "driver/sqlite/commit_watch.hpp"
#include "unit/driver/sqlite_support.hpp"

namespace tide::test {
namespace {

class SqliteClose : public SqliteRoom {
 protected:
  void SetUp() override {
    session_ = make_session();
    ASSERT_OK(run(*session_, "CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(10000))"));
  }
  bool has_wal() const { return std::filesystem::exists(dir_.file() + "-wal"); }
  uintmax_t wal_bytes() const { return has_wal() ? std::filesystem::file_size(dir_.file() + "-wal") : 0; }
  // What somebody finds who copies the file alone.
  std::string rows_of_the_file_alone() {
    std::filesystem::copy_file(dir_.file(), dir_.file("copy.db"), std::filesystem::copy_options::overwrite_existing);
    return ask(*make_session(patient_policy(), "copy.db"), "SELECT count(*) FROM t");
  }
  void expect_whole(bool may_keep_an_empty_wal = false) {
    EXPECT_EQ(wal_bytes(), 0u);
    EXPECT_TRUE(may_keep_an_empty_wal || !has_wal());
    EXPECT_EQ(rows_of_the_file_alone(), "1");
  }
  std::unique_ptr<SqliteConnection> session_;
};

// S6
TEST_F(SqliteClose, S6LastSessionLeavesNoWal) {
  auto other = make_session();
  ASSERT_GT(wal_bytes(), 0u);
  session_.reset();
  EXPECT_GT(wal_bytes(), 0u);  // the other one may still read it
  other.reset();
  expect_whole();
}

TEST_F(SqliteClose, SessionsThatAreClosedAtTheSameTimeLeaveNoWal) {
  constexpr int kSessions = 4;
  for (int round = 0; round < 50; ++round) {
    std::vector<std::unique_ptr<SqliteConnection>> sessions;
    for (int i = 0; i < kSessions; ++i) sessions.push_back(make_session());
    session_.reset();
    ASSERT_OK(run(*sessions[0], "UPDATE t SET x = zeroblob(10000)"));
    std::atomic<int> ready{0};
    std::vector<std::thread> threads;
    for (auto& session : sessions) {
      threads.emplace_back([&] {
        ++ready;
        while (ready.load() < kSessions) std::this_thread::yield();
        session.reset();
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_FALSE(has_wal()) << round;
  }
}

// The last close removes the WAL; whoever opens the next handle then has a handle, but not yet its files.
TEST_F(SqliteClose, BetweenTheLastCloseAndTheNextOpenNothingIsMissing) {
  EXPECT_FALSE(file()->is_missing());
  session_.reset();
  ASSERT_FALSE(has_wal());
  EXPECT_FALSE(file()->is_missing());
  file()->enter_handle();
  EXPECT_FALSE(file()->is_missing());
  file()->close_handle();
  const auto again = make_session();
  EXPECT_FALSE(file()->is_missing());
  std::filesystem::remove(dir_.file());
  EXPECT_TRUE(file()->is_missing());
}

// Its handle, which no session's generation knows, would be in the way of the first session of the new file.
TEST_F(SqliteClose, TheCommitWatchOpensNothingBetweenALossAndTheNextSession) {
  sqlite::CommitWatch watch(file(), clock_);
  ChangeMark mark;
  ASSERT_TRUE(watch.read(mark));
  std::filesystem::rename(dir_.file(), dir_.file("old.db"));
  Stranger stranger(dir_.file());
  ASSERT_EQ(stranger.run("CREATE TABLE t (x)"), SQLITE_OK);
  ASSERT_TRUE(file()->is_missing());  // noticed
  EXPECT_FALSE(watch.read(mark));
  session_.reset();
  EXPECT_FALSE(watch.read(mark));
  for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(dir_.file() + suffix);
  bool may_create = true;
  EXPECT_OK(file()->admit(may_create).status);
  const auto session = make_session();
  EXPECT_TRUE(watch.read(mark));
  watch.close();
}

TEST_F(SqliteClose, OpenTransactionIsRolledBackBeforeTheCheckpoint) {
  ASSERT_OK(run(*session_, "BEGIN IMMEDIATE; INSERT INTO t VALUES (2)"));
  session_.reset();
  expect_whole();
}

TEST_F(SqliteClose, CancelWithoutStatementDoesNotKeepTheWal) {
  session_->native();
  session_->cancel();
  session_.reset();
  expect_whole();
}

TEST_F(SqliteClose, DisarmedSessionLeavesNoWal) {
  session_->disarm();
  session_->disarm();
  session_.reset();
  expect_whole();
}

TEST_F(SqliteClose, DisarmingEndsNativeStatementAndTheCloseEmptiesTheWal) {
  auto* database = static_cast<sqlite3*>(session_->native());
  std::thread holder([&] { EXPECT_NE(sqlite3_exec(database, kEndless, nullptr, nullptr, nullptr), SQLITE_OK); });
  sqlite3_mutex* inside = sqlite3_db_mutex(database);
  while (sqlite3_mutex_try(inside) == SQLITE_OK) {  // until it runs
    sqlite3_mutex_leave(inside);
    std::this_thread::yield();
  }
  session_->disarm();
  holder.join();
  session_.reset();
  expect_whole();
}

TEST_F(SqliteClose, ReaderOfAnotherProcessClosesLast) {
  Stranger stranger(dir_.file());
  ASSERT_EQ(stranger.run("BEGIN; SELECT * FROM t"), SQLITE_OK);
  session_.reset();
  EXPECT_GT(wal_bytes(), 0u);
  ASSERT_EQ(stranger.run("COMMIT"), SQLITE_OK);
}

// SQLite keeps the handle, and with it the file's WAL, until the statement is finalized, which may be never.
TEST_F(SqliteClose, LeakedStatementLeavesAnEmptyWal) {
  sqlite3_stmt* statement = leave_half_read(*session_);
  session_.reset();
  expect_whole(true);
  sqlite3_finalize(statement);
  expect_whole();
}

TEST_F(SqliteClose, HandleKeptAfterRevocationLeavesAnEmptyWal) {
  session_->native();
  session_->disarm();  // its object lives on: the holder may still come back
  session_->finish_disarm();
  expect_whole(true);
  auto next = make_session();
  ASSERT_OK(run(*next, "DELETE FROM t; INSERT INTO t VALUES (1)"));
  ASSERT_GT(wal_bytes(), 0u);
  next.reset();
  expect_whole(true);
}

TEST_F(SqliteClose, OtherJournalModesLeaveTheFileComplete) {
  for (const SqliteJournalMode mode : {SqliteJournalMode::delete_, SqliteJournalMode::truncate,
                                       SqliteJournalMode::persist, SqliteJournalMode::memory, SqliteJournalMode::off}) {
    session_.reset();
    Policy policy = patient_policy();
    policy.sqlite_journal_mode = mode;
    session_ = make_session(policy);
    ASSERT_OK(run(*session_, "DELETE FROM t; INSERT INTO t VALUES (1)"));
    session_.reset();
    expect_whole();
  }
}

// ---- killed while it closes ----------------------------------------------------------------------------------------

int calls_left = 0;

void count_down() {
  if (--calls_left < 0) ::_exit(1);
}
ssize_t dying_pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  count_down();
  return ::pwrite(fd, bytes, size, offset);
}
int dying_unlink(const char* path) {
  count_down();
  return ::unlink(path);
}

// True when the close came to its end before the `calls`th change of a file.
bool close_dying_at(const std::string& path, int calls) {
  const pid_t child = ::fork();
  if (child == 0) {
    const RealClock clock;
    const auto connector = make_sqlite_connector(path, patient_policy(), clock);
    auto session = open_session(*connector, clock);
    if (!run(*session, "INSERT INTO t SELECT zeroblob(10000) FROM t")) ::_exit(2);
    sqlite3_vfs* vfs = sqlite3_vfs_find(nullptr);
    calls_left = calls;
    vfs->xSetSystemCall(vfs, "pwrite64", reinterpret_cast<sqlite3_syscall_ptr>(&dying_pwrite));
    vfs->xSetSystemCall(vfs, "pwrite", reinterpret_cast<sqlite3_syscall_ptr>(&dying_pwrite));
    vfs->xSetSystemCall(vfs, "unlink", reinterpret_cast<sqlite3_syscall_ptr>(&dying_unlink));
    session.reset();
    ::_exit(0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
  return WEXITSTATUS(status) == 0;
}

TEST_F(SqliteClose, ProcessKilledWhileClosingLosesNothing) {
  session_.reset();  // nothing open is carried across fork()
  std::filesystem::copy_file(dir_.file(), dir_.file("before.db"));
  bool is_whole_close = false;
  int calls = 0;
  for (; !is_whole_close; ++calls) {
    std::filesystem::copy_file(dir_.file("before.db"), dir_.file("killed.db"),
                               std::filesystem::copy_options::overwrite_existing);
    is_whole_close = close_dying_at(dir_.file("killed.db"), calls);
    auto session = make_session(patient_policy(), "killed.db");
    EXPECT_EQ(ask(*session, "SELECT count(*) FROM t"), "2") << "killed at change " << calls;
    EXPECT_EQ(ask(*session, "PRAGMA integrity_check"), "ok");
    session.reset();
    EXPECT_FALSE(std::filesystem::exists(dir_.file("killed.db-wal")));
  }
  EXPECT_GT(calls, 3);
}

}  // namespace
}  // namespace tide::test
