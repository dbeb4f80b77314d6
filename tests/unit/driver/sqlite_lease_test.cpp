// The two ends of a lease: nothing a holder did to the session reaches the next one. What was done on native() cannot
// be taken back, so such a session goes to no other lease unless its holder vouches for it.
#include <thread>

#include "unit/driver/sqlite_support.hpp"

namespace tide::test {
namespace {

class SqliteLease : public SqliteRoom {
 protected:
  void SetUp() override {
    session_ = make_session();
    ASSERT_OK(run(*session_, "CREATE TABLE t (x); INSERT INTO t VALUES (1), (2), (3)"));
  }
  std::unique_ptr<SqliteConnection> session_;
};

TEST_F(SqliteLease, PolicySettingsAreRestored) {
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

TEST_F(SqliteLease, UnrestorableSettingEndsTheSession) {
  ASSERT_OK(run(*session_, "PRAGMA case_sensitive_like = on"));
  EXPECT_EQ(session_->settle(ResetMode::smart), Settled::spent);
  const auto fresh = make_session();
  ASSERT_OK(run(*fresh, "PRAGMA case_sensitive_like = on"));
  EXPECT_EQ(settle_and_lease(*fresh, ResetMode::rollback), Settled::clean);  // nobody asked for more
  EXPECT_EQ(fresh->settle(ResetMode::smart), Settled::spent);                // and it is not forgotten
}

TEST_F(SqliteLease, QueriedPragmasNeedNoReset) {
  ASSERT_OK(run(*session_,
                "PRAGMA foreign_keys; PRAGMA table_info(t); SELECT * FROM pragma_table_info('t');"
                "PRAGMA integrity_check; PRAGMA case_sensitive_like; PRAGMA user_version = 5"));
  EXPECT_EQ(settle_and_lease(*session_, ResetMode::smart), Settled::clean);
}

TEST_F(SqliteLease, AttachedDatabasesAndTemporaryObjectsAreRemoved) {
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

TEST_F(SqliteLease, ChangesOfThePreviousLeaseAreNotCounted) {
  constexpr const char* kCounters = "SELECT last_insert_rowid() || ' ' || changes() || ' ' || total_changes()";
  EXPECT_EQ(ask(*session_, kCounters), "3 3 3");
  for (const ResetMode mode : {ResetMode::none, ResetMode::rollback, ResetMode::smart, ResetMode::full}) {
    ASSERT_EQ(settle_and_lease(*session_, mode), Settled::clean);
    EXPECT_EQ(ask(*session_, kCounters), "0 0 0");
    ASSERT_OK(run(*session_, "UPDATE t SET x = x WHERE 0"));
    EXPECT_EQ(ask(*session_, kCounters), "0 0 0");
    ASSERT_OK(run(*session_, "UPDATE t SET x = x"));
    EXPECT_EQ(ask(*session_, kCounters), "0 3 3");
    ASSERT_OK(run(*session_, "UPDATE t SET x = x WHERE 0"));
    EXPECT_EQ(ask(*session_, kCounters), "0 0 3");
  }
}

TEST_F(SqliteLease, TriggersAreCountedLikeInSqlite) {
  ASSERT_OK(run(*session_,
                "CREATE TABLE log (n, total); CREATE TRIGGER tr AFTER INSERT ON t BEGIN "
                "UPDATE t SET x = x; INSERT INTO log VALUES (changes(), total_changes()); END"));
  ASSERT_EQ(settle_and_lease(*session_, ResetMode::smart), Settled::clean);
  ASSERT_OK(run(*session_, "INSERT INTO t VALUES (4)"));
  EXPECT_EQ(ask(*session_, "SELECT n FROM log"), "4");
  EXPECT_EQ(ask(*session_, "SELECT changes() || ' ' || total_changes()"), "1 6");
}

TEST_F(SqliteLease, AReadLeaseCannotWriteOnTheNativeHandleEither) {
  EXPECT_EQ(settle_and_lease(*session_, ResetMode::smart, LeaseMode::read), Settled::clean);
  EXPECT_EQ(run(*session_, "INSERT INTO t VALUES (4)").sqlstate(), "25006");
  EXPECT_NE(run_native(*session_, "INSERT INTO t VALUES (4)"), SQLITE_OK);
  session_->vouch();
  const Status status = run(*session_, "BEGIN IMMEDIATE");
  EXPECT_EQ(status.sqlstate(), "25006");
  EXPECT_FALSE(status.hint().empty());
  EXPECT_OK(run(*session_, "EXPLAIN INSERT INTO t VALUES (4); PRAGMA journal_mode; BEGIN; SELECT * FROM t; COMMIT"));
  EXPECT_OK(run(*session_, "PRAGMA query_only = off"));
  EXPECT_EQ(run(*session_, "INSERT INTO t VALUES (4)").sqlstate(), "25006");  // the lease decides, not the pragma
  EXPECT_EQ(settle_and_lease(*session_, ResetMode::smart), Settled::clean);
  EXPECT_OK(run(*session_, "INSERT INTO t VALUES (4)"));
}

TEST_F(SqliteLease, ANativeHandleTakenWhileTheSessionWorksCannotWriteEither) {
  ASSERT_EQ(settle_and_lease(*session_, ResetMode::smart, LeaseMode::read), Settled::clean);
  std::thread reader([this] {
    EXPECT_OK(run(*session_,
                  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) "
                  "SELECT count(*) FROM n"));
  });
  while (session_->facts().queries_total < 2) std::this_thread::yield();
  EXPECT_EQ(run_native(*session_, "INSERT INTO t VALUES (4)"), SQLITE_READONLY);
  reader.join();
}

TEST_F(SqliteLease, NativeTransactionIsRolledBack) {
  ASSERT_EQ(run_native(*session_, "BEGIN IMMEDIATE; DELETE FROM t"), SQLITE_OK);
  EXPECT_EQ(session_->settle(ResetMode::rollback), Settled::spent);
  Stranger stranger(dir_.file());
  EXPECT_EQ(stranger.run("BEGIN IMMEDIATE"), SQLITE_OK);  // at once, not when the session is closed
  EXPECT_EQ(ask(*make_session(), "SELECT count(*) FROM t"), "3");
}

TEST_F(SqliteLease, UnfinishedStatementIsReset) {
  Stranger stranger(dir_.file());
  sqlite3_stmt* statement = leave_half_read(*session_);
  ASSERT_EQ(stranger.run("INSERT INTO t VALUES (4)"), SQLITE_OK);
  session_->vouch();
  EXPECT_EQ(settle_and_lease(*session_, ResetMode::smart), Settled::clean);
  EXPECT_EQ(sqlite3_txn_state(static_cast<sqlite3*>(session_->native()), nullptr), SQLITE_TXN_NONE);
  EXPECT_EQ(ask(*session_, "SELECT count(*) FROM t"), "4");
  EXPECT_EQ(sqlite3_step(statement), SQLITE_ROW);  // still the holder's own, and still good
  EXPECT_EQ(sqlite3_finalize(statement), SQLITE_OK);
}

// Everything SQLite lets a holder leave on the handle; `calls` is the context of what can be called.
struct Leaving {
  const char* what;
  void (*leave)(sqlite3* database, int* calls);
};

void count_call(sqlite3_context* context, int, sqlite3_value**) {
  ++*static_cast<int*>(sqlite3_user_data(context));
  sqlite3_result_text(context, "the holder before", -1, SQLITE_STATIC);
}

const sqlite3_module kEmptyModule{};

const Leaving kLeavings[] = {
    {"nothing", [](sqlite3*, int*) {}},
    {"a function",
     [](sqlite3* db, int* calls) {
       sqlite3_create_function(db, "who", 0, SQLITE_UTF8, calls, count_call, nullptr, nullptr);
     }},
    {"a function in the place of one of SQLite's",
     [](sqlite3* db, int* calls) {
       sqlite3_create_function(db, "upper", 1, SQLITE_UTF8, calls, count_call, nullptr, nullptr);
     }},
    {"a collation",
     [](sqlite3* db, int* calls) {
       sqlite3_create_collation(
           db, "nocase", SQLITE_UTF8, calls,
           [](void* context, int, const void*, int, const void*) { return ++*static_cast<int*>(context), 0; });
     }},
    {"a source of collations",
     [](sqlite3* db, int* calls) {
       sqlite3_collation_needed(db, calls,
                                [](void* context, sqlite3*, int, const char*) { ++*static_cast<int*>(context); });
     }},
    {"a module", [](sqlite3* db, int*) { sqlite3_create_module(db, "holder", &kEmptyModule, nullptr); }},
    {"a limit", [](sqlite3* db, int*) { sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0); }},
    {"a short limit on statements", [](sqlite3* db, int*) { sqlite3_limit(db, SQLITE_LIMIT_SQL_LENGTH, 5); }},
    {"extensions that may be loaded", [](sqlite3* db, int*) { sqlite3_enable_load_extension(db, 1); }},
    {"triggers off", [](sqlite3* db, int*) { sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr); }},
    {"texts in double quotes off",
     [](sqlite3* db, int*) { sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, nullptr); }},
    {"defensive mode", [](sqlite3* db, int*) { sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr); }},
    {"a commit hook",
     [](sqlite3* db, int* calls) {
       sqlite3_commit_hook(
           db, [](void* context) { return ++*static_cast<int*>(context), 1; }, calls);
     }},
    {"a rollback hook in a transaction",
     [](sqlite3* db, int* calls) {
       sqlite3_rollback_hook(
           db, [](void* context) { ++*static_cast<int*>(context); }, calls);
       sqlite3_exec(db, "BEGIN IMMEDIATE; DELETE FROM t", nullptr, nullptr, nullptr);
     }},
    {"an update hook",
     [](sqlite3* db, int* calls) {
       sqlite3_update_hook(
           db, [](void* context, int, const char*, const char*, sqlite3_int64) { ++*static_cast<int*>(context); },
           calls);
     }},
    {"a trace",
     [](sqlite3* db, int* calls) {
       sqlite3_trace_v2(
           db, SQLITE_TRACE_STMT, [](unsigned, void* context, void*, void*) { return ++*static_cast<int*>(context); },
           calls);
     }},
    {"a progress handler",
     [](sqlite3* db, int* calls) {
       sqlite3_progress_handler(
           db, 1, [](void* context) { return ++*static_cast<int*>(context); }, calls);
     }},
    {"another authorizer", [](sqlite3* db, int*) { sqlite3_set_authorizer(db, nullptr, nullptr); }},
    {"a busy timeout", [](sqlite3* db, int*) { sqlite3_busy_timeout(db, 3'600'000); }},
};

