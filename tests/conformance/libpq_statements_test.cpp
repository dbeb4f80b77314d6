// Promises of the PostgreSQL driver about statements that other databases do not have.
#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "driver/libpq/connector.hpp"
#include "unit/driver/support.hpp"

namespace tide::test {
namespace {

class LibpqStatements : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::getenv("TIDE_TEST_POSTGRESQL") == nullptr) GTEST_SKIP() << "no server";
    connector_ = make();
  }

  std::unique_ptr<Connector> make() {
    return make_postgresql_connector({::getenv("TIDE_TEST_POSTGRESQL"), "statements", nullptr}, Policy{}, clock_);
  }
  Completion wait_for(Connector& connector) {
    std::vector<Completion> done;
    for (;;) {
      const Instant until = connector.step(clock_.now(), done);
      std::erase_if(done, [](const Completion& c) { return c.kind == Completion::Kind::noticed; });
      if (!done.empty()) return std::move(done.front());
      pollfd fd{connector.fd(), POLLIN, 0};
      poll(&fd, 1, static_cast<int>(std::clamp<int64_t>((until - clock_.now()).ms() + 1, 0, 1000)));
    }
  }
  std::unique_ptr<Connection> open(Connector& connector, uint32_t slot) {
    connector.open(slot, clock_.now(), clock_.now() + Span::seconds(20));
    std::unique_ptr<Connection> session = wait_for(connector).connection;
    EXPECT_OK(session->begin_lease(LeaseMode::read_write, clock_.now()));
    return session;
  }
  std::unique_ptr<Connection> open() { return open(*connector_, next_slot_++); }

  static QueryRequest request_of(std::string_view sql, const std::vector<SqlValue>& params = {}) {
    QueryRequest request;
    request.sql = sql;
    request.params = params;
    request.placeholders = Placeholders::numbered;
    return request;
  }
  static Status typed(Connection& session, std::string_view sql, const std::vector<SqlValue>& params,
                      ResultTable& out) {
    return session.query(request_of(sql, params), out);
  }
  static std::string held(Connection& session) {
    return ask(session, "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'tide%'");
  }

  RealClock clock_;
  std::unique_ptr<Connector> connector_;
  uint32_t next_slot_ = 0;
};

// Takes one page.
class OnePage final : public RowSink {
 public:
  bool take(const ResultTable& page) override {
    rows += page.rows();
    return false;
  }
  int64_t rows = 0;
};

TEST_F(LibpqStatements, ValuesArePassedExactlyToEveryTypeBeforeAndAfterPreparing) {
  const auto session = open();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  struct Sample {
    std::string type;
    SqlValue value;
    std::string text;
    SqlValue::Kind kind;
  };
  using Kind = SqlValue::Kind;
  const std::vector<Sample> samples = {
      {"int2", SqlValue::of(int64_t{-32768}), "-32768", Kind::integer},
      {"int4", SqlValue::of(int64_t{2147483647}), "2147483647", Kind::integer},
      {"int8", SqlValue::of(std::numeric_limits<int64_t>::min()), "-9223372036854775808", Kind::integer},
      {"oid", SqlValue::of(int64_t{4294967295}), "4294967295", Kind::integer},
      {"numeric", SqlValue::of(int64_t{12}), "12", Kind::text},
      {"numeric", SqlValue::of(0.1), "0.1", Kind::text},
      {"float4", SqlValue::of(0.1), "0.1", Kind::real},
      {"float4", SqlValue::of(-infinity), "-Infinity", Kind::real},
      {"float8", SqlValue::of(0.1), "0.1", Kind::real},
      {"float8", SqlValue::of(nan), "NaN", Kind::real},
      {"float8", SqlValue::of(5e-324), "5e-324", Kind::real},
      {"float8", SqlValue::of(int64_t{3}), "3", Kind::real},
      {"float8", SqlValue::of((int64_t{1} << 53) + 1), "9.007199254740992e+15", Kind::real},
      {"bool", SqlValue::of_boolean(true), "t", Kind::boolean},
      {"text", SqlValue::of_boolean(false), "false", Kind::text},
      {"text", SqlValue::of(int64_t{5}), "5", Kind::text},
      {"text", SqlValue::of_text(""), "", Kind::text},
      {"varchar(3)", SqlValue::of_text("abc"), "abc", Kind::text},
      {"json", SqlValue::of_text("{\"a\": [1, null]}"), "{\"a\": [1, null]}", Kind::text},
      {"jsonb", SqlValue::of_text("[1]"), "[1]", Kind::text},
      {"int4", SqlValue::of_text("7"), "7", Kind::integer},
      {"int4[]", SqlValue::of_text("{1,NULL,3}"), "{1,NULL,3}", Kind::text},
      {"date", SqlValue::of_text("infinity"), "infinity", Kind::text},
      {"bytea", SqlValue::of_bytes({"\0\xff\\x", 4}), "\\x00ff5c78", Kind::bytes},
      {"bytea", SqlValue::of_text("\\x00ff"), "\\x00ff", Kind::bytes},
  };
  for (const Sample& sample : samples) {
    const std::string sql = "SELECT $1::" + sample.type;
    for (int use = 0; use < 4; ++use) {
      ResultTable out;
      ASSERT_OK(typed(*session, sql, {sample.value}, out));
      EXPECT_EQ(std::string(out.text(0, 0)), sample.text) << sql << ", use " << use;
      EXPECT_EQ(out.cell(0, 0).kind, sample.kind) << sql;
      EXPECT_NE(out.column(0)->type_oid, 0u);
    }
  }
  EXPECT_GT(session->facts().statements.hits_total, samples.size());
}

