// Every option that pools of any database have works as its name says (see options_support.hpp): the size follows the
// load, and callers while the database is unreachable.
#include "unit/pool/options_support.hpp"

namespace tide {
namespace {

using test::OptionEffect;

// -- the size follows the load

constexpr const char* kAdaptive = "scaling=on min_size=1 max_size=30";

TEST_F(OptionEffect, scaling) {
  const auto look = [this] {
    ask_for(2, sec(5));
    return seconds_until([this] { return target() > 2; }) >= 0;
  };
  EXPECT_TRUE(with("on", "min_size=2 sizing=threshold", look));
  EXPECT_FALSE(with("off", "min_size=2 sizing=threshold", look));
}

TEST_F(OptionEffect, scaling_interval) {
  const auto look = [this] {
    ask_for(2, sec(5));
    return seconds_until([this] { return target() > 2; }) > 15;  // two periods, the first of which has begun
  };
  const std::string options = "min_size=2 scaling=on sizing=threshold scale_up_periods=2";
  EXPECT_FALSE(with("1s", options, look));
  EXPECT_TRUE(with("20s", options, look));
}

TEST_F(OptionEffect, sizing) {
  const auto look = [this] { return obeyed("evaluate").message.find("utilization") != std::string::npos; };
  EXPECT_TRUE(with("threshold", "scaling=on", look));
  EXPECT_FALSE(with("adaptive", "scaling=on", look));
}

// Thirty requests per second, at random, each holding a connection for 0.1 s.
TEST_F(OptionEffect, wait_objective) {
  const auto look = [this] { return size_after_random_load(); };
  EXPECT_LT(with("1min", kAdaptive, look), with("1ms", kAdaptive, look));
}

TEST_F(OptionEffect, wait_objective_share) {
  const auto look = [this] { return size_after_random_load(); };
  EXPECT_LT(with("0.5", kAdaptive, look), with("0.0001", kAdaptive, look));
}

TEST_F(OptionEffect, prediction) {
  const auto look = [this] {
    std::set<std::string> models;
    for (int i = 0; i < 300; ++i) {
      second(1 + i / 20, sec(1));
      const auto told = seen().read_forecasts();
      for (const format::ForecastRecord& forecast : records_of(*told)) {
        if (forecast.is_selected != 0) models.insert(forecast.model.str());
      }
    }
    return models.count("linear");
  };
  EXPECT_EQ(with("off", kAdaptive, look), 0U);
  EXPECT_EQ(with("linear", kAdaptive, look), 1U);
}

// -- the threshold sizer

constexpr const char* kThreshold = " scaling=on sizing=threshold min_size=4 max_size=12 min_idle=0";

TEST_F(OptionEffect, scale_up_utilization) {
  const auto look = [this] {
    ask_for(3, sec(5));
    return seconds_until([this] { return target() > 4; }) >= 0;
  };
  EXPECT_TRUE(with("0.7", kThreshold, look));
  EXPECT_FALSE(with("0.9", kThreshold, look));
}

TEST_F(OptionEffect, scale_up_wait) {
  // Four callers hold all connections, a fifth waits half a second, and no connection is opened in time for it.
  const auto look = [this] {
    fake::Latencies slow;
    slow.open = {sec(50), Span()};
    server_->set_latencies(slow);
    for (int i = 0; i < 30; ++i) {
      ask_for(4, sec(1));
      ask(sec(2));
      run(sec(0.5));
      give_back();
      run(sec(0.1));
      give_back();
    }
    return !grown_by_rule().empty();
  };
  const std::string options = std::string(kThreshold) + " scale_up_utilization=1 connect_timeout=1min";
  EXPECT_TRUE(with("100ms", options, look));
  EXPECT_FALSE(with("10s", options, look));
}

TEST_F(OptionEffect, scale_up_periods) {
  const auto look = [this] {
    ask_for(4, sec(5));
    return seconds_until([this] { return target() > 4; });
  };
  EXPECT_NEAR(static_cast<double>(with("2", kThreshold, look)), 2, 1);
  EXPECT_NEAR(static_cast<double>(with("30", kThreshold, look)), 30, 1);
}

TEST_F(OptionEffect, scale_up_cooldown) {
  const auto look = [this] {
    ask_for(4, sec(5));
    (void)seconds_until([this] { return grown_by_rule().size() == 1; });
    ask_for(1, sec(5));
    return seconds_until([this] { return grown_by_rule().size() == 2; }) / 10;
  };
  const std::string options = std::string(kThreshold) + " grow_step=1";
  EXPECT_EQ(with("5s", options, look), 0);
  EXPECT_EQ(with("65s", options, look), 6);
}

constexpr const char* kShrinking =
    " scaling=on sizing=threshold min_size=2 max_size=12 scale_up_cooldown=0 scale_up_periods=1 idle_timeout=0";

TEST_F(OptionEffect, scale_down_utilization) {
  const auto look = [this] {
    for (int i = 0; i < 20; ++i) second(10, sec(1));
    const int64_t most = target();
    for (int i = 0; i < 30; ++i) second(3, sec(1));
    return target() < most;
  };
  const std::string options = std::string(kShrinking) + " scale_down_cooldown=0";
  EXPECT_TRUE(with("0.6", options, look));
  EXPECT_FALSE(with("0.1", options, look));
}

TEST_F(OptionEffect, scale_down_periods) {
  const auto look = [this] {
    for (int i = 0; i < 20; ++i) second(10, sec(1));
    const int64_t most = target();
    return seconds_until([&] { return target() < most; }) / 10;
  };
  const std::string options = std::string(kShrinking) + " scale_down_cooldown=0";
  EXPECT_EQ(with("3", options, look), 0);
  EXPECT_EQ(with("45", options, look), 4);
}

TEST_F(OptionEffect, scale_down_cooldown) {
  const auto look = [this] {
    for (int i = 0; i < 20; ++i) second(10, sec(1));
    const int64_t most = target();
    return seconds_until([&] { return target() < most; }) > 60;
  };
  EXPECT_FALSE(with("5s", kShrinking, look));
  EXPECT_TRUE(with("2min", kShrinking, look));
}

// -- the database is unreachable

TEST_F(OptionEffect, breaker) {
  const auto look = [this] {
    server_->go_down();
    run(sec(40));
    return happened(EventKind::breaker_open);
  };
  EXPECT_TRUE(with("on", "", look));
  EXPECT_FALSE(with("off", "", look));
}

TEST_F(OptionEffect, breaker_trip_after) {
  const auto look = [this] {
    server_->go_down();
    return seconds_until([this] { return happened(EventKind::breaker_open); }) / 5;
  };
  EXPECT_EQ(with("2s", "retry_max=500ms", look), 0);
  EXPECT_EQ(with("62s", "retry_max=500ms", look), 12);
}

TEST_F(OptionEffect, breaker_probe_interval) {
  const auto look = [this] {
    server_->go_down();
    (void)seconds_until([this] { return happened(EventKind::breaker_open); });
    const uint64_t before = server_->opens_total();
    run(sec(41));
    return (server_->opens_total() - before) / 2;
  };
  EXPECT_EQ(with("10s", "", look), 2U);
  EXPECT_GE(with("1s", "", [&] { return look() / 10; }), 1U);
}

}  // namespace
}  // namespace tide
