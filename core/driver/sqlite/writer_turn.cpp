#include "driver/sqlite/writer_turn.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "base/assert.hpp"
#include "pool/futex.hpp"

namespace tide::sqlite {
namespace {
// A longer sleep has no advantage and overflows in some implementations.
constexpr Span kSleepMax = Span::seconds(3600);
// Most statements write for some microseconds: sleeping and being woken takes longer. Yielding lets a holder run that was
// interrupted.
constexpr int kYields = 20;
}  // namespace

WriterTurn::Outcome WriterTurn::take(uint64_t session, Instant deadline, const std::atomic<bool>& should_stop,
                                     bool may_yield) {
  std::unique_lock lock(mutex_);
  TIDE_ASSERT(session != 0 && holder_.session != session);
  const Instant asked_at = clock_.now();
  if (try_take(session, asked_at)) return Outcome::taken;
  for (int i = 0; may_yield && i < kYields && !window_.is_zero() && asked_at < deadline; ++i) {
    lock.unlock();
    std::this_thread::yield();
    lock.lock();
    if (try_take(session, clock_.now())) return Outcome::taken;
  }
  const auto outcome_at = [&](Instant now) {
    if (should_stop.load()) return Outcome::stopped;
    return now >= deadline ? Outcome::timed_out : Outcome::taken;
  };
  // Without waiting no memory is allocated, because there may be none.
  if (const Outcome outcome = outcome_at(asked_at); outcome != Outcome::taken) return outcome;
  Ticket ticket{session, asked_at, false, false, 0};
  queue_.push_back(&ticket);
  for (;;) {
    const Instant now = clock_.now();
    if (const Outcome outcome = outcome_at(now); outcome != Outcome::taken) {
      const Sleeper next = leave(ticket);
      lock.unlock();
      if (next != nullptr) futex_wake(next);
      return outcome;
    }
    const uint32_t seen = ticket.word.load();
    lock.unlock();
    futex_wait(ticket.word, seen, std::min(deadline - now, kSleepMax));
    lock.lock();
    if (ticket.is_served) return Outcome::taken;
    if (ticket.is_called && holder_.session == 0) {
      queue_.pop_front();
      holder_ = {session, clock_.now()};
      return Outcome::taken;
    }
    ticket.is_called = false;  // somebody was faster
  }
}

bool WriterTurn::try_take(uint64_t session, Instant now) noexcept {
  const bool is_free = holder_.session == 0 && (queue_.empty() || !has_waited(*queue_.front(), now));
  if (is_free) holder_ = {session, now};
  return is_free;
}

// A waiter that gives up.
WriterTurn::Sleeper WriterTurn::leave(const Ticket& ticket) noexcept {
  queue_.erase(std::find(queue_.begin(), queue_.end(), &ticket));
  return holder_.session == 0 ? pass_on() : nullptr;  // it may have been called
}

void WriterTurn::give(uint64_t session) noexcept {
  Sleeper next = nullptr;
  {
    const std::lock_guard lock(mutex_);
    TIDE_ASSERT(holder_.session == session);
    holder_ = {};
    next = pass_on();
  }
  if (next != nullptr) futex_wake(next);  // if it does not sleep any more, its ticket may not exist
}

WriterTurn::Sleeper WriterTurn::to_wake(Ticket& ticket) noexcept {
  ticket.word.fetch_add(1);
  return &ticket.word;
}

// Nobody has the turn.
WriterTurn::Sleeper WriterTurn::pass_on() noexcept {
  if (queue_.empty()) return nullptr;
  Ticket& first = *queue_.front();
  if (const Instant now = clock_.now(); has_waited(first, now)) {
    queue_.pop_front();
    first.is_served = true;
    holder_ = {first.session, now};
  } else if (std::exchange(first.is_called, true)) {
    return nullptr;  // it has been woken, and has not run yet
  }
  return to_wake(first);
}

void WriterTurn::set_window(Span window) noexcept {
  const std::lock_guard lock(mutex_);
  window_ = window;
}

void WriterTurn::nudge(uint64_t session) noexcept {
  const std::lock_guard lock(mutex_);
  for (Ticket* ticket : queue_) {
    if (ticket->session == session) futex_wake(to_wake(*ticket));
  }
}

WriterTurn::Holder WriterTurn::holder() const {
  const std::lock_guard lock(mutex_);
  return holder_;
}

size_t WriterTurn::waiting() const {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

}  // namespace tide::sqlite
