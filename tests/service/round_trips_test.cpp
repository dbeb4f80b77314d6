// Values that databases and drivers like to change: they return exactly as they were, or the call fails.
#include <array>
#include <cfloat>
#include <cmath>
#include <cstring>
#include <limits>

#include "service/support.hpp"

namespace tide::test {
namespace {

constexpr int kUses = 4;  // of each statement: the first ones are not prepared

tide_value text_of(const std::string& text) {
  tide_value value = tide_value_text("");
  value.text = text.data();
  value.length = text.size();
  return value;
}

std::string content(const tide_value& value) {
  return value.type == TIDE_TEXT || value.type == TIDE_BYTES ? std::string(value.text, value.length) : "";
}

bool is_same_double(double a, double b) { return std::isnan(a) ? std::isnan(b) : std::memcmp(&a, &b, sizeof a) == 0; }

std::string all_bytes() {
  std::string out;
  for (int i = 0; i < 256; ++i) out += static_cast<char>(i);
  return out;
}

constexpr std::array kIntegers = {
    INT64_MIN,  INT64_MIN + 1,       int64_t{-2147483649}, int64_t{-2147483648},      int64_t{-1}, int64_t{0},
    int64_t{1}, int64_t{2147483647}, int64_t{2147483648},  int64_t{9007199254740993}, INT64_MAX};
constexpr std::array kReals = {0.0,
                               -0.0,
                               0.1,
                               1.0 / 3,
                               1e300,
                               -1e-300,
                               DBL_MAX,
                               DBL_MIN,
                               5e-324,
                               9007199254740993.0,
                               std::numeric_limits<double>::infinity(),
                               -std::numeric_limits<double>::infinity(),
                               std::numeric_limits<double>::quiet_NaN()};

class RoundTrips : public ::testing::Test {
 protected:
  void open(const std::string& url) {
    db_ = std::make_unique<Db>(url, "min_size=1 max_size=1");
    lease_ = std::make_unique<Lease>(*db_);
  }
  void TearDown() override { lease_.reset(); }

  // What the statement returns for the parameter, the same with every use; `is_error` is set if it fails.
  tide_value echo(const std::string& sql, const tide_value& param, bool& is_error, std::string& error_text) {
    for (int use = 0; use < kUses; ++use) {
      Result out;
      Error error;
      const bool has_failed = lease_->run(sql, {param}, out, error) != TIDE_OK;
      if (use > 0) EXPECT_EQ(has_failed, is_error) << sql << ", use " << use + 1 << ": " << error.text();
      is_error = has_failed;
      error_text = error.text();
      if (has_failed) continue;
      EXPECT_EQ(out.rows(), 1) << sql;
      if (use > 0) EXPECT_EQ(out.value().type, last_.value().type) << sql << ", use " << use + 1;
      if (use > 0) EXPECT_EQ(out.text(), last_.text()) << sql << ", use " << use + 1;
      last_ = std::move(out);
    }
    return is_error ? tide_value_null() : last_.value();
  }
  tide_value echo(const std::string& sql, const tide_value& param) {
    bool is_error = false;
    std::string text;
    const tide_value out = echo(sql, param, is_error, text);
    EXPECT_FALSE(is_error) << sql << ": " << text;
    return out;
  }
  void expect_error(const std::string& sql, const tide_value& param) {
    bool is_error = false;
    std::string text;
    echo(sql, param, is_error, text);
    EXPECT_TRUE(is_error) << sql << " returned " << last_.text();
    EXPECT_EQ(lease_->ask("SELECT 42"), "42") << "the lease remains usable after: " << text;
  }
  // Returns exactly, or fails.
  void expect_same_or_error(const std::string& sql, const tide_value& param) {
    bool is_error = false;
    std::string text;
    const tide_value out = echo(sql, param, is_error, text);
    if (is_error) return;
    EXPECT_EQ(out.type, param.type) << sql;
    EXPECT_EQ(content(out), content(param)) << sql;
    if (param.type == TIDE_DOUBLE) EXPECT_TRUE(is_same_double(out.real, param.real)) << out.real;
  }
  void expect_integers(const std::string& sql) {
    for (const int64_t number : kIntegers) {
      const tide_value out = echo(sql, tide_value_int(number));
      EXPECT_EQ(out.type, TIDE_INT);
      EXPECT_EQ(out.integer, number);
    }
  }
  void expect_text(const std::string& sql, const std::string& text) {
    const tide_value out = echo(sql, text_of(text));
    EXPECT_EQ(out.type, TIDE_TEXT) << sql;
    EXPECT_EQ(content(out), text) << sql;
  }
  void expect_bytes(const std::string& sql, const std::string& bytes) {
    const tide_value out = echo(sql, tide_value_bytes(bytes.data(), bytes.size()));
    EXPECT_EQ(out.type, TIDE_BYTES) << sql;
    EXPECT_EQ(content(out), bytes) << sql;
  }

