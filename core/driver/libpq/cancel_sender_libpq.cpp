// CancelSender with the functions of libpq 17.
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>

#include <string_view>
#include <system_error>

#include "driver/libpq/cancel_sender.hpp"

#ifdef LIBPQ_HAS_ASYNC_CANCEL

namespace tide::libpq {
namespace {

bool is_ready(int socket, uint32_t events) {
  pollfd fd{socket, static_cast<short>(events == EPOLLOUT ? POLLOUT : POLLIN), 0};
  return poll(&fd, 1, 0) > 0;
}

// The backlog of a Unix socket is full. Only the message tells.
bool is_backlog_full(const PGcancelConn* conn) {
  return std::string_view(PQcancelErrorMessage(conn)).find(std::generic_category().message(EAGAIN)) !=
         std::string_view::npos;
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
    if (PQcancelStart(conn_.get()) == 0) return is_backlog_full(conn_.get()) ? Progress::busy : Progress::failed;
  }
  while (is_ready(socket(), events_)) {
    const bool is_sent = PQcancelStatus(conn_.get()) == CONNECTION_AWAITING_RESPONSE;
    switch (PQcancelPoll(conn_.get())) {
      case PGRES_POLLING_OK: return Progress::done;
      case PGRES_POLLING_READING: events_ = EPOLLIN; break;
      case PGRES_POLLING_WRITING: events_ = EPOLLOUT; break;
      default:
        return is_sent ? Progress::done : Progress::failed;  // a connection that ends with an error has ended too
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
