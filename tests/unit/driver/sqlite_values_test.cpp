// Values: parameters are bound by their type, results have the storage class of SQLite.
#include <limits>

#include "driver/sqlite/statement.hpp"
#include "unit/driver/sqlite_support.hpp"

namespace tide::test {
namespace {

class SqliteValues : public SqliteRoom {
 protected:
  void SetUp() override { session_ = make_session(); }
  Status run_typed(std::string_view sql, const std::vector<SqlValue>& params, ResultTable* out = nullptr,
                   Placeholders style = Placeholders::native) {
    ResultTable unused;
    QueryRequest request;
    request.sql = sql;
    request.params = params;
    request.placeholders = style;
    return session_->query(request, out != nullptr ? *out : unused);
  }
  std::string ask_typed(std::string_view sql, const std::vector<SqlValue>& params) {
    ResultTable out;
    EXPECT_OK(run_typed(sql, params, &out));
    const char* text = out.text(0, 0);
    return text != nullptr ? text : "NULL";
  }
  std::unique_ptr<SqliteConnection> session_;
};

TEST_F(SqliteValues, ParametersHaveTheStorageClassOfTheirType) {
  EXPECT_EQ(ask_typed("SELECT typeof(?1)", {SqlValue::of(int64_t{1})}), "integer");
  EXPECT_EQ(ask_typed("SELECT typeof(?1)", {SqlValue::of_boolean(true)}), "integer");
  EXPECT_EQ(ask_typed("SELECT typeof(?1)", {SqlValue::of(1.0)}), "real");
  EXPECT_EQ(ask_typed("SELECT typeof(?1)", {SqlValue::of_text("1")}), "text");
  EXPECT_EQ(ask_typed("SELECT typeof(?1)", {SqlValue::of_text({})}), "text");
  EXPECT_EQ(ask_typed("SELECT typeof(?1)", {SqlValue::of_bytes("1")}), "blob");
  EXPECT_EQ(ask_typed("SELECT typeof(?1)", {SqlValue::of_bytes({})}), "blob");
  EXPECT_EQ(ask_typed("SELECT typeof(?1)", {SqlValue::null()}), "null");
}

TEST_F(SqliteValues, NumbersAreWrittenAsBySqlite) {
  ResultTable out;
  ASSERT_OK(
      run(*session_,
          "SELECT 1.0, 0.1, 1e300, 1.0 / 3, 9e999, -9e999, 100, 1e15, 123456789012345678,"
          " CAST(1.0 AS text), CAST(0.1 AS text), CAST(1e300 AS text), CAST(1.0 / 3 AS text), CAST(9e999 AS text),"
          " CAST(-9e999 AS text), CAST(100 AS text), CAST(1e15 AS text), CAST(123456789012345678 AS text)",
          &out));
  for (int column = 0; column < 9; ++column) {
    EXPECT_NE(out.cell(0, column).kind, SqlValue::Kind::text);
    EXPECT_STREQ(out.text(0, column), out.text(0, column + 9));
  }
}

TEST_F(SqliteValues, ColumnsHaveTheirDeclaredType) {
  ASSERT_OK(run(*session_, "CREATE TABLE t (a INTEGER, b VARCHAR(20), c)"));
  ResultTable out;
  ASSERT_OK(run(*session_, "SELECT a, b, c, a + 1 FROM t", &out));
  EXPECT_EQ(out.column(0)->declared_type, "INTEGER");
  EXPECT_EQ(out.column(1)->declared_type, "VARCHAR(20)");
  EXPECT_EQ(out.column(2)->declared_type, "");
  EXPECT_EQ(out.column(3)->declared_type, "");
}

TEST_F(SqliteValues, TheInsertedIdIsThatOfTheLease) {
  ASSERT_OK(run(*session_,
                "CREATE TABLE t (id INTEGER PRIMARY KEY, x UNIQUE); CREATE TABLE log (x);"
                "INSERT INTO log VALUES (1), (2), (3);"
                "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.id); END"));
  const auto id_of = [&](std::string_view sql) {
    ResultTable out;
    EXPECT_OK(run(*session_, sql, &out));
    return out.last_insert_id();
  };
  EXPECT_EQ(id_of("INSERT INTO t VALUES (70, 'a')"), 70);
  EXPECT_EQ(id_of("REPLACE INTO t VALUES (71, 'a')"), 71);
  EXPECT_EQ(id_of("WITH v(x) AS (SELECT 72) INSERT INTO t SELECT x, x FROM v"), 72);
  EXPECT_EQ(id_of("INSERT OR IGNORE INTO t VALUES (73, 'a')"), 0);  // no row was inserted
  EXPECT_EQ(id_of("UPDATE t SET x = x || '!'"), 0);
  EXPECT_EQ(id_of("CREATE TABLE u AS SELECT * FROM t"), 0);
  EXPECT_EQ(id_of("SELECT 1"), 0);
}

TEST_F(SqliteValues, NanIsRefusedByTheNumberOfItsParameter) {
  const Status status =
      run_typed("SELECT ?1, ?2", {SqlValue::of(1.0), SqlValue::of(std::numeric_limits<double>::quiet_NaN())});
  EXPECT_EQ(status.code, Code::bad_argument);
  EXPECT_EQ(status.message(), "parameter 2 is NaN");
}

TEST_F(SqliteValues, ConstraintsAreReadFromTheMessage) {
  ASSERT_OK(run(*session_,
                "CREATE TABLE t (a, b NOT NULL, c CONSTRAINT small CHECK (c < 10), d CHECK (d > 0),"
                " UNIQUE (a, b)); CREATE UNIQUE INDEX odd ON t (abs(c)); INSERT INTO t VALUES (1, 1, 1, 1)"));
  const auto place_of = [&](std::string_view sql) {
    const Status status = run(*session_, sql);
    EXPECT_NE(status.place(), nullptr) << status.message();
    return status.place() != nullptr ? *status.place() : ErrorPlace{};
  };
  EXPECT_EQ(place_of("INSERT INTO t VALUES (1, 1, 2, 1)").table, "t");
  EXPECT_EQ(place_of("INSERT INTO t VALUES (1, 1, 2, 1)").column, "");  // several
  EXPECT_EQ(place_of("INSERT INTO t VALUES (2, NULL, 2, 1)").table, "t");
  EXPECT_EQ(place_of("INSERT INTO t VALUES (2, NULL, 2, 1)").column, "b");
  EXPECT_EQ(place_of("INSERT INTO t VALUES (2, 2, 20, 1)").constraint, "small");
  EXPECT_EQ(place_of("INSERT INTO t VALUES (2, 2, 2, 0)").constraint, "d > 0");
  EXPECT_EQ(place_of("INSERT INTO t VALUES (2, 2, -1, 1)").constraint, "odd");
}

TEST_F(SqliteValues, PositionsCountCharactersOfTheGivenText) {
  const auto place_of = [&](std::string_view sql, Placeholders style) {
    const Status status = run_typed(sql, {}, nullptr, style);
    EXPECT_NE(status.place(), nullptr) << status.message();
    return std::pair(status.place() != nullptr ? status.place()->position : 0, status.detail());
  };
  const std::pair expected(27, std::string("At byte 29 of the text."));
  EXPECT_EQ(place_of("SELECT 1; SELECT '\u00fc\u00fc', 1, x", Placeholders::native), expected);
  EXPECT_EQ(place_of("SELECT 1; SELECT '\u00fc\u00fc', 1, x", Placeholders::numbered), expected);
}

TEST_F(SqliteValues, EveryRowOfAResultIsBounded) {
  QueryRequest request;
  request.sql = "SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3";
  ResultTable out;
  request.bytes_max = 24;
  EXPECT_OK(session_->query(request, out));
  request.bytes_max = 23;
  EXPECT_EQ(session_->query(request, out).sqlstate(), "54000");
}

}  // namespace
}  // namespace tide::test
