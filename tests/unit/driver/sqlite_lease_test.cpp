// The two ends of a lease: nothing a holder did to the session, also on native(), reaches the next one.
#include "unit/driver/sqlite_support.hpp"

namespace tide::test {
namespace {

class SqliteLease : public SqliteRoom {
 protected:
  void SetUp() override {
    session_ = make_session();
    ASSERT_OK(run(*session_, "CREATE TABLE t (x); INSERT INTO t VALUES (1), (2), (3)"));
  }
  // Half way through a read on native(): pins a snapshot.
  sqlite3_stmt* leave_half_read() {
    sqlite3_stmt* statement = nullptr;
    auto* database = static_cast<sqlite3*>(session_->native());
    EXPECT_EQ(sqlite3_prepare_v2(database, "SELECT x FROM t", -1, &statement, nullptr), SQLITE_OK);
    EXPECT_EQ(sqlite3_step(statement), SQLITE_ROW);
    return statement;
  }
  std::unique_ptr<SqliteConnection> session_;
};

TEST_F(SqliteLease, SettingsOfThePolicyComeBack) {
  ASSERT_OK(run(*session_,
                "PRAGMA foreign_keys = off; PRAGMA cache_size = 5; PRAGMA synchronous = off;"
                "PRAGMA query_only = on; PRAGMA busy_timeout = 77"));
  EXPECT_EQ(ask(*session_, "PRAGMA busy_timeout"), "77");
  EXPECT_EQ(settle_and_lease(*session_, ResetMode::smart), Settled::clean);
  EXPECT_EQ(ask(*session_, "PRAGMA foreign_keys"), "1");
  EXPECT_EQ(ask(*session_, "PRAGMA cache_size"), "1000");
  EXPECT_EQ(ask(*session_, "PRAGMA synchronous"), "1");
  EXPECT_EQ(ask(*session_, "PRAGMA query_only"), "0");
  EXPECT_EQ(ask(*session_, "PRAGMA busy_timeout"), "60000");
  EXPECT_OK(run(*session_, "INSERT INTO t VALUES (4)"));
}

TEST_F(SqliteLease, ASettingWithoutAValueToGoBackToEndsTheSession) {
  ASSERT_OK(run(*session_, "PRAGMA case_sensitive_like = on"));
  EXPECT_EQ(session_->settle(ResetMode::smart), Settled::broken);
  const auto fresh = make_session();
  ASSERT_OK(run(*fresh, "PRAGMA case_sensitive_like = on"));
  EXPECT_EQ(settle_and_lease(*fresh, ResetMode::rollback), Settled::clean);  // nobody asked for more
  EXPECT_EQ(fresh->settle(ResetMode::smart), Settled::broken);               // and it is not forgotten
}

TEST_F(SqliteLease, QuestionsCostNothing) {
  ASSERT_OK(run(*session_,
                "PRAGMA foreign_keys; PRAGMA table_info(t); SELECT * FROM pragma_table_info('t');"
                "PRAGMA integrity_check; PRAGMA case_sensitive_like; PRAGMA user_version = 5"));
  EXPECT_EQ(settle_and_lease(*session_, ResetMode::smart), Settled::clean);
}

TEST_F(SqliteLease, AttachedDatabasesAndTemporaryObjectsGo) {
  ASSERT_OK(run(*session_, "ATTACH '" + dir_.file("other.db") +
                               "' AS \"odd \"\"name\"; CREATE TABLE \"odd \"\"name\".o (x);"
                               "CREATE TEMP TABLE mine (x); CREATE TEMP VIEW v AS SELECT 1;"
                               "CREATE TEMP TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO mine VALUES (1); END;"
                               "INSERT INTO t VALUES (4)"));
  EXPECT_EQ(settle_and_lease(*session_, ResetMode::smart), Settled::clean);
  EXPECT_EQ(ask(*session_, "SELECT count(*) FROM pragma_database_list WHERE seq > 1"), "0");
  EXPECT_EQ(ask(*session_, "SELECT count(*) FROM temp.sqlite_schema"), "0");
  EXPECT_OK(run(*session_, "INSERT INTO t VALUES (5)"));
}

TEST_F(SqliteLease, QueryOnlyFollowsTheLease) {
  EXPECT_EQ(settle_and_lease(*session_, ResetMode::smart, LeaseMode::read), Settled::clean);
  EXPECT_EQ(ask(*session_, "PRAGMA query_only"), "1");
  EXPECT_NE(run_native(*session_, "INSERT INTO t VALUES (4)"), SQLITE_OK);
  const Status status = run(*session_, "BEGIN IMMEDIATE");
  EXPECT_EQ(status.sqlstate, "25006");
  EXPECT_FALSE(status.hint.empty());
  EXPECT_OK(run(*session_, "EXPLAIN INSERT INTO t VALUES (4); PRAGMA journal_mode; BEGIN; SELECT * FROM t; COMMIT"));
  EXPECT_OK(run(*session_, "PRAGMA query_only = off"));
  EXPECT_EQ(run(*session_, "INSERT INTO t VALUES (4)").sqlstate, "25006");  // the lease decides, not the pragma
  EXPECT_EQ(settle_and_lease(*session_, ResetMode::smart), Settled::clean);
  EXPECT_OK(run(*session_, "INSERT INTO t VALUES (4)"));
}

TEST_F(SqliteLease, ATransactionBegunOnNativeIsRolledBack) {
  ASSERT_EQ(run_native(*session_, "BEGIN IMMEDIATE; DELETE FROM t"), SQLITE_OK);
  EXPECT_EQ(settle_and_lease(*session_, ResetMode::rollback), Settled::clean);
  EXPECT_EQ(ask(*session_, "SELECT count(*) FROM t"), "3");
}

TEST_F(SqliteLease, AHalfReadStatementKeepsNoSnapshot) {
  Stranger stranger(dir_.file());
  sqlite3_stmt* statement = leave_half_read();
  ASSERT_EQ(stranger.run("INSERT INTO t VALUES (4)"), SQLITE_OK);
  EXPECT_EQ(settle_and_lease(*session_, ResetMode::smart), Settled::clean);
  EXPECT_EQ(sqlite3_txn_state(static_cast<sqlite3*>(session_->native()), nullptr), SQLITE_TXN_NONE);
  EXPECT_EQ(ask(*session_, "SELECT count(*) FROM t"), "4");
  EXPECT_EQ(sqlite3_step(statement), SQLITE_ROW);  // still the holder's own, and still good
  EXPECT_EQ(sqlite3_finalize(statement), SQLITE_OK);
}

TEST_F(SqliteLease, CallbacksLeftOnNativeAreRemoved) {
  auto* database = static_cast<sqlite3*>(session_->native());
  int calls = 0;
  sqlite3_commit_hook(
      database, [](void* context) { return ++*static_cast<int*>(context), 1; }, &calls);
  sqlite3_update_hook(
      database, [](void* context, int, const char*, const char*, sqlite3_int64) { ++*static_cast<int*>(context); },
      &calls);
  sqlite3_busy_timeout(database, 3'600'000);
  sqlite3_progress_handler(
      database, 1, [](void*) { return 1; }, nullptr);
  EXPECT_EQ(settle_and_lease(*session_, ResetMode::rollback), Settled::clean);
  EXPECT_OK(run(*session_, "INSERT INTO t VALUES (4)"));
  EXPECT_EQ(calls, 0);
  Stranger stranger(dir_.file());
  ASSERT_EQ(stranger.run("BEGIN IMMEDIATE"), SQLITE_OK);
  EXPECT_EQ(run(*session_, "INSERT INTO t VALUES (5)", nullptr, {}, clock_.now() + Span::millis(20)).code,
            Code::timeout);
}

TEST_F(SqliteLease, AnotherAuthorizerOnNativeEndsTheSession) {
  sqlite3_set_authorizer(static_cast<sqlite3*>(session_->native()), nullptr, nullptr);
  EXPECT_EQ(session_->settle(ResetMode::smart), Settled::broken);
}

TEST_F(SqliteLease, SettingsChangedOnNativeComeBack) {
  ASSERT_EQ(run_native(*session_, "PRAGMA foreign_keys = off; PRAGMA cache_size = 9"), SQLITE_OK);
  sqlite3_db_config(static_cast<sqlite3*>(session_->native()), SQLITE_DBCONFIG_ENABLE_FKEY, 0, nullptr);
  EXPECT_EQ(settle_and_lease(*session_, ResetMode::smart), Settled::clean);
  EXPECT_EQ(ask(*session_, "PRAGMA foreign_keys"), "1");
  EXPECT_EQ(ask(*session_, "PRAGMA cache_size"), "1000");
}

// S4
TEST_F(SqliteLease, S4ADisarmedSessionLetsNothingThroughNativeEither) {
  sqlite3_stmt* statement = leave_half_read();
  auto* database = static_cast<sqlite3*>(session_->native());
  ASSERT_EQ(run_native(*session_, "BEGIN IMMEDIATE; INSERT INTO t VALUES (4)"), SQLITE_OK);
  std::thread([&] { session_->disarm(); }).join();
  EXPECT_EQ(sqlite3_step(statement), SQLITE_AUTH);
  EXPECT_EQ(run_native(*session_, "COMMIT"), SQLITE_AUTH);
  EXPECT_EQ(run_native(*session_, "INSERT INTO t VALUES (5)"), SQLITE_AUTH);
  EXPECT_EQ(sqlite3_txn_state(database, nullptr), SQLITE_TXN_NONE);
  Stranger stranger(dir_.file());
  EXPECT_EQ(stranger.run("INSERT INTO t VALUES (6)"), SQLITE_OK);
  session_.reset();
  EXPECT_EQ(sqlite3_step(statement), SQLITE_MISUSE);  // leaked past the end of its session: refused, no crash
  sqlite3_finalize(statement);
}

TEST_F(SqliteLease, TheKeeperWaitsForNoHolderOnNative) {
  ASSERT_OK(run(*session_, "BEGIN; SELECT * FROM t"));
  sqlite3_stmt* statement = leave_half_read();
  EXPECT_FALSE(session_->end_transaction("old"));  // the holder is in the middle of something
  sqlite3_finalize(statement);
  sqlite3_mutex* inside = sqlite3_db_mutex(static_cast<sqlite3*>(session_->native()));
  sqlite3_mutex_enter(inside);  // as a holder inside sqlite3_step()
  bool is_ended = true;
  std::thread([&] { is_ended = session_->end_transaction("old"); }).join();
  sqlite3_mutex_leave(inside);
  EXPECT_FALSE(is_ended);
  EXPECT_TRUE(session_->end_transaction("old"));
}

TEST_F(SqliteLease, FactsTellReadingFromWriting) {
  ASSERT_OK(run(*session_, "BEGIN"));
  EXPECT_FALSE(session_->facts().is_reading);
  ASSERT_OK(run(*session_, "SELECT * FROM t"));
  EXPECT_TRUE(session_->facts().is_reading);
  ASSERT_OK(run(*session_, "INSERT INTO t VALUES (4)"));
  EXPECT_FALSE(session_->facts().is_reading);
  EXPECT_TRUE(session_->facts().is_in_transaction);
  ASSERT_OK(run(*session_, "COMMIT; SAVEPOINT a; SELECT * FROM t"));
  EXPECT_TRUE(session_->facts().is_reading);
  ASSERT_OK(run(*session_, "RELEASE a"));
  EXPECT_FALSE(session_->facts().is_in_transaction);
}

}  // namespace
}  // namespace tide::test
