// Watch: determines when a running statement must stop, in handlers called by SQLite.
//
// SQLite calls two handlers: every thousand steps of its virtual machine (progress handler), and between two attempts to
// get a lock of another process (busy handler). Both must end a statement in time, so that deadlines apply in both
// cases.
//
// W1  The first reason to stop is reported; it remains until forget_stop().
// W2  While nothing is armed, only disarm() stops statements: those of the holder on native() have no deadline.
// Threads: arm() and rest() by the thread that has the hands of the session; request_stop() and disarm() by any thread; the
//          handlers run in the thread inside SQLite. All fields are atomic, because these may be different threads.
// Failure: none; a handler never throws and never calls back into the database.
#pragma once

#include <sqlite3.h>

#include <atomic>
#include <cstdint>

#include "base/instant.hpp"
#include "pool/ports.hpp"

namespace tide::sqlite {

class Watch {
 public:
  enum class Stop : uint8_t { none, cancelled, timed_out, read_too_old, disarmed };
  struct Limits {
    Instant deadline = Instant::never();    // of the statement or the whole request
    Instant read_until = Instant::never();  // maximum end of the read snapshot
    Span busy_timeout = Span::nanos(0);     // how long to wait for locks of others
  };

  Watch(const Clock& clock, Span busy_timeout) : clock_(clock) { set_timeout(busy_timeout); }

  void install(sqlite3* database) noexcept;
  static void remove(sqlite3* database) noexcept;

  void arm(const Limits& limits) noexcept;
  // A new request begins: discards requests to stop the previous one.
  void forget_stop() noexcept;
  void rest() noexcept;
  // The busy timeout outside of armed statements.
  void set_timeout(Span timeout) noexcept { timeout_at_rest_ns_.store(timeout.ns()); }
  Span timeout() const noexcept { return Span::nanos(timeout_at_rest_ns_.load()); }

  void request_stop() noexcept { should_stop_.store(true); }
  void disarm() noexcept {
    is_disarmed_.store(true);
    should_stop_.store(true);
  }
  bool is_disarmed() const noexcept { return is_disarmed_.load(); }
  // Set when a stop was requested; also the flag for WriterTurn::take().
  const std::atomic<bool>& should_stop() const noexcept { return should_stop_; }
  // Checks flags and clock; the first reason found is kept.
  Stop check() noexcept { return check_at({}); }
  // With a reading of the clock that the caller has; unset: it is read if it matters.
  Stop check_at(Instant now) noexcept;
  Stop stop() const noexcept { return stop_.load(); }

 private:
  static int on_progress(void* self) noexcept;
  static int on_busy(void* self, int tries) noexcept;

  const Clock& clock_;
  std::atomic<int64_t> deadline_ns_{Instant::never().ns()};
  std::atomic<int64_t> read_until_ns_{Instant::never().ns()};
  std::atomic<int64_t> timeout_ns_{0};
  std::atomic<int64_t> timeout_at_rest_ns_{0};
  std::atomic<int64_t> busy_since_ns_{0};
  std::atomic<bool> is_armed_{false};
  std::atomic<bool> should_stop_{false};
  std::atomic<bool> is_disarmed_{false};
  std::atomic<Stop> stop_{Stop::none};
};

}  // namespace tide::sqlite
