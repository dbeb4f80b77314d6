// Dossier: what the brain remembers of one connection and of the lease on it, beyond what a census shows.
#pragma once

#include <cstdint>
#include <vector>

#include "base/instant.hpp"
#include "base/rng.hpp"
#include "brain/census.hpp"

namespace tide::brain {

struct Dossier {
  uint64_t conn_id = 0;                   // whom all this is about
  Instant replace_at = Instant::never();  // a command: retire it from then on
  uint64_t awaited_by = 0;                // bit k: pending command k waits until this connection is gone
  bool is_asked_to_retire = false;        // within the current tick; afterwards the census shows it
  bool is_asked_to_validate = false;      // likewise

  uint64_t lease_id = 0;  // whom the rest is about
  bool is_overdue = false;
  bool is_suspect = false;
  bool is_cancelled = false;
  bool is_revoked = false;
  Instant ended_idle_since;     // the transaction that was ended already, by its begin of idleness
  Instant ended_reading_since;  // the same for a read snapshot
};

// Dossiers: one for each slot, made once.
//
// A dossier speaks of the connection and the lease that the last census showed in its slot; when another one is seen
// there, it starts afresh. Slots that are empty keep a stale dossier that nobody reads.
// Threads: the keeper's only. Failure: a slot beyond the capacity is a broken invariant.
class Dossiers {
 public:
  explicit Dossiers(int64_t capacity) : all_(static_cast<size_t>(capacity)) {}

  // Before anything else is asked about `census`.
  void sync(const Census& census);

  Dossier& of(const SlotCensus& slot) { return all_[slot.slot]; }
  const Dossier& of(const SlotCensus& slot) const { return all_[slot.slot]; }

  // Every connection of `census` is to be retired at a moment of its own: evenly over `spread`, with jitter within
  // the even steps. Commands that overlap merge: the earlier moment counts. Connections still being opened are new
  // enough. `awaited_by` is the bit of the command that waits for them, 0 for none; conn_ids above `newest` are left out.
  // Returns how many there are.
  int64_t mark_for_replacement(const Census& census, Instant now, Span spread, Rng& rng, uint64_t awaited_by,
                               uint64_t newest = ~uint64_t{0});

 private:
  std::vector<Dossier> all_;
};

// How many connections mark_for_replacement() would mark.
int64_t replaceable(const Census& census);

}  // namespace tide::brain
