// Statements of the holder: preparation before, and checks after execution.
#include <algorithm>
#include <cstdlib>
#include <limits>
#include <new>
#include <utility>

#include "base/units.hpp"
#include "driver/sqlite/errors.hpp"
#include "driver/sqlite/open_files.hpp"
#include "driver/sqlite/session.hpp"

namespace tide::sqlite {
namespace {

// How long a writer waits for readers so that the WAL can be reset.
constexpr Span kRestartSpan = Span::millis(100);

Instant limit_of(Instant started, Span span) { return span.is_zero() ? Instant::never() : started + span; }

bool is_blank(sqlite3* database, std::string_view text) {
  while (!text.empty()) {
    Statement statement;
    std::string_view rest;
    if (compile(database, text, statement, rest) != SQLITE_OK || statement != nullptr) return false;
    if (rest.size() == text.size()) break;
    text = rest;
  }
  return true;
}

Status check_text(std::string_view text) {
  if (text.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return Status::error(Code::bad_argument, "the text is longer than 2 GiB");
  }
  if (text.find('\0') != std::string_view::npos) {
    return Status::error(Code::bad_argument,
                         "the text contains a NUL byte; SQLite would execute only the part before it", {},
                         "Pass such values as parameters.");
  }
  return Status::ok();
}

}  // namespace

Status SqliteConnection::query(const QueryRequest& request, ResultTable& out) {
  out.clear();
  if (!enter(Hands::query)) return disarmed_error();
  queries_total_.fetch_add(1, std::memory_order_relaxed);
  idle_since_ns_.store(0, std::memory_order_relaxed);
  Status status;
  try {
    status = run_text(request, out);
  } catch (const std::bad_alloc&) {
    status = Status::error(Code::no_memory, "not enough memory for the result");
    if (has_turn_ && sqlite3_txn_state(database_.get(), nullptr) != SQLITE_TXN_WRITE) give_turn();
    note_transaction(clock_.now());
  }
  if (!status) out.clear();
  if (is_in_transaction_.load()) idle_since_ns_.store(clock_.now().ns(), std::memory_order_relaxed);
  leave();
  return status;
}

Status SqliteConnection::run_text(const QueryRequest& request, ResultTable& out) {
  if (is_file_lost()) return file_->loss();
  if (Status status = check_text(request.sql); !status) return status;
  Running running{clock_.now(), {}, 0};
  const Instant request_deadline = earliest(request.deadline, limit_of(running.started, policy_.query_timeout));
  std::string_view text = request.sql;
  bool has_run = false;
  while (!text.empty()) {
    running.deadline = earliest(request_deadline, limit_of(running.started, policy_.statement_timeout));
    running.offset = static_cast<int64_t>(request.sql.size() - text.size());
    // Compiling reads the schema, which may have to wait for a lock of another process too.
    watch_.arm({running.deadline, Instant::never(), lock_timeout(running)});
    inspector_.begin();
    Statement statement;
    std::string_view rest;
    const int code = compile(database_.get(), text, statement, rest);
    const bool is_rollback = code == SQLITE_OK && statement != nullptr && inspector_.intent().is_rollback &&
                             sqlite3_stmt_isexplain(statement.get()) == 0;
    if (!ended_.sqlstate.empty() && !is_rollback) {
      return driver_error(ended_.sqlstate, SQLITE_ABORT, ended_.why, "The transaction was rolled back.",
                          "Send ROLLBACK, then repeat the transaction.");
    }
    if (code != SQLITE_OK) return failure(code, running);
    if (statement == nullptr) {
      if (rest.size() == text.size()) break;
      text = rest;
      continue;
    }
    if (!request.params.empty() && !is_blank(database_.get(), rest)) {
      return Status::error(Code::bad_argument, "several statements cannot share parameters", {},
                           "Send one statement at a time, or no parameters.");
    }
    out.clear();
    if (!ended_.sqlstate.empty()) {
      ended_ = {};  // the expected ROLLBACK of the holder; there is no transaction any more
    } else if (Status status = run_statement(statement.get(), running, request, out); !status) {
      return status;
    }
    out.set_command(command_of(statement.get()));
    has_run = true;
    text = rest;
    running.started = clock_.now();
  }
  if (!has_run && !request.params.empty()) {
    return Status::error(Code::bad_argument, "parameters were given, but no statement");
  }
  return Status::ok();
}

Status SqliteConnection::run_statement(sqlite3_stmt* statement, const Running& running, const QueryRequest& request,
                                       ResultTable& out) {
  const Intent intent = inspector_.intent();
  const bool is_writing = sqlite3_stmt_readonly(statement) == 0 && sqlite3_stmt_isexplain(statement) == 0 &&
                          !(intent.is_pragma && intent.is_pragma_question);
  if (Status status = check_lease(is_writing); !status) return status;
  if (Status status = bind_parameters(statement, request.params); !status) return status;
  if (is_writing && !has_turn_) {
    if (Status status = take_turn(running, running.deadline); !status) return status;
  }
  if (watch_.check() != Watch::Stop::none) {
    if (has_turn_ && sqlite3_txn_state(database_.get(), nullptr) != SQLITE_TXN_WRITE) give_turn();
    return stopped(watch_.stop(), running);
  }
  Statement retold;
  if (intent.is_busy_timeout && intent.is_pragma_question) {
    // SQLite reports its own handler, which was replaced; and it does so while compiling.
    sqlite3_busy_timeout(database_.get(), static_cast<int>(watch_.timeout().ms()));
    std::string_view rest;
    if (compile(database_.get(), sqlite3_sql(statement), retold, rest) == SQLITE_OK) statement = retold.get();
  }
  const bool was_in_transaction = sqlite3_get_autocommit(database_.get()) == 0;
  const Instant read_limit = is_writing || has_turn_ ? Instant::never() : read_until(running.started);
  watch_.arm({running.deadline, read_limit, lock_timeout(running)});
  int code = SQLITE_OK;
  Status status = collect_rows(statement, ResultLimits{}, out, code);
  if (status && code != SQLITE_DONE) status = failure(code, running);
  if (status && intent.is_change && !intent.is_definition && is_writing) {
    out.set_affected(sqlite3_changes64(database_.get()));
  }
  sqlite3_reset(statement);
  if (status && intent.is_attach) {
    const OwnStatements own(inspector_);
    status = remember_attached(database_.get());
  }
  if (intent.is_busy_timeout) {
    if (const char* told = out.text(0, 0); told != nullptr) watch_.set_timeout(Span::millis(std::atoi(told)));
    watch_.install(database_.get());
  }
  const bool was_writing = has_turn_;
  after_statement(running, was_in_transaction, status);
  // A commit must only be reported if it is in the current file.
  const bool is_committed = status && was_writing && !has_turn_ && !intent.is_rollback;
  if (is_committed && !is_intact_for_writing()) return lost_commit();
  return status;
}

bool SqliteConnection::is_intact_for_writing() {
  if (inspector_.has_journal_change()) note_journal();
  return is_file_intact(DatabaseFile::Depth::all);
}

Status SqliteConnection::lost_commit() const {
  Status status = file_->loss();
  status.detail = "The transaction was committed to the old file, and is lost with it.";
  return status;
}

Status SqliteConnection::check_lease(bool is_writing) const {
  if (is_writing && !file_->target().is_writable()) {
    return driver_error("25006", SQLITE_READONLY,
                        "cannot write: the pool has opened " + file_->target().shown + " read-only",
                        "It was opened with mode=ro or immutable=1, or with sqlite_access.",
                        "To write, open a pool without this option.");
  }
  if (!is_writing || mode_ == LeaseMode::read_write) return Status::ok();
  return driver_error("25006", SQLITE_READONLY, "cannot write on a read lease", {}, "Acquire a read-write lease.");
}

Instant SqliteConnection::read_until(Instant started) const noexcept {
  const Span span = policy_.sqlite_max_read_transaction;
  return limit_of(reading_since_.is_set() ? reading_since_ : started, span);
}

// ---- the writer turn ------------------------------------------------------------------------------------------------

Status SqliteConnection::take_turn(const Running& running, Instant deadline) {
  if (Status status = take_turn_only(running, deadline); !status) return status;
  if (is_intact_for_writing()) return Status::ok();
  give_turn();
  return file_->loss();
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
    detail += "; session " + std::to_string(holder.session) + " has held it for " + describe_span(now - holder.since) +
              ", " + std::to_string(file_->turn().waiting()) + " others are waiting";
  }
  Status status =
      Status::error(Code::timeout, "timed out waiting for the write lock of the pool", std::move(detail) + ".",
                    "Keep write transactions short; SQLite has one writer at a time.");
  status.sqlstate = "55P03";
  status.native_code = SQLITE_BUSY;
  return status;
}

