// PgConnection: what errors say about the session and its server.
#include "driver/libpq/errors.hpp"
#include "driver/libpq/session.hpp"

namespace tide::libpq {

// What an error means for the session.
Status PgConnection::judge(Status status) {
  if (status) return status;
  // 08P01 is also what the server answers to a wrong number of parameters, and 25P03 what we say of a transaction that
  // the pool has ended; then the session goes on as before.
  const bool is_in_step = (status.sqlstate == "08P01" || status.sqlstate == "25P03") &&
                          PQtransactionStatus(conn_.get()) != PQTRANS_UNKNOWN;
  if ((ends_session(status.sqlstate) && !is_in_step) || PQstatus(conn_.get()) != CONNECTION_OK) is_broken_ = true;
  if (is_disarmed_.load()) return disarmed_error();
  if (status.sqlstate == "25006") judge_refused_write(status);
  if (ends_generation(status.sqlstate)) {
    notices_->add_bad_news(slot_, NoticeKind::doomed, status);
  } else if (may_end_generation(status.sqlstate)) {
    notices_->add_bad_news(slot_, NoticeKind::suspected, status);
  } else if (is_broken_ && status.sqlstate == "08006") {
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

// Where it is the server that takes no writes, though nobody chose such a one, all sessions there have to go. Servers
// since 14 tell both reasons that they may have; but whether the holder set the second, they do not tell: that is asked
// when the lease is over, and so are both of older servers. A transaction the holder began READ ONLY is neither.
void PgConnection::judge_refused_write(const Status& status) {
  if (is_read_only_ || terms_.is_shared || is_standby_chosen()) return;
  const auto told = [this](const char* name) {
    const char* const value = PQparameterStatus(conn_.get(), name);
    return std::string_view(value == nullptr ? "" : value);
  };
  if (told("in_hot_standby") == "on") return notices_->add_bad_news(slot_, NoticeKind::doomed, status);
  is_write_refused_ = told("in_hot_standby") != "off" || told("default_transaction_read_only") != "off";
}

}  // namespace tide::libpq
