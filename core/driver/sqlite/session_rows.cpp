// Rows that are passed on while they are read: to a sink, or page by page.
#include <memory>
#include <new>
#include <utility>

#include "driver/sqlite/errors.hpp"
#include "driver/sqlite/session.hpp"

namespace tide::sqlite {
namespace {

// A page is complete when it has reached either.
constexpr int64_t kPageRows = 64;
constexpr size_t kPageBytes = size_t{64} << 10;

// Reading the clock takes a fifth of the time of a short row.
constexpr int kRowsBetweenLooks = 8;

Instant limit_of_page(Instant started, Span span) { return span.is_zero() ? Instant::never() : started + span; }

}  // namespace

Status SqliteConnection::check_no_rows() const {
  if (rows_ == nullptr) return Status::ok();
  return Status::error(Code::refused, "rows of the previous statement are still being read", {},
                       "Read them to the end, or close them.");
}

// ---- to a sink ------------------------------------------------------------------------------------------------------

Status SqliteConnection::stream(const QueryRequest& request, RowSink& sink, ResultTable& out) {
  out.clear();
  Status status = as_holder(1, [&] { return stream_statement(request, sink, out); });
  if (!status) out.clear();
  return status;
}

Status SqliteConnection::stream_statement(const QueryRequest& request, RowSink& sink, ResultTable& out) {
  if (Status status = check_no_rows(); !status) return status;
  Execution ex;
  if (Status status = run_single(request, ex, "cannot be streamed"); !status) return status;
  if (ex.statement == nullptr) {
    sink.take(out);
    return Status::ok();
  }
  if (!ended_.sqlstate.empty()) {
    ended_ = {};  // the expected ROLLBACK of the holder; there is no transaction any more
    sink.take(out);
    out.set_command(ex.traits->command);
    return Status::ok();
  }
  if (Status status = start(request, ex, Values::remain); !status) return status;
  Status status;
  try {
    status = pass_rows(ex, sink, out);
  } catch (...) {
    (void)finish(ex, Status::error(Code::internal, "the receiver of the rows failed"), out);
    throw;
  }
  return finish(ex, std::move(status), out);
}

Status SqliteConnection::pass_rows(Execution& ex, RowSink& sink, ResultTable& out) {
  const DatabaseLock lock(database_.get());
  ex.code = sqlite3_step(ex.statement);
  describe(ex, out);
  ResultTable page;
  describe(ex, page);
  if (ex.code == SQLITE_DONE) sink.take(page);
  if (ex.code == SQLITE_ROW) page.adopt(current_row(ex.statement));
  for (int rows = 1; ex.code == SQLITE_ROW; ++rows) {
    if (!sink.take(page)) break;
    // The time of a slow sink does not pass inside SQLite.
    if (rows % kRowsBetweenLooks == 0 && watch_.check() != Watch::Stop::none) {
      return stopped(watch_.stop(), ex.running);
    }
    page.source_changed();
    ex.code = sqlite3_step(ex.statement);
  }
  return Status::ok();
}

// ---- page by page ---------------------------------------------------------------------------------------------------

Status SqliteConnection::open_rows(const QueryRequest& request, ResultTable& page) {
  page.clear();
  Status status = as_holder(1, [&] { return open_statement(request, page); });
  if (!status) page.clear();
  return status;
}

Status SqliteConnection::open_statement(const QueryRequest& request, ResultTable& page) {
  if (Status status = check_no_rows(); !status) return status;
  rows_end_ = {};
  auto ex = std::make_unique<Execution>();
  if (Status status = run_single(request, *ex, "cannot be read page by page"); !status) return status;
  if (ex->statement == nullptr) return Status::ok();
  if (!ended_.sqlstate.empty()) {
    ended_ = {};  // the expected ROLLBACK of the holder; there is no transaction any more
    page.set_command(ex->traits->command);
    return Status::ok();
  }
  if (Status status = start(request, *ex, Values::copied); !status) return status;
  try {
    ex->code = sqlite3_step(ex->statement);
    describe(*ex, page);
    read_page(*ex, page);
  } catch (const std::bad_alloc&) {
    return finish(*ex, Status::error(Code::no_memory, "not enough memory for the result"), page);
  }
  if (ex->code != SQLITE_ROW) return finish(*ex, Status::ok(), page);
  ex->running.text = {};  // belongs to the caller
  page.set_last_page(false);
  rows_ = std::move(ex);
  has_rows_.store(true);
  is_rows_cancelled_.store(false);
  note_transaction(rows_->running.started);
  return Status::ok();
}

// The statement is left at the first row of the next page, so that the last page is known as such.
void SqliteConnection::read_page(Execution& ex, ResultTable& page) {
  const DatabaseLock lock(database_.get());
  const int columns = page.columns();
  size_t bytes_left = ResultLimits().bytes_max;
  while (ex.code == SQLITE_ROW && page.rows() < kPageRows && page.bytes() < kPageBytes) {
    add_row(ex.statement, columns, bytes_left, page);
    ex.code = sqlite3_step(ex.statement);
  }
}

Status SqliteConnection::fetch_rows(ResultTable& page, Instant deadline) {
  Status status = as_holder(0, [&] { return fetch_page(page, deadline); });
  if (!status) page.clear();
  return status;
}

Status SqliteConnection::fetch_page(ResultTable& page, Instant deadline) {
  if (rows_ == nullptr) {
    if (!rows_end_) return std::exchange(rows_end_, {});
    return Status::error(Code::refused, "no rows are being read");
  }
  page.clear();
  std::unique_ptr<Execution> ex = std::move(rows_);
  has_rows_.store(false);
  const Instant now = clock_.now();
  ex->running.deadline = earliest(
      deadline, earliest(limit_of_page(now, policy_.query_timeout), limit_of_page(now, policy_.statement_timeout)));
  watch_.arm({ex->running.deadline, read_limit(*ex), lock_timeout(ex->running)});
  if (is_rows_cancelled_.exchange(false)) watch_.request_stop();
  Status status;
  if (is_file_lost()) {
    status = file_->loss();
  } else if (const Watch::Stop stop = watch_.check_at(now); stop != Watch::Stop::none) {
    status = stopped(stop, ex->running);
  } else {
    try {
      describe(*ex, page);
      read_page(*ex, page);
    } catch (const std::bad_alloc&) {
      status = Status::out_of_memory();
    }
    if (status && ex->code == SQLITE_ROW) {
      page.set_last_page(false);
      rows_ = std::move(ex);
      has_rows_.store(true);
      return status;
    }
  }
  return finish(*ex, std::move(status), page);
}

void SqliteConnection::close_rows() noexcept {
  if (!has_rows_.load() || !begin_call(0)) return;
  end_rows(Status::ok());
  end_call();
}

// Ends the reading. A statement that writes takes effect if `why` is ok; otherwise the next fetch_rows() reports it.
void SqliteConnection::end_rows(Status why) noexcept {
  if (rows_ == nullptr) return;
  const std::unique_ptr<Execution> ex = std::move(rows_);
  has_rows_.store(false);
  try {
    ResultTable unused;
    rows_end_ = finish(*ex, std::move(why), unused);
  } catch (const std::bad_alloc&) {
    rows_end_ = Status::out_of_memory();
  }
}

}  // namespace tide::sqlite
