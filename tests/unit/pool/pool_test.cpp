// A whole pool with its keeper driven by hand, on a database in memory.
#include <gtest/gtest.h>

#include "driver/sqlite/connector.hpp"
#include "pool/keeper.hpp"
#include "pool/pool.hpp"

namespace tide {
namespace {

class PoolTest : public testing::Test {
 protected:
  void open(const std::string& options) {
    auto parsed = parse_options("sqlite::memory:", options, {}, [](const char*) -> const char* { return nullptr; });
    ASSERT_TRUE(parsed.is_ok()) << parsed.status().message();
    PoolSpec spec;
    spec.name = "test";
    spec.target = parsed->target;
    spec.policy = parsed->policy;
    spec.sources = parsed->sources;
    spec.pool_key = kKey;
    spec.events.mask = ~0U;
    spec.events.call = [this](PoolEvent event, uint64_t conn_id, uint64_t, const char*) {
      ++events_[static_cast<size_t>(event)];
      if (event != PoolEvent::error && event != PoolEvent::alert) EXPECT_NE(conn_id, 0U);
    };
    auto opened =
        Pool::open(std::move(spec), make_sqlite_connector(":memory:", parsed->policy, SystemClock::instance()),
                   SystemClock::instance());
    ASSERT_TRUE(opened.is_ok()) << opened.status().message();
    pool_ = opened.take();
    pool_->keeper().step();
  }
  void TearDown() override {
    if (pool_ == nullptr) return;
    pool_->keeper().begin_close(pool_->clock().now());
    while (!pool_->keeper().is_closed()) pool_->keeper().step();
  }
  LeaseId acquire(const char* tag = "test", LeaseMode mode = LeaseMode::read_write) {
    const Visit visit(Presence::key_of_pool(kKey));
    LeaseId lease;
    EXPECT_EQ(pool_->acquire({tag, mode, Span{}}, lease), Code::ok);
    return lease;
  }
  Code release(LeaseId lease) {
    const Visit visit(Presence::key_of_slot(kKey, lease.slot()));
    return pool_->release(lease);
  }
  Status query(LeaseId lease, std::string_view sql) {
    const Visit visit(Presence::key_of_slot(kKey, lease.slot()));
    ResultTable table;
    QueryRequest request;
    request.sql = sql;
    return pool_->query(lease, request, table);
  }

  static constexpr uint64_t kKey = 4711;
  std::unique_ptr<Pool> pool_;
  int events_[8] = {};
};

TEST_F(PoolTest, AcquireAndRelease) {
  open("min_size=2 max_size=2");
  const LeaseId lease = acquire();
  EXPECT_TRUE(query(lease, "select 1").is_ok());
  EXPECT_EQ(release(lease), Code::ok);
  EXPECT_EQ(release(lease), Code::stale_lease) << "I3";
  EXPECT_EQ(query(lease, "select 1").code, Code::stale_lease);
  EXPECT_EQ(pool_->native(lease), nullptr);
  EXPECT_EQ(events_[static_cast<size_t>(PoolEvent::connect)], 2);
  EXPECT_EQ(events_[static_cast<size_t>(PoolEvent::acquire)], 1);
  EXPECT_EQ(events_[static_cast<size_t>(PoolEvent::release)], 1);
}

TEST_F(PoolTest, RefusalNamesLeaseHolders) {
  open("min_size=2 max_size=2");
  const LeaseId first = acquire("nightly report");
  const LeaseId second = acquire("checkout");
  LeaseId none;
  EXPECT_EQ(pool_->acquire({"late", LeaseMode::read_write, Span{}}, none), Code::timeout);
  const Status why = pool_->explain(Code::timeout, Span::millis(20));
  EXPECT_NE(why.message().find("pool \"test\""), std::string::npos) << why.message();
  EXPECT_NE(why.message().find("size 2 of 2 (max_size 2), 2 in use, 0 waiting"), std::string::npos) << why.message();
  EXPECT_NE(why.detail().find("\"nightly report\" for "), std::string::npos) << why.detail();
  EXPECT_NE(why.detail().find("\"checkout\" for "), std::string::npos) << why.detail();
  EXPECT_TRUE(why.is_retryable);
  EXPECT_EQ(release(first), Code::ok);
  EXPECT_EQ(release(second), Code::ok);
}

TEST_F(PoolTest, OpenTransactionIsRolledBackOnRelease) {
  open("min_size=1 max_size=1");
  LeaseId lease = acquire();
  ASSERT_TRUE(query(lease, "create table t(a)").is_ok());
  ASSERT_TRUE(query(lease, "begin; insert into t values (1)").is_ok());
  EXPECT_EQ(release(lease), Code::ok);
  pool_->keeper().step();
  lease = acquire();
  EXPECT_TRUE(query(lease, "begin; rollback").is_ok()) << "no transaction is open";
  EXPECT_EQ(release(lease), Code::ok);
}

TEST_F(PoolTest, ReadLeaseCannotWriteAndIsResetOnRelease) {
  open("min_size=1 max_size=1");
  LeaseId lease = acquire("r", LeaseMode::read);
  EXPECT_EQ(query(lease, "create table t(a)").sqlstate(), "25006");
  EXPECT_EQ(release(lease), Code::ok);
  pool_->keeper().step();
  lease = acquire();
  EXPECT_TRUE(query(lease, "create table t(a)").is_ok());
  EXPECT_EQ(release(lease), Code::ok);
}

TEST_F(PoolTest, MaxUsesReplacesTheConnection) {
  open("min_size=1 max_size=1 max_uses=2");
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(release(acquire()), Code::ok);
    pool_->keeper().step();
  }
  const format::KeeperStats& totals = pool_->segment().totals();
  EXPECT_EQ(read(totals.closed_uses_total), 3U);
  EXPECT_EQ(read(totals.connects_total), 4U) << "I5: created = destroyed + open";
}

TEST_F(PoolTest, I8_RevocationDuringAcquireIsPostponed) {
  open("min_size=1 max_size=1");
  const LeaseId lease = acquire();
  pool_->keeper().post("revoke", "{\"lease_id\":" + std::to_string(lease.bits) + "}", "test");
  pool_->keeper().step();
  EXPECT_EQ(release(lease), Code::stale_lease);
  pool_->keeper().step();
  EXPECT_EQ(read(pool_->segment().totals().leases_reclaimed_total), 1U);
  EXPECT_EQ(release(acquire()), Code::ok) << "a fresh connection has taken its place";
}

TEST_F(PoolTest, RequestsWithTimeoutZeroGrowPool) {
  open("min_size=0 max_size=2");
  LeaseId lease;
  EXPECT_EQ(pool_->acquire({"now or never", LeaseMode::read_write, Span{}}, lease), Code::timeout);
  pool_->keeper().step();
  EXPECT_EQ(read(pool_->segment().totals().connects_total), 1U);
  EXPECT_EQ(release(acquire()), Code::ok);
}

TEST_F(PoolTest, LazyOpensNothingBeforeFirstRequest) {
  open("init_mode=lazy min_size=2 max_size=2");
  EXPECT_EQ(read(pool_->segment().totals().connects_total), 0U);
}

}  // namespace
}  // namespace tide
