// Shortage: the process or the system has no descriptors, threads or memory left; names the limit that was reached.
//
// Thrown where an object cannot be created without them; the C ABI converts it to its status.
// Threads: any.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.hpp"

namespace tide {

class Shortage : public std::exception {
 public:
  explicit Shortage(Status status) : status_(std::move(status)) {}
  const Status& status() const noexcept { return status_; }
  const char* what() const noexcept override { return status_.message().c_str(); }

 private:
  const Status status_;
};

// True if this error of a system call means that a resource is exhausted.
bool is_shortage(int system_error) noexcept;
// For the end of a message: ": Too many open files (RLIMIT_NOFILE is 1024)"; "" for any other error.
std::string shortage_text(int system_error);
// True if a message contains the system's text for "no descriptor left" in the process or on the machine.
bool tells_of_descriptors(std::string_view message);
// TIDE_UNAVAILABLE or TIDE_NO_MEMORY for such an error: the failed operation, the reason, and the limit.
Status shortage_status(const std::string& what, int system_error);

}  // namespace tide
