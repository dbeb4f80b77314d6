// sqlite_synchronous=group: a commit is reported when the WAL has been synced, whatever the way to commit, and nobody waits
// for that but its caller.
#include <condition_variable>
#include <mutex>
#include <thread>

#include "unit/driver/sqlite_support.hpp"

namespace tide::test {
namespace {

namespace fs = std::filesystem;

class SqliteGroup : public SqliteRoom {
 protected:
  void SetUp() override {
    files_["test.db"] =
        std::make_shared<DatabaseFile>(sqlite::make_target(dir_.file()), clock_, [this](int) { return sync(); });
    session_ = make_session(group_policy());
    ASSERT_OK(run(*session_, "CREATE TABLE t (x); INSERT INTO t VALUES (1)"));
    EXPECT_EQ(syncs_since_last(), 2);
  }
  static Policy group_policy() {
    Policy policy = patient_policy();
    policy.sqlite_synchronous = SqliteSynchronous::group;
    return policy;
  }
  std::string rows() { return ask(*session_, "SELECT count(*) FROM t"); }

  int sync() {
    std::unique_lock lock(mutex_);
    ++syncs_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !is_stuck_; });
    if (error_ == 0) return 0;
    errno = error_;
    return -1;
  }
  void set_stuck(bool is_stuck) {
    const std::lock_guard lock(mutex_);
    is_stuck_ = is_stuck;
    changed_.notify_all();
  }
  void until_stuck() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return syncs_ > seen_; });
  }
  int syncs() {
    const std::lock_guard lock(mutex_);
    return syncs_;
  }
  int syncs_since_last() {
    const std::lock_guard lock(mutex_);
    return syncs_ - std::exchange(seen_, syncs_);
  }

  std::mutex mutex_;  // guards the following
  std::condition_variable changed_;
  bool is_stuck_ = false;
  int error_ = 0;
  int syncs_ = 0;
  int seen_ = 0;
  std::unique_ptr<SqliteConnection> session_;
};

TEST_F(SqliteGroup, FailedStatementThatKeepsRowsIsSynced) {
  ASSERT_OK(run(*session_, "CREATE TABLE u (x UNIQUE)"));
  EXPECT_EQ(syncs_since_last(), 1);
  EXPECT_FALSE(run(*session_, "INSERT OR FAIL INTO u VALUES (1), (2), (1), (3)"));
  EXPECT_EQ(ask(*session_, "SELECT count(*) FROM u"), "2");
  EXPECT_EQ(syncs_since_last(), 1);
  EXPECT_FALSE(run(*session_, "INSERT INTO u VALUES (4), (1)"));  // keeps none
  EXPECT_EQ(ask(*session_, "SELECT count(*) FROM u"), "2");
  EXPECT_EQ(syncs_since_last(), 0);
}

class OneRow final : public RowSink {
 public:
  bool take(const ResultTable&) override { return false; }
};

QueryRequest request_of(std::string_view sql) {
  QueryRequest request;
  request.sql = sql;
  return request;
}

