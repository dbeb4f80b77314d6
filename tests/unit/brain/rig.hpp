// Rig: a brain with a census set by the test. Time moves only when a test says so.
//
// obey() carries the actions out in the simplest way: an open is in progress until arrive(), an idle connection that is
// retired is gone at once, a leased one is marked, a validation holds its slot until checked().
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "actions.hpp"
#include "brain/brain.hpp"
#include "unit/support/commands.hpp"

namespace tide::test {

// Without the deciders that have their own tests: the threshold rule sizes, health is not checked.
inline Policy plain(Policy policy) {
  policy.sizing = Sizing::threshold;
  policy.health_interval = Span();
  policy.breaker = false;
  policy.emergency = false;
  return policy;
}

class Rig {
 public:
  static constexpr uint32_t kCapacity = 32;
  struct Whole {};  // with every decider, and with the output of the alert monitor

  explicit Rig(const Policy& wanted = Policy(), uint32_t capacity = kCapacity)
      : policy(plain(wanted)), brain(policy, capacity, 7, now) {
    drop_alerts();
  }
  Rig(Whole, const Policy& wanted, uint32_t capacity = kCapacity)
      : policy(wanted), brain(wanted, capacity, 7, now), is_whole(true) {}

  // A pool that has started and grown to `n` idle connections, its target.
  static Rig running(const Policy& wanted, int n) {
    Rig rig(wanted);
    for (int i = 0; i < n; ++i) rig.add(Phase::idle);
    (void)rig.order(Verb::scale, n);
    (void)rig.order(Verb::scale, -1);
    rig.tick();
    EXPECT_GE(rig.outlook.target_size, n);
    rig.generation = rig.outlook.generation;
    return rig;
  }

  SlotCensus& add(Phase phase) {
    SlotCensus slot;
    slot.slot = free_slot();
    slot.conn_id = ++last_conn_id;
    put(slot, phase);
    slot.born = slot.last_used = slot.validated_at = now;
    slots.push_back(slot);
    std::sort(slots.begin(), slots.end(), [](const auto& a, const auto& b) { return a.slot < b.slot; });
    return at(slot.slot);
  }

  SlotCensus& at(uint32_t slot) {
    return *std::find_if(slots.begin(), slots.end(), [slot](const auto& s) { return s.slot == slot; });
  }
  void remove(uint32_t slot) {
    std::erase_if(slots, [slot](const auto& s) { return s.slot == slot; });
  }

  void put(SlotCensus& slot, Phase phase) {
    slot.phase = phase;
    slot.since = now;
    if (phase != Phase::leased) return;
    slot.lease_id = ++last_lease_id;
    slot.leased_at = now;
    ++slot.uses;
  }
  void lease(uint32_t slot) {
    put(at(slot), Phase::leased);
    ++acquires;
  }
  void lease_all() {
    for (SlotCensus& s : slots) {
      if (s.phase == Phase::idle) lease(s.slot);
    }
  }
  // As the keeper does: a connection marked to end does so when it is returned.
  void give_back(uint32_t slot) {
    SlotCensus& s = at(slot);
    put(s, Phase::idle);
    s.last_used = s.validated_at = now;
    if (s.is_retiring) remove(slot);
  }

  Census census() const {
    Census c;
    c.slots = slots;
    c.waiting = waiting;
    if (waiting > 0) c.oldest_wait_since = now;
    c.acquires_total = acquires;
    c.wait_p95 = wait_p95;
    c.in_use_average = in_use_average;
    c.traffic = traffic;
    c.resources = resources;
    c.acquire_timeouts_total = timeouts;
    if (waiting > 0 && waiting_since.is_set()) c.oldest_wait_since = waiting_since;
    return c;
  }

  const Outlook& tick() {
    outlook = brain.tick(now, census(), actions);
    EXPECT_GT(outlook.next_wakeup, now);
    if (!is_whole) {
      std::erase_if(actions, [](const Action& a) {
        const auto* note = std::get_if<action::Note>(&a);
        return note != nullptr && note->event == EventKind::alert_rule_changed;
      });
    }
    return outlook;
  }
  const Outlook& tick_after(Span span) {
    now += span;
    return tick();
  }
  // Tick and carry out, repeated until there are no actions.
  void settle() {
    for (int i = 0; i < 100; ++i) {
      tick();
      obey();
      arrive();
      checked(true);
      if (actions.empty()) return;
    }
    FAIL() << "the brain keeps requesting actions";
  }

