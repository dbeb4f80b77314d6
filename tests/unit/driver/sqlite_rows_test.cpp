// Rows that are read while their statement runs: what it holds meanwhile, and how it ends.
#include <functional>

#include "unit/driver/sqlite_support.hpp"

namespace tide::test {
namespace {

constexpr const char* kThousand =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000) SELECT i, x FROM n, (SELECT max(x) AS "
    "x FROM t)";
constexpr const char* kInsertThousand =
    "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000) SELECT i FROM n "
    "RETURNING x";

// Ends the stream at its first row.
class FirstOnly final : public RowSink {
 public:
  explicit FirstOnly(std::function<void(const ResultTable&)> see) : see_(std::move(see)) {}
  bool take(const ResultTable& page) override {
    see_(page);
    return false;
  }

 private:
  std::function<void(const ResultTable&)> see_;
};

class SqliteRows : public SqliteRoom {
 protected:
  void SetUp() override {
    session_ = make_session();
    ASSERT_OK(run(*session_, "CREATE TABLE t (x); INSERT INTO t VALUES (0)"));
  }
  static QueryRequest request_of(std::string_view sql) {
    QueryRequest request;
    request.sql = sql;
    return request;
  }
  Status open(std::string_view sql) { return session_->open_rows(request_of(sql), page_); }
  Status fetch(Instant deadline = Instant::never()) { return session_->fetch_rows(page_, deadline); }
  std::string count() { return ask(*session_, "SELECT count(*) FROM t"); }
  bool has_snapshot() {
    return sqlite3_txn_state(static_cast<sqlite3*>(session_->native()), nullptr) != SQLITE_TXN_NONE;
  }

  std::unique_ptr<SqliteConnection> session_;
  ResultTable page_;
};

TEST_F(SqliteRows, AStreamedRowHasValuesAndTexts) {
  int rows = 0;
  FirstOnly sink([&](const ResultTable& page) {
    ++rows;
    EXPECT_EQ(page.cell(0, 0).integer, 7);
    EXPECT_STREQ(page.text(0, 0), "7");
    EXPECT_STREQ(page.text(0, 1), "1.0");
    EXPECT_EQ(page.cell(0, 2).data, std::string_view("a\0b", 3));
    EXPECT_EQ(page.cell(0, 3).data, std::string_view("\0\xff", 2));
    size_t length = 0;
    const char* blob = page.text(0, 3, &length);
    EXPECT_EQ(std::string_view(blob, length), std::string_view("\0\xff", 2));
    EXPECT_EQ(blob[length], '\0');
    EXPECT_EQ(page.cell(0, 3).kind, SqlValue::Kind::bytes);
    EXPECT_EQ(page.text(0, 4), nullptr);
  });
  ResultTable out;
  ASSERT_OK(session_->stream(request_of("SELECT 7, 1.0, 'a' || char(0) || 'b', x'00ff', NULL"), sink, out));
  EXPECT_EQ(rows, 1);
}

TEST_F(SqliteRows, TheTextOfANumberFollowsTheRow) {
  std::string texts;
  class All final : public RowSink {
   public:
    explicit All(std::string& texts) : texts_(texts) {}
    bool take(const ResultTable& page) override {
      texts_ += page.text(0, 0);
      return true;
    }

   private:
    std::string& texts_;
  } all(texts);
  ResultTable out;
  ASSERT_OK(session_->stream(request_of("VALUES (1), (2), (3)"), all, out));
  EXPECT_EQ(texts, "123");
}

TEST_F(SqliteRows, AStreamThatWritesTakesEffectWhenItEndsEarly) {
  uint64_t holder = 0;
  FirstOnly sink([&](const ResultTable&) { holder = turn_holder(); });
  ResultTable out;
  ASSERT_OK(session_->stream(request_of(kInsertThousand), sink, out));
  EXPECT_EQ(holder, session_->number());
  EXPECT_EQ(turn_holder(), 0u);
  EXPECT_EQ(out.affected(), 1000);
  EXPECT_EQ(count(), "1001");
}

TEST_F(SqliteRows, PulledRowsThatWriteHoldTheTurnUntilTheirEnd) {
  const auto other = make_session();
  ASSERT_OK(open(kInsertThousand));
  ASSERT_FALSE(page_.is_last_page());
  EXPECT_EQ(turn_holder(), session_->number());
  EXPECT_EQ(run(*other, "INSERT INTO t VALUES (5)", nullptr, {}, clock_.now() + Span::millis(20)).sqlstate(), "55P03");
  while (!page_.is_last_page()) ASSERT_OK(fetch());
  EXPECT_EQ(page_.affected(), 1000);
  EXPECT_EQ(turn_holder(), 0u);
  ASSERT_OK(open(kInsertThousand));
  session_->close_rows();
  EXPECT_EQ(turn_holder(), 0u);
  EXPECT_OK(run(*other, "INSERT INTO t VALUES (5)"));
  EXPECT_EQ(count(), "2002");
}

// What has failed must not have been committed.
TEST_F(SqliteRows, AResultAboveItsLimitLeavesNothing) {
  QueryRequest request = request_of(kInsertThousand);
  request.rows_max = 10;
  ResultTable out;
  EXPECT_EQ(session_->query(request, out).sqlstate(), "54000");
  EXPECT_EQ(turn_holder(), 0u);
  EXPECT_EQ(count(), "1");
}

TEST_F(SqliteRows, RowsThatAreReadHaveASnapshot) {
  const Instant before = clock_.now();
  ASSERT_OK(open(kThousand));
  SessionFacts facts = session_->facts();
  EXPECT_FALSE(facts.is_in_transaction);
  EXPECT_TRUE(facts.is_reading);
  EXPECT_GE(facts.transaction_since, before);
  EXPECT_GE(facts.idle_in_transaction_since, facts.transaction_since);
  session_->close_rows();
  facts = session_->facts();
  EXPECT_FALSE(facts.is_reading);
  EXPECT_FALSE(facts.transaction_since.is_set());
  EXPECT_FALSE(facts.idle_in_transaction_since.is_set());
  EXPECT_FALSE(has_snapshot());
}

TEST_F(SqliteRows, AReaderThatIsIdleForTooLongIsEnded) {
  ASSERT_OK(open(kThousand));
  EXPECT_TRUE(session_->end_transaction("reading for 61 s"));
  EXPECT_FALSE(session_->facts().is_reading);
  const Status status = fetch();
  EXPECT_EQ(status.sqlstate(), "25P03");
  EXPECT_NE(status.message().find("reading for 61 s"), std::string::npos);
  EXPECT_EQ(count(), "1");  // there is no transaction to roll back
  EXPECT_EQ(fetch().code, Code::refused);
}

TEST_F(SqliteRows, AWriterThatIsEndedFromOutsideIsRolledBack) {
  ASSERT_OK(open(kInsertThousand));
  EXPECT_TRUE(session_->end_transaction("idle"));
  EXPECT_EQ(turn_holder(), 0u);
  EXPECT_EQ(fetch().sqlstate(), "25P03");
  EXPECT_EQ(count(), "1");
}

TEST_F(SqliteRows, AReaderInATransactionLosesBoth) {
  ASSERT_OK(run(*session_, "BEGIN; INSERT INTO t VALUES (1)"));
  ASSERT_OK(open(kThousand));
  EXPECT_TRUE(session_->end_transaction("idle"));
  EXPECT_EQ(turn_holder(), 0u);
  EXPECT_EQ(fetch().sqlstate(), "25P03");
  EXPECT_EQ(run(*session_, "COMMIT").sqlstate(), "25P03");
  EXPECT_OK(run(*session_, "ROLLBACK"));
  EXPECT_EQ(count(), "1");
}

TEST_F(SqliteRows, ARevokedWriterIsRolledBack) {
  const auto other = make_session();
  ASSERT_OK(open(kInsertThousand));
  session_->disarm();
  session_->finish_disarm();
  EXPECT_EQ(turn_holder(), 0u);
  EXPECT_EQ(ask(*other, "SELECT count(*) FROM t"), "1");
  EXPECT_EQ(fetch().code, Code::stale_lease);
}

TEST_F(SqliteRows, ACancelBetweenTwoPagesEndsTheReading) {
  ASSERT_OK(open(kThousand));
  session_->cancel(session_->facts().lease);
  EXPECT_EQ(fetch().sqlstate(), "57014");
  EXPECT_FALSE(session_->facts().is_reading);
  EXPECT_EQ(count(), "1");
  ASSERT_OK(open(kThousand));
  session_->cancel(session_->facts().lease + 5);  // of another lease
  EXPECT_OK(fetch());
}

TEST_F(SqliteRows, APageHasADeadline) {
  ASSERT_OK(open(kThousand));
  EXPECT_EQ(fetch(clock_.now() - Span::millis(1)).code, Code::timeout);
  EXPECT_EQ(fetch().code, Code::refused);
  EXPECT_EQ(count(), "1");
}

TEST_F(SqliteRows, ASnapshotMayNotBeOlderThanThePolicyAllows) {
  ManualClock clock;
  Policy policy = patient_policy();
  policy.sqlite_max_read_transaction = Span::seconds(5);
  const auto session = open_session_on(file(), policy, clock);
  ASSERT_OK(session->furnish(clock.now() + Span::seconds(30)));
  ASSERT_OK(session->begin_lease(LeaseMode::read_write, clock.now()));
  ASSERT_OK(session->open_rows(request_of(kThousand), page_));
  clock.advance(Span::seconds(4));
  EXPECT_OK(session->fetch_rows(page_, Instant::never()));
  clock.advance(Span::seconds(2));
  EXPECT_EQ(session->fetch_rows(page_, Instant::never()).sqlstate(), "25P03");
  EXPECT_FALSE(session->facts().is_reading);
  EXPECT_EQ(ask(*session, "SELECT count(*) FROM t"), "1");
}

TEST_F(SqliteRows, SeveralStatementsHaveNoRowsToRead) {
  ResultTable out;
  FirstOnly sink([](const ResultTable&) {});
  EXPECT_EQ(session_->stream(request_of("SELECT 1; SELECT 2"), sink, out).code, Code::bad_argument);
  EXPECT_EQ(open("SELECT 1; SELECT 2").code, Code::bad_argument);
  EXPECT_OK(open("SELECT 1; -- the end"));
  EXPECT_TRUE(page_.is_last_page());
}

// ---- batches

TEST_F(SqliteRows, ABatchThatReadsWaitsForNoWriter) {
  const auto writer = make_session();
  ASSERT_OK(run(*writer, "BEGIN IMMEDIATE"));
  std::vector<ResultTable> out;
  size_t failed_at = 0;
  const QueryRequest reads[] = {request_of("SELECT count(*) FROM t"),
                                request_of("WITH n AS (SELECT 1) SELECT * FROM n"), request_of("VALUES (1)")};
  EXPECT_OK(session_->batch(reads, clock_.now() + Span::seconds(5), out, failed_at));
  const QueryRequest writes[] = {request_of("WITH n(i) AS (SELECT 5) INSERT INTO t SELECT i FROM n")};
  EXPECT_EQ(session_->batch(writes, clock_.now() + Span::millis(20), out, failed_at).sqlstate(), "55P03");
  ASSERT_OK(run(*writer, "ROLLBACK"));
  EXPECT_OK(session_->batch(writes, Instant::never(), out, failed_at));
  EXPECT_EQ(turn_holder(), 0u);
  EXPECT_EQ(count(), "2");
}

TEST_F(SqliteRows, ABatchCannotEndItsTransaction) {
  std::vector<ResultTable> out;
  size_t failed_at = 0;
  for (const char* control : {"COMMIT", "ROLLBACK", "SAVEPOINT s", "BEGIN"}) {
    const QueryRequest requests[] = {request_of("INSERT INTO t VALUES (1)"), request_of(control),
                                     request_of("INSERT INTO t VALUES (2)")};
    EXPECT_EQ(session_->batch(requests, Instant::never(), out, failed_at).code, Code::refused);
    EXPECT_EQ(failed_at, 1u);
    EXPECT_EQ(count(), "1");
    EXPECT_EQ(turn_holder(), 0u);
  }
}

TEST_F(SqliteRows, ABatchWhoseTransactionSqliteRollsBackIsOver) {
  ASSERT_OK(run(*session_, "CREATE UNIQUE INDEX i ON t (x)"));
  std::vector<ResultTable> out;
  size_t failed_at = 0;
  const QueryRequest requests[] = {request_of("INSERT INTO t VALUES (1)"),
                                   request_of("INSERT OR ROLLBACK INTO t VALUES (1)")};
  EXPECT_EQ(session_->batch(requests, Instant::never(), out, failed_at).sqlstate(), "23505");
  EXPECT_EQ(failed_at, 1u);
  EXPECT_EQ(count(), "1");  // the session accepts other statements at once
}

}  // namespace
}  // namespace tide::test
