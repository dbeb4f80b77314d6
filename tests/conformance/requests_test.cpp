// Promises of Connector: every request is answered once, in time, and tells what became of it.
#include <sys/wait.h>
#include <unistd.h>

#include "conformance/suite.hpp"

namespace tide::test {
namespace {

INSTANTIATE_TEST_SUITE_P(Drivers, DriverSuite, ::testing::ValuesIn(harnesses()),
                         [](const auto& tested) { return tested.param.name; });

TEST_P(DriverSuite, OpensAWorkingSession) {
  const auto session = open();
  ASSERT_NE(session, nullptr);
  EXPECT_NE(session->native(), nullptr);
  EXPECT_EQ(ask(*session, words().one_row), words().one_value);
}

TEST_P(DriverSuite, NoCompletionWithoutARequest) {
  std::vector<Completion> out;
  connector_->step(now(), out);
  EXPECT_TRUE(out.empty());
}

TEST_P(DriverSuite, EveryRequestIsAnsweredOnceOnItsSlot) {
  constexpr uint32_t kSlots = 20;
  for (uint32_t slot = 0; slot < kSlots; ++slot) connector_->open(slot, now(), in(Span::seconds(30)));
  std::vector<std::unique_ptr<Connection>> sessions(kSlots);
  for (uint32_t answered = 0; answered < kSlots;) {
    for (Completion& done : next(*connector_)) {
      ASSERT_EQ(done.kind, Kind::opened) << done.status.message();
      ASSERT_LT(done.slot, kSlots);
      ASSERT_EQ(sessions[done.slot], nullptr);
      sessions[done.slot] = std::move(done.connection);
      ++answered;
    }
  }
  for (uint32_t slot = 0; slot < kSlots; ++slot) connector_->close(slot, std::move(sessions[slot]), now());
  std::vector<bool> closed(kSlots);
  for (uint32_t answered = 0; answered < kSlots;) {
    for (const Completion& done : next(*connector_)) {
      ASSERT_EQ(done.kind, Kind::closed);
      ASSERT_FALSE(closed[done.slot]);
      closed[done.slot] = true;
      ++answered;
    }
  }
  std::vector<Completion> out;
  connector_->step(in(Span::seconds(60)), out);
  EXPECT_TRUE(out.empty());
}

TEST_P(DriverSuite, AnOpenPastItsDeadlineFails) {
  const Instant at = now();
  connector_->open(3, at, at - Span::millis(1));
  const Completion done = one();
  EXPECT_EQ(done.kind, Kind::open_failed);
  EXPECT_EQ(done.slot, 3u);
  EXPECT_EQ(done.status.code, Code::timeout);
  EXPECT_FALSE(done.is_permanent);
  EXPECT_EQ(done.connection, nullptr);
}

TEST_P(DriverSuite, PermanentFailureIsReported) {
  const auto connector = harness_->make_hopeless_connector(Policy{});
  connector->open(0, now(), in(Span::seconds(30)));
  const Completion done = one(*connector);
  EXPECT_EQ(done.kind, Kind::open_failed);
  EXPECT_TRUE(done.is_permanent);
  EXPECT_FALSE(done.status.is_retryable);
  EXPECT_FALSE(done.status.message().empty());
  EXPECT_EQ(done.status.sqlstate().size(), 5u);
}

TEST_P(DriverSuite, ValidatesALiveSession) {
  const auto session = open();
  connector_->validate(0, *session, now(), in(Span::seconds(30)));
  EXPECT_EQ(one().kind, Kind::validated);
  EXPECT_EQ(ask(*session, words().one_row), words().one_value);
}

TEST_P(DriverSuite, AValidationPastItsDeadlineFails) {
  Policy policy;
  policy.validation_query = words().runs_long;  // an answer that has already arrived would count
  use(policy);
  const auto session = open();
  const Instant at = now();
  connector_->validate(0, *session, at, at - Span::millis(1));
  const Completion done = one();
  EXPECT_EQ(done.kind, Kind::validation_failed);
  EXPECT_EQ(done.status.code, Code::timeout);
}

TEST_P(DriverSuite, BrokenSessionFailsValidation) {
  if (!quirks().can_break) GTEST_SKIP() << "this driver's sessions cannot be broken from outside";
  auto session = open();
  ASSERT_TRUE(harness_->break_session(*session));
  if (quirks().tells_loss) {
    const Completion lost = one();
    EXPECT_EQ(lost.kind, Kind::lost);
    EXPECT_FALSE(lost.status.is_ok());
  }
  connector_->validate(0, *session, now(), in(Span::seconds(30)));
  const Completion done = one();
  EXPECT_EQ(done.kind, Kind::validation_failed);
  EXPECT_FALSE(done.status.is_ok());
  close(0, std::move(session));
}

TEST_P(DriverSuite, ResetsASession) {
  const auto session = open_leased();
  ASSERT_OK(run(*session, words().alter_session));
  connector_->reset(0, *session, ResetMode::full, now(), in(Span::seconds(30)));
  EXPECT_EQ(one().kind, Kind::reset_done);
  if (!words().unmarked.empty()) {
    EXPECT_EQ(ask(*session, words().session_mark), words().unmarked);
  }
  EXPECT_EQ(session->settle(ResetMode::smart), Settled::clean);
}

TEST_P(DriverSuite, AClosedSlotCanBeOpenedAgain) {
  close(0, open());
  close(0, open());
}

TEST_P(DriverSuite, ClosesASessionInATransaction) {
  auto session = open_leased();
  ASSERT_OK(run(*session, words().begin));
  ASSERT_OK(run(*session, words().change));
  close(0, std::move(session));
  const auto other = open_leased();
  EXPECT_OK(run(*other, words().change));
}

TEST_P(DriverSuite, APolicyChangeReachesNewSessions) {
  const auto before = open_leased();
  Policy policy;
  policy.query_timeout = Span::millis(20);
  connector_->set_policy(policy);
  connector_->open(1, now(), in(Span::seconds(30)));
  const Completion done = one();
  ASSERT_EQ(done.kind, Kind::opened);
  const Status status = run(*done.connection, words().runs_long);
  EXPECT_EQ(status.code, Code::timeout);
  EXPECT_EQ(status.sqlstate(), "57014");
}

TEST_P(DriverSuite, ForkedChildAbandonsAndTheParentContinues) {
  auto session = open_leased();
  ASSERT_OK(run(*session, words().begin));
  ASSERT_OK(run(*session, words().change));
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    session->abandon();
    connector_->abandon();
    session.reset();
    connector_.reset();
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_TRUE(session->facts().is_in_transaction);
  EXPECT_OK(run(*session, words().rollback));
  EXPECT_EQ(ask(*session, words().one_row), words().one_value);
}

}  // namespace
}  // namespace tide::test
