#include "os/descriptor.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "os/clock.hpp"
#include "os/shortage.hpp"

namespace tide {

Descriptor Descriptor::copy_of(int fd) noexcept { return Descriptor(::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)); }

Descriptor Descriptor::epoll(const std::string& what) {
  Descriptor made(::epoll_create1(EPOLL_CLOEXEC));
  if (!made.is_open()) throw Shortage(shortage_status(what, errno));
  return made;
}

Bell::Bell() noexcept : event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

Bell::Bell(const std::string& what) : Bell() {
  if (!is_open()) throw Shortage(shortage_status(what, errno));
}

void Bell::ring() const noexcept {
  const uint64_t one = 1;
  (void)!::write(fd(), &one, sizeof one);
}

void Bell::clear() const noexcept {
  uint64_t rings = 0;
  (void)!::read(fd(), &rings, sizeof rings);
}

Alarm::Alarm() noexcept : timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {}

void Alarm::set_in(Span span) const noexcept {
  itimerspec when{};
  when.it_value = timespec_of(std::max(span, Span::nanos(1)));  // 0 would switch it off
  (void)::timerfd_settime(fd(), 0, &when, nullptr);
}

void Alarm::clear() const noexcept {
  uint64_t times = 0;
  (void)!::read(fd(), &times, sizeof times);
}

}  // namespace tide
