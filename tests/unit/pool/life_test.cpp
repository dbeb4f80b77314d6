// A whole pool in virtual time: a full server, pause, events of opening and closing, and the evaluate command.
#include "unit/pool/lived_pool.hpp"

namespace tide {
namespace {

class LifeTest : public test::LivedPool {};

// -- a full server

TEST_F(LifeTest, FullServerLimitsSize) {
  server_->set_sessions_max(2);
  open("min_size=4 max_size=10");
  run(Span::seconds(20));
  EXPECT_EQ(state(), PoolState::running);
  EXPECT_TRUE(pool_->keeper().is_started());
  EXPECT_EQ(target(), 2);
  EXPECT_EQ(limit(), 2);
  ASSERT_EQ(events(EventKind::server_full_on).size(), 1U);
  EXPECT_EQ(events(EventKind::server_full_on)[0].message,
            "the server has room for 2 connections and no more: sorry, too many clients already");
  EXPECT_TRUE(alerts().count("server_full"));
  LeaseId lease;
  for (int i = 0; i < 2; ++i) ask(Span::seconds(1));
  const Visit visit(Presence::key_of_pool(kKey));
  EXPECT_EQ(pool_->acquire({"late", LeaseMode::read_write, Span{}}, lease), Code::timeout);
  const Status why = pool_->explain(Code::timeout, Span{});
  EXPECT_NE(why.message().find("size 2 of 2 (the server's limit, room for 2 connections: sorry, too many"),
            std::string::npos)
      << why.message();
  EXPECT_EQ(why.hint().find("raise max_size"), std::string::npos) << why.hint();
  give_back();
}

TEST_F(LifeTest, FullServerUnderLoadCausesNoFlappingOrConnectFlood) {
  server_->set_sessions_max(3);
  open("min_size=1 max_size=10 retry_base=200ms retry_max=10s breaker=off emergency=off recovery=''");
  run(Span::seconds(1));
  for (int i = 0; i < 20; ++i) second(30, Span::millis(900));  // until the sizer knows the load
  EXPECT_EQ(events(EventKind::server_full_on).size(), 1U);
  const size_t moves = scaling().size();
  const uint64_t opens = server_->opens_total();
  for (int i = 0; i < 600; ++i) {
    second(30, Span::millis(900));
    ASSERT_LE(target(), 3);
    ASSERT_GE(target(), 1);
  }
  EXPECT_GT(refused_, 1000);
  EXPECT_EQ(scaling().size(), moves) << "the target does not move";
  // One connect per pause of 5 to 10 s.
  EXPECT_LE(server_->opens_total() - opens, 600U / 5 + 2);
  EXPECT_GE(server_->opens_total() - opens, 600U / 20);
  // Other clients disconnect: the pool reaches its size within one pause.
  server_->set_sessions_max(0);
  for (int i = 0; i < 12; ++i) second(30, Span::millis(900));
  EXPECT_EQ(target(), 10);
  EXPECT_EQ(limit(), 10);
  EXPECT_EQ(events(EventKind::server_full_off).size(), 1U);
}

TEST_F(LifeTest, RoomExpiresWithoutDemand) {
  server_->set_sessions_max(3);
  open("min_size=1 max_size=10 idle_timeout=5s recovery=''");
  for (int i = 0; i < 5; ++i) second(20, Span::millis(900));
  EXPECT_EQ(limit(), 3);
  run(Span::seconds(120));
  EXPECT_EQ(limit(), 10);
  EXPECT_EQ(events(EventKind::server_full_off).size(), 1U);
}

TEST_F(LifeTest, ManualSizeIsReachedOnceServerHasRoom) {
  server_->set_sessions_max(2);
  open("min_size=1 max_size=10");
  run(Span::seconds(1));
  pool_->keeper().post("scale", "{\"target_size\":6}", "test");
  run(Span::seconds(30));
  EXPECT_EQ(target(), 2);
  server_->set_sessions_max(0);
  run(Span::seconds(11));
  EXPECT_EQ(target(), 6);
  EXPECT_EQ(server_->sessions_now(), 6U);
}

TEST_F(LifeTest, ServerNotReadyIsNotFull) {
  open("min_size=2 max_size=10");
  run(Span::seconds(1));
  server_->set_refusing(true, "57P03");
  for (int i = 0; i < 5; ++i) second(20, Span::millis(900));
  EXPECT_TRUE(events(EventKind::server_full_on).empty());
  EXPECT_EQ(limit(), 10);
}

// -- pause

TEST_F(LifeTest, TimeoutsWhilePausedDoNotAffectHealth) {
  open("min_size=2 max_size=2 health_interval=1s");
  run(Span::seconds(5));
  EXPECT_EQ(obeyed("pause").message, "paused");
  for (int i = 0; i < 20; ++i) second(4, Span::millis(800));
  EXPECT_GT(refused_, 50);
  EXPECT_EQ(state(), PoolState::paused);
  EXPECT_EQ(obeyed("resume").message, "resumed");
  EXPECT_EQ(state(), PoolState::running);
  for (int i = 0; i < 20; ++i) {
    second(1, Span::seconds(1));
    EXPECT_EQ(state(), PoolState::running);
  }
  EXPECT_TRUE(events(EventKind::health_failed).empty());
  EXPECT_TRUE(events(EventKind::recovery).empty());
  EXPECT_FALSE(alerts().count("health_failures"));
}

TEST_F(LifeTest, WaitingWhilePausedDoesNotAffectHealth) {
  open("min_size=2 max_size=2 health_interval=1s burst=off");
  run(Span::seconds(5));
  for (int i = 0; i < 2; ++i) ask(Span());
  EXPECT_EQ(obeyed("pause").message, "paused");
  for (int i = 0; i < 20; ++i) {
    for (int caller = 0; caller < 3; ++caller) ask(Span::millis(1500));
    run(Span::seconds(1));
  }
  EXPECT_TRUE(events(EventKind::health_failed).empty());
  give_back();
  EXPECT_EQ(obeyed("resume").message, "resumed");
  for (const Event& event : events(EventKind::health_failed)) ADD_FAILURE() << event.message;
  EXPECT_EQ(state(), PoolState::running);
}

TEST_F(LifeTest, TimeoutsWithoutPauseAffectHealth) {
  open("min_size=2 max_size=2 health_interval=1s burst=off");
  run(Span::seconds(5));
  for (int i = 0; i < 5; ++i) second(8, Span::millis(800));
  EXPECT_FALSE(events(EventKind::health_failed).empty());
}

TEST_F(LifeTest, DrainAndResumeDoNotAffectHealth) {
  open("min_size=2 max_size=4 health_interval=1s");
  run(Span::seconds(5));
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(obeyed("drain").message, "drained, 2 connections closed");
    run(Span::millis(4100));
    EXPECT_EQ(obeyed("resume").message, "resumed");
    run(Span::millis(3300));
  }
  EXPECT_EQ(state(), PoolState::running);
  EXPECT_TRUE(events(EventKind::health_failed).empty());
  EXPECT_FALSE(alerts().count("health_failures"));
}

// -- opening and closing

TEST_F(LifeTest, ReadyEventOnceWhenMinSizeIsOpen) {
  open("min_size=3 max_size=8");
  EXPECT_EQ(events(EventKind::pool_open).size(), 1U);
  EXPECT_TRUE(events(EventKind::init).empty());
  run(Span::seconds(5));
  ASSERT_EQ(events(EventKind::init).size(), 1U);
  EXPECT_NE(events(EventKind::init)[0].message.find(": 3 connections open, min_size 3, max_size 8"), std::string::npos)
      << events(EventKind::init)[0].message;
  EXPECT_EQ(events(EventKind::init)[0].detail.rfind("{\"open\":3,\"min_size\":3,\"max_size\":8,\"took_ms\":", 0), 0U);
  EXPECT_GT(events(EventKind::init)[0].number, events(EventKind::pool_open)[0].number);
  (void)obeyed("drain");
  (void)obeyed("resume");
  EXPECT_EQ(events(EventKind::init).size(), 1U);
}

TEST_F(LifeTest, NoReadyEventIfConnectsFail) {
  server_->go_down();
  open("min_size=1 max_size=2");
  run(Span::seconds(5));
  EXPECT_TRUE(events(EventKind::init).empty());
  (void)obeyed("drain");
  EXPECT_TRUE(events(EventKind::init).empty()) << "drained is not ready";
  server_->come_up();
  (void)obeyed("resume");
  run(Span::seconds(15));
  EXPECT_EQ(events(EventKind::init).size(), 1U);
}

TEST_F(LifeTest, ClosedEventOnceWithRevokedLeases) {
  open("min_size=3 max_size=3");
  run(Span::seconds(1));
  for (int i = 0; i < 2; ++i) ask(Span());
  ASSERT_EQ(leases_.size(), 2U);
  EXPECT_TRUE(events(EventKind::pool_closed).empty());
  close(Span::seconds(2));
  for (int i = 0; i < 3; ++i) pool_->keeper().step();
  ASSERT_EQ(events(EventKind::pool_closed).size(), 1U);
  const Event told = events(EventKind::pool_closed)[0];
  EXPECT_EQ(told.severity, static_cast<uint32_t>(Severity::warning));
  EXPECT_NE(told.message.find("leases that did not end before the timeout were revoked, 2 leases revoked"),
            std::string::npos)
      << told.message;
  EXPECT_EQ(told.detail.rfind("{\"leases_cut\":2,", 0), 0U) << told.detail;
}

TEST_F(LifeTest, CloseWithoutLeasesRevokesNothing) {
  open("min_size=3 max_size=3");
  run(Span::seconds(1));
  close(Span::seconds(2));
  ASSERT_EQ(events(EventKind::pool_closed).size(), 1U);
  EXPECT_NE(events(EventKind::pool_closed)[0].message.find("all leases had ended, 0 leases revoked"),
            std::string::npos);
}

// -- evaluate

TEST_F(LifeTest, EvaluateDecidesNowWithReason) {
  open("min_size=1 max_size=20 scaling_interval=1h recovery=''");
  run(Span::seconds(2));
  for (int i = 0; i < 30; ++i) second(15, Span::seconds(5));
  EXPECT_GE(target(), 15) << "the pool grew for callers";
  for (int i = 0; i < 90; ++i) second(1, Span::seconds(1));
  const int64_t before = target();
  EXPECT_GE(before, 15) << "the next decision is an hour away";
  Answer told;
  for (int i = 0; i < 4 && target() == before; ++i) {
    told = obeyed("evaluate");
    EXPECT_EQ(told.status, static_cast<uint32_t>(CommandStatus::applied));
    for (int j = 0; j < 30; ++j) second(1, Span::seconds(1));
  }
  EXPECT_LT(target(), before);
  EXPECT_EQ(told.message.rfind("target " + std::to_string(before) + " -> ", 0), 0U) << told.message;
  EXPECT_NE(told.message.find("requests/s"), std::string::npos) << told.message;
}

TEST_F(LifeTest, EvaluateReportsWhyNoSizerDecides) {
  open("min_size=2 max_size=10");
  run(Span::seconds(2));
  (void)obeyed("pause");
  EXPECT_EQ(obeyed("evaluate").message, "target stays at 2: the pool is paused");
  (void)obeyed("resume");
  pool_->keeper().post("scale", "{\"target_size\":5}", "alice");
  run(Span::seconds(1));
  EXPECT_EQ(obeyed("evaluate").message, "target stays at 5: manual scale to 5 by alice");
  pool_->keeper().post("scale", "{\"target_size\":null}", "alice");
  pool_->keeper().post("set", "{\"option\":\"sizing\",\"value\":\"threshold\"}", "alice");
  run(Span::seconds(1));
  EXPECT_EQ(obeyed("evaluate").message.rfind("target stays at 5: utilization 0", 0), 0U) << obeyed("evaluate").message;
  pool_->keeper().post("set", "{\"option\":\"scaling\",\"value\":\"off\"}", "alice");
  EXPECT_EQ(obeyed("evaluate").message, "target stays at 5: the option scaling is off");
  (void)obeyed("drain");
  const Answer refused = obeyed("evaluate");
  EXPECT_EQ(refused.status, static_cast<uint32_t>(CommandStatus::refused));
  EXPECT_NE(refused.message.find("the pool is draining"), std::string::npos);
}

TEST_F(LifeTest, EvaluateCountsAsOnePeriod) {
  open(
      "min_size=2 max_size=10 sizing=threshold scaling_interval=1h scale_up_periods=2 scale_up_cooldown=1s "
      "recovery=''");
  run(Span::seconds(2));
  for (int i = 0; i < 2; ++i) ask(Span());
  run(Span::seconds(3));
  EXPECT_EQ(obeyed("evaluate").message.rfind("target stays at 2: utilization 1 ", 0), 0U);
  EXPECT_EQ(
      obeyed("evaluate").message.rfind("target 2 -> 4: utilization 1 (scale_up_utilization 0.8) for 2 evaluations", 0),
      0U);
  give_back();
}

}  // namespace
}  // namespace tide