TEST_F(LibpqStatements, ColumnsHaveTheTypeOfTheServer) {
  const auto session = open();
  ResultTable out;
  ASSERT_OK(typed(*session, "SELECT 1::int8 AS a, 'x'::varchar(7) AS b", {}, out));
  EXPECT_EQ(out.column(0)->type_oid, 20u);
  EXPECT_EQ(out.column(1)->type_oid, 1043u);
  EXPECT_EQ(out.column(1)->type_modifier, 11);
}

TEST_F(LibpqStatements, BytesWrittenInEitherFormatAreRead) {
  const auto session = open();
  for (const char* format : {"hex", "escape"}) {
    ASSERT_OK(run(*session, std::string("SET bytea_output = ") + format));
    ResultTable out;
    ASSERT_OK(typed(*session, "SELECT '\\x00275c61ff'::bytea", {}, out));
    EXPECT_EQ(out.cell(0, 0).data, std::string_view("\0'\\a\xff", 5)) << format;
  }
}

TEST_F(LibpqStatements, AValueOutOfRangeIsAnErrorOfTheServer) {
  const auto session = open();
  for (int use = 0; use < 4; ++use) {
    ResultTable out;
    EXPECT_EQ(typed(*session, "SELECT $1::int2", {SqlValue::of(int64_t{32768})}, out).sqlstate(), "22003");
    EXPECT_EQ(typed(*session, "SELECT $1::int4", {SqlValue::of(1.5)}, out).sqlstate(), "22P02");
    EXPECT_EQ(typed(*session, "SELECT $1::float4", {SqlValue::of(1e300)}, out).sqlstate(), "22003");
    const Status status =
        typed(*session, "SELECT $2::text, $1::int4", {SqlValue::of(int64_t{1}), SqlValue::of_text({"a\0b", 3})}, out);
    EXPECT_EQ(status.code, Code::bad_argument);
    EXPECT_NE(status.message().find("parameter 2"), std::string::npos) << status.message();
    EXPECT_NE(status.hint().find("bytea"), std::string::npos);
  }
}

TEST_F(LibpqStatements, AWrongNumberOfParametersIsNotSent) {
  const auto session = open();
  for (int use = 0; use < 4; ++use) {
    ResultTable out;
    const Status status = typed(*session, "SELECT $1::int4 + $2::int4", {SqlValue::of(int64_t{1})}, out);
    EXPECT_EQ(status.code, Code::bad_argument);
    EXPECT_EQ(status.sqlstate(), "07001");
    EXPECT_TRUE(status.is_unexecuted);
    EXPECT_NE(status.message().find("requires 2 parameters, but 1"), std::string::npos) << status.message();
  }
}

