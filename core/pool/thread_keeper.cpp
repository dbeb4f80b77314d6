#include "pool/thread_keeper.hpp"

#include <poll.h>
#include <pthread.h>

#include <new>
#include <system_error>

#include "os/clock.hpp"
#include "os/shortage.hpp"
#include "pool/blocked_signals.hpp"
#include "pool/futex.hpp"

namespace tide {

ThreadKeeper::ThreadKeeper(Keeper& keeper) : keeper_(keeper) {
  const BlockedSignals blocked;
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& problem) {
    throw Shortage(shortage_status("cannot start the pool's thread", problem.code().value()));
  }
}

ThreadKeeper::~ThreadKeeper() {
  if (thread_.joinable()) close(Instant{});
}

void ThreadKeeper::run() {
  pthread_setname_np(pthread_self(), "tidepool");
  while (!keeper_.is_closed()) {
    const int64_t deadline_ns = close_deadline_ns_.load(std::memory_order_acquire);
    if (deadline_ns != 0) keeper_.begin_close(Instant::at_ns(deadline_ns));
    const Span span = step_or_pause(keeper_);
    if (!keeper_.is_closed()) wait_for_keeper(keeper_, span);
  }
  has_ended_.store(1, std::memory_order_release);
  futex_wake(&has_ended_);
}

bool ThreadKeeper::close(Instant deadline, Instant give_up) {
  close_deadline_ns_.store(deadline.ns() > 0 ? deadline.ns() : 1, std::memory_order_release);
  keeper_.poke();
  while (has_ended_.load(std::memory_order_acquire) == 0) {
    const Span left = give_up - SystemClock::instance().now();
    if (left <= Span{}) {
      thread_.detach();
      return false;
    }
    futex_wait(has_ended_, 0, std::min(left, Span::seconds(3600)));
  }
  thread_.join();
  return true;
}

Span step_or_pause(Keeper& keeper) noexcept {
  constexpr Span kPause = Span::millis(50);
  try {
    return keeper.step();
  } catch (const std::bad_alloc&) {
    return kPause;
  }
}

void wait_for_keeper(const Keeper& keeper, Span span) {
  pollfd fd{keeper.fd(), POLLIN, 0};
  poll(&fd, 1, static_cast<int>(span.ms_up()));
}

}  // namespace tide
