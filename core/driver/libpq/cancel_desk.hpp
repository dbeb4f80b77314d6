// CancelDesk: asks servers to stop statements, without anybody waiting for it.
//
// A cancel is a connection of its own: connect, sixteen bytes, wait until the server closes it. Only then the signal has
// been sent, and a later statement of the session is safe from it.
//
// C1  At most kAtOnceMax cancels are under way: a server in trouble is not flooded; the others wait here.
// C2  A session has at most one cancel queued or under way; asking again meanwhile does nothing.
// C3  While a session's cancel is pending, nothing new may be sent on it (is_pending()).
// Threads: any; everything is under one short mutex, and no call blocks. Whoever cares pumps: the keeper, and a caller
// that waits for its statement to end.
// Failure: a cancel that cannot be delivered in time is given up and told by has_failed().
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "base/instant.hpp"
#include "driver/libpq/key_catcher.hpp"
#include "os/descriptor.hpp"

namespace tide::libpq {

// Where a session's server is asked.
struct CancelAddress {
  sockaddr_storage address{};
  socklen_t length = 0;
  BackendKey key;
  bool is_known() const { return length != 0 && key.pid != 0; }
};

// One session's cancels.
struct CancelState {
  CancelAddress where;
  std::atomic<bool> is_pending{false};
  std::atomic<bool> has_failed{false};
};

class CancelDesk {
 public:
  CancelDesk();

  // False when the session cannot be cancelled at all.
  bool ask(const std::shared_ptr<CancelState>& session, Instant now) noexcept;
  // Progress; when it wants to be called next at the latest.
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
