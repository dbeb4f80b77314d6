// ListeningPort: a connection that listens for notifications, as the service sees it. A driver implements it.
//
// G1  open(), change() and ping() are each answered once: by opened or done, or by lost. After lost, and after close(), there
//     is no connection, and open() may be called again.
// G2  Notifications are reported in the order in which the server sent them, and those of a change() after its done: a
//     channel that was added is heard from then on.
// G3  What arrived before the connection was lost is reported before lost.
// Threads: one at a time; no call waits for the server. Failure: lost, with the reason.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/instant.hpp"
#include "base/status.hpp"
#include "policy/policy.hpp"

namespace tide {

struct ListeningNews {
  enum class Kind : uint8_t { opened, done, notified, lost };
  Kind kind;
  std::string channel = {};  // notified
  std::string payload = {};
  int32_t server_pid = 0;  // opened: of this session, 0 if unknown; notified: of the sender
  Status status = {};      // lost
};

// The error for a pooler in transaction mode.
Status listening_needs_direct_connection();

class ListeningPort {
 public:
  virtual ~ListeningPort() = default;

  virtual void open(Instant now, Instant deadline) = 0;
  // Begins and ends to listen, all at once or not at all. Only when nothing else is unanswered. Names are as they are given,
  // upper and lower case differ.
  virtual void change(const std::vector<std::string>& listen, const std::vector<std::string>& unlisten) = 0;
  // The same, only to hear whether the server answers.
  virtual void ping() = 0;
  virtual void close() noexcept = 0;
  // Makes progress; returns when it wants to be called next, unless fd() is readable before.
  virtual Instant step(Instant now, std::vector<ListeningNews>& out) = 0;
  virtual int fd() const noexcept = 0;
  virtual void set_policy(const Policy& policy) = 0;  // for connections opened from now on
  // As Connector has them.
  virtual bool hold_for_fork(Span) noexcept { return true; }
  virtual void release_after_fork() noexcept {}
  virtual void abandon() noexcept = 0;
};

}  // namespace tide