  TempFolder folder_;
  std::unique_ptr<Db> db_;
  std::unique_ptr<Lease> lease_;
  Result last_;
};

class PostgresqlRoundTrips : public RoundTrips {
 protected:
  void SetUp() override {
    REQUIRE_SERVER();
    open(server_words());
  }
};

TEST_F(PostgresqlRoundTrips, Integers) {
  expect_integers("SELECT $1::int8");
  for (const int64_t number : {-2147483648LL, 0LL, 2147483647LL}) {
    EXPECT_EQ(echo("SELECT $1::int4", tide_value_int(number)).integer, number);
  }
  for (const int64_t number : {-32768, 0, 32767}) {
    EXPECT_EQ(echo("SELECT $1::int2", tide_value_int(number)).integer, number);
  }
  EXPECT_EQ(echo("SELECT $1::oid", tide_value_int(4294967295)).integer, 4294967295);
  EXPECT_EQ(content(echo("SELECT $1::numeric", tide_value_int(INT64_MIN))), "-9223372036854775808");
  EXPECT_EQ(content(echo("SELECT $1::text", tide_value_int(-7))), "-7");
}

TEST_F(PostgresqlRoundTrips, NumbersOutOfRangeFail) {
  for (const int64_t number : {int64_t{2147483648}, int64_t{-2147483649}, INT64_MAX}) {
    expect_error("SELECT $1::int4", tide_value_int(number));
  }
  for (const int64_t number : {40000LL, -32769LL, 65536LL}) expect_error("SELECT $1::int2", tide_value_int(number));
  for (const int64_t number : {4294967296LL}) expect_error("SELECT $1::oid", tide_value_int(number));
  expect_error("SELECT $1::int8", text_of("9223372036854775808"));
  expect_error("SELECT $1::int4", tide_value_double(1.5));
  expect_error("SELECT $1::float4", tide_value_double(1e300));
}

TEST_F(PostgresqlRoundTrips, Reals) {
  for (const double number : kReals) {
    const tide_value out = echo("SELECT $1::float8", tide_value_double(number));
    EXPECT_EQ(out.type, TIDE_DOUBLE);
    EXPECT_TRUE(is_same_double(out.real, number)) << number << " became " << out.real;
  }
  EXPECT_EQ(static_cast<float>(echo("SELECT $1::float4", tide_value_double(0.25)).real), 0.25F);
  EXPECT_TRUE(std::isnan(echo("SELECT $1::float4", tide_value_double(NAN)).real));
  EXPECT_EQ(content(echo("SELECT $1::numeric", tide_value_double(0.1))), "0.1");
  EXPECT_EQ(content(echo("SELECT $1::numeric", tide_value_double(NAN))), "NaN");
}

TEST_F(PostgresqlRoundTrips, Numerics) {
  for (const char* const number :
       {"0", "-0.000000000000000000000000000001", "123456789012345678901234567890.123456789012345678901234567890",
        "9999999999999999999999999999999999999999999999999999999999999999999999999999999999", "NaN", "Infinity",
        "-Infinity", "1.10"}) {
    expect_text("SELECT $1::numeric", number);
  }
}

TEST_F(PostgresqlRoundTrips, TimesAndTypesAsTexts) {
  lease_->query("SET timezone = 'UTC'");
  for (const char* const time : {"infinity", "-infinity", "2026-02-28 23:59:59.999999+00", "0001-01-01 00:00:00+00 BC",
                                 "294276-12-31 23:59:59.999999+00"}) {
    expect_text("SELECT $1::timestamptz", time);
  }
  for (const char* const time : {"infinity", "-infinity", "1999-12-31 23:59:59.5"})
    expect_text("SELECT $1::timestamp", time);
  expect_text("SELECT $1::date", "infinity");
  expect_text("SELECT $1::interval", "1 year 2 mons -3 days +04:05:06.000007");
  expect_text("SELECT $1::uuid", "00000000-0000-0000-0000-0000000000ff");
  expect_text("SELECT $1::int[]", "{1,NULL,-2147483648}");
  expect_text("SELECT $1::text[]", R"({"",NULL,"a\"b","c\\d","{}","NULL"})");
  expect_text("SELECT $1::int[]", "{{1,2},{3,4}}");
  expect_text("SELECT $1::json", "{\"a\" :  1, \"a\": \"\\u0041\", \"n\": 1e400}");
  expect_text("SELECT $1::jsonb", R"({"a": [1, 2.50, null, "\"\\"]})");
  expect_text("SELECT $1::inet", "::1/64");
  expect_text("SELECT $1::bit(3)", "101");
}

