// WriterTurn: the write lock of the sessions of one connector.
//
// SQLite allows one writer at a time, and the others poll for the lock, so that it is not granted in order of arrival.
// Here a session waits for its turn before it calls SQLite. Therefore writers of one process never get SQLITE_BUSY; writers
// of other processes, and statements on native(), do not take part.
//
// Handing the turn over to a thread that sleeps leaves the database without a writer until it runs, and lets all others queue
// meanwhile. So the turn is left free, the first waiter is woken, and a running thread may take it before, until the first
// waiter has waited for the window (fairness_window, as for leases): then it is handed over.
//
// T1  At most one session holds the turn.
// T2  Waiters get turns in order of arrival. None is overtaken by a newcomer after it has been first and has waited for the
//     window; with a window of 0 none ever is.
// T3  A waiter that is served at the instant of its deadline has the turn; a turn is never lost.
// Threads: any. One mutex, held briefly, never while a waiter sleeps or SQLite runs.
// Failure: a wait ends at its deadline or when stopped; the queue is bounded by the number of sessions.
#pragma once

#include <atomic>
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

  explicit WriterTurn(const Clock& clock, Span window = Span()) : clock_(clock), window_(window) {}
  WriterTurn(const WriterTurn&) = delete;
  WriterTurn& operator=(const WriterTurn&) = delete;

  // Waits until the turn is this session's, `deadline` has passed or `should_stop` is set (and nudge() called).
  // A deadline in the past does not wait. The session must not hold the turn already. `may_yield`: hopes for a while that it
  // need not queue, which takes long on a busy machine.
  Outcome take(uint64_t session, Instant deadline, const std::atomic<bool>& should_stop, bool may_yield = true);
  // To be called by the holder only.
  void give(uint64_t session) noexcept;
  void set_window(Span window) noexcept;
  // Lets a waiting session check its flag and the clock again. Never blocks for long.
  void nudge(uint64_t session) noexcept;

  Holder holder() const;
  size_t waiting() const;

 private:
  struct Ticket {
    uint64_t session;
    Instant since;
    bool is_called = false;         // may take the turn when it runs
    bool is_served = false;         // has it
    std::atomic<uint32_t> word{0};  // changes when it is woken
  };

  // These with the mutex.
  bool has_waited(const Ticket& ticket, Instant now) const { return now - ticket.since >= window_; }
  bool try_take(uint64_t session, Instant now) noexcept;
  // Whom to wake when the mutex is unlocked: otherwise it would wait for the mutex at once. nullptr: nobody.
  using Sleeper = const std::atomic<uint32_t>*;
  static Sleeper to_wake(Ticket& ticket) noexcept;
  Sleeper pass_on() noexcept;
  Sleeper leave(const Ticket& ticket) noexcept;

  const Clock& clock_;
  mutable std::mutex mutex_;  // guards the following
  Span window_;
  Holder holder_;
  std::deque<Ticket*> queue_;  // the oldest first; each is on the stack of its waiter
};

}  // namespace tide::sqlite
