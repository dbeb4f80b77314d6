#include "brain/brain.hpp"

#include <algorithm>
#include <optional>

#include "brain/alerts/alert_monitor.hpp"
#include "brain/commands.hpp"
#include "brain/desk.hpp"
#include "brain/evaluation.hpp"
#include "brain/growth.hpp"
#include "brain/health/health_monitor.hpp"
#include "brain/lease_watch.hpp"
#include "brain/ledger.hpp"
#include "brain/precedence.hpp"
#include "brain/readings.hpp"
#include "brain/reaper.hpp"
#include "brain/room.hpp"
#include "brain/shrink.hpp"
#include "brain/sizer.hpp"
#include "brain/steering.hpp"

namespace tide {

struct Brain::Memory {
  Memory(const Policy& policy, uint32_t capacity, uint64_t seed, Instant now)
      : ledger(policy, capacity, seed), sizer(now + policy.scaling_interval), steering(policy), alert_monitor(policy) {
    ledger.seen_at = now;
    ledger.target = brain::precedence(ledger).lowest;
  }

  void decide(brain::Desk& desk);
  void look_after(brain::Desk& desk, const brain::Beat* beat);
  void size(brain::Desk& desk, const brain::Beat* beat);
  void look_at_start(const brain::Desk& desk);
  PoolState state() const;
  Outlook outlook(const brain::Desk& desk) const;

