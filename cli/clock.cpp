#include "clock.hpp"

#include <ctime>

namespace tide::cli {
namespace {

int64_t ns_of(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

int64_t monotonic_ns_now() { return ns_of(CLOCK_MONOTONIC); }
int64_t wall_us_now() { return ns_of(CLOCK_REALTIME) / 1000; }

}  // namespace tide::cli
