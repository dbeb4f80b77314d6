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
  Ticket ticket{session, false, {}};
  queue_.push_back(&ticket);
  Outcome outcome = Outcome::taken;
  while (!ticket.is_served) {
    const Instant now = clock_.now();
    if (should_stop.load()) {
      outcome = Outcome::stopped;
    } else if (now >= deadline) {
      outcome = Outcome::timed_out;
    }
    if (outcome != Outcome::taken) {
      queue_.erase(std::find(queue_.begin(), queue_.end(), &ticket));
      return outcome;
    }
    ticket.changed.wait_for(lock, std::chrono::nanoseconds(std::min((deadline - now).ns(), kSleepNsMax)));
  }
  return outcome;
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
