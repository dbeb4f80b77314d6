// The query log of a pool, read as an observer reads it: what is recorded of statements, and what is not.
#include "pool/query_log.hpp"

#include "unit/driver/support.hpp"
#include "unit/pool/timed_pool.hpp"

namespace tide {
namespace {

using format::DigestRecord;
using format::QueryRecord;

class QueryLogTest : public test::TimedPool {
 protected:
  void open(const std::function<void(Policy&)>& change = {}, int64_t size = 1) {
    server_.set_handler([this](const QueryRequest&, ResultTable&) -> std::optional<Status> {
      clock_.pass(took_);
      return answer_;
    });
    Policy policy = of_size(size);
    policy.slow_query_threshold = Span::seconds(1);
    if (change) change(policy);
    TimedPool::open(policy);
  }
  Status run(LeaseId lease, std::string_view sql, Span took = Span{}) {
    took_ = took;
    return query(lease, sql);
  }
  std::vector<QueryRecord> log() { return seen().read_query_log(); }
  std::vector<DigestRecord> digests() {
    pool_->keeper().step();
    return seen().read_digests();
  }
  // The digest of the statements with this normal form; calls 0: there is none.
  DigestRecord digest(std::string_view form) {
    for (const DigestRecord& each : digests()) {
      if (each.query.view() == form) return each;
    }
    return {};
  }
  uint64_t lost() {
    format::CounterSums sums{};
    for (const format::SlotStats& stats : seen().read_slot_stats()) format::add_counters(sums, stats);
    return sums[static_cast<size_t>(Counter::query_log_lost_total)];
  }
  template <typename Work>
  auto visiting(LeaseId lease, Work&& work) {
    const Visit visit(Presence::key_of_slot(kKey, lease.slot()));
    return work(*pool_);
  }
  size_t events(EventKind kind) {
    const auto journal = seen().read_journal();
    return static_cast<size_t>(std::count_if(journal.begin(), journal.end(), [&](const format::JournalRecord& record) {
      return record.kind == static_cast<uint32_t>(kind);
    }));
  }

