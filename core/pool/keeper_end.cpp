// Keeper, its end: closing, and what becomes of it when the process forks.
#include <algorithm>
#include <new>
#include <utility>

#include "base/units.hpp"
#include "os/clock.hpp"
#include "pool/keeper.hpp"
#include "pool/pool.hpp"
#include "pool/stepping.hpp"

namespace tide {
namespace {

constexpr Span kCloseGrace = Span::seconds(5);  // for the driver to end sessions at the end

}  // namespace

thread_local const Keeper::Stepping* Keeper::Stepping::innermost_ = nullptr;

bool Keeper::is_stepped_by_me() const noexcept { return Stepping::is_mine(*this); }

void Keeper::begin_close(Instant deadline) {
  if (is_closing_) return;
  const std::lock_guard lock(step_mutex_);
  const Stepping stepping(*this);  // refusing who waits calls the program
  is_closing_ = true;
  close_deadline_ = deadline;
  close_began_at_ = pool_.clock_.now();
  reclaimed_before_close_ = read(pool_.segment().totals().leases_reclaimed_total);
  close_gives_up_ = latest(deadline, pool_.clock_.now()) + kCloseGrace;
  Deliveries deliveries;
  pool_.turnstile_.set_gate(Gate::closed, pool_.clock_.now(), deliveries);
  try {
    clerk_.refuse_pending("the pool is closing");
  } catch (const std::bad_alloc&) {
    // Who waits for an answer sees the pool closed.
  }
  pool_.connector_->give_up_opens();
  poke();
}

void Keeper::step_closing(Instant now) {
  if (is_closed_) return;
  const bool is_forced = now >= close_deadline_;
  is_closed_ = try_to_close(is_forced, now);
  if (is_closed_) tell_closed(is_forced, now);
}

bool Keeper::try_to_close(bool is_forced, Instant now) {
  if (is_forced) pool_.connector_->give_up();
  bool is_any = false;
  for (int round = 0; round < kRoundsMax; ++round) {
    if (is_forced) {
      for (uint32_t slot = 0; slot < pool_.board_.used(); ++slot) {
        revoked_at_close_ = revoked_at_close_ || pool_.board_.word(slot).state() == SlotState::leased;
      }
    }
    if (hand_.shut_all(is_forced, now) && !pool_.connector_->is_at_work()) return true;
    hand_.tend(policy_, now);
    is_any = take_completions(now);
    if (!is_any) break;
  }
  // A driver that cannot end a session in time must not keep the application from ending.
  const bool is_held_up = is_forced && !is_any && hand_.is_done_with_sessions() && pool_.connector_->is_held_up();
  return is_held_up || now >= close_gives_up_;
}

// Once. Whoever still has the segment open reads it; its file goes with the pool.
void Keeper::tell_closed(bool is_forced, Instant now) {
  const uint64_t cut = read(pool_.segment().totals().leases_reclaimed_total) - reclaimed_before_close_;
  const bool has_left = hand_.occupied() != 0 || pool_.connector_->is_at_work();
  const char* reason = has_left                ? "the driver did not end its sessions in time"
                       : is_forced && cut != 0 ? "leases that lasted until the timeout were cut off"
                                               : "every lease had ended";
  publisher_.note(
      EventKind::pool_closed, cut != 0 || has_left ? Severity::warning : Severity::info,
      "closed after " + describe_span(now - close_began_at_) + ": " + reason + ", " + std::to_string(cut) +
          " leases cut off",
      "{\"leases_cut\":" + std::to_string(cut) + ",\"took_ms\":" + std::to_string((now - close_began_at_).ms()) + "}");
}

Status Keeper::left_behind() const { return pool_.connector_->left_behind(); }

bool Keeper::hold_for_fork(Instant give_up) noexcept {
  (void)pool_.connector_->hold_for_fork(std::max(Span{}, give_up - pool_.clock_.now()));
  if (is_stepped_by_me()) return true;  // a function of the program forks: this very thread is between two changes
  while (!(is_held_for_fork_ = step_mutex_.try_lock())) {
    if (pool_.clock_.now() >= give_up) return false;
    pause_for(Span::micros(100));
  }
  return true;
}

void Keeper::release_after_fork() noexcept {
  pool_.connector_->release_after_fork();
  if (std::exchange(is_held_for_fork_, false)) step_mutex_.unlock();
}

void Keeper::abandon_after_fork(bool is_whole) noexcept {
  if (is_whole) hand_.abandon_after_fork();
  mailbox_.abandon();
  poke_.close();
  epoll_.close();
}

}  // namespace tide
