// Promises of Connection about statements: values, placeholders, streams, batches, prepared statements, errors. The texts are
// the same for every database that speaks SQL.
#include <atomic>
#include <cmath>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "conformance/suite.hpp"

namespace tide::test {
namespace {

// Keeps the numbers in the first column; ends the stream after `wanted` rows.
class Keeper final : public RowSink {
 public:
  explicit Keeper(int64_t wanted = std::numeric_limits<int64_t>::max()) : wanted_(wanted) {}
  bool take(const ResultTable& page) override {
    ++calls;
    columns = page.columns();
    for (int64_t row = 0; row < page.rows(); ++row) numbers.push_back(page.cell(row, 0).integer);
    return static_cast<int64_t>(numbers.size()) < wanted_;
  }
  std::vector<int64_t> numbers;
  int calls = 0;
  int columns = 0;

 private:
  const int64_t wanted_;
};

std::vector<int64_t> up_to(int64_t last) {
  std::vector<int64_t> numbers;
  for (int64_t i = 1; i <= last; ++i) numbers.push_back(i);
  return numbers;
}

class StatementSuite : public DriverSuite {
 protected:
  static QueryRequest request_of(std::string_view sql, const std::vector<SqlValue>& params = {}) {
    QueryRequest request;
    request.sql = sql;
    request.params = params;
    request.placeholders = Placeholders::numbered;
    return request;
  }
  Status run_typed(Connection& session, std::string_view sql, const std::vector<SqlValue>& params = {},
                   ResultTable* out = nullptr) {
    ResultTable unused;
    return session.query(request_of(sql, params), out != nullptr ? *out : unused);
  }
  // The only cell; `out` holds what it points to.
  SqlValue value_of(Connection& session, std::string_view sql, const std::vector<SqlValue>& params, ResultTable& out) {
    const Status status = run_typed(session, sql, params, &out);
    EXPECT_OK(status);
    EXPECT_EQ(out.rows(), 1) << sql;
    return out.cell(0, 0);
  }
  int64_t number_of(Connection& session, std::string_view sql) {
    ResultTable out;
    return value_of(session, sql, {}, out).integer;
  }
  // Table s, empty.
  void make_table(Connection& session) {
    ASSERT_OK(run(session,
                  "DROP TABLE IF EXISTS s; CREATE TABLE s (id integer PRIMARY KEY, name text NOT NULL UNIQUE,"
                  " n integer CONSTRAINT small CHECK (n < 100))"));
  }
};

#define NEEDS_SQL() \
  if (!quirks().speaks_sql) GTEST_SKIP() << "this driver has no SQL"
#define NEEDS_ENDLESS_ROWS() \
  if (words().endless_rows.empty()) GTEST_SKIP() << "every result of this driver has an end"
#define NEEDS_LIMITS() \
  if (!quirks().has_limits) GTEST_SKIP() << "this driver does not limit results"
#define NEEDS_PREPARING() \
  if (!quirks().prepares) GTEST_SKIP() << "this driver prepares no statements"

INSTANTIATE_TEST_SUITE_P(Drivers, StatementSuite, ::testing::ValuesIn(harnesses()),
                         [](const auto& tested) { return tested.param.name; });

// ---- values ---------------------------------------------------------------------------------------------------------

TEST_P(StatementSuite, IntegersComeBackAsTheyWere) {
  const auto session = open_leased();
  ResultTable out;
  for (const int64_t number : {int64_t{0}, int64_t{-1}, (int64_t{1} << 53) + 1, std::numeric_limits<int64_t>::max(),
                               std::numeric_limits<int64_t>::min()}) {
    const SqlValue value = value_of(*session, words().echo_integer, {SqlValue::of(number)}, out);
    EXPECT_EQ(value.kind, SqlValue::Kind::integer);
    EXPECT_EQ(value.integer, number);
    EXPECT_EQ(std::string(out.text(0, 0)), std::to_string(number));
  }
}

TEST_P(StatementSuite, RealsComeBackAsTheyWere) {
  const auto session = open_leased();
  ResultTable out;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const double number : {0.5, -1.0 / 3, 1e300, 5e-324, 12345678901234567.0, kInfinity, -kInfinity}) {
    const SqlValue value = value_of(*session, words().echo_real, {SqlValue::of(number)}, out);
    EXPECT_EQ(value.kind, SqlValue::Kind::real);
    EXPECT_EQ(value.real, number);
  }
}

TEST_P(StatementSuite, NanComesBackOrIsRefused) {
  const auto session = open_leased();
  ResultTable out;
  const SqlValue nan = SqlValue::of(std::numeric_limits<double>::quiet_NaN());
  const Status status = run_typed(*session, words().echo_real, {nan}, &out);
  if (quirks().takes_nan) {
    ASSERT_OK(status);
    EXPECT_TRUE(std::isnan(out.cell(0, 0).real));
  } else {
    EXPECT_EQ(status.code, Code::bad_argument);
    EXPECT_NE(status.message().find("parameter 1"), std::string::npos) << status.message();
  }
  EXPECT_EQ(ask(*session, words().one_row), words().one_value);
}

TEST_P(StatementSuite, TextsComeBackAsTheyWere) {
  const auto session = open_leased();
  ResultTable out;
  for (const std::string& text : {std::string(), std::string("it's"), std::string("\u00fcber \U0001F600"),
                                  std::string("NULL"), std::string(1 << 20, 'x')}) {
    const SqlValue value = value_of(*session, words().echo_text, {SqlValue::of_text(text)}, out);
    EXPECT_EQ(value.kind, SqlValue::Kind::text);
    EXPECT_EQ(value.data, text);
    size_t length = 0;
    const char* written = out.text(0, 0, &length);
    EXPECT_EQ(std::string_view(written, length), text);
    EXPECT_EQ(written[length], '\0');
  }
  EXPECT_EQ(value_of(*session, words().echo_text, {SqlValue::of_text({})}, out).kind, SqlValue::Kind::text);
}

TEST_P(StatementSuite, ANulByteInATextComesBackOrIsRefused) {
  const auto session = open_leased();
  ResultTable out;
  const std::string text("a\0b", 3);
  const Status status = run_typed(*session, words().echo_text, {SqlValue::of_text(text)}, &out);
  if (quirks().takes_nul) {
    ASSERT_OK(status);
    EXPECT_EQ(out.cell(0, 0).data, text);
  } else {
    EXPECT_EQ(status.code, Code::bad_argument);
    EXPECT_NE(status.message().find("parameter 1"), std::string::npos) << status.message();
  }
  EXPECT_EQ(ask(*session, words().one_row), words().one_value);
}

TEST_P(StatementSuite, InvalidUtf8ComesBackOrIsAnError) {
  const auto session = open_leased();
  ResultTable out;
  const std::string text = "a\xff\xc3";
  const Status status = run_typed(*session, words().echo_text, {SqlValue::of_text(text)}, &out);
  if (quirks().takes_invalid_utf8) {
    ASSERT_OK(status);
    EXPECT_EQ(out.cell(0, 0).data, text);
  } else {
    EXPECT_EQ(status.code, Code::database);
    EXPECT_EQ(status.sqlstate(), "22021");
  }
  EXPECT_EQ(ask(*session, words().one_row), words().one_value);
}

TEST_P(StatementSuite, BytesComeBackAsTheyWere) {
  const auto session = open_leased();
  ResultTable out;
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  for (const std::string& bytes : {std::string(), all, std::string(1 << 20, '\0')}) {
    const SqlValue value = value_of(*session, words().echo_bytes, {SqlValue::of_bytes(bytes)}, out);
    EXPECT_EQ(value.kind, SqlValue::Kind::bytes);
    EXPECT_EQ(value.data, bytes);
  }
}

TEST_P(StatementSuite, BooleansComeBackAsTheyWere) {
  const auto session = open_leased();
  ResultTable out;
  for (const bool is_true : {true, false}) {
    const SqlValue value = value_of(*session, words().echo_boolean, {SqlValue::of_boolean(is_true)}, out);
    EXPECT_EQ(value.kind, quirks().has_booleans ? SqlValue::Kind::boolean : SqlValue::Kind::integer);
    EXPECT_EQ(value.integer, is_true ? 1 : 0);
  }
}

TEST_P(StatementSuite, NullComesBackInEveryType) {
  const auto session = open_leased();
  for (const std::string& echo : {words().echo_integer, words().echo_real, words().echo_text, words().echo_bytes}) {
    ResultTable out;
    EXPECT_TRUE(value_of(*session, echo, {SqlValue::null()}, out).is_null());
    EXPECT_EQ(out.text(0, 0), nullptr);
  }
}

// The second and later executions use a prepared statement, and may pass values in another way.
TEST_P(StatementSuite, APreparedStatementTakesTheSameValues) {
  const auto session = open_leased();
  ResultTable out;
  for (int64_t i = 0; i < 5; ++i) {
    EXPECT_EQ(value_of(*session, words().echo_integer, {SqlValue::of(i)}, out).integer, i);
    EXPECT_TRUE(value_of(*session, words().echo_integer, {SqlValue::null()}, out).is_null());
    EXPECT_EQ(value_of(*session, words().echo_real, {SqlValue::of(0.1)}, out).real, 0.1);
    EXPECT_EQ(value_of(*session, words().echo_text, {SqlValue::of_text("x")}, out).data, "x");
    EXPECT_EQ(value_of(*session, words().echo_bytes, {SqlValue::of_bytes({"\0\xff", 2})}, out).data,
              std::string_view("\0\xff", 2));
  }
}

TEST_P(StatementSuite, AnIntegerIsComparedAsANumber) {
  NEEDS_SQL();
  const auto session = open_leased();
  make_table(*session);
  ASSERT_OK(run_typed(*session, "INSERT INTO s (id, name) VALUES (1, 'abc'), (2, 'ab')"));
  for (int i = 0; i < 3; ++i) {
    ResultTable out;
    ASSERT_OK(run_typed(*session, "SELECT id FROM s WHERE length(name) = $1", {SqlValue::of(int64_t{3})}, &out));
    ASSERT_EQ(out.rows(), 1);
    EXPECT_EQ(out.cell(0, 0).integer, 1);
  }
}

// ---- placeholders ---------------------------------------------------------------------------------------------------

TEST_P(StatementSuite, PlaceholdersOfEveryStyleMeanTheSame) {
  NEEDS_SQL();
  const auto session = open_leased();
  const std::vector<SqlValue> params = {SqlValue::of_text("a"), SqlValue::of_text("b")};
  for (const char* sql : {"SELECT CAST($1 AS text), CAST($2 AS text), '?', ':x'",
                          "SELECT CAST(?1 AS text), CAST(?2 AS text), '?', ':x' -- $3",
                          "SELECT CAST(? AS text), CAST(? AS text), '?', ':x' /* ? */"}) {
    for (int i = 0; i < 3; ++i) {
      ResultTable out;
      ASSERT_OK(run_typed(*session, sql, params, &out));
      EXPECT_STREQ(out.text(0, 0), "a") << sql;
      EXPECT_STREQ(out.text(0, 1), "b") << sql;
      EXPECT_STREQ(out.text(0, 2), "?") << sql;
    }
  }
}

TEST_P(StatementSuite, ParametersByName) {
  NEEDS_SQL();
  const auto session = open_leased();
  const std::vector<SqlValue> params = {SqlValue::of_text("a"), SqlValue::of_text("b")};
  const std::string_view names[] = {"first", "second"};
  QueryRequest request =
      request_of("SELECT CAST(:second AS text), CAST(:first AS text), CAST(:second AS text)", params);
  request.placeholders = Placeholders::named;
  request.names = names;
  for (int i = 0; i < 3; ++i) {
    ResultTable out;
    ASSERT_OK(session->query(request, out));
    EXPECT_STREQ(out.text(0, 0), "b");
    EXPECT_STREQ(out.text(0, 1), "a");
    EXPECT_STREQ(out.text(0, 2), "b");
  }
  request.sql = "SELECT CAST(:third AS text)";
  ResultTable out;
  const Status status = session->query(request, out);
  EXPECT_EQ(status.code, Code::bad_argument);
  EXPECT_NE(status.message().find("third"), std::string::npos) << status.message();
}

TEST_P(StatementSuite, AWrongNumberOfParametersNamesBothNumbers) {
  NEEDS_SQL();
  const auto session = open_leased();
  const std::vector<SqlValue> one = {SqlValue::of_text("a")};
  for (int i = 0; i < 3; ++i) {
    const Status status = run_typed(*session, "SELECT CAST($1 AS text), CAST($2 AS text)", one);
    EXPECT_EQ(status.code, Code::bad_argument);
    EXPECT_NE((status.message() + status.detail()).find('2'), std::string::npos) << status.message();
    EXPECT_NE((status.message() + status.detail()).find('1'), std::string::npos) << status.message();
    EXPECT_EQ(ask(*session, words().one_row), words().one_value);
    ASSERT_OK(run_typed(*session, "SELECT CAST($1 AS text), CAST($2 AS text)",
                        {SqlValue::of_text("a"), SqlValue::of_text("b")}));
  }
}

TEST_P(StatementSuite, SeveralStatementsCannotShareParameters) {
  NEEDS_SQL();
  const auto session = open_leased();
  const Status status =
      run_typed(*session, "SELECT CAST($1 AS text); SELECT CAST($1 AS text)", {SqlValue::of_text("a")});
  EXPECT_TRUE(status.code == Code::bad_argument || status.sqlstate() == "42601") << status.message();
  EXPECT_EQ(ask(*session, words().one_row), words().one_value);
}

// ---- results --------------------------------------------------------------------------------------------------------

TEST_P(StatementSuite, TheFirstRowOnly) {
  NEEDS_LIMITS();
  const auto session = open_leased();
  const std::string sql = words().rows(1000);
  QueryRequest request = request_of(sql);
  request.is_first_row_only = true;
  for (int i = 0; i < 3; ++i) {
    ResultTable out;
    ASSERT_OK(session->query(request, out));
    ASSERT_EQ(out.rows(), 1);
    EXPECT_EQ(out.cell(0, 0).integer, 1);
    EXPECT_EQ(ask(*session, words().one_row), words().one_value);
  }
}

TEST_P(StatementSuite, AResultAboveTheLimitsFails) {
  NEEDS_LIMITS();
  const auto session = open_leased();
  const std::string sql = words().rows(100);
  QueryRequest request = request_of(sql);
  ResultTable out;
  for (int i = 0; i < 3; ++i) {
    request.rows_max = 100;
    EXPECT_OK(session->query(request, out));
    EXPECT_EQ(out.rows(), 100);
    request.rows_max = 99;
    EXPECT_EQ(session->query(request, out).sqlstate(), "54000");
    EXPECT_EQ(out.rows(), 0);
    EXPECT_EQ(ask(*session, words().one_row), words().one_value);
  }
  const std::string text(5000, 'x');
  const std::vector<SqlValue> params = {SqlValue::of_text(text)};
  request = request_of(words().echo_text, params);
  request.bytes_max = 4000;
  EXPECT_EQ(session->query(request, out).sqlstate(), "54000");
  request.bytes_max = 100'000;
  EXPECT_OK(session->query(request, out));
}

TEST_P(StatementSuite, AnInsertTellsItsId) {
  NEEDS_SQL();
  const auto session = open_leased();
  make_table(*session);
  ResultTable out;
  ASSERT_OK(run_typed(*session, "INSERT INTO s (id, name) VALUES (41, 'a'), (42, 'b') RETURNING id", {}, &out));
  EXPECT_EQ(out.affected(), 2);
  EXPECT_EQ(out.rows(), 2);
  EXPECT_EQ(out.last_insert_id(), 42);
  ASSERT_OK(run_typed(*session, "UPDATE s SET n = 1", {}, &out));
  EXPECT_EQ(out.affected(), 2);
  EXPECT_EQ(out.last_insert_id(), 0);
}

// ---- streams --------------------------------------------------------------------------------------------------------

TEST_P(StatementSuite, AStreamHasAllRowsInOrder) {
  const auto session = open_leased();
  for (int i = 0; i < 3; ++i) {
    Keeper keeper;
    ResultTable out;
    ASSERT_OK(session->stream(request_of(words().rows(5000)), keeper, out));
    EXPECT_EQ(keeper.numbers, up_to(5000));
    EXPECT_EQ(out.columns(), 1);
    EXPECT_EQ(out.rows(), 0);
  }
}

TEST_P(StatementSuite, AStreamWithoutRowsTellsItsColumns) {
  const auto session = open_leased();
  Keeper keeper;
  ResultTable out;
  ASSERT_OK(session->stream(request_of(words().rows(0)), keeper, out));
  EXPECT_EQ(keeper.calls, 1);
  EXPECT_EQ(keeper.columns, 1);
  EXPECT_TRUE(keeper.numbers.empty());
}

TEST_P(StatementSuite, AStreamThatEndsEarlyLeavesACleanSession) {
  const auto session = open_leased();
  for (int i = 0; i < 3; ++i) {
    Keeper keeper(10);
    ResultTable out;
    ASSERT_OK(session->stream(request_of(words().rows(1'000'000)), keeper, out));
    EXPECT_GE(keeper.numbers.size(), 10u);
    EXPECT_EQ(ask(*session, words().one_row), words().one_value);
  }
  ASSERT_TRUE(give_back(*session, ResetMode::smart));
  ASSERT_OK(session->begin_lease(LeaseMode::read_write, now()));
  EXPECT_EQ(ask(*session, words().one_row), words().one_value);
}

TEST_P(StatementSuite, AStreamEndsAtItsDeadline) {
  NEEDS_ENDLESS_ROWS();
  const auto session = open_leased();
  Keeper keeper;
  ResultTable out;
  QueryRequest request = request_of(words().endless_rows);
  request.deadline = in(Span::millis(50));
  const Status status = session->stream(request, keeper, out);
  EXPECT_EQ(status.code, Code::timeout);
  EXPECT_EQ(status.sqlstate(), "57014");
  EXPECT_EQ(ask(*session, words().one_row), words().one_value);
}

// The database has always more rows than the reader has taken.
TEST_P(StatementSuite, ASlowReaderDoesNotHideTheDeadline) {
  NEEDS_ENDLESS_ROWS();
  class SlowReader final : public RowSink {
   public:
    explicit SlowReader(const Clock& clock) : clock_(clock) {}
    bool take(const ResultTable&) override {
      const Instant end = clock_.now() + Span::millis(1);
      while (clock_.now() < end) {
      }
      return true;
    }

   private:
    const Clock& clock_;
  };
  const auto session = open_leased();
  SlowReader reader(harness_->clock());
  ResultTable out;
  QueryRequest request = request_of(words().endless_rows);
  request.deadline = in(Span::millis(50));
  const Instant began = now();
  EXPECT_EQ(session->stream(request, reader, out).code, Code::timeout);
  EXPECT_LT((now() - began).ms(), 5'000);
  EXPECT_EQ(ask(*session, words().one_row), words().one_value);
}

TEST_P(StatementSuite, AStreamCanBeCancelled) {
  NEEDS_ENDLESS_ROWS();
  Policy policy;
  policy.query_timeout = policy.statement_timeout = Span();
  use(policy);
  const auto session = open_leased();
  const uint64_t lease = session->facts().lease;
  std::atomic<bool> is_done{false};
  std::thread canceller([&] {
    while (!is_done.load()) session->cancel(lease);
  });
  Keeper keeper;
  ResultTable out;
  const Status status = session->stream(request_of(words().endless_rows), keeper, out);
  is_done.store(true);
  canceller.join();
  EXPECT_EQ(status.code, Code::database);
  EXPECT_EQ(status.sqlstate(), "57014");
  EXPECT_EQ(ask(*session, words().one_row), words().one_value);
}

TEST_P(StatementSuite, AFailedStreamTellsItsError) {
  const auto session = open_leased();
  Keeper keeper;
  ResultTable out;
  EXPECT_EQ(session->stream(request_of(words().syntax_error), keeper, out).sqlstate(), "42601");
  EXPECT_EQ(keeper.calls, 0);
  EXPECT_EQ(ask(*session, words().one_row), words().one_value);
}

// ---- rows that are pulled -------------------------------------------------------------------------------------------

TEST_P(StatementSuite, PulledRowsAreAllThereInOrder) {
  const auto session = open_leased();
  for (int i = 0; i < 3; ++i) {
    std::vector<int64_t> numbers;
    ResultTable page;
    ASSERT_OK(session->open_rows(request_of(words().rows(3000)), page));
    while (true) {
      EXPECT_EQ(page.columns(), 1);
      EXPECT_LE(page.rows(), 1000);  // in constant memory
      for (int64_t row = 0; row < page.rows(); ++row) numbers.push_back(page.cell(row, 0).integer);
      if (page.is_last_page()) break;
      ASSERT_OK(session->fetch_rows(page, in(Span::seconds(30))));
    }
    EXPECT_EQ(numbers, up_to(3000));
    EXPECT_EQ(ask(*session, words().one_row), words().one_value);
  }
}

TEST_P(StatementSuite, PulledRowsOfAnEmptyResult) {
  const auto session = open_leased();
  ResultTable page;
  ASSERT_OK(session->open_rows(request_of(words().rows(0)), page));
  EXPECT_EQ(page.rows(), 0);
  EXPECT_EQ(page.columns(), 1);
  EXPECT_TRUE(page.is_last_page());
  EXPECT_EQ(ask(*session, words().one_row), words().one_value);
}

TEST_P(StatementSuite, WhileRowsAreReadOtherStatementsAreRefused) {
  const auto session = open_leased();
  ResultTable page;
  ASSERT_OK(session->open_rows(request_of(words().rows(100'000)), page));
  ASSERT_FALSE(page.is_last_page());
  ResultTable out;
  Keeper keeper;
  std::vector<ResultTable> results;
  size_t failed_at = 0;
  const QueryRequest other = request_of(words().one_row);
  for (const Status& status :
       {session->query(other, out), session->stream(other, keeper, out), session->open_rows(other, out),
        session->batch({&other, 1}, Instant::never(), results, failed_at)}) {
    EXPECT_EQ(status.code, Code::refused);
    EXPECT_NE(status.message().find("still being read"), std::string::npos) << status.message();
  }
  EXPECT_OK(session->fetch_rows(page, in(Span::seconds(30))));  // the reading goes on
  EXPECT_GT(page.rows(), 0);
  session->close_rows();
  session->close_rows();
  EXPECT_EQ(ask(*session, words().one_row), words().one_value);
}

TEST_P(StatementSuite, TheEndOfTheLeaseEndsTheReading) {
  const auto session = open_leased();
  for (int i = 0; i < 3; ++i) {
    ResultTable page;
    ASSERT_OK(session->open_rows(request_of(words().rows(100'000)), page));
    ASSERT_FALSE(page.is_last_page());
    ASSERT_TRUE(give_back(*session, ResetMode::smart));
    ASSERT_OK(session->begin_lease(LeaseMode::read_write, now()));
    EXPECT_EQ(ask(*session, words().one_row), words().one_value);
    EXPECT_EQ(session->fetch_rows(page, in(Span::seconds(30))).code, Code::refused);
  }
}

TEST_P(StatementSuite, ACancelEndsTheReading) {
  NEEDS_ENDLESS_ROWS();
  const auto session = open_leased();
  ResultTable page;
  ASSERT_OK(session->open_rows(request_of(words().endless_rows), page));
  session->cancel(session->facts().lease);
  Status status;
  while (status && !page.is_last_page()) status = session->fetch_rows(page, in(Span::seconds(30)));
  EXPECT_EQ(status.sqlstate(), "57014") << status.message();
  session->close_rows();
  EXPECT_EQ(ask(*session, words().one_row), words().one_value);
}

TEST_P(StatementSuite, ARevokedReaderIsTold) {
  auto session = open_leased();
  ResultTable page;
  ASSERT_OK(session->open_rows(request_of(words().rows(100'000)), page));
  session->disarm();
  session->finish_disarm();
  EXPECT_EQ(session->fetch_rows(page, in(Span::seconds(30))).code, Code::stale_lease);
  session->close_rows();
  EXPECT_EQ(session->settle(ResetMode::smart), Settled::broken);
  close(0, std::move(session));
}

TEST_P(StatementSuite, PulledRowsKeepTheirParameters) {
  NEEDS_SQL();
  const auto session = open_leased();
  ResultTable page;
  {
    std::string prefix(100, 'p');
    const std::vector<SqlValue> params = {SqlValue::of_text(prefix)};
    const std::string sql = "SELECT CAST($1 AS text) || CAST(i AS text) FROM (" + words().rows(2000) + ") AS r";
    ASSERT_OK(session->open_rows(request_of(sql, params), page));
    prefix.assign(100, 'q');
  }
  int64_t rows = 0;
  while (true) {
    for (int64_t row = 0; row < page.rows(); ++row) {
      ASSERT_EQ(page.cell(row, 0).data, std::string(100, 'p') + std::to_string(++rows));
    }
    if (page.is_last_page()) break;
    ASSERT_OK(session->fetch_rows(page, in(Span::seconds(30))));
  }
  EXPECT_EQ(rows, 2000);
}

// ---- batches --------------------------------------------------------------------------------------------------------

class BatchSuite : public StatementSuite {
 protected:
  struct Statement {
    std::string sql;
    std::vector<SqlValue> params;
  };
  Status batch(Connection& session, const std::vector<Statement>& statements, Instant deadline = Instant::never()) {
    std::vector<QueryRequest> requests;
    for (const Statement& statement : statements) requests.push_back(request_of(statement.sql, statement.params));
    failed_at_ = 12345;
    return session.batch(requests, deadline, results_, failed_at_);
  }
  static Statement insert(int64_t id, std::string_view name) {
    return {"INSERT INTO s (id, name) VALUES ($1, $2)", {SqlValue::of(id), SqlValue::of_text(name)}};
  }
  int64_t count(Connection& session) { return number_of(session, "SELECT count(*) FROM s"); }

  std::vector<ResultTable> results_;
  size_t failed_at_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Drivers, BatchSuite, ::testing::ValuesIn(harnesses()),
                         [](const auto& tested) { return tested.param.name; });

TEST_P(BatchSuite, ABatchReturnsTheResultOfEachStatement) {
  NEEDS_SQL();
  const auto session = open_leased();
  make_table(*session);
  for (int64_t i = 0; i < 3; ++i) {
    ASSERT_OK(batch(*session, {insert(2 * i, std::to_string(2 * i)),
                               insert(2 * i + 1, std::to_string(2 * i + 1)),
                               {"SELECT count(*) FROM s", {}}}));
    ASSERT_EQ(results_.size(), 3u);
    EXPECT_EQ(results_[0].affected(), 1);
    EXPECT_EQ(results_[1].affected(), 1);
    EXPECT_EQ(results_[2].cell(0, 0).integer, 2 * i + 2);
  }
  EXPECT_FALSE(session->facts().is_in_transaction);
}

TEST_P(BatchSuite, AnEmptyBatchIsNoError) {
  const auto session = open_leased();
  EXPECT_OK(batch(*session, {}));
  EXPECT_TRUE(results_.empty());
}

TEST_P(BatchSuite, AfterAnErrorNothingOfABatchHasTakenEffect) {
  NEEDS_SQL();
  const auto session = open_leased();
  make_table(*session);
  for (int i = 0; i < 3; ++i) {
    const Status status = batch(*session, {insert(1, "a"), insert(2, "b"), insert(3, "a"), insert(4, "d")});
    EXPECT_EQ(status.code, Code::database);
    EXPECT_EQ(status.sqlstate(), "23505");
    EXPECT_EQ(failed_at_, 2u);
    EXPECT_TRUE(results_.empty());
    EXPECT_EQ(count(*session), 0);
    EXPECT_FALSE(session->facts().is_in_transaction);
  }
  EXPECT_EQ(batch(*session, {insert(1, "a"), {"SELECT missing FROM s", {}}}).sqlstate(), "42703");
  EXPECT_EQ(failed_at_, 1u);
  EXPECT_EQ(count(*session), 0);
}

TEST_P(BatchSuite, ABatchWithAWrongNumberOfParametersHasNoEffect) {
  NEEDS_SQL();
  const auto session = open_leased();
  make_table(*session);
  const Status status = batch(*session, {insert(1, "a"), {"SELECT CAST($1 AS text)", {}}});
  EXPECT_EQ(status.code, Code::bad_argument);
  EXPECT_EQ(failed_at_, 1u);
  EXPECT_EQ(count(*session), 0);
}

TEST_P(BatchSuite, ABatchCanFailAtItsCommit) {
  NEEDS_SQL();
  const auto session = open_leased();
  make_table(*session);
  ASSERT_OK(run(*session,
                "DROP TABLE IF EXISTS child;"
                "CREATE TABLE child (parent integer REFERENCES s (id) DEFERRABLE INITIALLY DEFERRED)"));
  const Status status = batch(*session, {insert(1, "a"), {"INSERT INTO child VALUES (77)", {}}});
  EXPECT_EQ(status.sqlstate(), "23503") << status.message();
  EXPECT_EQ(failed_at_, 2u);
  EXPECT_EQ(count(*session), 0);
  EXPECT_FALSE(session->facts().is_in_transaction);
  EXPECT_OK(run(*session, "DROP TABLE child"));
}

TEST_P(BatchSuite, ABatchInATransactionIsAPartOfIt) {
  NEEDS_SQL();
  const auto session = open_leased();
  make_table(*session);
  ASSERT_OK(run(*session, words().begin));
  ASSERT_OK(batch(*session, {insert(1, "a"), insert(2, "b")}));
  EXPECT_TRUE(session->facts().is_in_transaction);
  EXPECT_EQ(count(*session), 2);
  ASSERT_OK(run(*session, words().rollback));
  EXPECT_EQ(count(*session), 0);
  ASSERT_OK(run(*session, words().begin));
  EXPECT_EQ(batch(*session, {insert(1, "a"), insert(2, "a")}).sqlstate(), "23505");
  EXPECT_EQ(failed_at_, 1u);
  EXPECT_TRUE(session->facts().is_in_transaction);
  ASSERT_OK(run(*session, words().rollback));
  EXPECT_EQ(count(*session), 0);
}

TEST_P(BatchSuite, ABatchPastItsDeadlineHasNoEffect) {
  NEEDS_SQL();
  const auto session = open_leased();
  make_table(*session);
  const Status status = batch(*session, {insert(1, "a"), {words().runs_long, {}}}, in(Span::millis(50)));
  EXPECT_EQ(status.code, Code::timeout);
  EXPECT_EQ(count(*session), 0);
  EXPECT_FALSE(session->facts().is_in_transaction);
}

TEST_P(BatchSuite, ABatchOnAReadLeaseReads) {
  NEEDS_SQL();
  const auto session = open_leased(LeaseMode::read);
  ASSERT_OK(batch(*session, {{words().one_row, {}}, {words().one_row, {}}}));
  EXPECT_EQ(results_.size(), 2u);
  EXPECT_EQ(batch(*session, {{words().one_row, {}}, {words().change, {}}}).sqlstate(), "25006");
  EXPECT_EQ(failed_at_, 1u);
  EXPECT_EQ(ask(*session, words().one_row), words().one_value);
}

TEST_P(BatchSuite, ALargeBatch) {
  NEEDS_SQL();
  const auto session = open_leased();
  make_table(*session);
  std::vector<std::string> names;
  for (int i = 0; i < 2000; ++i) names.push_back(std::to_string(i) + std::string(500, 'y'));
  std::vector<Statement> statements;
  for (size_t i = 0; i < names.size(); ++i) {
    statements.push_back({"INSERT INTO s (id, name) VALUES ($1, $2) RETURNING name",
                          {SqlValue::of(static_cast<int64_t>(i)), SqlValue::of_text(names[i])}});
  }
  ASSERT_OK(batch(*session, statements));
  ASSERT_EQ(results_.size(), 2000u);
  EXPECT_EQ(results_[1999].cell(0, 0).data, names[1999]);
  EXPECT_EQ(count(*session), 2000);
}

// ---- prepared statements --------------------------------------------------------------------------------------------

TEST_P(StatementSuite, ARepeatedStatementIsPrepared) {
  NEEDS_PREPARING();
  const auto session = open_leased();
  const StatementCounts before = session->facts().statements;
  ResultTable out;
  for (int64_t i = 0; i < 6; ++i) {
    EXPECT_EQ(value_of(*session, words().echo_integer, {SqlValue::of(i)}, out).integer, i);
  }
  const StatementCounts after = session->facts().statements;
  EXPECT_GE(after.hits_total - before.hits_total, 4u);
  EXPECT_GE(after.misses_total - before.misses_total, 1u);
  EXPECT_EQ(after.held - before.held, 1u);
  EXPECT_GT(after.bytes, before.bytes);
  // A comment, such as a trace id, does not make it another statement.
  const std::string sql = words().echo_integer + " /* trace 1 */";
  EXPECT_EQ(value_of(*session, sql, {SqlValue::of(int64_t{7})}, out).integer, 7);
  EXPECT_EQ(session->facts().statements.held, after.held);
  EXPECT_EQ(session->facts().statements.hits_total, after.hits_total + 1);
}

TEST_P(StatementSuite, AStatementThatMayNotBePreparedIsNot) {
  NEEDS_PREPARING();
  const auto session = open_leased();
  const StatementCounts before = session->facts().statements;
  const std::vector<SqlValue> params = {SqlValue::of(int64_t{1})};
  QueryRequest request = request_of(words().echo_integer, params);
  request.may_prepare = false;
  ResultTable out;
  for (int i = 0; i < 4; ++i) ASSERT_OK(session->query(request, out));
  EXPECT_EQ(session->facts().statements.held, before.held);
  EXPECT_EQ(session->facts().statements.hits_total, before.hits_total);
}

TEST_P(StatementSuite, WithoutACacheNothingIsPrepared) {
  NEEDS_PREPARING();
  Policy policy;
  policy.statement_cache_size = 0;
  use(policy);
  const auto session = open_leased();
  ResultTable out;
  for (int64_t i = 0; i < 4; ++i) {
    EXPECT_EQ(value_of(*session, words().echo_integer, {SqlValue::of(i)}, out).integer, i);
  }
  EXPECT_EQ(session->facts().statements.held, 0u);
  EXPECT_EQ(session->facts().statements.hits_total, 0u);
}

TEST_P(StatementSuite, TheNumberOfPreparedStatementsIsLimited) {
  NEEDS_PREPARING();
  const auto session = open_leased();
  for (int i = 0; i < 300; ++i) {
    const std::string sql = words().one_row + ", " + std::to_string(i);
    for (int use = 0; use < 2; ++use) ASSERT_OK(run_typed(*session, sql));
  }
  const StatementCounts counts = session->facts().statements;
  EXPECT_LE(counts.held, 128u);
  EXPECT_GE(counts.held, 50u);
  EXPECT_GT(counts.evictions_total, 0u);
  EXPECT_EQ(ask(*session, words().one_row), words().one_value);
}

TEST_P(StatementSuite, APreparedStatementSurvivesAChangeOfItsTable) {
  NEEDS_SQL();
  const auto session = open_leased();
  const auto other = open(1);
  ASSERT_OK(other->begin_lease(LeaseMode::read_write, now()));
  make_table(*session);
  ASSERT_OK(run_typed(*session, "INSERT INTO s (id, name) VALUES (1, 'a')"));
  ResultTable out;
  for (int i = 0; i < 4; ++i) ASSERT_OK(run_typed(*session, "SELECT * FROM s", {}, &out));
  EXPECT_EQ(out.columns(), 3);
  ResultTable earlier = std::move(out);
  ASSERT_OK(run(*other, "ALTER TABLE s RENAME COLUMN name TO title"));
  ASSERT_OK(run_typed(*session, "SELECT * FROM s", {}, &out));
  EXPECT_STREQ(out.name(1), "title");
  EXPECT_STREQ(earlier.name(1), "name");
  ASSERT_OK(run(*session, "ALTER TABLE s RENAME COLUMN title TO name"));
  ASSERT_OK(run_typed(*session, "SELECT * FROM s", {}, &out));
  EXPECT_STREQ(out.name(1), "name");
  ASSERT_OK(run(*other, "ALTER TABLE s ADD COLUMN more integer DEFAULT 5"));
  ASSERT_OK(run_typed(*session, "SELECT * FROM s", {}, &out));
  EXPECT_EQ(out.columns(), 4);
  EXPECT_EQ(out.cell(0, 3).integer, 5);
  ASSERT_OK(run(*session, "ALTER TABLE s DROP COLUMN more"));
  ASSERT_OK(run_typed(*session, "SELECT * FROM s", {}, &out));
  EXPECT_EQ(out.columns(), 3);
  ASSERT_OK(run(*session, "DROP TABLE s"));
  EXPECT_EQ(run_typed(*session, "SELECT * FROM s").sqlstate(), "42P01");
  make_table(*session);
  EXPECT_OK(run_typed(*session, "SELECT * FROM s", {}, &out));
  EXPECT_EQ(out.rows(), 0);
}

// ---- errors ---------------------------------------------------------------------------------------------------------

TEST_P(StatementSuite, AnErrorTellsItsPositionInTheGivenText) {
  NEEDS_SQL();
  const auto session = open_leased();
  make_table(*session);
  const auto position = [&](std::string_view sql, const std::vector<SqlValue>& params = {}) {
    const Status status = run_typed(*session, sql, params);
    EXPECT_EQ(status.code, Code::database) << sql;
    return status.place() == nullptr ? -1 : status.place()->position;
  };
  EXPECT_EQ(position("SELECT missing FROM s"), 8);
  EXPECT_EQ(position("SELEKT 1"), 1);
  EXPECT_EQ(position("SELECT '\u00fc\u00fc', missing FROM s"), 14);  // characters, not bytes
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(position("SELECT missing FROM s WHERE name = ?", {SqlValue::of_text("a")}), 8);
    EXPECT_EQ(position("SELECT 1 FROM s WHERE name = ? AND name = ? AND missing = 1",
                       {SqlValue::of_text("a"), SqlValue::of_text("b")}),
              49);
  }
}

TEST_P(StatementSuite, AnErrorNamesTableColumnAndConstraint) {
  NEEDS_SQL();
  const auto session = open_leased();
  make_table(*session);
  ASSERT_OK(run_typed(*session, "INSERT INTO s (id, name) VALUES (1, 'a')"));
  for (int i = 0; i < 3; ++i) {
    Status status = run_typed(*session, "INSERT INTO s (id, name) VALUES (2, $1)", {SqlValue::of_text("a")});
    EXPECT_EQ(status.sqlstate(), "23505");
    ASSERT_NE(status.place(), nullptr);
    EXPECT_EQ(status.place()->table, "s");
    EXPECT_TRUE(status.place()->column == "name" || status.place()->constraint == "s_name_key");
    status = run_typed(*session, "INSERT INTO s (id, name) VALUES (2, $1)", {SqlValue::null()});
    EXPECT_EQ(status.sqlstate(), "23502");
    ASSERT_NE(status.place(), nullptr);
    EXPECT_EQ(status.place()->table, "s");
    EXPECT_EQ(status.place()->column, "name");
    status = run_typed(*session, "INSERT INTO s VALUES (2, 'b', 100)");
    EXPECT_EQ(status.sqlstate(), "23514");
    ASSERT_NE(status.place(), nullptr);
    EXPECT_EQ(status.place()->constraint, "small");
  }
}

}  // namespace
}  // namespace tide::test
