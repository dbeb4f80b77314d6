#include "service/service.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

#include "pool/keeper.hpp"
#include "service/attending.hpp"
#include "service/cache/cached_calls.hpp"
#include "service/executor.hpp"
#include "service/lease_use.hpp"
#include "service/replicas.hpp"
#include "service/retry.hpp"
#include "service/transaction.hpp"
#include "service/transaction_book.hpp"
#include "statement/transactions.hpp"

namespace tide {
namespace {

QueryRequest request_of(const Call& call) {
  QueryRequest request;
  request.sql = call.sql;
  request.params = call.params;
  request.placeholders = call.placeholders;
  request.names = call.names;
  request.rows_max = call.rows_max;
  request.bytes_max = call.bytes_max;
  request.is_first_row_only = call.kind == Call::Kind::first;
  return request;
}

Status control_refused(std::string_view what, std::string_view sql) {
  constexpr size_t kShown = 40;
  return Status::error(Code::refused, std::string(what) + " does not accept statements that begin or end a transaction",
                       "Found: \"" + std::string(sql.substr(0, kShown)) + "\".",
                       "Begin, commit and roll back with the functions for transactions.");
}

// The lease ends with the call, and the transaction with the lease, although the caller expects to be inside it.
Status left_open() {
  Status status =
      Status::error(Code::bad_argument, "the statement left a transaction open",
                    "The next call may use another connection; the transaction is rolled back.",
                    "Use tide_pool_transaction(), or a lease (tide_pool_acquire()) for the whole transaction.");
  status.text().sqlstate = "25001";
  return status;
}

Status name_statement(Status status, size_t failed_at, size_t count) {
  const std::string which =
      failed_at < count ? "Statement " + std::to_string(failed_at + 1) + " of " : std::string("The commit of ");
  status.text().detail = which + std::to_string(count) + "." + (status.detail().empty() ? "" : " ") + status.detail();
  return status;
}

// The error of a batch; other errors than those of a statement do not belong to one.
Status batch_error(Status status, size_t failed_at, size_t count) {
  const bool is_of_statement = status.code == Code::database || status.code == Code::bad_argument;
  return is_of_statement ? name_statement(std::move(status), failed_at, count) : status;
}

// Whether rows have reached the caller.
class WatchedSink final : public RowSink {
 public:
  explicit WatchedSink(RowSink& sink) : sink_(sink) {}
  bool take(const ResultTable& page) override {
    has_taken_ = true;
    return sink_.take(page);
  }
  bool has_taken() const { return has_taken_; }

 private:
  RowSink& sink_;
  bool has_taken_ = false;
};

}  // namespace

struct Service::Parts {
  Parts(Pool& of, ServiceNeeds needs)
      : pool(of),
        cache_channel(std::move(needs.cache_channel)),
        pauses(std::move(needs.pause), needs.seed),
        later(std::move(needs.later)),
        cached(
            pool,
            [this](const Call& call, const CallTerms& terms, ResultTable& out) { return execute(call, terms, out); },
            [this](std::function<void()> work) { return run_later(std::move(work)); }),
        attending(cached.cache(), listener),
        listener(of, std::move(needs.listening)) {}

  Pool& pool;
  const std::string cache_channel;
  Pauses pauses;
  TransactionBook book;
  const std::function<Status(std::function<void()>)> later;
  CachedCalls cached;
  Attending attending;
  Executor executor;
  Listener listener;
  Replicas* replicas = nullptr;  // none: the pool is alone

  Status run_later(std::function<void()> work) {
    return later != nullptr ? later(std::move(work)) : executor.run(std::move(work));
  }
  // Reads go to a replica, if there is one.
  Status acquire(OwnLease& lease, const AcquireRequest& request) const {
    if (replicas == nullptr || request.mode != LeaseMode::read) [[likely]]
      return lease.acquire(request);
    return replicas->acquire(lease, request);
  }
  // After a failure of a statement on the lease.
  void note_lost(const OwnLease& lease, const Status& status) const {
    if (replicas != nullptr && is_lost(status)) replicas->note_lost(lease.pool(), status);
  }

