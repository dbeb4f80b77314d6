#include "pool/hand.hpp"

#include <algorithm>

#include "base/units.hpp"
#include "brain/brain.hpp"
#include "pool/keeper.hpp"
#include "pool/pool.hpp"
#include "pool/publisher.hpp"

namespace tide {

Hand::Hand(Pool& pool, Brain& brain, Publisher& publisher)
    : pool_(pool),
      brain_(brain),
      publisher_(publisher),
      asked_at_(pool.board_.capacity()),
      close_reason_(pool.board_.capacity(), CloseReason::none),
      cut_off_(pool.board_.capacity(), CutOff::no),
      marked_lease_(pool.board_.capacity(), 0),
      is_surveyed_(pool.board_.capacity(), false) {
  const uint32_t slots = pool.board_.capacity();
  unasked_.reserve(slots);
  to_revoke_.reserve(slots);
  revoked_.reserve(slots);
  departing_.reserve(slots);
}

Hand::~Hand() {
  // Whoever still holds a native handle may use it at any time; memory that is never freed is the smaller evil.
  for (Zombie& zombie : zombies_) (void)zombie.connection.release();
}

void Hand::take_unasked(std::vector<Completion>& out) {
  for (; !unasked_.empty(); unasked_.pop_back()) {
    out.push_back({unasked_.back().failure, unasked_.back().slot, nullptr,
                   Status::error(Code::no_memory, "out of memory"), false});
  }
}

void Hand::act(const Action& action, const Policy& policy, int64_t limit, Instant now) {
  switch (action.kind) {
    case Action::Kind::open: return open(policy, limit, now);
    case Action::Kind::retire: return retire(action, now);
    case Action::Kind::validate:
    case Action::Kind::survey: return validate(action, policy, now);
    case Action::Kind::shed_memory: return shed_memory(now);
    case Action::Kind::refuse_waiters: {
      Deliveries deliveries;
      return pool_.turnstile_.refuse_all(Code::unavailable, deliveries);
    }
    case Action::Kind::cancel_lease: return cancel(action, now);
    case Action::Kind::revoke_lease: return revoke(LeaseId(action.lease_id), CloseReason::control, now);
    case Action::Kind::end_transaction: return end_transaction(action, now);
    case Action::Kind::mark_overdue:
      publisher_.count(&format::KeeperStats::leases_overdue_total);
      return mark(action, format::kFlagOverdue);
    case Action::Kind::mark_suspect: return mark(action, format::kFlagSuspect);
    default: return;
  }
}

void Hand::stamp_state(uint32_t slot, Instant now) {
  put(pool_.board_.slot(slot).since_mono, static_cast<uint64_t>(now.ns()));
}

void Hand::set_flag(uint32_t slot, uint32_t flag) {
  std::atomic<uint32_t>& flags = pool_.board_.slot(slot).flags;
  flags.store(flags.load(std::memory_order_relaxed) | flag, std::memory_order_relaxed);
}

void Hand::mark(const Action& action, uint32_t flag) {
  if (!pool_.board_.is_current(LeaseId(action.lease_id))) return;
  marked_lease_[action.slot] = action.lease_id;
  set_flag(action.slot, flag);
}

// Flags speak of a lease; when that is over they must not stick to the next one.
void Hand::clear_old_marks() {
  for (uint32_t slot = 0; slot < pool_.board_.used(); ++slot) {
    if (marked_lease_[slot] == 0 || pool_.board_.is_current(LeaseId(marked_lease_[slot]))) continue;
    marked_lease_[slot] = 0;
    std::atomic<uint32_t>& flags = pool_.board_.slot(slot).flags;
    flags.store(flags.load(std::memory_order_relaxed) & ~uint32_t{format::kFlagOverdue | format::kFlagSuspect},
                std::memory_order_relaxed);
  }
}

void Hand::open(const Policy& policy, int64_t limit, Instant now) {
  if (static_cast<int64_t>(occupied_) >= limit) return;  // I1, whatever the brain asked
  uint32_t slot = pool_.board_.capacity();
  {
    const Publisher::Topology changing(publisher_);
    slot = pool_.board_.open_lowest();
    if (slot == pool_.board_.capacity()) return;
    ++occupied_;
    format::Slot& s = pool_.board_.slot(slot);
    SeqWrite guard(s.seq);
    put(s.conn_id, next_conn_id_++);
    put(s.born_mono, static_cast<uint64_t>(now.ns()));
    put(s.since_mono, static_cast<uint64_t>(now.ns()));
    put(s.expires_mono, static_cast<uint64_t>(Instant::never().ns()));
    put(s.acquires_before, read(s.acquires_total));
    put(s.queries_before, read(pool_.board_.stats(slot).queries_total));
    s.flags.store(0, std::memory_order_relaxed);
    s.server_pid.store(0, std::memory_order_relaxed);
    s.is_in_transaction.store(0, std::memory_order_relaxed);
    s.tag.assign({});
    s.last_error.assign({});
    publisher_.grew();
  }
  marked_lease_[slot] = 0;
  cut_off_[slot] = CutOff::no;
  asked_at_[slot] = now;
  ask(slot, Completion::Kind::open_failed, [&] { pool_.connector_->open(slot, now, now + policy.connect_timeout); });
}

// The keeper is done with a slot it opened or held: to the next waiter or the board.
void Hand::put_back(uint32_t slot, Instant now) {
  const SlotWord seen = pool_.board_.word(slot);
  const uint32_t flags = pool_.board_.slot(slot).flags.load(std::memory_order_relaxed);
  if ((flags & format::kFlagRetire) != 0 && seen.state() == SlotState::held) {
    begin_closing(slot, seen, static_cast<CloseReason>(flags >> 8 & 0xFF), now);
    return;
  }
  stamp_state(slot, now);
  TIDE_ASSERT(pool_.board_.advance(slot, seen, SlotState::idle));
  if ((flags & format::kFlagRetire) != 0) {
    begin_closing(slot, seen.with(SlotState::idle), static_cast<CloseReason>(flags >> 8 & 0xFF), now);
    return;
  }
  Deliveries deliveries;
  if (pool_.turnstile_.has_waiters()) pool_.turnstile_.serve(now, deliveries);
}

void Hand::retire(const Action& action, Instant now) {
  const uint32_t slot = action.slot;
  if (slot >= pool_.board_.capacity() || read(pool_.board_.slot(slot).conn_id) != action.conn_id) return;
  set_flag(slot, format::kFlagRetire | static_cast<uint32_t>(action.reason) << 8);
  const SlotWord seen = pool_.board_.word(slot);
  if (seen.state() == SlotState::idle) begin_closing(slot, seen, action.reason, now);
}

bool Hand::begin_closing(uint32_t slot, SlotWord seen, CloseReason reason, Instant now) {
  {
    const Publisher::Topology changing(publisher_);
    if (!pool_.board_.advance(slot, seen, SlotState::closing)) return false;
    stamp_state(slot, now);
  }
  close_reason_[slot] = reason;
  departing_.push_back(slot);
  close_unvisited(now);
  return true;
}

// Whoever came to the slot before it was closing may still use the session (a cancel from another thread does).
void Hand::close_unvisited(Instant now) {
  std::erase_if(departing_, [&](uint32_t slot) {
    if (Presence::is_anyone_at(Presence::key_of_slot(pool_.key(), slot))) return false;
    ask(slot, Completion::Kind::closed,
        [&] { pool_.connector_->close(slot, std::move(pool_.seats_[slot].connection), now); });
    return true;
  });
}

void Hand::finish_closing(uint32_t slot, Instant now) {
  const Instant born = Instant::at_ns(static_cast<int64_t>(read(pool_.board_.slot(slot).born_mono)));
  const uint64_t conn_id = read(pool_.board_.slot(slot).conn_id);
  {
    const Publisher::Topology changing(publisher_);
    put(pool_.board_.slot(slot).conn_id, 0);
    TIDE_ASSERT(pool_.board_.advance(slot, pool_.board_.word(slot), SlotState::empty));
    --occupied_;
  }
  publisher_.closed(close_reason_[slot], now - born);
  pool_.tell(PoolEvent::remove, conn_id, 0, word(close_reason_[slot]).data());  // of literals, which end with NUL
}

void Hand::validate(const Action& action, const Policy& policy, Instant now) {
  const SlotWord seen = pool_.board_.word(action.slot);
  if (seen.state() != SlotState::idle || read(pool_.board_.slot(action.slot).conn_id) != action.conn_id) return;
  if (!pool_.board_.advance(action.slot, seen, SlotState::held)) return;
  stamp_state(action.slot, now);
  publisher_.count(&format::KeeperStats::validations_total);
  Connection& connection = *pool_.seats_[action.slot].connection;
  const Instant deadline = now + policy.validation_timeout;
  is_surveyed_[action.slot] = action.kind == Action::Kind::survey;
  ask(action.slot, Completion::Kind::validation_failed, [&] {
    if (is_surveyed_[action.slot]) {
      pool_.connector_->survey(action.slot, connection, now, deadline);
    } else {
      pool_.connector_->validate(action.slot, connection, now, deadline);
    }
  });
}

void Hand::shed_memory(Instant now) {
  for (uint32_t slot = 0; slot < pool_.board_.used(); ++slot) {
    const SlotWord seen = pool_.board_.word(slot);
    if (seen.state() != SlotState::idle || !pool_.board_.advance(slot, seen, SlotState::held)) continue;
    pool_.seats_[slot].connection->shed_memory();
    put_back(slot, now);
  }
}

// The session that has this lease, and its own number for it: sessions count their leases themselves, and a number that
// is read while ours still runs cannot name a later one. Null: the lease is over.
Connection* Hand::session_of(LeaseId lease, uint64_t& number) {
  if (!pool_.board_.is_current(lease)) return nullptr;
  Connection* const session = pool_.seats_[lease.slot()].connection.get();
  number = session->facts().lease;
  return pool_.board_.is_current(lease) ? session : nullptr;
}

void Hand::cancel(const Action& action, Instant now) {
  uint64_t number = 0;
  Connection* const session = session_of(LeaseId(action.lease_id), number);
  if (session != nullptr) pool_.connector_->cancel(action.slot, *session, number, now);
}

void Hand::end_transaction(const Action& action, Instant now) {
  uint64_t number = 0;
  Connection* const session = session_of(LeaseId(action.lease_id), number);
  if (session == nullptr) return;
  submitted_ = true;
  if (pool_.connector_->end_transaction(action.slot, *session, action.text, number, now)) {
    tell_transaction_ended(action.text);
  }
}

void Hand::tell_transaction_ended(const std::string& why) {
  publisher_.note(EventKind::transaction_ended, Severity::warning, why);
}

void Hand::tend(const Policy& policy, Instant now) {
  std::erase_if(to_revoke_, [&](const ToRevoke& wanted) { return revoke_if_begun(wanted.lease, wanted.reason, now); });
  if (!departing_.empty()) close_unvisited(now);
  for (size_t i = 0; i < revoked_.size();) {
    const uint32_t slot = revoked_[i];
    const bool is_used = Presence::is_anyone_at(Presence::key_of_slot(pool_.key(), slot));
    if (is_used || cut_off_[slot] == CutOff::under_way) {
      ++i;
      continue;
    }
    bury(slot, pool_.board_.word(slot), now);
    revoked_[i] = revoked_.back();
    revoked_.pop_back();
  }
  for (uint32_t slot = 0; slot < pool_.board_.used(); ++slot) {
    const SlotWord seen = pool_.board_.word(slot);
    const uint32_t flags = pool_.board_.slot(slot).flags.load(std::memory_order_relaxed);
    if (seen.state() == SlotState::idle && (flags & format::kFlagRetire) != 0) {
      // Given back by a holder who looked at the flags just before retire() set them.
      begin_closing(slot, seen, static_cast<CloseReason>(flags >> 8 & 0xFF), now);
      continue;
    }
    if (seen.state() != SlotState::soiled) continue;
    Seat& seat = pool_.seats_[slot];
    CloseReason reason = seat.retire_reason;
    if (reason == CloseReason::none && (flags & format::kFlagRetire) != 0) {
      reason = static_cast<CloseReason>(flags >> 8 & 0xFF);
    }
    if (reason != CloseReason::none) {
      begin_closing(slot, seen, reason, now);
      continue;
    }
    TIDE_ASSERT(pool_.board_.advance(slot, seen, SlotState::held));
    stamp_state(slot, now);
    ask(slot, Completion::Kind::reset_failed, [&] {
      pool_.connector_->reset(slot, *seat.connection, policy.reset_on_release, now, now + policy.validation_timeout);
    });
  }
  clear_old_marks();
}

bool Hand::shut_all(bool is_forced, Instant now) {
  for (uint32_t slot = 0; slot < pool_.board_.used(); ++slot) {
    const SlotWord seen = pool_.board_.word(slot);
    if (seen.state() == SlotState::idle) begin_closing(slot, seen, CloseReason::shutdown, now);
    if (seen.state() == SlotState::leased) {
      set_flag(slot, format::kFlagRetire | static_cast<uint32_t>(CloseReason::shutdown) << 8);
      if (is_forced) revoke(LeaseId(slot, seen.generation()), CloseReason::shutdown, now);
    }
    // The lease has ended, but a call of it still runs: it is cut off, and then gives the slot back.
    if (seen.state() == SlotState::returning && is_forced && cut_off_[slot] == CutOff::no) cut_off(slot, now);
  }
  return occupied_ == 0;
}

bool Hand::is_done_with_sessions() const {
  for (uint32_t slot = 0; slot < pool_.board_.used(); ++slot) {
    const SlotState state = pool_.board_.word(slot).state();
    if (state != SlotState::empty && state != SlotState::closing) return false;
  }
  return departing_.empty();
}

void Hand::abandon_after_fork() noexcept {
  for (Seat& seat : pool_.seats_) {
    if (seat.connection != nullptr) seat.connection->abandon();
  }
}

}  // namespace tide
