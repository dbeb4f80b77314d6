// WalGuard: the checkpoints of a database file, made by the pool and not by whoever happens to commit.
//
// With autocheckpoints two connections may checkpoint at the same time, which up to SQLite 3.51.2 can damage the database: a
// checkpoint that has read the state of the WAL before another connection begins the WAL anew marks pages of the new WAL as
// copied that were not. Here sessions only report how long the WAL is, and a helper thread makes checkpoints, with
// connections of its own, which do not make a session wait for the disk.
//
// C1  A checkpoint looks at the WAL and copies pages only while the guard has the write lock: the turn of the pool, so that
//     writers of this process queue, and the lock of SQLite, so that no other process begins the WAL anew meanwhile.
// C2  It holds up writers while pages are copied, and waits at most 0.1 s for readers and other processes, once a second.
// C3  Connections of the guard are open only during work(), and only while a session is open: the last close of SQLite
//     remains that of a session, and whoever needs the file for itself finds no other connection of the pool.
// C4  After a failed sync of sqlite_synchronous=group nothing is copied: what the WAL contains is not known.
// C5  Writers do not let the WAL grow because the helper thread is late: one of them makes the checkpoint then.
// Threads: work(), look() and end_work() by those that call the driver, help() by holders; one of them works at a time. The
//          rest by any.
// Failure: counted, and described in facts(); the next attempt follows after further commits, or a second later.
#pragma once

#include <sqlite3.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <mutex>

#include "driver/sqlite/target.hpp"
#include "os/clock.hpp"
#include "pool/ports.hpp"

namespace tide::sqlite {

class DatabaseFile;

class WalGuard {
 public:
  // In the writer turn; no session has this number.
  static constexpr uint64_t kNumber = std::numeric_limits<uint64_t>::max();

  struct Limits {
    int64_t bytes = 0;      // a larger WAL is truncated; 0: no limit
    bool is_synced = true;  // false: as with sqlite_synchronous=off
  };

  WalGuard(DatabaseFile& file, const Clock& clock) : file_(file), clock_(clock) {}
  WalGuard(const WalGuard&) = delete;
  WalGuard& operator=(const WalGuard&) = delete;

  // Replaces the autocheckpoint of a session by a report to this guard, which must live until stop_watching().
  void watch(sqlite3* session) noexcept { sqlite3_wal_hook(session, &WalGuard::on_commit, this); }
  static void stop_watching(sqlite3* session) noexcept { sqlite3_wal_hook(session, nullptr, nullptr); }

  void set_limits(const Limits& limits) noexcept;
  // `wake` is called, in the thread of a commit, when work() is wanted; empty: nothing is.
  void on_wanted(std::function<void()> wake);
  bool is_wanted() const noexcept { return is_wanted_.load(std::memory_order_relaxed); }
  // Finds out, at most once a second, whether something is left over; work() is wanted then.
  void look() noexcept;
  // Makes a checkpoint.
  void work();
  // By a session that has the turn and no transaction: makes the checkpoint itself if the WAL is far above its limit, because
  // the thread that should make it is late.
  void help() {
    if (is_far_above_limit()) [[unlikely]]
      work_in_turn_of_session();
  }
  // The last session leaves: waits until no connection of the guard is open.
  void end_work() noexcept;
  WalFacts facts() const;

 private:
  struct Handles {
    Database locker;  // holds the write lock of SQLite
    Database copier;  // checkpoints
  };
  struct Result {
    int code = SQLITE_OK;
    int frames = -1;  // -1: there is no WAL
    int done = -1;
    CheckpointKind kind = CheckpointKind::none;
    bool is_complete() const { return code == SQLITE_OK && frames == done; }
  };

  static int on_commit(void* self, sqlite3* session, const char* database, int frames) noexcept;
  static int on_busy(void* self, int tries) noexcept;
  void note_commit(int64_t frames) noexcept;
  void want() noexcept;
  void set_step() noexcept;
  bool is_far_above_limit() const noexcept;
  void work_in_turn_of_session();
  // These by whoever works.
  Status open(Handles& out);
  Status prepare(Database& handle);
  void work_in_turn();
  Status checkpoint();
  Result copy(const Handles& handles);
  Result copy_once(const Handles& handles);
  Result truncate(const Handles& handles);
  void note(const Result& result, Instant now);
  void note_failure(const Status& status) noexcept;

  DatabaseFile& file_;
  const Clock& clock_;

  std::mutex working_;          // held by whoever works; guards the following
  sqlite3* copying_ = nullptr;  // what on_busy() interrupts; nullptr: nothing
  Instant wait_until_;          // of on_busy()
  Instant patient_at_;          // the next time that readers are waited for
  Instant truncate_at_;         // the same, to truncate

  std::atomic<int64_t> limit_bytes_{0};
  std::atomic<bool> is_synced_{true};
  std::atomic<int64_t> frame_bytes_{4096 + 24};
  std::atomic<int64_t> frames_{0};       // in the WAL, at the last commit
  std::atomic<int64_t> done_{0};         // of these, in the database file
  std::atomic<int64_t> next_at_{1000};   // of these, when a checkpoint is wanted
  std::atomic<int64_t> step_{1000};      // frames between two checkpoints
  std::atomic<bool> is_touched_{false};  // by a commit since the last checkpoint
  std::atomic<bool> is_left_over_{false};
  std::atomic<bool> is_wanted_{false};
  std::atomic<bool> should_stop_{false};
  std::atomic<int64_t> next_look_ns_{0};
  std::atomic<int64_t> frames_at_look_{0};

  mutable std::mutex mutex_;  // guards the following
  std::function<void()> wake_;
  WalFacts facts_;
};

}  // namespace tide::sqlite
