// Dossier: what the brain remembers of one connection and of the lease on it, in addition to the census.
#pragma once

#include <cstdint>
#include <vector>

#include "base/instant.hpp"
#include "base/rng.hpp"
#include "brain/census.hpp"

namespace tide::brain {

struct Dossier {
  uint64_t conn_id = 0;                   // the connection described
  Instant replace_at = Instant::never();  // set by a command: retire it from then on
  uint64_t awaited_by = 0;                // bit k: pending command k waits until this connection is gone
  bool is_asked_to_retire = false;        // within the current tick; afterwards the census shows it
  bool is_asked_to_validate = false;      // the same

  uint64_t lease_id = 0;  // the lease described by the rest
  bool is_overdue = false;
  bool is_suspect = false;
  bool is_cancelled = false;
  bool is_revoked = false;
  Instant ended_idle_since;     // the transaction that was already ended, by the start of its idleness
  Instant ended_reading_since;  // the same for a read snapshot
};

// Dossiers: one for each slot, created once.
//
// A dossier describes the connection and the lease that the last census showed in its slot; when that shows another
// one, it is reset. Empty slots keep an outdated dossier that is never read.
// Threads: the keeper only. Failure: a slot beyond the capacity is a broken invariant.
class Dossiers {
 public:
  explicit Dossiers(int64_t capacity) : all_(static_cast<size_t>(capacity)) {}

  // Must precede all other calls about `census`.
  void sync(const Census& census);

  Dossier& of(const SlotCensus& slot) { return all_[slot.slot]; }
  const Dossier& of(const SlotCensus& slot) const { return all_[slot.slot]; }

  // Schedules the retirement of every connection of `census`, each at its own time: evenly over `spread`, with jitter
  // within the even steps. Overlapping commands merge: the earlier time counts. Connections still being opened are new
  // enough. `awaited_by` is the bit of the command that waits for them, 0 for none; conn_ids above `newest` are left
  // out. Returns how many there are.
  int64_t mark_for_replacement(const Census& census, Instant now, Span spread, Rng& rng, uint64_t awaited_by,
                               uint64_t newest = ~uint64_t{0});

 private:
  std::vector<Dossier> all_;
};

// How many connections mark_for_replacement() would mark.
int64_t replaceable(const Census& census);

}  // namespace tide::brain
