// The query cache: a hit against a point query of SQLite, hits of many threads, what a miss costs, and how often results are
// found in a cache of limited size, against LRU. Every ratio compares rounds that alternate within this run.
#include <tidepool/tidepool.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "bench.hpp"
#include "unit/support/lru.hpp"

namespace {

using bench::median;
using bench::must;
using bench::now_ns;

constexpr int kRounds = 7;
constexpr int kKeys = 256;
constexpr const char* kPoint = "select name, amount from items where id = $1";

class Pool {
 public:
  Pool(const std::string& path, const std::string& options) {
    tide_error error = TIDE_ERROR_INIT;
    must(tide_pool_open("bench-cache", ("sqlite://" + path).c_str(),
                        ("init_mode=fail_fast log=off min_size=4 max_size=16 " + options).c_str(), &pool_, &error),
         error, "open");
  }
  ~Pool() { tide_pool_close(pool_, 1000, nullptr); }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  void run(const char* sql) {
    tide_error error = TIDE_ERROR_INIT;
    must(tide_pool_execute(pool_, sql, 0, nullptr, nullptr, nullptr, &error), error, sql);
  }
  // Its amount, as an application reads it.
  int64_t point(int64_t id, const tide_query_options& with) {
    const tide_value param = tide_value_int(id);
    tide_result* result = nullptr;
    tide_error error = TIDE_ERROR_INIT;
    must(tide_pool_query_with(pool_, kPoint, 1, &param, &with, &result, &error), error, kPoint);
    const int64_t amount = tide_result_value(result, 0, 1).integer;
    tide_result_free(result);
    return amount;
  }

 private:
  tide_pool* pool_ = nullptr;
};

tide_query_options plain() {
  tide_query_options with = TIDE_QUERY_OPTIONS_INIT;
  with.mode = TIDE_READ;
  return with;
}
tide_query_options cached() {
  tide_query_options with = plain();
  with.cache = TIDE_CACHE;
  return with;
}

using Work = std::function<void(int thread, uint64_t n)>;

double ns_per_call(const Work& work, int span_ms) {
  const int64_t began = now_ns();
  int64_t now = began;
  uint64_t calls = 0;
  while (now < began + int64_t{span_ms} * 1'000'000) {
    for (int i = 0; i < 16; ++i) work(0, calls++);
    now = now_ns();
  }
  return static_cast<double>(now - began) / static_cast<double>(calls);
}

double rate(const Work& work, int threads, int span_ms) {
  std::atomic<bool> is_over{false};
  std::atomic<uint64_t> calls{0};
  std::vector<std::thread> crew;
  const int64_t began = now_ns();
  for (int t = 0; t < threads; ++t) {
    crew.emplace_back([&, t] {
      uint64_t mine = 0;
      while (!is_over.load(std::memory_order_relaxed)) work(t, mine++);
      calls += mine;
    });
  }
  usleep(static_cast<useconds_t>(span_ms) * 1000);
  is_over.store(true);
  for (std::thread& thread : crew) thread.join();
  return static_cast<double>(calls.load()) * 1e9 / static_cast<double>(now_ns() - began);
}

void compare_hits(Pool& pool) {
  const tide_query_options asked = cached(), not_asked = plain();
  std::vector<double> hit_ns, query_ns, ratios;
  for (int round = 0; round < kRounds; ++round) {
    hit_ns.push_back(ns_per_call([&](int, uint64_t n) { pool.point(static_cast<int64_t>(n % kKeys), asked); }, 200));
    query_ns.push_back(
        ns_per_call([&](int, uint64_t n) { pool.point(static_cast<int64_t>(n % kKeys), not_asked); }, 200));
    ratios.push_back(query_ns.back() / hit_ns.back());
  }
  std::printf("cache hit %.0f ns, SQLite point query %.0f ns: %.1f times faster   (bar: 5)\n", median(hit_ns),
              median(query_ns), median(ratios));
}

void compare_threads(Pool& pool, const char* what, int keys) {
  const tide_query_options asked = cached();
  const Work hit = [&](int thread, uint64_t n) {
    pool.point(static_cast<int64_t>((n + static_cast<uint64_t>(thread) * 31) % static_cast<uint64_t>(keys)), asked);
  };
  std::vector<double> one, two, eight, scale, steady;
  for (int round = 0; round < kRounds; ++round) {
    one.push_back(rate(hit, 1, 200));
    two.push_back(rate(hit, 2, 200));
    eight.push_back(rate(hit, 8, 200));
    scale.push_back(two.back() / one.back());
    steady.push_back(eight.back() / two.back());
  }
  std::printf("%s: 1 thread %.0f/s, 2 threads %.0f/s, 8 threads %.0f/s: 2 of 1 %.2f, 8 of 2 %.2f   (bar: 8 as 2)\n",
              what, median(one), median(two), median(eight), median(scale), median(steady));
}

// Every key is new: the same queries without and with the cache, in many short rounds, because the difference is smaller than
// what a busy host changes from one second to the next.
void compare_misses(Pool& pool, int64_t rows) {
  const tide_query_options asked = cached(), not_asked = plain();
  uint64_t next = 0;
  std::vector<double> cost, miss_ns, query_ns;
  for (int round = 0; round < 20 * kRounds; ++round) {
    query_ns.push_back(ns_per_call(
        [&](int, uint64_t) { pool.point(static_cast<int64_t>(next++ % static_cast<uint64_t>(rows)), not_asked); }, 10));
    miss_ns.push_back(ns_per_call(
        [&](int, uint64_t) { pool.point(static_cast<int64_t>(next++ % static_cast<uint64_t>(rows)), asked); }, 10));
    cost.push_back(miss_ns.back() - query_ns.back());
  }
  std::printf("miss %.0f ns, the query alone %.0f ns: %+.0f ns   (bar: 1000)\n", median(miss_ns), median(query_ns),
              median(cost));
}

// ---- hit ratios

std::vector<uint64_t> zipf_and_scan(size_t count, size_t keys, double exponent, int scan_percent) {
  std::vector<double> sums(keys);
  double sum = 0;
  for (size_t i = 0; i < keys; ++i) sums[i] = sum += 1 / std::pow(static_cast<double>(i + 1), exponent);
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> at(0, sum);
  std::vector<uint64_t> requests;
  uint64_t scanned = keys;
  while (requests.size() < count) {
    if (static_cast<int>(random() % 100) < scan_percent) {
      requests.push_back(++scanned);
    } else {
      requests.push_back(static_cast<uint64_t>(std::lower_bound(sums.begin(), sums.end(), at(random)) - sums.begin()));
    }
  }
  return requests;
}

// One request a line; what it is does not matter.
std::vector<uint64_t> requests_in(const char* path) {
  std::vector<uint64_t> requests;
  std::unordered_map<std::string, uint64_t> numbers;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    requests.push_back(numbers.emplace(line, numbers.size()).first->second);
  return requests;
}

// Of the only pool.
int64_t hits_shown() {
  int column = 0;
  for (int i = 0; tide_relation_at(i) != nullptr; ++i) {
    const tide_relation* const relation = tide_relation_at(i);
    if (std::strcmp(relation->name, "pool_stats") != 0) continue;
    while (std::strcmp(relation->columns[column].name, "query_cache_hits_total") != 0) ++column;
  }
  tide_cursor* cursor = nullptr;
  tide_error error = TIDE_ERROR_INIT;
  must(tide_cursor_open("pool_stats", nullptr, &cursor, &error), error, "pool_stats");
  int64_t hits = 0;
  while (tide_cursor_next(cursor) == 1) hits += tide_cursor_int(cursor, column);
  tide_cursor_close(cursor);
  return hits;
}

int64_t hits_of(const std::string& path, const std::vector<uint64_t>& requests, size_t entries) {
  Pool pool(path, "query_cache=on query_cache_bytes=1GB query_cache_entries=" + std::to_string(entries));
  tide_query_options with = cached();
  for (const uint64_t request : requests) {
    const std::string key = std::to_string(request);
    with.cache_key = key.c_str();
    pool.point(static_cast<int64_t>(request % kKeys), with);
  }
  return hits_shown();
}

void compare_ratios(const std::string& path, const char* what, const std::vector<uint64_t>& requests, size_t entries) {
  tide::test::Lru lru(entries);
  int64_t lru_hits = 0;
  for (const uint64_t request : requests) lru_hits += lru.use(request) ? 1 : 0;
  const auto count = static_cast<double>(requests.size());
  std::printf("%s, %zu entries: hit ratio %.3f, LRU %.3f   (bar: at least LRU)\n", what, entries,
              static_cast<double>(hits_of(path, requests, entries)) / count, static_cast<double>(lru_hits) / count);
}

}  // namespace

