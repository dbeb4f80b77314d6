// Descriptors that are closed with their owner.
//
// Threads: as an int; ring() from any thread, and from a signal handler.
// Failure: where none is left, Descriptor is not open, and what makes one for a purpose throws Shortage.
#pragma once

#include <unistd.h>

#include <string>
#include <utility>

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
  // Another one of the same open file, so that the owner of `fd` may close it meanwhile. Not open if there is none left.
  static Descriptor copy_of(int fd) noexcept;
  // What waits for others. `what` is the message of the Shortage: what cannot be done without it.
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
  Bell() noexcept;  // is_open() says whether there was one left
  explicit Bell(const std::string& what);

  void ring() const noexcept;
  void clear() const noexcept;
  int fd() const noexcept { return event_.get(); }
  bool is_open() const noexcept { return event_.is_open(); }
  void close() noexcept { event_.close(); }

 private:
  Descriptor event_;
};

}  // namespace tide
