// Every option that pools of any database have works as its name says (see options_support.hpp): number of connections,
// waiting, and the lifetime of a connection. Options that need a database: tests/live/test_effects.py. A test in
// tests/house checks that no option is missing.
#include "unit/pool/options_support.hpp"

namespace tide {
namespace {

using test::OptionEffect;

// -- size

TEST_F(OptionEffect, preset) {
  const auto sizes = [this](const std::string& options) {
    clean();
    open(options);
    run(sec(1));
    return std::pair(vital(pool_->segment().vitals().min_size), vital(pool_->segment().vitals().max_size));
  };
  EXPECT_EQ(sizes(""), (std::pair<int64_t, int64_t>(2, 10)));
  EXPECT_EQ(sizes("preset=serverless"), (std::pair<int64_t, int64_t>(1, 2)));
  EXPECT_EQ(sizes("preset=high_throughput"), (std::pair<int64_t, int64_t>(5, 25)));
}

TEST_F(OptionEffect, min_size) {
  const auto look = [this] { return seconds_until([this] { return size() == 4; }); };
  EXPECT_GE(with("4", "", look), 0);
  EXPECT_EQ(with("1", "", look), -1);
}

TEST_F(OptionEffect, max_size) {
  const auto look = [this] {
    ask_for(8, sec(5));
    run(sec(3));
    return leases_.size();
  };
  EXPECT_EQ(with("3", "", look), 3U);
  EXPECT_EQ(with("5", "", look), 5U);
  // 0: a connection for each lease, closed with it
  const auto kept = [this] {
    const uint64_t before = connects();
    for (int i = 0; i < 3; ++i) {
      ask(sec(5));
      run(sec(1));
      give_back();
      run(sec(1));
    }
    return std::pair(connects() - before, size());
  };
  EXPECT_EQ(with("0", "min_size=0", kept), (std::pair<uint64_t, int64_t>(3, 0)));
  EXPECT_EQ(with("1", "min_size=0", kept), (std::pair<uint64_t, int64_t>(1, 1)));
}

TEST_F(OptionEffect, min_idle) {
  const auto look = [this] {
    ask_for(2, sec(5));
    run(sec(5));
    return size() - static_cast<int64_t>(leases_.size());
  };
  EXPECT_EQ(with("0", "", look), 0);
  EXPECT_EQ(with("3", "", look), 3);
}

TEST_F(OptionEffect, grow_step) {
  const auto look = [this] {
    ask_for(2, sec(5));
    run(sec(5));
    return target();
  };
  const std::string options = "min_size=2 scaling=on sizing=threshold scale_up_periods=1 scale_up_cooldown=1h";
  EXPECT_EQ(with("1", options, look), 3);
  EXPECT_EQ(with("4", options, look), 6);
}

TEST_F(OptionEffect, max_connecting) {
  const auto look = [this] {
    fake::Latencies slow;
    slow.open = {sec(1), Span()};
    server_->set_latencies(slow);
    const uint64_t before = server_->opens_total();
    ask_for(8, sec(5));
    run(sec(0.5));
    return server_->opens_total() - before;
  };
  EXPECT_EQ(with("2", "", look), 2U);
  EXPECT_EQ(with("5", "", look), 5U);
}

TEST_F(OptionEffect, burst) {
  const auto look = [this] {
    ask_for(6, sec(8));
    run(sec(6));
    return leases_.size();
  };
  EXPECT_EQ(with("on", "max_size=2 burst_max_size=5", look), 5U);
  EXPECT_EQ(with("off", "max_size=2 burst_max_size=5", look), 2U);
}

TEST_F(OptionEffect, burst_max_size) {
  const auto look = [this] {
    order("burst");
    ask_for(6, sec(8));
    run(sec(6));
    return leases_.size();
  };
  EXPECT_EQ(with("3", "max_size=2 burst=on", look), 3U);
  EXPECT_EQ(with("0", "max_size=2 burst=on", look), 4U);
}

TEST_F(OptionEffect, burst_duration) {
  const auto look = [this] {
    order("burst");
    return seconds_until([this] { return happened(EventKind::burst_off); });
  };
  EXPECT_EQ(with("7s", "burst=on", look), 7);
  EXPECT_EQ(with("90s", "burst=on", look), 90);
}

// -- waiting

TEST_F(OptionEffect, acquire_timeout) {
  const auto look = [this] {
    ask_for(1);
    ask(Span::nanos(-1));
    return seconds_until([this] { return refused_ == 1; });
  };
  EXPECT_EQ(with("3s", "max_size=1", look), 3);
  EXPECT_EQ(with("20s", "max_size=1", look), 20);
}

TEST_F(OptionEffect, max_waiting) {
  const auto look = [this] {
    ask_for(6, sec(60));
    return seen().read_queue()->waiting;
  };
  EXPECT_EQ(with("2", "max_size=1", look), 2U);
  EXPECT_EQ(with("0", "max_size=1", look), 5U);
}

// Of five connections: what requests that are not critical get.
TEST_F(OptionEffect, reserve_size) {
  const auto look = [this] {
    ask_for(6, sec(60));
    run(sec(5));
    return leases_.size();
  };
  EXPECT_EQ(with("2", "max_size=5", look), 3U);
  EXPECT_EQ(with("0", "max_size=5", look), 5U);
}

TEST_F(OptionEffect, connect_timeout) {
  const auto look = [this] {
    server_->set_silent(true);
    ask_for(2, sec(60));
    return seconds_until([this] { return connect_failures() == 1; });
  };
  EXPECT_EQ(with("2s", "", look), 2);
  EXPECT_EQ(with("9s", "", look), 9);
}

// A thread that comes while another waits may be served before it, until the other has waited for the window.
TEST_F(OptionEffect, fairness_window) {
  const auto is_overtaken = [this] {
    ask_for(1);
    std::thread other([this] {
      const Visit visit(Presence::key_of_pool(kKey));
      LeaseId lease;
      if (pool_->acquire({"other", LeaseMode::read_write, sec(60)}, lease) == Code::ok) (void)pool_->release(lease);
    });
    while (seen().read_queue()->waiting == 0) std::this_thread::yield();
    for (int i = 0; i < 50; ++i) std::this_thread::yield();  // it checks the queue before it sleeps
    give_back();
    const Visit visit(Presence::key_of_pool(kKey));
    const LeaseId taken = pool_->acquire_idle("test", LeaseMode::read_write);
    const bool was_first = taken.bits != 0 && seen().read_queue()->waiting == 1;
    if (taken.bits != 0) (void)pool_->release(taken);
    other.join();
    return was_first;
  };
  // Waking up takes some time, at least occasionally.
  const auto look = [&] {
    for (int i = 0; i < 300; ++i) {
      if (is_overtaken()) return true;
    }
    return false;
  };
  EXPECT_TRUE(with("1min", "max_size=1 max_lifetime=0", look));
  EXPECT_FALSE(with("0", "max_size=1 max_lifetime=0", look));
}

// -- lifetime of a connection

TEST_F(OptionEffect, idle_timeout) {
  const auto look = [this] {
    ask_for(4, sec(1));
    run(sec(1));
    give_back();
    return seconds_until([this] { return size() == 1; });
  };
  EXPECT_NEAR(static_cast<double>(with("5s", "", look)), 5, 1);
  EXPECT_NEAR(static_cast<double>(with("50s", "", look)), 50, 1);
}

TEST_F(OptionEffect, max_lifetime) {
  const auto look = [this] { return (living().at(0).expires_mono - living().at(0).born_mono) / 1'000'000'000; };
  EXPECT_EQ(with("60s", "", look), 60);
  EXPECT_EQ(with("10min", "", look), 600);
}

TEST_F(OptionEffect, lifetime_jitter) {
  const auto look = [this] {
    std::set<int64_t> lifetimes;
    for (const SlotCopy& slot : living()) lifetimes.insert(slot.expires_mono - slot.born_mono);
    return lifetimes.size();
  };
  EXPECT_EQ(with("0", "min_size=6 max_lifetime=10min", look), 1U);
  EXPECT_EQ(with("0.5", "min_size=6 max_lifetime=10min", look), 6U);
}

TEST_F(OptionEffect, max_uses) {
  const auto look = [this] {
    for (int i = 0; i < 30; ++i) {
      ask(sec(1));
      run(sec(0.1));
      give_back();
      run(sec(0.1));
    }
    return closed_for_uses();
  };
  EXPECT_EQ(with("0", "max_size=1", look), 0U);
  EXPECT_EQ(with("10", "max_size=1", look), 3U);
}

TEST_F(OptionEffect, validation_bypass) {
  const auto look = [this] {
    run(sec(1));
    const uint64_t before = server_->distrusts_total();
    statements(1);
    return server_->distrusts_total() - before;
  };
  EXPECT_EQ(with("300ms", "", look), 1U);
  EXPECT_EQ(with("30s", "", look), 0U);
}

TEST_F(OptionEffect, validation_interval) {
  const auto look = [this] {
    const uint64_t before = validations();
    run(sec(101));
    return validations() - before;
  };
  EXPECT_EQ(with("0", "", look), 0U);
  EXPECT_NEAR(static_cast<double>(with("10s", "", [&] { return look() / 5; })), 2, 0);
}

TEST_F(OptionEffect, validation_timeout) {
  const auto look = [this] {
    run(sec(5));
    server_->make_all_half_open();
    const uint64_t before = validations();
    (void)seconds_until([&] { return validations() > before; });  // counted when it begins
    return seconds_until([this] { return validation_failures() > 0; });
  };
  EXPECT_EQ(with("3s", "validation_interval=5s", look), 3);
  EXPECT_EQ(with("20s", "validation_interval=5s", look), 20);
}

TEST_F(OptionEffect, max_validation_failures) {
  const auto look = [this] {
    const uint64_t before = connects();
    server_->make_half_open(server_->pids().front());
    run(sec(12));
    return connects() - before;
  };
  EXPECT_EQ(with("1", "min_size=4 validation_interval=5s", look), 4U);
  EXPECT_EQ(with("3", "min_size=4 validation_interval=5s", look), 1U);
}

TEST_F(OptionEffect, retry_base) {
  const auto look = [this] {
    server_->go_down();
    const uint64_t before = server_->opens_total();
    run(sec(2));
    return server_->opens_total() - before > 4;
  };
  EXPECT_TRUE(with("20ms", "breaker=off", look));
  EXPECT_FALSE(with("8s", "breaker=off", look));
}

TEST_F(OptionEffect, retry_max) {
  const auto look = [this] {
    server_->go_down();
    const uint64_t before = server_->opens_total();
    run(sec(120));
    return server_->opens_total() - before > 60;
  };
  EXPECT_TRUE(with("1s", "breaker=off", look));
  EXPECT_FALSE(with("30s", "breaker=off", look));
}

// -- duration of a lease

TEST_F(OptionEffect, lease_timeout) {
  const auto look = [this] {
    ask(Span());
    return seconds_until([this] { return happened(EventKind::lease_overdue); });
  };
  EXPECT_EQ(with("3s", "", look), 3);
  EXPECT_EQ(with("0", "", look), -1);
}

TEST_F(OptionEffect, lease_timeout_action) {
  const auto look = [this] {
    ask(Span());
    run(sec(10));
    return happened(EventKind::lease_revoked);
  };
  EXPECT_FALSE(with("report", "lease_timeout=2s", look));
  EXPECT_FALSE(with("cancel", "lease_timeout=2s", look));
  EXPECT_TRUE(with("reclaim", "lease_timeout=2s", look));
  const auto cancelled = [this] {
    ask(Span());
    run(sec(10));
    return read(pool_->segment().totals().leases_cancelled_total);
  };
  EXPECT_EQ(with("report", "lease_timeout=2s", cancelled), 0U);
  EXPECT_EQ(with("cancel", "lease_timeout=2s", cancelled), 1U);
}

TEST_F(OptionEffect, leak_threshold) {
  const auto look = [this] {
    ask(Span());
    return seconds_until([this] { return happened(EventKind::leak_suspected); });
  };
  EXPECT_EQ(with("5s", "", look), 5);
  EXPECT_EQ(with("0", "", look), -1);
}

// -- duration of a statement

TEST_F(OptionEffect, query_timeout) {
  const auto look = [this] {
    ask(sec(1));
    server_->make_all_half_open();
    const Instant began = clock_.now();
    EXPECT_EQ(query("one").code, Code::timeout);
    return std::llround((clock_.now() - began).seconds_exact());
  };
  EXPECT_EQ(with("4s", "statement_timeout=0", look), 4);
  EXPECT_EQ(with("11s", "statement_timeout=0", look), 11);
}

// -- start

TEST_F(OptionEffect, init_mode) {
  const auto look = [this] { return size(); };
  EXPECT_EQ(with("lazy", "min_size=3", look), 0);
  EXPECT_EQ(with("eager", "min_size=3", look), 3);
}

}  // namespace
}  // namespace tide
