// CancelDesk: sends cancel requests without blocking a thread.
//
// A cancel request is a separate connection: connect, send sixteen bytes, wait until the server closes it. Only then the
// signal has been sent, and cannot cancel a later statement of the session.
//
// C1  At most kAtOnceMax requests are in progress, so as not to overload the server; the others are queued here.
// C2  A session has at most one request queued or in progress; further requests have no effect.
// C3  While a cancel of a session is pending, nothing may be sent on the session (is_pending()).
// Threads: any; one mutex, held briefly; no call blocks. pump() is called by the keeper, and by a caller that waits for the
// end of its statement.
// Failure: a request that cannot be delivered in time is abandoned; has_failed() reports it.
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>

#include "base/instant.hpp"
#include "driver/libpq/key_catcher.hpp"
#include "os/descriptor.hpp"

namespace tide::libpq {

// The address and key for the requests of a session.
struct CancelAddress {
  sockaddr_storage address{};
  socklen_t length = 0;
  BackendKey key;
  bool is_known() const { return length != 0 && key.pid != 0; }
};

// The cancel requests of one session.
struct CancelState {
  CancelAddress where;
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
    Descriptor socket;
    bool is_sent = false;
  };
  enum class Progress : uint8_t { waiting, done, failed };

  Progress advance(Request& request, Instant now);

  std::mutex mutex_;
  std::deque<Request> requests_;  // the first kAtOnceMax of them are under way
  Descriptor epoll_ = Descriptor::epoll("cannot make descriptors for cancel requests");
  Bell bell_{"cannot make descriptors for cancel requests"};
};

}  // namespace tide::libpq