TEST_F(LibpqStatements, TheIdOfTheLastRowInserted) {
  const auto session = open();
  ASSERT_OK(run(*session, "CREATE TEMP TABLE ids (id bigserial, name text)"));
  ResultTable out;
  ASSERT_OK(typed(*session, "INSERT INTO ids (name) VALUES ('a'), ('b') RETURNING id", {}, out));
  EXPECT_EQ(out.last_insert_id(), 2);
  ASSERT_OK(typed(*session, "INSERT INTO ids (name) VALUES ('c') RETURNING name", {}, out));
  EXPECT_EQ(out.last_insert_id(), 0);
  ASSERT_OK(typed(*session, "SELECT id FROM ids", {}, out));
  EXPECT_EQ(out.last_insert_id(), 0);
}

TEST_F(LibpqStatements, AnErrorTellsWhatTheServerTells) {
  const auto session = open();
  ASSERT_OK(run(*session,
                "DROP SCHEMA IF EXISTS told CASCADE; CREATE SCHEMA told; CREATE TABLE told.t (n int NOT NULL,"
                " CONSTRAINT positive CHECK (n > 0))"));
  ResultTable out;
  Status status = typed(*session, "INSERT INTO told.t VALUES ($1)", {SqlValue::null()}, out);
  ASSERT_NE(status.place(), nullptr);
  EXPECT_EQ(status.place()->schema, "told");
  EXPECT_EQ(status.place()->table, "t");
  EXPECT_EQ(status.place()->column, "n");
  EXPECT_EQ(status.place()->routine, "ExecConstraints");
  status = typed(*session, "INSERT INTO told.t VALUES (?)", {SqlValue::of(int64_t{-1})}, out);
  EXPECT_EQ(status.place()->constraint, "positive");
  for (int use = 0; use < 3; ++use) {
    status =
        typed(*session, "SELECT ?::int, ?::int, nothing", {SqlValue::of(int64_t{1}), SqlValue::of(int64_t{1})}, out);
    EXPECT_EQ(status.place()->position, 24);
    EXPECT_NE(status.detail().find("At character 24"), std::string::npos) << status.detail();
  }
  std::vector<ResultTable> results;
  size_t failed_at = 0;
  const std::vector<SqlValue> params = {SqlValue::of(int64_t{1}), SqlValue::of(int64_t{1})};
  const QueryRequest requests[] = {request_of("SELECT 1"), request_of("SELECT ?::int, ?::int, nothing", params)};
  status = session->batch(requests, Instant::never(), results, failed_at);
  EXPECT_EQ(failed_at, 1u);
  ASSERT_NE(status.place(), nullptr);
  EXPECT_EQ(status.place()->position, 24);
  EXPECT_OK(run(*session, "DROP SCHEMA told CASCADE"));
}

// ---- prepared statements

TEST_F(LibpqStatements, AChangeByAnotherProgramIsMetByOneStatementOfThePoolAtMost) {
  const auto first = open();
  const auto second = open();
  const auto stranger_connector = make();
  const auto stranger = open(*stranger_connector, 0);
  ASSERT_OK(
      run(*first, "DROP TABLE IF EXISTS changing; CREATE TABLE changing (a int); INSERT INTO changing VALUES (1)"));
  ResultTable out;
  for (int use = 0; use < 3; ++use) {
    for (Connection* session : {first.get(), second.get()}) {
      ASSERT_OK(typed(*session, "SELECT * FROM changing", {}, out));
    }
  }
  ASSERT_OK(run(*stranger, "ALTER TABLE changing ADD b text DEFAULT 'new'"));
  ASSERT_OK(typed(*first, "SELECT * FROM changing", {}, out));  // prepared again
  EXPECT_EQ(out.columns(), 2);
  ASSERT_OK(run(*second, "BEGIN"));
  EXPECT_OK(typed(*second, "SELECT * FROM changing", {}, out));  // suspect: prepared again before it can fail
  EXPECT_EQ(out.columns(), 2);
  EXPECT_OK(run(*second, "COMMIT"));
  EXPECT_OK(run(*first, "DROP TABLE changing"));
}