  void obey() {
    for (const Action& action : actions) {
      if (std::holds_alternative<action::Open>(action)) add(Phase::opening);
      if (const auto* validate = std::get_if<action::Validate>(&action)) {
        if (validate->is_survey) surveys.push_back(validate->slot);
        put(at(validate->slot), Phase::held);
      }
      if (const auto* revoke = std::get_if<action::RevokeLease>(&action)) {
        std::erase_if(slots, [&](const auto& s) { return s.phase == Phase::leased && s.lease_id == revoke->lease_id; });
      }
      const auto* retire = std::get_if<action::Retire>(&action);
      if (retire == nullptr) continue;
      SlotCensus& slot = at(retire->slot);
      slot.is_retiring = true;
      if (slot.phase == Phase::idle) remove(retire->slot);
    }
  }
  void arrive() {
    for (SlotCensus& slot : slots) {
      if (slot.phase != Phase::opening) continue;
      put(slot, Phase::idle);
      slot.born = slot.last_used = slot.validated_at = now;
      brain.connect_succeeded(now);
    }
  }
  void fail_opens(bool is_permanent = false) {
    const auto n = std::erase_if(slots, [](const auto& s) { return s.phase == Phase::opening; });
    for (size_t i = 0; i < n; ++i) brain.connect_failed(now, is_permanent);
  }
  void checked(bool is_alive) {
    for (size_t i = slots.size(); i-- > 0;) {
      if (slots[i].phase != Phase::held) continue;
      put(slots[i], Phase::idle);
      slots[i].validated_at = now;
      if (std::erase(surveys, slots[i].slot) != 0) {
        brain.surveyed(now, is_alive);
      } else {
        brain.validated(now, is_alive);
      }
      if (!is_alive || slots[i].is_retiring) remove(slots[i].slot);
    }
  }

  Verdict order(Verb verb, int64_t number = 0, Span span = {}, std::string reason = {}) {
    Result<Command> made = command(verb, number, span, reason);
    if (!made) return {Verdict::Kind::refused, made.take_status(), {}};
    made->id = ++last_command_id;
    made->actor = "psql";
    return brain.accept(*made, census(), now);
  }
  void set(const Policy& wanted) {
    policy = is_whole ? wanted : plain(wanted);
    brain.set_policy(policy, now);
  }

  template <typename Kind>
  int count() const {
    return static_cast<int>(all<Kind>(actions).size());
  }
  int opens() const { return count<action::Open>(); }
  int validations() const { return count<action::Validate>() - surveys_asked(); }
  int surveys_asked() const {
    const auto asked = all<action::Validate>(actions);
    return static_cast<int>(std::count_if(asked.begin(), asked.end(), [](const auto& a) { return a.is_survey; }));
  }
  int retired(CloseReason reason) const {
    const auto retired = all<action::Retire>(actions);
    return static_cast<int>(
        std::count_if(retired.begin(), retired.end(), [reason](const auto& a) { return a.reason == reason; }));
  }
  bool is_retired(uint32_t slot) const {
    const auto retired = all<action::Retire>(actions);
    return std::any_of(retired.begin(), retired.end(), [slot](const auto& a) { return a.slot == slot; });
  }
  template <typename Kind>
  const Kind* find() const {
    const auto it =
        std::find_if(actions.begin(), actions.end(), [](const Action& a) { return std::holds_alternative<Kind>(a); });
    return it == actions.end() ? nullptr : &std::get<Kind>(*it);
  }
  const action::Note* note(EventKind event) const {
    for (const Action& action : actions) {
      const auto* note = std::get_if<action::Note>(&action);
      if (note != nullptr && note->event == event) return note;
    }
    return nullptr;
  }

  Instant now = Instant::at_ns(1'000'000'000'000);
  Policy policy;
  Brain brain;
  std::vector<SlotCensus> slots;
  std::vector<Action> actions;
  Outlook outlook;
  uint32_t waiting = 0;
  uint64_t acquires = 0;
  uint64_t generation = 0;  // once running
  Span wait_p95;
  double in_use_average = 0;
  Traffic traffic;
  Resources resources;
  uint64_t timeouts = 0;
  Instant waiting_since;  // unset: since now
  std::vector<uint32_t> surveys;
  bool is_whole = false;
  uint64_t last_conn_id = 0;
  uint64_t last_lease_id = 0;
  uint64_t last_command_id = 0;

 private:
  void drop_alerts() {
    while (!brain.alert_monitor().rules().empty()) {
      const auto drop = make_command("drop_alert", {{"rule", brain.alert_monitor().rules().front().name}});
      EXPECT_EQ(brain.accept(*drop, census(), now).kind, Verdict::Kind::applied);
    }
  }
  uint32_t free_slot() const {
    uint32_t slot = 0;
    while (std::any_of(slots.begin(), slots.end(), [slot](const auto& s) { return s.slot == slot; })) ++slot;
    return slot;
  }
};

// The defaults, without anything that ends or validates a connection automatically.
inline Policy calm() {
  Policy policy;
  policy.idle_timeout = Span();
  policy.validation_interval = Span();
  policy.lease_timeout = Span();
  policy.leak_threshold = Span();
  policy.scaling = false;
  return policy;
}

}  // namespace tide::test