TEST_F(SqliteGroup, EveryWayToCommitIsSynced) {
  EXPECT_OK(run(*session_, "UPDATE t SET x = 2"));
  EXPECT_EQ(syncs_since_last(), 1);
  EXPECT_OK(run(*session_, "BEGIN; INSERT INTO t VALUES (2); INSERT INTO t VALUES (3)"));
  EXPECT_EQ(syncs_since_last(), 0);
  EXPECT_OK(run(*session_, "COMMIT"));
  EXPECT_EQ(syncs_since_last(), 1);
  EXPECT_OK(run(*session_, "SAVEPOINT s; INSERT INTO t VALUES (4); RELEASE s"));
  EXPECT_EQ(syncs_since_last(), 1);
  const QueryRequest both[] = {request_of("INSERT INTO t VALUES (5)"), request_of("INSERT INTO t VALUES (6)")};
  std::vector<ResultTable> results;
  size_t failed_at = 0;
  EXPECT_OK(session_->batch(both, Instant::never(), results, failed_at));
  EXPECT_EQ(syncs_since_last(), 1);
  ResultTable page;
  OneRow sink;
  EXPECT_OK(session_->stream(request_of("INSERT INTO t VALUES (7), (8) RETURNING x"), sink, page));
  EXPECT_EQ(syncs_since_last(), 1);
  const QueryRequest many = request_of("INSERT INTO t SELECT value FROM generate RETURNING x");
  ASSERT_OK(run(*session_,
                "CREATE TEMP VIEW generate AS WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n "
                "LIMIT 100) SELECT value FROM n"));
  (void)syncs_since_last();
  EXPECT_OK(session_->open_rows(many, page));
  EXPECT_EQ(syncs_since_last(), 0);
  EXPECT_OK(session_->fetch_rows(page, Instant::never()));
  EXPECT_TRUE(page.is_last_page());
  EXPECT_EQ(syncs_since_last(), 1);
  EXPECT_OK(session_->open_rows(many, page));
  session_->close_rows();
  EXPECT_EQ(syncs_since_last(), 1);
  EXPECT_OK(session_->open_rows(many, page));
  EXPECT_EQ(session_->settle(ResetMode::rollback), Settled::clean);
  EXPECT_EQ(syncs_since_last(), 1);
  EXPECT_EQ(rows(), "308");
}

TEST_F(SqliteGroup, NothingElseIsSynced) {
  EXPECT_EQ(rows(), "1");
  EXPECT_OK(run(*session_, "BEGIN; SELECT * FROM t; COMMIT"));
  EXPECT_OK(run(*session_, "BEGIN IMMEDIATE; INSERT INTO t VALUES (2); ROLLBACK"));
  EXPECT_FALSE(run(*session_, "INSERT INTO nowhere VALUES (2)"));
  EXPECT_EQ(syncs_since_last(), 0);
}

TEST_F(SqliteGroup, OnlyWithAWal) {
  EXPECT_EQ(ask(*session_, "PRAGMA synchronous"), "1");
  Policy policy = group_policy();
  policy.sqlite_journal_mode = SqliteJournalMode::truncate;
  EXPECT_EQ(ask(*make_session(policy, "old.db"), "PRAGMA synchronous"), "2");
  const auto memory = make_sqlite_connector(":memory:", group_policy(), clock_);
  const auto session = open_session(*memory, clock_);
  EXPECT_EQ(ask(*session, "PRAGMA synchronous"), "2");
  EXPECT_OK(run(*session, "CREATE TABLE t (x)"));
}

TEST_F(SqliteGroup, JournalModeOfTheHolder) {
  EXPECT_OK(run(*session_, "PRAGMA journal_mode = delete"));
  EXPECT_EQ(ask(*session_, "PRAGMA synchronous"), "2");
  (void)syncs_since_last();
  EXPECT_OK(run(*session_, "INSERT INTO t VALUES (2)"));
  EXPECT_EQ(syncs_since_last(), 0);  // SQLite has done it
  EXPECT_OK(run(*session_, "PRAGMA journal_mode = wal"));
  EXPECT_EQ(ask(*session_, "PRAGMA synchronous"), "1");
  (void)syncs_since_last();
  EXPECT_OK(run(*session_, "INSERT INTO t VALUES (3)"));
  EXPECT_EQ(syncs_since_last(), 1);
  EXPECT_OK(run(*session_, "PRAGMA journal_mode = delete"));
  EXPECT_EQ(settle_and_lease(*session_, ResetMode::smart), Settled::clean);
  EXPECT_EQ(ask(*session_, "PRAGMA synchronous"), "1");
  (void)syncs_since_last();
  EXPECT_OK(run(*session_, "INSERT INTO t VALUES (4)"));
  EXPECT_EQ(syncs_since_last(), 1);
}

