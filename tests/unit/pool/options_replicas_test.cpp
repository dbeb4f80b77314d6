// The effect of the options of replicas: on a group whose probes say what the test wants.
#include "policy/replica_targets.hpp"
#include "service/replicas.hpp"
#include "unit/pool/options_support.hpp"

namespace tide::test {
namespace {

// A server of which only role and position are known.
class ToldProbe final : public TargetProbe {
 public:
  ToldProbe(bool is_standby, std::shared_ptr<std::atomic<uint64_t>> position)
      : is_standby_(is_standby), position_(std::move(position)) {}
  Status ask(Span, TargetReport& out) override {
    out.is_in_recovery = is_standby_;
    out.position = out.end = position_->load();
    return Status::ok();
  }
  void end() noexcept override {}
  bool hold_for_fork(Span) noexcept override { return true; }
  void release_after_fork() noexcept override {}
  void abandon() noexcept override {}

 private:
  const bool is_standby_;
  const std::shared_ptr<std::atomic<uint64_t>> position_;
};

class Group {
 public:
  Group(Pool& primary, Pool& replica) {
    std::vector<Replicas::Member> members;
    members.push_back({&primary, 1, std::make_unique<ToldProbe>(false, written_)});
    members.push_back({&replica, 2, std::make_unique<ToldProbe>(true, replayed_)});
    replicas_.emplace(std::move(members));
    replica_ = &replica;
    await([&](const format::TargetVitals& seen) {
      return read(seen.checked_mono) != 0 && read(primary.segment().routing().checked_mono) != 0;
    });
  }
  // The replica does not replay what is written from now on.
  void write() { written_->fetch_add(100); }
  template <typename Condition>
  bool await(Condition condition) {
    for (int i = 0; i < 2000; ++i) {
      if (condition(replica_->segment().routing())) return true;
      pause_for(Span::millis(1));
    }
    return false;
  }
  bool awaits_lag() {
    return await([](const format::TargetVitals& seen) { return static_cast<int64_t>(read(seen.lag_ns)) > 0; });
  }
  // Where a read goes.
  std::string where() {
    OwnLease lease(*replica_);
    if (Status status = replicas_->acquire(lease, {"test", LeaseMode::read, Span()}); !status) return status.message();
    return &lease.pool() == replica_ ? "replica" : "primary";
  }

 private:
  std::shared_ptr<std::atomic<uint64_t>> written_ = std::make_shared<std::atomic<uint64_t>>(100);
  std::shared_ptr<std::atomic<uint64_t>> replayed_ = std::make_shared<std::atomic<uint64_t>>(100);
  std::optional<Replicas> replicas_;
  Pool* replica_ = nullptr;
};

// A second pool over the same server of the test.
std::unique_ptr<Pool> pool_of_replica(fake::FakeServer& server, const Clock& clock, const Policy& policy) {
  PoolSpec spec;
  spec.name = "test.replica1";
  spec.target.shown = "fake";
  spec.target.backend = Backend::custom;
  spec.policy = policy;
  spec.pool_key = 4714;
  spec.role = TargetRole::replica;
  spec.group = "test";
  spec.sources.resize(settings_catalogue().size());
  return Pool::open(std::move(spec), std::make_unique<fake::FakeConnector>(server, policy), clock).take();
}

void settle(Pool& pool, ManualClock& clock) {
  for (int i = 0; i < 100; ++i) clock.advance(std::max(pool.keeper().step(), Span::millis(1)));
}

void close_replica(Pool& pool, ManualClock& clock) {
  pool.keeper().begin_close(clock.now());
  while (!pool.keeper().is_closed()) clock.advance(std::max(pool.keeper().step(), Span::millis(1)));
}

TEST_F(OptionEffect, max_replica_lag) {
  // Where a read goes if the replica is 200 ms behind.
  const auto look = [&] {
    const auto replica = pool_of_replica(*server_, clock_, pool_->keeper().policy());
    settle(*replica, clock_);
    std::string where;
    {
      Group group(*pool_, *replica);
      group.write();
      clock_.advance(Span::millis(200));
      EXPECT_TRUE(group.awaits_lag());
      where = group.where();
    }
    close_replica(*replica, clock_);
    return where;
  };
  EXPECT_EQ(with("100ms", "", look), "primary");
  EXPECT_EQ(with("300ms", "", look), "replica");
}

TEST_F(OptionEffect, read_your_writes) {
  // Where a read goes if the replica has not replayed what was written before it.
  const auto look = [&] {
    const auto replica = pool_of_replica(*server_, clock_, pool_->keeper().policy());
    settle(*replica, clock_);
    std::string where;
    {
      Group group(*pool_, *replica);
      EXPECT_TRUE(group.await([](const format::TargetVitals& seen) { return read(seen.is_serving) == 1; }));
      ask(Span());  // a lease that may have written
      give_back();
      group.write();
      where = group.where();
    }
    close_replica(*replica, clock_);
    return where;
  };
  EXPECT_EQ(with("on", "max_replica_lag=0", look), "primary");
  EXPECT_EQ(with("off", "max_replica_lag=0", look), "replica");
}

TEST_F(OptionEffect, replica_url) {
  const auto look = [&] { return parse_replicas(pool_->keeper().policy().replica_url)->size(); };
  EXPECT_EQ(with("", "", look), 0U);
  EXPECT_EQ(with("postgresql://a/db,postgresql://b/db", "", look), 2U);
}

}  // namespace
}  // namespace tide::test
