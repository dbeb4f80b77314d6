// DatabaseFile: what all sessions of one connector know of their database together.
//
// D1  Of the sessions counted here, the last one to leave knows that it is the last.
// Threads: any. Failure: none.
#pragma once

#include <atomic>
#include <cstdint>

#include "driver/sqlite/target.hpp"
#include "driver/sqlite/writer_turn.hpp"

namespace tide::sqlite {

class DatabaseFile {
 public:
  DatabaseFile(SqliteTarget target, const Clock& clock) : target_(std::move(target)), turn_(clock) {}
  DatabaseFile(const DatabaseFile&) = delete;
  DatabaseFile& operator=(const DatabaseFile&) = delete;

  const SqliteTarget& target() const noexcept { return target_; }
  WriterTurn& turn() noexcept { return turn_; }

  // Sessions that can still work. One that was disarmed has left, though its handle may stay open.
  void enter() noexcept { sessions_.fetch_add(1); }
  void leave() noexcept { sessions_.fetch_sub(1); }
  // A handle stays open behind its session: then SQLite sees no last close, and nobody would ever empty the WAL.
  void note_kept_handle() noexcept { has_kept_handle_.store(true); }
  bool needs_last_checkpoint() const noexcept { return has_kept_handle_.load() && sessions_.load() == 0; }

 private:
  const SqliteTarget target_;
  WriterTurn turn_;
  std::atomic<int64_t> sessions_{0};
  std::atomic<bool> has_kept_handle_{false};
};

}  // namespace tide::sqlite
