// CancelSender with the functions of libpq 17.
#include <poll.h>
#include <sys/epoll.h>

#include "driver/libpq/cancel_sender.hpp"

#ifdef LIBPQ_HAS_ASYNC_CANCEL

namespace tide::libpq {
namespace {

bool is_ready(int socket, uint32_t events) {
  pollfd fd{socket, static_cast<short>(events == EPOLLOUT ? POLLOUT : POLLIN), 0};
  return poll(&fd, 1, 0) > 0;
}

bool is_local(int socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  return getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length) == 0 && address.ss_family == AF_UNIX;
}

}  // namespace

void CancelSender::watch(PGconn*) {}

// Now, because libpq reads the password file, and because the holder may be using the session when it is cancelled.
void CancelSender::learn(PGconn* conn) {
  conn_.reset(PQcancelCreate(conn));
  if (conn_ != nullptr && PQcancelStatus(conn_.get()) == CONNECTION_BAD) conn_.reset();
}

void CancelSender::forget(PGconn*) {}

bool CancelSender::is_able() const { return conn_ != nullptr; }

CancelSender::Progress CancelSender::advance() {
  if (!is_under_way_) {
    is_under_way_ = true;
    events_ = EPOLLOUT;
    if (PQcancelStart(conn_.get()) == 0) return Progress::failed;
  }
  while (is_ready(socket(), events_)) {
    const bool is_sent = PQcancelStatus(conn_.get()) == CONNECTION_AWAITING_RESPONSE;
    const bool is_on_unix_socket = is_local(socket());
    switch (PQcancelPoll(conn_.get())) {
      case PGRES_POLLING_OK: return Progress::done;
      case PGRES_POLLING_READING: events_ = EPOLLIN; break;
      case PGRES_POLLING_WRITING: events_ = EPOLLOUT; break;
      default:
        // A connection that ends with an error has ended too. libpq does not notice that the backlog of a Unix socket
        // is full before it sends.
        if (is_sent) return Progress::done;
        return is_on_unix_socket ? Progress::busy : Progress::failed;
    }
  }
  return Progress::waiting;
}

void CancelSender::end() noexcept {
  if (is_under_way_) PQcancelReset(conn_.get());
  is_under_way_ = false;
}

int CancelSender::socket() const { return is_under_way_ ? PQcancelSocket(conn_.get()) : -1; }

}  // namespace tide::libpq

#endif
