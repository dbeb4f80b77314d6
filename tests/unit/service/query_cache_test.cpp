// The query cache without a database: bounds, admission, flights, invalidation, and what it keeps of a result.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/rng.hpp"
#include "service/cache/query_cache.hpp"
#include "unit/support/lru.hpp"

namespace tide {
namespace {

using Found = QueryCache::Found;
using Role = QueryCache::Role;
using State = CacheEntry::State;

HashedKey hashed(std::string_view key) { return {key, std::hash<std::string_view>()(key)}; }

ResultTable table_of(std::string_view text, int64_t rows = 1) {
  ResultTable table;
  table.set_columns(columns_named({"value"}));
  for (int64_t i = 0; i < rows; ++i) table.add_text(text);
  return table;
}

class TestWatch final : public ChangeWatch {
 public:
  bool read(ChangeMark& out) noexcept override {
    out = {};
    out.words[0] = commits.load();
    return is_working;
  }
  bool is_current(const ChangeMark& mark) noexcept override { return mark.words[0] == commits.load(); }
  std::atomic<uint64_t> commits{1};
  bool is_working = true;
};

class QueryCacheTest : public ::testing::Test {
 protected:
  static Policy policy(int64_t entries = 100, int64_t bytes = int64_t{1} << 20) {
    Policy policy;
    policy.query_cache = true;
    policy.query_cache_entries = entries;
    policy.query_cache_bytes = bytes;
    policy.query_cache_ttl = Span::seconds(10);
    return policy;
  }
  void SetUp() override { make(nullptr, false, policy()); }
  void make(std::shared_ptr<ChangeWatch> watch, bool has_channels, const Policy& policy) {
    cache_ = std::make_unique<QueryCache>(stripes_.data(), std::move(watch), has_channels, nullptr);
    cache_->set_policy(policy);
  }
  std::shared_ptr<CacheEntry> lead(const std::string& key, std::vector<std::string> labels = {}) {
    std::shared_ptr<CacheEntry> flight;
    ChangeMark mark;
    if (!cache_->read_mark(mark)) return nullptr;
    return join(key, mark, flight, std::move(labels)) == Role::leader ? flight : nullptr;
  }
  Role join(std::string key, const ChangeMark& mark, std::shared_ptr<CacheEntry>& out,
            std::vector<std::string> labels = {}) {
    return cache_->join(hashed(key), std::move(labels), mark, limits_, now_, out);
  }
  void land(const std::shared_ptr<CacheEntry>& flight, const ResultTable& table) {
    ASSERT_TRUE(flight->table.copy(table, size_t{1} << 30));
    cache_->land(flight, limits_.ttl);
  }
  void fill(const std::string& key, std::vector<std::string> labels = {}, const std::string& text = "x") {
    if (const auto flight = lead(key, std::move(labels))) land(flight, table_of(text));
  }
  std::shared_ptr<const FrozenTable> get(const std::string& key) {
    std::shared_ptr<const FrozenTable> found;
    return cache_->find(hashed(key), limits_, now_, found) == Found::fresh ? found : nullptr;
  }
  uint64_t counted(format::Cell format::CacheStats::*cell) const {
    uint64_t sum = 0;
    for (const format::CacheStats& stripe : stripes_) sum += stripe.*cell;
    return sum;
  }

