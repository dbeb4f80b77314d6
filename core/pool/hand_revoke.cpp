// Hand, taking leases away: a revoked slot waits until its holder is out of our code, then its session is buried.
#include <algorithm>

#include "pool/hand.hpp"
#include "pool/keeper.hpp"
#include "pool/pool.hpp"
#include "pool/publisher.hpp"

namespace tide {

void Hand::revoke(LeaseId lease, CloseReason reason, Instant now) {
  if (revoke_if_begun(lease, reason, now)) return;
  const auto is_same = [lease](const ToRevoke& wanted) { return wanted.lease.bits == lease.bits; };
  if (std::none_of(to_revoke_.begin(), to_revoke_.end(), is_same)) to_revoke_.push_back({lease, reason});
}

// False: its acquirer does not have it in hand yet.
bool Hand::revoke_if_begun(LeaseId lease, CloseReason reason, Instant now) {
  const uint32_t slot = lease.slot();
  if (!pool_.board_.is_current(lease)) return true;
  if (!pool_.seats_[slot].has_begun(lease.bits)) return false;
  {
    const Publisher::Topology changing(publisher_);
    if (!pool_.board_.advance(slot, lease.word(), SlotState::revoked)) return true;
    stamp_state(slot, now);
  }
  pool_.in_use_peak_.ended();
  close_reason_[slot] = reason;
  publisher_.count(&format::KeeperStats::leases_reclaimed_total);
  revoked_.push_back(slot);
  cut_off(slot, now);
  return true;
}

void Hand::cut_off(uint32_t slot, Instant now) {
  Connection& session = *pool_.seats_[slot].connection;
  session.disarm();
  bool is_finished = true;
  try {
    is_finished = pool_.connector_->finish_disarm(slot, session, now);
  } catch (const std::bad_alloc&) {
    session.finish_disarm();
  }
  cut_off_[slot] = is_finished ? CutOff::finished : CutOff::under_way;
  submitted_ = true;
}

// A revoked slot whose holder is out of our code, and whose session was cut off: nobody writes into it any more.
void Hand::bury(uint32_t slot, SlotWord seen, Instant now) {
  Seat& seat = pool_.seats_[slot];
  const LeaseId lease(slot, seen.generation());
  bool is_native_out = seat.is_native_out;
  {
    const std::lock_guard lock(zombies_mutex_);  // until the word says closing, a holder may come back to returned_
    if (std::erase_if(returned_, [lease](LeaseId id) { return id.bits == lease.bits; }) != 0) is_native_out = false;
    // A call that does not come back uses the session, too: its memory is the price.
    if (is_native_out && cut_off_[slot] == CutOff::given_up) {
      (void)seat.connection.release();
    } else if (is_native_out) {
      zombies_.reserve(zombies_.size() + 1);  // may fail, before anything has changed
      zombies_.push_back({lease, std::move(seat.connection)});
    }
    TIDE_ASSERT(pool_.board_.advance(slot, seen, SlotState::closing));
  }
  if (is_native_out) return finish_closing(slot, now);
  ask(slot, Completion::Kind::closed, [&] { pool_.connector_->close(slot, std::move(seat.connection), now); });
}

void Hand::holder_returned(LeaseId lease) {
  std::unique_ptr<Connection> gone;
  const std::lock_guard lock(zombies_mutex_);
  for (size_t i = 0; i < zombies_.size(); ++i) {
    if (zombies_[i].lease.bits != lease.bits) continue;
    gone = std::move(zombies_[i].connection);
    zombies_.erase(zombies_.begin() + static_cast<std::ptrdiff_t>(i));
    return;
  }
  // Not buried yet: once it is, nobody will come back for it any more.
  if (lease.slot() >= pool_.board_.capacity()) return;
  if (pool_.board_.word(lease.slot()) != lease.word().with(SlotState::revoked)) return;
  const auto is_same = [lease](LeaseId id) { return id.bits == lease.bits; };
  if (std::none_of(returned_.begin(), returned_.end(), is_same)) returned_.push_back(lease);
}

}  // namespace tide
