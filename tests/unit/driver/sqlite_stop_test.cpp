// Stopping: deadlines, cancels that come at the wrong moment, and snapshots that grow too old.
#include "unit/driver/sqlite_support.hpp"
#include "unit/support/rounds.hpp"

namespace tide::test {
namespace {

class SqliteStop : public SqliteRoom {
 protected:
  void SetUp() override {
    session_ = make_session();
    ASSERT_OK(run(*session_, "CREATE TABLE t (x); INSERT INTO t VALUES (0)"));
  }
  std::unique_ptr<SqliteConnection> session_;
};

TEST_F(SqliteStop, DeadlineEndsAStatement) {
  ManualClock clock(Span::millis(1));  // each look takes a millisecond: the deadline comes after 1000 looks
  const auto session = open_session_on(file(), patient_policy(), clock);
  const Instant before = clock.now();
  const Status status = run(*session, kEndless, nullptr, {}, before + Span::seconds(1));
  EXPECT_EQ(status.code, Code::timeout);
  EXPECT_FALSE(status.is_retryable);
  EXPECT_GE(clock.now() - before, Span::seconds(1));
  EXPECT_LT(clock.now() - before, Span::seconds(2));
}

TEST_F(SqliteStop, ExpiredRequestIsNotStarted) {
  const Status status = run(*session_, "INSERT INTO t VALUES (1)", nullptr, {}, clock_.now() - Span::millis(1));
  EXPECT_EQ(status.code, Code::timeout);
  EXPECT_EQ(turn_holder(), 0u);
  EXPECT_EQ(ask(*session_, "SELECT count(*) FROM t"), "1");
}

TEST_F(SqliteStop, StatementTimeoutAndQueryTimeout) {
  const std::string slice =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000) SELECT count(*) FROM n;";
  std::string many;
  for (int i = 0; i < 60; ++i) many += slice;
  ManualClock clock(Span::millis(1));
  const auto time_with = [&](Span statement, Span query) {
    Policy policy = patient_policy();
    policy.statement_timeout = statement;
    policy.query_timeout = query;
    return run(*open_session_on(file(), policy, clock), many).code;
  };
  EXPECT_EQ(time_with(Span::seconds(2), Span()), Code::ok);
  EXPECT_EQ(time_with(Span(), Span::seconds(2)), Code::timeout);
  EXPECT_EQ(time_with(Span::millis(20), Span()), Code::timeout);
}

TEST_F(SqliteStop, InterruptedWriteRollsBackItsTransaction) {
  ASSERT_OK(run(*session_, "BEGIN; INSERT INTO t VALUES (1)"));
  const std::string endless_write = std::string("INSERT INTO t ") + kEndless;
  const Status status = run(*session_, endless_write, nullptr, {}, clock_.now() + Span::millis(20));
  EXPECT_EQ(status.code, Code::timeout);
  EXPECT_EQ(turn_holder(), 0u);
  EXPECT_EQ(run(*session_, "COMMIT").sqlstate(), "25P02");
  EXPECT_OK(run(*session_, "ROLLBACK"));
  EXPECT_EQ(ask(*session_, "SELECT count(*) FROM t"), "1");
}

// S3: whoever is meant by a cancel may already have gone; the next holder never pays for it.
TEST_F(SqliteStop, S3CancelsNeverReachTheNextLease) {
  constexpr const char* kShort =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300) SELECT count(*) FROM n";
  constexpr int kRounds = test::kIsSanitized ? 2'000 : 10'000;
  std::atomic<uint64_t> meant{session_->facts().lease};
  std::atomic<bool> is_done{false};
  std::thread canceller([&] {
    while (!is_done.load()) {
      session_->cancel(meant.load());
      std::this_thread::yield();
    }
  });
  int cancelled = 0;
  for (int i = 0; i < kRounds; ++i) {
    meant.store(session_->facts().lease);
    const Status mine = run(*session_, kShort);
    if (!mine) {
      ASSERT_EQ(mine.sqlstate(), "57014");
      ++cancelled;
    }
    ASSERT_EQ(settle_and_lease(*session_, ResetMode::smart), Settled::clean);
    const Status next = run(*session_, kShort);
    ASSERT_TRUE(next.is_ok()) << "round " << i << ": " << next.message();
    ASSERT_EQ(settle_and_lease(*session_, ResetMode::smart), Settled::clean);
  }
  is_done.store(true);
  canceller.join();
  EXPECT_GT(cancelled, 0);
}

TEST_F(SqliteStop, CancelEndsNativeStatement) {
  std::atomic<bool> is_done{false};
  auto* database = static_cast<sqlite3*>(session_->native());
  std::thread canceller([&] {
    while (!is_done.load()) session_->cancel();
  });
  EXPECT_EQ(sqlite3_exec(database, kEndless, nullptr, nullptr, nullptr), SQLITE_INTERRUPT);
  is_done.store(true);
  canceller.join();
  session_->vouch();
  EXPECT_EQ(settle_and_lease(*session_, ResetMode::smart), Settled::clean);
  EXPECT_EQ(ask(*session_, "SELECT count(*) FROM t"), "1");
}

TEST_F(SqliteStop, OldReaderIsEnded) {
  const auto writer = make_session();
  ASSERT_OK(run(*session_, "BEGIN; SELECT * FROM t"));
  ASSERT_OK(run(*writer, "PRAGMA busy_timeout = 0; INSERT INTO t VALUES (1)"));
  EXPECT_EQ(ask(*writer, "PRAGMA wal_checkpoint(TRUNCATE)"), "1");  // busy: the reader needs the old pages
  const SessionFacts facts = session_->facts();
  ASSERT_TRUE(facts.is_reading);
  ASSERT_TRUE(session_->end_transaction("read for 61 s", facts.lease));
  EXPECT_EQ(ask(*writer, "PRAGMA wal_checkpoint(TRUNCATE)"), "0");
  EXPECT_EQ(std::filesystem::file_size(dir_.file() + "-wal"), 0u);
  EXPECT_EQ(run(*session_, "SELECT 1").sqlstate(), "25P03");
  EXPECT_OK(run(*session_, "ROLLBACK; SELECT 1"));
}

TEST_F(SqliteStop, LongRunningReadIsEnded) {
  Policy policy = patient_policy();
  policy.sqlite_max_read_transaction = Span::millis(20);
  const auto reader = make_session(policy);
  EXPECT_EQ(run(*reader, kEndless).sqlstate(), "25P03");
  EXPECT_OK(run(*reader, "SELECT 1"));  // it was a transaction of its own: nothing to roll back
  ASSERT_OK(run(*reader, "BEGIN; SELECT * FROM t"));
  const Status status = run(*reader, kEndless);
  EXPECT_EQ(status.sqlstate(), "25P03");
  EXPECT_EQ(status.code, Code::database);
  EXPECT_FALSE(reader->facts().is_in_transaction);
  EXPECT_EQ(run(*reader, "SELECT 1").sqlstate(), "25P03");
  EXPECT_OK(run(*reader, "ROLLBACK"));
  // Writing is no reading: it has timeouts of its own.
  const std::string long_write =
      "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200000) SELECT i FROM n";
  EXPECT_OK(run(*reader, long_write));
}

}  // namespace
}  // namespace tide::test
