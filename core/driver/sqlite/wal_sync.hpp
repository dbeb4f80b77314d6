// WalSync: commits of several sessions share one sync of the WAL (sqlite_synchronous=group).
//
// The sessions use synchronous=NORMAL: SQLite then syncs the WAL before a checkpoint and after a restart of the WAL, which
// keeps the database consistent, but not at a commit. After its commit a session gives the writer turn to the next one
// and calls wait(). One of the callers, the leader, syncs for all who have called before; who calls meanwhile waits for
// the next leader.
//
// G1  wait() returns ok only after a successful sync that began after the call.
// G2  At most one sync is in progress, and none is missing: the leader names the next one among those who wait.
// G3  After a failed sync no commit is confirmed any more: the kernel may mark the changes as written nevertheless, and
//     report success the next time.
// Threads: any. One mutex, held briefly, never while a file is opened, synced or closed; only wait() waits. In a child of
//          fork() nothing is called; its copy of the descriptor is closed with the object.
// Failure: wait() returns unknown_outcome: the transaction is committed, and nobody can tell whether it survives a crash.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "base/status.hpp"
#include "driver/sqlite/file_identity.hpp"
#include "os/descriptor.hpp"

namespace tide::sqlite {

class WalSync {
 public:
  using SyncFile = std::function<int(int fd)>;  // as fdatasync(2), and does not throw

  // `shown` names the database in messages.
  WalSync(std::string shown, SyncFile sync_file) : shown_(std::move(shown)), sync_file_(std::move(sync_file)) {}
  WalSync(const WalSync&) = delete;
  WalSync& operator=(const WalSync&) = delete;

  // Opens the WAL before something is committed to it, because a descriptor may miss errors that occurred before it was
  // opened. False: not possible, or this path leads to another file.
  bool open(const std::string& path, const FileIdentity& identity) noexcept;
  // To be called when nobody has the database open: an open file that was deleted occupies the disk.
  void close() noexcept;
  // The caller has committed to this WAL; returns when the commit is on disk.
  Status wait(const std::string& path, const FileIdentity& identity);
  // Before a statement writes: an error after a failed sync.
  Status check() const;

  size_t waiting() const;

 private:
  struct OpenFile {
    Descriptor descriptor;
    FileIdentity identity;
  };
  // On the stack of its thread, with its condition variable: one of the object could not be destroyed in a child of fork(),
  // which would wait for the threads of the parent.
  struct Waiter {
    uint64_t commit = 0;
    bool is_called = false;
    bool is_leader = false;
    Waiter* next = nullptr;
    std::condition_variable called;
  };

  // Null, with the error: not possible.
  std::shared_ptr<const OpenFile> file_at(const std::string& path, const FileIdentity& identity, int& error) noexcept;
  Status lead(std::unique_lock<std::mutex>& lock, const std::string& path, const FileIdentity& identity);
  int sync(int fd) const noexcept;  // 0, or the error
  // These with the lock.
  void enqueue(Waiter& waiter) noexcept;
  void hand_over() noexcept;
  Status not_synced() const;
  Status unconfirmed(const char* what, int error, const char* consequence) const;

  const std::string shown_;
  const SyncFile sync_file_;
  std::atomic<int> failure_{0};  // errno of the failed sync

  mutable std::mutex mutex_;              // guards the following
  std::shared_ptr<const OpenFile> file_;  // kept by the leader while it syncs
  uint64_t commits_ = 0;                  // calls of wait()
  uint64_t synced_ = 0;                   // the first so many of them are on disk
  bool has_leader_ = false;
  Waiter* first_ = nullptr;  // the others, the oldest first
  Waiter* last_ = nullptr;
};

}  // namespace tide::sqlite