  Dialect dialect() const { return pool.backend() == Backend::postgresql ? Dialect::postgresql : Dialect::sqlite; }
  Instant deadline_of(Span timeout) const { return timeout.ns() < 0 ? Instant::never() : pool.clock().now() + timeout; }
  Span left_until(Instant deadline) const {
    return deadline == Instant::never() ? Span::nanos(-1) : std::max(deadline - pool.clock().now(), Span());
  }
  // A transaction may last longer than anyone should wait for a connection.
  Span wait_until(Instant deadline) const {
    const Span limit = pool.fast_policy().acquire_timeout();
    return deadline == Instant::never() ? limit : std::min(limit, left_until(deadline));
  }
  // A read lease makes SQLite's transaction read-only, and lets PostgreSQL's go to a replica, which has no serializable
  // transactions. Without replicas that is so by its BEGIN, without further round trips.
  LeaseMode mode_of(const TransactionTerms& terms) const {
    const bool may_leave = replicas != nullptr && terms.isolation != Isolation::serializable;
    const bool needs_lease = pool.backend() != Backend::postgresql || may_leave;
    return terms.is_read_only && needs_lease ? LeaseMode::read : LeaseMode::read_write;
  }
  AcquireRequest lease_request_of(const TransactionTerms& terms, Instant deadline) const {
    return {terms.tag, mode_of(terms), wait_until(deadline), terms.priority, terms.cancel};
  }
  Status check(const Call& call) const {
    if (call.kind != Call::Kind::execute || !is_transaction_control(call.sql, dialect())) return Status::ok();
    return control_refused("execute", call.sql);
  }
  Status check_batch(std::span<const Call> calls) const {
    for (size_t i = 0; i < calls.size(); ++i) {
      if (!is_transaction_control(calls[i].sql, dialect())) continue;
      return name_statement(control_refused("a batch", calls[i].sql), i, calls.size());
    }
    return Status::ok();
  }
  // After an error of a statement that was executed outside of a transaction of the caller.
  bool may_repeat(const Status& status, const Call& call, const CallTerms& terms) const {
    if (is_conflict(status)) return is_one_transaction(call.sql, dialect());
    return is_lost(status) && (terms.mode == LeaseMode::read || status.is_unexecuted);
  }
  static std::vector<QueryRequest> requests_of(std::span<const Call> calls) {
    std::vector<QueryRequest> requests;
    requests.reserve(calls.size());
    for (const Call& call : calls) requests.push_back(request_of(call));
    return requests;
  }

