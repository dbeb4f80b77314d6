// After a statement: what its failure means, and the transaction that is open now.
#include <algorithm>
#include <string>
#include <utility>

#include "base/units.hpp"
#include "driver/sqlite/errors.hpp"
#include "driver/sqlite/session.hpp"

namespace tide::sqlite {
namespace {

Instant limit_of(Instant started, Span span) { return span.is_zero() ? Instant::never() : started + span; }

}  // namespace

Status SqliteConnection::failure(int code, const Running& running) {
  const bool is_interrupt = (code & 0xFF) == SQLITE_INTERRUPT;
  const TextPlace* const text = running.text.given.data() != nullptr ? &running.text : nullptr;
  if (is_interrupt || is_busy(code)) {
    Watch::Stop stop = watch_.stop();
    if (stop == Watch::Stop::timed_out && is_busy(code) && !file_->describe_readers(number_, clock_.now()).empty()) {
      Status status = database_error(database_.get(), code, text);
      explain_busy(status);
      status.code = Code::timeout;
      return status;
    }
    // sqlite3_interrupt() may be faster than the next check of the flag.
    if (stop == Watch::Stop::none && is_interrupt) stop = watch_.check();
    if (stop != Watch::Stop::none) return stopped(stop, running);
  }
  Status status = database_error(database_.get(), code, text);
  if (is_busy(code)) explain_busy(status);
  return status;
}

// Adds who holds the lock, if known, and a hint.
void SqliteConnection::explain_busy(Status& status) const {
  const bool is_in_transaction = sqlite3_get_autocommit(database_.get()) == 0;
  if (is_in_transaction && sqlite3_txn_state(database_.get(), nullptr) == SQLITE_TXN_READ) {
    // Its snapshot is outdated, or the writer waits for it: repeating the statement in this transaction cannot succeed.
    status.is_retryable = false;
    status.text().hint =
        "Roll back and repeat the whole transaction; begin one that writes with BEGIN IMMEDIATE. The "
        "statement cannot succeed in this transaction.";
    return;
  }
  const std::string readers = file_->describe_readers(number_, clock_.now());
  if (readers.empty()) return;
  status.text().sqlstate = "55P03";
  status.is_retryable = true;
  status.text().message = "the database is in use by other leases of this pool";
  status.text().detail = readers;
  status.text().hint = is_memory()
                           ? "In memory, readers and writers block each other: keep transactions short, or use a file."
                           : "Without WAL, readers and writers block each other: keep transactions short, or set "
                             "sqlite_journal_mode=wal.";
}

// In memory only sessions of the pool can hold a lock, so the statement waits for it as for the turn, if there is a
// deadline.
Span SqliteConnection::lock_timeout(const Running& running) const noexcept {
  const Span timeout = watch_.timeout();
  if (!is_memory() || timeout.is_zero() || running.deadline >= Instant::never()) return timeout;
  return std::max(timeout, running.deadline - running.started);
}

Status SqliteConnection::stopped(Watch::Stop stop, const Running& running) {
  if (stop == Watch::Stop::disarmed) return disarmed_error();
  if (stop == Watch::Stop::cancelled) {
    return driver_error("57014", SQLITE_INTERRUPT, "the statement was cancelled");
  }
  if (stop == Watch::Stop::read_too_old) {
    return driver_error("25P03", SQLITE_INTERRUPT,
                        "the read transaction was older than " + describe_span(policy_.sqlite_max_read_transaction),
                        "An old snapshot prevents checkpoints from resetting the WAL, which then keeps growing.",
                        "Read in smaller parts, or raise sqlite_max_read_transaction.");
  }
  Status status =
      Status::error(Code::timeout, "the statement did not finish in time",
                    running.started.is_set() ? "It ran for " + describe_span(clock_.now() - running.started) + "." : "",
                    "Request fewer rows, or raise query_timeout and statement_timeout.");
  status.text().sqlstate = "57014";
  status.native_code = SQLITE_INTERRUPT;
  status.is_retryable = false;  // the same statement would take the same time again
  return status;
}

void SqliteConnection::after_statement(const Running& running, bool was_in_transaction, const Status& status) {
  if (watch_.stop() == Watch::Stop::read_too_old && sqlite3_get_autocommit(database_.get()) == 0) {
    const OwnStatements own(inspector_);
    roll_back();
    ended_ = {"25P03", status.message()};
  } else if (was_in_transaction && !status && sqlite3_get_autocommit(database_.get()) != 0) {
    ended_ = {"25P02", "the transaction was rolled back when a statement failed: " + status.message()};
  }
  if (has_turn_ && sqlite3_txn_state(database_.get(), nullptr) != SQLITE_TXN_WRITE) {
    if (status && file_->is_guarded() && sqlite3_txn_state(database_.get(), nullptr) == SQLITE_TXN_NONE) {
      file_->guard().help();
    }
    give_turn();
  }
  note_transaction(running.started);
}

void SqliteConnection::note_transaction(Instant started) noexcept {
  constexpr auto relaxed = std::memory_order_relaxed;
  const bool is_open = sqlite3_get_autocommit(database_.get()) == 0;
  if (!is_open && rows_ == nullptr) {
    forget_transaction();
    return;
  }
  // Rows that are read page by page have a snapshot like a transaction.
  if (transaction_since_ns_.load(relaxed) == 0) transaction_since_ns_.store(started.ns(), relaxed);
  is_in_transaction_.store(is_open, relaxed);
  const int state = sqlite3_txn_state(database_.get(), nullptr);
  if (state != SQLITE_TXN_NONE && !reading_since_.is_set()) reading_since_ = started;
  is_reading_.store(state == SQLITE_TXN_READ, relaxed);
  if (state == SQLITE_TXN_NONE) snapshot_since_ns_.store(0, relaxed);
  if (!is_wal_ && state != SQLITE_TXN_NONE && !is_reader_) {
    is_reader_ = true;
    file_->enter_reader(number_, reading_since_);
  }
}

void SqliteConnection::forget_transaction() noexcept {
  constexpr auto relaxed = std::memory_order_relaxed;
  reading_since_ = {};
  if (is_reader_) file_->leave_reader(number_);
  is_reader_ = false;
  is_in_transaction_.store(false, relaxed);
  is_reading_.store(false, relaxed);
  transaction_since_ns_.store(0, relaxed);
  snapshot_since_ns_.store(0, relaxed);
  idle_since_ns_.store(0, relaxed);
}

Instant SqliteConnection::read_until(Instant started) const noexcept {
  const Span span = policy_.sqlite_max_read_transaction;
  return limit_of(reading_since_.is_set() ? reading_since_ : started, span);
}

Instant SqliteConnection::read_limit(const Execution& ex) const noexcept {
  return ex.traits->is_writing || has_turn_ ? Instant::never() : read_until(ex.running.started);
}

}  // namespace tide::sqlite
