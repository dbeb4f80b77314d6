#include "os/descriptor.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <cstdint>

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

}  // namespace tide
