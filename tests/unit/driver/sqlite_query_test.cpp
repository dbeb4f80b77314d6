// Statements: values, parameters, several in one text, and how each kind of error is told.
#include "driver/sqlite/statement.hpp"

#include "unit/driver/sqlite_support.hpp"

namespace tide::test {
namespace {

class SqliteQuery : public SqliteRoom {
 protected:
  void SetUp() override {
    session_ = make_session();
    ASSERT_OK(run(*session_,
                  "CREATE TABLE parent (id INTEGER PRIMARY KEY);"
                  "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, n INT CHECK (n < 100),"
                  " parent INT REFERENCES parent)"));
  }
  std::string sqlstate(std::string_view sql) { return run(*session_, sql).sqlstate(); }
  std::unique_ptr<SqliteConnection> session_;
};

TEST_F(SqliteQuery, ValuesOfEveryKind) {
  ResultTable out;
  ASSERT_OK(
      run(*session_, "SELECT NULL, 1, 1.5, 'text', '', x'', x'00ff00', 'a' || char(0) || 'b' AS \"odd name\"", &out));
  ASSERT_EQ(out.columns(), 8);
  ASSERT_EQ(out.rows(), 1);
  EXPECT_EQ(out.text(0, 0), nullptr);
  EXPECT_STREQ(out.text(0, 1), "1");
  EXPECT_STREQ(out.text(0, 2), "1.5");
  EXPECT_STREQ(out.text(0, 3), "text");
  EXPECT_STREQ(out.text(0, 4), "");
  size_t length = 9;
  ASSERT_NE(out.text(0, 5, &length), nullptr);
  EXPECT_EQ(length, 0u);
  const char* blob = out.text(0, 6, &length);
  EXPECT_EQ(std::string(blob, length), std::string("\x00\xff\x00", 3));
  const char* text = out.text(0, 7, &length);
  EXPECT_EQ(std::string(text, length), std::string("a\0b", 3));
  EXPECT_STREQ(out.name(7), "odd name");
}

TEST_F(SqliteQuery, ParametersByNumberAndByPlace) {
  EXPECT_EQ(ask(*session_, "SELECT ?2 || ?1", {"a", "b"}), "ba");
  EXPECT_EQ(ask(*session_, "SELECT $2 || $1 || $2", {"a", "b"}), "bab");
  EXPECT_EQ(ask(*session_, "SELECT ? || ?", {"a", "b"}), "ab");
  EXPECT_EQ(ask(*session_, "SELECT :x || :y", {"a", "b"}), "ab");
  EXPECT_EQ(ask(*session_, "SELECT typeof(?1)", {nullptr}), "null");
  EXPECT_EQ(ask(*session_, "SELECT ?1 + 1", {"41"}), "42");
  EXPECT_EQ(run(*session_, "SELECT ?1, ?2", nullptr, {"a"}).code, Code::bad_argument);
  EXPECT_EQ(run(*session_, "SELECT ?1").code, Code::bad_argument);
  EXPECT_EQ(run(*session_, "-- nothing", nullptr, {"a"}).code, Code::bad_argument);
}

TEST_F(SqliteQuery, SeveralStatements) {
  EXPECT_EQ(ask(*session_, "SELECT 1; SELECT 2"), "2");
  EXPECT_EQ(ask(*session_, " ;; SELECT 3 ; -- end\n ; "), "3");
  ResultTable out;
  ASSERT_OK(run(*session_, "SELECT 1; INSERT INTO parent VALUES (1), (2)", &out));
  EXPECT_EQ(out.columns(), 0);
  EXPECT_EQ(out.affected(), 2);
  EXPECT_EQ(run(*session_, "SELECT ?1; SELECT ?1", nullptr, {"a"}).code, Code::bad_argument);
  EXPECT_EQ(ask(*session_, "SELECT ?1; -- said all ", {"a"}), "a");
  const Status status = run(*session_, "SELECT 1; garbage", &out);
  EXPECT_EQ(status.sqlstate(), "42601");
  EXPECT_EQ(status.detail(), "At byte 11 of the text.");
  EXPECT_EQ(out.columns(), 0);
  EXPECT_OK(run(*session_, "   /* nothing */ "));
  EXPECT_EQ(run(*session_, std::string_view("SELECT 1\0; DROP TABLE t", 23)).code, Code::bad_argument);
}

TEST_F(SqliteQuery, CountsChangedRowsOnly) {
  const auto affected = [&](std::string_view sql) {
    ResultTable out;
    EXPECT_OK(run(*session_, sql, &out));
    return out.affected();
  };
  EXPECT_EQ(affected("INSERT INTO parent VALUES (1), (2), (3)"), 3);
  EXPECT_EQ(affected("CREATE TABLE u AS SELECT id FROM parent"), -1);
  EXPECT_EQ(affected("SELECT * FROM u"), -1);
  EXPECT_EQ(affected("EXPLAIN DELETE FROM u"), -1);
  EXPECT_EQ(affected("BEGIN IMMEDIATE"), -1);
  EXPECT_EQ(affected("UPDATE u SET id = 9 WHERE id = 77"), 0);
  EXPECT_EQ(affected("COMMIT"), -1);
  EXPECT_EQ(affected("PRAGMA user_version = 3"), -1);
  EXPECT_EQ(affected("DELETE FROM u"), 3);
  EXPECT_EQ(affected("VACUUM"), -1);
  EXPECT_EQ(affected("DROP TABLE u"), -1);
  ResultTable out;
  ASSERT_OK(run(*session_, "INSERT INTO parent VALUES (7) RETURNING id", &out));
  EXPECT_STREQ(out.text(0, 0), "7");
  EXPECT_EQ(out.affected(), 1);
}

TEST_F(SqliteQuery, ErrorsHaveSqlstates) {
  ASSERT_OK(run(*session_, "INSERT INTO t VALUES (1, 'a', 1, NULL)"));
  EXPECT_EQ(sqlstate("INSERT INTO t VALUES (2, 'a', 1, NULL)"), "23505");
  EXPECT_EQ(sqlstate("INSERT INTO t VALUES (1, 'b', 1, NULL)"), "23505");
  EXPECT_EQ(sqlstate("INSERT INTO t VALUES (3, NULL, 1, NULL)"), "23502");
  EXPECT_EQ(sqlstate("INSERT INTO t VALUES (3, 'c', 100, NULL)"), "23514");
  EXPECT_EQ(sqlstate("INSERT INTO t VALUES (3, 'c', 1, 12)"), "23503");
  EXPECT_EQ(sqlstate("SELECT"), "42601");
  EXPECT_EQ(sqlstate("SELECT * FROM nowhere"), "42P01");
  EXPECT_EQ(sqlstate("SELECT missing FROM t"), "42703");
  EXPECT_EQ(sqlstate("SELECT nofunction()"), "42883");
  EXPECT_EQ(sqlstate("CREATE TABLE t (x)"), "42P07");
  EXPECT_EQ(sqlstate("COMMIT"), "25P01");
  EXPECT_EQ(sqlstate("BEGIN; BEGIN"), "25001");
  EXPECT_EQ(sqlstate("ROLLBACK"), "");
  EXPECT_EQ(sqlstate("SELECT zeroblob(2000000000)"), "54000");
  const Status status = run(*session_, "INSERT INTO t VALUES (2, 'a', 1, NULL)");
  EXPECT_EQ(status.native_code, SQLITE_CONSTRAINT_UNIQUE);
  EXPECT_EQ(status.message(), "UNIQUE constraint failed: t.name");
}

TEST_F(SqliteQuery, FullDatabaseIsReported) {
  ASSERT_OK(run(*session_, "PRAGMA max_page_count = 20"));
  EXPECT_EQ(sqlstate("INSERT INTO t VALUES (1, hex(randomblob(200000)), 1, NULL)"), "53100");
}

TEST_F(SqliteQuery, ResultSizeIsBounded) {
  auto* database = static_cast<sqlite3*>(session_->native());
  const auto collect = [&](const char* sql, const sqlite::ResultLimits& limits) {
    sqlite::Statement statement;
    std::string_view rest;
    EXPECT_EQ(sqlite::compile(database, sql, statement, rest), SQLITE_OK);
    ResultTable out;
    const sqlite::DatabaseLock lock(database);
    int code = sqlite3_step(statement.get());
    out.set_columns(sqlite::columns_of(statement.get()));
    return sqlite::collect_rows(statement.get(), limits, out, code);
  };
  EXPECT_OK(collect("VALUES (1), (2), (3)", {100, 3}));
  EXPECT_EQ(collect("VALUES (1), (2), (3)", {100, 2}).sqlstate(), "54000");
  EXPECT_OK(collect("SELECT zeroblob(100)", {100, 10}));
  EXPECT_EQ(collect("SELECT zeroblob(101)", {100, 10}).sqlstate(), "54000");
  EXPECT_EQ(collect("VALUES (zeroblob(60)), (zeroblob(60))", {100, 10}).sqlstate(), "54000");
}

TEST_F(SqliteQuery, SchemaChangedByAnotherSession) {
  const auto other = make_session();
  EXPECT_EQ(ask(*session_, "SELECT count(*) FROM parent"), "0");
  ASSERT_OK(run(*other, "ALTER TABLE parent ADD COLUMN more DEFAULT 'x'; INSERT INTO parent (id) VALUES (1)"));
  ResultTable out;
  ASSERT_OK(run(*session_, "SELECT * FROM parent", &out));
  EXPECT_EQ(out.columns(), 2);
}

// S5: what SQLite rolls back behind the holder's back must not go on as single statements.
TEST_F(SqliteQuery, S5AfterAutomaticRollbackOnlyRollbackIsAccepted) {
  ASSERT_OK(run(*session_, "BEGIN; INSERT INTO parent VALUES (1)"));
  EXPECT_EQ(sqlstate("INSERT OR ROLLBACK INTO parent VALUES (1)"), "23505");
  EXPECT_EQ(turn_holder(), 0u);
  EXPECT_EQ(sqlstate("INSERT INTO parent VALUES (2)"), "25P02");
  EXPECT_EQ(sqlstate("COMMIT"), "25P02");
  EXPECT_EQ(sqlstate("garbage"), "25P02");
  EXPECT_FALSE(session_->facts().is_in_transaction);
  EXPECT_OK(run(*session_, "ROLLBACK"));
  EXPECT_EQ(ask(*session_, "SELECT count(*) FROM parent"), "0");
}

TEST_F(SqliteQuery, FailedStatementKeepsItsTransaction) {
  ASSERT_OK(run(*session_, "BEGIN; INSERT INTO parent VALUES (1)"));
  EXPECT_EQ(sqlstate("INSERT INTO parent VALUES (1)"), "23505");
  EXPECT_OK(run(*session_, "INSERT INTO parent VALUES (2); COMMIT"));
  EXPECT_EQ(ask(*session_, "SELECT count(*) FROM parent"), "2");
}

}  // namespace
}  // namespace tide::test
