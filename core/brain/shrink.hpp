// Shrink: retires what is above the target or the limit.
//
// Above the target only idle connections end, and only when nobody waits and min_idle stay idle. Above the limit
// (it was lowered, or a burst is over) leased ones are marked too and end when given back, even while callers wait.
// Order: idle, then those still opening (retired once they are there), then held, then leased; highest slot first.
// Never more than the surplus; what is leaving already counts.
// Threads: the keeper's only.
#pragma once

#include "brain/desk.hpp"

namespace tide::brain {

void shrink(Desk& desk);

}  // namespace tide::brain
