// Parameters, rows and texts of the PostgreSQL driver, without a server; tests/conformance has one.
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "driver/libpq/parameters.hpp"
#include "driver/libpq/rows.hpp"
#include "driver/libpq/statements.hpp"
#include "statement/limits.hpp"
#include "unit/driver/support.hpp"

namespace tide::libpq {
namespace {

constexpr Oid kUnknown = 0;
constexpr Oid kInt2 = 21;
constexpr Oid kInt4 = 23;
constexpr Oid kText = 25;
constexpr Oid kFloat8 = 701;
constexpr Oid kBytea = 17;
constexpr Oid kBool = 16;

// What is sent for one value: "text:..." or "binary:" with hexadecimal digits.
std::string sent(const SqlValue& value, Oid type) {
  Parameters parameters;
  const Oid types[] = {type};
  if (const Status set = parameters.set({&value, 1}, types); !set) return "refused: " + set.message();
  if (parameters.count() != 1) return "none";
  if (parameters.values()[0] == nullptr) return "null";
  if (parameters.formats()[0] == 0) return std::string("text:") + parameters.values()[0];
  std::string out = "binary:";
  for (int i = 0; i < parameters.lengths()[0]; ++i) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned char>(parameters.values()[0][i]));
    out += digits;
  }
  return out;
}

TEST(PostgresqlParameters, WithoutATypeEverythingButBytesIsText) {
  EXPECT_EQ(sent(SqlValue::null(), kUnknown), "null");
  EXPECT_EQ(sent(SqlValue::of(int64_t{-7}), kUnknown), "text:-7");
  EXPECT_EQ(sent(SqlValue::of(0.1), kUnknown), "text:0.1");
  EXPECT_EQ(sent(SqlValue::of(std::numeric_limits<double>::infinity()), kUnknown), "text:Infinity");
  EXPECT_EQ(sent(SqlValue::of(-std::numeric_limits<double>::infinity()), kUnknown), "text:-Infinity");
  EXPECT_EQ(sent(SqlValue::of(std::numeric_limits<double>::quiet_NaN()), kUnknown), "text:NaN");
  EXPECT_EQ(sent(SqlValue::of_boolean(true), kUnknown), "text:true");
  EXPECT_EQ(sent(SqlValue::of_text("a"), kUnknown), "text:a");
  EXPECT_EQ(sent(SqlValue::of_text({}), kUnknown), "text:");
  EXPECT_EQ(sent(SqlValue::of_bytes({"\0a", 2}), kUnknown), "binary:0061");
}

TEST(PostgresqlParameters, WhatFitsItsTypeIsBinary) {
  EXPECT_EQ(sent(SqlValue::of(int64_t{-2}), kInt2), "binary:fffe");
  EXPECT_EQ(sent(SqlValue::of(int64_t{32768}), kInt2), "text:32768");
  EXPECT_EQ(sent(SqlValue::of(int64_t{1}), kInt4), "binary:00000001");
  EXPECT_EQ(sent(SqlValue::of_text("1"), kInt4), "text:1");
  EXPECT_EQ(sent(SqlValue::of(1.5), kInt4), "text:1.5");
  EXPECT_EQ(sent(SqlValue::of(1.0), kFloat8), "binary:3ff0000000000000");
  EXPECT_EQ(sent(SqlValue::of(int64_t{1}), kFloat8), "binary:3ff0000000000000");
  EXPECT_EQ(sent(SqlValue::of((int64_t{1} << 53) + 1), kFloat8), "text:9007199254740993");
  EXPECT_EQ(sent(SqlValue::of_boolean(true), kBool), "binary:01");
  EXPECT_EQ(sent(SqlValue::of_text("ab"), kText), "binary:6162");
  EXPECT_EQ(sent(SqlValue::of(int64_t{1}), kText), "text:1");
  EXPECT_EQ(sent(SqlValue::of_bytes("a"), kBytea), "binary:61");
}

