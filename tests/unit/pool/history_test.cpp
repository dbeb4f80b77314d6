// What the history records adds up to the counters, for the true time, and under times of its own.
#include <algorithm>
#include <cmath>
#include <set>

#include "base/rng.hpp"
#include "unit/pool/timed_pool.hpp"

namespace tide {
namespace {

constexpr int64_t kOneSecondNs = 1'000'000'000;
constexpr int64_t kOneMinuteNs = 60 * kOneSecondNs;

class PoolHistory : public test::TimedPool {
 protected:
  std::vector<format::HistoryRecord> rows(int64_t resolution_ms) { return seen().read_history(resolution_ms); }
  void close() {
    pool_->keeper().begin_close(clock_.now());
    for (int i = 0; i < 1000 && !pool_->keeper().is_closed(); ++i) pass(Span::millis(1));
    ASSERT_TRUE(pool_->keeper().is_closed());
  }
  format::CounterSums counted() {
    Segment& segment = pool_->segment();
    format::CounterSums sums{};
    format::add_counters(sums, segment.queue());
    format::add_counters(sums, segment.totals());
    for (uint32_t i = 0; i < read(segment.vitals().slots_used); ++i) {
      format::add_counters(sums, segment.slots()[i]);
      format::add_counters(sums, segment.slot_stats()[i]);
    }
    return sums;
  }
  // Leases, statements that succeed, fail and return something, callers that wait and that give up.
  void some_work(Rng& dice) {
    std::vector<LeaseId> held;
    for (uint64_t n = dice.below(3); n > 0; --n) {
      const Visit visit(Presence::key_of_pool(kKey));
      LeaseId lease;
      if (pool_->acquire({"timed", LeaseMode::read_write, Span{}}, lease) == Code::ok) held.push_back(lease);
    }
    for (const LeaseId lease : held) (void)query(lease, dice.below(5) == 0 ? "nonsense" : "one");
    if (held.size() == 2) {
      const Visit visit(Presence::key_of_pool(kKey));
      LeaseId none;
      EXPECT_EQ(pool_->acquire({"timed", LeaseMode::read_write, Span{}}, none), Code::timeout);
      std::vector<LeaseId> late;
      (void)pool_->acquire_async({"late", LeaseMode::read_write, Span::seconds(60)},
                                 [&](Code, LeaseId lease, const Status&) { late.push_back(lease); });
      clock_.pass(Span::millis(30));
      release(held.back());
      held.pop_back();
      held.insert(held.end(), late.begin(), late.end());
    }
    release(held);
  }
};

// The members of a record that are differences of a counter.
struct Counted {
  const char* name;
  Counter counter;
  uint64_t format::HistoryRecord::*count = nullptr;
  double format::HistoryRecord::*ms = nullptr;
};
const Counted kCounted[] = {
    {"acquires", Counter::acquires_total, &format::HistoryRecord::acquires},
    {"timeouts", Counter::timeouts_total, &format::HistoryRecord::timeouts},
    {"queries", Counter::queries_total, &format::HistoryRecord::queries},
    {"query_errors", Counter::query_errors_total, &format::HistoryRecord::query_errors},
    {"faults", Counter::faults_total, &format::HistoryRecord::faults},
    {"connects", Counter::connects_total, &format::HistoryRecord::connects},
    {"connect_failures", Counter::connect_failures_total, &format::HistoryRecord::connect_failures},
    {"result_bytes", Counter::result_bytes_total, &format::HistoryRecord::result_bytes},
    {"waited", Counter::waited_total, &format::HistoryRecord::waited},
    {"use_ms", Counter::use_ns_total, nullptr, &format::HistoryRecord::use_ms},
    {"query_ms", Counter::query_ns_total, nullptr, &format::HistoryRecord::query_ms},
    {"wait_ms", Counter::wait_ns_total, nullptr, &format::HistoryRecord::wait_ms},
};

// What is known of the counters after each step.
struct Moment {
  int64_t wall_ns;
  format::CounterSums sums;
};

void expect_sums(const std::vector<format::HistoryRecord>& rows, const format::CounterSums& from,
                 const format::CounterSums& to, int64_t resolution_ms) {
  for (const Counted& what : kCounted) {
    const auto place = static_cast<size_t>(what.counter);
    const auto expected = static_cast<double>(to[place] - from[place]);
    double sum = 0;
    for (const format::HistoryRecord& row : rows) {
      sum += what.count != nullptr ? static_cast<double>(row.*what.count) : row.*what.ms * 1e6;
    }
    if (what.count != nullptr) {
      EXPECT_EQ(sum, expected) << what.name << " of the rows of " << resolution_ms << " ms";
    } else {
      EXPECT_NEAR(sum, expected, 1000) << what.name << " of the rows of " << resolution_ms << " ms";
    }
  }
}

TEST_F(PoolHistory, RowsOfADayAddUpToTheCounters) {
  Policy policy = of_size(2);
  policy.query_log_size = 0;
  open(policy);
  server_.set_handler([&](const QueryRequest& request, ResultTable& out) -> std::optional<Status> {
    clock_.pass(Span::millis(2));
    if (request.sql == "nonsense") return Status::error(Code::database, "no such table");
    out.add_text("abc");
    return Status::ok();
  });
  Rng dice(24);
  std::vector<Moment> moments{{clock_.wall_ns(), {}}};
  for (int i = 0; i < 24 * 3600; ++i) {
    if (i % 8 == 0) some_work(dice);
    pass(Span::seconds(1));
    moments.push_back({clock_.wall_ns(), counted()});
  }
  ASSERT_GT(counted()[static_cast<size_t>(Counter::result_bytes_total)], 0U);
  close();
  const format::CounterSums end = counted();
  // The counters when the interval of a record had just ended.
  const auto after = [&](const format::HistoryRecord& row) {
    const auto ended = [&](const Moment& moment) { return moment.wall_ns >= row.at_wall_ns; };
    return std::find_if(moments.begin(), moments.end() - 1, ended)->sums;
  };
  const auto seconds = rows(1000), minutes = rows(60'000), hours = rows(3'600'000);
  ASSERT_EQ(seconds.size(), 3600U);
  ASSERT_EQ(minutes.size(), 1440U);
  ASSERT_EQ(hours.size(), 25U) << "the first and the last one are not whole";
  expect_sums({seconds.begin() + 1, seconds.end()}, after(seconds.front()), end, 1000);
  expect_sums({minutes.begin() + 1, minutes.end()}, after(minutes.front()), end, 60'000);
  expect_sums(hours, {}, end, 3'600'000);
}

TEST_F(PoolHistory, MinutesAndHoursEndWithTheClock) {
  clock_.pass(Span::millis(300));  // no step is at a full second
  open(of_size(1));
  for (int i = 0; i < 2 * 3600; ++i) pass(Span::seconds(1));
  const auto minutes = rows(60'000), hours = rows(3'600'000);
  ASSERT_GE(minutes.size(), 119U);
  for (const format::HistoryRecord& row : minutes) EXPECT_EQ(row.at_wall_ns % kOneMinuteNs, 0);
  for (size_t i = 1; i < minutes.size(); ++i) EXPECT_EQ(minutes[i].covers_ms, 60'000U);
  EXPECT_LT(minutes.front().covers_ms, 60'000U) << "the pool was opened within it";
  ASSERT_EQ(hours.size(), 2U);
  for (const format::HistoryRecord& row : hours) EXPECT_EQ(row.at_wall_ns % (60 * kOneMinuteNs), 0);
  EXPECT_EQ(hours.back().covers_ms, 3'600'000U);
}

TEST_F(PoolHistory, LateKeeperCoversTheTrueTime) {
  open(of_size(2));
  pass(Span::seconds(1));
  const LeaseId lease = acquire();
  pass(Span::seconds(7));
  EXPECT_EQ(last_second().covers_ms, 7000U);
  EXPECT_NEAR(last_second().in_use_avg, 1, 1e-6);
  release(lease);
  pass(Span::seconds(1));
  EXPECT_EQ(last_second().covers_ms, 1000U);
}

// The host was suspended: the wall clock is ahead, and nothing was measured.
TEST_F(PoolHistory, SuspendedHostIsNotMeasured) {
  open(of_size(2));
  const LeaseId lease = acquire();
  for (int i = 0; i < 90; ++i) pass(Span::seconds(1));
  clock_.set_wall_ahead(Span::seconds(3 * 3600));
  for (int i = 0; i < 90; ++i) pass(Span::seconds(1));
  int64_t covered_ms = 0;
  for (const format::HistoryRecord& row : rows(60'000)) {
    covered_ms += row.covers_ms;
    EXPECT_LE(row.in_use_avg, 1.001);
  }
  EXPECT_GE(covered_ms, 120'000);
  EXPECT_LE(covered_ms, 182'000);
  release(lease);
}

TEST_F(PoolHistory, TimesAreUniqueWhateverTheClockDoes) {
  open(of_size(1));
  Rng dice(5);
  std::set<std::pair<int64_t, int64_t>> times;
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 130; ++i) pass(Span::seconds(1));
    clock_.set_wall_ahead(Span::seconds(round % 3 == 2 ? 400 : -static_cast<int64_t>(dice.below(300))));
  }
  size_t n = 0;
  for (const int64_t resolution_ms : kResolutionsMs) {
    for (const format::HistoryRecord& row : rows(resolution_ms)) {
      ++n;
      times.insert({resolution_ms, row.at_wall_ns / 1000});  // as SQL has them
    }
  }
  EXPECT_EQ(times.size(), n);
  EXPECT_GE(n, 2600U);
}

// Against a log of every duration.
TEST_F(PoolHistory, PercentilesAreWithinABucketOfTheExactOnes) {
  open(of_size(1));
  Rng dice(99);
  std::vector<double> log;
  server_.set_handler([&](const QueryRequest&, ResultTable&) -> std::optional<Status> {
    const int64_t us = 50 + static_cast<int64_t>(std::exp2(static_cast<double>(dice.below(1000)) / 80));
    clock_.pass(Span::micros(us));
    log.push_back(static_cast<double>(us) / 1e3);
    return Status::ok();
  });
  while (clock_.wall_ns() % kOneMinuteNs > kOneSecondNs) pass(Span::millis(500));
  pass(Span::seconds(1));
  const size_t before = rows(60'000).size();
  log.clear();
  while (rows(60'000).size() == before) {
    const Visit visit(Presence::key_of_pool(kKey));
    LeaseId lease;  // none while the keeper checks the connection
    if (pool_->acquire({"timed", LeaseMode::read_write, Span{}}, lease) == Code::ok) {
      for (int i = 0; i < 20; ++i) EXPECT_TRUE(query(lease, "one").is_ok());
      release(lease);
    }
    pass(Span::millis(800));
  }
  std::sort(log.begin(), log.end());
  const double exact = log[static_cast<size_t>(static_cast<double>(log.size()) * 0.99)];
  const double shown = rows(60'000).back().query_p99_ms;
  EXPECT_GE(shown, exact / 1.5);
  EXPECT_LE(shown, exact * 1.5);
}

}  // namespace
}  // namespace tide
