// The host's clocks: with its .cpp, the only file of core that reads the time.
//
// Pools read the time through a Clock. Code that observes pools from outside reads the clocks directly, and pauses
// here.
//
// SystemClock's axis starts at the host's monotonic clock at the first call in the process. From then on it follows the
// processor's time stamp counter where that is invariant (9 ns per reading instead of 20), else the monotonic clock
// itself. The rate is measured once; a remaining error of some ppm does not matter because wall times are anchored
// again at every tick.
#pragma once

#include <cstdint>
#include <ctime>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include "base/instant.hpp"

namespace tide {

// The pool's clock. Readings never go back and come from one axis, shared by all processes of the host.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;      // monotonic
  virtual int64_t wall_ns() const = 0;  // since 1970, for display only
};

int64_t monotonic_ns_now();
int64_t wall_ns_now();  // since 1970
timespec timespec_of(Span span);
void pause_for(Span span);

__extension__ typedef unsigned __int128 WideTicks;

struct TickRate {
  bool is_tsc = false;
  uint64_t ticks_at_start = 0;
  int64_t ns_at_start = 0;
  uint64_t ns_per_tick_q32 = 0;  // nanoseconds a tick, times 2^32

#if defined(__x86_64__)
  // Only if is_tsc.
  Instant now() const {
    const uint64_t ticks = __rdtsc() - ticks_at_start;
    return Instant::at_ns(ns_at_start + static_cast<int64_t>((static_cast<WideTicks>(ticks) * ns_per_tick_q32) >> 32));
  }
#endif
};

class SystemClock final : public Clock {
 public:
  static const SystemClock& instance();  // measures the rate at the first call (about 5 ms)

  Instant now() const override;
  int64_t wall_ns() const override;
  const TickRate& rate() const { return rate_; }

 private:
  SystemClock();
  TickRate rate_;
};

// The clock as read on the fast path: no virtual call where the time comes from the counter.
class TickClock {
 public:
  explicit TickClock(const Clock& clock) : clock_(&clock) {
    if (const auto* system = dynamic_cast<const SystemClock*>(&clock)) rate_ = system->rate();
  }
  Instant now() const {
#if defined(__x86_64__)
    if (rate_.is_tsc) [[likely]]
      return rate_.now();
#endif
    return clock_->now();
  }
  const Clock& clock() const { return *clock_; }

 private:
  TickRate rate_;
  const Clock* clock_;
};

}  // namespace tide