  brain::Ledger ledger;
  brain::Commands commands;
  brain::Reaper reaper;
  brain::Sizer sizer;
  brain::Steering steering;
  brain::HealthMonitor health_monitor;
  brain::Growth growth;
  brain::Room room;
  brain::Evaluation evaluation;
  brain::AlertMonitor alert_monitor;
};

Brain::Brain(const Policy& policy, uint32_t capacity, uint64_t seed, Instant now)
    : memory_(std::make_unique<Memory>(policy, capacity, seed, now)) {}
Brain::~Brain() = default;
Brain::Brain(Brain&&) noexcept = default;
Brain& Brain::operator=(Brain&&) noexcept = default;

void Brain::set_policy(const Policy& policy, Instant now) {
  memory_->ledger.policy = policy;
  memory_->ledger.seen_at = now;
  ++memory_->ledger.generation;
  memory_->growth.set_policy(policy, now);
  memory_->alert_monitor.set_policy(policy);
}

Verdict Brain::accept(const Command& command, const Census& census, Instant now) {
  memory_->ledger.seen_at = now;
  memory_->ledger.dossiers.sync(census);
  Verdict verdict;
  switch (command.verb()) {
    case Verb::check_health: verdict = memory_->health_monitor.accept_check(command); break;
    case Verb::ack: verdict = memory_->alert_monitor.ack(command, now); break;
    case Verb::set_alert: verdict = memory_->alert_monitor.set_alert(command, now); break;
    case Verb::evaluate: verdict = memory_->evaluation.accept(command, memory_->ledger); break;
    case Verb::drop_alert: verdict = memory_->alert_monitor.drop_alert(command, now); break;
    default: return memory_->commands.accept(command, census, now, memory_->ledger);
  }
  if (verdict.kind != Verdict::Kind::refused) ++memory_->ledger.generation;
  return verdict;
}

void Brain::connect_succeeded(Instant, Span took) {
  memory_->growth.succeeded();
  memory_->health_monitor.breaker().succeeded();
  memory_->steering.connected(took);
}

void Brain::connect_failed(Instant now, bool is_permanent, bool is_crowded) {
  memory_->health_monitor.breaker().failed(now, is_permanent);
  memory_->growth.failed(now, is_permanent, memory_->ledger.policy, memory_->ledger.rng);
  if (is_crowded) memory_->growth.crowded();
}

void Brain::server_full(const std::string& why) { memory_->room.refused(why); }

void Brain::connection_lost(Instant now, uint64_t conn_id) { memory_->reaper.lost(now, conn_id); }

void Brain::generation_doomed(Instant now, uint64_t conn_id, const std::string& why) {
  memory_->reaper.doomed(now, conn_id, why);
}

void Brain::generation_suspected(Instant now, uint64_t conn_id, const std::string& why) {
  memory_->reaper.suspect(now, conn_id, why);
}

void Brain::validated(Instant, bool is_alive) {
  memory_->reaper.validated(is_alive, memory_->ledger.policy.max_validation_failures);
}

void Brain::surveyed(Instant now, bool is_alive) {
  memory_->health_monitor.surveyed();
  validated(now, is_alive);
}

Outlook Brain::tick(Instant now, const Census& census, std::vector<Action>& actions) {
  actions.clear();
  memory_->ledger.seen_at = now;
  memory_->ledger.dossiers.sync(census);
  brain::Desk desk(memory_->ledger, census, now, actions);
  memory_->decide(desk);
  return memory_->outlook(desk);
}

// The order of deciders. Each sees what the previous ones have requested.
void Brain::Memory::decide(brain::Desk& desk) {
  commands.tick(desk);
  if (brain::is_waiting_ordered(desk)) ledger.pulse.paused();
  const brain::Beat* beat = ledger.pulse.tick(desk.now(), desk.census()) ? &ledger.pulse.last() : nullptr;
  if (ledger.controls.is_draining) {
    room.forget(desk);
  } else {
    room.tick(desk);
  }
  desk.put_bounds(brain::precedence(ledger));
  look_at_start(desk);
  brain::watch_leases(desk);
  if (ledger.controls.is_draining) {
    commands.retire_all(desk);
    evaluation.refuse(desk, "the pool is draining");
    reaper.forget_failures();
    health_monitor.skip(desk);
  } else {
    look_after(desk, beat);
  }
  alert_monitor.tick(desk, brain::take_readings(desk, health_monitor));
  commands.finish(desk);
}

// The pool is supposed to have connections.
void Brain::Memory::look_after(brain::Desk& desk, const brain::Beat* beat) {
  health_monitor.tick(desk, beat);
  if (health_monitor.take_forget()) steering.forget();
  desk.put_bounds(brain::precedence(ledger));
  brain::keep_target_in_range(desk);
  reaper.tick(desk);
  size(desk, beat);
  growth.tick(desk, steering, health_monitor.breaker(), room);
  brain::shrink(desk);
  if (health_monitor.breaker().is_tripped() && desk.census().waiting > 0) desk.put(action::RefuseWaiters{});
  const brain::Counts& counts = desk.counts();
  const bool is_steered = ledger.policy.scaling && ledger.policy.sizing == Sizing::adaptive;
  const bool is_busy = counts.in_use > 0 || desk.census().waiting > 0 || ledger.target > desk.bounds().lowest;
  if (is_steered && is_busy) desk.wake_at(ledger.pulse.next_at());
}

void Brain::Memory::size(brain::Desk& desk, const brain::Beat* beat) {
  const bool is_held = health_monitor.emergency().is_on() || health_monitor.pressure().is_on();
  const bool is_asked = evaluation.is_asked();
  const int64_t before = ledger.target;
  std::optional<std::string> why = is_asked ? brain::sizing_is_held(desk, is_held) : std::nullopt;
  if (!is_held) sizer.tick(desk, is_asked && !why ? &why : nullptr);
  steering.tick(desk, beat, is_held, growth.is_crowded(desk.now()), is_asked && !why ? &why : nullptr);
  if (!is_asked) return;
  if (why) {
    evaluation.answer(desk, before, *why);
  } else {
    desk.wake_at(ledger.pulse.next_at());
  }
}

void Brain::Memory::look_at_start(const brain::Desk& desk) {
  const bool is_lazy = ledger.policy.init_mode == InitMode::lazy;
  const Census& census = desk.census();
  const bool has_caller = census.waiting > 0 || census.acquires_total > 0 || census.acquire_timeouts_total > 0;
  ledger.is_awake = ledger.is_awake || !is_lazy || has_caller;
  ledger.is_started = ledger.is_started || is_lazy || desk.counts().open() >= desk.bounds().lowest;
}

PoolState Brain::Memory::state() const {
  if (ledger.controls.is_draining) return PoolState::draining;
  if (ledger.controls.is_paused) return PoolState::paused;
  if (health_monitor.emergency().is_on()) return PoolState::emergency;
  if (health_monitor.is_degraded()) return PoolState::degraded;
  return ledger.is_started ? PoolState::running : PoolState::starting;
}

Outlook Brain::Memory::outlook(const brain::Desk& desk) const {
  const brain::SizeBounds& bounds = desk.bounds();
  const bool is_draining = ledger.controls.is_draining;
  Outlook out;
  out.state = state();
  out.target_size = is_draining ? 0 : ledger.target;
  out.limit_size = std::clamp(desk.counts().total, bounds.limit, bounds.limit + bounds.probe);
  out.size_source = bounds.source;
  if (bounds.source == SizeSource::config && ledger.target > std::min(ledger.policy.min_size, bounds.limit)) {
    const bool is_predicted = ledger.target_source == SizeSource::predicted;
    out.size_source = is_predicted ? SizeSource::predicted : SizeSource::autoscale;
  }
  out.breaker = health_monitor.breaker().state(ledger.policy);
  out.breaker_probe_at = health_monitor.breaker().probe_at();
  out.predicted_in_use = steering.sizer().facts().predicted_in_use_10;
  out.burst_until = ledger.controls.burst_until.value_or(Instant());
  out.generation = ledger.generation;
  out.is_settled = is_draining ? desk.counts().total == 0 : ledger.is_started;
  out.next_wakeup = desk.next_wakeup();
  return out;
}

Instant Brain::draw_expiry(Instant born) {
  brain::Ledger& ledger = memory_->ledger;
  const Span lifetime = ledger.policy.max_lifetime;
  if (lifetime.is_zero()) return Instant::never();
  return born + lifetime - lifetime.scaled(ledger.policy.lifetime_jitter * ledger.rng.unit());
}

std::string Brain::limit_reason() const { return brain::limit_reason(memory_->ledger); }

const brain::Health& Brain::health() const { return memory_->health_monitor.health(); }

const brain::AdaptiveSizer& Brain::sizer() const { return memory_->steering.sizer(); }

const brain::AlertMonitor& Brain::alert_monitor() const { return memory_->alert_monitor; }

const brain::Tallies& Brain::tallies() const { return memory_->ledger.tallies; }

}  // namespace tide
