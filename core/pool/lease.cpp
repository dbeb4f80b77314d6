// The fast path: acquire, release, and what a holder does with a lease.
#include <algorithm>

#include "pool/faults.hpp"
#include "pool/futex.hpp"
#include "pool/keeper.hpp"
#include "pool/pool.hpp"

namespace tide {
namespace {

// The slot this thread leased last, for the pools it uses most: trying it first costs one compare-and-swap and keeps
// the connection's memory in this processor's cache.
struct Hint {
  uint64_t pool_key = 0;
  uint32_t slot = 0;
};
constexpr size_t kHints = 4;
thread_local Hint hints[kHints] __attribute__((tls_model("initial-exec")));

}  // namespace

// Pool::AsyncTicket: a queued request without a thread.
struct Pool::AsyncTicket : Ticket {
  AsyncTicket(Pool& owner, const AcquireRequest& request, AcquireDone call)
      : pool(owner), text(utf8_prefix(request.tag, FixedText<64>::kBytesMax)), done(std::move(call)) {
    tag = text;
    mode = request.mode;
    thread_id = current_thread_id();
    deliver = [](Ticket* ticket) {
      const std::unique_ptr<AsyncTicket> self(static_cast<AsyncTicket*>(ticket));
      self->finish();
    };
  }
  void finish() {
    if (signal.load(std::memory_order_acquire) == kGranted) {
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
};

Span Pool::timeout_of(const AcquireRequest& request) const {
  if (request.timeout.ns() >= 0) return request.timeout;
  return Span::nanos(acquire_timeout_ns_.load(std::memory_order_relaxed));
}

// An idle connection may have outlived its time, or its server, since somebody last looked.
bool Pool::is_worn(uint32_t slot, Instant now) {
  const format::Slot& s = board_.slot(slot);
  if (static_cast<int64_t>(read(s.expires_mono)) <= now.ns()) {
    seats_[slot].retire_reason = CloseReason::lifetime;
    return true;
  }
  const int64_t idle_ns = now.ns() - static_cast<int64_t>(read(s.last_used_mono));
  if (idle_ns < probe_after_ns_.load(std::memory_order_relaxed)) return false;
  if (seats_[slot].connection->probe()) return false;
  seats_[slot].retire_reason = CloseReason::error;
  return true;
}

LeaseId Pool::take_idle(const AcquireRequest& request, Instant now) {
  if (turnstile_.gate() != Gate::running || !turnstile_.may_overtake(now)) return {};
  Hint& hint = hints[spec_.pool_key % kHints];
  for (;;) {
    LeaseId lease;
    if (hint.pool_key == spec_.pool_key) lease = board_.claim(hint.slot);
    if (lease.is_none()) lease = board_.claim_lowest();
    if (lease.is_none()) return {};
    const uint32_t slot = lease.slot();
    if (is_worn(slot, now)) [[unlikely]] {
      board_.soil(lease);
      keeper_->poke();
      continue;
    }
    hint = {spec_.pool_key, slot};
    board_.write_holder(slot, request.tag, current_thread_id(), now);
    seats_[slot].begin(lease.bits, request.mode);
    return lease;
  }
}

Code Pool::acquire(const AcquireRequest& request, LeaseId& out) {
  const Instant now = clock_.now();
  out = take_idle(request, now);
  if (out.is_none()) [[unlikely]] {
    if (const Code code = acquire_slow(request, now, out); code != Code::ok) return code;
  }
  if (spec_.events.mask != 0) tell_of_lease(PoolEvent::acquire, out);
  return Code::ok;
}

// A reason to send a request away at once; ok: it may queue.
Code Pool::refusal_now(Instant now) const {
  const Gate gate = turnstile_.gate();
  if (gate == Gate::closed || gate == Gate::draining) return Code::closed;
  if (is_broken_.load(std::memory_order_relaxed)) return Code::unavailable;
  if (now.ns() < unreachable_until_ns_.load(std::memory_order_relaxed)) return Code::unavailable;
  return Code::ok;
}

// Who does not wait still shows that a connection is missing.
Code Pool::give_up_at_once() {
  turnstile_.count_timeout(Span{});
  if (can_grow_.load(std::memory_order_relaxed)) {
    has_unmet_.store(true, std::memory_order_release);
    keeper_->poke();
  }
  return Code::timeout;
}

Code Pool::acquire_slow(const AcquireRequest& request, Instant asked_at, LeaseId& out) {
  if (const Code refusal = refusal_now(asked_at); refusal != Code::ok) return refusal;
  const Span timeout = timeout_of(request);
  if (timeout.is_zero()) return give_up_at_once();
  if (keeper_->is_stepped_by_me()) [[unlikely]] {
    (void)give_up_at_once();
    return Code::refused;  // only the keeper opens connections, and it waits for us
  }
  Ticket ticket;
  ticket.queued_at = asked_at;
  ticket.deadline = asked_at + timeout;
  ticket.tag = request.tag;
  ticket.thread_id = current_thread_id();
  ticket.mode = request.mode;
  Deliveries deliveries;
  if (!turnstile_.enqueue(ticket, asked_at, max_waiting_.load(std::memory_order_relaxed), deliveries)) {
    return ticket.refusal;
  }
  if (can_grow_.load(std::memory_order_relaxed)) keeper_->poke();
  deliveries.run();  // serving the queue may have served others: they must not wait while we sleep
  if (!turnstile_.wait(
          ticket, [this] { return clock_.now(); }, deliveries))
    return ticket.refusal;
  out = ticket.lease;
  seats_[out.slot()].begin(out.bits, request.mode);
  hints[spec_.pool_key % kHints] = {spec_.pool_key, out.slot()};
  return Code::ok;
}

Code Pool::acquire_async(const AcquireRequest& request, AcquireDone done) {
  const Instant now = clock_.now();
  if (const LeaseId lease = take_idle(request, now); !lease.is_none()) {
    tell_of_lease(PoolEvent::acquire, lease);
    done(Code::ok, lease, Status::ok());
    return Code::ok;
  }
  if (const Code refusal = refusal_now(now); refusal != Code::ok) return refusal;
  const Span timeout = timeout_of(request);
  if (timeout.is_zero()) return give_up_at_once();
  auto ticket = std::make_unique<AsyncTicket>(*this, request, std::move(done));
  ticket->queued_at = now;
  ticket->deadline = now + timeout;
  Deliveries deliveries;
  if (!turnstile_.enqueue(*ticket, now, max_waiting_.load(std::memory_order_relaxed), deliveries)) {
    return ticket->refusal;
  }
  (void)ticket.release();  // the queue's now; comes back through deliver
  keeper_->poke();         // its deadline may be the next thing to happen
  return Code::ok;
}

// Undo what must not reach the next holder. True: fit for it.
bool Pool::settle_seat(Seat& seat, ResetMode mode) const {
  const bool is_settling_needed = seat.is_touched;
  seat.is_touched = false;
  seat.is_native_out = false;
  if (!is_settling_needed) return true;
  switch (seat.connection->settle(mode)) {
    case Settled::clean: return true;
    case Settled::needs_reset: return false;
    case Settled::spent: seat.retire_reason = CloseReason::uses; return false;
    case Settled::broken: seat.retire_reason = CloseReason::error; return false;
  }
  return false;
}

CloseReason Pool::reason_to_retire(uint32_t slot, Instant now) const {
  const format::Slot& s = board_.slot(slot);
  const uint32_t flags = s.flags.load(std::memory_order_relaxed);
  if ((flags & format::kFlagRetire) != 0) return static_cast<CloseReason>(flags >> 8 & 0xFF);
  if (static_cast<int64_t>(read(s.expires_mono)) <= now.ns()) return CloseReason::lifetime;
  const uint64_t max_uses = max_uses_.load(std::memory_order_relaxed);
  if (max_uses != 0 && read(s.acquires_total) - read(s.acquires_before) >= max_uses) return CloseReason::uses;
  return CloseReason::none;
}

Code Pool::give_back(LeaseId lease, Return how) {
  if (!board_.is_current(lease)) [[unlikely]] {
    keeper_->holder_returned(lease);
    return Code::stale_lease;
  }
  const uint32_t slot = lease.slot();
  Seat& seat = seats_[slot];
  const ResetMode mode = reset_mode_.load(std::memory_order_relaxed);
  if (how == Return::unchanged && seat.is_touched) seat.connection->vouch();
  bool is_fit =
      settle_seat(seat, how == Return::unchanged && mode != ResetMode::none ? ResetMode::rollback : mode);
  if (how == Return::discard) [[unlikely]] {
    seat.retire_reason = CloseReason::error;
    is_fit = false;
  }
  const Instant now = clock_.now();
  const uint64_t use_ns = board_.write_use(slot, now);
  if (const CloseReason reason = reason_to_retire(slot, now); reason != CloseReason::none) {
    if (seat.retire_reason == CloseReason::none) seat.retire_reason = reason;
    is_fit = false;
  }
  const uint64_t conn_id = read(board_.slot(slot).conn_id);
  bool is_mine = false;
  if (is_fit) {
    Deliveries deliveries;
    is_mine = turnstile_.pass_on(lease, now, deliveries);
  } else {
    is_mine = board_.soil(lease);
    if (is_mine) keeper_->poke();
  }
  if (!is_mine) [[unlikely]] {
    board_.take_back_use(slot, use_ns);  // ours still: a revoked slot waits until its holder is out of here
    keeper_->holder_returned(lease);
    return Code::stale_lease;
  }
  if (spec_.events.mask != 0) tell(PoolEvent::release, conn_id, lease.bits, "");
  return Code::ok;
}

bool Pool::is_wanted(LeaseId lease) const {
  if (!board_.is_current(lease)) return true;
  return turnstile_.gate() != Gate::running || turnstile_.has_waiters() ||
         reason_to_retire(lease.slot(), clock_.now()) != CloseReason::none;
}

Code Pool::cancel(LeaseId lease) {
  if (!board_.is_current(lease)) return Code::stale_lease;
  Connection& connection = *seats_[lease.slot()].connection;
  const uint64_t session_lease = connection.facts().lease;  // read while ours still runs: never a later one's
  if (!board_.is_current(lease)) return Code::stale_lease;
  connection.cancel(session_lease);
  return Code::ok;
}

// The first use of a session in a lease: from now on it must be settled at the end.
Status Pool::begin_touch(LeaseId lease, Instant now) {
  if (!board_.is_current(lease)) return Status::error(Code::stale_lease, "");
  format::Slot& slot = board_.slot(lease.slot());
  put(slot.last_used_mono, static_cast<uint64_t>(now.ns()));
  Seat& seat = seats_[lease.slot()];
  if (seat.is_touched) return Status::ok();
  seat.is_touched = true;
  return seat.connection->begin_lease(seat.mode, now);
}

void* Pool::native(LeaseId lease) {
  if (!begin_touch(lease, clock_.now())) return nullptr;
  Seat& seat = seats_[lease.slot()];
  seat.is_native_out = true;
  return seat.connection->native();
}

Status Pool::query(LeaseId lease, const QueryRequest& request, ResultTable& out) {
  const Instant began = clock_.now();
  if (Status touched = begin_touch(lease, began); !touched) return touched;
  Connection& connection = *seats_[lease.slot()].connection;
  QueryRequest bounded = request;
  if (const Span limit = query_timeout(); !limit.is_zero()) {
    bounded.deadline = earliest(bounded.deadline, began + limit);
  }
  Status status = connection.query(bounded, out);
  const Instant ended = clock_.now();

  format::Slot& slot = board_.slot(lease.slot());
  put(slot.last_used_mono, static_cast<uint64_t>(ended.ns()));
  slot.is_in_transaction.store(connection.facts().is_in_transaction ? 1 : 0, std::memory_order_relaxed);
  format::SlotStats& stats = board_.stats(lease.slot());
  {
    const uint64_t ns = static_cast<uint64_t>(std::max<int64_t>(0, (ended - began).ns()));
    SeqWrite guard(stats.seq);
    add_to(stats.queries_total);
    add_to(stats.query_ns_total, ns);
    stats.query.add_us(ns / 1000);
    if (!status) {
      add_to(stats.query_errors_total);
      if (is_fault(status)) add_to(stats.faults_total);
    }
  }
  if (status) {
    put(slot.validated_mono, static_cast<uint64_t>(ended.ns()));
  } else {
    {
      SeqWrite guard(slot.seq);
      slot.last_error.assign(status.message);
    }
    note_error(status.message);
    tell(PoolEvent::error, read(slot.conn_id), lease.bits, status.message.c_str());
  }
  return status;
}

Code Pool::facts(LeaseId lease, LeaseFacts& out) const {
  if (!board_.is_current(lease)) return Code::stale_lease;
  const format::Slot& slot = board_.slot(lease.slot());
  const Instant now = clock_.now();
  out.mode = seats_[lease.slot()].mode;
  out.is_in_transaction = slot.is_in_transaction.load(std::memory_order_relaxed) != 0;
  out.conn_id = read(slot.conn_id);
  out.age = now - Instant::at_ns(static_cast<int64_t>(read(slot.acquired_mono)));
  out.idle = now - Instant::at_ns(static_cast<int64_t>(read(slot.last_used_mono)));
  out.uses_total = read(slot.acquires_total) - read(slot.acquires_before);
  return Code::ok;
}

void Pool::tell_of_lease(PoolEvent event, LeaseId lease) const {
  tell(event, read(board_.slot(lease.slot()).conn_id), lease.bits, "");
}

void Pool::note_error(std::string_view text) {
  const std::lock_guard lock(story_mutex_);
  last_error_.assign(text);
}

}  // namespace tide
