// Calls: what a blocking driver is asked to do, and the helper threads that make the calls.
//
// B1  A call is in exactly one of the lists: waiting, running, done.
// B2  Calls for one session never overlap, and keep their order.
// B3  Where the driver's calls may not overlap, one begins only when no other runs but such as are late, and such as
//     reach into a lease, which come at any moment.
// B4  A session that was opened for nobody any more is closed, and a session handed over to be closed is closed, even if
//     the pool is gone by then.
// Threads: run() on the helpers; all other calls under `mutex`, from the connector. The helpers keep this object alive,
//          so it may outlive the pool under a call that does not come back.
// Failure: start_helper() says why there is no thread.
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

struct Call {
  enum class Kind : uint8_t { open, validate, reset, close, look, cancel, end_transaction, disarm };
  Kind kind;
  uint32_t slot = 0;
  Instant asked;
  Span span;                          // it has that long
  Connection* session = nullptr;      // of all but open and look
  std::unique_ptr<Connection> owned;  // of close
  ResetMode mode = ResetMode::none;
  uint64_t lease = kAnyLease;  // of cancel and end_transaction
  std::string why;             // of end_transaction
  Instant due;                 // not before
  Instant started;             // unset: it waits
  Instant deadline;            // while waiting, and of an open: from `asked`; of the others from `started`
  bool is_given_up = false;    // it was answered without it
  bool is_late = false;        // it did not keep its deadline

  BlockingDriver::Opened opened;
  Status status;          // of validate and reset; what an open that was busy met last
  FileFacts facts;        // of look
  bool is_ended = false;  // of end_transaction

  // A request whose slot waits for the answer.
  bool is_answered() const { return kind != Kind::look && kind != Kind::cancel && kind != Kind::end_transaction; }
  // It is made even for a pool that is gone.
  bool is_an_end() const { return kind == Kind::close || kind == Kind::disarm; }
  // It reaches into what the holder of a session does, so it need not wait for calls about other sessions.
  bool is_about_lease() const { return kind == Kind::cancel || kind == Kind::end_transaction || kind == Kind::disarm; }
};

class Calls : public std::enable_shared_from_this<Calls> {
 public:
  // One call that does not come back may not stop the others, and each may cost a thread for ever. As many as there are
  // cancels at once.
  static constexpr size_t kHelpersMax = 4;
  // A call that lasts that long is worth another helper for those who wait.
  static constexpr Span kSlow = Span::millis(10);
  // After that a call without a deadline (close) is not waited for any more.
  static constexpr Span kPatience = Span::seconds(2);

  // Throws Shortage where no descriptor is left.
  Calls(std::unique_ptr<BlockingDriver> driver, const Clock& clock);
  Calls(const Calls&) = delete;
  Calls& operator=(const Calls&) = delete;

  BlockingDriver& driver() noexcept { return *driver_; }
  const BlockingDriver& driver() const noexcept { return *driver_; }
  // Readable when a call is done.
  Bell& bell() noexcept { return bell_; }
  // The calling thread is inside one of these calls.
  bool is_called_by_me() const noexcept;
  // Makes the call here and now.
  void carry_out(Call& call) noexcept;
  // No call is begun any more but those that end sessions; helpers end. Waits a moment for those that are nearly done.
  void end() noexcept;

  std::mutex mutex;  // guards what follows
  std::list<Call> waiting;
  std::list<Call> running;
  std::list<Call> done;
  std::condition_variable progress;  // a call is done, or a helper has ended

  // May this call begin now? In the order of the list, since an earlier one of the same session goes first.
  bool is_runnable(const Call& call, Instant now) const;
  // Wakes or starts helpers for what waits. Returns when it wants to be called next.
  Instant employ(Instant now) noexcept;
  Status start_helper();
  bool has_helper() const noexcept { return !helpers_.empty(); }
  bool has_free_helper() const noexcept;
  // Something is under way that matters: not just a look.
  bool is_at_work() const noexcept;
  // All that is under way began long ago.
  bool is_held_up(Instant now) const noexcept;

 private:
  struct Helper {
    std::thread thread;
    bool has_left = false;
  };
  void run(Helper& me);
  bool begin_next(std::list<Call>::iterator& out);
  void finish(std::list<Call>::iterator call, std::unique_lock<std::mutex>& lock);

  const std::unique_ptr<BlockingDriver> driver_;
  const Clock& clock_;
  Bell bell_;
  std::list<Helper> helpers_;
  size_t idle_ = 0;
  bool is_ending_ = false;
  std::condition_variable wanted_;
};

}  // namespace tide
