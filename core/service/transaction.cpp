#include "service/transaction.hpp"

#include <algorithm>
#include <utility>

#include "pool/futex.hpp"
#include "service/outcome.hpp"

namespace tide {
namespace {

constexpr Span kRollbackTimeout = Span::seconds(5);
// How long another connection is asked about a lost COMMIT: until the deadline of the transaction, within these limits.
constexpr Span kAskAtLeast = Span::seconds(1);
constexpr Span kAskAtMost = Span::seconds(5);
constexpr size_t kSavepointNameMax = 62;

TransactionKind kind_of(const LeaseUse& lease, const TransactionTerms& terms) {
  LeaseFacts facts;
  const bool is_read_lease = lease.facts(facts) == Code::ok && facts.mode == LeaseMode::read;
  return {terms.isolation, terms.is_read_only || is_read_lease, terms.is_deferrable};
}

// The statement was not passed on, so that the transaction is as before.
bool is_harmless(const Status& status) {
  return status.code == Code::bad_argument || status.code == Code::refused || status.code == Code::unsupported ||
         (status.code == Code::cancelled && status.is_unexecuted);
}

// The database has answered COMMIT: the transaction is not committed.
bool is_answered(const Status& status) {
  if (status.is_unexecuted || is_harmless(status)) return true;
  return status.code == Code::database && !is_lost(status);
}

Status failed_before(const Status& failure) {
  Status status = Status::error(Code::database, "the transaction has failed; it can only be rolled back",
                                "The first error was: " + failure.message(), "Roll back, or return to a savepoint.");
  status.text().sqlstate = "25P02";
  return status;
}

Status not_committed(const Status& failure) {
  Status status = Status::error(Code::database, "the transaction was rolled back because a statement in it had failed",
                                "The first error was: " + failure.message());
  status.text().sqlstate = "25P02";
  status.is_retryable = failure.is_retryable;
  return status;
}

Status was_late() { return Status::error(Code::timeout, "the transaction exceeded its deadline, and was rolled back"); }

Status was_cancelled() {
  Status status = Status::error(Code::cancelled, "the transaction was cancelled by its token, and was rolled back");
  status.text().sqlstate = "57014";
  return status;
}

Status unknown_outcome(const Status& lost, std::string_view id, std::string why) {
  Status status =
      Status::error(Code::unknown_outcome,
                    "the connection was lost during COMMIT, and it is unknown whether the transaction was committed",
                    (id.empty() ? std::string() : "Transaction id: " + std::string(id) + ". ") + why +
                        (lost.message().empty() ? "" : " COMMIT failed with: " + lost.message()),
                    "Check in the data whether the changes are there before you repeat them.");
  status.text().sqlstate = "08007";
  return status;
}

bool is_savepoint_name(std::string_view name) {
  return !name.empty() && name.size() <= kSavepointNameMax && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

}  // namespace

Transaction::Transaction(OwnLease& lease, Pauses& pauses, const TransactionTerms& terms, Instant deadline,
                         Holder holder)
    : Transaction(static_cast<const LeaseUse&>(lease), pauses, terms, deadline, holder) {
  owned_.adopt(lease.take());
}

Transaction::Transaction(LeaseUse lease, Pauses& pauses, const TransactionTerms& terms, Instant deadline, Holder holder)
    : lease_(lease),
      owned_(lease.pool()),
      pauses_(pauses),
      kind_(kind_of(lease, terms)),
      deadline_(deadline),
      cancel_(terms.cancel),
      thread_(holder == Holder::body ? current_thread_id() : 0) {}

Transaction::~Transaction() {
  if (is_open_) roll_back();
}

Transaction::Entry::Entry(Transaction& transaction, bool is_end) : transaction_(transaction) {
  if (transaction.thread_ != 0 && is_end) {
    status_ = Status::error(Code::refused, "a transaction cannot be ended inside its body", "",
                            "Return 0 to commit, another value to roll back.");
  } else if (transaction.thread_ != 0 && transaction.thread_ != current_thread_id()) {
    status_ = Status::error(Code::refused, "the transaction belongs to the thread that runs its body", "",
                            "Use it in that thread only.");
  } else if (transaction.is_busy_.exchange(true, std::memory_order_acquire)) {
    status_ = Status::error(Code::refused, "another call is using this transaction",
                            "A transaction is used by one call at a time.");
  }
}

Transaction::Entry::~Entry() {
  if (status_) transaction_.is_busy_.store(false, std::memory_order_release);
}

Status Transaction::begin() {
  const std::string text = lease_.begin_text(kind_);
  words_ = lease_.outcome_words();
  is_checked_ = !kind_.is_read_only && words_ != nullptr && pool().fast_policy().commit_check();
  QueryRequest request;
  request.sql = text;
  request.deadline = deadline_;
  ResultTable unused;
  failure_ = lease_.cancellable(cancel_.get(), [&] { return lease_.query(request, unused); });
  is_open_ = failure_.is_ok();
  if (is_open_) return failure_;
  finish(Ending::rolled_back);
  return failure_.code == Code::timeout && is_late() ? was_late() : failure_;
}

// ---- statements -----------------------------------------------------------------------------------------------------

Status Transaction::refusal() {
  Status stopped = stop();
  if (!stopped) return stopped;
  return failure_ ? Status::ok() : failed_before(failure_);
}

Status Transaction::stop() {
  if (ending_ == Ending::timed_out) return was_late();
  if (ending_ == Ending::cancelled) return was_cancelled();
  if (cancel_.is_tripped()) return cancel_out(was_cancelled());
  return is_late() ? time_out() : Status::ok();
}

Status Transaction::cancel_out(Status why) {
  roll_back();
  finish(Ending::cancelled);
  return why;
}

Status Transaction::time_out() {
  roll_back();
  finish(Ending::timed_out);
  return was_late();
}

bool Transaction::wants_id() const { return is_checked_ && id_.empty(); }

void Transaction::note_success(const ResultTable* result, bool was_asked) {
  has_succeeded_ = true;
  if (!id_.empty()) return;
  const bool is_told = was_asked && result != nullptr && !result->server().empty();
  may_have_written_ = !is_told;
  if (!is_told) return;
  id_ = result->transaction();
  server_ = result->server();
}

Status Transaction::note_failure(Status status) {
  if (status.code == Code::cancelled && cancel_.is_tripped()) return cancel_out(std::move(status));
  if (is_harmless(status)) return status;
  if (failure_) failure_ = status;  // the first one is why the transaction fails
  // The session may still be executing it.
  return status.code == Code::timeout && is_late() ? time_out() : status;
}

// Work: Status(Instant deadline, const ResultTable*& result): the result that tells the id.
template <typename Work>
Status Transaction::statement(const CallLimits& limits, Work&& work) {
  if (Status refused = refusal(); !refused) return refused;
  const bool is_asked = wants_id();
  const Instant limit = limits.timeout.ns() < 0 ? Instant::never() : pool().clock().now() + limits.timeout;
  const ResultTable* result = nullptr;
  Status status = lease_.cancellable(cancel_.get(), [&] {
    return lease_.cancellable(limits.cancel, [&] { return work(earliest(deadline_, limit), result); });
  });
  if (!status) return note_failure(std::move(status));
  note_success(result, is_asked);
  return status;
}

Status Transaction::query(QueryRequest request, const CallLimits& limits, ResultTable& out) {
  return statement(limits, [&](Instant deadline, const ResultTable*& result) {
    request.deadline = deadline;
    request.wants_transaction = wants_id();
    request.is_read_only = kind_.is_read_only;
    result = &out;
    return lease_.query(request, out);
  });
}

Status Transaction::stream(QueryRequest request, const CallLimits& limits, RowSink& sink, ResultTable& out) {
  return statement(limits, [&](Instant deadline, const ResultTable*& result) {
    request.deadline = deadline;
    request.wants_transaction = wants_id();
    request.is_read_only = kind_.is_read_only;
    result = &out;
    return lease_.stream(request, sink, out);
  });
}

Status Transaction::batch(std::span<QueryRequest> requests, const CallLimits& limits, std::vector<ResultTable>& out,
                          size_t& failed_at) {
  return statement(limits, [&](Instant deadline, const ResultTable*& result) {
    for (QueryRequest& request : requests) {
      request.deadline = deadline;
      request.is_read_only = kind_.is_read_only;
    }
    requests.back().wants_transaction = wants_id();
    Status status = lease_.batch(requests, deadline, out, failed_at);
    if (status) result = &out.back();
    return status;
  });
}

Status Transaction::savepoint_word(std::string_view word, std::string_view name) {
  if (!is_savepoint_name(name)) {
    return Status::error(Code::bad_argument,
                         "invalid name of a savepoint: \"" + std::string(name.substr(0, kSavepointNameMax)) + "\"",
                         "Accepted: 1 to 62 letters, digits and underscores.");
  }
  const std::string text = std::string(word) + " \"" + std::string(name) + "\"";
  QueryRequest request;
  request.sql = text;
  request.deadline = deadline_;
  ResultTable unused;
  Status status = lease_.cancellable(cancel_.get(), [&] { return lease_.query(request, unused); });
  return status ? status : note_failure(std::move(status));
}

Status Transaction::savepoint(std::string_view name) {
  Status refused = refusal();
  return refused ? savepoint_word("SAVEPOINT", name) : refused;
}

Status Transaction::release(std::string_view name) {
  Status refused = refusal();
  return refused ? savepoint_word("RELEASE SAVEPOINT", name) : refused;
}

// The only statement that a failed transaction accepts.
Status Transaction::rollback_to(std::string_view name) {
  const bool is_failed = (failure_.code == Code::database || failure_.code == Code::cancelled) && !is_lost(failure_);
  if (Status stopped = stop(); !stopped) return stopped;
  if (!failure_ && !is_failed) return refusal();
  Status status = savepoint_word("ROLLBACK TO SAVEPOINT", name);
  if (status) failure_ = Status::ok();
  return status;
}

// ---- the end --------------------------------------------------------------------------------------------------------

void Transaction::finish(Ending ending) {
  ending_ = ending;
  if (std::exchange(is_open_, false)) lease_.count_transaction();
  if (is_repetition_ && ending == Ending::committed) lease_.count_retry_helped();
  owned_.release();
}

void Transaction::roll_back() {
  if (!is_open_) return;
  const bool is_gone = !failure_ && (is_lost(failure_) || failure_.code == Code::stale_lease);
  if (!is_gone && lease_.is_in_transaction()) {
    QueryRequest request;
    request.sql = "ROLLBACK";
    request.deadline = pool().clock().now() + kRollbackTimeout;
    ResultTable unused;
    if (!lease_.query(request, unused)) {  // the end of the session does it
      if (std::exchange(is_open_, false)) lease_.count_transaction();
      owned_.discard();
    }
  }
  finish(Ending::rolled_back);
}

Status Transaction::commit(bool is_body) {
  if (Status stopped = stop(); !stopped) return stopped;
  if (!failure_) {
    roll_back();
    return is_body || failure_.code == Code::stale_lease ? failure_ : not_committed(failure_);
  }
  return send_commit();
}

Status Transaction::send_commit() {
  QueryRequest request;
  request.sql = "COMMIT";
  request.deadline = deadline_;
  ResultTable unused;
  Status status = lease_.query(request, unused);
  is_commit_sent_ = !status.is_unexecuted;
  if (status) {
    finish(Ending::committed);
    return status;
  }
  if (status.code == Code::unknown_outcome) {  // the database cannot tell either
    failure_ = status;
    finish(Ending::unknown);
    return status;
  }
  if (words_ == nullptr || is_answered(status)) {
    failure_ = status;
    is_known_uncommitted_ = true;
    roll_back();
    return status.code == Code::timeout && is_late() ? was_late() : status;
  }
  return settle_commit(std::move(status));
}

// COMMIT was sent, and not answered.
Status Transaction::settle_commit(Status lost) {
  failure_ = lost;
  finish(Ending::unknown);  // the session may be of no more use, and the question needs another one
  if (kind_.is_read_only || (is_checked_ && id_.empty() && !may_have_written_)) {
    ending_ = Ending::rolled_back;
    lost.is_retryable = true;
    lost.text().detail += (lost.detail().empty() ? "" : " ") + std::string("The transaction had written nothing.");
    return lost;
  }
  if (id_.empty()) {
    return unknown_outcome(lost, id_,
                           is_checked_ ? "Its id is not known." : "Its id is not known because commit_check is off.");
  }
  const Instant now = pool().clock().now();
  const Instant give_up = earliest(latest(deadline_, now + kAskAtLeast), now + kAskAtMost);
  std::string why;
  switch (ask_outcome(pool(), pauses_, {*words_, id_, server_, give_up}, why)) {
    case Outcome::committed: ending_ = Ending::committed; return Status::ok();
    case Outcome::aborted:
      ending_ = Ending::rolled_back;
      is_known_uncommitted_ = true;
      lost.is_retryable = true;
      lost.text().detail += (lost.detail().empty() ? "" : " ") + std::string("The transaction was not committed.");
      return lost;
    case Outcome::unknown: break;
  }
  return unknown_outcome(lost, id_, std::move(why));
}

bool Transaction::is_repeatable() const {
  if (failure_ || ending_ != Ending::rolled_back) return false;
  if (is_conflict(failure_)) return true;
  return is_lost(failure_) && (is_known_uncommitted_ || (!has_succeeded_ && !is_commit_sent_));
}

}  // namespace tide
