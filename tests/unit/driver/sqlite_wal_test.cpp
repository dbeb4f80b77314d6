// Checkpoints: made by the guard of the file, in the writer turn; sessions only report how long the WAL is.
#include <atomic>
#include <latch>

#include "driver/sqlite/version.hpp"
#include "unit/driver/sqlite_support.hpp"

namespace tide::test {
namespace {

namespace fs = std::filesystem;
using sqlite::WalGuard;

class SqliteWal : public SqliteRoom {
 protected:
  void SetUp() override {
    session_ = make_session(fast_policy());
    ASSERT_OK(run(*session_, "CREATE TABLE t (x); INSERT INTO t VALUES (1)"));
  }
  // The disk is not what these tests are about.
  static Policy fast_policy() {
    Policy policy = patient_policy();
    policy.sqlite_synchronous = SqliteSynchronous::off;
    return policy;
  }
  WalGuard& guard() { return file()->guard(); }
  void work(int64_t limit = 0) {
    guard().set_limits({limit, false});
    guard().work();
  }
  void write(Connection& session, int pages = 1) {
    ASSERT_OK(run(session, "INSERT INTO t VALUES (zeroblob(" + std::to_string(pages * 4000) + "))"));
  }
  uintmax_t wal_bytes() const { return fs::exists(dir_.file() + "-wal") ? fs::file_size(dir_.file() + "-wal") : 0; }
  // A program that does not use the pool.
  sqlite::Database outsider() {
    sqlite::Database handle;
    EXPECT_OK(sqlite::open_database(file()->target(), handle, false).status);
    return handle;
  }
  static int exec(const sqlite::Database& handle, const char* sql) {
    return sqlite3_exec(handle.get(), sql, nullptr, nullptr, nullptr);
  }
  std::string rows_of_the_file_alone() {
    fs::copy_file(dir_.file(), dir_.file("copy.db"), fs::copy_options::overwrite_existing);
    return ask(*make_session(patient_policy(), "copy.db"), "SELECT count(*) FROM t");
  }
  std::unique_ptr<SqliteConnection> session_;
};

TEST_F(SqliteWal, SessionLeavesCheckpointsToTheGuardWhichIsToldInTime) {
  int told = 0;
  guard().on_wanted([&] { ++told; });
  EXPECT_EQ(ask(*session_, "PRAGMA wal_autocheckpoint"), "0");
  while (guard().facts().frames < 1000) {
    EXPECT_EQ(told, 0);
    write(*session_, 100);
  }
  write(*session_, 1500);
  EXPECT_EQ(told, 1);
  EXPECT_TRUE(guard().is_wanted());
  EXPECT_EQ(guard().facts().frames_done, 0);
  EXPECT_LT(fs::file_size(dir_.file()), uintmax_t{1} << 20);
  work();
  EXPECT_FALSE(guard().is_wanted());
  const WalFacts facts = guard().facts();
  EXPECT_GT(facts.frames, 2000);
  EXPECT_EQ(facts.frames_done, facts.frames);
  EXPECT_EQ(facts.last_kind, CheckpointKind::passive);
  EXPECT_TRUE(facts.last_at.is_set());
  EXPECT_EQ(facts.checkpoints_total, 1u);
  EXPECT_EQ(facts.failures_total, 0u);
  EXPECT_FALSE(facts.blocked_since.is_set());
  EXPECT_GT(fs::file_size(dir_.file()), uintmax_t{4} << 20);
  write(*session_);  // SQLite begins the WAL anew
  EXPECT_LT(guard().facts().frames, 100);
  EXPECT_EQ(guard().facts().frames_done, 0);
  EXPECT_FALSE(guard().is_wanted());
}

TEST_F(SqliteWal, WhatIsLeftOverInAQuietMomentIsWanted) {
  ManualClock clock;
  DatabaseFile file(sqlite::make_target(dir_.file("quiet.db")), clock);
  EXPECT_FALSE(file.guard().is_wanted());
  const auto second = [&] {
    clock.advance(Span::seconds(1));
    file.guard().look();
    return file.guard().is_wanted();
  };
  EXPECT_FALSE(second());
  sqlite::Database handle;
  ASSERT_OK(sqlite::open_database(file.target(), handle).status);
  file.guard().watch(handle.get());
  ASSERT_EQ(exec(handle, "PRAGMA journal_mode=wal; CREATE TABLE t (x)"), SQLITE_OK);
  EXPECT_FALSE(second());  // it may go on
  EXPECT_TRUE(second());
  WalGuard::stop_watching(handle.get());
}

TEST_F(SqliteWal, SmallLimitMeansMoreCheckpoints) {
  guard().set_limits({100 * 4120, false});
  write(*session_, 50);
  EXPECT_FALSE(guard().is_wanted());
  write(*session_, 60);
  EXPECT_TRUE(guard().is_wanted());
}

// C1
TEST_F(SqliteWal, C1CopiesNothingWhileAnotherProcessMayBeginTheWalAnew) {
  write(*session_, 10);
  const sqlite::Database other = outsider();
  ASSERT_EQ(exec(other, "BEGIN IMMEDIATE"), SQLITE_OK);
  work();
  EXPECT_EQ(guard().facts().last_kind, CheckpointKind::none);
  EXPECT_EQ(guard().facts().frames_done, 0);
  work(1);  // nor to truncate it
  EXPECT_EQ(guard().facts().last_kind, CheckpointKind::none);
  EXPECT_EQ(guard().facts().frames_done, 0);
  EXPECT_EQ(guard().facts().failures_total, 0u);
  ASSERT_EQ(exec(other, "COMMIT"), SQLITE_OK);
  work();
  EXPECT_EQ(guard().facts().last_kind, CheckpointKind::passive);
  EXPECT_EQ(guard().facts().frames_done, guard().facts().frames);
}

// C1
TEST_F(SqliteWal, C1WaitsForTheTurnOfThePool) {
  write(*session_, 10);
  ASSERT_OK(run(*session_, "BEGIN IMMEDIATE"));
  std::thread worker([&] { work(); });
  until_waiting(1);
  EXPECT_EQ(guard().facts().last_kind, CheckpointKind::none);
  ASSERT_OK(run(*session_, "COMMIT"));
  worker.join();
  EXPECT_EQ(guard().facts().last_kind, CheckpointKind::passive);
  EXPECT_EQ(turn_holder(), 0u);
}

TEST_F(SqliteWal, TimeoutOfAWriterNamesTheCheckpoint) {
  ASSERT_EQ(file()->turn().take(WalGuard::kNumber, Instant(), std::atomic<bool>(false)),
            sqlite::WriterTurn::Outcome::taken);
  const Status status = run(*session_, "INSERT INTO t VALUES (1)", nullptr, {}, clock_.now() + Span::millis(5));
  EXPECT_NE(status.detail().find("a checkpoint has held it for"), std::string::npos) << status.detail();
  file()->turn().give(WalGuard::kNumber);
}

TEST_F(SqliteWal, ReaderThatBlocksIsReportedUntilItEnds) {
  const auto reader = make_session(fast_policy());
  ASSERT_OK(run(*reader, "BEGIN; SELECT * FROM t"));
  const Instant since = reader->facts().snapshot_since;
  EXPECT_TRUE(since.is_set());
  write(*session_, 10);
  work();
  const WalFacts blocked = guard().facts();
  EXPECT_TRUE(blocked.blocked_since.is_set());
  EXPECT_LT(blocked.frames_done, blocked.frames);
  EXPECT_EQ(blocked.failures_total, 1u);
  EXPECT_EQ(blocked.checkpoints_total, 0u);
  EXPECT_EQ(ask(*reader, "SELECT count(*) FROM t"), "1");
  EXPECT_EQ(reader->facts().snapshot_since, since);
  work();
  EXPECT_EQ(guard().facts().blocked_since, blocked.blocked_since);
  EXPECT_TRUE(guard().facts().blocked_since.is_set());
  ASSERT_OK(run(*reader, "COMMIT"));
  EXPECT_FALSE(reader->facts().snapshot_since.is_set());
  work();
  EXPECT_FALSE(guard().facts().blocked_since.is_set());
  EXPECT_EQ(guard().facts().frames_done, guard().facts().frames);
}

// A statement outside of a transaction pins the WAL as long as it runs.
TEST_F(SqliteWal, RunningStatementIsAReader) {
  ASSERT_OK(run(*session_, "BEGIN"));
  EXPECT_FALSE(session_->facts().snapshot_since.is_set());  // reads nothing yet
  ASSERT_OK(run(*session_, "COMMIT"));
  std::latch is_over(1);
  std::thread reader([&] {
    EXPECT_FALSE(
        run(*session_, "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"));
    is_over.count_down();
  });
  while (!session_->facts().snapshot_since.is_set()) std::this_thread::yield();
  while (!is_over.try_wait()) session_->cancel();
  reader.join();
  EXPECT_FALSE(session_->facts().snapshot_since.is_set());
}

// C2
TEST_F(SqliteWal, C2LongReaderDelaysWritersLittle) {
  const auto reader = make_session(fast_policy());
  ASSERT_OK(run(*reader, "BEGIN; SELECT * FROM t"));
  const Instant begun = clock_.now();
  for (int i = 0; i < 200; ++i) {
    write(*session_, 2);
    work(1);
  }
  // At most once a second 0.1 s for the limit and 20 ms to copy; the rest is time to work.
  EXPECT_LT(clock_.now() - begun, Span::seconds(20));
  EXPECT_EQ(ask(*reader, "SELECT count(*) FROM t"), "1");
  EXPECT_TRUE(guard().facts().blocked_since.is_set());
  ASSERT_OK(run(*reader, "COMMIT"));
  EXPECT_EQ(turn_holder(), 0u);
}

TEST_F(SqliteWal, AboveItsLimitItIsTruncated) {
  write(*session_, 300);
  work(1 << 20);
  EXPECT_EQ(guard().facts().last_kind, CheckpointKind::truncate);
  EXPECT_EQ(guard().facts().frames, 0);
  EXPECT_EQ(wal_bytes(), 0u);
  EXPECT_EQ(rows_of_the_file_alone(), "2");
  write(*session_, 200);
  work(1 << 20);  // not above it
  EXPECT_EQ(guard().facts().last_kind, CheckpointKind::passive);
  EXPECT_GT(wal_bytes(), uintmax_t{190} * 4096);
}

// C5
TEST_F(SqliteWal, C5WriterMakesTheCheckpointIfTheHelperIsLate) {
  guard().set_limits({1 << 20, false});
  for (int i = 0; i < 20; ++i) {
    write(*session_, 50);
    EXPECT_LT(wal_bytes(), uintmax_t{1} << 21);
  }
  EXPECT_EQ(guard().facts().last_kind, CheckpointKind::truncate);
  const auto reader = make_session(fast_policy());
  ASSERT_OK(run(*reader, "BEGIN; SELECT * FROM t"));
  const uint64_t failures = guard().facts().failures_total;
  const Instant begun = clock_.now();
  for (int i = 0; i < 20; ++i) write(*session_, 50);
  const auto seconds = static_cast<uint64_t>((clock_.now() - begun).ms() / 1000);
  EXPECT_LE(guard().facts().failures_total, failures + seconds + 1);  // waits for a reader once a second
  EXPECT_GT(wal_bytes(), uintmax_t{1} << 21);
  EXPECT_EQ(ask(*reader, "SELECT count(*) FROM t"), "21");
}

TEST_F(SqliteWal, ARestartedWalIsCutToAShareOfItsLimit) {
  Policy policy = fast_policy();
  policy.sqlite_wal_limit = 1 << 20;
  const auto limited = make_session(policy);
  EXPECT_EQ(ask(*limited, "PRAGMA journal_size_limit"), std::to_string(1 << 18));
  write(*limited, 200);
  ASSERT_GT(wal_bytes(), uintmax_t{190} * 4096);
  work();
  write(*limited);
  EXPECT_EQ(wal_bytes(), uintmax_t{1} << 18);
  policy.sqlite_wal_limit = 0;
  EXPECT_EQ(ask(*make_session(policy), "PRAGMA journal_size_limit"), "-1");
}

// C3
TEST_F(SqliteWal, C3LastSessionLeavesNoWalEvenDuringACheckpoint) {
  for (int round = 0; round < 20; ++round) {
    write(*session_, 50);
    std::atomic<bool> is_over{false};
    std::thread worker([&] {
      while (!is_over.load()) work();
    });
    if (round % 2 == 0) std::this_thread::yield();
    session_.reset();
    EXPECT_FALSE(fs::exists(dir_.file() + "-wal"));
    is_over.store(true);
    worker.join();
    session_ = make_session(fast_policy());
  }
}

// C3
TEST_F(SqliteWal, C3JournalModeCanBeChangedBetweenCheckpoints) {
  write(*session_, 10);
  work();
  EXPECT_EQ(ask(*session_, "PRAGMA journal_mode=delete"), "delete");
  work();
  EXPECT_EQ(guard().facts().failures_total, 0u);
}

// C4
TEST_F(SqliteWal, C4CopiesNothingAfterAFailedSync) {
  files_["test.db"] = std::make_shared<DatabaseFile>(sqlite::make_target(dir_.file()), clock_, [](int) {
    errno = EIO;
    return -1;
  });
  Policy policy = patient_policy();
  policy.sqlite_synchronous = SqliteSynchronous::group;
  const auto session = make_session(policy);
  EXPECT_EQ(run(*session, "INSERT INTO t VALUES (1)").code, Code::unknown_outcome);
  work();
  EXPECT_EQ(guard().facts().last_kind, CheckpointKind::none);
}

TEST_F(SqliteWal, HolderOfNativeCannotLeaveAnAutocheckpoint) {
  auto* native = static_cast<sqlite3*>(session_->native());
  sqlite3_wal_autocheckpoint(native, 1);
  session_->vouch();
  ASSERT_EQ(settle_and_lease(*session_, ResetMode::smart), Settled::clean);
  EXPECT_EQ(ask(*session_, "PRAGMA wal_autocheckpoint"), "0");
  write(*session_, 20);
  EXPECT_GT(guard().facts().frames, 20);
}

TEST_F(SqliteWal, AReplacedFileIsNotTouched) {
  write(*session_, 10);
  {
    const auto other = make_session(fast_policy(), "other.db");
    ASSERT_OK(run(*other, "CREATE TABLE other (x)"));
  }
  fs::rename(dir_.file(), dir_.file("old.db"));
  fs::rename(dir_.file("other.db"), dir_.file());
  const auto bytes = fs::file_size(dir_.file());
  work(1);
  EXPECT_EQ(fs::file_size(dir_.file()), bytes);
  EXPECT_EQ(guard().facts().last_kind, CheckpointKind::none);
  EXPECT_EQ(guard().facts().failures_total, 0u);  // the sessions report the loss
}

TEST_F(SqliteWal, ErrorsAreCountedAndTold) {
  write(*session_, 10);
  fs::permissions(dir_.file(), fs::perms::none);
  {
    const AsNobody nobody;
    ASSERT_TRUE(nobody.is_unprivileged());
    work();
  }
  fs::permissions(dir_.file(), fs::perms::owner_all);
  EXPECT_EQ(guard().facts().failures_total, 1u);
  EXPECT_NE(guard().facts().last_error.find(dir_.file()), std::string::npos) << guard().facts().last_error;
  work();
  EXPECT_EQ(guard().facts().last_error, "");
}

TEST(SqliteVersion, WalResetDefectIsKnownByVersion) {
  for (const int bad : {3040001, 3044005, 3046001, 3050006, 3051002}) {
    EXPECT_NE(sqlite::known_defect(bad), "") << bad;
    EXPECT_LE(sqlite::known_defect(bad).size(), 130u);  // of a note in settings
  }
  for (const int good : {3044006, 3050007, 3051003, 3053000, 4000000})
    EXPECT_EQ(sqlite::known_defect(good), "") << good;
  EXPECT_NE(sqlite::known_defect(3040001).find("SQLite 3.40.1 "), std::string::npos);
}

}  // namespace
}  // namespace tide::test
