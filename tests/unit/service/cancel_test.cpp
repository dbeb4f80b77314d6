// Calls and transactions whose token is tripped, in virtual time.
#include <memory>
#include <string>

#include "unit/service/service_rig.hpp"

namespace tide::test {
namespace {

class ServiceCancel : public ServiceRig {
 protected:
  struct FreeToken {
    void operator()(CancelToken* token) const { token->free(); }
  };
  using Token = std::unique_ptr<CancelToken, FreeToken>;

  CallTerms terms() {
    CallTerms terms;
    terms.cancel = token_.get();
    return terms;
  }
  TransactionTerms transaction_terms() {
    TransactionTerms terms;
    terms.cancel = token_.get();
    return terms;
  }
  // The token is tripped while the database executes this statement, which it then interrupts.
  void trip_at(std::string text) { trip_with(std::move(text), Fault::cancelled); }
  void trip_with(std::string text, Fault fault) {
    server_.set_faults([this, text = std::move(text), fault](std::string_view sql) {
      ++statements_;
      if (sql != text) return Fault::none;
      token_->trip();
      return fault;
    });
  }
  static void expect_cancelled(const Status& status) {
    EXPECT_EQ(status.code, Code::cancelled) << status.message();
    EXPECT_EQ(status.sqlstate(), "57014");
    EXPECT_FALSE(status.is_retryable);
  }

  Token token_{CancelToken::make()};
  int statements_ = 0;
};

TEST_F(ServiceCancel, AStatementSaysWhatTheDatabaseReported) {
  trip_at("one");
  const Status status = run("one", terms());
  expect_cancelled(status);
  EXPECT_NE(status.detail().find("the statement was cancelled"), std::string::npos) << status.detail();
  EXPECT_EQ(table_.rows(), 0);
  expect_all_free();
}

TEST_F(ServiceCancel, AStatementThatFinishesFirstSucceeds) {
  trip_with("put a 1", Fault::none);
  EXPECT_OK(run("put a 1", terms()));
  EXPECT_EQ(stored("a"), "1");
  expect_all_free();
}

TEST_F(ServiceCancel, NothingIsDoneWithATrippedToken) {
  token_->trip();
  trip_at("never");
  expect_cancelled(run("put a 1", terms()));
  std::vector<ResultTable> tables;
  const Call calls[] = {call("put a 1")};
  expect_cancelled(service_->batch(calls, terms(), tables));
  expect_cancelled(service_->transact(transaction_terms(), [](TransactionId) { return 0; }));
  TransactionId id = 0;
  expect_cancelled(service_->begin(transaction_terms(), id));
  const LeaseId lease = leased();
  const Status status = service_->run_on(lease, call("put a 1"), {Span::nanos(-1), token_.get()}, table_);
  expect_cancelled(status);
  EXPECT_TRUE(status.is_unexecuted);
  release(lease);
  EXPECT_EQ(statements_, 0);
  EXPECT_EQ(stored("a"), "");
  expect_all_free();
}

TEST_F(ServiceCancel, RetriesEnd) {
  fault_at("put a 1", Fault::conflict, 1, 1000);
  CallTerms with = terms();
  with.retry_attempts = 50;
  int pauses = 0;
  on_pause_ = [&] {
    if (++pauses == 5) token_->trip();
  };
  const Status status = run("put a 1", with);
  expect_cancelled(status);
  EXPECT_NE(status.detail().find("serialize"), std::string::npos) << status.detail();
  EXPECT_EQ(pauses, 5) << "it paused further";
  expect_all_free();
}

TEST_F(ServiceCancel, ATransactionIsRolledBackAtItsNextCall) {
  TransactionId id = begun(transaction_terms());
  EXPECT_OK(run_in(id, "put a 1"));
  token_->trip();
  expect_cancelled(run_in(id, "put b 1"));
  const Status ended = service_->commit(id);
  EXPECT_FALSE(ended);
  EXPECT_EQ(stored("a") + stored("b"), "");
  expect_all_free();
}

TEST_F(ServiceCancel, ATransactionIsNotCommitted) {
  TransactionId id = begun(transaction_terms());
  EXPECT_OK(run_in(id, "put a 1"));
  token_->trip();
  expect_cancelled(service_->commit(id));
  EXPECT_EQ(service_->commit(id).message(),
            "the transaction has ended: it was cancelled by its token, and rolled back");
  EXPECT_EQ(stored("a"), "");
  expect_all_free();
}

TEST_F(ServiceCancel, ABodyIsNotRepeatedNorCommitted) {
  int calls = 0;
  const Status status = service_->transact(transaction_terms(), [&](TransactionId id) {
    ++calls;
    EXPECT_OK(run_in(id, "put a 1"));
    token_->trip();
    return 0;
  });
  expect_cancelled(status);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(stored("a"), "");
  expect_all_free();
}

// V6: an outcome never becomes unknown by a cancel.
TEST_F(ServiceCancel, ACommitThatWasSentIsWaitedFor) {
  TransactionId id = begun(transaction_terms());
  EXPECT_OK(run_in(id, "put a 1"));
  trip_with("COMMIT", Fault::none);
  EXPECT_OK(service_->commit(id));
  EXPECT_TRUE(token_->is_tripped());
  EXPECT_EQ(stored("a"), "1");
  expect_all_free();
}

// The token of one call in a transaction: the transaction fails like after any other error, and goes on from a savepoint.
TEST_F(ServiceCancel, ACallInATransactionHasItsOwnToken) {
  TransactionId id = begun();
  EXPECT_OK(run_in(id, "put a 1"));
  EXPECT_OK(service_->savepoint(id, "s"));
  trip_at("put b 1");
  expect_cancelled(service_->run_in(id, call("put b 1"), {Span::nanos(-1), token_.get()}, table_));
  EXPECT_EQ(run_in(id, "one").sqlstate(), "25P02");
  EXPECT_OK(service_->rollback_to(id, "s"));
  // Not sent, so that nothing fails.
  expect_cancelled(service_->run_in(id, call("put c 1"), {Span::nanos(-1), token_.get()}, table_));
  EXPECT_OK(service_->commit(id));
  EXPECT_EQ(stored("a") + stored("b") + stored("c"), "1");
  expect_all_free();
}

TEST_F(ServiceCancel, OneTokenForManyCalls) {
  const LeaseId lease = leased();
  TransactionId id = begun(transaction_terms());
  trip_at("one");
  expect_cancelled(service_->run_on(lease, call("one"), {Span::nanos(-1), token_.get()}, table_));
  expect_cancelled(run_in(id, "put a 1"));
  expect_cancelled(run("put a 1", terms()));
  release(lease);
  EXPECT_EQ(stored("a"), "");
  expect_all_free();
}

}  // namespace
}  // namespace tide::test
