#include "driver/libpq/cancel_desk.hpp"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "os/shortage.hpp"

namespace tide::libpq {
namespace {

constexpr size_t kAtOnceMax = 4;
constexpr Span kTimeout = Span::seconds(5);
constexpr Span kRetrySpan = Span::millis(20);  // the backlog of a Unix socket is full
constexpr uint32_t kCancelCode = 80877102;     // PostgreSQL protocol: "Canceling Requests in Progress"

}  // namespace

CancelDesk::CancelDesk() {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = bell_.fd();
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, bell_.fd(), &event);
}

void CancelDesk::abandon() noexcept {
  bell_.close();
  epoll_.close();
}

bool CancelDesk::ask(const std::shared_ptr<CancelState>& session, Instant now) noexcept {
  if (!session->where.is_known()) return false;
  if (session->is_pending.exchange(true)) return true;
  try {
    const std::lock_guard lock(mutex_);
    requests_.push_back({session, now, now + kTimeout, Descriptor(), false});
  } catch (...) {
    session->is_pending.store(false);
    return false;
  }
  bell_.ring();
  return true;
}

CancelDesk::Progress CancelDesk::advance(Request& request, Instant now) {
  if (now >= request.give_up) return Progress::failed;
  if (now < request.not_before) return Progress::waiting;
  const CancelAddress& where = request.session->where;
  if (!request.socket.is_open()) {
    request.socket = Descriptor(socket(where.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!request.socket.is_open()) return Progress::failed;
    if (connect(request.socket.get(), reinterpret_cast<const sockaddr*>(&where.address), where.length) != 0 &&
        errno != EINPROGRESS) {
      const bool is_busy = errno == EAGAIN || errno == EINTR;
      request.socket.close();
      request.not_before = now + kRetrySpan;
      return is_busy ? Progress::waiting : Progress::failed;
    }
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.fd = request.socket.get();
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, request.socket.get(), &event);
  }
  if (!request.is_sent) {
    const uint32_t packet[4] = {htonl(16), htonl(kCancelCode), htonl(static_cast<uint32_t>(where.key.pid)),
                                htonl(static_cast<uint32_t>(where.key.key))};
    const ssize_t sent = send(request.socket.get(), packet, sizeof packet, MSG_NOSIGNAL);
    if (sent < 0) {
      const bool is_connecting = errno == EAGAIN || errno == EINTR || errno == ENOTCONN;
      return is_connecting ? Progress::waiting : Progress::failed;
    }
    request.is_sent = true;
  }
  char ignored[16];
  const ssize_t got = recv(request.socket.get(), ignored, sizeof ignored, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return Progress::waiting;
  return Progress::done;  // closed by the server: the signal is sent
}

Instant CancelDesk::pump(Instant now) noexcept {
  const std::lock_guard lock(mutex_);
  bell_.clear();
  epoll_event events[8];
  (void)epoll_wait(epoll_.get(), events, 8, 0);  // consumes the edges; each request is looked at below in any case
  Instant next = Instant::never();
  size_t at = 0;
  while (at < requests_.size() && at < kAtOnceMax) {
    Request& request = requests_[at];
    const Progress progress = advance(request, now);
    if (progress == Progress::waiting) {
      next = earliest(next, request.socket.is_open() ? request.give_up : request.not_before);
      ++at;
      continue;
    }
    request.socket.close();
    request.session->has_failed.store(progress == Progress::failed);
    request.session->is_pending.store(false);
    requests_.erase(requests_.begin() + static_cast<std::ptrdiff_t>(at));
  }
  return next;
}

}  // namespace tide::libpq
