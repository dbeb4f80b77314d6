// Bulletin: what the brain has found out, written into the segment: health, forecasts, alerts and their rules.
//
// The publisher beside it writes what is and was; this is what to think of it.
// Threads: the keeper's only. Failure: none.
#pragma once

#include <cstdint>
#include <string>

#include "brain/brain.hpp"
#include "plane/segment.hpp"
#include "pool/ports.hpp"

namespace tide {

class Bulletin {
 public:
  Bulletin(Segment& segment, const Clock& clock) : segment_(segment), clock_(clock) {}

  // After a tick of the brain: what has changed since the last call.
  void write(const Brain& brain, Instant now);
  // What the brain has counted up to now.
  void write_tallies(const Brain& brain);
  // The alert at this place of the brain's table has changed.
  void write_alert(const Brain& brain, size_t place, Instant now);

 private:
  int64_t wall_of(Instant at, Instant now) const;
  void write_health(const brain::Health& health, Instant now);
  void write_forecasts(const brain::AdaptiveSizer& sizer, Instant now);
  void write_rules(const brain::Sentinel& sentinel);

  Segment& segment_;
  const Clock& clock_;
  uint64_t rounds_seen_ = 0;
  uint64_t rules_seen_ = 0;
  Instant forecast_at_;
};

}  // namespace tide