TEST_F(LibpqStatements, AChangeInsideOfATransactionIsExplained) {
  const auto session = open();
  const auto stranger_connector = make();
  const auto stranger = open(*stranger_connector, 0);
  ASSERT_OK(run(*session, "DROP TABLE IF EXISTS changing; CREATE TABLE changing (a int)"));
  ResultTable out;
  for (int use = 0; use < 3; ++use) ASSERT_OK(typed(*session, "SELECT * FROM changing", {}, out));
  ASSERT_OK(run(*stranger, "ALTER TABLE changing ADD b int"));
  ASSERT_OK(run(*session, "BEGIN"));
  const Status status = typed(*session, "SELECT * FROM changing", {}, out);
  EXPECT_EQ(status.sqlstate(), "0A000");
  EXPECT_NE(status.detail().find("prepared"), std::string::npos) << status.detail();
  EXPECT_NE(status.hint().find("repeat the transaction"), std::string::npos) << status.hint();
  ASSERT_OK(run(*session, "ROLLBACK"));
  ASSERT_OK(run(*session, "BEGIN"));
  EXPECT_OK(typed(*session, "SELECT * FROM changing", {}, out));
  ASSERT_OK(run(*session, "ROLLBACK"));
  EXPECT_OK(run(*session, "DROP TABLE changing"));
}

TEST_F(LibpqStatements, OwnChangesAreNeverMet) {
  const auto first = open();
  const auto second = open();
  ASSERT_OK(run(*first, "DROP TABLE IF EXISTS changing; CREATE TABLE changing (a int)"));
  ResultTable out;
  for (int use = 0; use < 3; ++use) {
    for (Connection* session : {first.get(), second.get()})
      ASSERT_OK(typed(*session, "SELECT * FROM changing", {}, out));
  }
  ASSERT_OK(run(*first, "BEGIN"));
  ASSERT_OK(run(*first, "ALTER TABLE changing ADD b int"));
  EXPECT_OK(typed(*first, "SELECT * FROM changing", {}, out));
  EXPECT_EQ(out.columns(), 2);
  ASSERT_OK(run(*first, "COMMIT"));
  ASSERT_OK(run(*second, "BEGIN"));
  EXPECT_OK(typed(*second, "SELECT * FROM changing", {}, out));
  EXPECT_EQ(out.columns(), 2);
  ASSERT_OK(run(*second, "COMMIT"));
  EXPECT_OK(run(*first, "DROP TABLE changing"));
}

TEST_F(LibpqStatements, StatementsThatAreGoneArePreparedAgain) {
  const auto session = open();
  ResultTable out;
  const auto use = [&] { return typed(*session, "SELECT $1::int4", {SqlValue::of(int64_t{1})}, out); };
  for (int i = 0; i < 3; ++i) ASSERT_OK(use());
  EXPECT_EQ(held(*session), "1");
  PQclear(PQexec(static_cast<PGconn*>(session->native()), "DEALLOCATE ALL"));
  for (int i = 0; i < 3; ++i) EXPECT_OK(use());
  EXPECT_GE(std::stoi(held(*session)), 1);
  for (const char* all : {"DEALLOCATE ALL", "DISCARD ALL"}) {
    ASSERT_OK(run(*session, all));
    EXPECT_EQ(session->facts().statements.held, 0u);
    ASSERT_OK(run(*session, "BEGIN"));
    EXPECT_OK(use());  // known to be gone: no error inside of a transaction
    ASSERT_OK(run(*session, "COMMIT"));
  }
}

TEST_F(LibpqStatements, AResetForgetsThem) {
  const auto session = open();
  ResultTable out;
  for (int i = 0; i < 3; ++i) ASSERT_OK(typed(*session, "SELECT $1::int4", {SqlValue::of(int64_t{1})}, out));
  EXPECT_EQ(session->facts().statements.held, 1u);
  ASSERT_OK(run(*session, "SET work_mem = '1MB'"));
  ASSERT_EQ(session->settle(ResetMode::smart), Settled::needs_reset);
  connector_->reset(0, *session, ResetMode::smart, clock_.now(), clock_.now() + Span::seconds(20));
  ASSERT_EQ(wait_for(*connector_).kind, Completion::Kind::reset_done);
  EXPECT_EQ(session->facts().statements.held, 0u);
  ASSERT_OK(session->begin_lease(LeaseMode::read_write, clock_.now()));
  EXPECT_OK(typed(*session, "SELECT $1::int4", {SqlValue::of(int64_t{1})}, out));
}

