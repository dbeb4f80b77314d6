// A whole pool over the fake server, driven by its own thread; callers visit it as the C API does.
#pragma once

#include <string>

#include "driver/fake/connector.hpp"
#include "pool/pool.hpp"
#include "pool/thread_keeper.hpp"
#include "race/storm.hpp"

namespace tide::race {

inline Policy storm_policy() {
  Policy policy;
  policy.min_size = 1;
  policy.max_size = 3;
  policy.acquire_timeout = Span::seconds(40);
  return policy;
}

class PoolRig {
 public:
  explicit PoolRig(const Policy& policy) : server_(11, SystemClock::instance()) {
    fake::Latencies latencies;
    latencies.open = latencies.close = {Span::micros(200), Span::micros(200)};
    latencies.validate = latencies.reset = {Span::micros(50), Span::micros(50)};
    server_.set_latencies(latencies);
    static std::atomic<uint64_t> keys{1000};
    PoolSpec spec;
    spec.name = "storm";
    spec.target.shown = "fake";
    spec.policy = policy;
    spec.pool_key = keys++;
    spec.sources.resize(settings_catalogue().size());
    auto opened =
        Pool::open(std::move(spec), std::make_unique<fake::FakeConnector>(server_, policy), SystemClock::instance());
    if (opened) pool_ = opened.take();
    if (pool_ != nullptr) keeper_ = std::make_unique<ThreadKeeper>(pool_->keeper());
  }

  Code acquire(LeaseId& lease, Span timeout = Span::nanos(-1), const char* tag = "storm") {
    const Visit visit(Presence::key_of_pool(pool_->key()));
    return pool_->acquire({tag, LeaseMode::read_write, timeout}, lease);
  }
  Code release(LeaseId lease) {
    const Visit visit(Presence::key_of_slot(pool_->key(), lease.slot()));
    return pool_->release(lease);
  }
  Code query(LeaseId lease, std::string_view sql) {
    const Visit visit(Presence::key_of_slot(pool_->key(), lease.slot()));
    ResultTable table;
    return pool_->query(lease, {sql, {}, Instant::never()}, table).code;
  }
  void order(const std::string& verb, const std::string& arguments = "{}") {
    pool_->keeper().post(verb, arguments, "storm");
  }
  void close(Span timeout = Span::seconds(20)) { keeper_->close(now() + timeout); }

  // Sums over the segment, used after the pool is closed.
  uint64_t acquires() {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < segment().capacity(); ++i) sum += read(segment().slots()[i].acquires_total);
    return sum;
  }
  uint64_t releases() {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < segment().capacity(); ++i) sum += read(segment().slot_stats()[i].releases_total);
    return sum;
  }
  uint64_t reclaimed() { return read(segment().totals().leases_reclaimed_total); }
  uint64_t closed() {
    const format::KeeperStats& k = segment().totals();
    return read(k.closed_idle_total) + read(k.closed_lifetime_total) + read(k.closed_uses_total) +
           read(k.closed_error_total) + read(k.closed_scale_total) + read(k.closed_control_total) +
           read(k.closed_shutdown_total);
  }
  void expect_all_gone() {
    EXPECT_TRUE(pool_->keeper().is_closed());
    for (uint32_t i = 0; i < segment().capacity(); ++i) {
      EXPECT_EQ(SlotWord(read(segment().slots()[i].word)).state(), SlotState::empty) << "slot " << i;
    }
    EXPECT_EQ(read(segment().totals().connects_total), closed()) << "I5";
    EXPECT_EQ(server_.sessions_now(), 0U);
  }

  Segment& segment() { return pool_->segment(); }
  Pool& pool() { return *pool_; }
  fake::FakeServer& server() { return server_; }

 private:
  fake::FakeServer server_;
  std::unique_ptr<Pool> pool_;
  std::unique_ptr<ThreadKeeper> keeper_;
};

}  // namespace tide::race
