#include "world.hpp"

#include "base/overloaded.hpp"
#include "rig.hpp"
#include "unit/support/commands.hpp"

#include <algorithm>

namespace tide::test {

World::World(const Policy& policy, uint64_t seed)
    : policy_(plain(policy)), rng_(seed), brain_(policy_, kCapacity, seed ^ 0xB1A1, now_) {}

void World::step() {
  pass_time();
  end_phases();
  come_and_go();
  if (rng_.chance(0.004)) is_server_down_ = !is_server_down_;
  if (rng_.chance(0.01)) order_something();
  if (rng_.chance(0.003)) change_policy();
  tick();
}

void World::calm_down(Span span) {
  is_calm_ = true;
  is_server_down_ = false;
  waiting_ = 0;
  const Instant end = now_ + span;
  for (const Verb verb : {Verb::resume, Verb::end_burst, Verb::scale}) {
    Census census;
    take_census(census);
    (void)brain_.accept(*command(verb, -1), census, now_);
  }
  while (now_ < end) {
    tick();
    Instant next = earliest(outlook_.next_wakeup, end);
    for (const Place& place : slots_) next = earliest(next, place.due);
    now_ = latest(next, now_);
    end_phases();
  }
  tick();
}

void World::pass_time() {
  const double dice = rng_.unit();
  if (dice < 0.3 && outlook_.next_wakeup != Instant::never()) {
    now_ = latest(now_, outlook_.next_wakeup);
  } else if (dice < 0.8) {
    now_ += random_span(Span::millis(50));
  } else if (dice < 0.99) {
    now_ += random_span(Span::seconds(2));
  } else {
    now_ += random_span(Span::seconds(900));
  }
}

void World::enter(Place& place, Phase phase, Span for_how_long) {
  place.seen.phase = phase;
  place.seen.since = now_;
  place.due = for_how_long == Span::forever() ? Instant::never() : now_ + for_how_long;
  place.is_doomed = (phase == Phase::opening && is_server_down_) || (phase != Phase::closing && rng_.chance(0.03));
  if (is_calm_) place.is_doomed = false;
}

void World::end_phases() {
  for (Place& place : slots_) {
    if (now_ < place.due) continue;
    if (place.seen.phase == Phase::opening) end_open(place);
    if (place.seen.phase == Phase::held) end_hold(place);
    if (place.seen.phase == Phase::closing && now_ >= place.due) place.seen.conn_id = 0;
    if (place.seen.phase != Phase::leased || now_ < place.due) continue;
    enter(place, Phase::idle, Span::forever());
    place.seen.last_used = place.seen.validated_at = now_;
  }
  for (Place& place : slots_) {
    if (place.seen.phase == Phase::idle && place.seen.is_retiring) enter(place, Phase::closing, Span::millis(5));
  }
  std::erase_if(slots_, [](const Place& place) { return place.seen.conn_id == 0; });
}

void World::end_open(Place& place) {
  if (place.is_doomed) {
    is_failing_ = true;
    last_failure_ = now_;
    brain_.connect_failed(now_, rng_.chance(0.1));
    return enter(place, Phase::closing, Span());
  }
  is_failing_ = false;
  brain_.connect_succeeded(now_);
  enter(place, Phase::idle, Span::forever());
  place.seen.born = place.seen.last_used = place.seen.validated_at = now_;
  place.seen.expires_at = brain_.draw_expiry(now_);
}

void World::end_hold(Place& place) {
  const bool is_alive = !place.is_doomed;
  brain_.validated(now_, is_alive);
  if (!is_alive) return enter(place, Phase::closing, Span::millis(1));
  enter(place, Phase::idle, Span::forever());
  place.seen.validated_at = now_;
}

void World::come_and_go() {
  if (rng_.chance(0.4)) waiting_ += static_cast<uint32_t>(rng_.below(4));
  if (rng_.chance(0.01)) waiting_ += 40;
  if (waiting_ > 0 && rng_.chance(0.1)) waiting_ -= 1 + static_cast<uint32_t>(rng_.below(waiting_));
  if (outlook_.state == PoolState::paused) return;
  for (Place& place : slots_) {
    if (waiting_ > 0 && place.seen.phase == Phase::idle && !place.seen.is_retiring) lease_out(place);
  }
}

void World::lease_out(Place& place) {
  --waiting_;
  ++acquires_;
  enter(place, Phase::leased, random_span(rng_.chance(0.02) ? Span::seconds(300) : Span::millis(200)));
  place.has_late_mark = place.has_suspect_mark = false;
  place.seen.lease_id = ++last_lease_id_;
  place.seen.leased_at = now_;
  place.seen.reading_since = place.seen.idle_in_transaction_since = rng_.chance(0.2) ? now_ : Instant();
  ++place.seen.uses;
}

void World::order_something() {
  constexpr Verb kVerbs[] = {Verb::scale, Verb::scale,   Verb::burst, Verb::end_burst,
                             Verb::pause, Verb::recycle, Verb::drain, Verb::close_connection,
                             Verb::revoke};
  const bool is_halted = outlook_.state == PoolState::paused || outlook_.state == PoolState::draining;
  const Verb verb = is_halted && rng_.chance(0.7) ? Verb::resume : kVerbs[rng_.below(std::size(kVerbs))];
  const Span span = rng_.chance(0.3) ? Span() : random_span(Span::seconds(60));
  int64_t number = static_cast<int64_t>(rng_.below(14)) - 1;
  if (!slots_.empty()) {
    const SlotCensus& any = slots_[rng_.below(slots_.size())].seen;
    if (verb == Verb::close_connection) number = static_cast<int64_t>(any.conn_id);
    if (verb == Verb::revoke) number = static_cast<int64_t>(any.lease_id);
  }
  Result<Command> order = command(verb, number, span);
  if (!order) return;  // not accepted by any sender
  order->id = ++last_command_id_;
  Census census;
  take_census(census);
  const Verdict verdict = brain_.accept(*order, census, now_);
  EXPECT_EQ(verdict.kind == Verdict::Kind::refused, !verdict.why.is_ok());
  if (verdict.kind == Verdict::Kind::pending) pending_.insert(order->id);
}

void World::change_policy() {
  policy_.max_size = 3 + static_cast<int64_t>(rng_.below(12));
  policy_.min_size = static_cast<int64_t>(rng_.below(4));
  policy_.min_idle = static_cast<int64_t>(rng_.below(3));
  policy_.burst = rng_.chance(0.8);
  policy_.scaling = rng_.chance(0.8);
  brain_.set_policy(policy_, now_);
}

void World::take_census(Census& census) {
  shown_.clear();
  for (const Place& place : slots_) shown_.push_back(place.seen);
  census.slots = shown_;
  census.waiting = waiting_;
  census.oldest_wait_since = waiting_ > 0 ? now_ : Instant();
  census.acquires_total = acquires_;
  census.wait_p95 = waiting_ > 3 ? Span::millis(1500) : Span();
  census.in_use_average = static_cast<double>(count(Phase::leased));
}

void World::tick() {
  Census census;
  take_census(census);
  outlook_ = brain_.tick(now_, census, actions_);
  check(census);
  obey();
}

void World::check(const Census& census) {
  ASSERT_GT(outlook_.next_wakeup, now_);
  ASSERT_GE(outlook_.limit_size, std::min<int64_t>(policy_.min_size, kCapacity));
  ASSERT_LE(outlook_.limit_size, std::min<int64_t>(std::max(policy_.burst_limit(), policy_.max_size), kCapacity));
  ASSERT_LE(outlook_.target_size, outlook_.limit_size);
  if (outlook_.size_source != SizeSource::burst) {
    ASSERT_LE(outlook_.limit_size, policy_.max_size);
  }
  if (outlook_.burst_until.is_set()) {  // I6
    ASSERT_GT(outlook_.burst_until, now_);
  }
  if (outlook_.state == PoolState::draining) {
    ASSERT_EQ(outlook_.target_size, 0);
    ASSERT_EQ(outlook_.is_settled, census.slots.empty());
  } else {
    ASSERT_GE(outlook_.target_size, std::min(policy_.min_size, outlook_.limit_size));
  }
  check_opens(census);
  check_shrink();
}

// Scaling down never goes below the target, and touches leases only above the limit.
void World::check_shrink() {
  const int64_t staying = std::count_if(slots_.begin(), slots_.end(), [](const Place& p) {
    return !p.seen.is_retiring && p.seen.phase != Phase::closing;
  });
  int64_t retired = 0, by_scale = 0, leased_by_scale = 0;
  for (const action::Retire& action : all<action::Retire>(actions_)) {
    ++retired;
    if (action.reason != CloseReason::scale) continue;
    ++by_scale;
    leased_by_scale += find(action.slot, action.conn_id)->seen.phase == Phase::leased ? 1 : 0;
  }
  if (by_scale > 0) {
    ASSERT_GE(staying - retired, outlook_.target_size);
  }
  if (leased_by_scale > 0) {
    ASSERT_GE(staying - retired, outlook_.limit_size);
  }
}

void World::check_opens(const Census& census) {
  const auto opens = static_cast<int64_t>(all<action::Open>(actions_).size());
  const int64_t total = static_cast<int64_t>(census.slots.size());
  const int64_t opening = count(Phase::opening);
  if (opens > 0) {
    ASSERT_LE(total + opens, outlook_.limit_size);  // I1
    ASSERT_LE(opening + opens, policy_.max_connecting);
    ASSERT_NE(outlook_.state, PoolState::draining);
    if (is_failing_) {
      ASSERT_EQ(opening + opens, 1);
    }
  }
  const bool is_serving = outlook_.state == PoolState::running || outlook_.state == PoolState::starting;
  const bool may_ask = !is_failing_ || now_ >= last_failure_ + policy_.retry_max;
  const bool is_pace_kept = opening < (is_failing_ ? 1 : policy_.max_connecting);
  const bool is_help_near = waiting_ <= opening + count(Phase::held) + count(Phase::idle);
  if (is_serving && may_ask && !is_help_near && is_pace_kept && total < outlook_.limit_size) {
    ASSERT_GT(opens, 0);
  }
}

void World::obey() {
  for (const Action& action : actions_) {
    remember(action);
    obey(action);
  }
}

void World::obey(const Action& action) {
  const auto with_lease = [this](uint64_t lease_id, const auto& then) {
    Place* place = find_lease(lease_id);
    ASSERT_NE(place, nullptr);
    then(*place);
  };
  std::visit(
      Overloaded{
          [this](const action::Open&) { open(); },
          [this](const action::Retire& retire) { obey(retire); },
          [this](const action::Validate& validate) {
            Place* place = find(validate.slot, validate.conn_id);
            ASSERT_NE(place, nullptr);
            ASSERT_EQ(place->seen.phase, Phase::idle);
            enter(*place, Phase::held, random_span(Span::millis(20)));
          },
          [&](const action::CancelLease& cancel) { with_lease(cancel.lease_id, [](Place&) {}); },
          [&](const action::RevokeLease& revoke) {
            with_lease(revoke.lease_id,
                       [this](Place& place) { enter(place, Phase::closing, random_span(Span::millis(50))); });
          },
          [&](const action::EndTransaction& end) { with_lease(end.lease_id, [](Place&) {}); },
          [&](const action::MarkOverdue& mark) {
            with_lease(mark.lease_id, [](Place& place) { ASSERT_FALSE(std::exchange(place.has_late_mark, true)); });
          },
          [&](const action::MarkSuspect& mark) {
            with_lease(mark.lease_id, [](Place& place) { ASSERT_FALSE(std::exchange(place.has_suspect_mark, true)); });
          },
          [](const action::Scale& scale) { ASSERT_FALSE(scale.reason.empty()); },
          [this](const action::FinishCommand& done) { ASSERT_EQ(pending_.erase(done.command_id), 1U); },
          [](const auto&) {},
      },
      action);
}

void World::open() {
  Place place;
  while (std::any_of(slots_.begin(), slots_.end(), [&](const Place& p) { return p.seen.slot == place.seen.slot; })) {
    ++place.seen.slot;
  }
  ASSERT_LT(place.seen.slot, kCapacity);
  place.seen.conn_id = ++last_conn_id_;
  place.seen.born = now_;
  enter(place, Phase::opening, random_span(Span::millis(100)));
  const auto behind = [&](const Place& p) { return p.seen.slot > place.seen.slot; };
  slots_.insert(std::find_if(slots_.begin(), slots_.end(), behind), place);
}

void World::obey(const action::Retire& retire) {
  Place* place = find(retire.slot, retire.conn_id);
  ASSERT_NE(place, nullptr);
  ASSERT_FALSE(place->seen.is_retiring);
  ASSERT_NE(place->seen.phase, Phase::opening);
  ASSERT_NE(retire.reason, CloseReason::none);
  place->seen.is_retiring = true;
  if (place->seen.phase == Phase::idle) enter(*place, Phase::closing, random_span(Span::millis(50)));
}

World::Place* World::find(uint32_t slot, uint64_t conn_id) {
  const auto it = std::find_if(slots_.begin(), slots_.end(), [&](const Place& place) {
    return place.seen.slot == slot && place.seen.conn_id == conn_id;
  });
  return it == slots_.end() ? nullptr : &*it;
}

World::Place* World::find_lease(uint64_t lease_id) {
  const auto it = std::find_if(slots_.begin(), slots_.end(), [&](const Place& place) {
    return place.seen.phase == Phase::leased && place.seen.lease_id == lease_id;
  });
  return it == slots_.end() ? nullptr : &*it;
}

int64_t World::count(Phase phase) const {
  return std::count_if(slots_.begin(), slots_.end(), [phase](const Place& p) { return p.seen.phase == phase; });
}

void World::remember(const Action& action) {
  ++actions_of_[action.index()];
  const auto mix = [this](uint64_t value) { fingerprint_ = (fingerprint_ ^ value) * 1099511628211ULL; };
  const auto mix_text = [&](const std::string& text) {
    for (const char c : text) mix(static_cast<unsigned char>(c));
  };
  mix(action.index());
  mix(static_cast<uint64_t>(now_.ns()));
  std::visit(Overloaded{
                 [&](const action::Retire& retire) { mix(retire.conn_id); },
                 [&](const action::Validate& validate) { mix(validate.conn_id); },
                 [&](const action::RevokeLease& revoke) { mix(revoke.lease_id); },
                 [&](const action::EndTransaction& end) { mix_text(end.why); },
                 [&](const action::Note& note) { mix_text(note.text); },
                 [&](const action::Scale& scale) {
                   mix(static_cast<uint64_t>(scale.to_size));
                   mix_text(scale.reason);
                 },
                 [](const auto&) {},
             },
             action);
}

}  // namespace tide::test
