// The fake server keeps its script, counts its sessions, and catches whoever misuses it.
#include <algorithm>
#include <map>
#include <sstream>

#include "driver/fake/connector.hpp"
#include "unit/driver/support.hpp"

namespace tide::test {
namespace {

using fake::FakeConnector;
using fake::FakeServer;
using fake::OpenFate;
using Kind = Completion::Kind;

class Fake : public ::testing::Test {
 protected:
  Instant now() const { return clock_.now(); }
  Instant in(Span span) const { return now() + span; }
  // Lets virtual time go on until there is something to tell.
  Completion one() {
    std::vector<Completion> out;
    while (out.empty()) {
      const Instant next = connector_.step(now(), out);
      if (!out.empty()) break;
      if (next >= Instant::never()) {
        ADD_FAILURE() << "nothing will ever happen";
        return {};
      }
      clock_.advance_to(next);
    }
    EXPECT_EQ(out.size(), 1u);
    return std::move(out.front());
  }
  Completion open(uint32_t slot, Span within = Span::seconds(5)) {
    connector_.open(slot, now(), in(within));
    return one();
  }
  std::unique_ptr<Connection> opened(uint32_t slot) {
    Completion done = open(slot);
    EXPECT_EQ(done.kind, Kind::opened) << done.status.message();
    return std::move(done.connection);
  }
  Completion close(uint32_t slot, std::unique_ptr<Connection> connection) {
    connector_.close(slot, std::move(connection), now());
    return one();
  }

