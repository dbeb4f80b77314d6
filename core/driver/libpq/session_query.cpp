// PgConnection: statements of the holder.
#include "driver/libpq/errors.hpp"
#include "driver/libpq/session.hpp"
#include "driver/libpq/session_call.hpp"
#include "statement/transactions.hpp"

namespace tide::libpq {
namespace {

#ifdef LIBPQ_HAS_CHUNK_MODE
constexpr int kRowsInChunk = 64;
#endif

Status wrong_count(size_t wanted, size_t given) {
  Status status = Status::error(Code::bad_argument, "the statement requires " + std::to_string(wanted) +
                                                        " parameters, but " + std::to_string(given) + " were given");
  status.text().sqlstate = "07001";
  return status;
}

}  // namespace

Status rows_are_open() {
  return Status::error(Code::refused, "rows of the previous statement are still being read", "",
                       "Close them first, or use another lease.");
}

PgConnection::Running PgConnection::begin_running(Instant deadline) noexcept {
  Running running;
  running.began = clock_.now();
  running.deadline = deadline;
  if (!policy_.query_timeout.is_zero()) {
    running.deadline = earliest(running.deadline, running.began + policy_.query_timeout);
  }
  if (terms_.is_shared && !policy_.statement_timeout.is_zero()) {
    running.deadline = earliest(running.deadline, running.began + policy_.statement_timeout);
  }
  running.give_up_at = running.deadline;
  idle_since_ns_.store(0, std::memory_order_relaxed);
  return running;
}

Status PgConnection::end_call(Status status, const Running& running) {
  publish_counts();
  note_transaction();
  if (status) return status;
  const bool is_own_timeout = status.sqlstate() == "57014" && status.code == Code::database &&
                              !policy_.statement_timeout.is_zero() && !cancel_->is_pending.load() &&
                              clock_.now() - running.began >= policy_.statement_timeout;
  if (is_own_timeout) status.code = Code::timeout;
  // A session that was terminated has rolled back the statement if that had not been answered.
  const bool is_rolled_back = (status.sqlstate() == "57P01" || status.sqlstate() == "57P05") && running.answers == 0 &&
                              !running.is_stream && running.notes != nullptr && running.notes->is_plannable;
  if (!running.is_started || is_rolled_back) status.is_unexecuted = true;
  return judge(std::move(status));
}

Status PgConnection::query(const QueryRequest& request, ResultTable& out) {
  out.clear();
  const Entered entered(*this);
  if (!entered) return disarmed_error();
  if (rows_ != nullptr) return rows_are_open();
  queries_total_.fetch_add(1, std::memory_order_relaxed);
  Running running = begin_running(request.deadline);
  Status status = is_doubtful_ ? prove_alive(running.deadline) : Status::ok();
  if (status) status = run(request, running, out);
  if (!status) out.clear();
  return end_call(std::move(status), running);
}

// Brings the session into the state in which a statement can be sent.
Status PgConnection::get_ready(Running& running) {
  if (!own_failure_) return own_failure_;
  if (is_native_out_.load()) PQsetnonblocking(conn_.get(), 1);
  if (const Wait waited = wait_for_cancel(running); waited != Wait::ready) return stopped(waited, running);
  if (has_unread_) {
    if (const Wait waited = drain(running); waited != Wait::ready) return stopped(waited, running);
  }
  if (!is_within_own_) return Status::ok();
  // The previous statement was abandoned with an open transaction.
  if (PQtransactionStatus(conn_.get()) != PQTRANS_IDLE) {
    if (Status ended = step("ROLLBACK", running); !ended) return ended;
  }
  is_within_own_ = false;
  return Status::ok();
}

Status PgConnection::run(const QueryRequest& request, Running& running, ResultTable& out) {
  if (Status ready = get_ready(running); !ready) return ready;
  if (is_ended_.load()) {
    Result<std::string> text = after_ended(request.sql);
    if (!text) return text.take_status();
    out.set_command("ROLLBACK");
    if (text->empty()) return Status::ok();  // the server has rolled back already
    QueryRequest rest = request;
    rest.sql = *text;
    return run(rest, running, out);
  }
  if (Status found = look_up(request, running); !found) return found;
  return terms_.is_shared ? run_shared(request, running, out) : exchange(request, running, out);
}

// One text and its results; repeated if a prepared statement had to be prepared again.
Status PgConnection::exchange(const QueryRequest& request, Running& running, ResultTable& out) {
  Status status = exchange_once(request, running, out);
  if (status || !heal(status, running)) return status;
  out.clear();
  if (Status found = look_up(request, running); !found) return found;
  return exchange_once(request, running, out);
}

Status PgConnection::exchange_once(const QueryRequest& request, Running& running, ResultTable& out) {
  if (Status sent = send(request, running); !sent) return sent;
  Status status = collect(running, out);
  if (status && request.wants_transaction && out.server().empty()) ask_transaction(running, out);
  // Through a pooler a second query could reach another session.
  if (status.sqlstate() == "08P01" && PQstatus(conn_.get()) == CONNECTION_OK && !terms_.is_shared && !has_unread_) {
    return explain_parameters(request, running, std::move(status));
  }
  return status;
}

// The parameters as they are sent, after checking what can be checked before.
Status PgConnection::set_parameters(const QueryRequest& request, Running& running) {
  running.is_prepared = running.entry != nullptr && running.entry->kept;
  const std::string& sql = running.text->sql;
  if (!running.is_prepared && sql.find('\0') != sql.npos) {
    return Status::error(Code::bad_argument, "the statement contains a NUL byte");
  }
  if (!request.params.empty() && running.text->has_several) {
    return Status::error(Code::bad_argument, "several statements cannot share parameters", "",
                         "Send one statement at a time, or no parameters.");
  }
  std::span<const Oid> types;
  int wanted = running.text->parameters;
  if (running.is_prepared) {
    const std::vector<Oid>& known = running.entry->kept.parameters;
    wanted = static_cast<int>(known.size());
    // A pooler prepares the text again in another server session, where after a change of a table the same parameter may
    // have another type of the same size: in binary the server would take one value for another.
    if (!terms_.is_shared) types = known;
  }
  const size_t given = request.params.size();
  if (wanted >= 0 && static_cast<size_t>(wanted) != given) return wrong_count(static_cast<size_t>(wanted), given);
  return parameters_.set(request.params, types);
}

Status PgConnection::send(const QueryRequest& request, Running& running) {
  if (Status set = set_parameters(request, running); !set) return set;
  const bool is_prepared = running.is_prepared;
  running.columns = is_prepared ? &running.entry->kept.columns : nullptr;
  running.sql = request.sql;
  running.answers = 0;
  running.was_in_block = PQtransactionStatus(conn_.get()) != PQTRANS_IDLE && !is_within_own_;
  running.is_by_row = running.is_stream || request.is_first_row_only || request.rows_max > 0 || request.bytes_max > 0;
  running.is_counted = !running.is_by_row;
  running.limits = running.is_stream ? nullptr : &request;
  const bool is_asked = request.wants_transaction && running.notes->is_plannable && may_ask_transaction();
  if (!is_prepared) {
    if (Status known = find_out_tracking(running); !known) return known;
  }
  const bool is_prepared_now = !is_prepared && may_prepare(running);
  running.is_preparing = is_prepared_now;
  const std::string& sql = running.text->sql;
  PGconn* const conn = conn_.get();
  int sent = 0;
  if (is_prepared_now || is_asked) {
    if (is_prepared_now && running.is_by_row) {
      // Rows can be received one by one only if they are the first answer.
      if (Status prepared = send_pipelined(running, true, false, false); !prepared) return prepared;
      ResultTable ignored;
      running.is_sent = true;
      if (Status prepared = collect(running, ignored); !prepared) return prepared;
      return send(request, running);
    }
    if (Status pipelined = send_pipelined(running, is_prepared_now, true, is_asked); !pipelined) return pipelined;
    sent = 1;
  } else if (is_prepared) {
    sent = PQsendQueryPrepared(conn, running.entry->kept.name.c_str(), parameters_.count(), parameters_.values(),
                               parameters_.lengths(), parameters_.formats(), 0);
  } else if (request.params.empty() && !running.is_stream) {
    sent = PQsendQuery(conn, sql.c_str());
  } else {
    sent = PQsendQueryParams(conn, sql.c_str(), parameters_.count(), parameters_.types(), parameters_.values(),
                             parameters_.lengths(), parameters_.formats(), 0);
  }
  if (sent == 0) return connection_error(conn);
  if (running.is_by_row) receive_by_row(running);
  running.is_sent = running.is_started = true;
  if (trace_ != Trace::lasting) add_trace(running.notes->trace);
  if (running.entry != nullptr) statements_.note_execution(is_prepared);
  return Status::ok();
}

void PgConnection::receive_by_row(const Running& running) noexcept {
#ifdef LIBPQ_HAS_CHUNK_MODE
  if (running.is_stream && PQsetChunkedRowsMode(conn_.get(), kRowsInChunk) != 0) return;
#else
  (void)running;
#endif
  PQsetSingleRowMode(conn_.get());
}

// Prepares the statement if it is not prepared, executes it, and asks for the transaction, all in one round trip.
Status PgConnection::send_pipelined(Running& running, bool is_prepared_now, bool is_executed, bool wants_transaction) {
  PGconn* const conn = conn_.get();
  const char* const sql = running.text->sql.c_str();
  const Parameters& p = parameters_;
  plan_.clear();
  answer_at_ = 0;
  running.preparing = {};
  bool is_sent = PQenterPipelineMode(conn) != 0;
  const auto then = [&](Answer answer, int sent) {
    plan_.push_back(answer);
    is_sent = is_sent && sent != 0;
  };
  const char* name = nullptr;
  if (running.is_prepared) {
    name = running.entry->kept.name.c_str();
  } else if (is_prepared_now) {
    is_sent = is_sent && send_closes();
    running.preparing.name = next_name();
    name = running.preparing.name.c_str();
    then(Answer::prepare, PQsendPrepare(conn, name, text_to_prepare(running.text->sql), p.count(), p.types()));
    then(Answer::describe, PQsendDescribePrepared(conn, name));
  }
  if (is_executed) {
    then(Answer::statement,
         name != nullptr ? PQsendQueryPrepared(conn, name, p.count(), p.values(), p.lengths(), p.formats(), 0)
                         : PQsendQueryParams(conn, sql, p.count(), p.types(), p.values(), p.lengths(), p.formats(), 0));
    // Rows one by one must be requested while this is the first answer.
    if (running.is_by_row && is_sent) receive_by_row(running);
  }
  if (wants_transaction) {
    then(Answer::transaction, send_ask_transaction());
  }
  then(Answer::sync, PQpipelineSync(conn));
  if (is_sent) return Status::ok();
  is_broken_ = true;
  return connection_error(conn);
}

// The server reports a wrong number of parameters as a protocol violation; this error gives the right number.
Status PgConnection::explain_parameters(const QueryRequest& request, Running& running, Status error) {
  if (PQsendPrepare(conn_.get(), "", running.text->sql.c_str(), 0, nullptr) == 0) return error;
  ResultTable ignored;
  if (!collect(running, ignored)) return error;
  if (PQsendDescribePrepared(conn_.get(), "") == 0) return error;
  int wanted = -1;
  for (;;) {
    if (wait_readable(running) != Wait::ready) {
      leave_unread(running);
      break;
    }
    const ResultHandle result(PQgetResult(conn_.get()));
    if (result == nullptr) break;
    if (PQresultStatus(result.get()) == PGRES_COMMAND_OK) wanted = PQnparams(result.get());
  }
  if (wanted < 0 || wanted == static_cast<int>(request.params.size())) return error;
  return wrong_count(static_cast<size_t>(wanted), request.params.size());
}

Status PgConnection::run_own(const char* sql, Instant deadline) {
  const Entered entered(*this);
  if (!entered) return disarmed_error();
  Running running;
  running.deadline = running.give_up_at = deadline;
  const Trace trace = trace_;
  Status status = get_ready(running);
  if (status && PQsendQuery(conn_.get(), sql) == 0) status = connection_error(conn_.get());
  if (status) {
    running.sql = sql;
    running.is_sent = true;
    ResultTable ignored;
    status = collect(running, ignored);
  }
  trace_ = trace;
  return judge(std::move(status));
}

}  // namespace tide::libpq
