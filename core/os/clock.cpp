#include "os/clock.hpp"

#include <ctime>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace tide {
namespace {

int64_t read_ns(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

#if defined(__x86_64__)
bool has_invariant_tsc() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & (1U << 8)) != 0;
}

struct Pair {
  uint64_t ticks;
  int64_t ns;
};

// Reads both clocks at nearly one moment: of several attempts, uses the one with the least delay between the readings.
Pair read_pair() {
  Pair best{};
  uint64_t best_width = ~uint64_t{0};
  for (int i = 0; i < 16; ++i) {
    const uint64_t before = __rdtsc();
    const int64_t ns = read_ns(CLOCK_MONOTONIC);
    const uint64_t after = __rdtsc();
    if (after - before < best_width) {
      best_width = after - before;
      best = {before + (after - before) / 2, ns};
    }
  }
  return best;
}

TickRate measure() {
  TickRate rate;
  if (!has_invariant_tsc()) return rate;
  const Pair start = read_pair();
  while (read_ns(CLOCK_MONOTONIC) - start.ns < 5'000'000) {
  }
  const Pair end = read_pair();
  const double ns_per_tick = static_cast<double>(end.ns - start.ns) / static_cast<double>(end.ticks - start.ticks);
  if (!(ns_per_tick > 0.05 && ns_per_tick < 20)) return rate;  // 50 MHz .. 20 GHz; else not a usable counter
  rate.is_tsc = true;
  rate.ticks_at_start = start.ticks;  // earlier than the current reading of every processor
  rate.ns_at_start = start.ns;
  rate.ns_per_tick_q32 = static_cast<uint64_t>(ns_per_tick * 4294967296.0);
  return rate;
}
#else
TickRate measure() { return {}; }
#endif

}  // namespace

SystemClock::SystemClock() : rate_(measure()) {}

const SystemClock& SystemClock::instance() {
  // Never destroyed: threads that are blocked in a driver when the process ends still read it.
  static SystemClock* const clock = new SystemClock();
  return *clock;
}

Instant SystemClock::now() const {
#if defined(__x86_64__)
  if (rate_.is_tsc) return rate_.now();
#endif
  return Instant::at_ns(read_ns(CLOCK_MONOTONIC));
}

int64_t SystemClock::wall_ns() const { return wall_ns_now(); }

int64_t monotonic_ns_now() { return read_ns(CLOCK_MONOTONIC); }

int64_t wall_ns_now() { return read_ns(CLOCK_REALTIME); }

timespec timespec_of(Span span) { return {span.ns() / 1'000'000'000, span.ns() % 1'000'000'000}; }

void pause_for(Span span) {
  const timespec length = timespec_of(span);
  nanosleep(&length, nullptr);  // a signal may end it early; callers check their condition again anyway
}

}  // namespace tide
