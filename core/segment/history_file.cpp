#include "segment/history_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/text.hpp"
#include "segment/directory.hpp"
#include "segment/owner_lock.hpp"

namespace tide {
namespace {

constexpr int kLockAttempts = 10;

Status unusable_history(std::string why) { return Status::error(Code::refused, std::move(why)); }

bool synchronize_directory(const std::string& path) {
  const Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // File systems that cannot do it say EINVAL.
  return directory.is_open() && (::fsync(directory.get()) == 0 || errno == EINVAL);
}

}  // namespace

HistoryFile::~HistoryFile() {
  if (lock_.is_open()) ::unlink((path_ + ".lock").c_str());
}

Status HistoryFile::failure(const std::string& why) const {
  return Status::error(Code::refused, "history_file " + in_quotes(path_) + ": " + why);
}

Status HistoryFile::hold() {
  const std::string path = path_ + ".lock";
  for (int attempt = 0; attempt < kLockAttempts && !lock_.is_open(); ++attempt) {
    const Descriptor made(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!made.is_open() && errno != EEXIST) return unusable_history(std::strerror(errno));
    Result<Descriptor> lock = open_own_file(path);
    if (!lock && lock.status().code == Code::not_found) continue;
    if (!lock) return unusable_history("its lock file: " + lock.status().message());
    if (!hold_owner_lock(lock->get())) return unusable_history("it is in use by another pool");
    if (is_named(lock->get())) lock_ = lock.take();
  }
  return lock_.is_open() ? Status::ok() : unusable_history("it is in use by another pool");
}

// What may be replaced: nothing, or a regular file of this user.
Status HistoryFile::check() const {
  const Result<Descriptor> file = open_own_file(path_);
  if (file || file.status().code == Code::not_found) return Status::ok();
  return unusable_history(file.status().message());
}

Result<History> HistoryFile::open(int64_t wall_now_ns) {
  if (Status held = hold(); !held) return failure(held.message());
  const Result<Descriptor> file = open_own_file(path_);
  is_unreadable_ = false;
  if (!file && file.status().code != Code::not_found) return failure(file.status().message());
  is_open_ = true;
  if (!file) return History();
  const Result<std::string> bytes = read_whole(file->get(), kHistoryBytesMax);
  Result<History> history =
      bytes ? history_of(*bytes, owner_.pool, wall_now_ns) : Result<History>(Status(bytes.status()));
  is_open_ = history || history.status().code != Code::bad_argument;
  is_unreadable_ = !history && is_open_;
  if (!history) return failure(history.status().message());
  return history;
}

Status HistoryFile::save(History history, int64_t wall_now_ns) {
  if (!is_open_) {
    Result<History> found = open(wall_now_ns);
    if (!is_open_) return found.take_status();
    if (found) before_ = found.take();
  }
  if (Status usable = check(); !usable) return failure(usable.message());
  if (!before_.empty()) history.merge(History(before_));
  if (is_unreadable_ && ::rename(path_.c_str(), (path_ + ".unreadable").c_str()) == 0) is_unreadable_ = false;
  if (Status done = replace(bytes_of(history, owner_, wall_now_ns)); !done) return failure(done.message());
  return Status::ok();
}

Status HistoryFile::replace(const std::string& bytes) const {
  const std::string beside = path_ + ".new";
  ::unlink(beside.c_str());
  Descriptor file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640));
  const bool is_whole = file.is_open() && write_whole(file.get(), bytes) && ::fsync(file.get()) == 0;
  if (is_whole && ::rename(beside.c_str(), path_.c_str()) == 0) {
    return synchronize_directory(directory_of(path_)) ? Status::ok() : unusable_history(std::strerror(errno));
  }
  const int error = errno;
  if (file.is_open()) ::unlink(beside.c_str());
  return unusable_history(std::strerror(error));
}

}  // namespace tide
