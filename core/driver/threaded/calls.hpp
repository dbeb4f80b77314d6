// Calls: the calls of a blocking driver, and the helper threads that make them.
//
// B1  A call is in exactly one of the lists: waiting, running, done.
// B2  Calls for one session never overlap, and keep their order.
// B3  If calls of the driver may not overlap, one starts only when no other is running, except late ones and those that
//     reach into a lease, which may be made at any time.
// B4  A session that is not needed any more when it has been opened is closed, and a session passed on for closing is closed,
//     even if the pool does not exist any more.
// Threads: run() in the helpers; all other functions under `mutex`, from the connector. The helpers keep this object alive,
//          so that it may outlive the pool if a call does not return.
// Failure: start_helper() reports why no thread could be started.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

#include "driver/threaded/blocking_driver.hpp"
#include "os/descriptor.hpp"

namespace tide {

struct DriverCall {
  enum class Kind : uint8_t { open, validate, reset, close, look, work, cancel, end_transaction, disarm };
  Kind kind;
  uint32_t slot = 0;
  Instant asked;
  Span span;                          // its time limit
  Connection* session = nullptr;      // of all but open, look and work
  std::unique_ptr<Connection> owned;  // of close
  ResetMode mode = ResetMode::none;
  uint64_t lease = kAnyLease;  // of cancel and end_transaction
  std::string why;             // of end_transaction
  Instant due;                 // not before this time
  Instant started;             // unset: waiting
  Instant deadline;            // while waiting, and of an open: from `asked`; of the others from `started`
  bool is_given_up = false;    // answered without its result
  bool is_late = false;        // missed its deadline

  BlockingDriver::Opened opened;
  Status status;          // of validate and reset; the last error of an open that was busy
  FileFacts facts;        // of look
  bool is_ended = false;  // of end_transaction

  // A request whose slot waits for the result.
  bool is_answered() const { return !is_own() && kind != Kind::cancel && kind != Kind::end_transaction; }
  // Nobody has requested it.
  bool is_own() const { return kind == Kind::look || kind == Kind::work; }
  // Made even if the pool does not exist any more.
  bool is_an_end() const { return kind == Kind::close || kind == Kind::disarm; }
  // It affects a session in use, so it does not wait for calls for other sessions.
  bool is_about_lease() const { return kind == Kind::cancel || kind == Kind::end_transaction || kind == Kind::disarm; }
};

class Calls : public std::enable_shared_from_this<Calls> {
 public:
  // A call that does not return must not stop the others, and may occupy a thread for ever. The same number as
  // simultaneous cancels.
  static constexpr size_t kHelpersMax = 4;
  // After this time another helper is started for waiting calls.
  static constexpr Span kSlow = Span::millis(10);
  // How long to wait for a call without a deadline (close).
  static constexpr Span kTimeout = Span::seconds(2);

  // Throws Shortage if no descriptor is available.
  Calls(std::unique_ptr<BlockingDriver> driver, const Clock& clock);
  Calls(const Calls&) = delete;
  Calls& operator=(const Calls&) = delete;

  BlockingDriver& driver() noexcept { return *driver_; }
  const BlockingDriver& driver() const noexcept { return *driver_; }
  // Readable when a call is done.
  Bell& bell() noexcept { return bell_; }
  // The calling thread is inside one of these calls.
  bool is_called_by_me() const noexcept;
  // Makes the call in the calling thread.
  void carry_out(DriverCall& call) noexcept;
  // Only calls that end sessions are started from now on; helpers end. Waits briefly for calls that are nearly done.
  void end() noexcept;

  std::mutex mutex;  // guards the following
  std::list<DriverCall> waiting;
  std::list<DriverCall> running;
  std::list<DriverCall> done;
  std::condition_variable progress;  // a call is done, or a helper has ended

  // Whether this call may start now. To be asked in the order of the list, because earlier calls of a session go first.
  bool is_runnable(const DriverCall& call, Instant now) const;
  // Wakes or starts helpers for waiting calls. Returns when to call it again.
  Instant employ(Instant now) noexcept;
  Status start_helper();
  bool has_helper() const noexcept { return !helpers_.empty(); }
  bool has_free_helper() const noexcept;
  // Whether a call other than a look is in progress.
  bool is_at_work() const noexcept;
  // Whether all calls in progress started long ago.
  bool is_held_up(Instant now) const noexcept;

 private:
  struct Helper {
    std::thread thread;
    bool has_left = false;
  };
  void run(Helper& me);
  bool begin_next(std::list<DriverCall>::iterator& out);
  void finish(std::list<DriverCall>::iterator call, std::unique_lock<std::mutex>& lock);

  const std::unique_ptr<BlockingDriver> driver_;
  const Clock& clock_;
  Bell bell_;
  std::list<Helper> helpers_;
  size_t idle_ = 0;
  bool is_ending_ = false;
  std::condition_variable wanted_;
};

}  // namespace tide
