#include "driver/fake/session.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <new>
#include <utility>

#include "base/assert.hpp"

namespace tide::fake {
namespace {

Status refuse(std::string_view sqlstate, std::string message) {
  Status status = Status::error(Code::database, std::move(message));
  status.sqlstate = sqlstate;
  return status;
}

Status timed_out() {
  Status status = Status::error(Code::timeout, "the statement did not finish in time");
  status.sqlstate = "57014";
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
  server_.drop_session(*session_);
  server_.sessions_.erase(session_->pid);
}

Status FakeServer::Client::begin_lease(LeaseMode mode, Instant) {
  const std::lock_guard lock(server_.mutex_);
  if (is_disarmed_) return gone();
  TIDE_ASSERT(!is_busy_);
  ++lease_;
  mode_ = mode;
  return Status::ok();
}

Status FakeServer::Client::query(const QueryRequest& request, ResultTable& out) {
  std::unique_lock lock(server_.mutex_);
  out.clear();
  if (is_disarmed_) return gone();
  TIDE_ASSERT(!is_busy_);
  is_busy_ = true;
  is_cancelled_ = false;
  idle_since_ = {};
  ++queries_total_;
  ++server_.queries_total_;
  const Instant now = server_.clock_.now();
  server_.advance(now);
  const Instant deadline = earliest(
      request.deadline, earliest(limit_of(now, policy_.query_timeout), limit_of(now, policy_.statement_timeout)));
  Status status = run(lock, request, deadline, out);
  if (!status) {
    out.clear();
    is_failed_ = is_in_transaction_;
  }
  if (is_in_transaction_) idle_since_ = server_.clock_.now();
  is_busy_ = false;
  server_.changed_.notify_all();
  return status;
}

Status FakeServer::Client::run(std::unique_lock<std::mutex>& lock, const QueryRequest& request, Instant deadline,
                               ResultTable& out) {
  const Instant now = server_.clock_.now();
  const Span latency = server_.latencies_.query.draw(server_.rng_);
  if (!session_->is_alive) return gone();
  if (session_->is_half_open && deadline >= Instant::never()) return refuse("08006", "no response from the server");
  if (session_->is_half_open || now + latency > deadline) {
    pass_time(lock, std::max(deadline - now, Span()));
    return timed_out();
  }
  pass_time(lock, latency);
  if (!ended_why_.empty() && request.sql != "rollback") return refuse("25P03", ended_why_);
  if (is_failed_ && request.sql != "rollback")
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

Status FakeServer::Client::answer(const QueryRequest& request, ResultTable& out) {
  const std::string_view sql = request.sql;
  if (sql != "echo" && !request.params.empty()) {
    return Status::error(Code::bad_argument, "the statement takes no parameters");
  }
  if (sql == "one") {
    out.add_column("value");
    out.add_text("1");
    return Status::ok();
  }
  if (sql == "echo") {
    for (size_t i = 0; i < request.params.size(); ++i) out.add_column("p" + std::to_string(i + 1));
    for (const SqlValue& param : request.params) param.is_null() ? out.add_null() : out.add_text(param.data);
    return Status::ok();
  }
  if (sql == "set") {
    is_altered_ = true;
    return Status::ok();
  }
  if (sql.starts_with("fail ") && sql.size() == 10) return refuse(sql.substr(5), "failed as requested");
  if (sql == "change" || sql.starts_with("change ")) {
    if (mode_ == LeaseMode::read) return refuse("25006", "cannot write on a read lease");
    int64_t rows = 1;
    if (sql.size() > 7) std::from_chars(sql.data() + 7, sql.data() + sql.size(), rows);
    out.set_affected(rows);
    return Status::ok();
  }
  if (sql.empty()) return Status::ok();
  return answer_transaction(sql);
}

Status FakeServer::Client::answer_transaction(std::string_view word) {
  if (word == "begin") {
    if (is_in_transaction_) return refuse("25001", "there is already a transaction");
    is_in_transaction_ = true;
    transaction_since_ = server_.clock_.now();
    return Status::ok();
  }
  if (word == "commit" || word == "rollback") {
    const bool is_owed = !ended_why_.empty();
    if (!is_in_transaction_ && !is_owed) return refuse("25P01", "there is no transaction");
    forget_transaction();
    return Status::ok();
  }
  return refuse("42601", "syntax error at \"" + std::string(word.substr(0, 40)) + "\"");
}

Status FakeServer::Client::wait(std::unique_lock<std::mutex>& lock, Instant deadline) {
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

Status FakeServer::Client::gone() const {
  if (is_disarmed_) return Status::error(Code::stale_lease, "the session was revoked by the pool");
  return refuse("57P01", "the server ended the session");
}

void FakeServer::Client::pass_time(std::unique_lock<std::mutex>& lock, Span span) {
  if (!server_.time_passes_ || span.is_zero()) return;
  const FakeServer::TimePasses time_passes = server_.time_passes_;
  lock.unlock();
  time_passes(span);
  lock.lock();
}

Settled FakeServer::Client::settle(ResetMode mode) noexcept {
  const std::lock_guard lock(server_.mutex_);
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
  is_in_transaction_ = false;
  is_failed_ = false;
  ended_why_.clear();
  transaction_since_ = {};
  idle_since_ = {};
}

}  // namespace tide::fake
