// Does being watched cost the application anything? The lease cycle while another process reads the pool's relations
// 100 times a second, against the same cycle unwatched, in turns.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <ctime>

#include "bench.hpp"

namespace {

constexpr int kRounds = 21;
constexpr int kCycles = 2'000'000;
constexpr const char* kRelations[] = {"pools", "leases", "pool_stats"};

double ns_per_cycle(bench::TidePool& pool) {
  const int64_t begin_ns = bench::now_ns();
  for (int i = 0; i < kCycles; ++i) pool.release(pool.acquire());
  return static_cast<double>(bench::now_ns() - begin_ns) / kCycles;
}

// The other process. It reads on its own processor; what it costs the application is what is asked here.
[[noreturn]] void watch(int rows_fd) {
  for (;;) {
    const int64_t begin_ns = bench::now_ns();
    uint32_t rows = 0;
    for (const char* relation : kRelations) {
      tide_cursor* cursor = nullptr;
      if (tide_cursor_open(relation, nullptr, &cursor, nullptr) != TIDE_OK) _exit(1);
      while (tide_cursor_next(cursor) != 0) ++rows;
      tide_cursor_close(cursor);
    }
    if (write(rows_fd, &rows, sizeof rows) != static_cast<ssize_t>(sizeof rows)) _exit(0);
    const int64_t left_ns = 10'000'000 - (bench::now_ns() - begin_ns);
    const timespec pause{0, left_ns > 0 ? static_cast<long>(left_ns) : 0};
    nanosleep(&pause, nullptr);
  }
}

}  // namespace

int main() {
  int pipe_fd[2];
  if (pipe(pipe_fd) != 0) return 1;
  bench::register_nothing();
  const pid_t watcher = fork();  // before the pool: the child is a stranger to it
  if (watcher == 0) {
    close(pipe_fd[0]);
    raise(SIGSTOP);
    watch(pipe_fd[1]);
  }
  close(pipe_fd[1]);
  bench::TidePool pool(10);
  std::vector<double> unwatched, watched;
  uint64_t readings = 0;
  for (int round = 0; round < kRounds; ++round) {
    unwatched.push_back(ns_per_cycle(pool));
    kill(watcher, SIGCONT);
    watched.push_back(ns_per_cycle(pool));
    kill(watcher, SIGSTOP);
  }
  kill(watcher, SIGKILL);
  waitpid(watcher, nullptr, 0);
  uint32_t rows = 0;
  while (read(pipe_fd[0], &rows, sizeof rows) == static_cast<ssize_t>(sizeof rows)) readings += rows > 0 ? 1 : 0;
  std::printf("lease cycle, ns (median of %d rounds): unwatched %.1f, watched %.1f (%lu readings of 3 relations)\n",
              kRounds, bench::median(unwatched), bench::median(watched), static_cast<unsigned long>(readings));
  std::printf("ratio observed_to_unobserved %.3f (at most 1.03)\n", bench::median(watched) / bench::median(unwatched));
  return readings == 0 ? 1 : 0;
}
