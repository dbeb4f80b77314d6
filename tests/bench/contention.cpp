// More threads than connections: throughput, waits and fairness, beside the textbook pool in the same run.
#include <algorithm>
#include <atomic>
#include <thread>

#include <ctime>

#include "bench.hpp"

namespace {

struct Load {
  int threads;
  int connections;
  int64_t hold_ns;
  bool is_busy;  // holds by computing, not by sleeping
  double seconds;
};

struct Outcome {
  double per_second = 0;
  double wait_p50_ms = 0, wait_p99_ms = 0, wait_max_ms = 0;
  double fairness = 0;  // slowest over fastest thread
};

void hold(const Load& load) {
  if (load.is_busy) {
    const int64_t end = bench::now_ns() + load.hold_ns;
    while (bench::now_ns() < end) {
    }
    return;
  }
  const timespec time{0, static_cast<long>(load.hold_ns)};
  nanosleep(&time, nullptr);
}

double percentile_ms(const std::vector<int64_t>& sorted, double share) {
  return static_cast<double>(sorted[static_cast<size_t>(share * static_cast<double>(sorted.size() - 1))]) / 1e6;
}

template <typename Pool>
Outcome run(Pool& pool, const Load& load) {
  std::vector<std::vector<int64_t>> waits(static_cast<size_t>(load.threads));
  std::vector<std::thread> threads;
  std::atomic<bool> is_on{false}, is_over{false};
  for (int i = 0; i < load.threads; ++i) {
    threads.emplace_back([&, i] {
      std::vector<int64_t>& mine = waits[static_cast<size_t>(i)];
      mine.reserve(1 << 18);
      while (!is_on.load(std::memory_order_acquire)) std::this_thread::yield();
      while (!is_over.load(std::memory_order_relaxed)) {
        const int64_t asked_ns = bench::now_ns();
        auto lease = pool.acquire("report");
        const int64_t got_ns = bench::now_ns();
        hold(load);
        pool.release(lease);
        mine.push_back(got_ns - asked_ns);
      }
    });
  }
  const int64_t begin_ns = bench::now_ns();
  is_on.store(true, std::memory_order_release);
  const timespec time{static_cast<time_t>(load.seconds),
                      static_cast<long>((load.seconds - static_cast<double>(static_cast<time_t>(load.seconds))) * 1e9)};
  nanosleep(&time, nullptr);
  is_over = true;
  const double seconds = static_cast<double>(bench::now_ns() - begin_ns) / 1e9;
  for (std::thread& thread : threads) thread.join();
  std::vector<int64_t> all;
  size_t least = ~size_t{0}, most = 0;
  for (const std::vector<int64_t>& w : waits) {
    all.insert(all.end(), w.begin(), w.end());
    least = std::min(least, w.size());
    most = std::max(most, w.size());
  }
  std::sort(all.begin(), all.end());
  return {static_cast<double>(all.size()) / seconds, percentile_ms(all, 0.50), percentile_ms(all, 0.99),
          percentile_ms(all, 1.0), static_cast<double>(least) / static_cast<double>(most)};
}

void print(const char* name, const Outcome& o) {
  std::printf("  %-10s %9.0f/s   wait p50 %8.3f ms, p99 %8.3f ms, longest %8.2f ms   slowest/fastest %.2f\n", name,
              o.per_second, o.wait_p50_ms, o.wait_p99_ms, o.wait_max_ms, o.fairness);
}

Outcome median_of(const std::vector<Outcome>& runs) {
  const auto of = [&](double Outcome::*member) {
    std::vector<double> values;
    for (const Outcome& o : runs) values.push_back(o.*member);
    return bench::median(values);
  };
  return {of(&Outcome::per_second), of(&Outcome::wait_p50_ms), of(&Outcome::wait_p99_ms), of(&Outcome::wait_max_ms),
          of(&Outcome::fairness)};
}

std::pair<Outcome, Outcome> compare(const char* title, const Load& load, int rounds) {
  std::vector<Outcome> ours, textbook;
  for (int round = 0; round < rounds; ++round) {
    {
      bench::TidePool pool(load.connections);
      ours.push_back(run(pool, load));
    }
    bench::TextbookPool pool(load.connections);
    textbook.push_back(run(pool, load));
  }
  const std::pair<Outcome, Outcome> medians{median_of(ours), median_of(textbook)};
  std::printf("%s (medians of %d runs of %.0f s)\n", title, rounds, load.seconds);
  print("tidepool", medians.first);
  print("textbook", medians.second);
  return medians;
}

// All ask once, at the same moment. Ideal: as many rounds of holds as there must be.
template <typename Pool>
double makespan_over_ideal(Pool& pool, const Load& load) {
  std::vector<std::thread> threads;
  std::atomic<int> ready{0};
  std::atomic<bool> is_on{false};
  std::atomic<int64_t> held_ns{0}, last_ns{0};
  for (int i = 0; i < load.threads; ++i) {
    threads.emplace_back([&] {
      ++ready;
      while (!is_on.load(std::memory_order_acquire)) std::this_thread::yield();
      auto lease = pool.acquire("burst");
      const int64_t got_ns = bench::now_ns();
      hold(load);
      held_ns += bench::now_ns() - got_ns;
      pool.release(lease);
      const int64_t end_ns = bench::now_ns();
      for (int64_t seen = last_ns; seen < end_ns && !last_ns.compare_exchange_weak(seen, end_ns);) {
      }
    });
  }
  while (ready.load() < load.threads) std::this_thread::yield();
  const int64_t begin_ns = bench::now_ns();
  is_on.store(true, std::memory_order_release);
  for (std::thread& thread : threads) thread.join();
  const double mean_hold_ns = static_cast<double>(held_ns.load()) / load.threads;
  const double ideal_ns = mean_hold_ns * load.threads / load.connections;
  return static_cast<double>(last_ns.load() - begin_ns) / ideal_ns;
}

}  // namespace

int main() {
  const Load sleeping{100, 10, 1'000'000, false, 5};
  const auto [h, hb] = compare("100 threads on 10 connections held 1 ms", sleeping, 1);
  std::printf("ratio h100_throughput %.3f of textbook (at least 0.97)\n", h.per_second / hb.per_second);
  std::printf("value h100_wait_p99_ms %.2f (at most 11), longest %.2f (at most 15), fairness %.2f (at least 0.90)\n\n",
              h.wait_p99_ms, h.wait_max_ms, h.fairness);

  const Load busy{32, 8, 10'000, true, 1};
  const auto [c, cb] = compare("32 threads on 8 connections held 10 us busy", busy, 5);
  std::printf("ratio c32_throughput %.3f of textbook (at least 0.93)\n", c.per_second / cb.per_second);
  std::printf(
      "ratio c32_longest_wait %.3f of textbook (at most 0.25), fairness %.2f (at least 0.75; textbook %.2f)\n\n",
      c.wait_max_ms / cb.wait_max_ms, c.fairness, cb.fairness);

  std::vector<double> ours, textbook;
  for (int round = 0; round < 9; ++round) {
    bench::TidePool pool(10);
    ours.push_back(makespan_over_ideal(pool, sleeping));
    bench::TextbookPool book(10);
    textbook.push_back(makespan_over_ideal(book, sleeping));
  }
  std::printf("one shot of 100 requests on 10 connections held 1 ms (medians of 9)\n");
  std::printf("ratio makespan_over_ideal %.3f (at most 1.05; textbook %.3f)\n", bench::median(ours),
              bench::median(textbook));
  return 0;
}
