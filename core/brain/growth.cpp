#include "brain/growth.hpp"

#include <algorithm>
#include <utility>

#include "base/backoff.hpp"
#include "brain/wording.hpp"

namespace tide::brain {
namespace {

// Connections that callers and min_idle need beyond those that will serve them. None while paused: no caller is served.
int64_t demand(Desk& desk, Steering& steering) {
  if (desk.ledger().controls.is_paused) return 0;
  const Counts& counts = desk.counts();
  const int64_t ready = counts.idle + counts.opening + counts.held;
  const int64_t min_idle = desk.policy().min_idle;
  const std::optional<int64_t> for_waiters = steering.wanted_for_waiters(desk);
  // Critical callers do not wait for leases to end while there may be more connections.
  const int64_t for_critical = static_cast<int64_t>(desk.census().waiting_critical) - ready;
  if (for_waiters) return std::max({*for_waiters, for_critical, min_idle - ready});
  return static_cast<int64_t>(desk.census().waiting) + min_idle - ready;
}

std::string demand_text(const Desk& desk) {
  const Counts& counts = desk.counts();
  std::string text = counted(desk.census().waiting, "caller") + " waiting, " + std::to_string(counts.in_use) + " of " +
                     std::to_string(counts.total - counts.connecting) + " in use";
  if (desk.policy().min_idle > 0) text += ", min_idle " + std::to_string(desk.policy().min_idle);
  return text;
}

// The number needed if a full server had room: the lowest size whatever the load is, and what callers wait for. A
// margin does not justify another attempt.
int64_t wanted_of_full_server(const Desk& desk) {
  const Ledger& ledger = desk.ledger();
  const int64_t lowest = precedence_without(ledger, {&Caps::room}).lowest;
  return std::max(lowest, desk.census().waiting > 0 ? ledger.wish : 0);
}

}  // namespace

void Growth::tick(Desk& desk, Steering& steering, Breaker& breaker, const Room& room) {
  const Ledger& ledger = desk.ledger();
  if (!ledger.is_awake) return;
  if (std::exchange(is_crowded_, false)) {
    crowded_until_ = desk.now() + kCrowdedFor;
    const int64_t left = std::max(desk.bounds().lowest, desk.counts().staying());
    if (left < ledger.target)
      desk.set_target(left, SizeSource::autoscale, "the server accepts no more connections at present");
  }
  const int64_t short_of_target = ledger.target + ledger.spares - desk.counts().staying();
  const int64_t needed = demand(desk, steering);
  const int64_t short_of_room = room.is_full() ? wanted_of_full_server(desk) - desk.counts().staying() : 0;
  const int64_t wanted = std::max({short_of_target, needed, short_of_room, int64_t{breaker.is_tripped() ? 1 : 0}});
  const int64_t n = allowed(desk, wanted, breaker);
  if (room.is_full() && wanted > 0 && desk.now() < room.try_at()) desk.wake_at(room.try_at());
  const int64_t before = desk.counts().staying();
  for (int64_t i = 0; i < n; ++i) desk.open();
  if (n > 0) breaker.probe_began(desk);
  under_way_ += std::max<int64_t>(n, 0);
  if (n <= 0 || needed <= 0 || !desk.policy().is_pooling()) return;
  // The sizer's size is one decision, carried out at the pace of max_connecting; without it each open is its own.
  const int64_t wished = ledger.is_steered ? before + needed : desk.counts().staying();
  const int64_t to = std::min(wished - ledger.spares, desk.bounds().limit);
  if (to > ledger.target) desk.set_target(to, SizeSource::autoscale, demand_text(desk));
}

int64_t Growth::allowed(Desk& desk, int64_t wanted, const Breaker& breaker) const {
  const Counts& counts = desk.counts();
  const int64_t room = desk.bounds().limit + desk.bounds().probe - counts.total;
  const int64_t n = std::min({wanted, room, desk.policy().max_connecting - counts.connecting});
  if (n <= 0) return n;
  if (breaker.is_tripped()) return breaker.may_probe(desk) ? 1 : 0;
  if (rounds_ == 0) return n;
  if (desk.now() < retry_at_) {
    desk.wake_at(retry_at_);
    return 0;
  }
  return counts.connecting == 0 ? 1 : 0;
}

void Growth::succeeded() {
  under_way_ = std::max<int64_t>(under_way_ - 1, 0);
  stragglers_ = 0;
  rounds_ = 0;
  crowded_until_ = Instant();
}

void Growth::failed(Instant now, bool is_permanent, const Policy& policy, Rng& rng) {
  constexpr int kRoundsMax = 64;
  under_way_ = std::max<int64_t>(under_way_ - 1, 0);
  if (is_permanent) {
    retry_at_ = now + policy.retry_max;
  } else if (stragglers_ == 0) {
    retry_at_ = now + backoff_ceiling(rounds_ + 1, policy.retry_base, policy.retry_max).scaled(rng.unit());
  }
  if (stragglers_ > 0) {
    --stragglers_;
    return;
  }
  rounds_ = std::min(rounds_ + 1, kRoundsMax);
  stragglers_ = under_way_;
}

}  // namespace tide::brain
