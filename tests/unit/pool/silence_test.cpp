// When a session checks whether its server still answers: after a silence, not at every statement.
#include <gtest/gtest.h>

#include <algorithm>

#include "driver/fake/connector.hpp"
#include "pool/keeper.hpp"
#include "pool/pool.hpp"
#include "unit/driver/support.hpp"

namespace tide {
namespace {

constexpr uint64_t kSilenceKey = 4713;

class SilenceTest : public testing::Test {
 protected:
  void open(const std::string& options) {
    auto parsed = parse_options("sqlite::memory:", options + " min_size=1 max_size=1 validation_interval=0", {},
                                [](const char*) -> const char* { return nullptr; });
    ASSERT_TRUE(parsed.is_ok()) << parsed.status().message();
    PoolSpec spec;
    spec.name = "test";
    spec.target = parsed->target;
    spec.policy = parsed->policy;
    spec.sources = parsed->sources;
    spec.pool_key = kSilenceKey;
    auto opened = Pool::open(std::move(spec), std::make_unique<fake::FakeConnector>(server_, parsed->policy), clock_);
    ASSERT_TRUE(opened.is_ok()) << opened.status().message();
    pool_ = opened.take();
    for (int i = 0; i < 100; ++i) {
      pool_->keeper().step();
      clock_.advance(Span::micros(100));
    }
  }
  void TearDown() override {
    if (pool_ == nullptr) return;
    pool_->keeper().begin_close(clock_.now());
    while (!pool_->keeper().is_closed()) clock_.advance(std::max(pool_->keeper().step(), Span::millis(1)));
  }
  LeaseId acquire() {
    const Visit visit(Presence::key_of_pool(kSilenceKey));
    LeaseId lease;
    EXPECT_EQ(pool_->acquire({"test", LeaseMode::read_write, Span{}}, lease), Code::ok);
    return lease;
  }
  void release(LeaseId lease) {
    const Visit visit(Presence::key_of_slot(kSilenceKey, lease.slot()));
    EXPECT_EQ(pool_->release(lease), Code::ok);
  }
  // Number of requested checks.
  uint64_t asked_by(LeaseId lease, std::string_view sql) {
    const Visit visit(Presence::key_of_slot(kSilenceKey, lease.slot()));
    const uint64_t before = server_.distrusts_total();
    ResultTable table;
    QueryRequest request;
    request.sql = sql;
    (void)pool_->query(lease, request, table);
    return server_.distrusts_total() - before;
  }
  uint64_t asked_by_one_lease(std::string_view sql) {
    const LeaseId lease = acquire();
    const uint64_t asked = asked_by(lease, sql);
    release(lease);
    return asked;
  }

  test::ManualClock clock_;
  fake::FakeServer server_{42, clock_};
  std::unique_ptr<Pool> pool_;
};

TEST_F(SilenceTest, FirstStatementAfterSilenceChecksServer) {
  open("validation_bypass=500ms");
  EXPECT_EQ(asked_by_one_lease("one"), 0U) << "it has just been connected";
  clock_.advance(Span::millis(490));
  EXPECT_EQ(asked_by_one_lease("one"), 0U);
  clock_.advance(Span::millis(510));
  EXPECT_EQ(asked_by_one_lease("fail 42601"), 1U);
  EXPECT_EQ(asked_by_one_lease("one"), 0U) << "an error is an answer, too";
}

TEST_F(SilenceTest, ChecksWithinLeaseToo) {
  open("validation_bypass=0");
  const LeaseId lease = acquire();
  EXPECT_EQ(asked_by(lease, "one"), 1U) << "0 checks at every acquire";
  EXPECT_EQ(asked_by(lease, "one"), 0U) << "and not at every statement";
  clock_.advance(Span::millis(490));
  EXPECT_EQ(asked_by(lease, "one"), 0U);
  clock_.advance(Span::millis(510));
  EXPECT_EQ(asked_by(lease, "one"), 1U);
  release(lease);
}

}  // namespace
}  // namespace tide
