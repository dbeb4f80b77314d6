#include "policy_draw.hpp"

#include "base/assert.hpp"
#include "policy/settings.hpp"

namespace tide::sim {
namespace {

Span millis_between(Dice& dice, int64_t low, int64_t high) { return dice.span(Span::millis(low), Span::millis(high)); }

// Zero means never, or no bound.
Span sometimes(Dice& dice, double probability, int64_t low, int64_t high) {
  return dice.chance(probability) ? millis_between(dice, low, high) : Span();
}

void draw_sizes(Dice& dice, Policy& policy) {
  policy.max_size = dice.chance(0.15) ? 1 : dice.between(2, 12);
  policy.min_size = dice.chance(0.25) ? 0 : dice.between(0, policy.max_size);
  policy.min_idle = dice.chance(0.7) ? 0 : dice.between(0, policy.max_size);
  policy.grow_step = dice.between(1, 4);
  policy.max_connecting = dice.between(1, 4);
  policy.burst = dice.chance(0.8);
  // Gives the board room for max_size 200.
  policy.burst_max_size = dice.chance(0.2) ? 100 : dice.chance(0.5) ? 0 : policy.max_size + dice.between(0, 6);
  policy.burst_duration = millis_between(dice, 5, 300);
}

void draw_life(Dice& dice, Policy& policy) {
  policy.connect_timeout = millis_between(dice, 15, 200);
  policy.idle_timeout = sometimes(dice, 0.7, 20, 400);
  policy.max_lifetime = sometimes(dice, 0.7, 50, 2000);
  policy.lifetime_jitter = 0.1 * static_cast<double>(dice.between(0, 9));
  policy.max_uses = dice.chance(0.3) ? dice.between(1, 40) : 0;
  policy.validation_bypass = dice.chance(0.3) ? Span() : millis_between(dice, 1, 100);
  policy.validation_interval = sometimes(dice, 0.7, 10, 200);
  policy.validation_timeout = millis_between(dice, 2, 50);
  policy.max_validation_failures = dice.between(1, 4);
  policy.retry_base = millis_between(dice, 1, 20);
  policy.retry_max = policy.retry_base + millis_between(dice, 0, 300);
  constexpr ResetMode kModes[] = {ResetMode::none, ResetMode::rollback, ResetMode::smart, ResetMode::smart,
                                  ResetMode::full};
  policy.reset_on_release = dice.one_of(kModes);
}

void draw_leases(Dice& dice, Policy& policy) {
  constexpr LeaseTimeoutAction kActions[] = {LeaseTimeoutAction::report, LeaseTimeoutAction::cancel,
                                             LeaseTimeoutAction::reclaim};
  policy.lease_timeout = sometimes(dice, 0.8, 10, 200);
  policy.lease_timeout_action = dice.one_of(kActions);
  policy.leak_threshold = sometimes(dice, 0.8, 5, 100);
  policy.statement_timeout = sometimes(dice, 0.5, 2, 60);
  policy.query_timeout = sometimes(dice, 0.8, 2, 60);
  policy.idle_in_transaction_timeout = sometimes(dice, 0.5, 2, 50);
  policy.sqlite_max_read_transaction = Span();
  policy.acquire_timeout = millis_between(dice, 2, 300);
  policy.max_waiting = dice.chance(0.3) ? dice.between(1, 20) : 0;
  policy.reserve_size = dice.chance(0.4) ? dice.between(0, policy.max_size - 1) : 0;
  policy.fairness_window = dice.chance(0.3) ? Span() : millis_between(dice, 0, 5);
}

void draw_scaling(Dice& dice, Policy& policy) {
  policy.scaling = dice.chance(0.8);
  policy.scaling_interval = millis_between(dice, 10, 100);
  policy.scale_up_utilization = 0.5 + 0.1 * static_cast<double>(dice.between(0, 5));
  policy.scale_down_utilization = 0.1 * static_cast<double>(dice.between(0, 4));
  policy.scale_up_wait = millis_between(dice, 0, 50);
  policy.scale_up_periods = dice.between(1, 3);
  policy.scale_down_periods = dice.between(1, 3);
  policy.scale_up_cooldown = millis_between(dice, 0, 200);
  policy.scale_down_cooldown = millis_between(dice, 0, 400);
}

void draw_sizing(Dice& dice, Policy& policy) {
  constexpr PredictionMode kPredictions[] = {PredictionMode::off, PredictionMode::linear, PredictionMode::seasonal,
                                             PredictionMode::auto_};
  policy.sizing = dice.chance(0.6) ? Sizing::adaptive : Sizing::threshold;
  policy.wait_objective = millis_between(dice, 1, 20);
  policy.wait_objective_share = 0.001 + 0.05 * dice.unit();
  policy.prediction = dice.one_of(kPredictions);
}

void draw_watch(Dice& dice, Policy& policy) {
  policy.breaker = dice.chance(0.8);
  policy.breaker_trip_after = sometimes(dice, 0.9, 10, 500);
  policy.breaker_probe_interval = millis_between(dice, 10, 300);
  policy.health_interval = sometimes(dice, 0.9, 5, 3000);
  policy.health_max_response = millis_between(dice, 5, 2000);
  policy.health_max_error_rate = 0.02 + 0.3 * dice.unit();
  policy.health_min_healthy = dice.chance(0.7) ? 0 : dice.between(0, policy.max_size);
  policy.health_max_utilization = 0.5 + 0.5 * dice.unit();
  constexpr const char* kRecoveries[] = {"",
                                         "restart_connections",
                                         "scale_pool",
                                         "reset_metrics",
                                         "restart_connections,scale_pool",
                                         "reset_metrics,scale_pool,restart_connections"};
  policy.recovery = dice.one_of(kRecoveries);
  policy.recovery_max_attempts = dice.between(1, 4);
  policy.emergency = dice.chance(0.8);
  policy.emergency_below = dice.between(0, 80);
  policy.emergency_max_size = dice.between(1, 8);
  policy.memory_limit = dice.chance(0.3) ? dice.between(250, 2000) * 1'000'000 : 0;
}

void draw_alerts(Dice& dice, Policy& policy) {
  policy.alert_utilization = 0.3 + 0.7 * dice.unit();
  policy.alert_wait = millis_between(dice, 1, 300);
  policy.alert_error_rate = 0.3 * dice.unit();
  policy.alert_errors_per_hour = dice.between(0, 50);
  policy.alert_waiting = dice.between(0, 20);
  policy.alert_health_failure_rate = 0.9 * dice.unit();
  policy.alert_memory = 0.5 + 0.5 * dice.unit();
}

}  // namespace

Policy draw_policy(Dice& dice) {
  Policy policy;
  draw_sizes(dice, policy);
  draw_life(dice, policy);
  draw_leases(dice, policy);
  draw_scaling(dice, policy);
  draw_sizing(dice, policy);
  draw_watch(dice, policy);
  draw_alerts(dice, policy);
  constexpr InitMode kModes[] = {InitMode::lazy, InitMode::eager, InitMode::eager, InitMode::fail_fast};
  policy.init_mode = dice.one_of(kModes);
  // Drawn last, so that the policies of other seeds are what they were.
  if (dice.chance(0.05))
    policy.max_size = policy.min_size = policy.min_idle = policy.health_min_healthy = policy.reserve_size = 0;
  TIDE_ASSERT(check_policy(policy).is_ok());
  return policy;
}

}  // namespace tide::sim
