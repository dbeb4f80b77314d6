// PgConnection: statements of the holder.
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "driver/libpq/errors.hpp"
#include "driver/libpq/session.hpp"
#include "driver/libpq/traces.hpp"
#include "statement/transactions.hpp"

namespace tide::libpq {
namespace {

constexpr Span kDrainTimeout = Span::millis(20);     // a cancelled statement usually ends within this
constexpr size_t kResultBytesMax = size_t{1} << 30;  // a statement that exceeds it fails

int poll_timeout_ms(Instant until, Instant now) {
  if (until >= Instant::never()) return -1;
  return static_cast<int>(std::clamp<int64_t>((until - now).ms_up(), 0, 60'000));
}

bool is_copy(ExecStatusType status) {
  return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
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

Status too_large() {
  return own_error("54000", "the result is larger than 1 GiB", "A result is kept in memory completely.",
                   "Request fewer rows, or fetch them in parts with a cursor.");
}

}  // namespace

Status PgConnection::query(const QueryRequest& request, ResultTable& out) {
  out.clear();
  if (!enter()) return disarmed_error();
  struct Leave {
    PgConnection& session;
    ~Leave() { session.leave(); }
  } leaving{*this};
  const Instant began = clock_.now();
  queries_total_.fetch_add(1, std::memory_order_relaxed);
  Running running;
  running.deadline = request.deadline;
  if (!policy_.query_timeout.is_zero()) running.deadline = earliest(running.deadline, began + policy_.query_timeout);
  if (terms_.is_shared && !policy_.statement_timeout.is_zero()) {
    running.deadline = earliest(running.deadline, began + policy_.statement_timeout);
  }
  running.give_up_at = running.deadline;
  idle_since_ns_.store(0, std::memory_order_relaxed);

  Status status = is_doubtful_ ? prove_alive(running.deadline) : Status::ok();
  if (status) status = run(request, running, out);
  if (!status) {
    out.clear();
    const bool is_own_timeout = status.sqlstate == "57014" && status.code == Code::database &&
                                !policy_.statement_timeout.is_zero() && !cancel_->is_pending.load() &&
                                clock_.now() - began >= policy_.statement_timeout;
    if (is_own_timeout) status.code = Code::timeout;
  }
  note_transaction();
  return judge(std::move(status));
}

Status PgConnection::run(const QueryRequest& request, Running& running, ResultTable& out) {
  if (!own_failure_) return own_failure_;
  if (is_native_out_.load()) PQsetnonblocking(conn_.get(), 1);
  if (const Wait waited = wait_for_cancel(running); waited != Wait::ready) return stopped(waited, running);
  if (has_unread_) {
    if (const Wait waited = drain(running); waited != Wait::ready) return stopped(waited, running);
  }
  QueryRequest wanted = request;
  std::string in_its_place;
  if (!ended_why().empty()) {
    Result<std::string> text = after_ended(request.sql);
    if (!text) return text.take_status();
    in_its_place = text.take();
    wanted.sql = in_its_place;
    out.set_command("ROLLBACK");
    if (in_its_place.empty()) return Status::ok();  // the server has rolled back already
  }
  return terms_.is_shared ? run_shared(wanted, running, out) : exchange(wanted, running, out);
}

// One text and its results.
Status PgConnection::exchange(const QueryRequest& request, Running& running, ResultTable& out) {
  if (Status sent = send(request); !sent) return sent;
  running.sql = request.sql;
  running.is_sent = true;
  running.answers = 0;
  if (trace_ != Trace::lasting) add_trace(trace_of_text(request.sql));
  Status status = collect(running, out);
  // Through a pooler a second query could reach another session.
  if (status.sqlstate == "08P01" && PQstatus(conn_.get()) == CONNECTION_OK && !terms_.is_shared) {
    return explain_parameters(request, running, std::move(status));
  }
  return status;
}

Status PgConnection::send(const QueryRequest& request) {
  const std::string sql(request.sql);  // libpq needs a NUL-terminated text
  if (sql.find('\0') != sql.npos) return Status::error(Code::bad_argument, "the statement contains a NUL byte");
  const int count = static_cast<int>(request.params.size());
  std::vector<const char*> texts;
  for (const SqlValue& value : request.params) texts.push_back(value.is_null() ? nullptr : value.data.data());
  const int sent = count == 0
                       ? PQsendQuery(conn_.get(), sql.c_str())
                       : PQsendQueryParams(conn_.get(), sql.c_str(), count, nullptr, texts.data(), nullptr, nullptr, 0);
  if (sent == 0) return connection_error(conn_.get());
  PQsetSingleRowMode(conn_.get());
  return Status::ok();
}

Status PgConnection::collect(Running& running, ResultTable& out) {
  Status failure;
  bool is_row_set_open = false;
  for (;;) {
    if (const Wait waited = wait_readable(running); waited != Wait::ready) {
      leave_unread();
      return stopped(waited, running);
    }
    const ResultHandle result(PQgetResult(conn_.get()));
    if (result == nullptr) break;
    if (!failure) {  // results after an error are discarded, but may leave traces
      if (is_copy(PQresultStatus(result.get()))) (void)refuse_copy(PQresultStatus(result.get()), running);
      if (running.is_given_up) return failure;
      (void)take_leftover(result.get());
      continue;
    }
    failure = take_result(result.get(), running, out, is_row_set_open);
    if (running.is_given_up) return failure;
    if (!failure && failure.sqlstate == "54000") {
      // Too large, and so may be the rest: cancel the statement, and let the next user of the session read the end.
      desk_->ask(cancel_, clock_.now());
      leave_unread();
      return failure;
    }
  }
  if (failure.sqlstate != "57014") return failure;
  if (is_disarmed_.load()) return disarmed_error();
  if (!running.is_timed_out) return failure;
  Status status = timed_out(running);
  status.detail = "It was cancelled on the server.";
  return status;
}

Status PgConnection::take_result(const PGresult* result, Running& running, ResultTable& out, bool& is_row_set_open) {
  switch (const ExecStatusType status = PQresultStatus(result)) {
    case PGRES_SINGLE_TUPLE:
    case PGRES_TUPLES_OK: {
      const int columns = PQnfields(result);
      if (!is_row_set_open) {
        out.clear();
        for (int c = 0; c < columns; ++c) out.add_column(PQfname(result, c));
      }
      is_row_set_open = status == PGRES_SINGLE_TUPLE;
      for (int r = 0; r < PQntuples(result); ++r) {
        for (int c = 0; c < columns; ++c) {
          if (PQgetisnull(result, r, c) != 0) {
            out.add_null();
          } else {
            out.add_text({PQgetvalue(result, r, c), static_cast<size_t>(PQgetlength(result, r, c))});
          }
        }
        if (out.bytes() > kResultBytesMax) return too_large();
      }
      break;
    }
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY: out.clear(); break;
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH: return refuse_copy(status, running);
    case PGRES_FATAL_ERROR:
      // Without a message of the server, libpq creates a result without SQLSTATE.
      if (PQresultErrorField(result, PG_DIAG_SQLSTATE) == nullptr && PQstatus(conn_.get()) != CONNECTION_OK) {
        return connection_error(conn_.get());
      }
      return error_of(result);
    default: return own_error("08P01", std::string("unexpected response: ") + PQresStatus(status));
  }
  if (is_row_set_open) return Status::ok();
  // These libpq functions take a non-const pointer but only read.
  const std::string_view tag = PQcmdStatus(const_cast<PGresult*>(result));
  add_trace(trace_of(tag));
  out.set_command(tag);
  const size_t answer = running.answers++;
  if (tag == "ROLLBACK") {
    if (Status rolled_back = check_rollback(running.sql, answer); !rolled_back) return rolled_back;
  }
  const std::string_view rows = PQcmdTuples(const_cast<PGresult*>(result));
  int64_t affected = -1;
  if (!tag.starts_with("SELECT") && !tag.starts_with("FETCH")) {
    if (std::from_chars(rows.data(), rows.data() + rows.size(), affected).ec != std::errc()) affected = -1;
  }
  out.set_affected(affected);
  return Status::ok();
}

Status PgConnection::refuse_copy(ExecStatusType status, Running& running) {
  if (status == PGRES_COPY_IN) {
    PQputCopyEnd(conn_.get(), "COPY is not supported here");
  } else {
    is_broken_ = running.is_given_up = true;  // the server may send data for hours; ending the session is faster
  }
  return own_error("0A000", "COPY requires the native handle",
                   "This function executes statements that return rows or a row count.",
                   "Use tide_lease_native() with PQputCopyData() or PQgetCopyData() of libpq.");
}

// The server reports a wrong number of parameters as a protocol violation; this error gives the right number.
Status PgConnection::explain_parameters(const QueryRequest& request, Running& running, Status error) {
  if (PQsendPrepare(conn_.get(), "", std::string(request.sql).c_str(), 0, nullptr) == 0) return error;
  ResultTable ignored;
  if (!collect(running, ignored)) return error;
  if (PQsendDescribePrepared(conn_.get(), "") == 0) return error;
  int wanted = -1;
  for (;;) {
    if (wait_readable(running) != Wait::ready) {
      leave_unread();
      break;
    }
    const ResultHandle result(PQgetResult(conn_.get()));
    if (result == nullptr) break;
    if (PQresultStatus(result.get()) == PGRES_COMMAND_OK) wanted = PQnparams(result.get());
  }
  if (wanted < 0 || wanted == static_cast<int>(request.params.size())) return error;
  Status status =
      Status::error(Code::bad_argument, "the statement requires " + std::to_string(wanted) + " parameters, but " +
                                            std::to_string(request.params.size()) + " were given");
  status.sqlstate = "07001";
  return status;
}

// Reads the unread results and errors of an earlier statement.
PgConnection::Wait PgConnection::drain(Running& running) {
  bool is_fit = true;
  for (;;) {
    if (const Wait waited = wait_readable(running); waited != Wait::ready) return waited;
    const ResultHandle result(PQgetResult(conn_.get()));
    if (result == nullptr) break;
    if (is_copy(PQresultStatus(result.get()))) return Wait::given_up;
    is_fit = take_leftover(result.get()) && is_fit;
  }
  if (is_own_unread_ && (!is_fit || PQtransactionStatus(conn_.get()) != PQTRANS_IDLE)) {
    own_failure_ = own_error("25P03", "the transaction was ended: " + ended_why(), "The session was lost.",
                             "Release this lease and acquire another.");
    return Wait::given_up;
  }
  has_unread_ = is_own_unread_ = false;
  running.is_timed_out = running.is_cancel_asked = false;
  running.give_up_at = running.deadline;
  return Wait::ready;
}

// Waits until PQgetResult() does not block. At the deadline the statement is cancelled and gets a short time to end.
PgConnection::Wait PgConnection::wait_readable(Running& running) {
  for (;;) {
    if (is_disarmed_.load()) return Wait::disarmed;
    const int unsent = PQflush(conn_.get());
    // The server may have sent the reason before it closed the connection: then that is the result.
    if (unsent < 0 && PQconsumeInput(conn_.get()) == 0 && PQisBusy(conn_.get()) != 0) return Wait::given_up;
    if (PQisBusy(conn_.get()) == 0) return Wait::ready;
    if (unsent < 0) return Wait::given_up;
    pollfd fds[3] = {{socket(), static_cast<short>(unsent > 0 ? POLLIN | POLLOUT : POLLIN), 0},
                     {wake_.fd(), POLLIN, 0},
                     {desk_->fd(), POLLIN, 0}};
    const bool is_cancelling = cancel_->is_pending.load();
    const bool has_clock = running.give_up_at < Instant::never() || is_cancelling;
    Instant now = has_clock ? clock_.now() : Instant{};
    Instant until = running.give_up_at;
    if (is_cancelling) until = earliest(until, earliest(desk_->pump(now), now + Span::millis(20)));
    if (poll(fds, is_cancelling ? 3 : 2, poll_timeout_ms(until, now)) < 0 && errno != EINTR) return Wait::given_up;
    if (fds[1].revents != 0) wake_.clear();
    if (fds[0].revents != 0 && PQconsumeInput(conn_.get()) == 0) {
      return PQisBusy(conn_.get()) == 0 ? Wait::ready : Wait::given_up;
    }
    if (!has_clock || fds[0].revents != 0) continue;
    now = clock_.now();
    if (now < running.give_up_at) continue;
    if (running.is_timed_out) return Wait::timed_out;
    running.is_timed_out = true;
    running.give_up_at = now + kDrainTimeout;
    running.is_cancel_asked = desk_->ask(cancel_, now);
    if (!running.is_cancel_asked) return Wait::timed_out;
  }
}

// P3: a cancel of the previous statement must have completed before the next one starts.
PgConnection::Wait PgConnection::wait_for_cancel(Running& running) {
  while (cancel_->is_pending.load()) {
    if (is_disarmed_.load()) return Wait::disarmed;
    const Instant now = clock_.now();
    if (now >= running.deadline) return Wait::timed_out;
    const Instant until = earliest(running.deadline, earliest(desk_->pump(now), now + Span::millis(20)));
    if (!cancel_->is_pending.load()) break;
    pollfd fds[2] = {{desk_->fd(), POLLIN, 0}, {wake_.fd(), POLLIN, 0}};
    poll(fds, 2, poll_timeout_ms(until, now));
    if (fds[1].revents != 0) wake_.clear();
  }
  return Wait::ready;
}

Status PgConnection::stopped(Wait how, const Running& running) {
  if (how == Wait::disarmed) return disarmed_error();
  if (how == Wait::timed_out) return timed_out(running);
  is_broken_ = true;
  return own_failure_ ? connection_error(conn_.get()) : own_failure_;  // ok() means no failure
}

Status PgConnection::timed_out(const Running& running) const {
  const char* what = "A cancel was requested; it is unknown whether the statement took effect before.";
  if (!running.is_sent) what = "It was not sent: the previous statement on this lease had not ended.";
  if (running.is_own) what = "The pooler did not provide a server session in time.";
  if (running.is_sent && !running.is_cancel_asked)
    what = "No cancel could be requested; it is unknown whether the statement took effect.";
  Status status = Status::error(Code::timeout, "the statement did not finish in time", what,
                                std::string("Raise query_timeout") + (terms_.is_shared ? ", statement_timeout" : "") +
                                    ", or the timeout of the call.");
  status.sqlstate = "57014";
  status.is_retryable = false;
  return status;
}

Status PgConnection::run_own(const char* sql, Instant deadline) {
  if (!enter()) return disarmed_error();
  struct Leave {
    PgConnection& session;
    ~Leave() { session.leave(); }
  } leaving{*this};
  QueryRequest request;
  request.sql = sql;
  Running running;
  running.deadline = running.give_up_at = deadline;
  ResultTable ignored;
  const Trace trace = trace_;
  Status status = run(request, running, ignored);
  trace_ = trace;
  return judge(std::move(status));
}

}  // namespace tide::libpq
