#include "driver/sqlite/session.hpp"

#include <new>
#include <utility>

#include "driver/sqlite/errors.hpp"
#include "driver/sqlite/pragmas.hpp"

namespace tide::sqlite {
namespace {
// The limit for PRAGMA optimize.
constexpr Span kOptimizeSpan = Span::millis(50);
}  // namespace

SqliteConnection::SqliteConnection(Database database, uint64_t number, std::shared_ptr<DatabaseFile> file,
                                   const Policy& policy, const Clock& clock)
    : database_(std::move(database)),
      number_(number),
      file_(std::move(file)),
      policy_(policy),
      clock_(clock),
      watch_(clock, policy.sqlite_busy_timeout),
      cache_(std::make_unique<Cache>(Dialect::sqlite, static_cast<size_t>(policy.statement_cache_size))) {
  file_->enter();
  watch_.install(database_.get());
  inspector_.install(database_.get());
  counters_.install(database_.get());
  watch_wal();
}

// Otherwise SQLite has an autocheckpoint.
void SqliteConnection::watch_wal() noexcept {
  if (file_->is_guarded()) file_->guard().watch(database_.get());
}

SqliteConnection::~SqliteConnection() {
  if (is_abandoned_.load()) {
    // see abandon()
    [[maybe_unused]] sqlite3* leaked = database_.release();
    [[maybe_unused]] Cache* leaked_cache = cache_.release();
    [[maybe_unused]] Execution* leaked_rows = rows_.release();
    return;
  }
  optimize();
  if (generation_ != 0) file_->unlearn();
  disarm();
  finish_disarm();
  {
    // A revoked holder may still be returning from query(); what it uses must outlive it.
    Hands::Look look(hands_);
    look.wait_until_free();
  }
  Watch::remove(database_.get());
  // Such a handle is closed when its last statement is finalized.
  if (sqlite3_next_stmt(database_.get(), nullptr) != nullptr) file_->note_kept_handle();
  if (file_->needs_last_checkpoint()) empty_wal();
  {
    // A cancel without a statement is still pending in the handle, and the last close would skip its checkpoint.
    const OwnStatements own(inspector_);
    run_own(database_.get(), "SELECT 1");
  }
  if (file_->is_guarded()) WalGuard::stop_watching(database_.get());
  Inspector::remove(database_.get());
  ChangeCounters::remove(database_.get());
  file_->close_handle(std::move(database_));
}

void* SqliteConnection::native() noexcept {
  if (is_file_lost()) return nullptr;  // changes to it would be lost
  const bool was_taken = is_native_taken_.exchange(true);
  bool is_free = false;
  {
    Hands::Look look(hands_);
    // The handle of a read lease must not be able to write for a moment.
    if (mode_ == LeaseMode::read) look.wait_until_free();
    is_free = look.is_free() && !watch_.is_disarmed();
    if (is_free) look.set(Hands::Use::inner);
  }
  bool is_safe = true;
  if (is_free) {  // otherwise the next statement does it
    is_safe = prepare_for_native() == SQLITE_OK;
    if (!was_taken) choose_synchronous();
    leave();
  }
  return is_safe ? database_.get() : nullptr;
}

bool SqliteConnection::probe() noexcept {
  try {
    return is_file_intact(DatabaseFile::Depth::database);
  } catch (const std::bad_alloc&) {
    return false;
  }
}

bool SqliteConnection::enter(Hands::Use use) noexcept {
  if (!hands_.try_take(use)) [[unlikely]] {
    Hands::Look look(hands_);
    look.wait_until_free();
    if (watch_.is_disarmed()) return false;
    look.set(use);
  }
  watch_.forget_stop();
  if (!watch_.is_disarmed()) [[likely]]
    return true;
  leave();
  return false;
}

void SqliteConnection::leave() noexcept {
  watch_.rest();
  if (hands_.try_give()) [[likely]]
    return;
  if (is_mine_to_finish()) end_effects();
  Hands::Look(hands_).set(Hands::Use::free);
}

// Whoever has the hands after disarm() ends the effects of the session, once.
bool SqliteConnection::is_mine_to_finish() noexcept {
  Hands::Look look(hands_);
  if (!watch_.is_disarmed() || is_disarm_finished_) return false;
  is_disarm_finished_ = true;
  look.set(Hands::Use::inner);  // a cancel would only interrupt the rollback
  return true;
}

Status SqliteConnection::disarmed_error() const {
  return Status::error(Code::stale_lease, "session " + std::to_string(number_) + " was revoked by the pool",
                       "Its lease was revoked and its transaction rolled back.", "Acquire a new lease.");
}

// ---- from outside ---------------------------------------------------------------------------------------------------

void SqliteConnection::cancel(uint64_t lease) noexcept {
  {
    const Hands::Look look(hands_);
    if (lease != kAnyLease && lease != lease_.load()) return;
    if (look.use() == Hands::Use::query) {
      watch_.request_stop();
      sqlite3_interrupt(database_.get());
    } else if (look.is_free() && has_rows_.load()) {
      is_rows_cancelled_.store(true);
    } else if (look.is_free() && is_native_taken_.load()) {
      // Reaches a statement on native(); if none runs, SQLite forgets it when the next one starts.
      sqlite3_interrupt(database_.get());
    }
  }
  file_->turn().nudge(number_);
}

SessionFacts SqliteConnection::facts() const noexcept {
  constexpr auto relaxed = std::memory_order_relaxed;
  SessionFacts facts;
  facts.is_in_transaction = is_in_transaction_.load(relaxed);
  facts.is_reading = is_reading_.load(relaxed);
  facts.transaction_since = Instant::at_ns(transaction_since_ns_.load(relaxed));
  facts.snapshot_since = Instant::at_ns(snapshot_since_ns_.load(relaxed));
  facts.idle_in_transaction_since = Instant::at_ns(idle_since_ns_.load(relaxed));
  facts.queries_total = queries_total_.load(relaxed);
  facts.lease = lease_.load(relaxed);
  facts.statements.hits_total = counts_.hits.load(relaxed);
  facts.statements.misses_total = counts_.misses.load(relaxed);
  facts.statements.evictions_total = counts_.evictions.load(relaxed);
  facts.statements.held = static_cast<uint32_t>(counts_.held.load(relaxed));
  facts.statements.bytes = counts_.bytes.load(relaxed);
  return facts;
}

bool SqliteConnection::end_transaction(std::string_view why, uint64_t lease) noexcept {
  Ended ended;
  Status rows_end;
  try {
    ended = {"25P03", std::string(why)};
    rows_end = driver_error("25P03", SQLITE_ABORT, ended.why, "The rows were not read to the end.");
  } catch (const std::bad_alloc&) {
    return false;
  }
  {
    Hands::Look look(hands_);
    if (!look.is_free() || watch_.is_disarmed()) return false;
    if (lease != kAnyLease && lease != lease_.load()) return false;
    look.set(Hands::Use::inner);
  }
  // The holder may be inside SQLite through native(): then it is not idle, and the keeper must not wait for it.
  sqlite3_mutex* inside = sqlite3_db_mutex(database_.get());
  bool is_ended = false;
  const bool had_rows = rows_ != nullptr;
  if (sqlite3_mutex_try(inside) == SQLITE_OK) {
    end_rows(std::move(rows_end));
    bool is_busy = false;
    for (sqlite3_stmt* s = sqlite3_next_stmt(database_.get(), nullptr); s != nullptr && !is_busy;
         s = sqlite3_next_stmt(database_.get(), s)) {
      is_busy = sqlite3_stmt_busy(s) != 0;
    }
    const bool is_open = sqlite3_get_autocommit(database_.get()) == 0;
    if (is_open && !is_busy) {
      const OwnStatements own(inspector_);
      is_ended = roll_back();
    }
    sqlite3_mutex_leave(inside);
  }
  if (is_ended) {
    ended_ = std::move(ended);
    give_turn();
    forget_transaction();
  }
  const bool are_rows_ended = had_rows && rows_ == nullptr;
  leave();
  return is_ended || are_rows_ended;
}

void SqliteConnection::disarm() noexcept {
  watch_.disarm();
  file_->turn().nudge(number_);
  Hands::Look look(hands_);
  look.close();
  if (look.use() == Hands::Use::query) sqlite3_interrupt(database_.get());
  if (look.is_free() && !is_disarm_finished_) interrupt_native();
}

void SqliteConnection::finish_disarm() noexcept {
  {
    Hands::Look look(hands_);
    if (!look.is_free()) return;  // their current owner finishes it
    look.set(Hands::Use::inner);
  }
  if (!is_disarm_finished_) interrupt_native();  // a holder may have started a statement since
  leave();
}

// Only if a thread is inside SQLite: an interrupt without a statement remains pending in the handle.
void SqliteConnection::interrupt_native() noexcept {
  sqlite3_mutex* inside = sqlite3_db_mutex(database_.get());
  if (sqlite3_mutex_try(inside) == SQLITE_OK) {
    sqlite3_mutex_leave(inside);
  } else {
    sqlite3_interrupt(database_.get());
  }
}

void SqliteConnection::end_effects() noexcept {
  sqlite3_mutex* inside = sqlite3_db_mutex(database_.get());
  sqlite3_mutex_enter(inside);
  {
    const OwnStatements own(inspector_);
    inspector_.refuse_all();
    if (is_native_taken_.load()) remove_callbacks();
    Watch::remove(database_.get());  // it would stop the rollback too
    if (rows_ != nullptr) abort_statement(*rows_);
    rows_.reset();
    has_rows_.store(false);
    forget_statements();
    reset_strays();
    roll_back();
    give_turn();
    file_->leave();
    if (is_native_taken_.load()) file_->note_kept_handle();
    if (file_->needs_last_checkpoint()) empty_wal();
    watch_.install(database_.get());
    inspector_.install(database_.get());  // expires all statements, so that the inspector checks them again
  }
  sqlite3_mutex_leave(inside);
  forget_transaction();
}

// Does what the last close does otherwise. Only in the writer turn, and with the lock of SQLite: a checkpoint that does not get
// it is interrupted (WalGuard, C1). Readers of other processes are not waited for.
void SqliteConnection::empty_wal() noexcept {
  if (file_->turn().take(number_, Instant(), watch_.should_stop()) != WriterTurn::Outcome::taken) return;
  const auto interrupt = [](void* database, int) {
    sqlite3_interrupt(static_cast<sqlite3*>(database));
    return 0;
  };
  sqlite3_busy_handler(database_.get(), interrupt, database_.get());
  sqlite3_wal_checkpoint_v2(database_.get(), "main", SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  sqlite3_busy_handler(database_.get(), nullptr, nullptr);
  file_->turn().give(number_);
}

// ---- the keeper's work ----------------------------------------------------------------------------------------------

// A session is closed: statistics that the planner has missed are collected, if that does not delay anybody.
void SqliteConnection::optimize() noexcept {
  if (queries_total_.load() == 0 || is_memory() || !file_->target().is_writable()) return;
  {
    Hands::Look look(hands_);
    if (!look.is_free() || watch_.is_disarmed() || is_native_taken_.load()) return;
    look.set(Hands::Use::inner);
  }
  try {
    const bool is_idle = sqlite3_get_autocommit(database_.get()) != 0 && rows_ == nullptr && !has_turn_;
    if (is_idle && is_file_intact(DatabaseFile::Depth::all) &&
        file_->turn().take(number_, Instant(), watch_.should_stop()) == WriterTurn::Outcome::taken) {
      const OwnStatements own(inspector_);
      watch_.arm({clock_.now() + kOptimizeSpan, Instant::never(), Span()});
      if (is_query_only_ || !is_query_only_known_) run_own(database_.get(), "PRAGMA query_only=0");
      run_own(database_.get(), "PRAGMA analysis_limit=400");
      run_own(database_.get(), "PRAGMA optimize");
      roll_back();
      file_->turn().give(number_);
    }
  } catch (const std::bad_alloc&) {
  }
  leave();
}

void SqliteConnection::arm_for_keeper(Instant deadline) noexcept {
  watch_.arm({deadline, Instant::never(), kKeeperTimeout});
}

Status SqliteConnection::furnish(Instant deadline) {
  if (!enter(Hands::Use::inner)) return disarmed_error();
  Status status;
  {
    const OwnStatements own(inspector_);
    arm_for_keeper(deadline);
    if (!is_memory()) status = file_->check_opened(database_.get());
    if (status) status = apply_pragmas(database_.get(), file_->target(), policy_);
    if (status && file_->target().is_writable() && sqlite3_db_readonly(database_.get(), "main") == 1) {
      status = driver_error("25006", SQLITE_READONLY, "cannot write to " + file_->target().shown,
                            "Expected a database file that this user may write.", "Check the permissions of the file.");
    }
    std::string journal;
    if (status) run_own(database_.get(), "PRAGMA main.journal_mode", &journal);
    is_wal_ = journal == "wal";
    if (is_wal_) run_own(database_.get(), "PRAGMA main.schema_version");  // creates the WAL, so that it is registered
    if (status) status = file_->learn(database_.get(), generation_);
    if (status) mark_ = file_->mark();
    if (status) choose_synchronous();
  }
  leave();
  return status;
}

Status SqliteConnection::restore(Instant deadline) {
  if (!enter(Hands::Use::inner)) return disarmed_error();
  Status status;
  {
    const OwnStatements own(inspector_);
    arm_for_keeper(deadline);
    reset_strays();
    if (!roll_back()) {
      status = database_error(database_.get(), sqlite3_errcode(database_.get()));
    } else {
      status = put_back();
    }
    if (status && inspector_.alteration() == Alteration::lasting) {
      status = Status::error(Code::refused, "a lease changed settings that cannot be reset");
    }
    if (status) {
      inspector_.forget_alteration();
      is_query_only_ = false;
      is_query_only_known_ = true;
    }
  }
  give_turn();
  forget_transaction();
  leave();
  return status;
}

void SqliteConnection::shed_memory() noexcept {
  if (!enter(Hands::Use::inner)) return;
  sqlite3_db_release_memory(database_.get());
  leave();
}

Status SqliteConnection::validate(const std::string& validation_query, Instant deadline) {
  if (!enter(Hands::Use::inner)) return disarmed_error();
  Status status;
  if (!is_file_intact(DatabaseFile::Depth::all)) {
    status = file_->loss();
  } else {
    const OwnStatements own(inspector_);
    arm_for_keeper(deadline);
    const bool is_asked = !validation_query.empty();
    const int code = run_own(database_.get(), is_asked ? validation_query.c_str() : "PRAGMA main.schema_version");
    // A lock of another process is not an error of this session.
    if (code != SQLITE_OK && (!is_busy(code) || watch_.stop() != Watch::Stop::none)) {
      status = watch_.stop() == Watch::Stop::none ? database_error(database_.get(), code) : stopped(watch_.stop(), {});
    }
    if (!roll_back()) status = database_error(database_.get(), code);
  }
  leave();
  return status;
}

}  // namespace tide::sqlite
