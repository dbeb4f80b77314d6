// Statements of the holder: from the text, or the cache, to their result.
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "driver/sqlite/errors.hpp"
#include "driver/sqlite/open_files.hpp"
#include "driver/sqlite/session.hpp"

namespace tide::sqlite {
namespace {

Instant limit_after(Instant started, Span span) { return span.is_zero() ? Instant::never() : started + span; }

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

// The inspector must see every execution of the others: they change more than data.
bool may_be_kept(const Traits& traits) { return !traits.intent.is_definition && !traits.intent.is_pragma; }

ResultLimits limits_of(const QueryRequest& request) {
  ResultLimits limits;
  if (request.rows_max > 0) limits.rows_max = request.rows_max;
  if (request.bytes_max > 0) limits.bytes_max = static_cast<size_t>(request.bytes_max);
  limits.is_first_row_only = request.is_first_row_only;
  return limits;
}

}  // namespace

bool SqliteConnection::begin_call(uint64_t statements) noexcept {
  if (!enter(Hands::Use::query)) return false;
  queries_total_.store(queries_total_.load(std::memory_order_relaxed) + statements, std::memory_order_relaxed);
  idle_since_ns_.store(0, std::memory_order_relaxed);
  return true;
}

void SqliteConnection::end_call() noexcept {
  if (is_in_transaction_.load(std::memory_order_relaxed) || rows_ != nullptr) {
    idle_since_ns_.store(clock_.now().ns(), std::memory_order_relaxed);
  }
  publish_counts();
  leave();
}

Status SqliteConnection::out_of_memory() noexcept {
  give_unused_turn();
  note_transaction(clock_.now());
  return Status::out_of_memory();
}

Status SqliteConnection::query(const QueryRequest& request, ResultTable& out) {
  out.clear();
  Status status = as_holder(1, [&] { return run_text(request, out); });
  if (!status) out.clear();
  return status;
}

Status SqliteConnection::run_text(const QueryRequest& request, ResultTable& out) {
  if (Status status = check_no_rows(); !status) return status;
  Execution ex;
  if (Status status = begin_text(request, ex); !status) return status;
  bool has_run = false;
  while (true) {
    if (Status status = next_statement(ex); !status) return status;
    if (ex.statement == nullptr) break;
    if (!request.params.empty() && !ex.is_kept && !is_blank(database_.get(), ex.rest)) {
      return Status::error(Code::bad_argument, "several statements cannot share parameters", {},
                           "Send one statement at a time, or no parameters.");
    }
    out.clear();
    if (!ended_.sqlstate.empty()) {
      ended_ = {};  // the expected ROLLBACK of the holder; there is no transaction any more
      out.set_command(ex.traits->command);
    } else if (Status status = collect(request, ex, out); !status) {
      return status;
    }
    ex.release();
    has_run = true;
    if (ex.rest.empty()) break;
    ex.running.started = clock_.now();
  }
  if (!has_run && !request.params.empty()) {
    return Status::error(Code::bad_argument, "parameters were given, but no statement");
  }
  return Status::ok();
}

// For calls that accept one statement only; `what` names them. Without a statement in the text, `ex` has none.
Status SqliteConnection::run_single(const QueryRequest& request, Execution& ex, const char* what) {
  if (Status status = begin_text(request, ex); !status) return status;
  if (Status status = next_statement(ex); !status) return status;
  if (ex.statement == nullptr && !request.params.empty()) {
    return Status::error(Code::bad_argument, "parameters were given, but no statement");
  }
  if (!ex.is_kept && !is_blank(database_.get(), ex.rest)) {
    return Status::error(Code::bad_argument, std::string("several statements in one text ") + what, {},
                         "Send one statement at a time.");
  }
  return Status::ok();
}

Status SqliteConnection::begin_text(const QueryRequest& request, Execution& ex) {
  if (is_file_lost()) return file_->loss();
  if (Status status = check_text(request.sql); !status) return status;
  ex.running.started = clock_.now();
  ex.running.text.given = request.sql;
  ex.request_deadline = earliest(request.deadline, limit_after(ex.running.started, policy_.query_timeout));
  ex.compiled = request.sql;
  const bool is_native = request.placeholders == Placeholders::native;
  const bool is_native_taken = is_native_taken_.load(std::memory_order_relaxed);
  if (is_native_taken) {
    note_native_commits();
    if (const int code = prepare_for_native(); code != SQLITE_OK) return database_error(database_.get(), code);
  }
  const bool is_kept = request.may_prepare && policy_.statement_cache_size > 0 &&
                       request.sql.size() <= Cache::kTextBytesMax && !is_native_taken;
  if (is_kept) {
    Result<Cache::Entry*> found = cache_->use(request.sql, request.placeholders, request.names, {});
    if (!found) return found.take_status();
    ex.entry = found.value();
    ex.compiled = ex.entry->text.sql;
    if (!is_native) ex.running.text.translated = &ex.entry->text;
  } else if (!is_native) {
    Result<StatementText> translated = translate(request.sql, Dialect::sqlite, request.placeholders, request.names);
    if (!translated) return translated.take_status();
    ex.own_text = translated.take();
    ex.compiled = ex.own_text.sql;
    ex.running.text.translated = &ex.own_text;
  }
  ex.rest = ex.compiled;
  return Status::ok();
}

// Sets the statement at hand to the next one of the text; to none at its end.
Status SqliteConnection::next_statement(Execution& ex) {
  Running& running = ex.running;
  running.deadline = earliest(ex.request_deadline, limit_after(running.started, policy_.statement_timeout));
  inspector_.begin();
  Status failed;
  if (ex.entry != nullptr && ex.entry->kept) {
    ex.statement = ex.entry->kept.statement.get();
    ex.traits = &ex.entry->kept.traits;
    ex.is_kept = true;
    ex.rest = {};
    cache_->note_execution(true);
  } else if (!ex.rest.empty()) {
    failed = compile_next(ex);
  }
  const bool is_rollback = ex.statement != nullptr && ex.traits->intent.is_rollback;
  if (!ended_.sqlstate.empty() && !is_rollback && !ex.compiled.empty()) {
    return driver_error(ended_.sqlstate, SQLITE_ABORT, ended_.why, "The transaction was rolled back.",
                        "Send ROLLBACK, then repeat the transaction.");
  }
  return failed;
}

Status SqliteConnection::compile_next(Execution& ex) {
  Running& running = ex.running;
  const bool is_first = ex.rest.size() == ex.compiled.size();
  const bool is_worth_keeping =
      is_first && ex.entry != nullptr && ex.entry->notes == nullptr && cache_->is_worth_preparing(*ex.entry);
  // Compiling reads the schema, which may have to wait for a lock of another process too.
  watch_.arm({running.deadline, Instant::never(), lock_timeout(running)});
  while (!ex.rest.empty()) {
    running.text.offset = ex.compiled.size() - ex.rest.size();
    std::string_view rest;
    const int code = compile(database_.get(), ex.rest, ex.own, rest, is_worth_keeping ? SQLITE_PREPARE_PERSISTENT : 0);
    if (code != SQLITE_OK) {
      cache_->note_execution(false);
      return failure(code, running);
    }
    const bool is_stuck = rest.size() == ex.rest.size();
    ex.rest = is_stuck ? std::string_view() : rest;
    if (ex.own != nullptr) break;
  }
  if (ex.own == nullptr) return Status::ok();
  ex.statement = ex.own.get();
  ex.own_traits = traits_of(ex.statement, inspector_.intent());
  ex.traits = &ex.own_traits;
  cache_->note_execution(false);
  if (is_worth_keeping) keep(ex);
  return Status::ok();
}

void SqliteConnection::keep(Execution& ex) {
  if (!may_be_kept(*ex.traits) || !is_blank(database_.get(), ex.rest)) {
    static const std::shared_ptr<const void> kNever = std::make_shared<char>();
    ex.entry->notes = kNever;
    return;
  }
  ex.entry->bytes = static_cast<uint64_t>(sqlite3_stmt_status(ex.statement, SQLITE_STMTSTATUS_MEMUSED, 0));
  ex.entry->kept = {std::move(ex.own), std::move(ex.own_traits), nullptr};
  ex.traits = &ex.entry->kept.traits;
  ex.is_kept = true;
  ex.rest = {};
  cache_->note_prepared(*ex.entry);
  cache_->take_evicted();  // and finalized
}

// Everything before the first step.
Status SqliteConnection::start(const QueryRequest& request, Execution& ex, Values values) {
  const Running& running = ex.running;
  const Traits& traits = *ex.traits;
  if (Status status = check_lease(traits.is_writing, request.is_read_only); !status) return status;
  for (const SqlValue& value : request.params) ex.has_bound_bytes = ex.has_bound_bytes || value.data.data() != nullptr;
  if (Status status = bind_parameters(ex.statement, traits, request.params, values); !status) return status;
  watch_.arm({running.deadline, read_limit(ex), lock_timeout(running)});
  // The time of a statement that was neither compiled nor waited for has just been read.
  Instant now = ex.is_kept ? running.started : Instant();
  if (traits.is_writing && !has_turn_) {
    if (Status status = take_turn(running, running.deadline); !status) return status;
    now = {};
  }
  if (watch_.check_at(now) != Watch::Stop::none) {
    give_unused_turn();
    return stopped(watch_.stop(), running);
  }
  if (traits.intent.is_busy_timeout && traits.intent.is_pragma_question) {
    // SQLite reports its own handler, which was replaced; and it does so while compiling.
    sqlite3_busy_timeout(database_.get(), static_cast<int>(watch_.timeout().ms()));
    Statement retold;
    std::string_view rest;
    if (compile(database_.get(), sqlite3_sql(ex.statement), retold, rest) == SQLITE_OK) {
      ex.own = std::move(retold);
      ex.statement = ex.own.get();
    }
  }
  constexpr auto relaxed = std::memory_order_relaxed;
  if (snapshot_since_ns_.load(relaxed) == 0) snapshot_since_ns_.store(running.started.ns(), relaxed);
  ex.was_in_transaction = sqlite3_get_autocommit(database_.get()) == 0;
  ex.seen_before = inspector_.seen_total();
  return Status::ok();
}

Status SqliteConnection::collect(const QueryRequest& request, Execution& ex, ResultTable& out) {
  if (Status status = start(request, ex, Values::remain); !status) return status;
  Status status;
  try {
    const DatabaseLock lock(database_.get());
    ex.code = sqlite3_step(ex.statement);
    describe(ex, out);
    status = collect_rows(ex.statement, limits_of(request), out, ex.code);
  } catch (const std::bad_alloc&) {
    status = Status::out_of_memory();
  }
  return finish(ex, std::move(status), out);
}

// After the first step, in which SQLite may have compiled the statement again.
void SqliteConnection::describe(Execution& ex, ResultTable& out) {
  out.set_write_real(real_text);
  if (!ex.is_kept) {
    out.set_columns(columns_of(ex.statement));
    return;
  }
  std::shared_ptr<const ResultColumns>& known = ex.entry->kept.columns;
  if (known == nullptr || inspector_.seen_total() != ex.seen_before) known = columns_of(ex.statement);
  out.set_columns(known);
}

// Everything after the last step. `status` is an error of the driver; that of the last step is in `ex`. A statement that
// writes and was left in the middle has been executed wholly, and takes effect if `status` is ok.
Status SqliteConnection::finish(Execution& ex, Status status, ResultTable& out) {
  const Intent intent = ex.traits->intent;
  const bool is_writing = ex.traits->is_writing;
  if (status && is_writing) {
    while (ex.code == SQLITE_ROW) ex.code = sqlite3_step(ex.statement);
  }
  if (status && ex.code != SQLITE_DONE && ex.code != SQLITE_ROW) status = failure(ex.code, ex.running);
  if (!status) abort_statement(ex);
  // INSERT OR FAIL, for example, keeps the rows before the one that failed.
  const bool keeps_rows = !status && is_writing && sqlite3_changes64(database_.get()) > 0;
  if (status && intent.is_change && !intent.is_definition && is_writing) {
    const int64_t changed = sqlite3_changes64(database_.get());
    out.set_affected(changed);
    if (intent.is_insert && changed > 0) out.set_last_insert_id(sqlite3_last_insert_rowid(database_.get()));
  }
  if (status) out.set_command(ex.traits->command);
  if (ex.is_kept && inspector_.seen_total() != ex.seen_before &&
      sqlite3_stmt_status(ex.statement, SQLITE_STMTSTATUS_REPREPARE, 1) != 0) {
    // SQLite has compiled it again, because the schema has changed.
    ex.entry->kept.traits.intent = inspector_.intent();
    if (!may_be_kept(ex.entry->kept.traits)) ex.entry->notes = std::make_shared<char>();
  }
  Cache::Entry* const unkept = ex.is_kept && ex.entry->notes != nullptr ? ex.entry : nullptr;
  const Running running = ex.running;
  const bool was_in_transaction = ex.was_in_transaction;
  ex.release();
  if (unkept != nullptr) cache_->drop(*unkept);
  if (status && intent.is_attach) {
    const OwnStatements own(inspector_);
    status = remember_attached(database_.get());
  }
  if (intent.is_busy_timeout) {
    std::string told;
    const OwnStatements own(inspector_);
    run_own(database_.get(), "PRAGMA busy_timeout", &told);
    watch_.set_timeout(Span::millis(std::atoi(told.c_str())));
    watch_.install(database_.get());
  }
  const bool was_writing = has_turn_;
  after_statement(running, was_in_transaction, status);
  const bool is_committed = (status || keeps_rows) && was_writing && !has_turn_ && !intent.is_rollback;
  if (!is_committed) return status;
  Status confirmed = confirm_commit();
  return confirmed ? status : confirmed;
}

// A statement that has changed rows and is left in the middle would be committed by its reset.
void SqliteConnection::abort_statement(Execution& ex) noexcept {
  if (!ex.traits->is_writing || ex.code != SQLITE_ROW) return;
  sqlite3_interrupt(database_.get());
  sqlite3_step(ex.statement);
}

// A holder of native() may finalize every statement that it finds there.
void SqliteConnection::forget_statements() noexcept {
  if (cache_->counts().held == 0 || rows_ != nullptr) return;
  cache_->evict_all();
  cache_->take_evicted();  // and finalized
  publish_counts();
}

void SqliteConnection::publish_counts() noexcept {
  constexpr auto relaxed = std::memory_order_relaxed;
  const StatementCounts& counts = cache_->counts();
  counts_.hits.store(counts.hits_total, relaxed);
  counts_.misses.store(counts.misses_total, relaxed);
  counts_.evictions.store(counts.evictions_total, relaxed);
  counts_.held.store(counts.held, relaxed);
  counts_.bytes.store(counts.bytes, relaxed);
}

Status SqliteConnection::check_lease(bool is_writing, bool is_read_only) const {
  if (is_writing && !file_->target().is_writable()) {
    return driver_error("25006", SQLITE_READONLY,
                        "cannot write: the pool has opened " + file_->target().shown + " read-only",
                        "It was opened with mode=ro or immutable=1, or with sqlite_access.",
                        "To write, open a pool without this option.");
  }
  if (is_writing && mode_ == LeaseMode::read)
    return driver_error("25006", SQLITE_READONLY, "cannot write on a read lease", {}, "Acquire a read-write lease.");
  if (is_writing && is_read_only) {
    return driver_error("25006", SQLITE_READONLY, "cannot write in a read-only transaction", {},
                        "Begin the transaction without read_only.");
  }
  return Status::ok();
}

}  // namespace tide::sqlite
