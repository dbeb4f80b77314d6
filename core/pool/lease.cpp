// Leases: acquire when no recently used connection is idle, and the operations of a holder on a lease.
#include <algorithm>
#include <thread>

#include "base/assert.hpp"
#include "pool/faults.hpp"
#include "pool/futex.hpp"
#include "pool/keeper.hpp"
#include "pool/pool.hpp"

namespace tide {

namespace {

// Within a lease, at least this much time passes between checks whether the database is alive, whatever
// validation_bypass says about the first statement.
constexpr int64_t kTrustWithinNs = 500'000'000;

}  // namespace

constinit thread_local SlotHint slot_hints[kSlotHints];

// Pool::WithdrawOnTrip: takes a request from the queue when its token is tripped.
class Pool::WithdrawOnTrip : public OnTrip {
 public:
  WithdrawOnTrip(Pool& pool, Ticket& ticket) : OnTrip(&WithdrawOnTrip::tripped), pool_(pool), ticket_(ticket) {}
  ~WithdrawOnTrip() { unwatch(); }
  WithdrawOnTrip(const WithdrawOnTrip&) = delete;
  WithdrawOnTrip& operator=(const WithdrawOnTrip&) = delete;
  // Before the ticket is queued. False: the token is tripped already.
  bool watch_for(const AcquireRequest& request) { return request.cancel == nullptr || watch(*request.cancel); }

 private:
  static void tripped(OnTrip& self) noexcept {
    auto& request = static_cast<WithdrawOnTrip&>(self);
    Deliveries deliveries;  // delivers when nothing here is used any more: the ticket may be the last of its pool
    request.pool_.wait_queue_.withdraw(request.ticket_, request.pool_.clock_.now(), deliveries);
  }