TEST_F(LibpqStatements, EvictedOnesAreClosed) {
  const auto session = open();
  for (int i = 0; i < 400; ++i) {
    const std::string sql = "SELECT " + std::to_string(i);
    ResultTable out;
    for (int use = 0; use < 3; ++use) ASSERT_OK(typed(*session, sql, {}, out));
  }
  const StatementCounts counts = session->facts().statements;
  EXPECT_EQ(counts.held, 128u);
  EXPECT_EQ(counts.evictions_total, 272u);
  EXPECT_LE(std::stoi(held(*session)), 130);
}

TEST_F(LibpqStatements, ANewSearchPathFindsOtherTables) {
  const auto session = open();
  ASSERT_OK(run(*session,
                "DROP SCHEMA IF EXISTS one, two CASCADE; CREATE SCHEMA one; CREATE SCHEMA two;"
                " CREATE TABLE one.t AS SELECT 1 AS a; CREATE TABLE two.t AS SELECT 2 AS a, 'x'::text AS b"));
  ResultTable out;
  ASSERT_OK(run(*session, "SET search_path = one"));
  for (int use = 0; use < 3; ++use) ASSERT_OK(typed(*session, "SELECT * FROM t", {}, out));
  ASSERT_OK(run(*session, "BEGIN"));
  ASSERT_OK(run(*session, "SET search_path = two"));
  EXPECT_OK(typed(*session, "SELECT * FROM t", {}, out));
  EXPECT_EQ(out.columns(), 2);
  ASSERT_OK(run(*session, "ROLLBACK"));
  EXPECT_OK(run(*session, "DROP SCHEMA one, two CASCADE"));
}

// ---- streams

TEST_F(LibpqStatements, AnEarlyEndKeepsTheTransactionAndTheSession) {
  const auto session = open();
  const std::string many = "SELECT i, repeat('x', 100) FROM generate_series(1, 200000) AS i";
  ResultTable out;
  OnePage sink;
  ASSERT_OK(session->stream(request_of(many), sink, out));
  EXPECT_GT(sink.rows, 0);
  EXPECT_LT(sink.rows, 1000);
  EXPECT_EQ(out.columns(), 2);
  EXPECT_EQ(ask(*session, "SELECT 5"), "5");
  ASSERT_OK(run(*session, "BEGIN; CREATE TEMP TABLE kept (a int) ON COMMIT DROP"));
  ASSERT_OK(session->stream(request_of(many), sink, out));
  EXPECT_EQ(ask(*session, "SELECT count(*) FROM kept"), "0");
  ResultTable page;
  ASSERT_OK(session->open_rows(request_of(many), page));
  session->close_rows();
  EXPECT_EQ(ask(*session, "SELECT count(*) FROM kept"), "0");
  EXPECT_OK(run(*session, "COMMIT"));
}

// A reset that removes traces would also remove prepared statements.
TEST_F(LibpqStatements, AStreamLeavesNoTrace) {
  const auto session = open();
  ResultTable out;
  for (int use = 0; use < 3; ++use) ASSERT_OK(typed(*session, "SELECT 1", {}, out));
  OnePage sink;
  ASSERT_OK(session->stream(request_of("SELECT * FROM generate_series(1, 200000)"), sink, out));
  if (session->settle(ResetMode::smart) != Settled::clean) {  // the cancel was late
    connector_->reset(0, *session, ResetMode::smart, clock_.now(), clock_.now() + Span::seconds(20));
    ASSERT_EQ(wait_for(*connector_).kind, Completion::Kind::reset_done);
  }
  EXPECT_EQ(session->facts().statements.held, 1u);
}

TEST_F(LibpqStatements, AStreamHasOneStatement) {
  const auto session = open();
  ResultTable out;
  OnePage sink;
  EXPECT_EQ(session->stream(request_of("SELECT 1; SELECT 2"), sink, out).sqlstate(), "42601");
  EXPECT_EQ(ask(*session, "SELECT 5"), "5");
}

// ---- transactions