  Status execute(const Call& call, const CallTerms& terms, ResultTable& out);
  // Work: Status(OwnLease&, Instant deadline); MayRepeat: bool(const Status&).
  template <typename Work, typename MayRepeat>
  Status on_pool(const CallTerms& terms, Work&& work, MayRepeat&& may_repeat_it);
  // Work: Status(Transaction&).
  template <typename Work>
  Status in_transaction(TransactionId id, Work&& work);
  Status run_body(TransactionId id, Transaction& transaction, const Body& body);
  // One attempt. `may_repeat` is set.
  Status attempt(const std::shared_ptr<Transaction>& transaction, const Body& body, bool& may_repeat);
  Status check_free(LeaseUse lease) const;
  Status end(TransactionId id, bool is_commit);
};

Service::Service(Pool& pool, ServiceNeeds needs) : parts_(std::make_unique<Parts>(pool, std::move(needs))) {
  pool.keeper().set_attendant(&parts_->attending);
}

Service::~Service() {
  parts_->pool.keeper().set_attendant(nullptr);
  for (const std::shared_ptr<Transaction>& transaction : parts_->book.take_all()) {
    const Transaction::Entry entry(*transaction, false);
    if (entry.status()) transaction->roll_back();
  }
}

// Without a subscription the cache stays blind: then every query is executed.
void Service::start() {
  if (parts_->cache_channel.empty()) return;
  const auto tell = [&cache = parts_->cached.cache()](SubscriptionId, const ListenEvent& event) {
    switch (event.kind) {
      case ListenEvent::Kind::ready:
      case ListenEvent::Kind::gap: return cache.listening();
      case ListenEvent::Kind::lost: return cache.lost();
      case ListenEvent::Kind::notification: return cache.notified(event.text);
    }
  };
  const auto subscribed = parts_->listener.subscribe(parts_->cache_channel, Listener::Side::ours, tell);
  if (subscribed) return;
  parts_->pool.keeper().note_later(
      EventKind::listen_lost, Severity::warning,
      "the query cache is not used, because it cannot listen to its channel: " + subscribed.status().message());
}

// ---- statements on the pool -----------------------------------------------------------------------------------------

template <typename Work, typename MayRepeat>
Status Service::Parts::on_pool(const CallTerms& terms, Work&& work, MayRepeat&& may_repeat_it) {
  const Instant deadline = deadline_of(terms.timeout);
  Retry retry(pauses, pool.fast_policy(), terms.retry_attempts, deadline, terms.cancel);
  for (;;) {
    OwnLease lease(pool);
    const AcquireRequest request{terms.tag, terms.mode, left_until(deadline), terms.priority, terms.cancel};
    if (Status acquired = acquire(lease, request); !acquired) return acquired;
    if (retry.is_repeating()) lease.count_retry();
    Status status = lease.cancellable(terms.cancel, [&] { return work(lease, deadline); });
    if (status) [[likely]] {
      if (retry.is_repeating()) lease.count_retry_helped();
      if (!lease.is_in_transaction()) [[likely]]
        return status;
      return left_open();
    }
    note_lost(lease, status);
    if (!may_repeat_it(status)) return status;
    lease.release();
    if (!retry.again(pool.clock().now(), status)) return status;
  }
}

Status Service::Parts::execute(const Call& call, const CallTerms& terms, ResultTable& out) {
  QueryRequest request = request_of(call);
  Status status = on_pool(
      terms,
      [&](const OwnLease& lease, Instant deadline) {
        request.deadline = deadline;
        return lease.query(request, out);
      },
      [&](const Status& failure) { return may_repeat(failure, call, terms); });
  if (!status) out.clear();
  return status;
}

Status Service::run(const Call& call, const CallTerms& terms, ResultTable& out) {
  if (Status checked = parts_->check(call); !checked) return checked;
  return terms.cache.is_wanted ? parts_->cached.run(call, terms, out) : parts_->execute(call, terms, out);
}

Status Service::stream(const Call& call, const CallTerms& terms, RowSink& sink, ResultTable& out) {
  if (Status checked = parts_->check(call); !checked) return checked;
  QueryRequest request = request_of(call);
  WatchedSink watched(sink);
  return parts_->on_pool(
      terms,
      [&](const OwnLease& lease, Instant deadline) {
        request.deadline = deadline;
        return lease.stream(request, watched, out);
      },
      [&](const Status& failure) { return !watched.has_taken() && parts_->may_repeat(failure, call, terms); });
}

Status Service::open_rows(const Call& call, const CallTerms& terms, LeaseId& lease, const Pool*& from,
                          ResultTable& page) {
  if (Status checked = parts_->check(call); !checked) return checked;
  if (is_transaction_control(call.sql, parts_->dialect())) return control_refused("reading rows", call.sql);
  QueryRequest request = request_of(call);
  const Instant deadline = parts_->deadline_of(terms.timeout);
  Retry retry(parts_->pauses, parts_->pool.fast_policy(), terms.retry_attempts, deadline, terms.cancel);
  for (;;) {
    OwnLease own(parts_->pool);
    const AcquireRequest wanted{terms.tag, terms.mode, parts_->left_until(deadline), terms.priority, terms.cancel};
    if (Status acquired = parts_->acquire(own, wanted); !acquired) return acquired;
    if (retry.is_repeating()) own.count_retry();
    request.deadline = deadline;
    Status status = own.cancellable(terms.cancel, [&] { return own.open_rows(request, page); });
    if (status) {
      if (retry.is_repeating()) own.count_retry_helped();
      from = &own.pool();
      lease = own.take();
      return status;
    }
    parts_->note_lost(own, status);
    own.release();
    if (!parts_->may_repeat(status, call, terms) || !retry.again(parts_->pool.clock().now(), status)) return status;
  }
}

Status Service::batch(std::span<const Call> calls, const CallTerms& terms, std::vector<ResultTable>& out) {
  out.clear();
  if (Status checked = parts_->check_batch(calls); !checked) return checked;
  if (calls.empty()) return Status::ok();
  const std::vector<QueryRequest> requests = Parts::requests_of(calls);
  size_t failed_at = 0;
  Status status = parts_->on_pool(
      terms, [&](const OwnLease& lease, Instant deadline) { return lease.batch(requests, deadline, out, failed_at); },
      [&](const Status& failure) {
        return is_conflict(failure) || (is_lost(failure) && (terms.mode == LeaseMode::read || failure.is_unexecuted));
      });
  if (!status) out.clear();
  return status ? status : batch_error(std::move(status), failed_at, calls.size());
}

// ---- statements on a lease ------------------------------------------------------------------------------------------

Status Service::run_on(LeaseId lease, const Call& call, const CallLimits& limits, ResultTable& out) {
  if (Status checked = parts_->check(call); !checked) return checked;
  QueryRequest request = request_of(call);
  request.deadline = parts_->deadline_of(limits.timeout);
  const LeaseUse use(parts_->pool, lease);
  return use.cancellable(limits.cancel, [&] { return use.query(request, out); });
}

Status Service::stream_on(LeaseId lease, const Call& call, const CallLimits& limits, RowSink& sink, ResultTable& out) {
  if (Status checked = parts_->check(call); !checked) return checked;
  QueryRequest request = request_of(call);
  request.deadline = parts_->deadline_of(limits.timeout);
  const LeaseUse use(parts_->pool, lease);
  return use.cancellable(limits.cancel, [&] { return use.stream(request, sink, out); });
}

Status Service::open_rows_on(LeaseId lease, const Call& call, const CallLimits& limits, ResultTable& page) {
  if (Status checked = parts_->check(call); !checked) return checked;
  QueryRequest request = request_of(call);
  request.deadline = parts_->deadline_of(limits.timeout);
  const LeaseUse use(parts_->pool, lease);
  return use.cancellable(limits.cancel, [&] { return use.open_rows(request, page); });
}

Status Service::batch_on(LeaseId lease, std::span<const Call> calls, const CallLimits& limits,
                         std::vector<ResultTable>& out) {
  out.clear();
  if (Status checked = parts_->check_batch(calls); !checked) return checked;
  if (calls.empty()) return Status::ok();
  const std::vector<QueryRequest> requests = Parts::requests_of(calls);
  size_t failed_at = 0;
  const Instant deadline = parts_->deadline_of(limits.timeout);
  const LeaseUse use(parts_->pool, lease);
  Status status = use.cancellable(limits.cancel, [&] { return use.batch(requests, deadline, out, failed_at); });
  return status ? status : batch_error(std::move(status), failed_at, calls.size());
}

// ---- statements in a transaction ------------------------------------------------------------------------------------

template <typename Work>
Status Service::Parts::in_transaction(TransactionId id, Work&& work) {
  const std::shared_ptr<Transaction> transaction = book.find(id);
  if (transaction == nullptr) return book.refusal(id);
  const Transaction::Entry entry(*transaction, false);
  return entry.status() ? work(*transaction) : entry.status();
}

Status Service::run_in(TransactionId id, const Call& call, const CallLimits& limits, ResultTable& out) {
  return parts_->in_transaction(id, [&](Transaction& transaction) -> Status {
    if (is_transaction_control(call.sql, parts_->dialect())) return control_refused("a transaction", call.sql);
    return transaction.query(request_of(call), limits, out);
  });
}

Status Service::stream_in(TransactionId id, const Call& call, const CallLimits& limits, RowSink& sink,
                          ResultTable& out) {
  return parts_->in_transaction(id, [&](Transaction& transaction) -> Status {
    if (is_transaction_control(call.sql, parts_->dialect())) return control_refused("a transaction", call.sql);
    return transaction.stream(request_of(call), limits, sink, out);
  });
}

Status Service::batch_in(TransactionId id, std::span<const Call> calls, const CallLimits& limits,
                         std::vector<ResultTable>& out) {
  out.clear();
  return parts_->in_transaction(id, [&](Transaction& transaction) -> Status {
    if (Status checked = parts_->check_batch(calls); !checked) return checked;
    if (calls.empty()) return Status::ok();
    std::vector<QueryRequest> requests = Parts::requests_of(calls);
    size_t failed_at = 0;
    Status status = transaction.batch(requests, limits, out, failed_at);
    return status ? status : batch_error(std::move(status), failed_at, calls.size());
  });
}

// ---- transactions ---------------------------------------------------------------------------------------------------

Status Service::Parts::check_free(LeaseUse lease) const {
  LeaseFacts facts;
  if (lease.facts(facts) != Code::ok) {
    return Status::error(Code::stale_lease, "the lease has already ended",
                         "it was released or revoked, or was never issued by its pool");
  }
  if (!facts.is_in_transaction) return Status::ok();
  return Status::error(Code::refused, "a transaction is already open on the lease", "", "End it first.");
}

Status Service::Parts::run_body(TransactionId id, Transaction& transaction, const Body& body) {
  const int answer = body(id);
  if (answer == 0) return transaction.commit(true);
  transaction.roll_back();
  const Ending ending = transaction.ending();
  if (ending == Ending::timed_out || ending == Ending::cancelled) return transaction.commit(true);  // says so
  if (!transaction.failure()) return transaction.failure();
  return Status::error(Code::rolled_back,
                       "the transaction was rolled back because its body returned " + std::to_string(answer));
}

Status Service::Parts::attempt(const std::shared_ptr<Transaction>& transaction, const Body& body, bool& may_repeat) {
  Status status = transaction->begin();
  if (status) {
    const TransactionId id = book.add(transaction);
    try {
      status = run_body(id, *transaction, body);
    } catch (...) {
      transaction->roll_back();
      book.end(id, transaction->ending());
      throw;
    }
    book.end(id, transaction->ending());
  }
  may_repeat = !status && transaction->is_repeatable();
  return status;
}

Status Service::transact(const TransactionTerms& terms, const Body& body) {
  const Instant deadline = parts_->deadline_of(terms.timeout);
  Retry retry(parts_->pauses, parts_->pool.fast_policy(), terms.retry_attempts, deadline, terms.cancel);
  for (;;) {
    OwnLease lease(parts_->pool);
    if (Status acquired = parts_->acquire(lease, parts_->lease_request_of(terms, deadline)); !acquired) return acquired;
    if (retry.is_repeating()) lease.count_retry();
    bool may_repeat = false;
    const auto transaction =
        std::make_shared<Transaction>(lease, parts_->pauses, terms, deadline, Transaction::Holder::body);
    if (retry.is_repeating()) transaction->mark_repetition();
    Status status = parts_->attempt(transaction, body, may_repeat);
    parts_->note_lost(lease, status);
    if (!may_repeat || !retry.again(parts_->pool.clock().now(), status)) return status;
  }
}

Status Service::transact_on(LeaseId lease, const TransactionTerms& terms, const Body& body) {
  const Instant deadline = parts_->deadline_of(terms.timeout);
  const LeaseUse use(parts_->pool, lease);
  if (Status checked = parts_->check_free(use); !checked) return checked;
  Retry retry(parts_->pauses, parts_->pool.fast_policy(), terms.retry_attempts, deadline, terms.cancel);
  for (;;) {
    if (retry.is_repeating()) use.count_retry();
    bool may_repeat = false;
    const auto transaction =
        std::make_shared<Transaction>(use, parts_->pauses, terms, deadline, Transaction::Holder::body);
    if (retry.is_repeating()) transaction->mark_repetition();
    Status status = parts_->attempt(transaction, body, may_repeat);
    if (!may_repeat || !is_conflict(status) || !retry.again(parts_->pool.clock().now(), status)) return status;
  }
}

Status Service::begin(const TransactionTerms& terms, TransactionId& out) {
  const Instant deadline = parts_->deadline_of(terms.timeout);
  OwnLease lease(parts_->pool);
  if (Status acquired = parts_->acquire(lease, parts_->lease_request_of(terms, deadline)); !acquired) return acquired;
  const auto transaction =
      std::make_shared<Transaction>(lease, parts_->pauses, terms, deadline, Transaction::Holder::handle);
  Status status = transaction->begin();
  if (status) out = parts_->book.add(transaction);
  return status;
}

Status Service::begin_on(LeaseId lease, const TransactionTerms& terms, TransactionId& out) {
  const LeaseUse use(parts_->pool, lease);
  if (Status checked = parts_->check_free(use); !checked) return checked;
  const auto transaction = std::make_shared<Transaction>(use, parts_->pauses, terms, parts_->deadline_of(terms.timeout),
                                                         Transaction::Holder::handle);
  Status status = transaction->begin();
  if (status) out = parts_->book.add(transaction);
  return status;
}

Status Service::savepoint(TransactionId id, std::string_view name) {
  return parts_->in_transaction(id, [&](Transaction& transaction) { return transaction.savepoint(name); });
}

Status Service::rollback_to(TransactionId id, std::string_view name) {
  return parts_->in_transaction(id, [&](Transaction& transaction) { return transaction.rollback_to(name); });
}

Status Service::release(TransactionId id, std::string_view name) {
  return parts_->in_transaction(id, [&](Transaction& transaction) { return transaction.release(name); });
}

Status Service::Parts::end(TransactionId id, bool is_commit) {
  const std::shared_ptr<Transaction> transaction = book.find(id);
  if (transaction == nullptr) return book.refusal(id);
  const Transaction::Entry entry(*transaction, true);
  if (!entry.status()) return entry.status();
  Status status;
  if (is_commit)
    status = transaction->commit(false);
  else
    transaction->roll_back();
  book.end(id, transaction->ending());
  return status;
}

Status Service::commit(TransactionId id) { return parts_->end(id, true); }

Status Service::rollback(TransactionId id) { return parts_->end(id, false); }

QueryCache& Service::cache() { return parts_->cached.cache(); }

// ---- replicas -------------------------------------------------------------------------------------------------------

void Service::set_replicas(Replicas* replicas) { parts_->replicas = replicas; }

// ---- asynchronous calls ---------------------------------------------------------------------------------------------

Status Service::run_later(std::function<void()> work) { return parts_->executor.run(std::move(work)); }

Listener& Service::listener() { return parts_->listener; }

bool Service::finish(Instant give_up) {
  const bool have_heard_all = parts_->listener.finish(give_up);
  return parts_->executor.finish(parts_->pool.clock(), give_up) && have_heard_all;
}

}  // namespace tide
