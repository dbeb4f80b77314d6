// The counters of pool_stats: each event counts once, and reset_stats resets all of them.
#include "unit/pool/timed_pool.hpp"

namespace tide {
namespace {

class Counts : public test::TimedPool {
 protected:
  // Since the pool opened, or since the last reset.
  uint64_t tally(Counter counter) {
    format::CounterSums sums{};
    format::add_counters(sums, *seen().read_tallies());
    const auto place = static_cast<size_t>(counter);
    return sums[place] - seen().read_baseline()->counter[place];
  }
  // Of all slots, since the pool opened.
  uint64_t slots_sum(Counter counter) {
    format::CounterSums sums{};
    for (const format::SlotStats& stats : seen().read_slot_stats()) format::add_counters(sums, stats);
    return sums[static_cast<size_t>(counter)];
  }
  uint64_t bytes_of_statements() {
    uint64_t bytes = 0;
    for (const format::SlotStats& stats : seen().read_slot_stats()) bytes += stats.statement_bytes;
    return bytes;
  }
  uint64_t bursts() { return tally(Counter::bursts_total); }
  double lived_ms() { return static_cast<double>(tally(Counter::lived_ns_total)) / 1e6; }
};

TEST_F(Counts, EachBurstOnce) {
  open(of_size(2));
  for (int i = 0; i < 3; ++i) {
    order("burst", "{\"duration\":\"60s\"}");
    order("burst", "{\"duration\":\"90s\"}");  // prolongs it
    order("end_burst");
  }
  EXPECT_EQ(bursts(), 3U);
  order("burst", "{\"duration\":\"1s\"}");
  pass(Span::seconds(2));
  order("burst", "{\"duration\":\"1s\"}");
  EXPECT_EQ(bursts(), 5U) << "the previous one was over";
}

TEST_F(Counts, ResetClearsEarlierCounts) {
  open(of_size(2));
  pool_->keeper().post("burst", "{\"duration\":\"60s\"}", "test");
  pool_->keeper().post("check_health", "{}", "test");
  order("reset_stats");  // all three in one step
  EXPECT_EQ(bursts(), 0U);
  order("end_burst");
  order("burst", "{\"duration\":\"60s\"}");
  EXPECT_EQ(bursts(), 1U);
}

TEST_F(Counts, PreparedStatementsOfEveryConnection) {
  open(of_size(1));
  LeaseId lease = acquire();
  server_.set_statements({10, 4, 1, 3, 500});
  EXPECT_TRUE(query(lease, "one"));
  server_.set_statements({15, 4, 2, 5, 700});
  EXPECT_TRUE(query(lease, "one"));
  EXPECT_EQ(slots_sum(Counter::statement_cache_hits_total), 15U);
  EXPECT_EQ(slots_sum(Counter::statement_cache_misses_total), 4U);
  EXPECT_EQ(slots_sum(Counter::statement_cache_evictions_total), 2U);
  EXPECT_EQ(seen().read_slots().front().statements, 5U);
  EXPECT_EQ(bytes_of_statements(), 700U);

  // Another connection counts from 0 again.
  release(lease);
  server_.set_statements({2, 1, 0, 1, 90});
  order("recycle", "{\"spread\":\"0s\"}");
  turn();
  EXPECT_EQ(bytes_of_statements(), 0U);
  EXPECT_EQ(seen().read_slots().front().statements, 0U);
  lease = acquire();
  EXPECT_TRUE(query(lease, "one"));
  EXPECT_EQ(slots_sum(Counter::statement_cache_hits_total), 17U);
  EXPECT_EQ(slots_sum(Counter::statement_cache_misses_total), 5U);
  EXPECT_EQ(slots_sum(Counter::statement_cache_evictions_total), 2U);
  EXPECT_EQ(bytes_of_statements(), 90U);
  release(lease);
}

TEST_F(Counts, TransactionsAndRetriesOfCurrentLeases) {
  open(of_size(1));
  const LeaseId lease = acquire();
  {
    const Visit visit(Presence::key_of_slot(kKey, lease.slot()));
    pool_->count_transaction(lease);
    pool_->count_transaction(lease);
    pool_->count_retry(lease);
    pool_->count_retry(lease);
    pool_->count_retry_helped(lease);
  }
  release(lease);
  {
    const Visit visit(Presence::key_of_slot(kKey, lease.slot()));
    pool_->count_transaction(lease);  // it is over
    pool_->count_retry(lease);
    pool_->count_retry_helped(lease);
  }
  EXPECT_EQ(slots_sum(Counter::transactions_total), 2U);
  EXPECT_EQ(slots_sum(Counter::retries_total), 2U);
  EXPECT_EQ(slots_sum(Counter::retries_helped_total), 1U);
}

TEST_F(Counts, LifetimesOfClosedConnections) {
  open(of_size(2));
  EXPECT_EQ(lived_ms(), 0);
  const auto born = seen().read_slots();
  ASSERT_EQ(born.size(), 2U);
  pass(Span::seconds(7));
  order("recycle", "{\"spread\":\"0s\"}");
  turn();
  EXPECT_EQ(seen().read_totals()->closed_control_total, 2U);
  const double expected_ms = 2 * 7000;
  EXPECT_GE(lived_ms(), expected_ms);
  EXPECT_LE(lived_ms(), expected_ms + 2 * 2100) << "time spent in turn(), at the start and at the end";
  order("reset_stats");
  EXPECT_EQ(lived_ms(), 0);
}

TEST_F(Counts, FailedStatementBecomesLastErrorAtOnce) {
  open(of_size(1));
  const LeaseId lease = acquire();
  EXPECT_EQ(static_cast<int64_t>(seen().read_totals()->last_error_wall), 0);
  const Status failed = query(lease, "nonsense");
  ASSERT_FALSE(failed.is_ok());
  EXPECT_EQ(seen().read_totals()->last_error.view(), failed.message());
  EXPECT_EQ(static_cast<int64_t>(seen().read_totals()->last_error_wall), clock_.wall_ns());
  release(lease);
}

TEST_F(Counts, ResetTimeIsNullUntilReset) {
  open(of_size(1));
  EXPECT_EQ(static_cast<int64_t>(seen().read_totals()->stats_reset_wall), 0);
  order("reset_stats");
  EXPECT_EQ(static_cast<int64_t>(seen().read_totals()->stats_reset_wall), clock_.wall_ns());
}

}  // namespace
}  // namespace tide
