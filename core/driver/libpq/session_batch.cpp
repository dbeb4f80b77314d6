// PgConnection: several statements in one round trip.
//
// They are sent as a pipeline with one synchronization at its end, which makes them one transaction unless one is open. What
// the server answers is read while the rest is sent, so that neither side waits for the other with full buffers.
#include <sys/socket.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "driver/libpq/errors.hpp"
#include "driver/libpq/session.hpp"
#include "driver/libpq/session_call.hpp"

namespace tide::libpq {
namespace {

constexpr size_t kSentAtOnce = 64;  // statements, then what the server has answered is looked at

Status outcome_is_unknown(Status why) {
  std::string detail = "All statements had been sent, and the answer did not arrive: " + why.message() + ".";
  Status status = Status::error(Code::unknown_outcome, "it is unknown whether the batch took effect", std::move(detail),
                                "Check whether it did before repeating it.");
  status.text().sqlstate = std::move(why.text().sqlstate);
  return status;
}

}  // namespace

struct PgConnection::Batch {
  // A statement that is prepared in this pipeline, because it occurs repeatedly.
  struct Fresh {
    const QueryRequest* request = nullptr;  // one of those
    std::string types;
    PgStatement statement;
    bool is_prepared = false;
  };

  std::span<const QueryRequest> requests;
  std::vector<ResultTable>& out;
  std::unordered_map<std::string_view, size_t> uses;  // of each text
  std::map<std::pair<std::string_view, std::string>, Fresh> fresh = {};
  std::vector<Fresh*> described = {};  // in the order of their Answer::describe
  size_t described_count = 0;
  size_t sent = 0;  // statements
  size_t done = 0;  // statements whose answer is complete
  bool is_sync_queued = false;
  bool may_prepare = false;
  bool may_ask = false;            // for the transaction
  bool was_prepared_used = false;  // one that an earlier call has prepared
  bool is_whole = false;           // the pipeline is the transaction
  size_t failed_at = 0;
  Status failure = {};
};

Status PgConnection::batch(std::span<const QueryRequest> requests, Instant deadline, std::vector<ResultTable>& out,
                           size_t& failed_at) {
  out.clear();
  failed_at = 0;
  const Entered entered(*this);
  if (!entered) return disarmed_error();
  if (rows_ != nullptr) return rows_are_open();
  if (requests.empty()) return Status::ok();
  queries_total_.fetch_add(requests.size(), std::memory_order_relaxed);
  Running running = begin_running(deadline);
  Status status = is_doubtful_ ? prove_alive(running.deadline) : Status::ok();
  for (bool is_repeated = false; status; is_repeated = true) {
    out.clear();
    Batch batch{requests, out, {}};
    for (const QueryRequest& request : requests) ++batch.uses[request.sql];
    status = run_batch(batch, running);
    failed_at = batch.failed_at;
    if (status) break;
    running.is_prepared = batch.was_prepared_used;
    if (is_repeated || !heal(status, running)) break;
    status = Status::ok();
  }
  if (!status) out.clear();
  return end_call(std::move(status), running);
}

Status PgConnection::run_batch(Batch& batch, Running& running) {
  if (Status ready = get_ready(running); !ready) return ready;
  if (is_ended_.load()) {
    Result<std::string> text = after_ended({});
    return text ? Status::ok() : text.take_status();
  }
  running.was_in_block = PQtransactionStatus(conn_.get()) != PQTRANS_IDLE;
  const bool has_limits = std::any_of(batch.requests.begin(), batch.requests.end(), [](const QueryRequest& request) {
    return request.rows_max > 0 || request.bytes_max > 0;
  });
  const bool is_made_read_only = is_read_only_ && terms_.is_shared;
  batch.is_whole = !running.was_in_block && !has_limits && !is_made_read_only;
  if (running.was_in_block || batch.is_whole) return pipeline_batch(batch, running);

  // What is checked after the answers must be checked before the commit.
  is_within_own_ = true;
  if (Status begun = step(is_made_read_only ? "BEGIN READ ONLY" : "BEGIN", running); !begun) return begun;
  Status status = pipeline_batch(batch, running);
  if (has_unread_ || is_broken_ || PQstatus(conn_.get()) != CONNECTION_OK) return status;
  Status ended = end_own(status.is_ok(), running);
  if (!status || ended) return status;
  batch.failed_at = batch.requests.size();
  const bool is_lost = PQstatus(conn_.get()) != CONNECTION_OK || has_unread_;
  return is_lost ? outcome_is_unknown(std::move(ended)) : ended;
}

Status PgConnection::pipeline_batch(Batch& batch, Running& running) {
  if (Status begun = begin_pipeline(batch, running); !begun) return begun;
  while (batch.sent < batch.requests.size() && batch.failure) {
    if (Status sent = send_in_batch(batch, running); !sent) {
      fail_batch(batch, batch.sent, std::move(sent));
      if (is_broken_) return std::move(batch.failure);
      // The statements before it have been sent already.
      if (batch.is_whole && !send_and_plan(Answer::close, send_text("ROLLBACK"))) return connection_error(conn_.get());
      break;
    }
    if (++batch.sent % kSentAtOnce == 0) {
      if (Status received = receive_in_batch(batch, running); !received) return received;
    }
  }
  if (batch.may_ask && batch.failure && !send_and_plan(Answer::transaction, send_ask_transaction())) {
    return connection_error(conn_.get());
  }
  char byte = 0;
  if (recv(socket(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) {  // lost before the server could commit
    is_broken_ = true;
    Status lost = connection_error(conn_.get());
    lost.is_unexecuted = batch.is_whole;
    return lost;
  }
  if (!send_and_plan(Answer::sync, PQpipelineSync(conn_.get()))) return connection_error(conn_.get());
  batch.is_sync_queued = true;
  if (Status received = receive_in_batch(batch, running); !received) return received;
  keep_prepared(batch);
  return batch.failure ? Status::ok() : conclude(std::move(batch.failure), running);
}

Status PgConnection::begin_pipeline(Batch& batch, Running& running) {
  running.sql = batch.requests.front().sql;
  if (Status found = look_up(batch.requests.front(), running); !found) return found;
  if (Status known = find_out_tracking(running); !known) return known;
  const PGTransactionStatusType state = PQtransactionStatus(conn_.get());
  batch.may_prepare = !is_preparing_refused_ && (state == PQTRANS_IDLE || state == PQTRANS_INTRANS) &&
                      (!terms_.is_shared || watch_->pooler.load() == StatementWatch::Tracking::full);
  batch.may_ask = batch.requests.back().wants_transaction && may_ask_transaction();
  plan_.clear();
  answer_at_ = 0;
  if (PQenterPipelineMode(conn_.get()) != 0 && (!batch.may_prepare || send_closes())) return Status::ok();
  is_broken_ = true;
  return connection_error(conn_.get());
}

int PgConnection::send_text(const char* sql) {
  return PQsendQueryParams(conn_.get(), sql, 0, nullptr, nullptr, nullptr, nullptr, 0);
}

// False: the session cannot be used any more.
bool PgConnection::send_and_plan(Answer answer, int sent) {
  plan_.push_back(answer);
  if (sent == 0) is_broken_ = true;
  return sent != 0;
}

void PgConnection::fail_batch(Batch& batch, size_t at, Status why) {
  batch.failed_at = at;
  batch.failure = std::move(why);
}

Status PgConnection::send_in_batch(Batch& batch, Running& running) {
  const QueryRequest& request = batch.requests[batch.sent];
  running.sql = request.sql;
  if (Status found = look_up(request, running); !found) return found;
  if (terms_.is_shared && !running.notes->shared) return running.notes->shared;
  if (terms_.is_shared && is_read_only_ && !running.notes->shared_read) return running.notes->shared_read;
  if (Status set = set_parameters(request, running); !set) return set;
  PGconn* const conn = conn_.get();
  const Parameters& p = parameters_;
  const std::string& sql = running.text->sql;
  const bool is_prepared = running.is_prepared;
  batch.was_prepared_used = batch.was_prepared_used || is_prepared;
  const char* name = is_prepared ? running.entry->kept.name.c_str() : nullptr;
  if (!is_prepared && running.entry != nullptr && batch.may_prepare && running.notes->is_plannable &&
      (batch.uses[request.sql] > 1 || statements_.is_worth_preparing(*running.entry))) {
    const auto [found, is_new] = batch.fresh.try_emplace({request.sql, types_});
    Batch::Fresh& fresh = found->second;
    if (is_new && has_room_for_statements(batch.fresh.size())) {
      fresh.request = &request;
      fresh.types = types_;
      fresh.statement.name = next_name();
      batch.described.push_back(&fresh);
      const char* const fresh_name = fresh.statement.name.c_str();
      if (!send_and_plan(Answer::prepare,
                         PQsendPrepare(conn, fresh_name, text_to_prepare(sql), p.count(), p.types())) ||
          !send_and_plan(Answer::describe, PQsendDescribePrepared(conn, fresh_name))) {
        return connection_error(conn);
      }
    }
    if (fresh.statement) name = fresh.statement.name.c_str();
  }
  running.is_sent = running.is_started = true;
  if (trace_ != Trace::lasting) add_trace(running.notes->trace);
  if (running.entry != nullptr) statements_.note_execution(name != nullptr);
  const int sent = name != nullptr ? PQsendQueryPrepared(conn, name, p.count(), p.values(), p.lengths(), p.formats(), 0)
                                   : PQsendQueryParams(conn, sql.c_str(), p.count(), p.types(), p.values(), p.lengths(),
                                                       p.formats(), 0);
  return send_and_plan(Answer::statement, sent) ? Status::ok() : connection_error(conn);
}

// Takes the answers that have arrived, while more is to be sent only until that is possible; at the end all of them.
Status PgConnection::receive_in_batch(Batch& batch, Running& running) {
  const bool is_feeding = !batch.is_sync_queued;
  for (;;) {
    if (const Wait waited = wait_readable(running, is_feeding); waited != Wait::ready) {
      return lost_in_batch(waited, batch, running);
    }
    if (answer_at_ >= plan_.size() || PQisBusy(conn_.get()) != 0) return Status::ok();  // only while feeding
    const Answer current = answer();
    const size_t before = answer_at_;
    ResultHandle result;
    const Taken taken = take_next(result);
    if (taken == Taken::end) return Status::ok();
    if (taken == Taken::between) {
      if (current == Answer::statement && answer_at_ > before) ++batch.done;
      continue;
    }
    take_in_batch(std::move(result), current, batch, running);
    if (running.is_given_up) return std::move(batch.failure);
  }
}

void PgConnection::take_in_batch(ResultHandle result, Answer current, Batch& batch, Running& running) {
  const ExecStatusType status = PQresultStatus(result.get());
  if (status == PGRES_PIPELINE_ABORTED || current == Answer::close || !batch.failure) return;
  if (current == Answer::transaction) return take_transaction(result.get(), batch.out.back());
  const bool is_failure = status == PGRES_FATAL_ERROR;
  // Positions in errors are translated below.
  running.text = nullptr;
  running.notes = nullptr;
  running.entry = nullptr;
  if (current == Answer::describe && batch.described_count < batch.described.size()) {
    Batch::Fresh& fresh = *batch.described[batch.described_count++];
    if (!is_failure) {
      fresh.statement.parameters = parameters_in(result.get());
      fresh.is_prepared = true;
    }
  }
  if (current == Answer::statement && !is_failure) {
    const QueryRequest& request = batch.requests[batch.done];
    running.sql = request.sql;
    running.answers = 0;
    ResultTable table;
    const int rows = PQntuples(result.get());
    const size_t bytes = request.bytes_max > 0 ? bytes_of(result.get()) : 0;
    Status taken = take_statement(std::move(result), running, table);
    if (taken) taken = check_size(bytes, rows, &request);
    if (!taken) return fail_batch(batch, batch.done, std::move(taken));
    batch.out.push_back(std::move(table));
    return;
  }
  if (!is_failure) return;
  Status why = error_in(result.get(), running);
  const bool is_lost = PQstatus(conn_.get()) != CONNECTION_OK || ends_session(why.sqlstate());
  const bool is_told = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE) != nullptr && current != Answer::sync;
  if (is_lost && !is_told && batch.is_whole && batch.is_sync_queued && running.is_flushed) {
    why = outcome_is_unknown(std::move(why));
  } else if (is_lost && batch.is_whole) {
    why.is_unexecuted = true;
  } else if (batch.done < batch.requests.size() && position_in(result.get()) > 0) {
    const QueryRequest& request = batch.requests[batch.done];
    const Result<StatementText> text = translate(request.sql, Dialect::postgresql, request.placeholders, request.names);
    if (text) why = error_of(result.get(), text->position_in(request.sql, position_in(result.get())));
  }
  fail_batch(batch, batch.done, std::move(why));
}

// The rest of the answers is not read.
Status PgConnection::lost_in_batch(Wait how, Batch& batch, Running& running) {
  running.notes = nullptr;
  if (batch.is_sync_queued)
    leave_unread(running);
  else
    is_broken_ = true;  // nothing ends the pipeline
  if (how == Wait::too_large) desk_->ask(cancel_, clock_.now());
  if (!batch.failure) return std::move(batch.failure);
  Status why = stopped(how, running);
  batch.failed_at = batch.done;
  const bool is_unknown = batch.is_whole && batch.is_sync_queued && running.is_flushed;
  return is_unknown ? outcome_is_unknown(std::move(why)) : why;
}

// What was prepared in the pipeline remains prepared, also if the transaction failed.
void PgConnection::keep_prepared(Batch& batch) {
  for (Batch::Fresh* const fresh : batch.described) {
    if (!fresh->is_prepared) continue;
    const QueryRequest& request = *fresh->request;
    Result<Statements::Entry*> found = statements_.use(request.sql, request.placeholders, request.names, fresh->types);
    if (!found || (*found)->kept) {
      to_close_.push_back(std::move(fresh->statement.name));
      continue;
    }
    keep(**found, std::move(fresh->statement));
  }
}

}  // namespace tide::libpq
