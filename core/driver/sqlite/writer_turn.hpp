// WriterTurn: the write lock of the sessions of one connector.
//
// SQLite allows one writer at a time, and the others poll for the lock, so that it is not granted in order of arrival.
// Here a session waits for its turn before it calls SQLite, and the turn is handed over to the session that has waited
// longest. Therefore writers of one process never get SQLITE_BUSY; writers of other processes, and statements on native(),
// do not take part.
//
// T1  At most one session holds the turn.
// T2  Turns are handed over strictly in order of arrival; a newcomer never overtakes a waiter.
// T3  A waiter that is served at the instant of its deadline has the turn; a turn is never lost.
// Threads: any. One mutex, held briefly, never while a waiter sleeps or SQLite runs.
// Failure: a wait ends at its deadline or when stopped; the queue is bounded by the number of sessions.
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
    uint64_t session = 0;  // 0: none
    Instant since;
  };

  explicit WriterTurn(const Clock& clock) : clock_(clock) {}
  WriterTurn(const WriterTurn&) = delete;
  WriterTurn& operator=(const WriterTurn&) = delete;

  // Waits until the turn is this session's, `deadline` has passed or `should_stop` is set (and nudge() called).
  // A deadline in the past does not wait. The session must not hold the turn already.
  Outcome take(uint64_t session, Instant deadline, const std::atomic<bool>& should_stop);
  // Hands the turn over to the next in the queue. To be called by its holder only.
  void give(uint64_t session) noexcept;
  // Lets a waiting session check its flag and the clock again. Never blocks for long.
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
  std::deque<Ticket*> queue_;  // the oldest first; each is on the stack of its waiter
};

}  // namespace tide::sqlite
