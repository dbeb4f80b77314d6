// The effect of the options of the query log.
#include "unit/pool/options_support.hpp"

namespace tide::test {
namespace {

// Durations of the statements that are in the log, in milliseconds, after some of 1, 10 and 100 ms.
std::vector<int64_t> logged(Pool& pool, fake::FakeServer& server, ManualClock& clock, LeaseId lease) {
  for (const int64_t ms : {1, 10, 100, 100}) {
    server.set_handler([&clock, ms](const QueryRequest&, ResultTable&) -> std::optional<Status> {
      clock.advance(Span::millis(ms));
      return Status::ok();
    });
    const Visit visit(Presence::key_of_slot(pool.key(), lease.slot()));
    ResultTable table;
    EXPECT_TRUE(pool.query(lease, {"select 1", {}}, table).is_ok());
  }
  std::vector<int64_t> out;
  for (const format::QueryRecord& record : Attachment::from_fd(pool.segment().fd())->read_query_log())
    out.push_back(record.duration_ns / 1'000'000);
  return out;
}

TEST_F(OptionEffect, slow_query_threshold) {
  const auto look = [&] {
    ask(Span{});
    return logged(*pool_, *server_, clock_, leases_.at(0));
  };
  using Durations = std::vector<int64_t>;
  EXPECT_EQ(with("0", "", look), (Durations{1, 10, 100, 100}));
  EXPECT_EQ(with("10ms", "", look), (Durations{10, 100, 100}));
  EXPECT_EQ(with("1s", "", look), Durations{});
}

TEST_F(OptionEffect, query_log_size) {
  const auto look = [&] {
    ask(Span{});
    return logged(*pool_, *server_, clock_, leases_.at(0));
  };
  using Durations = std::vector<int64_t>;
  EXPECT_EQ(with("0", "slow_query_threshold=0", look), Durations{});
  EXPECT_EQ(with("3", "slow_query_threshold=0", look), (Durations{10, 100, 100}));
  EXPECT_EQ(with("16", "slow_query_threshold=0", look), (Durations{1, 10, 100, 100}));
}

}  // namespace
}  // namespace tide::test
