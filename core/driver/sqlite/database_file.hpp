// DatabaseFile: what all sessions of one connector know of their database together: who may write, how many there are,
// and whether the path still leads to the file they have open.
//
// SQLite itself goes on writing into a file that was deleted or replaced, and creates a new one where it finds none:
// what was written is lost, and nobody is told.
//
// D1  Of the sessions counted here, the last one to leave knows that it is the last.
// D2  Once the database, its WAL or the WAL's index is another file, no session of that generation is used again.
// D3  A new generation begins only where nothing of the old one is in its way: SQLite would apply the WAL of an old
// file
//     to a new one, and truncate a WAL index under the sessions that have it mapped.
// D4  A file that was there once is never created again.
// Threads: any. A short mutex, never held while SQLite runs or a file is looked at: a disk may not answer, and the keeper
//          asks here, too.
// Failure: 58030, with the way out; a path that cannot be looked at for other reasons than its absence is left to
// SQLite.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "driver/sqlite/target.hpp"
#include "driver/sqlite/writer_turn.hpp"

namespace tide::sqlite {

// The file that a path leads to; unset when there is none.
struct FileIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;
  bool operator==(const FileIdentity&) const = default;
};

class DatabaseFile {
 public:
  // How much of it is looked at: the WAL matters most to writers, and each file costs a stat().
  enum class Depth : uint8_t { database, all };

  DatabaseFile(SqliteTarget target, const Clock& clock) : target_(std::move(target)), turn_(clock) {}
  DatabaseFile(const DatabaseFile&) = delete;
  DatabaseFile& operator=(const DatabaseFile&) = delete;

  const SqliteTarget& target() const noexcept { return target_; }
  WriterTurn& turn() noexcept { return turn_; }

  // Sessions that can still work. One that was disarmed has left, though its handle is open.
  void enter() noexcept;
  void leave() noexcept { sessions_.fetch_sub(1); }
  void close_handle() noexcept { handles_.fetch_sub(1); }
  // A handle stays open behind its session: then SQLite sees no last close, and nobody would ever empty the WAL.
  void note_kept_handle() noexcept { has_kept_handle_.store(true); }
  bool needs_last_checkpoint() const noexcept { return has_kept_handle_.load() && sessions_.load() == 0; }

  // Sessions in a transaction that others wait for, where there is no WAL.
  void enter_reader(uint64_t session, Instant since);
  void leave_reader(uint64_t session) noexcept;
  // Those other than `session`, in words; empty when there is none.
  std::string describe_readers(uint64_t session, Instant now) const;

  // Whether another session may be opened now, and whether SQLite may create the file for it.
  OpenFailure admit(bool& may_create);
  // A session has opened the files. `generation` becomes the one it belongs to.
  Status learn(sqlite3* database, uint64_t& generation);
  // The journal mode was changed: the WAL and its index may have come or gone.
  void learn_journal();
  // Looks at the files. False for ever once they were not those of the generation; then loss() says what happened.
  bool is_intact(uint64_t generation, Depth depth);
  // The same without looking.
  bool is_lost(uint64_t generation) const noexcept { return generation != 0 && generation <= lost_generation_.load(); }
  uint64_t lost_generation() const noexcept { return lost_generation_.load(); }
  Status loss() const;
  // The size of the WAL when it was looked at last; -1: there was none.
  int64_t wal_bytes() const noexcept { return wal_bytes_.load(std::memory_order_relaxed); }
  // At most once a second, so that writers do not wait for readers all the time.
  bool may_restart_wal(Instant now) noexcept;
  // [keeper] Looks; true while no session can be opened, or those that are open are lost.
  bool is_missing();

 private:
  struct Files {
    std::string path;  // of the database, where SQLite has it: symbolic links followed
    std::string wal_path;
    std::string index_path;
    std::optional<FileIdentity> database;
    std::optional<FileIdentity> wal;
    std::optional<FileIdentity> index;
  };

  // What is at the paths of `out` now. False where that cannot be known.
  bool look(Depth depth, Files& out);
  static Files at(std::string real_path);
  // Where nothing is open the path may lead somewhere else by now.
  Files at_now() const;
  std::shared_ptr<const Files> known() const;
  // `others`: handles that are open on the known files.
  bool stands_in_the_way(const Files& known, const Files& found, int64_t others, Status& why) const;
  std::string what_happened(const Files& known, const Files& found) const;
  void lose(std::string what) noexcept;

  const SqliteTarget target_;
  WriterTurn turn_;
  std::atomic<int64_t> sessions_{0};
  std::atomic<int64_t> handles_{0};
  std::atomic<bool> has_kept_handle_{false};
  std::atomic<int64_t> wal_bytes_{-1};
  std::atomic<int64_t> restart_at_ns_{0};  // the next attempt, not before

  std::mutex learning_;                 // who looks in order to remember; taken before mutex_
  mutable std::mutex mutex_;            // guards what follows
  std::shared_ptr<const Files> known_;  // of the current generation; null: nothing was opened yet
  std::string what_;                    // happened to the generation that was lost last
  std::map<uint64_t, Instant> readers_;
  uint64_t generation_ = 0;
  std::atomic<uint64_t> lost_generation_{0};
};

}  // namespace tide::sqlite
