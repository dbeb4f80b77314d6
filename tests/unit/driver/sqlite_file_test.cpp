// The file under the sessions: deleted, moved, replaced, alone or with its WAL. Nobody is told that something was
// written that is lost, nothing is created in its place, and what comes back is taken up.
#include <fstream>

#include "unit/driver/sqlite_support.hpp"

namespace tide::test {
namespace {

namespace fs = std::filesystem;

class SqliteFile : public SqliteRoom {
 protected:
  void SetUp() override { use(dir_.file()); }
  void use(const std::string& path) {
    connector_ = make_sqlite_connector(path, patient_policy(), clock_);
    session_ = open(0);
    ASSERT_OK(run(*session_, "CREATE TABLE t (x); INSERT INTO t VALUES ('old')"));
  }
  Completion try_open_slot(uint32_t slot) {
    connector_->open(slot, clock_.now(), clock_.now() + Span::seconds(30));
    for (;;) {
      for (Completion& done : answers()) {
        if (done.kind != Completion::Kind::lost) return std::move(done);
      }
    }
  }
  std::unique_ptr<Connection> open(uint32_t slot) {
    Completion done = try_open_slot(slot);
    EXPECT_EQ(done.kind, Completion::Kind::opened) << done.status.message() << " / " << done.status.detail();
    if (done.connection != nullptr) EXPECT_OK(done.connection->begin_lease(LeaseMode::read_write, clock_.now()));
    return std::move(done.connection);
  }
  std::vector<Completion> answers() {
    std::vector<Completion> out;
    connector_->step(clock_.now(), out);
    return out;
  }
  void close(uint32_t slot, std::unique_ptr<Connection>& session) {
    connector_->close(slot, std::move(session), clock_.now());
    EXPECT_EQ(answers().front().kind, Completion::Kind::closed);
  }
  // A database of somebody else's, whole, without a WAL.
  void make_other(const std::string& path, const std::string& value = "new") {
    Stranger stranger(path);
    ASSERT_EQ(stranger.run(("CREATE TABLE t (x); INSERT INTO t VALUES ('" + value + "')").c_str()), SQLITE_OK);
  }
  void remove_side_files() {
    fs::remove(dir_.file() + "-wal");
    fs::remove(dir_.file() + "-shm");
  }
  static void expect_lost(const Status& status, const std::string& words) {
    EXPECT_EQ(status.sqlstate(), "58030") << status.message();
    EXPECT_NE(status.message().find(words), std::string::npos) << status.message();
    EXPECT_FALSE(status.detail().empty());
    EXPECT_FALSE(status.hint().empty());
    EXPECT_FALSE(status.is_retryable);
  }
  // D2
  void expect_session_lost(Connection& session, const std::string& words) {
    expect_lost(run(session, "INSERT INTO t VALUES ('lost')"), words);
    expect_lost(run(session, "SELECT 1"), words);
    EXPECT_EQ(session.native(), nullptr);
    EXPECT_EQ(session.settle(ResetMode::smart), Settled::broken);
    EXPECT_FALSE(session.probe());
    expect_lost(session.begin_lease(LeaseMode::read, clock_.now()), words);
  }
  std::unique_ptr<Connector> connector_;
  std::unique_ptr<Connection> session_;
};

TEST_F(SqliteFile, WriterDetectsDeletion) {
  fs::remove(dir_.file());
  expect_session_lost(*session_, dir_.file() + " was deleted or moved");
}

TEST_F(SqliteFile, ReaderDetectsDeletionAtLeaseBegin) {
  ASSERT_EQ(session_->settle(ResetMode::smart), Settled::clean);
  fs::remove(dir_.file());
  expect_lost(session_->begin_lease(LeaseMode::read, clock_.now()), "was deleted or moved");
  expect_lost(run(*session_, "SELECT * FROM t"), "was deleted or moved");
}

TEST_F(SqliteFile, CommitToMissingFileFails) {
  ASSERT_OK(run(*session_, "BEGIN IMMEDIATE; INSERT INTO t VALUES ('lost')"));
  fs::remove(dir_.file());
  const Status status = run(*session_, "COMMIT");
  expect_lost(status, "was deleted or moved");
  EXPECT_NE(status.detail().find("committed to the old file"), std::string::npos) << status.detail();
  EXPECT_EQ(session_->settle(ResetMode::smart), Settled::broken);
}

TEST_F(SqliteFile, RollbackLosesNothing) {
  ASSERT_OK(run(*session_, "BEGIN IMMEDIATE; INSERT INTO t VALUES ('lost')"));
  fs::remove(dir_.file());
  EXPECT_OK(run(*session_, "ROLLBACK"));
}

// D4
TEST_F(SqliteFile, D4MissingFileIsNotCreatedAgain) {
  close(0, session_);
  fs::rename(dir_.file(), dir_.file("backup.db"));
  const Completion failed = try_open_slot(0);
  ASSERT_EQ(failed.kind, Completion::Kind::open_failed);
  EXPECT_FALSE(failed.is_permanent);
  EXPECT_EQ(failed.status.sqlstate(), "58030");
  EXPECT_NE(failed.status.message().find(dir_.file() + " is missing"), std::string::npos) << failed.status.message();
  EXPECT_FALSE(failed.status.hint().empty());
  EXPECT_FALSE(fs::exists(dir_.file()));
  fs::copy_file(dir_.file("backup.db"), dir_.file());
  EXPECT_EQ(ask(*open(0), "SELECT x FROM t"), "old");
}

TEST_F(SqliteFile, D4MissingDirectoryIsReported) {
  session_.reset();
  fs::create_directory(dir_.file("sub"));
  use(dir_.file("sub/app.db"));
  fs::rename(dir_.file("sub"), dir_.file("away"));
  expect_session_lost(*session_, "was deleted or moved");
  EXPECT_EQ(try_open_slot(1).status.sqlstate(), "58030");
  EXPECT_FALSE(fs::exists(dir_.file("sub")));
  fs::rename(dir_.file("away"), dir_.file("sub"));
  EXPECT_EQ(ask(*open(1), "SELECT x FROM t"), "old");
}

TEST_F(SqliteFile, FileMovedBackIsUsedByNewSessions) {
  fs::rename(dir_.file(), dir_.file("away.db"));
  expect_lost(run(*session_, "INSERT INTO t VALUES ('lost')"), "was deleted or moved");
  EXPECT_EQ(try_open_slot(1).status.sqlstate(), "58030");
  fs::rename(dir_.file("away.db"), dir_.file());
  const auto next = open(1);
  EXPECT_OK(run(*next, "INSERT INTO t VALUES ('kept')"));
  expect_session_lost(*session_, "was deleted or moved");
  EXPECT_EQ(ask(*next, "SELECT count(*) FROM t"), "2");
}

// D3
TEST_F(SqliteFile, D3NewFileIsNotMixedWithTheOldWal) {
  make_other(dir_.file("other.db"));
  fs::rename(dir_.file("other.db"), dir_.file());
  expect_session_lost(*session_, "was replaced by another file");
  EXPECT_EQ(try_open_slot(1).status.sqlstate(), "58030");
  close(0, session_);
  const Completion failed = try_open_slot(1);
  ASSERT_EQ(failed.kind, Completion::Kind::open_failed);
  EXPECT_FALSE(failed.is_permanent);
  EXPECT_NE(failed.status.message().find("-wal still belongs to the old file"), std::string::npos)
      << failed.status.message();
  remove_side_files();
  const auto next = open(1);
  EXPECT_EQ(ask(*next, "SELECT x FROM t"), "new");
  EXPECT_EQ(ask(*next, "PRAGMA integrity_check"), "ok");
}

TEST_F(SqliteFile, D3UnusedOldSessionDoesNotUseTheNewFile) {
  make_other(dir_.file("other.db"));
  fs::rename(dir_.file("other.db"), dir_.file());
  remove_side_files();
  const auto next = open(1);
  EXPECT_OK(run(*next, "INSERT INTO t VALUES ('newer')"));
  expect_session_lost(*session_, "was replaced by another file");
  close(0, session_);
  EXPECT_OK(run(*next, "INSERT INTO t VALUES ('newest')"));
  EXPECT_EQ(ask(*next, "SELECT group_concat(x) FROM t"), "new,newer,newest");
  EXPECT_EQ(ask(*next, "PRAGMA integrity_check"), "ok");
}

TEST_F(SqliteFile, D3MappedWalIndexIsNotTruncated) {
  make_other(dir_.file("other.db"));
  fs::rename(dir_.file("other.db"), dir_.file());
  fs::remove(dir_.file() + "-wal");
  const Completion failed = try_open_slot(1);
  ASSERT_EQ(failed.kind, Completion::Kind::open_failed);
  EXPECT_NE(failed.status.detail().find("1 sessions of the old file"), std::string::npos) << failed.status.detail();
  EXPECT_FALSE(run(*session_, "SELECT * FROM t").is_ok() && run(*session_, "INSERT INTO t VALUES (1)").is_ok());
  close(0, session_);
  EXPECT_EQ(ask(*open(1), "SELECT x FROM t"), "new");
}

TEST_F(SqliteFile, ChangedLinkIsDetected) {
  session_.reset();
  fs::create_directories(dir_.file("one"));
  fs::create_directories(dir_.file("two"));
  fs::create_symlink(dir_.file("one"), dir_.file("current"));
  use(dir_.file("current/app.db"));
  make_other(dir_.file("two/app.db"));
  fs::remove(dir_.file("current"));
  fs::create_symlink(dir_.file("two"), dir_.file("current"));
  expect_session_lost(*session_, "was replaced by another file");
  const auto next = open(1);
  EXPECT_EQ(ask(*next, "SELECT x FROM t"), "new");
  close(0, session_);
  EXPECT_OK(run(*next, "INSERT INTO t VALUES ('newer')"));
  EXPECT_FALSE(fs::exists(dir_.file("one/app.db-wal")));
}

TEST_F(SqliteFile, DeletedWalIsSavedByItsSessions) {
  auto other = open(1);
  fs::remove(dir_.file() + "-wal");
  expect_session_lost(*session_, "-wal was deleted or moved");
  expect_session_lost(*other, "-wal was deleted or moved");
  EXPECT_EQ(try_open_slot(2).status.sqlstate(), "58030");  // would begin a WAL of its own
  close(0, session_);
  close(1, other);
  const auto next = open(2);
  EXPECT_EQ(ask(*next, "SELECT x FROM t"), "old");
  EXPECT_OK(run(*next, "INSERT INTO t VALUES ('kept')"));
}

// It was there when the pool looked, and was not when SQLite opened it: with a new WAL, and the index of the old one.
TEST_F(SqliteFile, D3WalDeletedDuringOpenIsNotMixedWithANewOne) {
  const auto first = make_session(patient_policy(), "other.db");
  ASSERT_OK(run(*first, "CREATE TABLE t (x); INSERT INTO t VALUES ('old')"));
  ASSERT_OK(run(*first, "PRAGMA wal_checkpoint"));  // so that SQLite itself misses nothing
  auto second = open_session_on(file("other.db"), patient_policy(), clock_);
  fs::remove(dir_.file("other.db") + "-wal");
  Status status = second->furnish(clock_.now() + Span::seconds(30));
  EXPECT_EQ(status.sqlstate(), "58030") << status.message();
  EXPECT_TRUE(status.is_retryable);
  second.reset();
  expect_lost(run(*first, "INSERT INTO t VALUES ('lost')"), "-wal was ");
}

// It was replaced when the pool had looked and SQLite had not opened it yet: SQLite would apply the WAL to it.
TEST_F(SqliteFile, D3FileReplacedDuringOpenDoesNotTouchTheOldWal) {
  const auto first = make_session(patient_policy(), "other.db");
  ASSERT_OK(run(*first, "CREATE TABLE t (x); INSERT INTO t VALUES ('old')"));
  make_other(dir_.file("new.db"));
  const auto wal_bytes = fs::file_size(dir_.file("other.db") + "-wal");
  fs::rename(dir_.file("other.db"), dir_.file("old.db"));
  fs::rename(dir_.file("new.db"), dir_.file("other.db"));
  const auto bytes = fs::file_size(dir_.file("other.db"));
  auto second = open_session_on(file("other.db"), patient_policy(), clock_);
  const Status status = second->furnish(clock_.now() + Span::seconds(30));
  EXPECT_EQ(status.sqlstate(), "58030") << status.message();
  second.reset();
  EXPECT_EQ(fs::file_size(dir_.file("other.db") + "-wal"), wal_bytes);
  EXPECT_EQ(fs::file_size(dir_.file("other.db")), bytes);
  fs::rename(dir_.file("old.db"), dir_.file("other.db"));  // and the old one is whole
  const auto third = make_session(patient_policy(), "other.db");
  EXPECT_EQ(ask(*third, "SELECT x FROM t"), "old");
}

TEST_F(SqliteFile, DeletedWalIndexIsDetected) {
  fs::remove(dir_.file() + "-shm");
  expect_session_lost(*session_, "-shm was deleted or moved");
  close(0, session_);
  EXPECT_EQ(ask(*open(1), "SELECT x FROM t"), "old");
}

TEST_F(SqliteFile, DetectedWithoutAWalToo) {
  close(0, session_);
  Policy policy = patient_policy();
  policy.sqlite_journal_mode = SqliteJournalMode::delete_;
  connector_->set_policy(policy);
  session_ = open(0);
  ASSERT_OK(run(*session_, "INSERT INTO t VALUES (1)"));
  fs::rename(dir_.file(), dir_.file("away.db"));
  expect_session_lost(*session_, "was deleted or moved");
}

TEST_F(SqliteFile, ConnectorReportsEveryLostSession) {
  auto other = open(3);
  fs::remove(dir_.file());
  std::vector<uint32_t> slots;
  while (slots.size() < 2) {
    for (const Completion& done : answers()) {
      EXPECT_EQ(done.kind, Completion::Kind::lost);
      expect_lost(done.status, "was deleted or moved");
      slots.push_back(done.slot);
    }
  }
  EXPECT_EQ(slots, (std::vector<uint32_t>{0, 3}));
  EXPECT_TRUE(answers().empty());
}

// A holder who changes the journal mode makes the WAL go and come; that is no loss.
TEST_F(SqliteFile, HolderMayChangeTheJournalMode) {
  for (const bool is_native : {false, true}) {
    ASSERT_EQ(session_->settle(ResetMode::smart), Settled::clean);
    ASSERT_OK(session_->begin_lease(LeaseMode::read_write, clock_.now()));
    const auto change = [&](const char* sql) {
      if (is_native) {
        EXPECT_EQ(run_native(*session_, sql), SQLITE_OK);
        session_->vouch();
      } else {
        EXPECT_OK(run(*session_, sql));
      }
    };
    change("PRAGMA journal_mode = delete");
    EXPECT_OK(run(*session_, "INSERT INTO t VALUES (1)"));
    change("PRAGMA journal_mode = wal");
    EXPECT_OK(run(*session_, "INSERT INTO t VALUES (1)"));
    change("PRAGMA journal_mode = delete; PRAGMA journal_mode = wal");
    EXPECT_OK(run(*session_, "INSERT INTO t VALUES (1)"));
    change("PRAGMA journal_mode = truncate");
  }
  EXPECT_EQ(session_->settle(ResetMode::smart), Settled::clean);
  ASSERT_OK(session_->begin_lease(LeaseMode::read_write, clock_.now()));
  EXPECT_OK(run(*session_, "INSERT INTO t VALUES (1)"));
  EXPECT_EQ(ask(*session_, "PRAGMA journal_mode"), "wal");
}

TEST_F(SqliteFile, AllowedChangesAreNoLoss) {
  auto other = open(1);
  {
    Stranger stranger(dir_.file());
    ASSERT_EQ(stranger.run("INSERT INTO t VALUES (1); PRAGMA wal_checkpoint(TRUNCATE); VACUUM"), SQLITE_OK);
  }
  EXPECT_OK(run(*session_, "PRAGMA wal_checkpoint(TRUNCATE); VACUUM; INSERT INTO t VALUES (2)"));
  close(0, session_);
  EXPECT_OK(run(*other, "INSERT INTO t VALUES (3)"));
  close(1, other);  // takes the WAL along
  session_ = open(0);
  EXPECT_OK(run(*session_, "INSERT INTO t VALUES (4)"));
  EXPECT_EQ(ask(*session_, "SELECT count(*) FROM t"), "5");
  for (const Completion& done : answers()) ADD_FAILURE() << done.status.message();
}

}  // namespace
}  // namespace tide::test
