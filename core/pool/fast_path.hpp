// The fast path: acquire with an idle connection, and release of a lease while no caller waits.
//
// Always inlined and kept in registers, because callers pay for it at every lease: one compare-and-swap claims a slot,
// one ends the lease, a plain store makes the slot idle again; two clock readings; counts are written into lines that
// only the holder writes. Everything rare is a call into lease.cpp.
#pragma once

#include "pool/futex.hpp"
#include "pool/keeper.hpp"
#include "pool/pool.hpp"

namespace tide {

// The slot this thread leased last, for the pools it uses most: trying it first costs one compare-and-swap and keeps
// the connection's memory in this processor's cache.
struct SlotHint {
  uint64_t pool_key = 0;
  uint32_t slot = 0;
};
inline constexpr size_t kSlotHints = 4;
extern constinit thread_local SlotHint slot_hints[kSlotHints] __attribute__((tls_model("initial-exec")));

// It has not exceeded its lifetime, and was used recently.
[[gnu::always_inline]] inline bool Pool::is_fresh(const format::Slot& s, Instant now) const {
  return now.ns() < static_cast<int64_t>(read(s.expires_mono)) &&
         now.ns() - static_cast<int64_t>(read(s.last_used_mono)) < fast_policy_.probe_after_ns();
}

[[gnu::always_inline]] inline LeaseId Pool::acquire_idle(const char* tag, LeaseMode mode) {
  const Instant now = clock_.now();
  const uint64_t key = fast_policy_.key();
  const SlotHint& hint = slot_hints[key % kSlotHints];
  LeaseId lease;
  if (hint.pool_key == key && wait_queue_.is_free() && board_.try_claim(hint.slot, lease)) [[likely]] {
    format::Slot& s = board_.slot(hint.slot);
    if (is_fresh(s, now)) [[likely]] {
      board_.write_holder(s, lease, tag, current_thread_id(), now);
      Seat& seat = seats_[hint.slot];
      if (!in_use_peak_.is_known(seat.peak_mark)) [[unlikely]]
        return begin_noted(lease, mode);
      seat.begin(lease.bits, mode);
      return lease;
    }
    return begin_or_put_away(lease, tag, mode, now);
  }
  return acquire_any(tag, mode, now);
}

inline Code Pool::acquire(const AcquireRequest& request, LeaseId& out) {
  if (!request.is_plain()) [[unlikely]]
    return acquire_special(request, out);
  out = acquire_idle(request.tag, request.mode);
  return out.is_none() ? acquire_slow(request, out) : Code::ok;
}

[[gnu::always_inline]] inline Code Pool::release(LeaseId lease) {
  const uint32_t slot = lease.slot();
  if (slot >= board_.capacity() || !board_.end(lease)) [[unlikely]]
    return refuse_return(lease);
  // From here on only this thread uses the slot, except for a call that may still run in another thread.
  const Seat& seat = seats_[slot];
  if (seat.call.load(std::memory_order_seq_cst) == 0 && !seat.is_touched) [[likely]] {
    format::Slot& s = board_.slot(slot);
    const Instant now = clock_.now();
    board_.write_use(s, board_.stats(slot), now);
    const bool is_kept = !format::Retirement::of(s) && now.ns() < static_cast<int64_t>(read(s.expires_mono)) &&
                         !fast_policy_.asks_at_return();
    if (is_kept && !wait_queue_.has_waiters()) [[likely]] {
      board_.put_back(lease);
      if (wait_queue_.has_waiters()) [[unlikely]]
        wait_queue_.serve(now);
    } else {
      pass_on_or_put_away(lease, now, CloseReason::none, true);
    }
    return Code::ok;
  }
  return finish_return(lease, Return::plain);
}

}  // namespace tide
