#include "driver/libpq/cancel_desk.hpp"

#include <sys/epoll.h>

namespace tide::libpq {
namespace {

constexpr size_t kAtOnceMax = 4;
constexpr Span kTimeout = Span::seconds(5);
constexpr Span kRetrySpan = Span::millis(20);  // if the server accepts no connection

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
  if (!session->sender.is_able()) return false;
  if (session->is_pending.exchange(true)) return true;
  try {
    const std::lock_guard lock(mutex_);
    requests_.push_back({session, now, now + kTimeout});
  } catch (...) {
    session->is_pending.store(false);
    return false;
  }
  bell_.ring();
  return true;
}

CancelDesk::Progress CancelDesk::advance(Request& request, Instant now) const {
  if (now >= request.give_up) return Progress::failed;
  if (now < request.not_before) return Progress::waiting;
  CancelSender& sender = request.session->sender;
  const Progress progress = sender.advance();
  if (progress == Progress::busy) {
    sender.end();
    request.not_before = now + kRetrySpan;
    return Progress::waiting;
  }
  if (progress == Progress::waiting) {
    // The sender may have another socket now than last time, under the same number.
    epoll_event event{};
    event.events = sender.events() | EPOLLRDHUP | EPOLLET;
    event.data.fd = sender.socket();
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, sender.socket(), nullptr);
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, sender.socket(), &event);
  }
  return progress;
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
      next = earliest(next, request.not_before > now ? request.not_before : request.give_up);
      ++at;
      continue;
    }
    request.session->sender.end();
    request.session->has_failed.store(progress == Progress::failed);
    request.session->is_pending.store(false);
    requests_.erase(requests_.begin() + static_cast<std::ptrdiff_t>(at));
  }
  return next;
}

}  // namespace tide::libpq
