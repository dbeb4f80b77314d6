// Changes of alerts as a receiver outside of the pool is told.
#include <gtest/gtest.h>

#include "pool/alert_feed.hpp"
#include "timed_pool.hpp"

namespace tide::test {
namespace {

class AlertFeedTest : public testing::Test {
 protected:
  void show(AlertState state, size_t place = 0) {
    alert.state = state;
    feed.look(alert, place, alert.number + 100, 1000);
  }
  std::vector<AlertStep> steps() const {
    std::vector<AlertStep> out;
    for (const AlertChange& change : told) out.push_back(change.step);
    return out;
  }
  AlertFeedTest() {
    alert.number = 1;
    alert.rule = "wait_time";
    alert.since = Instant::at_ns(5000);
  }

  std::vector<AlertChange> told;
  AlertFeed feed{[this](AlertChange change) { told.push_back(std::move(change)); }};
  brain::Alert alert;
};

TEST_F(AlertFeedTest, EachStepOnceThoughShownEverySecond) {
  show(AlertState::pending);
  EXPECT_TRUE(told.empty());
  for (int i = 0; i < 3; ++i) show(AlertState::firing);
  alert.acked_at = Instant::at_ns(6000);
  alert.acked_by = "olivia";
  for (int i = 0; i < 3; ++i) show(AlertState::firing);
  alert.resolved_at = Instant::at_ns(7000);
  for (int i = 0; i < 3; ++i) show(AlertState::resolved);
  EXPECT_EQ(steps(), (std::vector{AlertStep::fired, AlertStep::acknowledged, AlertStep::resolved}));
  EXPECT_EQ(told[0].alert_id, 101U);
  EXPECT_EQ(told[0].since_wall_ns, 6000);
  EXPECT_EQ(told[1].acked_by, "olivia");
  EXPECT_EQ(told[2].resolved_wall_ns, 8000);
}

TEST_F(AlertFeedTest, PendingAlertThatEndsIsNotTold) {
  show(AlertState::pending);
  alert = brain::Alert();
  feed.look(alert, 0, 0, 1000);
  EXPECT_TRUE(told.empty());
}

TEST_F(AlertFeedTest, NewAlertInAnOldPlace) {
  show(AlertState::firing);
  show(AlertState::resolved);
  alert.number = 2;
  show(AlertState::firing);
  EXPECT_EQ(steps(), (std::vector{AlertStep::fired, AlertStep::resolved, AlertStep::fired}));
  EXPECT_EQ(told.back().alert_id, 102U);
}

// From a rule to the sink, through the keeper.
TEST_F(TimedPool, KeeperTellsTheSink) {
  std::vector<AlertChange> told;
  alerts = [&told](AlertChange change) { told.push_back(std::move(change)); };
  open(of_size(2));
  order("set_alert", R"({"rule": "busy", "metric": "in_use", "comparison": ">=", "threshold": 1, "hold": 0})");
  const LeaseId lease = acquire();
  turn();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].rule, "busy");
  EXPECT_EQ(told[0].step, AlertStep::fired);
  order("ack", R"({"alert_id": )" + std::to_string(told[0].alert_id) + R"(, "by": "olivia"})");
  turn();
  release(lease);
  for (int i = 0; i < 10; ++i) turn();
  ASSERT_EQ(told.size(), 3U);
  EXPECT_EQ(told[1].step, AlertStep::acknowledged);
  EXPECT_EQ(told[1].acked_by, "olivia");
  EXPECT_EQ(told[2].step, AlertStep::resolved);
  EXPECT_GT(told[2].resolved_wall_ns, told[2].since_wall_ns);
}

}  // namespace
}  // namespace tide::test
