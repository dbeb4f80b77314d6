#include "brain/desk.hpp"

#include <cmath>
#include <cstdio>

#include "base/assert.hpp"
#include "brain/wording.hpp"

namespace tide::brain {

std::string short_number(double value) {
  char out[32];
  std::snprintf(out, sizeof out, "%.4g", std::round(value * 100) / 100);
  return out;
}

Desk::Desk(Ledger& ledger, const Census& census, Instant now, std::vector<Action>& actions)
    : ledger_(ledger), census_(census), now_(now), actions_(actions) {
  for (const SlotCensus& slot : census.slots) {
    ++counts_.total;
    if (slot.phase == Phase::leased) ++counts_.in_use;
    if (slot.phase == Phase::opening) ++counts_.connecting;
    if (slot.phase == Phase::closing || !slot.is_retiring) ++count_of(slot.phase);
  }
}

int64_t& Desk::count_of(Phase phase) {
  switch (phase) {
    case Phase::opening: return counts_.opening;
    case Phase::idle: return counts_.idle;
    case Phase::leased: return counts_.leased;
    case Phase::held: return counts_.held;
    case Phase::closing: break;
  }
  return counts_.closing;
}

bool Desk::is_leaving(const SlotCensus& slot) const {
  return slot.is_retiring || slot.phase == Phase::closing || dossier(slot).is_asked_to_retire;
}

bool Desk::is_staying(const SlotCensus& slot, Phase phase) const {
  if (is_leaving(slot)) return false;
  if (dossier(slot).is_asked_to_validate) return phase == Phase::held;
  return slot.phase == phase;
}

void Desk::open() {
  TIDE_ASSERT(counts_.total < bounds_.limit + bounds_.probe);  // I1
  ++counts_.opening;
  ++counts_.connecting;
  ++counts_.total;
  put(action::Open{});
}

void Desk::retire(const SlotCensus& slot, CloseReason reason) {
  TIDE_ASSERT(!is_leaving(slot) && slot.phase != Phase::opening);
  Dossier& about = dossier(slot);
  --count_of(about.is_asked_to_validate ? Phase::held : slot.phase);
  about.is_asked_to_retire = true;
  put(action::Retire{slot.slot, slot.conn_id, reason});
}

bool Desk::has_slow_waiter() const {
  const Instant since = census_.oldest_wait_since;
  return census_.waiting > 0 && since.is_set() && now_ - since > policy().wait_objective;
}

bool is_waiting_ordered(const Desk& desk) {
  const Ledger& ledger = desk.ledger();
  if (ledger.controls.is_paused) return true;
  return desk.census().waiting > 0 && ledger.resumed_at && desk.census().oldest_wait_since < *ledger.resumed_at;
}

void Desk::validate(const SlotCensus& slot, bool is_survey) {
  TIDE_ASSERT(is_staying(slot, Phase::idle));
  --counts_.idle;
  ++counts_.held;
  dossier(slot).is_asked_to_validate = true;
  put(action::Validate{slot.slot, slot.conn_id, is_survey});
}

void Desk::set_target(int64_t to, SizeSource cause, const std::string& reason, double predicted_in_use) {
  const int64_t from = ledger_.target;
  if (from == to) return;
  ledger_.target = to;
  ledger_.target_source = cause;
  ledger_.target_changed_at = now_;
  ledger_.pulse.target_moved(to > from);
  put(action::Scale{from, to, cause, reason, {}, predicted_in_use});
  note(to > from ? EventKind::scale_up : EventKind::scale_down, Severity::info,
       "target " + std::to_string(from) + " -> " + std::to_string(to) + ": " + reason,
       "{\"from\":" + std::to_string(from) + ",\"to\":" + std::to_string(to) +
           ",\"in_use\":" + std::to_string(counts_.in_use) + ",\"waiting\":" + std::to_string(census_.waiting) + "}");
}

Instant Desk::next_wakeup() const {
  constexpr Span kSoonest = Span::millis(1);
  return latest(wakeup_, now_ + kSoonest);
}

}  // namespace tide::brain
