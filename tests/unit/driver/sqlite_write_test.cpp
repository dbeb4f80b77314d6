// Writing: one turn for all sessions of the process, the busy timeout for everybody else.
#include <sys/wait.h>

#include <latch>

#include "unit/driver/sqlite_support.hpp"

namespace tide::test {
namespace {

class SqliteWrite : public SqliteRoom {
 protected:
  void SetUp() override {
    first_ = make_session();
    ASSERT_OK(run(*first_, "CREATE TABLE t (x); INSERT INTO t VALUES (0)"));
    second_ = make_session();
  }
  Instant in(Span span) const { return clock_.now() + span; }
  std::unique_ptr<SqliteConnection> first_;
  std::unique_ptr<SqliteConnection> second_;
};

// S2
TEST_F(SqliteWrite, S2TurnIsHeldWhileTheTransactionCanWrite) {
  const uint64_t me = first_->number();
  ASSERT_OK(run(*first_, "INSERT INTO t VALUES (1)"));
  EXPECT_EQ(turn_holder(), 0u);
  ASSERT_OK(run(*first_, "BEGIN; SELECT * FROM t"));
  EXPECT_EQ(turn_holder(), 0u);
  ASSERT_OK(run(*first_, "INSERT INTO t VALUES (2)"));
  EXPECT_EQ(turn_holder(), me);
  ASSERT_OK(run(*first_, "SELECT * FROM t"));
  EXPECT_EQ(turn_holder(), me);
  ASSERT_OK(run(*first_, "COMMIT"));
  EXPECT_EQ(turn_holder(), 0u);
  ASSERT_OK(run(*first_, "BEGIN IMMEDIATE"));
  EXPECT_EQ(turn_holder(), me);
  EXPECT_FALSE(run(*first_, "INSERT INTO nowhere VALUES (2)").is_ok());
  EXPECT_EQ(turn_holder(), me);
  ASSERT_OK(run(*first_, "ROLLBACK"));
  EXPECT_EQ(turn_holder(), 0u);
  EXPECT_FALSE(run(*first_, "INSERT INTO t VALUES (abs(-9223372036854775808))").is_ok());
  EXPECT_EQ(turn_holder(), 0u);
  ASSERT_OK(run(*first_, "PRAGMA wal_checkpoint; PRAGMA query_only = 0; VACUUM; ANALYZE"));
  EXPECT_EQ(turn_holder(), 0u);
}

TEST_F(SqliteWrite, TurnIsReleasedInEveryCase) {
  const auto begin = [&](Connection& session) { ASSERT_OK(run(session, "BEGIN IMMEDIATE; INSERT INTO t VALUES (1)")); };
  begin(*first_);
  EXPECT_EQ(settle_and_lease(*first_, ResetMode::rollback), Settled::clean);
  EXPECT_EQ(turn_holder(), 0u);
  begin(*first_);
  EXPECT_TRUE(first_->end_transaction("idle"));
  EXPECT_EQ(turn_holder(), 0u);
  begin(*second_);
  EXPECT_EQ(second_->settle(ResetMode::none), Settled::broken);
  EXPECT_EQ(turn_holder(), 0u);
  auto third = make_session();
  begin(*third);
  third.reset();
  EXPECT_EQ(turn_holder(), 0u);
  third = make_session();
  begin(*third);
  third->disarm();
  third->finish_disarm();
  EXPECT_EQ(turn_holder(), 0u);
  const auto fourth = make_session();
  EXPECT_EQ(ask(*fourth, "SELECT count(*) FROM t"), "1");
  EXPECT_OK(run(*fourth, "INSERT INTO t VALUES (1)"));
}

TEST_F(SqliteWrite, ATimeoutNamesTheHolder) {
  ASSERT_OK(run(*first_, "BEGIN IMMEDIATE"));
  const Status status = run(*second_, "INSERT INTO t VALUES (1)", nullptr, {}, in(Span::millis(20)));
  EXPECT_EQ(status.code, Code::timeout);
  EXPECT_TRUE(status.is_retryable);
  EXPECT_EQ(status.sqlstate(), "55P03");
  EXPECT_NE(status.detail().find("session 1 has held it for"), std::string::npos) << status.detail();
  EXPECT_EQ(ask(*second_, "SELECT count(*) FROM t"), "1");
}

TEST_F(SqliteWrite, WaitForTheTurnCanBeCancelled) {
  ASSERT_OK(run(*first_, "BEGIN IMMEDIATE"));
  Status status;
  std::thread waiter([&] { status = run(*second_, "INSERT INTO t VALUES (1)"); });
  until_waiting(1);
  second_->cancel();
  waiter.join();
  EXPECT_EQ(status.sqlstate(), "57014");
  waiter = std::thread([&] { status = run(*second_, "INSERT INTO t VALUES (1)"); });
  until_waiting(1);
  second_->disarm();
  waiter.join();
  EXPECT_EQ(status.code, Code::stale_lease);
  EXPECT_EQ(file()->turn().waiting(), 0u);
}

TEST_F(SqliteWrite, WritersAreServedInOrder) {
  ASSERT_OK(run(*first_, "BEGIN IMMEDIATE"));
  std::vector<std::unique_ptr<SqliteConnection>> sessions;
  std::vector<std::thread> threads;
  for (int i = 1; i <= 12; ++i) {
    sessions.push_back(make_session());
    threads.emplace_back([&, i] {
      EXPECT_OK(run(*sessions[static_cast<size_t>(i - 1)], "INSERT INTO t VALUES (" + std::to_string(i) + ")"));
    });
    until_waiting(static_cast<size_t>(i));
  }
  ASSERT_OK(run(*first_, "COMMIT"));
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ask(*first_, "SELECT group_concat(x) FROM (SELECT x FROM t ORDER BY rowid)"),
            "0,1,2,3,4,5,6,7,8,9,10,11,12");
}

TEST_F(SqliteWrite, SixteenThreadsNeverGetBusy) {
  constexpr int kThreads = 16;
  constexpr int kRounds = 60;
  Policy policy = patient_policy();
  policy.sqlite_busy_timeout = Span();  // any SQLITE_BUSY would be told at once
  policy.sqlite_synchronous = SqliteSynchronous::off;
  std::vector<std::unique_ptr<SqliteConnection>> sessions;
  for (int i = 0; i < kThreads; ++i) sessions.push_back(make_session(policy));
  std::atomic<int> failures{0};
  std::latch start(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      Connection& session = *sessions[static_cast<size_t>(i)];
      const auto check = [&](const Status& status) {
        if (status.is_ok()) return;
        failures.fetch_add(1);
        ADD_FAILURE() << status.sqlstate() << " " << status.message();
      };
      start.arrive_and_wait();
      for (int k = 0; k < kRounds; ++k) {
        if (k % 3 == 0) {
          check(run(session, "INSERT INTO t VALUES (1)"));
        } else if (k % 3 == 1) {
          check(run(session, "BEGIN IMMEDIATE; SELECT count(*) FROM t; INSERT INTO t VALUES (1); COMMIT"));
        } else {
          check(run(session, "BEGIN; INSERT INTO t VALUES (1); SELECT count(*) FROM t; COMMIT"));
        }
        check(run(session, "SELECT count(*) FROM t"));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures.load(), 0);
  EXPECT_EQ(ask(*first_, "SELECT count(*) FROM t"), std::to_string(kThreads * kRounds + 1));
  EXPECT_EQ(turn_holder(), 0u);
}

// In memory there is no WAL: readers and the writer wait for each other, but nobody fails and nothing locks up.
TEST_F(SqliteWrite, MemoryDatabaseWithReadersAndWriters) {
  const auto connector = make_sqlite_connector(":memory:", patient_policy(), clock_);
  std::vector<std::unique_ptr<Connection>> sessions;
  for (int i = 0; i < 8; ++i) sessions.push_back(open_session(*connector, clock_));
  ASSERT_OK(run(*sessions[0], "CREATE TABLE t (x)"));
  std::vector<std::thread> threads;
  for (const auto& session : sessions) {
    threads.emplace_back([&session] {
      for (int k = 0; k < 40; ++k) {
        EXPECT_OK(run(*session, "BEGIN IMMEDIATE; INSERT INTO t VALUES (1); COMMIT"));
        EXPECT_OK(run(*session, "BEGIN; SELECT count(*) FROM t; COMMIT"));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ask(*sessions[0], "SELECT count(*) FROM t"), "320");
}

// The pool's own reader is not "another process", and is waited for like the writer turn.
TEST_F(SqliteWrite, MemoryWriterWaitsForReaders) {
  Policy policy = patient_policy();
  policy.sqlite_busy_timeout = Span::millis(5);
  const auto connector = make_sqlite_connector(":memory:", policy, clock_);
  const auto reader = open_session(*connector, clock_);
  const auto writer = open_session(*connector, clock_);
  ASSERT_OK(run(*reader, "CREATE TABLE t (x); BEGIN; SELECT * FROM t"));
  const Instant before = clock_.now();
  Status status = run(*writer, "INSERT INTO t VALUES (1)", nullptr, {}, in(Span::millis(60)));
  EXPECT_GE(clock_.now() - before, Span::millis(50));
  EXPECT_EQ(status.code, Code::timeout);
  EXPECT_EQ(status.sqlstate(), "55P03");
  EXPECT_TRUE(status.is_retryable);
  EXPECT_NE(status.message().find("other leases of this pool"), std::string::npos) << status.message();
  EXPECT_NE(status.detail().find("session 1 has been in a transaction for"), std::string::npos) << status.detail();
  EXPECT_EQ(status.hint().find("process"), std::string::npos) << status.hint();
  std::thread waiter([&] { status = run(*writer, "INSERT INTO t VALUES (1)", nullptr, {}, in(Span::seconds(60))); });
  std::this_thread::yield();
  EXPECT_OK(run(*reader, "SELECT * FROM t; COMMIT"));
  waiter.join();
  EXPECT_OK(status);
}

TEST_F(SqliteWrite, WithoutWalErrorNamesTheReaders) {
  Policy policy = patient_policy();
  policy.sqlite_journal_mode = SqliteJournalMode::delete_;
  policy.sqlite_busy_timeout = Span::millis(5);
  const auto reader = make_session(policy, "old.db");
  const auto writer = make_session(policy, "old.db");
  ASSERT_OK(run(*reader, "CREATE TABLE t (x); BEGIN; SELECT * FROM t"));
  const Status status = run(*writer, "INSERT INTO t VALUES (1)");
  EXPECT_EQ(status.sqlstate(), "55P03");
  EXPECT_NE(status.detail().find("has been in a transaction for"), std::string::npos) << status.detail();
  EXPECT_NE(status.hint().find("sqlite_journal_mode=wal"), std::string::npos) << status.hint();
}

// Two readers that take turns so that there is always one: SQLite alone would let the WAL grow for ever.
TEST_F(SqliteWrite, OverlappingReadersDoNotLetTheWalGrow) {
  Policy policy = patient_policy();
  policy.sqlite_wal_limit = 1 << 20;
  policy.sqlite_synchronous = SqliteSynchronous::off;
  const auto writer = make_session(policy, "grows.db");
  ASSERT_OK(run(*writer, "CREATE TABLE t (x)"));
  std::atomic<bool> is_over{false};
  std::vector<std::unique_ptr<SqliteConnection>> sessions;
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) sessions.push_back(make_session(policy, "grows.db"));
  std::mutex hand_over;
  int begun = 0;  // transactions; the one before ends only when the next has begun
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&, i] {
      Connection& session = *sessions[static_cast<size_t>(i)];
      for (int round = i;; round += 2) {
        for (bool is_mine = false; !is_mine && !is_over.load(); std::this_thread::yield()) {
          const std::lock_guard lock(hand_over);
          is_mine = begun == round;
        }
        if (is_over.load()) return;
        EXPECT_OK(run(session, "BEGIN; SELECT count(*) FROM sqlite_schema"));
        {
          const std::lock_guard lock(hand_over);
          ++begun;
        }
        const auto has_successor = [&] {
          const std::lock_guard lock(hand_over);
          return begun > round + 1;
        };
        while (!has_successor() && !is_over.load()) std::this_thread::yield();
        EXPECT_OK(run(session, "COMMIT"));
      }
    });
  }
  const auto wal_bytes = [&] { return std::filesystem::file_size(dir_.file("grows.db-wal")); };
  sqlite::WalGuard& guard = file("grows.db")->guard();
  guard.set_limits({policy.sqlite_wal_limit, false});
  uintmax_t highest = 0;
  bool has_begun_anew = false;
  for (const Instant until = in(Span::seconds(20)); !has_begun_anew && clock_.now() < until;) {
    ASSERT_OK(run(*writer, "INSERT INTO t VALUES (zeroblob(100000))"));
    if (guard.is_wanted()) guard.work();
    highest = std::max(highest, wal_bytes());
    has_begun_anew = wal_bytes() < highest;
  }
  is_over.store(true);
  for (std::thread& reader : readers) reader.join();
  EXPECT_TRUE(has_begun_anew) << highest;
  EXPECT_EQ(ask(*writer, "PRAGMA integrity_check"), "ok");
}

TEST_F(SqliteWrite, LateWriteHintsBeginImmediate) {
  ASSERT_OK(run(*first_, "BEGIN; SELECT * FROM t"));
  ASSERT_OK(run(*second_, "INSERT INTO t VALUES (1)"));
  const Status status = run(*first_, "INSERT INTO t VALUES (2)");
  EXPECT_EQ(status.sqlstate(), "40001");
  EXPECT_EQ(status.native_code, SQLITE_BUSY_SNAPSHOT);
  EXPECT_FALSE(status.is_retryable);  // the transaction must be repeated, not the statement
  EXPECT_NE(status.hint().find("BEGIN IMMEDIATE"), std::string::npos);
  EXPECT_NE(status.hint().find("whole transaction"), std::string::npos);
  EXPECT_EQ(run(*first_, "INSERT INTO t VALUES (2)").native_code, SQLITE_BUSY_SNAPSHOT);
  EXPECT_EQ(turn_holder(), 0u);
  EXPECT_OK(run(*second_, "INSERT INTO t VALUES (3)"));
  EXPECT_OK(run(*first_, "ROLLBACK; INSERT INTO t VALUES (4)"));
}

TEST_F(SqliteWrite, WithoutWalReaderDoesNotWaitForTheWaitingWriter) {
  Policy policy = patient_policy();
  policy.sqlite_journal_mode = SqliteJournalMode::delete_;
  const auto reader = make_session(policy, "old.db");
  ASSERT_OK(run(*reader, "CREATE TABLE t (x)"));
  const auto writer = make_session(policy, "old.db");
  ASSERT_OK(run(*reader, "BEGIN; SELECT * FROM t"));
  ASSERT_OK(run(*writer, "BEGIN IMMEDIATE; INSERT INTO t VALUES (1)"));
  const Status status = run(*reader, "INSERT INTO t VALUES (2)");
  EXPECT_EQ(status.sqlstate(), "40001");
  EXPECT_FALSE(status.is_retryable);
  EXPECT_NE(status.hint().find("whole transaction"), std::string::npos);
  ASSERT_OK(run(*reader, "ROLLBACK"));
  EXPECT_OK(run(*writer, "COMMIT"));
}

TEST_F(SqliteWrite, LockOfAnotherProcessIsWaitedFor) {
  Stranger stranger(dir_.file());
  ASSERT_EQ(stranger.run("BEGIN IMMEDIATE"), SQLITE_OK);
  ASSERT_OK(run(*first_, "PRAGMA busy_timeout = 30"));
  const Instant before = clock_.now();
  const Status busy = run(*first_, "INSERT INTO t VALUES (1)");
  EXPECT_EQ(busy.sqlstate(), "40001");
  EXPECT_TRUE(busy.is_retryable);
  EXPECT_GE(clock_.now() - before, Span::millis(30));
  EXPECT_EQ(turn_holder(), 0u);
  const Status late = run(*second_, "INSERT INTO t VALUES (1)", nullptr, {}, in(Span::millis(30)));
  EXPECT_EQ(late.code, Code::timeout);
  EXPECT_EQ(late.sqlstate(), "57014");
  Status cancelled;
  std::atomic<bool> is_done{false};
  std::thread canceller([&] {
    while (!is_done.load()) second_->cancel();
  });
  cancelled = run(*second_, "INSERT INTO t VALUES (1)");
  is_done.store(true);
  canceller.join();
  EXPECT_EQ(cancelled.sqlstate(), "57014");
  ASSERT_EQ(stranger.run("COMMIT"), SQLITE_OK);
  EXPECT_OK(run(*second_, "INSERT INTO t VALUES (1)"));
}

TEST_F(SqliteWrite, TwoProcessesWriteWithoutFailure) {
  constexpr int kRounds = 150;
  const std::string path = dir_.file("shared.db");
  const auto work = [&] {
    RealClock clock;
    const auto connector = make_sqlite_connector(path, patient_policy(), clock);
    const auto session = open_session(*connector, clock);
    int failures = run(*session, "CREATE TABLE IF NOT EXISTS t (x)").is_ok() ? 0 : 1;
    for (int i = 0; i < kRounds; ++i) {
      failures += run(*session, "BEGIN IMMEDIATE; INSERT INTO t VALUES (1); COMMIT").is_ok() ? 0 : 1;
    }
    return failures;
  };
  first_.reset();  // nothing open is carried across fork()
  second_.reset();
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(work() == 0 ? 0 : 1);
  EXPECT_EQ(work(), 0);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  const auto connector = make_sqlite_connector(path, patient_policy(), clock_);
  EXPECT_EQ(ask(*open_session(*connector, clock_), "SELECT count(*) FROM t"), std::to_string(2 * kRounds));
}

TEST_F(SqliteWrite, ForkedChildAbandonsItsConnections) {
  ASSERT_OK(run(*first_, "BEGIN IMMEDIATE; INSERT INTO t VALUES (1)"));
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    first_->abandon();
    first_.reset();
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  Stranger stranger(dir_.file());
  EXPECT_EQ(stranger.run("BEGIN IMMEDIATE"), SQLITE_BUSY);  // the parent's lock is still there
  EXPECT_OK(run(*first_, "COMMIT"));
}

}  // namespace
}  // namespace tide::test
