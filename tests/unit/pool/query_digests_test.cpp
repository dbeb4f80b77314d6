// Which statements have a record when there are more than records, and what it says.
#include "pool/query_digests.hpp"

#include <gtest/gtest.h>

#include <map>

#include "base/rng.hpp"

namespace tide {
namespace {

class Digests : public testing::Test {
 protected:
  const format::DigestRecord* find(uint64_t fingerprint) const {
    for (const format::DigestRecord& record : records_) {
      if (record.fingerprint == fingerprint) return &record;
    }
    return nullptr;
  }
  void add(uint64_t fingerprint, int64_t took_ns, uint32_t calls = 1) {
    QuerySample sample;
    sample.fingerprint = fingerprint;
    sample.took_ns = took_ns;
    sample.calls = calls;
    digests_.add(sample, ++wall_ns_, nullptr);
  }

  std::vector<format::DigestRecord> records_ = std::vector<format::DigestRecord>(16);
  QueryDigests digests_{records_};
  int64_t wall_ns_ = 1000;
};

TEST_F(Digests, FiguresOfAllExecutions) {
  digests_.add({7, 3000, 500, 2, 100, 1, 0}, 10, nullptr);
  digests_.add({7, 9000, -1, -1, -1, 3, 1}, 20, nullptr);
  const format::DigestRecord* record = find(7);
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->calls, 4U);
  EXPECT_EQ(record->errors, 1U);
  EXPECT_EQ(record->rows, 2U);
  EXPECT_EQ(record->bytes, 100U);
  EXPECT_EQ(record->wait_ns, 500U);
  EXPECT_EQ(record->total_ns, 12000U);
  EXPECT_EQ(record->min_ns, 3000U);
  EXPECT_EQ(record->max_ns, 3000U);
  EXPECT_EQ(record->duration.count[histogram_bucket_of_us(3)], 4U);
  EXPECT_EQ(record->first_wall_ns, 10U);
  EXPECT_EQ(record->last_wall_ns, 20U);
  EXPECT_TRUE(record->query.empty());
  const std::string text = "select ?";
  digests_.add({7, 1}, 30, &text);
  EXPECT_EQ(record->query.view(), "select ?");
}

TEST_F(Digests, ANewOneReplacesTheLowest) {
  for (uint64_t i = 1; i <= 16; ++i) add(i, static_cast<int64_t>(1000 * i), 5);
  add(99, 10);
  EXPECT_EQ(find(1), nullptr);
  ASSERT_NE(find(99), nullptr);
  EXPECT_EQ(find(99)->calls, 1U) << "figures are since the entry";
  EXPECT_EQ(find(99)->total_ns, 10U);
  EXPECT_EQ(find(99)->max_ns, 10U);
  add(100, 10);
  EXPECT_EQ(find(99), nullptr) << "rank 1010 < 2000";
  add(100, 1000);
  EXPECT_EQ(find(100)->total_ns, 1010U);
  add(101, 10);
  EXPECT_NE(find(100), nullptr) << "it has inherited the rank of the one that it replaced: 2020 > 2000";
  EXPECT_EQ(find(2), nullptr);
}

// However many other statements there are, one with more than its share of the time has a record.
TEST_F(Digests, HeavyStatementsStay) {
  Rng rng(9);
  std::map<uint64_t, uint64_t> spent;
  uint64_t all = 0;
  for (int i = 0; i < 50'000; ++i) {
    const bool is_heavy = rng.below(3) == 0;
    const uint64_t fingerprint = is_heavy ? 1 + rng.below(3) : 1000 + rng.below(20'000);
    const auto took = static_cast<int64_t>(1 + rng.below(100));
    add(fingerprint, took);
    all += static_cast<uint64_t>(took);
    spent[fingerprint] += static_cast<uint64_t>(took);
  }
  for (uint64_t heavy = 1; heavy <= 3; ++heavy) {
    ASSERT_GT(spent[heavy], all / 16);
    ASSERT_NE(find(heavy), nullptr) << heavy;
    EXPECT_LE(find(heavy)->total_ns, spent[heavy]);
    EXPECT_GT(find(heavy)->total_ns, spent[heavy] * 9 / 10);
  }
}

TEST_F(Digests, Clear) {
  for (uint64_t i = 1; i <= 20; ++i) add(i, 100);
  digests_.clear();
  for (const format::DigestRecord& record : records_) {
    EXPECT_EQ(record.fingerprint, 0U);
    EXPECT_EQ(record.calls, 0U);
    EXPECT_EQ(record.seq % 2, 0U);
  }
  add(5, 100);
  EXPECT_EQ(find(5)->calls, 1U);
}

}  // namespace
}  // namespace tide
