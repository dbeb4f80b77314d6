// PgConnection: a transaction ended by the pool, and the statements accepted afterwards (P5).
#include "driver/libpq/errors.hpp"
#include "driver/libpq/session.hpp"
#include "statement/transactions.hpp"

namespace tide::libpq {

// The holder may send ROLLBACK AND CHAIN afterwards, which begins a transaction with the same properties. A failed
// transaction cannot be queried for these, but the one chained to it can; and SHOW takes no snapshot.
const char* PgConnection::end_words() const noexcept {
  const bool knows_chain = PQserverVersion(conn_.get()) >= 120000;
  return knows_chain ? "ROLLBACK AND CHAIN; SHOW transaction_isolation; SHOW transaction_read_only;"
                       " SHOW transaction_deferrable; ROLLBACK"
                     : "ROLLBACK";
}

bool PgConnection::end_transaction(std::string_view why, uint64_t lease) noexcept {
  const std::lock_guard lock(mutex_);
  if (is_running_ || is_native_out_.load() || is_disarmed_.load() || !is_in_transaction_.load()) return false;
  if ((lease != kAnyLease && lease != lease_.load()) || has_unread_ || is_reading_rows_) {
    return false;
  }
  try {
    std::string told(why);
    own_answers_.clear();
    if (PQsendQuery(conn_.get(), end_words()) == 0) return false;
    PQflush(conn_.get());
    has_unread_ = is_own_unread_ = true;  // read by the next user of the session
    ended_.why = std::move(told);
    is_ended_.store(true);
  } catch (...) {
    return false;
  }
  is_in_transaction_.store(false);
  idle_since_ns_.store(0);
  return true;
}

std::string PgConnection::ended_why() const {
  const std::lock_guard lock(mutex_);
  return ended_.why;
}

// What remains to be sent of a text that rolls back a transaction which the server has already rolled back.
Result<std::string> PgConnection::after_ended(std::string_view sql) {
  const Statement first = first_statement(sql);
  const bool is_chain = first.word == TransactionWord::rollback_and_chain;
  const std::lock_guard lock(mutex_);
  if (!is_chain && first.word != TransactionWord::rollback) {
    return own_error("25P03", "the transaction was ended: " + ended_.why, "",
                     "Send ROLLBACK, then repeat the transaction.");
  }
  ended_.why.clear();
  is_ended_.store(false);
  if (is_chain) return begin_as_before() + ";" + std::string(first.rest);
  return has_statement(first.rest) ? std::string(first.rest) : std::string();
}

std::string PgConnection::begin_as_before() const {
  std::string begin = "BEGIN";
  if (own_answers_.size() != 3) return begin;
  begin += " ISOLATION LEVEL " + own_answers_[0];
  begin += own_answers_[1] == "on" ? " READ ONLY" : " READ WRITE";
  return begin + (own_answers_[2] == "on" ? " DEFERRABLE" : " NOT DEFERRABLE");
}

}  // namespace tide::libpq
