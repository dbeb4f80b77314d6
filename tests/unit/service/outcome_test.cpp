// The connection is lost during COMMIT: the outcome that is reported is the one that happened, or it is unknown.
#include <string>

#include "unit/service/service_rig.hpp"

namespace tide::test {
namespace {

class ServiceOutcome : public ServiceRig {
 protected:
  // A transaction that adds 1 to a, whose COMMIT meets the fault.
  Status commit_with(Fault fault, const TransactionTerms& terms = {}) {
    const TransactionId id = begun(terms);
    EXPECT_OK(run_in(id, "add a 1"));
    set_commit_fault(fault);
    return service_->commit(id);
  }
  // Of the next COMMIT; `then` is called after it.
  void set_commit_fault(Fault fault) {
    auto is_done = std::make_shared<bool>(false);
    server_.set_faults([this, fault, is_done](std::string_view sql) {
      if (sql == "COMMIT" && !std::exchange(*is_done, true)) return fault;
      if (sql.starts_with("fate") && on_question_) on_question_();
      return Fault::none;
    });
  }
  std::function<void()> on_question_;  // before another connection is answered
};

// V3
TEST_F(ServiceOutcome, V3CommittedAlthoughTheConnectionWasLost) {
  EXPECT_OK(commit_with(Fault::lost_executed));
  EXPECT_EQ(stored("a"), "1");
  EXPECT_OK(commit_with(Fault::late));  // not answered in time
  EXPECT_EQ(stored("a"), "2");
  expect_all_free();
}

TEST_F(ServiceOutcome, V3NotCommittedIsAnErrorThatMayBeRepeated) {
  const Status status = commit_with(Fault::lost_unexecuted);
  EXPECT_EQ(status.code, Code::database);
  EXPECT_EQ(status.sqlstate(), "08006");
  EXPECT_TRUE(status.is_retryable);
  EXPECT_EQ(stored("a"), "");
  const Status unsent = commit_with(Fault::lost_unsent);
  EXPECT_EQ(unsent.sqlstate(), "08006");
  EXPECT_EQ(stored("a"), "");
  expect_all_free();
}

TEST_F(ServiceOutcome, V2ABodyIsRepeatedOnlyIfItIsKnownNotToBeCommitted) {
  int calls = 0;
  const Service::Body body = [&](TransactionId id) {
    ++calls;
    return run_in(id, "add a 1") ? 0 : 1;
  };
  set_commit_fault(Fault::lost_unexecuted);
  EXPECT_OK(service_->transact({}, body));
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(stored("a"), "1");
  set_commit_fault(Fault::lost_executed);
  EXPECT_OK(service_->transact({}, body));
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(stored("a"), "2");
  set_commit_fault(Fault::lost_unexecuted);
  on_question_ = [this] { server_.restart(); };
  EXPECT_EQ(service_->transact({}, body).code, Code::unknown_outcome);
  EXPECT_EQ(calls, 4);
  EXPECT_EQ(stored("a"), "2");
}

// The driver says that nobody can tell: nothing is asked, and nothing repeated.
TEST_F(ServiceOutcome, V2UnconfirmedCommitIsNotRepeated) {
  const auto asks = std::make_shared<int>(0);
  on_question_ = [asks] { ++*asks; };
  int calls = 0;
  set_commit_fault(Fault::unconfirmed);
  const Status status = service_->transact({}, [&](TransactionId id) {
    ++calls;
    return run_in(id, "add a 1") ? 0 : 1;
  });
  EXPECT_EQ(status.code, Code::unknown_outcome);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(commit_with(Fault::unconfirmed).code, Code::unknown_outcome);
  EXPECT_EQ(*asks, 0);
  EXPECT_EQ(stored("a"), "2");
  expect_all_free();
}

TEST_F(ServiceOutcome, V3AnotherIncarnationOfTheServerKnowsNothing) {
  int questions = 0;
  on_question_ = [&] {
    if (++questions == 1) server_.restart();
  };
  const Status status = commit_with(Fault::lost_executed);
  EXPECT_EQ(status.code, Code::unknown_outcome);
  EXPECT_EQ(status.sqlstate(), "08007");
  EXPECT_NE(status.detail().find("Transaction id: 1."), std::string::npos) << status.detail();
  EXPECT_FALSE(status.hint().empty());
  EXPECT_FALSE(status.is_retryable);
}

TEST_F(ServiceOutcome, ACommitInProgressIsAwaited) {
  int questions = 0;
  on_question_ = [&] {
    if (++questions == 3) server_.decide(true);
  };
  EXPECT_OK(commit_with(Fault::lost_undecided));
  EXPECT_EQ(stored("a"), "1");
  questions = 0;
  on_question_ = [&] {
    if (++questions == 3) server_.decide(false);
  };
  EXPECT_EQ(commit_with(Fault::lost_undecided).sqlstate(), "08006");
  EXPECT_EQ(stored("a"), "1");
}

TEST_F(ServiceOutcome, ACommitThatTakesLongIsEnded) {
  const Instant before = clock_.now();
  EXPECT_EQ(commit_with(Fault::lost_undecided).sqlstate(), "08006");
  EXPECT_GE(clock_.now() - before, Span::millis(200));
  EXPECT_LE(clock_.now() - before, Span::millis(800));
  EXPECT_FALSE(server_.decide(true));  // nothing is in progress any more
  EXPECT_EQ(stored("a"), "");
}

TEST_F(ServiceOutcome, TheQuestionIsBounded) {
  server_.set_may_end_others(false);
  Instant before = clock_.now();
  const Status status = commit_with(Fault::lost_undecided);
  EXPECT_EQ(status.code, Code::unknown_outcome);
  EXPECT_NE(status.detail().find("in progress"), std::string::npos) << status.detail();
  EXPECT_LE(clock_.now() - before, Span::millis(5100));
  server_.decide(false);
  TransactionTerms terms;
  terms.timeout = Span::millis(500);
  before = clock_.now();
  EXPECT_EQ(commit_with(Fault::lost_undecided, terms).code, Code::unknown_outcome);
  EXPECT_LE(clock_.now() - before, Span::millis(1100));
  server_.decide(false);
}

TEST_F(ServiceOutcome, NoOtherConnection) {
  const TransactionId id = begun();
  EXPECT_OK(run_in(id, "add a 1"));
  server_.set_faults([this](std::string_view sql) {
    if (sql != "COMMIT") return Fault::none;
    server_.go_down();
    return Fault::lost_unexecuted;
  });
  EXPECT_EQ(service_->commit(id).code, Code::unknown_outcome);
  server_.come_up();
  // It comes back in time.
  pass(Span::seconds(20));
  const TransactionId other = begun();
  EXPECT_OK(run_in(other, "add a 1"));
  server_.schedule_up(clock_.now() + Span::seconds(1));
  EXPECT_EQ(service_->commit(other).sqlstate(), "08006");
  server_.set_faults({});
}

TEST_F(ServiceOutcome, WithoutTheCheckItIsUnknown) {
  Policy policy = ServiceRig::policy();
  policy.commit_check = false;
  open(policy);
  const Status status = commit_with(Fault::lost_executed);
  EXPECT_EQ(status.code, Code::unknown_outcome);
  EXPECT_NE(status.detail().find("commit_check"), std::string::npos) << status.detail();
}

TEST_F(ServiceOutcome, WhatHasWrittenNothingHasNotTakenEffect) {
  set_commit_fault(Fault::lost_executed);
  TransactionId id = begun();
  EXPECT_OK(run_in(id, "get a"));
  Status status = service_->commit(id);
  EXPECT_EQ(status.sqlstate(), "08006");
  EXPECT_TRUE(status.is_retryable);
  settle();
  TransactionTerms terms;
  terms.is_read_only = true;
  set_commit_fault(Fault::lost_executed);
  id = begun(terms);
  EXPECT_OK(run_in(id, "get a"));
  EXPECT_EQ(service_->commit(id).sqlstate(), "08006");
}

TEST_F(ServiceOutcome, TheIdIsKnownFromEveryKindOfStatement) {
  TransactionId id = begun();
  std::vector<ResultTable> out;
  const std::vector<Call> calls = {call("add a 1"), call("one")};
  EXPECT_OK(service_->batch_in(id, calls, Span::nanos(-1), out));
  set_commit_fault(Fault::lost_executed);
  EXPECT_OK(service_->commit(id));
  EXPECT_EQ(stored("a"), "1");
  settle();
  class Ignore final : public RowSink {
   public:
    bool take(const ResultTable&) override { return true; }
  } ignore;
  id = begun();
  EXPECT_OK(service_->stream_in(id, call("add a 1"), Span::nanos(-1), ignore, table_));
  set_commit_fault(Fault::lost_executed);
  EXPECT_OK(service_->commit(id));
  EXPECT_EQ(stored("a"), "2");
}

}  // namespace
}  // namespace tide::test
