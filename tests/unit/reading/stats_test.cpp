#include "unit/reading/reading_support.hpp"

namespace tide {
namespace {

using test::integer;
using test::real;
using test::text;

class Stats : public testing::Test {
 protected:
  test::TempDirectory directory;
  std::unique_ptr<Segment> segment = test::make_segment(directory.path());
  test::Table read(const std::string& relation = "pool_stats") {
    return test::Table(relation, {directory.path(), "", ""});
  }

  void put_base(Counter counter, uint64_t value) {
    put(segment->baseline().counter[static_cast<size_t>(counter)], value);
  }

  void SetUp() override {
    for (uint32_t i = 0; i < 2; ++i) {
      format::Slot& slot = test::fill_slot(*segment, i, SlotState::idle);
      put(slot.acquires_total, 10 * (i + 1));
      format::SlotStats& stats = segment->slot_stats()[i];
      put(stats.waited_total, 2);
      put(stats.releases_total, 9);
      put(stats.use_ns_total, 40 * test::kMs);
      put(stats.wait_ns_total, 3 * test::kMs);
      put(stats.queries_total, 100);
      put(stats.query_errors_total, 1);
      put(stats.query_ns_total, 20 * test::kMs);
      put(stats.transactions_total, 12);
      put(stats.retries_total, 3);
      put(stats.statement_cache_hits_total, 60);
      put(stats.statement_cache_misses_total, 40);
      put(stats.statement_cache_evictions_total, 5);
      put(stats.statement_bytes, 2048);
      stats.wait.add_us(1000);
      stats.wait.add_us(2000);
      stats.use.add_us(70);
      stats.query.add_us(5);
    }
    format::KeeperStats& keeper = segment->totals();
    uint64_t n = 1000;
#define TIDE_PUT(name, unit, opentelemetry, meaning) put(keeper.name, n++);
    TIDE_KEEPER_COUNTERS(TIDE_PUT)
#undef TIDE_PUT
    put(keeper.connect_ns_total, 12 * test::kMs);
    put(keeper.recoveries_total, 0);
    put(keeper.alerts_fired_total, 0);
    put(keeper.size_peak, 8);
    put(keeper.in_use_peak, 7);
    keeper.connect.add_us(500);
    put(segment->queue().timeouts_total, 4);
    put(segment->queue().rejected_total, 3);
    put(segment->queue().waiting_peak, 6);
    put(segment->queue().failed_wait_ns_total, 10 * test::kMs);
  }
};

TEST_F(Stats, SumsSlotsQueueAndKeeper) {
  const test::Table stats = read();
  ASSERT_EQ(stats.size(), 1u);
  EXPECT_EQ(stats.at(0, "acquires_total"), integer(30));
  EXPECT_EQ(stats.at(0, "acquires_waited_total"), integer(4));
  EXPECT_EQ(stats.at(0, "acquire_timeouts_total"), integer(4));
  EXPECT_EQ(stats.at(0, "acquire_rejected_total"), integer(3));
  EXPECT_EQ(stats.at(0, "releases_total"), integer(18));
  EXPECT_EQ(stats.at(0, "connects_total"), integer(1000));
  EXPECT_EQ(stats.at(0, "connect_failures_total"), integer(1001));
  EXPECT_EQ(stats.at(0, "closed_idle_total"), integer(1002));
  EXPECT_EQ(stats.at(0, "closed_lifetime_total"), integer(1003));
  EXPECT_EQ(stats.at(0, "closed_uses_total"), integer(1004));
  EXPECT_EQ(stats.at(0, "closed_error_total"), integer(1005));
  EXPECT_EQ(stats.at(0, "closed_scale_total"), integer(1006));
  EXPECT_EQ(stats.at(0, "closed_control_total"), integer(1007));
  EXPECT_EQ(stats.at(0, "leases_overdue_total"), integer(1009));
  EXPECT_EQ(stats.at(0, "leases_reclaimed_total"), integer(1010));
  EXPECT_EQ(stats.at(0, "validations_total"), integer(1011));
  EXPECT_EQ(stats.at(0, "validation_failures_total"), integer(1012));
  EXPECT_EQ(stats.at(0, "scale_up_total"), integer(1013));
  EXPECT_EQ(stats.at(0, "scale_down_total"), integer(1014));
  EXPECT_EQ(stats.at(0, "queries_total"), integer(200));
  EXPECT_EQ(stats.at(0, "query_errors_total"), integer(2));
  EXPECT_EQ(stats.at(0, "transactions_total"), integer(24));
  EXPECT_EQ(stats.at(0, "retries_total"), integer(6));
  EXPECT_EQ(stats.at(0, "statement_cache_hits_total"), integer(120));
  EXPECT_EQ(stats.at(0, "statement_cache_misses_total"), integer(80));
  EXPECT_EQ(stats.at(0, "statement_cache_evictions_total"), integer(10));
  EXPECT_EQ(stats.at(0, "statement_cache_bytes"), integer(4096));
  EXPECT_EQ(stats.at(0, "wait_ms_total"), real(16));  // including 10 ms of requests that failed
  EXPECT_EQ(stats.at(0, "use_ms_total"), real(80));
  EXPECT_EQ(stats.at(0, "connect_ms_total"), real(12));
  EXPECT_EQ(stats.at(0, "query_ms_total"), real(40));
  EXPECT_EQ(stats.at(0, "size_peak"), integer(8));
  EXPECT_EQ(stats.at(0, "in_use_peak"), integer(7));
  EXPECT_EQ(stats.at(0, "waiting_peak"), integer(6));
}

TEST_F(Stats, UnmeasuredValuesAreNull) {
  const test::Table stats = read();
  for (const char* column :
       {"wait_p50_ms", "wait_max_ms", "use_p99_ms", "query_p99_ms", "memory_bytes", "last_error", "last_error_at",
        "stats_reset", "efficiency", "slow_share", "prediction_accuracy", "wal_bytes"}) {
    EXPECT_TRUE(is_null(stats.at(0, column))) << column;
  }
}

TEST_F(Stats, ShowsPercentilesMemoryAndTheLastError) {
  segment->vitals().wait_p95_ms.store(1.5);
  segment->vitals().query_p50_ms.store(0.25);
  put(segment->vitals().memory_bytes, 4096);
  put(segment->vitals().wal_bytes, 8193);
  segment->totals().last_error.assign("disk I/O error");
  put(segment->totals().last_error_wall, test::bits(test::kNowWall - test::kSecond));
  put(segment->totals().stats_reset_wall, test::bits(test::kNowWall - 2 * test::kSecond));
  const test::Table stats = read();
  EXPECT_EQ(stats.at(0, "wait_p95_ms"), real(1.5));
  EXPECT_EQ(stats.at(0, "query_p50_ms"), real(0.25));
  EXPECT_EQ(stats.at(0, "memory_bytes"), integer(4096));
  EXPECT_EQ(stats.at(0, "wal_bytes"), integer(8192));
  EXPECT_EQ(stats.at(0, "last_error"), text("disk I/O error"));
  EXPECT_EQ(stats.at(0, "last_error_at"), integer(test::us_after_now(-test::kSecond)));
  EXPECT_EQ(stats.at(0, "stats_reset"), integer(test::us_after_now(-2 * test::kSecond)));
}

TEST_F(Stats, SubtractsBaseline) {
  put_base(Counter::timeouts_total, 1);
  put_base(Counter::failed_wait_ns_total, 4 * test::kMs);
  put_base(Counter::connects_total, 990);
  put_base(Counter::connect_ns_total, 2 * test::kMs);
  put_base(Counter::acquires_total, 25);
  put_base(Counter::waited_total, 1);
  put_base(Counter::wait_ns_total, 1 * test::kMs);
  put_base(Counter::queries_total, 500);  // more than the current count
  const test::Table stats = read();
  EXPECT_EQ(stats.at(0, "acquires_total"), integer(5));
  EXPECT_EQ(stats.at(0, "acquires_waited_total"), integer(3));
  EXPECT_EQ(stats.at(0, "acquire_timeouts_total"), integer(3));
  EXPECT_EQ(stats.at(0, "connects_total"), integer(10));
  EXPECT_EQ(stats.at(0, "connect_ms_total"), real(10));
  EXPECT_EQ(stats.at(0, "wait_ms_total"), real(11));
  EXPECT_EQ(stats.at(0, "queries_total"), integer(0));
}

TEST_F(Stats, CountsSlowWaitsRecoveriesAndAlerts) {
  for (uint32_t i = 0; i < 2; ++i) put(segment->slot_stats()[i].slow_total, 3);
  put(segment->totals().recoveries_total, 4);
  put(segment->totals().alerts_fired_total, 9);
  EXPECT_EQ(read().at(0, "waits_over_objective_total"), integer(6));
  EXPECT_EQ(read().at(0, "recoveries_total"), integer(4));
  EXPECT_EQ(read().at(0, "alerts_fired_total"), integer(9));
  put_base(Counter::slow_total, 5);
  put_base(Counter::recoveries_total, 1);
  put_base(Counter::alerts_fired_total, 10);
  EXPECT_EQ(read().at(0, "waits_over_objective_total"), integer(1));
  EXPECT_EQ(read().at(0, "recoveries_total"), integer(3));
  EXPECT_EQ(read().at(0, "alerts_fired_total"), integer(0));
}

TEST_F(Stats, ShowsSizingFigures) {
  format::ForecastsBlock& sizing = segment->forecasts();
  put(sizing.seq, 2);
  sizing.efficiency = 0.5;
  sizing.slow_share = std::numeric_limits<double>::quiet_NaN();
  sizing.prediction_accuracy = 0.9;
  const test::Table stats = read();
  EXPECT_EQ(stats.at(0, "efficiency"), real(0.5));
  EXPECT_TRUE(is_null(stats.at(0, "slow_share")));
  EXPECT_EQ(stats.at(0, "prediction_accuracy"), real(0.9));
}

TEST_F(Stats, CountsTalliesAndClosedConnections) {
  format::Tallies& tallies = segment->tallies();
  uint64_t n = 20;
#define TIDE_PUT(name, unit, opentelemetry, meaning) put(tallies.name, n++);
  TIDE_TALLY_COUNTERS(TIDE_PUT)
#undef TIDE_PUT
  put(tallies.lived_ns_total, 90 * test::kMs);
  for (uint32_t i = 0; i < 2; ++i) put(segment->slot_stats()[i].faults_total, 4);
  const char* columns[] = {"bursts_total",        "emergencies_total",           "recovery_attempts_total",
                           "health_checks_total", "health_check_failures_total", "overloads_total"};
  for (int64_t i = 0; i < 6; ++i) EXPECT_EQ(read().at(0, columns[i]), integer(20 + i)) << columns[i];
  EXPECT_EQ(read().at(0, "lived_ms_total"), real(90));
  EXPECT_EQ(read().at(0, "query_faults_total"), integer(8));
  EXPECT_EQ(read().at(0, "closed_total"), integer(1002 + 1003 + 1004 + 1005 + 1006 + 1007 + 1008));
#define TIDE_PUT_BASE(name, unit, opentelemetry, meaning) put_base(Counter::name, 15);
  TIDE_TALLY_COUNTERS(TIDE_PUT_BASE)
#undef TIDE_PUT_BASE
  put_base(Counter::lived_ns_total, 40 * test::kMs);
  put_base(Counter::faults_total, 6);
  for (const Counter closed : {Counter::closed_idle_total, Counter::closed_lifetime_total, Counter::closed_uses_total,
                               Counter::closed_error_total, Counter::closed_scale_total, Counter::closed_control_total,
                               Counter::closed_shutdown_total}) {
    put_base(closed, 1000);
  }
  for (int64_t i = 0; i < 6; ++i) EXPECT_EQ(read().at(0, columns[i]), integer(5 + i)) << columns[i];
  EXPECT_EQ(read().at(0, "lived_ms_total"), real(50));
  EXPECT_EQ(read().at(0, "query_faults_total"), integer(2));
  EXPECT_EQ(read().at(0, "closed_total"), integer(2 + 3 + 4 + 5 + 6 + 7 + 8));
}

TEST_F(Stats, NullWithoutBaseline) {
  put(segment->baseline().seq, 1);
  const test::Table stats = read();
  ASSERT_EQ(stats.size(), 1u);
  EXPECT_TRUE(is_null(stats.at(0, "acquires_total")));
  EXPECT_TRUE(is_null(stats.at(0, "query_ms_total")));
  EXPECT_TRUE(is_null(stats.at(0, "waits_over_objective_total")));
  EXPECT_EQ(stats.at(0, "size_peak"), integer(8));
  EXPECT_EQ(read("pool_histograms").size(), 0u);
}

TEST_F(Stats, HistogramsAreCumulative) {
  const test::Table rows = read("pool_histograms");
  ASSERT_EQ(rows.size(), 4 * kHistogramBuckets);
  const char* metrics[] = {"wait", "use", "connect", "query"};
  const int64_t totals[] = {30, 2, 1, 2};
  for (size_t m = 0; m < 4; ++m) {
    const size_t first = m * kHistogramBuckets;
    const size_t last = first + kHistogramBuckets - 1;
    EXPECT_EQ(rows.at(first, "metric"), text(metrics[m]));
    EXPECT_EQ(rows.at(first, "le_ms"), real(0.001));
    EXPECT_TRUE(is_null(rows.at(last, "le_ms")));
    EXPECT_EQ(rows.at(last, "count"), integer(totals[m])) << metrics[m];
  }
  EXPECT_EQ(rows.at(0, "count"), integer(26));  // callers that did not wait
  // 1000 us is below the bound 1024 us, 2000 us below 2048 us.
  const size_t bucket = histogram_bucket_of_us(1000);
  EXPECT_EQ(rows.at(bucket - 1, "count"), integer(26));
  EXPECT_EQ(rows.at(bucket, "count"), integer(28));
}

TEST_F(Stats, HistogramsSubtractBaseline) {
  put(segment->baseline().wait.count[histogram_bucket_of_us(1000)], 1);
  put_base(Counter::acquires_total, 20);
  put_base(Counter::waited_total, 1);
  const test::Table rows = read("pool_histograms");
  EXPECT_EQ(rows.at(0, "count"), integer(7));  // 10 granted, 3 of them waited
  EXPECT_EQ(rows.at(kHistogramBuckets - 1, "count"), integer(10));
}

// The sum belongs to the durations of the histogram: the waits of requests that failed are only in wait_ms_total.
TEST_F(Stats, HistogramsHaveTheirSum) {
  const test::Table rows = read("pool_histograms");
  const auto sum_of = [&](size_t metric) { return std::get<double>(rows.at(metric * kHistogramBuckets, "sum_ms")); };
  const test::Table stats = read();
  const auto total_of = [&](const char* column) { return std::get<double>(stats.at(0, column)); };
  EXPECT_LT(sum_of(0), total_of("wait_ms_total"));
  EXPECT_EQ(sum_of(1), total_of("use_ms_total"));
  EXPECT_EQ(sum_of(2), total_of("connect_ms_total"));
  EXPECT_EQ(sum_of(3), total_of("query_ms_total"));
}

TEST_F(Stats, HistoryIsSortedByResolutionAndTime) {
  const auto write = [&](const format::RegionOf<format::HistoryRecord>& region, std::vector<int64_t> times) {
    Ring<format::HistoryRecord> ring = segment->ring(region);
    for (const int64_t at : times) {
      ring.append([&](format::HistoryRecord& record) {
        record.at_wall_ns = at;
        record.size = 4;
        record.in_use_avg = 1.5;
        record.acquires = 12;
        record.wait_p99_ms = std::numeric_limits<double>::quiet_NaN();
        record.use_ms = 2;
        record.predicted_in_use = std::numeric_limits<double>::quiet_NaN();
        record.health = -1;
      });
    }
  };
  const format::Header& h = segment->header();
  const int64_t now = test::kNowWall;
  write(h.history_1h, {now - 3'600 * test::kSecond});
  write(h.history_1m, {now - 60 * test::kSecond});
  write(h.history_1s, {now - 2 * test::kSecond, now});
  const test::Table rows = read("pool_history");
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows.at(0, "at"), integer(test::us_after_now(-2 * test::kSecond)));
  EXPECT_EQ(rows.at(1, "at"), integer(test::us_after_now(0)));
  EXPECT_EQ(rows.at(1, "resolution_ms"), real(1000));
  EXPECT_EQ(rows.at(2, "resolution_ms"), real(60'000));
  EXPECT_EQ(rows.at(3, "resolution_ms"), real(3'600'000));
  EXPECT_EQ(rows.at(0, "in_use_avg"), real(1.5));
  EXPECT_EQ(rows.at(0, "acquires"), integer(12));
  EXPECT_EQ(rows.at(0, "use_ms"), real(2));
  EXPECT_TRUE(is_null(rows.at(0, "wait_p99_ms")));
  EXPECT_TRUE(is_null(rows.at(0, "predicted_in_use")));
  EXPECT_TRUE(is_null(rows.at(0, "health")));
}

}  // namespace
}  // namespace tide
