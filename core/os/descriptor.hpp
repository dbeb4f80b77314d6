// Descriptors that are closed by their owner's destructor.
//
// Threads: as for an int; ring() from any thread, and from a signal handler.
// Failure: if no descriptor is available, Descriptor is not open; functions that create one for a purpose throw
// Shortage.
#pragma once

#include <unistd.h>

#include <string>
#include <utility>

#include "base/instant.hpp"

namespace tide {

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) noexcept : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  // Duplicates `fd`, so that its owner may close it in the meantime. Not open if no descriptor is available.
  static Descriptor copy_of(int fd) noexcept;
  // An epoll descriptor. `what` is the message of the Shortage: the operation that requires it.
  static Descriptor epoll(const std::string& what);

  int get() const noexcept { return fd_; }
  bool is_open() const noexcept { return fd_ >= 0; }
  int release() noexcept { return std::exchange(fd_, -1); }
  void close() noexcept {
    if (is_open()) ::close(release());
  }

 private:
  int fd_;
};

// Bell: a descriptor that is readable from ring() until clear().
class Bell {
 public:
  Bell() noexcept;  // is_open() tells whether a descriptor was available
  explicit Bell(const std::string& what);

  void ring() const noexcept;
  void clear() const noexcept;
  int fd() const noexcept { return event_.get(); }
  bool is_open() const noexcept { return event_.is_open(); }
  void close() noexcept { event_.close(); }

 private:
  Descriptor event_;
};

// Alarm: a descriptor that is readable from ring() or from the set time until clear(). While it is set, poll() with it needs no
// timeout, which would cost a timer of the kernel at each call.
class Alarm {
 public:
  Alarm() noexcept;  // is_open() tells whether a descriptor was available

  // May be called by any thread, and be undone by a set_in() at the same time: the caller first stores what its owner checks
  // after set_in().
  void ring() const noexcept { set_in(Span::nanos(1)); }
  // By the owner. At once if it is not positive.
  void set_in(Span span) const noexcept;
  void clear() const noexcept;
  int fd() const noexcept { return timer_.get(); }
  bool is_open() const noexcept { return timer_.is_open(); }
  void close() noexcept { timer_.close(); }

 private:
  Descriptor timer_;
};

}  // namespace tide
