#include "plane/patience.hpp"

#include <time.h>

namespace tide {
namespace {

int64_t read_clock(clockid_t clock) {
  timespec at{};
  ::clock_gettime(clock, &at);
  return int64_t{at.tv_sec} * 1'000'000'000 + at.tv_nsec;
}

}  // namespace

int64_t monotonic_ns_now() { return read_clock(CLOCK_MONOTONIC); }

int64_t wall_ns_now() { return read_clock(CLOCK_REALTIME); }

void pause_for(Span span) {
  timespec length{};
  length.tv_sec = span.ns() / 1'000'000'000;
  length.tv_nsec = span.ns() % 1'000'000'000;
  ::nanosleep(&length, nullptr);  // cut short by a signal: whoever waits looks again anyway
}

}  // namespace tide
