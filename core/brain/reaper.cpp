#include "brain/reaper.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/units.hpp"
#include "brain/wording.hpp"

namespace tide::brain {
namespace {

// A condemned generation is replaced over this time, to avoid a flood of connects at the server.
constexpr Span kCondemnedSpread = Span::seconds(2);
constexpr Span kLossesWithin = Span::seconds(1);
// An error that the new generation meets as well is not solved by replacing it again.
constexpr Span kDoomsApart = Span::seconds(10);
constexpr uint64_t kAll = std::numeric_limits<uint64_t>::max();

// An open cannot be cancelled, so a connection that is still opening is retired later.
bool may_retire(const Desk& desk, const SlotCensus& slot) {
  return !desk.is_leaving(slot) && slot.phase != Phase::opening;
}

void retire_ordered(Desk& desk) {
  for (const SlotCensus& slot : desk.census().slots) {
    if (!may_retire(desk, slot)) continue;
    const Instant due = desk.dossier(slot).replace_at;
    if (desk.now() < due) {
      desk.wake_at(due);
    } else {
      desk.retire(slot, CloseReason::control);
    }
  }
}

void retire_used_up(Desk& desk) {
  const int64_t uses_max = desk.policy().uses_limit();
  if (uses_max == 0) return;
  for (const SlotCensus& slot : desk.census().slots) {
    if (may_retire(desk, slot) && slot.uses >= static_cast<uint64_t>(uses_max)) desk.retire(slot, CloseReason::uses);
  }
}

bool is_long_overdue(const SlotCensus& slot, Instant now) {
  return now - slot.expires_at > (slot.expires_at - slot.born) / 10;
}

// An idle connection is replaced before it ends, if the limit has room: its successor, a spare, is opened first, and
// the old one stays, and may be leased, until that is open. A leased one ends when it is returned; it does not count as
// staying, so that growth opens its successor in advance.
bool waits_for_successor(const Desk& desk, const SlotCensus& slot) {
  const Ledger& ledger = desk.ledger();
  const Counts& counts = desk.counts();
  if (slot.phase == Phase::leased || !ledger.is_awake || ledger.controls.is_paused) return false;
  if (counts.open() > ledger.target) return false;  // it is open, or not needed
  return counts.opening > 0 || counts.total + ledger.spares < desk.bounds().limit;
}

void retire_expired(Desk& desk) {
  const Counts& counts = desk.counts();
  int64_t allowance = 1 + counts.open() / 4 - counts.closing;
  int64_t& spares = desk.ledger().spares;
  spares = 0;
  for (const SlotCensus& slot : desk.census().slots) {
    if (!may_retire(desk, slot)) continue;
    if (desk.now() < slot.expires_at) {
      desk.wake_at(slot.expires_at);
      continue;
    }
    const bool is_overdue = is_long_overdue(slot, desk.now());
    if (!is_overdue && waits_for_successor(desk, slot)) {
      if (allowance > 0) ++spares;
      --allowance;
    } else if (is_overdue || allowance > (counts.open() > desk.ledger().target ? 0 : counts.opening)) {
      desk.retire(slot, CloseReason::lifetime);
      --allowance;
      continue;
    }
    desk.wake_at(desk.now() + kRecheck);
  }
}

// Start of the idle time of a connection; a pause does not count.
Instant idle_since(const Desk& desk, const SlotCensus& slot) {
  return latest(slot.last_used, desk.ledger().resumed_at.value_or(slot.last_used));
}

void retire_unused(Desk& desk) {
  const Policy& policy = desk.policy();
  if (policy.idle_timeout.is_zero() || desk.ledger().controls.is_paused || desk.census().waiting > 0) return;
  // Connections that the sizer keeps for the current load are not unused, however rarely they are leased.
  const Ledger& ledger = desk.ledger();
  const int64_t lowest = ledger.is_steered ? std::max(desk.bounds().lowest, ledger.target) : desk.bounds().lowest;
  int64_t n = 0;
  for (const SlotCensus& slot : HighestFirst{desk.census().slots}) {
    if (desk.counts().staying() <= lowest || desk.counts().idle <= policy.min_idle) break;
    if (!desk.is_staying(slot, Phase::idle)) continue;
    const Instant due = due_after(idle_since(desk, slot), policy.idle_timeout);
    if (desk.now() < due) {
      desk.wake_at(due);
    } else {
      desk.retire(slot, CloseReason::idle);
      ++n;
    }
  }
  const int64_t left = std::max(lowest, desk.counts().staying());
  if (n > 0 && desk.ledger().target > left) {
    desk.set_target(left, SizeSource::autoscale,
                    counted(n, "connection") + " unused for idle_timeout " + format_span(policy.idle_timeout));
  }
}

// Those above the needed size first, so that the lowest slots, which callers take, stay free.
void validate_quiet(Desk& desk) {
  const Span interval = desk.policy().validation_interval;
  if (interval.is_zero() || desk.ledger().controls.is_paused || desk.census().waiting > 0) return;
  int64_t allowance = std::max<int64_t>(1, desk.counts().idle / 2) - desk.counts().held;
  for (const SlotCensus& slot : HighestFirst{desk.census().slots}) {
    if (!desk.is_staying(slot, Phase::idle)) continue;
    const Instant due = due_after(slot.validated_at, interval);
    if (desk.now() < due) {
      desk.wake_at(due);
      continue;
    }
    if (allowance > 0) {
      desk.validate(slot);
      --allowance;
    }
    desk.wake_at(desk.now() + kRecheck);
  }
}

}  // namespace

void Reaper::tick(Desk& desk) {
  if (!verdict_.empty()) {
    condemn_generation(desk, std::exchange(verdict_, {}), kAll);
    suspicion_.drop();
  }
  if (suspicion_.is_confirmed(desk)) {
    condemn_generation(desk, suspicion_.why(), suspicion_.newest());
    suspicion_.drop();
  }
  retire_ordered(desk);
  retire_used_up(desk);
  retire_expired(desk);
  retire_unused(desk);
  validate_quiet(desk);
}

void Reaper::validated(bool is_alive, int64_t failures_max) {
  if (is_alive) {
    failures_in_row_ = 0;
    return;
  }
  if (++failures_in_row_ < failures_max) return;
  failures_in_row_ = 0;
  verdict_ = std::to_string(failures_max) + " validations in a row failed (max_validation_failures)";
}

void Reaper::lost(Instant now, uint64_t conn_id) {
  if (conn_id <= condemned_up_to_ || conn_id == lost_conn_id_) return;
  if (lost_conn_id_ != 0 && now - lost_at_ <= kLossesWithin)
    suspicion_.raise(now, "several connections were lost within 1 s");
  lost_conn_id_ = conn_id;
  lost_at_ = now;
}

void Reaper::doomed(Instant now, uint64_t conn_id, const std::string& why) {
  if (conn_id <= condemned_up_to_ || (doomed_at_.is_set() && now - doomed_at_ < kDoomsApart)) return;
  doomed_at_ = now;
  verdict_ = why.empty() ? "a statement failed" : why;
}

void Reaper::suspect(Instant now, uint64_t conn_id, const std::string& why) {
  if (conn_id > condemned_up_to_) suspicion_.raise(now, why.empty() ? "a connection was terminated" : why);
}

void Reaper::condemn_generation(Desk& desk, const std::string& why, uint64_t newest) {
  Ledger& ledger = desk.ledger();
  for (const SlotCensus& slot : desk.census().slots) {
    if (slot.phase != Phase::opening && slot.conn_id <= newest) {
      condemned_up_to_ = std::max(condemned_up_to_, slot.conn_id);
    }
  }
  const int64_t n =
      ledger.dossiers.mark_for_replacement(desk.census(), desk.now(), kCondemnedSpread, ledger.rng, 0, newest);
  if (n == 0) return;
  desk.note(EventKind::recycle, Severity::warning,
            why + ": replacing " + counted(n, "connection") + " over " + format_span(kCondemnedSpread),
            "{\"connections\":" + std::to_string(n) + "}");
}

}  // namespace tide::brain
