// Transactions: with a body and with a handle, their deadlines, failures and repetitions.
#include <stdexcept>
#include <string>
#include <thread>

#include "unit/service/service_rig.hpp"

namespace tide::test {
namespace {

class ServiceTransactions : public ServiceRig {
 protected:
  // A body that executes these statements and returns `answer`, whatever they return.
  Service::Body body(std::vector<std::string> texts, int answer = 0) {
    return [this, texts = std::move(texts), answer](TransactionId id) {
      ++calls_;
      for (const std::string& text : texts) (void)run_in(id, text);
      return answer;
    };
  }
  int calls_ = 0;
};

TEST_F(ServiceTransactions, CommitsIfTheBodyReturnsZero) {
  EXPECT_OK(service_->transact({}, body({"put a 1", "put b 2"})));
  EXPECT_EQ(stored("a") + stored("b"), "12");
  const Status status = service_->transact({}, body({"put a 9"}, 42));
  EXPECT_EQ(status.code, Code::rolled_back);
  EXPECT_NE(status.message().find("42"), std::string::npos);
  EXPECT_EQ(stored("a"), "1");
  expect_all_free();
}

TEST_F(ServiceTransactions, ABodyThatThrowsIsRolledBackAndTheExceptionPasses) {
  TransactionId kept = 0;
  EXPECT_THROW((void)service_->transact({},
                                        [&](TransactionId id) -> int {
                                          kept = id;
                                          EXPECT_OK(run_in(id, "put a 1"));
                                          throw std::runtime_error("of the program");
                                        }),
               std::runtime_error);
  EXPECT_EQ(stored("a"), "");
  EXPECT_EQ(run_in(kept, "one").code, Code::refused);
  expect_all_free();
}

TEST_F(ServiceTransactions, AFailedStatementCannotBeOverlooked) {
  const Status status = service_->transact({}, body({"put a 1", "bogus", "put b 1"}));
  EXPECT_EQ(status.sqlstate(), "42601");
  EXPECT_EQ(stored("a") + stored("b"), "");
  EXPECT_EQ(service_->transact({}, body({"bogus"}, 1)).sqlstate(), "42601");  // not Code::rolled_back
  EXPECT_EQ(calls_, 2);

  const TransactionId id = begun();
  EXPECT_EQ(run_in(id, "bogus").sqlstate(), "42601");
  EXPECT_EQ(run_in(id, "one").sqlstate(), "25P02");
  const Status commit = service_->commit(id);
  EXPECT_EQ(commit.sqlstate(), "25P02");
  EXPECT_NE(commit.detail().find("bogus"), std::string::npos) << commit.detail();
  expect_all_free();
}

TEST_F(ServiceTransactions, ConflictsRepeatTheWholeBody) {
  fault_at("add a 1", Fault::conflict, 1, 1);
  EXPECT_OK(service_->transact({}, body({"add b 1", "add a 1"})));
  EXPECT_EQ(calls_, 3);
  EXPECT_EQ(stored("a") + stored("b"), "11");
  fault_at("COMMIT", Fault::deadlock);
  EXPECT_OK(service_->transact({}, body({"add a 1"})));
  EXPECT_EQ(stored("a"), "2");
  EXPECT_EQ(calls_, 5);
  fault_at("COMMIT", Fault::conflict, 1, 1000);
  TransactionTerms terms;
  terms.retry_attempts = 1;
  EXPECT_EQ(service_->transact(terms, body({"add a 1"})).sqlstate(), "40001");
  EXPECT_EQ(calls_, 7);
  EXPECT_EQ(stored("a"), "2");
  expect_all_free();
  format::CounterSums sums{};
  for (const format::SlotStats& stats : Attachment::from_fd(pool_->segment().fd())->read_slot_stats())
    format::add_counters(sums, stats);
  EXPECT_EQ(sums[static_cast<size_t>(Counter::retries_total)], 4U);
  EXPECT_EQ(sums[static_cast<size_t>(Counter::retries_helped_total)], 2U) << "the first two transactions";
}

TEST_F(ServiceTransactions, TheLaterOfTwoWritersIsRepeated) {
  bool is_first = true;
  const Status status = service_->transact({}, [&](TransactionId id) {
    EXPECT_OK(run_in(id, "get a"));
    if (std::exchange(is_first, false)) EXPECT_OK(run("add a 10"));
    return run_in(id, "add a 1") ? 0 : 1;
  });
  EXPECT_OK(status);
  EXPECT_EQ(stored("a"), "11");
}

TEST_F(ServiceTransactions, ALostConnectionRepeatsBeforeTheFirstStatementOnly) {
  fault_at("begin", Fault::lost_unexecuted);
  EXPECT_OK(service_->transact({}, body({"add a 1"})));
  fault_at("add a 1", Fault::lost_executed);
  EXPECT_OK(service_->transact({}, body({"add a 1"})));
  EXPECT_EQ(stored("a"), "2");
  calls_ = 0;
  fault_at("add b 1", Fault::lost_executed);
  EXPECT_EQ(service_->transact({}, body({"add a 1", "add b 1"})).sqlstate(), "08006");
  EXPECT_EQ(calls_, 1);
  EXPECT_EQ(stored("a") + stored("b"), "2");
  expect_all_free();
}

TEST_F(ServiceTransactions, PastItsDeadlineItIsRolledBackAndTold) {
  TransactionTerms terms;
  terms.timeout = Span::millis(100);
  EXPECT_EQ(service_
                ->transact(terms,
                           [&](TransactionId id) {
                             EXPECT_OK(run_in(id, "put a 1"));
                             pass(Span::millis(200));
                             return 0;
                           })
                .code,
            Code::timeout);
  EXPECT_EQ(service_
                ->transact(terms,
                           [&](TransactionId id) {
                             pass(Span::millis(200));
                             EXPECT_EQ(run_in(id, "put a 1").code, Code::timeout);
                             return 1;
                           })
                .code,
            Code::timeout);
  const TransactionId id = begun(terms);
  EXPECT_OK(run_in(id, "put a 1"));
  pass(Span::millis(200));
  EXPECT_EQ(run_in(id, "put b 1").code, Code::timeout);
  expect_all_free();  // at once, not when the handle is ended
  EXPECT_EQ(service_->savepoint(id, "s").code, Code::timeout);
  EXPECT_EQ(service_->rollback_to(id, "s").code, Code::timeout);
  EXPECT_EQ(service_->commit(id).code, Code::timeout);
  const Status refused = service_->commit(id);
  EXPECT_EQ(refused.code, Code::refused);
  EXPECT_EQ(refused.message(), "the transaction has ended: it was rolled back at its deadline");
  EXPECT_EQ(stored("a") + stored("b"), "");
}

TEST_F(ServiceTransactions, TheDeadlineBoundsStatementsAndRepetitions) {
  server_.set_time_passes([this](Span span) { clock_.advance(span); });
  fake::Latencies slow;
  slow.query = {Span::millis(30), Span()};
  server_.set_latencies(slow);
  TransactionTerms terms;
  terms.timeout = Span::millis(100);
  terms.retry_attempts = 1000;
  fault_at("COMMIT", Fault::conflict, 1, 1000);
  Instant before = clock_.now();
  EXPECT_FALSE(service_->transact(terms, body({})).is_ok());
  EXPECT_LE(clock_.now() - before, Span::millis(160));  // and the ROLLBACK
  before = clock_.now();
  EXPECT_EQ(service_->transact(terms, body({"wait"})).code, Code::timeout);
  EXPECT_LE(clock_.now() - before, Span::millis(160));
  server_.set_latencies({});
}

// V4
TEST_F(ServiceTransactions, V4AHandleIsOfNoUseAfterItsEnd) {
  const TransactionId committed = begun();
  EXPECT_OK(service_->commit(committed));
  const TransactionId rolled_back = begun();
  EXPECT_OK(service_->rollback(rolled_back));
  EXPECT_NE(committed, rolled_back);
  EXPECT_EQ(run_in(committed, "one").message(), "the transaction has ended: it was committed");
  EXPECT_EQ(service_->commit(rolled_back).message(), "the transaction has ended: it was rolled back");
  EXPECT_EQ(service_->rollback(committed).code, Code::refused);
  EXPECT_EQ(run_in(0, "one").code, Code::refused);
  EXPECT_EQ(run_in(1'000'000, "one").message(), "there is no transaction with the number 1000000");
  for (int i = 0; i < 2000; ++i) EXPECT_OK(service_->rollback(begun()));
  EXPECT_EQ(run_in(committed, "one").message(), "the transaction has ended");  // longer ago than is remembered
}

TEST_F(ServiceTransactions, TheHandleOfABodyEndsWithIt) {
  TransactionId kept = 0;
  EXPECT_OK(service_->transact({}, [&](TransactionId id) {
    kept = id;
    EXPECT_EQ(service_->commit(id).code, Code::refused);
    EXPECT_EQ(service_->rollback(id).code, Code::refused);
    std::thread([&] { EXPECT_EQ(run_in(id, "one").code, Code::refused); }).join();
    return run_in(id, "put a 1") ? 0 : 1;
  }));
  EXPECT_EQ(run_in(kept, "one").message(), "the transaction has ended: it was committed");
}

TEST_F(ServiceTransactions, TransactionControlIsRefused) {
  const TransactionId id = begun();
  for (const char* sql : {"commit", "rollback", "begin", "savepoint a", "one; commit"})
    EXPECT_EQ(run_in(id, sql).code, Code::refused) << sql;
  EXPECT_OK(run_in(id, "put a 1"));  // no refusal makes it fail
  EXPECT_OK(service_->commit(id));
  EXPECT_EQ(stored("a"), "1");
}

TEST_F(ServiceTransactions, OneCallAtATime) {
  class Nested final : public RowSink {
   public:
    explicit Nested(std::function<void()> work) : work_(std::move(work)) {}
    bool take(const ResultTable&) override {
      work_();
      return true;
    }

   private:
    const std::function<void()> work_;
  };
  const TransactionId id = begun();
  Nested nested([&] {
    EXPECT_EQ(run_in(id, "one").code, Code::refused);
    EXPECT_EQ(service_->commit(id).code, Code::refused);
  });
  EXPECT_OK(service_->stream_in(id, call("rows 3"), Span::nanos(-1), nested, table_));
  EXPECT_OK(service_->commit(id));
}

TEST_F(ServiceTransactions, Savepoints) {
  const TransactionId id = begun();
  EXPECT_OK(run_in(id, "put a 1"));
  EXPECT_OK(service_->savepoint(id, "Here"));
  EXPECT_OK(run_in(id, "put a 2"));
  EXPECT_EQ(run_in(id, "bogus").sqlstate(), "42601");
  EXPECT_EQ(service_->savepoint(id, "there").sqlstate(), "25P02");
  EXPECT_OK(service_->rollback_to(id, "Here"));
  EXPECT_OK(run_in(id, "get a"));
  EXPECT_STREQ(table_.text(0, 0), "1");
  EXPECT_OK(service_->release(id, "Here"));
  for (const char* name : {"", "a b", "a\"b", "ü"}) EXPECT_EQ(service_->savepoint(id, name).code, Code::bad_argument);
  EXPECT_EQ(service_->savepoint(id, std::string(63, 'x')).code, Code::bad_argument);
  EXPECT_OK(service_->commit(id));
  EXPECT_EQ(stored("a"), "1");
  const TransactionId other = begun();
  EXPECT_EQ(service_->rollback_to(other, "none").sqlstate(), "3B001");
  EXPECT_OK(service_->rollback(other));
}

TEST_F(ServiceTransactions, OnALease) {
  const LeaseId lease = leased();
  EXPECT_OK(service_->transact_on(lease, {}, body({"put a 1"})));
  EXPECT_EQ(stored("a"), "1");
  TransactionId id = 0;
  EXPECT_OK(service_->begin_on(lease, {}, id));
  TransactionId second = 0;
  EXPECT_EQ(service_->begin_on(lease, {}, second).code, Code::refused);
  EXPECT_EQ(service_->transact_on(lease, {}, body({})).code, Code::refused);
  EXPECT_OK(run_in(id, "put a 2"));
  EXPECT_OK(service_->commit(id));
  EXPECT_OK(service_->run_on(lease, call("one"), Span::nanos(-1), table_));  // the lease stays
  calls_ = 0;
  fault_at("put a 3", Fault::conflict);
  EXPECT_OK(service_->transact_on(lease, {}, body({"put a 3"})));
  EXPECT_EQ(calls_, 2);
  fault_at("put a 4", Fault::lost_unexecuted);
  EXPECT_EQ(service_->transact_on(lease, {}, body({"put a 4"})).sqlstate(), "08006");
  EXPECT_EQ(calls_, 3);
  release(lease);
  EXPECT_EQ(service_->begin_on(lease, {}, id).code, Code::stale_lease);
  expect_all_free();
}

TEST_F(ServiceTransactions, ALeaseThatEndsIsToldAndNothingIsCommitted) {
  LeaseId lease = leased();
  TransactionId id = 0;
  EXPECT_OK(service_->begin_on(lease, {}, id));
  EXPECT_OK(run_in(id, "put a 1"));
  release(lease);
  EXPECT_EQ(service_->commit(id).code, Code::stale_lease);
  settle();
  lease = leased();
  EXPECT_OK(service_->begin_on(lease, {}, id));
  EXPECT_OK(run_in(id, "put a 1"));
  release(lease);
  EXPECT_EQ(run_in(id, "put a 1").code, Code::stale_lease);
  EXPECT_EQ(service_->commit(id).code, Code::stale_lease);
  EXPECT_EQ(stored("a"), "");
  expect_all_free();
}

TEST_F(ServiceTransactions, AReadOnlyOneCannotWrite) {
  TransactionTerms terms;
  terms.is_read_only = true;
  const TransactionId id = begun(terms);
  EXPECT_OK(run_in(id, "get a"));
  EXPECT_EQ(run_in(id, "put a 1").sqlstate(), "25006");
  EXPECT_OK(service_->rollback(id));
}

TEST_F(ServiceTransactions, WhatIsOpenAtTheEndOfTheServiceIsRolledBack) {
  const TransactionId id = begun();
  EXPECT_OK(run_in(id, "put a 1"));
  service_.reset();
  EXPECT_EQ(stored("a"), "");
  expect_all_free();
}

TEST_F(ServiceTransactions, ABatchIsPartOfIt) {
  const TransactionId id = begun();
  const std::vector<Call> calls = {call("put a 1"), call("put b 1")};
  std::vector<ResultTable> out;
  EXPECT_OK(service_->batch_in(id, calls, Span::nanos(-1), out));
  EXPECT_EQ(out.size(), 2u);
  EXPECT_EQ(stored("a"), "");
  const std::vector<Call> bad = {call("put a 2"), call("bogus")};
  EXPECT_EQ(service_->batch_in(id, bad, Span::nanos(-1), out).detail(), "Statement 2 of 2.");
  EXPECT_EQ(service_->commit(id).sqlstate(), "25P02");
  EXPECT_EQ(stored("a"), "");
}

}  // namespace
}  // namespace tide::test
