#include "driver/sqlite/writer_turn.hpp"

#include <algorithm>
#include <chrono>

#include "base/assert.hpp"

namespace tide::sqlite {
namespace {
// A longer sleep has no advantage and overflows in some implementations.
constexpr int64_t kSleepNsMax = 3'600'000'000'000;
}  // namespace

WriterTurn::Outcome WriterTurn::take(uint64_t session, Instant deadline, const std::atomic<bool>& should_stop) {
  std::unique_lock lock(mutex_);
  TIDE_ASSERT(session != 0 && holder_.session != session);
  if (holder_.session == 0) {  // no session is waiting: give() hands over directly
    holder_ = {session, clock_.now()};
    return Outcome::taken;
  }
  const auto outcome_at = [&](Instant now) {
    if (should_stop.load()) return Outcome::stopped;
    return now >= deadline ? Outcome::timed_out : Outcome::taken;
  };
  // Without waiting no memory is allocated, because there may be none.
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
  next->changed.notify_one();  // under the lock: afterwards the ticket may not exist
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
