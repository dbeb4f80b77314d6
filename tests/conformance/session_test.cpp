// Promises of Connection: statements, the two ends of a lease, and what others may do to it.
#include <latch>
#include <thread>

#include "conformance/suite.hpp"

namespace tide::test {
namespace {

TEST_P(DriverSuite, ReturnsRowsAndColumns) {
  const auto session = open_leased();
  ResultTable out;
  ASSERT_OK(run(*session, words().one_row, &out));
  EXPECT_EQ(out.rows(), 1);
  EXPECT_EQ(out.columns(), 1);
  EXPECT_NE(out.name(0), nullptr);
  EXPECT_EQ(out.affected(), -1);
}

TEST_P(DriverSuite, CountsChangedRows) {
  const auto session = open_leased();
  ResultTable out;
  ASSERT_OK(run(*session, words().change, &out));
  EXPECT_EQ(out.affected(), words().changed_rows);
  EXPECT_EQ(out.rows(), 0);
  EXPECT_EQ(out.command(), words().changed_command);
}

TEST_P(DriverSuite, BindsTextAndNull) {
  const auto session = open_leased();
  ResultTable out;
  ASSERT_OK(run(*session, words().echo_two, &out, {"it's", nullptr}));
  ASSERT_EQ(out.columns(), 2);
  EXPECT_STREQ(out.text(0, 0), "it's");
  EXPECT_EQ(out.text(0, 1), nullptr);
}

TEST_P(DriverSuite, TooManyParametersAreRejected) {
  const auto session = open_leased();
  EXPECT_EQ(run(*session, words().one_row, nullptr, {"1"}).code, Code::bad_argument);
  EXPECT_EQ(ask(*session, words().one_row), words().one_value);
}

TEST_P(DriverSuite, ASyntaxErrorLeavesTheSessionUsable) {
  const auto session = open_leased();
  ResultTable out;
  out.set_columns(columns_named({"stale"}));
  const Status status = run(*session, words().syntax_error, &out);
  EXPECT_EQ(status.code, Code::database);
  EXPECT_EQ(status.sqlstate(), "42601");
  EXPECT_FALSE(status.is_retryable);
  EXPECT_EQ(out.columns(), 0);
  EXPECT_EQ(ask(*session, words().one_row), words().one_value);
}

TEST_P(DriverSuite, AnEmptyTextIsNoError) {
  const auto session = open_leased();
  ResultTable out;
  EXPECT_OK(run(*session, "", &out));
  EXPECT_EQ(out.columns(), 0);
}

TEST_P(DriverSuite, AStatementEndsAtItsDeadline) {
  const auto session = open_leased();
  const Status status = run(*session, words().runs_long, nullptr, {}, in(Span::millis(20)));
  EXPECT_EQ(status.code, Code::timeout);
  EXPECT_EQ(status.sqlstate(), "57014");
  EXPECT_EQ(ask(*session, words().one_row), words().one_value);
}

TEST_P(DriverSuite, TheTimeoutsOfThePolicyHold) {
  for (const bool is_query_timeout : {true, false}) {
    Policy policy;
    (is_query_timeout ? policy.query_timeout : policy.statement_timeout) = Span::millis(20);
    use(policy);
    is_prepared_ = true;
    const auto session = open_leased();
    EXPECT_EQ(run(*session, words().runs_long).code, Code::timeout);
  }
}

TEST_P(DriverSuite, ACancelEndsARunningStatement) {
  Policy policy;
  policy.query_timeout = policy.statement_timeout = Span();
  use(policy);
  const auto session = open_leased();
  std::atomic<bool> is_done{false};
  const uint64_t lease = session->facts().lease;
  std::thread canceller([&] {
    while (!is_done.load()) session->cancel(lease);  // before the statement starts it must do nothing
  });
  const Status status = run(*session, words().runs_long);
  is_done.store(true);
  canceller.join();
  EXPECT_EQ(status.code, Code::database);
  EXPECT_EQ(status.sqlstate(), "57014");
  EXPECT_EQ(ask(*session, words().one_row), words().one_value);
}

TEST_P(DriverSuite, CancelWithoutAStatementHasNoEffect) {
  const auto session = open_leased();
  session->cancel();
  EXPECT_EQ(ask(*session, words().one_row), words().one_value);
}

TEST_P(DriverSuite, LateCancelDoesNotAffectTheNextLease) {
  const auto session = open_leased();
  for (int i = 0; i < 200; ++i) {
    const uint64_t lease = session->facts().lease;
    std::latch is_over(1);
    std::thread canceller([&] {
      is_over.wait();
      session->cancel(lease);
    });
    ASSERT_EQ(ask(*session, words().one_row), words().one_value);
    ASSERT_TRUE(give_back(*session, ResetMode::smart));
    is_over.count_down();
    ASSERT_OK(session->begin_lease(LeaseMode::read_write, now()));
    ASSERT_EQ(ask(*session, words().one_row), words().one_value);
    canceller.join();
  }
}

TEST_P(DriverSuite, CancelsOfAnEarlierLeaseHaveNoEffect) {
  const auto session = open_leased();
  const uint64_t earlier = session->facts().lease;
  ASSERT_EQ(ask(*session, words().one_row), words().one_value);
  ASSERT_TRUE(give_back(*session, ResetMode::smart));
  ASSERT_OK(session->begin_lease(LeaseMode::read_write, now()));
  std::atomic<bool> is_over{false};
  std::thread canceller([&] {
    while (!is_over.load()) session->cancel(earlier);
  });
  for (int i = 0; i < 500 && !HasFailure(); ++i) EXPECT_EQ(ask(*session, words().one_row), words().one_value);
  is_over.store(true);
  canceller.join();
}

TEST_P(DriverSuite, LeaseNumbersAreUnique) {
  const auto session = open();
  uint64_t last = 0;
  for (int i = 0; i < 5; ++i) {
    ASSERT_OK(session->begin_lease(LeaseMode::read_write, now()));
    const uint64_t lease = session->facts().lease;
    EXPECT_GT(lease, last);
    last = lease;
    EXPECT_EQ(session->settle(ResetMode::smart), Settled::clean);
    EXPECT_NE(session->facts().lease, lease);
  }
}

TEST_P(DriverSuite, FactsFollowATransaction) {
  const auto session = open_leased();
  const uint64_t queries = session->facts().queries_total;
  EXPECT_FALSE(session->facts().is_in_transaction);
  EXPECT_FALSE(session->facts().transaction_since.is_set());
  const Instant before = now();
  ASSERT_OK(run(*session, words().begin));
  SessionFacts facts = session->facts();
  EXPECT_TRUE(facts.is_in_transaction);
  EXPECT_GE(facts.transaction_since, before);
  EXPECT_GE(facts.idle_in_transaction_since, facts.transaction_since);
  ASSERT_OK(run(*session, words().rollback));
  facts = session->facts();
  EXPECT_FALSE(facts.is_in_transaction);
  EXPECT_FALSE(facts.transaction_since.is_set());
  EXPECT_FALSE(facts.idle_in_transaction_since.is_set());
  EXPECT_EQ(facts.queries_total, queries + 2);
}

TEST_P(DriverSuite, OpenTransactionIsRolledBackBetweenLeases) {
  for (const ResetMode mode : {ResetMode::rollback, ResetMode::smart, ResetMode::full}) {
    auto session = open_leased();
    ASSERT_OK(run(*session, words().begin));
    ASSERT_OK(run(*session, words().change));
    ASSERT_TRUE(give_back(*session, mode));
    EXPECT_FALSE(session->facts().is_in_transaction);
    ASSERT_OK(session->begin_lease(LeaseMode::read_write, now()));
    EXPECT_OK(run(*session, words().begin));  // would fail inside of another one
    close(0, std::move(session));
  }
}

TEST_P(DriverSuite, WithoutResetAnOpenTransactionBreaksTheSession) {
  const auto session = open_leased();
  ASSERT_OK(run(*session, words().begin));
  ASSERT_OK(run(*session, words().change));
  EXPECT_EQ(session->settle(ResetMode::none), Settled::broken);
}

TEST_P(DriverSuite, ASmartResetRemovesTracesAndNoneLeavesThem) {
  const auto session = open_leased();
  ASSERT_OK(run(*session, words().alter_session));
  EXPECT_EQ(session->settle(ResetMode::none), Settled::clean);
  ASSERT_OK(session->begin_lease(LeaseMode::read_write, now()));
  ASSERT_TRUE(give_back(*session, ResetMode::smart));
  ASSERT_OK(session->begin_lease(LeaseMode::read_write, now()));
  if (!words().unmarked.empty()) {
    EXPECT_EQ(ask(*session, words().session_mark), words().unmarked);
  }
}

TEST_P(DriverSuite, AReadLeaseCannotWriteAndTheNextOneCan) {
  const auto session = open_leased(LeaseMode::read);
  EXPECT_EQ(ask(*session, words().one_row), words().one_value);
  const Status status = run(*session, words().change);
  EXPECT_EQ(status.code, Code::database);
  EXPECT_EQ(status.sqlstate(), "25006");
  ASSERT_TRUE(give_back(*session, ResetMode::smart));
  ASSERT_OK(session->begin_lease(LeaseMode::read_write, now()));
  EXPECT_OK(run(*session, words().change));
}

TEST_P(DriverSuite, AnIdleTransactionCanBeEndedFromOutside) {
  const auto session = open_leased();
  EXPECT_FALSE(session->end_transaction("nothing to end"));
  ASSERT_OK(run(*session, words().begin));
  ASSERT_OK(run(*session, words().change));
  const uint64_t lease = session->facts().lease;
  EXPECT_FALSE(session->end_transaction("another lease", lease + 1000));
  bool is_ended = false;
  std::thread keeper([&] { is_ended = session->end_transaction("idle for 61 s", lease); });
  keeper.join();
  ASSERT_TRUE(is_ended);
  EXPECT_FALSE(session->facts().is_in_transaction);
  for (int i = 0; i < 2; ++i) {  // it stays so until the holder has understood
    const Status status = run(*session, words().change);
    EXPECT_EQ(status.sqlstate(), "25P03");
    EXPECT_NE(status.message().find("idle for 61 s"), std::string::npos);
  }
  EXPECT_OK(run(*session, words().rollback));
  EXPECT_OK(run(*session, words().change));
}

TEST_P(DriverSuite, EndedTransactionAcceptsOnlyRollback) {
  const auto session = open_leased();
  for (const std::string& rollback : words().more_rollbacks) {
    ASSERT_OK(run(*session, words().begin));
    ASSERT_TRUE(session->end_transaction("idle"));
    EXPECT_EQ(run(*session, "-- " + rollback + "\n" + words().one_row).sqlstate(), "25P03");
    EXPECT_OK(run(*session, rollback));
    EXPECT_EQ(ask(*session, words().one_row), words().one_value) << rollback;
    EXPECT_FALSE(session->facts().is_in_transaction);
    ASSERT_OK(run(*session, words().begin));
    EXPECT_OK(run(*session, rollback));  // as the database itself takes it
    EXPECT_FALSE(session->facts().is_in_transaction) << rollback;
  }
  EXPECT_EQ(session->settle(ResetMode::rollback), Settled::clean);
}

TEST_P(DriverSuite, ATransactionChainedToAnEndedOneIsOfTheSameKind) {
  if (words().rollback_and_chain.empty()) GTEST_SKIP() << "this driver chains no transactions";
  const auto session = open_leased();
  ASSERT_OK(run(*session, words().begin_special));
  for (const std::string& after : {std::string(), "; " + words().kind}) {
    ASSERT_TRUE(session->end_transaction("idle"));
    EXPECT_EQ(run(*session, words().kind).sqlstate(), "25P03");
    EXPECT_OK(run(*session, words().rollback_and_chain + after));
    EXPECT_TRUE(session->facts().is_in_transaction);
    EXPECT_EQ(ask(*session, words().kind), words().special_kind);
  }
  EXPECT_EQ(run(*session, words().syntax_error).sqlstate(), "42601");
  ASSERT_TRUE(session->end_transaction("a failed one"));
  EXPECT_OK(run(*session, words().rollback_and_chain));
  EXPECT_TRUE(session->facts().is_in_transaction);
  EXPECT_OK(run(*session, words().rollback + "; " + words().begin));
  EXPECT_NE(ask(*session, words().kind), words().special_kind);
  ASSERT_TRUE(session->end_transaction("once more"));
  EXPECT_OK(run(*session, words().rollback + "; " + words().begin));  // a text goes on behind the ROLLBACK
  EXPECT_TRUE(session->facts().is_in_transaction);
}

TEST_P(DriverSuite, EndedTransactionDoesNotAffectTheNextLease) {
  const auto session = open_leased();
  ASSERT_OK(run(*session, words().begin));
  ASSERT_TRUE(session->end_transaction("idle"));
  ASSERT_TRUE(give_back(*session, ResetMode::smart));
  ASSERT_OK(session->begin_lease(LeaseMode::read_write, now()));
  EXPECT_EQ(ask(*session, words().one_row), words().one_value);
}

TEST_P(DriverSuite, ADisarmedSessionFailsCleanly) {
  auto session = open_leased();
  ASSERT_OK(run(*session, words().begin));
  ASSERT_OK(run(*session, words().change));
  session->disarm();
  session->finish_disarm();
  EXPECT_EQ(run(*session, words().one_row).code, Code::stale_lease);
  EXPECT_EQ(session->begin_lease(LeaseMode::read_write, now()).code, Code::stale_lease);
  EXPECT_FALSE(session->end_transaction("why"));
  EXPECT_FALSE(session->facts().is_in_transaction);
  session->cancel();
  session->disarm();
  EXPECT_EQ(session->settle(ResetMode::smart), Settled::broken);
  close(0, std::move(session));
}

TEST_P(DriverSuite, DisarmEndsARunningStatement) {
  Policy policy;
  policy.query_timeout = policy.statement_timeout = Span();
  use(policy);
  const auto session = open_leased();
  Status status;
  std::latch is_started(1);
  std::thread holder([&] {
    is_started.count_down();
    status = run(*session, words().runs_long);
  });
  is_started.wait();
  session->disarm();
  holder.join();
  EXPECT_EQ(status.code, Code::stale_lease);
}

TEST_P(DriverSuite, BrokenSessionIsNotLeasedAgain) {
  if (!quirks().tells_loss) GTEST_SKIP() << "this driver notices only when it validates";
  auto session = open_leased();
  ASSERT_TRUE(harness_->break_session(*session));
  EXPECT_TRUE(run(*session, words().change).sqlstate().starts_with(quirks().loss));
  EXPECT_EQ(session->settle(ResetMode::smart), Settled::broken);
}

TEST_P(DriverSuite, SessionsShareTheDatabase) {
  if (!quirks().sees_committed_only) GTEST_SKIP() << "this driver keeps no data";
  const auto first = open();
  const auto second = open(1);
  ASSERT_OK(run(*first, words().change));
  EXPECT_OK(run(*second, words().change));
}

}  // namespace
}  // namespace tide::test
