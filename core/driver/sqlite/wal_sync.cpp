#include "driver/sqlite/wal_sync.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "driver/sqlite/errors.hpp"

namespace tide::sqlite {
namespace {

constexpr const char* kHint = "Check the disk, and which changes are there; then close the pool and open it again.";

// As SQLite does with synchronous=FULL: whoever created the WAL may not have made its name durable (synchronous=OFF).
// Like SQLite, it ignores errors, because some file systems cannot sync directories.
void sync_directory_of(const std::string& path) {
  const std::string directory = path.substr(0, path.rfind('/') + 1);
  const Descriptor opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.is_open()) (void)::fsync(opened.get());
}

}  // namespace

// The POSIX locks of SQLite are on the database and on the -shm file, never on the -wal file: closing a descriptor of the
// WAL releases none. Linux syncs through a descriptor that was opened for reading too.
std::shared_ptr<const WalSync::OpenFile> WalSync::file_at(const std::string& path, const FileIdentity& identity,
                                                          int& error) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (file_ != nullptr && file_->identity == identity) return file_;
  }
  try {
    Descriptor opened(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat found {};
    if (!opened.is_open() || ::fstat(opened.get(), &found) != 0) {
      error = errno;
      return nullptr;
    }
    error = ESTALE;
    if (FileIdentity{found.st_dev, found.st_ino} != identity) return nullptr;
    sync_directory_of(path);
    auto file = std::make_shared<const OpenFile>(OpenFile{std::move(opened), identity});
    auto previous = file;  // closed without the lock
    const std::lock_guard lock(mutex_);
    file_.swap(previous);
    return file;
  } catch (const std::bad_alloc&) {
    error = ENOMEM;
    return nullptr;
  }
}

bool WalSync::open(const std::string& path, const FileIdentity& identity) noexcept {
  int unused = 0;
  return file_at(path, identity, unused) != nullptr;
}

void WalSync::close() noexcept {
  std::shared_ptr<const OpenFile> file;
  const std::lock_guard lock(mutex_);
  file_.swap(file);
}

Status WalSync::wait(const std::string& path, const FileIdentity& identity) {
  std::unique_lock lock(mutex_);
  Waiter self;
  self.commit = ++commits_;
  if (has_leader_) {
    enqueue(self);
    self.called.wait(lock, [&self] { return self.is_called; });
  } else {
    self.is_leader = has_leader_ = failure_.load() == 0;
  }
  if (self.is_leader) return lead(lock, path, identity);
  return self.commit <= synced_ ? Status::ok() : not_synced();
}

Status WalSync::lead(std::unique_lock<std::mutex>& lock, const std::string& path, const FileIdentity& identity) {
  const uint64_t commits = commits_;
  lock.unlock();
  int error = 0;
  const std::shared_ptr<const OpenFile> file = file_at(path, identity, error);
  if (file != nullptr) error = sync(file->descriptor.get());
  lock.lock();
  if (file != nullptr && error == 0) synced_ = commits;
  if (file != nullptr && error != 0) failure_.store(error);
  hand_over();
  if (file == nullptr) return unconfirmed("open", error, "");  // the next leader tries for itself
  return error == 0 ? Status::ok() : not_synced();
}

int WalSync::sync(int fd) const noexcept {
  while (sync_file_(fd) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

void WalSync::enqueue(Waiter& waiter) noexcept {
  (first_ == nullptr ? first_ : last_->next) = &waiter;
  last_ = &waiter;
}

// The leader is done: whoever is on disk, or never will be, goes on, and the oldest of the others is the next leader.
void WalSync::hand_over() noexcept {
  const bool has_failed = failure_.load() != 0;
  has_leader_ = false;
  while (first_ != nullptr && !has_leader_) {
    Waiter& waiter = *first_;
    first_ = waiter.next;
    waiter.is_leader = has_leader_ = !has_failed && waiter.commit > synced_;
    waiter.is_called = true;
    waiter.called.notify_one();  // under the lock: afterwards the waiter may not exist
  }
}

Status WalSync::not_synced() const {
  return unconfirmed("sync", failure_.load(),
                     " After such an error the system may report success although changes were dropped: this pool "
                     "confirms no further commit.");
}

// Not retryable: if it is repeated, it may take effect twice.
Status WalSync::unconfirmed(const char* what, int error, const char* consequence) const {
  Status status = driver_error(
      "58030", SQLITE_IOERR_FSYNC,
      std::string("could not ") + what + " the WAL of " + shown_ + " after a commit: " + std::strerror(error),
      std::string("The transaction is committed, but it is unknown whether it survives a crash of the machine.") +
          consequence,
      kHint);
  status.code = Code::unknown_outcome;
  return status;
}

Status WalSync::check() const {
  const int error = failure_.load();
  if (error == 0) return Status::ok();
  return driver_error("58030", SQLITE_IOERR_FSYNC,
                      "cannot write to " + shown_ + ": an earlier commit could not be synced: " + std::strerror(error),
                      "Nothing was written.", kHint);
}

size_t WalSync::waiting() const {
  const std::lock_guard lock(mutex_);
  size_t waiting = 0;
  for (const Waiter* waiter = first_; waiter != nullptr; waiter = waiter->next) ++waiting;
  return waiting;
}

}  // namespace tide::sqlite
