// PgConnection: statements in a session shared by a pooler (P8).
#include "base/sql_scanner.hpp"
#include "driver/libpq/errors.hpp"
#include "driver/libpq/session.hpp"
#include "statement/transactions.hpp"

namespace tide::libpq {

Status PgConnection::run_shared(const QueryRequest& request, Running& running, ResultTable& out) {
  if (!running.notes->shared) return running.notes->shared;
  if (!is_read_only_) return exchange(request, running, out);
  if (!running.notes->shared_read) return running.notes->shared_read;
  if (PQtransactionStatus(conn_.get()) != PQTRANS_IDLE) return exchange(request, running, out);
  switch (first_statement(request.sql).word) {
    case TransactionWord::other: return run_within(request, running, out);
    case TransactionWord::begin: return begin_read_only(request, running, out);
    default: return exchange(request, running, out);
  }
}

// A BEGIN of the holder.
Status PgConnection::begin_read_only(const QueryRequest& request, Running& running, ResultTable& out) {
  const std::string text = std::string(request.sql) + "\n; SET TRANSACTION READ ONLY";
  QueryRequest wanted = request;
  wanted.sql = text;
  wanted.may_prepare = false;
  if (Status found = look_up(wanted, running); !found) return found;
  Status status = exchange(wanted, running, out);
  if (status) out.set_command(SqlScanner(request.sql).next().is_word("start") ? "START TRANSACTION" : "BEGIN");
  return status;
}

// A statement outside of a transaction, in a read-only transaction.
Status PgConnection::run_within(const QueryRequest& request, Running& running, ResultTable& out) {
  for (bool is_repeated = false;; is_repeated = true) {
    is_within_own_ = true;
    if (Status begun = step("BEGIN READ ONLY", running); !begun) return begun;
    Status status = exchange(request, running, out);
    if (has_unread_ || is_broken_ || PQstatus(conn_.get()) != CONNECTION_OK) return status;
    Status ended = end_own(status.is_ok(), running);
    if (!ended) return status ? ended : status;
    if (!running.is_repeatable || is_repeated) return status;
    running.is_repeatable = false;
    out.clear();
    if (Status found = look_up(request, running); !found) return found;
  }
}

// Ends the transaction that the pool has begun for a call of the holder.
Status PgConnection::end_own(bool is_good, Running& running) {
  Status ended = step(is_good ? "COMMIT" : "ROLLBACK", running);
  if (ended) is_within_own_ = false;
  return ended;
}

Status PgConnection::step(const char* sql, Running& running) {
  if (const Wait waited = wait_for_cancel(running); waited != Wait::ready) return stopped(waited, running);
  if (PQsendQuery(conn_.get(), sql) == 0) return connection_error(conn_.get());
  running.sql = sql;
  running.answers = 0;
  running.is_sent = false;
  running.is_own = true;
  ResultTable ignored;
  Status status = collect(running, ignored);
  running.is_own = false;
  return status;
}

}  // namespace tide::libpq
