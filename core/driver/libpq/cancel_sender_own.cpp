// CancelSender for versions of libpq before 17.
#include <arpa/inet.h>
#include <errno.h>
#include <sys/epoll.h>

#include <optional>

#include "driver/libpq/cancel_sender.hpp"

#ifndef LIBPQ_HAS_ASYNC_CANCEL

namespace tide::libpq {
namespace {

constexpr uint32_t kCancelCode = 80877102;  // PostgreSQL protocol: "Canceling Requests in Progress"

}  // namespace

void CancelSender::watch(PGconn* conn) { catcher_.start(conn); }

void CancelSender::learn(PGconn* conn) {
  if (const std::optional<BackendKey> key = catcher_.stop(conn)) key_ = *key;
  address_length_ = sizeof address_;
  if (getpeername(PQsocket(conn), reinterpret_cast<sockaddr*>(&address_), &address_length_) != 0) address_length_ = 0;
}

void CancelSender::forget(PGconn* conn) { catcher_.stop(conn); }

bool CancelSender::is_able() const { return address_length_ != 0 && key_.pid != 0; }

CancelSender::Progress CancelSender::advance() {
  if (!socket_.is_open()) {
    is_sent_ = false;
    events_ = EPOLLOUT;
    socket_ = Descriptor(::socket(address_.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket_.is_open()) return Progress::failed;
    if (connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address_), address_length_) != 0 &&
        errno != EINPROGRESS) {
      return errno == EAGAIN || errno == EINTR ? Progress::busy : Progress::failed;
    }
  }
  if (!is_sent_) {
    const uint32_t packet[4] = {htonl(16), htonl(kCancelCode), htonl(static_cast<uint32_t>(key_.pid)),
                                htonl(static_cast<uint32_t>(key_.key))};
    const ssize_t sent = send(socket_.get(), packet, sizeof packet, MSG_NOSIGNAL);
    if (sent < 0) {
      const bool is_connecting = errno == EAGAIN || errno == EINTR || errno == ENOTCONN;
      return is_connecting ? Progress::waiting : Progress::failed;
    }
    is_sent_ = true;
    events_ = EPOLLIN;
  }
  char ignored[16];
  const ssize_t got = recv(socket_.get(), ignored, sizeof ignored, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return Progress::waiting;
  return Progress::done;  // closed by the server: the signal is sent
}

void CancelSender::end() noexcept { socket_.close(); }

int CancelSender::socket() const { return socket_.get(); }

}  // namespace tide::libpq

#endif
