// Statements that a session keeps prepared: that they are, and that nobody can tell.
#include "unit/driver/sqlite_support.hpp"

namespace tide::test {
namespace {

class SqlitePrepared : public SqliteRoom {
 protected:
  void SetUp() override {
    session_ = make_session();
    ASSERT_OK(run(*session_, "CREATE TABLE t (x); INSERT INTO t VALUES (1), (2)"));
  }
  StatementCounts counts() const { return session_->facts().statements; }
  void repeat(std::string_view sql, int times = 3) {
    for (int i = 0; i < times; ++i) EXPECT_OK(run(*session_, sql));
  }
  std::unique_ptr<SqliteConnection> session_;
};

TEST_F(SqlitePrepared, PreparedAtTheSecondUse) {
  const StatementCounts before = counts();
  repeat("SELECT count(*) FROM t", 1);
  EXPECT_EQ(counts().held, before.held);
  repeat("SELECT count(*) FROM t", 1);
  EXPECT_EQ(counts().held, before.held + 1);
  EXPECT_EQ(counts().hits_total, before.hits_total);
  repeat("SELECT count(*) FROM t", 3);
  EXPECT_EQ(counts().hits_total, before.hits_total + 3);
  EXPECT_EQ(counts().misses_total, before.misses_total + 2);
  EXPECT_GT(counts().bytes, 500u);
}

// Their effect on the session is seen when they are compiled, so that each use must compile them.
TEST_F(SqlitePrepared, StatementsThatChangeTheSessionAreNot) {
  const StatementCounts before = counts();
  repeat("PRAGMA cache_size = 100");
  repeat("CREATE TEMP TABLE IF NOT EXISTS mine (x)");
  for (int i = 0; i < 3; ++i) {
    repeat("ATTACH ':memory:' AS more", 1);
    repeat("DETACH more", 1);
  }
  repeat("SELECT 1; SELECT 2");
  EXPECT_EQ(counts().held, before.held);
  for (int lease = 0; lease < 3; ++lease) {
    ASSERT_OK(run(*session_, "PRAGMA synchronous = OFF"));
    ASSERT_OK(run(*session_, "CREATE TEMP TABLE IF NOT EXISTS mine (x)"));
    ASSERT_EQ(settle_and_lease(*session_, ResetMode::smart), Settled::clean);
    EXPECT_EQ(ask(*session_, "PRAGMA synchronous"), "1");
    EXPECT_EQ(ask(*session_, "SELECT count(*) FROM temp.sqlite_schema"), "0");
  }
}

TEST_F(SqlitePrepared, ADropThatFindsItsTableIsSeen) {
  repeat("DROP TABLE IF EXISTS temp.mine");
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK(run(*session_, "CREATE TEMP TABLE mine (x)"));
    ResultTable out;
    ASSERT_OK(run(*session_, "DROP TABLE IF EXISTS temp.mine", &out));
    EXPECT_EQ(out.affected(), -1);
    EXPECT_EQ(ask(*session_, "SELECT count(*) FROM temp.sqlite_schema"), "0");
  }
}

TEST_F(SqlitePrepared, AReadLeaseRefusesAPreparedChange) {
  repeat("UPDATE t SET x = x + 1");
  ASSERT_EQ(settle_and_lease(*session_, ResetMode::smart, LeaseMode::read), Settled::clean);
  EXPECT_EQ(run(*session_, "UPDATE t SET x = x + 1").sqlstate(), "25006");
  ASSERT_EQ(settle_and_lease(*session_, ResetMode::smart), Settled::clean);
  EXPECT_OK(run(*session_, "UPDATE t SET x = x + 1"));
  EXPECT_EQ(ask(*session_, "SELECT sum(x) FROM t"), "11");
}

TEST_F(SqlitePrepared, TransactionsAreFollowed) {
  for (int i = 0; i < 4; ++i) {
    ASSERT_OK(run(*session_, "BEGIN IMMEDIATE"));
    EXPECT_EQ(turn_holder(), session_->number());
    EXPECT_TRUE(session_->facts().is_in_transaction);
    ASSERT_TRUE(session_->end_transaction("idle"));
    EXPECT_EQ(run(*session_, "SELECT count(*) FROM t").sqlstate(), "25P03");
    EXPECT_OK(run(*session_, "ROLLBACK"));
    ASSERT_OK(run(*session_, "BEGIN IMMEDIATE"));
    ASSERT_OK(run(*session_, "COMMIT"));
    EXPECT_EQ(turn_holder(), 0u);
  }
}

TEST_F(SqlitePrepared, ValuesOfAnEarlierUseAreForgotten) {
  for (int i = 0; i < 4; ++i) EXPECT_EQ(ask(*session_, "SELECT ?1", {"value"}), "value");
  EXPECT_EQ(run(*session_, "SELECT ?1").code, Code::bad_argument);
  EXPECT_EQ(ask(*session_, "SELECT ?1", {nullptr}), "NULL");
}

TEST_F(SqlitePrepared, AFailedStatementCanBeUsedAgain) {
  ASSERT_OK(run(*session_, "CREATE UNIQUE INDEX i ON t (x)"));
  repeat("INSERT INTO t SELECT max(x) + 1 FROM t");
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(run(*session_, "INSERT INTO t VALUES (1 + length(?1))", nullptr, {""}).sqlstate(), "23505");
  }
  EXPECT_EQ(turn_holder(), 0u);
  EXPECT_OK(run(*session_, "INSERT INTO t VALUES (1 + length(?1))", nullptr, {"0123456789"}));
}

