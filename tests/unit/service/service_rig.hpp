// A service on a pool over the fake database in virtual time: time passes in pauses only, and the keeper works then.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "driver/fake/connector.hpp"
#include "policy/settings.hpp"
#include "pool/keeper.hpp"
#include "pool/pool.hpp"
#include "service/service.hpp"
#include "unit/driver/support.hpp"

namespace tide::test {

using fake::Fault;

class ServiceRig : public ::testing::Test {
 protected:
  static constexpr int kSize = 4;

  void SetUp() override { open(policy()); }
  void TearDown() override { close(); }

  static Policy policy() {
    Policy policy;
    policy.min_size = policy.max_size = policy.max_connecting = kSize;
    policy.scaling = false;
    policy.breaker = false;
    policy.acquire_timeout = Span();  // nobody else runs: waiting would last for ever
    policy.retry_base = Span::millis(10);
    policy.retry_max = Span::millis(80);
    return policy;
  }
  void open(const Policy& policy) {
    close();
    PoolSpec spec;
    spec.name = "test";
    spec.target.shown = "fake";
    spec.target.backend = Backend::custom;
    spec.policy = policy;
    spec.pool_key = kKey;
    spec.sources.resize(settings_catalogue().size());
    auto opened = Pool::open(std::move(spec), std::make_unique<fake::FakeConnector>(server_, policy), clock_);
    ASSERT_TRUE(opened.is_ok()) << opened.status().message();
    pool_ = opened.take();
    pass(Span::seconds(1));
    service_ = std::make_unique<Service>(*pool_, ServiceNeeds{[this](Span span) {
                                                                pauses_.push_back(span);
                                                                if (on_pause_) on_pause_();
                                                                pass(span);
                                                              },
                                                              7});
  }
  void close() {
    service_.reset();
    if (pool_ == nullptr) return;
    server_.set_faults({});
    pool_->keeper().begin_close(clock_.now());
    for (int i = 0; i < 1000 && !pool_->keeper().is_closed(); ++i) pass(Span::millis(100));
    EXPECT_TRUE(pool_->keeper().is_closed());
    pool_.reset();
  }
  // The keeper does what becomes due meanwhile.
  void pass(Span span) {
    const Instant end = clock_.now() + span;
    pool_->keeper().step();
    while (clock_.now() < end) {
      clock_.advance(std::min(Span::millis(5), end - clock_.now()));
      pool_->keeper().step();
    }
  }
  // Lost sessions are replaced.
  void settle() { pass(Span::millis(300)); }

  // The n-th statement with this text, from 1, and `more` after it, meet the fault.
  void fault_at(std::string text, Fault fault, int nth = 1, int more = 0) {
    auto seen = std::make_shared<int>(0);
    server_.set_faults([=, text = std::move(text)](std::string_view sql) {
      if (sql != text) return Fault::none;
      ++*seen;
      return *seen >= nth && *seen <= nth + more ? fault : Fault::none;
    });
  }

  static Call call(std::string_view sql, Call::Kind kind = Call::Kind::query) {
    Call call;
    call.sql = sql;
    call.kind = kind;
    return call;
  }
  Status run(std::string_view sql, const CallTerms& terms = {}) { return service_->run(call(sql), terms, table_); }
  Status run_in(TransactionId id, std::string_view sql) {
    return service_->run_in(id, call(sql), Span::nanos(-1), table_);
  }
  TransactionId begun(const TransactionTerms& terms = {}) {
    TransactionId id = 0;
    EXPECT_OK(service_->begin(terms, id));
    return id;
  }
  // What is committed; "" if there is no such key.
  std::string stored(const std::string& key) {
    const fake::StoreValues values = server_.store();
    const auto found = values.find(key);
    return found == values.end() ? "" : found->second;
  }
  LeaseId leased() {
    const Visit visit(Presence::key_of_pool(kKey));
    LeaseId lease;
    EXPECT_EQ(pool_->acquire({"test", LeaseMode::read_write, Span()}, lease), Code::ok);
    return lease;
  }
  void release(LeaseId lease) {
    const Visit visit(Presence::key_of_slot(kKey, lease.slot()));
    (void)pool_->release(lease);
  }
  // No lease is held, and no session is in a transaction: all of them can be leased.
  void expect_all_free() {
    settle();
    std::vector<LeaseId> leases;
    for (int i = 0; i < kSize; ++i) leases.push_back(leased());
    for (const LeaseId lease : leases) release(lease);
  }

  static constexpr uint64_t kKey = 1414;
  ManualClock clock_;
  fake::FakeServer server_{7, clock_};
  std::unique_ptr<Pool> pool_;
  std::unique_ptr<Service> service_;
  ResultTable table_;
  std::vector<Span> pauses_;
  std::function<void()> on_pause_;
};

}  // namespace tide::test
