// What does one lease cost? acquire + release with an idle connection, all metrics on, published, through the C API,
// against what the same work costs at least on this machine.
#include <atomic>
#include <thread>

#include "bench.hpp"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace {

constexpr int kRounds = 9;
constexpr int kCycles = 2'000'000;

uint64_t ticks() {
#if defined(__x86_64__)
  return __rdtsc();
#else
  return static_cast<uint64_t>(bench::now_ns());
#endif
}

// The floor: one compare-and-swap to claim, one to return, a look at the waiters, two clock readings and three counters
// that only their owner writes. No pool that gives exclusive leases and knows their times can do with less.
struct Floor {
  alignas(128) std::atomic<uint64_t> word{0};
  std::atomic<uint64_t> leases{0}, used_ticks{0}, last_used{0};
  alignas(128) std::atomic<uint32_t> waiters{0};

  void cycle() {
    uint64_t idle = 0;
    word.compare_exchange_strong(idle, 1);
    const uint64_t begin = ticks();
    leases.store(leases.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    const uint64_t end = ticks();
    used_ticks.store(used_ticks.load(std::memory_order_relaxed) + end - begin, std::memory_order_relaxed);
    last_used.store(end, std::memory_order_relaxed);
    uint64_t mine = 1;
    word.compare_exchange_strong(mine, 0);
    if (waiters.load() != 0) std::abort();
  }
};

template <typename Cycle>
double ns_per_cycle(Cycle&& cycle) {
  const int64_t begin = bench::now_ns();
  for (int i = 0; i < kCycles; ++i) cycle();
  return static_cast<double>(bench::now_ns() - begin) / kCycles;
}

// Both threads run all the time; each is measured.
template <typename Make>
double two_threads(Make&& make) {
  std::atomic<int> ready{0};
  double ns[2] = {};
  std::thread threads[2];
  for (int t = 0; t < 2; ++t) {
    threads[t] = std::thread([&, t] {
      auto cycle = make(t);
      ++ready;
      while (ready.load() < 2) {
      }
      ns[t] = ns_per_cycle(cycle);
    });
  }
  for (std::thread& thread : threads) thread.join();
  return std::max(ns[0], ns[1]);
}

}  // namespace

int main() {
  bench::TidePool pool(10);
  bench::TextbookPool textbook(10);
  Floor floor[2];
  std::vector<double> floor_ns, tide_ns, book_ns, floor2_ns, tide2_ns, book2_ns;
  const auto tide_cycle = [&] { pool.release(pool.acquire()); };
  const auto book_cycle = [&] { textbook.release(textbook.acquire()); };
  // All in one round, so that whatever disturbs the machine disturbs everybody.
  for (int round = 0; round < kRounds; ++round) {
    floor_ns.push_back(ns_per_cycle([&] { floor[0].cycle(); }));
    tide_ns.push_back(ns_per_cycle(tide_cycle));
    book_ns.push_back(ns_per_cycle(book_cycle));
    floor2_ns.push_back(two_threads([&](int t) { return [&f = floor[t]] { f.cycle(); }; }));
    tide2_ns.push_back(two_threads([&](int) { return tide_cycle; }));
    book2_ns.push_back(two_threads([&](int) { return book_cycle; }));
  }
  const double f = bench::median(floor_ns), t = bench::median(tide_ns), b = bench::median(book_ns);
  const double f2 = bench::median(floor2_ns), t2 = bench::median(tide2_ns), b2 = bench::median(book2_ns);
  std::printf("lease cycle, ns (median of %d rounds)   1 thread   2 threads, each\n", kRounds);
  std::printf("  hardware floor                        %8.1f   %8.1f\n", f, f2);
  std::printf("  tidepool                              %8.1f   %8.1f\n", t, t2);
  std::printf("  textbook pool                         %8.1f   %8.1f\n", b, b2);
  std::printf("ratio lease_cycle_to_floor %.2f (at most 1.25)\n", t / f);
  std::printf("ratio second_thread %.2f (at most 1.10)\n", t2 / t);
  std::printf("ratio to_textbook %.2f, with two threads %.2f\n", t / b, t2 / b2);
  return 0;
}
