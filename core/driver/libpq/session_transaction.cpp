// PgConnection: transactions that the pool begins, and whether they were committed.
#include "driver/libpq/session.hpp"

namespace tide::libpq {
namespace {

// Since 13 the functions have these names; txid_... are those of before, and return the same numbers.
constexpr int kTransactionIdsSince = 130000;
constexpr char kAsk[] =
    "SELECT pg_catalog.pg_current_xact_id_if_assigned(), extract(epoch FROM pg_catalog.pg_postmaster_start_time())";
constexpr char kAskBefore[] =
    "SELECT pg_catalog.txid_current_if_assigned(), extract(epoch FROM pg_catalog.pg_postmaster_start_time())";

// The time at which a server was started is its incarnation.
constexpr OutcomeWords kOutcome = {
    "SELECT extract(epoch FROM pg_catalog.pg_postmaster_start_time())::pg_catalog.text,"
    " pg_catalog.pg_xact_status($1::pg_catalog.xid8)",
    "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity"
    " WHERE backend_xid = ($1::pg_catalog.xid8)::pg_catalog.xid"};
constexpr OutcomeWords kOutcomeBefore = {
    "SELECT extract(epoch FROM pg_catalog.pg_postmaster_start_time())::pg_catalog.text,"
    " pg_catalog.txid_status($1::pg_catalog.int8)",
    "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity"
    " WHERE backend_xid::pg_catalog.text::pg_catalog.int8 = $1::pg_catalog.int8 % 4294967296"};

}  // namespace

std::string PgConnection::begin_text(const TransactionKind& kind) const {
  std::string text = "BEGIN";
  switch (kind.isolation) {
    case Isolation::unset: break;
    case Isolation::read_committed: text += " ISOLATION LEVEL READ COMMITTED"; break;
    case Isolation::repeatable_read: text += " ISOLATION LEVEL REPEATABLE READ"; break;
    case Isolation::serializable: text += " ISOLATION LEVEL SERIALIZABLE"; break;
  }
  if (kind.is_read_only) text += " READ ONLY";
  if (kind.is_deferrable) text += " DEFERRABLE";
  return text;
}

const OutcomeWords* PgConnection::outcome_words() const noexcept {
  return PQserverVersion(conn_.get()) >= kTransactionIdsSince ? &kOutcome : &kOutcomeBefore;
}

// Whether a query of the pool cannot change the outcome of the holder's transaction.
bool PgConnection::may_ask_transaction() const { return PQtransactionStatus(conn_.get()) == PQTRANS_INTRANS; }

int PgConnection::send_ask_transaction() {
  const char* const sql = PQserverVersion(conn_.get()) >= kTransactionIdsSince ? kAsk : kAskBefore;
  return PQsendQueryParams(conn_.get(), sql, 0, nullptr, nullptr, nullptr, nullptr, 0);
}

// After a statement that is not executed in a pipeline. A failure is not that of the statement.
void PgConnection::ask_transaction(Running& running, ResultTable& out) {
  if (!running.was_in_block || !may_ask_transaction() || send_ask_transaction() == 0) return;
  for (;;) {
    if (wait_readable(running) != Wait::ready) return leave_unread(running);
    const ResultHandle result(PQgetResult(conn_.get()));
    if (result == nullptr) return;
    take_transaction(result.get(), out);
  }
}

// The answer to a query of the pool; if it failed, nothing is told.
void PgConnection::take_transaction(const PGresult* result, ResultTable& out) {
  if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1 || PQnfields(result) != 2) return;
  out.set_transaction(PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1));
}

}  // namespace tide::libpq
