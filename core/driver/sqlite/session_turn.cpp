// The writer turn: taken before a statement writes, kept while its transaction can write.
#include <string>
#include <utility>

#include "base/units.hpp"
#include "driver/sqlite/errors.hpp"
#include "driver/sqlite/session.hpp"

namespace tide::sqlite {
namespace {

std::string name_of(uint64_t holder) {
  return holder == WalGuard::kNumber ? "a checkpoint" : "session " + std::to_string(holder);
}

}  // namespace

Status SqliteConnection::take_turn(const Running& running, Instant deadline) {
  if (Status status = take_turn_only(running, deadline); !status) return status;
  Status status;
  if (!is_intact_for_writing()) {
    status = file_->loss();
  } else if (policy_.sqlite_synchronous == SqliteSynchronous::group) {
    status = file_->wal_sync().check();
  }
  if (!status) give_turn();
  return status;
}

Status SqliteConnection::take_turn_only(const Running& running, Instant deadline) {
  // Without WAL the current writer waits for the read lock of this session: waiting for the turn would deadlock.
  const bool is_upgrade = sqlite3_txn_state(database_.get(), nullptr) == SQLITE_TXN_READ;
  const bool may_wait = is_wal_ || !is_upgrade;
  const WriterTurn::Outcome outcome =
      file_->turn().take(number_, may_wait ? deadline : Instant(), watch_.should_stop());
  if (outcome == WriterTurn::Outcome::taken) {
    has_turn_ = true;
    return Status::ok();
  }
  if (outcome == WriterTurn::Outcome::stopped) return stopped(watch_.check(), running);
  if (!may_wait) {
    Status status =
        driver_error("40001", SQLITE_BUSY, "another session is writing, and this transaction has already read");
    explain_busy(status);
    return status;
  }
  const WriterTurn::Holder holder = file_->turn().holder();
  const Instant now = clock_.now();
  std::string detail = "Waited " + describe_span(now - running.started);
  if (holder.session != 0) {
    detail += "; " + name_of(holder.session) + " has held it for " + describe_span(now - holder.since) + ", " +
              std::to_string(file_->turn().waiting()) + " others are waiting";
  }
  Status status =
      Status::error(Code::timeout, "timed out waiting for the write lock of the pool", std::move(detail) + ".",
                    "Keep write transactions short; SQLite has one writer at a time.");
  status.text().sqlstate = "55P03";
  status.native_code = SQLITE_BUSY;
  return status;
}

void SqliteConnection::give_turn() noexcept {
  if (!has_turn_) return;
  has_turn_ = false;
  file_->turn().give(number_);
}

// After a statement that was not executed.
void SqliteConnection::give_unused_turn() noexcept {
  if (has_turn_ && sqlite3_txn_state(database_.get(), nullptr) != SQLITE_TXN_WRITE) give_turn();
}

bool SqliteConnection::is_intact_for_writing() {
  if (inspector_.has_journal_change()) note_journal();
  return is_file_intact(DatabaseFile::Depth::all);
}

Status SqliteConnection::lost_commit() const {
  Status status = file_->loss();
  status.text().detail = "The transaction was committed to the old file, and is lost with it.";
  return status;
}

}  // namespace tide::sqlite