  ManualClock clock_;
  FakeServer server_{42, clock_};
  FakeConnector connector_{server_, Policy{}};
};

// F1
TEST_F(Fake, F1CountsASessionFromTheFirstRequestToTheLastAnswer) {
  connector_.open(0, now(), in(Span::seconds(5)));
  EXPECT_EQ(server_.sessions_now(), 1u);
  auto first = one().connection;
  auto second = opened(1);
  EXPECT_EQ(server_.sessions_now(), 2u);
  connector_.close(0, std::move(first), now());
  EXPECT_EQ(server_.sessions_now(), 2u);
  EXPECT_EQ(one().kind, Kind::closed);
  EXPECT_EQ(server_.sessions_now(), 1u);
  EXPECT_TRUE(server_.kill(second->server_pid()));
  EXPECT_EQ(server_.sessions_now(), 0u);
  EXPECT_EQ(one().kind, Kind::lost);
  EXPECT_EQ(close(1, std::move(second)).kind, Kind::closed);
  EXPECT_EQ(server_.sessions_now(), 0u);
  EXPECT_EQ(server_.sessions_peak(), 2u);
  EXPECT_EQ(server_.opens_total(), 2u);
}

TEST_F(Fake, OpensHaveScriptedResults) {
  server_.script_opens(2, OpenFate::fail);
  server_.script_opens(1, OpenFate::fail_for_good);
  server_.script_opens(1, OpenFate::hang);
  for (int i = 0; i < 2; ++i) {
    const Completion failed = open(0);
    EXPECT_EQ(failed.kind, Kind::open_failed);
    EXPECT_FALSE(failed.is_permanent);
    EXPECT_TRUE(failed.status.is_retryable);
  }
  const Completion refused = open(0);
  EXPECT_EQ(refused.status.sqlstate(), "28P01");
  EXPECT_TRUE(refused.is_permanent);
  const Instant before = now();
  EXPECT_EQ(open(0, Span::seconds(3)).status.code, Code::timeout);
  EXPECT_EQ(now() - before, Span::seconds(3));  // F3: answered exactly at its deadline
  EXPECT_EQ(server_.sessions_now(), 0u);
  EXPECT_EQ(open(0).kind, Kind::opened);
}

TEST_F(Fake, LimitRefusalAndOutage) {
  server_.set_sessions_max(1);
  auto session = opened(0);
  EXPECT_EQ(open(1).status.sqlstate(), "53300");
  server_.set_sessions_max(0);
  server_.set_refusing(true);
  EXPECT_EQ(open(1).status.sqlstate(), "57P03");
  server_.set_refusing(false);
  server_.go_down();
  EXPECT_EQ(one().kind, Kind::lost);
  EXPECT_EQ(run(*session, "one").sqlstate(), "57P01");
  EXPECT_EQ(open(1).status.sqlstate(), "08001");
  server_.come_up();
  EXPECT_EQ(open(1).kind, Kind::opened);
}

TEST_F(Fake, ScheduledOutage) {
  const auto session = opened(0);
  const Instant down = in(Span::seconds(10));
  server_.schedule_up(in(Span::seconds(20)));
  server_.schedule_down(down);
  EXPECT_EQ(one().kind, Kind::lost);
  EXPECT_EQ(now(), down);
  EXPECT_EQ(open(1).status.sqlstate(), "08001");
  clock_.advance(Span::seconds(10));
  EXPECT_EQ(open(1).kind, Kind::opened);
}

TEST_F(Fake, OpenInProgressFailsWithTheServer) {
  connector_.open(0, now(), in(Span::seconds(5)));
  server_.go_down();
  const Completion done = one();
  EXPECT_EQ(done.kind, Kind::open_failed);
  EXPECT_EQ(done.status.sqlstate(), "08006");
  EXPECT_EQ(server_.sessions_now(), 0u);
}

TEST_F(Fake, HalfOpenSessionDoesNotRespond) {
  const auto session = opened(0);
  server_.make_half_open(session->server_pid());
  Span passed;
  server_.set_time_passes([&](Span span) {
    passed = passed + span;
    clock_.advance(span);
  });
  EXPECT_EQ(run(*session, "one", nullptr, {}, in(Span::seconds(4))).code, Code::timeout);
  EXPECT_EQ(passed, Span::seconds(4));
  const Instant deadline = in(Span::seconds(2));
  connector_.validate(0, *session, now(), deadline);
  const Completion done = one();
  EXPECT_EQ(done.kind, Kind::validation_failed);
  EXPECT_EQ(done.status.code, Code::timeout);
  EXPECT_EQ(now(), deadline);
}

TEST_F(Fake, DelaysCloses) {
  auto session = opened(0);
  const Instant until = in(Span::seconds(30));
  server_.hold_closes_until(until);
  EXPECT_EQ(close(0, std::move(session)).kind, Kind::closed);
  EXPECT_EQ(now(), until);
}

TEST_F(Fake, LossIsReportedOnce) {
  const auto first = opened(0);
  const auto second = opened(1);
  connector_.validate(1, *second, now(), in(Span::seconds(2)));
  EXPECT_EQ(server_.kill_all(), 2u);
  std::map<uint32_t, Kind> told;
  for (int steps = 0; steps < 10; ++steps) {
    std::vector<Completion> out;
    connector_.step(now(), out);
    for (const Completion& done : out) EXPECT_TRUE(told.emplace(done.slot, done.kind).second);
    clock_.advance(Span::seconds(1));
  }
  EXPECT_EQ(told, (std::map<uint32_t, Kind>{{0, Kind::lost}, {1, Kind::validation_failed}}));
}

TEST_F(Fake, DisarmedSessionCountsUntilItsSlotIsReused) {
  const auto revoked = opened(0);
  revoked->disarm();
  EXPECT_EQ(server_.sessions_now(), 1u);
  const auto next = opened(0);  // the holder of the first one never gave its native handle back
  EXPECT_EQ(server_.sessions_now(), 1u);
  EXPECT_EQ(run(*revoked, "one").code, Code::stale_lease);
  EXPECT_EQ(ask(*next, "one"), "1");
}

TEST_F(Fake, KillsAShare) {
  std::vector<std::unique_ptr<Connection>> sessions;
  for (uint32_t slot = 0; slot < 40; ++slot) sessions.push_back(opened(slot));
  const uint32_t killed = server_.kill_some(0.5);
  EXPECT_GT(killed, 5u);
  EXPECT_LT(killed, 35u);
  EXPECT_EQ(server_.pids().size(), 40u - killed);
}

TEST_F(Fake, HandlerOfTheTest) {
  server_.set_handler([](const QueryRequest& request, ResultTable& out) -> std::optional<Status> {
    if (request.sql != "special") return std::nullopt;
    out.set_affected(7);
    return Status::ok();
  });
  const auto session = opened(0);
  ResultTable out;
  EXPECT_OK(run(*session, "special", &out));
  EXPECT_EQ(out.affected(), 7);
  EXPECT_EQ(ask(*session, "one"), "1");
  EXPECT_EQ(run(*session, "fail 40001").sqlstate(), "40001");
}

TEST_F(Fake, FailedTransactionNeedsRollback) {
  const auto session = opened(0);
  ASSERT_OK(run(*session, "begin"));
  EXPECT_EQ(run(*session, "fail 23505").sqlstate(), "23505");
  EXPECT_EQ(run(*session, "one").sqlstate(), "25P02");
  EXPECT_EQ(session->settle(ResetMode::smart), Settled::needs_reset);
  connector_.reset(0, *session, ResetMode::smart, now(), in(Span::seconds(2)));
  EXPECT_EQ(one().kind, Kind::reset_done);
  EXPECT_EQ(ask(*session, "one"), "1");
}

// One seed, one story.
TEST(FakeServer, IsTheSameForTheSameSeed) {
  const auto story = [](uint64_t seed) {
    ManualClock clock;
    FakeServer server(seed, clock);
    FakeConnector connector(server, Policy{});
    std::ostringstream told;
    Rng rng(7);
    std::map<uint32_t, std::unique_ptr<Connection>> sessions;
    std::vector<Completion> out;
    for (uint32_t slot = 0; slot < 8; ++slot) connector.open(slot, clock.now(), clock.now() + Span::millis(4));
    for (int i = 0; i < 400; ++i) {
      out.clear();
      clock.advance_to(earliest(connector.step(clock.now(), out), clock.now() + Span::seconds(1)));
      if (rng.chance(0.05)) server.kill_some(0.3);
      for (Completion& done : out) {
        told << clock.now().ns() << ' ' << done.slot << ' ' << static_cast<int>(done.kind) << '\n';
        if (done.kind == Kind::opened) {
          sessions[done.slot] = std::move(done.connection);
          connector.validate(done.slot, *sessions[done.slot], clock.now(), clock.now() + Span::seconds(1));
        } else if (done.kind == Kind::closed || done.kind == Kind::open_failed) {
          connector.open(done.slot, clock.now(), clock.now() + Span::millis(4));
        } else {
          connector.close(done.slot, std::move(sessions[done.slot]), clock.now());
        }
        EXPECT_LE(server.sessions_now(), 8u);
      }
    }
    return told.str();
  };
  EXPECT_EQ(story(1), story(1));
  EXPECT_NE(story(1), story(2));
}

// F2, Q1: misuse is loud.
using FakeDeathTest = Fake;

TEST_F(Fake, SurveyReportsSessions) {
  const auto first = opened(0);
  const auto second = opened(1);
  const auto survey = [&] {
    connector_.survey(0, *first, now(), in(Span::seconds(5)));
    const Completion done = one();
    EXPECT_EQ(done.kind, Kind::validated);
    return done.load;
  };
  EXPECT_EQ(survey().sessions, 2);
  EXPECT_EQ(survey().sessions_max, -1);
  server_.set_sessions_max(30);
  EXPECT_EQ(survey().sessions_max, 30);
  server_.set_load({95, 100});
  EXPECT_EQ(survey().sessions, 95);
  EXPECT_EQ(survey().sessions_max, 100);
  server_.make_all_half_open();
  connector_.survey(0, *first, now(), in(Span::seconds(5)));
  const Completion done = one();
  EXPECT_EQ(done.kind, Kind::validation_failed);
  EXPECT_EQ(done.load.sessions, -1);
}

TEST_F(FakeDeathTest, F2TwoRequestsOnOneSlot) {
  connector_.open(0, now(), in(Span::seconds(1)));
  EXPECT_DEATH(connector_.open(0, now(), in(Span::seconds(1))), "is_pending");
}

TEST_F(FakeDeathTest, F2AnOpenBeforeTheCloseIsAnswered) {
  auto session = opened(0);
  EXPECT_DEATH(connector_.open(0, now(), in(Span::seconds(1))), "is_disarmed");
  connector_.close(0, std::move(session), now());
  EXPECT_DEATH(connector_.open(0, now(), in(Span::seconds(1))), "is_pending");
}

TEST_F(FakeDeathTest, F2TheConnectionOfAnotherSlot) {
  const auto first = opened(0);
  const auto second = opened(1);
  EXPECT_DEATH(connector_.validate(0, *second, now(), in(Span::seconds(1))), "session_of");
}

TEST_F(FakeDeathTest, Q1AKeeperThatDisturbsAHolder) {
  const auto session = opened(0);
  server_.set_handler([&](const QueryRequest&, ResultTable&) -> std::optional<Status> {
    EXPECT_DEATH(connector_.validate(0, *session, now(), in(Span::seconds(1))), "is_busy_");
    return Status::ok();
  });
  EXPECT_OK(run(*session, "anything"));
}

}  // namespace
}  // namespace tide::test