void SqliteConnection::give_turn() noexcept {
  if (!has_turn_) return;
  has_turn_ = false;
  file_->turn().give(number_);
}

// ---- afterwards -----------------------------------------------------------------------------------------------------

Status SqliteConnection::failure(int code, const Running& running) {
  const bool is_interrupt = (code & 0xFF) == SQLITE_INTERRUPT;
  if (is_interrupt || is_busy(code)) {
    Watch::Stop stop = watch_.stop();
    if (stop == Watch::Stop::timed_out && is_busy(code) && !file_->describe_readers(number_, clock_.now()).empty()) {
      Status status = database_error(database_.get(), code, running.offset);
      explain_busy(status);
      status.code = Code::timeout;
      return status;
    }
    // sqlite3_interrupt() may be faster than the next check of the flag.
    if (stop == Watch::Stop::none && is_interrupt) stop = watch_.check();
    if (stop != Watch::Stop::none) return stopped(stop, running);
  }
  Status status = database_error(database_.get(), code, running.offset);
  if (is_busy(code)) explain_busy(status);
  return status;
}

// Adds who holds the lock, if known, and a hint.
void SqliteConnection::explain_busy(Status& status) const {
  const bool is_in_transaction = sqlite3_get_autocommit(database_.get()) == 0;
  if (is_in_transaction && sqlite3_txn_state(database_.get(), nullptr) == SQLITE_TXN_READ) {
    // Its snapshot is outdated, or the writer waits for it: repeating the statement in this transaction cannot succeed.
    status.is_retryable = false;
    status.hint =
        "Roll back and repeat the whole transaction; begin one that writes with BEGIN IMMEDIATE. The "
        "statement cannot succeed in this transaction.";
    return;
  }
  const std::string readers = file_->describe_readers(number_, clock_.now());
  if (readers.empty()) return;
  status.sqlstate = "55P03";
  status.is_retryable = true;
  status.message = "the database is in use by other leases of this pool";
  status.detail = readers;
  status.hint = is_memory() ? "In memory, readers and writers block each other: keep transactions short, or use a file."
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
  status.sqlstate = "57014";
  status.native_code = SQLITE_INTERRUPT;
  status.is_retryable = false;  // the same statement would take the same time again
  return status;
}

