#include "driver/sqlite/writer_turn.hpp"

#include <algorithm>
#include <chrono>

#include "base/assert.hpp"

namespace tide::sqlite {
namespace {
// Sleeping in one piece for longer than this gains nothing and overflows some implementations.
constexpr int64_t kSleepNsMax = 3'600'000'000'000;
}  // namespace

WriterTurn::Outcome WriterTurn::take(uint64_t session, Instant deadline, const std::atomic<bool>& should_stop) {
  std::unique_lock lock(mutex_);
  TIDE_ASSERT(session != 0 && holder_.session != session);
  if (holder_.session == 0) {  // nobody can be waiting: give() hands over directly
    holder_ = {session, clock_.now()};
    return Outcome::taken;
  }
  const auto outcome_at = [&](Instant now) {
    if (should_stop.load()) return Outcome::stopped;
    return now >= deadline ? Outcome::timed_out : Outcome::taken;
  };
  // Asking without waiting takes no memory: whoever does it may have none.
  if (const Outcome outcome = outcome_at(clock_.now()); outcome != Outcome::taken) return outcome;
  Ticket ticket{session, false, {}};
  queue_.push_back(&ticket);
  while (!ticket.is_served) {
    const Instant now = clock_.now();
    if (const Outcome outcome = outcome_at(now); outcome != Outcome::taken) {
      queue_.erase(std::find(queue_.begin(), queue_.end(), &ticket));
      return outcome;
    }
    ticket.changed.wait_for(lock, std::chrono::nanoseconds(std::min((deadline - now).ns(), kSleepNsMax)));
  }
  return Outcome::taken;
}

void WriterTurn::give(uint64_t session) noexcept {
  const std::lock_guard lock(mutex_);
  TIDE_ASSERT(holder_.session == session);
  holder_ = {};
  if (queue_.empty()) return;
  Ticket* next = queue_.front();
  queue_.pop_front();
  next->is_served = true;
  holder_ = {next->session, clock_.now()};
  next->changed.notify_one();  // under the lock: afterwards the ticket may be gone
}

void WriterTurn::nudge(uint64_t session) noexcept {
  const std::lock_guard lock(mutex_);
  for (Ticket* ticket : queue_) {
    if (ticket->session == session) ticket->changed.notify_one();
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
