// Attempt: one connection attempt, in a thread of its own.
//
// Why a thread: connecting with libpq may block, without an alternative, in the lookup of a host name, in reading service,
// password and certificate files, and in Kerberos. The credential callback of the program may block too. The keeper must
// not block.
//
// T1  Until is_finished() only the thread uses the PGconn; afterwards the thread does not use it.
// T2  An abandoned attempt ends at once, or when the call that blocks it returns. No thread waits for that.
// T3  At most kHeldUpMax abandoned attempts are blocked; until one of them returns, no other attempt starts.
// T4  Only one attempt at a time calls the credential callback.
// T5  After hold_for_fork() has returned true, no attempt is inside libpq, so that the locks of libraries are free in a child.
// Threads: an Attempt and the Attempts are called by the keeper; the thread shares their state under one mutex. All
// signals are blocked in it.
// Failure: failure() of a finished attempt, give_up() of a late one. start() throws Shortage.
#pragma once

#include <libpq-fe.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/instant.hpp"
#include "driver/libpq/cancel_desk.hpp"
#include "driver/libpq/conninfo.hpp"
#include "driver/libpq/errors.hpp"
#include "driver/libpq/session.hpp"
#include "os/descriptor.hpp"

namespace tide::libpq {

class Attempt;

struct Host {
  std::string name;
  std::string to_look_up;  // for messages; empty: no lookup is needed
};
// The hosts that libpq tries for these keywords, in its order.
std::vector<Host> hosts_of(const Words& words);

// State shared by all attempts of a connector, and kept alive by them.
class Attempts {
 public:
  static constexpr size_t kHeldUpMax = 16;

  Bell& bell() noexcept { return bell_; }  // rung when an attempt has ended
  // May another one begin (T3)? The name of what holds up one of those that prevent it is put into `why_not`.
  bool has_room(std::string& why_not) const;
  // Whether an abandoned attempt that began with this host is still blocked.
  bool is_held_up(size_t first_host) const;
  // Abandons all attempts, and waits briefly for those that are not blocked.
  void end() noexcept;
  // Before a fork: waits until no attempt is inside libpq, except abandoned ones. Returns false if that takes too
  // long.
  bool hold_for_fork(Span timeout) noexcept;
  void release_after_fork() noexcept;

 private:
  friend class Attempt;

  mutable std::mutex mutex_;  // guards what follows, and the state of each attempt
  std::condition_variable changed_;
  std::list<Attempt*> running_;
  bool is_asking_ = false;  // an attempt is inside the credential callback
  bool is_held_ = false;    // for a fork
  Bell bell_{"cannot make a descriptor for connects"};
};

class Attempt : public std::enable_shared_from_this<Attempt> {
 public:
  struct Task {
    ConnectWords words;
    Policy policy;
    std::string application;
    std::function<Status(std::string& password)> credentials;  // may be empty
    size_t first_host = 0;                                     // the list of hosts is rotated by this number
    StartupOptions sent = StartupOptions::all;
  };

  static std::shared_ptr<Attempt> start(Task task, std::shared_ptr<Attempts> all);
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  bool is_finished() const noexcept { return is_finished_.load(std::memory_order_acquire); }
  // Of a finished attempt: the connection, or null and the error.
  ConnectionHandle take() { return std::move(conn_); }
  const std::shared_ptr<CancelState>& cancel() const { return cancel_; }
  const ConnectFailure& failure() const { return failure_; }
  const std::string& target_options() const { return target_options_; }  // as in ConnectWords

  // The timeout error, which names what the attempt is waiting for.
  Status lateness() const;
  // Abandons the attempt.
  void give_up() noexcept;
  // For a forked child, in which the thread does not exist.
  void abandon() noexcept;

 private:
  friend class Attempts;
  enum class Stage : uint8_t { starting, asking, inside, talking };
  // The thread is inside libpq during the life of this object.
  class Inside;

  Attempt(Task task, std::shared_ptr<Attempts> all);
  void run() noexcept;
  void connect();
  bool ask_for_password(std::string& password);
  void begin(const std::string* password);
  void note_place();
  bool wait_for_socket(PostgresPollingStatusType wanted);
  void fail();
  std::string obstacle() const;  // with the mutex held

  const Task task_;
  const std::shared_ptr<Attempts> all_;
  Bell wake_;  // rung when it was given up
  std::atomic<bool> is_given_up_{false};
  std::atomic<bool> is_finished_{false};
  std::atomic<int> socket_{-1};  // unless the thread is inside libpq

  // Under the mutex of all_.
  Stage stage_ = Stage::starting;
  std::string where_;  // the current server
  std::string names_;  // names that libpq may be looking up

  // Used only by the thread until it has finished.
  std::vector<Host> hosts_;
  bool is_in_order_ = true;  // libpq tries them in order
  ConnectionHandle conn_;
  const std::shared_ptr<CancelState> cancel_ = std::make_shared<CancelState>();
  std::string target_options_;
  ConnectFailure failure_;
};

// The current host and port, for messages; may be empty.
std::string place_of(const PGconn* conn);
// The error for a server that has not responded in time.
Status server_is_late(const std::string& place);

}  // namespace tide::libpq