void SqliteConnection::after_statement(const Running& running, bool was_in_transaction, const Status& status) {
  if (watch_.stop() == Watch::Stop::read_too_old && sqlite3_get_autocommit(database_.get()) == 0) {
    const OwnStatements own(inspector_);
    roll_back();
    ended_ = {"25P03", status.message};
  } else if (was_in_transaction && !status && sqlite3_get_autocommit(database_.get()) != 0) {
    ended_ = {"25P02", "the transaction was rolled back when a statement failed: " + status.message};
  }
  if (has_turn_ && sqlite3_txn_state(database_.get(), nullptr) != SQLITE_TXN_WRITE) {
    if (status) restart_wal();
    give_turn();
  }
  note_transaction(running.started);
}

// SQLite restarts the WAL only if a writer finds no reader of it. With overlapping readers that never happens, and the WAL
// keeps growing. Therefore a writer waits for the current readers, while it holds the lock that keeps other writers from
// appending; readers that begin meanwhile read the database file only, and are not waited for. Only in the writer turn:
// SQLite up to 3.51.2 may corrupt a WAL that one connection resets while another writes.
void SqliteConnection::restart_wal() noexcept {
  if (!is_wal_ || policy_.sqlite_wal_limit == 0 || file_->wal_bytes() <= policy_.sqlite_wal_limit) return;
  if (sqlite3_txn_state(database_.get(), nullptr) != SQLITE_TXN_NONE) return;
  const Instant now = clock_.now();
  if (!file_->may_restart_wal(now)) return;
  const OwnStatements own(inspector_);
  watch_.arm({now + kRestartSpan, Instant::never(), kRestartSpan});
  sqlite3_wal_checkpoint_v2(database_.get(), "main", SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
}

void SqliteConnection::note_transaction(Instant started) noexcept {
  constexpr auto relaxed = std::memory_order_relaxed;
  if (sqlite3_get_autocommit(database_.get()) != 0) {
    forget_transaction();
    return;
  }
  if (!is_in_transaction_.load(relaxed)) {
    transaction_since_ns_.store(started.ns(), relaxed);
    is_in_transaction_.store(true, relaxed);
  }
  const int state = sqlite3_txn_state(database_.get(), nullptr);
  if (state != SQLITE_TXN_NONE && !reading_since_.is_set()) reading_since_ = started;
  is_reading_.store(state == SQLITE_TXN_READ, relaxed);
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
  idle_since_ns_.store(0, relaxed);
}

}  // namespace tide::sqlite
