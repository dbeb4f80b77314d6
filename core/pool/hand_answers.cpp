// Hand, taking the answers of the connector.
#include "base/assert.hpp"
#include "brain/brain.hpp"
#include "os/shortage.hpp"
#include "pool/hand.hpp"
#include "pool/keeper.hpp"
#include "pool/pool.hpp"
#include "pool/publisher.hpp"

namespace tide {

void Hand::welcome(Completion& completion, Instant now) {
  const uint32_t slot = completion.slot;
  Seat& seat = pool_.seats_[slot];
  seat.seat(std::move(completion.connection));
  {
    format::Slot& s = pool_.board_.slot(slot);
    SeqWrite guard(s.seq);
    put(s.born_mono, static_cast<uint64_t>(now.ns()));
    put(s.since_mono, static_cast<uint64_t>(now.ns()));
    put(s.last_used_mono, static_cast<uint64_t>(now.ns()));
    put(s.validated_mono, static_cast<uint64_t>(now.ns()));
    put(s.expires_mono, static_cast<uint64_t>(brain_.draw_expiry(now).ns()));
    s.server_pid.store(static_cast<uint32_t>(seat.connection->server_pid()), std::memory_order_relaxed);
  }
  publisher_.connected(now - asked_at_[slot]);
  brain_.connect_succeeded(now, now - asked_at_[slot]);
  pool_.unreachable_until_ns_.store(0, std::memory_order_relaxed);
  {
    const std::lock_guard lock(pool_.story_mutex_);
    pool_.last_connect_failure_ = Status::ok();
  }
  pool_.tell(PoolEvent::connect, read(pool_.board_.slot(slot).conn_id), 0, "");
  put_back(slot, now);
}

void Hand::refuse_open(Completion& completion, Instant now) {
  has_failed_ = true;
  const uint32_t slot = completion.slot;
  {
    const Publisher::Topology changing(publisher_);
    put(pool_.board_.slot(slot).conn_id, 0);
    TIDE_ASSERT(pool_.board_.advance(slot, pool_.board_.word(slot), SlotState::empty));
    --occupied_;
  }
  publisher_.count(&format::KeeperStats::connect_failures_total);
  publisher_.error(completion.status.message);
  publisher_.note(EventKind::connect_error, Severity::warning, completion.status.message);
  // 57P03: not ready for any. Without descriptors there is no room either, at this end.
  const bool is_full = (completion.is_crowded && completion.status.sqlstate != "57P03") ||
                       tells_of_descriptors(completion.status.message);
  brain_.connect_failed(now, completion.is_permanent, completion.is_crowded && !is_full);
  if (is_full) brain_.server_full(completion.status.message);
  {
    const std::lock_guard lock(pool_.story_mutex_);
    pool_.last_connect_failure_ = completion.status;
    // Whatever the driver says of its error: what is hopeless to the pool is not worth another try of the caller's.
    if (completion.is_permanent) pool_.last_connect_failure_.is_retryable = false;
  }
  pool_.tell(PoolEvent::error, 0, 0, completion.status.message.c_str());
  if (!completion.is_permanent) {
    pool_.unreachable_until_ns_.store(0, std::memory_order_relaxed);  // trying again may help after all
    return;
  }
  permanent_failure_ = completion.status;
  if (occupied_ != 0) return;
  // Nobody has a connection and trying again cannot help: waiting would be a lie. But a password or file may be mended,
  // and the brain tries again for those who wait: so once in a while somebody must be let in to wait.
  const Instant until = now + pool_.keeper_->policy().retry_max;
  pool_.unreachable_until_ns_.store(until.ns(), std::memory_order_relaxed);
  Deliveries deliveries;
  pool_.turnstile_.refuse_all(Code::unavailable, deliveries);
}

void Hand::validation_ended(uint32_t slot, bool is_alive, Instant now) {
  if (is_surveyed_[slot]) {
    is_surveyed_[slot] = false;
    brain_.surveyed(now, is_alive);
  } else {
    brain_.validated(now, is_alive);
  }
}

void Hand::lose(Completion& completion, Instant now) {
  const uint32_t slot = completion.slot;
  const uint64_t conn_id = read(pool_.board_.slot(slot).conn_id);
  set_flag(slot, format::kFlagRetire | static_cast<uint32_t>(CloseReason::error) << 8);
  const SlotWord seen = pool_.board_.word(slot);
  if (seen.state() == SlotState::idle) begin_closing(slot, seen, CloseReason::error, now);
  publisher_.error(completion.status.message);
  publisher_.note(EventKind::connection_lost, Severity::warning, completion.status.message);
  brain_.connection_lost(now, conn_id);
}

// What becomes of the slot comes first: without memory for the rest, that alone is lost.
void Hand::complete(Completion& completion, Instant now) {
  const uint32_t slot = completion.slot;
  switch (completion.kind) {
    case Completion::Kind::opened: return welcome(completion, now);
    case Completion::Kind::open_failed: return refuse_open(completion, now);
    case Completion::Kind::validated:
      put(pool_.board_.slot(slot).validated_mono, static_cast<uint64_t>(now.ns()));
      if (completion.load.sessions >= 0) server_load_ = completion.load;
      validation_ended(slot, true, now);
      return put_back(slot, now);
    case Completion::Kind::validation_failed:
      begin_closing(slot, pool_.board_.word(slot), CloseReason::error, now);
      publisher_.count(&format::KeeperStats::validation_failures_total);
      publisher_.error(completion.status.message);
      validation_ended(slot, false, now);
      publisher_.note(EventKind::validation_failed, Severity::warning, completion.status.message);
      return;
    case Completion::Kind::reset_done: return put_back(slot, now);
    case Completion::Kind::reset_failed:
      publisher_.error(completion.status.message);
      begin_closing(slot, pool_.board_.word(slot), CloseReason::error, now);
      return;
    case Completion::Kind::closed: return finish_closing(slot, now);
    case Completion::Kind::disarmed:
      cut_off_[slot] = completion.status ? CutOff::finished : CutOff::given_up;
      if (!completion.status) publisher_.error(completion.status.message);
      return;
    case Completion::Kind::transaction_ended: return tell_transaction_ended(completion.status.message);
    case Completion::Kind::lost: return lose(completion, now);
    case Completion::Kind::noticed:
      publisher_.note(EventKind::server_notice, completion.is_warning ? Severity::warning : Severity::info,
                      completion.status.message);
      return;
    case Completion::Kind::lost_in_use: return brain_.connection_lost(now, read(pool_.board_.slot(slot).conn_id));
    case Completion::Kind::suspected:
      return brain_.generation_suspected(now, read(pool_.board_.slot(slot).conn_id), completion.status.message);
    case Completion::Kind::doomed:
      return brain_.generation_doomed(now, read(pool_.board_.slot(slot).conn_id), completion.status.message);
  }
}

}  // namespace tide