TEST_F(LibpqStatements, TheIdOfATransactionIsTold) {
  const auto session = open();
  ASSERT_OK(run(*session, "DROP TABLE IF EXISTS told; CREATE TABLE told (a int)"));
  ResultTable out;
  const auto ask_with = [&](std::string_view sql) {
    QueryRequest request = request_of(sql);
    request.wants_transaction = true;
    return session->query(request, out);
  };
  ASSERT_OK(ask_with("INSERT INTO told VALUES (0)"));
  EXPECT_EQ(out.server(), "");  // no transaction is open
  for (int use = 0; use < 3; ++use) {
    ASSERT_OK(run(*session, "BEGIN"));
    ASSERT_OK(ask_with("SELECT a FROM told"));
    EXPECT_EQ(out.transaction(), "");
    EXPECT_NE(out.server(), "");
    EXPECT_GE(out.rows(), 1);
    ASSERT_OK(ask_with("INSERT INTO told VALUES (1)"));
    EXPECT_EQ(out.affected(), 1);
    const std::string id = out.transaction();
    EXPECT_NE(id, "");
    ASSERT_OK(ask_with("CREATE TEMP TABLE u (a int) ON COMMIT DROP"));
    EXPECT_EQ(out.transaction(), id);
    EXPECT_EQ(out.command(), "CREATE TABLE");
    QueryRequest last = request_of("SELECT 1");
    last.wants_transaction = true;
    std::vector<ResultTable> results;
    size_t failed_at = 0;
    ASSERT_OK(session->batch({&last, 1}, Instant::never(), results, failed_at));
    EXPECT_EQ(results.back().transaction(), id);
    EXPECT_EQ(ask_with("SELECT nothing").sqlstate(), "42703");
    ASSERT_OK(run(*session, "ROLLBACK"));
    ASSERT_NE(session->outcome_words(), nullptr);
    const SqlValue asked = SqlValue::of_text(id);
    QueryRequest question;
    question.sql = session->outcome_words()->ask;
    question.params = {&asked, 1};
    const std::string server = out.server();
    ASSERT_OK(session->query(question, out));
    EXPECT_STREQ(out.text(0, 1), "aborted");
  }
  EXPECT_OK(run(*session, "DROP TABLE told"));
}

TEST_F(LibpqStatements, TheServerIsTheSameForBothQuestions) {
  const auto session = open();
  ASSERT_OK(run(*session, "BEGIN"));
  ResultTable out;
  QueryRequest request = request_of("SELECT 1");
  request.wants_transaction = true;
  ASSERT_OK(session->query(request, out));
  const std::string server = out.server();
  ASSERT_OK(run(*session, "ROLLBACK; SET timezone = 'Asia/Kathmandu'"));
  const SqlValue id = SqlValue::of_text("3");
  request = {};
  request.sql = session->outcome_words()->ask;
  request.params = {&id, 1};
  ASSERT_OK(session->query(request, out));
  EXPECT_EQ(std::string(out.text(0, 0)), server);
}

// ---- batches

class LibpqBatches : public LibpqStatements {
 protected:
  void SetUp() override {
    LibpqStatements::SetUp();
    if (IsSkipped()) return;
    observer_ = open();
    ASSERT_OK(run(*observer_, "DROP TABLE IF EXISTS batched; CREATE TABLE batched (a int)"));
  }
  Status batch(Connection& session, const std::vector<std::string>& texts) {
    std::vector<QueryRequest> requests;
    for (const std::string& text : texts) requests.push_back(request_of(text));
    std::vector<ResultTable> results;
    return session.batch(requests, Instant::never(), results, failed_at_);
  }
  std::string count() { return ask(*observer_, "SELECT count(*) FROM batched"); }

  std::unique_ptr<Connection> observer_;
  size_t failed_at_ = 0;
};

TEST_F(LibpqBatches, ASessionLostBeforeABatchIsKnownNotToHaveExecutedIt) {
  const auto session = open();
  shutdown(PQsocket(static_cast<PGconn*>(session->native())), SHUT_RDWR);
  const Status status = batch(*session, {"INSERT INTO batched VALUES (1)"});
  EXPECT_EQ(status.code, Code::database) << status.message();
  EXPECT_EQ(status.sqlstate(), "08006");
  EXPECT_TRUE(status.is_unexecuted);
  EXPECT_EQ(count(), "0");
}

