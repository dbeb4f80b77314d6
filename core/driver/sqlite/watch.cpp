#include "driver/sqlite/watch.hpp"

#include <algorithm>

namespace tide::sqlite {
namespace {
// About 20 us of work between two clock readings: the maximum overrun of a statement, for less than one percent.
constexpr int kOperationsBetweenLooks = 1000;
// How long to sleep between two attempts to get a lock. The handler of SQLite sleeps up to 100 ms, leaving the lock unused.
constexpr int kNapMs[] = {1, 2, 5, 10, 10, 15, 15, 20};
constexpr int kNaps = static_cast<int>(sizeof kNapMs / sizeof kNapMs[0]);
}  // namespace

void Watch::install(sqlite3* database) noexcept {
  sqlite3_progress_handler(database, kOperationsBetweenLooks, &Watch::on_progress, this);
  sqlite3_busy_handler(database, &Watch::on_busy, this);
}

void Watch::remove(sqlite3* database) noexcept {
  sqlite3_progress_handler(database, 0, nullptr, nullptr);
  sqlite3_busy_handler(database, nullptr, nullptr);
}

// The limits need no order among threads: those that stop a statement from outside use the flags.
void Watch::arm(const Limits& limits) noexcept {
  deadline_ns_.store(limits.deadline.ns(), std::memory_order_relaxed);
  read_until_ns_.store(limits.read_until.ns(), std::memory_order_relaxed);
  timeout_ns_.store(limits.busy_timeout.ns(), std::memory_order_relaxed);
  is_armed_.store(true, std::memory_order_release);
}

void Watch::forget_stop() noexcept {
  if (stop_.load(std::memory_order_relaxed) != Stop::none) stop_.store(Stop::none);
  if (!should_stop_.load()) return;  // most of the time: stores that order are slow
  should_stop_.store(false);
  if (is_disarmed_.load()) should_stop_.store(true);  // disarm() may have been called in between
}

void Watch::rest() noexcept {
  is_armed_.store(false, std::memory_order_release);
  deadline_ns_.store(Instant::never().ns(), std::memory_order_relaxed);
  read_until_ns_.store(Instant::never().ns(), std::memory_order_relaxed);
}

Watch::Stop Watch::check_at(Instant reading) noexcept {
  if (is_disarmed_.load()) {
    stop_.store(Stop::disarmed);
    return Stop::disarmed;
  }
  if (!is_armed_.load()) return Stop::none;
  if (const Stop known = stop_.load(); known != Stop::none) return known;
  Stop found = Stop::none;
  if (should_stop_.load()) {
    found = Stop::cancelled;
  } else {
    const int64_t deadline = deadline_ns_.load(std::memory_order_relaxed);
    const int64_t read_until = read_until_ns_.load(std::memory_order_relaxed);
    if (std::min(deadline, read_until) >= Instant::never().ns()) return Stop::none;
    const int64_t now = (reading.is_set() ? reading : clock_.now()).ns();
    if (now >= deadline) {
      found = Stop::timed_out;
    } else if (now >= read_until) {
      found = Stop::read_too_old;
    }
  }
  if (found != Stop::none) stop_.store(found);
  return found;
}

int Watch::on_progress(void* self) noexcept { return static_cast<Watch*>(self)->check() != Stop::none ? 1 : 0; }

int Watch::on_busy(void* self, int tries) noexcept {
  Watch& watch = *static_cast<Watch*>(self);
  if (watch.check() != Stop::none) return 0;
  const int64_t now = watch.clock_.now().ns();
  if (tries == 0) watch.busy_since_ns_.store(now);
  const bool is_armed = watch.is_armed_.load();
  const int64_t timeout = is_armed ? watch.timeout_ns_.load() : watch.timeout_at_rest_ns_.load();
  const int64_t left = std::min({timeout - (now - watch.busy_since_ns_.load()), watch.deadline_ns_.load() - now,
                                 watch.read_until_ns_.load() - now});
  if (left <= 0) return 0;
  const int64_t nap = std::min<int64_t>(kNapMs[std::min(tries, kNaps - 1)], left / 1'000'000 + 1);
  sqlite3_sleep(static_cast<int>(nap));
  return 1;
}

}  // namespace tide::sqlite
