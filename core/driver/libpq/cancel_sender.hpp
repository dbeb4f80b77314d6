// CancelSender: sends the cancel requests of one session, one at a time, without blocking.
//
// A cancel request is a separate connection: connect, send the key, wait until the server closes it. Only then the signal
// has been sent, and cannot cancel a later statement of the session.
//
// libpq 17 and newer does this without blocking (PQcancelCreate), over TLS if the session uses it, and with keys of any
// length. It uses the address of the session, so that no name is looked up; over TLS it reads the certificate files again.
// Older versions can only block (PQcancel) and do not return the key. With them the request is sent by this class, not
// encrypted, and the key is read from the trace of the connect.
// Threads: watch(), learn() and forget() in the thread that connects; then one call at a time (CancelDesk).
// Failure: Progress::failed. Without a key is_able() is false, and the session is closed instead.
#pragma once

#include <libpq-fe.h>
#include <sys/socket.h>

#include <cstdint>
#include <memory>

#include "os/descriptor.hpp"
#ifndef LIBPQ_HAS_ASYNC_CANCEL
#include "driver/libpq/key_catcher.hpp"
#endif

namespace tide::libpq {

class CancelSender {
 public:
  enum class Progress : uint8_t {
    waiting,  // until socket() has one of the events
    busy,     // the server accepts no connection now: call again later
    done,
    failed,
  };

  // Before connecting.
  void watch(PGconn* conn);
  // When connected.
  void learn(PGconn* conn);
  // When connecting has failed. `conn` may be null.
  void forget(PGconn* conn);

  bool is_able() const;
  // Starts a request, or continues it.
  Progress advance();
  // Ends the request, in whatever state it is.
  void end() noexcept;
  int socket() const;
  uint32_t events() const { return events_; }  // for epoll

 private:
  uint32_t events_ = 0;
#ifdef LIBPQ_HAS_ASYNC_CANCEL
  struct Finish {
    void operator()(PGcancelConn* conn) const noexcept { PQcancelFinish(conn); }
  };
  std::unique_ptr<PGcancelConn, Finish> conn_;
  bool is_under_way_ = false;
#else
  KeyCatcher catcher_;
  BackendKey key_;
  sockaddr_storage address_{};
  socklen_t address_length_ = 0;
  Descriptor socket_;
  bool is_sent_ = false;
#endif
};

}  // namespace tide::libpq
