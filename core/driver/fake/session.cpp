#include "driver/fake/session.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <new>
#include <utility>

#include "base/assert.hpp"
#include "driver/fake/words.hpp"

namespace tide::fake {
namespace {

Status timed_out() {
  Status status = Status::error(Code::timeout, "the statement did not finish in time");
  status.text().sqlstate = "57014";
  status.is_retryable = false;
  return status;
}

Instant limit_of(Instant now, Span span) { return span.is_zero() ? Instant::never() : now + span; }

}  // namespace

FakeServer::Client::Client(FakeServer& server, std::shared_ptr<Session> session, const Policy& policy)
    : server_(server), session_(std::move(session)), policy_(policy) {}

FakeServer::Client::~Client() {
  if (is_abandoned_) return;
  disarm();
  std::unique_lock lock(server_.mutex_);
  server_.changed_.wait(lock, [this] { return !is_busy_; });  // a revoked holder that is returning
  forget_transaction();
  server_.drop_session(*session_);
  server_.sessions_.erase(session_->pid);
}

Status FakeServer::Client::begin_lease(LeaseMode mode, Instant) {
  const std::lock_guard lock(server_.mutex_);
  if (is_disarmed_) return gone();
  TIDE_ASSERT(!is_busy_);
  TIDE_ASSERT(!is_in_transaction_);  // Q3
  ++lease_;
  mode_ = mode;
  return Status::ok();
}

Status FakeServer::Client::begin_call() {
  if (is_disarmed_) return gone();
  TIDE_ASSERT(!is_busy_);
  if (rows_ != nullptr) return Status::error(Code::refused, "rows of the previous statement are still being read");
  is_busy_ = true;
  is_cancelled_ = false;
  idle_since_ = {};
  server_.advance(server_.clock_.now());
  return Status::ok();
}

void FakeServer::Client::end_call() {
  if (is_in_transaction_) idle_since_ = server_.clock_.now();
  is_busy_ = false;
  server_.changed_.notify_all();
}

Status FakeServer::Client::query(const QueryRequest& request, ResultTable& out) {
  Lock lock(server_.mutex_);
  out.clear();
  if (Status begun = begin_call(); !begun) return begun;
  Status status = execute(lock, request, out);
  end_call();
  return status;
}

// One statement, within a call.
Status FakeServer::Client::execute(Lock& lock, const QueryRequest& request, ResultTable& out) {
  ++queries_total_;
  ++server_.queries_total_;
  const Instant now = server_.clock_.now();
  const Instant deadline = earliest(
      request.deadline, earliest(limit_of(now, policy_.query_timeout), limit_of(now, policy_.statement_timeout)));
  Status status = run(lock, request, deadline, out);
  if (status && request.rows_max > 0 && out.rows() > request.rows_max) status = refuse("54000", "too many rows");
  if (!status) {
    out.clear();
    is_failed_ = is_in_transaction_;
    return status;
  }
  if (request.is_first_row_only) out.cut(1);
  const auto& transaction = session_->transaction;
  if (request.wants_transaction && transaction)
    out.set_transaction(transaction->id() == 0 ? std::string() : std::to_string(transaction->id()), incarnation());
  return status;
}

Status FakeServer::Client::run(Lock& lock, const QueryRequest& request, Instant deadline, ResultTable& out) {
  const Instant now = server_.clock_.now();
  const Span latency = server_.latencies_.query.draw(server_.rng_);
  if (!session_->is_alive) {
    Status status = gone();
    status.is_unexecuted = true;
    return status;
  }
  if (session_->is_half_open && deadline >= Instant::never()) return refuse("08006", "no response from the server");
  if (session_->is_half_open || now + latency > deadline) {
    pass_time(lock, std::max(deadline - now, Span()));
    return timed_out();
  }
  pass_time(lock, latency);
  const Fault fault = ask_fault(lock, request.sql);
  if (fault != Fault::none) return run_with(fault, lock, request, deadline, out);
  return run_word(lock, request, deadline, out);
}

Fault FakeServer::Client::ask_fault(Lock& lock, std::string_view sql) {
  if (!server_.faults_) return Fault::none;
  const FakeServer::Faults faults = server_.faults_;
  lock.unlock();
  const Fault fault = faults(sql);
  lock.lock();
  return session_->is_alive ? fault : Fault::lost_unexecuted;
}

Status FakeServer::Client::run_with(Fault fault, Lock& lock, const QueryRequest& request, Instant deadline,
                                    ResultTable& out) {
  Status status;
  switch (fault) {
    case Fault::none: break;
    case Fault::lost_unsent:
      status = lose();
      status.is_unexecuted = true;
      return status;
    case Fault::lost_unexecuted: return lose();
    case Fault::lost_undecided:
      if (is_commit(request.sql) && session_->transaction && !is_failed_) {
        server_.undecided_.push_back(std::move(*session_->transaction));
        session_->transaction.reset();
      }
      return lose();
    case Fault::lost_executed: (void)run_word(lock, request, deadline, out); return lose();
    case Fault::late: (void)run_word(lock, request, deadline, out); return timed_out();
    case Fault::conflict:
      status = refuse("40001", "could not serialize access");
      status.is_retryable = true;
      return status;
    case Fault::deadlock:
      status = refuse("40P01", "deadlock detected");
      status.is_retryable = true;
      return status;
    case Fault::cancelled: return refuse("57014", "the statement was cancelled");
    case Fault::unconfirmed:
      (void)run_word(lock, request, deadline, out);
      status = refuse("58030", "the disk failed");
      status.code = Code::unknown_outcome;
      return status;
  }
  return status;
}

Status FakeServer::Client::run_word(Lock& lock, const QueryRequest& request, Instant deadline, ResultTable& out) {
  if (!ended_why_.empty() && !is_rollback(request.sql)) return refuse("25P03", ended_why_);
  if (is_failed_ && is_commit(request.sql)) {
    forget_transaction();
    return refuse("25P02", "the transaction had failed, and was rolled back");
  }
  if (is_failed_ && !is_rollback(request.sql))
    return refuse("25P02", "the transaction has failed; only rollback is accepted");
  if (request.sql == "wait") return wait(lock, deadline);
  if (server_.handler_) {
    const FakeServer::Handler handler = server_.handler_;
    lock.unlock();
    std::optional<Status> answered = handler(request, out);
    lock.lock();
    if (answered.has_value()) return std::move(*answered);
  }
  return answer(request, out);
}

Status FakeServer::Client::stream(const QueryRequest& request, RowSink& sink, ResultTable& out) {
  ResultTable page;
  Status status = open_rows(request, page);
  if (!status) return status;
  while (status) {
    const bool is_last = page.is_last_page();
    if (!sink.take(page) || is_last) break;
    status = fetch_rows(page, request.deadline);
  }
  close_rows();
  page.clear_rows();
  page.set_last_page(true);
  out = status ? std::move(page) : ResultTable();
  return status;
}

Status FakeServer::Client::open_rows(const QueryRequest& request, ResultTable& page) {
  Status status = query(request, page);
  if (!status) return status;
  const std::lock_guard lock(server_.mutex_);
  rows_ = std::make_unique<ResultTable>(std::move(page));
  rows_taken_ = 0;
  page = ResultTable();
  page.set_columns(rows_->shared_columns());
  page.set_affected(rows_->affected());
  page.set_transaction(rows_->transaction(), rows_->server());
  return take_page(page);
}

Status FakeServer::Client::fetch_rows(ResultTable& page, Instant) {
  const std::lock_guard lock(server_.mutex_);
  page.clear_rows();
  if (is_disarmed_) return gone();
  if (rows_ == nullptr) return Status::error(Code::refused, "no rows are being read");
  if (!session_->is_alive) {
    rows_.reset();
    return gone();
  }
  return take_page(page);
}

Status FakeServer::Client::take_page(ResultTable& page) {
  constexpr int64_t kRowsOfPage = 64;
  const int64_t end = std::min(rows_->rows(), rows_taken_ + kRowsOfPage);
  for (; rows_taken_ < end; ++rows_taken_) {
    for (int column = 0; column < rows_->columns(); ++column) add_value(rows_->cell(rows_taken_, column), page);
  }
  const bool is_last = rows_taken_ == rows_->rows();
  page.set_last_page(is_last);
  if (is_last) rows_.reset();
  return Status::ok();
}

void FakeServer::Client::close_rows() noexcept {
  const std::lock_guard lock(server_.mutex_);
  rows_.reset();
}

Status FakeServer::Client::batch(std::span<const QueryRequest> requests, Instant deadline,
                                 std::vector<ResultTable>& out, size_t& failed_at) {
  Lock lock(server_.mutex_);
  out.clear();
  if (Status begun = begin_call(); !begun) return begun;
  const bool is_own = !is_in_transaction_;
  Status status = is_own ? answer_transaction("begin") : Status::ok();
  for (size_t i = 0; i < requests.size() && status; ++i) {
    QueryRequest request = requests[i];
    request.deadline = earliest(request.deadline, deadline);
    failed_at = i;
    status = execute(lock, request, out.emplace_back());
  }
  if (status && is_own) {
    failed_at = requests.size();
    status = commit_batch(lock);
  }
  if (!status) {
    out.clear();
    if (is_own) forget_transaction();
  }
  end_call();
  return status;
}

Status FakeServer::Client::commit_batch(Lock& lock) {
  QueryRequest request;
  request.sql = "commit";
  ResultTable unused;
  const Fault fault = ask_fault(lock, request.sql);
  Status status = fault == Fault::none ? commit() : run_with(fault, lock, request, Instant::never(), unused);
  const bool is_lost = !session_->is_alive && fault != Fault::lost_unsent;
  if (!status && (is_lost || fault == Fault::late)) status.code = Code::unknown_outcome;
  return status;
}

Status FakeServer::Client::wait(Lock& lock, Instant deadline) {
  if (server_.time_passes_) {  // single thread: only the clock can end it
    TIDE_ASSERT(deadline < Instant::never());
    pass_time(lock, deadline - server_.clock_.now());
    return timed_out();
  }
  while (true) {
    if (!session_->is_alive || is_disarmed_) return gone();
    if (is_cancelled_) return refuse("57014", "the statement was cancelled");
    const Instant now = server_.clock_.now();
    if (now >= deadline) return timed_out();
    constexpr int64_t kSleepNsMax = 3'600'000'000'000;
    server_.changed_.wait_for(lock, std::chrono::nanoseconds(std::min((deadline - now).ns(), kSleepNsMax)));
  }
}

// The connection is lost now.
Status FakeServer::Client::lose() {
  server_.kill_session(*session_);
  return refuse("08006", "the connection was lost");
}

Status FakeServer::Client::gone() const {
  if (is_disarmed_) return Status::error(Code::stale_lease, "the session was revoked by the pool");
  return refuse("57P01", "the server ended the session");
}

void FakeServer::Client::pass_time(Lock& lock, Span span) {
  if (!server_.time_passes_ || span.is_zero()) return;
  const FakeServer::TimePasses time_passes = server_.time_passes_;
  lock.unlock();
  time_passes(span);
  lock.lock();
}

Settled FakeServer::Client::settle(ResetMode mode) noexcept {
  const std::lock_guard lock(server_.mutex_);
  rows_.reset();
  if (is_disarmed_ || !session_->is_alive) return Settled::broken;
  TIDE_ASSERT(!is_busy_);
  ++lease_;
  ended_why_.clear();
  if (is_in_transaction_) return mode == ResetMode::none ? Settled::broken : Settled::needs_reset;
  if (mode == ResetMode::full) return Settled::needs_reset;
  return mode == ResetMode::smart && is_altered_ ? Settled::needs_reset : Settled::clean;
}

void FakeServer::Client::cancel(uint64_t lease) noexcept {
  const std::lock_guard lock(server_.mutex_);
  if (!is_busy_ || (lease != kAnyLease && lease != lease_)) return;
  is_cancelled_ = true;
  server_.changed_.notify_all();
}

SessionFacts FakeServer::Client::facts() const noexcept {
  const std::lock_guard lock(server_.mutex_);
  SessionFacts facts;
  facts.is_in_transaction = is_in_transaction_;
  facts.transaction_since = transaction_since_;
  facts.idle_in_transaction_since = idle_since_;
  facts.queries_total = queries_total_;
  facts.statements = server_.statements_;
  facts.lease = lease_;
  return facts;
}

bool FakeServer::Client::end_transaction(std::string_view why, uint64_t lease) noexcept {
  const std::lock_guard lock(server_.mutex_);
  if (is_busy_ || !is_in_transaction_ || is_disarmed_ || !session_->is_alive) return false;
  if (lease != kAnyLease && lease != lease_) return false;
  try {
    std::string told(why);
    forget_transaction();
    ended_why_ = std::move(told);
  } catch (const std::bad_alloc&) {
    return false;
  }
  return true;
}

void FakeServer::Client::disarm() noexcept {
  const std::lock_guard lock(server_.mutex_);
  is_disarmed_ = true;
  // The socket is closed, but the server may notice later: the session counts until its close is answered.
  session_->is_alive = false;
  session_->is_loss_told = true;
  session_->is_disarmed = true;
  forget_transaction();
  server_.changed_.notify_all();
}

void FakeServer::Client::abandon() noexcept {
  const std::lock_guard lock(server_.mutex_);
  is_abandoned_ = true;
}

void FakeServer::Client::forget_transaction() noexcept {
  server_.abort_transaction(*session_);
  is_in_transaction_ = false;
  is_failed_ = false;
  ended_why_.clear();
  transaction_since_ = {};
  idle_since_ = {};
}

}  // namespace tide::fake