// S7
TEST_F(SqliteLease, S7NativeStateReachesNoOtherLease) {
  for (const Leaving& leaving : kLeavings) {
    SCOPED_TRACE(leaving.what);
    for (const ResetMode mode : {ResetMode::none, ResetMode::rollback, ResetMode::smart, ResetMode::full}) {
      auto session = make_session();
      auto calls = std::make_unique<int>(0);
      leaving.leave(static_cast<sqlite3*>(session->native()), calls.get());
      *calls = 0;
      const Settled settled = session->settle(mode);
      EXPECT_NE(settled, Settled::clean);
      EXPECT_NE(settled, Settled::needs_reset);
      EXPECT_EQ(*calls, 0);
      calls.reset();  // the context is gone when the session is closed
      session.reset();
    }
  }
  EXPECT_EQ(ask(*make_session(), "SELECT count(*) FROM t"), "3");
}

// It would run while the keeper takes the lease away, and its context may be gone.
TEST_F(SqliteLease, NativeCallbackIsNotCalledAtRevocation) {
  int calls = 0;
  sqlite3_rollback_hook(
      static_cast<sqlite3*>(session_->native()), [](void* context) { ++*static_cast<int*>(context); }, &calls);
  ASSERT_OK(run(*session_, "BEGIN IMMEDIATE; DELETE FROM t"));
  session_->disarm();
  session_.reset();
  EXPECT_EQ(calls, 0);
}

