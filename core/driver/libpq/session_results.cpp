// PgConnection: results of statements.
#include <charconv>
#include <utility>

#include "driver/libpq/errors.hpp"
#include "driver/libpq/session.hpp"
#include "statement/transactions.hpp"

namespace tide::libpq {
namespace {

bool is_copy(ExecStatusType status) {
  return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

// These libpq functions take a non-const pointer but only read.
std::string_view tag_of(const PGresult* result) { return PQcmdStatus(const_cast<PGresult*>(result)); }

int64_t affected_by(const PGresult* result) {
  const std::string_view tag = tag_of(result);
  if (tag.starts_with("SELECT") || tag.starts_with("FETCH")) return -1;
  const std::string_view rows = PQcmdTuples(const_cast<PGresult*>(result));
  int64_t affected = -1;
  if (std::from_chars(rows.data(), rows.data() + rows.size(), affected).ec != std::errc()) affected = -1;
  return affected;
}

// The server answers COMMIT with ROLLBACK, without an error, if a statement of the transaction has failed.
Status check_rollback(std::string_view sql, size_t n) {
  const Statement statement = statement_at(sql, n);
  const bool is_prepare = statement.word == TransactionWord::prepare;
  const bool is_chain = statement.word == TransactionWord::commit_and_chain;
  if (!is_prepare && !is_chain && statement.word != TransactionWord::commit) return Status::ok();
  std::string detail = "A statement in it had failed, so ";
  detail += is_prepare ? "PREPARE TRANSACTION" : "COMMIT";
  detail += " rolled it back";
  if (is_chain) detail += ", and began the next transaction";
  if (has_statement(statement.rest)) detail += "; the following statements were executed";
  return own_error("25P02", "the transaction was rolled back", std::move(detail) + ".",
                   "See the error of the failed statement, then repeat the transaction.");
}

}  // namespace

// Takes what PQgetResult() returns next, which must not block: a result, the end of the answer to one message of a
// pipeline, or the end of all.
PgConnection::Taken PgConnection::take_next(ResultHandle& out) noexcept {
  out.reset(PQgetResult(conn_.get()));
  if (PQpipelineStatus(conn_.get()) == PQ_PIPELINE_OFF) return out == nullptr ? Taken::end : Taken::result;
  if (out == nullptr) {
    if (PQstatus(conn_.get()) != CONNECTION_OK) return Taken::end;
    if (answer_at_ < plan_.size() && plan_[answer_at_] != Answer::sync) ++answer_at_;
    return Taken::between;
  }
  if (PQresultStatus(out.get()) != PGRES_PIPELINE_SYNC) return Taken::result;
  while (answer_at_ < plan_.size() && plan_[answer_at_] != Answer::sync) ++answer_at_;
  ++answer_at_;
  if (answer_at_ < plan_.size()) return Taken::between;
  if (PQexitPipelineMode(conn_.get()) == 0) is_broken_ = true;
  return Taken::end;
}

PgConnection::Answer PgConnection::answer() const noexcept {
  if (PQpipelineStatus(conn_.get()) == PQ_PIPELINE_OFF || answer_at_ >= plan_.size()) return Answer::statement;
  return plan_[answer_at_];
}

Status PgConnection::collect(Running& running, ResultTable& out) {
  Status failure;
  for (;;) {
    if (!failure && failure.sqlstate() == "54000" && PQisBusy(conn_.get()) != 0) {
      // Too large, and so may be the rest: cancel the statement, and let the next user of the session read the end.
      desk_->ask(cancel_, clock_.now());
      leave_unread(running);
      return failure;
    }
    if (const Wait waited = wait_readable(running); waited != Wait::ready) {
      leave_unread(running);
      if (waited != Wait::too_large) return stopped(waited, running);
      desk_->ask(cancel_, clock_.now());
      return check_size(~size_t{0}, 0, nullptr);
    }
    ResultHandle result;
    const Taken taken = take_next(result);
    if (taken == Taken::end) break;
    if (taken == Taken::between) continue;
    if (!failure) {  // results after an error are discarded, but may leave traces
      if (is_copy(PQresultStatus(result.get()))) (void)refuse_copy(PQresultStatus(result.get()), running);
      if (running.is_given_up) return failure;
      if (answer() == Answer::statement) (void)take_leftover(result.get());
      continue;
    }
    failure = take_answer(std::move(result), running, out);
    if (running.is_given_up) return failure;
  }
  return failure ? failure : conclude(std::move(failure), running);
}

// The error of a statement that was cancelled may be that of its deadline.
Status PgConnection::conclude(Status failure, const Running& running) const {
  if (failure.sqlstate() != "57014") return failure;
  if (is_disarmed_.load()) return disarmed_error();
  if (!running.is_timed_out) return failure;
  Status status = timed_out(running);
  status.text().detail = "It was cancelled on the server.";
  return status;
}

Status PgConnection::error_in(const PGresult* result, const Running& running) const {
  // Without a message of the server, libpq creates a result without SQLSTATE.
  if (PQresultErrorField(result, PG_DIAG_SQLSTATE) == nullptr && PQstatus(conn_.get()) != CONNECTION_OK) {
    return connection_error(conn_.get());
  }
  int32_t position = position_in(result);
  if (position > 0 && !running.is_own && running.text != nullptr) {
    position = running.entry != nullptr ? statements_.position_in(*running.entry, running.sql, position)
                                        : running.text->position_in(running.sql, position);
  }
  return error_of(result, position);
}

Status PgConnection::take_answer(ResultHandle result, Running& running, ResultTable& out) {
  const ExecStatusType status = PQresultStatus(result.get());
  if (status == PGRES_PIPELINE_ABORTED) return Status::ok();
  switch (answer()) {
    case Answer::statement: return take_statement(std::move(result), running, out);
    case Answer::close: return Status::ok();
    case Answer::transaction: take_transaction(result.get(), out); return Status::ok();
    case Answer::prepare:
    case Answer::sync: break;
    case Answer::describe:
      if (status == PGRES_COMMAND_OK) note_described(result.get(), running);
      break;
  }
  return status == PGRES_FATAL_ERROR ? error_in(result.get(), running) : Status::ok();
}

Status PgConnection::take_statement(ResultHandle result, Running& running, ResultTable& out) {
  switch (const ExecStatusType status = PQresultStatus(result.get())) {
    case PGRES_SINGLE_TUPLE: return take_row(result.get(), running);
    case PGRES_TUPLES_OK: {
      out.clear();
      Columns unknown;
      set_columns(result.get(), running.columns != nullptr ? *running.columns : unknown, out);
      if (running.gathered == nullptr) {
        const size_t bytes = PQresultMemorySize(result.get());  // limits of the call are checked row by row
        if (Status checked = check_size(bytes, PQntuples(result.get()), nullptr); !checked) return checked;
      }
      Status ended = take_end(result.get(), running, out);
      ResultHandle rows = running.gathered == nullptr ? std::move(result) : std::move(running.gathered);
      running.gathered_bytes = 0;
      if (std::string_view(out.command()).starts_with("INSERT")) out.set_last_insert_id(last_id_in(rows.get()));
      out.adopt(std::make_unique<PgRows>(std::move(rows)));
      return ended;
    }
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY: out.clear(); return take_end(result.get(), running, out);
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH: return refuse_copy(status, running);
    case PGRES_FATAL_ERROR: return error_in(result.get(), running);
    default: return own_error("08P01", std::string("unexpected response: ") + PQresStatus(status));
  }
}

// One of the rows of a result whose size is limited.
Status PgConnection::take_row(const PGresult* row, Running& running) {
  if (running.gathered == nullptr) {
    running.gathered.reset(PQcopyResult(row, PG_COPYRES_ATTRS));
    if (running.gathered == nullptr) throw std::bad_alloc();
  }
  const int at = PQntuples(running.gathered.get());
  if (running.limits != nullptr && running.limits->is_first_row_only && at == 1) return Status::ok();
  running.gathered_bytes += bytes_of(row);
  if (Status checked = check_size(running.gathered_bytes, at + 1, running.limits); !checked) return checked;
  const int columns = PQnfields(row);
  for (int c = 0; c < columns; ++c) {
    const bool is_null = PQgetisnull(row, 0, c) != 0;
    if (PQsetvalue(running.gathered.get(), at, c, is_null ? nullptr : PQgetvalue(row, 0, c),
                   is_null ? -1 : PQgetlength(row, 0, c)) == 0) {
      throw std::bad_alloc();
    }
  }
  return Status::ok();
}

// The end of the result of one statement.
Status PgConnection::take_end(const PGresult* result, Running& running, ResultTable& out) {
  const std::string_view tag = tag_of(result);
  running.reads = running.received_bytes = 0;
  add_trace(trace_of(tag));
  take_tag(tag, running);
  out.set_command(tag);
  out.set_affected(affected_by(result));
  const size_t number = running.answers++;
  return tag == "ROLLBACK" ? check_rollback(running.sql, number) : Status::ok();
}

// What a statement of this kind means for prepared statements.
void PgConnection::take_tag(std::string_view tag, const Running& running) {
  if (changes_definitions(tag)) {
    // Other sessions see it when it has been committed; note_transaction().
    has_changed_definitions_ = running.notes == nullptr || !running.notes->names_temporary;
    suspect_statements();
  } else if (tag == "DISCARD ALL" || tag == "DEALLOCATE ALL") {
    forget_statements();
  } else if (tag == "SET" && running.notes != nullptr && running.notes->names_search_path) {
    suspect_statements();
  }
}

Status PgConnection::refuse_copy(ExecStatusType status, Running& running) {
  if (status == PGRES_COPY_IN && PQpipelineStatus(conn_.get()) == PQ_PIPELINE_OFF) {
    PQputCopyEnd(conn_.get(), "COPY is not supported here");
  } else {
    is_broken_ = running.is_given_up = true;  // the server may send data for hours; ending the session is faster
  }
  return own_error("0A000", "COPY requires the native handle",
                   "This function executes statements that return rows or a row count.",
                   "Use tide_lease_native() with PQputCopyData() or PQgetCopyData() of libpq.");
}

}  // namespace tide::libpq
