#include "brain/dossier.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace tide::brain {
namespace {

bool is_replaceable(const SlotCensus& slot) { return slot.phase != Phase::opening && slot.phase != Phase::closing; }

void start_lease_afresh(Dossier& dossier, uint64_t lease_id) {
  dossier.lease_id = lease_id;
  dossier.is_overdue = false;
  dossier.is_suspect = false;
  dossier.is_cancelled = false;
  dossier.is_revoked = false;
  dossier.ended_idle_since = Instant();
  dossier.ended_reading_since = Instant();
}

}  // namespace

void Dossiers::sync(const Census& census) {
  for (const SlotCensus& slot : census.slots) {
    TIDE_ASSERT(slot.slot < all_.size());
    Dossier& dossier = of(slot);
    if (dossier.conn_id != slot.conn_id) {
      dossier = Dossier();
      dossier.conn_id = slot.conn_id;
    }
    if (slot.phase == Phase::leased && dossier.lease_id != slot.lease_id) start_lease_afresh(dossier, slot.lease_id);
    dossier.is_asked_to_retire = false;
    dossier.is_asked_to_validate = false;
  }
}

int64_t replaceable(const Census& census) {
  int64_t n = 0;
  for (const SlotCensus& slot : census.slots) n += is_replaceable(slot) ? 1 : 0;
  return n;
}

int64_t Dossiers::mark_for_replacement(const Census& census, Instant now, Span spread, Rng& rng, uint64_t awaited_by,
                                       uint64_t newest) {
  const auto is_meant = [newest](const SlotCensus& slot) { return is_replaceable(slot) && slot.conn_id <= newest; };
  const auto all = std::count_if(census.slots.begin(), census.slots.end(), is_meant);
  int64_t n = 0;
  for (const SlotCensus& slot : census.slots) {
    if (!is_meant(slot)) continue;
    Dossier& dossier = of(slot);
    const double share = (static_cast<double>(n) + rng.unit()) / static_cast<double>(all);
    dossier.replace_at = earliest(dossier.replace_at, now + spread.scaled(share));
    dossier.awaited_by |= awaited_by;
    ++n;
  }
  return n;
}

}  // namespace tide::brain