TEST_F(SqliteGroup, SettingOfTheHolderIsRestored) {
  EXPECT_OK(run(*session_, "PRAGMA synchronous = off"));
  EXPECT_EQ(settle_and_lease(*session_, ResetMode::smart), Settled::clean);
  EXPECT_EQ(ask(*session_, "PRAGMA synchronous"), "1");
  (void)syncs_since_last();
  EXPECT_OK(run(*session_, "INSERT INTO t VALUES (2)"));
  EXPECT_EQ(syncs_since_last(), 1);
}

// The commit is visible, the next writer works, and the keeper does its work.
TEST_F(SqliteGroup, OnlyTheCallerWaits) {
  const auto other = make_session(group_policy());
  const auto reader = make_session(group_policy());
  (void)syncs_since_last();
  set_stuck(true);
  Status first = Status::error(Code::internal, "still waiting");
  Status second = first;
  std::thread one([&] { first = run(*session_, "INSERT INTO t VALUES (2)"); });
  until_stuck();
  std::thread two([&] { second = run(*other, "INSERT INTO t VALUES (3)"); });
  while (file()->wal_sync().waiting() != 1) std::this_thread::yield();
  EXPECT_EQ(ask(*reader, "SELECT count(*) FROM t"), "3");
  EXPECT_EQ(turn_holder(), 0u);
  EXPECT_FALSE(session_->facts().is_in_transaction);
  EXPECT_FALSE(session_->end_transaction("late"));
  other->cancel();  // it is committed
  EXPECT_FALSE(file()->is_missing());
  EXPECT_OK(make_session(group_policy())->validate("", clock_.now() + Span::seconds(30)));
  session_->disarm();
  session_->finish_disarm();
  EXPECT_EQ(syncs(), 3);
  set_stuck(false);
  one.join();
  two.join();
  EXPECT_OK(first);
  EXPECT_OK(second);
  EXPECT_EQ(syncs(), 4);
  EXPECT_OK(run(*other, "INSERT INTO t VALUES (4)"));
}

// Its commit may have taken effect; later writers are refused before they write.
TEST_F(SqliteGroup, FailedSyncIsAnUnknownOutcome) {
  ASSERT_OK(run(*session_, "BEGIN; INSERT INTO t VALUES (2)"));
  error_ = EIO;
  const Status status = run(*session_, "COMMIT");
  EXPECT_EQ(status.code, Code::unknown_outcome);
  EXPECT_EQ(status.sqlstate(), "58030");
  EXPECT_NE(status.message().find(dir_.file()), std::string::npos) << status.message();
  EXPECT_EQ(rows(), "2");
  error_ = 0;
  for (const char* sql : {"INSERT INTO t VALUES (3)", "BEGIN IMMEDIATE"}) {
    const Status refused = run(*session_, sql);
    EXPECT_EQ(refused.code, Code::database);
    EXPECT_EQ(refused.sqlstate(), "58030");
    EXPECT_FALSE(refused.is_retryable);
  }
  const auto other = make_session(group_policy());
  EXPECT_EQ(run(*other, "INSERT INTO t VALUES (3)").sqlstate(), "58030");
  EXPECT_EQ(turn_holder(), 0u);
  EXPECT_EQ(rows(), "2");
}

TEST_F(SqliteGroup, BatchWithAFailedSyncIsAnUnknownOutcome) {
  const QueryRequest one[] = {request_of("INSERT INTO t VALUES (5)")};
  std::vector<ResultTable> results;
  size_t failed_at = 0;
  error_ = EIO;
  EXPECT_EQ(session_->batch(one, Instant::never(), results, failed_at).code, Code::unknown_outcome);
  EXPECT_EQ(rows(), "2");
  EXPECT_EQ(turn_holder(), 0u);
}

