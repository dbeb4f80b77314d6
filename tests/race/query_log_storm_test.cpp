// Many threads execute statements while the keeper adds them up, observers read, and the logs are cleared: every
// statement is in a digest or counted as lost, and no record is torn.
#include <atomic>
#include <string>

#include "race/pool_rig.hpp"
#include "reading/rows.hpp"

namespace tide::race {
namespace {

constexpr uint32_t kWriters = 6;

struct Sums {
  uint64_t calls = 0, errors = 0, lost = 0;
};

Sums sums_of(const Attachment& segment) {
  Sums sums;
  for (const format::DigestRecord& digest : segment.read_digests()) {
    sums.calls += digest.calls;
    sums.errors += digest.errors;
  }
  format::CounterSums counters{};
  for (const format::SlotStats& stats : segment.read_slot_stats()) format::add_counters(counters, stats);
  sums.lost = counters[static_cast<size_t>(Counter::query_log_lost_total)];
  return sums;
}

// A consistent record: its parts were written together.
void expect_whole(const Attachment& segment) {
  for (const format::QueryRecord& record : segment.read_query_log()) {
    ASSERT_EQ(record.is_failed == 1, record.query.view() == "fail ?") << record.query.view();
    ASSERT_EQ(std::string_view(record.sqlstate), record.is_failed == 1 ? "22012" : "");
  }
  for (const format::DigestRecord& digest : segment.read_digests()) {
    uint64_t counted = 0;
    for (const format::Cell& bucket : digest.duration.count) counted += bucket;
    ASSERT_EQ(digest.calls, counted);
    ASSERT_LE(digest.errors, digest.calls);
    ASSERT_LE(digest.min_ns, digest.max_ns);
    ASSERT_LE(digest.max_ns, digest.total_ns);
  }
}

TEST(QueryLogStorm, EveryStatementIsCountedOnce) {
  constexpr uint32_t kLeases = 40, kStatements = 25;
  Policy policy = storm_policy();
  policy.max_size = 4;
  policy.slow_query_threshold = Span{};
  policy.query_log_size = 16;
  PoolRig rig(policy);
  std::atomic<bool> is_over{false};
  std::jthread observer([&] {
    while (!is_over.load()) {
      auto segment = Attachment::from_fd(rig.segment().fd());
      expect_whole(*segment);
    }
  });
  storm(kWriters, [&](uint32_t number) {
    for (uint32_t i = 0; i < kLeases; ++i) {
      LeaseId lease;
      ASSERT_EQ(rig.acquire(lease), Code::ok);
      for (uint32_t k = 0; k < kStatements; ++k) {
        if (k % 5 == 4)
          EXPECT_EQ(rig.query(lease, "fail 22012"), Code::database);
        else
          EXPECT_EQ(rig.query(lease, k % 2 == 0 ? "one" : "rows " + std::to_string(number)), Code::ok);
      }
      EXPECT_EQ(rig.release(lease), Code::ok);
    }
  });
  constexpr uint64_t kAll = uint64_t{kWriters} * kLeases * kStatements;
  auto segment = Attachment::from_fd(rig.segment().fd());
  EXPECT_TRUE(comes_true([&] {
    const Sums sums = sums_of(*segment);
    return sums.calls + sums.lost == kAll;
  })) << sums_of(*segment).calls
      << " + " << sums_of(*segment).lost << " of " << kAll;
  is_over = true;
  observer.join();
  EXPECT_EQ(segment->read_digests().size(), 3U);
  EXPECT_EQ(segment->read_query_log().size(), 16U);
  rig.close();
}

// New texts all the time, so that texts are brought, removed and brought again.
TEST(QueryLogStorm, TextsComeAndGo) {
  Policy policy = storm_policy();
  policy.max_size = 4;
  PoolRig rig(policy);
  rig.server().set_handler([](const QueryRequest&, ResultTable&) -> std::optional<Status> { return Status::ok(); });
  std::atomic<bool> is_over{false};
  std::jthread clearing([&] {
    while (!is_over.load()) {
      rig.order("clear_logs");
      linger(Span::millis(5));
    }
  });
  storm(kWriters, [&](uint32_t number) {
    for (uint32_t i = 0; i < 40; ++i) {
      LeaseId lease;
      ASSERT_EQ(rig.acquire(lease), Code::ok);
      for (uint32_t k = 0; k < 25; ++k) {
        const std::string text = "select a from t" + std::to_string(number % 2) + "_" + std::to_string(25 * i + k);
        EXPECT_EQ(rig.query(lease, text), Code::ok);
      }
      EXPECT_EQ(rig.release(lease), Code::ok);
    }
  });
  is_over = true;
  clearing.join();
  auto segment = Attachment::from_fd(rig.segment().fd());
  for (const format::DigestRecord& digest : segment->read_digests()) {
    EXPECT_TRUE(digest.query.empty() || digest.query.view().starts_with("select a from t")) << digest.query.view();
    EXPECT_LE(digest.calls, uint64_t{kWriters});
  }
  rig.close();
}

}  // namespace
}  // namespace tide::race
