// Statements on a pool and on a lease: retries, refusals, and that a call keeps no lease.
#include <array>
#include <string>

#include "service/retry.hpp"
#include "unit/service/service_rig.hpp"

namespace tide::test {
namespace {

class ServiceStatements : public ServiceRig {};

class Rows final : public RowSink {
 public:
  explicit Rows(int64_t rows_max = 1'000'000) : rows_max_(rows_max) {}
  bool take(const ResultTable& page) override {
    ++pages_;
    for (int64_t row = 0; row < page.rows(); ++row) sum_ += page.cell(row, 0).integer;
    rows_ += page.rows();
    return rows_ < rows_max_;
  }
  int64_t rows_ = 0, sum_ = 0, pages_ = 0;

 private:
  const int64_t rows_max_;
};

// V1
TEST_F(ServiceStatements, V1ACallOnThePoolKeepsNoLease) {
  EXPECT_OK(run("one"));
  EXPECT_STREQ(table_.text(0, 0), "1");
  EXPECT_EQ(run("bogus").sqlstate(), "42601");
  EXPECT_EQ(run("begin").sqlstate(), "25001");
  Rows rows;
  EXPECT_OK(service_->stream(call("rows 10"), {}, rows, table_));
  fault_at("put k 1", Fault::lost_executed);
  EXPECT_EQ(run("put k 1").sqlstate(), "08006");
  expect_all_free();
}

TEST_F(ServiceStatements, FirstReturnsOneRowAndExecuteTheRowsChanged) {
  EXPECT_OK(service_->run(call("rows 5", Call::Kind::first), {}, table_));
  EXPECT_EQ(table_.rows(), 1);
  EXPECT_OK(service_->run(call("change 3", Call::Kind::execute), {}, table_));
  EXPECT_EQ(table_.affected(), 3);
}

TEST_F(ServiceStatements, ExecuteRefusesTransactionControl) {
  for (const char* sql : {"begin", "COMMIT", "/* x */ rollback", "savepoint a", "one; commit"}) {
    const Status status = service_->run(call(sql, Call::Kind::execute), {}, table_);
    EXPECT_EQ(status.code, Code::refused) << sql;
    EXPECT_NE(status.detail().find(sql), std::string::npos);
  }
}

TEST_F(ServiceStatements, ATransactionLeftOpenIsRefusedAndRolledBack) {
  const Status status = run("begin");
  EXPECT_EQ(status.code, Code::bad_argument);
  EXPECT_EQ(status.sqlstate(), "25001");
  settle();
  for (int i = 0; i < kSize; ++i) EXPECT_OK(run("put k 1"));  // alone: it would fail on commit otherwise
  EXPECT_EQ(stored("k"), "1");
}

TEST_F(ServiceStatements, ConflictsAreRepeatedWithGrowingPauses) {
  fault_at("add k 1", Fault::conflict, 1, 2);
  EXPECT_OK(run("add k 1"));
  EXPECT_EQ(stored("k"), "1");
  ASSERT_EQ(pauses_.size(), 3u);
  const std::array<int64_t, 3> ceilings_ms = {10, 20, 40};
  for (size_t i = 0; i < 3; ++i) EXPECT_LE(pauses_[i], Span::millis(ceilings_ms[i]));
  EXPECT_NE(pauses_[0], pauses_[1]);  // full jitter
}

TEST_F(ServiceStatements, DeadlocksAreRepeatedAsOftenAsAllowed) {
  fault_at("add k 1", Fault::deadlock, 1, 1000);
  EXPECT_EQ(run("add k 1").sqlstate(), "40P01");
  EXPECT_EQ(pauses_.size(), 3u);  // the policy
  pauses_.clear();
  CallTerms terms;
  terms.retry_attempts = 0;
  EXPECT_EQ(run("add k 1", terms).sqlstate(), "40P01");
  EXPECT_TRUE(pauses_.empty());
  terms.retry_attempts = 7;
  EXPECT_EQ(run("add k 1", terms).sqlstate(), "40P01");
  ASSERT_EQ(pauses_.size(), 7u);
  for (const Span pause : pauses_) EXPECT_LE(pause, Span::millis(80));  // retry_max
}

// V2
TEST_F(ServiceStatements, V2AStatementIsRepeatedOnlyAsATransactionOfItsOwn) {
  for (const char* sql : {"update t set x = 1", "select 1;", "-- begin\nselect 1", "with a as (select 1) select 1"})
    EXPECT_TRUE(is_one_transaction(sql, Dialect::postgresql)) << sql;
  for (const char* sql : {"insert into t values (1); insert into t values (2)", "commit", "call p()",
                          "DO $$ begin end $$", "begin; select 1; commit"})
    EXPECT_FALSE(is_one_transaction(sql, Dialect::postgresql)) << sql;
}

TEST_F(ServiceStatements, V2ALostWriteIsNotRepeated) {
  for (const Fault fault : {Fault::lost_unexecuted, Fault::lost_executed}) {
    fault_at("add k 1", fault);
    EXPECT_EQ(run("add k 1").sqlstate(), "08006");
    settle();
  }
  EXPECT_EQ(stored("k"), "1");  // of the second
  EXPECT_TRUE(pauses_.empty());
}

TEST_F(ServiceStatements, V2WhatWasNotSentOrOnlyReadsIsRepeated) {
  fault_at("add k 1", Fault::lost_unsent);
  EXPECT_OK(run("add k 1"));
  EXPECT_EQ(stored("k"), "1");
  CallTerms reading;
  reading.mode = LeaseMode::read;
  fault_at("get k", Fault::lost_executed);
  EXPECT_OK(run("get k", reading));
  EXPECT_STREQ(table_.text(0, 0), "1");
  EXPECT_EQ(pauses_.size(), 2u);
}

TEST_F(ServiceStatements, TheTimeoutBoundsAllAttempts) {
  fault_at("add k 1", Fault::conflict, 1, 1'000'000);
  CallTerms terms;
  terms.timeout = Span::millis(200);
  terms.retry_attempts = 1'000'000;
  const Instant before = clock_.now();
  EXPECT_EQ(run("add k 1", terms).sqlstate(), "40001");
  EXPECT_LE(clock_.now() - before, Span::millis(200));
  EXPECT_GT(pauses_.size(), 2u);
}

TEST_F(ServiceStatements, AStatementEndsAtTheTimeoutOfTheCall) {
  fake::Latencies slow;
  slow.query = {Span::seconds(5), Span()};
  server_.set_latencies(slow);
  server_.set_time_passes([this](Span span) { clock_.advance(span); });
  CallTerms terms;
  terms.timeout = Span::millis(100);
  const Instant before = clock_.now();
  EXPECT_EQ(run("one", terms).code, Code::timeout);
  EXPECT_EQ(clock_.now() - before, Span::millis(100));
  server_.set_latencies({});
}

TEST_F(ServiceStatements, NoAttemptAfterThePoolIsClosed) {
  fault_at("add k 1", Fault::conflict, 1, 1000);
  on_pause_ = [this] { pool_->keeper().begin_close(clock_.now()); };
  EXPECT_EQ(run("add k 1").code, Code::closed);
  EXPECT_EQ(pauses_.size(), 1u);
}

TEST_F(ServiceStatements, ARefusedAcquireIsExplained) {
  std::vector<LeaseId> leases;
  for (int i = 0; i < kSize; ++i) leases.push_back(leased());
  const Status status = run("one");
  EXPECT_EQ(status.code, Code::timeout);
  EXPECT_NE(status.message().find("pool \"test\""), std::string::npos) << status.message();
  for (const LeaseId lease : leases) release(lease);
}

TEST_F(ServiceStatements, OnALeaseNothingIsRepeatedAndItStays) {
  const LeaseId lease = leased();
  fault_at("add k 1", Fault::conflict);
  EXPECT_EQ(service_->run_on(lease, call("add k 1"), Span::nanos(-1), table_).sqlstate(), "40001");
  EXPECT_OK(service_->run_on(lease, call("begin"), Span::nanos(-1), table_));
  EXPECT_OK(service_->run_on(lease, call("rollback"), Span::nanos(-1), table_));
  release(lease);
  const Status stale = service_->run_on(lease, call("one"), Span::nanos(-1), table_);
  EXPECT_EQ(stale.code, Code::stale_lease);
  EXPECT_EQ(stale.message(), "the lease has already ended");
  EXPECT_EQ(service_->run_on({}, call("one"), Span::nanos(-1), table_).code, Code::stale_lease);
}

TEST_F(ServiceStatements, StreamsPassAllRowsOrEndEarly) {
  Rows all;
  EXPECT_OK(service_->stream(call("rows 1000"), {}, all, table_));
  EXPECT_EQ(all.rows_, 1000);
  EXPECT_EQ(all.sum_, 500'500);
  EXPECT_GT(all.pages_, 1);
  EXPECT_EQ(table_.rows(), 0);
  EXPECT_EQ(table_.columns(), 1);
  Rows some(100);
  EXPECT_OK(service_->stream(call("rows 1000"), {}, some, table_));
  EXPECT_LT(some.rows_, 1000);
  Rows none;
  EXPECT_OK(service_->stream(call("rows 0"), {}, none, table_));
  EXPECT_EQ(none.pages_, 1);
  expect_all_free();
}

TEST_F(ServiceStatements, AStreamIsRepeatedOnlyBeforeItsFirstRow) {
  fault_at("rows 5", Fault::conflict);
  Rows rows;
  EXPECT_OK(service_->stream(call("rows 5"), {}, rows, table_));
  EXPECT_EQ(rows.rows_, 5);
  // Lost between two pages.
  class Killer final : public RowSink {
   public:
    explicit Killer(fake::FakeServer& server) : server_(server) {}
    bool take(const ResultTable&) override {
      server_.kill_all();
      return ++pages_ < 100;
    }
    int pages_ = 0;

   private:
    fake::FakeServer& server_;
  };
  Killer killer(server_);
  CallTerms reading;
  reading.mode = LeaseMode::read;
  EXPECT_FALSE(service_->stream(call("rows 1000"), reading, killer, table_).is_ok());
  EXPECT_EQ(killer.pages_, 1);
}

TEST_F(ServiceStatements, RowsArePulledOnALeaseOfTheCaller) {
  LeaseId lease;
  const Pool* from = nullptr;
  ResultTable page;
  ASSERT_OK(service_->open_rows(call("rows 100"), {}, lease, from, page));
  int64_t rows = page.rows();
  EXPECT_EQ(service_->run_on(lease, call("one"), Span::nanos(-1), table_).code, Code::refused);
  while (!page.is_last_page()) {
    const Visit visit(Presence::key_of_slot(kKey, lease.slot()));
    ASSERT_OK(pool_->fetch_rows(lease, page));
    rows += page.rows();
  }
  EXPECT_EQ(rows, 100);
  EXPECT_OK(service_->run_on(lease, call("one"), Span::nanos(-1), table_));
  release(lease);
  EXPECT_EQ(service_->open_rows(call("bogus"), {}, lease, from, page).sqlstate(), "42601");
  EXPECT_EQ(service_->open_rows(call("begin"), {}, lease, from, page).code, Code::refused);
  expect_all_free();
}

// ---- batches

class ServiceBatches : public ServiceRig {
 protected:
  Status batch(std::vector<std::string_view> texts) {
    std::vector<Call> calls;
    for (const std::string_view text : texts) calls.push_back(call(text));
    return service_->batch(calls, {}, out_);
  }
  std::vector<ResultTable> out_;
};

TEST_F(ServiceBatches, AllOrNothing) {
  EXPECT_OK(batch({"put a 1", "put b 2", "get a"}));
  ASSERT_EQ(out_.size(), 3u);
  EXPECT_STREQ(out_[2].text(0, 0), "1");
  const Status status = batch({"put a 9", "bogus", "put b 9"});
  EXPECT_EQ(status.sqlstate(), "42601");
  EXPECT_EQ(status.detail(), "Statement 2 of 3.");
  EXPECT_TRUE(out_.empty());
  EXPECT_EQ(stored("a") + stored("b"), "12");
  EXPECT_OK(batch({}));
  expect_all_free();
}

TEST_F(ServiceBatches, RefusesTransactionControlBeforehand) {
  const Status status = batch({"put a 1", "commit"});
  EXPECT_EQ(status.code, Code::refused);
  EXPECT_EQ(status.detail().substr(0, 17), "Statement 2 of 2.");
  EXPECT_EQ(server_.queries_total(), 0u);
}

TEST_F(ServiceBatches, AConflictIsRepeatedAndALostCommitIsUnknown) {
  fault_at("commit", Fault::conflict);
  EXPECT_OK(batch({"add a 1", "add b 1"}));
  EXPECT_EQ(stored("a") + stored("b"), "11");
  fault_at("commit", Fault::lost_executed);
  EXPECT_EQ(batch({"add a 1"}).code, Code::unknown_outcome);
  EXPECT_EQ(stored("a"), "2");
  EXPECT_EQ(pauses_.size(), 1u);
}

TEST_F(ServiceBatches, OnALeaseItIsPartOfItsTransaction) {
  const LeaseId lease = leased();
  const std::array<Call, 2> calls = {call("put a 1"), call("put b 1")};
  EXPECT_OK(service_->run_on(lease, call("begin"), Span::nanos(-1), table_));
  EXPECT_OK(service_->batch_on(lease, calls, Span::nanos(-1), out_));
  EXPECT_EQ(stored("a"), "");
  EXPECT_OK(service_->run_on(lease, call("commit"), Span::nanos(-1), table_));
  EXPECT_EQ(stored("a"), "1");
  release(lease);
}

}  // namespace
}  // namespace tide::test
