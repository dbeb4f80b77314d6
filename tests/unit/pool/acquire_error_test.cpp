// The error of a failed acquire: if connects fail, the connect error determines hint and retryable.
#include <gtest/gtest.h>

#include <algorithm>

#include "driver/fake/connector.hpp"
#include "pool/keeper.hpp"
#include "pool/pool.hpp"
#include "unit/driver/support.hpp"

namespace tide {
namespace {

constexpr uint64_t kKey = 4712;

class AcquireErrorTest : public testing::Test {
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
    auto opened = Pool::open(std::move(spec), std::make_unique<fake::FakeConnector>(server_, parsed->policy), clock_);
    ASSERT_TRUE(opened.is_ok()) << opened.status().message();
    pool_ = opened.take();
    run(Span::millis(1));
  }
  void TearDown() override {
    if (pool_ == nullptr) return;
    pool_->keeper().begin_close(clock_.now());
    while (!pool_->keeper().is_closed()) clock_.advance(std::max(pool_->keeper().step(), Span::millis(1)));
  }
  void run(Span span) {
    const Instant end = clock_.now() + span;
    while (clock_.now() < end) {
      const Span next = pool_->keeper().step();
      clock_.advance(std::clamp(next, Span::micros(100), std::max(Span::micros(100), end - clock_.now())));
    }
    pool_->keeper().step();
  }
  Code acquire(LeaseId& lease) {
    const Visit visit(Presence::key_of_pool(kKey));
    return pool_->acquire({"test", LeaseMode::read_write, Span{}}, lease);
  }

  test::ManualClock clock_;
  fake::FakeServer server_{42, clock_};
  std::unique_ptr<Pool> pool_;
};

struct Refused {
  const char* sqlstate;  // "": no server listens
  const char* message;
  bool is_retryable;
};

class EveryConnectError : public AcquireErrorTest, public testing::WithParamInterface<Refused> {};

TEST_P(EveryConnectError, DeterminesHintAndRetryable) {
  const Refused& refused = GetParam();
  if (*refused.sqlstate == '\0') {
    server_.go_down();
  } else {
    server_.set_refusing(true, refused.sqlstate);
  }
  open("min_size=1 max_size=3");
  run(Span::millis(100));
  const std::string sqlstate = *refused.sqlstate == '\0' ? "08001" : refused.sqlstate;
  for (const Code code : {Code::timeout, Code::queue_full, Code::unavailable}) {
    const Status why = pool_->explain(code, Span::millis(20));
    EXPECT_EQ(why.code, code);
    EXPECT_EQ(why.is_retryable, refused.is_retryable) << code_name(code);
    EXPECT_EQ(why.sqlstate(), sqlstate) << code_name(code);
    EXPECT_EQ(why.hint(), "what the driver advises on " + sqlstate) << code_name(code);
    EXPECT_NE(why.message().find(refused.message), std::string::npos) << why.message();
  }
}

INSTANTIATE_TEST_SUITE_P(Story, EveryConnectError,
                         testing::Values(Refused{"", "connection refused", true}, Refused{"57P03", "starting up", true},
                                         Refused{"53300", "refused the connection", true},
                                         Refused{"28P01", "password authentication failed", false},
                                         Refused{"3D000", "does not exist", false},
                                         Refused{"42501", "permission denied", false}));

TEST_F(AcquireErrorTest, OpenBreakerReportsNextProbeAndHint) {
  server_.set_refusing(true, "28P01");
  open("min_size=1 max_size=3 breaker_trip_after=2s");
  for (int i = 0; i < 100; ++i) {
    LeaseId none;
    EXPECT_NE(acquire(none), Code::ok);
    run(Span::millis(100));
  }
  const Status why = pool_->explain(Code::unavailable, Span{});
  EXPECT_NE(why.message().find("breaker is open"), std::string::npos) << why.message();
  EXPECT_EQ(why.hint(), "what the driver advises on 28P01");
  EXPECT_FALSE(why.is_retryable);
}

TEST_F(AcquireErrorTest, BothHintsWhenSomeAreConnected) {
  open("min_size=1 max_size=3 burst=off");
  run(Span::millis(100));
  LeaseId lease, none;
  ASSERT_EQ(acquire(lease), Code::ok);
  server_.set_refusing(true, "53300");
  EXPECT_EQ(acquire(none), Code::timeout);
  run(Span::millis(100));
  const Status why = pool_->explain(Code::timeout, Span::millis(20));
  EXPECT_TRUE(why.is_retryable) << "the lease may come back";
  EXPECT_EQ(why.hint().find("raise max_size"), std::string::npos) << why.hint();
  EXPECT_NE(why.hint().find("release leases sooner"), std::string::npos) << why.hint();
  EXPECT_NE(why.hint().find("advises on 53300"), std::string::npos) << why.hint();
  const Visit visit(Presence::key_of_slot(kKey, lease.slot()));
  EXPECT_EQ(pool_->release(lease), Code::ok);
}

TEST_F(AcquireErrorTest, NoMaxSizeHintDuringFirstConnect) {
  server_.set_silent(true);
  open("min_size=1 max_size=3 connect_timeout=10s");
  const Status why = pool_->explain(Code::timeout, Span::millis(20));
  EXPECT_NE(why.message().find("1 connecting"), std::string::npos) << why.message();
  EXPECT_NE(why.hint().find("that the database responds"), std::string::npos) << why.hint();
}

TEST_F(AcquireErrorTest, PastErrorIsNotMentioned) {
  open("min_size=1 max_size=1 burst=off");
  run(Span::millis(100));
  const Status why = pool_->explain(Code::unavailable, Span{});
  EXPECT_TRUE(why.is_retryable);
  EXPECT_NE(why.message().find("the last connection attempt failed"), std::string::npos) << why.message();
  EXPECT_EQ(pool_->explain(Code::timeout, Span{}).hint(),
            "release leases sooner, raise max_size, or check the leases relation for the holders");
}

TEST_F(AcquireErrorTest, PausedPoolHintsToResume) {
  server_.go_down();
  open("min_size=1 max_size=3");
  run(Span::millis(100));
  pool_->keeper().post("pause", "{}", "test");
  run(Span::millis(100));
  EXPECT_EQ(pool_->explain(Code::timeout, Span{}).hint(), "resume the pool");
}

}  // namespace
}  // namespace tide
