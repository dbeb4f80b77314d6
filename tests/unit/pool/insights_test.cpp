// Insights about real pools in virtual time, as an observer reads them: what the figures say after minutes of load, and
// that an ordinary load gives no reason to change anything.
#include "reading/insights/insight.hpp"

#include <queue>
#include <random>

#include "reading/insights/host_pools.hpp"
#include "unit/driver/support.hpp"
#include "unit/pool/timed_pool.hpp"

namespace tide {
namespace {

// Requests of one kind: independent of each other, and held for random times.
struct Load {
  const char* tag = "";
  double per_second = 0;
  Span held;  // on average
  Span at_least = {};
};

class PoolInsightsTest : public test::TimedPool {
 protected:
  std::vector<Insight> insights() {
    pool_->keeper().step();
    HostPools nobody_else("/nonexistent");
    return insights_of(seen(), nobody_else, clock_.wall_ns());
  }
  std::string findings() {
    std::string out;
    for (const Insight& each : insights()) out += each.finding + " (" + each.evidence + ")\n";
    return out;
  }
  void expect_only(std::string_view subject, std::string_view words, std::string_view option, std::string_view value) {
    const std::vector<Insight> found = insights();
    ASSERT_EQ(found.size(), 1U) << findings();
    EXPECT_EQ(found[0].subject, subject);
    EXPECT_NE(found[0].finding.find(words), std::string::npos) << found[0].finding;
    EXPECT_EQ(found[0].option_name, option) << findings();
    EXPECT_EQ(found[0].option_value, value) << findings();
  }

  LeaseId take(const char* tag) {
    const Visit visit(Presence::key_of_pool(kKey));
    LeaseId lease;
    EXPECT_EQ(pool_->acquire({tag, LeaseMode::read_write, Span{}}, lease), Code::ok);
    return lease;
  }

  // Runs the loads; every lease executes a statement.
  void run(const std::vector<Load>& loads, Span span, uint64_t seed = 1) {
    random_.seed(seed);
    const Instant end = clock_.now() + span;
    for (const Load& load : loads) arrive(load, end);
    while (clock_.now() < end || !agenda_.empty()) {
      const Span next_step = std::max(pool_->keeper().step(), Span::micros(100));  // may grant a lease, which ends soon
      const Instant next = agenda_.empty() ? end : agenda_.top().at;
      if (next > clock_.now()) clock_.pass(std::min(next_step, next - clock_.now()));
      while (!agenda_.empty() && agenda_.top().at <= clock_.now()) {
        const auto what = agenda_.top().what;
        agenda_.pop();
        what();
      }
    }
    pool_->keeper().step();
  }
  void idle(Span span) { run({}, span); }

 private:
  struct Due {
    Instant at;
    uint64_t number;
    std::function<void()> what;
    bool operator<(const Due& other) const { return at > other.at || (at == other.at && number > other.number); }
  };

  void at(Instant when, std::function<void()> what) { agenda_.push({when, next_++, std::move(what)}); }
  Span draw(Span mean) { return mean.scaled(std::exponential_distribution<>(1)(random_)); }
  void arrive(const Load& load, Instant end) {
    const Instant when = clock_.now() + draw(Span::seconds(1).scaled(1 / load.per_second));
    if (when >= end) return;
    at(when, [this, load, end] {
      request(load);
      arrive(load, end);
    });
  }
  void request(const Load& load) {
    const auto granted = [this, load](Code code, LeaseId lease, const Status&) {
      if (code == Code::ok) at(clock_.now() + load.at_least + draw(load.held), [this, lease] { finish(lease); });
    };
    const Visit visit(Presence::key_of_pool(kKey));
    EXPECT_EQ(pool_->acquire_async({load.tag, LeaseMode::read_write, Span::seconds(10)}, granted), Code::ok);
  }
  void finish(LeaseId lease) {
    EXPECT_OK(query(lease, "rows 1"));
    release(lease);
  }

