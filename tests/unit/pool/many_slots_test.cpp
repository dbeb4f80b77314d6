// The largest possible pool: as many connections as max_size allows, twice that in a burst, each lease with a unique
// id.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>
#include <set>
#include <vector>

#include "driver/fake/connector.hpp"
#include "driver/sqlite/connector.hpp"
#include "policy/settings.hpp"
#include "pool/keeper.hpp"
#include "pool/pool.hpp"
#include "unit/driver/support.hpp"

namespace tide {
namespace {

constexpr uint64_t kManySlotsKey = 4714;
constexpr int64_t kSizeMax = 10000;

class ManySlotsTest : public testing::Test {
 protected:
  void open(const std::string& options, bool is_sqlite = false) {
    auto parsed = parse_options("sqlite::memory:", options, {}, [](const char*) -> const char* { return nullptr; });
    ASSERT_TRUE(parsed.is_ok()) << parsed.status().message();
    PoolSpec spec;
    spec.name = "test";
    spec.target = parsed->target;
    spec.policy = parsed->policy;
    spec.sources = parsed->sources;
    spec.pool_key = kManySlotsKey;
    std::unique_ptr<Connector> connector;
    if (is_sqlite) {
      connector = make_sqlite_connector(":memory:", parsed->policy, clock_);
    } else {
      connector = std::make_unique<fake::FakeConnector>(server_, parsed->policy);
    }
    auto opened = Pool::open(std::move(spec), std::move(connector), clock_);
    ASSERT_TRUE(opened.is_ok()) << opened.status().message();
    pool_ = opened.take();
    step();
  }
  void step() {
    pool_->keeper().step();
    clock_.advance(Span::millis(1));
  }
  void TearDown() override {
    if (pool_ == nullptr) return;
    pool_->keeper().begin_close(clock_.now());
    while (!pool_->keeper().is_closed()) clock_.advance(std::max(pool_->keeper().step(), Span::millis(1)));
  }
  Code acquire(LeaseId& lease) {
    const Visit visit(Presence::key_of_pool(kManySlotsKey));
    return pool_->acquire({"test", LeaseMode::read_write, Span{}}, lease);
  }
  void release(LeaseId lease) {
    const Visit visit(Presence::key_of_slot(kManySlotsKey, lease.slot()));
    EXPECT_EQ(pool_->release(lease), Code::ok);
  }
  uint64_t connected() { return read(pool_->segment().totals().connects_total); }

  test::ManualClock clock_;
  fake::FakeServer server_{42, clock_};
  std::unique_ptr<Pool> pool_;
};

TEST_F(ManySlotsTest, CatalogueLimitMatchesPoolLimit) {
  const auto accepts = [](const char* option, int64_t n) {
    Policy policy;
    return assign_value(policy, *find_setting(option), std::to_string(n)).is_ok();
  };
  for (const char* option : {"max_size", "min_size", "emergency_max_size", "health_min_healthy"}) {
    EXPECT_TRUE(accepts(option, kSizeMax)) << option;
    EXPECT_FALSE(accepts(option, kSizeMax + 1)) << option;
  }
  EXPECT_TRUE(accepts("burst_max_size", kSlotsMax));
  EXPECT_FALSE(accepts("burst_max_size", int64_t{kSlotsMax} + 1));
  EXPECT_EQ(int64_t{kSlotsMax}, 2 * kSizeMax) << "burst_max_size 0 is twice max_size";
}

TEST_F(ManySlotsTest, LeaseIdsOfLargestPoolAreUnique) {
  open(
      "min_size=10000 max_size=10000 max_connecting=1000 scaling=off burst=off health_interval=0 "
      "validation_interval=0");
  for (int i = 0; i < 1000 && connected() < kSizeMax; ++i) step();
  ASSERT_EQ(connected(), static_cast<uint64_t>(kSizeMax));
  std::set<uint64_t> ids;
  std::vector<LeaseId> leases(kSizeMax);
  for (LeaseId& lease : leases) {
    ASSERT_EQ(acquire(lease), Code::ok) << "after " << ids.size();
    EXPECT_GT(static_cast<int64_t>(lease.bits), 0) << "SQL integers are signed";
    ids.insert(lease.bits);
  }
  EXPECT_EQ(ids.size(), static_cast<size_t>(kSizeMax));
  LeaseId none;
  EXPECT_EQ(acquire(none), Code::timeout);
  for (const LeaseId lease : leases) release(lease);
}

TEST_F(ManySlotsTest, HighestSlotAndGenerationFitLeaseId) {
  constexpr LeaseId kLast(kSlotsMax - 1, kGenerationMax);
  EXPECT_EQ(kLast.slot(), kSlotsMax - 1);
  EXPECT_EQ(kLast.generation(), kGenerationMax);
  EXPECT_GT(static_cast<int64_t>(kLast.bits), 0);
  EXPECT_EQ(kLast.bits & Seat::kEnded, 0U);
  EXPECT_TRUE(kLast.word().is_sane());
}

TEST_F(ManySlotsTest, SqlitePoolOpensWithMaximumSize) {
  open("min_size=1 max_size=10000", true);
  LeaseId lease;
  ASSERT_EQ(acquire(lease), Code::ok);
  release(lease);
  struct stat info {};
  ASSERT_EQ(fstat(pool_->segment().fd(), &info), 0);
  EXPECT_LT(info.st_size, 64 << 20) << "3.5 kB per possible connection";
}

}  // namespace
}  // namespace tide
