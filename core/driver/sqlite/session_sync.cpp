// sqlite_synchronous=group: how the commits of a session get to the disk.
#include <new>
#include <utility>

#include "driver/sqlite/session.hpp"

namespace tide::sqlite {

// FULL where the driver cannot share syncs: without a WAL, and for commits on native(), which it does not see.
void SqliteConnection::choose_synchronous() noexcept {
  if (policy_.sqlite_synchronous != SqliteSynchronous::group) return;
  if (sqlite3_get_autocommit(database_.get()) == 0) return;  // SQLite refuses it in a transaction
  const bool is_sharing = is_wal_ && !is_native_taken_.load() && file_->open_wal();
  if (is_sharing == is_sharing_syncs_) return;
  const OwnStatements own(inspector_);
  if (is_sharing) {
    is_sharing_syncs_ = true;
    run_own(database_.get(), "PRAGMA main.synchronous=NORMAL");
  } else if (run_own(database_.get(), "PRAGMA main.synchronous=FULL") == SQLITE_OK) {
    is_sharing_syncs_ = false;
  }
}

// native() was taken in a transaction, or during a call; its holder may have committed since.
void SqliteConnection::note_native_commits() noexcept {
  if (!is_sharing_syncs_) return;
  is_sync_owed_ = true;
  choose_synchronous();
}

// Nobody can be told of a failure; the following commits report it.
void SqliteConnection::sync_native_commits() noexcept {
  if (!std::exchange(is_sync_owed_, false)) return;
  try {
    (void)file_->sync_wal();
  } catch (const std::bad_alloc&) {
  }
}

// To be called without the writer turn: the next writer works while this session waits.
Status SqliteConnection::confirm_commit() {
  if (!is_intact_for_writing()) return lost_commit();
  if (!is_sharing_syncs_) return Status::ok();
  Status synced = file_->sync_wal();
  return synced || is_file_intact(DatabaseFile::Depth::all) ? synced : lost_commit();
}

}  // namespace tide::sqlite