TEST_F(LibpqBatches, ATerminatedSessionTellsThatNothingWasCommitted) {
  const auto session = open();
  const Status status =
      batch(*session, {"INSERT INTO batched VALUES (1)", "SELECT pg_terminate_backend(pg_backend_pid())",
                       "INSERT INTO batched VALUES (2)"});
  EXPECT_EQ(status.code, Code::database) << status.message();
  EXPECT_EQ(status.sqlstate(), "57P01");
  EXPECT_TRUE(status.is_unexecuted);
  EXPECT_EQ(count(), "0");
}

TEST_F(LibpqBatches, ASessionLostWhileABatchIsExecutedHasAnUnknownOutcome) {
  const auto session = open();
  const int socket = PQsocket(static_cast<PGconn*>(session->native()));
  std::thread breaker([&] {
    while (ask(*observer_, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") != "1") continue;
    shutdown(socket, SHUT_RDWR);
  });
  const Status status = batch(*session, {"INSERT INTO batched VALUES (1)", "SELECT pg_sleep(0.3)"});
  breaker.join();
  EXPECT_EQ(status.code, Code::unknown_outcome) << status.message();
}

TEST_F(LibpqBatches, InATransactionALostSessionIsNoUnknownOutcome) {
  const auto session = open();
  ASSERT_OK(run(*session, "BEGIN"));
  const Status status =
      batch(*session, {"INSERT INTO batched VALUES (1)", "SELECT pg_terminate_backend(pg_backend_pid())"});
  EXPECT_EQ(status.code, Code::database);
  EXPECT_EQ(count(), "0");
}

TEST_F(LibpqBatches, ARepeatedTextIsPreparedOnceAndKept) {
  const auto session = open();
  std::vector<QueryRequest> requests;
  const std::vector<SqlValue> params = {SqlValue::of(int64_t{1})};
  for (int i = 0; i < 10; ++i) requests.push_back(request_of("INSERT INTO batched VALUES ($1)", params));
  std::vector<ResultTable> results;
  for (int round = 0; round < 3; ++round) {
    ASSERT_OK(session->batch(requests, Instant::never(), results, failed_at_));
    EXPECT_EQ(session->facts().statements.held, 1u);
  }
  EXPECT_EQ(held(*session), "1");
  EXPECT_EQ(count(), "30");
}

TEST_F(LibpqBatches, AChangedTableIsNotMetByABatch) {
  const auto session = open();
  const auto stranger_connector = make();
  const auto stranger = open(*stranger_connector, 0);
  for (int i = 0; i < 3; ++i) ASSERT_OK(batch(*session, {"SELECT * FROM batched", "INSERT INTO batched VALUES (1)"}));
  ASSERT_OK(run(*stranger, "ALTER TABLE batched ADD b int"));
  EXPECT_OK(batch(*session, {"INSERT INTO batched VALUES (1)", "SELECT * FROM batched"}));
  EXPECT_EQ(count(), "4");
}

TEST_F(LibpqBatches, AResultAboveItsLimitUndoesTheBatch) {
  const auto session = open();
  QueryRequest requests[] = {request_of("INSERT INTO batched VALUES (1)"),
                             request_of("SELECT * FROM generate_series(1, 100)")};
  requests[1].rows_max = 99;
  std::vector<ResultTable> results;
  EXPECT_EQ(session->batch(requests, Instant::never(), results, failed_at_).sqlstate(), "54000");
  EXPECT_EQ(failed_at_, 1u);
  EXPECT_EQ(count(), "0");
  requests[1].rows_max = 100;
  EXPECT_OK(session->batch(requests, Instant::never(), results, failed_at_));
  EXPECT_EQ(count(), "1");
}

TEST_F(LibpqBatches, OutputAndInputLargerThanAllBuffersDoNotBlock) {
  const auto session = open();
  const std::string large(1 << 20, 'z');
  const std::vector<SqlValue> params = {SqlValue::of_text(large)};
  std::vector<QueryRequest> requests;
  for (int i = 0; i < 100; ++i) requests.push_back(request_of("SELECT $1::text", params));
  std::vector<ResultTable> results;
  ASSERT_OK(session->batch(requests, Instant::never(), results, failed_at_));
  ASSERT_EQ(results.size(), 100u);
  EXPECT_EQ(results[99].cell(0, 0).data, large);
}

}  // namespace
}  // namespace tide::test
