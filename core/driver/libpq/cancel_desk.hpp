// CancelDesk: sends cancel requests without blocking a thread.
//
// C1  At most kAtOnceMax requests are in progress, so as not to overload the server; the others are queued here.
// C2  A session has at most one request queued or in progress; further requests have no effect.
// C3  While a cancel of a session is pending, nothing may be sent on the session (is_pending()).
// Threads: any; one mutex, held briefly; no call blocks. pump() is called by the keeper, and by a caller that waits for the
// end of its statement.
// Failure: a request that cannot be delivered in time is abandoned; has_failed() reports it.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>

#include "base/instant.hpp"
#include "driver/libpq/cancel_sender.hpp"
#include "os/descriptor.hpp"

namespace tide::libpq {

// The cancel requests of one session.
struct CancelState {
  CancelSender sender;  // used by the desk only, once the session is open
  std::atomic<bool> is_pending{false};
  std::atomic<bool> has_failed{false};
};

class CancelDesk {
 public:
  CancelDesk();

  // Returns false if the session cannot be cancelled.
  bool ask(const std::shared_ptr<CancelState>& session, Instant now) noexcept;
  // Makes progress, and returns when to call it again at the latest.
  Instant pump(Instant now) noexcept;
  // Readable when pump() has something to do.
  int fd() const noexcept { return epoll_.get(); }
  void abandon() noexcept;

 private:
  struct Request {
    std::shared_ptr<CancelState> session;
    Instant not_before;
    Instant give_up;
  };
  using Progress = CancelSender::Progress;

  Progress advance(Request& request, Instant now) const;

  std::mutex mutex_;
  std::deque<Request> requests_;  // the first kAtOnceMax of them are under way
  Descriptor epoll_ = Descriptor::epoll("cannot make descriptors for cancel requests");
  Bell bell_{"cannot make descriptors for cancel requests"};
};

}  // namespace tide::libpq
