// Shrink: retires what is above the target or the limit.
//
// Above the target only idle connections end, and only when no caller waits and min_idle stay idle. Above the limit (it
// was lowered, or a burst is over) leased ones are marked too and end when returned, even while callers wait.
// Order: idle, then those still opening (retired when they are open), then held, then leased; highest slot first.
// Never more than the surplus; connections that are leaving already count.
// Threads: the keeper only.
#pragma once

#include "brain/desk.hpp"

namespace tide::brain {

void shrink(Desk& desk);

}  // namespace tide::brain
