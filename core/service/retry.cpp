#include "service/retry.hpp"

#include <algorithm>

#include "base/backoff.hpp"
#include "base/sql_scanner.hpp"
#include "pool/call_cancel.hpp"
#include "statement/transactions.hpp"

namespace tide {

bool is_conflict(const Status& status) noexcept {
  return status.code == Code::database && (status.sqlstate() == "40001" || status.sqlstate() == "40P01");
}

bool is_lost(const Status& status) noexcept {
  return status.code == Code::database &&
         (status.sqlstate().starts_with("08") || status.sqlstate().starts_with("57P0"));
}

bool is_one_transaction(std::string_view sql, Dialect dialect) noexcept {
  if (is_transaction_control(sql, dialect)) return false;
  if (has_statement(first_statement(sql, dialect).rest, dialect)) return false;
  // These may commit in between.
  const SqlScanner::Token first = SqlScanner(sql).next();
  return !first.is_word("call") && !first.is_word("do");
}

Span Pauses::draw(Span ceiling) {
  const std::lock_guard lock(mutex_);
  return ceiling.scaled(rng_.unit());
}

void Pauses::pause(Span span, const CancelToken& token) const {
  constexpr Span kSlice = Span::millis(10);
  for (; span > Span() && !token.is_tripped(); span = span - kSlice) pause_(std::min(span, kSlice));
}

bool Retry::is_cancelled(Status& failure) const {
  if (token_ == nullptr || !token_->is_tripped()) return false;
  failure = cancelled_after(failure);
  return true;
}

bool Retry::again(Instant now, Status& failure) {
  const int64_t attempts_max = attempts_max_ < 0 ? policy_.retry_attempts() : attempts_max_;
  if (attempts_ >= attempts_max) return false;
  if (is_cancelled(failure)) return false;
  ++attempts_;
  const Span span = pauses_.draw(backoff_ceiling(attempts_, policy_.retry_base(), policy_.retry_max()));
  if (now + span >= deadline_) return false;
  if (token_ == nullptr) {
    pauses_.pause(span);
    return true;
  }
  pauses_.pause(span, *token_);
  return !is_cancelled(failure);
}

}  // namespace tide
