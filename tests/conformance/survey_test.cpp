// Promises of survey(): a validation that says how full the server is, where the driver can tell.
#include "conformance/suite.hpp"

namespace tide::test {
namespace {

TEST_P(DriverSuite, SurveyReportsTheLoad) {
  const auto session = open();
  const ServerLoad load = survey(*session);
  if (!quirks().tells_load) {
    EXPECT_EQ(load.sessions, -1);
    EXPECT_EQ(load.sessions_max, -1);
    return;
  }
  EXPECT_GE(load.sessions, 1);
  EXPECT_TRUE(load.sessions_max == -1 || load.sessions_max >= load.sessions) << load.sessions_max;
  connector_->open(1, now(), in(Span::seconds(30)));
  const Completion other = one();
  ASSERT_EQ(other.kind, Kind::opened);
  EXPECT_GT(survey(*session).sessions, 1);
}

TEST_P(DriverSuite, ASurveyLeavesTheSessionAsItWas) {
  const auto session = open_leased();
  ASSERT_OK(run(*session, words().change));
  ASSERT_EQ(session->settle(ResetMode::smart), Settled::clean);
  const SessionFacts before = session->facts();
  survey(*session);
  survey(*session);
  EXPECT_EQ(session->facts().lease, before.lease);
  EXPECT_EQ(session->facts().queries_total, before.queries_total);
  EXPECT_FALSE(session->facts().is_in_transaction);
  ASSERT_OK(session->begin_lease(LeaseMode::read_write, now()));
  EXPECT_EQ(session->settle(ResetMode::smart), Settled::clean);
  ASSERT_OK(session->begin_lease(LeaseMode::read_write, now()));
  EXPECT_EQ(ask(*session, words().one_row), words().one_value);
}

TEST_P(DriverSuite, ValidationAfterASurveyReportsNoLoad) {
  const auto session = open();
  survey(*session);
  connector_->validate(0, *session, now(), in(Span::seconds(30)));
  const Completion done = one();
  EXPECT_EQ(done.kind, Kind::validated);
  EXPECT_EQ(done.load.sessions, -1);
}

TEST_P(DriverSuite, SurveyExecutesTheValidationQuery) {
  Policy policy;
  policy.validation_query = words().one_row;
  use(policy);
  const auto session = open();
  EXPECT_EQ(survey(*session).sessions >= 1, quirks().tells_load);
  EXPECT_EQ(ask(*session, words().one_row), words().one_value);
}

TEST_P(DriverSuite, ASurveyPastItsDeadlineFails) {
  Policy policy;
  policy.validation_query = words().runs_long;  // an answer that is there already would count
  use(policy);
  const auto session = open();
  const Instant at = now();
  connector_->survey(0, *session, at, at - Span::millis(1));
  const Completion done = one();
  EXPECT_EQ(done.kind, Kind::validation_failed);
  EXPECT_EQ(done.status.code, Code::timeout);
}

TEST_P(DriverSuite, SurveyDetectsABrokenSession) {
  if (!quirks().can_break) GTEST_SKIP() << "this driver's sessions cannot be broken from outside";
  auto session = open();
  ASSERT_TRUE(harness_->break_session(*session));
  if (quirks().tells_loss) EXPECT_EQ(one().kind, Kind::lost);
  connector_->survey(0, *session, now(), in(Span::seconds(30)));
  const Completion done = one();
  EXPECT_EQ(done.kind, Kind::validation_failed);
  EXPECT_FALSE(done.status.is_ok());
  EXPECT_EQ(done.load.sessions, -1);
  close(0, std::move(session));
}

TEST_P(DriverSuite, SurveyWithoutPrivilegesCountsSessions) {
  if (words().be_nobody.empty()) GTEST_SKIP() << "this database has no privileges";
  const auto session = open_leased();
  connector_->open(1, now(), in(Span::seconds(30)));
  const Completion other = one();
  ASSERT_EQ(other.kind, Kind::opened);
  const ServerLoad all = survey(*session);
  ASSERT_OK(run(*session, words().be_nobody));
  EXPECT_EQ(survey(*session).sessions, all.sessions);
  EXPECT_EQ(survey(*session).sessions_max, all.sessions_max);

  ASSERT_OK(run(*other.connection, words().hide_load));
  EXPECT_EQ(survey(*session).sessions, -1);  // and the session is fine
  EXPECT_EQ(survey(*session).sessions, -1);
  EXPECT_EQ(ask(*session, words().one_row), words().one_value);
  ASSERT_OK(run(*other.connection, words().show_load));
}

TEST_P(DriverSuite, SheddingMemoryLeavesTheSessionAsItWas) {
  const auto session = open_leased();
  ASSERT_OK(run(*session, words().alter_session));
  session->shed_memory();
  if (!words().unmarked.empty()) {
    EXPECT_NE(ask(*session, words().session_mark), words().unmarked);
  }
  EXPECT_EQ(ask(*session, words().one_row), words().one_value);
  EXPECT_TRUE(connector_->memory_bytes() == -1 || connector_->memory_bytes() > 0);
}

}  // namespace
}  // namespace tide::test