TEST(PostgresqlParameters, ANulByteInATextIsRefused) {
  for (const Oid type : {kUnknown, kText}) {
    EXPECT_EQ(sent(SqlValue::of_text({"a\0b", 3}), type), "refused: parameter 1 is a text with a NUL byte");
  }
}

TEST(PostgresqlParameters, OnlyTheTypeOfBytesIsToldToTheServer) {
  Parameters parameters;
  const SqlValue values[] = {SqlValue::of(int64_t{1}), SqlValue::of_bytes("a")};
  ASSERT_OK(parameters.set({values, 1}, {}));
  EXPECT_EQ(parameters.types(), nullptr);
  ASSERT_OK(parameters.set(values, {}));
  ASSERT_NE(parameters.types(), nullptr);
  EXPECT_EQ(parameters.types()[0], kUnknown);
  EXPECT_EQ(parameters.types()[1], kBytea);
  std::string types = "old";
  Parameters::note_types({values, 1}, types);
  EXPECT_EQ(types, "");
  Parameters::note_types(values, types);
  EXPECT_EQ(types, "2b");
}

TEST(PostgresqlParameters, ManyKeepTheirValues) {
  std::vector<SqlValue> values;
  const std::string text(1000, 't');
  for (int64_t i = 0; i < 2000; ++i) values.push_back(i % 2 == 0 ? SqlValue::of(i) : SqlValue::of_text(text));
  Parameters parameters;
  ASSERT_OK(parameters.set(values, {}));
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(std::string_view(parameters.values()[i]), i % 2 == 0 ? std::to_string(i) : text);
  }
  values.assign(size_t{kParametersMax} + 1, SqlValue::null());
  EXPECT_EQ(parameters.set(values, {}).code, Code::bad_argument);
}

// A result with one column of this type.
ResultHandle result_of(Oid type, const std::vector<const char*>& values) {
  ResultHandle result(PQmakeEmptyPGresult(nullptr, PGRES_TUPLES_OK));
  std::string name = "c";
  PGresAttDesc column{name.data(), 0, 0, 0, type, 0, 7};
  EXPECT_NE(PQsetResultAttrs(result.get(), 1, &column), 0);
  for (size_t i = 0; i < values.size(); ++i) {
    std::string value = values[i] == nullptr ? "" : values[i];
    EXPECT_NE(PQsetvalue(result.get(), static_cast<int>(i), 0, values[i] == nullptr ? nullptr : value.data(),
                         values[i] == nullptr ? -1 : static_cast<int>(value.size())),
              0);
  }
  return result;
}

TEST(PostgresqlRows, CellsHaveTheKindOfTheirType) {
  const PgRows numbers(result_of(kInt4, {"5", nullptr, "x"}));
  EXPECT_EQ(numbers.cell(0, 0).integer, 5);
  EXPECT_TRUE(numbers.cell(1, 0).is_null());
  EXPECT_EQ(numbers.cell(2, 0).kind, SqlValue::Kind::text);  // never sent by a server
  EXPECT_EQ(PgRows(result_of(kBool, {"t"})).cell(0, 0).kind, SqlValue::Kind::boolean);
  EXPECT_EQ(PgRows(result_of(kFloat8, {"-Infinity"})).cell(0, 0).real, -std::numeric_limits<double>::infinity());
  EXPECT_NE(PgRows(result_of(kFloat8, {"NaN"})).cell(0, 0).real, 0);
  const PgRows bytes(result_of(kBytea, {"\\x00ff"}));
  const SqlValue first = bytes.cell(0, 0);
  EXPECT_EQ(first.data, std::string_view("\0\xff", 2));
  EXPECT_EQ(bytes.cell(0, 0).data.data(), first.data.data()) << "decoded once";
  std::string_view text;
  EXPECT_TRUE(bytes.text(0, 0, text));
  EXPECT_EQ(text, "\\x00ff");
}