// The driver does not see what is committed there.
TEST_F(SqliteGroup, NativeCommitsAreSyncedBySqlite) {
  const auto level = [this] {
    sqlite3_stmt* statement = nullptr;
    auto* database = static_cast<sqlite3*>(session_->native());
    EXPECT_EQ(sqlite3_prepare_v2(database, "PRAGMA synchronous", -1, &statement, nullptr), SQLITE_OK);
    EXPECT_EQ(sqlite3_step(statement), SQLITE_ROW);
    const int found = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return found;
  };
  EXPECT_EQ(level(), 2);
  EXPECT_OK(run(*session_, "INSERT INTO t VALUES (2)"));
  session_->vouch();
  EXPECT_EQ(settle_and_lease(*session_, ResetMode::smart), Settled::clean);
  EXPECT_EQ(syncs_since_last(), 0);
  EXPECT_EQ(ask(*session_, "PRAGMA synchronous"), "1");
  EXPECT_OK(run(*session_, "INSERT INTO t VALUES (3)"));
  EXPECT_EQ(syncs_since_last(), 1);

  // In a transaction SQLite refuses to change it.
  for (const bool is_followed : {false, true}) {
    EXPECT_OK(run(*session_, "BEGIN IMMEDIATE; INSERT INTO t VALUES (4)"));
    EXPECT_EQ(level(), 1);
    EXPECT_EQ(run_native(*session_, "COMMIT"), SQLITE_OK);
    if (is_followed) EXPECT_EQ(ask(*session_, "PRAGMA synchronous"), "2");
    EXPECT_EQ(syncs_since_last(), 0);
    session_->vouch();
    EXPECT_EQ(settle_and_lease(*session_, ResetMode::smart), Settled::clean);
    EXPECT_EQ(syncs_since_last(), 1);
    EXPECT_EQ(ask(*session_, "PRAGMA synchronous"), "1");
  }
  EXPECT_EQ(session_->settle(ResetMode::smart), Settled::clean);
  EXPECT_EQ(syncs_since_last(), 0);
}

TEST_F(SqliteGroup, ReplacedWalIsLostAndNotSynced) {
  ASSERT_OK(run(*session_, "BEGIN; INSERT INTO t VALUES (2)"));
  fs::remove(dir_.file() + "-wal");
  const Status status = run(*session_, "COMMIT");
  EXPECT_EQ(status.code, Code::database);
  EXPECT_NE(status.detail().find("committed to the old file"), std::string::npos) << status.detail();
  EXPECT_EQ(syncs_since_last(), 0);
}

// A deleted WAL that is still open would occupy the disk.
TEST_F(SqliteGroup, WalIsClosedWithTheLastSession) {
  const auto open_wals = [this] {
    int found = 0;
    for (const fs::directory_entry& entry : fs::directory_iterator("/proc/self/fd")) {
      std::error_code gone;
      if (fs::read_symlink(entry.path(), gone).string().starts_with(dir_.file() + "-wal")) ++found;
    }
    return found;
  };
  EXPECT_EQ(open_wals(), 3);  // that of SQLite, of the syncs, and the one that keeps its number from being used again
  session_.reset();
  EXPECT_EQ(open_wals(), 0);
  EXPECT_FALSE(fs::exists(dir_.file() + "-wal"));
  session_ = make_session(group_policy());
  EXPECT_OK(run(*session_, "INSERT INTO t VALUES (2)"));
  EXPECT_EQ(rows(), "2");
}

TEST_F(SqliteGroup, ManySessionsWriteAtTheSameTime) {
  constexpr int kThreads = 8;
  constexpr int kCommits = 50;
  std::vector<std::unique_ptr<SqliteConnection>> sessions;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) sessions.push_back(make_session(group_policy()));
  for (const auto& session : sessions) {
    threads.emplace_back([&] {
      for (int k = 0; k < kCommits; ++k) {
        EXPECT_OK(run(*session,
                      k % 2 == 0 ? "INSERT INTO t VALUES (1)" : "BEGIN IMMEDIATE; INSERT INTO t VALUES (1); COMMIT"));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(rows(), std::to_string(kThreads * kCommits + 1));
  const int count = syncs_since_last();
  EXPECT_GT(count, 0);
  EXPECT_LE(count, kThreads * kCommits);
}

}  // namespace
}  // namespace tide::test
