// Attempt: one try to connect, on a thread of its own.
//
// Why a thread: what libpq does for a connect may block where it offers no other way: the look-up of a host name, the
// service, password and certificate files, Kerberos. So may the program's credential callback. A keeper cannot afford
// it.
//
// T1  Until is_finished() nobody but the thread touches its PGconn; from then on the thread does not.
// T2  An attempt that was given up ends by itself: at once, or when what holds it up returns. Nobody waits for that.
// T3  At most kHeldUpMax attempts that were given up are held up; until one of them returns, no other begins.
// T4  The credential callback is called by one attempt at a time.
// T5  Once hold_for_fork() returned true, no attempt is inside libpq, so a child finds the libraries' locks free.
// Threads: an Attempt and the Attempts are called by the keeper; the thread shares their state under one mutex. All
// signals are blocked in it.
// Failure: failure() of a finished one, give_up() of one that is late. start() throws Shortage.
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
#include "driver/libpq/conninfo.hpp"
#include "driver/libpq/errors.hpp"
#include "driver/libpq/key_catcher.hpp"
#include "driver/libpq/session.hpp"
#include "os/descriptor.hpp"

namespace tide::libpq {

class Attempt;

struct Host {
  std::string name;
  std::string to_look_up;  // as a message calls it; empty: there is nothing to look up
};
// The hosts that libpq tries when it is given these words, in its order.
std::vector<Host> hosts_of(const std::vector<std::pair<std::string, std::string>>& words);

// What all attempts of a connector have in common. They keep it alive.
class Attempts {
 public:
  static constexpr size_t kHeldUpMax = 16;

  Bell& bell() noexcept { return bell_; }  // rung when an attempt has ended
  // May another one begin (T3)? The name of what holds up one of those that prevent it is put into `why_not`.
  bool has_room(std::string& why_not) const;
  // Is an attempt that began with this host held up after it was given up?
  bool is_held_up(size_t first_host) const;
  // Gives all up and waits a moment for those that nothing holds up.
  void end() noexcept;
  // Before a fork: waits until all are outside of libpq, but not for those that were given up. False: that took too
  // long.
  bool hold_for_fork(Span patience) noexcept;
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
    size_t first_host = 0;                                     // the list of hosts is rotated by so many
    StartupOptions sent = StartupOptions::all;
  };

  static std::shared_ptr<Attempt> start(Task task, std::shared_ptr<Attempts> all);
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  bool is_finished() const noexcept { return is_finished_.load(std::memory_order_acquire); }
  // Of a finished one: the connection, or null and the reason.
  ConnectionHandle take() { return std::move(conn_); }
  const std::optional<BackendKey>& key() const { return key_; }
  const ConnectFailure& failure() const { return failure_; }
  const std::string& target_options() const { return target_options_; }  // as ConnectWords tells them

  // What it waits for, as the error that its time is over.
  Status lateness() const;
  // Its time is over. Afterwards it is nobody's concern.
  void give_up() noexcept;
  // In a forked child, where its thread does not exist.
  void abandon() noexcept;

 private:
  friend class Attempts;
  enum class Stage : uint8_t { starting, asking, inside, talking };
  // While it lives, the thread is inside libpq.
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
  std::string where_;  // the server it talks to
  std::string names_;  // what libpq may have to look up now

  // The thread's until it has finished.
  std::vector<Host> hosts_;
  bool is_in_order_ = true;  // libpq goes through them one after the other
  ConnectionHandle conn_;
  KeyCatcher catcher_;
  std::optional<BackendKey> key_;
  std::string target_options_;
  ConnectFailure failure_;
};

// The host and port at which this one is, for messages; empty if it is nowhere.
std::string place_of(const PGconn* conn);
// The error for a server that has not answered in time.
Status server_is_late(const std::string& place);

}  // namespace tide::libpq