  Span took_;
  std::optional<Status> answer_;
};

TEST_F(QueryLogTest, StatementsAreAddedUpByFingerprint) {
  open();
  const LeaseId lease = acquire();
  EXPECT_OK(run(lease, "rows 3", Span::millis(10)));
  EXPECT_OK(run(lease, "rows  4", Span::millis(30)));
  EXPECT_FALSE(run(lease, "ROWS  0", Span::millis(20)).is_ok()) << "no word of this server";
  const DigestRecord rows = digest("rows ?");
  EXPECT_EQ(rows.calls, 3U);
  EXPECT_EQ(rows.errors, 1U);
  EXPECT_EQ(rows.rows, 7U);
  EXPECT_EQ(rows.bytes, 7 * sizeof(int64_t));
  EXPECT_EQ(rows.total_ns, 60'000'000U);
  EXPECT_EQ(rows.min_ns, 10'000'000U);
  EXPECT_EQ(rows.max_ns, 30'000'000U);
  EXPECT_EQ(rows.last_wall_ns - rows.first_wall_ns, 50'000'000U);
  EXPECT_EQ(rows.last_wall_ns, static_cast<uint64_t>(clock_.wall_ns()));
  EXPECT_EQ(rows.duration.count[histogram_bucket_of_us(30'000)], 1U);
  EXPECT_EQ(digests().size(), 1U);
  release(lease);
}

TEST_F(QueryLogTest, SlowAndFailedStatementsAreShownAtOnce) {
  open();
  const LeaseId lease = acquire();
  EXPECT_OK(run(lease, "rows 2", Span::millis(1500)));
  EXPECT_OK(run(lease, "rows 2", Span::millis(999)));
  EXPECT_FALSE(run(lease, "fail 22P02").is_ok());
  const auto records = log();  // without a step of the keeper
  ASSERT_EQ(records.size(), 2U);
  const QueryRecord &slow = records[0], &failed = records[1];
  EXPECT_EQ(slow.is_slow, 1U);
  EXPECT_EQ(slow.is_failed, 0U);
  EXPECT_EQ(slow.query.view(), "rows ?");
  EXPECT_EQ(slow.tag.view(), "timed");
  EXPECT_EQ(slow.duration_ns, 1'500'000'000);
  EXPECT_EQ(slow.rows, 2);
  EXPECT_EQ(slow.bytes, 16);
  EXPECT_EQ(slow.wait_ns, 0) << "the first statement of a lease that did not wait";
  EXPECT_EQ(slow.conn_id, seen().read_slots()[0].conn_id);
  EXPECT_EQ(slow.fingerprint, digest("rows ?").fingerprint);
  EXPECT_EQ(std::string_view(slow.sqlstate), "");
  EXPECT_EQ(failed.is_slow, 0U);
  EXPECT_EQ(failed.is_failed, 1U);
  EXPECT_EQ(failed.query.view(), "fail ?");
  EXPECT_EQ(std::string_view(failed.sqlstate), "22P02");
  EXPECT_EQ(failed.message.view(), "failed as requested");
  EXPECT_EQ(failed.rows, -1);
  EXPECT_EQ(failed.wait_ns, -1) << "not the first one";
  EXPECT_EQ(failed.at_wall_ns, clock_.wall_ns());
  release(lease);
}

TEST_F(QueryLogTest, NoValueOfAMessage) {
  open();
  const LeaseId lease = acquire();
  answer_ = Status::error(Code::database, "invalid input syntax for type integer: \"secret\"");
  answer_->text().sqlstate = "22P02";
  EXPECT_FALSE(run(lease, "select cast('secret' as int) /* trace 17 */").is_ok());
  answer_.reset();
  ASSERT_EQ(log().size(), 1U);
  EXPECT_EQ(log()[0].message.view(), "invalid input syntax for type integer: ?");
  EXPECT_EQ(log()[0].query.view(), "select cast(? as int)");
  release(lease);
}

TEST_F(QueryLogTest, WaitOfTheLeaseBelongsToItsFirstStatement) {
  open([](Policy& policy) { policy.slow_query_threshold = Span{}; });
  const LeaseId first = acquire();
  LeaseId second;
  {
    const Visit visit(Presence::key_of_pool(kKey));
    EXPECT_EQ(pool_->acquire_async({"later", LeaseMode::read_write, Span::seconds(60)},
                                   [&](Code, LeaseId lease, const Status&) { second = lease; }),
              Code::ok);
  }
  pass(Span::millis(30));
  release(first);
  ASSERT_FALSE(second.is_none());
  EXPECT_OK(run(second, "one"));
  EXPECT_OK(run(second, "rows 1"));
  ASSERT_EQ(log().size(), 2U);
  EXPECT_EQ(log()[0].wait_ns, 30'000'000);
  EXPECT_EQ(log()[1].wait_ns, -1);
  EXPECT_EQ(digest("one").wait_ns, 30'000'000U);
  EXPECT_EQ(digest("rows ?").wait_ns, 0U);
  release(second);
}

TEST_F(QueryLogTest, WhatDoesNotFitIsCountedAsLost) {
  open();
  const LeaseId lease = acquire();
  for (int i = 0; i < 600; ++i) EXPECT_OK(run(lease, "one"));  // the keeper does nothing meanwhile
  const uint64_t missing = lost();
  EXPECT_GT(missing, 0U);
  EXPECT_EQ(digest("one").calls + missing, 600U);
  EXPECT_OK(run(lease, "one"));
  EXPECT_EQ(digest("one").calls + missing, 601U);
  EXPECT_EQ(lost(), missing);
  release(lease);
}

TEST_F(QueryLogTest, RepeatedStatementsOfOneLease) {
  open();
  for (const int calls : {100, 99, 250}) {
    const LeaseId lease = acquire();
    for (int i = 0; i < calls; ++i) {
      for (int other = 0; other < 3; ++other) EXPECT_OK(run(lease, "rows " + std::to_string(i)));
      EXPECT_OK(run(lease, "one"));  // alternating statements are told apart
      if (i % 50 == 0) pool_->keeper().step();
    }
    release(lease);
    pool_->keeper().step();
  }
  EXPECT_EQ(digest("one").repeats_max, 250U);
  EXPECT_EQ(digest("one").repeated_leases, 2U) << "100 and 250 calls";
  EXPECT_EQ(digest("rows ?").repeats_max, 750U);
  EXPECT_EQ(digest("rows ?").repeated_leases, 3U);
}

TEST_F(QueryLogTest, ManyLeasesWithOneCallEachAreNoRepetition) {
  open();
  for (int i = 0; i < 200; ++i) {
    const LeaseId lease = acquire();
    EXPECT_OK(run(lease, "one"));
    release(lease);
    if (i % 50 == 0) pool_->keeper().step();
  }
  EXPECT_EQ(digest("one").calls, 200U);
  EXPECT_EQ(digest("one").repeats_max, 1U);
  EXPECT_EQ(digest("one").repeated_leases, 0U);
}

TEST_F(QueryLogTest, BatchIsNoRepetition) {
  open();
  const LeaseId lease = acquire();
  const std::vector<QueryRequest> requests(150, {"one", {}, Instant::never()});
  EXPECT_OK(visiting(lease, [&](Pool& pool) {
    std::vector<ResultTable> results;
    size_t failed_at = 0;
    return pool.batch(lease, requests, Instant::never(), results, failed_at);
  }));
  EXPECT_EQ(digest("one").calls, 150U);
  EXPECT_EQ(digest("one").repeats_max, 0U);
  EXPECT_EQ(digest("one").repeated_leases, 0U);
  release(lease);
}

TEST_F(QueryLogTest, ClearLogs) {
  open([](Policy& policy) { policy.slow_query_threshold = Span{}; });
  const LeaseId lease = acquire();
  EXPECT_OK(run(lease, "one"));
  EXPECT_FALSE(run(lease, "fail 22P02").is_ok());
  EXPECT_EQ(digests().size(), 2U);
  EXPECT_OK(run(lease, "one"));
  order("clear_logs");
  EXPECT_TRUE(log().empty());
  EXPECT_TRUE(digests().empty()) << "also what was recorded since the last step";
  EXPECT_EQ(events(EventKind::logs_cleared), 1U);
  EXPECT_OK(run(lease, "one"));
  EXPECT_EQ(digest("one").calls, 1U);
  ASSERT_EQ(log().size(), 1U);
  EXPECT_EQ(log()[0].stamp, 4U) << "the numbers continue";
  release(lease);
}

TEST_F(QueryLogTest, ResetStatsLeavesTheLogs) {
  open([](Policy& policy) { policy.slow_query_threshold = Span{}; });
  const LeaseId lease = acquire();
  EXPECT_OK(run(lease, "one"));
  order("reset_stats");
  EXPECT_EQ(log().size(), 1U);
  EXPECT_EQ(digest("one").calls, 1U);
  release(lease);
}

TEST_F(QueryLogTest, NothingIsRecordedWithoutALog) {
  open([](Policy& policy) {
    policy.query_log_size = 0;
    policy.slow_query_threshold = Span{};
  });
  const LeaseId lease = acquire();
  for (int i = 0; i < 600; ++i) EXPECT_OK(run(lease, "one"));
  EXPECT_TRUE(log().empty());
  EXPECT_TRUE(digests().empty());
  EXPECT_EQ(lost(), 0U);
  order("clear_logs");
  release(lease);
}

TEST_F(QueryLogTest, StatementsOfABatchShareItsDuration) {
  open([](Policy& policy) { policy.slow_query_threshold = Span::millis(100); });
  const LeaseId lease = acquire();
  const auto batch = [&](std::initializer_list<std::string_view> texts) {
    std::vector<QueryRequest> requests;
    for (const std::string_view sql : texts) requests.push_back({sql, {}});
    std::vector<ResultTable> results;
    size_t failed_at = 0;
    return visiting(lease,
                    [&](Pool& pool) { return pool.batch(lease, requests, Instant::never(), results, failed_at); });
  };
  took_ = Span::millis(40);
  EXPECT_OK(batch({"add a 1", "add a 1", "add b 2"}));
  DigestRecord add = digest("add a ?");
  EXPECT_EQ(add.calls, 2U);
  EXPECT_EQ(add.min_ns, add.max_ns);
  EXPECT_EQ(add.total_ns, 2 * digest("add b ?").total_ns);
  ASSERT_EQ(log().size(), 1U) << "one record for the batch";
  EXPECT_EQ(log()[0].query.view(), "add a ?");
  EXPECT_EQ(log()[0].message.view(), "batch of 3 statements; the duration is that of all");
  EXPECT_EQ(log()[0].duration_ns, 120'000'000);

  EXPECT_FALSE(batch({"add a 1", "fail 22012", "add b 2"}).is_ok());
  EXPECT_EQ(digest("fail ?").errors, 1U);
  EXPECT_EQ(digest("add a ?").calls, 3U);
  EXPECT_EQ(digest("add a ?").errors, 0U);
  EXPECT_EQ(digest("add b ?").calls, 1U) << "was not executed";
  ASSERT_EQ(log().size(), 2U);
  EXPECT_EQ(log()[1].query.view(), "fail ?");
  release(lease);
}

TEST_F(QueryLogTest, RowsReadInPagesAreOneRecord) {
  open();
  const LeaseId lease = acquire();
  ResultTable page;
  const auto read = [&](int pages_max) {
    EXPECT_OK(visiting(lease, [&](Pool& pool) { return pool.open_rows(lease, {"rows 5000", {}}, page); }));
    int64_t rows = page.rows();
    for (int i = 1; i < pages_max && !page.is_last_page(); ++i) {
      EXPECT_OK(visiting(lease, [&](Pool& pool) { return pool.fetch_rows(lease, page); }));
      rows += page.rows();
    }
    return rows;
  };
  EXPECT_EQ(read(1'000'000), 5000);
  EXPECT_EQ(digest("rows ?").calls, 1U);
  EXPECT_EQ(digest("rows ?").rows, 5000U);
  const int64_t beginning = read(2);
  EXPECT_EQ(digest("rows ?").calls, 1U) << "it is not finished";
  visiting(lease, [&](Pool& pool) { pool.close_rows(lease); });
  EXPECT_EQ(digest("rows ?").calls, 2U);
  EXPECT_EQ(digest("rows ?").rows, static_cast<uint64_t>(5000 + beginning));
  read(1);
  release(lease);
  EXPECT_EQ(digest("rows ?").calls, 3U) << "the end of the lease ends it";
}

TEST_F(QueryLogTest, StreamsHaveRows) {
  struct Sink final : RowSink {
    bool take(const ResultTable& page) override { return (rows += page.rows()) < 100'000; }
    int64_t rows = 0;
  } sink;
  open([](Policy& policy) { policy.slow_query_threshold = Span{}; });
  const LeaseId lease = acquire();
  ResultTable out;
  EXPECT_OK(visiting(lease, [&](Pool& pool) { return pool.stream(lease, {"rows 5000", {}}, sink, out); }));
  EXPECT_EQ(sink.rows, 5000);
  EXPECT_EQ(digest("rows ?").rows, 5000U);
  ASSERT_EQ(log().size(), 1U);
  EXPECT_EQ(log()[0].rows, 5000);
  release(lease);
}

// More statements than there is room for: the one that takes most of the time stays, with its text.
TEST_F(QueryLogTest, TextsOfManyStatements) {
  open();
  const LeaseId lease = acquire();
  for (int i = 0; i < 3000; ++i) {
    answer_ = Status::ok();
    EXPECT_OK(run(lease, "select a from t" + std::to_string(i), Span::micros(10)));
    EXPECT_OK(run(lease, "select b from t", Span::micros(50)));
    if (i % 100 == 0) pool_->keeper().step();
  }
  const DigestRecord often = digest("select b from t");
  EXPECT_EQ(often.calls, 3000U);
  const auto all = digests();
  EXPECT_EQ(all.size(), 256U);
  const auto without_text =
      std::count_if(all.begin(), all.end(), [](const DigestRecord& each) { return each.query.empty(); });
  EXPECT_EQ(without_text, 0);
  EXPECT_EQ(lost(), 0U);
  release(lease);
}

}  // namespace
}  // namespace tide
