// Cancel sources: calls, requests and transactions that another thread, or a stop token, cancels.
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <stop_token>
#include <thread>
#include <tidepool/tidepool.hpp>
#include <type_traits>
#include <vector>

#include "support.hpp"

namespace {

using namespace std::chrono_literals;
using tidepool_test::error_of;

static_assert(!std::is_copy_constructible_v<tidepool::cancel_source>);
static_assert(std::is_nothrow_move_constructible_v<tidepool::cancel_source>);

class Cancel : public tidepool_test::Database {
 protected:
  // Trips it after a while.
  template <typename Trip>
  static std::jthread later(Trip trip) {
    return std::jthread([trip] {
      std::promise<void> never;
      never.get_future().wait_for(20ms);
      trip();
    });
  }
};

TEST_F(Cancel, AStatement) {
  tidepool::cancel_source gone;
  const std::jthread tripper = later([&] { gone.trip(); });
  const auto why = error_of<tidepool::cancelled_error>([&] { pool().with({.cancel = gone}).query(endless()); });
  EXPECT_EQ(why.status(), TIDE_CANCELLED);
  EXPECT_EQ(why.sqlstate(), "57014");
  EXPECT_FALSE(why.detail().empty());
  EXPECT_TRUE(gone.is_tripped());
  EXPECT_EQ(pool().query_first<int>("select 1").value(), 1);
  EXPECT_EQ(error_of<tidepool::cancelled_error>([&] { pool().with({.cancel = gone}).query("select 1"); }).status(),
            TIDE_CANCELLED);
}

TEST_F(Cancel, ByAStopToken) {
  std::stop_source stop;
  const tidepool::cancel_source gone(stop.get_token());
  const std::jthread tripper = later([&] { stop.request_stop(); });
  error_of<tidepool::cancelled_error>([&] { pool().with({.cancel = gone}).query(endless()); });
  const tidepool::cancel_source late(stop.get_token());
  EXPECT_TRUE(late.is_tripped());
}

TEST_F(Cancel, ARequestForAConnection) {
  std::vector<tidepool::lease> all;
  for (int i = 0; i < 4; ++i) all.push_back(pool().acquire());
  tidepool::cancel_source gone;
  const std::jthread tripper = later([&] { gone.trip(); });
  error_of<tidepool::cancelled_error>([&] { pool().acquire({.cancel = gone}); });
  error_of<tidepool::cancelled_error>([&] { pool().begin({.cancel = gone}); });
}

TEST_F(Cancel, ATransaction) {
  make_table("n integer");
  tidepool::cancel_source gone;
  error_of<tidepool::cancelled_error>([&] {
    pool().transact(
        [&](tidepool::transaction& tx) {
          tx.execute("insert into t values (1)");
          gone.trip();
        },
        {.cancel = gone});
  });
  EXPECT_EQ(pool().query_first<int>("select count(*) from t").value(), 0);
}

TEST_F(Cancel, CriticalCallsUseTheReserve) {
  tidepool::pool reserving("cpp_reserve", url(), "min_size=2 max_size=2 reserve_size=1 acquire_timeout=200ms");
  const tidepool::lease busy = reserving.acquire();
  error_of<tidepool::timeout_error>([&] { reserving.query("select 1"); });
  const auto critical = reserving.with({.priority = tidepool::priority::critical});
  EXPECT_EQ(critical.query_first<int>("select 1").value(), 1);
}

}  // namespace
