#include "statement/statement_cache.hpp"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <set>

#include "base/rng.hpp"
#include "unit/support/rounds.hpp"

namespace tide {
namespace {

using Cache = StatementCache<std::unique_ptr<int>>;

// A driver that prepares what the cache tells it to.
class StatementCacheTest : public testing::Test {
 public:
  // Executes a text; true: it was prepared before.
  bool run(std::string_view sql, std::string_view types = "", Placeholders style = Placeholders::numbered,
           const std::vector<std::string_view>& names = {}) {
    Result<Cache::Entry*> used = cache_.use(sql, style, names, types);
    EXPECT_TRUE(used) << used.status().message();
    if (!used) return false;
    Cache::Entry& entry = **used;
    const bool was_prepared = entry.kept != nullptr;
    if (cache_.is_worth_preparing(entry)) {
      entry.kept = std::make_unique<int>(++prepares_);
      entry.bytes = 100;
      cache_.note_prepared(entry);
    }
    cache_.note_execution(was_prepared);
    return was_prepared;
  }
  Cache::Entry& entry(std::string_view sql) { return **cache_.use(sql, Placeholders::numbered, {}, ""); }
  bool run_until_prepared(std::string_view sql) {
    run(sql);
    run(sql);
    return run(sql);
  }

 protected:
  Cache cache_{Dialect::postgresql, 3};
  int prepares_ = 0;
};

TEST_F(StatementCacheTest, AStatementIsPreparedAtItsSecondUse) {
  EXPECT_FALSE(run("select 1"));
  EXPECT_EQ(prepares_, 0);
  EXPECT_FALSE(run("select 1"));
  EXPECT_EQ(prepares_, 1);
  EXPECT_TRUE(run("select 1"));
  EXPECT_EQ(prepares_, 1);
  EXPECT_EQ(cache_.counts().hits_total, 1u);
  EXPECT_EQ(cache_.counts().misses_total, 2u);
  EXPECT_EQ(cache_.counts().held, 1u);
  EXPECT_GT(cache_.counts().bytes, 100u);
}

TEST_F(StatementCacheTest, CommentsDoNotMakeAnotherStatement) {
  run("select 1 /* trace 1 */");
  run("/* trace 2 */ select 1");
  EXPECT_TRUE(run("select 1 -- trace 3"));
  EXPECT_EQ(prepares_, 1);
}

TEST_F(StatementCacheTest, TypesStylesAndNamesMakeAnotherStatement) {
  run_until_prepared("select $1");
  EXPECT_FALSE(run("select $1", "i"));
  EXPECT_FALSE(run("select $1", "i"));
  EXPECT_TRUE(run("select $1", "i"));
  EXPECT_TRUE(run("select $1"));
  EXPECT_FALSE(run("select $1", "", Placeholders::native));
  EXPECT_FALSE(run("select :a, :b", "", Placeholders::named, {"a", "b"}));
  run("select :a, :b", "", Placeholders::named, {"a", "b"});
  EXPECT_FALSE(run("select :a, :b", "", Placeholders::named, {"b", "a"}));
  EXPECT_TRUE(run("select :a, :b", "", Placeholders::named, {"a", "b"}));
}

TEST_F(StatementCacheTest, TheLeastRecentlyUsedIsEvicted) {
  for (const char* sql : {"select 1", "select 2", "select 3"}) run_until_prepared(sql);
  EXPECT_TRUE(run("select 1"));
  run("select 4");
  run("select 4");
  std::vector<std::unique_ptr<int>> evicted = cache_.take_evicted();
  ASSERT_EQ(evicted.size(), 1u);
  EXPECT_EQ(*evicted[0], 2);  // the second one that was prepared
  EXPECT_EQ(cache_.counts().evictions_total, 1u);
  EXPECT_EQ(cache_.counts().held, 3u);
  EXPECT_TRUE(run("select 1"));
  EXPECT_FALSE(run("select 2"));
  EXPECT_TRUE(cache_.take_evicted().empty());
}

TEST_F(StatementCacheTest, AFloodOfOtherTextsEvictsNoPreparedStatement) {
  for (const char* sql : {"select 1", "select 2", "select 3"}) run_until_prepared(sql);
  for (int i = 100; i < 1'000; ++i) run("select " + std::to_string(i));
  EXPECT_EQ(prepares_, 3);
  for (const char* sql : {"select 1", "select 2", "select 3"}) EXPECT_TRUE(run(sql)) << sql;
}

TEST_F(StatementCacheTest, ADroppedStatementIsPreparedAgainAtItsNextUse) {
  run_until_prepared("select 1");
  cache_.drop(entry("select 1"));
  EXPECT_EQ(cache_.counts().held, 0u);
  EXPECT_EQ(cache_.counts().bytes, 0u);
  EXPECT_TRUE(cache_.take_evicted().empty());
  EXPECT_FALSE(run("select 1"));
  EXPECT_TRUE(run("select 1"));
  EXPECT_EQ(cache_.counts().held, 1u);
}

TEST_F(StatementCacheTest, AfterAResetNothingIsClosed) {
  for (const char* sql : {"select 1", "select 2", "select 3", "select 4"}) run_until_prepared(sql);
  cache_.drop_all();
  EXPECT_TRUE(cache_.take_evicted().empty());
  EXPECT_EQ(cache_.counts().held, 0u);
  EXPECT_FALSE(run("select 4"));
  EXPECT_TRUE(run("select 4"));
}

TEST_F(StatementCacheTest, SuspectStatementsAreClosedAndPreparedAgain) {
  for (const char* sql : {"select 1", "select 2"}) run_until_prepared(sql);
  cache_.evict_all();
  EXPECT_EQ(cache_.take_evicted().size(), 2u);
  EXPECT_EQ(cache_.counts().held, 0u);
  EXPECT_EQ(cache_.counts().evictions_total, 0u);  // not because of others
  EXPECT_FALSE(run("select 1"));
  EXPECT_TRUE(run("select 1"));
}

TEST_F(StatementCacheTest, OffPreparesNothing) {
  for (const char* sql : {"select 1", "select 2", "select 3"}) run_until_prepared(sql);
  cache_.set_size_max(0);
  EXPECT_EQ(cache_.take_evicted().size(), 3u);
  EXPECT_FALSE(run_until_prepared("select 1"));
  EXPECT_EQ(cache_.counts().held, 0u);
  cache_.set_size_max(1);
  EXPECT_TRUE(run_until_prepared("select 1"));
  EXPECT_TRUE(run_until_prepared("select 2"));
  EXPECT_EQ(cache_.take_evicted().size(), 1u);
}

TEST_F(StatementCacheTest, LongTextsTakeABoundedAmountOfMemory) {
  Cache cache(Dialect::postgresql, 10'000);
  for (int i = 0; i < 100; ++i) {
    const std::string sql = "select '" + std::string(200'000, 'a') + "', " + std::to_string(i);
    for (int use = 0; use < 2; ++use) {
      Cache::Entry& entry = **cache.use(sql, Placeholders::numbered, {}, "");
      if (!cache.is_worth_preparing(entry)) continue;
      entry.kept = std::make_unique<int>(i);
      cache.note_prepared(entry);
    }
    EXPECT_LE(cache.counts().bytes, Cache::kListBytesMax);
  }
  EXPECT_GT(cache.counts().held, 5u);
  EXPECT_LT(cache.counts().held, 30u);
  EXPECT_EQ(cache.take_evicted().size() + cache.counts().held, 100u);
  const std::string huge = "select '" + std::string(Cache::kTextBytesMax, 'a') + "'";
  for (int use = 0; use < 3; ++use) {
    EXPECT_FALSE(cache.is_worth_preparing(**cache.use(huge, Placeholders::numbered, {}, "")));
  }
}

TEST_F(StatementCacheTest, ARefusedTextIsNotKept) {
  for (int use = 0; use < 2; ++use) {
    Result<Cache::Entry*> used = cache_.use("select ?, ?1", Placeholders::numbered, {}, "");
    ASSERT_FALSE(used);
    EXPECT_EQ(used.status().code, Code::bad_argument);
  }
  EXPECT_TRUE(run_until_prepared("select 1"));
}

TEST_F(StatementCacheTest, ErrorsArePlacedInTheTextThatWasGiven) {
  run("select ?, nosuch /* 1 */");
  run("select ?, nosuch /* 2 */");
  const std::string_view given = "/* trace 3 */ select ?, nosuch";
  Cache::Entry& found = entry(given);
  ASSERT_EQ(found.text.sql.find("nosuch"), 11u);  // after "select $1, "
  EXPECT_EQ(cache_.position_in(found, given, 12), static_cast<int32_t>(given.find("nosuch")) + 1);
}

// The cache against a model: lists of keys.
TEST_F(StatementCacheTest, RandomUseFollowsTheModel) {
  for (int seed = 0; seed < test::rounds(400); ++seed) {
    Rng rng(static_cast<uint64_t>(seed));
    size_t size_max = 1 + rng.below(5);
    Cache cache(Dialect::postgresql, size_max);
    std::vector<int> prepared;  // the most recently used first; those that are or were prepared
    std::vector<int> seen;      // the others
    std::set<int> held;
    std::map<int, int> closed;
    uint64_t evictions = 0;
    const auto trim = [&](std::vector<int>& list, size_t max) {
      while (list.size() > max) {
        if (held.erase(list.back()) > 0) ++evictions;
        list.pop_back();
      }
    };
    for (int step = 0; step < 300; ++step) {
      const int text = static_cast<int>(rng.below(8));
      switch (rng.below(20)) {
        case 0:
          cache.evict_all();
          held.clear();
          break;
        case 1:
          cache.drop_all();
          held.clear();
          break;
        case 2:
          size_max = rng.below(6);
          cache.set_size_max(size_max);
          trim(prepared, size_max);
          trim(seen, std::max(size_max, size_t{1}));
          break;
        default: {
          std::string sql = "select " + std::to_string(text);
          if (rng.below(2) == 0) sql += " /* " + std::to_string(rng.below(4)) + " */";
          Cache::Entry& entry = **cache.use(sql, Placeholders::numbered, {}, "");
          const bool was_prepared = std::erase(prepared, text) > 0;
          const bool was_seen = std::erase(seen, text) > 0;
          if (was_prepared) {
            prepared.insert(prepared.begin(), text);
          } else {
            seen.insert(seen.begin(), text);
            trim(seen, std::max(size_max, size_t{1}));
          }
          ASSERT_EQ(entry.kept != nullptr, held.contains(text)) << seed << ", step " << step;
          ASSERT_EQ(entry.uses > 1, was_prepared || was_seen) << seed << ", step " << step;
          const bool is_due = size_max > 0 && entry.uses > 1 && !held.contains(text);
          ASSERT_EQ(cache.is_worth_preparing(entry), is_due) << seed << ", step " << step;
          if (!is_due) break;
          entry.kept = std::make_unique<int>(text);
          cache.note_prepared(entry);
          held.insert(text);
          std::erase(seen, text);
          std::erase(prepared, text);
          prepared.insert(prepared.begin(), text);
          trim(prepared, size_max);
        }
      }
      ASSERT_EQ(cache.counts().held, held.size()) << seed << ", step " << step;
      ASSERT_EQ(cache.counts().evictions_total, evictions) << seed << ", step " << step;
      ASSERT_EQ(cache.counts().bytes == 0, held.empty()) << seed << ", step " << step;
    }
  }
}

}  // namespace
}  // namespace tide