int main(int argc, char** argv) {
  const char* trace = nullptr;
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::strcmp(argv[i], "--trace") == 0) trace = argv[i + 1];
  }
  std::string pattern = (std::filesystem::temp_directory_path() / "tidepool-bench-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) return 1;
  setenv("TIDEPOOL_DIR", pattern.c_str(), 1);
  const std::string path = pattern + "/bench.db";
  constexpr int64_t kRows = 1'000'000;
  {
    Pool pool(path, "query_cache=on query_cache_entries=1000");
    pool.run("create table items (id integer primary key, name text not null, amount integer not null)");
    pool.run(
        "insert into items with recursive n(i) as (select 0 union all select i + 1 from n where i < 999999) "
        "select i, 'item ' || i, i * 7 from n");
    compare_hits(pool);
    compare_threads(pool, "hits of 256 keys", kKeys);
    compare_threads(pool, "hits of one key", 1);
    compare_misses(pool, kRows);
  }
  compare_ratios(path, "Zipf 0.9, a third of it scans", zipf_and_scan(60'000, 5'000, 0.9, 33), 200);
  compare_ratios(path, "Zipf 1.1, a tenth of it scans", zipf_and_scan(60'000, 5'000, 1.1, 10), 100);
  compare_ratios(path, "Zipf 0.8, no scans", zipf_and_scan(60'000, 5'000, 0.8, 0), 500);
  if (trace != nullptr) {
    const std::vector<uint64_t> requests = requests_in(trace);
    for (const size_t entries : {100, 1000, 10'000}) compare_ratios(path, "the trace", requests, entries);
  }
  std::filesystem::remove_all(pattern);
  return 0;
}
