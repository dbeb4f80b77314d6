#include "os/shortage.hpp"

#include <sys/resource.h>

#include <cerrno>
#include <cstring>

namespace tide {
namespace {

std::string limit(const char* name, decltype(RLIMIT_NOFILE) which) {
  rlimit found{};
  if (::getrlimit(which, &found) != 0) return name;
  return std::string(name) +
         (found.rlim_cur == RLIM_INFINITY ? std::string(" is unlimited") : " is " + std::to_string(found.rlim_cur));
}

std::string limit_behind(int system_error) {
  switch (system_error) {
    case EMFILE: return limit("RLIMIT_NOFILE", RLIMIT_NOFILE);
    case ENFILE: return "the system's limit is fs.file-max";
    case ENOMEM: return limit("RLIMIT_AS", RLIMIT_AS);
    default: return limit("RLIMIT_NPROC", RLIMIT_NPROC) + ", " + limit("RLIMIT_AS", RLIMIT_AS);  // EAGAIN, of a thread
  }
}

}  // namespace

bool is_shortage(int system_error) noexcept {
  return system_error == EMFILE || system_error == ENFILE || system_error == ENOMEM || system_error == EAGAIN;
}

bool tells_of_descriptors(std::string_view message) {
  return message.find(std::strerror(EMFILE)) != message.npos || message.find(std::strerror(ENFILE)) != message.npos;
}

std::string shortage_text(int system_error) {
  if (!is_shortage(system_error)) return "";
  return std::string(": ") + std::strerror(system_error) + " (" + limit_behind(system_error) + ")";
}

Status shortage_status(const std::string& what, int system_error) {
  const char* hint = "raise the limit, or close descriptors that are not needed";
  if (system_error == ENOMEM) hint = "raise the limit, or free memory";
  if (system_error == EAGAIN) hint = "raise the limit, or end threads that are not needed";
  return Status::error(system_error == ENOMEM ? Code::no_memory : Code::unavailable, what + shortage_text(system_error),
                       "", hint);
}

}  // namespace tide
