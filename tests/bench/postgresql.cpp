// `select 1` on PostgreSQL: threads on a pool of 8 through the C API, against threads that each hold a bare libpq
// connection and call PQexec(). Needs a server: TIDE_TEST_POSTGRESQL (./bench.sh starts one).
#include <libpq-fe.h>
#include <tidepool/tidepool.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr int kRounds = 5;
constexpr auto kRound = std::chrono::milliseconds(800);

struct Figures {
  double per_second = 0;
  double p50_us = 0;
  double p99_us = 0;
};

[[noreturn]] void die(const char* what, const char* why) {
  std::fprintf(stderr, "%s: %s\n", what, why);
  std::exit(1);
}

// Each of `threads` calls `work(thread)` again and again.
template <typename Work>
Figures run(int threads, Work work) {
  std::atomic<bool> is_over{false};
  std::vector<std::vector<float>> latencies(static_cast<size_t>(threads));
  std::vector<std::thread> crew;
  const auto began = SteadyClock::now();
  for (int t = 0; t < threads; ++t) {
    crew.emplace_back([&, t] {
      while (!is_over.load(std::memory_order_relaxed)) {
        const auto before = SteadyClock::now();
        work(t);
        const std::chrono::duration<float, std::micro> took = SteadyClock::now() - before;
        latencies[static_cast<size_t>(t)].push_back(took.count());
      }
    });
  }
  std::this_thread::sleep_for(kRound);
  is_over.store(true);
  for (std::thread& thread : crew) thread.join();
  const std::chrono::duration<double> took = SteadyClock::now() - began;
  std::vector<float> all;
  for (const auto& some : latencies) all.insert(all.end(), some.begin(), some.end());
  std::sort(all.begin(), all.end());
  Figures out;
  out.per_second = static_cast<double>(all.size()) / took.count();
  out.p50_us = static_cast<double>(all[all.size() / 2]);
  out.p99_us = static_cast<double>(all[all.size() * 99 / 100]);
  return out;
}

Figures median(std::vector<Figures> rounds) {
  std::sort(rounds.begin(), rounds.end(),
            [](const Figures& a, const Figures& b) { return a.per_second < b.per_second; });
  return rounds[rounds.size() / 2];
}

void print(const char* what, int threads, const Figures& f) {
  std::printf("%-34s %2d threads  %8.0f/s  p50 %7.1f us  p99 %8.1f us\n", what, threads, f.per_second, f.p50_us,
              f.p99_us);
}

}  // namespace

int main() {
  const char* target = std::getenv("TIDE_TEST_POSTGRESQL");
  if (target == nullptr) die("TIDE_TEST_POSTGRESQL", "not set; run ./bench.sh postgresql, which starts a server");
  tide_error err = TIDE_ERROR_INIT;
  tide_pool* pool = nullptr;
  if (tide_pool_open("bench", target, "min_size=8 max_size=8 init_mode=fail_fast max_connecting=8", &pool, &err) != 0) {
    die("open", err.message);
  }
  std::vector<PGconn*> bare;
  for (int i = 0; i < 64; ++i) {
    bare.push_back(PQconnectdb(target));
    if (PQstatus(bare.back()) != CONNECTION_OK) die("connect", PQerrorMessage(bare.back()));
  }
  const auto on_bare = [&](int t) {
    PGresult* result = PQexec(bare[static_cast<size_t>(t)], "select 1");
    if (PQresultStatus(result) != PGRES_TUPLES_OK) die("bare", PQresultErrorMessage(result));
    PQclear(result);
  };
  const auto on_pool = [&](int) {
    tide_result* result = nullptr;
    tide_error error = TIDE_ERROR_INIT;
    if (tide_pool_query(pool, "bench", "select 1", 0, nullptr, &result, &error) != 0) die("pool", error.message);
    tide_result_free(result);
  };
  for (const int threads : {1, 8, 64}) {
    std::vector<Figures> bare_rounds, pool_rounds;
    for (int round = 0; round < kRounds; ++round) {
      bare_rounds.push_back(run(threads, on_bare));
      pool_rounds.push_back(run(threads, on_pool));
    }
    const Figures without = median(bare_rounds);
    const Figures with = median(pool_rounds);
    print("bare libpq, one connection each", threads, without);
    print("pool of 8", threads, with);
    std::printf("  pool / bare: %.2f%s\n", with.per_second / without.per_second, threads == 8 ? "   (bar 0.90)" : "");
  }
  for (PGconn* conn : bare) PQfinish(conn);
  tide_pool_close(pool, 1000, nullptr);
  return 0;
}