TEST_F(PostgresqlRoundTrips, Texts) {
  const std::string long_text(1'000'000, 'x');
  for (const std::string& text : {std::string(), std::string(" "), std::string("\xf0\x9f\x90\x98 \xc3\xa9\xe2\x80\x8b"),
                                  std::string("'\"\\$1?:\n\r\t\x01\x7f"), long_text}) {
    expect_text("SELECT $1::text", text);
  }
  EXPECT_EQ(echo("SELECT $1::text", tide_value_null()).type, TIDE_VALUE_NULL);
  EXPECT_EQ(lease_->ask("SELECT $1::text IS NULL, $1 = ''", {text_of("")}), "f");
  expect_error("SELECT $1::text", text_of(std::string("a\0b", 3)));
  expect_error("SELECT $1::text", text_of("\xff\xfe"));
  expect_error("SELECT $1::text", text_of("\xc3"));
}

TEST_F(PostgresqlRoundTrips, Bytes) {
  expect_bytes("SELECT $1::bytea", all_bytes());
  expect_bytes("SELECT $1::bytea", std::string());
  expect_bytes("SELECT $1::bytea", std::string(1, '\0'));
  expect_bytes("SELECT $1::bytea", std::string(3'000'000, '\\'));
  EXPECT_EQ(lease_->ask("SELECT octet_length($1::bytea)", {tide_value_bytes("a\0b", 3)}), "3");
}

TEST_F(PostgresqlRoundTrips, Booleans) {
  for (const int is_true : {0, 1}) {
    const tide_value out = echo("SELECT $1::bool", tide_value_bool(is_true));
    EXPECT_EQ(out.type, TIDE_BOOL);
    EXPECT_EQ(out.integer, is_true);
  }
}

TEST_F(PostgresqlRoundTrips, ColumnsDecideTheType) {
  lease_->query(
      "CREATE TEMP TABLE c (small int2, normal int4, big int8, exact numeric, real4 float4, real8 float8, words text, "
      "code varchar(3), flag bool, raw bytea)");
  struct Case {
    const char* column;
    tide_value value;
    const char* expected;  // as text; nullptr: an error
  };
  const std::string twelve = "12";
  const std::string three = "abc";
  const std::string four = "abcd";
  const Case cases[] = {
      {"small", tide_value_int(32767), "32767"},
      {"small", tide_value_int(32768), nullptr},
      {"normal", tide_value_int(-2147483648LL), "-2147483648"},
      {"normal", tide_value_int(2147483648LL), nullptr},
      {"normal", text_of(twelve), "12"},
      {"normal", tide_value_double(2.5), nullptr},
      {"big", tide_value_int(INT64_MAX), "9223372036854775807"},
      {"exact", tide_value_int(INT64_MAX), "9223372036854775807"},
      {"exact", tide_value_double(0.1), "0.1"},
      {"real4", tide_value_double(0.5), "0.5"},
      {"real8", tide_value_int(3), "3"},
      {"real8", tide_value_double(0.1), "0.1"},
      {"words", tide_value_int(5), "5"},
      {"words", text_of(three), "abc"},
      {"code", text_of(three), "abc"},
      {"code", text_of(four), nullptr},
      {"flag", tide_value_bool(1), "true"},
      {"raw", tide_value_bytes("\0\xff", 2), "\\x00ff"},
      {"raw", tide_value_null(), "NULL"},
  };
  for (const Case& one : cases) {
    for (int use = 0; use < kUses; ++use) {
      lease_->query("TRUNCATE c");
      Result out;
      Error error;
      const std::string column = one.column;
      const tide_status status = lease_->run("INSERT INTO c (" + column + ") VALUES ($1)", {one.value}, out, error);
      EXPECT_EQ(status == TIDE_OK, one.expected != nullptr) << column << ", use " << use + 1 << ": " << error.text();
      if (status != TIDE_OK || one.expected == nullptr) continue;
      EXPECT_EQ(lease_->ask("SELECT " + column + "::text FROM c"), one.expected) << column << ", use " << use + 1;
    }
  }
}

