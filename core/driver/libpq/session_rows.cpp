// PgConnection: rows that are passed on page by page.
//
// libpq hands them out as they arrive; a page consists of those that have. When the reading ends early, the statement is
// cancelled, except inside a transaction, which a cancel would make fail: there the rest is read before the next statement.
#include <limits>
#include <utility>

#include "driver/libpq/errors.hpp"
#include "driver/libpq/session.hpp"
#include "driver/libpq/session_call.hpp"
#include "statement/transactions.hpp"

namespace tide::libpq {
namespace {

constexpr int64_t kPageRows = 64;
constexpr size_t kPageBytes = size_t{64} << 10;
constexpr int kResultsFree = 256;                // cheaper to read than to cancel
constexpr Span kStopTimeout = Span::millis(20);  // a cancelled statement usually ends within this

bool has_rows(ExecStatusType status) {
#ifdef LIBPQ_HAS_CHUNK_MODE
  if (status == PGRES_TUPLES_CHUNK) return true;
#endif
  return status == PGRES_SINGLE_TUPLE;
}

}  // namespace

// Rows that are being pulled by the holder, between its calls.
struct PgConnection::OpenRows {
  std::string sql;
  Running running;
};

void PgConnection::OpenRowsDeleter::operator()(OpenRows* rows) const noexcept { delete rows; }

void PgConnection::set_reading(bool is_reading) noexcept {
  const std::lock_guard lock(mutex_);
  is_reading_rows_ = is_reading;
}

Status PgConnection::start_rows(const QueryRequest& request, Running& running, ResultTable& page, bool& is_over) {
  running.is_stream = true;
  is_over = true;
  if (Status ready = get_ready(running); !ready) return ready;
  if (is_ended_.load()) return run(request, running, page);  // refused, or the ROLLBACK
  if (Status found = look_up(request, running); !found) return found;
  if (!terms_.is_shared) return first_page(request, running, page, is_over);
  if (!running.notes->shared) return running.notes->shared;
  if (!is_read_only_) return first_page(request, running, page, is_over);
  if (!running.notes->shared_read) return running.notes->shared_read;
  if (PQtransactionStatus(conn_.get()) != PQTRANS_IDLE) return first_page(request, running, page, is_over);
  if (first_statement(request.sql).word != TransactionWord::other) return run_shared(request, running, page);
  is_within_own_ = true;
  if (Status begun = step("BEGIN READ ONLY", running); !begun) return begun;
  return first_page(request, running, page, is_over);
}

Status PgConnection::first_page(const QueryRequest& request, Running& running, ResultTable& page, bool& is_over) {
  is_over = true;
  Status status = send(request, running);
  if (status) status = next_page(running, page, is_over);
  if (status) return status;
  if (status.sqlstate() == "08P01" && PQstatus(conn_.get()) == CONNECTION_OK && !terms_.is_shared && !has_unread_) {
    return explain_parameters(request, running, std::move(status));
  }
  const bool was_repeatable = running.is_repeatable;
  const bool is_repeated = heal(status, running);
  if (!is_repeated && (was_repeatable || !running.is_repeatable || has_unread_)) return status;
  if (running.is_repeatable) {
    is_within_own_ = true;
    if (Status begun = step("BEGIN READ ONLY", running); !begun) return begun;
  }
  if (Status found = look_up(request, running); !found) return found;
  if (Status sent = send(request, running); !sent) return sent;
  return next_page(running, page, is_over);
}

// Fills `page` with rows that have arrived, at least one unless there are no more.
Status PgConnection::next_page(Running& running, ResultTable& page, bool& is_over) {
  auto rows = std::make_unique<PgRows>();
  size_t bytes = 0;
  Status failure;
  page.clear();
  is_over = false;
  for (;;) {
    if (failure && rows->rows() > 0 &&
        (rows->rows() >= kPageRows || bytes >= kPageBytes || PQisBusy(conn_.get()) != 0)) {
      break;
    }
    if (const Wait waited = wait_readable(running); waited != Wait::ready) {
      leave_unread(running);
      return stopped(waited, running);
    }
    ResultHandle result;
    const Taken taken = take_next(result);
    is_over = taken == Taken::end;
    if (is_over) break;
    if (taken == Taken::between) continue;
    if (failure) {
      failure = take_page_result(std::move(result), running, page, *rows, bytes);
      if (running.is_given_up) return failure;
    } else if (answer() == Answer::statement) {
      (void)take_leftover(result.get());
    }
  }
  if (is_over && is_within_own_ && PQstatus(conn_.get()) == CONNECTION_OK) {
    Status ended = end_own(failure.is_ok(), running);
    if (failure && !ended) return ended;
  }
  if (!failure) return conclude(std::move(failure), running);
  page.set_last_page(is_over);
  if (rows->rows() > 0) page.adopt(std::move(rows));
  return failure;
}

Status PgConnection::take_page_result(ResultHandle result, Running& running, ResultTable& page, PgRows& rows,
                                      size_t& bytes) {
  const ExecStatusType status = PQresultStatus(result.get());
  const bool is_end = status == PGRES_TUPLES_OK && answer() == Answer::statement;
  if (!is_end && !has_rows(status)) return take_answer(std::move(result), running, page);
  if (page.columns() == 0) {
    Columns unknown;
    set_columns(result.get(), unknown, page);
  }
  if (is_end) {
    Status ended = take_end(result.get(), running, page);
    if (std::string_view(page.command()).starts_with("INSERT")) page.set_last_insert_id(running.last_id);
    return ended;
  }
  running.last_id = last_id_in(result.get());
  bytes += bytes_of(result.get());
  rows.add(std::move(result));
  return Status::ok();
}

// Reads and drops what is left, at most `results` of it. Ready: all of it.
PgConnection::Wait PgConnection::read_rest(Running& running, int results) {
  for (int i = 0; i < results; ++i) {
    if (const Wait waited = wait_readable(running); waited != Wait::ready) return waited;
    ResultHandle result;
    const Taken taken = take_next(result);
    if (taken == Taken::end) return Wait::ready;
    if (taken == Taken::result) (void)take_leftover(result.get());
  }
  return Wait::timed_out;
}

void PgConnection::stop_rows(Running& running) noexcept {
  try {
    running.began = clock_.now();
    running.deadline = running.give_up_at = running.began;
    running.is_timed_out = true;  // no cancel by the deadline
    if (running.was_in_block) {
      if (read_rest(running, kResultsFree) == Wait::ready) return;  // it has all arrived
      is_rest_wanted_ = true;
      return leave_unread(running);
    }
    if (read_rest(running, kResultsFree) != Wait::ready) {
      desk_->ask(cancel_, clock_.now());
      running.deadline = running.give_up_at = clock_.now() + kStopTimeout;
      if (read_rest(running, std::numeric_limits<int>::max()) != Wait::ready) return leave_unread(running);
    }
    (void)wait_for_cancel(running);
    if (is_within_own_ && PQstatus(conn_.get()) == CONNECTION_OK) (void)end_own(false, running);
  } catch (...) {
    is_broken_ = true;
  }
}

// The lease ends, without a round trip.
void PgConnection::abandon_rows() noexcept {
  if (rows_ == nullptr) return;
  desk_->ask(cancel_, clock_.now());
  leave_unread(rows_->running);
  rows_.reset();
  set_reading(false);
}

Status PgConnection::stream(const QueryRequest& request, RowSink& sink, ResultTable& out) {
  out.clear();
  const Entered entered(*this);
  if (!entered) return disarmed_error();
  if (rows_ != nullptr) return rows_are_open();
  queries_total_.fetch_add(1, std::memory_order_relaxed);
  Running running = begin_running(request.deadline);
  ResultTable page;
  bool is_over = true;
  bool is_told = false;
  Status status = is_doubtful_ ? prove_alive(running.deadline) : Status::ok();
  if (status) status = start_rows(request, running, page, is_over);
  while (status) {
    bool is_wanted = true;
    if (page.rows() > 0 || !is_told) {
      try {
        is_wanted = sink.take(page);
      } catch (...) {
        if (!is_over) stop_rows(running);
        throw;
      }
      is_told = true;
    }
    if (is_over || !is_wanted) break;
    status = next_page(running, page, is_over);
  }
  page.clear_rows();
  if (status && !is_over) stop_rows(running);
  if (status) out = std::move(page);
  return end_call(std::move(status), running);
}

Status PgConnection::open_rows(const QueryRequest& request, ResultTable& page) {
  page.clear();
  const Entered entered(*this);
  if (!entered) return disarmed_error();
  if (rows_ != nullptr) return rows_are_open();
  queries_total_.fetch_add(1, std::memory_order_relaxed);
  std::unique_ptr<OpenRows, OpenRowsDeleter> rows(
      new OpenRows{std::string(request.sql), begin_running(request.deadline)});
  QueryRequest kept = request;
  kept.sql = rows->sql;
  bool is_over = true;
  Status status = is_doubtful_ ? prove_alive(rows->running.deadline) : Status::ok();
  if (status) status = start_rows(kept, rows->running, page, is_over);
  if (!status) page.clear();
  status = end_call(std::move(status), rows->running);
  if (status && !is_over) {
    rows_ = std::move(rows);
    set_reading(true);
  }
  return status;
}

Status PgConnection::fetch_rows(ResultTable& page, Instant deadline) {
  page.clear();
  const Entered entered(*this);
  if (!entered) return disarmed_error();
  if (rows_ == nullptr) return Status::error(Code::refused, "no rows are open");
  Running& running = rows_->running;
  const Running limits = begin_running(deadline);
  running.began = limits.began;
  running.deadline = limits.deadline;
  running.give_up_at = limits.give_up_at;
  bool is_over = true;
  Status status = next_page(running, page, is_over);
  if (!status) page.clear();
  const bool is_closed = !status || is_over;
  status = end_call(std::move(status), running);
  if (is_closed) {
    rows_.reset();
    set_reading(false);
  }
  return status;
}

void PgConnection::close_rows() noexcept {
  const Entered entered(*this);
  if (!entered || rows_ == nullptr) return;
  stop_rows(rows_->running);
  rows_.reset();
  set_reading(false);
  publish_counts();
  note_transaction();
}

}  // namespace tide::libpq
