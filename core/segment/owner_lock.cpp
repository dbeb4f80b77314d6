#include "segment/owner_lock.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "os/clock.hpp"

namespace tide {
namespace {

constexpr int kLockAttemptsMax = 2000;
constexpr int kLockAttemptsQuick = 100;

Status unusable_file(std::string why) { return Status::error(Code::refused, std::move(why)); }

}  // namespace

bool hold_owner_lock(int fd) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return ::fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

bool gain_owner_lock(int fd) {
  for (int attempt = 1; !hold_owner_lock(fd); ++attempt) {
    if ((errno != EAGAIN && errno != EACCES) || attempt == kLockAttemptsMax) return false;
    if (attempt < kLockAttemptsQuick) {
      ::sched_yield();
    } else {
      pause_for(Span::millis(1));
    }
  }
  return true;
}

bool is_named(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 && info.st_nlink > 0;
}

Result<Descriptor> open_own_file(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file.is_open()) {
    if (errno == ENOENT) return Status::error(Code::not_found, std::strerror(ENOENT));
    return unusable_file(errno == ELOOP ? "it is a symbolic link" : std::strerror(errno));
  }
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return unusable_file(std::strerror(errno));
  if (!S_ISREG(info.st_mode)) return unusable_file("it is not a regular file");
  if (info.st_uid != ::getuid()) return unusable_file("it belongs to another user");
  return file;
}

Result<std::string> read_whole(int fd, uint64_t bytes_max) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return unusable_file(std::strerror(errno));
  const auto bytes = static_cast<uint64_t>(info.st_size < 0 ? 0 : info.st_size);
  if (bytes > bytes_max) return unusable_file("it has " + std::to_string(bytes) + " bytes");
  std::string text(bytes, '\0');
  for (size_t at = 0; at < text.size();) {
    const ssize_t n = ::pread(fd, text.data() + at, text.size() - at, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return unusable_file(std::strerror(errno));
    if (n == 0) return unusable_file("it was truncated");
    at += static_cast<size_t>(n);
  }
  return text;
}

bool write_whole(int fd, const std::string& bytes) {
  for (size_t at = 0; at < bytes.size();) {
    const ssize_t n = ::write(fd, bytes.data() + at, bytes.size() - at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    at += static_cast<size_t>(n);
  }
  return true;
}

}  // namespace tide
