#include "pool/slot_keeper.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "brain/brain.hpp"
#include "os/shortage.hpp"
#include "pool/in_use_peak.hpp"
#include "pool/listeners.hpp"
#include "pool/presence.hpp"
#include "pool/recent_errors.hpp"
#include "pool/segment_writer.hpp"
#include "pool/wait_queue.hpp"

namespace tide {

SlotKeeper::SlotKeeper(uint64_t pool_key, Board& board, std::span<Seat> seats, InUsePeak& in_use_peak,
                       WaitQueue& wait_queue, Connector& connector, RecentErrors& errors, const Listeners& listeners,
                       Brain& brain, SegmentWriter& segment_writer)
    : pool_key_(pool_key),
      board_(board),
      seats_(seats),
      in_use_peak_(in_use_peak),
      wait_queue_(wait_queue),
      connector_(connector),
      errors_(errors),
      listeners_(listeners),
      brain_(brain),
      segment_writer_(segment_writer),
      asked_at_(board.capacity()),
      close_reason_(board.capacity(), CloseReason::none),
      cut_off_(board.capacity(), CutOff::no),
      marked_lease_(board.capacity(), 0),
      is_surveyed_(board.capacity(), false) {
  const uint32_t slots = board.capacity();
  unasked_.reserve(slots);
  to_revoke_.reserve(slots);
  revoked_.reserve(slots);
  departing_.reserve(slots);
}

SlotKeeper::~SlotKeeper() {
  // A holder that still has a native handle may use it at any time; never freeing the memory is the lesser evil.
  for (Zombie& zombie : zombies_) (void)zombie.connection.release();
}

void SlotKeeper::take_unasked(std::vector<Completion>& out) {
  for (; !unasked_.empty(); unasked_.pop_back()) {
    out.push_back({unasked_.back().failure, unasked_.back().slot, nullptr, Status::out_of_memory(), false});
  }
}

void SlotKeeper::stamp_state(uint32_t slot, Instant now) {
  put(board_.slot(slot).since_mono, static_cast<uint64_t>(now.ns()));
}

// A transition that no other thread can make meanwhile.
void SlotKeeper::move(uint32_t slot, SlotWord from, SlotState to) {
  const bool is_done = board_.advance(slot, from, to);
  TIDE_ASSERT(is_done);
}

void SlotKeeper::empty(uint32_t slot) {
  const SegmentWriter::Topology changing(segment_writer_);
  put(board_.slot(slot).conn_id, 0);
  board_.write_statements(slot, 0, 0);
  move(slot, board_.word(slot), SlotState::empty);
  --occupied_;
}

void SlotKeeper::mark(LeaseId lease, format::SlotFlag flag) {
  if (!board_.is_current(lease)) return;
  marked_lease_[lease.slot()] = lease.bits;
  std::atomic<uint32_t>& flags = board_.slot(lease.slot()).flags;
  flags.store(flags.load(std::memory_order_relaxed) | flag, std::memory_order_relaxed);
}

// Flags describe one lease; when it is over they must not apply to the next one.
void SlotKeeper::clear_old_marks() {
  for (uint32_t slot = 0; slot < board_.used(); ++slot) {
    if (marked_lease_[slot] == 0 || board_.is_current(LeaseId(marked_lease_[slot]))) continue;
    marked_lease_[slot] = 0;
    std::atomic<uint32_t>& flags = board_.slot(slot).flags;
    flags.store(flags.load(std::memory_order_relaxed) & ~uint32_t{format::kFlagOverdue | format::kFlagSuspect},
                std::memory_order_relaxed);
  }
}

void SlotKeeper::open(const Policy& policy, int64_t limit, Instant now) {
  if (static_cast<int64_t>(occupied_) >= limit) return;  // I1, whatever the brain requested
  uint32_t slot = board_.capacity();
  {
    const SegmentWriter::Topology changing(segment_writer_);
    slot = board_.open_lowest();
    if (slot == board_.capacity()) return;
    ++occupied_;
    format::Slot& s = board_.slot(slot);
    SeqWrite guard(s.seq);
    put(s.conn_id, take_conn_id());
    put(s.born_mono, static_cast<uint64_t>(now.ns()));
    put(s.since_mono, static_cast<uint64_t>(now.ns()));
    put(s.expires_mono, static_cast<uint64_t>(Instant::never().ns()));
    put(s.acquires_before, read(s.acquires_total));
    put(s.queries_before, read(board_.stats(slot).queries_total));
    s.flags.store(0, std::memory_order_relaxed);
    s.server_pid.store(0, std::memory_order_relaxed);
    s.is_in_transaction.store(0, std::memory_order_relaxed);
    s.tag.assign({});
    s.last_error.assign({});
    segment_writer_.grew();
  }
  marked_lease_[slot] = 0;
  cut_off_[slot] = CutOff::no;
  asked_at_[slot] = now;
  ask(slot, Completion::Kind::open_failed, [&] { connector_.open(slot, now, now + policy.connect_timeout); });
}

// The keeper has finished with a slot it opened or held: it goes to the next waiter or to the board.
void SlotKeeper::put_back(uint32_t slot, Instant now) {
  const SlotWord seen = board_.word(slot);
  const auto retirement = format::Retirement::of(board_.slot(slot));
  if (retirement && seen.state() == SlotState::held) {
    begin_closing(slot, seen, retirement.reason, now);
    return;
  }
  stamp_state(slot, now);
  move(slot, seen, SlotState::idle);
  if (retirement) {
    begin_closing(slot, seen.with(SlotState::idle), retirement.reason, now);
    return;
  }
  Deliveries deliveries;
  if (wait_queue_.has_waiters()) wait_queue_.serve(now, deliveries);
}

void SlotKeeper::retire(const action::Retire& action, Instant now) {
  const uint32_t slot = action.slot;
  if (slot >= board_.capacity() || read(board_.slot(slot).conn_id) != action.conn_id) return;
  format::Retirement{action.reason}.put_into(board_.slot(slot));
  const SlotWord seen = board_.word(slot);
  if (seen.state() == SlotState::idle) begin_closing(slot, seen, action.reason, now);
}

bool SlotKeeper::begin_closing(uint32_t slot, SlotWord seen, CloseReason reason, Instant now) {
  {
    const SegmentWriter::Topology changing(segment_writer_);
    if (!board_.advance(slot, seen, SlotState::closing)) return false;
    stamp_state(slot, now);
  }
  close_reason_[slot] = reason;
  departing_.push_back(slot);
  close_unvisited(now);
  return true;
}

// A thread that reached the slot before it was closing may still use the session (a cancel from another thread does).
void SlotKeeper::close_unvisited(Instant now) {
  std::erase_if(departing_, [&](uint32_t slot) {
    if (Presence::is_anyone_at(Presence::key_of_slot(pool_key_, slot))) return false;
    ask(slot, Completion::Kind::closed, [&] { connector_.close(slot, std::move(seats_[slot].connection), now); });
    return true;
  });
}

void SlotKeeper::finish_closing(uint32_t slot, Instant now) {
  const Instant born = Instant::at_ns(static_cast<int64_t>(read(board_.slot(slot).born_mono)));
  const uint64_t conn_id = read(board_.slot(slot).conn_id);
  empty(slot);
  segment_writer_.closed(close_reason_[slot], now - born);
  listeners_.tell(PoolEvent::remove, conn_id, 0, word(close_reason_[slot]).data());  // literals, hence NUL-terminated
}

void SlotKeeper::validate(const action::Validate& action, const Policy& policy, Instant now) {
  const SlotWord seen = board_.word(action.slot);
  if (seen.state() != SlotState::idle || read(board_.slot(action.slot).conn_id) != action.conn_id) return;
  if (!board_.advance(action.slot, seen, SlotState::held)) return;
  stamp_state(action.slot, now);
  segment_writer_.count(&format::KeeperStats::validations_total);
  Connection& connection = *seats_[action.slot].connection;
  const Instant deadline = now + policy.validation_timeout;
  is_surveyed_[action.slot] = action.is_survey;
  ask(action.slot, Completion::Kind::validation_failed, [&] {
    if (is_surveyed_[action.slot]) {
      connector_.survey(action.slot, connection, now, deadline);
    } else {
      connector_.validate(action.slot, connection, now, deadline);
    }
  });
}

void SlotKeeper::shed_memory(Instant now) {
  for (uint32_t slot = 0; slot < board_.used(); ++slot) {
    const SlotWord seen = board_.word(slot);
    if (seen.state() != SlotState::idle || !board_.advance(slot, seen, SlotState::held)) continue;
    seats_[slot].connection->shed_memory();
    put_back(slot, now);
  }
}

// The session that has this lease, and the session's own number for it: sessions count their leases themselves, and a
// number read while the lease is current cannot be that of a later one. Null: the lease is over.
Connection* SlotKeeper::session_of(LeaseId lease, uint64_t& number) {
  if (!board_.is_current(lease)) return nullptr;
  Connection* const session = seats_[lease.slot()].connection.get();
  number = session->facts().lease;
  return board_.is_current(lease) ? session : nullptr;
}

void SlotKeeper::cancel(LeaseId lease, Instant now) {
  uint64_t number = 0;
  Connection* const session = session_of(lease, number);
  if (session != nullptr) connector_.cancel(lease.slot(), *session, number, now);
}

void SlotKeeper::end_transaction(LeaseId lease, const std::string& why, Instant now) {
  uint64_t number = 0;
  Connection* const session = session_of(lease, number);
  if (session == nullptr) return;
  submitted_ = true;
  if (connector_.end_transaction(lease.slot(), *session, why, number, now)) tell_transaction_ended(why);
}

void SlotKeeper::tell_transaction_ended(const std::string& why) {
  segment_writer_.note(EventKind::transaction_ended, Severity::warning, why);
}

void SlotKeeper::tend(const Policy& policy, Instant now) {
  std::erase_if(to_revoke_, [&](const ToRevoke& wanted) { return revoke_if_begun(wanted.lease, wanted.reason, now); });
  if (!departing_.empty()) close_unvisited(now);
  for (size_t i = 0; i < revoked_.size();) {
    const uint32_t slot = revoked_[i];
    const bool is_used = Presence::is_anyone_at(Presence::key_of_slot(pool_key_, slot));
    if (is_used || cut_off_[slot] == CutOff::under_way) {
      ++i;
      continue;
    }
    bury(slot, board_.word(slot), now);
    revoked_[i] = revoked_.back();
    revoked_.pop_back();
  }
  for (uint32_t slot = 0; slot < board_.used(); ++slot) {
    const SlotWord seen = board_.word(slot);
    const auto retirement = format::Retirement::of(board_.slot(slot));
    if (seen.state() == SlotState::idle && retirement) {
      // Released by a holder that checked the flags just before retire() set them.
      begin_closing(slot, seen, retirement.reason, now);
      continue;
    }
    if (seen.state() != SlotState::soiled) continue;
    Seat& seat = seats_[slot];
    const CloseReason reason = seat.retire_reason == CloseReason::none ? retirement.reason : seat.retire_reason;
    if (reason != CloseReason::none) {
      begin_closing(slot, seen, reason, now);
      continue;
    }
    move(slot, seen, SlotState::held);
    stamp_state(slot, now);
    ask(slot, Completion::Kind::reset_failed, [&] {
      connector_.reset(slot, *seat.connection, policy.reset_on_release, now, now + policy.validation_timeout);
    });
  }
  clear_old_marks();
}

// ---- revoked leases: a revoked slot waits until its holder has left the pool's code, then its session is freed

void SlotKeeper::revoke(LeaseId lease, CloseReason reason, Instant now) {
  if (revoke_if_begun(lease, reason, now)) return;
  const auto is_same = [lease](const ToRevoke& wanted) { return wanted.lease.bits == lease.bits; };
  if (std::none_of(to_revoke_.begin(), to_revoke_.end(), is_same)) to_revoke_.push_back({lease, reason});
}

// False: its acquirer has not finished preparing it.
bool SlotKeeper::revoke_if_begun(LeaseId lease, CloseReason reason, Instant now) {
  const uint32_t slot = lease.slot();
  if (!board_.is_current(lease)) return true;
  if (!seats_[slot].has_begun(lease.bits)) return false;
  {
    const SegmentWriter::Topology changing(segment_writer_);
    if (!board_.advance(slot, lease.word(), SlotState::revoked)) return true;
    stamp_state(slot, now);
  }
  in_use_peak_.ended();
  close_reason_[slot] = reason;
  segment_writer_.count(&format::KeeperStats::leases_reclaimed_total);
  revoked_.push_back(slot);
  cut_off(slot, now);
  return true;
}

void SlotKeeper::cut_off(uint32_t slot, Instant now) {
  Connection& session = *seats_[slot].connection;
  session.disarm();
  bool is_finished = true;
  try {
    is_finished = connector_.finish_disarm(slot, session, now);
  } catch (const std::bad_alloc&) {
    session.finish_disarm();
  }
  cut_off_[slot] = is_finished ? CutOff::finished : CutOff::under_way;
  submitted_ = true;
}

// For a revoked slot whose holder has left the pool's code, and whose session was cut off: no thread writes into it.
void SlotKeeper::bury(uint32_t slot, SlotWord seen, Instant now) {
  Seat& seat = seats_[slot];
  const LeaseId lease(slot, seen.generation());
  bool is_native_out = seat.is_native_out;
  {
    const std::lock_guard lock(zombies_mutex_);  // until the word says closing, a returning holder may add to returned_
    if (std::erase_if(returned_, [lease](LeaseId id) { return id.bits == lease.bits; }) != 0) is_native_out = false;
    // A call that does not return uses the session, too: its memory is never freed.
    if (is_native_out && cut_off_[slot] == CutOff::given_up) {
      (void)seat.connection.release();
    } else if (is_native_out) {
      zombies_.reserve(zombies_.size() + 1);  // may fail, before anything has changed
      zombies_.push_back({lease, std::move(seat.connection)});
    }
    move(slot, seen, SlotState::closing);
  }
  if (is_native_out) return finish_closing(slot, now);
  ask(slot, Completion::Kind::closed, [&] { connector_.close(slot, std::move(seat.connection), now); });
}

void SlotKeeper::holder_returned(LeaseId lease) {
  std::unique_ptr<Connection> gone;
  const std::lock_guard lock(zombies_mutex_);
  for (size_t i = 0; i < zombies_.size(); ++i) {
    if (zombies_[i].lease.bits != lease.bits) continue;
    gone = std::move(zombies_[i].connection);
    zombies_.erase(zombies_.begin() + static_cast<std::ptrdiff_t>(i));
    return;
  }
  // Not freed yet: after that no holder will return for it.
  if (lease.slot() >= board_.capacity()) return;
  if (board_.word(lease.slot()) != lease.word().with(SlotState::revoked)) return;
  const auto is_same = [lease](LeaseId id) { return id.bits == lease.bits; };
  if (std::none_of(returned_.begin(), returned_.end(), is_same)) returned_.push_back(lease);
}

// ---- answers of the connector

void SlotKeeper::welcome(Completion& completion, Instant now) {
  const uint32_t slot = completion.slot;
  Seat& seat = seats_[slot];
  seat.seat(std::move(completion.connection));
  {
    format::Slot& s = board_.slot(slot);
    SeqWrite guard(s.seq);
    put(s.born_mono, static_cast<uint64_t>(now.ns()));
    put(s.since_mono, static_cast<uint64_t>(now.ns()));
    put(s.last_used_mono, static_cast<uint64_t>(now.ns()));
    put(s.validated_mono, static_cast<uint64_t>(now.ns()));
    put(s.expires_mono, static_cast<uint64_t>(brain_.draw_expiry(now).ns()));
    s.server_pid.store(static_cast<uint32_t>(seat.connection->server_pid()), std::memory_order_relaxed);
  }
  segment_writer_.connected(now - asked_at_[slot]);
  brain_.connect_succeeded(now, now - asked_at_[slot]);
  errors_.connected();
  listeners_.tell(PoolEvent::connect, read(board_.slot(slot).conn_id), 0, "");
  put_back(slot, now);
}

void SlotKeeper::refuse_open(Completion& completion, const Policy& policy, Instant now) {
  has_failed_ = true;
  const uint32_t slot = completion.slot;
  empty(slot);
  segment_writer_.count(&format::KeeperStats::connect_failures_total);
  segment_writer_.error(completion.status.message());
  segment_writer_.note(EventKind::connect_error, Severity::warning, completion.status.message());
  // 57P03: not ready for any client. Without descriptors there is no room either, on the client side.
  const bool is_full = (completion.is_crowded && completion.status.sqlstate() != "57P03") ||
                       tells_of_descriptors(completion.status.message());
  brain_.connect_failed(now, completion.is_permanent, completion.is_crowded && !is_full);
  if (is_full) brain_.server_full(completion.status.message());
  errors_.connect_failed(completion.status, completion.is_permanent);
  listeners_.tell(PoolEvent::error, 0, 0, completion.status.message().c_str());
  if (!completion.is_permanent) return;
  permanent_failure_ = completion.status;
  if (occupied_ != 0) return;
  // No connection is open and retrying cannot help, so waiting would be pointless. But the password or file may be
  // fixed, and the brain only tries again if callers wait: so from time to time a request must be allowed to wait.
  errors_.set_unreachable(now + policy.retry_max);
  Deliveries deliveries;
  wait_queue_.refuse_all(Code::unavailable, deliveries);
}

void SlotKeeper::validation_ended(uint32_t slot, bool is_alive, Instant now) {
  if (is_surveyed_[slot]) {
    is_surveyed_[slot] = false;
    brain_.surveyed(now, is_alive);
  } else {
    brain_.validated(now, is_alive);
  }
}

void SlotKeeper::lose(Completion& completion, Instant now) {
  const uint32_t slot = completion.slot;
  const uint64_t conn_id = read(board_.slot(slot).conn_id);
  format::Retirement{CloseReason::error}.put_into(board_.slot(slot));
  const SlotWord seen = board_.word(slot);
  if (seen.state() == SlotState::idle) begin_closing(slot, seen, CloseReason::error, now);
  segment_writer_.error(completion.status.message());
  segment_writer_.note(EventKind::connection_lost, Severity::warning, completion.status.message());
  brain_.connection_lost(now, conn_id);
}

// The slot is handled first: if memory runs out after that, only the rest is lost.
void SlotKeeper::complete(Completion& completion, const Policy& policy, Instant now) {
  const uint32_t slot = completion.slot;
  switch (completion.kind) {
    case Completion::Kind::opened: return welcome(completion, now);
    case Completion::Kind::open_failed: return refuse_open(completion, policy, now);
    case Completion::Kind::validated:
      put(board_.slot(slot).validated_mono, static_cast<uint64_t>(now.ns()));
      if (completion.load.sessions >= 0) server_load_ = completion.load;
      validation_ended(slot, true, now);
      return put_back(slot, now);
    case Completion::Kind::validation_failed:
      begin_closing(slot, board_.word(slot), CloseReason::error, now);
      segment_writer_.count(&format::KeeperStats::validation_failures_total);
      segment_writer_.error(completion.status.message());
      validation_ended(slot, false, now);
      segment_writer_.note(EventKind::validation_failed, Severity::warning, completion.status.message());
      return;
    case Completion::Kind::reset_done: {
      const StatementCounts left = seats_[slot].connection->facts().statements;
      board_.write_statements(slot, left.held, left.bytes);
      return put_back(slot, now);
    }
    case Completion::Kind::reset_failed:
      segment_writer_.error(completion.status.message());
      begin_closing(slot, board_.word(slot), CloseReason::error, now);
      return;
    case Completion::Kind::closed: return finish_closing(slot, now);
    case Completion::Kind::disarmed:
      cut_off_[slot] = completion.status ? CutOff::finished : CutOff::given_up;
      if (!completion.status) segment_writer_.error(completion.status.message());
      return;
    case Completion::Kind::transaction_ended: return tell_transaction_ended(completion.status.message());
    case Completion::Kind::lost: return lose(completion, now);
    case Completion::Kind::noticed:
      segment_writer_.note(EventKind::server_notice, completion.is_warning ? Severity::warning : Severity::info,
                           completion.status.message());
      return;
    case Completion::Kind::lost_in_use: return brain_.connection_lost(now, read(board_.slot(slot).conn_id));
    case Completion::Kind::suspected:
      return brain_.generation_suspected(now, read(board_.slot(slot).conn_id), completion.status.message());
    case Completion::Kind::doomed:
      return brain_.generation_doomed(now, read(board_.slot(slot).conn_id), completion.status.message());
  }
}

// ---- the end

bool SlotKeeper::shut_all(bool is_forced, Instant now) {
  for (uint32_t slot = 0; slot < board_.used(); ++slot) {
    const SlotWord seen = board_.word(slot);
    if (seen.state() == SlotState::idle) begin_closing(slot, seen, CloseReason::shutdown, now);
    if (seen.state() == SlotState::leased) {
      format::Retirement{CloseReason::shutdown}.put_into(board_.slot(slot));
      if (is_forced) revoke(LeaseId(slot, seen.generation()), CloseReason::shutdown, now);
    }
    // The lease has ended, but a call of it is still running: the call is cut off, and then releases the slot.
    if (seen.state() == SlotState::returning && is_forced && cut_off_[slot] == CutOff::no) cut_off(slot, now);
  }
  return occupied_ == 0;
}

bool SlotKeeper::is_done_with_sessions() const {
  return board_.counts().of(SlotState::closing) == occupied_ && departing_.empty();
}

void SlotKeeper::abandon_after_fork() noexcept {
  for (Seat& seat : seats_) {
    if (seat.connection != nullptr) seat.connection->abandon();
  }
}

}  // namespace tide
