#include "brain/suspicion.hpp"

#include <algorithm>
#include <utility>

namespace tide::brain {
namespace {

// While all others are leased, none can be validated; after this time their holders have noticed themselves.
constexpr Span kSuspicionMax = Span::seconds(10);

}  // namespace

void Suspicion::raise(Instant now, std::string why) {
  if (!why_.empty()) return;
  why_ = std::move(why);
  raised_at_ = now;
}

bool Suspicion::is_confirmed(Desk& desk) {
  if (why_.empty()) return false;
  if (newest_ == 0) {
    for (const SlotCensus& slot : desk.census().slots) {
      if (slot.phase != Phase::opening) newest_ = std::max(newest_, slot.conn_id);
    }
  }
  bool is_anyone_left = false;
  switch (look(desk, is_anyone_left)) {
    case Finding::dead: return true;
    case Finding::alive: drop(); return false;
    case Finding::waiting: return false;  // for the answer, which causes a tick
    case Finding::none: break;
  }
  if (!is_anyone_left || desk.now() - raised_at_ >= kSuspicionMax) {
    drop();
  } else if (!desk.ledger().controls.is_paused) {
    ask_one(desk);
  }
  return false;
}

Suspicion::Finding Suspicion::look(const Desk& desk, bool& is_anyone_left) {
  bool is_asked_there = false;
  for (const SlotCensus& slot : desk.census().slots) {
    if (slot.phase == Phase::opening || slot.conn_id > newest_) continue;
    if (slot.validated_at > raised_at_) return Finding::alive;
    if (slot.phase == Phase::closing) continue;
    is_anyone_left = true;
    if (slot.conn_id != asked_) continue;
    if (slot.phase == Phase::held) return Finding::waiting;
    if (slot.validated_at >= asked_at_) return Finding::alive;
    is_asked_there = true;
  }
  if (asked_ != 0 && !is_asked_there) return Finding::dead;
  asked_ = 0;  // leased before it could be validated
  return Finding::none;
}

void Suspicion::ask_one(Desk& desk) {
  for (const SlotCensus& slot : HighestFirst{desk.census().slots}) {
    if (slot.conn_id > newest_ || !desk.is_staying(slot, Phase::idle)) continue;
    desk.validate(slot);
    asked_ = slot.conn_id;
    asked_at_ = desk.now();
    return;
  }
  desk.wake_at(desk.now() + kRecheck);  // all are leased, and the end of a lease causes no tick
}

}  // namespace tide::brain