TEST_F(SqliteLease, ReleaseUnchangedKeepsTheSession) {
  for (const ResetMode mode : {ResetMode::none, ResetMode::rollback, ResetMode::smart, ResetMode::full}) {
    ASSERT_EQ(run_native(*session_, "SELECT * FROM t"), SQLITE_OK);
    session_->vouch();
    EXPECT_EQ(settle_and_lease(*session_, mode), Settled::clean);
  }
  session_->native();
  EXPECT_EQ(session_->settle(ResetMode::smart), Settled::spent);  // vouched for one lease, not for the next
}

// What can be undone is, also where a holder vouches for what is not so.
TEST_F(SqliteLease, ReleaseUnchangedRemovesCallbacksAndSettings) {
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
  session_->vouch();
  EXPECT_EQ(settle_and_lease(*session_, ResetMode::rollback), Settled::clean);
  EXPECT_OK(run(*session_, "INSERT INTO t VALUES (4)"));
  EXPECT_EQ(calls, 0);
  Stranger stranger(dir_.file());
  ASSERT_EQ(stranger.run("BEGIN IMMEDIATE"), SQLITE_OK);
  EXPECT_EQ(run(*session_, "INSERT INTO t VALUES (5)", nullptr, {}, clock_.now() + Span::millis(20)).code,
            Code::timeout);
  ASSERT_EQ(run_native(*session_, "PRAGMA foreign_keys = off; PRAGMA cache_size = 9"), SQLITE_OK);
  sqlite3_db_config(database, SQLITE_DBCONFIG_ENABLE_FKEY, 0, nullptr);
  session_->vouch();
  EXPECT_EQ(settle_and_lease(*session_, ResetMode::smart), Settled::clean);
  EXPECT_EQ(ask(*session_, "PRAGMA foreign_keys"), "1");
  EXPECT_EQ(ask(*session_, "PRAGMA cache_size"), "1000");
}

TEST_F(SqliteLease, ForeignAuthorizerEndsTheSession) {
  sqlite3_set_authorizer(static_cast<sqlite3*>(session_->native()), nullptr, nullptr);
  session_->vouch();
  EXPECT_EQ(session_->settle(ResetMode::smart), Settled::spent);
}

// S4
TEST_F(SqliteLease, S4DisarmedSessionRejectsNativeStatements) {
  sqlite3_stmt* statement = leave_half_read(*session_);
  auto* database = static_cast<sqlite3*>(session_->native());
  ASSERT_EQ(run_native(*session_, "BEGIN IMMEDIATE; INSERT INTO t VALUES (4)"), SQLITE_OK);
  std::thread([&] { session_->disarm(); }).join();
  std::thread([&] { session_->finish_disarm(); }).join();
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

TEST_F(SqliteLease, KeeperDoesNotWaitForNativeUse) {
  ASSERT_OK(run(*session_, "BEGIN; SELECT * FROM t"));
  sqlite3_stmt* statement = leave_half_read(*session_);
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

TEST_F(SqliteLease, FactsDistinguishReadingFromWriting) {
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
