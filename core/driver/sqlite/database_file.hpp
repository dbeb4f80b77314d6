// DatabaseFile: state shared by the sessions of one connector: the write lock, the number of sessions, and whether the
// path still leads to the file that they have open.
//
// SQLite continues to write to a file that was deleted or replaced, and creates a new file if there is none: the changes are
// lost without an error.
//
// D1  Of the sessions counted here, the last one to leave knows that it is the last.
// D2  After the database, its WAL or the index of the WAL was replaced, no session of that generation is used again.
// D3  A new generation begins only if no file of the old one interferes: SQLite would apply the WAL of an old file to a
//     new one, and truncate a WAL index under the sessions that have it mapped.
// D4  A file that existed once is never created again.
// D5  Two handles of a file are not closed at the same time, so that SQLite knows the last one and removes the WAL; nor do they
//     wait longer than about 2 s for each other.
// Threads: any. One mutex, held briefly, never while SQLite runs or a file is checked, because a disk may not respond and the
//          keeper uses it too.
// Failure: 58030, with a hint; a path that cannot be checked for other reasons than its absence is left to SQLite.
#pragma once

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "driver/sqlite/file_identity.hpp"
#include "driver/sqlite/file_mark.hpp"
#include "driver/sqlite/target.hpp"
#include "driver/sqlite/wal_guard.hpp"
#include "driver/sqlite/wal_sync.hpp"
#include "driver/sqlite/writer_turn.hpp"
#include "os/descriptor.hpp"

namespace tide::sqlite {

class DatabaseFile {
 public:
  // What is checked: the WAL matters mainly for writers, and each file costs a stat().
  enum class Depth : uint8_t { database, all };

  DatabaseFile(SqliteTarget target, const Clock& clock, WalSync::SyncFile sync_file = ::fdatasync)
      : target_(std::move(target)),
        turn_(clock),
        wal_sync_(target_.shown, std::move(sync_file)),
        guard_(*this, clock) {}
  DatabaseFile(const DatabaseFile&) = delete;
  DatabaseFile& operator=(const DatabaseFile&) = delete;

  const SqliteTarget& target() const noexcept { return target_; }
  WriterTurn& turn() noexcept { return turn_; }
  const WalSync& wal_sync() const noexcept { return wal_sync_; }
  WalGuard& guard() noexcept { return guard_; }
  // Whether the pool makes the checkpoints: whoever may write to a file.
  bool is_guarded() const noexcept { return !target_.is_memory && target_.is_writable(); }

  // Usable sessions. A disarmed session does not count, although its handle is open.
  void enter() noexcept;
  void leave() noexcept;
  bool has_sessions() const noexcept { return sessions_.load() > 0; }
  // Handles that are no session's.
  void enter_handle() noexcept { handles_.fetch_add(1); }
  // Closes the handle of a session, or another one that was entered.
  void close_handle(Database database = nullptr) noexcept;
  // A handle that has learned the file is about to be closed; the last close removes the WAL.
  void unlearn() noexcept { learned_.fetch_sub(1); }
  // A handle remains open after its session: then SQLite has no last close, and the WAL would never be emptied.
  void note_kept_handle() noexcept { has_kept_handle_.store(true); }
  bool needs_last_checkpoint() const noexcept { return has_kept_handle_.load() && sessions_.load() == 0; }

  // Sessions in a transaction that others wait for, without a WAL.
  void enter_reader(uint64_t session, Instant since);
  void leave_reader(uint64_t session) noexcept;
  // Describes those other than `session`; empty if there are none.
  std::string describe_readers(uint64_t session, Instant now) const;

