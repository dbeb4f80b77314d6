// A pool over the fake server, on a clock moved by the test: one thread acts as callers and keeper in turn.
#pragma once

#include <gtest/gtest.h>

#include "driver/fake/connector.hpp"
#include "pool/keeper.hpp"
#include "pool/pool.hpp"
#include "segment/attach.hpp"

namespace tide::test {

class HandClock final : public Clock {
 public:
  Instant now() const override { return now_; }
  int64_t wall_ns() const override { return now_.ns() + wall_ahead_ns_; }
  void pass(Span span) { now_ = now_ + span; }
  void set_wall_ahead(Span span) { wall_ahead_ns_ += span.ns(); }

 private:
  // In the year 2100, so that no observer, who reads the real clock, takes the pool for stale.
  int64_t wall_ahead_ns_ = 4'102'444'800'000'000'000;
  Instant now_ = Instant::at_ns(1'000'000'000);
};

class TimedPool : public testing::Test {
 protected:
  // Opens the pool and its first connections.
  void open(const Policy& policy, EventSink events = {}) {
    PoolSpec spec;
    spec.name = "timed";
    spec.target.shown = "fake";
    spec.policy = policy;
    spec.pool_key = kKey;
    spec.sources.resize(settings_catalogue().size());
    spec.events = std::move(events);
    spec.alerts = alerts;
    auto opened = Pool::open(std::move(spec), std::make_unique<fake::FakeConnector>(server_, policy), clock_);
    ASSERT_TRUE(opened.is_ok()) << opened.status().message();
    pool_ = opened.take();
    turn();
  }
  static Policy of_size(int64_t size) {
    Policy policy;
    policy.min_size = policy.max_size = size;
    policy.max_connecting = size;
    policy.scaling = false;
    return policy;
  }
  void TearDown() override {
    if (pool_ == nullptr) return;
    pool_->keeper().begin_close(clock_.now());
    for (int i = 0; i < 1000 && !pool_->keeper().is_closed(); ++i) pass(Span::millis(100));
    EXPECT_TRUE(pool_->keeper().is_closed());
  }
  // The keeper does all that is due, during the time the fake server takes for it.
  void turn() {
    for (int i = 0; i < 100; ++i) pass(Span::millis(10));
  }
  void pass(Span span) {
    clock_.pass(span);
    pool_->keeper().step();
  }
  LeaseId acquire() {
    const Visit visit(Presence::key_of_pool(kKey));
    LeaseId lease;
    EXPECT_EQ(pool_->acquire({"timed", LeaseMode::read_write, Span{}}, lease), Code::ok);
    return lease;
  }
  std::vector<LeaseId> acquire(int n) {
    std::vector<LeaseId> leases;
    for (int i = 0; i < n; ++i) leases.push_back(acquire());
    return leases;
  }
  void release(LeaseId lease) {
    const Visit visit(Presence::key_of_slot(kKey, lease.slot()));
    EXPECT_EQ(pool_->release(lease), Code::ok);
  }
  void release(const std::vector<LeaseId>& leases) {
    for (const LeaseId lease : leases) release(lease);
  }
  Status query(LeaseId lease, std::string_view sql) {
    const Visit visit(Presence::key_of_slot(kKey, lease.slot()));
    ResultTable table;
    return pool_->query(lease, {sql, {}, Instant::never()}, table);
  }
  void order(const std::string& verb, const std::string& arguments = "{}") {
    pool_->keeper().post(verb, arguments, "test");
    pool_->keeper().step();
  }

  // Read as by any observer.
  Attachment seen() { return std::move(*Attachment::from_fd(pool_->segment().fd())); }
  format::HistoryRecord last_second() {
    const auto rows = seen().read_history(1000);
    EXPECT_FALSE(rows.empty());
    return rows.empty() ? format::HistoryRecord{} : rows.back();
  }

  static constexpr uint64_t kKey = 815;
  AlertSink alerts;  // set before open()
  HandClock clock_;
  fake::FakeServer server_{7, clock_};
  std::unique_ptr<Pool> pool_;
};

}  // namespace tide::test