class SqliteRoundTrips : public RoundTrips {
 protected:
  void SetUp() override { open("sqlite://" + folder_.file("trips.db")); }
};

TEST_F(SqliteRoundTrips, Integers) { expect_integers("SELECT $1"); }

TEST_F(SqliteRoundTrips, Reals) {
  for (const double number : kReals) expect_same_or_error("SELECT $1", tide_value_double(number));
  for (const double number : {0.1, 1e300, 5e-324, DBL_MAX}) {
    EXPECT_EQ(echo("SELECT $1", tide_value_double(number)).real, number);
  }
}

TEST_F(SqliteRoundTrips, Texts) {
  for (const std::string& text :
       {std::string(), std::string("a\0b", 3), std::string("\0", 1), std::string("\xf0\x9f\x90\x98"),
        std::string("'\"\\$1?:\n\r\t\x01"), std::string(1'000'000, 'y')}) {
    if (text.find('\0') == text.npos) {
      expect_text("SELECT $1", text);
    } else {
      expect_same_or_error("SELECT $1", text_of(text));
    }
  }
  for (const std::string& text : {std::string("\xff\xfe"), std::string("\xc3"), std::string("\xed\xa0\x80")}) {
    expect_same_or_error("SELECT $1", text_of(text));
  }
  EXPECT_EQ(echo("SELECT $1", tide_value_null()).type, TIDE_VALUE_NULL);
}

TEST_F(SqliteRoundTrips, Bytes) {
  expect_bytes("SELECT $1", all_bytes());
  expect_bytes("SELECT $1", std::string());
  expect_bytes("SELECT $1", std::string(3'000'000, '\0'));
}

TEST_F(SqliteRoundTrips, Stored) {
  lease_->query("CREATE TABLE c (id INTEGER PRIMARY KEY, n INTEGER, r REAL, t TEXT, b BLOB, any)");
  const std::string text("a\0\xc3\xa9", 4);
  const std::string bytes = all_bytes();
  for (int use = 0; use < kUses; ++use) {
    lease_->query("INSERT INTO c (n, r, t, b, any) VALUES ($1, $2, $3, $4, $5)",
                  {tide_value_int(INT64_MIN), tide_value_double(0.1), text_of(text),
                   tide_value_bytes(bytes.data(), bytes.size()), tide_value_bytes("", 0)});
  }
  const Result out = lease_->query("SELECT n, r, t, b, any, length(any), typeof(any) FROM c");
  ASSERT_EQ(out.rows(), kUses);
  for (int64_t row = 0; row < kUses; ++row) {
    EXPECT_EQ(out.value(row, 0).integer, INT64_MIN);
    EXPECT_EQ(out.value(row, 1).real, 0.1);
    EXPECT_EQ(content(out.value(row, 2)), text);
    EXPECT_EQ(content(out.value(row, 3)), bytes);
    EXPECT_EQ(out.value(row, 4).type, TIDE_BYTES);
    EXPECT_EQ(out.text(row, 6), "blob");
  }
  EXPECT_EQ(lease_->ask("SELECT count(*) FROM c WHERE length(b) = $1", {tide_value_int(256)}), std::to_string(kUses));
}

TEST_F(SqliteRoundTrips, BooleansAreIntegers) {
  for (const int is_true : {0, 1}) EXPECT_EQ(echo("SELECT $1", tide_value_bool(is_true)).integer, is_true);
}

}  // namespace
}  // namespace tide::test
