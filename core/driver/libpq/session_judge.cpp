// PgConnection: what errors and timeouts mean for the session and its server.
#include <algorithm>

#include "base/units.hpp"
#include "driver/libpq/errors.hpp"
#include "driver/libpq/session.hpp"

namespace tide::libpq {

// The consequence of an error for the session.
Status PgConnection::judge(Status status) {
  if (status) return status;
  // 08P01 is also the error for a wrong number of parameters, and 25P03 that of the driver for a transaction ended by the
  // pool; in these cases the session continues.
  const bool is_in_step = (status.sqlstate() == "08P01" || status.sqlstate() == "25P03") &&
                          PQtransactionStatus(conn_.get()) != PQTRANS_UNKNOWN;
  if ((ends_session(status.sqlstate()) && !is_in_step) || PQstatus(conn_.get()) != CONNECTION_OK) is_broken_ = true;
  if (is_disarmed_.load()) return disarmed_error();
  if (status.sqlstate() == "25006") judge_refused_write(status);
  if (ends_generation(status.sqlstate())) {
    notices_->add_bad_news(slot_, NoticeKind::doomed, status);
  } else if (may_end_generation(status.sqlstate())) {
    notices_->add_bad_news(slot_, NoticeKind::suspected, status);
  } else if (is_broken_ && status.sqlstate() == "08006") {
    notices_->add_bad_news(slot_, NoticeKind::lost, status);
  }
  return status;
}

bool PgConnection::is_standby_chosen() const {
  PQconninfoOption* const options = PQconninfo(conn_.get());
  bool is_chosen = false;
  for (const PQconninfoOption* o = options; o != nullptr && o->keyword != nullptr; ++o) {
    if (o->val == nullptr || std::string_view(o->keyword) != "target_session_attrs") continue;
    const std::string_view wanted = o->val;
    is_chosen = wanted == "standby" || wanted == "prefer-standby" || wanted == "read-only";
  }
  PQconninfoFree(options);
  return is_chosen;
}

// If the server accepts no writes, although that was not requested, all sessions must be replaced. Servers since 14 report
// both possible reasons, but not whether the holder caused the second: that is queried after the lease, as are both for
// older servers. A transaction begun READ ONLY by the holder is neither.
void PgConnection::judge_refused_write(const Status& status) {
  if (is_read_only_ || terms_.is_shared || is_standby_chosen()) return;
  const auto told = [this](const char* name) {
    const char* const value = PQparameterStatus(conn_.get(), name);
    return std::string_view(value == nullptr ? "" : value);
  };
  if (told("in_hot_standby") == "on") return notices_->add_bad_news(slot_, NoticeKind::doomed, status);
  is_write_refused_ = told("in_hot_standby") != "off" || told("default_transaction_read_only") != "off";
}

// How long a live server may take to respond.
Span PgConnection::proof_timeout() const {
  if (!policy_.keepalive) return policy_.validation_timeout;
  return std::min(policy_.validation_timeout, policy_.keepalive_idle * 2);
}

// Sends an empty statement before the statement of a session that was idle for long. On a network that drops everything,
// where TCP may even get acknowledgements, this detects the loss before query_timeout, without executing a statement of the
// holder. Not if another server session may get it (P8), nor after native(), when the holder may be in the middle of
// something.
Status PgConnection::prove_alive(Instant deadline) {
  is_doubtful_ = false;
  const PGTransactionStatusType state = PQtransactionStatus(conn_.get());
  const bool is_quiet = state == PQTRANS_IDLE || state == PQTRANS_INTRANS || state == PQTRANS_INERROR;
  if (terms_.is_shared || is_native_out_.load() || has_unread_ || !own_failure_ || !is_quiet) return Status::ok();
  Running asking;
  if (const Wait waited = wait_for_cancel(asking); waited != Wait::ready) return stopped(waited, asking);
  const uint64_t cancels = cancels_.load();
  const Span timeout = proof_timeout();
  const Instant limit = clock_.now() + timeout;
  asking.deadline = asking.give_up_at = earliest(deadline, limit);
  asking.is_timed_out = true;  // no cancel at the deadline, which the server would not receive
  if (PQsendQuery(conn_.get(), "") == 0) return connection_error(conn_.get());
  const Trace trace = trace_;
  ResultTable ignored;
  Status status = collect(asking, ignored);
  trace_ = trace;
  if (status && cancels_.load() != cancels) return own_error("57014", "the statement was cancelled before it was sent");
  if (status.code != Code::timeout) return status;
  if (limit > deadline) {
    status.text().detail =
        "It was not sent: the pool first checked whether the server responds, and there was no response yet.";
    return status;
  }
  status = own_error("08006", "the server has not responded for " + describe_span(timeout),
                     "The connection had been idle, so the pool checked it first; the statement was not sent.",
                     "Release this lease and acquire another. Check that the server is reachable from this host.");
  status.is_retryable = true;
  own_failure_ = status;
  is_broken_ = true;
  return status;
}

}  // namespace tide::libpq
