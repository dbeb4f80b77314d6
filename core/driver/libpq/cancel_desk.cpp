#include "driver/libpq/cancel_desk.hpp"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstring>

#include "plane/shortage.hpp"

namespace tide::libpq {
namespace {

constexpr size_t kAtOnceMax = 4;
constexpr Span kPatience = Span::seconds(5);
constexpr Span kRetrySpan = Span::millis(20);  // the backlog of a Unix socket is full
constexpr uint32_t kCancelCode = 80877102;     // PostgreSQL protocol: "Canceling Requests in Progress"

}  // namespace

CancelDesk::CancelDesk() {
  epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  event_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (epoll_fd_ < 0 || event_fd_ < 0) {
    const int error = errno;
    abandon();
    throw Shortage(shortage_status("could not create descriptors for cancel requests", error));
  }
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = event_fd_;
  epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, event_fd_, &event);
}

CancelDesk::~CancelDesk() {
  for (Request& request : requests_) drop_socket(request);
  abandon();
}

void CancelDesk::abandon() noexcept {
  for (int* fd : {&event_fd_, &epoll_fd_}) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
  }
}

bool CancelDesk::ask(const std::shared_ptr<CancelState>& session, Instant now) noexcept {
  if (!session->where.is_known()) return false;
  if (session->is_pending.exchange(true)) return true;
  try {
    const std::lock_guard lock(mutex_);
    requests_.push_back({session, now, now + kPatience, -1, false});
  } catch (...) {
    session->is_pending.store(false);
    return false;
  }
  const uint64_t one = 1;
  (void)!::write(event_fd_, &one, sizeof one);
  return true;
}

void CancelDesk::drop_socket(Request& request) noexcept {
  if (request.socket >= 0) close(request.socket);
  request.socket = -1;
}

CancelDesk::Progress CancelDesk::advance(Request& request, Instant now) {
  if (now >= request.give_up) return Progress::failed;
  if (now < request.not_before) return Progress::waiting;
  const CancelAddress& where = request.session->where;
  if (request.socket < 0) {
    request.socket = socket(where.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (request.socket < 0) return Progress::failed;
    if (connect(request.socket, reinterpret_cast<const sockaddr*>(&where.address), where.length) != 0 &&
        errno != EINPROGRESS) {
      const bool is_busy = errno == EAGAIN || errno == EINTR;
      drop_socket(request);
      request.not_before = now + kRetrySpan;
      return is_busy ? Progress::waiting : Progress::failed;
    }
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.fd = request.socket;
    epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, request.socket, &event);
  }
  if (!request.is_sent) {
    const uint32_t packet[4] = {htonl(16), htonl(kCancelCode), htonl(static_cast<uint32_t>(where.key.pid)),
                                htonl(static_cast<uint32_t>(where.key.key))};
    const ssize_t sent = send(request.socket, packet, sizeof packet, MSG_NOSIGNAL);
    if (sent < 0) {
      const bool is_connecting = errno == EAGAIN || errno == EINTR || errno == ENOTCONN;
      return is_connecting ? Progress::waiting : Progress::failed;
    }
    request.is_sent = true;
  }
  char ignored[16];
  const ssize_t got = recv(request.socket, ignored, sizeof ignored, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return Progress::waiting;
  return Progress::done;  // closed by the server: the signal is sent
}

Instant CancelDesk::pump(Instant now) noexcept {
  const std::lock_guard lock(mutex_);
  uint64_t n = 0;
  (void)!::read(event_fd_, &n, sizeof n);
  epoll_event events[8];
  (void)epoll_wait(epoll_fd_, events, 8, 0);  // consumes the edges; each request is checked below in any case
  Instant next = Instant::never();
  size_t at = 0;
  while (at < requests_.size() && at < kAtOnceMax) {
    Request& request = requests_[at];
    const Progress progress = advance(request, now);
    if (progress == Progress::waiting) {
      next = earliest(next, request.socket < 0 ? request.not_before : request.give_up);
      ++at;
      continue;
    }
    drop_socket(request);
    request.session->has_failed.store(progress == Progress::failed);
    request.session->is_pending.store(false);
    requests_.erase(requests_.begin() + static_cast<std::ptrdiff_t>(at));
  }
  return next;
}

}  // namespace tide::libpq
