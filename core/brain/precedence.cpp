#include "brain/precedence.hpp"

#include <algorithm>

#include "base/units.hpp"
#include "brain/desk.hpp"
#include "brain/wording.hpp"

namespace tide::brain {

SizeBounds precedence(const Ledger& ledger) {
  return precedence(ledger.policy, ledger.capacity, ledger.controls, ledger.caps);
}

SizeBounds precedence_without(const Ledger& ledger, std::initializer_list<std::optional<int64_t> Caps::*> caps) {
  Caps left = ledger.caps;
  for (const auto cap : caps) (left.*cap).reset();
  return precedence(ledger.policy, ledger.capacity, ledger.controls, left);
}

SizeBounds precedence(const Policy& policy, int64_t capacity, const Controls& controls, const Caps& caps) {
  SizeBounds bounds;
  bounds.limit = std::min(policy.size_limit(), capacity);
  bounds.lowest = std::min(policy.min_size, bounds.limit);
  if (caps.overload && *caps.overload < bounds.limit && !controls.manual_size && !controls.burst_until) {
    bounds.limit = std::max(bounds.lowest, *caps.overload);
    bounds.source = SizeSource::autoscale;
  }
  if (caps.recovery && !controls.manual_size && policy.is_pooling()) {
    bounds.lowest = std::max(bounds.lowest, std::min(*caps.recovery, bounds.limit));
  }
  if (controls.manual_size) {
    const int64_t pinned = std::clamp(*controls.manual_size, bounds.lowest, bounds.limit);
    bounds = {pinned, pinned, 0, SizeSource::manual};
  }
  if (controls.burst_until) {  // a burst only raises
    bounds.limit = std::max(bounds.limit, std::min(policy.burst_limit(), capacity));
    bounds.source = SizeSource::burst;
  }
  if (caps.emergency && *caps.emergency < bounds.limit) {  // an emergency only lowers
    bounds.limit = *caps.emergency;
    bounds.lowest = std::min(bounds.lowest, bounds.limit);
    bounds.source = SizeSource::emergency;
  }
  if (caps.room && *caps.room < bounds.limit) {  // no rule can exceed what the server provides
    bounds.probe = std::min(caps.probe, bounds.limit - *caps.room);
    bounds.limit = *caps.room;
    bounds.lowest = std::min(bounds.lowest, bounds.limit);
    bounds.source = SizeSource::autoscale;
  }
  return bounds;
}

void keep_target_in_range(Desk& desk) {
  const int64_t target = desk.ledger().target;
  const SizeBounds& bounds = desk.bounds();
  if (target > 0 && !desk.policy().is_pooling()) {
    return desk.set_target(0, SizeSource::config, "max_size is 0: no connection is kept");
  }
  if (target >= bounds.lowest && target <= bounds.limit) return;
  if (target > bounds.limit) {
    desk.set_target(bounds.limit, bounds.source, "the limit is " + limit_reason(desk.ledger()));
  } else if (bounds.source == SizeSource::config && bounds.lowest > desk.policy().min_size) {
    desk.set_target(bounds.lowest, SizeSource::autoscale, "held by a recovery");
  } else if (bounds.source == SizeSource::config) {
    desk.set_target(bounds.lowest, bounds.source, "min_size is " + std::to_string(desk.policy().min_size));
  } else {
    desk.set_target(bounds.lowest, bounds.source, limit_reason(desk.ledger()));
  }
}

std::string limit_reason(const Ledger& ledger) {
  const Controls& controls = ledger.controls;
  const SizeBounds bounds = precedence(ledger);
  switch (bounds.source) {
    case SizeSource::emergency: return "an emergency, at most " + counted(bounds.limit, "connection");
    case SizeSource::autoscale:
      if (ledger.caps.room && *ledger.caps.room == bounds.limit) {
        return "the server's limit, room for " + counted(bounds.limit, "connection") + ": " + ledger.room_reason;
      }
      return "overload: with more than " + counted(bounds.limit, "connection") + " the database becomes slower";
    case SizeSource::manual: return "manual scale to " + std::to_string(bounds.limit) + by(controls.manual_actor);
    case SizeSource::burst:
      return "burst to " + std::to_string(bounds.limit) + " for another " +
             describe_span(latest(*controls.burst_until, ledger.seen_at) - ledger.seen_at);
    default: break;
  }
  if (bounds.limit < ledger.policy.size_limit())
    return "the " + std::to_string(ledger.capacity) + " slots of this pool";
  if (!ledger.policy.is_pooling()) return "no more than " + std::to_string(kUnpooledMax) + " at a time without pooling";
  return "max_size " + std::to_string(ledger.policy.max_size);
}

}  // namespace tide::brain
