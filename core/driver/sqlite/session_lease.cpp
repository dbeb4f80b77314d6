// Begin and end of a lease: preparing the session, and removing what must not affect the next lease.
#include <new>
#include <string>

#include "driver/sqlite/errors.hpp"
#include "driver/sqlite/pragmas.hpp"
#include "driver/sqlite/session.hpp"

namespace tide::sqlite {
namespace {
// The limit for restoring a session in the thread of the holder; beyond it the session is replaced.
constexpr Span kRestoreSpan = Span::seconds(1);
}  // namespace

// Makes SQLite compile all statements again, so that it is only set where the driver cannot see what is executed: on
// native() of a read lease. Otherwise check_lease() refuses statements that write.
int SqliteConnection::set_query_only(bool is_on) noexcept {
  if (is_query_only_known_ && is_query_only_ == is_on) return SQLITE_OK;
  const OwnStatements own(inspector_);
  const int code = run_own(database_.get(), is_on ? "PRAGMA query_only=1" : "PRAGMA query_only=0");
  is_query_only_known_ = code == SQLITE_OK;
  is_query_only_ = is_on;
  return code;
}

// What the holder of native() must not meet: statements to finalize, and on a read lease the possibility to write. Returns the
// result code.
int SqliteConnection::prepare_for_native() noexcept {
  forget_statements();
  return mode_ == LeaseMode::read ? set_query_only(true) : SQLITE_OK;
}

Status SqliteConnection::begin_lease(LeaseMode mode, Instant) {
  if (!enter(Hands::Use::inner)) return disarmed_error();
  next_lease();
  mode_ = mode;
  counters_.begin_lease(database_.get());
  Status status;
  if (!is_file_in_place()) {
    status = file_->loss();
  } else if (const int code = set_query_only(false); code != SQLITE_OK) {
    status = database_error(database_.get(), code);
  }
  leave();
  return status;
}

Settled SqliteConnection::settle(ResetMode mode) noexcept {
  if (!enter(Hands::Use::inner)) return Settled::broken;
  next_lease();
  Settled settled = Settled::broken;
  try {
    settled = settle_inner(mode);
  } catch (const std::bad_alloc&) {
    settled = Settled::broken;
  }
  is_vouched_ = false;
  give_turn();
  forget_transaction();
  sync_native_commits();
  leave();
  return watch_.is_disarmed() ? Settled::broken : settled;
}

Settled SqliteConnection::settle_inner(ResetMode mode) {
  end_rows(Status::ok());
  rows_end_ = {};
  const OwnStatements own(inspector_);
  const bool was_native_taken = is_native_taken_.load(std::memory_order_relaxed);
  const bool is_known = take_back_native();
  const bool was_in_transaction = sqlite3_get_autocommit(database_.get()) == 0;
  if (was_native_taken) {
    reset_strays();  // there are no others
    is_sync_owed_ = is_sync_owed_ || is_sharing_syncs_;
  }
  // In every mode: a session that will be closed must not block the others until then.
  if (!roll_back()) return Settled::broken;
  ended_ = {};
  watch_.set_timeout(policy_.sqlite_busy_timeout);
  if (was_in_transaction && mode == ResetMode::none) return Settled::broken;
  if (is_file_lost()) return Settled::broken;
  if (!is_known) return Settled::spent;
  if (was_native_taken) choose_synchronous();
  const Alteration alteration = inspector_.alteration();
  if (alteration != Alteration::none) is_query_only_known_ = false;
  if (inspector_.has_journal_change()) note_journal();
  inspector_.forget_journal_change();
  if (mode == ResetMode::none || mode == ResetMode::rollback) return Settled::clean;
  if (alteration == Alteration::lasting) return Settled::spent;
  if (mode == ResetMode::smart && alteration == Alteration::none) return Settled::clean;
  watch_.arm({clock_.now() + kRestoreSpan, Instant::never(), kKeeperTimeout});
  if (!put_back()) return Settled::broken;
  inspector_.forget_alteration();
  is_query_only_ = false;
  is_query_only_known_ = true;
  return Settled::clean;
}

Status SqliteConnection::put_back() {
  const bool was_wal = is_wal_;
  Status status = restore_session(database_.get(), file_->target(), policy_);
  if (status) is_sharing_syncs_ = false;  // with group the pragmas of the policy are those of full
  if (was_wal != (policy_.sqlite_journal_mode == SqliteJournalMode::wal)) {
    note_journal();
  } else {
    choose_synchronous();
  }
  return status;
}

// A holder may have changed the journal mode; then the WAL was created or deleted legitimately.
void SqliteConnection::note_journal() {
  std::string journal;
  const OwnStatements own(inspector_);
  run_own(database_.get(), "PRAGMA main.journal_mode", &journal);
  is_wal_ = journal == "wal";
  if (is_wal_) run_own(database_.get(), "PRAGMA main.schema_version");  // opens the WAL
  file_->learn_journal();
  choose_synchronous();
}

// The holder returns the native handle. False if the state of the session is unknown.
bool SqliteConnection::take_back_native() noexcept {
  if (!is_native_taken_.load() || !is_native_taken_.exchange(false)) return true;
  // With another authorizer the inspector missed statements, whatever the holder asserts.
  const bool is_known = is_vouched_ && inspector_.is_installed(database_.get());
  remove_callbacks();
  return is_known;
}

bool SqliteConnection::roll_back() noexcept {
  if (sqlite3_get_autocommit(database_.get()) != 0) return true;
  run_own(database_.get(), "ROLLBACK");
  return sqlite3_get_autocommit(database_.get()) != 0;
}

// An unfinished statement keeps its read snapshot, and thereby the WAL. It is reset and not finalized, because the holder
// may finalize it later.
void SqliteConnection::reset_strays() noexcept {
  for (sqlite3_stmt* statement = sqlite3_next_stmt(database_.get(), nullptr); statement != nullptr;
       statement = sqlite3_next_stmt(database_.get(), statement)) {
    if (sqlite3_stmt_busy(statement) != 0) sqlite3_reset(statement);
  }
}

// Callbacks left by a holder would be called in statements of the driver, with contexts that may be invalid.
void SqliteConnection::remove_callbacks() noexcept {
  sqlite3* database = database_.get();
  watch_.install(database);
  inspector_.install(database);
  sqlite3_commit_hook(database, nullptr, nullptr);
  sqlite3_rollback_hook(database, nullptr, nullptr);
  sqlite3_update_hook(database, nullptr, nullptr);
  sqlite3_trace_v2(database, 0, nullptr, nullptr);
  sqlite3_wal_autocheckpoint(database, 1000);  // default of SQLite; replaces any WAL hook
  watch_wal();
  sqlite3_extended_result_codes(database, 1);
  sqlite3_db_config(database, SQLITE_DBCONFIG_ENABLE_FKEY, policy_.sqlite_foreign_keys ? 1 : 0, nullptr);
}

}  // namespace tide::sqlite
