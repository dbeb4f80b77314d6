#include "brain/precedence.hpp"

#include <algorithm>

#include "base/units.hpp"
#include "brain/desk.hpp"
#include "brain/wording.hpp"

namespace tide::brain {

Rule precedence(const Ledger& ledger) {
  return precedence(ledger.policy, ledger.capacity, ledger.controls, ledger.caps);
}

Rule precedence_without(const Ledger& ledger, std::initializer_list<std::optional<int64_t> Caps::*> caps) {
  Caps left = ledger.caps;
  for (const auto cap : caps) (left.*cap).reset();
  return precedence(ledger.policy, ledger.capacity, ledger.controls, left);
}

Rule precedence(const Policy& policy, int64_t capacity, const Controls& controls, const Caps& caps) {
  Rule rule;
  rule.limit = std::min(policy.max_size, capacity);
  rule.lowest = std::min(policy.min_size, rule.limit);
  if (caps.overload && *caps.overload < rule.limit && !controls.manual_size && !controls.burst_until) {
    rule.limit = std::max(rule.lowest, *caps.overload);
    rule.source = SizeSource::autoscale;
  }
  if (caps.recovery && !controls.manual_size) {
    rule.lowest = std::max(rule.lowest, std::min(*caps.recovery, rule.limit));
  }
  if (controls.manual_size) {
    const int64_t pinned = std::clamp(*controls.manual_size, rule.lowest, rule.limit);
    rule = {pinned, pinned, 0, SizeSource::manual};
  }
  if (controls.burst_until) {  // a burst only ever raises
    rule.limit = std::max(rule.limit, std::min(policy.burst_limit(), capacity));
    rule.source = SizeSource::burst;
  }
  if (caps.emergency && *caps.emergency < rule.limit) {  // and an emergency only ever lowers
    rule.limit = *caps.emergency;
    rule.lowest = std::min(rule.lowest, rule.limit);
    rule.source = SizeSource::emergency;
  }
  if (caps.room && *caps.room < rule.limit) {  // what the server does not give, no rule can ask for
    rule.probe = std::min(caps.probe, rule.limit - *caps.room);
    rule.limit = *caps.room;
    rule.lowest = std::min(rule.lowest, rule.limit);
    rule.source = SizeSource::autoscale;
  }
  return rule;
}

void keep_target_in_range(Desk& desk) {
  const int64_t target = desk.ledger().target;
  const Rule& rule = desk.rule();
  if (target >= rule.lowest && target <= rule.limit) return;
  if (target > rule.limit) {
    desk.set_target(rule.limit, rule.source, "the limit is " + limit_reason(desk.ledger()));
  } else if (rule.source == SizeSource::config && rule.lowest > desk.policy().min_size) {
    desk.set_target(rule.lowest, SizeSource::autoscale, "held by a recovery");
  } else if (rule.source == SizeSource::config) {
    desk.set_target(rule.lowest, rule.source, "min_size is " + std::to_string(desk.policy().min_size));
  } else {
    desk.set_target(rule.lowest, rule.source, limit_reason(desk.ledger()));
  }
}

std::string limit_reason(const Ledger& ledger) {
  const Controls& controls = ledger.controls;
  const Rule rule = precedence(ledger);
  switch (rule.source) {
    case SizeSource::emergency: return "an emergency, at most " + counted(rule.limit, "connection");
    case SizeSource::autoscale:
      if (ledger.caps.room && *ledger.caps.room == rule.limit) {
        return "a full server that has room for " + counted(rule.limit, "connection") + ": " + ledger.room_reason;
      }
      return "overload: beyond " + counted(rule.limit, "connection") + " the database gets slower";
    case SizeSource::manual: return "manual scale to " + std::to_string(rule.limit) + by(controls.manual_actor);
    case SizeSource::burst:
      return "burst to " + std::to_string(rule.limit) + " for another " +
             describe_span(latest(*controls.burst_until, ledger.seen_at) - ledger.seen_at);
    default: break;
  }
  if (rule.limit < ledger.policy.max_size) return "the " + std::to_string(ledger.capacity) + " slots of this pool";
  return "max_size " + std::to_string(ledger.policy.max_size);
}

}  // namespace tide::brain
