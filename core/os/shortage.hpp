// Shortage: the process or the system has run out of descriptors, threads or memory, and which limit says so.
//
// Thrown where an object cannot be made without what is missing; the C ABI turns it into its status.
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
  const char* what() const noexcept override { return status_.message.c_str(); }

 private:
  const Status status_;
};

// Is this error of a system call about something that has run out?
bool is_shortage(int system_error) noexcept;
// For the end of a message: ": Too many open files (RLIMIT_NOFILE is 1024)"; "" for any other error.
std::string shortage_text(int system_error);
// A message that says, by the system's words, that no descriptor was left for the process or on the machine.
bool tells_of_descriptors(std::string_view message);
// TIDE_UNAVAILABLE or TIDE_NO_MEMORY, for such an error: what could not be done, why, and the limit.
Status shortage_status(const std::string& what, int system_error);

}  // namespace tide
