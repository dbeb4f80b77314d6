// WriterTurn: the right to write, handed round among the sessions of one connector.
//
// SQLite knows one writer at a time and lets the others poll, so that the luckiest and not the first gets the lock.
// Here a session waits for its turn before it asks SQLite, and the one who gives the turn back hands it to whoever
// waited longest. Writers of one process therefore never meet SQLITE_BUSY; writers of other processes, and statements
// run on native(), are outside of it.
//
// T1  At most one session holds the turn.
// T2  Turns are handed over strictly in the order of arrival; a newcomer never overtakes a waiter.
// T3  A waiter that was served at the instant its time ran out has the turn; it is never lost between the two.
// Threads: any. One short mutex, never held while a waiter sleeps or SQLite runs.
// Failure: a wait ends at its deadline or when told to stop; the queue is bounded by the number of sessions.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>

#include "base/instant.hpp"
#include "pool/ports.hpp"

namespace tide::sqlite {

class WriterTurn {
 public:
  enum class Outcome : uint8_t { taken, timed_out, stopped };
  struct Holder {
    uint64_t session = 0;  // 0: nobody
    Instant since;
  };

  explicit WriterTurn(const Clock& clock) : clock_(clock) {}
  WriterTurn(const WriterTurn&) = delete;
  WriterTurn& operator=(const WriterTurn&) = delete;

  // Waits until the turn is this session's, `deadline` has passed or `should_stop` is set (and nudge() called).
  // A deadline in the past asks without waiting. The session must not hold the turn already.
  Outcome take(uint64_t session, Instant deadline, const std::atomic<bool>& should_stop);
  // Hands the turn to the next in the queue. Only its holder may call this.
  void give(uint64_t session) noexcept;
  // Lets a waiting session look at its flag and at the clock again. Never blocks for long.
  void nudge(uint64_t session) noexcept;

  Holder holder() const;
  size_t waiting() const;

 private:
  struct Ticket {
    uint64_t session;
    bool is_served = false;
    std::condition_variable changed;
  };

  const Clock& clock_;
  mutable std::mutex mutex_;
  Holder holder_;
  std::deque<Ticket*> queue_;  // the oldest in front; each lives on its waiter's stack
};

}  // namespace tide::sqlite