  // Whether another session may be opened now, and whether SQLite may create the file for it.
  OpenFailure admit(bool& may_create);
  // The same for a handle that was opened then and has read nothing yet: the file may have been replaced meanwhile, and SQLite
  // would read the WAL of the old one with it. Closing the handle leaves all files as they are.
  Status check_opened(sqlite3* opened);
  // A session has opened the files. `generation` is set to the one it belongs to.
  Status learn(sqlite3* database, uint64_t& generation);
  // The journal mode was changed: the WAL and its index may have been created or deleted.
  void learn_journal();
  // Of the current generation; nullptr: there is none.
  std::shared_ptr<FileMark> mark() const;
  // Checks the files. False, permanently, after they were not those of the generation; loss() describes what happened.
  bool is_intact(uint64_t generation, Depth depth);
  // The same without a new check.
  bool is_lost(uint64_t generation) const noexcept { return generation != 0 && generation <= lost_generation_.load(); }
  // Between the loss of a generation and the next one.
  bool is_lost_now() const;
  uint64_t lost_generation() const noexcept { return lost_generation_.load(); }
  Status loss() const;
  Status moved_meanwhile() const;
  // The size of the WAL at the last check; -1: there was none.
  int64_t wal_bytes() const noexcept { return wal_bytes_.load(std::memory_order_relaxed); }
  // The same, after a new check.
  int64_t measure_wal();
  // Checks whether the paths lead to the files of the current generation, which is not lost, and `opened`, a handle that has
  // read nothing yet, to the same; nullptr: only the paths.
  bool is_current(sqlite3* opened);
  // The WAL that the sessions have open, for WalSync::open() and wait().
  bool open_wal() noexcept;
  Status sync_wal();
  // [keeper] Checks; true while no session can be opened, or the open ones are lost.
  bool is_missing();

 private:
  struct Files {
    std::string path;  // of the database, as in SQLite: symbolic links resolved
    std::string wal_path;
    std::string index_path;
    std::optional<FileIdentity> database;  // unset: there is none
    std::optional<FileIdentity> wal;
    std::optional<FileIdentity> index;
    std::shared_ptr<FileMark> mark;        // of the database; nullptr: none
    std::shared_ptr<FileMark> index_mark;  // nullptr: none
    // Held open so that no other file gets the number of one of these, which then would be taken for it.
    std::shared_ptr<const Descriptor> held_database;
    std::shared_ptr<const Descriptor> held_wal;
  };

  // Determines the files at the paths of `out`. Returns false if that is not possible.
  // What marks of `known` say is not asked again; nullptr: nothing is known.
  bool look(Depth depth, Files& out, const Files* known = nullptr);
  static Files at(std::string real_path);
  // If nothing is open, the path may lead to another file now.
  Files at_now() const;
  std::shared_ptr<const Files> known() const;
  // `others`: handles that are open on the known files.
  OpenFailure admit(bool& may_create, int64_t others);
  bool stands_in_the_way(const Files& known, const Files& found, int64_t others, Status& why) const;
  std::string what_happened(const Files& known, const Files& found) const;
  void lose(std::string what) noexcept;
  void mark(Files& found) const;
  void forget_wal();

  const SqliteTarget target_;
  WriterTurn turn_;
  WalSync wal_sync_;
  WalGuard guard_;
  std::atomic<int64_t> sessions_{0};
  std::atomic<int64_t> handles_{0};
  std::atomic<int64_t> learned_{0};  // of these, which hold the files of a generation in place
  bool was_missing_ = false;         // for is_missing() only
  std::atomic<bool> has_kept_handle_{false};
  std::atomic<int64_t> wal_bytes_{-1};

  std::mutex closing_;                  // while a handle is closed; nothing is waited for with it
  std::mutex learning_;                 // for checks that change known_; locked before mutex_
  mutable std::mutex mutex_;            // guards the following
  std::shared_ptr<const Files> known_;  // of the current generation; null: nothing was opened yet
  std::string what_;                    // what happened to the last lost generation
  std::map<uint64_t, Instant> readers_;
  uint64_t generation_ = 0;
  std::atomic<uint64_t> lost_generation_{0};
};

}  // namespace tide::sqlite
