// The query cache under many threads: its bounds hold, nobody gets the result of another key, and none that was invalidated
// before the call.
#include <array>
#include <atomic>
#include <string>

#include "base/rng.hpp"
#include "race/pool_rig.hpp"
#include "service/cache/query_cache.hpp"
#include "service/service.hpp"

namespace tide::race {
namespace {

TEST(CacheStorm, SixteenThreadsAtItsLimits) {
  constexpr uint32_t kThreads = 16, kRounds = 150, kKeys = 40;
  Policy policy = storm_policy();
  policy.query_cache = true;
  policy.query_cache_entries = 24;
  policy.query_cache_bytes = 64 << 10;
  policy.acquire_timeout = Span::seconds(60);
  PoolRig rig(policy);
  Service service(rig.pool(), {[](Span span) { pause_for(span); }, 3});
  QueryCache& cache = service.cache();
  // Of each key, the number that was stored last before its results were removed.
  std::array<std::atomic<uint64_t>, kKeys> told{};
  std::array<std::atomic<uint64_t>, kKeys> next{};
  std::atomic<int> old{0}, over{0}, failed{0};
  storm(kThreads, [&](uint32_t number) {
    Rng rng(number + 1);
    for (uint32_t round = 0; round < kRounds; ++round) {
      const size_t k = rng.below(kKeys);
      const std::string key = "k" + std::to_string(k);
      ResultTable table;
      Call call;
      // One thread writes each key.
      if (k % kThreads == number && rng.below(4) == 0) {
        const uint64_t value = ++next[k];
        const std::string put = "put " + key + " " + std::to_string(value) + std::string(rng.below(2) * 3000, 'x');
        call.sql = put;
        if (!service.run(call, {}, table)) ++failed;
        cache.clear("", key);
        told[k] = value;
        continue;
      }
      const uint64_t before = told[k].load();
      const std::string select = "select " + key;
      call.sql = select;
      CallTerms terms;
      terms.cache.is_wanted = true;
      terms.cache.tags = key;
      if (!service.run(call, terms, table)) {
        ++failed;
        continue;
      }
      const char* const text = table.text(0, 0);
      if ((text == nullptr ? 0 : std::strtoull(text, nullptr, 10)) < before) ++old;
      if (cache.bytes() > 64U << 10 || cache.entries() > 24) ++over;
      if (rng.below(100) == 0) cache.shed_memory();
    }
  });
  EXPECT_EQ(old, 0);
  EXPECT_EQ(over, 0);
  EXPECT_EQ(failed, 0);
}

}  // namespace
}  // namespace tide::race