  std::array<format::CacheStats, QueryCache::kStripes> stripes_{};
  std::unique_ptr<QueryCache> cache_;
  CacheLimits limits_{Span::seconds(10), Span()};
  Instant now_ = Instant::at_ns(Span::seconds(1000).ns());
};

// ---- results

TEST_F(QueryCacheTest, AResultIsSharedAndEqualsTheOriginal) {
  ResultTable table;
  table.set_columns(columns_named({"i", "r", "t", "b", "n", "flag"}));
  table.add_integer(-7);
  table.add_real(2.5);
  table.add_text("text");
  table.add_bytes(std::string_view("a\0b", 3));
  table.add_null();
  table.add_boolean(true);
  table.set_command("SELECT 1");
  const auto flight = lead("k");
  land(flight, table);
  ResultTable first, second;
  FrozenTable::show(get("k"), first);
  FrozenTable::show(get("k"), second);
  cache_->clear();  // what was returned remains
  for (ResultTable* shown : {&first, &second}) {
    ASSERT_EQ(shown->rows(), 1);
    ASSERT_EQ(shown->columns(), 6);
    EXPECT_STREQ(shown->name(2), "t");
    EXPECT_EQ(shown->command(), "SELECT 1");
    for (int c = 0; c < 6; ++c) {
      const SqlValue expected = table.cell(0, c), found = shown->cell(0, c);
      EXPECT_EQ(found.kind, expected.kind) << c;
      EXPECT_EQ(found.data, expected.data) << c;
      size_t length = 0, expected_length = 0;
      const char* const text = shown->text(0, c, &length);
      const char* const expected_text = table.text(0, c, &expected_length);
      ASSERT_EQ(text == nullptr, expected_text == nullptr) << c;
      if (text == nullptr) continue;
      EXPECT_EQ(std::string(text, length), std::string(expected_text, expected_length)) << c;
    }
    EXPECT_EQ(shown->cell(0, 0).integer, -7);
    EXPECT_EQ(shown->cell(0, 1).real, 2.5);
    EXPECT_EQ(shown->text(1, 0), nullptr);
  }
  EXPECT_EQ(first.text(0, 2), second.text(0, 2));  // not copied
}

// ---- time

TEST_F(QueryCacheTest, AnEntryEndsWithItsTimeAndWithTheCallersTime) {
  fill("k");
  now_ = now_ + Span::seconds(10) - Span::nanos(1);
  EXPECT_NE(get("k"), nullptr);
  limits_.ttl = Span::seconds(5);  // another caller accepts less
  EXPECT_EQ(get("k"), nullptr);
  limits_.ttl = Span::seconds(100);  // or more than it was cached for
  EXPECT_NE(get("k"), nullptr);
  now_ = now_ + Span::nanos(1);
  EXPECT_EQ(get("k"), nullptr);
}

TEST_F(QueryCacheTest, TimeCountsFromTheBeginOfTheQuery) {
  const auto flight = lead("k");
  now_ = now_ + Span::seconds(9);
  land(flight, table_of("x"));
  EXPECT_NE(get("k"), nullptr);
  now_ = now_ + Span::seconds(1);
  EXPECT_EQ(get("k"), nullptr);
}

TEST_F(QueryCacheTest, AStaleResultIsRenewedByOneCaller) {
  fill("k");
  limits_.stale = Span::seconds(5);
  now_ = now_ + Span::seconds(12);
  std::shared_ptr<const FrozenTable> found;
  EXPECT_EQ(cache_->find(hashed("k"), limits_, now_, found), Found::stale_to_renew);
  EXPECT_EQ(cache_->find(hashed("k"), limits_, now_, found), Found::stale);
  EXPECT_NE(found, nullptr);
  now_ = now_ + QueryCache::kRenewalPause;  // that renewal has failed
  EXPECT_EQ(cache_->find(hashed("k"), limits_, now_, found), Found::stale_to_renew);
  now_ = now_ + Span::seconds(2);
  EXPECT_EQ(cache_->find(hashed("k"), limits_, now_, found), Found::none);
}

// ---- bounds

TEST_F(QueryCacheTest, NeverMoreEntriesThanAllowed) {
  make(nullptr, false, policy(10));
  for (int i = 0; i < 1000; ++i) {
    fill("k" + std::to_string(i % 50));
    ASSERT_LE(cache_->entries(), 10U);
  }
  EXPECT_EQ(cache_->entries(), 10U);
  EXPECT_GT(counted(&format::CacheStats::query_cache_evictions_total), 0U);
}

TEST_F(QueryCacheTest, OneEntryIsEnough) {
  make(nullptr, false, policy(1));
  for (int i = 0; i < 100; ++i) {
    const std::string key = "k" + std::to_string(i % 3);
    fill(key);
    EXPECT_NE(get(key), nullptr);
    EXPECT_EQ(cache_->entries(), 1U);
  }
}

TEST_F(QueryCacheTest, AResultLargerThanAnEighthIsNotCached) {
  make(nullptr, false, policy(100, 64 << 10));
  const auto large = lead("large");
  land(large, table_of(std::string(8 << 10, 'x')));
  EXPECT_EQ(get("large"), nullptr);
  EXPECT_EQ(large->wait_for(Span()), State::landed);  // those who wait get it
  const auto small = lead("small");
  land(small, table_of(std::string(7 << 10, 'x')));
  EXPECT_NE(get("small"), nullptr);
  EXPECT_EQ(counted(&format::CacheStats::query_cache_refused_total), 1U);
  FrozenTable table;
  EXPECT_FALSE(table.copy(table_of(std::string(100, 'x'), 100), 5000));
  EXPECT_EQ(table.rows(), 0);
}

TEST_F(QueryCacheTest, SixteenThreadsAtTheByteLimitNeverExceedIt) {
  constexpr size_t kBytes = 256 << 10;
  constexpr int kThreads = 16;
  make(nullptr, false, policy(10'000, kBytes));
  std::atomic<bool> is_over{false};
  std::atomic<uint64_t> most{0};
  std::vector<std::thread> crew;
  for (int t = 0; t < kThreads; ++t) {
    crew.emplace_back([&, t] {
      Rng rng(static_cast<uint64_t>(t) + 1);
      for (int i = 0; i < 400; ++i) {
        const std::string key = "k" + std::to_string(rng.below(300));
        std::shared_ptr<const FrozenTable> found;
        if (cache_->find(hashed(key), limits_, now_, found) == Found::none) {
          std::shared_ptr<CacheEntry> flight;
          if (join(key, {}, flight, {label_of_tag("t" + std::to_string(t % 3))}) == Role::leader)
            land(flight, table_of(std::string(rng.below(8000), 'x')));
        }
        if (rng.below(200) == 0) cache_->clear_tag("t" + std::to_string(t % 3));
        const uint64_t bytes = stripes_[0].bytes.load();
        if (bytes > kBytes || cache_->bytes() > kBytes) is_over = true;
        if (bytes > most) most = bytes;
      }
    });
  }
  for (std::thread& thread : crew) thread.join();
  EXPECT_FALSE(is_over.load());
  EXPECT_GT(most.load(), kBytes / 2);  // it was at its limit
  cache_->clear();
  EXPECT_EQ(cache_->bytes(), 0U);
  EXPECT_EQ(cache_->entries(), 0U);
}

TEST_F(QueryCacheTest, SmallerBoundsApplyAtOnceAndOffEmptiesIt) {
  for (int i = 0; i < 100; ++i) fill("k" + std::to_string(i));
  ASSERT_EQ(cache_->entries(), 100U);
  cache_->set_policy(policy(20));
  EXPECT_EQ(cache_->entries(), 20U);
  cache_->set_policy(policy(20, 64 << 10));
  EXPECT_LE(cache_->bytes(), 64U << 10);
  Policy off = policy();
  off.query_cache = false;
  const auto flight = lead("late");
  cache_->set_policy(off);
  land(flight, table_of("x"));
  EXPECT_EQ(cache_->entries(), 0U);
  EXPECT_EQ(lead("k"), nullptr);
}

TEST_F(QueryCacheTest, AResultThatIsHeldHoldsNoOther) {
  KeyTable table;
  const auto other = std::make_shared<CacheEntry>(), held = std::make_shared<CacheEntry>();
  other->key = "other";
  held->key = "held";  // the same hash: they are neighbours
  table.add(other);
  table.add(held);
  ASSERT_EQ(held->next_in_bucket, other);
  table.clear();
  EXPECT_EQ(held->next_in_bucket, nullptr);
  EXPECT_EQ(other.use_count(), 1);
}

TEST_F(QueryCacheTest, MemoryIsGivenBack) {
  for (int i = 0; i < 50; ++i) fill("k" + std::to_string(i), {label_of_tag("t")});
  cache_->shed_memory();
  EXPECT_EQ(cache_->entries(), 0U);
  EXPECT_EQ(stripes_[0].bytes.load(), 0U);
  EXPECT_EQ(cache_->clear_tag("t"), 0U);
  fill("k1");
  EXPECT_NE(get("k1"), nullptr);
}

// ---- flights

TEST_F(QueryCacheTest, OneLeadsAndTheOthersGetItsResult) {
  const auto flight = lead("k");
  ASSERT_NE(flight, nullptr);
  std::atomic<int> got{0};
  std::vector<std::thread> crew;
  for (int i = 0; i < 8; ++i) {
    crew.emplace_back([&] {
      std::shared_ptr<CacheEntry> joined;
      const Role role = join("k", {}, joined);
      if (role == Role::late || (role == Role::follower && joined->wait_for(Span::seconds(20)) == State::landed)) ++got;
    });
  }
  land(flight, table_of("x"));
  for (std::thread& thread : crew) thread.join();
  EXPECT_EQ(got, 8);
}

TEST_F(QueryCacheTest, AfterAFailureAnotherOneLeads) {
  const auto first = lead("k");
  std::shared_ptr<CacheEntry> joined;
  ASSERT_EQ(join("k", {}, joined), Role::follower);
  cache_->end(first, State::failed);
  EXPECT_EQ(joined->wait_for(Span()), State::failed);
  EXPECT_NE(lead("k"), nullptr);
}

// ---- invalidation

TEST_F(QueryCacheTest, ByKeyByTagAndAll) {
  fill("a", {label_of_key("user:1"), label_of_tag("users")});
  fill("b", {label_of_key("user:2"), label_of_tag("users")});
  fill("c", {label_of_tag("orders")});
  EXPECT_EQ(cache_->clear("user:1", ""), 1U);
  EXPECT_EQ(get("a"), nullptr);
  EXPECT_NE(get("b"), nullptr);
  EXPECT_EQ(cache_->clear("", "users"), 1U);
  EXPECT_EQ(get("b"), nullptr);
  EXPECT_NE(get("c"), nullptr);
  EXPECT_EQ(cache_->clear("users", ""), 0U);  // a tag is no key
  EXPECT_EQ(cache_->clear("", ""), 1U);
  EXPECT_EQ(get("c"), nullptr);
  EXPECT_EQ(counted(&format::CacheStats::query_cache_invalidations_total), 3U);
}

TEST_F(QueryCacheTest, AFillThatBeganBeforeAnInvalidationIsNotKept) {
  using Invalidate = std::function<void()>;
  for (const Invalidate& invalidate :
       {Invalidate([&] { cache_->clear_key("key"); }), Invalidate([&] { cache_->clear_tag("tag"); }),
        Invalidate([&] { cache_->clear(); })}) {
    const auto flight = lead("k", {label_of_key("key"), label_of_tag("tag")});
    ASSERT_NE(flight, nullptr);
    invalidate();
    const auto second = lead("k");  // nobody joins the first one
    ASSERT_NE(second, nullptr);
    land(flight, table_of("old"));
    EXPECT_EQ(get("k"), nullptr);
    land(second, table_of("new"));
    ASSERT_NE(get("k"), nullptr);
    EXPECT_EQ(get("k")->cell(0, 0).data, "new");
    cache_->clear();
  }
  const auto flight = lead("k", {label_of_tag("other")});
  cache_->clear_tag("tag");
  land(flight, table_of("x"));
  EXPECT_NE(get("k"), nullptr);
}

TEST_F(QueryCacheTest, AChangeOfTheDataInvalidates) {
  const auto watch = std::make_shared<TestWatch>();
  make(watch, false, policy());
  fill("k");
  EXPECT_NE(get("k"), nullptr);
  ++watch->commits;
  EXPECT_EQ(get("k"), nullptr);
  EXPECT_EQ(cache_->entries(), 0U);  // removed when it was found
  const auto flight = lead("k");
  ++watch->commits;
  std::shared_ptr<CacheEntry> other;
  ChangeMark mark;
  ASSERT_TRUE(cache_->read_mark(mark));
  EXPECT_EQ(join("k", mark, other), Role::leader);  // must see the commit
  land(flight, table_of("old"));
  EXPECT_EQ(get("k"), nullptr);
  land(other, table_of("new"));
  EXPECT_NE(get("k"), nullptr);
  watch->is_working = false;
  EXPECT_EQ(lead("m"), nullptr);  // nothing is cached that cannot be watched
}

TEST_F(QueryCacheTest, NothingIsServedWhileNobodyListens) {
  Policy listening = policy();
  listening.query_cache_channel = "changes";
  make(nullptr, true, listening);
  EXPECT_EQ(lead("k"), nullptr);
  cache_->listening();
  fill("k", {label_of_key("a"), label_of_tag("t")});
  EXPECT_NE(get("k"), nullptr);
  const auto flight = lead("m");
  cache_->lost();
  EXPECT_EQ(get("k"), nullptr);
  EXPECT_EQ(lead("k"), nullptr);
  cache_->listening();
  land(flight, table_of("old"));  // began before the outage
  EXPECT_EQ(get("m"), nullptr);
  EXPECT_EQ(get("k"), nullptr);
  for (const char* payload : {"a", "tag:t", ""}) {
    fill("k", {label_of_key("a"), label_of_tag("t")});
    ASSERT_NE(get("k"), nullptr);
    cache_->notified("b");
    cache_->notified("tag:u");
    EXPECT_NE(get("k"), nullptr);
    cache_->notified(payload);
    EXPECT_EQ(get("k"), nullptr) << payload;
  }
  cache_->set_policy(listening);  // a change of another option: still listening
  fill("k");
  EXPECT_NE(get("k"), nullptr);
}

// ---- admission

TEST_F(QueryCacheTest, AScanRemovesNothingThatIsUsed) {
  const auto use_all = [&] {
    int found = 0;
    for (int i = 0; i < 20; ++i) found += get("hot" + std::to_string(i)) != nullptr ? 1 : 0;
    return found;
  };
  for (int i = 0; i < 20; ++i) fill("hot" + std::to_string(i));
  use_all();
  for (int i = 0; i < 2000; ++i) fill("scanned" + std::to_string(i));
  EXPECT_EQ(use_all(), 20);
}

TEST_F(QueryCacheTest, WhatReturnsSoonIsKeptLonger) {
  for (int i = 0; i < 100; ++i) fill("first" + std::to_string(i));
  for (int i = 0; i < 10; ++i) fill("second" + std::to_string(i));  // removes first0 to first9, which were not used
  EXPECT_EQ(get("first3"), nullptr);
  fill("first3");
  for (int i = 0; i < 95; ++i) fill("third" + std::to_string(i));
  EXPECT_NE(get("first3"), nullptr);
  EXPECT_EQ(get("second3"), nullptr);
}

// Requests with a Zipf distribution of `keys`, and a scan over other keys now and then.
std::vector<uint64_t> mixed_requests(size_t count, size_t keys, double exponent, int scan_percent, uint64_t seed) {
  std::vector<double> sums(keys);
  double sum = 0;
  for (size_t i = 0; i < keys; ++i) sums[i] = sum += 1 / std::pow(static_cast<double>(i + 1), exponent);
  Rng rng(seed);
  std::vector<uint64_t> requests;
  uint64_t scanned = keys;
  while (requests.size() < count) {
    if (static_cast<int>(rng.below(100)) < scan_percent) {
      requests.push_back(++scanned);
      continue;
    }
    const double at = static_cast<double>(rng.below(1'000'000'000)) / 1e9 * sum;
    requests.push_back(static_cast<uint64_t>(std::lower_bound(sums.begin(), sums.end(), at) - sums.begin()));
  }
  return requests;
}

TEST_F(QueryCacheTest, HitsAtLeastAsOftenAsLruOnScansAndZipf) {
  struct Mix {
    size_t entries;
    double exponent;
    int scan_percent;
  };
  for (const Mix mix : {Mix{100, 0.8, 0}, Mix{100, 1.0, 30}, Mix{300, 0.9, 50}, Mix{50, 1.1, 20}, Mix{1000, 0.7, 10}}) {
    make(nullptr, false, policy(static_cast<int64_t>(mix.entries), int64_t{64} << 20));
    test::Lru lru(mix.entries);
    size_t hits = 0, lru_hits = 0;
    const std::vector<uint64_t> requests = mixed_requests(12'000, 5000, mix.exponent, mix.scan_percent, 7);
    for (const uint64_t request : requests) {
      const std::string key = std::to_string(request);
      if (lru.use(request)) ++lru_hits;
      if (get(key) != nullptr) {
        ++hits;
      } else {
        fill(key);
      }
    }
    EXPECT_GE(hits, lru_hits) << mix.entries << " entries, exponent " << mix.exponent << ", scans " << mix.scan_percent;
    RecordProperty("hits_" + std::to_string(mix.entries), static_cast<int>(hits));
    std::printf("%zu entries, Zipf %.1f, %d%% scans: hit ratio %.3f, LRU %.3f\n", mix.entries, mix.exponent,
                mix.scan_percent, static_cast<double>(hits) / static_cast<double>(requests.size()),
                static_cast<double>(lru_hits) / static_cast<double>(requests.size()));
  }
}

}  // namespace
}  // namespace tide
