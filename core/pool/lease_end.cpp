// The end of a lease, when it is more than putting an untouched connection back.
#include "pool/keeper.hpp"
#include "pool/pool.hpp"

namespace tide {

// Undo what must not reach the next holder. What the session must be closed for, if anything; `is_fit` is false also
// where the keeper must reset it first.
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

// Of a lease that this thread has ended. Where another thread is inside a call on its session, that call goes on with
// what we began.
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
  const Instant now = clock_.now();
  board_.write_use(slot, now);
  pass_on_or_put_away(lease, now, reason, is_fit);
}

// To the next holder, or to the keeper, who resets or closes it.
void Pool::pass_on_or_put_away(LeaseId lease, Instant now, CloseReason reason, bool is_fit) {
  const format::Slot& s = board_.slot(lease.slot());
  if (reason == CloseReason::none) reason = reason_to_retire(s, now);
  const uint64_t conn_id = read(s.conn_id);  // afterwards the slot is somebody else's
  in_use_peak_.ended();
  if (is_fit && reason == CloseReason::none) {
    turnstile_.pass_on(lease, now);
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