TEST(PostgresqlRows, PartsFollowEachOther) {
  PgRows rows;
  EXPECT_EQ(rows.rows(), 0);
  rows.add(result_of(kInt4, {"0", "1"}));
  rows.add(result_of(kInt4, {"2"}));
  rows.add(result_of(kInt4, {"3", "4", "5"}));
  ASSERT_EQ(rows.rows(), 6);
  for (int64_t i = 0; i < 6; ++i) EXPECT_EQ(rows.cell(i, 0).integer, i);
}

TEST(PostgresqlRows, TheLastIdIsThatOfTheLastRow) {
  EXPECT_EQ(last_id_in(result_of(kInt4, {"3", "9"}).get()), 9);
  EXPECT_EQ(last_id_in(result_of(kInt4, {}).get()), 0);
  EXPECT_EQ(last_id_in(result_of(kText, {"9"}).get()), 0);
  EXPECT_EQ(last_id_in(result_of(kInt4, {"3", nullptr}).get()), 0);
}

TextNotes notes(std::string_view sql, bool is_shared = false) {
  return notes_of(translate(sql, Dialect::postgresql, Placeholders::native).take(), is_shared);
}

TEST(PostgresqlStatements, SingleStatementsThatArePlannedArePrepared) {
  for (const char* sql : {"SELECT 1", " /* x */ with a as (select 1) select * from a;", "insert into t values (1)",
                          "Update t set a = ';'", "VALUES (1)", "TABLE t"}) {
    EXPECT_TRUE(notes(sql).is_plannable) << sql;
  }
  for (const char* sql : {"", "BEGIN", "SET a = 1", "SELECT 1; SELECT 2", "EXPLAIN SELECT 1", "selects",
                          "FETCH 1 FROM c", "CALL p()", "COPY t TO STDOUT"}) {
    EXPECT_FALSE(notes(sql).is_plannable) << sql;
  }
}

TEST(PostgresqlStatements, NotesNameWhatAStatementLeaves) {
  EXPECT_EQ(notes("SELECT setseed(0)").trace, Trace::lasting);
  EXPECT_TRUE(notes("SET Search_Path = a").names_search_path);
  EXPECT_FALSE(notes("SET work_mem = 1").names_search_path);
  EXPECT_TRUE(notes("CREATE TEMP TABLE t (a int)").names_temporary);
  EXPECT_TRUE(notes("SET a = 1").shared.is_ok());
  EXPECT_EQ(notes("SET a = 1", true).shared.sqlstate(), "0A000");
  EXPECT_EQ(notes("BEGIN; SELECT 1", true).shared_read.sqlstate(), "0A000");
}

TEST(PostgresqlStatements, WhichTagsChangeDefinitions) {
  for (const char* tag : {"ALTER TABLE", "CREATE TABLE", "DROP VIEW"}) EXPECT_TRUE(changes_definitions(tag)) << tag;
  for (const char* tag : {"", "SELECT 1", "INSERT 0 1", "COMMIT", "ANALYZE", "SET"}) {
    EXPECT_FALSE(changes_definitions(tag)) << tag;
  }
}

TEST(PostgresqlStatements, WhichErrorsMeanThatAStatementIsStale) {
  const auto error = [](const char* sqlstate, const char* routine) {
    Status status = Status::error(Code::database, "m");
    status.text().sqlstate = sqlstate;
    ErrorPlace place;
    place.routine = routine;
    status.text().place = std::make_shared<const ErrorPlace>(std::move(place));
    return status;
  };
  EXPECT_TRUE(is_stale_statement(error("26000", "FetchPreparedStatement")));
  EXPECT_TRUE(is_stale_statement(error("0A000", "RevalidateCachedQuery")));
  EXPECT_FALSE(is_stale_statement(error("0A000", "transformSomething")));
  EXPECT_FALSE(is_stale_statement(error("42P01", "RevalidateCachedQuery")));
}

}  // namespace
}  // namespace tide::libpq
