// A client of the table of ./bench.sh clients: the same work through one library's pool.
//
//   CLIENT WORK SECONDS      prints calls per second
//   one        select 1, one thread
//   thousand   1,000 rows of three columns, all values read, one thread
//   eight      select 1, eight threads on a pool of eight
#pragma once

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace bench {

inline constexpr const char* kOne = "SELECT 1";
inline constexpr const char* kThousand = "SELECT id, name, value FROM bench_items WHERE id <= 1000 ORDER BY id";

inline const char* target() {
  const char* found = std::getenv("TIDE_TEST_POSTGRESQL");
  if (found == nullptr) {
    std::fprintf(stderr, "TIDE_TEST_POSTGRESQL is not set; run ./bench.sh clients\n");
    std::exit(2);
  }
  return found;
}

// `one` and `thousand` make one call; both from any thread.
template <typename One, typename Thousand>
int run_client(int argc, char** argv, One&& one, Thousand&& thousand) {
  using Clock = std::chrono::steady_clock;
  if (argc != 3) return 2;
  const std::string work = argv[1];
  const int threads = work == "eight" ? 8 : 1;
  std::atomic<bool> is_over{false};
  std::atomic<int64_t> calls{0};
  for (int i = 0; i < 20; ++i) work == "thousand" ? thousand() : one();
  const auto began = Clock::now();
  std::vector<std::thread> crew;
  for (int t = 0; t < threads; ++t) {
    crew.emplace_back([&] {
      int64_t mine = 0;
      for (; !is_over.load(std::memory_order_relaxed); ++mine) work == "thousand" ? thousand() : one();
      calls += mine;
    });
  }
  std::this_thread::sleep_for(std::chrono::duration<double>(std::atof(argv[2])));
  is_over.store(true);
  for (std::thread& thread : crew) thread.join();
  const std::chrono::duration<double> took = Clock::now() - began;
  std::printf("%.1f\n", static_cast<double>(calls.load()) / took.count());
  return 0;
}

}  // namespace bench