  Pool& pool_;
  Ticket& ticket_;
};

// Pool::AsyncTicket: a queued request without a thread.
struct Pool::AsyncTicket : Ticket {
  AsyncTicket(Pool& owner, const AcquireRequest& request, Instant now, AcquireDone call)
      : pool(owner),
        text(FixedText<64>::prefix_of(request.tag)),
        done(std::move(call)),
        withdraw_on_trip(owner, *this) {
    pool.callbacks_open_.fetch_add(1, std::memory_order_seq_cst);
    tag = text.c_str();
    queued_at = now;
    mode = request.mode;
    priority = request.priority;
    thread_id = current_thread_id();
    deliver = [](Ticket* ticket) {
      const std::unique_ptr<AsyncTicket> self(static_cast<AsyncTicket*>(ticket));
      self->finish();
    };
  }
  ~AsyncTicket() {
    withdraw_on_trip.unwatch();
    pool.callbacks_open_.fetch_sub(1, std::memory_order_seq_cst);  // the last access: after it the pool may be gone
  }
  AsyncTicket(const AsyncTicket&) = delete;
  AsyncTicket& operator=(const AsyncTicket&) = delete;
  void finish() {
    if (signal.load(std::memory_order_acquire) == kGranted) {
      pool.note_wait(*this);
      pool.seats_[lease.slot()].begin(lease.bits, mode);
      pool.tell_of_lease(PoolEvent::acquire, lease);
      done(Code::ok, lease, Status::ok());
    } else {
      done(refusal, {}, pool.explain(refusal, pool.clock_.now() - queued_at));
    }
  }
  Pool& pool;
  const std::string text;
  const AcquireDone done;
  WithdrawOnTrip withdraw_on_trip;
};

Span Pool::timeout_of(const AcquireRequest& request) const {
  if (request.timeout.ns() >= 0) return request.timeout;
  return fast_policy_.acquire_timeout();
}

// An idle connection may have exceeded its lifetime, or lost its server, since it was last checked. For a claimed slot.
bool Pool::is_worn(LeaseId lease, Instant now) {
  const format::Slot& s = board_.slot(lease.slot());
  if (is_fresh(s, now)) return false;
  Seat& seat = seats_[lease.slot()];
  const bool is_over = static_cast<int64_t>(read(s.expires_mono)) <= now.ns();
  if (!is_over && seat.connection->probe()) return false;
  seat.retire_reason = is_over ? CloseReason::lifetime : CloseReason::error;
  return true;
}

// For a claimed slot whose connection must be replaced: the keeper closes it.
void Pool::put_away(LeaseId lease) {
  const bool is_ended = board_.end(lease);
  TIDE_ASSERT(is_ended);
  board_.soil(lease);
  keeper_->poke();
}

// The slot that this thread leased last, if there are reserved slots (otherwise acquire_idle() has tried it), or any.
LeaseId Pool::claim_one(Priority priority) {
  if (priority == Priority::critical) return board_.claim_lowest(Reserved::preferred);
  if (board_.has_reserved()) {
    const SlotHint& hint = slot_hints[spec_.pool_key % kSlotHints];
    if (hint.pool_key == spec_.pool_key && !board_.is_reserved(hint.slot)) {
      if (const LeaseId lease = board_.claim(hint.slot); !lease.is_none()) return lease;
    }
  }
  return board_.claim_lowest(Reserved::excluded);
}

LeaseId Pool::claim_any(Instant now, Priority priority) {
  if (wait_queue_.gate() != Gate::running || !wait_queue_.may_overtake(now, priority)) return {};
  for (;;) {
    const LeaseId lease = claim_one(priority);
    if (lease.is_none()) return {};
    if (priority == Priority::normal && board_.is_reserved(lease.slot())) [[unlikely]] {  // since the claim (I11)
      board_.end(lease);
      wait_queue_.pass_on(lease, now);
      continue;
    }
    if (!is_worn(lease, now)) {
      slot_hints[spec_.pool_key % kSlotHints] = {spec_.pool_key, lease.slot()};
      return lease;
    }
    put_away(lease);
  }
}

LeaseId Pool::acquire_any(const char* tag, LeaseMode mode, Instant now) {
  const LeaseId lease = claim_any(now, Priority::normal);
  return lease.is_none() ? lease : begin(lease, tag, mode, now);
}

// A critical request, or one with a token.
Code Pool::acquire_special(const AcquireRequest& request, LeaseId& out) {
  if (request.cancel != nullptr && request.cancel->is_tripped()) return Code::cancelled;
  const Instant now = clock_.now();
  out = claim_any(now, request.priority);
  if (out.is_none()) return acquire_slow(request, out);
  out = begin(out, request.tag, request.mode, now);
  return Code::ok;
}

// For a claimed slot that was idle for long, or has exceeded its lifetime.
LeaseId Pool::begin_or_put_away(LeaseId lease, const char* tag, LeaseMode mode, Instant now) {
  if (!is_worn(lease, now)) return begin(lease, tag, mode, now);
  put_away(lease);
  return acquire_any(tag, mode, now);
}

LeaseId Pool::begin(LeaseId lease, const char* tag, LeaseMode mode, Instant now) {
  board_.write_holder(lease, tag, current_thread_id(), now);
  begin_noted(lease, mode);
  if (listeners_.is_any()) tell_of_lease(PoolEvent::acquire, lease);
  return lease;
}

// For a claimed slot that may be a new peak.
LeaseId Pool::begin_noted(LeaseId lease, LeaseMode mode) {
  Seat& seat = seats_[lease.slot()];
  if (!in_use_peak_.is_known(seat.peak_mark)) seat.peak_mark = in_use_peak_.note(lease.slot());
  seat.begin(lease.bits, mode);
  return lease;
}

// A reason to refuse a request at once; ok: it may queue.
Code Pool::refusal_now(Instant now) const {
  const Gate gate = wait_queue_.gate();
  if (gate == Gate::closed || gate == Gate::draining) return Code::closed;
  return errors_.refusal(now);
}

// A request with timeout 0 still shows that a connection is missing.
Code Pool::give_up_at_once() {
  wait_queue_.count_timeout(Span{});
  keeper_->note_demand(true);
  return Code::timeout;
}

// For a ticket that was granted, before its lease begins.
void Pool::note_wait(const Ticket& ticket) {
  const uint32_t slot = ticket.lease.slot();
  seats_[slot].waited_lease = ticket.lease.bits;
  seats_[slot].waited_ns = static_cast<int64_t>(read(board_.slot(slot).acquired_mono)) - ticket.queued_at.ns();
}

Code Pool::acquire_slow(const AcquireRequest& request, LeaseId& out) {
  const Instant asked_at = clock_.now();
  if (const Code refusal = refusal_now(asked_at); refusal != Code::ok) return refusal;
  const Span timeout = timeout_of(request);
  if (timeout.is_zero()) return give_up_at_once();
  if (keeper_->is_stepped_by_me() || connector_->is_called_by_me()) [[unlikely]] {
    (void)give_up_at_once();
    return Code::refused;  // the thread that opens connections is waiting for this call
  }
  Ticket ticket;
  ticket.queued_at = asked_at;
  ticket.deadline = asked_at + timeout;
  ticket.tag = request.tag;
  ticket.thread_id = current_thread_id();
  ticket.mode = request.mode;
  ticket.priority = request.priority;
  WithdrawOnTrip withdraw_on_trip(*this, ticket);
  if (!withdraw_on_trip.watch_for(request)) return Code::cancelled;
  Deliveries deliveries;
  if (!wait_queue_.enqueue(ticket, asked_at, fast_policy_.max_waiting(), deliveries)) {
    return ticket.refusal;
  }
  keeper_->note_demand(false);
  deliveries.run_before_sleep();  // serving the queue may have served others: they must not wait for this thread
  if (!wait_queue_.wait(
          ticket, [this] { return clock_.now(); }, deliveries))
    return ticket.refusal;
  out = ticket.lease;
  note_wait(ticket);
  seats_[out.slot()].begin(out.bits, request.mode);
  slot_hints[spec_.pool_key % kSlotHints] = {spec_.pool_key, out.slot()};
  if (listeners_.is_any()) tell_of_lease(PoolEvent::acquire, out);
  return Code::ok;
}

Code Pool::acquire_async(const AcquireRequest& request, AcquireDone done) {
  const Instant now = clock_.now();
  if (request.cancel != nullptr && request.cancel->is_tripped()) return Code::cancelled;
  Deliveries deliveries;
  auto ticket = std::make_unique<AsyncTicket>(*this, request, now, std::move(done));  // first, because it may fail
  if (const LeaseId lease = claim_any(now, request.priority); !lease.is_none()) {
    board_.write_holder(lease, ticket->tag, ticket->thread_id, now);
    in_use_peak_.note(lease.slot());
    ticket->lease = lease;
    ticket->signal.store(Ticket::kGranted, std::memory_order_relaxed);
    deliveries.add(ticket.release());
    return Code::ok;
  }
  if (const Code refusal = refusal_now(now); refusal != Code::ok) return refusal;
  const Span timeout = timeout_of(request);
  if (timeout.is_zero()) return give_up_at_once();
  ticket->deadline = now + timeout;
  if (!ticket->withdraw_on_trip.watch_for(request)) return Code::cancelled;
  if (!wait_queue_.enqueue(*ticket, now, fast_policy_.max_waiting(), deliveries)) {
    return ticket->refusal;
  }
  (void)ticket.release();  // owned by the queue now; comes back through deliver
  keeper_->poke();         // its deadline may be the next event
  return Code::ok;
}

// ---- operations of a holder on a lease ------------------------------------------------------------------------------

// Call: one use of a session by a holder. No other call works for the same lease at the same time, and if the lease
// ends during the call, the session stays with the call until it returns.
class Pool::Call {
 public:
  Call(Pool& pool, LeaseId lease)
      : visit_(Presence::key_of_slot(pool.spec_.pool_key, lease.slot())), pool_(pool), slot_(lease.slot()) {
    if (slot_ >= pool.board_.capacity()) {
      code_ = Code::stale_lease;
      return;
    }
    std::atomic<uint64_t>& call = pool.seats_[slot_].call;
    for (uint64_t seen = 0; !call.compare_exchange_strong(seen, lease.bits, std::memory_order_seq_cst); seen = 0) {
      const bool is_same = (seen & ~Seat::kEnded) == lease.bits;
      if (!pool.board_.is_current(lease)) code_ = Code::stale_lease;
      if (is_same && code_ == Code::ok) code_ = Code::refused;
      if (code_ != Code::ok) return;
      std::this_thread::yield();  // a call for an earlier lease, which is about to notice that
    }
    is_inside_ = true;
    std::atomic_thread_fence(std::memory_order_seq_cst);  // the thread that ends the lease then sees this call
    if (!pool.board_.is_current(lease)) code_ = Code::stale_lease;
  }
  ~Call() {
    if (!is_inside_) return;
    const uint64_t seen = pool_.seats_[slot_].call.exchange(0, std::memory_order_seq_cst);
    if ((seen & Seat::kEnded) == 0) return;
    const LeaseId ended(slot_, pool_.board_.word(slot_).generation());
    pool_.settle_and_pass_on(ended, pool_.seats_[slot_].ended_how);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  Code code() const { return code_; }

 private:
  const Visit visit_;  // at the slot: the caller may be visiting the pool only, or another slot
  Pool& pool_;
  const uint32_t slot_;
  Code code_ = Code::ok;
  bool is_inside_ = false;
};

bool Pool::is_wanted(LeaseId lease) const {
  if (!board_.is_current(lease)) return true;
  return wait_queue_.gate() != Gate::running || wait_queue_.has_waiters() ||
         reason_to_retire(board_.slot(lease.slot()), clock_.now()) != CloseReason::none;
}

Code Pool::cancel(LeaseId lease) {
  if (lease.is_none() || !board_.is_current(lease)) return Code::stale_lease;
  Connection& connection = *seats_[lease.slot()].connection;
  const uint64_t session_lease = connection.facts().lease;  // read while the lease is current: never a later one
  if (!board_.is_current(lease)) return Code::stale_lease;
  connection.cancel(session_lease);
  return Code::ok;
}

// The first use of a session in a lease: from now on it must be settled at the end. Within a Call.
Status Pool::begin_touch(LeaseId lease, Instant now) {
  format::Slot& slot = board_.slot(lease.slot());
  put(slot.last_used_mono, static_cast<uint64_t>(now.ns()));
  Seat& seat = seats_[lease.slot()];
  const int64_t trust_ns = std::max(fast_policy_.probe_after_ns(), seat.is_touched ? kTrustWithinNs : 0);
  if (now.ns() - static_cast<int64_t>(read(slot.validated_mono)) >= trust_ns) seat.connection->distrust();
  if (seat.is_touched) return Status::ok();
  seat.is_touched = true;
  return seat.connection->begin_lease(seat.mode.load(std::memory_order_relaxed), now);
}

void* Pool::native(LeaseId lease) {
  const Call call(*this, lease);
  if (call.code() != Code::ok || !begin_touch(lease, clock_.now())) return nullptr;
  Seat& seat = seats_[lease.slot()];
  seat.is_native_out = true;
  return seat.connection->native();
}

static QueryRequest bounded(const QueryRequest& request, Instant limit) {
  QueryRequest within = request;
  within.deadline = earliest(within.deadline, limit);
  return within;
}

Status Pool::query(LeaseId lease, const QueryRequest& request, ResultTable& out) {
  int64_t bytes = -1;
  return work_on_session(
      lease, 1, bytes,
      [&](Connection& connection, Instant limit) {
        Status status = connection.query(bounded(request, limit), out);
        if (status) bytes = out.value_bytes();
        return status;
      },
      [&](const FinishedCall& call) {
        return query_log_.statement(call, request.sql, call.status ? rows_of(out) : -1, bytes);
      });
}

namespace {

// Counts what passes.
class CountingSink final : public RowSink {
 public:
  explicit CountingSink(RowSink& to) : to_(to) {}
  bool take(const ResultTable& page) override {
    rows_ += page.rows();
    bytes_ += std::max<int64_t>(0, page.value_bytes());
    return to_.take(page);
  }
  int64_t rows() const { return rows_; }
  const int64_t& bytes() const { return bytes_; }

