// Every option that pools of any database have works as its name says (see options_support.hpp): health, alerts, memory
// and the log.
#include "unit/pool/options_support.hpp"

namespace tide {
namespace {

using test::OptionEffect;

// -- health

TEST_F(OptionEffect, health_interval) {
  const auto look = [this] {
    run(sec(100));
    return seen().read_tallies()->health_checks_total / 5;
  };
  EXPECT_EQ(with("0", "", look), 0U);
  EXPECT_NEAR(static_cast<double>(with("10s", "", [&] { return look() > 1; })), 1, 0);
}

TEST_F(OptionEffect, health_max_response) {
  const auto look = [this] {
    fake::Latencies slow;
    slow.query = {Span::millis(200), Span()};
    server_->set_latencies(slow);
    for (int i = 0; i < 20; ++i) {
      statements(4);
      run(sec(0.2));
    }
    return check(HealthCheck::performance);
  };
  EXPECT_EQ(with("2s", "health_interval=1s", look), "ok");
  EXPECT_EQ(with("100ms", "health_interval=1s", look), "not ok");
}

TEST_F(OptionEffect, health_max_error_rate) {
  const auto look = [this] {
    for (int i = 0; i < 20; ++i) {
      statements(10, 2);
      run(sec(1));
    }
    return check(HealthCheck::performance);
  };
  EXPECT_EQ(with("0.5", "health_interval=1s", look), "ok");
  EXPECT_EQ(with("0.1", "health_interval=1s", look), "not ok");
}

TEST_F(OptionEffect, health_min_healthy) {
  const auto look = [this] {
    server_->script_opens(100, fake::OpenFate::hang);
    const std::vector<int32_t> pids = server_->pids();
    for (size_t i = 0; i < 2; ++i) server_->kill(pids[i]);
    run(sec(3));
    return check(HealthCheck::connectivity);
  };
  EXPECT_EQ(with("2", "min_size=4 health_interval=1s connect_timeout=1min", look), "ok");
  EXPECT_EQ(with("3", "min_size=4 health_interval=1s connect_timeout=1min", look), "not ok");
}

TEST_F(OptionEffect, health_max_utilization) {
  furnish_ = [](PoolSpec& spec) { spec.probe = std::make_shared<test::Memory>(); };
  const auto look = [this] {
    run(sec(5));
    return check(HealthCheck::resources);
  };
  EXPECT_EQ(with("0.9", "memory_limit=1GB health_interval=1s", look), "ok");
  EXPECT_EQ(with("0.5", "memory_limit=1GB health_interval=1s", look), "not ok");
}

TEST_F(OptionEffect, recovery) {
  const auto look = [this] {
    for (int i = 0; i < 60; ++i) {
      statements(10, 5);
      run(sec(1));
    }
    return happened(EventKind::recovery);
  };
  EXPECT_TRUE(with("restart_connections", "health_interval=1s", look));
  EXPECT_FALSE(with("", "health_interval=1s", look));
}

TEST_F(OptionEffect, recovery_max_attempts) {
  const auto look = [this] {
    for (int i = 0; i < 300; ++i) {
      statements(10, 5);
      run(sec(1));
      give_back();
    }
    return seen().read_tallies()->recovery_attempts_total;
  };
  const std::string options = "health_interval=1s recovery=restart_connections";
  EXPECT_LT(with("1", options, look), with("4", options, look));
}

TEST_F(OptionEffect, emergency) {
  const auto look = [this] {
    for (int i = 0; i < 60; ++i) {
      statements(10, 9);
      run(sec(1));
    }
    return happened(EventKind::emergency_on);
  };
  EXPECT_TRUE(with("on", "health_interval=1s", look));
  EXPECT_FALSE(with("off", "health_interval=1s", look));
}

TEST_F(OptionEffect, emergency_below) {
  const auto look = [this] {
    for (int i = 0; i < 30; ++i) {
      statements(10, 2);
      run(sec(1));
    }
    return happened(EventKind::emergency_on);
  };
  EXPECT_TRUE(with("80", "health_interval=1s emergency=on", look));
  EXPECT_FALSE(with("1", "health_interval=1s emergency=on", look));
}

TEST_F(OptionEffect, emergency_max_size) {
  const auto look = [this] {
    for (int i = 0; i < 60; ++i) {
      statements(10, 9);
      run(sec(1));
    }
    return limit();
  };
  EXPECT_EQ(with("2", "health_interval=1s emergency=on", look), 2);
  EXPECT_EQ(with("5", "health_interval=1s emergency=on", look), 5);
}

// -- alerts

TEST_F(OptionEffect, alerts) {
  const auto look = [this] {
    ask_for(8, sec(5));
    run(sec(120));
    return LivedPool::alerts().count("connection_exhaustion");
  };
  EXPECT_EQ(with("on", "", look), 1U);
  EXPECT_EQ(with("off", "", look), 0U);
}

TEST_F(OptionEffect, alert_utilization) {
  const auto look = [this] {
    ask_for(4, sec(5));
    run(sec(120));
    return alerts().count("connection_exhaustion");
  };
  EXPECT_EQ(with("0.4", "", look), 1U);
  EXPECT_EQ(with("0.9", "", look), 0U);
}

TEST_F(OptionEffect, alert_wait) {
  const auto look = [this] {
    for (int i = 0; i < 60; ++i) {
      ask_for(2, sec(3));
      run(sec(0.6));
      give_back();
      run(sec(0.2));
      give_back();
    }
    return alerts().count("wait_time");
  };
  EXPECT_EQ(with("200ms", "max_size=1", look), 1U);
  EXPECT_EQ(with("10s", "max_size=1", look), 0U);
}

TEST_F(OptionEffect, alert_error_rate) {
  const auto look = [this] {
    for (int i = 0; i < 120; ++i) {
      statements(10, 2);
      run(sec(1));
    }
    return alerts().count("error_rate");
  };
  EXPECT_EQ(with("0.1", "", look), 1U);
  EXPECT_EQ(with("0.5", "", look), 0U);
}

TEST_F(OptionEffect, alert_errors_per_hour) {
  const auto look = [this] {
    for (int i = 0; i < 120; ++i) {
      statements(1, 1);
      run(sec(1));
    }
    return alerts().count("errors_per_hour");
  };
  EXPECT_EQ(with("50", "", look), 1U);
  EXPECT_EQ(with("5000", "", look), 0U);
}

TEST_F(OptionEffect, alert_waiting) {
  const auto look = [this] {
    ask_for(1);
    ask_for(4, sec(200));
    run(sec(100));
    return alerts().count("waiting_count");
  };
  EXPECT_EQ(with("2", "max_size=1", look), 1U);
  EXPECT_EQ(with("4", "max_size=1", look), 0U);
}

TEST_F(OptionEffect, alert_slow_ratio) {
  const auto look = [this] {
    for (int i = 0; i < 60; ++i) {
      ask_for(2, sec(3));
      run(sec(0.6));
      give_back();
      run(sec(0.2));
      give_back();
    }
    return alerts().count("slow_requests");
  };
  EXPECT_EQ(with("0.2", "max_size=1", look), 1U);
  EXPECT_EQ(with("0", "max_size=1", look), 0U);
}

TEST_F(OptionEffect, alert_health_failure_rate) {
  const auto look = [this] {
    for (int i = 0; i < 60; ++i) {
      statements(10, 5);
      run(sec(1));
    }
    return alerts().count("health_failures");
  };
  EXPECT_EQ(with("0.2", "health_interval=1s", look), 1U);
  EXPECT_EQ(with("1", "health_interval=1s", look), 0U);
}

// -- memory

TEST_F(OptionEffect, alert_memory) {
  furnish_ = [](PoolSpec& spec) { spec.probe = std::make_shared<test::Memory>(); };
  const auto look = [this] {
    run(sec(120));
    return alerts().count("memory_pressure");
  };
  EXPECT_EQ(with("0.5", "memory_limit=1GB", look), 1U);
  EXPECT_EQ(with("0.9", "memory_limit=1GB", look), 0U);
}

TEST_F(OptionEffect, memory_limit) {
  furnish_ = [](PoolSpec& spec) { spec.probe = std::make_shared<test::Memory>(); };
  const auto look = [this] {
    ask_for(6, sec(1));
    run(sec(1));
    give_back();
    run(sec(30));
    return size() < 6;
  };
  EXPECT_TRUE(with("610MB", "", look));
  EXPECT_FALSE(with("100GB", "", look));
}

// -- the log

TEST_F(OptionEffect, log) {
  furnish_ = [&](PoolSpec& spec) {
    spec.log = [&](const LogFact& fact, LogFormat) { lines_.emplace_back(fact.event); };
  };
  const auto look = [&] {
    lines_.clear();
    server_->kill_all();
    run(sec(1));
    second(1, sec(1));
    return std::set<std::string>(lines_.begin(), lines_.end());
  };
  const auto off = with("off", "", look);
  const auto events = with("events", "", look);
  const auto debug = with("debug", "", look);
  EXPECT_EQ(off.size(), 0U);
  EXPECT_EQ(events.count("acquire"), 0U);
  EXPECT_EQ(events.count("connect"), 1U);
  EXPECT_EQ(debug.count("acquire"), 1U);
}

TEST_F(OptionEffect, log_format) {
  furnish_ = [&](PoolSpec& spec) { spec.log = [&](const LogFact&, LogFormat format) { formats_.insert(format); }; };
  const auto look = [&] {
    formats_.clear();
    second(1, sec(1));
    return formats_;
  };
  EXPECT_EQ(with("json", "log=debug", look), std::set{LogFormat::json});
  EXPECT_EQ(with("key_value", "log=debug", look), std::set{LogFormat::key_value});
}

}  // namespace
}  // namespace tide