// A common way to clean up: whoever does it must not finalize the statements of the driver.
TEST_F(SqlitePrepared, AHolderOfTheHandleFindsNone) {
  repeat("SELECT count(*) FROM t");
  ASSERT_GT(counts().held, 0u);
  auto* database = static_cast<sqlite3*>(session_->native());
  EXPECT_EQ(sqlite3_next_stmt(database, nullptr), nullptr);
  EXPECT_EQ(counts().held, 0u);
  repeat("SELECT count(*) FROM t");
  EXPECT_EQ(sqlite3_next_stmt(database, nullptr), nullptr);
  session_->vouch();
  ASSERT_EQ(settle_and_lease(*session_, ResetMode::smart), Settled::clean);
  repeat("SELECT count(*) FROM t", 4);
  EXPECT_GT(counts().held, 0u);
}

TEST_F(SqlitePrepared, AClosedSessionLeavesNoHandle) {
  repeat("SELECT count(*) FROM t");
  repeat("INSERT INTO t VALUES (1)");
  session_.reset();
  EXPECT_FALSE(std::filesystem::exists(dir_.file("test.db-wal")));  // the last close has removed it
}

TEST_F(SqlitePrepared, ARestoredSessionExecutesPreparedStatements) {
  repeat("SELECT count(*) FROM t", 4);
  ASSERT_OK(session_->restore(clock_.now() + Span::seconds(30)));
  EXPECT_EQ(ask(*session_, "SELECT count(*) FROM t"), "2");
}

TEST_F(SqlitePrepared, ForeignKeysHoldForPreparedStatements) {
  ASSERT_OK(run(*session_, "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p)"));
  ASSERT_OK(run(*session_, "PRAGMA foreign_keys = OFF"));
  repeat("INSERT INTO c VALUES (1)");
  ASSERT_EQ(settle_and_lease(*session_, ResetMode::smart), Settled::clean);
  EXPECT_EQ(run(*session_, "INSERT INTO c VALUES (1)").sqlstate(), "23503");
}

// ---- PRAGMA optimize

TEST_F(SqlitePrepared, AClosedSessionCollectsStatistics) {
  ASSERT_OK(run(*session_,
                "CREATE TABLE big (a, b); CREATE INDEX by_a ON big (a); CREATE INDEX by_b ON big (b);"
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2000)"
                " INSERT INTO big SELECT i % 3, i FROM n; ANALYZE; DELETE FROM sqlite_stat1"));
  const auto other = make_session();
  ASSERT_OK(run(*other, "SELECT count(*) FROM big WHERE a = 1 AND b = 2"));
  EXPECT_EQ(ask(*other, "SELECT count(*) FROM sqlite_stat1"), "0");
  session_ = make_session();
  ASSERT_OK(run(*session_, "SELECT count(*) FROM big WHERE a = 1 AND b = 2"));
  session_.reset();
  EXPECT_NE(ask(*other, "SELECT count(*) FROM sqlite_stat1"), "0");
}

TEST_F(SqlitePrepared, AClosedSessionWaitsForNobody) {
  ASSERT_OK(run(*session_, "CREATE TABLE big (a, b); CREATE INDEX by_a ON big (a); CREATE INDEX by_b ON big (b)"));
  const auto writer = make_session();
  ASSERT_OK(run(*writer, "BEGIN IMMEDIATE; INSERT INTO big VALUES (1, 1)"));
  Stranger stranger(dir_.file("test.db"));
  ASSERT_OK(run(*session_, "SELECT count(*) FROM big WHERE a = 1 AND b = 2"));
  const Instant before = clock_.now();
  session_.reset();
  EXPECT_LT((clock_.now() - before).ms(), 5000);  // the busy timeout is a minute
  EXPECT_EQ(turn_holder(), writer->number());
  EXPECT_OK(run(*writer, "COMMIT"));
}

}  // namespace
}  // namespace tide::test