  std::mt19937_64 random_;
  std::priority_queue<Due> agenda_;
  uint64_t next_ = 0;
};

TEST_F(PoolInsightsTest, NoneUnderOrdinaryLoads) {
  struct Ordinary {
    int64_t max_size;
    std::vector<Load> loads;
  };
  const Ordinary kinds[] = {
      {10, {{"cart", 20, Span::millis(30)}, {"search", 5, Span::millis(100)}}},
      {20, {{"api", 40, Span::millis(100)}, {"", 5, Span::millis(80)}}},
      {10, {{"nightly", 0.2, Span::seconds(2)}}},
      {4, {{"worker", 5, Span::millis(100)}, {"report", 0.05, Span::seconds(3)}}},
  };
  for (const Ordinary& kind : kinds) {
    for (const uint64_t seed : {1, 2}) {
      SCOPED_TRACE(std::string(kind.loads[0].tag) + ", seed " + std::to_string(seed));
      Policy policy;
      policy.max_size = kind.max_size;
      open(policy);
      for (int part = 0; part < 3; ++part) {
        run(kind.loads, Span::seconds(4 * 60), seed);
        EXPECT_EQ(findings(), "");
      }
      TearDown();
      pool_.reset();
    }
  }
}

TEST_F(PoolInsightsTest, TooSmall) {
  const std::vector<Load> load = {{"cart", 12, Span::millis(150)}};  // 1.8 connections on average
  open(of_size(2));
  run(load, Span::seconds(12 * 60));
  const std::vector<Insight> found = insights();
  ASSERT_EQ(found.size(), 1U) << findings();
  EXPECT_NE(found[0].finding.find("too small"), std::string::npos) << found[0].finding;
  EXPECT_EQ(found[0].option_name, "max_size");
  EXPECT_LE(std::stoi(found[0].option_value), 8) << "four times the load would be a waste";
  for (const char* option : {"max_size", "min_size"})
    order("set", "{\"option\":\"" + std::string(option) + "\",\"value\":\"" + found[0].option_value + "\"}");
  run(load, Span::seconds(61 * 60));
  EXPECT_EQ(findings(), "") << "what was recommended is enough: " << found[0].option_value;
}

TEST_F(PoolInsightsTest, LeakSuspect) {
  open(of_size(4));
  const LeaseId lost = take("import");
  idle(Span::seconds(25));
  EXPECT_EQ(findings(), "") << "a statement may take 30 s";
  idle(Span::seconds(10));
  expect_only("leases", "\"import\"", "lease_timeout_action", "reclaim");
  release(lost);
  idle(Span::seconds(2));
  EXPECT_EQ(findings(), "");
}

TEST_F(PoolInsightsTest, IdleInTransaction) {
  Policy policy = of_size(4);
  policy.leak_threshold = Span::seconds(300);
  open(policy);
  const LeaseId lease = take("checkout");
  EXPECT_OK(query(lease, "begin"));
  idle(Span::seconds(25));
  EXPECT_OK(query(lease, "rows 1"));
  idle(Span::seconds(25));
  EXPECT_EQ(findings(), "") << "it has executed statements";
  idle(Span::seconds(10));
  expect_only("transactions", "\"checkout\"", "idle_in_transaction_timeout", "30s");
  EXPECT_OK(query(lease, "rollback"));
  EXPECT_EQ(findings(), "");
  release(lease);
}

TEST_F(PoolInsightsTest, RepeatedStatements) {
  open(of_size(1));
  const auto lease_with_calls = [&](int calls) {
    const LeaseId lease = take("orders");
    for (int i = 0; i < calls; ++i) EXPECT_OK(query(lease, "rows " + std::to_string(i % 9)));
    release(lease);
    idle(Span::seconds(1));
  };
  for (int i = 0; i < 20; ++i) lease_with_calls(99);
  lease_with_calls(150);
  lease_with_calls(150);
  EXPECT_EQ(findings(), "");
  lease_with_calls(150);
  expect_only("statements", "rows ?", "", "");
}

TEST_F(PoolInsightsTest, StarvingTag) {
  Policy policy = of_size(5);
  policy.lease_timeout = policy.leak_threshold = {};
  open(policy);
  const std::vector<Load> cart = {{"cart", 10, Span::millis(20)}}, report = {{"report", 2, Span::seconds(2)}};
  run({cart[0]}, Span::seconds(180));
  EXPECT_EQ(findings(), "");
  run({cart[0], report[0]}, Span::seconds(180));
  expect_only("tags", "\"report\"", "reserve_size", "1");
}

TEST_F(PoolInsightsTest, ConnectsDominate) {
  Policy policy;
  policy.min_size = 0;
  policy.scaling = false;
  const std::vector<Load> load = {{"cron", 0.5, Span::millis(1)}};
  for (const bool is_short : {true, false}) {
    policy.idle_timeout = is_short ? Span::millis(200) : Span::seconds(600);
    open(policy);
    run(load, Span::seconds(15 * 60));
    if (is_short) {
      expect_only("connections", "opening connections", "idle_timeout", "10min");
    } else {
      EXPECT_EQ(findings(), "");
    }
    TearDown();
    pool_.reset();
  }
}

TEST_F(PoolInsightsTest, LifetimeTooShort) {
  for (const int64_t seconds : {30, 300}) {
    Policy policy = of_size(4);
    policy.max_lifetime = Span::seconds(seconds);
    open(policy);
    run({{"cart", 5, Span::millis(20)}}, Span::seconds(15 * 60));
    if (seconds == 30) {
      expect_only("connections", "max_lifetime 30s", "max_lifetime", "30min");
    } else {
      EXPECT_EQ(findings(), "");
    }
    TearDown();
    pool_.reset();
  }
}

TEST_F(PoolInsightsTest, NoneOfClosedPool) {
  open(of_size(4));
  const LeaseId lost = take("import");
  idle(Span::seconds(45));
  EXPECT_NE(findings(), "");
  release(lost);
  Attachment segment = seen();
  TearDown();
  HostPools nobody_else("/nonexistent");
  EXPECT_TRUE(insights_of(segment, nobody_else, clock_.wall_ns()).empty());
}

}  // namespace
}  // namespace tide