 private:
  RowSink& to_;
  int64_t rows_ = 0;
  int64_t bytes_ = 0;
};

}  // namespace

Status Pool::stream(LeaseId lease, const QueryRequest& request, RowSink& sink, ResultTable& out) {
  CountingSink counting(sink);
  return work_on_session(
      lease, 1, counting.bytes(),
      [&](Connection& connection, Instant limit) { return connection.stream(bounded(request, limit), counting, out); },
      [&](const FinishedCall& call) { return query_log_.statement(call, request.sql, counting.rows(), -1); });
}

Status Pool::open_rows(LeaseId lease, const QueryRequest& request, ResultTable& page) {
  int64_t bytes = -1;
  return work_on_session(
      lease, 1, bytes,
      [&](Connection& connection, Instant limit) {
        Status status = connection.open_rows(bounded(request, limit), page);
        if (status) bytes = page.value_bytes();
        return status;
      },
      [&](const FinishedCall& call) { return query_log_.rows_opened(call, request.sql, page); });
}

// The reader may be slow: query_timeout limits each page.
Status Pool::fetch_rows(LeaseId lease, ResultTable& page) {
  int64_t bytes = -1;
  return work_on_session(
      lease, 0, bytes,
      [&](Connection& connection, Instant limit) {
        Status status = connection.fetch_rows(page, limit);
        if (status) bytes = page.value_bytes();
        return status;
      },
      [&](const FinishedCall& call) { return query_log_.rows_fetched(call, page); });
}

void Pool::close_rows(LeaseId lease) {
  (void)work_on_session(
      lease, 0, 0,
      [](Connection& connection, Instant) {
        connection.close_rows();
        return Status::ok();
      },
      [&](const FinishedCall& call) { return query_log_.rows_closed(call); });
}

static int64_t bytes_of(const std::vector<ResultTable>& results) {
  int64_t bytes = 0;
  for (const ResultTable& result : results) bytes += std::max<int64_t>(0, result.value_bytes());
  return bytes;
}

Status Pool::batch(LeaseId lease, std::span<const QueryRequest> requests, Instant deadline,
                   std::vector<ResultTable>& out, size_t& failed_at) {
  int64_t bytes = -1;
  return work_on_session(
      lease, requests.size(), bytes,
      [&](Connection& connection, Instant limit) {
        Status status = connection.batch(requests, earliest(deadline, limit), out, failed_at);
        if (status) bytes = bytes_of(out);
        return status;
      },
      [&](const FinishedCall& call) { return query_log_.batch(call, requests, out, failed_at); });
}

template <typename Work, typename Log>
Status Pool::work_on_session(LeaseId lease, uint64_t statements, const int64_t& bytes, Work&& work, Log&& log) {
  uint64_t conn_id = 0;
  Status status = work_within_call(lease, statements, bytes, work, log, conn_id);
  if (!status && conn_id != 0) listeners_.tell(PoolEvent::error, conn_id, lease.bits, status.message().c_str());
  return status;
}

// `conn_id` is set if the database was asked. `statements`: how many are counted; 0 for the rest of one.
// `bytes`: of the result, set by `work`; negative: unknown.
template <typename Work, typename Log>
Status Pool::work_within_call(LeaseId lease, uint64_t statements, const int64_t& bytes, Work& work, Log& log,
                              uint64_t& conn_id) {
  const Call call(*this, lease);
  if (call.code() == Code::refused) {
    return Status::error(Code::refused, "another thread is using this lease",
                         "a lease may be used by one thread at a time", "acquire a lease for each thread");
  }
  if (call.code() != Code::ok) return Status::error(call.code(), "");
  const Instant began = clock_.now();
  Seat& seat = seats_[lease.slot()];
  const bool is_first = !seat.is_touched;
  if (Status touched = begin_touch(lease, began); !touched) return touched;
  conn_id = read(board_.slot(lease.slot()).conn_id);
  Connection& connection = *seat.connection;
  const Span limit = fast_policy_.query_timeout();
  Status status = work(connection, limit.is_zero() ? Instant::never() : began + limit);
  const Instant ended = clock_.now();

  format::Slot& slot = board_.slot(lease.slot());
  put(slot.last_used_mono, static_cast<uint64_t>(ended.ns()));
  const SessionFacts facts = connection.facts();
  const StatementCounts& told = facts.statements;
  StatementCounts& counted = seat.counted;
  board_.write_statements(lease.slot(), told.held, told.bytes);
  slot.is_in_transaction.store(facts.is_in_transaction ? 1 : 0, std::memory_order_relaxed);
  format::SlotStats& stats = board_.stats(lease.slot());
  {
    const uint64_t ns = static_cast<uint64_t>(std::max<int64_t>(0, (ended - began).ns()));
    SeqWrite guard(stats.seq);
    if (statements != 0) {
      add_to(stats.queries_total, statements);
      stats.query.add_us(ns / 1000);
    }
    add_to(stats.query_ns_total, ns);
    if (bytes > 0) add_to(stats.result_bytes_total, static_cast<uint64_t>(bytes));
    add_to(stats.statement_cache_hits_total, told.hits_total - counted.hits_total);
    add_to(stats.statement_cache_misses_total, told.misses_total - counted.misses_total);
    add_to(stats.statement_cache_evictions_total, told.evictions_total - counted.evictions_total);
    if (!status) {
      add_to(stats.query_errors_total);
      if (is_fault(status)) add_to(stats.faults_total);
    }
  }
  counted = told;
  // An error is an answer, too.
  if (status || status.code == Code::database) put(slot.validated_mono, static_cast<uint64_t>(ended.ns()));
  if (!status) {
    {
      SeqWrite guard(slot.seq);
      slot.last_error.assign(status.message());
    }
    keeper_->note_error(status.message());
  }
  if (query_log_.is_on()) {
    const int64_t waited_ns = seat.waited_lease == lease.bits ? seat.waited_ns : 0;
    if (log(FinishedCall{lease, conn_id, ended, ended - began, is_first ? waited_ns : -1, status})) keeper_->poke();
  }
  return status;
}

void Pool::count(LeaseId lease, format::Cell format::SlotStats::*counter) {
  const Call call(*this, lease);
  if (call.code() != Code::ok) return;
  format::SlotStats& stats = board_.stats(lease.slot());
  SeqWrite guard(stats.seq);
  add_to(stats.*counter);
}

void Pool::count_transaction(LeaseId lease) { count(lease, &format::SlotStats::transactions_total); }
void Pool::count_retry(LeaseId lease) { count(lease, &format::SlotStats::retries_total); }
void Pool::count_retry_helped(LeaseId lease) { count(lease, &format::SlotStats::retries_helped_total); }

Code Pool::facts(LeaseId lease, LeaseFacts& out) const {
  if (!board_.is_current(lease)) return Code::stale_lease;
  const format::Slot& slot = board_.slot(lease.slot());
  const Instant now = clock_.now();
  out.mode = seats_[lease.slot()].mode.load(std::memory_order_relaxed);
  out.is_in_transaction = slot.is_in_transaction.load(std::memory_order_relaxed) != 0;
  out.conn_id = read(slot.conn_id);
  out.age = now - Instant::at_ns(static_cast<int64_t>(read(slot.acquired_mono)));
  out.idle = now - Instant::at_ns(static_cast<int64_t>(read(slot.last_used_mono)));
  out.uses_total = read(slot.acquires_total) - read(slot.acquires_before);
  return Code::ok;
}

bool Pool::is_in_transaction(LeaseId lease) const {
  return board_.is_current(lease) && board_.slot(lease.slot()).is_in_transaction.load(std::memory_order_relaxed) != 0;
}

std::string Pool::begin_text(LeaseId lease, const TransactionKind& kind) const {
  return board_.is_current(lease) ? seats_[lease.slot()].connection->begin_text(kind) : std::string();
}

const OutcomeWords* Pool::outcome_words(LeaseId lease) const {
  return board_.is_current(lease) ? seats_[lease.slot()].connection->outcome_words() : nullptr;
}

void Pool::tell_of_lease(PoolEvent event, LeaseId lease) const {
  listeners_.tell(event, read(board_.slot(lease.slot()).conn_id), lease.bits, "");
}

// ---- the end of a lease, when it takes more than returning an untouched connection

// Undoes what must not reach the next holder. Returns the reason to close the session, if any; `is_fit` is also false
// if the keeper must reset the session first.
CloseReason Pool::settle_seat(Seat& seat, Return how, bool& is_fit) const {
  const bool was_touched = seat.is_touched;
  seat.is_touched = false;
  seat.is_native_out = false;
  is_fit = false;
  const ResetMode mode = fast_policy_.reset_mode();
  if (was_touched) {
    if (how == Return::unchanged) seat.connection->vouch();
    const bool is_vouched = how == Return::unchanged && mode != ResetMode::none;
    switch (seat.connection->settle(is_vouched ? ResetMode::rollback : mode)) {
      case Settled::clean: is_fit = true; break;
      case Settled::needs_reset: break;
      case Settled::spent: return CloseReason::uses;
      case Settled::broken: return CloseReason::error;
    }
  } else {
    is_fit = true;
  }
  if (how != Return::discard) return CloseReason::none;
  is_fit = false;
  return CloseReason::error;
}

Code Pool::release_unchanged(LeaseId lease) { return give_back(lease, Return::unchanged); }
Code Pool::discard(LeaseId lease) { return give_back(lease, Return::discard); }

Code Pool::give_back(LeaseId lease, Return how) {
  if (lease.slot() >= board_.capacity() || !board_.end(lease)) return refuse_return(lease);
  return finish_return(lease, how);
}

Code Pool::refuse_return(LeaseId lease) {
  keeper_->holder_returned(lease);
  return Code::stale_lease;
}

// For a lease that this thread has ended. If another thread is inside a call on its session, that call completes the
// work started here.
Code Pool::finish_return(LeaseId lease, Return how) {
  Seat& seat = seats_[lease.slot()];
  uint64_t call = seat.call.load(std::memory_order_seq_cst);
  if (call != 0) seat.ended_how = how;
  while (call != 0) {
    if (seat.call.compare_exchange_weak(call, call | Seat::kEnded, std::memory_order_seq_cst)) return Code::ok;
  }
  settle_and_pass_on(lease, how);
  return Code::ok;
}

void Pool::settle_and_pass_on(LeaseId lease, Return how) {
  const uint32_t slot = lease.slot();
  bool is_fit = true;
  const CloseReason reason = settle_seat(seats_[slot], how, is_fit);
  board_.slot(slot).is_in_transaction.store(0, std::memory_order_relaxed);  // the next holder begins outside
  const Instant now = clock_.now();
  board_.write_use(slot, now);
  if (query_log_.lease_ended(lease, now)) keeper_->poke();
  pass_on_or_put_away(lease, now, reason, is_fit);
}

// To the next holder, or to the keeper, which resets or closes it.
void Pool::pass_on_or_put_away(LeaseId lease, Instant now, CloseReason reason, bool is_fit) {
  const format::Slot& s = board_.slot(lease.slot());
  if (reason == CloseReason::none) reason = reason_to_retire(s, now);
  const uint64_t conn_id = read(s.conn_id);  // afterwards the slot belongs to another thread
  in_use_peak_.ended();
  if (is_fit && reason == CloseReason::none) {
    wait_queue_.pass_on(lease, now);
  } else {
    seats_[lease.slot()].retire_reason = reason;
    board_.soil(lease);
    keeper_->poke();
  }
  listeners_.tell(PoolEvent::release, conn_id, lease.bits, "");
}

CloseReason Pool::reason_to_retire(const format::Slot& s, Instant now) const {
  if (const auto retirement = format::Retirement::of(s)) return retirement.reason;
  if (static_cast<int64_t>(read(s.expires_mono)) <= now.ns()) return CloseReason::lifetime;
  const uint64_t max_uses = fast_policy_.max_uses();
  if (max_uses != 0 && read(s.acquires_total) - read(s.acquires_before) >= max_uses) return CloseReason::uses;
  return CloseReason::none;
}

}  // namespace tide
